"""G8: the way back stays open: holds, confirm, idempotent switches, what may not be
dropped or replaced, groups taken back as they were switched."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import re  # noqa: E402

ZONE = 'shop.example'


def prepared(d, zone=ZONE, sets=('old', 'new')):
    for i, name in enumerate(sets):
        d.import_set('%s@%s' % (zone, name), s.marked_zone(zone, i + 1, serial=10 * (i + 1)))
    d.must('cutover', sets=['%s@%s' % (zone, sets[0])])
    d.must('confirm', zones=[zone])


def served(d, zone=ZONE):
    found = s.markers(d.udp(zone, 'SOA'))
    s.expect(len(found) == 1, 'served: %s', found)
    return found.pop()


def outcome(reply):
    return reply['zones'][0]['outcome']


@s.case('cutover and rollback are idempotent: nobody undoes another')
def idempotent():
    with s.Daemon() as d:
        prepared(d)
        s.equal(outcome(d.must('cutover', sets=[ZONE + '@new'], note='the move')), 'switched', 'cutover')
        count = len(d.must('history')['entries'])
        again = d.must('cutover', sets=[ZONE + '@new'])
        s.equal((outcome(again), again.get('switch')), ('already', None), 'the second cutover')
        s.expect(again['zones'][0]['since'] and again['zones'][0]['by'], 'since when, by whom: %s', again)
        s.equal(served(d), 2, 'served')
        s.equal(outcome(d.must('rollback', zones=[ZONE])), 'switched', 'rollback')
        s.equal(served(d), 1, 'served after the rollback')
        back = d.must('rollback', zones=[ZONE])
        s.expect(outcome(back) in ('already', 'no-previous'), 'the second rollback: %s', back)
        s.equal(served(d), 1, 'served after the second rollback')
        row = d.zone(ZONE)
        s.equal((row['live'], row['previous'], row['held']), ('old', None, None), 'after a rollback')
        s.equal(len(d.must('history')['entries']), count + 1, 'entries: idle commands are none')
        status, reply, _ = d.tool('rollback', ZONE)
        s.equal(status, 0, "the tool's exit status for what is back already")
        d.fsck()


@s.case('held: the nightly import is refused, edits leave the way back alone')
def held():
    with s.Daemon() as d:
        prepared(d)
        reply = d.must('cutover', sets=[ZONE + '@new'])
        s.equal(reply['back'], 'schwenk rollback ' + ZONE, 'the command back')
        row = d.zone(ZONE)
        s.equal((row['state'], row['live'], row['previous']), ('held', 'new', 'old'), 'the zone')
        s.expect(row['held']['switch'] == reply['switch'], 'held by another switch: %s', row)
        reply = d.import_set(ZONE, s.marked_zone(ZONE, 3, serial=99), must=False)
        s.equal((reply['ok'], reply.get('error', {}).get('code')), (False, 'held'), 'the nightly import')
        status, _, err = d.tool('import', ZONE, d.file('night.zone', s.marked_zone(ZONE, 3, serial=99)))
        s.equal(status, 1, "the tool's exit status")
        s.equal(served(d), 2, 'served after the refused import')
        d.must('record', set=ZONE, text='add extra 60 A 10.2.7.7\n')
        d.must('record', set=ZONE, text='add extra 60 A 10.2.7.8\n')
        s.equal(d.udp('extra.' + ZONE).rdata('A'), ['10.2.7.7', '10.2.7.8'], 'the edit while held')
        dry = d.must('rollback', zones=[ZONE], dry_run=True)
        s.equal(served(d), 2, 'served after a dry run')
        s.expect(dry['zones'][0]['left_behind'] > 0, 'a dry run that tells of no edits: %s', dry)
        back = d.must('rollback', zones=[ZONE])
        s.expect(back['zones'][0]['left_behind'] > 0, 'edits left behind are not told: %s', back)
        s.equal(served(d), 1, 'served after the rollback')
        s.equal(d.udp('extra.' + ZONE).rcode, 'NXDOMAIN', 'what was added to the other set')
        d.import_set(ZONE, s.marked_zone(ZONE, 3, serial=99))
        s.equal(served(d), 3, 'served after the import that is free again')
        d.fsck()


@s.case('confirm ends the hold; the way back stays until the next reload')
def confirm():
    with s.Daemon() as d:
        prepared(d)
        d.must('cutover', sets=[ZONE + '@new'])
        d.must('confirm', zones=[ZONE])
        row = d.zone(ZONE)
        s.equal((row['state'], row['previous'], row['held']), ('live', 'old', None), 'after confirm')
        again = d.ask('confirm', zones=[ZONE])
        s.expect(again['ok'], 'confirm twice: %s', again)
        d.must('rollback', zones=[ZONE])
        s.equal(served(d), 1, 'served: rollback after confirm')


@s.case('live and previous can neither be dropped nor imported over')
def in_use():
    with s.Daemon() as d:
        prepared(d, sets=('old', 'new', 'spare'))
        d.must('cutover', sets=[ZONE + '@new'])
        for name in ('old', 'new', 'live', 'previous'):
            error = d.refused('in-use', 'drop', sets=['%s@%s' % (ZONE, name)])
        for name in ('old', 'new'):
            reply = d.import_set('%s@%s' % (ZONE, name), s.marked_zone(ZONE, 3), must=False)
            s.expect(not reply['ok'] and reply['error']['code'] == 'in-use', 'import over @%s: %s', name, reply)
        s.equal({r['name'] for r in d.must('sets', zone=ZONE)['sets']}, {'old', 'new', 'spare'}, 'the sets')
        d.must('drop', sets=[ZONE + '@spare'])
        d.must('rollback', zones=[ZONE])
        d.must('drop', sets=[ZONE + '@new'])
        d.refused('no-such-set', 'cutover', sets=[ZONE + '@new'])
        d.refused('in-use', 'drop', sets=[ZONE + '@old'])
        s.equal(served(d), 1, 'served')
        s.wait_until(lambda: len(d.must('sets', zone=ZONE)['sets']) == 1, 10, 'the dropped sets to be gone')
        d.fsck()


@s.case('a further cutover while held moves previous one step')
def steps():
    with s.Daemon() as d:
        prepared(d, sets=('a', 'b', 'c'))
        d.must('cutover', sets=[ZONE + '@b'])
        d.must('cutover', sets=[ZONE + '@c'])
        s.equal((d.zone(ZONE)['live'], d.zone(ZONE)['previous']), ('c', 'b'), 'live and previous')
        d.must('rollback', zones=[ZONE])
        s.equal(served(d), 2, 'served: one step back')


@s.case("rollback --group takes back that switch's members, to what they had")
def group():
    zones = ['a.example', 'b.example', 'c.example']
    with s.Daemon() as d:
        for zone in zones:
            prepared(d, zone, sets=('old', 'new', 'other'))
        d.import_set('late.example@new', s.marked_zone('late.example', 2))
        d.must('group-create', group='g')
        d.must('group-add', group='g', zones=zones)
        forth = d.must('cutover', group='g', set='new', note='the night')
        s.expect('--group g' in forth['back'], 'the command back: %s', forth['back'])
        # frozen membership: a later joiner stays, one that left is taken back
        d.must('group-add', group='g', zones=['late.example'])
        d.must('cutover', sets=['late.example@new'])
        d.must('group-remove', group='g', zones=['c.example'])
        # changed since: b moved on; the set it had before must not go
        d.must('cutover', sets=['b.example@other'])
        d.refused('in-use', 'drop', sets=['b.example@old'])
        back = d.must('rollback', group='g')
        outcomes = {z['zone']: z['outcome'] for z in back['zones']}
        s.equal(outcomes, {'a.example': 'switched', 'b.example': 'overtook', 'c.example': 'switched'},
                'the outcomes')
        for zone in zones:
            s.equal(served(d, zone), 1, 'served of ' + zone)
        s.equal(served(d, 'late.example'), 2, 'served of the later joiner')
        s.equal(len(d.must('history', limit=1)['entries'][0]['zones']), 3, "the entry's zones")
        d.fsck()


@s.case('a member that had no set before stays, and is named')
def no_before():
    with s.Daemon() as d:
        prepared(d, 'a.example')
        d.import_set('b.example@new', s.marked_zone('b.example', 2))
        d.must('group-create', group='g')
        d.must('group-add', group='g', zones=['a.example', 'b.example'])
        d.must('cutover', group='g', set='new')
        back = d.must('rollback', group='g')
        outcomes = {z['zone']: z['outcome'] for z in back['zones']}
        s.equal(outcomes, {'a.example': 'switched', 'b.example': 'no-previous'}, 'the outcomes')
        s.equal((served(d, 'a.example'), served(d, 'b.example')), (1, 2), 'served')


@s.case("rollback ZONE of a group's member takes back that zone alone, and names the group's command")
def one_of_group():
    with s.Daemon() as d:
        for zone in ('a.example', 'b.example'):
            prepared(d, zone)
        d.must('group-create', group='g')
        d.must('group-add', group='g', zones=['a.example', 'b.example'])
        d.must('cutover', group='g', set='new')
        status, out, err = d.tool('rollback', 'a.example', json_out=False)
        s.equal(status, 0, 'exit status')
        s.equal((served(d, 'a.example'), served(d, 'b.example')), (1, 2), 'served')
        s.expect('--group g' in out + err, "the group's command is not printed: %s", out + err)


@s.case('rollback without argument lists what could be rolled back; exit 2')
def candidates():
    with s.Daemon() as d:
        prepared(d)
        d.must('cutover', sets=[ZONE + '@new'])
        error = d.refused('bad-request', 'rollback')
        s.equal([c['zone'] for c in error['candidates']], [ZONE], 'the candidates')
        status, out, err = d.tool('rollback', json_out=False)
        s.equal(status, 2, 'exit status')
        s.expect(re.search(r'schwenk (-s \S+ )?rollback ' + ZONE, out + err), 'no command: %s', out + err)
        s.equal(served(d), 2, 'served')


@s.case('two reloads are kept; the older is dropped, never the previous')
def reloads():
    with s.Daemon() as d:
        for serial in range(1, 6):
            d.import_set(ZONE, s.marked_zone(ZONE, serial, serial=serial))
            s.equal(served(d), serial, 'served')
        rows = s.wait_until(lambda: (lambda r: r if len(r) == 2 else None)(
            d.must('sets', zone=ZONE)['sets']), 10, 'just two sets')
        s.equal(sorted(r['name'] for r in rows), ['4', '5'], 'the sets kept')
        d.must('rollback', zones=[ZONE])
        s.equal(served(d), 4, 'served after the rollback of a reload')
        d.fsck()


@s.case('--expect: only the set that was planned')
def expected():
    with s.Daemon() as d:
        prepared(d)
        planned = d.set(ZONE, 'new')['hash']
        d.must('record', set=ZONE + '@new', text='add sneaked 60 A 10.2.8.8\n')
        s.expect(d.set(ZONE, 'new')['hash'] != planned, 'an edit did not change the hash')
        d.refused('changed', 'cutover', sets=[ZONE + '@new'], expect=planned)
        s.equal(served(d), 1, 'served')
        d.must('cutover', sets=[ZONE + '@new'], expect=d.set(ZONE, 'new')['hash'])
        s.equal(served(d), 2, 'served')


s.run()
