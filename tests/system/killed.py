"""The writer or a loader killed in the middle of long work (a backup, a directory, an import, a
fold): the reply says what became of it, what is left cannot be taken for the whole, and the
next one succeeds."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import contextlib  # noqa: E402
import ctypes  # noqa: E402
import mmap  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402

ZONE = 'shop.example'
NAMES = 20000 if s.sanitized() else 60000
FORMS = {'binary': {}, 'compact': {'compact': True}, 'text': {'text': True}}


def prepared(d, names=NAMES):
    for name, marker in (('old', 1), ('new', 2)):
        d.import_set('%s@%s' % (ZONE, name), s.marked_zone(ZONE, marker, serial=marker))
    d.must('cutover', sets=[ZONE + '@old'])
    d.must('confirm', zones=[ZONE])
    if names:
        with open(s.big_zone(os.path.join(d.dir, 'big'), 'big.example', 3, names)) as f:
            d.must('import', [f.fileno()], zone='big.example')


def works(d):
    d.must('cutover', sets=[ZONE + '@new'])
    s.equal(s.markers(d.udp(ZONE, 'SOA')), {2}, 'served after the cutover')
    d.must('rollback', zones=[ZONE])
    s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served after the rollback')


def signal(pid, what):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


def kill_writer(d):
    """And waits for the next one."""
    pid = d.writer()
    signal(pid, s.signal.SIGKILL)
    s.wait_until(lambda: d.writer() not in (0, None, pid), 10, 'a new writer')


def broken_off(d, command, act, again=lambda: None, **keys):
    """The error; act(pid of the loader) is done while the loader, in its midst, stands still.
    Where it was through before it stood, or had not begun: again() and once more, whatever act
    found."""
    for _ in range(20):
        replies, failure = [], None
        before = d.children('loader')       # that of a former command, which takes its time to end
        thread = threading.Thread(target=lambda: replies.append(d.ask(command, timeout=120, **keys)))
        thread.start()
        pids = []
        while thread.is_alive() and not pids:
            pids = [pid for pid in d.children('loader') if pid not in before]
        for pid in pids:
            signal(pid, s.signal.SIGSTOP)
        try:
            if pids:
                act(pids[0])
        except s.Failure as found:
            failure = found
        finally:
            for pid in pids:
                signal(pid, s.signal.SIGCONT)
            thread.join(120)
        s.expect(replies, 'no reply to the %s', command)
        if not replies[0]['ok']:
            if failure:
                raise failure
            s.equal(replies[0]['error']['code'], 'unavailable', '%s: %s' % (command, replies[0]))
            if 'while it was being set up' not in replies[0]['error']['message']:      # it had not begun
                return replies[0]['error']['message']
        again()
    raise s.Failure('the %s was through each time' % command)


def restore(directory):
    """schwenkd --restore into a store of its own: (exit status, stderr)."""
    other = s.Daemon()
    other.write_conf()
    done = subprocess.run([s.SCHWENKD, '-c', other.conf_path, '--restore', directory], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120)
    s.expect(not s.SANITIZER_REPORT.search(done.stderr), 'a sanitizer report: %s', done.stderr[:3000])
    return done.returncode, done.stderr


def is_no_backup(directory):
    status, err = restore(directory)
    s.expect(status == 1 and 'BACKUP.json' in err, 'restored from what is left: exit %d: %s', status, err)


def a_later_one_works(d, directory, keys):
    d.must('backup', directory=directory, timeout=120, **keys)
    status, err = restore(directory)
    s.equal(status, 0, 'restore of a later backup: ' + err)


@s.case('the writer killed in mid-backup: told, and nothing is left that could pass for a backup')
def backup_writer():
    with s.Daemon() as d:
        prepared(d)
        for form, keys in FORMS.items():
            place = os.path.join(d.dir, form)
            said = broken_off(d, 'backup', lambda _: kill_writer(d), lambda: s.shutil.rmtree(place, ignore_errors=True), directory=place, **keys)
            s.expect('writer' in said and 'repeat' in said, 'the message: %s', said)
            is_no_backup(place)
            s.expect(not os.path.exists(place), 'left behind: %s', os.path.exists(place) and os.listdir(place))
            works(d)
            a_later_one_works(d, place, keys)
        d.fsck()


@s.case('the loader killed in mid-backup: the message says what its directory is; a later one works')
def backup_loader():
    with s.Daemon() as d:
        prepared(d)
        for form, keys in FORMS.items():
            place = os.path.join(d.dir, form)
            said = broken_off(d, 'backup', lambda pid: signal(pid, s.signal.SIGKILL), lambda: s.shutil.rmtree(place, ignore_errors=True), directory=place,
                              **keys)
            s.expect('signal 9' in said and place in said, 'the message: %s', said)
            is_no_backup(place)
            works(d)
            a_later_one_works(d, place + '-later', keys)
        # and at any other moment: whole, or none
        whole = 0
        for i in range(12):
            place = os.path.join(d.dir, 'random%d' % i)
            keys = list(FORMS.values())[i % 3]
            killer = threading.Timer(s.random.uniform(0, 0.08), lambda: [signal(p, s.signal.SIGKILL) for p in d.children('loader')])
            killer.start()
            reply = d.ask('backup', directory=place, timeout=120, **keys)
            killer.join()
            if os.path.exists(os.path.join(place, 'BACKUP.json')):
                s.equal(restore(place)[0], 0, 'what looks like a backup')
                whole += 1
            else:
                s.equal(reply['ok'], False, 'the reply')
                is_no_backup(place)
        print('    %d of 12 were through' % whole)
        # deletions, which a backup holds back, go on
        d.must('drop', sets=[ZONE + '@new'])
        s.wait_until(lambda: d.set(ZONE, 'new') is None, 10, 'the dropped set to be cleared')
        d.fsck()


@s.case('what is dropped while a backup is made is cleared when it is through, not before')
def backup_deletions():
    with s.Daemon() as d:
        prepared(d)
        for form, keys in FORMS.items():
            place = os.path.join(d.dir, form)

            def again():
                s.shutil.rmtree(place, ignore_errors=True)
                s.wait_until(lambda: len(d.must('sets', zone=ZONE)['sets']) == 2, 10, 'the dropped set to be cleared')
                d.import_set(ZONE + '@gone', s.marked_zone(ZONE, 4, 2000))

            def drop(pid):
                d.must('drop', sets=[ZONE + '@gone'])
                s.time.sleep(1.0)
                s.equal(len(d.must('sets', zone=ZONE)['sets']), 3, 'sets, while the copy stands still')
                signal(pid, s.signal.SIGKILL)       # else a loader that is through already would pass
            again()
            broken_off(d, 'backup', drop, again, directory=place, **keys)
        s.wait_until(lambda: len(d.must('sets', zone=ZONE)['sets']) == 2, 10, 'the dropped set to be cleared')
        d.fsck()


@contextlib.contextmanager
def reader_tables_held(d):
    """LMDB's locks of both reader tables, as one holds them who is stopped while it opens the store."""
    libc = ctypes.CDLL(None, use_errno=True)
    held = []
    try:
        for name in ('catalog', 'images'):
            with open(os.path.join(d.database, name + '.mdb-lock'), 'r+b') as f:
                table = mmap.mmap(f.fileno(), 0)
            mutex = ctypes.c_char.from_buffer(table, 8)         # behind magic and format
            s.equal(libc.pthread_mutex_trylock(ctypes.byref(mutex)), 0, 'the lock of the reader table of ' + name)
            held.append(mutex)
        yield
    finally:
        for mutex in held:
            libc.pthread_mutex_unlock(ctypes.byref(mutex))


