"""G9 where there is no room: the map, the disk or a limit on files is full in the middle of an
import, a directory, a backup, a fold: what failed is named, a switch works all the time, the
space comes back, and a later run succeeds."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import full  # noqa: E402
import contextlib  # noqa: E402
import threading  # noqa: E402

ZONE = 'shop.example'
MIB = 1 << 20
NAMES = 20000 if s.sanitized() else 60000


def prepared(d):
    for name, marker in (('old', 1), ('new', 2)):
        d.import_set('%s@%s' % (ZONE, name), s.marked_zone(ZONE, marker, serial=marker))
    d.must('cutover', sets=[ZONE + '@old'])
    d.must('confirm', zones=[ZONE])


def works(d, times=1):
    """A switch there and back, right in the middle of whatever goes on."""
    for _ in range(times):
        d.must('cutover', sets=[ZONE + '@new'])
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {2}, 'served after the cutover')
        d.must('rollback', zones=[ZONE])
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served after the rollback')


def names(d, zone=ZONE):
    return sorted(r['name'] for r in d.must('sets', zone=zone)['sets'] if r['state'] != 'dropping')


def space(d):
    return d.must('status')['space']['images']


def while_it_runs(d, function, *args, **keys):
    """What the function returns; switches go on meanwhile."""
    result = []
    thread = threading.Thread(target=lambda: result.append(function(*args, **keys)))
    thread.start()
    while thread.is_alive():
        works(d)
        thread.join(0.05)
    s.expect(result, 'it failed')
    return result[0]


def import_file(d, where, path):
    zone, _, name = where.partition('@')
    with open(path, 'rb') as f:
        return d.ask('import', [f.fileno()], zone=zone, set=name or None, name=path, timeout=120)


def big(d, where, marker, count=NAMES, must=True):
    reply = import_file(d, where, s.big_zone(os.path.join(d.dir, 'big'), where.partition('@')[0], marker, count))
    s.expect(reply['ok'] or not must, 'the import: %s', reply)
    return reply


@s.case('the map of images full in mid-import: a clear failure, a switch works, the space comes back')
def map_full():
    with s.Daemon(images_map_size=48 * MIB) as d:
        prepared(d)
        path = s.big_zone(os.path.join(d.dir, 'big.zone'), ZONE, 3, 1200000 if not s.sanitized() else 900000)
        before = space(d)
        reply = while_it_runs(d, import_file, d, ZONE + '@big', path)
        s.equal((reply['ok'], reply.get('error', {}).get('code')), (False, 'full'), 'the import')
        works(d)
        s.equal(names(d), ['new', 'old'], 'the sets')
        s.wait_until(lambda: space(d) <= before + 0.05, 20, 'the space to come back')
        # and what fits is taken, again and again: nothing leaks
        small = s.big_zone(os.path.join(d.dir, 'small.zone'), ZONE, 4, 100000)
        for _ in range(6):
            with open(small) as f:
                d.must('import', [f.fileno()], zone=ZONE, set='small', name=small, timeout=120)
        d.fsck()


@s.case('the disk full in mid-import: a clear failure, a switch works, the space comes back')
def disk_full():
    with full.small_disk(96) as disk:
        os.mkdir(os.path.join(disk, 'db'))
        with s.Daemon(database=os.path.join(disk, 'db')) as d:
            prepared(d)
            path = s.big_zone(os.path.join(d.dir, 'big.zone'), ZONE, 3, 1000000 if not s.sanitized() else 700000)
            reply = while_it_runs(d, import_file, d, ZONE + '@big', path)
            s.equal((reply['ok'], reply.get('error', {}).get('code')), (False, 'full'), 'the import')
            works(d)
            # now nothing at all is left beside it
            with open(os.path.join(disk, 'filler'), 'wb') as f, contextlib.suppress(OSError):
                while True:
                    f.write(b'\0' * 65536)
                    f.flush()
            for _ in range(20):
                works(d)
            s.equal(names(d), ['new', 'old'], 'the sets')
            os.unlink(os.path.join(disk, 'filler'))
            d.import_set(ZONE + '@fits', s.marked_zone(ZONE, 4, 1000))
            d.fsck()


@s.case('at a limit on the size of files, the same as on a full disk')
def file_limit():
    with s.Daemon(images_map_size=512 * MIB) as d:
        prepared(d)
        path = s.big_zone(os.path.join(d.dir, 'big.zone'), ZONE, 3, 700000)
        writer, main = d.writer(), d.pid()
        full.limit_files([main] + d.children(), 24 * MIB)
        reply = while_it_runs(d, import_file, d, ZONE + '@big', path)
        s.equal((reply['ok'], reply.get('error', {}).get('code')), (False, 'full'), 'the import: %s' % reply)
        s.equal(names(d), ['new', 'old'], 'the sets')
        # that was the loader's file; now the store's
        for i in range(20):
            reply = d.import_set('%s@s%d' % (ZONE, i), s.marked_zone(ZONE, 4, 15000), must=False)
            if not reply['ok']:
                break
            works(d)
        s.equal(reply.get('error', {}).get('code'), 'full', 'the last import: %s' % reply)
        for _ in range(20):
            works(d)
        s.equal((d.writer(), d.pid()), (writer, main), 'the processes')
        d.must('drop', sets=['%s@s0' % ZONE])
        s.wait_until(lambda: 's0' not in names(d), 10, 'the dropped set to go')
        d.fsck()


@full.case('no room in mid-import of a directory')
def directory(disk, d):
    # more than what is allocated ahead, 16 to 18 MiB, of which half is for switches
    count, names = (1000, 300) if s.sanitized() else (3000, 100)
    prepared(d)
    for i in range(count):
        d.file('dir/p%d.example.zone' % i, s.marked_zone('p%d.example' % i, 4, names))
    path = os.path.join(d.dir, 'dir')
    disk.fill(leave=3 * MIB)            # enough for some hundreds
    begun = s.time.monotonic()
    status, reply, err = while_it_runs(d, d.tool, 'import', '--dir', path, timeout=120)
    took = s.time.monotonic() - begun
    s.equal(status, 5, 'the exit status: %s' % err[:500])
    s.expect(0 < reply['live'] < count, 'zones that are in: %d', reply['live'])
    codes = {f['error']['code'] for f in reply['failed']}
    s.equal(codes, {'full'}, 'why the others are not: %s' % reply['failed'][:2])
    s.equal(reply['failed'][-1]['file'], 'the rest', 'what was not tried any more')
    s.expect(reply['failures'] < 600, '%d zones were tried in vain, in %.1f s', reply['failures'], took)
    live = [i for i in range(count) if d.udp('p%d.example' % i, 'SOA').rcode == 'NOERROR']
    s.equal(len(live), reply['live'], 'zones that are served')
    works(d, 20)
    disk.free()
    reply = d.run('import', '--dir', path, timeout=120)
    s.equal((reply['live'] + reply['unchanged'], reply['failures']), (count, 0), 'once more')
    d.fsck()


@s.case('a limit on the size of files that leaves room for a directory of zones: all of them are in')
def limited_directory():
    with s.Daemon() as d:
        for i in range(600):
            d.file('dir/p%d.example.zone' % i, s.marked_zone('p%d.example' % i, 4))
        full.limit_files([d.pid()], 1 << 30)        # its loaders have it from main
        reply = d.run('import', '--dir', os.path.join(d.dir, 'dir'), timeout=120)
        s.equal((reply['live'], reply['failures']), (600, 0), 'the import: %s' % reply['failed'][:2])
        d.fsck()


@full.case('no room for edits: they go on as long as they can, what they said stays, and they are folded at last')
def edits(disk, d):
    prepared(d)
    # more than is reserved, so that no second image finds room
    big(d, ZONE + '@big', 3, 150000)
    d.must('cutover', sets=[ZONE + '@big'])
    done, refused, fillers = 0, [], 0
    for i in range(40):
        if i == 5:
            disk.fill()
            # what the store has allocated ahead, and bulk may have, is taken by others
            while d.import_set('%s@filler%d' % (ZONE, fillers), s.marked_zone(ZONE, 4, 2000), must=False)['ok']:
                fillers += 1
        reply = d.ask('record', set=ZONE, text='add e%d 60 A 10.3.77.%d\n' % (i, i))
        if reply['ok']:
            s.equal(refused, [], 'edits refused, and then not')
            done += 1
        else:
            refused.append(reply['error'])
    print('    %d sets and %d edits found room' % (fillers, done - 5))
    s.equal({e['code'] for e in refused} | {'full'}, {'full'}, 'the reasons: %s' % refused[:1])
    d.must('cutover', sets=[ZONE + '@old'])
    d.must('rollback', zones=[ZONE])
    for i in range(40):
        m = d.udp('e%d.%s' % (i, ZONE))
        s.equal((m.rcode, m.rdata('A')), ('NOERROR', ['10.3.77.%d' % i]) if i < done else ('NXDOMAIN', []), 'edit %d' % i)
    disk.free()
    for i in range(done, 60):
        d.must('record', set=ZONE, text='add e%d 60 A 10.3.77.%d\n' % (i, i))
    s.wait_until(lambda: d.set(ZONE, 'big')['images'] < 16, 40, 'a fold')
    for i in range(60):
        s.equal(d.udp('e%d.%s' % (i, ZONE)).rdata('A'), ['10.3.77.%d' % i], 'edit %d' % i)
    d.fsck()


@full.case('no room for a fold: told, the edit stays, and it is folded at last')
def fold(disk, d):
    prepared(d)
    big(d, ZONE + '@big', 3, 150000)
    d.must('cutover', sets=[ZONE + '@big'])

    # more than a quarter of the set: a new base is wished for, larger than the room that is left; a
    # little at a time is given back until the edit itself has room
    room, reply = 0, {'ok': False}
    while not reply['ok']:
        disk.fill(room * MIB)
        with open(os.path.join(d.dir, 'edit'), 'w+') as f:
            f.writelines('add l%d 60 A 10.3.77.%d\n' % (i, i % 250) for i in range(60000))
            f.seek(0)
            reply = d.ask('record', [f.fileno()], set=ZONE)
        s.expect(reply['ok'] or reply['error']['code'] == 'full', 'the large edit: %s', reply)
        room += 1
        s.expect(room < 60, 'no room for it with %d MiB given back', room)
    s.wait_until(lambda: 'fold of %s@big failed' % ZONE in d.log_text(), 20, 'the fold to find no room')
    s.equal(d.set(ZONE, 'big')['images'], 2, 'images, without room for a fold')
    d.must('cutover', sets=[ZONE + '@old'])
    d.must('rollback', zones=[ZONE])
    s.equal(d.udp('l59999.%s' % ZONE).rdata('A'), ['10.3.77.249'], 'the large edit')
    disk.free()
    # without another edit: it is tried again
    s.wait_until(lambda: d.set(ZONE, 'big')['images'] == 1, 60, 'the fold')
    s.equal(d.udp('l59999.%s' % ZONE).rdata('A'), ['10.3.77.249'], 'the large edit, folded')
    d.fsck()


@s.case('no room for a backup: which file, nothing left of it; a later one works')
def backup():
    with s.Daemon() as d:
        prepared(d)
        big(d, 'big.example', 3)
        for form in ({}, {'compact': True}, {'text': True}):
            place = os.path.join(d.dir, 'place')
            full.limit_files([d.pid()], MIB // 2)       # its loaders have it from main
            error = while_it_runs(d, d.ask, 'backup', directory=place, **form)['error']
            s.equal(error['code'], 'full', 'the error: %s' % error)
            s.expect(place in error['message'], 'the message: %s', error)
            s.expect(not os.path.exists(place), 'left behind: %s', os.path.exists(place) and os.listdir(place))
            full.limit_files([d.pid()], None)
            d.must('backup', directory=place, timeout=120, **form)
            s.expect(os.path.exists(place + '/BACKUP.json'), 'the later one')
            s.shutil.rmtree(place)
        d.fsck()


@s.case('a disk that is full before the last octet of a backup, wherever that is')
def backup_disk():
    with s.Daemon() as d, full.small_disk(16) as disk:
        prepared(d)
        big(d, 'big.example', 3, 20000)
        place = os.path.join(disk, 'place')
        os.mkdir(place)
        empty = full.free_space(disk)
        for form in ({'compact': True}, {'text': True}):
            d.must('backup', directory=place, **form)
            need = empty - full.free_space(disk)
            for name in os.listdir(place):
                path = os.path.join(place, name)
                s.shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
            s.equal(full.free_space(disk), empty, 'the empty disk')
            for lacks in (4096, 8192, need // 3, need - 4096):
                with open(os.path.join(disk, 'filler'), 'wb') as f:
                    os.posix_fallocate(f.fileno(), 0, empty - need + lacks)
                before = full.free_space(disk)
                error = d.refused('full', 'backup', directory=place, **form)
                s.expect(place in error['message'], 'the message: %s', error)
                s.equal((os.listdir(place), full.free_space(disk)), ([], before), 'what is left in it')
                works(d)
                os.unlink(os.path.join(disk, 'filler'))


s.run()
