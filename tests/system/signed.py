"""Zones that were signed elsewhere: what an import and a check say of ZONEMD and signatures."""
import datetime
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
for folder in ('support', 'interop'):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', folder))
import schwenk as s  # noqa: E402
import full  # noqa: E402
import servers  # noqa: E402

ZONE = 'shop.example'


NOW = datetime.datetime.now(datetime.timezone.utc)


def date(days):
    """Of the same days always the same: so RSA signs the same each time."""
    return (NOW + datetime.timedelta(days=days)).strftime('%Y%m%d%H%M%S')


class Signer:
    """A KSK and a ZSK by ldns-keygen, and zones signed by them."""

    def __init__(self, d, zone=ZONE, name='keys', algorithm='ECDSAP256SHA256'):
        for program in ('ldns-keygen', 'ldns-signzone'):
            if not shutil.which(program):
                raise s.Skip('needs %s (Debian package ldnsutils)' % program)
        self.zone, self.dir = zone, os.path.join(d.dir, name)
        os.makedirs(self.dir)
        self.ksk, self.zsk = self.key(algorithm, '-k'), self.key(algorithm)

    def call(self, *argv):
        done = subprocess.run(argv, cwd=self.dir, capture_output=True, text=True, timeout=60)
        s.expect(done.returncode == 0, '%s: %s', ' '.join(argv), done.stderr)
        return done.stdout

    def key(self, algorithm, *options):
        return self.call('ldns-keygen', '-a', algorithm, *options, self.zone).strip()

    def public(self, name):
        with open(os.path.join(self.dir, name + '.key')) as f:
            return f.read().split(';')[0].strip()

    def sign(self, text, options=(), expires=30, begins=-1, keys=None):
        """The text, signed. options: of ldns-signzone."""
        with open(os.path.join(self.dir, 'plain'), 'w') as f:
            f.write(text)
        self.call('ldns-signzone', '-e', date(expires), '-i', date(begins), '-o', self.zone, *options,
                  '-f', 'signed', 'plain', *((self.ksk, self.zsk) if keys is None else keys))
        with open(os.path.join(self.dir, 'signed')) as f:
            return f.read()


def problems(reply):
    return sorted({p['rule'] for p in reply['problems']})


@s.case('check verifies every signature and proof')
def check():
    with s.Daemon() as d:
        signer = Signer(d)
        for options in ((), ('-n', '-t', '0'), ('-n', '-p', '-t', '0'), ('-z', 'simple:sha384'),
                        ('-n', '-t', '0', '-z', 'simple:sha512')):
            text = signer.sign(s.marked_zone(ZONE, 1, serial=7), options)
            reply = d.import_set(ZONE + '@new', text)
            s.equal((reply['outcome'], reply['errors']), ('staged', 0), 'signed with %s' % (options,))
            reply = d.must('check', set=ZONE + '@new')
            s.equal(problems(reply), [], 'the problems of %s' % (options,))
            s.equal((reply['rules'], reply['warnings']), (0, 0), 'their counts')


@s.case('ZONEMD: what was changed on its way becomes no set to switch to')
def zonemd():
    with s.Daemon() as d:
        signer = Signer(d)
        text = signer.sign(s.marked_zone(ZONE, 1, serial=7), ('-z', 'simple:sha384'))
        broken = text.replace('10.1.1.1', '10.1.1.99')
        s.expect(broken != text, 'nothing was changed')
        reply = d.import_set(ZONE + '@new', broken)
        s.equal((reply['outcome'], reply['errors']), ('failed', 1), 'a zone that is not what its ZONEMD says')
        s.expect('zonemd' in d.set(ZONE, 'new')['note'], 'the reason: %s', d.set(ZONE, 'new'))
        d.refused('not-ready', 'cutover', sets=[ZONE + '@new'])
        d.import_set(ZONE + '@new', text)
        d.must('cutover', sets=[ZONE + '@new'])
        s.equal(d.served_serial(ZONE), 7, 'served')
        d.fsck()


