"""What a switch takes, and what clients notice of it: switch, latency."""
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

import machine
from content import BIG
from paths import LOAD, s
from report import table, three
from servers import Farm, Limit, Pdns, Schwenk, Zones, chosen, json_line
from times import wait_version

RATE = 20000        # queries a second while zones switch


class Disk:
    """The disk's own fdatasync of one page, in the same file system."""

    def __init__(self, directory):
        self.fd = os.open(os.path.join(directory, 'sync'), os.O_RDWR | os.O_CREAT)
        os.posix_fallocate(self.fd, 0, 4096)
        self.took = []

    def measure(self):
        begun = time.monotonic()
        os.pwrite(self.fd, os.urandom(4096), 0)
        os.fdatasync(self.fd)
        self.took.append(1000 * (time.monotonic() - begun))


class Background:
    """Repeats work in a thread until the measurement is over; a failure of it comes out at the end."""

    def __init__(self, work):
        self.ending, self.work, self.rounds, self.error = False, work, 0, None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.ending:
                self.work()
                self.rounds += 1
        except (s.Failure, OSError) as error:
            self.error = error

    def __enter__(self):
        self.thread.start()
        time.sleep(0.3)
        return self

    def __exit__(self, kind, *_):
        self.ending = True
        self.thread.join()
        if self.error and not kind:
            raise self.error


# ---- the command's own time (G6) -------------------------------------------------------

def measure_switches(d, zone, count):
    took, disk = [], Disk(d.dir)
    with d.control(120) as c:
        for i in range(count):
            request = dict(command='cutover', sets=[zone + '@new']) if i % 2 == 0 else \
                dict(command='rollback', zones=[zone])
            begun = time.monotonic()
            reply = c.request(**request)
            took.append(1000 * (time.monotonic() - begun))
            s.expect(reply.get('ok'), '%s', reply)
            disk.measure()
            time.sleep(0.01)
    return took, disk.took


def during_drops(server, zone, big, count):
    took, disk, drops = [], [], 0
    d = server.daemon
    while len(took) < count and drops < 20:
        server.import_file('big.test@gone', big)
        d.must('drop', sets=['big.test@gone'])
        drops += 1
        while d.set('big.test', 'gone') and len(took) < count:
            t, k = measure_switches(d, zone, 2)
            took += t
            disk += k
    return took, disk, drops


@contextlib.contextmanager
def busy_cores():
    burners = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(os.cpu_count() or 2)]
    try:
        yield
    finally:
        for b in burners:
            b.kill()
            b.wait()


@contextlib.contextmanager
def stopped_loader(server, big):
    """An import whose loader does not go on: it gets the file by a pipe, and is stopped on the way."""
    out, into = os.pipe()
    begun, go_on = threading.Event(), threading.Event()

    def feed():
        with open(big, 'rb') as f, open(into, 'wb') as pipe, contextlib.suppress(BrokenPipeError):
            pipe.write(f.read(16384))
            pipe.flush()
            begun.set()
            go_on.wait()
            pipe.write(f.read())

    def work():
        with contextlib.suppress(s.Failure, OSError):
            server.daemon.ask('import', [out], zone='big.test', set='again', name='pipe', timeout=900)
    threads = [threading.Thread(target=feed), threading.Thread(target=work)]
    for thread in threads:
        thread.start()
    begun.wait()
    loaders = s.wait_until(lambda: server.daemon.children('loader'), 10, 'a loader')
    for pid in loaders:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in loaders:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        go_on.set()
        for thread in threads:
            thread.join()
        os.close(out)


def command_times(options, farm):
    sizes = sorted({10, min(10000, options.names), options.names})
    server = farm.add(Schwenk, Zones(), pinned=False, label='schwenk, sizes', workers=2)
    server.spawn()
    d, count, rows = server.daemon, options.count, []
    for size in sizes:
        zone = 'n%d.test' % size
        for name, marker in (('old', 1), ('new', 2)):
            path = s.big_zone(os.path.join(d.dir, 'zone'), zone, marker, size - 3)
            server.import_file('%s@%s' % (zone, name), path)
        d.must('cutover', sets=[zone + '@old'])
    big = s.big_zone(os.path.join(d.dir, 'big'), 'big.test', 3, options.names)

    def note(size, what, took, disk):
        rows.append(['{:,}'.format(size), what] + three(took) + three(disk))

    for size in sizes:
        zone = 'n%d.test' % size
        machine.say('  switches between sets of {:,}'.format(size))
        note(size, 'idle', *measure_switches(d, zone, count))
        with Background(lambda: server.import_file('big.test@again', big)) as b:
            took = measure_switches(d, zone, count)
        note(size, 'during %d imports of %s' % (b.rounds, '{:,}'.format(options.names)), *took)
        took, disk, drops = during_drops(server, zone, big, count)
        if took:
            note(size, 'during %d drops of %s' % (drops, '{:,}'.format(options.names)), took, disk)
        with busy_cores():
            note(size, 'all cores busy', *measure_switches(d, zone, count))
        with stopped_loader(server, big):
            note(size, 'a loader stopped', *measure_switches(d, zone, count))
    d.fsck()
    server.stop()
    table('Time of a switch, ms (request sent to reply; beside it one fdatasync of a page)',
          ['records in each set', 'meanwhile', 'p50', 'p99', 'max', 'disk p50', 'disk p99', 'disk max'], rows)


