"""G10: the time from exec to the first right answer does not depend on the size of the
database."""
import ctypes
import mmap
import os
import sys
import tarfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
ZONE = 'shop.example'
SMALL = s.sanitized() or 'SCHWENK_SMALL' in os.environ
NAMES = 50000 if SMALL else 1000000
ZONES = 2000 if SMALL else 100000


def first_answer(d, name, marker, times=5):
    """The median of exec to the first right answer, in ms, over some starts."""
    took = []
    msg = s.query(name, 'A', id=4711)
    for _ in range(times):
        d.stop()
        d.write_conf()
        begun = s.time.monotonic()
        d.spawn()
        reply = None
        with s.socket.socket(s.socket.AF_INET, s.socket.SOCK_DGRAM) as u:
            u.connect(('127.0.0.1', d.port))
            u.settimeout(0.002)
            while reply is None:
                s.expect(s.time.monotonic() - begun < 20, 'no answer: %s', d.log_tail(5))
                try:
                    u.send(msg)
                    reply = u.recv(4096)
                except OSError:
                    if d.process.poll() is not None:
                        raise s.Failure('schwenkd ended: ' + d.log_tail(5))
                    s.time.sleep(0.001)
        took.append(1000 * (s.time.monotonic() - begun))
        s.equal(s.markers(s.decode(reply)), {marker}, 'the first answer')
        d.wait_ready()
    return sorted(took)[len(took) // 2]


@s.case('a store of schema 1 is refused at the start and by a restore, with the way to this one')
def old_schema():
    """The archive is a backup that the program of schema 1 made, of a zone of three RRsets."""
    d = s.Daemon()
    old = os.path.join(d.dir, 'old')
    os.mkdir(old)
    with tarfile.open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'store-schema-1.tar.xz')) as archive:
        for name in archive.getnames():
            with open(os.path.join(old, name), 'wb') as f:
                f.write(archive.extractfile(name).read())
    for name in ('STORE', 'catalog.mdb', 'images.mdb'):
        s.shutil.copy(os.path.join(old, name), d.database)

    def refused(what, arguments, config):
        d.options['database'] = config
        d.spawn(arguments)
        s.equal(d.process.wait(20), 1, what)
        told = d.log_tail(5)
        for word in ('schema 1', 'reads schema 2', 'text backup', 'restore'):
            s.expect(word in told, '%s does not say "%s": %s', what, word, told)

    refused('the start', [], d.database)
    # without its side file, the catalog tells
    os.unlink(os.path.join(d.database, 'STORE'))
    refused('the start without the file STORE', [], d.database)
    s.expect(not os.path.exists(os.path.join(d.database, 'STORE')), 'a new STORE beside old files')
    empty = os.path.join(d.dir, 'empty')
    os.mkdir(empty)
    refused('the restore', ['--restore', old], empty)
    s.equal([n for n in os.listdir(empty) if n != 'schwenkd.lock'], [], 'what a refused restore leaves behind')


@s.case('exec to first right answer: empty, %d names, %d zones, after SIGKILL in mid-import' % (NAMES, ZONES))
def start():
    d = s.Daemon().start()
    d.import_set(ZONE + '@one', s.marked_zone(ZONE, 1))
    d.must('cutover', sets=[ZONE + '@one'])
    empty = first_answer(d, 'n1.' + ZONE, 1)
    big = s.big_zone(os.path.join(d.dir, 'big.zone'), 'big.example', 2, NAMES)
    with open(big) as f:
        d.must('import', [f.fileno()], zone='big.example', name=big, timeout=300)
    names = first_answer(d, 'n%d.big.example' % (NAMES - 1), 2)
    directory = os.path.join(d.dir, 'zones')
    os.mkdir(directory)
    for i in range(ZONES):
        with open('%s/z%d.example.zone' % (directory, i), 'w') as f:
            f.write('@ 300 SOA m3 h 1 3600 600 86400 60\n@ 300 NS m3\nm3 300 A 10.3.0.1\n')
    d.run('import', '--dir', directory, timeout=300)
    zones = first_answer(d, 'm3.z%d.example' % (ZONES - 1), 3)
    s.shutil.rmtree(directory)
    # killed while an import of as many names runs
    c = d.control()
    with open(big) as f:
        c.send({'command': 'import', 'zone': 'big.example', 'set': 'again', 'name': big}, [f.fileno()])
    s.time.sleep(0.8)
    d.kill()
    c.close()
    d.spawn().wait_ready()
    killed = first_answer(d, 'n%d.big.example' % (NAMES - 1), 2, times=3)
    print('    empty %.0f ms, %d names %.0f ms, %d more zones %.0f ms, after SIGKILL in mid-import %.0f ms'
          % (empty, NAMES, names, ZONES, zones, killed))
    # The figures are the machine's; that they do not grow with the store is ours.
    for what, took in (('with %d names' % NAMES, names), ('with %d zones' % ZONES, zones), ('after SIGKILL', killed)):
        s.expect(took < 3 * empty + 100, '%s: %.0f ms, with an empty store %.0f ms', what, took, empty)
    s.equal(d.udp('m3.z7.example').rdata('A'), ['10.3.0.1'], 'a small zone')
    row = d.must('status')
    s.equal(row['zones'], ZONES + 2, 'zones')
    d.stop()
    d.check_log()


def resident(path):
    """The octets of a file that are in memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]
    size = os.path.getsize(path)
    seen = (ctypes.c_ubyte * (size // mmap.PAGESIZE + 1))()
    with open(path, 'r+b') as f:
        at = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, f.fileno(), 0)
        s.expect(at not in (None, ctypes.c_void_p(-1).value), 'cannot map %s', path)
        failed = libc.mincore(ctypes.c_void_p(at), ctypes.c_size_t(size), seen)
        libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(size))
    s.equal(failed, 0, 'mincore')
    return mmap.PAGESIZE * sum(p & 1 for p in seen)


@s.case('sets that are not in memory are read ahead at the start: the live one, and a staged one')
def cold():
    d = s.Daemon(log_level='info').start()
    for name in ('old', 'new'):
        # more than the kernel reads by itself around the few pages of the tree: 8 MiB each, on some disks
        path = s.big_zone(os.path.join(d.dir, name), 'big.example', 1, 600000)
        with open(path) as f:
            d.must('import', [f.fileno()], zone='big.example', set=name, name=path, timeout=300)
    d.must('cutover', sets=['big.example@old'])
    octets = sum(d.set('big.example', name)['octets'] for name in ('old', 'new'))
    d.stop()
    images = os.path.join(d.database, 'images.mdb')
    with open(images, 'rb') as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if resident(images) > octets / 4:
        print('    skipped: the file system keeps the file in memory')
        return
    d.spawn().wait_ready()
    s.wait_until(lambda: resident(images) > 0.95 * octets, 20, 'the sets in memory')
    s.wait_until(lambda: 'read ahead' in d.log_text(), 5, 'a line in the log')
    d.stop()
    d.check_log()


s.run()
