"""Cookies and what else a query's options ask for: of all workers alike, over a
worker's death, a reload, two servers with one file of secrets."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import signal  # noqa: E402
import struct  # noqa: E402

CLIENT = b'a client'
ONE, TWO = 'e5e973e5a6b2a43f48e7dc849e37bfcf', 'dd3bdf9344b678b185a6f5cb60fca715'


def options(message):
    raw, found, at = message.opt['raw'], {}, 0
    while at + 4 <= len(raw):
        code, size = struct.unpack_from('>HH', raw, at)
        found[code] = raw[at + 4:at + 4 + size]
        at += 4 + size
    return found


def only_a_cookie(cookie):
    """RFC 7873 5.4: whether a cookie is good shows without a question."""
    return struct.pack('>6H', 7, 0, 0, 0, 0, 1) + b'\0' + struct.pack('>HHIHHH', 41, 1232, 0, 4 + len(cookie), 10, len(cookie)) + cookie


def ask(d, cookie, tcp=False):
    """(rcode, the server's cookie)"""
    if tcp:
        with s.Tcp(d.port) as c:
            c.send(only_a_cookie(cookie))
            m = s.decode(c.receive())
    else:
        m = s.decode(s.udp_raw(d.port, only_a_cookie(cookie)))
    got = options(m)[10]
    s.equal((got[:8], len(got)), (cookie[:8], 24), 'the cookie sent back')
    return m.rcode, got


def good_everywhere(d, cookie):
    """From many ports, so that every worker is asked; and over TCP."""
    for i in range(20):
        s.equal(ask(d, cookie, tcp=i % 4 == 0)[0], 'NOERROR', 'a good cookie')


def write_secrets(path, *secrets):
    with open(path + '.new', 'w') as f:
        os.fchmod(f.fileno(), 0o640)
        f.write(''.join(line + '\n' for line in secrets))
    os.rename(path + '.new', path)


@s.case('made-up secrets: all workers have the same, also one that was started anew')
def made_up():
    with s.Daemon(workers=2) as d:
        rcode, cookie = ask(d, CLIENT)
        s.equal(rcode, 'NOERROR', "only a client's cookie")
        good_everywhere(d, cookie)
        s.equal(ask(d, cookie[:-1] + bytes([cookie[-1] ^ 1]))[0], 'BADCOOKIE', 'a forged one')
        d.faults_expected = True
        old = set(d.workers())
        os.kill(min(old), signal.SIGKILL)
        s.wait_until(lambda: len(set(d.workers()) - old) == 1, 10, 'a new worker')
        good_everywhere(d, cookie)
        d.must('reload')
        good_everywhere(d, cookie)
        s.expect(sum(w['cookies'] for w in d.must('stats')['workers']) > 0, 'good cookies are counted')


@s.case('a file of secrets: two servers understand each other, rolled over by reload')
def from_file():
    a, b = s.Daemon(), s.Daemon()
    paths = [os.path.join(d.dir, 'secrets') for d in (a, b)]
    for d, path in zip((a, b), paths):
        write_secrets(path, '# of June', ONE)
        d.options['cookie_secrets'] = path
    with a, b:
        cookie = ask(a, CLIENT)[1]
        good_everywhere(b, cookie)
        # the new one is second, then first, then alone
        for d, path in zip((a, b), paths):
            write_secrets(path, ONE, TWO)
            s.equal(d.must('reload')['changed'], ['cookie-secrets'], 'what a reload found changed')
        good_everywhere(a, cookie)
        write_secrets(paths[0], TWO, ONE)
        a.must('reload')
        good_everywhere(a, cookie)
        renewed = ask(a, cookie)[1]
        s.expect(renewed != cookie, 'a cookie of the old secret is renewed')
        good_everywhere(b, renewed)
        write_secrets(paths[0], TWO)
        a.must('reload')
        s.equal(a.must('reload')['changed'], [], 'nothing changed')
        good_everywhere(a, renewed)
        s.equal(ask(a, cookie)[0], 'BADCOOKIE', 'a cookie of a secret that is gone')


@s.case('a file that is wrong: no start, and a reload changes nothing')
def wrong_file():
    d = s.Daemon()
    path = os.path.join(d.dir, 'secrets')
    d.options['cookie_secrets'] = path
    d.faults_expected = True
    d.spawn()
    s.expect(d.process.wait(10) != 0, 'it started without its secrets')
    s.expect(path in d.log_text(), 'the log does not say why')
    write_secrets(path, ONE)
    with d:
        cookie = ask(d, CLIENT)[1]
        write_secrets(path, 'abc')
        error = d.refused('parse', 'reload')
        s.expect(path + ':1' in error['message'] and 'abc' not in error['message'], 'it says %s', error)
        good_everywhere(d, cookie)


@s.case("a zone's version comes with the answer, before and after a switch")
def zone_version():
    with s.Daemon() as d:
        d.import_set('shop.example', s.marked_zone('shop.example', 1, serial=7))
        asked = dict(edns=1232, options=struct.pack('>HH', 19, 0))
        m = d.udp('n1.shop.example', 'A', **asked)
        s.equal(options(m)[19], struct.pack('>BBI', 2, 0, 7), 'before')
        d.import_set('shop.example@new', s.marked_zone('shop.example', 2, serial=9))
        d.must('cutover', sets=['shop.example@new'])
        m = d.udp('n1.shop.example', 'A', **asked)
        s.equal((options(m)[19], m.rdata('A')), (struct.pack('>BBI', 2, 0, 9), ['10.2.1.2']), 'after')
        s.expect(19 not in options(d.udp('n1.shop.example', 'A', edns=1232)), 'not asked for')


s.run()