@s.case('who is stopped while it opens the store is waited for by those alone who open it too')
def opening():
    with s.Daemon() as d:
        prepared(d)
        place = os.path.join(d.dir, 'backup')

        def gone():
            return d.set(ZONE, 'gone') is None

        def go_on(pid):
            with reader_tables_held(d):
                signal(pid, s.signal.SIGKILL)       # its places in the tables are to be freed
                s.wait_until(lambda: pid not in d.children('loader'), 10, 'the loader to be gone')
                works(d)
                d.must('drop', sets=[ZONE + '@gone'])
                d.must('status')
                s.wait_until(gone, 10, 'the dropped set to be cleared')

        def again():
            s.shutil.rmtree(place, ignore_errors=True)
            s.wait_until(gone, 10, 'the dropped set to be cleared')
            d.import_set(ZONE + '@gone', s.marked_zone(ZONE, 4, 2000))
        again()
        broken_off(d, 'backup', go_on, again, directory=place)
        d.must('backup', directory=place + '-later', timeout=120)
        d.fsck()


@s.case('the writer killed while fsck walks the store: told, for it may have seen what was being deleted')
def fsck_writer():
    with s.Daemon() as d:
        prepared(d)
        said = broken_off(d, 'fsck', lambda _: kill_writer(d))
        s.expect('writer' in said and 'repeat' in said, 'the message: %s', said)
        d.fsck()


