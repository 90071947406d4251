"""Response rate limits: what a prefix gets of one thing, what becomes of the rest, who is
exempted; to addresses of 127.0.0.0/8, which are exempted only where the configuration says so."""
import os
import re
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s

ZONE = 'shop.example'
RATE = 20


def daemon(**options):
    options = dict(dict(workers=1, rate_limit=RATE, rate_limit_exempt=[]), **options)
    return s.Daemon(**options)


def prepared(d):
    d.import_set(ZONE + '@old', s.marked_zone(ZONE, 1))
    d.must('cutover', sets=[ZONE + '@old'])


def burst(d, source, messages):
    """Sends all at once from an address; (seconds that took, the replies decoded)."""
    begun = s.time.monotonic()
    replies = []
    with s.socket.socket(s.socket.AF_INET, s.socket.SOCK_DGRAM) as u:
        u.bind((source, 0))
        u.connect(('127.0.0.1', d.port))
        for at in range(0, len(messages), 50):
            for m in messages[at:at + 50]:
                u.send(m)
            while True:
                u.settimeout(0.1 if at + 50 < len(messages) else 0.3)
                try:
                    replies.append(s.decode(u.recv(4096)))
                except s.socket.timeout:
                    break
                if len(replies) == len(messages):
                    break
    return s.time.monotonic() - begun, replies


def counts(replies):
    """(whole, truncated)"""
    tc = [r for r in replies if r.tc]
    for r in tc:
        s.expect(not r.answer and not r.authority and not r.additional, 'a truncated reply with records: %s', r)
    return len(replies) - len(tc), len(tc)


def limited(d, source, messages, what):
    seconds, replies = burst(d, source, messages)
    whole, truncated = counts(replies)
    most = RATE * (1 + seconds) + 1
    s.expect(RATE <= whole <= most, '%s: %d whole replies, not %d to %d', what, whole, RATE, most)
    return whole, truncated, replies


@s.case('a burst for one name: the rate of it, the rest truncated; other names, prefixes and TCP go on')
def one_name():
    with daemon() as d:
        prepared(d)
        asks = [s.query('n1.' + ZONE, 'A', id=i, edns=1232) for i in range(200)]
        whole, truncated, replies = limited(d, '127.0.2.1', asks, 'n1')
        s.equal(whole + truncated, 200, 'replies')
        s.expect(all(r.opt and r.qname == 'n1.' + ZONE for r in replies), 'OPT or the question is missing')
        s.equal(counts(burst(d, '127.0.2.200', asks[:5])[1])[0] <= 1, True, 'the same prefix')
        s.equal(counts(burst(d, '127.0.3.1', asks[:5])[1]), (5, 0), 'another prefix')
        s.equal(counts(burst(d, '127.0.2.1', [s.query('n2.' + ZONE)] * 5)[1]), (5, 0), 'another name')
        with s.Tcp(d.port) as t:
            for _ in range(100):
                t.send(s.query('n1.' + ZONE))
            s.expect(all(not s.decode(t.receive()).tc for _ in range(100)), 'TCP is limited')
        stats = d.must('stats')['total']
        s.expect(stats['rate_limit_truncated'] >= truncated and stats['rate_limit_dropped'] == 0, 'counters: %s', stats)
        s.equal(stats['rate_limit_prefixes'], 1, 'prefixes')
        found = re.findall(r'responses to (\S+) are limited to (\d+) a second \((\w+), asked for (\S+)\)', d.log_text())
        s.equal(found, [('127.0.2.0/24', str(RATE), 'positive', 'n1.' + ZONE)], 'the log')
        s.wait_until(lambda: 'responses to 127.0.2.0/24 are limited no more' in d.log_text(), 15, 'the end in the log')
        s.equal(d.must('stats')['total']['rate_limit_prefixes'], 0, 'prefixes at the end')
        s.equal(counts(burst(d, '127.0.2.1', asks[:RATE])[1]), (RATE, 0), 'afterwards')


