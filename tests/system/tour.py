"""README's tours: each command, in its order, gives what stands there, but for times, ports, key
tags, sizes of images, numbers that a machine's speed decides, and who did it."""
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import pwd  # noqa: E402
import re  # noqa: E402

PORT = 5300


def section(title):
    with open(os.path.join(s.SRC, 'README.md')) as f:
        return re.split(r'\n##+ ', f.read().split('### %s\n' % title)[1])[0]


def blocks(title, language=''):
    return [text for kind, text in re.findall(r'^```(\w*)\n(.*?)^```$', section(title), re.M | re.S) if kind == language]


def tour(title):
    """[(command, output)] of all blocks of the section."""
    steps = []
    for block in blocks(title):
        for line in block.splitlines():
            if line.startswith('$ '):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return steps


def without_chance(lines):
    """What is the same in every run."""
    text = '\n'.join(lines)
    text = re.sub(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d', 'TIME', text)
    text = re.sub(r'after [\d.]+ ms', 'after N ms', text)
    text = re.sub(r'up \d+ \w+( \d+ \w+)?', 'up N s', text)
    text = re.sub(r'[\d.]+ % of their maps', 'N % of their maps', text)
    text = re.sub(r'\b(by|TIME) %s\b' % pwd.getpwuid(os.geteuid()).pw_name, r'\1 USER', text)
    text = re.sub(r'\b(by|TIME) root\b', r'\1 USER', text)
    text = re.sub(r'^TIME', ' TIME', text)
    text = re.sub(r'\bthe key \d+', 'the key N', text)
    text = re.sub(r'\b[0-9a-f]{32}\b', 'HASH', text)
    text = re.sub(r'[\d.]+ KiB', 'N KiB', text)
    return [re.sub(r' +', ' ', line).rstrip() for line in text.splitlines()]


def dig(d, command):
    """`dig @127.0.0.1 -p PORT NAME TYPE +short`, by a client of our own."""
    found = re.fullmatch(r'dig @127\.0\.0\.1 -p %d (\S+) (\S+) \+short' % PORT, command)
    s.expect(found, 'a dig that this test does not know: %s', command)
    rdata = d.udp(found.group(1), found.group(2)).rdata(found.group(2))
    if found.group(2) == 'SOA':
        rdata = [' '.join([n + '.' for n in r.split()[:2]] + r.split()[2:]) for r in rdata]
    return rdata


def shell(d, command, cwd):
    env = dict(os.environ, SCHWENK_SOCKET=d.socket_path, PATH=os.path.dirname(s.SCHWENK) + ':' + os.environ['PATH'])
    done = s.subprocess.run(['/bin/sh', '-c', command], cwd=cwd, env=env, stdin=s.subprocess.DEVNULL, stdout=s.subprocess.PIPE,
                            stderr=s.subprocess.STDOUT, text=True, timeout=60)
    return done.stdout.splitlines()


def follow(d, title, cwd, least):
    steps = tour(title)
    s.expect(len(steps) >= least, 'only %d commands were found', len(steps))
    for command, wanted in steps:
        found = dig(d, command) if command.startswith('dig ') else shell(d, command, cwd)
        s.equal(without_chance(found), without_chance(wanted), '$ %s' % command)


@s.case("README's tour, command by command")
def readme():
    with s.Daemon() as d:
        follow(d, 'Five minutes', s.SRC, 16)


@s.case("a zone that is signed elsewhere, by README's own commands")
def signed():
    for program in ('ldns-keygen', 'ldns-signzone', 'ldns-read-zone'):
        if not shutil.which(program):
            raise s.Skip('needs %s (Debian package ldnsutils)' % program)
    title = 'A zone that is signed elsewhere'
    signer = ''.join(blocks(title, 'sh'))
    with s.Daemon() as d:
        cwd = os.path.join(d.dir, 'signer')
        os.mkdir(cwd)
        for which in ('old', 'new'):
            shutil.copy(os.path.join(s.SRC, 'zones', 'shop.example.%s.zone' % which), cwd)
        done = s.subprocess.run(['/bin/sh', '-ec', signer], cwd=cwd, capture_output=True, text=True, timeout=60)
        s.equal((done.returncode, done.stderr), (0, ''), 'signing')
        follow(d, title, cwd, 12)


s.run()
