/*
 * Children: forked, executed anew from our own binary, with the channel on
 * fd 3 and the database's lock on fd 4, and nothing else open.
 *
 * A child that closes its channel is finished, whatever it still does: it
 * gets a second to end by itself, then SIGKILL. Its last messages are heard
 * before it is said to be gone.
 */
#include "daemon/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/turn.h"

#define DRAIN_MARK (1u << 20)

const char *const role_name[] = { [ROLE_WORKER] = "worker", [ROLE_WRITER] = "writer", [ROLE_LOADER] = "loader" };

struct child {
	struct child *next;
	struct daemon *daemon;
	enum role role;
	unsigned number;
	char name[32];
	pid_t pid;
	int64_t started_us;
	struct channel *channel;
	struct event *readable, *writable, *grace;
	struct event *again;    /* more is in the channel's own buffer */
	bool above_mark;        /* queue was over DRAIN_MARK: drained() is owed */
	bool paused, closed;    /* closed: no more to come */
	int killed_by_us;       /* the signal sent on purpose, 0: none */
	struct child_hooks hooks;
	void *arg;
};

struct child *child_next(const struct child *c) { return c->next; }
enum role child_role(const struct child *c) { return c->role; }
pid_t child_pid(const struct child *c) { return c->pid; }
unsigned child_number(const struct child *c) { return c->number; }
const char *child_name(const struct child *c) { return c->name; }
int64_t child_started_us(const struct child *c) { return c->started_us; }
bool child_closed(const struct child *c) { return c->closed; }

/* ---- the forked child, before its exec ------------------------------------- */

/* glibc's malloc asks for pages of 2 MiB: an import has a third of the page
 * faults, and the first switch of a large group none, which had one for each
 * page of the catalog that it changed. Not for workers, whose memory is counted.
 * Whoever started us may have set it. */
static char large_heap_pages[] = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1";

static char **environment_for_child(enum role role)
{
	extern char **environ;
	size_t count = 0, kept = 0;
	char **env;

	while (environ[count])
		count++;
	env = calloc(count + 2, sizeof *env);
	for (size_t i = 0; env && i < count; i++)
		/* only main speaks to the service manager */
		if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0 && strncmp(environ[i], "WATCHDOG_", 9) != 0)
			env[kept++] = environ[i];
	if (env && role != ROLE_WORKER && !getenv("GLIBC_TUNABLES"))
		env[kept++] = large_heap_pages;
	return env;
}

/* Nothing but async-signal-safe calls: what failed goes out as exit status. */
static void __attribute__((noreturn)) become_child(int channel, int lock, pid_t parent, char *const *argv, char *const *env)
{
	sigset_t none;
	int null, high_channel, high_lock;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(125);             /* main died before it was armed */
	high_channel = fcntl(channel, F_DUPFD, 10);
	high_lock = fcntl(lock, F_DUPFD, 10);
	null = open("/dev/null", O_RDONLY);
	if (high_channel < 0 || high_lock < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(high_channel, CHANNEL_FD) < 0 || dup2(high_lock, CHILD_LOCK_FD) < 0 ||
	    close_range(CHILD_LOCK_FD + 1, ~0u, 0) < 0)
		_exit(126);
	turn_bulk();            /* the dynamic linker's work, too */
	execve("/proc/self/exe", argv, env);
	_exit(127);
}

static pid_t fork_role(struct daemon *d, enum role role, unsigned number, int channel, struct err *err)
{
	char role_arg[32], number_arg[24], program[] = "schwenkd";
	char *argv[] = { program, role_arg, number_arg, NULL };
	char **env = environment_for_child(role);
	pid_t parent = getpid(), pid;

	if (!env) {
		err_set(err, ERR_NOMEM, "out of memory");
		return -1;
	}
	/* the second argument is for people who read `ps` */
	snprintf(role_arg, sizeof role_arg, "--role=%s", role_name[role]);
	snprintf(number_arg, sizeof number_arg, "%u", number);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become_child(channel, d->lock_fd, parent, argv, env);
	if (pid < 0)
		err_system(err, "cannot start %s %u", role_name[role], number);
	free(env);
	return pid;
}

/* ---- the channel's events ---------------------------------------------------- */

static void on_grace(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	log_warning("%s (pid %d) closed its channel and did not end: killed", c->name, (int)c->pid);
	child_kill(c, SIGKILL);
}

static void close_channel(struct child *c)
{
	static const struct timeval grace = { 1, 0 };

	if (c->closed)
		return;
	c->closed = true;
	event_del(c->readable);
	event_del(c->writable);
	event_del(c->again);
	if (c->pid > 0)
		evtimer_add(c->grace, &grace);
}

