"""What two replies to the same question differ in, and which row of the table explains it.

Everything is a word, so that the table (differences.py) is data. An element is one
difference between schwenkd's reply and another's:

    rcode NOERROR/NXDOMAIN      ours/theirs; so with aa, tc, edns, do, bits
    authority - NS apex         they have an RRset that we have not; + the other way round
    answer ~ A qname            both have it, with different records
    additional ttl A other      both have it, with different TTLs
    room - A other              as additional, but over TCP they are the same there: it did not fit

An RRset's owner is qname, apex, cut (the owner of the NS of a referral), wild (a "*"
label first), hash (of an NSEC3) or other. A fact is what a row may ask for: udp, tcp,
do, q:TYPE, zone:APEX, z:KIND (of denial), ours:RCODE, theirs:RCODE, ours.tc, theirs.tc; of our
reply: chain, dname, endless (a chain that ends in a CNAME), whole (their UDP reply has the
answer and authority section of ours over TCP), and one of positive, nodata, nxdomain, referral;
the same of theirs, as theirs.positive. Of the question: below-hash (below an NSEC3's owner),
wildcard (its first label is "*"), below-wildcard (another one is), zero (an octet 0 is in a label).
"""
import fnmatch

from ask import NAMES, RRSIG, SECTIONS

NS, CNAME, SOA, DNAME, NSEC3 = 2, 5, 6, 39, 50


def type_name(rrtype):
    return NAMES.get(rrtype, 'TYPE%d' % rrtype)


def _rrtype(key):
    owner, rrtype, covered = key
    return 'RRSIG(%s)' % type_name(covered) if rrtype == RRSIG else type_name(rrtype)


def _whose(key, question, apex, cut):
    owner = key[0]
    if owner == question:
        return 'qname'
    if owner == apex:
        return 'apex'
    if owner == cut:
        return 'cut'
    if key[1] == NSEC3 or key[2] == NSEC3:
        return 'hash'
    return 'wild' if owner[:2] == b'\x01*' else 'other'


def _cut(r, apex):
    for key in r.sections[1]:
        if key[1] == NS and key[0] != apex:
            return key[0]
    return None


def kind(r, apex):
    if r.rcode == 'NXDOMAIN':
        return 'nxdomain'
    if _cut(r, apex):
        return 'referral'
    if any(key[1] == SOA for key in r.sections[1]):
        return 'nodata'
    return 'positive' if r.rcode == 'NOERROR' else 'error'


def _header(ours, theirs):
    return ['%s %s/%s' % (field, _number(getattr(ours, field)), _number(getattr(theirs, field)))
            for field in ('rcode', 'aa', 'tc', 'edns', 'do', 'bits') if getattr(ours, field) != getattr(theirs, field)]


def _number(value):
    return int(value) if isinstance(value, bool) else value


def elements(ours, theirs, whole, their_whole, question, apex):
    """The differences; empty where the replies are equal in what matters. whole, their_whole:
    the replies over TCP to the same question with the same DO."""
    found, question = _header(ours, theirs), question.lower()
    if ours.tc or theirs.tc:
        return found            # what is left of a truncated reply is judged by itself
    cut = _cut(ours, apex) or _cut(theirs, apex)
    for section, (mine, other) in enumerate(zip(ours.sections, theirs.sections)):
        for key in mine.keys() | other.keys():
            a, b = mine.get(key), other.get(key)
            if a == b:
                continue
            sign = '-' if a is None else '+' if b is None else 'ttl' if a[1] == b[1] else '~'
            where = SECTIONS[section]
            if section == 2 and whole.sections[2].get(key) == their_whole.sections[2].get(key):
                where = 'room'
            found.append('%s %s %s %s' % (where, sign, _rrtype(key), _whose(key, question, apex, cut)))
    return sorted(set(found))


def _holds(reply, whole):
    """Whether a reply has all of another's answer and authority section, the TTLs aside."""
    return all(key in mine and mine[key][1] == all_of[key][1]
               for mine, all_of in zip(reply.sections[:2], whole.sections[:2]) for key in all_of)


def labels(name):
    found, at = [], 0
    while name[at]:
        found.append(name[at:at + 1 + name[at]])
        at += 1 + name[at]
    return found


