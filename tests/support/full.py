"""Ways for a disk to be full: a small file system with nothing left on it, or, where mounting
is not allowed as well, a limit on the size of files."""
import contextlib
import os
import resource
import subprocess

import schwenk as s


@contextlib.contextmanager
def small_disk(megabytes):
    """A file system of its own: where it is mounted."""
    if os.geteuid() != 0:
        raise s.Skip('a full disk needs a mount, and that needs root')
    base = s.tempfile.mkdtemp(prefix='schwenk-test-')
    target = os.path.join(base, 'disk')
    os.mkdir(target)
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%dm' % megabytes, 'schwenk-test', target],
                             capture_output=True, text=True)
    if mounted.returncode:
        os.rmdir(target)
        os.rmdir(base)
        raise s.Skip('mount: %s' % mounted.stderr.strip())
    try:
        yield target
    finally:
        subprocess.run(['umount', target], check=False)
        os.rmdir(target)
        os.rmdir(base)


def free_space(directory):
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


def limit_files(pids, octets):
    """None: no limit any more. The soft one only: so that it can be taken back."""
    for pid in pids:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY if octets is None else octets, hard))


class SmallDisk:
    """A daemon whose database has a file system of its own."""

    def __init__(self, **options):
        self.stack = contextlib.ExitStack()
        self.disk = self.stack.enter_context(small_disk(200))
        self.filler = os.path.join(self.disk, 'filler')
        os.mkdir(os.path.join(self.disk, 'db'))
        self.daemon = s.Daemon(database=os.path.join(self.disk, 'db'), **options)

    def fill(self, leave=0):
        """To the last octet, whatever is taken meanwhile; then so many are given back."""
        with open(self.filler, 'wb') as f:      # an older one gives its room back first
            at, size = 0, 1 << 26
            while size >= 4096:
                try:
                    os.posix_fallocate(f.fileno(), at, size)
                    at += size
                except OSError:
                    size //= 2
            f.truncate(at - leave)

    def free(self):
        os.unlink(self.filler)

    def __enter__(self):
        try:
            self.daemon.__enter__()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *what):
        try:
            self.daemon.__exit__(*what)
        finally:
            self.stack.close()


class FileLimit:
    """A daemon whose store can be kept from growing."""

    def __init__(self, **options):
        self.daemon = s.Daemon(**options)

    def fill(self, leave=0):
        sizes = [os.path.getsize(os.path.join(self.daemon.database, n)) for n in ('images.mdb', 'catalog.mdb')]
        limit_files([self.daemon.writer()], max(sizes) + leave)

    def free(self):
        limit_files([self.daemon.writer()], None)

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *what):
        self.daemon.__exit__(*what)


def case(title):
    """A case for each of the ways; the function gets one: .daemon, fill(leave), free()."""
    def register(function):
        for way, text in ((SmallDisk, 'the disk'), (FileLimit, 'a limit on files')):
            def run(way=way):
                with way() as full:
                    function(full, full.daemon)
            s.case('%s: %s' % (title, text))(run)
        return function
    return register
