#!/usr/bin/env python3
"""Moves of signed zones: while a zone is cut over between signed sets, an unbound without a cache
validates every answer. The sets have the same keys, other records, NSEC in one and NSEC3 in the
next; or a zone goes there and back on spare signed SOAs, followed by an nsd; or keys differ: then
it is seen why `cutover` refuses without `--force dnskey`.
"""
import collections
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ask  # noqa: E402
import secondary  # noqa: E402
import servers  # noqa: E402
import zones  # noqa: E402

s = servers.s
servers.needed('unbound', 'nsd', 'dnssec-signzone', 'dnssec-keygen', 'dnssec-dsfromkey', 'ldns-keygen', 'ldns-signzone',
               'ldns-read-zone')
SWITCHES = 20 if 'SCHWENK_SMALL' in os.environ or s.sanitized() else 100
ZONE = 'moves.test'
AD, AND_DO = 0x20, (False, 1232, True)

# Every record of an answer tells its set: 10.MARK.x.y.
TEXT = """
$TTL 300
@       SOA ns hostmaster {serial} 7200 1800 1209600 60
@       NS ns
ns      A 10.{mark}.0.1
www     A 10.{mark}.0.2
*.wild  A 10.{mark}.0.3
alias   CNAME www
wildalias CNAME x.wild
old     DNAME new
www.new A 10.{mark}.0.4
only{mark} A 10.{mark}.0.5
a.b.ent A 10.{mark}.0.6
cut     NS ns.elsewhere.invalid.
cut{mark} NS ns.elsewhere.invalid.
"""
QUESTIONS = [('www', 'A'), ('www', 'TXT'), ('nope', 'A'), ('x.wild', 'A'), ('x.wild', 'MX'), ('alias', 'A'), ('alias', 'MX'),
             ('wildalias', 'A'), ('www.old', 'A'), ('nope.old', 'A'), ('only1', 'A'), ('only2', 'A'), ('b.ent', 'A'),
             ('cut', 'DS'), ('cut1', 'DS'), ('cut2', 'DS'), ('ns', 'A')]


def signed(mark, serial, kind, keys, directory):
    """A set, in a directory of its own."""
    where = os.path.join(directory, '%s-%d' % (kind, serial))
    os.mkdir(where)
    return zones.make(ZONE, TEXT.format(mark=mark, serial=serial), kind, where, keys=keys)


class Load(threading.Thread):
    """Asks unbound without pause, some questions at once; judges each answer."""
    WINDOW = 8

    def __init__(self, port):
        super().__init__(daemon=True)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(5)
        self.sock.connect(('127.0.0.1', port))
        self.ended, self.wrong = threading.Event(), []
        self.answers, self.marks = 0, collections.Counter()

    def run(self):
        open_questions, number = {}, 0
        try:
            while open_questions or not self.ended.is_set():
                while len(open_questions) < self.WINDOW and not self.ended.is_set():
                    number += 1
                    name, rrtype = QUESTIONS[number % len(QUESTIONS)]
                    self.sock.send(s.query('%s.%s' % (name, ZONE), rrtype, id=number & 0xffff, edns=1232, do=True, flags=0x120))
                    open_questions[number & 0xffff] = name, rrtype
                raw = self.sock.recv(65535)
                asked = open_questions.pop(raw[0] << 8 | raw[1])
                self.judge(asked, ask.Response(raw, 16 + len(s.wire_name('%s.%s' % (asked[0], ZONE)))))
        except (OSError, ValueError, KeyError) as error:
            self.wrong.append('the client: %r' % error)

    def judge(self, asked, reply):
        self.answers += 1
        marks = {rdata[1] for key, rrset in reply.sections[0].items() if key[1] == ask.TYPES['A'] for rdata in rrset[1]}
        self.marks.update(marks)
        if reply.rcode not in ('NOERROR', 'NXDOMAIN') or not reply.bits & AD or len(marks) > 1:
            self.wrong.append('%s %s: %s AD %d, sets %s' % (*asked, reply.rcode, bool(reply.bits & AD), sorted(marks)))

    def finish(self):
        self.ended.set()
        self.join(20)
        self.sock.close()


_names = itertools.count()