def portfolio(d, count):
    directory = os.path.join(d.dir, 'dir')
    for i in range(count):
        d.file('dir/p%d.example.zone' % i, s.marked_zone('p%d.example' % i, 4, 2))
    return directory


def live(d):
    return {z['zone'] for page in pages(d) for z in page if z['live'] and z['zone'].startswith('p')}


def pages(d):
    after = None
    while True:
        page = d.must('zones', after=after, limit=1000)
        yield page['zones']
        if not page['more']:
            return
        after = page['after']


@s.case('the writer, or the loader, killed in mid-import of a directory: what is in is told, and is in')
def directory():
    count = 1500 if s.sanitized() else 4000
    with s.Daemon() as d:
        prepared(d, 0)
        path = portfolio(d, count)
        stages = set()
        for attempt in range(10):
            victim = ('writer', 'loader')[attempt % 2]
            out = []
            before = live(d)
            thread = threading.Thread(target=lambda: out.append(d.tool('import', '--dir', path, timeout=120)))
            thread.start()
            s.wait_until(lambda: d.children('loader') or not thread.is_alive(), 10, 'a loader')
            s.time.sleep(s.random.uniform(0, 0.3))
            if victim == 'writer':
                kill_writer(d)
            for pid in d.children('loader') if victim == 'loader' else ():
                signal(pid, s.signal.SIGKILL)
            works(d)
            thread.join(120)
            status, reply, err = out[0]
            now = live(d)
            s.expect(before <= now, 'zones are lost: %s', sorted(before - now)[:5])
            if status == 0:
                s.equal(len(now), count, 'zones that are live')
                stages.add('done')
            elif status == 5:
                s.equal(reply['live'], len(now - before), 'how many are in: %s' % err[:300])
                s.expect(reply['failures'] and any('the rest' in str(f) or 'writer' in str(f) for f in reply['failed']),
                         'what is not in, is not told: %s', reply['failed'][:3])
                stages.add('part')
            elif status == 4:           # the writer had a slice: whether it is in is not known
                s.expect(victim == 'writer' and 'history' in err, 'the outcome is unknown: %s', err[:300])
                stages.add('unknown')
            else:
                s.equal(status, 1, 'exit status: %s' % err[:300])
                s.equal(now, before, 'zones, where it is said that nothing was done: %s' % err[:300])
                s.expect(len(reply['error']['message']) > 20, 'no reason: %s', reply)
                stages.add('none')
            s.wait_until(lambda: d.writer() and not d.must('status')['jobs'], 10, 'no job to be left')
            if len(now) == count and attempt < 8:
                d.must('zone-remove', zones=sorted(now), timeout=120)
        print('    ' + ', '.join(sorted(stages)))
        s.expect(stages - {'done'}, 'none of them was hit')
        reply = d.run('import', '--dir', path, timeout=120)
        s.equal(reply['live'] + reply['unchanged'], count, 'once more, to the end')
        s.equal(len(live(d)), count, 'zones that are live')
        s.wait_until(lambda: not [r for z in ('p0.example', 'p%d.example' % (count - 1)) for r in d.must('sets', zone=z)['sets']
                                  if r['state'] != 'ready'], 20, 'what broke off to be cleared')
        d.fsck()


