"""What the system tests stand on: a real schwenkd in a directory of its own.

Daemon      starts the built schwenkd with a configuration, speaks to it by the
            built tool and by the raw control socket, and ends what it started,
            by process id only.
Control     the control socket, line by line, with descriptors.
query(), decode(), udp(), tcp()
            a small DNS client; no library, so that odd packets can be made.
Load        the load client dnsload, with the switches noted for its verdict.
case(), run()
            a test is a function with a title; one line each, then the sum.

Python 3.9 and its standard library only.
"""
import contextlib
import grp
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True

SRC = os.environ.get('top_srcdir') or os.path.abspath(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
BUILD = os.environ.get('top_builddir') or os.getcwd()
SCHWENKD = os.path.join(BUILD, 'src', 'daemon', 'schwenkd')
SCHWENK = os.path.join(BUILD, 'src', 'tool', 'schwenk')
DNSLOAD = os.path.join(BUILD, 'tests', 'support', 'dnsload')


def sanitized():
    """Whether the daemon is built with AddressSanitizer: it is several times slower."""
    with open(SCHWENKD, 'rb') as f:
        return b'__asan_init' in f.read()


# ---- DNS, just enough of it ---------------------------------------------------

TYPES = {'A': 1, 'NS': 2, 'CNAME': 5, 'SOA': 6, 'PTR': 12, 'MX': 15, 'TXT': 16,
         'AAAA': 28, 'SRV': 33, 'DNAME': 39, 'OPT': 41, 'DS': 43, 'RRSIG': 46,
         'NSEC': 47, 'DNSKEY': 48, 'SVCB': 64, 'HTTPS': 65, 'IXFR': 251,
         'AXFR': 252, 'ANY': 255, 'CAA': 257}
TYPE_NAMES = {v: k for k, v in TYPES.items()}
RCODES = {0: 'NOERROR', 1: 'FORMERR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 4: 'NOTIMP',
          5: 'REFUSED', 6: 'YXDOMAIN', 9: 'NOTAUTH', 16: 'BADVERS', 23: 'BADCOOKIE'}


def wire_name(name):
    name = name.rstrip('.')
    out = b''
    for label in name.split('.') if name else []:
        raw = label.encode()
        out += bytes([len(raw)]) + raw
    return out + b'\0'


def query(name, rrtype='A', id=None, edns=None, flags=0, do=False, version=0,
          qclass=1, options=b''):
    """A query's octets. edns: the payload size advertised, or None."""
    id = random.randrange(65536) if id is None else id
    number = TYPES[rrtype] if isinstance(rrtype, str) else rrtype
    msg = struct.pack('>HHHHHH', id, flags, 1, 0, 0, 0 if edns is None else 1)
    msg += wire_name(name) + struct.pack('>HH', number, qclass)
    if edns is not None:
        msg += b'\0' + struct.pack('>HHBBHH', 41, edns, 0, version,
                                   0x8000 if do else 0, len(options)) + options
    return msg


def _name(msg, at):
    labels, end, jumps = [], None, 0
    while True:
        size = msg[at]
        if size & 0xc0 == 0xc0:
            end = at + 2 if end is None else end
            to = struct.unpack_from('>H', msg, at)[0] & 0x3fff
            jumps += 1
            if to >= at or jumps > 100:
                raise ValueError('compression pointer forward or looping')
            at = to
            continue
        if size > 63:
            raise ValueError('label type %#x' % size)
        at += 1
        if size == 0:
            return '.'.join(labels) or '.', at if end is None else end
        labels.append(msg[at:at + size].decode('latin-1'))
        at += size


def _rdata(msg, rrtype, at, size):
    raw = msg[at:at + size]
    if rrtype == 1:
        return socket.inet_ntop(socket.AF_INET, raw)
    if rrtype == 28:
        return socket.inet_ntop(socket.AF_INET6, raw)
    if rrtype in (2, 5, 12, 39):
        return _name(msg, at)[0]
    if rrtype == 15:
        return '%d %s' % (struct.unpack_from('>H', raw)[0], _name(msg, at + 2)[0])
    if rrtype == 6:
        mname, at = _name(msg, at)
        rname, at = _name(msg, at)
        return ' '.join([mname, rname] + [str(n) for n in struct.unpack_from('>5I', msg, at)])
    if rrtype == 16:
        parts, i = [], 0
        while i < size:
            parts.append(raw[i + 1:i + 1 + raw[i]].decode('latin-1'))
            i += 1 + raw[i]
        return ' '.join(parts)
    return raw.hex()


class RR:
    def __init__(self, owner, rrtype, rrclass, ttl, rdata):
        self.owner, self.type, self.rrclass, self.ttl, self.rdata = owner, rrtype, rrclass, ttl, rdata

    def __repr__(self):
        return '%s %d %s %s' % (self.owner, self.ttl, self.type, self.rdata)


class Message:
    """A decoded answer: id, rcode (name), aa, tc, qname, answer, authority, additional, opt."""

    def rrs(self, rrtype=None, section='answer'):
        return [r for r in getattr(self, section) if rrtype in (None, r.type)]

    def rdata(self, rrtype, section='answer'):
        return sorted(r.rdata for r in self.rrs(rrtype, section))

    def __repr__(self):
        return '%s aa=%d tc=%d %s | %s | %s' % (self.rcode, self.aa, self.tc, self.answer,
                                                self.authority, self.additional)


def decode(msg):
    m = Message()
    m.size = len(msg)
    m.id, flags, qd, an, ns, ar = struct.unpack_from('>6H', msg)
    m.qr, m.aa, m.tc, m.rd, m.ra = (bool(flags & b) for b in (0x8000, 0x400, 0x200, 0x100, 0x80))
    m.opcode, rcode, at = flags >> 11 & 15, flags & 15, 12
    m.qname = m.qtype = m.opt = None
    m.ede = []
    for _ in range(qd):
        m.qname, at = _name(msg, at)
        m.qtype = struct.unpack_from('>H', msg, at)[0]
        at += 4
    for section, count in (('answer', an), ('authority', ns), ('additional', ar)):
        rrs = []
        for _ in range(count):
            owner, at = _name(msg, at)
            rrtype, rrclass, ttl, size = struct.unpack_from('>HHIH', msg, at)
            at += 10
            if at + size > len(msg):
                raise ValueError('rdata beyond the message')
            if rrtype == 41:
                m.opt = {'size': rrclass, 'version': ttl >> 16 & 255, 'do': bool(ttl & 0x8000),
                         'raw': msg[at:at + size]}
                rcode |= ttl >> 24 << 4
                i = at
                while i + 4 <= at + size:
                    code, length = struct.unpack_from('>HH', msg, i)
                    if code == 15:
                        m.ede.append(struct.unpack_from('>H', msg, i + 4)[0])
                    i += 4 + length
            else:
                rrs.append(RR(owner, TYPE_NAMES.get(rrtype, rrtype), rrclass, ttl,
                              _rdata(msg, rrtype, at, size)))
            at += size
        setattr(m, section, rrs)
    if at != len(msg):
        raise ValueError('%d octets behind the message' % (len(msg) - at))
    m.rcode = RCODES.get(rcode, rcode)
    return m


def udp_raw(port, msg, timeout=2.0, host='127.0.0.1'):
    """The reply's octets, or None."""
    with socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect((host, port))
        try:
            s.send(msg)
            return s.recv(65535)
        except (socket.timeout, ConnectionRefusedError):
            return None


class Tcp:
    """One TCP connection; send what you like, receive whole messages."""

    def __init__(self, port, timeout=5.0, host='127.0.0.1'):
        self.sock = socket.create_connection((host, port), timeout)
        self.rest = b''

    def send(self, msg):
        self.sock.sendall(struct.pack('>H', len(msg)) + msg)

    def receive(self):
        while True:
            if len(self.rest) >= 2:
                size = struct.unpack_from('>H', self.rest)[0]
                if len(self.rest) >= 2 + size:
                    msg, self.rest = self.rest[2:2 + size], self.rest[2 + size:]
                    return msg
            try:
                got = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not got:
                return None
            self.rest += got

    def closed(self, timeout=10.0):
        self.sock.settimeout(timeout)
        try:
            while self.sock.recv(65536):
                pass
            return True
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- the control socket ---------------------------------------------------------

class Control:
    """The raw control socket. request() gives the final reply; what came before
    it is in .progress of the last request."""

    def __init__(self, path, timeout=30.0):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.rest = b''
        self.progress = []

    def send(self, obj, fds=()):
        line = json.dumps(obj).encode() + b'\n' if isinstance(obj, dict) else obj
        if fds:
            socket.send_fds(self.sock, [line[:1]], list(fds))
            line = line[1:]
        self.sock.sendall(line)

    def line(self):
        """The next line as an object; None when the daemon has closed."""
        while b'\n' not in self.rest:
            try:
                got = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not got:
                return None
            self.rest += got
        line, self.rest = self.rest.split(b'\n', 1)
        return json.loads(line)

    def reply(self, on_progress=None):
        self.progress = []
        while True:
            got = self.line()
            if got is None:
                raise ConnectionError('the daemon closed the control connection')
            if 'progress' not in got:
                return got
            self.progress.append(got['progress'])
            if on_progress:
                on_progress(self, got['progress'])

    def request(self, command, fds=(), on_progress=None, **keys):
        request = dict(keys, v=1, command=command)
        self.send({k.rstrip('_'): v for k, v in request.items() if v is not None}, fds)
        return self.reply(on_progress)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- the daemon -----------------------------------------------------------------

class Failure(AssertionError):
    """What a test expected and what it found."""


class Skip(Exception):
    """Why a case cannot run here."""


def expect(condition, text, *args):
    if not condition:
        raise Failure(text % args if args else text)


def equal(found, wanted, what):
    expect(found == wanted, '%s: %r, not %r', what, found, wanted)


def free_port():
    """Below the ephemeral range, free for UDP and TCP on 127.0.0.1."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u, \
                socket.socket(socket.AF_INET, socket.SOCK_STREAM) as t:
            try:
                u.bind(('127.0.0.1', port))
                t.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue


def processes():
    """pid -> (ppid, command line) of every process that can be seen."""
    found = {}
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            with open('/proc/%s/stat' % entry) as f:
                stat = f.read()
            with open('/proc/%s/cmdline' % entry, 'rb') as f:
                command = f.read().replace(b'\0', b' ').decode('latin-1')
        except OSError:
            continue
        fields = stat[stat.rindex(')') + 2:].split()
        if fields[0] != 'Z':
            found[int(entry)] = (int(fields[1]), command)
    return found


def alive(pid):
    return pid in processes()


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure('waited %g s in vain for %s' % (seconds, what))
        time.sleep(0.01)


SANITIZER_REPORT = re.compile(
    r'(ERROR: (Address|Leak|Memory)Sanitizer|runtime error: |SUMMARY: \w*Sanitizer)')

_daemons = []


class Daemon:
    """A schwenkd in a temporary directory. Options are lines of the
    configuration, '_' standing for '-'."""

    def __init__(self, workers=2, directory=None, **options):
        self.dir = directory or tempfile.mkdtemp(prefix='schwenk-test-')
        self.owns_dir = directory is None
        self.port = free_port()
        self.conf_path = os.path.join(self.dir, 'schwenkd.yaml')
        self.socket_path = os.path.join(self.dir, 'control.sock')
        self.database = os.path.join(self.dir, 'db')
        os.makedirs(self.database, exist_ok=True)
        self.options = dict(listen=['127.0.0.1@%d' % self.port], database=self.database,
                            control=self.socket_path, workers=workers)
        self.options.update(options)
        self.process = None
        self.faults_expected = False
        self.log_path = os.path.join(self.dir, 'log')
        _daemons.append(self)

    # -- starting and ending

    def write_conf(self):
        with open(self.conf_path, 'w') as f:
            for key, value in self.options.items():
                if value is not None:
                    f.write('%s: %s\n' % (key.replace('_', '-'), json.dumps(value)))

    def spawn(self, arguments=()):
        """exec, without waiting. Readiness is told on self.notify."""
        self.write_conf()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(self.dir, 'notify')
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.notify.bind(path)
        os.chmod(path, 0o777)           # as the service manager's: main may have become another user
        env = dict(os.environ, NOTIFY_SOCKET=path)
        env.setdefault('ASAN_OPTIONS', 'detect_leaks=1:abort_on_error=0')
        env.setdefault('UBSAN_OPTIONS', 'print_stacktrace=1')
        self.log = open(self.log_path, 'ab')
        self.process = subprocess.Popen([SCHWENKD, '-c', self.conf_path, *arguments], env=env,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True)
        return self

    def wait_ready(self, seconds=20.0):
        end = time.monotonic() + seconds
        while True:
            self.notify.settimeout(0.05)
            try:
                if b'READY=1' in self.notify.recv(4096).split(b'\n'):
                    return self
            except socket.timeout:
                pass
            if self.process.poll() is not None:
                raise Failure('schwenkd ended with %d at its start: %s'
                              % (self.process.returncode, self.log_tail(5)))
            if time.monotonic() > end:
                raise Failure('schwenkd was not ready after %g s: %s' % (seconds, self.log_tail(5)))

    def start(self, seconds=20.0):
        return self.spawn().wait_ready(seconds)

    def pid(self):
        return self.process.pid

    def children(self, role=None):
        """Pids of the daemon's children, of one role if given."""
        return sorted(pid for pid, (parent, command) in processes().items()
                      if parent == self.process.pid and (role is None or role in command))

    def workers(self):
        return [w['pid'] for w in self.ask('status')['workers']]

    def writer(self):
        return self.ask('status')['writer']['pid']

    def stop(self, seconds=10.0):
        """SIGTERM; the exit status. Children must be gone with it."""
        if self.process is None or self.process.poll() is not None:
            return None
        children = self.children()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure('schwenkd did not stop within %g s of SIGTERM: %s'
                          % (seconds, self.log_tail(5)))
        self.log.close()
        self.notify.close()
        left = [p for p in children if alive(p)]
        for p in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, signal.SIGKILL)
        expect(not left, 'children %s outlived the stop', left)
        return status

    def kill(self):
        """SIGKILL of all processes at one moment: they are one process group."""
        if self.process is None or self.process.returncode is not None:
            return
        left = self.children()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for p in left:
            with contextlib.suppress(ProcessLookupError):
                if self._mine(p):
                    os.kill(p, signal.SIGKILL)
        self.log.close()
        self.notify.close()

    def _mine(self, pid):
        return SCHWENKD in processes().get(pid, (0, ''))[1] or \
            'schwenkd' in processes().get(pid, (0, ''))[1]

    def kill_main(self):
        """SIGKILL of main alone; the children that it had."""
        children = self.children()
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.notify.close()
        return children

    def log_text(self):
        try:
            with open(self.log_path, errors='replace') as f:
                return f.read()
        except OSError:
            return ''

    def log_tail(self, lines=20):
        return '\n'.join(self.log_text().splitlines()[-lines:])

    def check_log(self):
        """No sanitizer has anything to say."""
        found = SANITIZER_REPORT.search(self.log_text())
        if found:
            at = max(0, found.start() - 200)
            raise Failure('a sanitizer report in the log:\n%s' % self.log_text()[at:at + 4000])

    def dispose(self, keep=False):
        self.kill()
        if self.owns_dir and not keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
                self.check_log()
        finally:
            if kind is not None and issubclass(kind, Exception):
                print('    the daemon said last:')
                for line in self.log_tail(15).splitlines():
                    print('    | ' + line)
            self.dispose(keep=bool(kind) and 'SCHWENK_KEEP' in os.environ)

    # -- asking

    def control(self, timeout=30.0):
        return Control(self.socket_path, timeout)

    def ask(self, command, fds=(), timeout=30.0, on_progress=None, **keys):
        """One request on a connection of its own; the reply whatever it says."""
        with self.control(timeout) as c:
            return c.request(command, fds, on_progress, **keys)

    def must(self, command, fds=(), **keys):
        reply = self.ask(command, fds, **keys)
        expect(reply.get('ok') is True, '%s %s: %s', command, keys, reply.get('error', reply))
        return reply

    def refused(self, code, command, fds=(), **keys):
        """The request is refused with this code and a message; the error object."""
        reply = self.ask(command, fds, **keys)
        expect(reply.get('ok') is False, '%s %s was done: %s', command, keys, reply)
        error = reply['error']
        codes = code if isinstance(code, tuple) else (code,)
        expect(error['code'] in codes, '%s %s: error %s, not %s', command, keys, error, code)
        expect(len(error['message']) > 5, '%s: an error without words: %s', command, error)
        return error

    def tool(self, *args, input=None, json_out=True, env=None, timeout=60):
        """The tool's (exit status, reply or text, stderr)."""
        argv = [SCHWENK, '-s', self.socket_path] + (['--json'] if json_out else []) + list(args)
        done = subprocess.run(argv, input=input, capture_output=True, text=True, timeout=timeout,
                              env=dict(os.environ, **(env or {})))
        if SANITIZER_REPORT.search(done.stderr):
            raise Failure('a sanitizer report from the tool: %s' % done.stderr[:3000])
        out = done.stdout
        if json_out:
            lines = [line for line in out.splitlines() if line.strip()]
            try:
                out = json.loads(lines[-1]) if lines else {}
            except ValueError:
                raise Failure('%s: no JSON on stdout: %r' % (' '.join(args), out[:300]))
        return done.returncode, out, done.stderr

    def run(self, *args, status=0, **kw):
        """The tool, with the exit status expected; the reply."""
        found, out, err = self.tool(*args, **kw)
        expect(found == status, 'schwenk %s: exit %d, not %d: %s %s', ' '.join(args), found,
               status, out, err)
        return out

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w' if isinstance(text, str) else 'wb') as f:
            f.write(text)
        return path

    def import_set(self, where, text, must=True, timeout=120.0, **keys):
        """Zone text into ZONE@SET (or ZONE: the ordinary reload)."""
        zone, _, name = where.partition('@')
        with tempfile.TemporaryFile(dir=self.dir) as f:
            f.write(text.encode() if isinstance(text, str) else text)
            f.flush()
            f.seek(0)
            reply = self.ask('import', [f.fileno()], zone=zone, set=name or None,
                             name=zone + '.zone', timeout=timeout, **keys)
        if must:
            expect(reply.get('ok') is True, 'import %s: %s', where, reply.get('error', reply))
        return reply

    def udp(self, name, rrtype='A', timeout=2.0, tries=1, **kw):
        msg = query(name, rrtype, **kw)
        for _ in range(tries):
            reply = udp_raw(self.port, msg, timeout)
            if reply is not None:
                m = decode(reply)
                equal(m.id, struct.unpack_from('>H', msg)[0], "the reply's id")
                return m
        raise Failure('no reply over UDP to %s %s' % (name, rrtype))

    def tcp(self, name, rrtype='A', **kw):
        with Tcp(self.port) as t:
            t.send(query(name, rrtype, **kw))
            reply = t.receive()
        expect(reply is not None, 'no reply over TCP to %s %s', name, rrtype)
        return decode(reply)

    def address(self, name):
        """The one A record of a name, or the rcode."""
        m = self.udp(name)
        found = m.rdata('A')
        return found[0] if len(found) == 1 else (found or m.rcode)

    def served_serial(self, zone):
        return int(self.udp(zone, 'SOA').rdata('SOA')[0].split()[2])

    def zone(self, zone):
        return self.must('zone-show', zone=zone)['zone']

    def set(self, zone, name):
        """A set's row, or None; where one is being replaced by another: that one."""
        rows = [r for r in self.must('sets', zone=zone)['sets'] if r['name'] == name]
        return min(rows, key=lambda r: r['state'] == 'dropping', default=None)

    def fsck(self):
        reply = self.must('fsck', timeout=60.0)
        equal(reply['problems'], [], "fsck's problems")
        return reply