@s.case('ZONEMD without signatures: a change has to take it along')
def zonemd_alone():
    with s.Daemon() as d:
        signer = Signer(d)
        text = signer.sign(s.marked_zone(ZONE, 1, serial=7), ('-Z', '-z', 'simple:sha384'), keys=[])
        s.equal(d.import_set(ZONE + '@new', text)['outcome'], 'staged', 'the import')
        error = d.refused('rule', 'record', set=ZONE + '@new', text='add more 60 A 192.0.2.1\n')
        s.expect('ZONEMD' in error['message'], 'the reason: %s', error)
        d.must('record', set=ZONE + '@new', text='add more 60 A 192.0.2.1\ndel @ ZONEMD\n')
        s.equal(problems(d.must('check', set=ZONE + '@new')), [], 'afterwards')


@s.case('expired, not yet valid, soon to expire, broken')
def times():
    with s.Daemon() as d:
        signer = Signer(d)
        plain = s.marked_zone(ZONE, 1, serial=7)
        for name, rule, rules, args in (('expired', 'rrsig-expired', True, dict(expires=-1, begins=-9)),
                                        ('early', 'rrsig-early', True, dict(begins=2)),
                                        ('soon', 'rrsig-expiring', False, dict(expires=3))):
            reply = d.import_set('%s@%s' % (ZONE, name), signer.sign(plain, **args))
            s.equal((reply['outcome'], reply['errors']), ('staged', 0), name)
            s.expect(reply['warnings'] > 0, '%s: an import without a warning', name)
            reply = d.must('check', set='%s@%s' % (ZONE, name))
            s.equal(problems(reply), [rule], 'the problems of ' + name)
            s.equal(reply['rules'] > 0, rules, name + ' counts as broken')
            message = reply['problems'][0]['message']
            s.expect(ZONE + '.' in message and 'T' in message and 'Z' in message, 'owner and date: %s', message)
        d.import_set(ZONE + '@bogus', signer.sign(plain).replace('10.1.1.1', '10.1.1.99'))
        reply = d.must('check', set=ZONE + '@bogus')
        s.equal(problems(reply), ['rrsig-bogus'], 'the problems of bogus')
        status, out, _ = d.tool('check', ZONE + '@bogus', json_out=False)
        s.equal(status, 1, "the tool's exit status")
        s.expect('n0.%s. A' % ZONE in out, 'the owner: %s', out)


def after(days):
    """RFC 3339 of then, to compare the days by their first ten characters."""
    return (NOW + datetime.timedelta(days=days)).isoformat()[:10]


@s.case('a key that signs on one side only is a no-go; so is leaving the signatures behind')
def keys():
    with s.Daemon() as d:
        signer, other = Signer(d), Signer(d, name='other')
        plain = [s.marked_zone(ZONE, i, serial=10 * i) for i in range(5)]
        d.import_set(ZONE + '@old', signer.sign(plain[1]))
        d.import_set(ZONE + '@strange', other.sign(plain[3]))
        d.import_set(ZONE + '@plain', plain[4])
        # both sides' keys in both sets
        records = '\n'.join(k.public(n) for k in (signer, other) for n in (k.ksk, k.zsk)) + '\n'
        d.import_set(ZONE + '@both', signer.sign(plain[2] + records))
        d.must('cutover', sets=[ZONE + '@old'])
        error = d.refused('no-go', 'cutover', sets=[ZONE + '@strange'])
        s.expect('--force dnskey' in error['message'] and ZONE in error['message'], 'the way on: %s', error)
        error = d.refused('no-go', 'cutover', sets=[ZONE + '@plain'])
        s.expect('--force unsigned' in error['message'] and 'DS' in error['message'], 'the way on: %s', error)
        d.refused('bad-request', 'cutover', sets=[ZONE + '@plain'], force=['everything'])
        d.refused('no-go', 'cutover', sets=[ZONE + '@plain'], force=['dnskey'])
        s.equal(d.zone(ZONE)['live'], 'old', 'live after refusals')
        d.must('cutover', sets=[ZONE + '@both'])
        status, out, err = d.tool('cutover', ZONE + '@strange', '--force', 'dnskey', json_out=False)
        s.equal(status, 0, 'forced: %s' % err)
        s.expect('warning' in err and 'DNSKEY' in err, 'a forced cutover without a warning: %s', err)
        reply = d.must('rollback', zones=[ZONE])
        s.expect('DNSKEY' in reply['zones'][0]['keys'], 'a rollback that says nothing: %s', reply)
        d.must('cutover', sets=[ZONE + '@plain'], force=['unsigned'])
        s.expect('DNSKEY' in d.log_text(), 'the log does not tell what was forced')
        d.fsck()


