"""Privileges: root becomes the configured user, no process keeps what it does not need, and the
store and the control socket are that user's; started without root, as a service manager does."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import schwenk as s  # noqa: E402
import grp  # noqa: E402
import pwd  # noqa: E402
import stat  # noqa: E402

ZONE = 'shop.example'


def nobody():
    if os.geteuid() != 0:
        raise s.Skip('to become another user needs root')
    return pwd.getpwnam('nobody')


def status(pid):
    with open('/proc/%d/status' % pid) as f:
        return {key: value.strip() for key, value in (line.split(':', 1) for line in f)}


def everybodys(d):
    """The test's directory may be passed through; the store's and the socket's are not there yet."""
    os.chmod(d.dir, 0o755)
    os.rmdir(d.database)
    d.options['control'] = d.socket_path = os.path.join(d.dir, 'run', 'control.sock')


def dropped(pid, user):
    found = status(pid)
    name = '%s (pid %d)' % (found['Name'], pid)
    s.equal(set(found['Uid'].split()), {str(user.pw_uid)}, name + ': users')
    s.equal(set(found['Gid'].split()), {str(user.pw_gid)}, name + ': groups')
    s.expect('0' not in found['Groups'].split(), '%s is in the group root', name)
    for sort in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb'):
        s.equal(int(found[sort], 16), 0, '%s: %s' % (name, sort))
    s.equal(found['NoNewPrivs'], '1', name + ': no_new_privs')
    return found


@s.case('started by root with "user": each process is that user, without capabilities, and filtered')
def root():
    user = nobody()
    d = s.Daemon(user='nobody')
    everybodys(d)
    with d:
        s.equal(len(d.children()), 3, 'the children')
        dropped(d.pid(), user)
        for pid in d.children():
            found = dropped(pid, user)
            if not s.sanitized():
                s.equal(found['Seccomp'], '2', '%s: a filter of system calls' % found['Name'])
        for path in [d.database, d.socket_path] + [os.path.join(d.database, f) for f in os.listdir(d.database)]:
            found = os.stat(path)
            s.equal((found.st_uid, found.st_gid), (user.pw_uid, user.pw_gid), path + ': whose it is')
            if not stat.S_ISSOCK(found.st_mode):
                s.equal(found.st_mode & stat.S_IRWXO, 0, path + ': what others may')
        for name, marker in (('old', 1), ('new', 2)):
            d.run('import', '%s@%s' % (ZONE, name), d.file(name, s.marked_zone(ZONE, marker)))
            d.run('cutover', '%s@%s' % (ZONE, name))
        reading, writing = os.pipe()            # a loader that waits
        with d.control() as c:
            c.send({'command': 'import', 'zone': ZONE, 'set': 'slow', 'name': 'pipe'}, [reading])
            s.wait_until(lambda: d.children('loader'), 5, 'a loader')
            s.wait_until(lambda: status(d.children('loader')[0])['Seccomp'] == '2' or s.sanitized(), 5, 'its filter')
            dropped(d.children('loader')[0], user)
        os.close(reading)
        os.close(writing)
        backup = os.path.join(d.dir, 'backup')
        s.equal(d.tool('backup', backup)[0], 1, 'a backup where the user may not write')
        d.stop()
        s.expect(not os.path.exists(d.socket_path), 'the control socket is left')
        d.start()
        s.equal(s.markers(d.udp('n1.' + ZONE)), {2}, 'served after a restart')


@s.case('the control socket is of the one group that is configured; of several, everybody may connect')
def groups():
    user = nobody()
    one, other = s.spare_groups(2)
    for keys, group, mode in (({}, user.pw_gid, 0o660), ({'operators': one}, grp.getgrnam(one).gr_gid, 0o660),
                              ({'operators': one, 'readers': one}, grp.getgrnam(one).gr_gid, 0o660),
                              ({'operators': one, 'readers': other}, user.pw_gid, 0o666)):
        d = s.Daemon(user='nobody', **keys)
        everybodys(d)
        with d:
            s.equal(access(d), (user.pw_uid, group, mode), 'the socket with %s' % keys)
            s.equal('several groups' in d.log_text(), mode == 0o666, 'a warning: ' + d.log_tail())


