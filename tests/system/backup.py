"""Backup and restore: both forms, made while the daemon works, bring back every set, the
ways back, groups and the history, with serials that secondaries follow; half a backup, a
damaged one or a store that is not empty is refused and leaves nothing behind."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import json  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

ZONE = 'shop.example'
FORMS = {'binary': (), 'compact': ('--compact',), 'text': ('--text',)}


def marked(zone, marker, serial=1, names=8):
    return s.marked_zone(zone, marker, names, serial)


def restore(other, directory, *options, wait=True):
    """schwenkd --restore into the other's database."""
    other.write_conf()
    argv = [s.SCHWENKD, '-c', other.conf_path, '--restore', directory, *options]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if not wait:
        return process
    out, err = process.communicate(timeout=120)
    s.expect(not s.SANITIZER_REPORT.search(err), 'a sanitizer report: %s', err[:3000])
    return process.returncode, out, err


def must_restore(other, directory, *options):
    status, out, err = restore(other, directory, *options)
    s.equal(status, 0, 'restore of %s: %s' % (directory, err))
    return out, err


def left_over(other):
    return [n for n in os.listdir(other.database) if n != 'schwenkd.lock']


def must_not_restore(other, directory, word):
    status, out, err = restore(other, directory)
    s.equal(status, 1, 'restore of %s: %s' % (directory, out))
    s.expect(word in err, 'the error of %s does not say "%s": %s', directory, word, err)
    s.expect(not left_over(other), 'left behind: %s', left_over(other))


def everything(d):
    """All that a restore must bring back as it was, but for the served serials."""
    zones = d.must('zones', limit=1000)['zones']
    found = {'zones': {}, 'sets': {}, 'groups': {}, 'history': d.must('history', limit=1000)['entries']}
    for z in zones:
        z.pop('serial')
        found['zones'][z['zone']] = z
        for row in d.must('sets', zone=z['zone'])['sets']:
            if row['state'] in ('ready', 'failed'):
                row.pop('octets')
                row.pop('images')
                found['sets'][row['set']] = row
    for g in d.must('group-list')['groups']:
        found['groups'][g['group']] = d.must('group-list', group=g['group'])['groups'][0]['zones']
    return found


def serials(d, zones):
    return {z: d.zone(z)['serial'] for z in zones}


def answers(d, zones):
    """Whole answers, but for the serial that stands in each SOA."""
    found = {}
    for zone in zones:
        for name, rrtype in s.marked_questions(zone):
            m = d.udp(name, rrtype)
            found[name, rrtype] = (m.rcode, m.aa, [repr(r) for r in m.answer if r.type != 'SOA'],
                                   [repr(r) for r in m.authority if r.type != 'SOA'], len(m.answer), len(m.authority))
    return found


def prepared(d):
    """Holds, groups, edits, a way back to an older edition, a failed set, a removed zone."""
    members = ['g1.example', 'g2.example', 'sub.g2.example']
    for zone in [ZONE] + members:
        d.import_set(zone + '@old', marked(zone, 1, 10))
        d.import_set(zone + '@new', marked(zone, 2, 20))
        d.must('cutover', sets=[zone + '@old'], note='the first: ä "quoted"')
        d.must('confirm', zones=[zone])
    d.must('group-create', group='three', zones=members)
    d.must('group-create', group='none')
    d.must('cutover', sets=[ZONE + '@new'], note='held')
    # the edition that a rollback returns to is not the newest of its set
    d.must('record', set=ZONE + '@old', text='add later 60 A 10.1.77.1\n')
    d.must('record', set=ZONE, text='add edited 60 A 10.2.77.1\ndel n0\n')
    d.must('cutover', group='three', set='new', note='all of them')
    d.must('rollback', zones=['g1.example'], note='but this one')
    d.must('zone-set', zone=ZONE, properties={'reload': 'stagers', 'colour': 'a = b'})
    d.must('zone-add', zones=['prepared.example'])
    failed = d.import_set('prepared.example@broken', marked('prepared.example', 3) + 'both A 10.3.1.1\nboth CNAME n0\n')
    s.equal(failed['outcome'], 'failed', 'a set that breaks a rule')
    d.import_set('0/25.2.0.192.in-addr.arpa', marked('0/25.2.0.192.in-addr.arpa', 4, 2**32 - 3))
    d.import_set('gone.example', marked('gone.example', 5, 4000))
    d.must('zone-remove', zones=['gone.example'], note='sold')
    d.import_set('busy.example@old', marked('busy.example', 1, 1))
    d.import_set('busy.example@new', marked('busy.example', 2, 1))
    d.must('cutover', sets=['busy.example@old'])
    return [ZONE, 'g1.example', 'g2.example', 'sub.g2.example', '0/25.2.0.192.in-addr.arpa']