enum delivery { DELIVERED_ALL, DELIVERED_SOME, DELIVERED_LAST };

/* budget: messages at most, so that one busy child keeps nobody waiting. */
static enum delivery deliver(struct child *c, unsigned budget)
{
	struct message m;

	for (unsigned i = 0; i < budget; i++) {
		int r;

		if (c->paused)
			return DELIVERED_ALL;
		r = channel_receive(c->channel, &m);
		if (r <= 0)
			return r < 0 ? DELIVERED_LAST : DELIVERED_ALL;
		c->hooks.message(c->arg, c, &m);
		message_clear(&m);
	}
	return DELIVERED_SOME;
}

/* The next message may be whole in the channel's own buffer already, of which
 * the socket tells nothing. By a timer, since an event that is made active in
 * its own callback runs before the loop looks at anybody else. */
static void read_again(struct child *c)
{
	static const struct timeval now = { 0, 0 };

	evtimer_add(c->again, &now);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	switch (deliver(c, 64)) {
	case DELIVERED_LAST:
		close_channel(c);
		break;
	case DELIVERED_SOME:
		read_again(c);
		break;
	case DELIVERED_ALL:
		break;
	}
}

static void watch_queue(struct child *c)
{
	if (c->closed)
		return;
	if (channel_queued(c->channel) > DRAIN_MARK)
		c->above_mark = true;
	if (channel_wants_write(c->channel))
		event_add(c->writable, NULL);
	else
		event_del(c->writable);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	/* a failure shows on the reading side, behind its last words */
	if (channel_flush(c->channel) < 0) {
		event_del(c->writable);
		return;
	}
	watch_queue(c);
	if (c->above_mark && channel_queued(c->channel) <= DRAIN_MARK) {
		c->above_mark = false;
		if (c->hooks.drained)
			c->hooks.drained(c->arg, c);
	}
}

int child_send(struct child *c, enum message_type type, uint64_t id, const void *payload, size_t size,
	const int *fds, unsigned fd_count)
{
	int r;

	if (c->closed)
		return -1;
	r = channel_send(c->channel, type, id, payload, size, fds, fd_count);
	watch_queue(c);
	return r;
}

int child_send_json(struct child *c, enum message_type type, uint64_t id, const json_t *json,
	const int *fds, unsigned fd_count)
{
	char *text = json_dumps(json, JSON_COMPACT);
	int r;

	if (!text)
		return -1;
	r = child_send(c, type, id, text, strlen(text), fds, fd_count);
	free(text);
	return r;
}

void child_pause(struct child *c, bool paused)
{
	/* of one that has ended all is heard: there is no more than the socket holds */
	if (c->paused == paused || c->closed || c->pid == 0)
		return;
	c->paused = paused;
	if (paused) {
		event_del(c->readable);
		event_del(c->again);
	} else {
		event_add(c->readable, NULL);
		read_again(c);
	}
}

void child_kill(struct child *c, int signal)
{
	if (c->pid > 0 && kill(c->pid, signal) == 0)
		c->killed_by_us = signal;
}

/* ---- start and end ------------------------------------------------------------ */

static void child_free(struct child *c)
{
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	if (c->grace)
		event_free(c->grace);
	if (c->again)
		event_free(c->again);
	channel_free(c->channel);
	free(c);
}