def access(d):
    """Whose the control socket is, and who may connect."""
    found = os.stat(d.socket_path)
    return found.st_uid, found.st_gid, found.st_mode & 0o777


def with_groups(d, **groups):
    """The configuration has these groups now, and is read anew."""
    for option in ('operators', 'stagers', 'readers'):
        d.options[option] = groups.get(option)
    d.write_conf()
    return d.ask('reload')


@s.case('a reload: the socket follows the groups; where the user may not give it away, everybody may connect')
def groups_reloaded():
    user = nobody()
    one, other = s.spare_groups(2)
    gid = {g: grp.getgrnam(g).gr_gid for g in (one, other)}
    with s.Daemon(operators=one) as d:          # as root
        everything = ((dict(readers=other), gid[other], 0o660), (dict(readers=other, stagers=one), 0, 0o666),
                      (dict(stagers=one), gid[one], 0o660), ({}, 0, 0o660))
        for groups, group, mode in everything:
            reply = with_groups(d, **groups)
            s.expect(reply['ok'] and reply['changed'], 'reload: %s', reply)
            s.equal(access(d), (0, group, mode), 'the socket with %s' % groups)
    d = s.Daemon(user='nobody', operators=one)
    everybodys(d)
    with d:
        s.equal(access(d), (user.pw_uid, gid[one], 0o660), 'the socket at the start')
        s.expect(with_groups(d, operators=one, readers=one)['ok'], 'reload')
        s.equal(access(d), (user.pw_uid, gid[one], 0o660), 'the socket, its group being the same')
        s.expect(with_groups(d, operators=other)['ok'], 'reload')
        s.equal(access(d)[2], 0o666, 'the mode of a socket that cannot be given away')
        s.expect('SupplementaryGroups=' in d.log_tail(5), 'a warning with the way out: %s', d.log_tail())
        s.equal(s.as_nobody((other,), lambda: d.ask('status')['ok']), True, 'a member of the new group')
        s.expect(with_groups(d)['ok'], 'reload')
        s.equal(access(d), (user.pw_uid, user.pw_gid, 0o660), 'the socket without a group')


@s.case('a group that does not exist: no start, and a reload changes nothing; file and line are named')
def no_group():
    nobody()
    one = s.spare_groups(1)[0]
    with s.Daemon(operators=one) as d:
        os.chmod(d.dir, 0o755)
        before = access(d)
        error = with_groups(d, operators='no-such-group')['error']
        with open(d.conf_path) as f:
            line = f.read().splitlines().index('operators: "no-such-group"') + 1
        wanted = "%s:%d: operators: there is no group 'no-such-group'" % (d.conf_path, line)
        s.expect(error['code'] == 'parse' and wanted in error['message'], 'the reload: %s', error)
        s.equal(access(d), before, 'the socket')
        s.equal(s.as_nobody((one,), lambda: d.ask('status').get('ok')), True, 'the old group is in force')
        test = s.subprocess.run([s.SCHWENKD, '-t', '-c', d.conf_path], capture_output=True, text=True)
        s.expect(test.returncode == 1 and wanted in test.stderr, '-t: %s', test)
        d.stop()
        d.spawn()
        s.equal(d.process.wait(10), 1, 'the exit status of a start')
        s.expect(wanted in d.log_tail(2), 'the log: %s', d.log_tail(3))


