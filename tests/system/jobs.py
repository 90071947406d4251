"""Jobs: what runs in loaders. Who may, whose turn it is, files that the client is asked for,
directories, and what becomes of the rest when something fails in the middle."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import contextlib  # noqa: E402

ZONE = 'shop.example'


def prepared(d):
    for name, marker in (('old', 1), ('new', 2)):
        d.import_set('%s@%s' % (ZONE, name), s.marked_zone(ZONE, marker, serial=marker))
    d.must('cutover', sets=[ZONE + '@old'])
    d.must('confirm', zones=[ZONE])


def text_file(text):
    f = s.tempfile.TemporaryFile(dir='/tmp')
    f.write(text.encode() if isinstance(text, str) else text)
    f.flush()
    f.seek(0)
    return f


class Fifo:
    """A pipe that is an import's text, as long as it is open."""

    def __init__(self, d, name='fifo'):
        path = os.path.join(d.dir, name)
        os.mkfifo(path)
        self.both = os.open(path, os.O_RDWR)
        self.client = d.control(30)
        self.path = path

    def request(self, **keys):
        reading = os.open(self.path, os.O_RDONLY)
        self.client.send(dict(keys, command='import', name='fifo'), [reading])
        os.close(reading)

    def end(self, text=''):
        os.write(self.both, text.encode())
        os.close(self.both)
        return self.client.reply()

    def leave(self):
        self.client.close()
        os.close(self.both)


def give(c, content, keys, unasked=()):
    """import-dir on a connection; content are (name, text, or a descriptor, or an error)."""
    c.send(dict(keys, command='import-dir'))
    for name, text in unasked:
        with text_file(text) as f:
            c.send({'file': name}, [f.fileno()])
    left = iter(content)
    while True:
        line = c.line()
        s.expect(line is not None, 'the connection ended')
        need = line.get('progress', {}).get('need')
        if 'progress' not in line:
            return line
        for _ in range(need or 0):
            name, what = next(left, (None, None))
            if name is None:
                c.send({'end': True})
                break
            if isinstance(what, OSError):
                c.send({'file': name, 'error': str(what)})
            elif isinstance(what, int):
                c.send({'file': name}, [what])
            else:
                with text_file(what) as f:
                    c.send({'file': name}, [f.fileno()])


def directory(d, content, **keys):
    with d.control(120) as c:
        return give(c, content, keys)


def loaders(d):
    return d.children('loader')


def kill_loaders(d):
    for pid in loaders(d):
        with contextlib.suppress(ProcessLookupError):       # the one before is about to end
            os.kill(pid, s.signal.SIGKILL)


def failures(reply):
    return {f['zone'] or f['file']: f['error'] for f in reply['failed']}


# ---- who may ------------------------------------------------------------------------