static int open_channel(struct child *c, int fd, struct err *err)
{
	c->channel = channel_new(fd, true);
	if (!c->channel) {
		close(fd);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	c->readable = event_new(c->daemon->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(c->daemon->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	c->grace = evtimer_new(c->daemon->base, on_grace, c);
	c->again = evtimer_new(c->daemon->base, on_readable, c);
	if (!c->readable || !c->writable || !c->grace || !c->again || event_add(c->readable, NULL) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	return 0;
}

struct child *child_spawn(struct daemon *d, enum role role, unsigned number, const struct child_hooks *hooks,
	void *arg, struct err *err)
{
	struct child *c = calloc(1, sizeof *c);
	int pair[2] = { -1, -1 };

	if (!c) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->daemon = d;
	c->role = role;
	c->number = number;
	c->hooks = *hooks;
	c->arg = arg;
	c->started_us = clock_boot_us();
	if (number)
		snprintf(c->name, sizeof c->name, "%s %u", role_name[role], number);
	else
		snprintf(c->name, sizeof c->name, "%s", role_name[role]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		err_system(err, "cannot make a channel to %s", c->name);
		child_free(c);
		return NULL;
	}
	if (open_channel(c, pair[0], err) < 0 || (c->pid = fork_role(d, role, number, pair[1], err)) < 0) {
		close(pair[1]);
		child_free(c);
		return NULL;
	}
	close(pair[1]);
	c->next = d->children;
	d->children = c;
	log_debug("%s started, pid %d", c->name, (int)c->pid);
	return c;
}

int child_setup(struct child *c, json_t *setup, const int *fds, unsigned fd_count, struct err *err)
{
	json_t *root;
	int r;

	if (!c->daemon->conf_text && !(c->daemon->conf_text = conf_to_text(c->daemon->conf)))
		return err_set(err, ERR_NOMEM, "out of memory");
	root = json_pack("{s:s, s:i, s:O}", "conf", c->daemon->conf_text, "number", (int)c->number,
		"setup", setup ? setup : json_null());
	if (!root)
		return err_set(err, ERR_NOMEM, "out of memory");
	r = child_send_json(c, MSG_SETUP, 0, root, fds, fd_count);
	json_decref(root);
	return r < 0 ? err_set(err, ERR_UNAVAILABLE, "%s ended while it was being set up", c->name) : 0;
}

struct child *child_start(struct daemon *d, enum role role, unsigned number, json_t *setup, const int *fds,
	unsigned fd_count, const struct child_hooks *hooks, void *arg, struct err *err)
{
	struct child *c = child_spawn(d, role, number, hooks, arg, err);

	if (!c)
		return NULL;
	if (child_setup(c, setup, fds, fd_count, err) == 0)
		return c;
	/* the caller is told of it here: it must not hear of its end as well */
	c->hooks = (struct child_hooks){ .message = child_ignore, .gone = NULL };
	child_kill(c, SIGKILL);
	return NULL;
}

void child_set_hooks(struct child *c, const struct child_hooks *hooks, void *arg)
{
	c->hooks = *hooks;
	c->arg = arg;
}

void child_ignore(void *arg, struct child *c, struct message *m)
{
}

bool child_died_of_store(int status)
{
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	return signal == SIGSEGV || signal == SIGBUS || signal == SIGABRT;
}

char *child_end_text(const struct daemon *d, enum role role, int status, char buf[CHILD_END_TEXT])
{
	const char *cause = role == ROLE_WRITER ? "" : "what strangers sent, or ";
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (!signal)
		snprintf(buf, CHILD_END_TEXT, "with status %d", WEXITSTATUS(status));
	else if (!child_died_of_store(status))
		snprintf(buf, CHILD_END_TEXT, "by signal %d (%s)", signal, strsignal(signal));
	else
		snprintf(buf, CHILD_END_TEXT, "by signal %d (%s): the cause is probably %sa damaged store in %.400s; look by `schwenk fsck`, and where "
			"it finds damage stop the daemon, move the directory away, and restore the last backup (schwenkd --restore)", signal,
			strsignal(signal), cause, d->conf->database);
	return buf;
}

static void log_end(const struct child *c, int status)
{
	char text[CHILD_END_TEXT];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		log_debug("%s (pid %d) ended", c->name, (int)c->pid);
	} else if (WIFEXITED(status)) {
		const char *why = WEXITSTATUS(status) == 127 ? ": cannot execute /proc/self/exe" :
			WEXITSTATUS(status) == 126 ? ": cannot arrange its descriptors" : "";

		log_error("%s (pid %d) ended with status %d%s", c->name, (int)c->pid, WEXITSTATUS(status), why);
	} else if (WTERMSIG(status) == c->killed_by_us) {
		log_debug("%s (pid %d) was killed on purpose", c->name, (int)c->pid);
	} else {
		log_error("%s (pid %d) was ended%s %s", c->name, (int)c->pid, WCOREDUMP(status) ? ", core dumped," : "",
			child_end_text(c->daemon, c->role, status, text));
	}
}

static void child_reaped(struct child *c, int status)
{
	struct child **p = &c->daemon->children;
	struct daemon *d = c->daemon;

	c->pid = 0;
	c->paused = false;
	if (!c->closed)
		while (deliver(c, 64) == DELIVERED_SOME)
			;
	close_channel(c);
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	barrier_child_gone(d, c);
	/* whoever ends well has given its place back */
	if (c->role != ROLE_WRITER && status != 0)
		supervise_clear_readers(d);
	if (c->hooks.gone)
		c->hooks.gone(c->arg, c, status);
	child_free(c);
}

void children_reap(struct daemon *d)
{
	struct child *c = d->children;

	while (c) {
		struct child *next = c->next;
		int status;

		/* by name: whatever else a library may have started is not ours */
		if (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == c->pid) {
			log_end(c, status);
			child_reaped(c, status);
			next = d->children;     /* the hook may have changed the list */
		}
		c = next;
	}
}

void children_kill(struct daemon *d, int signal)
{
	for (struct child *c = d->children; c; c = c->next)
		child_kill(c, signal);
}
