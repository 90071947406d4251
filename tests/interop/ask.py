"""Many questions to several servers at once, and replies in a form that can be compared.

Asker(ports)            asks all of them, over UDP with a window and over TCP pipelined
Response                a reply taken apart: rcode, flags, RRsets by section
response(raw, question) the Response, from a cache: most replies differ only in the question
"""
import socket
import struct
import time

TYPES = {'A': 1, 'NS': 2, 'CNAME': 5, 'SOA': 6, 'MB': 7, 'PTR': 12, 'HINFO': 13, 'MINFO': 14, 'MX': 15, 'TXT': 16,
         'RP': 17, 'AFSDB': 18, 'RT': 21, 'SIG': 24, 'KEY': 25, 'PX': 26, 'AAAA': 28, 'LOC': 29, 'NXT': 30,
         'SRV': 33, 'NAPTR': 35, 'KX': 36, 'DNAME': 39, 'DS': 43, 'SSHFP': 44, 'IPSECKEY': 45, 'RRSIG': 46,
         'NSEC': 47, 'DNSKEY': 48, 'NSEC3': 50, 'NSEC3PARAM': 51, 'TLSA': 52, 'HIP': 55, 'CDS': 59, 'CDNSKEY': 60,
         'ZONEMD': 63, 'SVCB': 64, 'HTTPS': 65, 'SPF': 99, 'MAILB': 253, 'MAILA': 254, 'ANY': 255, 'URI': 256,
         'CAA': 257, 'TYPE300': 300, 'TYPE65280': 65280, 'TYPE65281': 65281, 'TYPE65282': 65282}
