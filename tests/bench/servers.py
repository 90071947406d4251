"""The servers side by side: Schwenk, Debian's others, and the bare loop.

Each runs in a directory of its own on a loopback port of its own, as the user
that we are, with one worker, and is ended by its process id. What Debian's
default configuration would have for a public server is left alone; what would
make a comparison unfair is not: no rate limiting, minimal answers, no logs of
queries.
"""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess

import machine
from content import BIG
from paths import LIMIT, s


class Zones:
    """What a server serves: the big zone from a file, and (or) small ones from a directory."""

    def __init__(self, big=None, directory=None, apexes=()):
        self.big, self.directory, self.apexes = big, directory, list(apexes)

    def names(self):
        return ([BIG] if self.big else []) + self.apexes

    def probe(self):
        """A name that is there when all is loaded."""
        return BIG if self.big else self.apexes[-1]


class Server:
    """One of them. Subclasses write a configuration and say how it is started and reloaded."""

    name = package = program = None
    can_sign = True
    suffix = '.zone'        # of its zone files

    def __init__(self, base, zones, pinned=True, label=None):
        self.label = label or self.name
        self.dir = os.path.join(base, re.sub('[^a-z0-9]+', '-', self.label))
        os.makedirs(self.dir)
        self.zones, self.port, self.process = zones, s.free_port(), None
        self.cpu = machine.cpus()[0] if pinned else None
        self.log_path = os.path.join(self.dir, 'log')
        self.files = os.path.join(self.dir, 'zones')

    @classmethod
    def missing(cls):
        """Why it cannot run here, or None."""
        if cls.program and not os.access(cls.program, os.X_OK):
            return '%s is not installed (apt-get install %s)' % (cls.name, cls.package)
        return None

    @classmethod
    def version(cls):
        return None

    # -- files

    def link(self, path, apex):
        """A zone file in our own directory, replaced at once."""
        to = os.path.join(self.files, apex + self.suffix)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(to + '~')
        try:
            os.link(path, to + '~')
        except OSError:
            shutil.copyfile(path, to + '~')
        os.utime(to + '~')      # some look at the time whether to read it
        os.rename(to + '~', to)

    def link_all(self):
        os.makedirs(self.files, exist_ok=True)
        if self.zones.big:
            self.link(self.zones.big, BIG)
        for apex in self.zones.apexes:
            self.link(os.path.join(self.zones.directory, apex + '.zone'), apex)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, 'w') as f:
            f.write(text)
        return path

    # -- running

    def configure(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def prepare(self):
        """Once, before the first start: files, configuration, a database."""
        self.link_all()
        self.configure()

    def spawn(self):
        with machine.pinned(self.cpu), open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(self.command(), cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)

    def start(self):
        self.prepare()
        self.spawn()
        self.wait_answer()
        return self

    def wait_answer(self, seconds=600.0):
        """Until it answers for the last of its zones."""
        question = s.query(self.zones.probe(), 'SOA', id=7)
        end = s.time.monotonic() + seconds
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            u.connect(('127.0.0.1', self.port))
            u.settimeout(0.02)
            while s.time.monotonic() < end:
                with contextlib.suppress(OSError):
                    u.send(question)
                    reply = u.recv(4096)
                    if reply[3] & 15 == 0 and reply[7]:
                        return
                    s.time.sleep(0.001)
                if self.process.poll() is not None:
                    break
        raise s.Failure('%s does not answer: %s' % (self.label, self.log_tail()))

    def log_tail(self):
        with contextlib.suppress(OSError), open(self.log_path, errors='replace') as f:
            return '\n'.join(f.read().splitlines()[-5:])
        return ''

    def pids(self):
        return machine.tree(self.process.pid)

    def stop(self):
        if not self.process:
            return
        left = self.pids()
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in left:        # of its process group, should one have been left behind
            with contextlib.suppress(ProcessLookupError):
                if os.getpgid(pid) == self.process.pid:
                    os.kill(pid, signal.SIGKILL)
        self.process = None

    def restart(self):
        self.stop()
        self.spawn()
        self.wait_answer()

    # -- new zones

    def stage(self, changes, version):
        """What may be made ready before the command: new files of zones [(apex, path)]."""
        for apex, path in changes:
            self.link(path, apex)

    def switch(self, changes, version):
        """The command that makes the staged zones the ones that are answered from."""
        raise NotImplementedError

    def run(self, *argv, timeout=900):
        done = subprocess.run(argv, cwd=self.dir, capture_output=True, text=True, timeout=timeout, check=False)
        s.expect(done.returncode == 0, '%s: %s', ' '.join(argv[:6]), done.stderr or done.stdout)
        return done.stdout


class Limit(Server):
    """The bare loop: no zones, nothing but sockets."""
    name, program, can_sign = 'limit', LIMIT, False

    def prepare(self):
        pass

    def command(self):
        return [LIMIT, str(self.port)]

    def wait_answer(self, seconds=10.0):
        s.wait_until(lambda: s.udp_raw(self.port, s.query('.'), 0.1), seconds, 'limit')


class Schwenk(Server):
    name = 'schwenk'
    options = {}

    def __init__(self, base, zones, pinned=True, label=None, workers=1):
        super().__init__(base, zones, pinned, label)
        self.daemon = s.Daemon(workers=workers, directory=self.dir, log_level='warning', **self.options)
        self.port, self.ready = self.daemon.port, False

    @classmethod
    def version(cls):
        return machine.first_line([s.SCHWENKD, '-V'])

    def prepare(self):
        pass

    def spawn(self):
        with machine.pinned(self.cpu):
            self.daemon.start()
        self.process = self.daemon.process

    def fill(self):
        """The zones into the store, while it runs."""
        if self.zones.big:
            self.import_file(BIG, self.zones.big)
        if self.zones.directory:
            self.daemon.run('import', '--dir', self.zones.directory, timeout=3600)

    def start(self):
        self.spawn()
        self.fill()
        self.wait_answer()
        return self

    def import_file(self, where, path):
        zone, _, name = where.partition('@')
        with open(path) as f:
            return self.daemon.must('import', [f.fileno()], zone=zone, set=name or None, name=path, timeout=900)

    def stop(self):
        self.daemon.stop(60)
        self.process = None

    def stage(self, changes, version):
        name = 'v%d' % version
        if len(changes) == 1:
            self.import_file('%s@%s' % (changes[0][0], name), changes[0][1])
            return
        self.daemon.run('import', '--dir', os.path.dirname(changes[0][1]), '@' + name, timeout=3600)
        self.daemon.must('group-create', group=name)
        for i in range(0, len(changes), 5000):
            self.daemon.must('group-add', group=name, zones=[apex for apex, _ in changes[i:i + 5000]])

    def switch(self, changes, version):
        name = 'v%d' % version
        if len(changes) == 1:
            return self.daemon.must('cutover', sets=['%s@%s' % (changes[0][0], name)])
        return self.daemon.must('cutover', group=name, set=name, timeout=120)


class Nsd(Server):
    name, package, program = 'nsd', 'nsd', '/usr/sbin/nsd'

    @classmethod
    def version(cls):
        return machine.first_line([cls.program, '-v'])

    def configure(self):
        zones = ''.join('zone:\n name: "%s"\n zonefile: "%s.zone"\n' % (apex, apex) for apex in self.zones.names())
        self.write('nsd.conf', '''server:
 ip-address: 127.0.0.1@{port}
 server-count: 1
 username: ""
 chroot: ""
 zonesdir: "{dir}/zones"
 database: ""
 pidfile: "{dir}/nsd.pid"
 zonelistfile: "{dir}/zone.list"
 xfrdfile: "{dir}/xfrd.state"
 xfrdir: "{dir}"
 verbosity: 0
 reuseport: no
 tcp-count: 1000
 minimal-responses: yes
 receive-buffer-size: 4194304
 rrl-ratelimit: 0
 rrl-whitelist-ratelimit: 0
remote-control:
 control-enable: yes
 control-interface: "{dir}/control"
{zones}'''.format(port=self.port, dir=self.dir, zones=zones))

    def command(self):
        return [self.program, '-d', '-c', self.dir + '/nsd.conf']

    def switch(self, changes, version):
        argv = ['/usr/sbin/nsd-control', '-c', self.dir + '/nsd.conf', 'reload']
        self.run(*argv, *([changes[0][0]] if len(changes) == 1 else []))


class Knot(Server):
    name, package, program = 'knot', 'knot', '/usr/sbin/knotd'

    @classmethod
    def version(cls):
        return machine.first_line([cls.program, '-V'])

    def configure(self):
        os.makedirs(self.dir + '/state', exist_ok=True)
        zones = ''.join('  - domain: "%s"\n' % apex for apex in self.zones.names())
        self.write('knot.conf', '''server:
  rundir: "{dir}"
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  tcp-max-clients: 1000
database:
  storage: "{dir}/state"
control:
  listen: "{dir}/control"
log:
  - target: stderr
    any: error
template:
  - id: default
    storage: "{dir}/zones"
    file: "%s.zone"
zone:
{zones}'''.format(port=self.port, dir=self.dir, zones=zones))

    def command(self):
        return [self.program, '-c', self.dir + '/knot.conf']

    def switch(self, changes, version):
        argv = ['/usr/sbin/knotc', '-s', self.dir + '/control', '-t', '600', 'zone-reload']
        for i in range(0, len(changes), 500):
            self.run(*argv, *[apex for apex, _ in changes[i:i + 500]])


class Gdnsd(Server):
    name, package, program, can_sign, suffix = 'gdnsd', 'gdnsd', '/usr/sbin/gdnsd', False, ''

    @classmethod
    def version(cls):
        with contextlib.suppress(OSError):
            done = subprocess.run([cls.program, '-h'], capture_output=True, text=True, check=False)
            return next((line for line in done.stderr.splitlines() if 'version' in line), None)
        return None

    def configure(self):
        os.makedirs(self.dir + '/run', exist_ok=True)
        os.makedirs(self.dir + '/state', exist_ok=True)
        self.write('config', '''options => {{
  listen => 127.0.0.1:{port}
  run_dir => {dir}/run
  state_dir => {dir}/state
  udp_threads => 1
  tcp_threads => 1
  tcp_clients_per_thread => 1000
  udp_rcvbuf => 1048576
  experimental_no_chain => false
}}
'''.format(port=self.port, dir=self.dir))

    def command(self):
        return [self.program, '-c', self.dir, 'start']

    def switch(self, changes, version):
        self.run('/usr/bin/gdnsdctl', '-c', self.dir, '-t', '300', 'reload-zones')


class Named(Server):
    name, package, program = 'named', 'bind9', '/usr/sbin/named'

    @classmethod
    def version(cls):
        return (machine.first_line([cls.program, '-v']) or '?').split(' <')[0]

    def configure(self):
        self.control_port = s.free_port()
        key = 'key "bench" { algorithm hmac-sha256; secret "YmVuY2htYXJr"; };\n'
        zones = ''.join('zone "%s" { type master; file "zones/%s.zone"; };\n' % (apex, apex)
                        for apex in self.zones.names())
        self.write('named.conf', key + '''options {{
 directory "{dir}";
 listen-on port {port} {{ 127.0.0.1; }};
 listen-on-v6 {{ none; }};
 recursion no;
 minimal-responses yes;
 notify no;
 dnssec-validation no;
 tcp-clients 1000;
 pid-file "{dir}/named.pid";
 session-keyfile "{dir}/session.key";
 lock-file none;
}};
controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ "bench"; }}; }};
logging {{ channel quiet {{ stderr; severity error; }}; category default {{ quiet; }}; }};
{zones}'''.format(dir=self.dir, port=self.port, control=self.control_port, zones=zones))
        self.write('rndc.conf', key + 'options { default-key "bench"; default-server 127.0.0.1; default-port %d; };\n'
                   % self.control_port)

    def command(self):
        return [self.program, '-g', '-n', '1', '-c', self.dir + '/named.conf']

    def switch(self, changes, version):
        argv = ['/usr/sbin/rndc', '-c', self.dir + '/rndc.conf', 'reload']
        self.run(*argv, *([changes[0][0]] if len(changes) == 1 else []))


class Pdns(Server):
    name, package, program, can_sign = 'pdns', 'pdns-server pdns-backend-lmdb pdns-backend-bind', '/usr/sbin/pdns_server', False

    @classmethod
    def missing(cls):
        backend = glob.glob('/usr/lib/*/pdns/liblmdbbackend.so') + glob.glob('/usr/lib*/pdns/liblmdbbackend.so')
        return super().missing() or (None if backend else 'pdns has no LMDB backend (apt-get install pdns-backend-lmdb)')

    @classmethod
    def version(cls):
        with contextlib.suppress(OSError):
            done = subprocess.run([cls.program, '--version'], capture_output=True, text=True, check=False)
            found = re.search(r'PowerDNS.*Server \S+', done.stdout + done.stderr)
            return found and found.group(0)
        return None

    def configure(self):
        common = '''local-address=127.0.0.1
local-port={port}
socket-dir={dir}
lmdb-filename={dir}/pdns.lmdb
receiver-threads=1
distributor-threads=1
loglevel=2
disable-syslog=yes
max-tcp-connections=1000
'''.format(port=self.port, dir=self.dir)
        self.write('pdns.conf', 'launch=lmdb\n' + common)
        # small zones come in by way of the bind backend: a pdnsutil each would take an hour
        self.write('named.conf', ''.join('zone "%s" { type master; file "%s/%s.zone"; };\n' % (a, self.files, a)
                                         for a in self.zones.names()))
        os.makedirs(self.dir + '/both', exist_ok=True)
        self.write('both/pdns.conf', 'launch=bind,lmdb\nbind-config=%s/named.conf\n' % self.dir + common)

    def prepare(self):
        super().prepare()
        self.run('/usr/bin/pdnsutil', '--config-dir=%s/both' % self.dir, 'b2b-migrate', 'bind', 'lmdb', timeout=3600)

    def command(self):
        return [self.program, '--config-dir=' + self.dir, '--daemon=no', '--guardian=no']

    def switch(self, changes, version):
        for apex, _ in changes:
            self.run('/usr/bin/pdnsutil', '--config-dir=' + self.dir, 'load-zone', apex,
                     os.path.join(self.files, apex + self.suffix))


PEERS = [Gdnsd, Nsd, Knot, Named, Pdns]
ALL = [Limit, Schwenk] + PEERS


def chosen(options, without=()):
    """Those asked for that can run here; the others are named with the reason."""
    found = []
    for cls in ALL:
        if options.servers and cls.name not in options.servers and cls is not Limit or cls.name in without:
            continue
        why = cls.missing()
        if why:
            machine.say('  left out: ' + why)
        else:
            found.append(cls)
    return found


class Farm:
    """Servers that run side by side, idle ones costing nothing; all stopped at the end."""

    def __init__(self, options):
        self.options, self.running = options, []
        self.base = s.tempfile.mkdtemp(prefix='schwenk-bench-', dir=options.work)

    def add(self, cls, zones, **kw):
        machine.say('  starting %s' % (kw.get('label') or cls.name))
        server = cls(self.base, zones, **kw)
        self.running.append(server)
        return server

    def start(self, cls, zones, **kw):
        return self.add(cls, zones, **kw).start()

    def try_start(self, cls, zones, **kw):
        """None, with the reason said, where a peer does not come up."""
        try:
            return self.start(cls, zones, **kw)
        except (s.Failure, OSError, subprocess.SubprocessError) as error:
            if issubclass(cls, Schwenk) or cls is Limit:
                raise
            machine.say('  left out: %s: %s' % (cls.name, error))
            return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.running:
            with contextlib.suppress(s.Failure, OSError):
                server.stop()
        if not self.options.keep:
            shutil.rmtree(self.base, ignore_errors=True)


def json_line(text):
    return json.loads(text.splitlines()[-1])
