#!/usr/bin/env python3
"""Every kind of signed answer, validated by a real unbound with the test's trust anchors: what
schwenkd says of a signed zone arrives at unbound's clients with the same rcode and the same
answer, with AD where a proof is complete, without where opt-out or a cut ends the chain of
trust, and never as SERVFAIL. A broken signature shows that unbound does look.

SCHWENK_SMALL=1: fewer names. Prints how many answers of which kind were validated.
"""
import collections
import contextlib
import os
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ask  # noqa: E402
import judge  # noqa: E402
import servers  # noqa: E402
import zones  # noqa: E402

s = servers.s
servers.needed('unbound', 'drill', 'dnssec-signzone', 'dnssec-keygen', 'dnssec-dsfromkey', 'ldns-signzone', 'ldns-read-zone')
SMALL = 'SCHWENK_SMALL' in os.environ or s.sanitized()
ADDRESS = '127.53.0.1'          # of our own, so that port 53 is free there: unbound follows referrals to no other
TYPES = [ask.TYPES[t] for t in ('A', 'MX', 'TXT', 'DS', 'SOA', 'CNAME', 'NS', 'DNSKEY')]
CNAME, DNAME, DS, NSEC3, RRSIG = 5, 39, 43, 50, 46
AD, DO = 0x20, (True, 4096, True)

# Real zones below, reached by referrals: with DS, without, and without below an empty non-terminal.
CUTS = """
vsec    NS ns.vsec
ns.vsec A {0}
vins    NS ns.vins
ns.vins A {0}
a.vent  NS ns.a.vent
ns.a.vent A {0}
tovsec  CNAME www.vsec
tovins  CNAME www.vins
dvsec   DNAME vsec
dvins   DNAME vins
*.wvsec CNAME www.vsec
*.wvins CNAME www.vins
"""
LEAF = """
$TTL 300
@       SOA ns hostmaster 1 7200 1800 1209600 300
@       NS ns
ns      A {0}
www     A 192.0.2.90
*.wild  A 192.0.2.91
alias   CNAME www
"""
ELSEWHERE = '\n$TTL 300\n@ SOA ns hostmaster 1 7200 1800 1209600 300\n@ NS ns\nns A {0}\n* A 192.0.2.92\nout A 192.0.2.93\n'


def wire(apex):
    return zones.wire(apex.strip('.').encode() + b'.')


class World:
    """A signed zone with children in a schwenkd, and an unbound that knows its key.
    spoil: what is done to the signed text before it is imported."""

    def __init__(self, stack, apex, body, kind, child_kind, spoil=lambda text: text):
        self.dir = stack.enter_context(tempfile.TemporaryDirectory(prefix='schwenk-interop-'))
        self.address = upstream_address()
        self.apex = apex
        self.zones = self.make(kind, child_kind, body)
        self.d = stack.enter_context(s.Daemon(workers=2, listen=['%s@%d' % self.address]))
        for zone in self.zones:
            self.d.import_set(zone.apex, spoil(zone.text()) if zone is self.zones[-1] else zone.text())
        if self.address[1] != 53:
            print('     port 53 is not to be had here: unbound is told where the zones below are')
        stubs = [zone.apex for zone in self.zones if self.address[1] != 53 or zone.apex in (self.apex, 'elsewhere.invalid')]
        self.unbound = stack.enter_context(servers.Unbound(self.dir, stubs, self.address, self.zones[-1].ds))
        self.owners = zones.owners(self.zones[-1])
        self.hashed = {owner.lower() for owner, types in self.owners.items() if 'NSEC3' in types}
        self.existing = {b''.join(judge.labels(owner.lower())[i:]) + b'\0' for owner in self.owners
                         for i in range(len(judge.labels(owner))) if owner.lower() not in self.hashed}

    def below(self, name):
        return (name + '.' + self.apex).rstrip('.')

    def make(self, kind, child_kind, body):
        address = self.address[0]
        secure = zones.make(self.below('vsec'), LEAF.format(address), child_kind, self.dir)
        plain = [zones.make(self.below(name), LEAF.format(address), None, self.dir) for name in ('vins', 'a.vent')]
        away = zones.make('elsewhere.invalid', ELSEWHERE.format(address), None, self.dir)
        return [secure] + plain + [away, zones.make(self.apex, body + CUTS.format(address), kind, self.dir, secure.ds)]