def ways_back(other):
    """What was held is taken back to what it was, and what was staged can be served."""
    other.must('rollback', zones=[ZONE])
    s.equal((s.markers(other.udp(ZONE, 'SOA')), other.udp('later.' + ZONE).rcode), ({1}, 'NXDOMAIN'),
            'the edition that was served before')
    other.must('cutover', sets=[ZONE + '@old'])
    s.equal(other.udp('later.' + ZONE).rdata('A'), ['10.1.77.1'], 'its newest edition')
    other.must('rollback', group='three')
    for zone in ('g1.example', 'g2.example', 'sub.g2.example'):
        s.equal(s.markers(other.udp(zone, 'SOA')), {1}, zone)
    other.must('record', set='prepared.example@broken', text='del both CNAME\n')
    other.must('cutover', sets=['prepared.example@broken'])
    s.equal(s.markers(other.udp('prepared.example', 'SOA')), {3}, 'the repaired set')
    other.import_set('gone.example', marked('gone.example', 6, 1))
    s.expect(14000 < other.served_serial('gone.example') < 15000, 'the serial of the zone that returned: %d',
             other.served_serial('gone.example'))


@s.case('both forms bring back sets, ways back, groups, history and answers; serials rise')
def both_forms():
    with s.Daemon() as d:
        zones = prepared(d)
        was, said, before = everything(d), answers(d, zones), serials(d, zones)
        for form, options in FORMS.items():
            d.run('backup', os.path.join(d.dir, form), *options)
        s.equal(everything(d), was, 'what a backup changed')
        for form in FORMS:
            other = s.Daemon()
            out, _ = must_restore(other, os.path.join(d.dir, form))
            s.expect('raised by 10000' in out, 'what it said: %s', out)
            other.start()
            now = everything(other)
            entry = now['history'].pop(0)
            s.equal((entry['kind'], entry['members'], entry['uid']), ('restore', len(zones) + 1, os.getuid()),
                    form + ': the history begins with the restore')
            for part in was:
                s.equal(now[part], was[part], form + ': ' + part)
            s.equal(answers(other, zones), said, form + ': the answers')
            for zone in zones:
                wanted = (before[zone] + 10000) % 2**32 or 1
                s.equal((other.zone(zone)['serial'], other.served_serial(zone)), (wanted, wanted), form + ': the serial of ' + zone)
            other.fsck()
            ways_back(other)
            # nothing that was given is given again
            last = max(e['id'] for e in was['history'])
            s.expect(other.must('cutover', sets=['busy.example@new'])['switch'] > last + 1, 'an id was given twice')
            other.fsck()
            other.stop()
            other.check_log()
        d.fsck()


@s.case('a backup of a backup in the other form is the same')
def round_trip():
    with s.Daemon() as d:
        prepared(d)
        d.run('backup', os.path.join(d.dir, 'text'), '--text')
        first = os.path.join(d.dir, 'text')
        other = s.Daemon()
        must_restore(other, first, '--serial-step', '0')
        other.start()
        s.equal(everything(other), everything(d), 'with the step 0 nothing differs')
        other.run('backup', os.path.join(d.dir, 'binary'))
        other.stop()
        third = s.Daemon()
        must_restore(third, os.path.join(d.dir, 'binary'), '--serial-step', '0')
        third.start()
        third.run('backup', os.path.join(d.dir, 'again'), '--text')
        third.stop()
        for name in ['catalog.jsonl'] + sorted(os.listdir(os.path.join(first, 'sets'))):
            where = name if name == 'catalog.jsonl' else os.path.join('sets', name)
            with open(os.path.join(first, where)) as a, open(os.path.join(d.dir, 'again', where)) as b:
                s.equal(b.read(), a.read(), where)


