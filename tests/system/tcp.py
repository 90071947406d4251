"""TCP as RFC 7766 and RFC 9210 ask: queries in any pieces and numbers, clients that read
slowly or not at all, half-closed and broken connections, caps, switches."""
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s

ZONE = 'shop.example'
BIG = 3900              # addresses of big.ZONE: a reply of 62 KB


def text(marker):
    big = ''.join('big A 10.%d.%d.%d\n' % (marker, 100 + i // 250, i % 250) for i in range(BIG))
    return s.marked_zone(ZONE, marker, names=300) + big


def daemon(**options):
    return s.Daemon(**dict(dict(workers=1), **options))


def prepared(d):
    for name, marker in (('old', 1), ('new', 2)):
        d.import_set('%s@%s' % (ZONE, name), text(marker))
    d.must('cutover', sets=[ZONE + '@old'])


def framed(name, rrtype='A', **keys):
    message = s.query(name, rrtype, **keys)
    return struct.pack('>H', len(message)) + message


class From(s.Tcp):
    """A connection from an address of 127.0.0.0/8; receive_buffer bounds what the kernel takes for us."""

    def __init__(self, d, source='127.0.0.1', timeout=5.0, receive_buffer=None):
        self.sock = s.socket.socket(s.socket.AF_INET, s.socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.setsockopt(s.socket.IPPROTO_TCP, s.socket.TCP_NODELAY, 1)
        if receive_buffer:
            self.sock.setsockopt(s.socket.SOL_SOCKET, s.socket.SO_RCVBUF, receive_buffer)
        self.sock.bind((source, 0))
        self.sock.connect(('127.0.0.1', d.port))
        self.rest = b''

    def ask(self, name='n1.' + ZONE, **keys):
        self.sock.sendall(framed(name, **keys))
        reply = self.receive()
        return reply and s.decode(reply)

    def open(self):
        """Whether the daemon has not closed it, as far as one can see without a word."""
        self.sock.setblocking(False)
        try:
            return self.sock.recv(1, s.socket.MSG_PEEK) != b''
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        finally:
            self.sock.settimeout(5.0)


def stats(d):
    return d.must('stats')['total']


def descriptors(d):
    return len(os.listdir('/proc/%d/fd' % d.workers()[0]))


@s.case('queries cut at every octet, alone and between two others')
def every_octet():
    with daemon() as d:
        prepared(d)
        one = framed('n1.' + ZONE, id=1, edns=1232)
        three = framed('n2.' + ZONE, id=2) + one + framed('n3.' + ZONE, id=3)
        for message, ids in ((one, [1]), (three, [2, 1, 3])):
            for cut in range(1, len(message)):
                with From(d) as t:
                    t.sock.sendall(message[:cut])
                    s.time.sleep(0.002)
                    t.sock.sendall(message[cut:])
                    found = [s.decode(t.receive()) for _ in ids]
                    s.equal(sorted(m.id for m in found), sorted(ids), 'cut at %d: the ids' % cut)
                    s.expect(all(m.rdata('A') for m in found), 'cut at %d: no address', cut)
        with From(d) as t:
            for octet in three:
                t.sock.sendall(bytes([octet]))
            s.equal(len([t.receive() for _ in range(3)]), 3, 'octet by octet')
        s.equal(stats(d)['tcp_malformed'], 0, 'malformed')


@s.case('a thousand queries at once: each is answered, the large ones, too')
def pipelined():
    with daemon() as d:
        prepared(d)
        with From(d, timeout=20) as t:
            t.sock.sendall(b''.join(framed('n%d.%s' % (i % 300, ZONE), id=i) for i in range(1000)))
            found = {}
            for _ in range(1000):
                m = s.decode(t.receive())
                found[m.id] = (m.qname, len(m.rdata('A')))
            s.equal(found, {i: ('n%d.%s' % (i % 300, ZONE), 1) for i in range(1000)}, 'the replies')
        with From(d, timeout=20) as t:
            t.sock.sendall(b''.join(framed(('big.' if i % 3 else 'n1.') + ZONE, id=i) for i in range(200)))
            found = {}
            for _ in range(200):
                m = s.decode(t.receive())
                found[m.id] = (m.tc, len(m.rdata('A')))
            s.equal(found, {i: (False, BIG if i % 3 else 1) for i in range(200)}, 'the replies')


@s.case('a reader that is slow gets all, one that takes next to nothing or stops is closed; nobody waits for either')
def slow_readers():
    with daemon(tcp_read_timeout=1) as d:
        prepared(d)
        many = b''.join(framed('big.' + ZONE, id=i) for i in range(300))
        slow, drips, stopped = [From(d, '127.0.0.%d' % i, receive_buffer=8192) for i in (2, 3, 4)]
        for t in (slow, drips, stopped):
            t.sock.sendall(many)
        got = {slow: 0, drips: 0}
        begun = s.time.monotonic()
        while s.time.monotonic() - begun < 5:
            for t, octets in ((slow, 100000), (drips, 50)):
                t.sock.settimeout(0.01)
                try:
                    got[t] += len(t.sock.recv(octets))
                except (s.socket.timeout, ConnectionError):
                    pass
            s.expect(d.udp('n1.' + ZONE, timeout=1).rdata('A'), 'UDP beside them')
            s.expect(From(d).ask().rdata('A'), 'TCP beside them')
        s.equal(stats(d)['tcp_timed_out'], 2, 'connections closed')
        s.expect(got[slow] > 500000, 'the slow one got %d octets only', got[slow])
        slow.sock.settimeout(10)
        whole = 300 * (2 + len(From(d).ask('big.' + ZONE).rdata('A')) * 16 + 12 + len(s.wire_name('big.' + ZONE)) + 4)
        while got[slow] < whole:
            got[slow] += len(slow.sock.recv(1 << 20)) or whole
        s.equal(got[slow], whole, 'octets that the slow one got')
        for t in (slow, drips, stopped):
            t.close()


@s.case('half-closed: what was asked is answered, then the end; broken off: nothing stays behind')
def half_closed():
    with daemon() as d:
        prepared(d)
        with From(d) as t:
            t.sock.sendall(b''.join(framed('big.' + ZONE, id=i) for i in range(100)))
            t.sock.shutdown(s.socket.SHUT_WR)
            s.equal([s.decode(t.receive()).id for _ in range(100)], list(range(100)), 'the ids')
            s.expect(t.closed(2), 'it is not closed')
        with From(d) as t:
            t.sock.sendall(framed('n1.' + ZONE)[:-1])
            t.sock.shutdown(s.socket.SHUT_WR)
            s.expect(t.receive() is None, 'a reply to half a query')
        with From(d) as t:
            t.sock.shutdown(s.socket.SHUT_WR)
            s.expect(t.closed(2), 'one that asks nothing is not closed')
        before = descriptors(d)
        for i in range(200):
            t = From(d)
            t.sock.sendall((framed('big.' + ZONE) * (i % 5))[:random.randrange(1, 200)])
            t.sock.setsockopt(s.socket.SOL_SOCKET, s.socket.SO_LINGER, struct.pack('ii', 1, 0))
            t.close()
        s.wait_until(lambda: descriptors(d) <= before, 5, 'the descriptors to be closed')
        s.equal(stats(d)['tcp_connections'], 0, 'connections')


@s.case('lengths that are none: 0 and less than a header close, behind what was asked before; 65,535 does not')
def lengths():
    with daemon() as d:
        prepared(d)
        for length in list(range(0, 12)):
            with From(d) as t:
                t.sock.sendall(framed('n1.' + ZONE, id=5) + struct.pack('>H', length) + b'x' * length)
                s.equal(s.decode(t.receive()).id, 5, 'the query before length %d' % length)
                s.expect(t.closed(2), 'length %d: not closed', length)
        s.equal(stats(d)['tcp_malformed'], 12, 'malformed')
        with From(d) as t:
            t.sock.sendall(b'\xff\xff' + s.query('n1.' + ZONE, id=6) + bytes(65535 - len(s.query('n1.' + ZONE))))
            m = s.decode(t.receive())
            s.equal((m.id, m.rcode), (6, 'FORMERR'), 'the longest message')
            s.equal(t.ask(id=7).id, 7, 'the query behind it')
            t.sock.sendall(b'\0\x0c' + struct.pack('>HH', 8, 0x8000) + bytes(8))        # a response: no reply
            s.equal(t.ask(id=9).id, 9, 'the query behind a response')


@s.case('time-outs: idle, half a query, the option keepalive')
def time_outs():
    with daemon(tcp_idle_timeout=2, tcp_read_timeout=1) as d:
        prepared(d)

        def lasts(t):
            begun = s.time.monotonic()
            s.expect(t.closed(6), 'it is not closed')
            return s.time.monotonic() - begun
        with From(d) as t:
            s.expect(1.5 < lasts(t) < 4, 'one that never asked')
        with From(d) as t:
            m = t.ask(edns=1232, options=b'\0\x0b\0\0')
            s.equal(m.opt['raw'], b'\0\x0b\0\x02\0\x14', 'the option of the reply')
            s.time.sleep(1.5)
            s.expect(t.ask(), 'within the time that was promised')
            s.expect(1.5 < lasts(t) < 4, 'idle')
        with From(d) as t:
            t.ask()
            begun = s.time.monotonic()
            try:
                for octet in framed('n1.' + ZONE) * 3:          # 99 octets: one whole query after 1.6 s
                    t.sock.sendall(bytes([octet]))
                    s.time.sleep(0.05)
                    if not t.open():
                        break
            except ConnectionError:
                pass
            s.expect(0.7 < s.time.monotonic() - begun < 1.6, 'half a query lasted %.1f s', s.time.monotonic() - begun)


@s.case('the cap of all: whoever comes is served, the longest idle goes')
def cap_of_all():
    with daemon(tcp_connections=20, tcp_connections_per_client=20) as d:
        prepared(d)
        conns = []
        for i in range(50):
            conns.append(From(d, '127.0.1.%d' % (1 + i)))
            s.expect(conns[-1].ask(), 'number %d is not served', i)
        s.wait_until(lambda: not conns[29].open(), 5, 'the longest idle to be closed')
        s.equal([t.open() for t in conns], [False] * 30 + [True] * 20, 'who is still there')
        s.expect(conns[30].ask(), 'the oldest that is left')
        conns.append(From(d, '127.0.1.100'))
        s.expect(conns[-1].ask(), 'one more')
        s.wait_until(lambda: not conns[31].open(), 5, 'the one that is idle for longest now')
        s.expect(conns[30].open(), 'who has just asked is closed')
        s.equal(stats(d)['tcp_evicted'], 31, 'evicted')
        # connections that are busy sending are there for longer, and go last
        for t in conns:
            t.close()
        s.wait_until(lambda: stats(d)['tcp_connections'] == 0, 5, 'all to be closed')
        half = [From(d, '127.0.2.%d' % (1 + i)) for i in range(20)]
        for t in half:
            t.sock.sendall(framed('n1.' + ZONE)[:5])
        s.wait_until(lambda: stats(d)['tcp_connections'] == 20, 5, 'all to be there')
        s.time.sleep(0.2)
        s.expect(From(d, '127.0.3.1').ask(), 'one more beside half-sent queries')
        for t in half:
            t.close()


@s.case("a client's cap: its own longest idle goes, nobody else's")
def cap_of_client():
    with daemon(tcp_connections=50, tcp_connections_per_client=5) as d:
        prepared(d)
        other = From(d, '127.0.1.1')
        other.ask()
        conns = []
        for i in range(60):
            conns.append(From(d, '127.0.1.2'))
            s.expect(conns[-1].ask(), 'number %d is not served', i)
        s.wait_until(lambda: not conns[54].open(), 5, 'the longest idle to be closed')
        s.equal([t.open() for t in conns], [False] * 55 + [True] * 5, 'who is still there')
        s.expect(other.open() and other.ask(), "another's connection was closed")
        found = stats(d)
        s.equal((found['tcp_evicted'], found['tcp_client_evicted'], found['tcp_connections']), (0, 55, 6), 'counters')
        # idle ones go before those in the middle of a query
        conns[55].sock.sendall(framed('n1.' + ZONE)[:5])
        s.time.sleep(0.2)
        conns.append(From(d, '127.0.1.2'))
        s.expect(conns[-1].ask(), 'one more')
        s.wait_until(lambda: not conns[56].open(), 5, 'the longest idle to be closed')
        conns[55].sock.sendall(framed('n1.' + ZONE)[5:])
        s.expect(conns[55].receive(), 'who is in the middle of a query is closed')
        d.options['tcp_connections_per_client'] = 1
        d.write_conf()
        s.equal(d.must('reload')['changed'], ['tcp-connections-per-client'], 'changed')
        conns.append(From(d, '127.0.1.2'))
        s.expect(conns[-1].ask(), 'one more, of one')
        s.wait_until(lambda: stats(d)['tcp_connections'] == 2, 5, 'all but one to be closed')


@s.case('hundreds of connections at once, random pieces: every query is answered')
def many_at_once():
    with daemon(tcp_connections=600) as d:
        prepared(d)
        draw = random.Random(1)
        conns = [From(d, '127.0.1.%d' % (1 + i % 64), timeout=20) for i in range(500)]
        left = {}
        for t in conns:
            left[t] = b''.join(framed('n%d.%s' % (draw.randrange(300), ZONE), id=i) for i in range(draw.randrange(1, 30)))
        asked = {t: 0 for t in conns}
        for t in conns:
            at = 0
            while at < len(left[t]):
                at += 2 + struct.unpack_from('>H', left[t], at)[0]
                asked[t] += 1
        while left:
            for t in draw.sample(list(left), min(100, len(left))):
                n = draw.randrange(1, 200)
                t.sock.sendall(left[t][:n])
                left[t] = left[t][n:]
                if not left[t]:
                    del left[t]
        for t in conns:
            s.equal(sorted(s.decode(t.receive()).id for _ in range(asked[t])), list(range(asked[t])), 'the ids')
            s.expect(t.open(), 'it was closed')
        s.equal(stats(d)['tcp_queries'], sum(asked.values()), 'queries')
        for t in conns:
            t.close()


@s.case('switches: no connection is closed, what is sent afterwards is answered from the new set')
def switches():
    with daemon(workers=2) as d:
        prepared(d)
        conns = [From(d, '127.0.1.%d' % (1 + i)) for i in range(20)]
        for i in range(30):
            marker = 2 - i % 2
            # in the middle of a query while it is switched
            half = framed('n1.' + ZONE, id=i)
            for t in conns[:10]:
                t.sock.sendall(half[:len(half) // 2])
            d.must('cutover', sets=[ZONE + ('@new' if marker == 2 else '@old')])
            for t in conns[:10]:
                t.sock.sendall(half[len(half) // 2:])
            for t in conns[10:]:
                t.sock.sendall(half)
            for t in conns:
                s.equal(s.markers(s.decode(t.receive())), {marker}, 'round %d' % i)
        s.expect(all(t.open() for t in conns), 'a connection was closed')
        for t in conns:
            t.close()


s.run()