@s.case('until when the way back validates: in the reply, status, zones, sets, history')
def until():
    with s.Daemon() as d:
        signer = Signer(d)
        d.import_set(ZONE + '@old', signer.sign(s.marked_zone(ZONE, 1, serial=1), expires=20))
        d.import_set(ZONE + '@new', signer.sign(s.marked_zone(ZONE, 2, serial=2), expires=40))
        s.equal(d.set(ZONE, 'old')['signed_until'][:10], after(20), 'sets')
        d.must('cutover', sets=[ZONE + '@old'])
        status, out, err = d.tool('cutover', ZONE + '@new', json_out=False)
        s.expect('the way back validates until ' in out, 'what people read: %s', out)
        for what, row in (('zone show', d.zone(ZONE)), ('status', d.must('status')['held'][0])):
            s.equal((row['signed_until'][:10], row['back_signed_until'][:10]), (after(40), after(20)), what)
        entry = d.must('history', limit=1)['entries'][0]
        s.equal(entry['zones'][0]['back_signed_until'][:10], after(20), 'history')
        entry = d.must('status')['last'][0]
        s.equal(entry['zones'][0]['back_signed_until'][:10], after(20), "status' last switch")
        for command in (['status'], ['history'], ['sets', ZONE], ['zone', 'show', ZONE]):
            out = d.run(*command, json_out=False)
            s.expect('until' in out, '%s: %s', command, out)
        reply = d.must('rollback', zones=[ZONE], dry_run=True)
        s.equal(reply['zones'][0]['signed_until'][:10], after(20), 'a rollback tells it beforehand')


@s.case('a way back that validates no more is never refused, and says so')
def over():
    with s.Daemon() as d:
        signer = Signer(d)
        d.import_set(ZONE + '@old', signer.sign(s.marked_zone(ZONE, 1, serial=1), begins=-9, expires=-1))
        d.import_set(ZONE + '@new', signer.sign(s.marked_zone(ZONE, 2, serial=2)))
        d.must('cutover', sets=[ZONE + '@old'])
        _, _, err = d.tool('cutover', ZONE + '@new', json_out=False)
        s.expect('the way back, expired on' in err, 'the cutover says nothing: %s', err)
        status, _, err = d.tool('rollback', ZONE, json_out=False)
        s.equal(status, 0, 'the rollback')
        s.expect('the signatures of old expired on' in err, 'the rollback says nothing: %s', err)
        s.equal(d.zone(ZONE)['live'], 'old', 'live')


# ---- spare signed SOAs ------------------------------------------------------------

def soas(text):
    """The SOA and ZONEMD with their signatures, as `awk` would take them from a signed zone."""
    lines = [line.split('\t') for line in text.splitlines()]
    wanted = [f for f in lines if len(f) > 4 and ('SOA' in (f[3], f[4].split()[0]) or 'ZONEMD' in (f[3], f[4].split()[0]))]
    wanted.sort(key=lambda f: f[3] != 'SOA')
    return ''.join('\t'.join(f) + '\n' for f in wanted)


class Spares:
    """A zone with the sets old (serial 10) and new (20), and the SOAs of further serials."""

    def __init__(self, d, options=()):
        self.d, self.options = d, options
        self.signer = Signer(d, algorithm='RSASHA256')
        self.import_set('old', 1, 10)
        self.import_set('new', 2, 20)

    def text(self, marker, serial):
        return self.signer.sign(s.marked_zone(ZONE, marker, serial=serial), self.options)

    def import_set(self, name, marker, serial):
        s.equal(self.d.import_set('%s@%s' % (ZONE, name), self.text(marker, serial))['outcome'], 'staged', 'the import of ' + name)

    def add(self, name, marker, *serials):
        path = self.d.file('spares', ''.join(soas(self.text(marker, n)) for n in serials))
        reply = self.d.run('import', '%s@%s' % (ZONE, name), '--soa', path)
        s.equal((reply['outcome'], reply['added']), ('added', len(serials)), 'spare SOAs for ' + name)
        return reply


