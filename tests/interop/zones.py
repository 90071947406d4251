"""The zones that the interop tests serve: every shape that an answer can have,
unsigned, and signed by the tools of two other houses with keys made here.

scene(name, directory)   writes and signs a scene's zones, gives Zone objects
owners(zone)             the owner names of the signed zone, as wire names
"""
import os
import re
import subprocess

DIGEST = 'f00dfacef00dfacef00dfacef00dfacef00dfacef00dfacef00dfacef00dface'
LABEL = 'a23456789b123456789c123456789d123456789e123456789f123456789g123'      # 63 octets

# Everything a zone of a hosting operator may hold. Relative names; the same
# text unsigned and signed in three ways.
BODY = r"""
$TTL 3600
@       SOA ns1 hostmaster 2026112401 7200 1800 1209600 300
@       NS ns1
@       NS ns.elsewhere.invalid.
@       MX 10 mail
@       MX 20 ns.sub
@       A 192.0.2.1
@       AAAA 2001:db8::1
@       TXT "v=spf1 mx -all" "second string"
@       CAA 0 issue "ca.example"
ns1     A 192.0.2.53
ns1     AAAA 2001:db8::53
mail    A 192.0.2.25
mail    AAAA 2001:db8::25
web     A 192.0.2.80
web     A 192.0.2.81
MiXed   A 192.0.2.11
short   60 A 192.0.2.12
short   86400 TXT "lives longer than the negative answer"
; types
_sip._tcp SRV 0 5 5060 web
_sip._tcp SRV 1 5 5060 mail
svc     HTTPS 1 web alpn=h2
svcalias SVCB 0 web
naptr   NAPTR 100 10 "U" "E2U+sip" "!^.*$!sip:info@example!" .
ptr     PTR web
sshfp   SSHFP 4 2 """ + DIGEST + r"""
_443._tcp.web TLSA 3 1 1 """ + DIGEST + r"""
hinfo   HINFO "a" "b"
loc     LOC 52 31 0.000 N 13 24 0.000 E 34.00m
uri     URI 10 1 "https://web.example/"
odd     TYPE65280 \# 4 01020304
odd     TYPE65281 \# 0
odd     TYPE300 \# 3 c0ffee
targets MX 5 web
targets MX 6 cname
targets MX 7 any.wild
targets MX 8 www.old
targets MX 9 missing
targets MX 10 mail.sub
; CNAME: chains, loops, and into everything
cname   CNAME web
CAmel   CNAME WEB
chain1  CNAME chain2
chain2  CNAME chain3
chain3  CNAME chain4
chain4  CNAME chain5
chain5  CNAME web
loop1   CNAME loop2
loop2   CNAME loop1
self    CNAME self
out     CNAME www.elsewhere.invalid.
dangling CNAME nowhere
toapex  CNAME @
tonodata CNAME mail
toent   CNAME b.c.deep
tosub   CNAME host.sub
tocut   CNAME sub
tosecure CNAME host.secure
towild  CNAME any.wild
towildnodata CNAME any.wildtxt
towildcname CNAME any.wildcname
todname CNAME www.old
todnameself CNAME old
; wildcards
*.wild  A 192.0.2.99
*.wild  TXT "wildcard"
*.wild  MX 10 mail
exists.wild A 192.0.2.98
a.ent.wild A 192.0.2.97
*.wildtxt TXT "no address"
*.wildcname CNAME web
*.wildout CNAME out.elsewhere.invalid.
*.wildnone CNAME nowhere
*.wildloop CNAME x.wildloop
*.wildwild CNAME any.wild
*.wildsub CNAME host.sub
a.*.star A 192.0.2.96
*.*.stars A 192.0.2.95
b.*.stars TXT "beside"
; empty non-terminals
a.b.c.deep A 192.0.2.77
z.y.deep TXT "z"
; DNAME
old     DNAME new
old     A 192.0.2.30
www.new A 192.0.2.31
again.new CNAME www.old
sub.new NS ns.elsewhere.invalid.
*.wild.new A 192.0.2.32
dout    DNAME elsewhere.invalid.
dnone   DNAME nowhere
dloop1  DNAME dloop2
dloop2  DNAME dloop1
dself   DNAME x.dself
dsub    DNAME sub
dsecure DNAME secure
dwild   DNAME wild
dapex   DNAME @
ddname  DNAME old
dlong   DNAME """ + '.'.join([LABEL] * 3 + [LABEL[:47]]) + r"""
; cuts: with glue of all kinds, and names that they hide
sub     NS ns.sub
sub     NS ns.elsewhere.invalid.
ns.sub  A 192.0.2.54
ns.sub  AAAA 2001:db8::54
mail.sub A 192.0.2.55
deep.below.sub TXT "occluded"
secure  NS ns.secure
secure  DS 4711 13 2 """ + DIGEST + r"""
ns.secure A 192.0.2.56
sibling NS ns.sub
sibling NS ns.secure
authns  NS ns1
authns  NS web
farns   NS ns.elsewhere.invalid.
selfns  NS selfns
selfns  A 192.0.2.57
nocglue NS ns.nocglue
cut.under.ent NS ns.elsewhere.invalid.
two.cut.under2.ent NS ns.elsewhere.invalid.
sec.under3.ent NS ns.elsewhere.invalid.
sec.under3.ent DS 4712 13 2 """ + DIGEST + r"""
outer   NS ns.outer
ns.outer A 192.0.2.58
inner.outer NS ns.inner.outer
ns.inner.outer A 192.0.2.59
cutwild NS *.cutwild
"""


