"""What lies around the daemon on a real machine: a syslog daemon that reads, goes away, or stands
still; a service manager that is told what happens; the unit that we ship."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import contextlib  # noqa: E402
import re  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402

ZONE = 'shop.example'

# /dev/log of a mount namespace of our own: whoever else logs here is not concerned
NAMESPACE = '''#!/bin/sh
set -e
if [ -z "$IN_NAMESPACE" ]; then IN_NAMESPACE=1 exec unshare -m --propagation private "$0" "$@"; fi
dev=%(dir)s/dev
mkdir -p $dev
mount -t tmpfs none $dev
for f in null zero random urandom; do : > $dev/$f; mount --bind /dev/$f $dev/$f; done
ln -s /proc/self/fd $dev/fd
mkdir $dev/shm
mount --bind /dev/shm $dev/shm 2>/dev/null || true
ln -s %(dir)s/log.sock $dev/log
mount --rbind $dev /dev
exec %(schwenkd)s "$@"
'''


class Receiver:
    """A syslog daemon's socket."""

    def __init__(self, d):
        self.path = os.path.join(d.dir, 'log.sock')
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o666)
        self.sock.settimeout(0.05)
        self.lines = []

    def read(self):
        with contextlib.suppress(socket.timeout):
            while True:
                self.lines.append(self.sock.recv(65536))
        return self.lines

    def wait(self, pattern, seconds=5):
        """The first line of this pattern, which is taken with all before it."""
        found = s.wait_until(lambda: [i for i, line in enumerate(self.read()) if re.search(pattern, line)], seconds,
                             'a line of %r among %r' % (pattern, self.lines[-5:]))
        line = self.lines[found[0]]
        del self.lines[:found[0] + 1]
        return line

    def close(self):
        self.sock.close()


