"""What main answers by itself: lists in slices, status, history, completion; what it logs; and
that no client holds it up."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import fnmatch  # noqa: E402
import re  # noqa: E402

ZONE = 'shop.example'


def pages(d, command, key, **keys):
    """All rows of a list that is asked for page by page, and how many pages it took."""
    rows, count, after = [], 0, None
    with d.control() as c:
        while True:
            reply = c.request(command, after=after, **keys)
            s.expect(reply['ok'], '%s: %s', command, reply)
            got = reply['groups'][0]['zones'] if key == 'members' else reply[key]
            rows += got
            count += 1
            if not reply['more']:
                return rows, count
            after = reply['after']
            last = got[-1] if key == 'members' else got[-1]['zone']
            s.equal(after, last, 'where to go on')


def resident(d):
    with open('/proc/%d/status' % d.pid()) as f:
        return int(re.search(r'VmRSS:\s+(\d+)', f.read()).group(1))


@s.case('zones and members page by page: each once, whatever the limit')
def zones():
    names = ['z%d.example' % i for i in range(1300)]
    with s.Daemon() as d:
        d.must('zone-add', zones=names, properties={'template': 'shops'})
        d.must('group-create', group='g', zones=names[100:])
        d.must('group-create', group='empty')
        for limit in (1, 7, 100, 10000, None):
            if limit == 1:
                rows, count = pages(d, 'zones', 'zones', pattern='z12?.example', limit=1)
                s.equal(sorted(r['zone'] for r in rows), ['z12%d.example' % i for i in range(10)], 'by one')
                s.equal(count, 10, 'pages')
                continue
            rows, count = pages(d, 'zones', 'zones', limit=limit)
            s.equal(sorted(r['zone'] for r in rows), sorted(names), 'zones with limit %s' % limit)
            s.expect(count >= 2, '%d zones in one reply', len(rows))
            rows, _ = pages(d, 'zones', 'zones', group='g', limit=limit)
            s.equal([r['zone'] for r in rows], names[100:], 'zones of the group with limit %s' % limit)
            rows, _ = pages(d, 'group-list', 'members', group='g', limit=limit)
            s.equal(rows, names[100:], 'members with limit %s' % limit)
        row = d.zone('z5.example')
        s.equal((row['state'], row['live'], row['sets'], row['properties']), ('prepared', None, 0, {'template': 'shops'}),
                'a zone without sets')
        for pattern in ('*', 'z*7.example', '?9*', 'Z[1-3]?.EXAMPLE', 'z[!1-8]*', '*.example.', 'none'):
            rows, _ = pages(d, 'zones', 'zones', pattern=pattern)
            s.equal(sorted(r['zone'] for r in rows),
                    sorted(n for n in names if fnmatch.fnmatchcase(n, pattern.lower())), pattern)
        s.equal(len(d.run('zones')['zones']), 1300, "the tool's list")
        s.equal([(g['group'], g['members']) for g in d.must('group-list')['groups']], [('empty', 0), ('g', 1200)], 'groups')
        s.equal(d.must('group-list', group='empty')['groups'][0]['zones'], [], 'members of an empty group')
        for code, keys in (('bad-request', dict(limit=0)), ('bad-request', dict(limit=-5)), ('bad-request', dict(after='a..b')),
                           ('no-such-group', dict(group='none')), ('limit', dict(pattern='*' * 2000)),
                           ('no-such-zone', dict(group='g', after='none.example'))):
            d.refused(code, 'zones', **keys)
        d.refused('no-such-group', 'group-list', group='none')
        # what is removed between two pages is no reason to begin anew by name
        d.must('zone-remove', zones=['z500.example'])
        reply = d.must('zones', after='z500.example', limit=3)
        s.equal(len(reply['zones']), 3, 'behind a removed zone')


@s.case('patterns that never match, many lists at once: nobody waits')
def patient():
    names = ['%s%d.example' % ('a' * 50, i) for i in range(2000)]
    with s.Daemon() as d:
        d.must('zone-add', zones=names)
        busy = []
        for _ in range(10):
            c = d.control()
            c.send({'command': 'zones', 'pattern': '*a' * 60 + 'b'})
            busy.append(c)
        begun = s.time.monotonic()
        for _ in range(20):
            d.must('zone-show', zone=names[7])
        s.expect(s.time.monotonic() - begun < 10, '20 requests took %.1f s', s.time.monotonic() - begun)
        for c in busy:
            s.equal(c.reply()['zones'], [], 'zones that match')
            c.close()


@s.case('a client that asks and does not read: what is queued for it is bounded')
def greedy():
    with s.Daemon() as d:
        d.must('zone-add', zones=['z%d.example' % i for i in range(500)])
        before = resident(d)
        with d.control() as c:
            c.sock.setblocking(False)
            end, sent = s.time.monotonic() + 2, 0
            while s.time.monotonic() < end:
                try:
                    sent += c.sock.send(b'{"command":"zones"}\n' * 50)
                except BlockingIOError:
                    s.time.sleep(0.01)
                d.must('history')
            s.expect(sent > 1000, 'only %d octets of requests were taken', sent)
            grown = resident(d) - before
            s.expect(grown < (200000 if s.sanitized() else 20000), 'main grew by %d KiB', grown)
            c.sock.setblocking(True)
            c.sock.settimeout(20)
            for _ in range(30):
                s.equal(len(c.reply()['zones']), 500, 'the replies, once it reads')


@s.case("a group's switch of many: every row that the reply lists, once and whole")
def switch_of_many():
    plain, odd = ['z%d.example' % i for i in range(1200)], '\\"\\032.example'
    names = [odd] + plain
    with s.Daemon() as d:
        for marker, name in enumerate(('old', 'new')):
            os.mkdir(os.path.join(d.dir, name))
            for zone in plain:
                d.file('%s/%s.zone' % (name, zone), s.marked_zone(zone, marker, names=1))
            d.run('import', '--dir', os.path.join(d.dir, name), '@' + name, timeout=120)
            d.import_set('%s@%s' % (odd, name), s.marked_zone(odd, marker, names=1))
        d.must('group-create', group='g', zones=names)
        few = d.must('cutover', sets=[odd + '@old'])['zones'][0]
        d.must('cutover', group='g', set='old')
        for command, keys, sets in (('cutover', {'set': 'new'}, ('old', 'new')), ('rollback', {}, ('new', 'old'))):
            reply = d.must(command, group='g', **keys)
            rows = reply['zones']
            s.equal((len(rows), reply['members']), (1000, len(names)), 'rows and members')
            s.equal(len({row['zone'] for row in rows} & set(names)), 1000, 'zones of the rows')
            for row in rows:
                s.equal(set(row), set(few), 'keys of %s' % row['zone'])
                s.equal((row['from'], row['to'], row['outcome']), sets + ('switched',), row['zone'])


@s.case('completion: zones, sets, groups by what was typed')
def complete():
    with s.Daemon() as d:
        d.must('zone-add', zones=['a%d.example' % i for i in range(300)] + ['berlin.example'])
        d.import_set(ZONE + '@old', s.marked_zone(ZONE, 1))
        d.import_set(ZONE + '@new', s.marked_zone(ZONE, 2))
        d.must('group-create', group='shops')

        def names(what, prefix=None):
            return d.must('complete', what=what, prefix=prefix)['names']
        s.equal(names('zones', 'b'), ['berlin.example'], 'zones')
        s.equal(names('zones', 'B'), ['berlin.example'], 'zones by a capital')
        s.expect(1 < len(names('zones', 'a')) <= 200, 'many zones: %d', len(names('zones', 'a')))
        s.equal(sorted(names('sets', 'sho')), [ZONE, ZONE + '@new', ZONE + '@old'], 'one zone and its sets')
        s.equal(names('sets', ZONE + '@n'), [ZONE + '@new'], 'sets')
        s.equal(names('sets', 'none.example@'), [], 'sets of no zone')
        s.equal(names('sets', 'a..b@'), [], 'sets of no name')
        s.equal((names('groups'), names('groups', 'x')), (['shops'], []), 'groups')
        d.refused('bad-request', 'complete', what='people')
        s.equal(d.tool('complete', 'zones', 'ber', json_out=False)[1].split(), ['berlin.example'], 'by the tool')


@s.case("status: a group's switch is one hold; each last switch with its command back, while it is the last")
def status():
    zones_ = ['a.example', 'b.example', 'c.example']
    with s.Daemon() as d:
        for zone in zones_:
            for i, name in enumerate(('old', 'new', 'other')):
                d.import_set('%s@%s' % (zone, name), s.marked_zone(zone, i + 1))
        d.must('cutover', sets=[z + '@old' for z in zones_])
        d.must('confirm', zones=zones_)
        d.must('group-create', group='g', zones=zones_)
        d.must('cutover', group='g', set='new')
        row = d.must('status')
        s.equal((row['zones'], row['sets'], row['held_more']), (3, 9, 0), 'counts')
        s.equal([(z['held']['group'], z['held']['members'], z['held']['back']) for z in row['held']],
                [('g', 3, 'schwenk rollback --group g')], 'held')
        s.equal(row['last'][0]['back'], 'schwenk rollback --group g', 'the last switch')
        s.equal(row['last'][1]['back'], None, 'a confirm')
        s.equal(row['last'][2]['back'], None, 'a switch that was overtaken')
        s.expect(0 < row['space']['catalog'] < 1, 'space: %s', row['space'])
        s.equal(row['database'], d.database, 'the database')
        d.must('cutover', sets=['b.example@other'])
        row = d.must('status')
        s.equal(sorted((z['held']['group'], z['held']['back']) for z in row['held'] if z['held']['group'] is None),
                [(None, 'schwenk rollback b.example')], 'the member that was switched by itself')
        s.equal(row['last'][0]['back'], 'schwenk rollback b.example', 'its command back')
        candidates = d.refused('bad-request', 'rollback')['candidates']
        s.equal(sorted(c['command'] for c in candidates), ['schwenk rollback --group g', 'schwenk rollback b.example'],
                'what could be rolled back')
        d.must('rollback', zones=['b.example'])
        s.equal(d.must('status')['last'][0]['back'], 'schwenk cutover b.example@other', 'the way forth again')
        reply = d.must('rollback', zones=['a.example'])
        s.equal(reply['groups_back'], ['schwenk rollback --group g'], "the group's command")
        # the group is switched again without c: its command means that switch, c is held by itself
        d.must('group-remove', group='g', zones=['c.example'])
        d.must('cutover', group='g', set='other')
        row = d.must('status')
        s.equal([(z['zone'], z['held']['group'], z['held']['members'], z['held']['back']) for z in row['held']],
                [('a.example', 'g', 2, 'schwenk rollback --group g'), ('c.example', None, 1, 'schwenk rollback c.example')], 'held')
        s.equal([z['zone'] for z in d.must('zones', held=True)['zones']], zones_, 'zones that are held')
        s.equal(sorted(c['command'] for c in d.refused('bad-request', 'rollback')['candidates']),
                ['schwenk rollback --group g', 'schwenk rollback c.example'], 'what could be rolled back')
        s.expect('groups_back' not in d.must('rollback', zones=['c.example']), "a group's command that means another switch")


@s.case('the command back of what was switched one by one, or in part: never one that would not do it')
def back_in_part():
    zones_ = ['a.example', 'b.example', 'c.example']

    def backs(d):
        """By status and by history, which are the same."""
        last, entries = d.must('status')['last'], d.must('history')['entries']
        s.equal([e['back'] for e in last], [e['back'] for e in entries][:len(last)], 'status and history')
        return {e['id']: e['back'] for e in entries}

    with s.Daemon() as d:
        for zone in zones_:
            for i, name in enumerate(('old', 'new', 'other')):
                d.import_set('%s@%s' % (zone, name), s.marked_zone(zone, i + 1))
        d.must('cutover', sets=[z + '@old' for z in zones_])
        d.must('confirm', zones=zones_)
        d.must('group-create', group='g', zones=zones_)
        one = d.must('cutover', sets=['a.example@new'])
        two = d.must('cutover', sets=['b.example@new', 'c.example@new'])
        s.equal(two['back'], 'schwenk rollback b.example c.example', 'two by one command')
        reply = d.must('cutover', group='g', set='new')
        s.equal((reply['switch'], reply['back']), (None, 'schwenk rollback a.example b.example c.example'),
                'a group that is there already, member by member')
        s.equal((backs(d)[one['switch']], backs(d)[two['switch']]),
                ('schwenk rollback a.example', 'schwenk rollback b.example c.example'), 'of each entry')
        d.must('rollback', zones=['b.example'])
        s.equal(backs(d)[two['switch']], 'schwenk rollback c.example', 'what is left of an entry')
        reply = d.must('cutover', sets=['b.example@new', 'c.example@new'])
        s.equal(reply['back'], 'schwenk rollback b.example', 'what the command moved')
        for zone in zones_:
            d.must('rollback', zones=[zone])
        # the group's own switch; its members go back one by one
        group = d.must('cutover', group='g', set='other')['switch']
        s.equal(d.must('cutover', group='g', set='other')['back'], 'schwenk rollback --group g', 'nothing to do, by the group')
        for zone in zones_:
            s.equal(backs(d)[group], 'schwenk rollback --group g', 'while a member is left')
            reply = d.must('rollback', zones=[zone])
            s.equal(reply.get('groups_back'), None if zone == zones_[-1] else ['schwenk rollback --group g'], "the group's command")
        s.equal(backs(d)[group], None, 'when none is')
        # a confirmed switch, whose members' former sets go
        group = d.must('cutover', group='g', set='other')['switch']
        s.equal(d.must('confirm', group='g')['back'], 'schwenk rollback --group g', 'of a confirm')
        d.must('cutover', sets=['b.example@new'])
        d.must('confirm', zones=['b.example'])
        s.equal(backs(d)[group], 'schwenk rollback --group g', 'while all that it needs is there')
        d.must('drop', sets=['b.example@old'])
        s.equal(d.ask('rollback', group='g')['ok'], False, "the group's command")
        s.equal(backs(d)[group], 'schwenk rollback a.example c.example', 'when one former set is gone')
        d.must('rollback', zones=['a.example', 'c.example'])


@s.case('status comes, and lists too, while the writer stands still')
def writer_still():
    with s.Daemon() as d:
        d.must('zone-add', zones=[ZONE])
        pid = d.writer()
        os.kill(pid, s.signal.SIGSTOP)
        try:
            begun = s.time.monotonic()
            row = d.must('status')
            s.expect(s.time.monotonic() - begun < 5, 'the status took %.1f s', s.time.monotonic() - begun)
            s.equal((row['space'], row['zones']), (None, 1), 'space and zones')
            s.equal(len(d.must('zones')['zones']), 1, 'zones')
            s.equal(d.tool('status', json_out=False)[0], 0, "the tool's status")
        finally:
            os.kill(pid, s.signal.SIGCONT)
        s.wait_until(lambda: d.must('status')['space'], 5, 'the space')


@s.case('history says whether there is more; followers of one zone hear of that zone')
def history():
    with s.Daemon() as d:
        for zone in (ZONE, 'other.example'):
            d.import_set(zone + '@old', s.marked_zone(zone, 1))
            d.import_set(zone + '@new', s.marked_zone(zone, 2))
            d.must('cutover', sets=[zone + '@old'])
        for i in range(300):
            d.must('cutover', sets=[ZONE + '@new'])
            d.must('rollback', zones=[ZONE])
        found, before, more = [], None, True
        while more:
            reply = d.must('history', limit=100000, before=before)
            found += reply['entries']
            before, more = found[-1]['id'], reply['more']
        s.expect([e['id'] for e in found] == list(range(602, 0, -1)), 'not all 602 entries, but %d', len(found))
        found = d.run('history', '--limit', '550')['entries']
        s.expect([e['id'] for e in found] == list(range(602, 52, -1)), "the tool's, not 550 but %d", len(found))
        with d.control(10.0) as c, d.control(10.0) as other:
            c.send({'command': 'history', 'follow': True, 'limit': 3, 'zone': ZONE})
            other.send({'command': 'history', 'follow': True, 'limit': 5, 'zone': 'other.example'})
            s.equal([c.line()['progress']['entry']['id'] for _ in range(3)], [600, 601, 602], 'the last few, oldest first')
            s.equal(other.line()['progress']['entry']['id'], 2, "the other zone's only one")
            d.must('cutover', sets=[ZONE + '@new'])
            d.must('cutover', sets=['other.example@new'])
            s.equal(c.line()['progress']['entry']['id'], 603, 'the new one')
            s.equal(other.line()['progress']['entry']['id'], 604, "the other zone's new one")
        for keys in (dict(before=0), dict(before=-1), dict(limit=0), dict(before=5, follow=True)):
            d.refused('bad-request', 'history', **keys)


@s.case('the log has one line for each change: what, which, by whom, why; nothing for what changed nothing')
def log():
    with s.Daemon() as d:
        for name, marker in (('old', 1), ('new', 2), ('spare', 3)):
            d.import_set('%s@%s' % (ZONE, name), s.marked_zone(ZONE, marker, serial=10 * marker))
        d.must('cutover', sets=[ZONE + '@old'])
        d.must('cutover', sets=[ZONE + '@new'], note='the move')
        d.must('cutover', sets=[ZONE + '@new'])
        d.must('rollback', zones=[ZONE], dry_run=True)
        d.must('confirm', zones=[ZONE])
        d.must('rollback', zones=[ZONE])
        d.must('serial', zone=ZONE, serial=1000)
        d.must('drop', sets=[ZONE + '@spare'])
        d.must('group-create', group='g', zones=[ZONE])
        d.must('zone-remove', zones=[ZONE], note='sold')
        lines = [line for line in d.log_text().splitlines() if ZONE in line and ' by ' in line]
        for wanted in (r'cutover by .*: shop\.example to @old, serial 10; switch 1$',
                       r'cutover by .*: shop\.example from @old to @new, serial 10 to 20; switch 2 \(the move\)$',
                       r'confirm by .*: shop\.example keeps @new', r'rollback by .*: shop\.example from @new to @old, serial 20 to 21',
                       r'serial by .*: shop\.example from 21 to 1000', r'drop by .*: shop\.example@spare',
                       r'group-create by .*: group g: shop\.example', r'zone-remove by .*: shop\.example \(sold\)'):
            found = [line for line in lines if re.search(wanted, line)]
            s.equal(len(found), 1, 'lines like "%s" among %s' % (wanted, lines))
        s.equal(len([line for line in lines if 'cutover by' in line or 'rollback by' in line]), 3, 'lines of switches')


@s.case('a stop in the middle of requests: each ends, and so does the daemon')
def stop_amid():
    requests = [dict(command='stats'), dict(command='status'), dict(command='cutover', sets=[ZONE + '@new']),
                dict(command='rollback'), dict(command='history', follow=True), dict(command='zone-add', zones=['x.example'])]
    for victim in ('worker', 'writer', 'no writer'):
        with s.Daemon() as d:
            d.import_set(ZONE + '@new', s.marked_zone(ZONE, 1))
            if victim == 'no writer':
                for _ in range(5):
                    pid = s.wait_until(d.writer, 5, 'a writer')
                    os.kill(pid, s.signal.SIGKILL)
                    s.wait_until(lambda: d.writer() != pid, 5, 'the writer to be gone')
            else:
                os.kill(d.workers()[0] if victim == 'worker' else d.writer(), s.signal.SIGSTOP)
            clients = [d.control() for _ in requests]
            for c, request in zip(clients, requests):
                c.send(request)
            s.time.sleep(0.05)
            s.equal(d.stop(), 0, 'the exit status with a stopped ' + victim)
            for c in clients:
                while c.line():
                    pass
                c.close()


@s.case('who may stage drops what was never served, and nothing else')
def drop_rights():
    if os.geteuid() != 0:
        raise s.Skip('other users need root')
    import grp
    import pwd
    nobody = pwd.getpwnam('nobody')
    operators, stagers = [g for g in grp.getgrall() if g.gr_gid not in (0, nobody.pw_gid)][:2]
    with s.Daemon(operators=operators.gr_name, stagers=stagers.gr_name) as d:
        for i, name in enumerate(('old', 'new', 'spare', 'spare2')):
            d.import_set('%s@%s' % (ZONE, name), s.marked_zone(ZONE, i + 1))
        d.must('cutover', sets=[ZONE + '@old'])
        d.must('cutover', sets=[ZONE + '@new'])
        d.must('rollback', zones=[ZONE])
        os.chmod(d.dir, 0o755)

        def as_member(group, *requests):
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    os.setgroups([group.gr_gid])
                    os.setgid(nobody.pw_gid)
                    os.setuid(nobody.pw_uid)
                    os.write(writing, s.json.dumps([d.ask(**r) for r in requests]).encode())
                finally:
                    os._exit(0)
            os.close(writing)
            with os.fdopen(reading) as f:
                text = f.read()
            os.waitpid(child, 0)
            return s.json.loads(text)

        replies = as_member(stagers, dict(command='drop', sets=[ZONE + '@spare']), dict(command='drop', sets=[ZONE + '@new']),
                            dict(command='drop', sets=[ZONE + '@spare2', ZONE + '@new']))
        s.equal([r['ok'] for r in replies], [True, False, False], 'what a stager may drop: %s' % replies)
        s.equal(replies[1]['error']['code'], 'denied', 'the code')
        s.expect(operators.gr_name in replies[1]['error']['message'] and ZONE + '@new' in replies[1]['error']['message'],
                 'set or group is not named: %s', replies[1])
        s.expect(d.set(ZONE, 'spare2') is not None, 'half of a refused command was done')
        s.expect('drop by nobody (pid' in d.log_text() and 'denied' in d.log_text(), 'the log does not tell of the attempt')
        s.equal([r['ok'] for r in as_member(operators, dict(command='drop', sets=[ZONE + '@new']))], [True], 'an operator')


s.run()
