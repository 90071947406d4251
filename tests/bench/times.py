"""How long what is not an answer takes, and how much memory: start, load, memory."""
import os
import re
import statistics
import subprocess
import time

import machine
from content import BIG
from paths import LOAD, s
from report import spread, table
from servers import Farm, Limit, Pdns, Schwenk, Zones, chosen


def seconds_of(work):
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def watched(options, work):
    """(seconds, busy): everybody may use all CPUs."""
    why = machine.wait_quiet(options.patience)
    with machine.Watch() as watch:
        took = seconds_of(work)
    why = why or watch.busy()
    options.busy |= bool(why)
    return took, why


def cell(found):
    """Median, spread, busy or not."""
    took = [t for t, _ in found]
    text = '%.3f' % statistics.median(took) if statistics.median(took) < 1 else '%.2f' % statistics.median(took)
    return text + (' (± %s %%)' % spread(took) if len(took) > 2 else '') + (
        ' **busy**' if any(why for _, why in found) else '')


def disk_usage(path):
    return sum(os.stat(os.path.join(base, f)).st_blocks * 512
               for base, _, files in os.walk(path) for f in files) / 2**20


# ---- start ----------------------------------------------------------------------------

def restarts(options, farm, cls, zones, what):
    server = farm.try_start(cls, zones, pinned=False, label='%s %s' % (cls.name, what))
    if not server:
        return None
    found = []
    for _ in range(options.rounds):
        server.stop()

        def again():
            server.spawn()
            server.wait_answer()
        found.append(watched(options, again))
    server.stop()
    return found


def bench_start(options):
    """exec to the first right answer, the zones having been there before."""
    directory, apexes = options.content.zones(options.zones)
    contents = [('%s names' % '{:,}'.format(options.names), Zones(options.content.big(options.names))),
                ('%s zones' % '{:,}'.format(options.zones), Zones(directory=directory, apexes=apexes))]
    rows = []
    with Farm(options) as farm:
        for cls in chosen(options, (Limit.name,)):
            found = [restarts(options, farm, cls, zones, what) for what, zones in contents]
            rows.append([cls.name] + [cell(f) if f else '' for f in found])
    table('Start: exec to first right answer, s', ['server'] + [what for what, _ in contents], rows,
          'Median of %d; on all CPUs.' % options.rounds)


# ---- load -------------------------------------------------------------------------------

def wait_version(server, version, seconds=900):
    """Until the big zone's www is of that version."""
    end = time.monotonic() + seconds
    question = s.query('www.' + BIG, id=9)
    while time.monotonic() < end:
        reply = s.udp_raw(server.port, question, 0.1)
        if reply and reply[7] and reply[-3] == version:
            return
        time.sleep(0.002)
    raise s.Failure('%s did not come to serve version %d' % (server.label, version))


def load_once(options, farm, cls, version, number):
    """A file in place of a tiny zone of the same name, in a running server: command to first answer."""
    path = options.content.big(options.names, version)
    # pdns goes on answering out of its caches: a zone that is asked for the first time is measured
    server = farm.start(cls, Zones(options.content.tiny()), pinned=False, label='%s %d' % (cls.name, number))
    before = disk_usage(server.dir)

    def load():
        if cls is Schwenk:
            server.import_file(BIG, path)
        else:
            server.stage([(BIG, path)], version)
            server.switch([(BIG, path)], version)
        if cls is not Pdns:
            wait_version(server, version)
    found = watched(options, load)
    used = disk_usage(server.dir) - before if cls in (Schwenk, Pdns) else None
    pids = server.pids()
    memory = machine.memory_of(pids)
    server.stop()
    return found, used, memory['pss']


def bench_load(options):
    path = options.content.big(options.names, 2)
    with open(path, 'rb') as f:
        records = sum(1 for _ in f) - 2
    size = os.path.getsize(path) / 2**20
    rows = []
    with Farm(options) as farm:
        for cls in chosen(options, (Limit.name,)):
            try:
                done = [load_once(options, farm, cls, 2, i) for i in range(options.rounds)]
            except s.Failure as error:
                machine.say('  left out: %s' % error)
                continue
            found = [d[0] for d in done]
            median = statistics.median(t for t, _ in found)
            used = done[-1][1]
            rows.append([cls.name, cell(found), '{:,.0f}'.format(records / median),
                         '%.1f (%.2f × text)' % (used, used / size) if used is not None else '', '%.0f' % done[-1][2]])
    table('Load: {:,} records from {:.0f} MiB of text, in a running server'.format(records, size),
          ['server', 'command to first answer, s', 'records/s', 'database, MiB', 'memory after it (PSS), MiB'], rows,
          'pdns: the command alone, as its caches go on with the old zone.')


