"""G1, G2, G3, G5: hundreds of switches under load, for one zone and for a group
of a thousand: no mixed answer, no old answer to a query sent after the
acknowledgement, no group half switched, not one query unanswered."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import statistics  # noqa: E402

APEX = 'shop.example'


def switches(daemon, load, count, forth, back):
    """count switches there and back; the acknowledged ones' times in ms."""
    took = []
    with daemon.control() as c:
        for i in range(count):
            marker, request = (2, forth) if i % 2 == 0 else (1, back)
            load.begun(marker)
            begun = s.time.monotonic()
            reply = c.request(**request)
            load.acknowledged(marker)
            took.append(1000 * (s.time.monotonic() - begun))
            s.expect(reply.get('ok'), 'switch %d: %s', i, reply)
            outcomes = {z['outcome'] for z in reply['zones']}
            s.equal(outcomes, {'switched'}, 'the outcomes of switch %d' % i)
            s.time.sleep(0.005)
    return took


def report(what, took, verdict):
    took.sort()
    print('    %s: %d switches, p50 %.1f ms, max %.1f ms; %d answers (%d over TCP), p50 %d us, p99 %d us, max %d us'
          % (what, len(took), statistics.median(took), took[-1], verdict['answered'],
             verdict['over_tcp'], verdict['p50_us'], verdict['p99_us'], verdict['max_us']))


@s.case('one zone, hundreds of cutovers and rollbacks under load')
def one_zone():
    with s.Daemon(workers=3) as d:
        d.import_set(APEX + '@old', s.marked_zone(APEX, 1))
        d.import_set(APEX + '@new', s.marked_zone(APEX, 2))
        d.must('cutover', sets=[APEX + '@old'])
        d.must('confirm', zones=[APEX])
        with s.Load(d, s.marked_questions(APEX), udp=8, tcp=6) as load:
            took = switches(d, load, 120 if s.sanitized() else 400,
                            dict(command='cutover', sets=[APEX + '@new']),
                            dict(command='rollback', zones=[APEX]))
            verdict = load.finish()
        report('one zone', took, verdict)
        s.unmixed(verdict)
        s.equal(verdict['markers'], 0b110, 'the sets seen')
        s.expect(verdict['over_tcp'] > 50, 'hardly anything over TCP: %s', verdict)
        d.fsck()


@s.case('several zones in one command switch together')
def several():
    zones = ['a.example', 'b.example', 'sub.a.example']
    with s.Daemon(workers=2) as d:
        for zone in zones:
            d.import_set(zone + '@old', s.marked_zone(zone, 1))
            d.import_set(zone + '@new', s.marked_zone(zone, 2))
        d.must('cutover', sets=[z + '@old' for z in zones])
        d.must('confirm', zones=zones)
        questions = [q for z in zones for q in s.marked_questions(z, 2)]
        with s.Load(d, questions) as load:
            took = switches(d, load, 40 if s.sanitized() else 120,
                            dict(command='cutover', sets=[z + '@new' for z in zones]),
                            dict(command='rollback', zones=zones))
            verdict = load.finish()
        report('three zones', took, verdict)
        s.unmixed(verdict)


@s.case('a group of 1,000 zones under load')
def group():
    count = 200 if s.sanitized() else 1000
    names = ['z%d.example' % i for i in range(count)]
    with s.Daemon(workers=3) as d:
        for name, marker in (('old', 1), ('new', 2)):
            for zone in names:
                d.file('%s/%s.zone' % (name, zone), s.marked_zone(zone, marker, 2))
            d.run('import', '--dir', os.path.join(d.dir, name), '@' + name, timeout=120)
        d.run('group', 'create', 'all')
        d.run('group', 'add', 'all', *names)
        reply = d.must('cutover', group='all', set='old')
        s.equal(len(reply['zones']), count, 'zones in the reply')
        d.must('confirm', group='all')
        questions = [q for z in names for q in ((z, 'SOA'), ('n1.' + z, 'A'), ('none.' + z, 'A'))]
        s.random.Random(1).shuffle(questions)
        with s.Load(d, questions, udp=8, tcp=6, rate=5000) as load:
            took = switches(d, load, 40 if s.sanitized() else 200,
                            dict(command='cutover', group='all', set='new'),
                            dict(command='rollback', group='all'))
            verdict = load.finish()
        report('group of %d' % count, took, verdict)
        s.unmixed(verdict)
        d.fsck()


@s.case('a group with a member that lacks the set does not switch at all, and names it')
def no_go():
    zones = ['a.example', 'b.example', 'c.example']
    with s.Daemon() as d:
        for zone in zones:
            d.import_set(zone + '@old', s.marked_zone(zone, 1))
        for zone in zones[:2]:
            d.import_set(zone + '@new', s.marked_zone(zone, 2))
        d.must('group-create', group='g')
        d.must('group-add', group='g', zones=zones)
        d.must('cutover', group='g', set='old')
        before = [d.zone(z) for z in zones]
        error = d.refused(('no-such-set', 'no-go'), 'cutover', group='g', set='new')
        s.expect('c.example' in error['message'], 'the member is not named: %s', error)
        s.equal([d.zone(z) for z in zones], before, 'the zones')
        for zone in zones:
            s.equal(s.markers(d.udp(zone, 'SOA')), {1}, 'what is served of ' + zone)


s.run()