NAMES = {v: k for k, v in TYPES.items()}
RCODES = {0: 'NOERROR', 1: 'FORMERR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 4: 'NOTIMP', 5: 'REFUSED', 6: 'YXDOMAIN'}
OPT, RRSIG = 41, 46
SECTIONS = ('answer', 'authority', 'additional')

# mode: (TCP, EDNS payload size or None, DO)
MODES = [(False, None, False), (False, 512, False), (False, 512, True), (False, 1232, False), (False, 1232, True),
         (False, 4096, False), (False, 4096, True), (True, None, False), (True, 4096, True)]


def mode_text(mode):
    tcp, payload, do = mode
    return ('TCP' if tcp else 'UDP') + ('/%d' % payload if payload else '') + (' DO' if do else '')


def message(name, rrtype, mode):
    """A query without its first two octets, the id."""
    tcp, payload, do = mode
    body = struct.pack('>HHHHH', 0, 1, 0, 0, payload is not None) + name + struct.pack('>HH', rrtype, 1)
    if payload is not None:
        body += struct.pack('>BHHIH', 0, OPT, payload, 0x8000 if do else 0, 0)
    return body


# ---- replies ----------------------------------------------------------------------------

# Where names lie in rdata: octets before the first, how many.
LAYOUT = {2: (0, 1), 5: (0, 1), 6: (0, 2), 7: (0, 1), 12: (0, 1), 14: (0, 2), 15: (2, 1), 17: (0, 2), 18: (2, 1),
          21: (2, 1), 26: (2, 2), 33: (6, 1), 36: (2, 1), 39: (0, 1), 46: (18, 1), 47: (0, 1), 64: (2, 1), 65: (2, 1)}


class Malformed(ValueError):
    pass


def _name(raw, at, known):
    """Lower-cased wire form, and where it ends. known: {where a pointer led: name}."""
    if raw[at] >= 0xc0:
        target = (raw[at] & 0x3f) << 8 | raw[at + 1]
        if target >= at:
            raise Malformed('a pointer forward')
        name = known.get(target)
        if name is None:
            name = known[target] = _spelled(raw, target)[0]
        return name, at + 2
    return _spelled(raw, at)


def _spelled(raw, at):
    out, end, low = [], None, at
    while True:
        size = raw[at]
        if size >= 0xc0:
            end = at + 2 if end is None else end
            at = (size & 0x3f) << 8 | raw[at + 1]
            if at >= low:
                raise Malformed('a pointer forward')
            low = at
        elif size > 63:
            raise Malformed('a label of type %#x' % size)
        elif size == 0:
            return b''.join(out).lower() + b'\0', at + 1 if end is None else end
        else:
            out.append(raw[at:at + 1 + size])
            at += 1 + size


def _rdata(raw, rrtype, at, end, known):
    layout = LAYOUT.get(rrtype)
    if layout is None:
        return raw[at:end]
    out = [raw[at:at + layout[0]]]
    at += layout[0]
    for _ in range(layout[1]):
        name, at = _name(raw, at, known)
        out.append(name)
    out.append(raw[at:end])
    return b''.join(out)


class Response:
    """sections: three dicts {(owner, type, covered): (ttls, rdatas)}. ends: of the sections, octets.
    where, sizes: {(section, key): where the RRset ends, and its octets}. twice: records that come twice."""
    __slots__ = ('rcode', 'aa', 'tc', 'bits', 'edns', 'do', 'sections', 'ends', 'size', 'twice', 'kind', 'where', 'sizes')

    def __init__(self, raw, question_end):
        flags, qd, an, ns, ar = struct.unpack_from('>5H', raw, 2)
        if qd != 1:
            raise Malformed('%d questions' % qd)
        rcode = flags & 15
        self.aa, self.tc, self.bits = flags >> 10 & 1, flags >> 9 & 1, flags & 0xf9f0
        self.edns, self.do, self.size, self.twice, self.kind = False, False, len(raw), [], None
        self.sections, self.ends, self.where, self.sizes = [], [], {}, {}
        at, known = question_end, {}
        try:
            for count in (an, ns, ar):
                at, rcode = self._section(raw, at, count, rcode, known)
        except (IndexError, struct.error):
            raise Malformed('it ends too early')
        if at != len(raw):
            raise Malformed('%d octets behind the last record' % (len(raw) - at))
        self.rcode = RCODES.get(rcode, str(rcode))

    def _section(self, raw, at, count, rcode, known):
        found = {}
        for _ in range(count):
            begin = at
            owner, at = _name(raw, at, known)
            rrtype, rrclass, ttl, size = struct.unpack_from('>HHIH', raw, at)
            at += 10
            if rrtype == OPT:
                if self.edns:
                    raise Malformed('two OPTs')
                self.edns, self.do = True, bool(ttl & 0x8000)
                rcode |= ttl >> 24 << 4
                at += size
                continue
            if at + size > len(raw):
                raise Malformed('rdata beyond the end')
            rdata = _rdata(raw, rrtype, at, at + size, known)
            at += size
            key = owner, rrtype, struct.unpack_from('>H', rdata)[0] if rrtype == RRSIG else 0
            rrset = found.setdefault(key, (set(), set()))
            if rdata in rrset[1]:
                self.twice.append(key)
            rrset[0].add(ttl)
            rrset[1].add(rdata)
            place = len(self.sections), key
            self.where[place] = at
            self.sizes[place] = self.sizes.get(place, 0) + at - begin
        self.sections.append(found)
        self.ends.append(at)
        return at, rcode


_cache = {}


def response(raw, question_end):
    """The Response of a reply whose question is as long as it was asked."""
    key = raw[2:question_end - 4], raw[question_end:]
    found = _cache.get(key)
    if found is None:
        if len(_cache) > 20000:
            _cache.clear()
        found = _cache[key] = Response(raw, question_end)
    return found


# ---- asking -----------------------------------------------------------------------------

class Silent(Exception):
    """A server gives no reply."""


class Asker:
    """ports: {name: port}. ask() gives a list of raw replies for each name."""
    WINDOW = 48

    def __init__(self, ports):
        self.ports = ports
        self.next_id = 1
        self.udp, self.tcp, self.asked = {}, {}, 0
        for name, port in ports.items():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 1, 0))
            sock.connect(('127.0.0.1', port))
            self.udp[name] = sock

    def close(self):
        for sock in list(self.udp.values()) + list(self.tcp.values()):
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, bodies, tcp):
        """bodies: queries without id. {server: [reply]}"""
        replies = {name: [None] * len(bodies) for name in self.ports}
        for base in range(0, len(bodies), self.WINDOW):
            batch = bodies[base:base + self.WINDOW]
            if self.next_id + len(batch) > 0xffff:
                self.next_id = 1
            ids = [struct.pack('>H', self.next_id + i) for i in range(len(batch))]
            queries = [i + b for i, b in zip(ids, batch)]
            first = self.next_id
            self.next_id += len(batch)
            self.asked += len(batch) * len(self.ports)
            (self._tcp if tcp else self._udp)(queries, first, base, replies)
        return replies

    def _udp(self, queries, first, base, replies):
        for sock in self.udp.values():
            send = sock.send
            for query in queries:
                send(query)
        for name, sock in self.udp.items():
            self._receive(name, sock, queries, first, replies[name], base)

    def _receive(self, name, sock, queries, first, out, base):
        left, tries, count, receive = len(queries), 0, len(queries), sock.recv
        while left:
            try:
                raw = receive(65535)
            except BlockingIOError:
                tries += 1
                if tries > 10:
                    raise Silent('%s does not reply to %s' % (name, [queries[i][12:].hex() for i in range(count)
                                                                     if out[base + i] is None][:3]))
                for i in range(count):
                    if out[base + i] is None:
                        sock.send(queries[i])
                continue
            at = (raw[0] << 8 | raw[1]) - first
            if 0 <= at < count and out[base + at] is None:
                out[base + at] = raw
                left -= 1

    def _connection(self, name):
        sock = self.tcp.get(name)
        if sock is None:
            sock = self.tcp[name] = socket.create_connection(('127.0.0.1', self.ports[name]), 20)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _tcp(self, queries, first, base, replies):
        stream = b''.join(struct.pack('>H', len(q)) + q for q in queries)
        for name in self.ports:
            self._send(name, stream)
        for name in self.ports:
            for tries in range(5):
                if self._read(name, first, len(queries), replies[name], base):
                    break
                # An idle connection may have been closed meanwhile.
                self.tcp.pop(name).close()
                time.sleep(0.05 * tries)
                self._send(name, stream)
            else:
                raise Silent('%s closes its TCP connection' % name)

    def _send(self, name, stream):
        try:
            self._connection(name).sendall(stream)
        except (BrokenPipeError, ConnectionResetError):
            self.tcp.pop(name).close()
            self._connection(name).sendall(stream)

    def _read(self, name, first, count, out, base):
        sock, rest, left = self.tcp[name], b'', count
        while left:
            try:
                got = sock.recv(1 << 20)
            except ConnectionResetError:
                got = b''
            if not got:
                return False
            rest += got
            at = 0
            while len(rest) - at >= 2:
                size = rest[at] << 8 | rest[at + 1]
                if len(rest) - at < 2 + size:
                    break
                raw = rest[at + 2:at + 2 + size]
                at += 2 + size
                i = (raw[0] << 8 | raw[1]) - first
                if not 0 <= i < count:
                    raise Silent('%s replies with an id that was not asked' % name)
                left -= out[base + i] is None
                out[base + i] = raw
            rest = rest[at:]
        return True
