/*
 * schwenkd: options, the one order of the start, signals. What runs then is
 * in supervise.c (children), control_server.c (commands) and barrier.c.
 *
 * The start does nothing that grows with the database.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/turn.h"
#include "config.h"
#include "daemon/children.h"
#include "daemon/cookie_secrets.h"
#include "daemon/handlers.h"
#include "daemon/handlers_jobs.h"
#include "daemon/listen.h"
#include "daemon/lock.h"
#include "daemon/notify.h"
#include "daemon/privileges.h"
#include "store/writer.h"
#include "zone/load.h"

#define DEFAULT_CONF SYSCONFDIR "/schwenk/schwenkd.yaml"
#define SERIAL_STEP  10000

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- options ----------------------------------------------------------------------- */

struct options {
	const char *conf, *restore;
	uint32_t serial_step;
	bool test;
};

static void print_usage(FILE *out)
{
	fprintf(out,
		"usage: schwenkd [-c FILE] [-t | -V | --restore DIR [--serial-step N]]\n"
		"  -c FILE            configuration (default: %s)\n"
		"  -t                 check the configuration and exit\n"
		"  -V                 print the version and the libraries' versions, and exit\n"
		"  --restore DIR      fill an empty database from a backup, and exit\n"
		"  --serial-step N    what a restore raises every served serial by (default: %d)\n",
		DEFAULT_CONF, SERIAL_STEP);
}

static void print_version(void)
{
	const struct scmp_version *seccomp = seccomp_version();

	printf("schwenkd %s\n", PACKAGE_VERSION);
	printf("%s, %s, libevent %s, jansson %s, libsodium %s, libseccomp %u.%u.%u\n", store_library_version(), zone_library_version(),
		event_get_version(), jansson_version_str(), sodium_version_string(), seccomp->major, seccomp->minor, seccomp->micro);
}

static bool read_step(const char *text, uint32_t *step)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	/* RFC 1982 3.1: more than this is not forward */
	if (errno || end == text || *end || n > 0x7fffffff || text[0] == '-')
		return false;
	*step = (uint32_t)n;
	return true;
}

/* -1: go on, else the exit status. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { "test", no_argument, NULL, 't' },
		{ "restore", required_argument, NULL, 'R' }, { "serial-step", required_argument, NULL, 'S' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:htV", names, NULL)) != -1)
		switch (c) {
		case 'c': o->conf = optarg; break;
		case 't': o->test = true; break;
		case 'R': o->restore = optarg; break;
		case 'S':
			if (!read_step(optarg, &o->serial_step)) {
				fprintf(stderr, "schwenkd: --serial-step takes a number from 0 to 2147483647, not '%s'\n", optarg);
				return EXIT_USAGE;
			}
			break;
		case 'h': print_usage(stdout); return EXIT_OK;
		case 'V': print_version(); return EXIT_OK;
		default: print_usage(stderr); return EXIT_USAGE;
		}
	if (optind < argc) {
		fprintf(stderr, "schwenkd: '%s' is not understood\n", argv[optind]);
		print_usage(stderr);
		return EXIT_USAGE;
	}
	return -1;
}

/* ---- the start's steps ----------------------------------------------------------------- */

static void say(void *arg, const char *text)
{
	log_error("%s", text);
}

static void say_warning(void *arg, const char *text)
{
	log_warning("%s", text);
}

static int test_configuration(const struct options *o)
{
	struct err err = ERR_INIT;
	struct conf *conf = NULL;
	int status = EXIT_FAILED;

	if (conf_read(o->conf, &conf, say, NULL, &err) < 0)
		return EXIT_FAILED;     /* every error has been told */
	if (conf_check_surroundings(conf, say_warning, NULL, &err) < 0) {
		log_error("%s", err.message);
	} else {
		printf("%s: ok\n", o->conf);
		status = EXIT_OK;
	}
	conf_free(conf);
	return status;
}

static int open_log(const struct conf *conf, struct err *err)
{
	enum log_level level;

	if (!log_level_from_text(conf->log_level, &level))
		return err_set(err, ERR_INTERNAL, "log-level: %s is not known", conf->log_level);
	log_open("main", strcmp(conf->log, "syslog") == 0, level);
	return 0;
}