@s.case('while switches, edits and imports run: of one moment, groups whole')
def hot():
    pair = ['a.example', 'b.example']
    with s.Daemon() as d:
        for zone in pair:
            d.import_set(zone + '@old', marked(zone, 1))
            d.import_set(zone + '@new', marked(zone, 2))
        d.must('group-create', group='pair', zones=pair)
        d.must('cutover', group='pair', set='old')
        stop, failed, switches = threading.Event(), [], [0]

        def switching():
            try:
                while not stop.is_set():
                    d.must('cutover', group='pair', set='new')
                    d.must('record', set='a.example', text='replace n1 60 A 10.2.9.%d\n' % (switches[0] % 250))
                    d.must('rollback', group='pair')
                    switches[0] += 2
            except Exception as error:
                failed.append(error)

        def importing():
            try:
                i = 0
                while not stop.is_set():
                    i += 1
                    d.import_set('a.example@s%d' % (i % 3), marked('a.example', 3, i, 2000))
            except Exception as error:
                failed.append(error)
        threads = [threading.Thread(target=switching), threading.Thread(target=importing)]
        for t in threads:
            t.start()
        places = []
        try:
            for form, options in list(FORMS.items()) * 2:
                places.append(os.path.join(d.dir, '%s%d' % (form, len(places))))
                begun = switches[0]
                d.run('backup', places[-1], *options)
                s.wait_until(lambda: failed or switches[0] > begun + 2, 20, 'switches to go on')
        finally:
            stop.set()
            for t in threads:
                t.join()
        s.expect(not failed, 'the load failed: %s', failed)
        for place in places:
            other = s.Daemon()
            must_restore(other, place)
            other.start()
            other.fsck()
            found = [s.markers(other.udp(zone, 'SOA')) for zone in pair]
            s.expect(found[0] == found[1] and found[0] in ({1}, {2}), '%s: half a switch: %s', place, found)
            if found[0] == {2}:
                other.must('rollback', group='pair')
                s.equal([s.markers(other.udp(zone, 'SOA')) for zone in pair], [{1}, {1}], 'the way back')
            other.stop()
        d.fsck()


@s.case('serials: the step, over the edge, and those that cannot be raised are named')
def serial_step():
    signed = marked('fixed.example', 2, 500) + '@ ZONEMD 500 240 1 %s\n' % ('ab' * 48)
    with s.Daemon() as d:
        d.import_set('edge.example', marked('edge.example', 1, 2**32 - 5))
        d.import_set('fixed.example', signed)
        for form in FORMS:
            d.run('backup', os.path.join(d.dir, form), *FORMS[form])
        for form in FORMS:
            other = s.Daemon()
            out, err = must_restore(other, os.path.join(d.dir, form), '--serial-step', '5')
            s.expect('fixed.example' in err and 'edge.example' not in err, 'the warning: %s', err)
            other.start()
            s.equal((other.served_serial('edge.example'), other.served_serial('fixed.example')), (1, 500), form)
            other.stop()
        for step in ('-1', '2147483648', 'many'):
            s.equal(restore(s.Daemon(), os.path.join(d.dir, 'text'), '--serial-step', step)[0], 2, '--serial-step ' + step)


