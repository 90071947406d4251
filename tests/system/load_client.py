"""The load client's verdict: a false server breaks each promise once, and
dnsload must notice. What cannot fail proves nothing."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import socket  # noqa: E402
import struct  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402


class FalseServer:
    """Answers every A question with the addresses that answer(query number) gives."""

    def __init__(self, answer):
        self.dir = tempfile.mkdtemp(prefix='schwenk-test-')
        self.port = s.free_port()
        self.answer, self.count = answer, 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(('127.0.0.1', self.port))
        self.udp.settimeout(0.1)
        self.ending = False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.ending:
            try:
                msg, peer = self.udp.recvfrom(4096)
            except socket.timeout:
                continue
            self.count += 1
            addresses = self.answer(self.count)
            if addresses is None:
                continue
            out = msg[:2] + struct.pack('>HHHHH', 0x8400, 1, len(addresses), 0, 0) + msg[12:]
            for address in addresses:
                out += struct.pack('>HHHIH', 0xc00c, 1, 1, 60, 4) + socket.inet_aton(address)
            self.udp.sendto(out, peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending = True
        self.thread.join()
        self.udp.close()
        s.shutil.rmtree(self.dir, ignore_errors=True)


def judge(answer, switches=lambda load: time.sleep(0.4)):
    with FalseServer(answer) as server, \
            s.Load(server, [('www.shop.example', 'A')], udp=2, tcp=0, window=2, rate=1000) as load:
        switches(load)
        return load.finish()


def only(verdict, wrong):
    for key in ('mixed', 'old', 'half', 'unmarked', 'other_rcode', 'unanswered'):
        s.expect((verdict[key] > 0) == (key == wrong), '%s: %d: %s', key, verdict[key], verdict)


@s.case('a right server passes')
def right():
    verdict = judge(lambda n: ['10.1.0.1', '10.1.0.2'])
    only(verdict, None)
    s.unmixed(verdict)


@s.case('one answer with records of two sets is noticed')
def mixed():
    only(judge(lambda n: ['10.1.0.1', '10.2.0.1'] if n == 50 else ['10.1.0.1']), 'mixed')


@s.case('one answer from the old set after the acknowledgement is noticed')
def old():
    live = [1]

    def switches(load):
        time.sleep(0.2)
        load.begun(2)
        live[0] = 2
        time.sleep(0.05)
        load.acknowledged(2)
        time.sleep(0.2)
        live[0] = 1
        time.sleep(0.05)
        live[0] = 2
        time.sleep(0.1)

    verdict = judge(lambda n: ['10.%d.0.1' % live[0]], switches)
    s.expect(verdict['old'] > 0, 'the old answers passed: %s', verdict)


@s.case('an old answer after a new one, before the acknowledgement, is noticed')
def half():
    state = {'switching': False, 'n': 0}

    def answer(_):
        state['n'] += state['switching']
        # new once, then old again while the switch is still under way
        return ['10.2.0.1' if state['n'] == 1 or state.get('done') else '10.1.0.1']

    def switches(load):
        time.sleep(0.2)
        load.begun(2)
        state['switching'] = True
        time.sleep(0.2)
        state['done'] = True
        time.sleep(0.05)
        load.acknowledged(2)
        time.sleep(0.1)

    only(judge(answer, switches), 'half')


@s.case('a foreign set while nothing is switched is noticed')
def foreign():
    only(judge(lambda n: ['10.3.0.1'] if n == 40 else ['10.1.0.1']), 'old')


@s.case('an unanswered query is noticed')
def unanswered():
    only(judge(lambda n: None if n == 60 else ['10.1.0.1']), 'unanswered')


@s.case('an answer without records is noticed')
def unmarked():
    only(judge(lambda n: [] if n == 60 else ['10.1.0.1']), 'unmarked')


s.run()