def facts(question, rrtype, mode, zone, ours, theirs, whole, apex):
    found = {'tcp' if mode[0] else 'udp', 'q:' + type_name(rrtype), 'zone:' + zone.apex, 'z:%s' % zone.kind,
             'ours:' + ours.rcode, 'theirs:' + theirs.rcode, kind(ours, apex), 'theirs.' + kind(theirs, apex)}
    types = [key[1] for key in ours.sections[0]]
    for fact, holds in (('do', mode[2]), ('ours.tc', ours.tc), ('theirs.tc', theirs.tc), ('at-apex', question == apex),
                        ('chain', CNAME in types or DNAME in types), ('dname', DNAME in types),
                        ('endless', kind(ours, apex) == 'positive' and CNAME in types and not set(types) - {CNAME, DNAME, RRSIG}),
                        ('below-hash', any(question.lower().endswith(h) and question.lower() != h for h in zone.hashed)),
                        ('wildcard', question[:2] == b'\1*'), ('below-wildcard', question.find(b'\1*') > 0),
                        ('zero', any(b'\0' in label for label in labels(question))),
                        ('whole', _holds(theirs, whole))):
        if holds:
            found.add(fact)
    return found


class Row:
    """cause, why (an RFC's section, or, after "behaviour", a row of src/answer/BEHAVIOUR.md), servers, facts that
    must all be there ('|' between words of which one will do), elements (patterns)."""

    def __init__(self, cause, why, servers, facts, elements):
        self.cause, self.why = cause, why
        self.servers = servers.split()
        self.facts = [set(f.split('|')) for f in facts.split()]
        self.elements = elements

    def applies(self, server, facts):
        return server in self.servers and all(any(f in facts for f in wanted) for wanted in self.facts)

    def explains(self, element):
        return any(fnmatch.fnmatchcase(element, pattern) for pattern in self.elements)


def explain(table, server, found, facts):
    """(causes, what no row explains)."""
    rows = [row for row in table if row.applies(server, facts)]
    causes, left = set(), []
    for element in found:
        for row in rows:
            if row.explains(element):
                causes.add(row.cause)
                break
        else:
            left.append(element)
    return causes, left


# ---- our replies by themselves ----------------------------------------------------------------

def _required(whole, apex):
    """Octets of a whole reply that TC must be set for where they do not fit: up to the end of
    the authority section, and a referral's in-domain glue (RFC 9471)."""
    size = whole.ends[1]
    cut = _cut(whole, apex)
    if cut:
        for (section, key), end in whole.where.items():
            if section == 2 and key[1] in (1, 28) and (key[0] == cut or key[0].endswith(cut)):
                size = max(size, end)
    return size


def own_faults(reply, whole, rrtype, mode, apex):
    """What is wrong with our reply; whole: ours over TCP to the same question, with the same DO."""
    faults = []
    if reply.twice:
        faults.append('records twice: %s' % reply.twice[:3])
    for section in reply.sections:
        for owner, _, _ in section:
            if not owner.endswith(apex):
                faults.append('a record of another zone: %r' % owner)
    if reply.edns != (mode[1] is not None) or reply.do != mode[2]:
        faults.append('OPT %s, DO %s' % (reply.edns, reply.do))
    if mode[0]:
        return faults
    limit = mode[1] or 512
    if reply.size > limit:
        faults.append('%d octets for a client that takes %d' % (reply.size, limit))
    for i, section in enumerate(reply.sections):
        for key, rrset in section.items():
            if whole.sections[i].get(key) != rrset:
                faults.append('not so in the whole reply: %s %r' % (SECTIONS[i], key))
    if type_name(rrtype) in ('ANY', 'RRSIG') and whole.sections[0]:
        if not reply.tc and not reply.sections[0]:
            faults.append('no answer over UDP')
        return faults
    return faults + _truncation(reply, whole, limit, apex)


def _truncation(reply, whole, limit, apex):
    """TC just where what is needed does not fit, nothing left out without need."""
    faults = []
    must = _required(whole, apex) + (11 if reply.edns else 0)
    if reply.tc != (must > limit):
        faults.append('TC %d, where %d of %d octets are needed' % (reply.tc, must, limit))
    if reply.tc:
        return faults
    for section in (0, 1):
        if len(reply.sections[section]) != len(whole.sections[section]):
            faults.append('%s lacks RRsets' % SECTIONS[section])
    for key in whole.sections[2].keys() - reply.sections[2].keys():
        if reply.size + whole.sizes[2, key] <= limit:
            faults.append('room is left for %s' % _rrtype(key))
    return faults