def mark_seen(port):
    """Of which set unbound says now that a name is, one not asked before: unbound lets a question
    wait for the answer to the same one on its way."""
    name = 'u%d.wild.%s' % (next(_names), ZONE)
    reply = s.decode(s.udp_raw(port, s.query(name, 'A', edns=1232, do=True, flags=0x120), timeout=5))
    s.equal((reply.rcode, len(reply.rdata('A'))), ('NOERROR', 1), 'a name after the switch')
    return int(reply.rdata('A')[0].split('.')[1])


def settle(load, unbound, mark):
    """After a switch: the new set at once, and every question answered once more."""
    before = load.answers
    s.equal(mark_seen(unbound.port), mark, 'the set after a switch')
    s.wait_until(lambda: load.answers > before + len(QUESTIONS) + load.WINDOW or load.wrong, 10, 'answers')


@s.case('%d switches between signed sets with the same keys: unbound validates throughout' % SWITCHES)
def switches():
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix='schwenk-interop-'))
        keys = [os.path.join(directory, key) for key in zones.make_keys(ZONE + '.', directory)]
        d = stack.enter_context(s.Daemon(workers=2))
        for i in range(SWITCHES + 1):
            zone = signed(1 + i % 2, i + 1, ('nsec', 'nsec3')[i // 2 % 2], keys, directory)
            d.import_set('%s@v%d' % (ZONE, i), zone.text())
        d.must('cutover', sets=['%s@v0' % ZONE])
        unbound = stack.enter_context(servers.Unbound(directory, [ZONE], ('127.0.0.1', d.port), zone.ds, [
            'cache-max-ttl: 0', 'cache-max-negative-ttl: 0']))
        load = Load(unbound.port)
        load.start()
        try:
            for i in range(1, SWITCHES + 1):
                d.must('cutover', sets=['%s@v%d' % (ZONE, i)])
                settle(load, unbound, 1 + i % 2)
                if i % 5 == 0:          # back, to the serial that it had: there is no spare SOA
                    d.must('rollback', zones=[ZONE])
                    settle(load, unbound, 2 - i % 2)
        finally:
            load.finish()
        print('     %d answers during %d cutovers and %d rollbacks' % (load.answers, SWITCHES, SWITCHES // 5))
        s.expect(not load.wrong, '%d answers were not validated: %s\n%s', len(load.wrong), load.wrong[:5], unbound.log())
        s.expect(set(load.marks) == {1, 2}, 'answers were of the sets %s', dict(load.marks))



# ---- there and back ---------------------------------------------------------------------

def soa_of(zone):
    """The SOA and its signature, out of a signed zone."""
    lines = subprocess.run(['ldns-read-zone', zone.path], capture_output=True, text=True, check=True).stdout.splitlines()
    fields = [line.split('\t') for line in lines]
    return ''.join('\t'.join(f) + '\n' for f in fields if f[3] == 'SOA' or (f[3] == 'RRSIG' and f[4].startswith('SOA ')))


def validated(port, name, rrtype):
    """Whether unbound has an answer there and knows it to be true."""
    reply = s.udp_raw(port, s.query(name, rrtype, edns=1232, do=True, flags=0x120), timeout=5)
    return bool(reply and reply[3] & AD)


@s.case('a presigned zone there and back on spare SOAs: serials rise, unbound validates, an nsd follows each')
def there_and_back():
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix='schwenk-interop-'))
        keys = [os.path.join(directory, key) for key in zones.make_keys(ZONE + '.', directory)]
        d = stack.enter_context(s.Daemon(workers=2))
        for name, mark, kind, own, spares in (('old', 1, 'nsec', 10, (30, 50)), ('new', 2, 'nsec3', 20, (40, 60))):
            zone = signed(mark, own, kind, keys, directory)
            d.import_set('%s@%s' % (ZONE, name), zone.text())
            path = d.file('soas', ''.join(soa_of(signed(mark, n, kind, keys, directory)) for n in spares))
            s.equal(d.run('import', '%s@%s' % (ZONE, name), '--soa', path)['added'], len(spares), 'spare SOAs')
        d.must('cutover', sets=['%s@old' % ZONE])
        uncached = ['cache-max-ttl: 0', 'cache-max-negative-ttl: 0']
        unbound = stack.enter_context(servers.Unbound(directory, [ZONE], ('127.0.0.1', d.port), zone.ds, uncached))
        primary = stack.enter_context(secondary.Primary(d, ZONE))
        nsd = stack.enter_context(secondary.NsdSecondary(directory, ZONE, primary))
        below = os.path.join(directory, 'below')
        os.mkdir(below)
        behind_nsd = stack.enter_context(servers.Unbound(below, [ZONE], ('127.0.0.1', nsd.port), zone.ds, uncached))
        s.equal(nsd.serial(), 10, 'the first serial at the secondary')
        load = Load(unbound.port)
        load.start()
        try:
            for move, mark, serial in (('new', 2, 20), (None, 1, 30), ('new', 2, 40), (None, 1, 50), ('new', 2, 60)):
                reply = d.must('cutover', sets=['%s@new' % ZONE]) if move else d.must('rollback', zones=[ZONE])
                s.equal((reply['zones'][0]['to_serial'], reply['zones'][0]['serial_stuck']), (serial, False), 'the reply')
                s.equal(d.served_serial(ZONE), serial, 'the SOA by a plain query')
                settle(load, unbound, mark)
                nsd.notify()
                s.wait_until(lambda serial=serial: nsd.serial() == serial, 20, 'serial %d at nsd' % serial)
                s.equal(primary.serials[-1], serial, 'what the secondary was told')
                for name, rrtype in ((ZONE, 'SOA'), ('www.' + ZONE, 'A'), ('nope.' + ZONE, 'A'), ('cut.' + ZONE, 'DS')):
                    s.expect(validated(behind_nsd.port, name, rrtype), 'serial %d: %s %s out of nsd is not valid: %s', serial,
                             name, rrtype, behind_nsd.log())
        finally:
            load.finish()
        print('     %d answers during 5 moves; serials at nsd: %s' % (load.answers, sorted(set(primary.serials))))
        s.equal(primary.wrong, [], 'transfers')
        s.expect(not load.wrong, '%d answers were not validated: %s\n%s', len(load.wrong), load.wrong[:5], unbound.log())
        s.expect(set(load.marks) == {1, 2}, 'answers were of the sets %s', dict(load.marks))


# ---- other keys -------------------------------------------------------------------------

def ldns_keys(directory):
    """A KSK and a ZSK by ldns-keygen: the base names of their files."""
    return [os.path.join(directory, zones.run(['ldns-keygen', '-a', 'ECDSAP256SHA256'] + extra + [ZONE], directory).strip())
            for extra in (['-k'], [])]


@s.case('a key that signs in one set alone: refused, as validators would lose the zone; forced, they do')
def other_keys():
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix='schwenk-interop-'))
        ksk, zsk = ldns_keys(directory)
        _, other = ldns_keys(directory)
        d = stack.enter_context(s.Daemon(workers=2))
        for mark, name, keys, more in ((1, 'old', [ksk, zsk], []), (2, 'new', [ksk, other], []), (2, 'both', [ksk, other], [zsk])):
            where = os.path.join(directory, name)
            os.mkdir(where)
            text = TEXT.format(mark=mark, serial=mark)
            for key in more:
                with open(key + '.key') as f:
                    text += f.read()
            zone = zones.make(ZONE, text, 'nsec3', where, keys=keys)
            d.import_set('%s@%s' % (ZONE, name), zone.text())
        d.must('cutover', sets=['%s@old' % ZONE])
        # a resolver that has the keys in its cache, as those in the world have
        unbound = stack.enter_context(servers.Unbound(directory, [ZONE], ('127.0.0.1', d.port), zone.ds))
        s.expect(validated(unbound.port, 'www.' + ZONE, 'A'), 'the old set: %s', unbound.log())
        for name in ('new', 'both'):
            error = d.refused('no-go', 'cutover', sets=['%s@%s' % (ZONE, name)])
            s.expect('--force dnskey' in error['message'], 'the way on: %s', error)
        s.equal(d.zone(ZONE)['live'], 'old', 'live after the refusals')
        status, _, err = d.tool('cutover', '%s@new' % ZONE, '--force', 'dnskey', json_out=False)
        s.expect(status == 0 and 'DNSKEY' in err, 'forced: %d %s', status, err)
        s.expect(not validated(unbound.port, 'only2.' + ZONE, 'A'), 'what is signed by a key that is not in the cache was validated')
        d.must('rollback', zones=[ZONE])
        s.expect(validated(unbound.port, 'b.ent.' + ZONE, 'A'), 'after the way back: %s', unbound.log())


s.run()