@s.case('what is no backup, or half of one, or damaged: refused, and nothing is left')
def damaged():
    with s.Daemon() as d:
        prepared(d)
        for form, options in FORMS.items():
            d.run('backup', os.path.join(d.dir, form), *options)
        other = s.Daemon()

        def changed(form, change):
            copy = os.path.join(d.dir, 'copy')
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(os.path.join(d.dir, form), copy)
            change(copy)
            return copy

        def manifest(key, value):
            def change(copy):
                path = os.path.join(copy, 'BACKUP.json')
                with open(path) as f:
                    found = json.load(f)
                found[key] = value
                with open(path, 'w') as f:
                    json.dump(found, f)
            return change

        def cut(name, octets):
            def change(copy):
                path = os.path.join(copy, name)
                os.truncate(path, os.path.getsize(path) - octets)
            return change

        def edit(name, old, new):
            def change(copy):
                path = os.path.join(copy, name)
                with open(path, encoding='utf-8') as f:
                    text = f.read()
                s.expect(old in text, '"%s" is not in %s', old, name)
                with open(path, 'w', encoding='utf-8') as f:
                    f.write(text.replace(old, new, 1))
            return change

        def without(name):
            return lambda copy: os.unlink(os.path.join(copy, name))
        must_not_restore(other, os.path.join(d.dir, 'not-there'), 'BACKUP.json')
        must_not_restore(other, d.database, 'BACKUP.json')
        for form in ('binary', 'text'):
            must_not_restore(other, changed(form, without('BACKUP.json')), 'BACKUP.json')
            must_not_restore(other, changed(form, manifest('version', 2)), 'version')
            must_not_restore(other, changed(form, manifest('backup', 'other')), 'Schwenk')
            must_not_restore(other, changed(form, manifest('form', 'picture')), 'form')
            must_not_restore(other, changed(form, cut('BACKUP.json', 20)), 'BACKUP.json')
        must_not_restore(other, changed('binary', cut('images.mdb', 4096)), 'images.mdb')
        must_not_restore(other, changed('binary', without('catalog.mdb')), 'catalog.mdb')
        must_not_restore(other, changed('binary', edit('STORE', 'schema 2', 'schema 9')), 'schema')
        newest = 'sets/%s@new.zone' % ZONE
        must_not_restore(other, changed('text', without(newest)), ZONE)
        must_not_restore(other, changed('text', edit(newest, '10.2.77.1', '10.2.77.2')), 'hash')
        must_not_restore(other, changed('text', edit(newest, '10.2.77.1', 'nonsense')), ZONE)
        must_not_restore(other, changed('text', cut('catalog.jsonl', 30)), 'catalog.jsonl')
        must_not_restore(other, changed('text', edit('catalog.jsonl', '{"kind":"end"}\n', '')), 'catalog.jsonl')
        must_not_restore(other, changed('text', edit('catalog.jsonl', '"kind":"set"', '"kind":"sett"')), 'catalog.jsonl:')
        must_not_restore(other, changed('text', edit('catalog.jsonl', '"file":"', '"file":"../')), 'catalog.jsonl:')
        must_not_restore(other, changed('text', edit('catalog.jsonl', '"live":[', '"live":[9')), 'the live set of')
        must_not_restore(other, changed('text', edit('catalog.jsonl', '"previous":[', '"previous":[9')), 'problem')
        must_not_restore(other, changed('text', manifest('sets', 1)), 'sets')
        # and the sound ones still go in
        must_restore(other, os.path.join(d.dir, 'text'))


@s.case('into an empty store only: an unused one is empty, others stay as they are')
def not_empty():
    with s.Daemon() as d:
        d.import_set(ZONE, marked(ZONE, 1))
        d.run('backup', os.path.join(d.dir, 'b'))
        d.run('backup', os.path.join(d.dir, 't'), '--text')
        other = s.Daemon()
        other.start()
        other.stop()
        must_restore(other, os.path.join(d.dir, 't'))
        other.start()
        s.equal(s.markers(other.udp(ZONE, 'SOA')), {1}, 'restored over an unused store')
        # a daemon that runs owns the database
        status, _, err = restore(other, os.path.join(d.dir, 'b'))
        s.expect(status == 1 and 'another daemon' in err, 'restore under a running daemon: %s', err)
        other.must('zone-remove', zones=[ZONE])
        other.stop()
        for form in ('b', 't'):
            status, _, err = restore(other, os.path.join(d.dir, form))
            s.expect(status == 1 and 'not empty' in err, 'into a used store: %d %s', status, err)
        other.start()
        s.equal(other.must('history', limit=1)['entries'][0]['kind'], 'remove', 'the store is what it was')
        other.stop()


