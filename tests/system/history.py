"""G12: every change of what is served is in the history: when, which zones, from what to
what, by whom, why."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import calendar  # noqa: E402

ZONE = 'shop.example'


@s.case('an entry a command: kind, zones, sets, serials, who, why, when')
def entries():
    with s.Daemon() as d:
        begun = s.time.time()
        d.import_set(ZONE + '@old', s.marked_zone(ZONE, 1, serial=10))
        d.import_set(ZONE + '@new', s.marked_zone(ZONE, 2, serial=20))
        s.equal(d.must('history')['entries'], [], 'staging is no change of what is served')
        d.must('cutover', sets=[ZONE + '@old'])
        d.run('cutover', ZONE + '@new', '-m', 'the move to the new hall: ä "quoted"')
        d.run('rollback', ZONE, '-m', 'the till is mute')
        d.run('rollback', ZONE)
        listed = d.must('history')['entries']
        s.equal([e['kind'] for e in listed], ['rollback', 'cutover', 'cutover'], 'the kinds, newest first')
        s.equal([e['note'] for e in listed][:2], ['the till is mute', 'the move to the new hall: ä "quoted"'],
                'the notes')
        ids = [e['id'] for e in listed]
        s.expect(ids == sorted(ids, reverse=True) and len(set(ids)) == 3, 'ids: %s', ids)
        for entry in listed:
            s.equal(entry['uid'], os.getuid(), "the peer's uid")
            s.expect(entry['by'], 'no name: %s', entry)
            s.equal(len(entry['zones']), 1, 'zones')
            at = calendar.timegm(s.time.strptime(entry['at'][:19], '%Y-%m-%dT%H:%M:%S'))
            s.expect(begun - 2 <= at <= s.time.time() + 2, 'at %s', entry['at'])
            s.expect(entry['at'].endswith('Z'), 'not UTC: %s', entry['at'])
        with open('/proc/self/loginuid') as f:
            login = int(f.read())
        found = listed[0]['login_uid']
        s.expect(found == login or (login == 2**32 - 1 and found in (None, login, -1)),
                 'login uid %s, not %s', found, login)
        member = listed[1]['zones'][0]
        s.equal((member['zone'], member['from'], member['to'], member['from_serial'], member['to_serial']),
                (ZONE, 'old', 'new', 10, 20), 'the member')
        s.equal(listed[2]['zones'][0]['from'], None, 'the set before the first')


@s.case('reloads, edits, serials, removals: nothing goes unexplained')
def everything():
    with s.Daemon() as d:
        d.import_set(ZONE, s.marked_zone(ZONE, 1, serial=10))
        d.must('record', set=ZONE, text='add x 60 A 10.1.4.4\n')
        d.must('serial', zone=ZONE, serial=1000, note='by hand')
        d.import_set(ZONE, s.marked_zone(ZONE, 2, serial=2000))
        d.import_set(ZONE, s.marked_zone(ZONE, 2, serial=2001))
        d.must('zone-remove', zones=[ZONE], note='sold')
        listed = d.must('history')['entries']
        kinds = [e['kind'] for e in listed]
        s.equal(kinds[0], 'remove', 'the last kind')
        s.equal(listed[0]['note'], 'sold', 'its note')
        for kind in ('reload', 'edit', 'serial'):
            s.expect(kind in kinds, '%s is not in %s', kind, kinds)
        s.equal(kinds.count('reload'), 2, 'reloads: one that changes nothing is none')


@s.case("a zone's history is that of its name: removed, returned, removed again, after a restart and a restore")
def of_the_name():
    with s.Daemon() as d:
        def notes(daemon=d, **keys):
            return [e['note'] or e['kind'] for e in daemon.must('history', zone=ZONE, **keys)['entries']]

        d.import_set('other.example', s.marked_zone('other.example', 5))
        d.import_set(ZONE, s.marked_zone(ZONE, 1, serial=10), note='first')
        d.must('zone-remove', zones=[ZONE], note='sold')
        s.equal(notes(), ['sold', 'first'], 'of a zone that is gone')
        d.must('zone-add', zones=[ZONE])        # and goes without having served anything
        s.equal(notes(), ['sold', 'first'], 'of a zone that is back')
        d.must('zone-remove', zones=[ZONE], note='a mistake')
        with d.control() as follower:
            follower.send(dict(command='history', zone=ZONE, follow=True, limit=1))
            s.equal(follower.line()['progress']['entry']['note'], 'a mistake', 'the last one')
            d.import_set(ZONE, s.marked_zone(ZONE, 2, serial=5), note='bought back')
            s.equal(follower.line()['progress']['entry']['note'], 'bought back', 'one of the zone that has returned')
        s.equal(d.served_serial(ZONE), 11, 'the serial goes on')
        wanted = ['bought back', 'a mistake', 'sold', 'first']
        s.equal(notes(), wanted, 'the whole of it')
        entries = d.must('history', zone=ZONE)['entries']
        s.equal(notes(limit=2) + notes(limit=2, before=entries[1]['id']), wanted, 'in pages')
        d.stop()
        d.start()
        s.equal(notes(), wanted, 'after a restart')
        d.import_set('gone.example', s.marked_zone('gone.example', 3, serial=7), note='come')
        d.must('zone-remove', zones=['gone.example'], note='gone')
        d.fsck()
        for form in ((), ('--text',)):
            copy = os.path.join(d.dir, 'backup' + ''.join(form))
            d.run('backup', *form, copy)
            other = s.Daemon()
            other.spawn(['--restore', copy])
            s.equal(other.process.wait(60), 0, 'the restore: ' + other.log_tail(3))
            with other:
                s.equal(notes(other)[-4:], wanted, 'after a restore %s' % (form,))
                s.equal([e['note'] for e in other.must('history', zone='gone.example')['entries']], ['gone', 'come'], 'of one that is gone')
                other.import_set('gone.example', s.marked_zone('gone.example', 4, serial=1))
                s.equal(len(other.must('history', zone='gone.example')['entries']), 3, 'when it returns')
                s.expect(other.served_serial('gone.example') > 7, 'its serial')
                other.fsck()


@s.case('a group switch is one entry with an id; large ones count their members')
def group():
    zones = ['z%d.example' % i for i in range(150)]
    with s.Daemon() as d:
        for zone in zones:
            d.file('zones/%s.zone' % zone, s.marked_zone(zone, 1, 1))
        d.run('import', '--dir', os.path.join(d.dir, 'zones'), '@old')
        d.must('group-create', group='g')
        d.must('group-add', group='g', zones=zones)
        reply = d.must('cutover', group='g', set='old', note='all at once')
        listed = d.must('history')['entries']
        s.equal(len(listed), 1, 'entries')
        s.equal((listed[0]['id'], listed[0]['members'], listed[0]['group'], len(listed[0]['zones'])),
                (reply['switch'], 150, 'g', 100), 'id, members, group, zones listed')
        s.equal([e['id'] for e in d.must('history', zone='z77.example')['entries']], [reply['switch']],
                "a member's own history")


@s.case('limit, before, zone; it survives a restart; --follow tells as it happens')
def pages():
    d = s.Daemon().start()
    d.import_set(ZONE + '@old', s.marked_zone(ZONE, 1))
    d.import_set(ZONE + '@new', s.marked_zone(ZONE, 2))
    d.must('cutover', sets=[ZONE + '@old'])
    for i in range(5):
        d.must('cutover', sets=[ZONE + '@new'], note='forth %d' % i)
        d.must('rollback', zones=[ZONE], note='back %d' % i)
    everything = d.must('history', limit=100)['entries']
    s.equal(len(everything), 11, 'entries')
    first = d.must('history', limit=4)['entries']
    then = d.must('history', limit=100, before=first[-1]['id'])['entries']
    s.equal(first + then, everything, 'two pages')
    s.equal(d.must('history', zone=ZONE, limit=100)['entries'], everything, "the zone's own")
    d.refused('no-such-zone', 'history', zone='none.example')
    d.stop()
    d.start()
    s.equal(d.must('history', limit=100)['entries'], everything, 'after a restart')
    with d.control(10.0) as c:
        c.send({'command': 'history', 'follow': True, 'limit': 1})
        s.time.sleep(0.3)
        d.must('cutover', sets=[ZONE + '@new'], note='seen as it happens')
        seen = ''
        while 'seen as it happens' not in seen:
            line = c.line()
            s.expect(line is not None, 'the connection ended')
            seen = str(line)
    d.stop()
    d.check_log()


@s.case('rights: who may switch, stage, look; a denial names the group to be in')
def rights():
    if os.geteuid() != 0:
        raise s.Skip('other users need root')
    import grp
    import pwd
    nobody = pwd.getpwnam('nobody')
    groups = [g.gr_name for g in grp.getgrall() if g.gr_gid not in (0, nobody.pw_gid)][:3]
    operators, stagers, readers = groups
    gid = {g: grp.getgrnam(g).gr_gid for g in groups}
    with s.Daemon(operators=operators, stagers=stagers, readers=readers) as d:
        d.import_set(ZONE + '@old', s.marked_zone(ZONE, 1))
        d.import_set(ZONE + '@new', s.marked_zone(ZONE, 2))
        d.must('cutover', sets=[ZONE + '@old'])
        os.chmod(d.dir, 0o755)
        os.chmod(d.socket_path, 0o777)

        def as_user(supplementary, *requests):
            """The replies to requests of nobody with these groups."""
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    os.setgroups([gid[g] for g in supplementary])
                    os.setgid(nobody.pw_gid)
                    os.setuid(nobody.pw_uid)
                    out = []
                    for request in requests:
                        fds = []
                        if request['command'] == 'import':
                            f = s.tempfile.TemporaryFile(dir='/tmp')
                            f.write(s.marked_zone(ZONE, 3).encode())
                            f.seek(0)
                            fds = [f.fileno()]
                        try:
                            out.append(d.ask(fds=fds, **request))
                        except ConnectionError:
                            out.append({'ok': False, 'error': {'code': 'closed', 'message': 'closed'}})
                    os.write(writing, s.json.dumps(out).encode())
                finally:
                    os._exit(0)
            os.close(writing)
            with os.fdopen(reading) as f:
                text = f.read()
            os.waitpid(child, 0)
            return s.json.loads(text)

        requests = [dict(command='status'), dict(command='import', zone=ZONE, set='staged', name='x'),
                    dict(command='cutover', sets=[ZONE + '@new']), dict(command='fsck')]
        table = [((), [False] * 4), ((readers,), [True, False, False, False]),
                 ((stagers,), [True, True, False, False]), ((operators,), [True, True, True, False])]
        for supplementary, wanted in table:
            replies = as_user(supplementary, *requests)
            s.equal([r['ok'] for r in replies], wanted, 'what %s may' % (supplementary,))
            for r in replies:
                if not r['ok']:
                    s.equal(r['error']['code'], 'denied', 'the code')
        denied = as_user((readers,), dict(command='cutover', sets=[ZONE + '@old']))[0]['error']
        s.expect(operators in denied['message'], 'the group to be in is not named: %s', denied)
        s.equal(d.must('history', limit=1)['entries'][0]['uid'], nobody.pw_uid, "the operator's uid")


s.run()
