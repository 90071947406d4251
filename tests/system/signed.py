"""Zones that were signed elsewhere: what an import and a check say of ZONEMD and signatures."""
import datetime
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402

ZONE = 'shop.example'


def date(days):
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return then.strftime('%Y%m%d%H%M%S')


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
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return then.isoformat()[:10]


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


s.run()
