"""G11: a fault stays small: workers, main and writer killed or stopped under load."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import contextlib  # noqa: E402
import fcntl  # noqa: E402
import random  # noqa: E402
import threading  # noqa: E402

ZONE = 'shop.example'


def prepared(d):
    for name, marker in (('old', 1), ('new', 2)):
        d.import_set('%s@%s' % (ZONE, name), s.marked_zone(ZONE, marker))
    d.must('cutover', sets=[ZONE + '@old'])


def unaffected(verdict, lost):
    """No wrong answer; at most so many queries lost."""
    for key in ('mixed', 'old', 'half', 'unmarked', 'other_rcode'):
        s.equal(verdict[key], 0, '%s (%s)' % (key, verdict['said']))
    s.expect(verdict['unanswered'] <= lost, '%d unanswered: %s', verdict['unanswered'], verdict['said'])


@s.case('workers killed under load: replaced at once, what waited is answered')
def worker_killed():
    with s.Daemon(workers=3) as d:
        prepared(d)
        with s.Load(d, s.marked_questions(ZONE), udp=12, tcp=0, window=2) as load:
            kills = 6
            for i in range(kills):
                before = d.workers()
                victim = before[i % 3]
                os.kill(victim, s.signal.SIGKILL)
                s.wait_until(lambda: len(d.workers()) == 3 and victim not in d.workers() and
                             all(s.alive(p) for p in d.workers()), 5, 'a new worker')
                s.equal(len(set(before) & set(d.workers())), 2, 'the other workers')
                s.time.sleep(0.15)
            verdict = load.finish()
        print('    %d answers, %d lost in %d kills, slowest %d ms'
              % (verdict['answered'], verdict['unanswered'], kills, verdict['max_us'] // 1000))
        # a worker loses at most what it had read: a window of its sockets
        unaffected(verdict, 24 * kills)
        s.expect(verdict['max_us'] < 2000000, 'an answer took %d ms', verdict['max_us'] // 1000)
        restarts = sum(w['restarts'] for w in d.must('status')['workers'])
        s.equal(restarts, kills, 'restarts in the status')


@s.case('a stopped worker: its queue is answered when it goes on; the others never notice')
def worker_stopped():
    with s.Daemon(workers=2) as d:
        prepared(d)
        victim = d.workers()[0]
        os.kill(victim, s.signal.SIGSTOP)
        sockets = []
        try:
            for i in range(60):
                u = s.socket.socket(s.socket.AF_INET, s.socket.SOCK_DGRAM)
                u.connect(('127.0.0.1', d.port))
                u.settimeout(0.3)
                u.send(s.query('n1.' + ZONE, id=i))
                sockets.append(u)
            silent = []
            for u in sockets:
                try:
                    u.recv(4096)
                except s.socket.timeout:
                    silent.append(u)
                    u.settimeout(0.01)
                    for v in sockets:
                        v.settimeout(0.01)
            s.expect(0 < len(silent) < 60, '%d of 60 queries wait for the stopped worker', len(silent))
            os.kill(victim, s.signal.SIGKILL)
            for u in silent:
                u.settimeout(3.0)
                s.equal(s.markers(s.decode(u.recv(4096))), {1}, 'what waited, answered by the successor')
        finally:
            for u in sockets:
                u.close()


@s.case('a switch with a stopped worker: named after 1 s, ended after 5 s, then done')
def switch_with_stopped():
    with s.Daemon(workers=2) as d:
        prepared(d)
        victim = d.workers()[1]
        os.kill(victim, s.signal.SIGSTOP)
        seen, begun = [], s.time.monotonic()
        reply = d.ask('cutover', sets=[ZONE + '@new'], on_progress=lambda c, p: seen.append(
            (s.time.monotonic() - begun, p)))
        took = s.time.monotonic() - begun
        s.expect(reply['ok'], 'the switch: %s', reply)
        s.expect(any('worker' in str(p) for _, p in seen), 'the silent worker is not named: %s', seen)
        s.expect(4 < took < 9, 'the switch took %.1f s', took)
        for _ in range(40):
            s.equal(s.markers(d.udp('n2.' + ZONE)), {2}, 'served afterwards')
        s.expect(victim not in d.workers(), 'the silent worker is still there')


@s.case('main killed under load and restarted: no old worker answers once the new main is ready')
def main_killed():
    d = s.Daemon(workers=3).start()
    prepared(d)
    for _ in range(4):
        with s.Load(d, s.marked_questions(ZONE), udp=6, tcp=2, reconnect=True) as load:
            s.time.sleep(0.2)
            old = set(d.kill_main())
            d.start()
            left = [p for p in old if s.alive(p)]
            s.equal(left, [], 'processes of the old main that are left')
            load.begun(2)
            d.must('cutover', sets=[ZONE + '@new'])
            load.acknowledged(2)
            s.time.sleep(0.3)
            load.begun(1)
            d.must('rollback', zones=[ZONE])
            load.acknowledged(1)
            s.time.sleep(0.1)
            verdict = load.finish()
        unaffected(verdict, 10**9)
        s.expect(verdict['answered'] > 500, 'only %d answers', verdict['answered'])
    d.fsck()
    d.stop()
    d.check_log()


@s.case('children stopped when main is killed: the new main waits for them')
def children_stopped():
    d = s.Daemon(workers=2).start()
    prepared(d)
    victim = d.workers()[0]
    os.kill(victim, s.signal.SIGSTOP)
    d.kill_main()
    d.spawn()
    try:
        d.wait_ready(2.0)
        # it may end the leftovers itself; but never may both be there
        s.expect(not s.alive(victim), 'ready while a worker of the old main lives')
    except s.Failure:
        s.expect(d.process.poll() is None, 'the new main ended: %s', d.log_tail(5))
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, s.signal.SIGKILL)
        d.wait_ready()
    s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served')
    d.stop()
    d.check_log()


@s.case('whoever of an old daemon is left, and cannot be seen: the new main is not ready before it has gone')
def leftover():
    d = s.Daemon(workers=2).start()
    prepared(d)
    d.kill()
    # as a child that does not die, of a disk that does not answer, say: it has the lock from its main
    with open(os.path.join(d.database, 'schwenkd.lock')) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        d.spawn()
        try:
            d.wait_ready(2.0)
            raise AssertionError('ready while a child of the old main lives')
        except s.Failure:
            s.expect(d.process.poll() is None, 'the new main ended: %s', d.log_tail(5))
        s.expect('waiting for the last children' in d.log_text(), 'it does not say why: %s', d.log_tail(5))
        s.equal(s.udp_raw(d.port, s.query(ZONE, 'SOA'), 0.3), None, 'an answer meanwhile')
    d.wait_ready()
    s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served')
    d.stop()
    d.check_log()


@s.case('a worker stopped for a moment under load: all is answered, late or not')
def worker_pauses():
    with s.Daemon(workers=3) as d:
        prepared(d)
        with s.Load(d, s.marked_questions(ZONE), udp=12, tcp=6, window=2) as load:
            for i in range(6):
                pid = d.workers()[i % 3]
                os.kill(pid, s.signal.SIGSTOP)
                s.time.sleep(0.3)
                os.kill(pid, s.signal.SIGCONT)
                s.time.sleep(0.1)
            verdict = load.finish()
        s.unmixed(verdict)
        s.expect(verdict['max_us'] > 200000, 'no answer was late: %d us', verdict['max_us'])
        s.equal(sum(w['restarts'] for w in d.must('status')['workers']), 0, 'restarts')


@s.case('a second daemon on the same database waits or fails, and harms nothing')
def second():
    with s.Daemon() as d:
        prepared(d)
        other = s.Daemon(database=d.database)
        other.spawn()
        try:
            other.wait_ready(1.5)
            raise s.Failure('two daemons are ready on one database')
        except s.Failure as error:
            if 'two daemons' in str(error):
                raise
        s.expect(d.database in other.log_text() or 'wait' in other.log_text(),
                 'it does not say why: %s', other.log_text())
        other.kill()
        d.must('cutover', sets=[ZONE + '@new'])
        d.fsck()


@s.case('the writer killed under load: workers go on, a switch waits or fails cleanly')
def writer_killed():
    with s.Daemon(workers=2) as d:
        prepared(d)
        with s.Load(d, s.marked_questions(ZONE)) as load:
            for i in range(5):
                pid = d.writer()
                os.kill(pid, s.signal.SIGKILL)
                marker, request = (2, dict(command='cutover', sets=[ZONE + '@new'])) if i % 2 == 0 else \
                    (1, dict(command='rollback', zones=[ZONE]))
                load.begun(marker)
                reply = d.ask(**request)
                if not reply['ok']:
                    s.expect(reply['error']['code'] in ('unavailable', 'timeout'), 'unclear: %s', reply)
                    s.wait_until(lambda: d.must('status')['writer']['pid'] not in (0, None, pid), 8, 'a new writer')
                    d.must(**request)
                load.acknowledged(marker)
                s.expect(d.writer() != pid, 'the writer is still the old one')
                s.time.sleep(0.2)
            verdict = load.finish()
        s.unmixed(verdict)
        d.fsck()


@s.case('a writer that dies as of a damaged store: said to whom waits and in the log; started anew after growing pauses')
def writer_damaged():
    if s.sanitized():
        raise s.Skip('the sanitizer takes the signal for its own')
    with s.Daemon(workers=2) as d:
        prepared(d)
        pid = d.writer()
        os.kill(pid, s.signal.SIGSTOP)
        with d.control() as c:
            c.send(dict(command='cutover', sets=[ZONE + '@new']))
            s.time.sleep(0.2)
            os.kill(pid, s.signal.SIGSEGV)
            os.kill(pid, s.signal.SIGCONT)
            error = c.reply()['error']
        s.equal(error['code'], 'timeout', 'a request that the writer had')
        for text in (error['message'], d.log_text()):
            s.expect('by signal 11' in text and d.database in text and 'schwenk fsck' in text and '--restore' in text,
                     'what it is and what to do: %s', text)
        end, killed = s.time.monotonic() + 4, set()
        while s.time.monotonic() < end:
            for pid in d.children('writer'):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, s.signal.SIGSEGV)
                killed.add(pid)
            s.time.sleep(0.01)
        s.expect(4 <= len(killed) <= 12, '%d writers in 4 s', len(killed))
        # in a pause that is shorter than its patience a request is done all the same
        s.expect(d.must('cutover', sets=[ZONE + '@new'])['zones'], 'a switch')
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {2}, 'served')
        d.refused('corrupt', 'status')          # main must not die of it, too
        d.fsck()
        d.must('status')                        # it was no damage


@s.case('a catalog of random octets: a switch fails cleanly, what is served is, fsck names pages and dies of none')
def catalog_damaged():
    if s.sanitized():
        raise s.Skip('the sanitizer takes the signal for its own')
    octets = random.Random(8)
    with s.Daemon(workers=1) as d:
        prepared(d)
        for name, rrtype in s.marked_questions(ZONE):
            d.udp(name, rrtype)
        path = os.path.join(d.database, 'catalog.mdb')
        with open(path, 'r+b') as f:
            f.seek(2 * 4096)
            f.write(octets.randbytes(256 * 4096))
        error = d.refused(('timeout', 'unavailable', 'corrupt', 'version'), 'cutover', sets=[ZONE + '@new'], timeout=60.0)
        s.expect(d.database in error['message'] or 'catalog' in error['message'], 'it does not say of what: %s', error)
        for name, rrtype in s.marked_questions(ZONE):
            s.equal(s.markers(d.udp(name, rrtype)) - {1}, set(), 'served: %s' % name)
        if error['code'] in ('timeout', 'unavailable') and 'signal' in error['message']:
            for command, keys in (('status', {}), ('zones', {}), ('copy', {'from': ZONE + '@new', 'to': ZONE + '@x'})):
                reply = d.ask(command, timeout=60.0, **keys)
                s.equal((reply['ok'], reply.get('error', {}).get('code')), (False, 'corrupt'), command)
                s.expect('schwenk fsck' in reply['error']['message'], 'what to do: %s', reply)
        reply = d.must('fsck', timeout=60.0)
        s.expect(any(path + ': page ' in p for p in reply['problems']), 'no page is named: %s', reply)
        s.expect('--restore' in reply['problems'][-1], 'no way out: %s', reply['problems'][-1])
        status, _, _ = d.tool('fsck')
        s.equal(status, 1, "the tool's fsck")
        s.expect(d.process.poll() is None, 'main ended: %s', d.log_tail(5))
        d.kill()


@s.case("a damaged lock file of LMDB's is told as that, not as a damaged store; a restart makes it anew")
def lock_damaged():
    with s.Daemon(workers=1) as d:
        prepared(d)
        lock = os.path.join(d.database, 'catalog.mdb-lock')
        for offset in (0, 4):                   # its magic number, its format
            with open(lock, 'r+b') as f:
                f.seek(offset)
                f.write(b'\xff\x00\xff\x00')
            error = d.refused('corrupt', 'fsck')
            s.expect(lock in error['message'] and 'start it again' in error['message'] and 'made anew' in error['message'],
                     'what it says: %s', error)
            d.stop()
            d.start()
            s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served after a restart')
            d.fsck()


@s.case('a stopped writer delays no answer')
def writer_stopped():
    with s.Daemon(workers=2) as d:
        prepared(d)
        pid = d.writer()
        with s.Load(d, s.marked_questions(ZONE)) as load:
            os.kill(pid, s.signal.SIGSTOP)
            replies = []

            def switch():
                load.begun(2)
                replies.append(d.ask('cutover', sets=[ZONE + '@new'], timeout=60))
                if replies[0]['ok']:
                    load.acknowledged(2)
            thread = threading.Thread(target=switch)
            thread.start()
            s.time.sleep(1.0)
            s.expect(d.must('status')['ok'], 'main does not reply')
            os.kill(pid, s.signal.SIGCONT)
            thread.join(60)
            s.expect(replies and (replies[0]['ok'] or replies[0]['error']['code'] in ('timeout', 'unavailable')),
                     'the switch: %s', replies)
            s.time.sleep(0.2)
            verdict = load.finish()
        s.unmixed(verdict)


@s.case('workers cannot write the store: the data files are open read-only')
def read_only():
    with s.Daemon(workers=2) as d:
        prepared(d)
        for name in ('n1.', 'n2.', 'n3.', 'n4.', 'n5.', 'n6.'):
            d.udp(name + ZONE)
        for pid in d.workers():
            maps = open('/proc/%d/maps' % pid).read()
            store = [line for line in maps.splitlines() if d.database in line]
            s.expect(store, 'worker %d maps nothing of the store', pid)
            for line in store:
                s.expect('lock' in line or 'w' not in line.split()[1], 'writable: %s', line)
            for fd in os.listdir('/proc/%d/fd' % pid):
                with contextlib.suppress(OSError):
                    target = os.readlink('/proc/%d/fd/%s' % (pid, fd))
                    if d.database in target and 'lock' not in target:
                        flags = int(open('/proc/%d/fdinfo/%s' % (pid, fd)).read().split()[3], 8)
                        s.expect(flags & 3 == 0, 'worker %d has %s open for writing', pid, target)


@s.case('SIGTERM: a clean stop, no child left, no connection cut in mid-answer')
def stop():
    d = s.Daemon(workers=2).start()
    prepared(d)
    children = d.children()
    s.expect(len(children) >= 3, 'children: %s', children)
    s.equal(d.stop(), 0, 'the exit status')
    s.equal([p for p in children if s.alive(p)], [], 'children left')
    d.check_log()
    d.start()
    d.run('stop')
    s.equal(d.process.wait(10), 0, "the exit status after the tool's stop")


s.run()