@s.case('a restore that is killed leaves nothing that serves, and the next one succeeds')
def interrupted():
    with s.Daemon() as d:
        d.import_set(ZONE, marked(ZONE, 1, 1, 30000))
        for i in range(300):
            d.file('dir/p%d.example.zone' % i, marked('p%d.example' % i, 1, 1, 1))
        d.run('import', '--dir', os.path.join(d.dir, 'dir'))
        for form in ('binary', 'text'):
            place = os.path.join(d.dir, form)
            d.run('backup', place, *FORMS[form])
            other = s.Daemon()
            begun = time.monotonic()
            must_restore(s.Daemon(), place)
            took = time.monotonic() - begun
            killed = 0
            for i in range(8):
                process = restore(other, place, wait=False)
                time.sleep(took * (i + 0.5) / 8)
                if process.poll() is None:
                    process.kill()
                    killed += 1
                process.communicate()
                if os.path.exists(os.path.join(other.database, 'STORE')):
                    # it was through, if not yet at its end: all is there
                    other.start()
                    s.equal(len(other.must('zones', limit=1000)['zones']), 301, 'zones')
                    other.fsck()
                    other.stop()
                    shutil.rmtree(other.database)
                    os.makedirs(other.database)
            s.expect(killed >= 4, 'only %d restores were killed', killed)
            must_restore(other, place)
            s.equal(sorted(set(left_over(other)) - {'catalog.mdb-lock', 'images.mdb-lock'}),
                    ['STORE', 'catalog.mdb', 'images.mdb'], 'what is there')
            other.start()
            s.equal(len(other.must('zones', limit=1000)['zones']), 301, 'zones')
            other.fsck()
            other.stop()


@s.case('a backup: where to, its errors, and what a killed one leaves')
def making():
    with s.Daemon() as d:
        with open(s.big_zone(os.path.join(d.dir, 'big'), ZONE, 1, 600000)) as f:
            d.must('import', [f.fileno()], zone=ZONE)
        d.refused('bad-request', 'backup', directory='here')
        d.refused('bad-request', 'backup', directory=os.path.join(d.dir, 'x'), text=True, compact=True)
        d.file('full/file', 'here')
        for text in (False, True):
            d.refused('exists', 'backup', directory=os.path.join(d.dir, 'full'), text=text)
            d.refused('system', 'backup', directory=os.path.join(d.dir, 'none', 'below'), text=text)
            d.refused(('system', 'exists'), 'backup', directory=os.path.join(d.dir, 'full', 'file'), text=text)
            d.refused('exists', 'backup', directory=d.database, text=text)
            s.equal(os.listdir(os.path.join(d.dir, 'full')), ['file'], 'the directory that was not empty')
            empty = os.path.join(d.dir, 'empty%d' % text)
            os.makedirs(empty)
            s.equal(d.must('backup', directory=empty, text=text)['form'], 'text' if text else 'binary', 'the form')
        # the loader is killed in mid-backup
        place = os.path.join(d.dir, 'killed')

        def kill(_, progress):
            for pid in d.children():
                if '=loader' in s.processes().get(pid, (0, ''))[1]:
                    os.kill(pid, 9)
        reply = d.ask('backup', directory=place, text=True, on_progress=kill)
        s.expect(not reply['ok'] and os.path.isdir(os.path.join(place, 'sets')), 'a killed backup: %s', reply)
        must_not_restore(s.Daemon(), place, 'BACKUP.json')
        # what it held back goes on: sets are cleared, and another backup is made
        d.must('backup', directory=os.path.join(d.dir, 'after'), text=True)
        d.import_set(ZONE + '@staged', marked(ZONE, 2))
        d.must('drop', sets=[ZONE + '@staged'])
        s.wait_until(lambda: d.set(ZONE, 'staged') is None, 10, 'the dropped set to be cleared')


s.run()
