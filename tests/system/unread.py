"""Clients that do not read what they asked for, or do not send what they are asked for: the
loader that works for one of them waits, nobody else does; when the client goes, nothing of it
is left: no process, no descriptor, no set in the making."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import contextlib  # noqa: E402
import re  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402

ZONE = 'shop.example'
BIG = 'big.example'
DROPPED, TOLD = 1500, 200       # records that are left out; of how many it is told


def prepared(d, names=40000):
    for name, marker in (('old', 1), ('new', 2)):
        d.import_set('%s@%s' % (ZONE, name), s.marked_zone(ZONE, marker, serial=marker))
    d.must('cutover', sets=[ZONE + '@old'])
    if names:
        for marker in (3, 4):
            with open(s.big_zone(os.path.join(d.dir, 'big'), BIG, marker, names)) as f:
                d.must('import', [f.fileno()], zone=BIG, set='m%d' % marker)
        d.must('cutover', sets=[BIG + '@m3'])


@contextlib.contextmanager
def worded_import(d, name=4000 * '"'):
    """On a connection of its own an import that has more to say than main and the sockets
    hold: each thing with the file's name, which is long, and longer as JSON."""
    with s.tempfile.TemporaryFile() as f, d.control(60) as c:
        f.write((s.marked_zone(ZONE, 5) + ''.join('n%d.elsewhere. A 10.5.1.1\n' % i for i in range(DROPPED))).encode())
        f.seek(0)
        c.send({'command': 'import', 'zone': ZONE, 'set': 'worded', 'name': name, 'drop': ['out-of-zone']}, [f.fileno()])
        yield c


def descriptors(d):
    return len(os.listdir('/proc/%d/fd' % d.pid()))


def resident(pid):
    """KiB"""
    with open('/proc/%d/status' % pid) as f:
        return int(re.search(r'VmRSS:\s+(\d+)', f.read()).group(1))


def worked(pid):
    """The process's processor time, in ticks; None: it has ended."""
    try:
        with open('/proc/%d/stat' % pid) as f:
            fields = f.read().rsplit(')', 1)[1].split()
    except OSError:
        return None
    return int(fields[11]) + int(fields[12])


def waiting_loader(d):
    """The one loader, once it does nothing any more; not because it is through."""
    s.wait_until(lambda: d.must('status')['jobs'], 10, 'the job')
    last = {}

    def still():
        s.expect(d.must('status')['jobs'], 'the loader ended, and waited for nobody')
        seen = [(pid, worked(pid)) for pid in d.children('loader')]     # one of a job before may be about to end
        if last.get('seen') != seen:
            last.update(seen=seen, at=s.time.monotonic())
        return len(seen) == 1 and s.time.monotonic() - last['at'] > 0.5
    s.wait_until(still, 30, 'the loader to wait for its client')
    s.equal(len(d.must('status')['jobs']), 1, 'jobs under way')
    return last['seen'][0][0]


def others_go_on(d):
    """Switches, edits, imports, exports, lists, of the same zones too; and quickly."""
    begun = s.time.monotonic()
    for marker, command, keys in ((2, 'cutover', {'sets': [ZONE + '@new']}), (1, 'rollback', {'zones': [ZONE]})):
        d.must(command, **keys)
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {marker}, 'served')
    d.import_set(ZONE + '@beside', s.marked_zone(ZONE, 4))
    d.must('record', set=ZONE + '@beside', text='add more 60 A 10.4.9.9\n')
    with s.tempfile.TemporaryFile() as f:
        d.must('export', [f.fileno()], zone=ZONE, set='beside')
    d.must('check', set=ZONE + '@beside')
    d.must('drop', sets=[ZONE + '@beside'])
    d.must('zones')
    d.must('history')
    took = s.time.monotonic() - begun
    s.expect(took < (30 if s.sanitized() else 15), 'the others took %.1f s', took)


@contextlib.contextmanager
def nothing_left(d, zones=(ZONE,)):
    """Around what a client does until it has gone."""
    before = descriptors(d)
    yield
    s.wait_until(lambda: not d.children('loader'), 5, 'the loader to end with its client')
    s.wait_until(lambda: not d.must('status')['jobs'], 5, 'no job to be left')
    s.wait_until(lambda: descriptors(d) <= before, 5, 'the descriptors to be closed')
    for zone in zones:
        s.wait_until(lambda: {r['state'] for r in d.ask('sets', zone=zone).get('sets', [])} <= {'ready'}, 20,
                     'no set in the making, or being cleared')


@s.case('export and diff into a pipe that nobody reads: all others go on; ends with the pipe or the client')
def pipe():
    with s.Daemon() as d:
        prepared(d)
        for command, keys in (('export', {'zone': BIG}), ('diff', {'from': BIG + '@m3', 'to': BIG + '@m4'})):
            for end in ('client', 'pipe'):
                reading, writing = os.pipe()
                with nothing_left(d), d.control(10) as c:
                    c.send(dict(keys, command=command), [writing])
                    os.close(writing)
                    waiting_loader(d)
                    others_go_on(d)
                    # the very zone that is read from, too: it is one snapshot that is printed
                    d.must('cutover', sets=[BIG + '@m4'])
                    d.must('rollback', zones=[BIG])
                    if end == 'client':
                        c.close()
                        s.wait_until(lambda: not d.children('loader'), 5, 'the loader to end with its client')
                        os.close(reading)
                    else:
                        os.close(reading)
                        reply = c.reply()
                        s.equal((reply['ok'], reply.get('error', {}).get('code')), (False, 'unavailable'), 'the reply: %s' % reply)
        d.fsck()


