"""Other houses' servers, each in a directory and on a loopback port of its own.

Nsd, Knot, Named     serve zones (zones.Zone); as the current user, in the
Unbound              foreground, ended by process id. `with` starts and stops.
Unbound              asks schwenkd and validates with given trust anchors.
needed(PROGRAM...)   ends the test with a SKIP where one is not installed.
"""
import os
import shutil
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402

PATH = os.environ.get('PATH', '') + ':/usr/local/sbin:/usr/sbin:/sbin'


def program(name):
    return shutil.which(name, path=PATH)


def needed(*names):
    os.environ['PATH'] = PATH
    missing = [n for n in names if not program(n)]
    if missing:
        print('SKIP: not installed: %s (contrib/check installs them)' % ', '.join(missing))
        sys.exit(77)


class Server:
    """A program with one configuration file; subclasses say which and how."""
    name = None

    def __init__(self, directory, zones=()):
        self.dir = os.path.join(directory, self.name)
        os.makedirs(self.dir, exist_ok=True)
        self.port = s.free_port()
        self.zones = zones
        self.process = None
        self.log_path = os.path.join(self.dir, 'log')
        self.conf = os.path.join(self.dir, 'conf')

    def __enter__(self):
        with open(self.conf, 'w') as f:
            f.write(self.configuration())
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(self.unconfined(self.command()), cwd=self.dir, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        try:
            s.wait_until(self.ready, 30, '%s: %s' % (self.name, self.log()))
        except BaseException:
            self.__exit__()
            raise
        return self

    def unconfined(self, command):
        """Where AppArmor knows a program by its path, it may not read our directory: a copy may."""
        if os.path.isdir('/sys/kernel/security/apparmor'):
            command[0] = shutil.copy(command[0], self.dir)
        return command

    def __exit__(self, *_):
        """SIGTERM, then SIGKILL of the process group: its session is its own."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def log(self):
        try:
            with open(self.log_path, errors='replace') as f:
                return f.read()[-2000:]
        except OSError:
            return ''

    def ready(self):
        s.expect(self.process.poll() is None, '%s ended with %s: %s', self.name, self.process.returncode, self.log())
        for zone in self.zones:
            reply = s.udp_raw(self.port, s.query(zone.apex, 'SOA'), timeout=0.2)
            if reply is None or s.decode(reply).rcode != 'NOERROR':
                return False
        return True


class Nsd(Server):
    name = 'nsd'

    def command(self):
        return [program('nsd'), '-d', '-c', self.conf]

    def configuration(self):
        out = ['server:', ' ip-address: 127.0.0.1@%d' % self.port, ' username: ""', ' chroot: ""',
               ' zonesdir: "%s"' % self.dir, ' database: ""', ' pidfile: "%s/pid"' % self.dir,
               ' xfrdfile: "%s/xfrd"' % self.dir, ' xfrdir: "%s"' % self.dir,
               ' zonelistfile: "%s/zone.list"' % self.dir, ' server-count: 1', ' tcp-count: 100',
               ' ipv4-edns-size: 4096', ' refuse-any: no', ' minimal-responses: no', ' round-robin: no',
               ' rrl-ratelimit: 0', ' rrl-whitelist-ratelimit: 0',
               'remote-control:', ' control-enable: no']
        for zone in self.zones:
            out += ['zone:', ' name: "%s"' % zone.apex, ' zonefile: "%s"' % zone.path]
        return '\n'.join(out) + '\n'


class Knot(Server):
    name = 'knotd'

    def command(self):
        return [program('knotd'), '-c', self.conf]

    def configuration(self):
        out = ['server:', '  listen: 127.0.0.1@%d' % self.port, '  rundir: %s' % self.dir,
               '  udp-workers: 1', '  tcp-workers: 1', '  background-workers: 1',
               '  udp-max-payload: 4096', '  tcp-io-timeout: 5000',
               'log:', '  - target: stderr', '    any: warning', 'database:', '  storage: %s' % self.dir,
               'template:', '  - id: default', '    storage: %s' % self.dir,
               '    zonefile-sync: -1', '    journal-content: none', '    semantic-checks: off', 'zone:']
        for zone in self.zones:
            out += ['  - domain: %s.' % zone.apex.rstrip('.'), '    file: %s' % zone.path]
        return '\n'.join(out) + '\n'


class Named(Server):
    name = 'named'

    def command(self):
        return [program('named'), '-g', '-n', '1', '-c', self.conf]

    def configuration(self):
        out = ['options {', 'directory "%s"; pid-file "%s/pid"; session-keyfile "%s/session.key";'
               % (self.dir, self.dir, self.dir), 'managed-keys-directory "%s"; lock-file none;' % self.dir,
               'listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; };' % self.port,
               'recursion no; dnssec-validation no; notify no; empty-zones-enable no; answer-cookie no;',
               'minimal-responses no-auth; minimal-any no; max-udp-size 4096; edns-udp-size 4096;',
               'max-records-per-type 0; max-types-per-name 0;',
               'check-names primary ignore; check-integrity no; allow-transfer { none; };', '};',
               'controls { };', 'logging { channel err { stderr; severity warning; }; category default { err; }; };']
        for zone in self.zones:
            out.append('zone "%s" { type primary; file "%s"; };' % (zone.apex, zone.path))
        return '\n'.join(out) + '\n'


class Unbound(Server):
    """Resolves stubs (names of zones) from one address and port of loopback, and nothing else;
    validates with anchors (DS records as text). options: further lines of its server section."""
    name = 'unbound'

    def __init__(self, directory, stubs, upstream, anchors, options=()):
        super().__init__(directory)
        self.stubs, self.upstream, self.anchors, self.options = stubs, upstream, anchors, options

    def command(self):
        return [program('unbound'), '-d', '-c', self.conf]

    def ready(self):
        s.expect(self.process.poll() is None, 'unbound ended with %s: %s', self.process.returncode, self.log())
        return s.udp_raw(self.port, s.query('localhost', 'A', flags=0x100), timeout=0.2)

    def configuration(self):
        out = ['server:', ' interface: 127.0.0.1@%d' % self.port, ' username: ""', ' chroot: ""',
               ' directory: "%s"' % self.dir, ' pidfile: "%s/pid"' % self.dir, ' use-syslog: no', ' logfile: ""',
               ' verbosity: 1', ' val-log-level: 2', ' num-threads: 1', ' do-not-query-localhost: no', ' do-ip6: no',
               ' module-config: "validator iterator"', ' trust-anchor-signaling: no', ' root-key-sentinel: no',
               ' access-control: 127.0.0.0/8 allow', ' aggressive-nsec: no', ' harden-below-nxdomain: no',
               ' target-fetch-policy: "0 0 0 0 0"']
        out += [' local-zone: "%s" nodefault' % name for name in ('test.', 'invalid.')]
        out += [' trust-anchor: "%s"' % anchor for anchor in self.anchors]
        out += [' ' + option for option in self.options]
        out += ['remote-control:', ' control-enable: no']
        for stub in self.stubs:
            out += ['stub-zone:', ' name: "%s"' % stub, ' stub-addr: %s@%d' % self.upstream, ' stub-prime: no']
        return '\n'.join(out) + '\n'
