"""G9: staging is harmless: what is interrupted or fails leaves nothing that could be
switched to, its space comes back, and a switch works meanwhile."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import contextlib  # noqa: E402
import threading  # noqa: E402

ZONE = 'shop.example'
NAMES = 20000 if s.sanitized() else 150000


def prepared(d):
    for name, marker in (('old', 1), ('new', 2)):
        d.import_set('%s@%s' % (ZONE, name), s.marked_zone(ZONE, marker, serial=marker))
    d.must('cutover', sets=[ZONE + '@old'])


def works(d):
    """A switch there and back, right in the middle of whatever goes on."""
    d.must('cutover', sets=[ZONE + '@new'])
    s.equal(s.markers(d.udp(ZONE, 'SOA')), {2}, 'served after the cutover')
    d.must('rollback', zones=[ZONE])
    s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served after the rollback')


def names(d, zone=ZONE):
    return sorted(r['name'] for r in d.must('sets', zone=zone)['sets'] if r['state'] != 'dropping')


def loaders(d):
    return d.children('loader')


def import_file(d, where, path, result=None):
    """An import of a file, in a thread; its reply goes into result."""
    zone, _, name = where.partition('@')

    def run():
        with open(path, 'rb') as f, contextlib.suppress(OSError):
            result.append(d.ask('import', [f.fileno()], zone=zone, set=name, name=path, timeout=120))
    result = [] if result is None else result
    thread = threading.Thread(target=run)
    thread.result = result
    thread.start()
    return thread


@s.case('importing, editing and checking a set that is not live changes no answer')
def harmless():
    with s.Daemon() as d:
        prepared(d)
        before = [repr(d.udp(n, t)) for n, t in s.marked_questions(ZONE)]
        d.import_set(ZONE + '@third', s.marked_zone(ZONE, 3, 50, serial=77))
        d.must('record', set=ZONE + '@third', text='add more 60 A 10.3.1.1\n')
        d.must('copy', **{'from': ZONE + '@third', 'to': ZONE + '@fourth'})
        d.must('check', set=ZONE + '@third')
        d.must('diff', **{'from': ZONE + '@third', 'to': ZONE + '@old'})
        d.must('drop', sets=[ZONE + '@fourth'])
        s.equal([repr(d.udp(n, t)) for n, t in s.marked_questions(ZONE)], before, 'the answers')


@s.case('a zone being prepared is not served and hides no parent')
def prepared_zone():
    with s.Daemon() as d:
        prepared(d)
        d.import_set('wild.%s@new' % ZONE, s.marked_zone('wild.' + ZONE, 2))
        s.equal(d.udp('any.wild.' + ZONE).rdata('A'), ['10.1.0.3'], 'the parent answers on')
        d.import_set('other.example@new', s.marked_zone('other.example', 2))
        m = d.udp('other.example', 'SOA', edns=1232)
        s.equal((m.rcode, m.ede), ('REFUSED', [14]), 'a zone without a live set')


@s.case('SIGKILL of the loader at random moments')
def loader_killed():
    with s.Daemon() as d:
        prepared(d)
        path = s.big_zone(os.path.join(d.dir, 'big.zone'), ZONE, 3, NAMES)
        begun = s.time.monotonic()
        with open(path) as f:
            d.must('import', [f.fileno()], zone=ZONE, set='measure', name=path, timeout=120)
        takes = s.time.monotonic() - begun
        d.must('drop', sets=[ZONE + '@measure'])
        killed = 0
        for _ in range(12):
            thread = import_file(d, ZONE + '@big', path)
            s.wait_until(lambda: loaders(d) or not thread.is_alive(), 10, 'a loader')
            s.time.sleep(s.random.uniform(0, takes))
            for pid in loaders(d):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, s.signal.SIGKILL)
            works(d)
            thread.join(120)
            s.expect(thread.result, 'no reply to the import')
            reply = thread.result[0]
            if reply['ok']:
                s.equal(reply['outcome'], 'staged', 'the outcome')
                d.must('drop', sets=[ZONE + '@big'])
                takes *= 0.8        # where the first one was held up, all others are through too soon
            else:
                killed += 1
                s.expect(len(reply['error']['message']) > 10, 'no reason: %s', reply)
            s.equal(names(d), ['new', 'old'], 'the sets')
            d.refused('no-such-set', 'cutover', sets=[ZONE + '@big'])
        s.expect(killed >= 2, 'only %d of the imports were hit', killed)
        s.wait_until(lambda: len(d.must('sets', zone=ZONE)['sets']) == 2, 20, 'the remains to be cleared')
        d.fsck()


@s.case('a client that goes away in mid-import')
def client_gone():
    with s.Daemon() as d:
        prepared(d)
        path = s.big_zone(os.path.join(d.dir, 'big.zone'), ZONE, 3, NAMES)
        for delay in (0.0, 0.05, 0.2):
            c = d.control()
            with open(path) as f:
                c.send({'command': 'import', 'zone': ZONE, 'set': 'big', 'name': path}, [f.fileno()])
            s.time.sleep(delay)
            c.close()
            works(d)
        s.wait_until(lambda: not loaders(d), 30, 'the loaders to end')
        s.wait_until(lambda: all(r['state'] in ('ready', 'dropping') for r in d.must('sets', zone=ZONE)['sets']),
                     20, 'no set to be loading')
        d.fsck()


@s.case('a fifo that never ends holds up nothing, and ends with its client')
def fifo():
    with s.Daemon() as d:
        prepared(d)
        path = os.path.join(d.dir, 'fifo')
        os.mkfifo(path)
        both = os.open(path, os.O_RDWR)
        c = d.control()
        os.write(both, b'@ 300 SOA a b 1 2 3 4 5\n@ NS a\n')
        reading = os.open(path, os.O_RDONLY)
        c.send({'command': 'import', 'zone': ZONE, 'set': 'endless', 'name': 'fifo'}, [reading])
        os.close(reading)
        s.wait_until(lambda: loaders(d), 5, 'a loader')
        works(d)
        d.import_set(ZONE + '@beside', s.marked_zone(ZONE, 4))
        c.close()
        s.wait_until(lambda: not loaders(d), 10, 'the loader to end with its client')
        os.close(both)
        s.equal(names(d), ['beside', 'new', 'old'], 'the sets')


@s.case('two imports at once, of one set and of two')
def two():
    with s.Daemon() as d:
        prepared(d)
        paths = [s.big_zone(os.path.join(d.dir, 'big%d' % m), ZONE, m, NAMES // 5) for m in (3, 4)]
        for sets in (('same', 'same'), ('one', 'two')):
            threads = [import_file(d, '%s@%s' % (ZONE, n), p) for n, p in zip(sets, paths)]
            works(d)
            for t in threads:
                t.join(120)
            replies = [t.result[0] for t in threads]
            done = [r for r in replies if r['ok']]
            s.expect(done, 'neither was done: %s', replies)
            if sets[0] != sets[1]:
                s.equal(len(done), 2, 'imports done')
            for r in replies:
                if not r['ok']:
                    s.expect(r['error']['code'] in ('in-use', 'busy', 'overtaken', 'exists'), 'unclear: %s', r)
            for name in set(sets):
                row = d.set(ZONE, name)
                s.equal((row['state'], row['records']), ('ready', NAMES // 5 + 3), 'the set @' + name)
                d.must('cutover', sets=['%s@%s' % (ZONE, name)])
                s.equal(len(s.markers(d.udp('n7.' + ZONE)) & {3, 4}), 1, 'served')
                d.must('rollback', zones=[ZONE])
        d.fsck()


@s.case('a better import replaces a staged set; a bad one leaves it')
def replaced():
    with s.Daemon() as d:
        prepared(d)
        d.import_set(ZONE + '@staged', s.marked_zone(ZONE, 3))
        first = d.set(ZONE, 'staged')['hash']
        reply = d.import_set(ZONE + '@staged', 'this is no zone file (\n', must=False)
        s.equal((reply['ok'], reply.get('error', {}).get('code')), (False, 'parse'), 'a bad file')
        s.equal((d.set(ZONE, 'staged')['hash'], d.set(ZONE, 'staged')['state']), (first, 'ready'), 'the set')
        d.import_set(ZONE + '@staged', s.marked_zone(ZONE, 4))
        s.expect(d.set(ZONE, 'staged')['hash'] != first, 'the set was not replaced')
        d.must('cutover', sets=[ZONE + '@staged'])
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {4}, 'served')


@s.case('a set that breaks a rule is kept as failed, cannot be switched to, and can be repaired')
def failed():
    with s.Daemon() as d:
        prepared(d)
        text = s.marked_zone(ZONE, 3) + 'both CNAME m3\nboth A 10.3.5.5\n'
        reply = d.import_set(ZONE + '@broken', text, must=False)
        if reply['ok']:
            s.equal(reply['outcome'], 'failed', 'the outcome')
        problems = d.must('check', set=ZONE + '@broken')
        s.expect(problems['rules'] > 0, 'check finds nothing: %s', problems)
        s.equal(d.set(ZONE, 'broken')['state'], 'failed', 'the state')
        d.refused('not-ready', 'cutover', sets=[ZONE + '@broken'])
        works(d)
        d.must('record', set=ZONE + '@broken', text='del both A\n')
        s.equal(d.set(ZONE, 'broken')['state'], 'ready', 'the state after the repair')
        d.must('cutover', sets=[ZONE + '@broken'])
        s.equal(s.markers(d.udp('both.' + ZONE)), {3}, 'served')


@s.case('SIGKILL of all in mid-import: the remains are cleared in the background')
def killed_in_import():
    d = s.Daemon().start()
    prepared(d)
    path = s.big_zone(os.path.join(d.dir, 'big.zone'), ZONE, 3, NAMES)
    for _ in range(5):
        thread = import_file(d, ZONE + '@big', path)
        s.time.sleep(s.random.uniform(0.02, 0.6))
        d.kill()
        thread.join()
        d.start()
        s.equal(s.markers(d.udp(ZONE, 'SOA', tries=3)), {1}, 'served')
        s.expect(names(d) in (['new', 'old'], ['big', 'new', 'old']), 'the sets: %s', names(d))
        row = d.set(ZONE, 'big')
        if row and row['state'] != 'dropping':
            s.equal((row['state'], row['records']), ('ready', NAMES + 3), 'a set that survived')
            d.must('drop', sets=[ZONE + '@big'])
        works(d)
        s.wait_until(lambda: len(d.must('sets', zone=ZONE)['sets']) == 2, 20, 'the remains to be cleared')
    d.fsck()
    d.stop()
    d.check_log()


@s.case('SIGKILL of all while the writer copies an image in: the chunks without a set go at the next start')
def killed_while_copying():
    d = s.Daemon(images_map_size=256 << 20).start()
    prepared(d)
    path = s.big_zone(os.path.join(d.dir, 'big.zone'), ZONE, 3, NAMES)
    before = d.must('status')['space']['images']
    hit = 0
    for _ in range(12):
        thread = import_file(d, ZONE + '@big', path)
        s.wait_until(lambda: not thread.is_alive() or any((j['share'] or 0) > 0.75 for j in d.must('status')['jobs']), 60,
                     'the copying')
        alive = thread.is_alive()
        d.kill()
        thread.join()
        d.start()
        row = d.set(ZONE, 'big')
        if row and row['state'] == 'ready':
            d.must('drop', sets=[ZONE + '@big'])
        else:
            hit += alive
        if hit == 3:
            break
    s.expect(hit, 'the writer was through each time')
    s.wait_until(lambda: 'images of interrupted imports are cleared' in d.log_text(), 20, 'the chunks to be cleared')
    s.wait_until(lambda: d.must('status')['space']['images'] <= before + 0.01, 20, 'the space to come back')
    d.stop()
    d.check_log()


s.run()