@s.case('the writer killed while it copies an image in, at random moments')
def import_writer():
    with s.Daemon() as d:
        prepared(d, 0)
        path = s.big_zone(os.path.join(d.dir, 'big.zone'), ZONE, 3, 3 * NAMES)
        hit = 0
        for _ in range(8):
            replies = []

            def load():
                with open(path) as f:
                    replies.append(d.ask('import', [f.fileno()], zone=ZONE, set='big', name=path, timeout=120))
            thread = threading.Thread(target=load)
            thread.start()
            s.wait_until(lambda: d.children('loader') or not thread.is_alive(), 10, 'a loader')
            # its last quarter is the writer's
            s.wait_until(lambda: not thread.is_alive() or any((j['share'] or 0) >= 0.7 for j in d.must('status')['jobs']), 60,
                         'the copying')
            s.time.sleep(s.random.uniform(0, 0.05))
            kill_writer(d)
            works(d)
            thread.join(120)
            reply = replies[0]
            if reply['ok']:
                s.equal(d.set(ZONE, 'big')['state'], 'ready', 'the set')
                d.must('drop', sets=[ZONE + '@big'])
            else:
                hit += 1
                s.expect(reply['error']['code'] in ('unavailable', 'timeout'), 'the error: %s', reply)
                d.refused(('no-such-set', 'not-ready'), 'cutover', sets=[ZONE + '@big'])
            s.wait_until(lambda: d.set(ZONE, 'big') is None, 20, 'the remains to be cleared')
        print('    %d of 8 were hit' % hit)
        with open(path) as f:
            d.must('import', [f.fileno()], zone=ZONE, set='big', name=path, timeout=120)
        d.fsck()


@s.case('the writer, or the loader, killed in mid-fold: every edit stays, and it is folded at last')
def fold():
    with s.Daemon() as d:
        prepared(d, 0)
        with open(s.big_zone(os.path.join(d.dir, 'big.zone'), ZONE, 3, NAMES)) as f:
            d.must('import', [f.fileno()], zone=ZONE, set='big')
        d.must('cutover', sets=[ZONE + '@big'])
        done = 0
        for round_ in range(6):
            for _ in range(20):
                reply = d.ask('record', set=ZONE, text='add e%d 60 A 10.3.77.%d\n' % (done, done))
                if reply['ok']:
                    done += 1
                else:
                    s.expect(reply['error']['code'] in ('unavailable', 'timeout'), 'an edit: %s', reply)
                for pid in d.children('loader') if round_ % 2 else ():
                    signal(pid, s.signal.SIGKILL)
            if round_ % 2 == 0:
                kill_writer(d)
        for i in range(done):
            s.equal(d.udp('e%d.%s' % (i, ZONE)).rdata('A'), ['10.3.77.%d' % i], 'an edit')
        # each so many edits wish for a fold
        images = d.set(ZONE, 'big')['images']
        for i in range(40):
            d.ask('record', set=ZONE, text='add last%d 60 A 10.3.78.1\n' % i)
            s.time.sleep(0.05)
            if d.set(ZONE, 'big')['images'] < images + i:
                break
        s.wait_until(lambda: d.set(ZONE, 'big')['images'] < 16, 10, 'a fold')
        s.equal(d.udp('e%d.%s' % (done - 1, ZONE)).rdata('A'), ['10.3.77.%d' % (done - 1)], 'an edit, folded')
        d.fsck()


s.run()