# ---- memory --------------------------------------------------------------------------------

def ask_around(options, server, mix, names):
    """So that what answering needs is in memory."""
    subprocess.run([LOAD, '--port', str(server.port), '--mix', mix, '--names', str(names), '--seconds', '1',
                    '--pool', '100000'], capture_output=True, check=True)


def role_of(pid, main):
    with open('/proc/%d/cmdline' % pid, 'rb') as f:
        words = f.read().replace(b'\0', b' ').decode('latin-1')
    found = re.search(r'\b(worker|writer|loader)\b', words)
    return 'main' if pid == main else found.group(1) if found else 'child'


def memory_rows(options, server, what):
    total = machine.memory_of(server.pids())
    rows = [[server.name, what, 'all'] + ['%.1f' % total[k] for k in ('rss', 'pss', 'private')]]
    if isinstance(server, Schwenk):
        for pid in server.pids():
            one = machine.memory_of([pid])
            rows.append(['', '', role_of(pid, server.process.pid)] +
                        ['%.1f' % one[k] for k in ('rss', 'pss', 'private')])
    return rows


def bench_memory(options):
    directory, apexes = options.content.zones(options.zones)
    contents = [('{:,} names'.format(options.names), Zones(options.content.big(options.names)), 'random', options.names),
                ('{:,} zones'.format(options.zones), Zones(directory=directory, apexes=apexes), 'zones', options.zones)]
    rows = []
    with Farm(options) as farm:
        for cls in chosen(options, (Limit.name,)):
            for what, zones, mix, names in contents:
                server = farm.try_start(cls, zones, pinned=False, label='%s %s' % (cls.name, what))
                if server:
                    server.restart()        # a load's leavings are not what serving needs
                    ask_around(options, server, mix, names)
                    rows += memory_rows(options, server, what)
                    server.stop()
    table('Memory while serving, MiB', ['server', 'zones', 'process', 'RSS', 'PSS', 'private'], rows,
          'After a restart and a second of queries; pages of the database, shared by all workers and given back '
          'when others need memory, count in RSS and PSS.')


# ---- very many zones -----------------------------------------------------------------------

def bench_many(options):
    """A million small zones, for Schwenk alone: in, start, memory, one more, all at once."""
    count = options.many
    directory, apexes = options.content.zones(count)
    other, _ = options.content.zones(count, 2)
    more, added = options.content.zones(count + options.rounds, 1, first=count)
    rows = []
    with Farm(options) as farm:
        server = farm.add(Schwenk, Zones(directory=directory, apexes=apexes), pinned=False)
        server.spawn()
        found = watched(options, server.fill)
        server.wait_answer()
        rows.append(['import --dir', cell([found]), '{:,.0f} zones/s, {:.0f} MiB'.format(
            count / found[0], disk_usage(server.daemon.database))])
        add = [watched(options, lambda a=a: server.import_file(a, os.path.join(more, a + '.zone'))) for a in added]
        rows.append(['import of one more', cell(add), ''])
        starts = []
        for _ in range(options.rounds):
            server.stop()
            starts.append(watched(options, lambda: (server.spawn(), server.wait_answer())))
        rows.append(['start', cell(starts), ''])
        ask_around(options, server, 'zones', count)
        worker = [p for p in server.pids() if role_of(p, server.process.pid) == 'worker']
        rows.append(['private memory of the worker', '', '%.1f MiB' % machine.memory_of(worker)['private']])
        changes = [(a, os.path.join(other, a + '.zone')) for a in apexes]
        server.stage(changes, 2)
        rows.append(['cutover of a group of all', cell([watched(options, lambda: server.switch(changes, 2))]), ''])
        rows.append(['rollback', cell([watched(options, lambda: server.daemon.must('rollback', group='v2', timeout=300))]),
                     ''])
    table('{:,} zones of five records'.format(count), ['what', 's', ''], rows)
