"""The zones that are served: made once, in a directory, by gen."""
import contextlib
import os
import shutil
import subprocess

from machine import say
from paths import GEN, s

BIG = 'big.example'


class Content:
    """Files below a directory. What is there already (--work) is not made again."""

    def __init__(self, directory, seed=1):
        self.dir, self.seed = directory, seed

    def _made(self, name, make):
        path = os.path.join(self.dir, name)
        if not os.path.exists(path):
            say('  making %s' % name)
            shutil.rmtree(path + '.new', ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + '.new')
            make(path + '.new')
            os.rename(path + '.new', path)
        return path

    def _gen(self, path, *args):
        with open(path, 'w') as f:
            subprocess.run([GEN] + [str(a) for a in args], stdout=f, check=True)

    def big(self, names, version=1):
        """The big zone's file."""
        return self._made('big-%d-%d-%d' % (names, version, self.seed),
                          lambda path: self._gen(path, 'zone', names, version, version, self.seed))

    def tiny(self):
        """A zone of the big one's name with next to nothing in it, of version 1 and serial 1."""
        return self.big(10)

    def records(self, names, version):
        """Lines that `record apply` may take after `replace `."""
        path = self._made('records-%d-%d-%d' % (names, version, self.seed),
                          lambda path: self._gen(path, 'records', names, version, self.seed))
        with open(path) as f:
            return f.read().splitlines()

    def zones(self, count, version=1, first=0, last=None):
        """A directory of small zones, those numbered from first to before last, and their apexes."""
        last = last or count
        name = 'zones-%d-%d-%d-%d' % (first, last, version, self.seed)
        listed = os.path.join(self.dir, name + '.list')

        def make(path):
            os.mkdir(path)
            self._gen(listed, 'zones', path, count, version, version, self.seed, first, last)
        path = self._made(name, make)
        with open(listed) as f:
            return path, f.read().split()

    def signed(self, names):
        """The big zone with NSEC3 (no salt, no iterations) and ECDSA P-256, by ldns."""
        plain = self.big(names)

        def make(path):
            with s.tempfile.TemporaryDirectory(dir=self.dir) as work:
                keys = []
                for options in ([], ['-k']):
                    done = subprocess.run(['ldns-keygen', '-a', 'ECDSAP256SHA256'] + options + [BIG], cwd=work,
                                          capture_output=True, text=True, check=True)
                    keys.append(done.stdout.strip())
                subprocess.run(['ldns-signzone', '-n', '-t', '0', '-f', path, '-o', BIG, plain] + keys, cwd=work,
                               capture_output=True, check=True)
        return self._made('signed-%d-%d' % (names, self.seed), make)


def have_signer():
    return shutil.which('ldns-signzone') and shutil.which('ldns-keygen')