def spare_groups(count):
    """Names of groups that neither root nor nobody is in."""
    if os.geteuid() != 0:
        raise Skip('other users need root')
    nobody = pwd.getpwnam('nobody')
    found = [g.gr_name for g in grp.getgrall() if g.gr_gid not in (0, nobody.pw_gid)]
    if len(found) < count:
        raise Skip('the system has too few groups')
    return found[:count]


def as_nobody(groups, function):
    """What function() gives, as JSON can hold it, run by nobody with these groups."""
    nobody = pwd.getpwnam('nobody')
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([grp.getgrnam(g).gr_gid for g in groups])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            os.write(writing, json.dumps(function()).encode())
        except Exception:
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as f:
        text = f.read()
    os.waitpid(child, 0)
    expect(text, 'the process of nobody failed')
    return json.loads(text)


# ---- zones whose every record tells the set it belongs to ---------------------------

def marked_zone(apex, marker, names=8, serial=1):
    """Zone text in which every record of every answer carries the marker (1..9):
    an address 10.MARKER.x.y, or a name that begins with the label mMARKER. Its
    NXDOMAIN, NODATA, referrals and additional sections do, too."""
    m = 'm%d' % marker
    out = ['$ORIGIN %s.' % apex, '$TTL 300',
           '@ SOA %s hostmaster %d 3600 600 86400 60' % (m, serial),
           '@ NS %s' % m, '@ MX 10 %s' % m, '@ TXT "%s"' % m, '@ A 10.%d.0.1' % marker,
           '%s A 10.%d.0.2' % (m, marker),
           'alias CNAME %s' % m, '*.wild A 10.%d.0.3' % marker,
           'sub NS %s.sub' % m, '%s.sub A 10.%d.0.4' % (m, marker)]
    out += ['n%d A 10.%d.%d.%d' % (i, marker, 1 + i // 250, 1 + i % 250) for i in range(names)]
    return '\n'.join(out) + '\n'


def marked_questions(apex, names=8):
    """What to ask of a marked zone: all sections, all kinds of answers."""
    return [(apex, 'SOA'), (apex, 'MX'), (apex, 'TXT'), (apex, 'NS'), (apex, 'A'),
            ('alias.' + apex, 'A'), ('any.wild.' + apex, 'A'), ('www.sub.' + apex, 'A'),
            ('none.' + apex, 'A'), ('n0.' + apex, 'MX')] + \
           [('n%d.%s' % (i, apex), 'A') for i in range(names)]


def markers(message):
    """The markers in any section of a decoded message."""
    found = set()
    for rr in message.answer + message.authority + message.additional:
        if rr.type == 'A':
            found.add(int(rr.rdata.split('.')[1]))
        for name in re.findall(r'\bm(\d)\b', str(rr.rdata)):
            found.add(int(name))
    return found


def big_zone(path, apex, marker, names, serial=1):
    """A zone file of that many names, written quickly."""
    with open(path, 'w') as f:
        f.write('$ORIGIN %s.\n$TTL 300\n@ SOA m%d hostmaster %d 3600 600 86400 60\n@ NS m%d\n'
                'm%d A 10.%d.0.2\n' % (apex, marker, serial, marker, marker, marker))
        chunk = []
        for i in range(names):
            chunk.append('n%d A 10.%d.%d.%d\n' % (i, marker, i >> 8 & 255, i & 255))
            if len(chunk) == 50000:
                f.write(''.join(chunk))
                chunk.clear()
        f.write(''.join(chunk))
    return path


# ---- load ---------------------------------------------------------------------------

class Load:
    """dnsload asking without pause; begun()/acknowledged() note the switches, and
    finish() gives its verdict (see dnsload.c)."""

    def __init__(self, daemon, questions, udp=4, tcp=4, window=4, rate=4000, reconnect=False,
                 marker=1):
        self.daemon = daemon
        base = tempfile.mkdtemp(prefix='load-', dir=daemon.dir)
        self.events_path = os.path.join(base, 'events')
        questions_path = os.path.join(base, 'questions')
        with open(questions_path, 'w') as f:
            f.writelines('%s %d\n' % (name, TYPES[t]) for name, t in questions)
        self.events = open(self.events_path, 'w')
        self.acknowledged(marker)
        argv = [DNSLOAD, '-p', str(daemon.port), '-q', questions_path, '-e', self.events_path,
                '-u', str(udp), '-t', str(tcp), '-w', str(window), '-r', str(rate)]
        if reconnect:
            argv.append('-R')
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.process.stdout.readline()          # "asking"

    def _note(self, kind, marker):
        self.events.write('%s %d %d\n' % (kind, time.monotonic_ns(), marker))
        self.events.flush()

    def begun(self, marker):
        self._note('B', marker)

    def acknowledged(self, marker):
        self._note('E', marker)

    def finish(self):
        out, err = self.process.communicate('', timeout=60)
        self.events.close()
        expect(self.process.returncode in (0, 1), 'dnsload: exit %d: %s', self.process.returncode, err)
        verdict = json.loads(out.splitlines()[-1])
        verdict['said'] = err.strip()
        return verdict

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def unmixed(verdict, lost=0):
    """G1, G2, G3, G5 as dnsload judged them."""
    for key in ('mixed', 'old', 'half', 'unmarked', 'other_rcode'):
        expect(verdict[key] == 0, '%d answers are %s: %s', verdict[key], key, verdict['said'])
    expect(verdict['unanswered'] <= lost, '%d queries unanswered: %s', verdict['unanswered'],
           verdict['said'])
    expect(verdict['answered'] > 100, 'only %d answers', verdict['answered'])


# ---- cases ----------------------------------------------------------------------------

_cases = []


def case(title):
    def register(function):
        _cases.append((title, function))
        return function
    return register


def run():
    """Runs the file's cases (or those whose title holds an argument) and exits."""
    for program in (SCHWENKD, SCHWENK):
        if not os.access(program, os.X_OK):
            print('%s is not built' % program)
            sys.exit(99)
    passed = failed = skipped = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        for title, function in _cases:
            if len(sys.argv) > 1 and not any(a in title for a in sys.argv[1:]):
                continue
            begun = time.monotonic()
            try:
                function()
            except Skip as why:
                skipped += 1
                print('skip %s: %s' % (title, why))
            except Exception as error:          # noqa: any mistake fails the case, not the file
                failed += 1
                print('FAIL %s: %s' % (title, error))
                if not isinstance(error, Failure):
                    traceback.print_exc(file=sys.stdout)
            else:
                passed += 1
                print('ok   %s (%.1f s)' % (title, time.monotonic() - begun))
            sys.stdout.flush()
            for d in _daemons:
                d.dispose()
            _daemons.clear()
    finally:
        for d in _daemons:
            d.dispose()
    if skipped:
        print('%d skipped' % skipped)
    print('%d passed, %d failed' % (passed, failed))
    sys.exit(1 if failed or not passed + skipped else 0)