static int make_database(const struct conf *conf, uid_t owner, gid_t group, struct err *err)
{
	if (mkdir(conf->database, 0750) == 0) {
		if (geteuid() == 0 && chown(conf->database, owner, group) < 0)
			return err_system(err, "cannot give the database directory %s to the daemon's user", conf->database);
	} else if (errno != EEXIST) {
		return err_system(err, "cannot make the database directory %s", conf->database);
	}
	return 0;
}

/* The files may be another user's: root's, from before "user" was set. Said
 * here, with the way out; the children would only find that they may not. */
static int check_access(const struct conf *conf, struct err *err)
{
	static const char *const places[] = { "", "/schwenkd.lock", "/catalog.mdb", "/catalog.mdb-lock", "/images.mdb", "/images.mdb-lock" };
	const struct passwd *pw = getpwuid(geteuid());
	char path[4200], user[64];

	snprintf(user, sizeof user, "%u", (unsigned)geteuid());
	if (pw)
		snprintf(user, sizeof user, "%s", pw->pw_name);
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		snprintf(path, sizeof path, "%s%s", conf->database, places[i]);
		if (faccessat(AT_FDCWD, path, *places[i] ? R_OK | W_OK : R_OK | W_OK | X_OK, AT_EACCESS) == 0 || errno == ENOENT)
			continue;
		if (errno != EACCES)
			return err_system(err, "database: user %s cannot write to %s", user, path);
		return err_set(err, ERR_SYSTEM, "database: user %s may not read and write %s: as root, chown -R %s %s", user, path,
			user, conf->database);
	}
	return 0;
}

/* Everything that may need root, or another main's end, in this order. */
static int open_everything(struct daemon *d, int *control_fd, struct err *err)
{
	uid_t owner;
	gid_t group;

	if (privileges_user(d->conf, &owner, &group, err) < 0 || make_database(d->conf, owner, group, err) < 0 ||
	    check_access(d->conf, err) < 0 || lock_database(d->conf->database, owner, group, &d->lock_fd, err) < 0 ||
	    listen_control(d->conf, owner, group, control_fd, err) < 0)
		return -1;
	if (listeners_open(d->conf, &d->listeners, err) == 0 && privileges_main(d->conf, err) == 0 &&
	    check_access(d->conf, err) == 0)
		return 0;
	unlink(d->conf->control);
	close(*control_fd);
	return -1;
}

/* ---- signals ---------------------------------------------------------------------------- */

static void on_stop_signal(evutil_socket_t signal, short what, void *arg)
{
	struct daemon *d = arg;

	if (d->stopping) {
		log_notice("a second signal: children are killed");
		children_kill(d, SIGKILL);
		return;
	}
	log_notice("signal %d (%s)", (int)signal, strsignal((int)signal));
	daemon_stop(d);
}

static void on_reload_signal(evutil_socket_t signal, short what, void *arg)
{
	struct daemon *d = arg;
	struct err err = ERR_INIT;

	if (!d->stopping)
		daemon_reload(d, NULL, &err);   /* it logs what is wrong */
}

static void on_child_signal(evutil_socket_t signal, short what, void *arg)
{
	children_reap(arg);
	supervise_end_if_empty(arg);
}

static const struct { int signal; event_callback_fn callback; } signals[] = {
	{ SIGTERM, on_stop_signal }, { SIGINT, on_stop_signal }, { SIGHUP, on_reload_signal }, { SIGCHLD, on_child_signal },
};
#define SIGNALS (sizeof signals / sizeof signals[0])

static int watch_signals(struct daemon *d, struct event **events, struct err *err)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SIGNALS; i++) {
		events[i] = evsignal_new(d->base, signals[i].signal, signals[i].callback, d);
		if (!events[i] || event_add(events[i], NULL) < 0)
			return err_set(err, ERR_SYSTEM, "cannot watch for signals");
	}
	return 0;
}

/* ---- the daemon --------------------------------------------------------------------------- */

static void log_listeners(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listen_count; i++)
		log_notice("listening on %s", conf->listen[i].text);
	log_notice("control socket %s", conf->control);
}

