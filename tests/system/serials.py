"""G7: the SOA serial served rises with every change of what is served."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
ZONE = 'shop.example'


class Rising:
    """Checks after each step that the serial served moved forward (or stayed)."""

    def __init__(self, daemon):
        self.daemon, self.last = daemon, daemon.served_serial(ZONE)

    def rose(self, what):
        now = self.daemon.served_serial(ZONE)
        s.expect(0 < (now - self.last) % 2**32 < 2**31, '%s: the serial went from %d to %d',
                 what, self.last, now)
        s.equal(self.daemon.zone(ZONE)['serial'], now, 'the serial of zone-show')
        negative = self.daemon.udp('none.' + ZONE).rdata('SOA', 'authority')[0]
        s.equal(int(negative.split()[2]), now, 'the serial in a negative answer')
        self.last = now

    def stayed(self, what):
        s.equal(self.daemon.served_serial(ZONE), self.last, 'the serial after ' + what)


@s.case('the tool says when a serial was raised, and only then')
def told():
    with s.Daemon() as d:
        for serial, served in ((5, 5), (5, 6), (3, 7), (9, 9)):
            text = d.file('zone', s.marked_zone(ZONE, 1, names=served, serial=serial))
            err = d.tool('import', ZONE, text, json_out=False)[2]
            s.equal(d.served_serial(ZONE), served, 'the serial of %d' % serial)
            s.equal('%d is not ahead of what was served: it was raised to %d' % (serial, served) in err, serial != served, err)
            s.equal('raised' in err, serial != served, err)


@s.case('there, back, edits and reloads: always forward')
def forward():
    with s.Daemon() as d:
        d.import_set(ZONE + '@old', s.marked_zone(ZONE, 1, serial=2026010100))
        d.import_set(ZONE + '@new', s.marked_zone(ZONE, 2, serial=2026010105))
        reply = d.must('cutover', sets=[ZONE + '@old'])
        s.equal(d.served_serial(ZONE), 2026010100, 'the first serial: the set\'s own')
        serial = Rising(d)
        reply = d.must('cutover', sets=[ZONE + '@new'])
        serial.rose('cutover')
        s.equal(serial.last, 2026010105, "the set's own serial, as it is ahead")
        s.equal((reply['zones'][0]['from_serial'], reply['zones'][0]['to_serial']),
                (2026010100, 2026010105), 'the serials of the reply')
        d.must('rollback', zones=[ZONE])
        serial.rose('rollback')
        s.equal(serial.last, 2026010106, 'after the way back: served + 1')
        d.must('rollback', zones=[ZONE])
        serial.stayed('a rollback of what is back already')
        d.must('cutover', sets=[ZONE + '@new'])
        serial.rose('cutover again')
        d.must('cutover', sets=[ZONE + '@new'])
        serial.stayed('a cutover to the live set')
        d.must('record', set=ZONE, text='add added 300 A 10.2.9.9\n')
        serial.rose('record add')
        d.must('record', set=ZONE + '@old', text='add added 300 A 10.1.9.9\n')
        serial.stayed('an edit of a set that is not live')
        d.must('confirm', zones=[ZONE])
        serial.stayed('confirm')
        d.import_set(ZONE, s.marked_zone(ZONE, 3, serial=5))
        serial.rose('the reload of a file with a lower serial')
        reply = d.import_set(ZONE, s.marked_zone(ZONE, 3, serial=6))
        s.equal(reply['outcome'], 'unchanged', 'the reload of the same records')
        serial.stayed('a reload without changes')
        d.import_set(ZONE, s.marked_zone(ZONE, 4, serial=2027010100))
        serial.rose('the reload of a file with a higher serial')
        s.equal(serial.last, 2027010100, "the file's serial is kept")


@s.case('serial: forward only, also around 2^32')
def around():
    with s.Daemon() as d:
        d.import_set(ZONE + '@old', s.marked_zone(ZONE, 1, serial=100))
        d.import_set(ZONE + '@new', s.marked_zone(ZONE, 2, serial=50))
        d.must('cutover', sets=[ZONE + '@old'])
        serial = Rising(d)
        d.refused('serial', 'serial', zone=ZONE, serial=99)
        d.refused('serial', 'serial', zone=ZONE, serial=100)
        d.refused(('serial', 'bad-request'), 'serial', zone=ZONE, serial=-1)
        d.refused(('serial', 'bad-request'), 'serial', zone=ZONE, serial=2**32)
        serial.stayed('refused serials')
        d.must('serial', zone=ZONE, serial=2**31)
        serial.rose('half way round')
        d.must('serial', zone=ZONE, serial=2**32 - 1)
        serial.rose('to the last one')
        d.must('cutover', sets=[ZONE + '@new'])
        serial.rose('a cutover over the edge')
        d.must('rollback', zones=[ZONE])
        serial.rose('the way back')
        d.must('cutover', sets=[ZONE + '@new'], serial=serial.last + 1000)
        serial.rose('cutover --serial')
        d.must('rollback', zones=[ZONE])
        serial.rose('back')
        error = d.refused('serial', 'cutover', sets=[ZONE + '@new'], serial=serial.last - 1)
        s.expect(ZONE in error['message'], 'the zone is not named: %s', error)


@s.case('cutover --serial to what is live already: refused, unless it is the serial served')
def live_already():
    with s.Daemon() as d:
        d.import_set(ZONE + '@old', s.marked_zone(ZONE, 1, serial=100))
        d.run('cutover', ZONE + '@old', '--serial', '500')
        serial = Rising(d)
        s.equal(serial.last, 500, 'the serial that was asked for')
        status, reply, _ = d.tool('cutover', ZONE + '@old', '--serial', '500')
        s.equal((status, reply['zones'][0]['outcome']), (0, 'already'), 'the same once more')
        for name in ('old', 'live'):
            status, reply, _ = d.tool('cutover', '%s@%s' % (ZONE, name), '--serial', '600') if name == 'old' else \
                (1, d.ask('cutover', sets=[ZONE + '@live'], serial=600), '')
            s.equal((status, reply['error']['code']), (1, 'serial'), 'another one')
            s.expect('schwenk serial %s 600' % ZONE in reply['error']['message'] and '500' in reply['error']['message'],
                     'the way to it: %s', reply)
        error = d.refused('serial', 'cutover', sets=[ZONE + '@old'], serial=499)
        s.expect('not ahead' in error['message'] and 'schwenk serial' not in error['message'], 'one that is behind: %s', error)
        serial.stayed('refused ones')
        s.equal(len(d.must('history')['entries']), 1, 'entries of the history')
        d.run('serial', ZONE, '600')
        s.equal(d.served_serial(ZONE), 600, 'by the command that was named')


@s.case('a removed zone leaves its serial behind')
def removed():
    with s.Daemon() as d:
        d.import_set(ZONE, s.marked_zone(ZONE, 1, serial=1000))
        serial = Rising(d)
        d.must('zone-remove', zones=[ZONE])
        s.equal(d.udp(ZONE, 'SOA').rcode, 'REFUSED', 'a removed zone')
        d.refused('no-such-zone', 'zone-show', zone=ZONE)
        d.import_set(ZONE, s.marked_zone(ZONE, 1, serial=3))
        serial.rose('remove and return')


@s.case('the serial survives stop and start')
def survives():
    d = s.Daemon().start()
    d.import_set(ZONE + '@old', s.marked_zone(ZONE, 1, serial=10))
    d.import_set(ZONE + '@new', s.marked_zone(ZONE, 2, serial=5))
    d.must('cutover', sets=[ZONE + '@old'])
    d.must('cutover', sets=[ZONE + '@new'])
    serial = Rising(d)
    s.equal(d.stop(), 0, 'the exit status')
    d.start()
    serial.stayed('a restart')
    d.must('rollback', zones=[ZONE])
    serial.rose('a rollback after a restart')
    d.stop()
    d.check_log()


s.run()
