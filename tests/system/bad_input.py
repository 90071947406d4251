"""Bad input: packets, control requests, descriptors, zone files, configurations: a clear
error, nothing changed, nothing leaked."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import glob  # noqa: E402
import re  # noqa: E402
import struct  # noqa: E402
import subprocess  # noqa: E402

ZONE = 'shop.example'


def prepared(d):
    d.import_set(ZONE + '@old', s.marked_zone(ZONE, 1))
    d.must('cutover', sets=[ZONE + '@old'])


def fd_count(pid):
    return len(os.listdir('/proc/%d/fd' % pid))


@s.case('truncated, mutated and random packets over UDP and TCP: no crash, well-formed replies')
def packets():
    rng = s.random.Random(42)
    with s.Daemon(workers=2) as d:
        prepared(d)
        workers = d.workers()
        good = [s.query('n1.' + ZONE, edns=1232, id=1), s.query('any.wild.' + ZONE, 'MX', id=2),
                s.query('www.sub.' + ZONE, 'A', id=3, do=True, edns=512)]
        u = s.socket.socket(s.socket.AF_INET, s.socket.SOCK_DGRAM)
        u.connect(('127.0.0.1', d.port))
        u.setblocking(False)
        replies = sent = 0

        def throw(msg):
            nonlocal sent, replies
            u.send(msg)
            sent += 1
            if sent % 50 == 0:
                s.time.sleep(0.002)
            try:
                while True:
                    reply = u.recv(65535)
                    s.decode(reply)
                    replies += 1
            except BlockingIOError:
                pass
        for msg in good:
            for size in range(len(msg) + 1):
                throw(msg[:size])
            throw(msg + b'\0')
            for _ in range(1500):
                bad = bytearray(msg)
                for _ in range(rng.randrange(1, 6)):
                    bad[rng.randrange(len(bad))] = rng.randrange(256)
                throw(bytes(bad))
        for _ in range(2000):
            throw(bytes(rng.randrange(256) for _ in range(rng.randrange(0, 600))))
        throw(b'\xff' * 65000)
        u.close()
        s.expect(replies > 500, 'only %d replies to %d packets', replies, sent)
        for _ in range(60):
            with s.Tcp(d.port) as t:
                msg = bytes(rng.randrange(256) for _ in range(rng.randrange(0, 2000)))
                t.sock.sendall(msg)
        for size in (0, 1, 11, 12, 65535):
            with s.Tcp(d.port) as t:
                t.sock.sendall(struct.pack('>H', size) + b'\xc0' * size)
        s.equal(s.markers(d.udp('n1.' + ZONE)), {1}, 'served afterwards')
        s.equal(d.workers(), workers, 'the workers: none has died')


@s.case('malformed queries get FORMERR or silence as the table says')
def malformed():
    with s.Daemon(workers=1) as d:
        prepared(d)
        head = struct.Struct('>HHHHHH')
        name = s.wire_name(ZONE) + b'\0\1\0\1'
        opt = b'\0\0\x29\x04\xd0\0\0\0\0\0\0'
        for what, msg, rcode in (
                ('no question', head.pack(9, 0, 0, 0, 0, 0), 'FORMERR'),
                ('two questions', head.pack(9, 0, 2, 0, 0, 0) + name + name, 'FORMERR'),
                ('a pointer in the question', head.pack(9, 0, 1, 0, 0, 0) + b'\xc0\x0c\0\1\0\1', 'FORMERR'),
                ('a label of 64', head.pack(9, 0, 1, 0, 0, 0) + b'\x40' + b'a' * 64 + b'\0\0\1\0\1', 'FORMERR'),
                ('a name of 256', head.pack(9, 0, 1, 0, 0, 0) + (b'\x3f' + b'a' * 63) * 4 + b'\0\0\1\0\1', 'FORMERR'),
                ('octets behind', head.pack(9, 0, 1, 0, 0, 0) + name + b'x', 'FORMERR'),
                ('a record that is not there', head.pack(9, 0, 1, 0, 0, 1) + name, 'FORMERR'),
                ('two OPTs', head.pack(9, 0, 1, 0, 0, 2) + name + opt + opt, 'FORMERR'),
                ('a response', head.pack(9, 0x8000, 1, 0, 0, 0) + name, None),
                ('eleven octets', head.pack(9, 0, 1, 0, 0, 0)[:11], None)):
            reply = s.udp_raw(d.port, msg, timeout=0.5 if rcode is None else 2)
            found = s.decode(reply).rcode if reply else None
            s.equal(found, rcode, what)
            if reply:
                s.equal(struct.unpack_from('>H', reply)[0], 9, 'the id of ' + what)


@s.case('garbage on the control socket: a clear error each, and the daemon goes on')
def control():
    rng = s.random.Random(43)
    with s.Daemon() as d:
        prepared(d)
        lines = [b'\n', b'{}\n', b'[]\n', b'null\n', b'"status"\n', b'{"command":1}\n', b'{"command":"status"\n',
                 b'{"command":"nonsense"}\n', b'{"v":2,"command":"status"}\n', b'{"command":"status","extra":1}\n',
                 b'{"command":"cutover","sets":"x"}\n', b'{"command":"cutover","sets":[1]}\n',
                 b'{"command":"cutover","sets":[]}\n', b'{"command":"cutover"}\n', b'{"command":"drop","sets":["a"]}\n',
                 b'{"command":"zone-show","zone":"a..b"}\n', b'{"command":"zone-show","zone":"%s"}\n' % (b'a' * 300),
                 b'{"command":"zone-show","zone":"x","zone":"y"}\n', b'\xff\xfe{"command":"status"}\n',
                 b'{"command":"status\\u0000"}\n', b'{"command":"history","limit":-1}\n',
                 b'{"command":"history","limit":1e99}\n', b'{"command":"sets","zone":"\\ud800"}\n',
                 b'{"command":"import","zone":"%s","set":"x"}\n' % ZONE.encode(),
                 b'{"command":"import","zone":"%s","set":"../x"}\n' % ZONE.encode(),
                 b'{"command":"import","zone":"%s","set":"%s"}\n' % (ZONE.encode(), b'n' * 64),
                 b'{"command":"cutover","sets":["%s@old"],"note":"%s"}\n' % (ZONE.encode(), b'n' * 5000),
                 b'{"command":"group-create","group":"a b"}\n', b'{"command":"group-create","group":""}\n',
                 b'[' * 10000 + b'\n', b'{"a":' * 5000 + b'\n']
        before = d.zone(ZONE)
        for line in lines:
            with d.control(5) as c:
                c.send(line)
                reply = c.line()
                s.expect(reply is not None and reply.get('ok') is False and reply['error']['message'],
                         'to %r: %s', line[:60], reply)
        for _ in range(200):
            with d.control(5) as c:
                c.send(bytes(rng.randrange(256) for _ in range(rng.randrange(1, 300))) + b'\n')
                reply = c.line()
                s.expect(reply is None or reply.get('ok') is False, 'garbage was done: %s', reply)
        with d.control(5) as c:                 # several requests on one connection, one broken
            c.send(b'{"command":"status"}\n{"command":"nope"}\n{"command":"status"}\n')
            s.equal([c.reply()['ok'] for _ in range(3)], [True, False, True], 'three in a row')
        s.equal(d.zone(ZONE), before, 'the zone')
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served')


@s.case('a line over the limit, half requests, silent clients, one that does not read')
def clients():
    with s.Daemon() as d:
        prepared(d)
        with d.control(10) as c:
            try:
                c.send(b'{"command":"' + b'x' * (1 << 20) + b'"}\n')
                reply = c.line()
                s.expect(reply is None or reply['error']['code'] in ('limit', 'bad-request'), 'too long: %s', reply)
            except (BrokenPipeError, ConnectionResetError):
                pass
        half = []
        for text in (b'{"comm', b'{"command":"status"}', b''):
            c = d.control(5)
            if text:
                c.send(text)
            half.append(c)
        greedy = d.control(5)
        greedy.sock.setblocking(False)
        try:
            for _ in range(20000):
                greedy.sock.send(b'{"command":"history"}\n{"command":"status"}\n')
        except BlockingIOError:
            pass
        many = [d.control(5) for _ in range(100)]
        begun = s.time.monotonic()
        for _ in range(20):
            d.must('status')
            d.must('cutover', sets=[ZONE + '@old'])
        s.expect(s.time.monotonic() - begun < 5, 'they held others up: %.1f s', s.time.monotonic() - begun)
        for c in half + many + [greedy]:
            c.close()
        s.wait_until(lambda: fd_count(d.pid()) < 60, 5, 'their descriptors to be closed')


@s.case('descriptors: a directory, a socket, /dev/null, too many, none: clear errors, nothing leaks')
def descriptors():
    with s.Daemon() as d:
        prepared(d)
        d.must('status')
        before = fd_count(d.pid())
        for round_ in range(3):
            directory = os.open(d.dir, os.O_RDONLY)
            null = os.open('/dev/null', os.O_RDONLY)
            zero = os.open('/dev/zero', os.O_RDONLY)
            pair = s.socket.socketpair()
            write_only = os.open(os.path.join(d.dir, 'w'), os.O_WRONLY | os.O_CREAT)
            for what, fds in (('a directory', [directory]), ('a socket', [pair[0].fileno()]), ('empty', [null]),
                              ('endless zeros', [zero]), ('write only', [write_only]), ('none', [])):
                reply = d.ask('import', fds, zone=ZONE, set='bad', name='file', timeout=30)
                s.expect(reply['ok'] is False and reply['error']['message'], '%s: %s', what, reply)
            reply = d.ask('status', [null, null, null])
            s.expect('ok' in reply, 'unasked descriptors: %s', reply)
            reply = d.ask('import', [null] * 20, zone=ZONE, set='bad', name='file')
            s.expect(reply['ok'] is False, 'twenty descriptors: %s', reply)
            for fd in (directory, null, zero, write_only):
                os.close(fd)
            for p in pair:
                p.close()
        s.equal([r['name'] for r in d.must('sets', zone=ZONE)['sets'] if r['state'] != 'dropping'], ['old'], 'sets')
        s.wait_until(lambda: fd_count(d.pid()) <= before + 2, 5, 'descriptors to be closed')


@s.case('zone files with each error: file:line:column, nothing changes')
def zone_files():
    paths = sorted(glob.glob(os.path.join(s.SRC, 'zones', 'bad-*.zone')))
    s.expect(len(paths) >= 10, 'only %d zones/bad-*.zone', len(paths))
    with s.Daemon() as d:
        prepared(d)
        before = d.zone(ZONE)
        for path in paths:
            base = os.path.basename(path)
            text = open(path, encoding='latin-1').read()
            status, reply, err = d.tool('import', 'example.com@' + re.sub(r'[^a-z0-9_.-]', '-', base[:40].lower()), path)
            row = [r for r in d.ask('sets', zone='example.com').get('sets', [])
                   if r['name'] == base[:40].lower() and r['state'] == 'ready']
            s.expect(status == 1 or (reply.get('outcome') == 'failed'), '%s: exit %d: %s', base, status, reply)
            s.equal(row, [], base + ': the set')
            wanted = re.search(r'; expect: (?:error|rule \S+ at) (\d+):', text)
            if wanted:
                s.expect('%s:%s' % (base, wanted.group(1)) in err, '%s: no place in: %s', base, err)
        good = sorted(glob.glob(os.path.join(s.SRC, 'zones', 'good-*.zone')))
        for path in good:
            status, reply, err = d.tool('import', 'example.com@good', path)
            s.equal(status, 0, '%s: %s' % (os.path.basename(path), err))
        s.equal(d.zone(ZONE), before, 'the other zone')
        d.fsck()


@s.case('$INCLUDE stays below the directory of the file')
def include():
    with s.Daemon() as d:
        d.file('secret', 'secret A 10.1.6.6\n')
        d.file('zone/inside', 'inside A 10.1.6.7\n')
        text = s.marked_zone(ZONE, 1)
        path = d.file('zone/good.zone', text + '$INCLUDE inside\n')
        d.run('import', ZONE, path)
        s.equal(d.udp('inside.' + ZONE).rdata('A'), ['10.1.6.7'], 'included')
        os.symlink('../secret', os.path.join(d.dir, 'zone', 'link'))
        for target in ('../secret', os.path.join(d.dir, 'secret'), 'link', 'none', '.', '/etc/passwd'):
            path = d.file('zone/bad.zone', text + '$INCLUDE %s\n' % target)
            status, reply, err = d.tool('import', ZONE, path)
            s.equal(status, 1, '$INCLUDE %s: %s' % (target, reply))
        path = d.file('zone/self.zone', text + '$INCLUDE self.zone\n')
        s.equal(d.tool('import', ZONE, path)[0], 1, 'a file that includes itself')
        s.equal(d.udp('inside.' + ZONE).rdata('A'), ['10.1.6.7'], 'served afterwards')


@s.case('configurations with each kind of error: file:line, what is allowed, exit 1')
def configurations():
    base = s.tempfile.mkdtemp(prefix='schwenk-test-')
    try:
        good = 'listen: ["127.0.0.1@%d"]\ndatabase: %s/db\ncontrol: %s/sock\nworkers: 1\n' % (s.free_port(), base, base)
        os.mkdir(base + '/db')
        path = base + '/conf'

        def check(text):
            with open(path, 'w' if isinstance(text, str) else 'wb') as f:
                f.write(text)
            done = subprocess.run([s.SCHWENKD, '-t', '-c', path], capture_output=True, text=True, timeout=20)
            s.expect(not s.SANITIZER_REPORT.search(done.stderr), 'a report: %s', done.stderr)
            return done.returncode, done.stdout + done.stderr
        status, said = check(good)
        s.equal(status, 0, 'a good one: ' + said)
        for what, extra, line in (
                ('an unknown key', 'colour: blue\n', 5), ('a wrong type', 'log: [a]\n', 5),
                ('a bad number', 'loaders: many\n', 5), ('out of range', 'loaders: 0\n', 5),
                ('a negative number', 'loaders: -1\n', 5), ('a bad size', 'images-map-size: 5 apples\n', 5),
                ('a bad word', 'log-level: loud\n', 5), ('a key twice', 'workers: 2\n', 5),
                ('a bad boolean', 'pin-workers: perhaps\n', 5), ('a tab', '\tloaders: 2\n', 5),
                ('bad YAML', 'loaders: [1\n', None), ('a bad payload size', 'udp-payload-size: 100000\n', 5)):
            status, said = check(good + extra)
            s.equal(status, 1, '%s: %s' % (what, said))
            s.expect(re.search(re.escape(path) + r':%s:\d+' % (line or r'\d+'), said), '%s: no place in: %s', what, said)
        for address in ('nonsense', '127.0.0.1@0', '127.0.0.1@99999', '300.1.1.1@53', '::1@x', ''):
            status, said = check(good.replace(re.search(r'"(.*?)"', good).group(1), address))
            s.equal(status, 1, 'listen %r: %s' % (address, said))
            s.expect(path + ':1:' in said, 'no place in: %s', said)
        for text in ('', '- a\n- b\n', 'just words', b'\xff\xfe\0', b'\0' * 100, '{' * 2000, '&a [*a]\n'):
            status, said = check(text)
            if text:
                s.equal(status, 1, '%r: %s' % (text[:20], said))
        done = subprocess.run([s.SCHWENKD, '-c', base + '/none'], capture_output=True, text=True, timeout=20)
        s.expect(done.returncode == 1 and base + '/none' in done.stderr, 'no such file: %s', done)
    finally:
        s.shutil.rmtree(base)


@s.case('an address in use: an error that says which')
def in_use():
    with s.Daemon() as d:
        with s.socket.socket() as t:
            t.bind(('127.0.0.1', 0))
            t.listen()
            port = t.getsockname()[1]
            other = s.Daemon(listen=['127.0.0.1@%d' % port])
            other.spawn()
            status = other.process.wait(10)
            s.expect(status not in (0, None), 'it runs')
            s.expect(str(port) in other.log_text(), 'the address is not named: %s', other.log_text())
        d.must('status')


@s.case("the tool's exit statuses: 1 refused, 2 usage, 3 not running")
def statuses():
    with s.Daemon() as d:
        prepared(d)
        for status, args in ((1, ('cutover', ZONE + '@none')), (1, ('sets', 'none.example')), (2, ('nonsense',)),
                             (2, ('cutover',)), (2, ('cutover', '--nonsense', ZONE + '@old')),
                             (2, ('import', ZONE + '@x')), (1, ('import', ZONE + '@x', '/none/file')),
                             (0, ('--help',)), (0, ('cutover', '--help')), (0, ('-V',))):
            found, out, err = d.tool(*args, json_out=False)
            s.equal(found, status, 'schwenk %s: %s%s' % (' '.join(args), out, err))
            s.expect(out + err, 'schwenk %s says nothing', ' '.join(args))
        err = d.tool('cutover', ZONE + '@none', json_out=False)[2]
        s.expect('none' in err, 'no name in: %s', err)
    s.equal(d.tool('status', json_out=False)[0], 3, 'no daemon')


s.run()