@s.case('the tool, stopped or killed in mid-export: the same')
def tool():
    with s.Daemon() as d:
        prepared(d)
        for ending in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
            with nothing_left(d):
                reading, writing = os.pipe()
                process = subprocess.Popen([s.SCHWENK, '-s', d.socket_path, 'export', BIG], stdout=writing,
                                           stderr=subprocess.DEVNULL)
                os.close(writing)
                waiting_loader(d)
                process.send_signal(signal.SIGSTOP)
                others_go_on(d)
                process.send_signal(ending)
                process.send_signal(signal.SIGCONT)
                process.wait(10)
                os.close(reading)
        d.fsck()


@s.case('clients that give up, again and again: what was read for them keeps no place in the store')
def again_and_again():
    with s.Daemon(loaders=25) as d:
        prepared(d)
        with nothing_left(d):
            # more than there are places for readers, whose process is killed in mid-snapshot
            for _ in range(4):
                pipes = [os.pipe() for _ in range(25)]
                with contextlib.ExitStack() as clients:
                    for reading, writing in pipes:
                        clients.enter_context(d.control(10)).send({'command': 'export', 'zone': BIG}, [writing])
                        os.close(writing)
                    for reading, _ in pipes:
                        os.read(reading, 1)         # it is in the midst of it
                s.wait_until(lambda: not d.children('loader'), 10, 'the loaders to end')
                for reading, _ in pipes:            # not sooner: that would end them as well
                    os.close(reading)
        others_go_on(d)
        d.fsck()


@s.case('a client that reads no progress: its loader waits, and goes on when it reads')
def progress():
    with s.Daemon() as d:
        prepared(d, 0)
        for leaves in (True, False):
            before = resident(d.pid())
            with nothing_left(d), worded_import(d) as c:
                waiting_loader(d)
                s.equal(d.set(ZONE, 'worded'), None, 'the set, before all is told')
                grown = resident(d.pid()) - before
                s.expect(grown < (60000 if s.sanitized() else 6000), 'main grew by %d KiB', grown)
                others_go_on(d)
                if leaves:
                    continue
                reply = c.reply()
                s.expect(reply['ok'], 'the import: %s', reply)
                s.equal((reply['dropped'], sum('problem' in p for p in c.progress)), (DROPPED, TOLD), 'what it was told')
            s.equal(d.set(ZONE, 'worded') is None, leaves, 'the set is not there')
        d.must('cutover', sets=[ZONE + '@worded'])
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {5}, 'served')
        d.fsck()


@s.case('a loader that has ended before its client reads: its last words are heard')
def last_words():
    with s.Daemon() as d:
        prepared(d, 0)
        for size in (1000, 2500, 3000, 3500, 4000, 4200):      # around what makes main pause it
            with nothing_left(d), worded_import(d, size * 'x') as c:
                s.time.sleep(0.3)
                reply = c.reply()
                s.expect(reply['ok'], 'the import: %s', reply)
                s.equal(sum('problem' in p for p in c.progress), TOLD, 'what it was told')


@s.case('who reads nothing for half a minute is closed, and what worked for it ends')
def patience():
    with s.Daemon() as d:
        prepared(d, 0)
        with nothing_left(d), worded_import(d):
            waiting_loader(d)
            begun = s.time.monotonic()
            s.wait_until(lambda: not d.children('loader'), 40, 'the patience to end')
            s.expect(s.time.monotonic() - begun > 20, 'it ended after %.1f s', s.time.monotonic() - begun)
            s.expect('reads nothing for 30 s: closed' in d.log_text(), 'the log says nothing of it')
        s.equal(d.set(ZONE, 'worded'), None, 'the set')


@s.case('import --dir from a client that sends no more files: the same')
def directory():
    with s.Daemon() as d:
        prepared(d, 0)
        for count in (0, 60, 64):
            with nothing_left(d, ['p%d.example' % i for i in range(count)]), d.control(20) as c:
                c.send({'command': 'import-dir', 'set': 'new'})
                s.expect(c.line()['progress']['need'] >= 64, 'fewer files are asked for')
                for i in range(count):
                    with s.tempfile.TemporaryFile() as f:
                        f.write(s.marked_zone('p%d.example' % i, 1).encode())
                        f.seek(0)
                        c.send({'file': 'p%d.example.zone' % i}, [f.fileno()])
                waiting_loader(d)
                others_go_on(d)
        # the next one finds nothing in its way
        d.file('dir/p0.example.zone', s.marked_zone('p0.example', 1))
        s.equal(d.run('import', '--dir', os.path.join(d.dir, 'dir'))['live'], 1, 'zones of the next directory')
        d.fsck()


s.run()