# ---- what clients see of it, server by server ----------------------------------------------

def keep_apart(server):
    """Schwenk's worker on the first CPU, where the generator, of real-time priority on the last, does not take it away."""
    pids = server.daemon.workers()
    for pid in pids:
        os.sched_setaffinity(pid, {machine.cpus()[0]})
    return pids


class Asking:
    """The load generator in the background, at a rate."""

    def __init__(self, options, server, ask, pids=()):
        argv = [LOAD, '--port', str(server.port), '--rate', str(RATE), '--sockets', '16', '--seconds', '3600', '--warmup', '0',
                '--seed', str(options.seed)]
        if options.source:
            argv += ['--from', options.source, '--sources', str(options.sources), '--step', str(options.step)]
        if pids:
            argv += ['--pids', ','.join(str(p) for p in pids)]
        with machine.pinned(machine.cpus()[1]):
            self.process = subprocess.Popen(argv + [str(a) for a in ask], stdout=subprocess.PIPE, text=True,
                                            preexec_fn=machine.real_time)
        s.expect(self.process.stdout.readline() == 'asking\n', 'load did not start')

    def finish(self):
        self.process.terminate()
        out, _ = self.process.communicate(timeout=60)
        return json_line(out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def observe(options, server, changes, version, ask, switch, settle):
    """A switch under load: what the clients saw, and the command's time."""
    with Asking(options, server, ask + ['--version', version]) as asking:
        time.sleep(0.5)
        begun = time.monotonic_ns()
        switch()
        took = (time.monotonic_ns() - begun) / 1e9
        settle()
        time.sleep(options.settle)
        seen = asking.finish()
    s.expect(seen['first_new_ns'], '%s never gave a new answer', server.label)
    seen['command'] = took
    seen['first'] = (seen['first_new_ns'] - begun) / 1e9
    seen['mixed'] = max(0, seen['last_old_sent_ns'] - seen['first_new_ns']) / 1e9 if seen['last_old_ns'] else 0
    return seen


def seen_row(label, what, seen):
    middle = sorted(seen, key=lambda x: x['first'])[len(seen) // 2]
    return [label, what, '%.3f' % middle['command'], '%.3f' % middle['first'],
            '%.1f' % (1000 * max(x['mixed'] for x in seen)), '{:,}'.format(max(x['old_after_new'] for x in seen)),
            '{:,}'.format(max(x['lost'] for x in seen)), '%.2f' % (max(x['p99_ns'] for x in seen) / 1e6),
            '%.0f' % (max(x['max_ns'] for x in seen) / 1e6)]


SEEN = ['server', 'what', 'command, s', 'to first new answer, s', 'first new to last old, ms', 'old answers to later queries',
        'lost', 'p99, ms', 'max, ms']


def one_zone(options, farm, cls, rows):
    server = farm.try_start(cls, Zones(options.content.big(options.names)), pinned=False, label=cls.name + ' one zone')
    if not server:
        return
    ask = ['--mix', 'address', '--names', options.names]
    if cls is Schwenk:
        keep_apart(server)

    def settle(version):
        # pdns goes on with old answers for as long as it caches them
        time.sleep(21 if cls is Pdns else 0)
        wait_version(server, version)
    seen = []
    for version in range(2, 2 + options.switches):
        changes = [(BIG, options.content.big(options.names, version))]
        server.stage(changes, version)
        seen.append(observe(options, server, changes, version, ask, lambda: server.switch(changes, version),
                            lambda: settle(version)))
    rows.append(seen_row(cls.name, 'cutover' if cls is Schwenk else 'reload', seen))
    if cls is Schwenk:
        server.daemon.must('confirm', zones=[BIG])
        seen = []
        for version in range(2 + options.switches, 2 + 2 * options.switches):
            path = options.content.big(options.names, version)
            seen.append(observe(options, server, None, version, ask, lambda: server.import_file(BIG, path),
                                lambda: settle(version)))
        rows.append(seen_row(cls.name, 'import FILE', seen))
    server.stop()


def some_zones(options, farm, cls, rows):
    """A hundredth of the small zones at once."""
    some = max(2, options.zones // 100)
    directory, apexes = options.content.zones(options.zones)
    server = farm.try_start(cls, Zones(directory=directory, apexes=apexes), pinned=False, label=cls.name + ' zones')
    if not server:
        return
    new, changed = options.content.zones(options.zones, 2, last=some)
    changes = [(a, os.path.join(new, a + '.zone')) for a in changed]
    server.stage(changes, 2)
    if cls is Schwenk:
        keep_apart(server)
    seen = observe(options, server, changes, 2, ['--mix', 'zones', '--names', some], lambda: server.switch(changes, 2),
                   lambda: time.sleep(21 if cls is Pdns else 2))
    rows.append(seen_row(cls.name, '', [seen]))
    server.stop()


def bench_switch(options):
    with Farm(options) as farm:
        command_times(options, farm)
        rows = []
        for cls in chosen(options, (Limit.name,)):
            one_zone(options, farm, cls, rows)
        table('Switch of a zone of {:,} names at {:,} queries/s'.format(options.names, RATE), SEEN, rows,
              'The median of %d, by time to the first new answer; what went wrong is the worst of them.' % options.switches)
        rows = []
        for cls in chosen(options, (Limit.name,)):
            some_zones(options, farm, cls, rows)
        table('Switch of {:,} of {:,} zones at {:,} queries/s'.format(max(2, options.zones // 100), options.zones, RATE),
              SEEN, rows)


# ---- latency while other things go on ---------------------------------------------------------

class Updates:
    """A hundred changes a second to the live set, one transaction each."""

    def __init__(self, server, names):
        self.control, self.records = server.daemon.control(60), names
        self.random, self.next = random.Random(1), time.monotonic()

    def __call__(self):
        line = 'replace ' + self.random.choice(self.records).replace(' 10.1.', ' 10.%d.' % self.random.randrange(1, 200))
        reply = self.control.request('record', set=BIG, text=line + '\n')
        s.expect(reply.get('ok'), 'record: %s', reply)
        self.next = max(self.next + 0.01, time.monotonic() - 1)
        time.sleep(max(0, self.next - time.monotonic()))


def switch_to_and_fro(server):
    d = server.daemon
    d.must('cutover', sets=[BIG + '@other'])
    time.sleep(0.05)
    d.must('rollback', zones=[BIG])
    time.sleep(0.05)


def drop_again(server, path):
    server.import_file('other.test@gone', path)
    server.daemon.must('drop', sets=['other.test@gone'])
    s.wait_until(lambda: not server.daemon.set('other.test', 'gone'), 60, 'the drop')


def situations(options, server):
    big = options.content.big(options.names)
    other = s.big_zone(os.path.join(server.dir, 'other'), 'other.test', 3, options.names)
    server.import_file(BIG + '@other', big)
    records = options.content.records(options.names, 1)
    size = '{:,}'.format(options.names)
    return [('quiet', None),
            ('imports of ' + size, lambda: server.import_file('other.test@again', other)),
            ('imports and drops of ' + size, lambda: drop_again(server, other)),
            ('10 cutovers, 10 rollbacks a second', lambda: switch_to_and_fro(server)),
            ('100 updates a second', Updates(server, records))]


def while_it_runs(options, server, pids, work):
    """(latency at a rate, CPU in a closed loop), the work repeated meanwhile."""
    ask = ['--mix', 'random', '--names', options.names]
    closed = [LOAD, '--port', str(server.port), '--seconds', str(2 * options.seconds), '--pids', ','.join(map(str, pids))]
    with Background(work) if work else contextlib.nullcontext() as b:
        with Asking(options, server, ask, pids) as asking:
            time.sleep(5 * options.seconds)
            seen = asking.finish()
        done = subprocess.run(closed + [str(a) for a in ask], capture_output=True, text=True, check=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, {machine.cpus()[1]}))
    full = json_line(done.stdout)
    return seen, 1e-3 * sum(full['cpu_ns'].values()) / max(full['answered'], 1), b.rounds if work else None


def latency_row(label, what, seen, us, quiet, times):
    return [label, what + (' (%d)' % times if times else '')] + \
        ['%.0f' % (seen[k] / 1e3) for k in ('p50_ns', 'p99_ns', 'p999_ns', 'max_ns')] + \
        ['%.2f' % (seen['p99_ns'] / quiet[0]), '{:,}'.format(seen['lost']), '%.2f' % us, '%.2f' % (us / quiet[1])]


def bench_latency(options):
    rows = []
    with Farm(options) as farm:
        for cls in chosen(options, (Limit.name,)):
            server = farm.try_start(cls, Zones(options.content.big(options.names)), pinned=False)
            if not server:
                continue
            pids = server.pids()
            if cls is Schwenk:
                pids = keep_apart(server)
                work = situations(options, server)
            else:
                work = [('quiet', None)]
            quiet = None
            for what, meanwhile in work:
                machine.say('  %s: %s' % (cls.name, what))
                why = machine.wait_quiet(options.patience)
                options.busy |= bool(why)
                seen, us, times = while_it_runs(options, server, pids, meanwhile)
                quiet = quiet or (max(seen['p99_ns'], 1), us)
                rows.append(latency_row(cls.name, what + (' **busy**' if why else ''), seen, us, quiet, times))
            server.stop()
    table('Latency at {:,} queries/s, µs, and CPU in a closed loop, while other things go on'.format(RATE),
          ['server', 'meanwhile', 'p50', 'p99', 'p99.9', 'max', 'p99 × quiet', 'lost', 'CPU µs/answer', '× quiet'], rows,
          'Schwenk: CPU of the worker, which stays on a CPU; the generator has real-time priority where it may.')