@s.case('names without end count as one: NXDOMAIN by zone, wildcard, delegation; errors together')
def made_up_names():
    with daemon() as d:
        prepared(d)
        for i, (what, name, rcode) in enumerate((
                ('NXDOMAIN', 'none-%d.' + ZONE, 'NXDOMAIN'), ('wildcard', 'x%d.wild.' + ZONE, 'NOERROR'),
                ('delegation', 'x%d.sub.' + ZONE, 'NOERROR'), ('errors', 'x%d.elsewhere', 'REFUSED'))):
            asks = [s.query(name % n) for n in range(100)]
            replies = limited(d, '127.0.%d.1' % (10 + i), asks, what)[2]
            s.equal({r.rcode for r in replies}, {rcode}, what)
        # the prefix that is limited in one kind is not in another
        s.equal(counts(burst(d, '127.0.10.1', [s.query('n1.' + ZONE)] * 5)[1]), (5, 0), 'positive beside NXDOMAIN')


@s.case('slip: one in so many truncated, the others dropped')
def slip():
    for n in (0, 3):
        with daemon(rate_limit_slip=n) as d:
            prepared(d)
            asks = [s.query('n1.' + ZONE, id=i) for i in range(RATE + 90)]
            whole, truncated, _ = limited(d, '127.0.2.1', asks, 'slip %d' % n)
            over = len(asks) - whole
            s.expect(abs(truncated - (over / n if n else 0)) < 1, 'slip %d: %d of %d truncated', n, truncated, over)
            stats = d.must('stats')['total']
            s.equal((stats['rate_limit_truncated'], stats['rate_limit_dropped']), (truncated, over - truncated), 'counters')


@s.case('who is exempted: loopback as shipped, prefixes of the configuration, who has a valid cookie')
def exempted():
    with s.Daemon(workers=1, rate_limit=RATE) as d:
        prepared(d)
        s.equal(counts(burst(d, '127.0.2.1', [s.query('n1.' + ZONE)] * 200)[1]), (200, 0), 'loopback')
    with daemon(rate_limit_exempt=['127.0.4.0/25']) as d:
        prepared(d)
        asks = [s.query('n1.' + ZONE)] * 100
        s.equal(counts(burst(d, '127.0.4.127', asks)[1]), (100, 0), 'exempted')
        limited(d, '127.0.4.128', asks, 'not exempted')
        asks = [s.query('n1.' + ZONE, edns=1232, options=struct.pack('>HH', 10, 8) + b'8 octets')] * 100
        cookie = limited(d, '127.0.5.1', asks, 'without a cookie of ours')[2][-1].opt['raw']
        s.expect(cookie[:4] == b'\0\x0a\0\x18', 'no cookie came: %r', cookie)
        asks = [s.query('n1.' + ZONE, edns=1232, options=cookie)] * 100
        s.equal(counts(burst(d, '127.0.5.1', asks)[1]), (100, 0), 'with a cookie')
        s.equal(counts(burst(d, '127.0.5.2', asks)[1])[0] <= RATE + 1, True, "with another's cookie")


@s.case('reload: a new rate counts at once, the same one forgets nothing')
def reloaded():
    with daemon() as d:
        prepared(d)
        asks = [s.query('n1.' + ZONE)] * 100

        def reload(**options):
            d.options.update(options)
            d.write_conf()
            reply = d.must('reload')
            return reply['changed']
        limited(d, '127.0.2.1', asks, 'first')
        s.equal(reload(identity='x'), ['identity'], 'changed')
        s.expect(counts(burst(d, '127.0.2.1', asks[:10])[1])[0] < 10, 'the limit was forgotten')
        s.equal(reload(rate_limit=0), ['rate-limit'], 'changed')
        s.equal(counts(burst(d, '127.0.2.1', asks)[1]), (100, 0), 'without a limit')
        s.equal(reload(rate_limit=RATE, rate_limit_exempt=['127.0.2.0/24']), ['rate-limit', 'rate-limit-exempt'], 'changed')
        s.equal(counts(burst(d, '127.0.2.1', asks)[1]), (100, 0), 'exempted')
        limited(d, '127.0.3.1', asks, 'limited again')


s.run()