def upstream_address():
    """Port 53 where we may have it: referrals can only lead there."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as t:
            t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            u.bind((ADDRESS, 53))
            t.bind((ADDRESS, 53))
            return ADDRESS, 53
    except OSError:
        return '127.0.0.1', s.free_port()


def recursive(body):
    """A query of ours with RD and AD."""
    return struct.pack('>H', 0x0120) + body[2:]


# ---- what is expected ---------------------------------------------------------------------------

def end_of_chain(world, reply, question):
    """Where the CNAMEs of a reply lead to (None: in a circle), how ('', 'CNAME to ', 'DNAME to '),
    and whether a wildcard made one of them."""
    name, how, wild, seen = question.lower(), '', False, set()
    while (name, CNAME, 0) in reply.sections[0]:
        if name in seen:
            return None, '', False
        seen.add(name)
        signed = any(key[1] == RRSIG and key[0] == name for key in reply.sections[0])
        how = how or ('CNAME to ' if signed else 'DNAME to ')
        wild = wild or (signed and name not in world.existing)
        name = next(iter(reply.sections[0][name, CNAME, 0][1]))
    return name, how, wild


CHILDREN = {b'\4vsec': True, b'\4vins': False, b'\1a\4vent': False}


def child_of(world, name, rrtype):
    """Of a question that a zone below answers: whether that has a DS; None for others."""
    for label, secure in CHILDREN.items():
        child = label + wire(world.apex)
        if name.endswith(child) and (rrtype != DS or name != child):
            return secure
    return None


def expected(world, reply, question, rrtype):
    """(kind of answer, whether AD is due or None) of schwenkd's reply; None: not to ask unbound for."""
    apex, opt_out = wire(world.apex), world.zones[-1].kind == 'optout'
    name, how, wild = end_of_chain(world, reply, question)
    if name is None or reply.rcode not in ('NOERROR', 'NXDOMAIN'):
        return None
    if rrtype == CNAME and how == 'DNAME to ':
        return None             # unbound looks for the trust in it at names that the DNAME hides
    if rrtype == CNAME and how:
        return 'CNAME', None    # it may come from a chain in unbound's cache
    if not name.endswith(apex):
        return how + 'another zone', False
    if rrtype == DS and name == apex:
        return None             # the parent's, which is not here
    secure = child_of(world, name, 0 if how else rrtype)
    if secure is not None:
        return how + ('secure referral' if secure else 'insecure referral'), secure and not (wild and opt_out)
    kind = judge.kind(reply, apex)
    if kind == 'referral' or (kind == 'positive' and not any(key[0] == name for key in reply.sections[0])):
        return None             # to nowhere, and a chain that is too long
    if name not in world.existing and kind != 'nxdomain':
        kind = 'wildcard ' + kind
    proofs = {key[0] for key in reply.sections[1] if key[1] == NSEC3}
    # Every span of an opt-out zone is opted out: what is not matched is not proved (RFC 5155 9.2).
    return how + kind, not (opt_out and (wild or len(proofs) > 1 or (proofs and kind in ('nxdomain', 'wildcard positive'))))


def answer_of(reply):
    return {key for key in reply.sections[0] if key[1] not in (RRSIG, DNAME)}


# ---- asking -----------------------------------------------------------------------------------------

# Every kind of answer is among them.
ALWAYS = '''web mail nope x.wild x.wildtxt deep cname tonodata toent dangling towild towildnodata out
    www.old nope.old x.dwild x.dout
    www.vsec nope.vsec vsec x.wild.vsec www.vins nope.vins vins www.a.vent nope.a.vent a.vent vent
    tovsec tovins www.dvsec nope.dvsec www.dvins x.wvsec x.wvins'''