@contextlib.contextmanager
def with_syslog():
    """(daemon, receiver); the daemon logs to syslog, in a namespace of its own."""
    if os.geteuid() != 0 or s.subprocess.run(['unshare', '-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], capture_output=True).returncode != 0:
        raise s.Skip('a /dev/log of our own needs root, and mount namespaces')
    d = s.Daemon(log='syslog')
    receiver = Receiver(d)
    launcher = d.file('launcher', NAMESPACE % {'dir': d.dir, 'schwenkd': s.SCHWENKD})
    os.chmod(launcher, 0o755)
    built, s.SCHWENKD = s.SCHWENKD, launcher
    try:
        with d:
            yield d, receiver
    finally:
        s.SCHWENKD = built
        receiver.close()


def switches(d, count=1):
    for i in range(count):
        d.must('cutover', sets=['%s@%s' % (ZONE, 'new' if i % 2 == 0 else 'old')], note='n%d\n<0>forged' % i)


def prepared(d):
    for name, marker in (('old', 1), ('new', 2)):
        d.import_set('%s@%s' % (ZONE, name), s.marked_zone(ZONE, marker))
    d.must('cutover', sets=[ZONE + '@old'])


@s.case('log: syslog: each event is a message, with facility, level, process and role; another receiver takes over')
def to_syslog():
    with with_syslog() as (d, receiver):
        line = receiver.wait(rb'ready: ')
        s.expect(re.match(rb'<29>\w{3} [ \d]\d \d\d:\d\d:\d\d schwenkd\[%d\]: \[main\] ready: 2 workers' % d.pid(), line),
                 'the message: %r', line)
        prepared(d)
        switches(d)
        line = receiver.wait(rb'cutover by .*@new')
        s.expect(line.startswith(b'<29>') and line.rstrip(b'\0').count(b'\n') == 0 and b'(n0 <0>forged)' in line, 'a note: %r', line)
        d.refused('no-such-zone', 'sets', zone='none.example')
        worker = d.workers()[0]
        os.kill(worker, signal.SIGTRAP)
        s.expect(receiver.wait(rb'by signal 5').startswith(b'<27>'), 'an error')
        receiver.close()                        # restarted: nobody is there for a while
        s.time.sleep(0.1)
        switches(d)
        with contextlib.closing(Receiver(d)) as other:
            d.must('rollback', zones=[ZONE])
            other.wait(rb'rollback by ')
        os.unlink(receiver.path)
        d.must('cutover', sets=[ZONE + '@new'])
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {2}, 'served without a receiver')
        s.expect('notice' not in d.log_text(), 'what went to stderr: %s', d.log_tail())


@s.case('a syslog daemon that stands still holds up no command and no answer; what was lost is counted')
def syslog_still():
    with with_syslog() as (d, receiver):
        prepared(d)
        begun = s.time.monotonic()
        switches(d, 600)                        # more than any queue holds
        took = s.time.monotonic() - begun
        s.expect(took < 60, '600 switches took %.1f s', took)
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served')
        receiver.read()
        d.must('cutover', sets=[ZONE + '@new'], note='the last')
        receiver.wait(rb'\d+ lines of the log were lost')
        receiver.wait(rb'\(the last\)')


# ---- the service manager -----------------------------------------------------------------

def told(d, seconds=5.0):
    """The next message to the service manager, as a dictionary; STATUS alone is passed over."""
    d.notify.settimeout(seconds)
    while True:
        message = dict(line.split('=', 1) for line in d.notify.recv(4096).decode().split('\n') if line)
        if set(message) != {'STATUS'}:
            return message


@s.case('the service manager hears of ready, reloading and ready, of a reload that fails, of stopping')
def notify():
    with s.Daemon() as d:
        for wrong in (False, True):
            before = s.time.clock_gettime_ns(s.time.CLOCK_MONOTONIC) // 1000
            if wrong:
                d.options['wrong'] = 'x'
                d.write_conf()
            os.kill(d.pid(), signal.SIGHUP)
            message = told(d)
            s.equal(message.get('RELOADING'), '1', 'the message: %s' % message)
            s.expect(before <= int(message['MONOTONIC_USEC']) <= s.time.clock_gettime_ns(s.time.CLOCK_MONOTONIC) // 1000,
                     'when: %s', message)
            s.equal(told(d), {'READY': '1'}, 'after it')
        d.options.pop('wrong')
        d.must('stop')
        s.equal(told(d).get('STOPPING'), '1', 'at the end')
        s.equal(d.process.wait(10), 0, 'the exit status')


@s.case('the watchdog of the service manager is fed, while main turns, and only then')
def watchdog():
    os.environ['WATCHDOG_USEC'] = '400000'
    try:
        with s.Daemon() as d:
            begun = s.time.monotonic()
            for _ in range(4):
                s.equal(told(d, 1.0), {'WATCHDOG': '1'}, 'fed')
            s.expect(s.time.monotonic() - begun < 3, 'too seldom')
            os.kill(d.pid(), signal.SIGSTOP)
            with contextlib.suppress(socket.timeout):
                while True:
                    told(d, 0.6)
            os.kill(d.pid(), signal.SIGCONT)
            s.equal(told(d, 2.0), {'WATCHDOG': '1'}, 'fed again')
    finally:
        del os.environ['WATCHDOG_USEC']


@s.case('the unit that we ship: systemd finds nothing wrong with it, and little exposed')
def unit():
    if not s.shutil.which('systemd-analyze'):
        raise s.Skip('systemd-analyze is not installed')
    d = s.Daemon()
    try:
        with open(os.path.join(s.SRC, 'contrib', 'schwenkd.service')) as f:
            text = f.read()
        for old, new in (('/usr/sbin/schwenkd', s.SCHWENKD), ('User=schwenk', 'User=daemon'), ('Group=schwenk', 'Group=daemon')):
            s.expect(old in text, '%s is not in the unit', old)
            text = text.replace(old, new)
        path = d.file('schwenkd.service', text)
        done = s.subprocess.run(['systemd-analyze', 'verify', '--man=no', path], capture_output=True, text=True, timeout=60)
        s.equal((done.returncode, done.stdout, done.stderr), (0, '', ''), 'verify')
        done = s.subprocess.run(['systemd-analyze', 'security', '--offline=true', '--no-pager', path], capture_output=True, text=True,
                                timeout=60)
        found = re.search(r'exposure level for \S+: ([\d.]+)', done.stdout)
        if not found:
            raise s.Skip('this systemd-analyze has no offline security')
        s.expect(float(found.group(1)) < 3, 'exposure %s', found.group(1))
    finally:
        d.dispose()


s.run()
