"""Where things are: the sources, the build, the support module of the system tests."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'support'))
import schwenk as s  # noqa: E402

GEN, LOAD, LIMIT = (os.path.join(s.BUILD, 'tests', 'bench', name) for name in ('gen', 'load', 'limit'))


def build():
    """Makes the benchmark's programs, where the build directory can."""
    made = ['src/daemon/schwenkd', 'src/tool/schwenk', 'tests/bench/gen', 'tests/bench/load', 'tests/bench/limit']
    if os.path.exists(os.path.join(s.BUILD, 'Makefile')):
        done = subprocess.run(['make', '-s', '-C', s.BUILD] + made, stdout=sys.stderr, check=False)
        if done.returncode == 0:
            return
    missing = [m for m in made if not os.access(os.path.join(s.BUILD, m), os.X_OK)]
    if missing:
        sys.exit('%s: not built in %s. Go to the build directory (or set top_builddir) and run '
                 'make there.' % (missing[0], s.BUILD))
