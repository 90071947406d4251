"""Jobs that change, read and copy sets: dry runs, sets that are repaired, texts without
end, readers that go away, many edits at once; and that none of it is more than was asked."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

ZONE = 'shop.example'


def prepared(d, names=8):
    d.import_set(ZONE + '@old', s.marked_zone(ZONE, 1, names, 10))
    d.import_set(ZONE + '@new', s.marked_zone(ZONE, 2, names, 20))
    d.must('cutover', sets=[ZONE + '@old'])
    d.must('confirm', zones=[ZONE])


def text_file(text):
    f = tempfile.TemporaryFile()
    f.write(text.encode())
    f.flush()
    f.seek(0)
    return f


@s.case('a dry run says what would change, and changes nothing')
def dry_run():
    with s.Daemon() as d:
        prepared(d)
        was = (d.zone(ZONE), d.set(ZONE, 'old'), d.must('history')['entries'])
        reply = d.must('record', set=ZONE, text='add fresh 60 A 10.1.9.9\ndel n1\nreplace n2 60 A 10.1.9.8\n', dry_run=True)
        s.equal((reply['dry_run'], reply['outcome'], reply['changed_rrsets']), (True, 'live', 3), 'the reply')
        s.equal({r['owner'].split('.')[0]: r['kind'] for r in reply['rows']}, {'fresh': '+', 'n1': '-', 'n2': '~'}, 'the rows')
        s.equal((reply['added'], reply['removed'], reply['changed'], reply['more']), (1, 1, 1, False), 'the counts')
        reply = d.must('record', set=ZONE, text='add n1 A 10.1.1.2\n', dry_run=True)
        s.equal((reply['outcome'], reply['changed_rrsets']), ('unchanged', 0), 'of what is there already')
        d.refused('rule', 'record', set=ZONE, text='add n1 60 CNAME n2\n', dry_run=True)
        with text_file(s.marked_zone(ZONE, 1, 4, 10)) as f:
            reply = d.must('edit', [f.fileno()], set=ZONE, dry_run=True)
        s.equal((reply['removed'], reply['added'], reply['changed']), (4, 0, 0), 'an edit')
        s.equal((d.zone(ZONE), d.set(ZONE, 'old'), d.must('history')['entries']), was, 'what is there')
        status, _, err = d.tool('record', 'add', '--dry-run', ZONE, 'x', '60', 'A', '10.1.1.1', json_out=False)
        s.expect(status == 0 and 'nothing was' in err, 'the tool: %s', err)
        d.fsck()


@s.case('a failed set: repaired step by step, and ready only when all of it is right')
def repaired():
    broken = s.marked_zone(ZONE, 2) + 'a A 10.2.3.1\na CNAME n0\nb A 10.2.3.2\nb CNAME n0\n'
    with s.Daemon() as d:
        d.import_set(ZONE, s.marked_zone(ZONE, 1))
        s.equal(d.import_set(ZONE + '@broken', broken)['outcome'], 'failed', 'the import')
        check = d.must('check', set=ZONE + '@broken')
        s.equal((check['rules'], [p['rule'] for p in check['problems'] if p['severity'] == 'rule']),
                (2, ['cname-and-other'] * 2), 'check')
        reply = d.must('record', set=ZONE + '@broken', text='del a CNAME\n', dry_run=True)
        s.equal(reply['outcome'], 'failed', 'a dry run of half a repair')
        reply = d.must('record', set=ZONE + '@broken', text='del a CNAME\n')
        s.equal((reply['outcome'], reply['set']['state']), ('failed', 'failed'), 'half repaired')
        s.expect('b.' + ZONE in reply['set']['note'], 'the note names what is left: %s', reply['set']['note'])
        d.refused('not-ready', 'cutover', sets=[ZONE + '@broken'])
        d.refused('rule', 'record', set=ZONE + '@broken', text='add n1 60 CNAME n0\n')
        copy = d.must('copy', **{'from': ZONE + '@broken', 'to': ZONE + '@copy'})
        s.equal((copy['set']['state'], copy['set']['note']), ('failed', reply['set']['note']), 'its copy')
        reply = d.must('record', set=ZONE + '@broken', text='del b A\n')
        s.equal((reply['outcome'], reply['set']['state'], reply['set']['note']), ('staged', 'ready', ''), 'repaired')
        d.must('cutover', sets=[ZONE + '@broken'])
        s.equal(d.udp('a.' + ZONE).rdata('A'), ['10.2.3.1'], 'served')
        d.fsck()


@s.case('copy: as it is at that edition; the wrong names are refused')
def copies():
    with s.Daemon() as d:
        prepared(d)
        d.must('record', set=ZONE, text='add edited 60 A 10.1.9.9\n')
        reply = d.must('copy', **{'from': ZONE + '@live', 'to': ZONE + '@copy'})
        s.equal((reply['outcome'], reply['set']['hash'], reply['set']['source'], reply['set']['records']),
                ('staged', d.set(ZONE, 'old')['hash'], 'copy of @old', d.set(ZONE, 'old')['records']), 'the copy')
        s.equal(reply['set']['images'], 1, 'its images')
        for code, names in (('no-such-set', ('none', ZONE + '@x')), ('exists', ('old', ZONE + '@copy')),
                            ('in-use', ('new', ZONE + '@old')), ('bad-request', ('old', ZONE)),
                            ('bad-request', ('old', ZONE + '@live')), ('bad-request', ('old', ZONE + '@Upper')),
                            ('bad-request', ('old', 'other.example@x'))):
            d.refused(code, 'copy', **{'from': ZONE + '@' + names[0], 'to': names[1]})
        d.refused('no-such-zone', 'copy', **{'from': 'none.example@a', 'to': 'none.example@b'})
        # the way back is an edition of its own
        d.must('cutover', sets=[ZONE + '@new'])
        d.must('record', set=ZONE + '@old', text='add later 60 A 10.1.9.10\n')
        d.must('copy', **{'from': ZONE + '@previous', 'to': ZONE + '@before'})
        s.equal(d.set(ZONE, 'before')['hash'], reply['set']['hash'], 'the copy of @previous')
        d.must('cutover', sets=[ZONE + '@before'])
        s.equal((d.udp('edited.' + ZONE).rcode, d.udp('later.' + ZONE).rcode), ('NOERROR', 'NXDOMAIN'), 'served')
        d.fsck()


@s.case('after a rollback to an older edition: what is served is edited, shown and exported')
def older_edition():
    with s.Daemon() as d:
        prepared(d)
        d.must('cutover', sets=[ZONE + '@new'])
        d.must('record', set=ZONE + '@old', text='add staged 60 A 10.1.9.1\n')
        d.must('rollback', zones=[ZONE])
        s.equal(d.udp('staged.' + ZONE).rcode, 'NXDOMAIN', 'what was not served before')
        path = os.path.join(d.dir, 'live')
        d.run('export', ZONE, path)
        with open(path) as f:
            s.expect('staged.' not in f.read(), 'the export of what is live holds what is not')
        rows = d.must('diff', **{'from': ZONE + '@live', 'to': ZONE + '@old'})
        s.equal([r['owner'] for r in rows['rows']], ['staged.' + ZONE], 'what a cutover to the set would bring')
        editor = d.file('editor', '#!/bin/sh\nsed -i "s/10\\.1\\.1\\.1\\b/10.1.1.200/" "$1"\n')
        os.chmod(editor, 0o700)
        d.run('edit', ZONE, '--yes', env={'EDITOR': editor, 'VISUAL': editor})
        s.equal((d.udp('n0.' + ZONE).rdata('A'), d.udp('staged.' + ZONE).rcode), (['10.1.1.200'], 'NXDOMAIN'), 'the edit')
        s.equal(d.set(ZONE, 'old')['records'], 18, 'records')
        d.fsck()


@s.case('texts: from a file, a pipe, without end, of a directory; both ways at once')
def texts():
    with s.Daemon(loader_memory='1MiB') as d:
        prepared(d)
        was = d.set(ZONE, 'old')['hash']
        with open('/dev/zero') as f:
            d.refused('limit', 'record', [f.fileno()], set=ZONE)
            d.refused('limit', 'edit', [f.fileno()], set=ZONE)
        for path, flags in ((d.dir, os.O_RDONLY), (d.file('w', ''), os.O_WRONLY)):
            fd = os.open(path, flags)
            d.refused('bad-request', 'record', [fd], set=ZONE)
            os.close(fd)
        d.refused('bad-request', 'record', set=ZONE)
        with text_file('add x 60 A 10.1.1.1\n') as f:
            d.refused('bad-request', 'record', [f.fileno()], set=ZONE, text='add x 60 A 10.1.1.1\n')
        with text_file('') as f:
            d.refused('parse', 'edit', [f.fileno()], set=ZONE)
        with text_file('; %s\n' % ('x' * (1 << 20))) as f:
            d.refused('limit', 'edit', [f.fileno()], set=ZONE)
        s.equal(d.set(ZONE, 'old')['hash'], was, 'the hash')
        # a pipe that brings its text bit by bit, and does not block
        reading, writing = os.pipe()
        os.set_blocking(reading, False)

        def write():
            for part in ('add slow ', '60 A 10.1', '.9.7\n'):
                time.sleep(0.05)
                os.write(writing, part.encode())
            os.close(writing)
        thread = threading.Thread(target=write)
        thread.start()
        d.must('record', [reading], set=ZONE)
        thread.join()
        os.close(reading)
        s.equal(d.udp('slow.' + ZONE).rdata('A'), ['10.1.9.7'], 'from the pipe')


@s.case('export and diff: through a slow pipe whole; a reader that goes, a full disk: an error')
def outputs():
    with s.Daemon() as d:
        prepared(d, 30000)
        path = os.path.join(d.dir, 'file')
        d.run('export', ZONE + '@new', path)
        with open(path, 'rb') as f:
            wanted = f.read()
        for blocking in (True, False):
            reading, writing = os.pipe()
            os.set_blocking(writing, blocking)
            reply = []
            thread = threading.Thread(target=lambda: reply.append(d.ask('export', [writing], zone=ZONE, set='new')))
            thread.start()
            got = b''
            while len(got) < len(wanted):
                time.sleep(0.001)
                got += os.read(reading, 65536)
            thread.join()
            os.close(writing)
            s.equal(os.read(reading, 1), b'', 'what comes behind the end')
            os.close(reading)
            s.expect(got == wanted, 'the pipe brought something else than the file has')
            s.equal(reply[0].get('octets'), len(wanted), 'octets: %s' % reply[0])
        for command, keys in (('export', {'zone': ZONE}), ('diff', {'from': ZONE + '@old', 'to': ZONE + '@new'})):
            reading, writing = os.pipe()
            os.close(reading)
            error = d.refused('unavailable', command, [writing], **keys)
            s.expect('closed' in error['message'], 'the message: %s', error)
            os.close(writing)
            fd = os.open('/dev/full', os.O_WRONLY)
            d.refused('full', command, [fd], **keys)
            os.close(fd)
            fd = os.open(path, os.O_RDONLY)
            d.refused('bad-request', command, [fd], **keys)
            os.close(fd)
        reply = d.must('diff', **{'from': ZONE + '@old', 'to': ZONE + '@new'})
        s.equal((len(reply['rows']), reply['more']), (1000, True), 'the rows of a reply')
        with tempfile.TemporaryFile('w+') as f:
            reply = d.must('diff', [f.fileno()], **{'from': ZONE + '@old', 'to': ZONE + '@new'})
            f.seek(0)
            rows = [s.json.loads(line) for line in f]
        s.equal(len(rows), reply['added'] + reply['removed'] + reply['changed'], 'the rows of a file')
        s.expect(len(rows) > 30000, 'only %d rows', len(rows))
        d.import_set('other.example@a', s.marked_zone('other.example', 1))
        d.refused('bad-request', 'diff', **{'from': ZONE + '@old', 'to': 'other.example@a'})


@s.case('many edits from many sides: none refused, none lost, folded meanwhile')
def many():
    with s.Daemon() as d:
        prepared(d, 20000)
        refused = []

        def edit(k):
            for i in range(25):
                reply = d.ask('record', set=ZONE, text='add t%d-%d 60 A 10.1.8.%d\nreplace last%d 60 A 10.1.7.%d\n' % (k, i, i, k, i))
                if not reply['ok']:
                    refused.append(reply['error'])
        threads = [threading.Thread(target=edit, args=(k,)) for k in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        s.equal(refused, [], 'refused')
        for k in range(4):
            for i in range(25):
                s.equal(d.udp('t%d-%d.%s' % (k, i, ZONE)).rdata('A'), ['10.1.8.%d' % i], 'an edit')
            s.equal(d.udp('last%d.%s' % (k, ZONE)).rdata('A'), ['10.1.7.24'], 'the last of many')
        s.equal(d.set(ZONE, 'old')['edition'], 101, 'editions')
        s.wait_until(lambda: d.set(ZONE, 'old')['images'] < 16, 10, 'a fold')
        d.fsck()
        # what the folds replaced is cleared
        s.wait_until(lambda: d.must('fsck')['images'] == d.set(ZONE, 'old')['images'] + 1, 10, 'old images to be cleared')


@s.case('edits of a large set: their deltas are folded, the set is not written anew for them')
def large():
    with s.Daemon() as d:
        path = s.big_zone(os.path.join(d.dir, 'big'), ZONE, 1, 60000)
        with open(path) as f:
            d.must('import', [f.fileno()], zone=ZONE, set='big')
        d.must('cutover', sets=[ZONE + '@big'])
        octets = d.set(ZONE, 'big')['octets']

        def written():
            with open('/proc/%d/io' % d.writer()) as f:
                return int(dict(line.split(': ') for line in f)['wchar'])
        before = written()
        for i in range(200):
            d.must('record', set=ZONE, text='replace e%d 60 A 10.1.8.%d\n' % (i % 40, i))
        s.wait_until(lambda: d.set(ZONE, 'big')['images'] < 16, 10, 'a fold')
        s.equal(d.set(ZONE, 'big')['edition'], 201, 'editions')
        each = (written() - before) / 200
        print('    %.0f octets written an edit, %d images' % (each, d.set(ZONE, 'big')['images']))
        # once every eight edits would be an eighth of it
        s.expect(each < octets / 12, '%d octets an edit of a set of %d', each, octets)
        for i in range(160, 200):
            s.equal(d.udp('e%d.%s' % (i % 40, ZONE)).rdata('A'), ['10.1.8.%d' % i], 'the last of edits')
        d.fsck()


@s.case('G6: switches and edits have their turn while a large set is copied in')
def turns():
    other = 'other.example'
    with s.Daemon() as d:
        for name, marker in (('old', 1), ('new', 2)):
            d.import_set('%s@%s' % (other, name), s.marked_zone(other, marker))
        d.must('cutover', sets=[other + '@old'])
        path = s.big_zone(os.path.join(d.dir, 'big'), ZONE, 1, 600000)
        copying, done = threading.Event(), threading.Event()

        def progress(_, p):
            if p.get('phase') == 'copy':
                copying.set()

        def load():
            with open(path) as f:
                d.ask('import', [f.fileno()], zone=ZONE, set='big', on_progress=progress)
            done.set()
        thread = threading.Thread(target=load)
        thread.start()
        s.wait_until(copying.is_set, 60, 'the image to be copied in')
        turns = edits = 0
        while not done.is_set():
            d.must('cutover', sets=[other + '@new'])
            d.must('rollback', zones=[other])
            d.must('record', set=other, text='replace edited 60 A 10.1.9.%d\n' % (edits % 250))
            turns, edits = turns + 2, edits + 1
        thread.join()
        s.expect(turns >= 6, 'only %d switches and %d edits were done meanwhile', turns, edits)
        s.equal(d.set(ZONE, 'big')['state'], 'ready', 'the large set')


@s.case('a loader stays for the same caller and zone, and for nobody else; killed, unwanted, mistaken or idle it goes')
def kept():
    groups = s.spare_groups(1) if os.geteuid() == 0 else []
    with s.Daemon(operators=groups[0] if groups else None) as d:
        prepared(d)
        d.import_set('other.example', s.marked_zone('other.example', 1))
        os.chmod(d.dir, 0o755)
        last = [0]

        def only(count):
            s.wait_until(lambda: len(d.children('loader')) == count, 1.5, '%d loaders, without those that end' % count)

        def change(zone=ZONE):
            last[0] += 1
            d.must('record', set=zone, text='replace n1 60 A 10.9.%d.%d\n' % (last[0] // 250, last[0] % 250))
            s.equal(d.address('n1.' + zone), '10.9.%d.%d' % (last[0] // 250, last[0] % 250), 'the answer')
            return d.children('loader')
        with d.control() as c:
            c.request('record', set=ZONE, text='replace n1 60 A 10.8.0.1\n')
        only(1)
        first = d.children('loader')
        descriptors = len(os.listdir('/proc/%d/fd' % first[0]))
        for _ in range(5):          # fewer than make a fold worth while: it has a loader of its own
            s.expect(first[0] in change(), 'another loader did it')
        only(1)
        s.expect(len(os.listdir('/proc/%d/fd' % first[0])) <= descriptors, 'it has more descriptors open than at the beginning')
        s.equal(d.must('record', set=ZONE, text='add n1 60 A 10.9.0.%d\n' % last[0])['outcome'], 'unchanged', 'what is there already')
        s.expect(first[0] in d.children('loader'), 'it went where nothing had to be done')
        # another zone, another caller
        two = change('other.example')
        s.expect(first[0] in two, 'the loader of one zone went with the change of another')
        only(2)
        if groups:
            s.as_nobody(groups, lambda: d.must('record', set=ZONE, text='replace n2 60 A 10.9.9.9\n')['ok'])
            only(3)
        # a mistake ends it, and the next has another
        d.refused('parse', 'record', set=ZONE, text='replace n1 60 A 10.9\n')
        s.wait_until(lambda: first[0] not in d.children('loader'), 5, 'the end of the loader that met a mistake')
        change()
        # folds have one, too, and not one each
        some = set()
        for _ in range(80):
            some.update(change())
        s.expect(2 <= len(some) <= 4, 'for 80 changes and their folds there were %d loaders', len(some))
        for pid in d.children('loader'):
            os.kill(pid, s.signal.SIGKILL)
        change()                # it is given to one of them that main does not know to be dead
        d.must('reload')
        s.wait_until(lambda: not d.children('loader'), 5, 'the end of a loader with an old configuration')
        change()
        s.wait_until(lambda: not d.children('loader'), 5, 'the end of an idle loader')
        change()
        d.faults_expected = True
        d.fsck()
        s.equal(d.stop(), 0, 'the exit status with a loader that is kept')


s.run()