@s.case('a store that is another user\'s: the file, the user, and the way out are named')
def others():
    nobody()
    for path in ('', 'catalog.mdb', 'images.mdb-lock'):
        d = s.Daemon()
        os.chmod(d.dir, 0o755)
        with d:
            d.import_set(ZONE, s.marked_zone(ZONE, 1))
            d.stop()
            d.options['user'] = 'nobody'
            for name in [d.database] + [os.path.join(d.database, f) for f in os.listdir(d.database)]:
                os.chown(name, -1 if name == os.path.join(d.database, path).rstrip('/') else pwd.getpwnam('nobody').pw_uid, -1)
            d.spawn()
            s.equal(d.process.wait(10), 1, 'the exit status')
            s.expect('nobody may not read and write %s' % os.path.join(d.database, path).rstrip('/') in d.log_tail(2) and
                     'chown -R nobody %s' % d.database in d.log_tail(2), 'the log: %s', d.log_tail(3))
            os.system('chown -R nobody %s' % d.database)
            d.start()
            s.equal(s.markers(d.udp('n1.' + ZONE)), {1}, 'served when it is put right')


@s.case('a directory, or a lock file, that may not be written to: no start, and it is named')
def read_only():
    nobody()
    as_user = ['setpriv', '--reuid', 'nobody', '--regid', str(pwd.getpwnam('nobody').pw_gid), '--clear-groups']
    launchers = [[], as_user] if s.shutil.which('setpriv') and \
        s.subprocess.run(as_user + [s.SCHWENKD, '-V'], capture_output=True).returncode == 0 else [[]]
    for path, mode in (('', 0o555), ('catalog.mdb-lock', 0o444), ('images.mdb-lock', 0o400), ('schwenkd.lock', 0o444)):
        d = s.Daemon(user='nobody')
        everybodys(d)
        with d:
            d.import_set(ZONE, s.marked_zone(ZONE, 1))
            d.stop()
            place = os.path.join(d.database, path).rstrip('/')
            before = os.stat(place).st_mode
            os.chmod(place, mode)
            for launcher in launchers:
                test = s.subprocess.run(launcher + [s.SCHWENKD, '-c', d.conf_path], capture_output=True, text=True, timeout=20)
                s.expect(test.returncode == 1 and 'nobody may not read and write %s: ' % place in test.stderr,
                         '%s with mode %o: %s', path, mode, test)
            os.chmod(place, before)
            d.start()
            s.equal(s.markers(d.udp('n1.' + ZONE)), {1}, 'served when it is put right')


@s.case('as a service manager starts it: a user of its own with two capabilities, which it drops')
def service():
    user = nobody()
    if not s.shutil.which('setpriv'):
        raise s.Skip('setpriv is not installed')
    if s.subprocess.run(['setpriv', '--reuid', 'nobody', '--regid', str(user.pw_gid), '--clear-groups', s.SCHWENKD, '-V'],
                        capture_output=True).returncode != 0:
        raise s.Skip('the build directory is closed to other users')
    capabilities = '+net_bind_service,+net_admin'
    group = s.spare_groups(1)[0]
    d = s.Daemon(operators=group)
    os.chmod(d.dir, 0o755)
    for path in (d.dir, d.database):
        os.chown(path, user.pw_uid, user.pw_gid)
    launcher = d.file('launcher', '#!/bin/sh\nexec setpriv --reuid nobody --regid %d --clear-groups --inh-caps=-all,%s '
                      '--ambient-caps=-all,%s --bounding-set=-all,%s --no-new-privs %s "$@"\n'
                      % (user.pw_gid, capabilities, capabilities, capabilities, s.SCHWENKD))
    os.chmod(launcher, 0o755)
    built, s.SCHWENKD = s.SCHWENKD, launcher
    try:
        with d:
            for pid in [d.pid()] + d.children():
                dropped(pid, user)
            d.run('import', ZONE, d.file('zone', s.marked_zone(ZONE, 1)))
            s.equal(s.markers(d.udp('n1.' + ZONE)), {1}, 'served')
            s.expect('SupplementaryGroups' in d.log_text(), 'a socket that cannot be given to the group: %s', d.log_tail())
            s.equal(access(d)[2], 0o666, 'the mode of that socket')
    finally:
        s.SCHWENKD = built


s.run()
