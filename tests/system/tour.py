"""README's five minutes: each command of the tour, in its order, gives what stands there, but for
times, ports, numbers that a machine's speed decides, and who did it."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import pwd  # noqa: E402
import re  # noqa: E402

PORT = 5300


def tour():
    """[(command, output)] of all blocks of the section."""
    with open(os.path.join(s.SRC, 'README.md')) as f:
        section = f.read().split('### Five minutes\n')[1].split('\n## ')[0]
    steps = []
    for block in re.findall(r'^```\n(.*?)^```$', section, re.M | re.S):
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
    return [re.sub(r' +', ' ', line).rstrip() for line in text.splitlines()]


def dig(d, command):
    """`dig @127.0.0.1 -p PORT NAME TYPE +short`, by a client of our own."""
    found = re.fullmatch(r'dig @127\.0\.0\.1 -p %d (\S+) (\S+) \+short' % PORT, command)
    s.expect(found, 'a dig that this test does not know: %s', command)
    rdata = d.udp(found.group(1), found.group(2)).rdata(found.group(2))
    if found.group(2) == 'SOA':
        rdata = [' '.join([n + '.' for n in r.split()[:2]] + r.split()[2:]) for r in rdata]
    return rdata


def shell(d, command):
    env = dict(os.environ, SCHWENK_SOCKET=d.socket_path, PATH=os.path.dirname(s.SCHWENK) + ':' + os.environ['PATH'])
    done = s.subprocess.run(['/bin/sh', '-c', command], cwd=s.SRC, env=env, stdin=s.subprocess.DEVNULL, stdout=s.subprocess.PIPE,
                            stderr=s.subprocess.STDOUT, text=True, timeout=60)
    return done.stdout.splitlines()


@s.case("README's tour, command by command")
def readme():
    steps = tour()
    s.expect(len(steps) > 15, 'only %d commands were found', len(steps))
    with s.Daemon() as d:
        for command, wanted in steps:
            found = dig(d, command) if command.startswith('dig ') else shell(d, command)
            s.equal(without_chance(found), without_chance(wanted), '$ %s' % command)


s.run()