class Validator:
    """An unbound without a cache that trusts the zone's KSK; nothing where it is not installed."""

    def __init__(self, d, signer):
        self.unbound = None
        if servers.program('unbound'):
            self.unbound = servers.Unbound(d.dir, [ZONE], ('127.0.0.1', d.port), [signer.public(signer.ksk)],
                                           ['cache-max-ttl: 0', 'cache-max-negative-ttl: 0'])

    def __enter__(self):
        if self.unbound:
            self.unbound.__enter__()
        return self

    def __exit__(self, *_):
        if self.unbound:
            self.unbound.__exit__()

    def agrees(self, what):
        for name, rrtype in ((ZONE, 'SOA'), (ZONE, 'DNSKEY'), ('n1.' + ZONE, 'A'), ('none.' + ZONE, 'A'), (ZONE, 63)) \
                if self.unbound else ():
            reply = s.udp_raw(self.unbound.port, s.query(name, rrtype, flags=0x120, edns=1232, do=True), timeout=5)
            s.expect(reply is not None, '%s: unbound does not answer', what)
            m = s.decode(reply)
            s.expect(reply[3] & 0x20, '%s: unbound does not validate %s %s: %s\n%s', what, name, rrtype, m, self.unbound.log())


@s.case('there and back, and there and back, on spare SOAs: serials rise, all validates')
def spares():
    for options in ((), ('-z', 'simple:sha384'), ('-n', '-t', '0', '-z', 'simple:sha512')):
        with s.Daemon() as d:
            z = Spares(d, options)
            z.add('old', 1, 30, 50)
            z.add('new', 2, 60, 40)
            with Validator(d, z.signer) as validator:
                for what, serial, marker, left in (('old', 10, 1, 2), ('new', 20, 2, 2), (None, 30, 1, 1), ('new', 40, 2, 1),
                                                   (None, 50, 1, 0), ('new', 60, 2, 0)):
                    reply = d.must('cutover', sets=['%s@%s' % (ZONE, what)]) if what else d.must('rollback', zones=[ZONE])
                    item = reply['zones'][0]
                    s.equal((item['to_serial'], item['spares'], item['serial_stuck']), (serial, left, False), 'the reply')
                    s.equal(d.served_serial(ZONE), serial, 'the serial of the SOA, with %s' % (options,))
                    negative = d.udp('none.' + ZONE)
                    s.equal(int(negative.rdata('SOA', 'authority')[0].split()[2]), serial, 'that in a negative answer')
                    s.equal(s.markers(d.udp(ZONE, 'SOA')), {marker}, 'the set')
                    validator.agrees('serial %d, %s' % (serial, options))
                    s.equal(d.zone(ZONE)['serial'], serial, 'zone-show')
                # what is exported is what is served, and sound in itself
                text = d.run('export', ZONE, json_out=False)
                d.import_set(ZONE + '@again', text)
                s.equal(d.set(ZONE, 'again')['serial'], 60, 'the serial of the export')
                s.equal([r for r in problems(d.must('check', set=ZONE + '@again')) if r != 'serial'], [], 'the export checked')
                # none left: said beforehand, and the way back stays open
                s.equal(reply['zones'][0]['back_stuck'], True, 'the reply before there is none')
                s.equal(d.must('status')['held'][0]['back_stuck'], True, 'status')
                s.expect('secondaries would not follow' in d.run('status', json_out=False), 'status, for people')
                status, _, err = d.tool('rollback', ZONE, json_out=False)
                s.expect(status == 0 and 'secondaries will not follow' in err, 'a stuck rollback: %d %s', status, err)
                s.equal(d.served_serial(ZONE), 10, 'the set\'s own')
                validator.agrees('a stuck rollback')
                error = d.refused('serial', 'cutover', sets=[ZONE + '@new'])
                s.expect('--soa' in error['message'], 'the way on: %s', error)
                # more of them, and it goes on; also for what is served
                z.add('new', 2, 61)
                z.add('old', 1, 70)
                d.must('cutover', sets=[ZONE + '@new'])
                validator.agrees('one more')
                d.must('rollback', zones=[ZONE])
                s.equal(d.served_serial(ZONE), 70, 'and back')
                validator.agrees('and back')
            d.fsck()


