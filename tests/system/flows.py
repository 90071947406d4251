"""What operators do, by the tool: import, record, edit, diff, export, copy, drop, groups,
portfolios, backup and restore, fsck, reload, stop."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import re  # noqa: E402
import stat  # noqa: E402
import subprocess  # noqa: E402

ZONE = 'shop.example'


def prepared(d):
    d.run('import', ZONE + '@old', d.file('old.zone', s.marked_zone(ZONE, 1, serial=10)))
    d.run('import', ZONE + '@new', d.file('new.zone', s.marked_zone(ZONE, 2, serial=20)))
    d.run('cutover', ZONE + '@old')
    d.run('confirm', ZONE)


def lines(path):
    with open(path) as f:
        return sorted(line for line in f.read().splitlines() if line and not line.startswith((';', '$')))


@s.case('the two commands: cutover, and back')
def two_commands():
    with s.Daemon() as d:
        prepared(d)
        status, out, err = d.tool('cutover', ZONE + '@new', json_out=False)
        s.equal(status, 0, err)
        s.equal(out.strip().splitlines()[-1].strip().split('schwenk')[-1].strip()[-len('rollback ' + ZONE):],
                'rollback ' + ZONE, 'the last line: the command back')
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {2}, 'served')
        for args in ((), ('status',), ('zones',), ('sets', ZONE), ('history',), ('zone', 'show', ZONE), ('stats',)):
            status, out, err = d.tool(*args, json_out=False)
            s.equal(status, 0, 'schwenk %s: %s' % (' '.join(args), err))
            if args not in ((), ('stats',), ('status',)):
                s.expect(ZONE in out or 'new' in out, 'schwenk %s: %s', ' '.join(args), out)
            s.expect('\x1b' not in out, 'colour though no terminal')
        s.equal(d.tool('rollback', ZONE, json_out=False)[0], 0, 'rollback')
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served')


@s.case('import from standard input; export is what was imported; hashes are equal')
def round_trip():
    with s.Daemon() as d:
        prepared(d)
        first = os.path.join(d.dir, 'first')
        d.run('export', ZONE + '@new', first)
        d.run('import', ZONE + '@again', '-', input=open(first).read())
        s.equal(d.set(ZONE, 'again')['hash'], d.set(ZONE, 'new')['hash'], 'the content hash')
        second = os.path.join(d.dir, 'second')
        d.run('export', ZONE + '@again', second)
        s.equal(lines(first), lines(second), 'the exports')
        status, out, err = d.tool('export', ZONE, json_out=False)
        s.expect('SOA' in out.splitlines()[0] or 'SOA' in out.splitlines()[1], 'SOA first: %s', out[:200])
        s.expect(' %d ' % d.served_serial(ZONE) in out.replace('\t', ' '), 'the served serial of the live set')
        diff = d.run('diff', ZONE + '@new', ZONE + '@again')
        s.equal((diff['added'], diff['removed'], diff['changed']), (0, 0, 0), 'the difference')


@s.case('record add, del, replace, apply: O(change), one commit, only what was asked')
def record():
    with s.Daemon() as d:
        prepared(d)
        d.run('record', 'add', ZONE, 'box', '300', 'A', '10.1.9.1')
        d.run('record', 'add', ZONE, 'box', 'A', '10.1.9.2')
        s.equal(d.udp('box.' + ZONE).rdata('A'), ['10.1.9.1', '10.1.9.2'], 'added')
        d.run('record', 'replace', ZONE, 'box', '60', 'A', '10.1.9.3')
        s.equal([(r.ttl, r.rdata) for r in d.udp('box.' + ZONE).answer], [(60, '10.1.9.3')], 'replaced')
        d.run('record', 'del', ZONE, 'box', 'A', '10.1.9.3')
        s.equal(d.udp('box.' + ZONE).rcode, 'NXDOMAIN', 'deleted')
        d.run('record', 'add', ZONE, 'a.b.deep', '300', 'TXT', '"m1"')
        s.equal(d.udp('b.deep.' + ZONE).rcode, 'NOERROR', 'an empty non-terminal came')
        d.run('record', 'del', ZONE, 'a.b.deep', 'TXT')
        s.equal(d.udp('b.deep.' + ZONE).rcode, 'NXDOMAIN', 'and went')
        d.run('record', 'apply', ZONE, '-', input='add x 60 A 10.1.9.4\nadd y 60 CNAME x\ndel n0 A\n')
        s.equal((d.udp('y.' + ZONE).rdata('A'), d.udp('n0.' + ZONE).rcode), (['10.1.9.4'], 'NXDOMAIN'), 'applied')
        before = (d.zone(ZONE)['serial'], d.set(ZONE, 'old')['hash'])
        for text in ('add z 60 A 10.1.9.5\nadd x 60 CNAME y\n', 'add z 60 A 10.1.9.5\nnonsense\n',
                     'add z 60 A 10.1.9.5\nadd z 60 A 300.1.1.1\n', 'add z.other.example. 60 A 10.1.9.5\n'):
            status, _, err = d.tool('record', 'apply', ZONE, '-', input=text)
            s.equal(status, 1, 'apply %r: %s' % (text, err))
        s.equal((d.zone(ZONE)['serial'], d.set(ZONE, 'old')['hash']), before, 'after refused changes')
        s.equal(d.udp('z.' + ZONE).rcode, 'NXDOMAIN', 'nothing of a refused transaction')
        # many editions: folded in the background, answers the same
        for i in range(40):
            d.must('record', set=ZONE, text='replace many 60 A 10.1.8.%d\nadd e%d 60 A 10.1.7.%d\n' % (i, i, i))
        s.equal(d.udp('many.' + ZONE).rdata('A'), ['10.1.8.39'], 'the last of many editions')
        for i in range(0, 40, 7):
            s.equal(d.udp('e%d.%s' % (i, ZONE)).rdata('A'), ['10.1.7.%d' % i], 'edition %d' % i)
        d.fsck()


@s.case('edit: by $EDITOR; a mistake changes nothing; an edit overtaken is told')
def edit():
    with s.Daemon() as d:
        prepared(d)
        editor = d.file('editor', '#!/bin/sh\nsed -i "s/10\\.1\\.1\\.1\\b/10.1.1.200/" "$1"\n')
        os.chmod(editor, stat.S_IRWXU)
        status, out, err = d.tool('edit', ZONE, '--yes', env={'EDITOR': editor, 'VISUAL': editor}, json_out=False)
        s.equal(status, 0, 'edit: %s %s' % (out, err))
        s.equal(d.udp('n0.' + ZONE).rdata('A'), ['10.1.1.200'], 'edited')
        before = d.set(ZONE, 'old')['hash']
        with open(d.file('text', s.marked_zone(ZONE, 1) + 'broken (\n')) as f:
            d.refused(('parse', 'rule'), 'edit', [f.fileno()], set=ZONE)
        with open(d.file('text', s.marked_zone(ZONE, 1, 3))) as f:
            d.refused('changed', 'edit', [f.fileno()], set=ZONE, expect='0' * 32)
        s.equal(d.set(ZONE, 'old')['hash'], before, 'the hash after refused edits')
        with open(d.file('text', s.marked_zone(ZONE, 1, 3))) as f:
            d.must('edit', [f.fileno()], set=ZONE, expect=before)
        s.equal((d.udp('n2.' + ZONE).rcode, d.udp('n3.' + ZONE).rcode), ('NOERROR', 'NXDOMAIN'), 'the new text')
        # nothing edited: said with --json, too, as an import says it
        for where, serial in ((ZONE, d.served_serial(ZONE)), (ZONE + '@old', d.served_serial(ZONE))):
            for editor in ('true', 'touch'):
                reply = d.run('edit', where, env={'EDITOR': editor, 'VISUAL': editor})
                s.equal((reply['v'], reply['ok'], reply['outcome'], reply['serial'], reply['errors'], reply.get('problems', [])),
                        (1, True, 'unchanged', serial, 0, []), 'edit without a change')
                s.equal((reply['set']['name'], reply['set']['live']), ('old', True), 'the set')
        same = d.file('same', '#!/bin/sh\necho "; a comment" >> "$1"\n')
        os.chmod(same, stat.S_IRWXU)
        reply = d.run('edit', ZONE, env={'EDITOR': same, 'VISUAL': same})
        s.equal((reply['v'], reply['outcome'], reply['set']['name']), (1, 'unchanged', 'old'), 'the same records')
        d.fsck()


@s.case('diff, copy, check, drop')
def sets():
    with s.Daemon() as d:
        prepared(d)
        d.run('copy', ZONE + '@live', ZONE + '@copy')
        s.equal(d.set(ZONE, 'copy')['hash'], d.set(ZONE, 'old')['hash'], 'the hash of the copy')
        d.run('record', 'replace', ZONE + '@copy', 'n1', '300', 'A', '10.4.4.4')
        d.run('record', 'add', ZONE + '@copy', 'fresh', '300', 'A', '10.4.4.5')
        d.run('record', 'del', ZONE + '@copy', 'n2', 'A')
        rows = d.must('diff', **{'from': ZONE + '@old', 'to': ZONE + '@copy'})
        s.equal((rows['added'], rows['removed'], rows['changed']), (1, 1, 1), 'the counts')
        kinds = {r['owner'].split('.')[0]: r['kind'] for r in rows['rows']}
        s.equal(kinds, {'n1': '~', 'fresh': '+', 'n2': '-'}, 'the rows')
        status, out, err = d.tool('diff', ZONE + '@copy', json_out=False)
        s.expect('10.4.4.4' in out, 'the tool: %s %s', out, err)
        status, out, err = d.tool('check', ZONE + '@copy')
        s.equal((status, out['rules']), (0, 0), 'check')
        d.run('drop', ZONE + '@copy')
        row = d.set(ZONE, 'copy')
        s.expect(row is None or row['state'] == 'dropping', 'dropped')
        d.run('sets', ZONE)
        d.fsck()


@s.case('a portfolio: import --dir, bad files named, --prune with its limit')
def portfolio():
    with s.Daemon() as d:
        names = ['p%d.example' % i for i in range(60)]
        for zone in names:
            d.file('dir/%s.zone' % zone, s.marked_zone(zone, 1, 1))
        d.file('dir/0%2F25.2.0.192.in-addr.arpa.zone', s.marked_zone('0/25.2.0.192.in-addr.arpa', 1, 1))
        d.file('dir/README', 'no zone')
        reply = d.run('import', '--dir', os.path.join(d.dir, 'dir'))
        s.equal((reply['zones'], reply['live'], reply['failed']), (61, 61, []), 'the reply')
        s.equal(len(d.must('history')['entries']), 1, 'one entry a command')
        s.equal(s.markers(d.udp('n0.0/25.2.0.192.in-addr.arpa')), {1}, 'a zone with a slash')
        reply = d.run('import', '--dir', os.path.join(d.dir, 'dir'))
        s.equal((reply['live'], reply['unchanged']), (0, 61), 'again: unchanged')
        d.file('dir/p7.example.zone', 'broken (\n')
        d.file('dir/p8.example.zone', s.marked_zone('p8.example', 2, 1))
        reply = d.run('import', '--dir', os.path.join(d.dir, 'dir'), status=5)
        s.equal([f['zone'] for f in reply['failed']], ['p7.example'], 'the failed')
        s.equal((s.markers(d.udp('p7.example', 'SOA')), s.markers(d.udp('p8.example', 'SOA'))), ({1}, {2}), 'served')
        d.file('dir/p7.example.zone', s.marked_zone('p7.example', 1, 1))
        for zone in names[:2]:
            os.unlink(os.path.join(d.dir, 'dir', zone + '.zone'))
        reply = d.run('import', '--dir', os.path.join(d.dir, 'dir'), '--prune')
        s.equal(sorted(reply['removed']), names[:2], 'removed')
        s.equal(d.udp('p0.example', 'SOA').rcode, 'REFUSED', 'a pruned zone')
        for zone in names[2:20]:
            os.unlink(os.path.join(d.dir, 'dir', zone + '.zone'))
        status, reply, err = d.tool('import', '--dir', os.path.join(d.dir, 'dir'), '--prune')
        s.expect(status in (1, 5), 'pruning a third is done: %d %s', status, reply)
        s.equal(s.markers(d.udp('p5.example', 'SOA')), {1}, 'still served')
        d.fsck()


@s.case('groups: create, add, remove, list, delete; a switch by the tool')
def groups():
    with s.Daemon() as d:
        prepared(d)
        d.run('group', 'create', 'g')
        d.run('group', 'create', 'g', status=1)
        d.run('group', 'add', 'g', ZONE)
        d.run('group', 'add', 'g', 'none.example', status=1)
        s.equal([(g['group'], g['members']) for g in d.must('group-list')['groups']], [('g', 1)], 'the groups')
        s.equal(d.must('group-list', group='g')['groups'][0]['zones'], [ZONE], 'the members')
        d.run('cutover', '--group', 'g', '@new')
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {2}, 'served')
        d.run('rollback', '--group', 'g')
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served')
        d.run('group', 'remove', 'g', ZONE)
        d.run('group', 'delete', 'g')
        d.run('cutover', '--group', 'g', '@new', status=1)


@s.case('backup (both forms) and restore: every set, raised serials, into an empty store only')
def backup():
    with s.Daemon() as d:
        prepared(d)
        d.must('record', set=ZONE, text='add edited 60 A 10.1.5.5\n')
        d.must('group-create', group='g')
        d.must('group-add', group='g', zones=[ZONE])
        serial = d.served_serial(ZONE)
        hashes = {r['name']: r['hash'] for r in d.must('sets', zone=ZONE)['sets']}
        forms = {'binary': (), 'compact': ('--compact',), 'text': ('--text',)}
        for form, option in forms.items():
            d.run('backup', os.path.join(d.dir, form), *option)
        for form in forms:
            other = s.Daemon()
            other.write_conf()
            env = dict(os.environ)
            argv = [s.SCHWENKD, '-c', other.conf_path, '--restore', os.path.join(d.dir, form)]
            done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=60)
            s.equal(done.returncode, 0, 'restore of %s: %s' % (form, done.stderr))
            again = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=60)
            s.expect(again.returncode == 1 and again.stderr, 'a restore into a store that is not empty: %s', again)
            other.start()
            s.equal({r['name']: r['hash'] for r in other.must('sets', zone=ZONE)['sets']}, hashes, form + ': hashes')
            s.equal(other.served_serial(ZONE), serial + 10000, form + ': the serial')
            s.equal(other.udp('edited.' + ZONE).rdata('A'), ['10.1.5.5'], form + ': an edit')
            s.equal([g['zones'] for g in other.must('group-list', group='g')['groups']], [[ZONE]], form + ': the group')
            other.must('cutover', sets=[ZONE + '@new'])
            s.equal(s.markers(other.udp(ZONE, 'SOA')), {2}, form + ': a cutover')
            other.fsck()
            other.stop()
            other.check_log()
        d.fsck()


@s.case('a backup while switches and imports run is consistent')
def hot_backup():
    import threading
    with s.Daemon() as d:
        prepared(d)
        stop = threading.Event()

        def busy():
            i = 0
            while not stop.is_set():
                i += 1
                d.must('cutover', sets=[ZONE + '@new'])
                d.must('rollback', zones=[ZONE])
                d.import_set(ZONE + '@s%d' % (i % 3), s.marked_zone(ZONE, 3, 300 + i))
        thread = threading.Thread(target=busy)
        thread.start()
        try:
            for i in range(3):
                d.must('backup', directory=os.path.join(d.dir, 'b%d' % i))
        finally:
            stop.set()
            thread.join()
        for i in range(3):
            other = s.Daemon()
            other.write_conf()
            done = subprocess.run([s.SCHWENKD, '-c', other.conf_path, '--restore', os.path.join(d.dir, 'b%d' % i)],
                                  capture_output=True, text=True, timeout=60)
            s.equal(done.returncode, 0, 'restore: ' + done.stderr)
            other.start()
            other.fsck()
            s.equal(len(s.markers(other.udp(ZONE, 'SOA'))), 1, 'served')
            other.stop()


@s.case('zone add, set, show, remove; zones by pattern and group, in pages')
def zones():
    with s.Daemon() as d:
        d.run('zone', 'add', 'a.example', 'b.example', 'c.test')
        d.run('zone', 'add', 'a.example', status=1)
        s.equal([z['zone'] for z in d.must('zones')['zones']].__len__(), 3, 'zones')
        s.equal(sorted(z['zone'] for z in d.must('zones', pattern='*.example')['zones']), ['a.example', 'b.example'],
                'by pattern')
        found, after = [], None
        while True:
            page = d.must('zones', limit=1, after=after)
            found += [z['zone'] for z in page['zones']]
            if not page['more']:
                break
            after = found[-1]
        s.equal(len(found), 3, 'page by page')
        s.equal(d.zone('a.example')['live'], None, 'no live set yet')
        d.must('zone-set', zone='a.example', properties={'reload': 'stagers'})
        s.equal(d.zone('a.example')['properties'].get('reload'), 'stagers', 'a property')
        err = d.tool('zone', 'set', 'a.example', 'reload=stager')
        s.expect(err[0] == 2 and 'stagers' in err[2], 'a value of reload that means nothing: %s', err)
        d.run('zone', 'remove', 'c.test', '--yes')
        d.run('zone', 'show', 'c.test', status=1)


@s.case('U-labels in, A-labels on the wire')
def u_labels():
    with s.Daemon() as d:
        d.run('import', 'müller.example', d.file('m', s.marked_zone('xn--mller-kva.example', 1)))
        s.equal(s.markers(d.udp('n1.xn--mller-kva.example')), {1}, 'served')
        s.equal(d.run('sets', 'müller.example')['zone'], 'xn--mller-kva.example', 'the reply')


@s.case('reload of the configuration: SIGHUP and the command; a bad one changes nothing')
def reload():
    with s.Daemon(version='one') as d:
        prepared(d)
        d.options['version'] = 'two'
        d.write_conf()
        d.run('reload')
        s.wait_until(lambda: d.udp('version.bind', 'TXT', qclass=3).rdata('TXT') == ['two'], 5, 'the new text')
        d.options['version'] = 'three'
        d.write_conf()
        d.process.send_signal(s.signal.SIGHUP)
        s.wait_until(lambda: d.udp('version.bind', 'TXT', qclass=3).rdata('TXT') == ['three'], 5, 'after SIGHUP')
        with open(d.conf_path, 'a') as f:
            f.write('nonsense: 1\n')
        status, _, err = d.tool('reload')
        s.expect(status == 1, 'a bad configuration is taken')
        s.equal(d.udp('version.bind', 'TXT', qclass=3).rdata('TXT'), ['three'], 'afterwards')
        s.equal(s.markers(d.udp(ZONE, 'SOA')), {1}, 'served')


@s.case('schwenkd -V: the version, and those of the libraries that matter to the store and to answers')
def version():
    done = subprocess.run([s.SCHWENKD, '-V'], capture_output=True, text=True, timeout=10)
    s.equal(done.returncode, 0, done.stderr)
    for library in ('LMDB', 'ldns', 'libevent', 'jansson', 'libsodium', 'libseccomp'):
        s.expect(re.search(library + r' \d+\.\d+', done.stdout), '%s: %s', library, done.stdout)


@s.case('exit statuses: 2 for a mistake in use, also where the daemon finds it; 1 for what is refused')
def statuses():
    with s.Daemon() as d:
        prepared(d)
        text = d.file('dir/a.example.zone', s.marked_zone('a.example', 1, 1))
        two = [ZONE + '@old', 'b.example@old']
        d.import_set(two[1], s.marked_zone('b.example', 1, 1))
        before = len(d.must('history')['entries'])
        for wanted, arguments in (
                (2, ['cutover', ZONE + '@old', ZONE + '@new']), (2, ['cutover', *two, '--serial', '9']),
                (2, ['cutover', *two, '--expect', '0' * 32]), (2, ['cutover', ZONE + '@new', '--force', 'nothing']),
                (2, ['rollback', ZONE, ZONE]), (2, ['confirm', ZONE, ZONE]), (2, ['rollback']),
                (2, ['import', ZONE + '@x', text, '--drop', 'no-such-rule']), (2, ['import', ZONE + '@x', text, '--drop', 'no-soa']),
                (2, ['import', '--dir', os.path.dirname(text), '--drop', 'no-such-rule']),
                (2, ['import', ZONE + '@x', d.dir]), (2, ['group', 'create', 'G?']), (2, ['copy', ZONE + '@old', 'b.example@x']),
                (2, ['zone', 'add', 'twice.example', 'twice.example']), (2, ['zone', 'remove', '--yes', ZONE, ZONE]),
                (2, ['drop', ZONE + '@new', ZONE + '@new']), (2, ['zone', 'set', ZONE, 'reload=nobody']),
                (1, ['cutover', ZONE + '@none']), (1, ['serial', ZONE, '1']), (1, ['rollback', 'none.example']),
                (1, ['import', ZONE + '@x', '/nowhere']), (1, ['drop', ZONE + '@old']), (1, ['import', '--dir', d.database])):
            status, reply, err = d.tool(*arguments)
            s.equal(status, wanted, ' '.join(arguments) + ': ' + err)
            s.equal((reply['ok'], reply['error']['code'] == 'bad-request' if wanted == 1 else False), (False, False), 'the reply')
        s.equal(len(d.must('history')['entries']), before, 'nothing was changed')


@s.case('socat can ask, too')
def socat():
    if not s.shutil.which('socat'):
        raise s.Skip('socat is not installed')
    with s.Daemon() as d:
        done = subprocess.run(['socat', '-t5', '-', 'UNIX:' + d.socket_path], input='{"command":"status"}\n',
                              capture_output=True, text=True, timeout=10)
        s.equal(s.json.loads(done.stdout)['ok'], True, 'status')


s.run()
