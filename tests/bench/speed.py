"""CPU per answer, server by server: udp, nxdomain, dnssec, tcp, zones.

The server stays on one CPU, the generator on another. A round measures every
server once, in an order that moves on, so that what the machine does
otherwise meets all of them; the ratio to the bare loop is formed within each
round, and the median of the rounds is told.
"""
import statistics
import subprocess

import machine
from content import have_signer
from paths import LOAD, s
from report import spread, table
from servers import Farm, Gdnsd, Limit, Pdns, Schwenk, Zones, chosen, json_line

SAMPLE = 200            # questions whose answers are compared beforehand


class Work:
    """What is asked, how, and whom it is compared with."""

    def __init__(self, title, ask, against='limit'):
        self.title, self.ask, self.against = title, ask, against


def load_command(options, server, ask):
    argv = [LOAD, '--port', str(server.port), '--seconds', str(options.seconds), '--warmup', str(options.warmup),
            '--seed', str(options.seed), '--pids', ','.join(str(p) for p in server.pids())]
    if options.source:
        argv += ['--from', options.source, '--sources', str(options.sources), '--step', str(options.step)]
    return argv + [str(a) for a in ask]


class Sample:
    """One server, one work, one round."""

    def __init__(self, result, busy):
        self.cpu = sum(result['cpu_ns'].values()) / 1e9
        self.answered, self.lost = result['answered'], result['lost']
        self.us = 1e6 * self.cpu / max(self.answered, 1)
        self.rate = self.answered / result['seconds']
        self.share = self.cpu / result['seconds']
        self.p50, self.p99 = result['p50_ns'] / 1e3, result['p99_ns'] / 1e3
        self.refused = sum(n for rcode, n in result['rcode'].items() if rcode not in ('0', '3'))
        self.size = result['octets'] / max(self.answered, 1)
        self.busy = busy


def measure(options, server, ask):
    why = machine.wait_quiet(options.patience)
    with machine.Watch() as watch:
        with machine.pinned(machine.cpus()[1]):
            done = subprocess.run(load_command(options, server, ask), capture_output=True, text=True,
                                  timeout=options.seconds + 120, check=False)
    s.expect(done.returncode == 0, 'load: %s', done.stderr)
    sample = Sample(json_line(done.stdout), why or watch.busy())
    s.expect(sample.answered > 0, '%s answered nothing: %s', server.label, done.stdout)
    return sample


# ---- do they give the same answers? ----------------------------------------------

def essence(message):
    """What has to be equal: the rest is left to each server's taste."""
    rrs = sorted((str(r.owner).lower(), str(r.type), str(r.rdata).lower()) for r in message.answer
                 if r.type not in ('RRSIG', 46))
    return message.rcode, message.tc, rrs