@s.case('check, sets and zone show say how many are left, and what is stuck')
def spares_shown():
    with s.Daemon() as d:
        z = Spares(d)
        d.must('cutover', sets=[ZONE + '@old'])
        reply = d.must('check', set=ZONE + '@new')
        s.equal((reply['set']['spares'], reply['back_spares']), (0, 0), 'what check counts')
        s.equal(problems(reply), ['serial'], 'the way back is not open for serials')
        s.expect('@old' in reply['problems'][0]['message'], 'of which set: %s', reply)
        reply = z.add('old', 1, 30, 31)
        s.equal(reply['set']['spares'], 2, 'the reply')
        reply = d.must('check', set=ZONE + '@new')
        s.equal((problems(reply), reply['back_spares']), ([], 2), 'check')
        s.expect('the way back has 2 spare SOAs left' in d.run('check', ZONE + '@new', json_out=False), 'check, for people')
        s.equal((d.set(ZONE, 'old')['spares'], d.set(ZONE, 'new')['spares']), (2, 0), 'sets')
        s.expect('2 spare SOAs left' in d.run('sets', ZONE, json_out=False), 'sets, for people')
        d.must('cutover', sets=[ZONE + '@new'])
        row = d.zone(ZONE)
        s.equal((row['spares'], row['back_spares'], row['back_stuck']), (0, 2, False), 'zone show')
        d.import_set(ZONE + '@plain', s.marked_zone(ZONE, 3, serial=5))
        s.equal(d.set(ZONE, 'plain')['spares'], None, 'a set that needs none')
        # asked for by number
        d.refused('serial', 'cutover', sets=[ZONE + '@old'], serial=33)
        d.must('cutover', sets=[ZONE + '@old'], serial=31)
        s.equal(d.served_serial(ZONE), 31, 'cutover --serial')
        z.add('old', 1, 40, 41)
        d.must('serial', zone=ZONE, serial=41)
        s.equal(d.served_serial(ZONE), 41, 'serial')
        d.refused('serial', 'serial', zone=ZONE, serial=42)
        d.fsck()


@s.case('what is no spare SOA of the set is refused, with its place, and nothing changes')
def spares_refused():
    with s.Daemon() as d:
        z = Spares(d)
        other = Signer(d, name='other', algorithm='RSASHA256')
        good, foreign = soas(z.text(1, 30)), soas(other.sign(s.marked_zone(ZONE, 1, serial=40)))
        status, reply, err = d.tool('import', ZONE + '@old', '--soa', d.file('mixed', good + foreign))
        s.equal((status, reply['error']['code']), (1, 'parse'), 'one of two is signed by a strange key')
        s.expect('mixed:3:' in reply['error']['message'] and 'key' in reply['error']['message'], 'where, why: %s', reply)
        s.equal(d.set(ZONE, 'old')['spares'], 0, 'none was taken')
        for what, text, code in (('another set', soas(z.text(2, 30)), 'parse'), ('no SOA', '', 'parse'), ('rubbish', 'x y z\n', 'parse'),
                                 ('a whole zone', z.text(1, 30), 'parse')):
            status, reply, _ = d.tool('import', ZONE + '@old', '--soa', d.file('bad', text))
            s.equal((status, reply['error']['code']), (1, code), what)
        d.import_set(ZONE + '@plain', s.marked_zone(ZONE, 3, serial=5))
        status, reply, _ = d.tool('import', ZONE + '@plain', '--soa', d.file('good', good))
        s.equal((status, reply['error']['code']), (1, 'serial'), 'a set that needs none')
        status, reply, _ = d.tool('import', ZONE, '--soa', d.file('good', good))
        s.equal(status, 2, 'without a set')
        status, reply, _ = d.tool('import', ZONE + '@old', '--soa', '-', input=soas(z.text(1, 10)))
        s.equal((status, reply['outcome'], reply['warnings']), (0, 'unchanged', 1), "the set's own SOA is none to spare")
        status, reply, _ = d.tool('import', ZONE + '@old', '--soa', '-', input=good)
        s.equal((status, reply['added']), (0, 1), 'from standard input')
        d.must('drop', sets=[ZONE + '@old'])
        s.wait_until(lambda: d.set(ZONE, 'old') is None, 10, 'the set to be gone')
        d.fsck()


