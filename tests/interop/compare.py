#!/usr/bin/env python3
"""The same zones in schwenkd, nsd, knotd and named: every name, and the names between, below
and beside them; every type; over UDP of all sizes and TCP; with and without DO. What
differs must be in the table (differences.py), else it fails.

    compare.py [--full] [SCENE...]      SCHWENK_SMALL=1: fewer names and types (sanitizers)

As `make check` runs it, every question goes over TCP with and without DO, and in one of the
seven forms of UDP, another one from question to question; with --full in all of them. Prints
the number of comparisons, and of differences by cause.
"""
import collections
import contextlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ask  # noqa: E402
import differences  # noqa: E402
import judge  # noqa: E402
import servers  # noqa: E402
import zones  # noqa: E402

s = servers.s
servers.needed('nsd', 'knotd', 'named', 'dnssec-signzone', 'dnssec-keygen', 'dnssec-dsfromkey', 'ldns-signzone',
               'ldns-read-zone')
SMALL = 'SCHWENK_SMALL' in os.environ or s.sanitized()
OTHERS = (servers.Nsd, servers.Knot, servers.Named)
FULL = '--full' in sys.argv
sys.argv = [argument for argument in sys.argv if argument != '--full']
CHUNK = 96
TCP_MODES = [mode for mode in ask.MODES if mode[0]]
UDP_MODES = [mode for mode in ask.MODES if not mode[0]]
TOLD = int(os.environ.get('SCHWENK_TOLD', 12))          # kinds of failures that are printed, an example each
EVERYWHERE = ['A', 'NS', 'CNAME', 'SOA', 'MX', 'TXT', 'AAAA', 'SRV', 'DNAME', 'DS', 'RRSIG', 'NSEC', 'DNSKEY',
              'NSEC3', 'HTTPS', 'ANY', 'TYPE65280']
AT_FEW = [t for t in ask.TYPES if t not in EVERYWHERE]
ALIKE = re.compile(rb'.(\w*\d\b|[a-m]\x0c(root|gtld)-servers)', re.S)


# ---- what is asked ------------------------------------------------------------------------

def apex_of(zone):
    return zones.wire(zone.apex.strip('.').encode() + b'.')


def around(owner, apex):
    """The owner, all above it in the zone, and names below and beside it."""
    own, top = judge.labels(owner), len(judge.labels(apex))
    found = [b''.join(own[i:]) + b'\0' for i in range(min(4, len(own) - top + 1))]
    if len(own) > top:
        found += [b''.join(own[i:]) + b'\0' for i in range(len(own) - top)][-2:]
    found += [prefix + owner for prefix in (b'\1x', b'\1*', b'\1a\1b', b'\1x\1*', b'\3www')]
    if len(own) > top:
        first, rest = own[0][1:], b''.join(own[1:]) + b'\0'
        found.append(b'\1q' + rest)
        if len(first) < 63:
            found.append(bytes([len(first) + 1]) + first + b'\0' + rest)        # just behind it
            found.append(bytes([len(first) + 1]) + first + b'\xff' + rest)
        if first[-1:] > b'\0':                                                  # just before it
            before = first[:-1] + bytes([first[-1] - 1])
            found.append(bytes([len(before)]) + before + rest)
            if len(before) < 63:
                found.append(bytes([len(before) + 1]) + before + b'\xff' + rest)
        found.append(bytes([len(first)]) + first.swapcase() + rest)
    return [name for name in found if len(name) <= 255]


def names_of(zone, rng):
    """{wire name: types that it has}: the owners, and the names around them."""
    owners, apex, names = zones.owners(zone), apex_of(zone), {}
    zone.hashed = [owner.lower() for owner, types in owners.items() if 'NSEC3' in types]
    for owner, types in sorted(owners.items()):
        hashed = owner.lower() in zone.hashed
        # Hashes are no names of the zone, and what is numbered is much alike: around a few will do.
        if rng.random() < (0.05 if hashed else 0.2 if ALIKE.match(owner) else 1):
            for name in around(owner, apex):
                names.setdefault(name, set())
        if not hashed:
            names.setdefault(owner, set()).update(types)
            names.setdefault(b'\1x' + owner, set())
    return {name: types for name, types in names.items() if len(name) <= 255}


def questions(zone):
    """(wire name, type number): every type of names that have some, and of others five at random."""
    rng, apex, found = random.Random(zone.apex), apex_of(zone), []
    names = names_of(zone, rng)
    for name, types in sorted(names.items()):
        if SMALL and name != apex and rng.random() > 0.25:
            continue
        wanted = EVERYWHERE if types and not SMALL else rng.sample(EVERYWHERE, 5)
        if name == apex or rng.random() < 0.05:
            wanted = wanted + AT_FEW
        found += [(name, t) for t in sorted({ask.TYPES[t] for t in set(wanted) | types if t in ask.TYPES})]
    return found


