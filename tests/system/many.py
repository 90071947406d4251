"""Commands that name thousands of zones: all or none where there is a mistake, one entry
of the history, and no switch waits for them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s

ZONE = 'shop.example'
NAMES = ['z%d.example' % i for i in range(6000)]


def prepared(d):
    for name, marker in (('old', 1), ('new', 2)):
        d.import_set('%s@%s' % (ZONE, name), s.marked_zone(ZONE, marker))
    d.must('cutover', sets=[ZONE + '@old'])


class Switching:
    """Switches ZONE to and fro while a command runs on a connection of its own."""

    def __init__(self, d):
        self.d, self.longest, self.count = d, 0.0, 0

    def during(self, command, **keys):
        with self.d.control(60) as c:
            c.send(dict(keys, command=command))
            c.sock.settimeout(0.001)
            while True:
                begun = s.time.monotonic()
                self.d.must('cutover', sets=[ZONE + ('@new', '@old')[self.count % 2]])
                self.longest = max(self.longest, s.time.monotonic() - begun)
                self.count += 1
                try:
                    line = c.line()
                except s.socket.timeout:
                    continue
                if 'progress' not in line:
                    return line


def entries(d):
    return [e for e in d.must('history', limit=500)['entries'] if e['kind'] not in ('cutover', 'reload')]


@s.case('thousands of zones added, grouped, removed: while switches go on, and one entry each')
def thousands():
    with s.Daemon() as d:
        prepared(d)
        w = Switching(d)
        reply = w.during('zone-add', zones=NAMES, properties={'template': 'shops'})
        s.equal(reply.get('zones'), NAMES, 'zones added')
        s.equal(d.zone(NAMES[-1])['properties'], {'template': 'shops'}, 'properties')
        reply = w.during('group-create', group='g', zones=NAMES[:3000])
        s.equal((reply.get('group'), reply.get('zones')), ('g', NAMES[:3000]), 'the group')
        reply = w.during('group-add', group='g', zones=NAMES)
        s.equal(d.must('group-list')['groups'], [{'group': 'g', 'members': len(NAMES)}], 'members')
        reply = w.during('group-remove', group='g', zones=NAMES[1000:])
        s.equal(d.must('group-list')['groups'], [{'group': 'g', 'members': 1000}], 'members that stay')
        reply = w.during('zone-remove', zones=NAMES, note='sold')
        s.equal(reply.get('zones'), NAMES, 'zones removed')
        s.equal(d.must('status')['zones'], 1, 'zones that stay')
        s.equal([(e['kind'], e['members'], e['note']) for e in entries(d)], [('remove', len(NAMES), 'sold')], 'the history')
        s.expect(w.longest < (2.0 if s.sanitized() else 0.5), 'a switch took %.3f s', w.longest)
        d.fsck()


@s.case('a mistake among thousands: nothing is changed')
def mistakes():
    with s.Daemon() as d:
        d.must('zone-add', zones=NAMES)
        d.must('group-create', group='g', zones=NAMES[:10])
        more = ['y%d.example' % i for i in range(500)]
        for code, command, keys in (
                ('exists', 'zone-add', dict(zones=more + NAMES[-1:])), ('bad-request', 'zone-add', dict(zones=more + more[:1])),
                ('bad-request', 'zone-add', dict(zones=more + ['a..b'])),
                ('no-such-zone', 'zone-remove', dict(zones=NAMES + ['none.example'])),
                ('bad-request', 'zone-remove', dict(zones=NAMES + NAMES[:1])),
                ('no-such-group', 'group-add', dict(group='none', zones=NAMES)),
                ('exists', 'group-create', dict(group='g', zones=NAMES)),
                ('bad-request', 'group-create', dict(group='G?', zones=NAMES)),
                ('no-such-zone', 'group-create', dict(group='h', zones=NAMES + ['none.example'])),
                ('no-such-zone', 'group-add', dict(group='g', zones=NAMES + ['none.example'])),
                ('no-such-set', 'drop', dict(sets=[n + '@x' for n in NAMES])),
                ('bad-request', 'drop', dict(sets=NAMES))):
            d.refused(code, command, **keys)
        s.equal(d.must('status')['zones'], len(NAMES), 'zones')
        s.equal(d.must('group-list')['groups'], [{'group': 'g', 'members': 10}], 'groups')
        s.equal(entries(d), [], 'the history')
        d.fsck()


@s.case('overtaken in the middle: who it is, is named, the rest is done; exit 5')
def overtaken():
    with s.Daemon() as d:
        for attempt in range(5):
            names = ['x%d-%d.example' % (attempt, i) for i in range(4000)]
            taken = []

            def take(control, progress):
                if progress.get('share', 0) >= 0.5 and not taken:
                    taken.append(d.ask('zone-add', zones=names[-1:]))
            reply = d.ask('zone-add', zones=names, on_progress=take, timeout=60)
            if taken and taken[0]['ok']:
                break
        else:
            raise s.Skip('the command was over too soon, five times')
        s.equal(reply['zones'], names[:-1], 'zones added')
        s.equal([(f['zone'], f['error']['code']) for f in reply['failed']], [(names[-1], 'exists')], 'who is named')
        s.equal(reply['failures'], 1, 'failures')
        d.fsck()


@s.case('sets dropped by the hundred')
def sets():
    with s.Daemon() as d:
        prepared(d)
        zones = NAMES[:100]
        for zone in zones:
            d.import_set(zone + '@staged', s.marked_zone(zone, 1, names=1))
        staged = [zone + '@staged' for zone in zones]
        d.refused('in-use', 'drop', sets=staged + [ZONE + '@old'])
        s.expect(d.set(zones[0], 'staged')['state'] == 'ready', 'a set was dropped all the same')
        s.equal(d.must('drop', sets=staged)['dropped'], staged, 'dropped')
        s.wait_until(lambda: not any(d.must('sets', zone=z)['sets'] for z in zones), 20, 'the sets to be cleared')
        d.fsck()


s.run()