@s.case('stagers bring them for what was never served, nobody else for what was')
def spares_rights():
    group, = s.spare_groups(1)
    with s.Daemon(stagers=group) as d:
        os.chmod(d.dir, 0o755)
        z = Spares(d)
        path = d.file('spares', soas(z.text(1, 30)))
        os.chmod(path, 0o644)
        argv = [s.SCHWENK, '-s', d.socket_path, 'import', ZONE + '@old', '--soa', path]

        def ask():
            return subprocess.run(argv, capture_output=True, text=True, timeout=30).returncode
        s.equal(s.as_nobody([group], ask), 0, 'a staged set')
        d.must('cutover', sets=[ZONE + '@old'])
        s.equal(s.as_nobody([group], ask), 1, 'the live set')


@s.case('no room for spare SOAs: none is there, a switch works, and once there is room they are')
def spares_full():
    # a limit on files would not do: so little finds its place in what is reserved
    with full.SmallDisk() as disk:
        d = disk.daemon
        z = Spares(d)
        d.must('cutover', sets=[ZONE + '@old'])
        path = d.file('spares', ''.join(soas(z.text(1, n)) for n in range(30, 60)))
        disk.fill()
        for _ in range(3):
            status, reply, err = d.tool('import', ZONE + '@old', '--soa', path)
            s.equal((status, reply['error']['code']), (1, 'full'), 'the reply: %s' % err)
            s.equal(d.set(ZONE, 'old')['spares'], 0, 'spare SOAs')
        d.must('cutover', sets=[ZONE + '@new'])
        s.equal((d.served_serial(ZONE), s.markers(d.udp(ZONE, 'SOA'))), (20, {2}), 'served after the cutover')
        disk.free()
        s.equal(d.run('import', ZONE + '@old', '--soa', path)['added'], 30, 'spare SOAs, once there is room')
        d.must('rollback', zones=[ZONE])
        s.equal((d.served_serial(ZONE), s.markers(d.udp(ZONE, 'SOA'))), (30, {1}), 'served after the rollback')
        d.fsck()


@s.case('spare SOAs survive a restart, and a backup in both forms')
def spares_kept():
    with s.Daemon() as d:
        z = Spares(d, ('-z', 'simple:sha384'))
        z.add('old', 1, 30, 50, 10050)
        z.add('new', 2, 40)
        d.must('cutover', sets=[ZONE + '@old'])
        d.must('cutover', sets=[ZONE + '@new'])
        d.must('rollback', zones=[ZONE])
        s.equal(d.served_serial(ZONE), 30, 'served')
        for form in ('text', 'binary'):
            s.equal(d.ask('backup', directory=os.path.join(d.dir, form), text=form == 'text')['ok'], True, form)
        d.stop()
        d.start()
        s.equal(d.served_serial(ZONE), 30, 'served after a restart')
        # 30 + 10 is raised to the next that there is; 30 + 10,000 is farther than all but one
        for form, step, serial in (('text', '10', 50), ('binary', '10', 50), ('text', '10000', 10050), ('text', '20000', 30)):
            with restored(d, form, step) as r:
                s.equal(r.served_serial(ZONE), serial, 'restored from %s, step %s' % (form, step))
                left = {30: 2, 50: 1, 10050: 0}[serial]
                s.equal(r.set(ZONE, 'old')['spares'], left, 'the spares of old')
                s.equal(r.set(ZONE, 'new')['spares'], 1 if serial == 30 else 0, 'the spares of new')
                r.fsck()


class restored(s.Daemon):
    """A daemon whose store was made of a backup."""

    def __init__(self, d, form, step):
        super().__init__()
        self.spawn(['--restore', os.path.join(d.dir, form), '--serial-step', step])
        s.equal(self.process.wait(30), 0, 'the restore: %s' % self.log_tail(3))
        self.log.close()
        self.notify.close()


s.run()