# Names where few types have them; HIP and IPSECKEY in octets, as not all know their text.
RARE = r"""
minfo   MINFO mail.web web
rp      RP host.master web
afsdb   AFSDB 1 web
rt      RT 10 mail
px      TYPE26 \# 23 000a0377656205706c61696e0474657374000161016200
ipseckey TYPE45 \# 22 0a03020377656205706c61696e047465737400aabbcc
ipseckey TYPE45 \# 10 0a0102c0000226aabbcc
hip     TYPE55 \# 42 04020003 20010012 030100 0372767300 0161017600 0162017600 0163017600 0164017600 0165017600 00
"""


def _glue(count, prefix):
    """A delegation whose glue does not fit where count is high."""
    out = ['%s NS ns%d.%s' % (prefix, i, prefix) for i in range(count)]
    for i in range(count):
        out.append('ns%d.%s A 198.51.100.%d' % (i, prefix, i + 1))
        out.append('ns%d.%s AAAA 2001:db8:ffff::%x' % (i, prefix, i + 1))
    return out


def _large():
    """RRsets of every size around what fits: 300 A, nearly 64 KiB, and some in between."""
    out = ['big A 198.51.%d.%d' % (i // 250, 1 + i % 250) for i in range(300)]
    out += ['bigalias CNAME big', '*.bigwild TXT "%s"' % ('w' * 200)]
    out += ['huge TXT %s' % ' '.join('"%05d%s"' % (i, 'h' * 240) for i in range(j, j + 10))
            for j in range(0, 250, 10)]
    for i in range(1, 13):
        out += ['size%d TXT "%d-%d-%s"' % (i, i, j, 'x' * 95) for j in range(i)]
    out += ['mx%d MX %d host%d.many' % (n, i, i) for n in (8, 20) for i in range(n)]
    out += ['host%d.many A 203.0.113.%d' % (i, i) for i in range(20)]
    out += ['host%d.many AAAA 2001:db8:1::%x' % (i, i) for i in range(20)]
    return out


BODY += '\n'.join(_large() + _glue(8, 'glue8') + _glue(25, 'glue25')) + '\n'


def _long_name(octets):
    """A relative name in presentation form of so many octets in wire form."""
    labels = []
    while octets:
        size = min(64, octets)
        if octets - size == 1:
            size -= 1
        labels.append(('l%d' % len(labels) + LABEL)[:size - 1])
        octets -= size
    return '.'.join(labels)


def names(apex):
    """Strange names: every octet, the longest labels, the longest names."""
    room = 255 - (len(apex) + 2)
    full = _long_name(room)
    out = [r"""
$TTL 3600
@       SOA ns1 host\.master 2026112401 7200 1800 1209600 60
@       NS ns1
ns1     A 192.0.2.53
\000    A 192.0.2.1
a\000b  A 192.0.2.2
\255\254 A 192.0.2.3
dot\.dot A 192.0.2.4
\"quote\" A 192.0.2.5
semi\;colon A 192.0.2.6
\@      A 192.0.2.7
\(      A 192.0.2.8
white\032space A 192.0.2.9
back\\slash A 192.0.2.10
\$dollar A 192.0.2.11
UPPER   A 192.0.2.12
z\091   A 192.0.2.13
z\096   A 192.0.2.14
zz      A 192.0.2.15
\001    CNAME dot\.dot
mx      MX 1 white\032space
x.\*.ew A 192.0.2.16
\*y     A 192.0.2.17
ent\000.\001\002 TXT "below an empty one"
_       TXT "underscore"
xn--mller-kva A 192.0.2.18
tofull  CNAME """ + full + '\nmxfull MX 1 ' + full]
    out += [full + ' A 192.0.2.20', _long_name(room - 2) + ' A 192.0.2.21',
            '*.%s A 192.0.2.22' % _long_name(room - 10)]
    out.append('*.%s A 192.0.2.23' % '.'.join([LABEL, LABEL[::-1]]))
    out += ['%s A 192.0.2.24' % LABEL, '%s CNAME %s' % (LABEL[:-1], LABEL)]
    out.append('.'.join('abcdefghij'[i % 10] for i in range(room // 2)) + ' A 192.0.2.25')
    out.append('dlong DNAME ' + _long_name(room - 20))
    out.append('x.%s TXT "the end of a DNAME"' % _long_name(room - 20))
    out.append('cut.%s NS ns.cut.%s' % (_long_name(room - 12), _long_name(room - 12)))
    out.append('ns.cut.%s A 192.0.2.26' % _long_name(room - 12))
    return '\n'.join(out) + '\n'


TLDS = 'com net org arpa de fr xn--p1ai zz aero museum co example'.split()


def root():
    """What the root looks like: cuts with and without DS, glue that several share."""
    out = ['$TTL 86400', '. SOA a.root-servers.net. nstld.verisign-grs.com. 2026112401 1800 900 604800 86400']
    for letter in 'abcdefghijklm':
        out.append('. 518400 NS %s.root-servers.net.' % letter)
        out.append('%s.root-servers.net. 518400 A 198.41.0.%d' % (letter, ord(letter)))
        out.append('%s.root-servers.net. 518400 AAAA 2001:503:ba3e::%x' % (letter, ord(letter)))
    for i, tld in enumerate(TLDS):
        if tld in ('com', 'net'):
            for letter in 'abcdefghijklm':
                out.append('%s. 172800 NS %s.gtld-servers.net.' % (tld, letter))
        else:
            out += ['%s. 172800 NS a.nic.%s.' % (tld, tld), '%s. 172800 NS ns.%s.' % (tld, TLDS[i - 1]),
                    'a.nic.%s. 172800 A 192.0.2.%d' % (tld, i), 'ns.%s. 172800 AAAA 2001:db8:2::%x' % (tld, i)]
        if i % 3 != 2:
            out.append('%s. DS %d 13 2 %s' % (tld, 1000 + i, DIGEST))
    for letter in 'abcdefghijklm':
        out.append('%s.gtld-servers.net. 172800 A 192.5.6.%d' % (letter, ord(letter)))
        out.append('%s.gtld-servers.net. 172800 AAAA 2001:503:a83e::%x' % (letter, ord(letter)))
    return '\n'.join(out) + '\n'


PARENT = r"""
$TTL 3600
@       SOA ns1 hostmaster 1 7200 1800 1209600 300
@       NS ns1
ns1     A 192.0.2.53
child   NS ns1.child
child   NS ns1
ns1.child A 192.0.2.60
plain   NS ns1.plain
ns1.plain A 192.0.2.61
away    NS ns.elsewhere.invalid.
here    CNAME www.child
there   CNAME www.plain
mx      MX 10 www.child
mx      MX 20 ns1.child
todown  DNAME child
www     A 192.0.2.62
"""
CHILD = r"""
$TTL 1800
@       SOA ns1 hostmaster 2 7200 1800 1209600 600
@       NS ns1
@       A 192.0.2.70
ns1     A 192.0.2.60
www     A 192.0.2.71
up      CNAME www.family.test.
down    CNAME www.grand
across  CNAME www.plain.family.test.
*.wild  CNAME www.family.test.
dup     DNAME family.test.
grand   NS ns1.grand
ns1.grand A 192.0.2.72
empty.one A 192.0.2.73
"""
LEAF = r"""
$TTL 900
@       SOA ns1 hostmaster 3 7200 1800 1209600 900
@       NS ns1
ns1     A 192.0.2.72
www     A 192.0.2.80
up      CNAME www.child.family.test.
"""

# scene: (apex, text, how it is signed, zones whose DS goes in); children first
SCENES = {
    'plain': [('plain.test', BODY + RARE, None, ())],
    'nsec': [('nsec.test', BODY, 'nsec', ())],
    'nsec3': [('nsec3.test', BODY, 'nsec3', ())],
    'optout': [('optout.test', BODY, 'optout', ())],
    'names': [('names.test', names('names.test'), None, ()),
              ('names-nsec.test', names('names-nsec.test'), 'nsec', ())],
    'names-nsec3': [('names-nsec3.test', names('names-nsec3.test'), 'nsec3', ())],
    'root': [('.', root(), 'nsec', ())],
    'family': [('grand.child.family.test', LEAF, 'nsec', ()),
               ('plain.family.test', LEAF, None, ()),
               ('child.family.test', CHILD, 'ldns-optout', ('grand.child.family.test',)),
               ('family.test', PARENT, 'nsec3', ('child.family.test',)),
               ('orphan.other.test', LEAF, 'optout', ())],
}
# NSD 4.6 hashes "*" before a name of 255 octets at its start, and crashes.
WITHOUT = {'names-nsec3': ('nsd',)}


class Zone:
    """One zone: apex, path of its file, its DS records as text, the zone's kind of denial."""

    def __init__(self, apex, path, kind):
        self.apex, self.path, self.kind = apex, path, kind
        self.ds = []

    def text(self):
        with open(self.path, 'rb') as f:
            return f.read()


def run(argv, directory):
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError('%s: %s%s' % (' '.join(argv), done.stdout, done.stderr))
    return done.stdout


def make_keys(apex, directory):
    """A KSK and a ZSK of ECDSA P-256: the base names of their files."""
    common = ['dnssec-keygen', '-q', '-a', 'ECDSAP256SHA256', '-K', directory]
    return [run(common + extra + [apex], directory).strip() for extra in (['-f', 'KSK'], [])]


def _sign_command(kind, apex, path, signed, keys):
    ksk, zsk = keys
    if kind in ('nsec3', 'ldns-optout'):
        return ['ldns-signzone', '-n', '-s', 'ab12cd', '-t', '3'] + \
            (['-p'] if kind == 'ldns-optout' else []) + ['-o', apex, '-f', signed, path, ksk, zsk]
    return ['dnssec-signzone', '-q', '-P', '-x', '-o', apex, '-f', signed, '-k', ksk] + \
        (['-3', '-', '-A', '-H', '0'] if kind == 'optout' else []) + [path, zsk]


# The signers leave octets bare that others take for something else.
_BARE = re.compile(r'(?P<owner>^"\S*)|(?P<string>"(?:[^"\\]|\\.)*")|\\.|(?P<octet>[@$[\]^{}|~`])', re.S | re.M)


def _escape(match):
    if match.lastgroup == 'owner':
        return match.group().replace('"', '\\034')
    return '\\%03d' % ord(match.group()) if match.lastgroup == 'octet' else match.group()


def sign(kind, apex, path, keys, directory):
    """The path of the signed zone; kind: nsec, optout (by BIND), nsec3, ldns-optout (by ldns)."""
    signed = path + '.signed'
    run(_sign_command(kind, apex.rstrip('.') + '.', path, signed, keys), directory)
    with open(signed, 'r+', encoding='latin-1') as f:
        text = _BARE.sub(_escape, f.read())
        f.seek(0)
        f.write(text)
    return signed


def _append_keys(path, keys, directory):
    with open(path, 'a') as zone:
        for key in keys:
            with open(os.path.join(directory, key + '.key')) as f:
                zone.write(f.read())


def make(apex, text, kind, directory, ds=(), keys=None):
    """A Zone with the text, signed as kind says."""
    path = os.path.join(directory, (apex.strip('.') or 'root') + '.zone')
    with open(path, 'w', encoding='latin-1') as f:
        f.write('$ORIGIN %s.\n' % apex.strip('.') + text + ''.join(line + '\n' for line in ds))
    zone = Zone(apex, path, kind)
    if kind:
        zone.keys = keys or make_keys(apex.rstrip('.') + '.', directory)
        _append_keys(path, zone.keys, directory)
        zone.path = sign(kind, apex, path, zone.keys, directory)
        zone.ds = run(['dnssec-dsfromkey', '-2', zone.keys[0] + '.key'], directory).splitlines()
    return zone


def scene(name, directory):
    made = {}
    for apex, text, kind, children in SCENES[name]:
        ds = [line for child in children for line in made[child].ds]
        made[apex] = make(apex, text, kind, directory, ds)
    return list(made.values())


# ---- names of a signed zone ----------------------------------------------------------

_ESCAPE = re.compile(rb'\\(\d{3}|.)|(\.)', re.S)


def wire(text):
    """Presentation form (octets, absolute) to wire form."""
    if text == b'.':
        return b'\0'
    labels, label, at = [], b'', 0
    for m in _ESCAPE.finditer(text):
        label += text[at:m.start()]
        at = m.end()
        if m.group(2):
            labels.append(label)
            label = b''
        elif len(m.group(1)) == 3:
            label += bytes([int(m.group(1))])
        else:
            label += m.group(1)
    return b''.join(bytes([len(x)]) + x for x in labels) + b'\0'


def owners(zone):
    """{wire name: set of type mnemonics} of the zone as ldns prints it: one record a line."""
    found = {}
    text = subprocess.run(['ldns-read-zone', zone.path], capture_output=True, check=True).stdout
    for line in text.splitlines():
        fields = line.split(b'\t')
        if len(fields) >= 5:
            found.setdefault(wire(fields[0]), set()).add(fields[3].decode())
    return found