@s.case('a stager stages; what is live needs more, unless the zone allows its reload')
def rights():
    operators, stagers = s.spare_groups(2)
    with s.Daemon(operators=operators, stagers=stagers) as d:
        prepared(d)
        os.chmod(d.dir, 0o755)
        os.chmod(d.socket_path, 0o777)

        def zone_file(zone, marker):
            return text_file(s.marked_zone(zone, marker))

        def ask(command, file=None, **keys):
            with file or text_file('') as f:
                reply = d.ask(command, [f.fileno()] if file else [], **keys)
            return reply.get('outcome') if reply['ok'] else reply['error']['code'] + ': ' + reply['error']['message']

        def all_of_it():
            return {
                'stage': ask('import', zone_file(ZONE, 3), zone=ZONE, set='third', name='f'),
                'reload': ask('import', zone_file(ZONE, 3), zone=ZONE, name='f'),
                'no zone': ask('import', zone_file('other.example', 3), zone='other.example', set='x', name='f'),
                'record staged': ask('record', set=ZONE + '@third', text='add x 60 A 10.3.9.9\n'),
                'record': ask('record', set=ZONE, text='add x 60 A 10.1.9.9\n'),
                'try': ask('record', set=ZONE, text='add y 60 A 10.1.9.9\n', dry_run=True),
                'edit': ask('edit', zone_file(ZONE, 1), set=ZONE + '@old', name='f'),
                'copy': ask('copy', from_=ZONE + '@live', to=ZONE + '@copied'),
                'directory': ask('import-dir')}
        by_stager = s.as_nobody((stagers,), all_of_it)
        for what in ('stage', 'record staged', 'copy'):
            s.equal(by_stager[what], 'staged', what)
        for what in ('reload', 'record', 'edit'):
            s.expect(by_stager[what].startswith('denied: ') and operators in by_stager[what], '%s: %s', what, by_stager[what])
        s.expect(by_stager['directory'].startswith('denied: '), 'a directory: %s', by_stager['directory'])
        s.expect(by_stager['no zone'].startswith('no-such-zone: '), 'a zone to make: %s', by_stager['no zone'])
        s.equal(by_stager['try'], 'live', 'a dry run')
        s.equal((s.markers(d.udp(ZONE, 'SOA')), d.udp('x.' + ZONE).rcode), ({1}, 'NXDOMAIN'), 'served')
        d.must('zone-set', zone=ZONE, properties={'reload': 'stagers'})
        s.equal(s.as_nobody((stagers,), all_of_it)['reload'], 'live', 'the reload of a zone that allows it')
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {3}, 'served')
        d.must('zone-set', zone=ZONE, properties={'reload': None})
        by_operator = s.as_nobody((operators,), all_of_it)
        s.equal((by_operator['record'], by_operator['reload']), ('live', 'unchanged'), 'an operator')
        s.expect(by_operator['no zone'].startswith('no-such-zone: '), 'an operator makes a zone: %s', by_operator['no zone'])


# ---- whose turn it is ------------------------------------------------------------------

@s.case('a place is kept by who works: a silent pipe keeps nobody waiting for long, other lanes not at all')
def turns():
    with s.Daemon(loaders=1) as d:
        prepared(d)
        pipe = Fifo(d)
        pipe.request(zone=ZONE, set='slow')
        s.wait_until(lambda: loaders(d), 5, 'a loader')
        waiting = d.control(30)
        with text_file(s.marked_zone(ZONE, 4)) as f:
            waiting.send({'command': 'import', 'zone': ZONE, 'set': 'next', 'name': 'f'}, [f.fileno()])
        leaves = d.control(30)
        with text_file(s.marked_zone(ZONE, 5)) as f:
            leaves.send({'command': 'import', 'zone': ZONE, 'set': 'never', 'name': 'f'}, [f.fileno()])
        jobs = s.wait_until(lambda: len(d.must('status')['jobs']) == 3 and d.must('status')['jobs'], 1, 'three jobs')
        s.equal([(j['command'], j['set'], j['waiting']) for j in jobs],
                [('import', ZONE + '@slow', False), ('import', ZONE + '@next', True), ('import', ZONE + '@never', True)],
                'the jobs')
        leaves.close()
        begun = s.time.monotonic()
        d.must('record', set=ZONE, text='add quick 60 A 10.1.9.9\n')
        d.must('check', set=ZONE + '@old')
        s.expect(s.time.monotonic() - begun < 1, 'a change and a reading waited %.1f s for an import',
                 s.time.monotonic() - begun)
        s.equal(waiting.reply()['outcome'], 'staged', 'who waited')
        s.equal(pipe.end(s.marked_zone(ZONE, 3))['outcome'], 'staged', 'who was slow')
        s.equal(sorted(r['name'] for r in d.must('sets', zone=ZONE)['sets']), ['new', 'next', 'old', 'slow'], 'the sets')
        s.wait_until(lambda: not d.must('status')['jobs'], 5, 'no job to be left')