def compare(options, servers, ask):
    """Servers that answer otherwise than most are named: (label, share)."""
    argv = [LOAD, '--seed', str(options.seed), '--pool', '20000', '--print', '20000']
    argv += [str(a) for a in _only(ask, ('--mix', '--names', '--edns', '--do'))]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    lines = done.stdout.split()
    queries = [bytes.fromhex(line) for line in lines[::max(1, len(lines) // SAMPLE)]]
    answers = {}
    for server in servers:
        replies = [s.udp_raw(server.port, q) for q in queries]
        answers[server.label] = [essence(s.decode(r)) if r else None for r in replies]
    odd = []
    for label, mine in answers.items():
        wrong = 0
        for i, answer in enumerate(mine):
            others = [str(a[i]) for a in answers.values()]
            wrong += others.count(str(answer)) < max(others.count(o) for o in others)
        if wrong:
            odd.append((label, wrong / len(queries)))
    return odd


def _only(ask, names):
    kept, i = [], 0
    while i < len(ask):
        flag = ask[i] == '--do'
        if ask[i] in names:
            kept += ask[i:i + (1 if flag else 2)]
        i += 1 if flag else 2
    return kept


# ---- rounds ---------------------------------------------------------------------------

def rounds(options, servers, works):
    """{(work, server): [Sample, a round each]}"""
    found = {}
    for number in range(options.rounds):
        for work in works:
            for i in range(len(servers)):
                server = servers[(i + number) % len(servers)]
                sample = measure(options, server, work.ask)
                found.setdefault((work.title, server.label), []).append(sample)
                machine.say('  %d/%d %s: %s %.2f us, %s/s%s' % (
                    number + 1, options.rounds, work.title, server.label, sample.us, '{:,.0f}'.format(sample.rate),
                    ', busy' if sample.busy else ''))
    return found


def ratios(mine, against):
    return [a.us / b.us for a, b in zip(mine, against)] if against else None


def row(server, samples, against):
    us = [x.us for x in samples]
    cells = [server, '%.2f' % statistics.median(us), spread(us)]
    r = ratios(samples, against)
    cells.append('%.2f' % statistics.median(r) if r else '')
    cells.append('{:,.0f}'.format(statistics.median(x.rate for x in samples)))
    cells.append('%.0f' % (100 * statistics.median(x.share for x in samples)))
    cells.append('%.0f' % statistics.median(x.size for x in samples))
    lost = sum(x.lost for x in samples)
    cells.append('{:,}'.format(lost))
    refused = sum(x.refused for x in samples)
    notes = ['%d error answers' % refused] if refused else []
    busy = [x.busy for x in samples if x.busy]
    if busy:
        notes.append('**busy** in %d of %d: %s' % (len(busy), len(samples), busy[0]))
    return cells + ['; '.join(notes)], bool(busy)


def report(options, title, servers, works, found, note=''):
    for work in works:
        rows = []
        against = found.get((work.title, work.against))
        for server in servers:
            cells, busy = row(server.label, found[(work.title, server.label)], against)
            options.busy |= busy
            rows.append(cells)
        table('%s: %s' % (title, work.title), ['server', 'CPU µs/answer', '± %', '× ' + work.against, 'answers/s',
                                               'of a CPU, %', 'octets', 'lost', 'notes'], rows, note)


def run_works(options, title, servers, works, note=''):
    odd = compare(options, [x for x in servers if not isinstance(x, Limit)], works[0].ask)
    for label, share in odd:
        note += ' %s answers %.0f %% of a sample otherwise than most.' % (label, 100 * share)
    report(options, title, servers, works, rounds(options, servers, works), note.strip())


# ---- subcommands ------------------------------------------------------------------------

def start_all(options, farm, zones, without=()):
    return [x for x in (farm.try_start(cls, zones) for cls in chosen(options, without)) if x]


def pool(names):
    """As many different questions as do not fit into any cache of answers."""
    return ['--pool', max(100000, min(4 * names, 1 << 22))]


def bench_udp(options):
    names = options.names
    works = [Work('random over {:,} names'.format(names), ['--mix', 'random', '--names', names] + pool(names)),
             Work('hot, 1,000 names by Zipf', ['--mix', 'hot', '--names', names])]
    with Farm(options) as farm:
        servers = start_all(options, farm, Zones(options.content.big(names)))
        run_works(options, 'UDP', servers, works)


def bench_nxdomain(options):
    names = options.names
    work = Work('NXDOMAIN scattered over {:,} names'.format(names), ['--mix', 'nxdomain', '--names', names] + pool(names))
    with Farm(options) as farm:
        servers = start_all(options, farm, Zones(options.content.big(names)))
        run_works(options, 'UDP', servers, [work])


def bench_dnssec(options):
    if not have_signer():
        machine.say('  dnssec is left out: ldns-signzone is not installed (apt-get install ldnsutils)')
        return
    names, ask = options.signed, ['--edns', 1232, '--do', '--names', options.signed]
    works = [Work('random over {:,} names, DO=1'.format(names), ask + ['--mix', 'random'] + pool(names)),
             Work('NXDOMAIN over {:,} names, DO=1'.format(names), ask + ['--mix', 'nxdomain'] + pool(names))]
    with Farm(options) as farm:
        zones = Zones(options.content.signed(names))
        servers = start_all(options, farm, zones, (Gdnsd.name, Pdns.name))
        run_works(options, 'Signed, NSEC3', servers, works, 'gdnsd does not do DNSSEC; pdns signs by itself instead.')


def bench_tcp(options):
    names = options.names
    ask = ['--mix', 'hot', '--names', names]
    if not options.source:
        # a connection a query needs more ports than one address has
        ask += ['--from', '127.0.1.1', '--sources', 64]
    works = [Work('a connection per query', ask + ['--connections', 32, '--window', 1, '--per-connection', 1]),
             Work('100 connections kept', ask + ['--connections', 100, '--window', 1]),
             Work('10 connections, 10 in flight', ask + ['--connections', 10, '--window', 10])]
    with Farm(options) as farm:
        servers = start_all(options, farm, Zones(options.content.big(names)))
        run_works(options, 'TCP', servers, works, 'The bare loop reads, sets the QR bit and writes, over epoll.')


def bench_zones(options):
    """Small zones beside one big zone of as many names asked."""
    count = options.zones
    names = 2 * count
    with Farm(options) as farm:
        directory, apexes = options.content.zones(count)
        servers = start_all(options, farm, Zones(directory=directory, apexes=apexes))
        work = Work('random over {:,} zones of five records'.format(count), ['--mix', 'zones', '--names', count] + pool(count))
        big = farm.try_start(Schwenk, Zones(options.content.big(names)), label='schwenk, one zone')
        run_works(options, 'UDP', servers, [work])
        one = Work('Schwenk, one zone of {:,} names'.format(names), ['--mix', 'address', '--names', names] + pool(count))
        limit = [x for x in servers if isinstance(x, Limit)]
        report(options, 'UDP', limit + [big], [one], rounds(options, limit + [big], [one]))