# ---- comparing ------------------------------------------------------------------------------

class Tally:
    """What one process found."""

    def __init__(self):
        self.comparisons = self.questions = 0
        self.causes, self.kinds = collections.Counter(), collections.Counter()
        self.failures, self.examples = collections.Counter(), {}

    def fail(self, what, example):
        self.failures[what] += 1
        self.examples.setdefault(what, example)

    def data(self):
        return vars(self)

    def add(self, data):
        for key, value in data.items():
            if isinstance(value, int):
                setattr(self, key, getattr(self, key) + value)
            elif key == 'examples':
                self.examples = dict(value, **self.examples)
            else:
                getattr(self, key).update(value)


def show(name, rrtype, mode):
    return '%s %s over %s' % (b'.'.join(label[1:] for label in judge.labels(name)).decode('latin-1') or '.',
                              judge.type_name(rrtype), ask.mode_text(mode))


def show_response(r):
    out = '%s aa=%d tc=%d' % (r.rcode, r.aa, r.tc)
    for section, rrsets in zip(ask.SECTIONS, r.sections):
        for i, (key, (ttls, rdatas)) in enumerate(sorted(rrsets.items())):
            if i == 5 and len(rrsets) > 6:
                out += '\n        %s … %d RRsets in all' % (section[:4], len(rrsets))
                break
            owner = b'.'.join(label[1:] for label in judge.labels(key[0])).decode('latin-1')
            out += '\n        %s %s %s %s (%d)' % (section[:4], owner, sorted(ttls), judge._rrtype(key), len(rdatas))
    return out


