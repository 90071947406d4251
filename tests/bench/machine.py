"""The machine that is measured on: whose CPU time it was, whether it was quiet,
and what it is."""
import contextlib
import os
import platform
import re
import subprocess
import sys
import time

TICK = os.sysconf('SC_CLK_TCK')
FOREIGN = 0.06      # of a CPU: more than that, and a figure is no good
STOLEN = 0.02       # of all CPUs, by the hypervisor
SOCKETS = ('ksoftirqd', 'kworker', 'rcu_')      # kernel threads that work for the sockets


def say(text):
    """What is going on, for who waits."""
    sys.stderr.write(text + '\n')
    sys.stderr.flush()


# ---- processes ---------------------------------------------------------------------

def stat_of(pid):
    """(name, parent, ticks used by itself and by children that ended), or None."""
    try:
        with open('/proc/%d/stat' % pid) as f:
            text = f.read()
    except OSError:
        return None
    end = text.rindex(')')
    fields = text[end + 2:].split()
    return text[text.index('(') + 1:end], int(fields[1]), sum(int(v) for v in fields[11:15])


def all_stats():
    found = {}
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            stat = stat_of(int(entry))
            if stat:
                found[int(entry)] = stat
    return found


def tree(root, stats=None):
    """The process and all that come from it."""
    stats = stats or all_stats()
    children = {}
    for pid, (_, parent, _) in stats.items():
        children.setdefault(parent, []).append(pid)
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        if pid in stats:
            found.append(pid)
            todo += children.get(pid, [])
    return sorted(found)


def cpu_seconds(pid):
    """Run time of a process's threads, by the scheduler's count (its CPU clock)."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


def memory_of(pids):
    """MiB: what is resident, with shared pages by shares (PSS), and private: what only these
    processes have, and the kernel cannot give to others (pages of a file that nobody has written to
    count as private, too, where no other process looks at them at the moment: not here)."""
    total = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            with open('/proc/%d/smaps_rollup' % pid) as f:
                for key, value in re.findall(r'^(\w+):\s+(\d+) kB', f.read(), re.M):
                    total[key] = total.get(key, 0) + int(value) / 1024
    return {'rss': total.get('Rss', 0), 'pss': total.get('Pss', 0),
            'private': total.get('Private_Dirty', 0) + total.get('Swap', 0)}


# ---- CPUs -----------------------------------------------------------------------------

def cpus():
    """(for the server, for the generator)."""
    have = sorted(os.sched_getaffinity(0))
    return have[0], have[-1]


@contextlib.contextmanager
def pinned(cpu):
    """What is started here stays on that CPU; None: on any."""
    before = os.sched_getaffinity(0)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def real_time():
    """For preexec_fn: ahead of everything else, where we may."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


# ---- quiet or busy -----------------------------------------------------------------------

def proc_stat():
    """Seconds of all CPUs: (worked, stolen)."""
    with open('/proc/stat') as f:
        v = [int(n) for n in f.readline().split()[1:9]]
    return (v[0] + v[1] + v[2] + v[5] + v[6]) / TICK, v[7] / TICK


class Watch:
    """How much others used of the machine while it was open."""

    def __enter__(self):
        self.stats, self.began = all_stats(), time.monotonic()
        self.proc_stat = proc_stat()
        return self

    def __exit__(self, *_):
        seconds = max(time.monotonic() - self.began, 0.01)
        worked, stolen = (b - a for a, b in zip(self.proc_stat, proc_stat()))
        stats = all_stats()
        ours = self._used(stats, set(tree(os.getpid(), stats)))
        sockets = self._used(stats, {p for p, s in stats.items() if s[0].startswith(SOCKETS)})
        self.foreign = max(0.0, (worked - ours - sockets) / seconds)
        self.stolen = stolen / seconds / (os.cpu_count() or 1)
        self.kernel_threads = sockets / seconds
        self.culprits = self._culprits(stats)

    def _used(self, stats, pids):
        """By those pids, since we began; one that is new has used all of its own since."""
        return sum(stats[p][2] - (self.stats[p][2] if p in self.stats else 0) for p in pids) / TICK

    def _culprits(self, stats):
        ours = set(tree(os.getpid(), stats))
        used = [(s[2] - (self.stats[p][2] if p in self.stats else 0), s[0]) for p, s in stats.items()
                if p not in ours and not s[0].startswith(SOCKETS)]
        return [name for ticks, name in sorted(used, reverse=True)[:3] if ticks > 1]

    def busy(self):
        """Why the figures are no good, or None."""
        if self.stolen > STOLEN:
            return 'the hypervisor took %d %%' % (100 * self.stolen)
        if self.foreign > FOREIGN:
            return 'others used %d %% of a CPU%s' % (100 * self.foreign, ' (%s)' % ', '.join(self.culprits)
                                                     if self.culprits else '')
        return None


def wait_quiet(patience):
    """Until the machine is quiet, or patience ends: why it is not, or None."""
    end, said = time.monotonic() + patience, False
    while True:
        with Watch() as watch:
            time.sleep(0.3)
        why = watch.busy()
        if not why or time.monotonic() > end:
            return why
        if not said:
            say('  waiting for a quiet machine: %s' % why)
            said = True
        time.sleep(1)


# ---- what it is -----------------------------------------------------------------------------

def first_line(argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return None
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else None


def describe():
    """Rows (what, value)."""
    model = memory = '?'
    with contextlib.suppress(OSError):
        with open('/proc/cpuinfo') as f:
            found = re.search(r'^model name\s*:\s*(.*)$', f.read(), re.M)
            model = found.group(1) if found else platform.machine()
    with contextlib.suppress(OSError):
        with open('/proc/meminfo') as f:
            memory = '%.0f GiB' % (int(re.search(r'MemTotal:\s+(\d+)', f.read()).group(1)) / 2**20)
    virtual = first_line(['systemd-detect-virt']) or '?'
    return [('CPU', '%s, %d of them' % (model, os.cpu_count() or 1)), ('virtual', virtual), ('memory', memory),
            ('kernel', platform.release()), ('date', time.strftime('%Y-%m-%d %H:%M %Z'))]