def names_for(world):
    rng, apex = random.Random(world.apex), wire(world.apex)
    found = set()
    for owner in sorted(world.owners):
        rest = b''.join(judge.labels(owner)[1:]) + b'\0'
        if owner.lower() in world.hashed and rng.random() > 0.05:
            continue
        found |= {owner, b'\1x' + owner, b'\1a\1b' + owner}
        if owner != apex:
            found |= {b'\1q' + rest, rest}
    always = {wire(world.below(name)) for name in ALWAYS.split()}
    return sorted(n for n in found | always if len(n) <= 255 and n.endswith(apex)
                  and (not SMALL or n in always or rng.random() < 0.2))


def check_all(world):
    """Asks unbound everything that schwenkd has an answer to; {kind: how many}."""
    wanted = [(name, t) for name in names_for(world) for t in TYPES]
    kinds, wrong = collections.Counter(), []
    with Direct(world) as direct, ask.Asker({'unbound': world.unbound.port}) as resolver:
        ours = direct.ask([ask.message(name, t, DO) for name, t in wanted])
        asked = []
        for (name, t), raw in zip(wanted, ours):
            reply = ask.response(raw, 16 + len(name))
            found = expected(world, reply, name, t)
            if found:
                asked.append((name, t, reply, found))
        got = resolver.ask([recursive(ask.message(name, t, DO)) for name, t, _, _ in asked], True)['unbound']
    for (name, t, reply, (kind, secure)), raw in zip(asked, got):
        theirs = ask.response(raw, 16 + len(name))
        kinds[kind] += 1
        fault = None
        if theirs.rcode == 'SERVFAIL':
            fault = 'SERVFAIL'
        elif secure is not None and bool(theirs.bits & AD) != secure:
            fault = 'AD %d' % bool(theirs.bits & AD)
        elif 'referral' not in kind and 'another' not in kind and t != CNAME and \
                (theirs.rcode, answer_of(theirs)) != (reply.rcode, answer_of(reply)):
            fault = '%s %s' % (theirs.rcode, answer_of(theirs))
        if fault:
            wrong.append('%s %s (%s): %s' % (b'.'.join(x[1:] for x in judge.labels(name)).decode('latin-1'),
                                             judge.type_name(t), kind, fault))
    print('     %d answers: %s' % (len(asked), ', '.join('%d %s' % (n, k) for k, n in sorted(kinds.items()))))
    s.expect(not wrong, '%d wrong, such as\n    %s\n%s', len(wrong), '\n    '.join(wrong[:12]), world.unbound.log())
    return kinds


class Direct:
    """schwenkd over TCP, pipelined."""

    def __init__(self, world):
        self.sock = socket.create_connection(world.address, 20)

    def ask(self, bodies):
        replies = []
        for base in range(0, len(bodies), 100):
            part = bodies[base:base + 100]
            self.sock.sendall(b''.join(struct.pack('>HH', len(b) + 2, i) + b for i, b in enumerate(part)))
            got = {}
            while len(got) < len(part):
                raw = self.read(struct.unpack('>H', self.read(2))[0])
                got[struct.unpack_from('>H', raw)[0]] = raw
            replies += [got[i] for i in range(len(part))]
        return replies

    def read(self, size):
        data = b''
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            s.expect(more, 'schwenkd closes the connection')
            data += more
        return data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


# ---- cases --------------------------------------------------------------------------------------------

KINDS = ['positive', 'nodata', 'nxdomain', 'wildcard positive', 'wildcard nodata', 'secure referral', 'insecure referral']


def world_of(stack, kind):
    return World(stack, '%s.test' % kind, zones.BODY, kind, CHILD_KIND[kind])


CHILD_KIND = {'nsec': 'nsec3', 'nsec3': 'nsec', 'optout': 'nsec3'}