def modes_of(number):
    """How the question of that number in its scene is asked: neighbours in other ways, and so are
    the questions of one type to neighbouring names."""
    return ask.MODES if FULL else TCP_MODES + [UDP_MODES[(number + number // 7) % 7]]


class Comparer:
    """Asks and compares; here: the zones that are served."""

    def __init__(self, here, ports):
        self.here = sorted(((apex_of(zone), zone) for zone in here), key=lambda pair: -len(pair[0]))
        self.ports, self.tally, self.memo = ports, Tally(), {}
        self.others = [who for who in ports if who != 'schwenkd']

    def find_zone(self, name, rrtype):
        """The zone that answers: the longest; DS at an apex is the parent's, where that is here."""
        found = [(apex, zone) for apex, zone in self.here if name.lower().endswith(apex)]
        if rrtype == ask.TYPES['DS'] and len(found) > 1 and name.lower() == found[0][0]:
            del found[0]
        return found[0]

    def run(self, wanted):
        """wanted: (number, wire name, type)."""
        with ask.Asker(self.ports) as asker:
            for base in range(0, len(wanted), CHUNK):
                chunk = wanted[base:base + CHUNK]
                for (_, name, rrtype), raw in zip(chunk, self.replies(asker, chunk)):
                    self.question(name, rrtype, raw)
        return self.tally

    def replies(self, asker, chunk):
        """For each question of a chunk {mode: {server: reply}}."""
        found = [{} for _ in chunk]
        for mode in ask.MODES:
            picked = [i for i, question in enumerate(chunk) if mode in modes_of(question[0])]
            replies = asker.ask([ask.message(*chunk[i][1:], mode) for i in picked], mode[0])
            for at, i in enumerate(picked):
                found[i][mode] = {who: r[at] for who, r in replies.items()}
        return found

    def parse(self, who, raw, name, rrtype, mode):
        try:
            return ask.response(raw, 16 + len(name))
        except ask.Malformed as why:
            if who == 'schwenkd':
                self.tally.fail('malformed: %s' % why, '%s: %s' % (show(name, rrtype, mode), raw.hex()))
            return None

    def question(self, name, rrtype, raw):
        self.apex, self.zone = self.find_zone(name, rrtype)
        self.tally.questions += len(raw)
        wholes = {}
        for mode in reversed(list(raw)):                # TCP first
            replies = {who: self.parse(who, r, name, rrtype, mode) for who, r in raw[mode].items()}
            if mode[0]:
                wholes[mode[2]] = replies
            ours, whole = replies['schwenkd'], wholes[mode[2]]
            if ours is None or whole['schwenkd'] is None:
                continue
            if raw[mode]['schwenkd'][12:12 + len(name)] != name:
                self.fault(name, rrtype, mode, ['the question does not come back as it was asked'], ours)
            if ours.kind is None:
                ours.kind = judge.kind(ours, self.apex)
            self.tally.kinds[ours.kind] += 1
            self.own(name, rrtype, mode, ours, whole['schwenkd'])
            for who in self.others:
                self.tally.comparisons += 1
                self.pair(who, name, rrtype, mode, replies, whole)

    def remembered(self, key, objects, make):
        """make(), once for the objects, which are kept: their ids must not be used again."""
        key += tuple(id(o) for o in objects)
        found = self.memo.get(key)
        if found is None:
            if len(self.memo) > 50000:
                self.memo.clear()
            found = self.memo[key] = make(), objects
        return found[0]

    def own(self, name, rrtype, mode, ours, whole):
        faults = self.remembered((rrtype in (255, 46), mode, self.apex), (ours, whole),
                                 lambda: judge.own_faults(ours, whole, rrtype, mode, self.apex))
        if faults:
            self.fault(name, rrtype, mode, faults, ours)

    def fault(self, name, rrtype, mode, faults, ours):
        for fault in faults:
            self.tally.fail('our reply: ' + fault, '%s\n      ours: %s' % (show(name, rrtype, mode), show_response(ours)))

    def pair(self, who, name, rrtype, mode, replies, whole):
        ours, theirs = replies['schwenkd'], replies[who]
        if theirs is None or whole[who] is None:
            self.tally.fail('%s: a malformed reply' % who, show(name, rrtype, mode))
            return
        found = self.remembered((name, self.apex), (ours, theirs, whole['schwenkd'], whole[who]), lambda: judge.elements(
            ours, theirs, whole['schwenkd'], whole[who], name, self.apex))
        if not found:
            return
        facts = judge.facts(name, rrtype, mode, self.zone, ours, theirs, whole['schwenkd'], self.apex)
        causes, left = judge.explain(differences.TABLE, who, found, facts)
        for cause in causes:
            self.tally.causes[cause] += 1
        if left:
            self.tally.fail('%s: %s' % (who, '; '.join(left)), '%s\n      ours: %s\n      theirs: %s' % (
                show(name, rrtype, mode), show_response(ours), show_response(theirs)))


# ---- running --------------------------------------------------------------------------------

def in_processes(jobs):
    """Each job in a process of its own; their results."""
    running = []
    for job in jobs:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.close(reading)
                with os.fdopen(writing, 'w') as f:
                    json.dump(job().data(), f)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writing)
        running.append((child, reading))
    results = []
    for child, reading in running:
        with os.fdopen(reading) as f:
            text = f.read()
        os.waitpid(child, 0)
        s.expect(text, 'a process that compares has failed')
        results.append(json.loads(text))
    return results


total = collections.Counter()


def compare(scene):
    begun = time.monotonic()
    directory = tempfile.mkdtemp(prefix='schwenk-interop-')
    try:
        made = zones.scene(scene, directory)
        with contextlib.ExitStack() as stack:
            d = stack.enter_context(s.Daemon(workers=2, udp_payload_size=4096))
            ports = {'schwenkd': d.port}
            for server in OTHERS:
                if server.name not in zones.WITHOUT.get(scene, ()):
                    ports[server.name] = stack.enter_context(server(directory, made)).port
            for zone in made:
                d.import_set(zone.apex, zone.text())
            wanted = [(i, *q) for i, q in enumerate(q for zone in made for q in questions(zone))]
            half = (len(wanted) + 1) // 2
            results = in_processes([lambda part=part: Comparer(made, ports).run(part)
                                    for part in (wanted[:half], wanted[half:])])
    finally:
        if 'SCHWENK_KEEP' not in os.environ:
            shutil.rmtree(directory, ignore_errors=True)
    tally = Tally()
    for result in results:
        tally.add(result)
    print('     %d comparisons of %d replies (%s), %.0f s' % (
        tally.comparisons, tally.questions, ', '.join('%d %s' % (n, k) for k, n in tally.kinds.most_common()),
        time.monotonic() - begun))
    for cause, n in tally.causes.most_common():
        print('     %8d %s' % (n, cause))
    for what, n in tally.failures.most_common(TOLD):
        print('  %d times %s\n    for example %s' % (n, what, tally.examples[what]))
    total.update(tally.causes, comparisons=tally.comparisons)
    s.expect(not tally.failures, '%d replies differ in a way that the table does not explain, or are wrong by themselves',
             sum(tally.failures.values()))


def register(scene):
    s.case('%s: as nsd, knotd and named, or as the table says' % scene)(lambda: compare(scene))


for scene in zones.SCENES:
    register(scene)


@s.case('figures')
def figures():
    print('     %d comparisons in all; differences by cause:' % total.pop('comparisons', 0))
    why = {row.cause: row.why for row in differences.TABLE}
    for cause, n in sorted(total.items(), key=lambda item: -item[1]):
        print('     %8d %s: %s' % (n, cause, why.get(cause, 'not in the table')))


s.run()
