"""Answering: what a client sees, over UDP and TCP, by our own decoder and by dig."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import shutil  # noqa: E402
import struct  # noqa: E402
import subprocess  # noqa: E402

ZONE = 'shop.example'
TEXT = r"""$ORIGIN shop.example.
$TTL 1h
@       SOA ns1 hostmaster 2026112401 2h 30m 2w 5m
        NS ns1
        NS ns.elsewhere.test.
        MX 10 mail
        A 192.0.2.1
        AAAA 2001:db8::1
        TXT "v=spf1 mx -all" "second string"
        CAA 0 issue "ca.example"
ns1     A 192.0.2.53
mail    A 192.0.2.25
        AAAA 2001:db8::25
www     CNAME web
web     A 192.0.2.80
        A 192.0.2.81
chain1  CNAME chain2
chain2  CNAME chain3
chain3  CNAME web
loop1   CNAME loop2
loop2   CNAME loop1
out     CNAME www.elsewhere.test.
dangling CNAME nowhere
tosub   CNAME host.sub
*.wild  A 192.0.2.99
        TXT "wildcard"
exists.wild A 192.0.2.98
*.cw    CNAME web
a.b.c.deep A 192.0.2.77
old     DNAME new
www.new A 192.0.2.90
sub     NS ns.sub
        NS ns.elsewhere.test.
