"""G4: SIGKILL of all processes at random moments of switching, again and again: whole
old or whole new, and the new where it was acknowledged."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import threading  # noqa: E402

ZONES = ['a.example', 'b.example', 'c.example', 'sub.a.example']
KILLS = 40 if s.sanitized() else 200


def switch_until_killed(d, state):
    """Switches as fast as it goes; state: [acknowledged marker, attempted marker, count]."""
    try:
        with d.control() as c:
            while True:
                to = 3 - state[0]
                state[1] = to
                if to == 2:
                    reply = c.request('cutover', group='g', set='new')
                else:
                    reply = c.request('rollback', group='g')
                if not reply.get('ok'):
                    state[3] = reply
                    return
                state[0] = to
                state[2] += 1
    except (OSError, ValueError):
        pass


@s.case('%d times SIGKILL of all processes at random moments' % KILLS)
def kills():
    d = s.Daemon(workers=2)
    d.start()
    for zone in ZONES:
        d.import_set(zone + '@old', s.marked_zone(zone, 1))
        d.import_set(zone + '@new', s.marked_zone(zone, 2))
    d.must('group-create', group='g')
    d.must('group-add', group='g', zones=ZONES)
    d.must('cutover', group='g', set='old')
    d.must('confirm', group='g')
    state = [1, 1, 0, None]
    undecided = {1: 0, 2: 0}
    serials = {z: d.served_serial(z) for z in ZONES}
    for kill in range(KILLS):
        thread = threading.Thread(target=switch_until_killed, args=(d, state))
        thread.start()
        s.time.sleep(s.random.uniform(0, 0.03))
        d.kill()
        thread.join()
        s.expect(state[3] is None, 'a switch was refused: %s', state[3])
        d.start()
        seen = set()
        for zone in ZONES:
            answer = d.udp(zone, 'SOA', tries=3)
            seen |= s.markers(answer)
            serial = int(answer.rdata('SOA')[0].split()[2])
            s.expect((serial - serials[zone]) % 2**32 < 2**31,
                     "%s's serial went back from %d to %d", zone, serials[zone], serial)
            serials[zone] = serial
        s.expect(len(seen) == 1, 'kill %d: half switched: %s', kill, seen)
        found = seen.pop()
        s.expect(found in state[:2], 'kill %d: served %d; acknowledged %d, attempted %d',
                 kill, found, state[0], state[1])
        if state[1] != state[0]:
            undecided[2 if found == state[1] else 1] += 1
        rows = [d.zone(z) for z in ZONES]
        s.equal({r['live'] for r in rows}, {'old' if found == 1 else 'new'}, 'live')
        s.equal(len({r['state'] for r in rows}), 1, 'the number of states')
        entries = [e['kind'] for e in d.must('history', limit=10)['entries']
                   if e['kind'] in ('cutover', 'rollback')]
        if found == 2:
            s.equal(entries[0], 'cutover', 'the last entry of the history')
        elif len(entries) > 1:
            s.equal(entries[0], 'rollback', 'the last entry of the history')
        state[0] = state[1] = found
    print('    %d acknowledged switches; of the unacknowledged %d were done, %d were not'
          % (state[2], undecided[2], undecided[1]))
    s.expect(state[2] >= KILLS // 4, 'only %d switches were acknowledged', state[2])
    d.fsck()
    d.stop()
    d.check_log()


@s.case('SIGKILL of the writer alone at random moments of switching')
def writer():
    zone = 'shop.example'
    with s.Daemon() as d:
        d.import_set(zone + '@old', s.marked_zone(zone, 1))
        d.import_set(zone + '@new', s.marked_zone(zone, 2))
        d.must('cutover', sets=[zone + '@old'])
        for _ in range(5 if s.sanitized() else 20):
            pid = d.writer()
            killer = threading.Timer(s.random.uniform(0, 0.01), os.kill, (pid, s.signal.SIGKILL))
            killer.start()
            for to in ('new', 'old', 'new', 'old'):
                reply = d.ask('cutover', sets=['%s@%s' % (zone, to)])
                answer = s.markers(d.udp(zone, 'SOA'))
                if reply['ok']:
                    s.equal(answer, {1 if to == 'old' else 2}, 'served after an acknowledged switch')
                else:
                    s.expect(reply['error']['code'] in ('unavailable', 'timeout'),
                             'an unclear failure: %s', reply)
                s.expect(len(answer) == 1, 'mixed: %s', answer)
            killer.join()
            s.wait_until(lambda: d.writer() != pid and d.writer(), 10, 'a new writer')
        reply = d.must('cutover', sets=[zone + '@new'])
        d.fsck()


s.run()