def every_kind(kind):
    with contextlib.ExitStack() as stack:
        found = check_all(world_of(stack, kind))
        missing = [how + k for how in ('', 'CNAME to ', 'DNAME to ') for k in KINDS if not found[how + k]]
        s.expect(not missing, 'no answer was: %s', missing)


for kind in CHILD_KIND:
    s.case('%s: every kind of answer, straight and behind CNAME and DNAME' % kind)(lambda kind=kind: every_kind(kind))


@s.case('names of strange octets and of 255 octets, with NSEC and NSEC3')
def strange_names():
    for kind in ('nsec', 'nsec3'):
        with contextlib.ExitStack() as stack:
            apex = 'names-%s.test' % kind
            check_all(World(stack, apex, zones.names(apex), kind, kind))


@s.case('the root: top-level domains with and without DS')
def root():
    with contextlib.ExitStack() as stack:
        check_all(World(stack, '.', zones.root(), 'nsec', 'nsec3'))


def spoilt(text):
    """One signature is another, and every NSEC3 is lost but the apex's."""
    lines = []
    for line in text.splitlines():
        fields = line.split(b'\t')
        if fields[0] == b'web.nsec3.test.' and fields[3:4] == [b'RRSIG'] and fields[4].startswith(b'A '):
            line = line[:-10] + (b'A' if line[-10:-9] != b'A' else b'B') + line[-9:]
        if fields[3:4] != [b'NSEC3'] or b' NSEC3PARAM' in line:
            lines.append(line)
    return b'\n'.join(lines) + b'\n'


@s.case('a broken signature and a missing NSEC3 do not pass')
def broken():
    with contextlib.ExitStack() as stack:
        world = World(stack, 'nsec3.test', zones.BODY, 'nsec3', 'nsec', spoilt)
        with ask.Asker({'unbound': world.unbound.port}) as resolver:
            for name, rrtype, wanted in (('mail', 'A', 'NOERROR'), ('web', 'A', 'SERVFAIL'), ('nope', 'A', 'SERVFAIL'),
                                         ('mail', 'MX', 'SERVFAIL'), ('vins', 'DS', 'SERVFAIL')):
                name = wire(world.below(name))
                raw = resolver.ask([recursive(ask.message(name, ask.TYPES[rrtype], DO))], False)['unbound'][0]
                s.equal(ask.response(raw, 16 + len(name)).rcode, wanted, '%s %s' % (name, rrtype))


# Not behind a DNAME, below a cut without DS, and at an empty non-terminal with NSEC: there drill asks for
# signatures that need not be. Of those the replies are validated with ldns in tests/unit/answer_proof.c.
DRILL = [('web', 'A'), ('mail', 'MX'), ('nope', 'A'), ('x.wild', 'A'), ('x.wild', 'SRV'), ('cname', 'A'),
         ('old', 'DNAME'), ('vsec', 'DS'), ('vins', 'DS'), ('a.vent', 'DS'), ('www.vsec', 'A'), ('nope.vsec', 'A'),
         ('dangling', 'A'), ('tonodata', 'A'), ('towild', 'A'), ('towildnodata', 'A'), ('towildcname', 'A'), ('tovsec', 'A'),
         ('tovins', 'A'), ('x.wvsec', 'A'), ('out', 'A')]


@s.case('ldns: drill chases every kind of answer to the trust anchor')
def drill():
    for kind in CHILD_KIND:
        with contextlib.ExitStack() as stack:
            world = world_of(stack, kind)
            anchor = os.path.join(world.dir, world.zones[-1].keys[0] + '.key')
            for name, rrtype in DRILL:
                done = subprocess.run(['drill', '-S', '-k', anchor, '-p', str(world.address[1]), '@' + world.address[0],
                                       world.below(name), rrtype], capture_output=True, text=True, timeout=20)
                s.expect(done.returncode == 0 and 'Chase successful' in done.stdout, 'drill -S %s %s: exit %d: %s%s',
                         world.below(name), rrtype, done.returncode, done.stdout, done.stderr)


s.run()