static int run(struct daemon *d, int control_fd, struct err *err)
{
	struct event *events[SIGNALS] = { NULL }, *watchdog = NULL, *day = NULL;
	int status = EXIT_FAILED;

	d->worker_count = d->conf->workers;
	d->worker = calloc(d->worker_count, sizeof *d->worker);
	d->worker_restarts = calloc(d->worker_count, sizeof *d->worker_restarts);
	d->base = event_base_new();
	if (!d->worker || !d->worker_restarts || !d->base) {
		err_set(err, ERR_NOMEM, "out of memory");
	} else if (watch_signals(d, events, err) == 0 && supervise_start(d, control_fd, err) == 0) {
		watchdog = notify_watchdog(d->base);
		day = cookie_secrets_watch(d);
		event_base_dispatch(d->base);
		status = d->exit_status;
	}
	stats_free(d);
	writer_link_free(d);
	jobs_free(d);
	handlers_free();
	if (d->supervisor)
		supervise_free(d);
	for (size_t i = 0; i < SIGNALS; i++)
		if (events[i])
			event_free(events[i]);
	if (watchdog)
		event_free(watchdog);
	if (day)
		event_free(day);
	return status;
}

static void daemon_free(struct daemon *d)
{
	if (d->base)
		event_base_free(d->base);
	store_reader_close(d->reader);
	listeners_close(d->listeners);
	conf_free(d->conf);
	free(d->conf_text);
	free(d->worker);
	free(d->worker_restarts);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
}

static int serve(const struct options *o, int64_t started_us)
{
	struct daemon d = { .conf_path = o->conf, .started_us = started_us, .lock_fd = -1 };
	struct err err = ERR_INIT;
	int control_fd = -1, status = EXIT_FAILED;

	if (conf_read(o->conf, &d.conf, say, NULL, &err) < 0)
		return EXIT_FAILED;
	if (open_log(d.conf, &err) == 0 && conf_check_surroundings(d.conf, say_warning, NULL, &err) == 0 &&
	    cookie_secrets_load(&d, d.conf, &err) == 0 && open_everything(&d, &control_fd, &err) == 0) {
		log_notice("schwenkd %s", PACKAGE_VERSION);
		log_listeners(d.conf);
		turn_short();
		status = run(&d, control_fd, &err);
		unlink(d.conf->control);
		if (!err.code)
			log_notice("stopped");
	}
	if (err.code)
		log_error("cannot start: %s", err.message);
	daemon_free(&d);
	return status;
}

static int restore(const struct options *o)
{
	struct err err = ERR_INIT;
	struct conf *conf = NULL;
	int lock_fd = -1, status = EXIT_FAILED;
	uid_t owner;
	gid_t group;

	if (conf_read(o->conf, &conf, say, NULL, &err) < 0)
		return EXIT_FAILED;
	if (open_log(conf, &err) == 0 && privileges_user(conf, &owner, &group, &err) == 0 &&
	    make_database(conf, owner, group, &err) == 0 && check_access(conf, &err) == 0 &&
	    lock_database(conf->database, owner, group, &lock_fd, &err) == 0 && privileges_main(conf, &err) == 0 &&
	    check_access(conf, &err) == 0)
		status = restore_main(conf, o->restore, o->serial_step);
	else
		log_error("cannot restore: %s", err.message);
	if (lock_fd >= 0)
		close(lock_fd);
	conf_free(conf);
	return status;
}

static int become_role(const char *name)
{
	log_open(name, false, LOG_LEVEL_INFO);
	if (strcmp(name, role_name[ROLE_WORKER]) == 0)
		return worker_main();
	if (strcmp(name, role_name[ROLE_WRITER]) == 0)
		return writer_main();
	if (strcmp(name, role_name[ROLE_LOADER]) == 0)
		return loader_main();
	fprintf(stderr, "schwenkd: --role is for the daemon's own use\n");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct options o = { .conf = DEFAULT_CONF, .serial_step = SERIAL_STEP };
	int64_t started_us = clock_boot_us();
	int status;

	/* a limit on the size of files (ulimit -f) is an error like a full disk, no death */
	signal(SIGXFSZ, SIG_IGN);
	if (argc > 1 && strncmp(argv[1], "--role=", 7) == 0)
		return become_role(argv[1] + 7);
	log_open("main", false, LOG_LEVEL_NOTICE);
	status = read_options(argc, argv, &o);
	if (status >= 0)
		return status;
	if (o.test)
		return test_configuration(&o);
	if (o.restore)
		return restore(&o);
	return serve(&o, started_us);
}