@s.case('changes of one zone are made one after the other, whoever makes them: none is overtaken')
def in_order():
    import threading
    with s.Daemon(loaders=4) as d:
        prepared(d)
        replies = []

        def change(i):
            replies.append(d.ask('record', set=ZONE, text='add c%d 60 A 10.1.7.%d\n' % (i, i)))
        threads = [threading.Thread(target=change, args=(i,)) for i in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        s.equal([r for r in replies if not r['ok']], [], 'changes that were refused')
        s.equal([d.udp('c%d.%s' % (i, ZONE)).rdata('A') for i in range(20)], [['10.1.7.%d' % i] for i in range(20)],
                'served')
        d.fsck()


@s.case('a reload is refused when the live set changed since it began')
def overtaken():
    with s.Daemon() as d:
        prepared(d)
        pipe = Fifo(d)
        pipe.request(zone=ZONE)
        s.wait_until(lambda: loaders(d), 5, 'a loader')
        d.must('record', set=ZONE, text='add meanwhile 60 A 10.1.9.9\n')
        reply = pipe.end(s.marked_zone(ZONE, 3))
        s.equal((reply['ok'], reply.get('error', {}).get('code')), (False, 'overtaken'), 'the reload')
        s.equal(d.udp('meanwhile.' + ZONE).rdata('A'), ['10.1.9.9'], 'served')
        s.equal(sorted(r['name'] for r in d.must('sets', zone=ZONE)['sets'] if r['state'] != 'dropping'), ['new', 'old'],
                'the sets')


@s.case('what cannot succeed is refused before the text is read')
def early():
    with s.Daemon() as d:
        prepared(d)
        d.must('cutover', sets=[ZONE + '@new'])
        for number, (code, keys) in enumerate((
                ('in-use', {'set': 'new'}), ('in-use', {'set': 'old'}), ('held', {}), ('bad-request', {'set': 'live'}),
                ('bad-request', {'set': 'Big'}), ('bad-request', {'set': ''}),
                ('limit', {'set': 'third', 'note': 'n' * 513}))):
            pipe = Fifo(d, 'fifo%d' % number)
            pipe.request(zone=ZONE, **keys)
            reply = pipe.client.reply()         # though the text has not ended
            s.equal(reply.get('error', {}).get('code'), code, 'import into %s' % keys)
            pipe.leave()
        d.refused('bad-request', 'copy', from_=ZONE + '@new', to='other.example@new')
        d.refused('in-use', 'copy', from_=ZONE + '@new', to=ZONE + '@old')
        d.refused('bad-request', 'import-dir', set='x', prune=True)


# ---- descriptors, questions ------------------------------------------------------------

@s.case('descriptors to write to: a directory, one for reading: clear errors')
def writing():
    with s.Daemon() as d:
        prepared(d)
        for what, flags in ((d.dir, os.O_RDONLY), (d.file('there', ''), os.O_RDONLY), (d.file('path', ''), os.O_PATH)):
            fd = os.open(what, flags)
            d.refused('bad-request', 'export', [fd], zone=ZONE)
            d.refused('bad-request', 'diff', [fd], from_=ZONE + '@old', to=ZONE + '@new')
            os.close(fd)


@s.case('an $INCLUDE: the file, an error, no descriptor, an answer that comes too late')
def questions():
    text = s.marked_zone(ZONE, 3) + '$INCLUDE more\n'
    with s.Daemon() as d:
        prepared(d)

        def ask(answer, c):
            with text_file(text) as f:
                c.send({'command': 'import', 'zone': ZONE, 'set': 'third', 'name': 'f'}, [f.fileno()])
            line = c.line()
            while 'open' not in line.get('progress', {}):
                line = c.line()
            s.equal(line['progress']['open'], 'more', 'the file that is asked for')
            answer(c)
        with d.control(30) as c:
            with text_file('more 60 A 10.3.9.9\n') as more:
                ask(lambda c: c.send({'file': 'more'}, [more.fileno()]), c)
            s.equal(c.reply()['set']['records'], 19, 'the records with the file')
            ask(lambda c: c.send({'file': 'more', 'error': 'eaten by the cat'}), c)
            error = c.reply()['error']
            s.expect(error['code'] == 'parse' and 'eaten by the cat' in error['message'], 'an error: %s', error)
            ask(lambda c: c.send({'file': 'more'}), c)
            s.equal(c.reply()['error']['code'], 'parse', 'no descriptor')

            ask(lambda c: kill_loaders(d), c)
            s.equal(c.reply()['error']['code'], 'unavailable', 'the loader is killed')
            with text_file('') as more:
                c.send({'file': 'more'}, [more.fileno()])
            s.equal('uptime' in c.request('status'), True, 'the next reply is that of the next request')
        with d.control(5) as c:
            c.send({'end': True})
            s.equal(c.line().get('ok'), False, 'an answer that nobody asked for')


# ---- directories ------------------------------------------------------------------------

@s.case('a directory: each file is its own affair')
def portfolio():
    with s.Daemon() as d:
        prepared(d)
        pipe = os.pipe()
        good = [('p%d.example.zone' % i, s.marked_zone('p%d.example' % i, 1, 1)) for i in range(300)]
        rule = s.marked_zone('rule.example', 1, 1) + 'both CNAME m1\nboth A 10.1.5.5\n'
        bad = [('P7.example.zone', s.marked_zone('p7.example', 2, 1)),          # once more
               ('a..b.zone', ''), ('README', 'x'), ('.zone', ''), ('broken.example.zone', 'broken (\n'),
               ('gone.example.zone', OSError('No such file')), ('pipe.example.zone', pipe[0]), ('rule.example.zone', rule),
               ('names%2Fother.zone', s.marked_zone('third.example', 1)), ('percent%25.example.zone', 'nothing')]
        files = good[:150] + bad + good[150:]
        reply = directory(d, files, files=len(files), note='all of them')
        s.equal((reply['ok'], reply['zones'], reply['live'], reply['failures']), (True, len(files), 300, len(bad)), 'the reply')
        found = failures(reply)
        s.equal(sorted(found), sorted(['P7.example', 'a..b', 'README', '.zone', 'broken.example', 'gone.example',
                                       'pipe.example', 'rule.example', 'names/other', 'percent%.example']), 'what failed')
        s.equal([found[n]['code'] for n in ('P7.example', 'gone.example', 'rule.example', 'broken.example')],
                ['exists', 'system', 'rule', 'parse'], 'the codes')
        s.expect('No such file' in found['gone.example']['message'], 'why: %s', found)
        s.expect('broken.example.zone:1' in found['broken.example']['message'], 'where: %s', found)
        entry = d.must('history')['entries'][0]
        s.equal((entry['kind'], entry['members'], entry['note'], entry['id']), ('reload', 300, 'all of them', reply['switch']),
                'one entry of the history for all slices')
        for i in (0, 149, 150, 299):
            s.equal(s.markers(d.udp('p%d.example' % i, 'SOA')), {1}, 'served')
        reply = directory(d, [good[1], (ZONE + '.zone', s.marked_zone(ZONE, 3))], set='staged')
        s.equal((reply['staged'], reply['live']), (2, 0), 'staged')
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served')
        d.must('cutover', sets=[ZONE + '@staged'])
        reply = directory(d, [good[1], (ZONE + '.zone', s.marked_zone(ZONE, 4))])
        s.equal({z: e['code'] for z, e in failures(reply).items()}, {ZONE: 'held'}, 'a zone that is held')
        s.equal(directory(d, [])['zones'], 0, 'none')
        d.fsck()


@s.case('--prune: not more than 5 %, nothing that is held or prepared')
def prune():
    with s.Daemon() as d:
        prepared(d)
        d.import_set('prepared.example@new', s.marked_zone('prepared.example', 1))
        files = [('p%d.example.zone' % i, s.marked_zone('p%d.example' % i, 1, 1)) for i in range(100)]
        reply = directory(d, files + [(ZONE + '.zone', s.marked_zone(ZONE, 1, serial=1))])
        s.equal((reply['live'], reply['unchanged'], reply['removed']), (100, 1, []), 'all')
        d.must('cutover', sets=[ZONE + '@new'])
        reply = directory(d, files[6:], prune=True)
        s.equal(reply['removed'], [], 'six of 102')
        s.equal({z: e['code'] for z, e in failures(reply).items()}, {ZONE: 'held', '--prune': 'limit'}, 'why not')
        broken = [('p3.example.zone', 'broken (\n')]
        reply = directory(d, files[5:] + broken, prune=True, note='they moved')
        s.equal(sorted(reply['removed']), ['p%d.example' % i for i in (0, 1, 2, 4)], 'removed')
        s.equal(d.udp('p4.example', 'SOA').rcode, 'REFUSED', 'one that was removed')
        s.equal(s.markers(d.udp('p3.example', 'SOA')), {1}, 'one whose file is broken')
        s.equal(d.must('history')['entries'][0]['note'], 'they moved', 'why')
        s.equal(d.zone('prepared.example')['state'], 'prepared', 'one that is prepared')
        d.fsck()


@s.case('a prune of many zones is one entry of the history; who is in the way is named, the others go')
def prune_many():
    with s.Daemon() as d:
        files = [('p%d.example.zone' % i, s.marked_zone('p%d.example' % i, 1, 1)) for i in range(1200)]
        s.equal(directory(d, files)['live'], 1200, 'all')
        before = len(d.must('history')['entries'])
        reply = directory(d, files[58:], prune=True)
        s.equal((len(reply['removed']), reply['failed'], reply['unchanged']), (58, [], 1142), 'the reply')
        entries = d.must('history')['entries']
        s.equal((len(entries) - before, entries[0]['kind'], entries[0]['members'], entries[0]['note']),
                (1, 'remove', 58, 'pruned: its file is gone'), 'one entry')
        s.equal(d.udp('p57.example', 'SOA').rcode, 'REFUSED', 'the last one that was removed')
        d.fsck()


@s.case('a directory whose serials are not ahead: each is raised, with a notice')
def raised():
    with s.Daemon() as d:
        first = [('p%d.example.zone' % i, s.marked_zone('p%d.example' % i, 1, serial=100)) for i in range(300)]
        reply = directory(d, first)
        s.equal((reply['raises'], reply['raised']), (0, []), 'new zones')
        second = [('p%d.example.zone' % i, s.marked_zone('p%d.example' % i, 2, serial=7 if i < 150 else 200)) for i in range(300)]
        reply = directory(d, second)
        s.equal((reply['live'], reply['raises'], len(reply['raised'])), (300, 150, 100), 'how many')
        s.equal(reply['raised'][3], {'zone': 'p3.example', 'own_serial': 7, 'serial': 101}, 'one of them')
        s.equal((d.served_serial('p3.example'), d.served_serial('p299.example')), (101, 200), 'served')
        for i in range(12):
            d.file('dir/p%d.example.zone' % i, s.marked_zone('p%d.example' % i, 3, serial=100))
        told = d.tool('import', '--dir', os.path.join(d.dir, 'dir'), json_out=False)[2]
        s.expect("notice: p0.example: the text's serial 100 is not ahead of what was served: it was raised to 102" in told and
                 'notice: the same for 2 more zones' in told and '12 zones: 12 live' in told, 'what is told: %s', told)
        os.makedirs(os.path.join(d.dir, 'one'))
        d.file('one/p0.example.zone', s.marked_zone('p0.example', 4, serial=1000))
        told = d.tool('import', '--dir', os.path.join(d.dir, 'one'), json_out=False)[2]
        s.expect(told.startswith('1 zone: 1 live, ') and 'notice' not in told, 'one zone, ahead: %s', told)


@s.case('a directory given up in the middle: what is in stays, what is not is told')
def given_up():
    with s.Daemon() as d:
        prepared(d)

        def endless(stop, until):
            i = 0
            while i < 3000:
                if i == until:
                    stop()
                yield 'p%d.example.zone' % i, s.marked_zone('p%d.example' % i, 1, 1)
                i += 1

        def live():
            found, after = 0, None
            while True:
                page = d.must('zones', pattern='p*.example', after=after)
                found += sum(z['live'] is not None for z in page['zones'])
                if not page['more']:
                    return found
                after = page['after']

        def kill():
            kill_loaders(d)
        reply = directory(d, endless(kill, 1000))
        s.expect(reply['ok'] and 256 <= reply['live'] < 3000, 'what is in: %s', reply)
        s.equal(reply['live'], live(), 'the zones that are live')
        s.equal({z: e['code'] for z, e in failures(reply).items()}, {'the rest': 'unavailable'}, 'what is not')
        s.equal(d.must('history')['entries'][0]['members'], reply['live'], 'the history')
        reply = directory(d, endless(kill, 0))
        s.equal((reply['ok'], reply['error']['code']), (False, 'unavailable'), 'nothing is in')

        before = live()
        c = d.control(30)
        with contextlib.suppress(OSError, s.Failure, AttributeError, ValueError):
            give(c, endless(c.close, 2500), {})
        s.wait_until(lambda: not loaders(d), 10, 'the loader to end with its client')
        s.expect(live() > before, 'nothing of it is in')
        s.wait_until(lambda: not d.must('status')['jobs'], 10, 'no job to be left')
        s.wait_until(lambda: all(r['state'] == 'ready' for i in (0, 999, 2000) for r in
                                 d.must('sets', zone='p%d.example' % i)['sets']), 10, 'no set to be loading')
        reply = directory(d, endless(None, 3000))
        s.equal((reply['live'] + reply['unchanged'], live()), (3000, 3000), 'once more, to the end')
        d.fsck()


@s.case('files that nobody asked for are not waited for, and not kept')
def unasked():
    with s.Daemon() as d:
        prepared(d)
        fds = len(os.listdir('/proc/%d/fd' % d.pid()))
        files = [('p%d.example.zone' % i, s.marked_zone('p%d.example' % i, 1, 1)) for i in range(300)]
        with d.control(30) as c:
            reply = give(c, files, {}, unasked=files + files)
            # what came before its time may stand for what was asked for, but nothing is mixed up
            s.expect(reply['ok'] and 64 <= reply['live'] <= 300, 'the reply: %s', reply)
            found = {e['code'] for e in failures(reply).values()}
            s.expect(found <= {'exists'}, 'what failed: %s', reply['failed'][:5])
            s.equal(c.request('status')['ok'], True, 'the next request')
        s.wait_until(lambda: len(os.listdir('/proc/%d/fd' % d.pid())) <= fds + 2, 5, 'descriptors to be closed')
        d.fsck()


@s.case('a stop with jobs under way and waiting')
def stop():
    with s.Daemon(loaders=1) as d:
        prepared(d)
        pipes = [Fifo(d, 'fifo%d' % i) for i in range(4)]
        for i, pipe in enumerate(pipes):
            pipe.request(zone=ZONE, set='s%d' % i)
        s.wait_until(lambda: len(d.must('status')['jobs']) == 4, 5, 'the jobs')
        begun = s.time.monotonic()
        s.equal(d.stop(), 0, 'the exit status')
        s.expect(s.time.monotonic() - begun < 4, 'it took %.1f s', s.time.monotonic() - begun)
        for pipe in pipes:
            pipe.leave()
        d.start()
        s.equal(sorted(r['name'] for r in d.must('sets', zone=ZONE)['sets']), ['new', 'old'], 'the sets')


s.run()