ns.sub  A 192.0.2.54
_sip._tcp SRV 0 5 5060 web
svc     HTTPS 1 web alpn=h2
odd     TYPE65280 \# 4 01020304
MiXed   A 192.0.2.11
\000bin A 192.0.2.12
""" + ''.join('big A 198.51.%d.%d\n' % (i // 250, 1 + i % 250) for i in range(300)) + \
    'medium TXT %s\n' % ' '.join('"%s"' % ('x' * 100) for _ in range(9))

_daemon = None


def daemon():
    """One daemon for the file."""
    global _daemon
    if _daemon is None:
        _daemon = s.Daemon(workers=2, version='schwenk test').start()
        _daemon.import_set(ZONE, TEXT)
        s._daemons.clear()      # outlives the case
    return _daemon


@s.case('positive answers: one RRset each, authoritative, minimal')
def positive():
    d = daemon()
    m = d.udp(ZONE, 'A')
    s.equal((m.rcode, m.aa, m.ra, m.rdata('A'), m.authority), ('NOERROR', True, False, ['192.0.2.1'], []), 'A')
    s.equal(d.udp('web.' + ZONE).rdata('A'), ['192.0.2.80', '192.0.2.81'], 'two addresses')
    s.equal(d.udp(ZONE, 'TXT').rdata('TXT'), ['v=spf1 mx -all second string'], 'TXT')
    s.equal(d.udp(ZONE, 'SOA').rdata('SOA'),
            ['ns1.shop.example hostmaster.shop.example 2026112401 7200 1800 1209600 300'], 'SOA')
    s.equal(d.udp('odd.' + ZONE, 65280).answer[0].rdata, '01020304', 'an unknown type')
    s.equal(d.udp('a.b.c.deep.' + ZONE).rdata('A'), ['192.0.2.77'], 'a deep name')
    s.equal(d.udp(ZONE, 'A').answer[0].ttl, 3600, 'the TTL')


@s.case("additional: the targets' addresses, where they are in the zone")
def additional():
    d = daemon()
    s.equal(d.udp(ZONE, 'MX').rdata('A', 'additional'), ['192.0.2.25'], "MX's A")
    s.equal(d.udp(ZONE, 'MX').rdata('AAAA', 'additional'), ['2001:db8::25'], "MX's AAAA")
    s.equal(d.udp(ZONE, 'NS').rdata('A', 'additional'), ['192.0.2.53'], "NS's")
    s.equal(d.udp('_sip._tcp.' + ZONE, 'SRV').rdata('A', 'additional'), ['192.0.2.80', '192.0.2.81'], "SRV's")


@s.case('CNAME: chains, loops, out of the zone, into nothing, below a cut')
def cname():
    d = daemon()
    m = d.udp('www.' + ZONE)
    s.equal((m.rdata('CNAME'), m.rdata('A')), (['web.shop.example'], ['192.0.2.80', '192.0.2.81']), 'www')
    m = d.udp('chain1.' + ZONE)
    s.equal((len(m.rrs('CNAME')), len(m.rrs('A'))), (3, 2), 'a chain of three')
    s.equal([r.owner.split('.')[0] for r in m.rrs('CNAME')], ['chain1', 'chain2', 'chain3'], 'in order')
    m = d.udp('loop1.' + ZONE)
    s.equal((m.rcode, len(m.answer)), ('NOERROR', 2), 'a loop: each record once')
    m = d.udp('out.' + ZONE)
    s.equal((m.rcode, m.rdata('CNAME'), len(m.answer)), ('NOERROR', ['www.elsewhere.test'], 1), 'out of the zone')
    m = d.udp('dangling.' + ZONE)
    s.equal((m.rcode, len(m.rrs('CNAME')), len(m.rrs('SOA', 'authority'))), ('NXDOMAIN', 1, 1), 'into nothing')
    m = d.udp('www.' + ZONE, 'CNAME')
    s.equal((m.rdata('CNAME'), len(m.answer)), (['web.shop.example'], 1), 'type CNAME')
    m = d.udp('www.' + ZONE, 'MX')
    s.equal((m.rcode, len(m.rrs('CNAME')), len(m.rrs('SOA', 'authority'))), ('NOERROR', 1, 1), 'NODATA behind it')
    m = d.udp('tosub.' + ZONE)
    s.equal((len(m.rrs('CNAME')), m.rdata('NS', 'authority')),
            (1, ['ns.elsewhere.test', 'ns.sub.shop.example']), 'below a cut: a referral')


@s.case('wildcards and empty non-terminals')
def wildcard():
    d = daemon()
    m = d.udp('any.wild.' + ZONE)
    s.equal((m.answer[0].owner, m.rdata('A')), ('any.wild.shop.example', ['192.0.2.99']), 'a wildcard')
    s.equal(d.udp('x.y.wild.' + ZONE).rdata('A'), ['192.0.2.99'], 'two labels')
    s.equal(d.udp('exists.wild.' + ZONE).rdata('A'), ['192.0.2.98'], 'what exists goes before')
    s.equal(d.udp('x.exists.wild.' + ZONE).rcode, 'NXDOMAIN', 'not below what exists')
    m = d.udp('any.wild.' + ZONE, 'MX')
    s.equal((m.rcode, m.answer, len(m.authority)), ('NOERROR', [], 1), 'NODATA of a wildcard')
    m = d.udp('any.cw.' + ZONE)
    s.equal((m.answer[0].owner, m.rdata('A')), ('any.cw.shop.example', ['192.0.2.80', '192.0.2.81']), 'CNAME')
    s.equal(d.udp('*.wild.' + ZONE).rdata('A'), ['192.0.2.99'], 'the wildcard itself')
    for name in ('c.deep.', 'b.c.deep.', 'deep.', 'wild.', '_tcp.'):
        m = d.udp(name + ZONE)
        s.equal((m.rcode, m.answer, len(m.rrs('SOA', 'authority'))), ('NOERROR', [], 1), 'the empty ' + name)


@s.case('DNAME: synthesis, the owner itself, a name that gets too long')
def dname():
    d = daemon()
    m = d.udp('www.old.' + ZONE)
    s.equal((len(m.rrs('DNAME')), m.rdata('CNAME'), m.rdata('A')),
            (1, ['www.new.shop.example'], ['192.0.2.90']), 'below')
    s.equal(d.udp('old.' + ZONE, 'DNAME').rdata('DNAME'), ['new.shop.example'], 'itself')
    s.equal(d.udp('old.' + ZONE, 'A').answer, [], 'the owner has no A')
    s.equal(d.udp('none.old.' + ZONE).rcode, 'NXDOMAIN', 'a target that is not')


@s.case('delegations: referral with glue, no authority, occluded names')
def delegation():
    d = daemon()
    for name in ('sub.', 'www.sub.', 'ns.sub.', 'a.b.sub.'):
        m = d.udp(name + ZONE)
        s.equal((m.rcode, m.aa, m.answer), ('NOERROR', False, []), name)
        s.equal(m.rdata('NS', 'authority'), ['ns.elsewhere.test', 'ns.sub.shop.example'], 'NS for ' + name)
        s.equal(m.rdata('A', 'additional'), ['192.0.2.54'], 'glue for ' + name)
    m = d.udp('sub.' + ZONE, 'DS')
    s.equal((m.aa, m.answer, len(m.rrs('SOA', 'authority'))), (True, [], 1), 'type DS is ours')


@s.case('NXDOMAIN and NODATA: the SOA with the lower of its two TTLs')
def negative():
    d = daemon()
    for m, rcode in ((d.udp('none.' + ZONE), 'NXDOMAIN'), (d.udp('mail.' + ZONE, 'MX'), 'NOERROR')):
        s.equal((m.rcode, m.aa, m.answer, len(m.authority)), (rcode, True, [], 1), rcode)
        s.equal((m.authority[0].type, m.authority[0].ttl), ('SOA', 300), 'the SOA of ' + rcode)


@s.case('truncation over UDP, the whole over TCP; EDNS sizes')
def truncation():
    d = daemon()
    m = d.udp('big.' + ZONE)
    s.equal((m.tc, m.answer, m.size <= 512), (True, [], True), 'without EDNS')
    m = d.udp('big.' + ZONE, edns=4096)
    s.expect(m.tc and m.size <= 1232 and m.opt, 'with EDNS: %s', m)
    m = d.tcp('big.' + ZONE)
    s.equal((m.tc, len(m.rrs('A'))), (False, 300), 'over TCP')
    m = d.udp('medium.' + ZONE, 'TXT')
    s.equal((m.tc, m.answer), (True, []), '900 octets into 512')
    m = d.udp('medium.' + ZONE, 'TXT', edns=1232)
    s.equal((m.tc, len(m.answer)), (False, 1), '900 octets into 1232')
    s.equal(d.udp('medium.' + ZONE, 'TXT', edns=100).tc, True, 'a size below 512 counts as 512')


@s.case("foreign names, classes, types, opcodes: as RFCs and src/answer/BEHAVIOUR.md say")
def refusals():
    d = daemon()
    m = d.udp('www.elsewhere.test', edns=1232)
    s.equal((m.rcode, m.ede, m.aa), ('REFUSED', [20], False), 'a foreign name')
    s.equal(d.udp('.', 'NS').rcode, 'REFUSED', 'the root')
    s.equal(d.udp(ZONE, 'A', qclass=4).rcode, 'REFUSED', 'class HS')
    s.equal(d.udp('version.bind', 'TXT', qclass=3).rdata('TXT'), ['schwenk test'], 'version.bind')
    s.equal(d.udp('id.server', 'TXT', qclass=3).rcode, 'REFUSED', 'id.server, not configured')
    m = d.udp(ZONE, 'A', edns=1232, version=1)
    s.equal((m.rcode, m.opt['version'], m.answer), ('BADVERS', 0, []), 'EDNS version 1')
    for opcode, rcode in ((1, 'NOTIMP'), (2, 'NOTIMP'), (6, 'NOTIMP'), (4, 'REFUSED'), (5, 'REFUSED')):
        m = s.decode(s.udp_raw(d.port, s.query(ZONE, 'SOA', flags=opcode << 11)))
        s.equal((m.rcode, m.opcode), (rcode, opcode), 'opcode %d' % opcode)
    s.equal(d.udp(ZONE, 'AXFR').rcode, 'NOTIMP', 'AXFR over UDP')
    s.equal(d.udp(ZONE, 250).rcode, 'FORMERR', 'type TSIG')
    m = d.udp(ZONE, 'ANY')
    s.expect(m.rcode == 'NOERROR' and len({r.type for r in m.answer}) == 1, 'ANY over UDP: %s', m)
    m = d.tcp(ZONE, 'ANY')
    s.expect(len({r.type for r in m.answer}) >= 6, 'ANY over TCP: %s', m)


@s.case("the question's letter case comes back; names compare without it")
def letter_case():
    d = daemon()
    m = d.udp('WwW.sHoP.ExAmPlE')
    s.equal((m.qname, m.rrs('CNAME')[0].owner), ('WwW.sHoP.ExAmPlE', 'WwW.sHoP.ExAmPlE'), 'the case')
    s.equal(d.udp('mixed.' + ZONE).rdata('A'), ['192.0.2.11'], 'mixed')


@s.case('flags: RD copied, RA never, CD and AD not copied back, DO copied')
def flags():
    d = daemon()
    m = d.udp(ZONE, flags=0x0100)
    s.equal((m.rd, m.ra), (True, False), 'RD')
    raw = s.udp_raw(d.port, s.query(ZONE, flags=0x0030))
    s.equal(struct.unpack_from('>H', raw, 2)[0] & 0x30, 0, 'AD and CD')
    s.equal(d.udp(ZONE, edns=1232, do=True).opt['do'], True, 'DO')


@s.case('TCP: pipelining, octet by octet, idle and half-sent connections are closed, the cap')
def tcp():
    with s.Daemon(workers=1, tcp_connections=20, tcp_idle_timeout=2, tcp_read_timeout=1) as d:
        d.import_set(ZONE, TEXT)
        with s.Tcp(d.port) as t:
            for i in range(200):
                t.send(s.query('web.' + ZONE, id=i))
            ids = [s.decode(t.receive()).id for _ in range(200)]
            s.equal(sorted(ids), list(range(200)), 'the ids of pipelined queries')
        with s.Tcp(d.port) as t:
            msg = s.query('big.' + ZONE, id=7)
            for octet in struct.pack('>H', len(msg)) + msg:
                t.sock.sendall(bytes([octet]))
            s.equal(len(s.decode(t.receive()).rrs('A')), 300, 'octet by octet')
        begun = s.time.monotonic()
        with s.Tcp(d.port) as t:
            t.sock.sendall(b'\0\x20ab')
            s.expect(t.closed(5), 'a half-sent message is not closed')
        s.expect(0.5 < s.time.monotonic() - begun < 4, 'after %.1f s', s.time.monotonic() - begun)
        with s.Tcp(d.port) as t:
            s.expect(t.closed(6), 'an idle connection is not closed')
        with s.Tcp(d.port) as t:
            t.sock.sendall(b'\0\x03abc')
            s.expect(t.closed(5), 'a length shorter than a header is not closed')
        many = [s.Tcp(d.port) for _ in range(30)]
        many[-1].send(s.query('web.' + ZONE))
        s.expect(many[-1].receive(), 'above the cap the new connection is not served')
        for t in many:
            t.close()


@s.case('TCP: a client that does not read holds up nobody')
def not_reading():
    with s.Daemon(workers=1) as d:
        d.import_set(ZONE, TEXT)
        with s.Tcp(d.port) as greedy:
            msg = s.query('big.' + ZONE)
            greedy.sock.settimeout(0.2)
            try:
                for _ in range(5000):
                    greedy.sock.sendall(struct.pack('>H', len(msg)) + msg)
            except (s.socket.timeout, ConnectionError):
                pass
            for _ in range(20):
                s.expect(d.udp('web.' + ZONE, timeout=0.5).rdata('A'), 'UDP beside it')
                s.expect(d.tcp('web.' + ZONE).rdata('A'), 'TCP beside it')


@s.case('many addresses: the reply comes from the address asked')
def addresses():
    port = s.free_port()
    with s.Daemon(listen=['0.0.0.0@%d' % port, '::@%d' % port]) as d:
        d.port = port
        d.import_set(ZONE, TEXT)
        for host in ('127.0.0.1', '127.0.0.2', '127.1.2.3', '::1'):
            reply = s.udp_raw(port, s.query('web.' + ZONE), host=host)
            s.expect(reply, 'no reply from %s', host)
            s.equal(len(s.decode(reply).rrs('A')), 2, 'asked at ' + host)


@s.case("dig has no complaint, and sees what we see")
def dig():
    if not shutil.which('dig'):
        raise s.Skip('dig is not installed')
    d = daemon()
    for name, rrtype, wanted in (('www', 'A', ['web.shop.example.', '192.0.2.80', '192.0.2.81']),
                                 ('big', 'A', None), ('svc', 'HTTPS', ['1 web.shop.example. alpn="h2"']),
                                 ('any.wild', 'TXT', ['"wildcard"'])):
        for extra in ([], ['+tcp'], ['+noedns'], ['+dnssec']):
            done = subprocess.run(['dig', '@127.0.0.1', '-p', str(d.port), '+norec', '+tries=1', '+time=3',
                                   '%s.%s' % (name, ZONE), rrtype] + extra, capture_output=True, text=True)
            s.equal(done.returncode, 0, 'dig')
            for word in ('WARNING', 'malformed', 'Got bad packet'):
                s.expect(word not in done.stdout, 'dig complains: %s', done.stdout)
            if wanted:
                short = subprocess.run(['dig', '@127.0.0.1', '-p', str(d.port), '+short', '%s.%s' % (name, ZONE),
                                        rrtype] + extra, capture_output=True, text=True).stdout.split('\n')[:-1]
                s.equal(sorted(short), sorted(wanted), name)


@s.case('the longest zone answers: a child zone served here, DS from the parent')
def longest():
    with s.Daemon() as d:
        d.import_set(ZONE, TEXT)
        d.import_set('sub.' + ZONE, s.marked_zone('sub.' + ZONE, 2))
        s.equal(d.udp('n1.sub.' + ZONE).rdata('A'), ['10.2.1.2'], 'the child')
        s.equal(d.udp('sub.' + ZONE, 'SOA').rdata('SOA')[0].split()[0], 'm2.sub.shop.example', "the child's SOA")
        m = d.udp('sub.' + ZONE, 'DS')
        s.equal(m.authority[0].owner, ZONE, 'DS: from the parent')
        m = d.udp('tosub.' + ZONE)
        s.equal((len(m.answer), m.rrs('A')), (1, []), 'a CNAME does not cross into another zone')


@s.case('stop of the daemon used above')
def done():
    d = daemon()
    s.equal(d.stop(), 0, 'exit status')
    d.check_log()
    d.dispose()


s.run()
