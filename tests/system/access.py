"""Who may ask a zone: the property query, from when a command that sets it has returned, over
UDP and TCP, whatever the worker; addresses of 127.0.0.0/8 are the clients."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s

ZONE = 'shop.example'
CHILD = 'inner.shop.example'


def prepared(d, zones=(ZONE,)):
    for zone in zones:
        d.import_set(zone + '@old', s.marked_zone(zone, 1))
        d.must('cutover', sets=[zone + '@old'])


def ask(d, source, name, tcp=False, **keys):
    """(rcode, Extended Errors) that a client gets."""
    message = s.query(name, edns=1232, **keys)
    kind = s.socket.SOCK_STREAM if tcp else s.socket.SOCK_DGRAM
    with s.socket.socket(s.socket.AF_INET, kind) as c:
        c.settimeout(3)
        c.bind((source, 0))
        c.connect(('127.0.0.1', d.port))
        if tcp:
            c.sendall(s.struct.pack('>H', len(message)) + message)
            reply = b''
            while len(reply) < 2 or len(reply) < 2 + s.struct.unpack_from('>H', reply)[0]:
                reply += c.recv(65536)
            reply = reply[2:]
        else:
            c.send(message)
            reply = c.recv(4096)
    m = s.decode(reply)
    if m.rcode == 'REFUSED':
        s.expect(not m.answer and not m.authority and not m.aa, 'a refusal that says something: %s', m)
    return m.rcode, m.ede


ALLOWED, DENIED = ('NOERROR', []), ('REFUSED', [18])


def expect(d, source, name, wanted, what):
    # new sockets each time, so that several workers are asked
    for i in range(6):
        s.equal(ask(d, source, name, tcp=i % 2 == 1), wanted, what)


@s.case('a list, none, any, taken away: at once, over UDP and TCP; refused with Extended Error 18')
def property_set():
    with s.Daemon() as d:
        prepared(d)
        expect(d, '127.0.0.2', 'n1.' + ZONE, ALLOWED, 'without the property')
        for i in range(10):
            d.must('zone-set', zone=ZONE, properties={'query': '127.0.0.2, ::1'})
            expect(d, '127.0.0.2', 'n1.' + ZONE, ALLOWED, 'who is in the list')
            expect(d, '127.0.0.3', 'n1.' + ZONE, DENIED, 'who is not')
            d.must('zone-set', zone=ZONE, properties={'query': '127.0.0.3/32'})
            expect(d, '127.0.0.2', 'n1.' + ZONE, DENIED, 'who is in it no more')
            expect(d, '127.0.0.3', 'n1.' + ZONE, ALLOWED, 'who is in it now')
        for name in ('none.' + ZONE, 'x.sub.' + ZONE, 'x.wild.' + ZONE, ZONE):
            expect(d, '127.0.0.2', name, DENIED, name)
        s.equal(ask(d, '127.0.0.2', ZONE, tcp=True, rrtype='AXFR'), DENIED, 'AXFR')
        expect(d, '127.0.0.2', 'elsewhere.example', ('REFUSED', [20]), 'what is not here')
        d.must('zone-set', zone=ZONE, properties={'query': 'none'})
        expect(d, '127.0.0.3', 'n1.' + ZONE, DENIED, 'none')
        d.must('zone-set', zone=ZONE, properties={'query': 'any'})
        expect(d, '127.0.0.3', 'n1.' + ZONE, ALLOWED, 'any')
        d.must('zone-set', zone=ZONE, properties={'query': 'none', 'note': 'x'})
        d.must('zone-set', zone=ZONE, properties={'query': None})
        expect(d, '127.0.0.3', 'n1.' + ZONE, ALLOWED, 'taken away')
        s.equal(d.zone(ZONE)['properties'], {'note': 'x'}, 'properties that stay')


@s.case('it is the zone that answers whose list counts: parent and child, switches, a new set')
def whose_list():
    with s.Daemon() as d:
        prepared(d, (ZONE, CHILD))
        d.must('zone-set', zone=CHILD, properties={'query': '127.0.0.2'})
        expect(d, '127.0.0.3', 'n1.' + ZONE, ALLOWED, 'the parent')
        expect(d, '127.0.0.3', 'n1.' + CHILD, DENIED, 'the child')
        expect(d, '127.0.0.2', 'n1.' + CHILD, ALLOWED, 'the child, for whom it is')
        s.equal(ask(d, '127.0.0.3', CHILD, rrtype='DS')[0], 'NXDOMAIN', "DS, which is the parent's (who delegates nothing)")
        d.import_set(CHILD + '@new', s.marked_zone(CHILD, 2))
        d.must('cutover', sets=[CHILD + '@new'])
        expect(d, '127.0.0.3', 'n1.' + CHILD, DENIED, 'after a switch')
        d.must('zone-set', zone=CHILD, properties={'query': None})
        d.must('zone-set', zone=ZONE, properties={'query': 'none'})
        expect(d, '127.0.0.3', 'n1.' + CHILD, ALLOWED, 'the child below a parent that nobody may ask')
        d.must('zone-remove', zones=[CHILD])
        expect(d, '127.0.0.3', 'n1.' + CHILD, DENIED, 'the child without itself')


@s.case('given with zone-add; kept over a restart; what is no list is refused and changes nothing')
def given_and_kept():
    with s.Daemon() as d:
        for value in ('', 'all', '127.0.0.1/8', 'localhost', 'none any', '127.0.0.1;'):
            for command, keys in (('zone-add', dict(zones=['new.example'])), ('zone-set', dict(zone=ZONE))):
                if command == 'zone-set' and value == '':
                    d.must('zone-add', zones=[ZONE], properties={'query': '127.0.0.2'})
                    prepared(d)
                error = d.refused('bad-request', command, properties={'query': value}, **keys)
                s.expect('query' in error['message'], 'the property is not named: %s', error)
        s.equal([z['zone'] for z in d.must('zones')['zones']], [ZONE], 'zones')
        status, reply, err = d.tool('zone', 'set', ZONE, 'query=127.0.0.2,nonsense')
        s.equal(status, 2, 'the exit status')
        s.equal(d.zone(ZONE)['properties'], {'query': '127.0.0.2'}, 'the property')
        d.run('zone', 'set', ZONE, 'query=127.0.0.3,2001:db8::/32')
        expect(d, '127.0.0.2', 'n1.' + ZONE, DENIED, 'set by the tool')
        d.stop()
        d.start()
        expect(d, '127.0.0.2', 'n1.' + ZONE, DENIED, 'after a restart')
        expect(d, '127.0.0.3', 'n1.' + ZONE, ALLOWED, 'after a restart, in the list')


s.run()
