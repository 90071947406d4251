/* What every child does first: see struct role_process in daemon.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/turn.h"
#include "daemon/daemon.h"

/* A terminal's or a service manager's signals go to the whole group; when
 * and how children end is main's to say (MSG_STOP, or the channel's end). */
static void ignore_mains_signals(void)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2 };

	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
		signal(ignored[i], SIG_IGN);
}

static void open_log(const struct role_process *r, const char *name)
{
	enum log_level level = LOG_LEVEL_INFO;
	char text[32];

	log_level_from_text(r->conf->log_level, &level);
	if (r->number)
		snprintf(text, sizeof text, "%s %u", name, r->number);
	else
		snprintf(text, sizeof text, "%s", name);
	log_open(text, strcmp(r->conf->log, "syslog") == 0, level);
	prctl(PR_SET_NAME, text);
}

void role_take_setup(struct role_process *r, json_t *setup, struct message *m)
{
	json_decref(r->setup);
	r->setup = setup;
	r->fd_count = m->fd_count;
	for (unsigned i = 0; i < m->fd_count; i++)
		r->fds[i] = message_take_fd(m, i);
}

static int read_setup(struct role_process *r, struct message *m, struct err *err)
{
	json_error_t where;
	json_t *root = json_loadb((char *)m->payload, m->size, 0, &where);
	json_t *conf = json_object_get(root, "conf");
	int result = -1;

	if (!root || !json_is_string(conf)) {
		err_set(err, ERR_INTERNAL, "the setup message is not what it should be: %s", where.text);
		goto out;
	}
	if (conf_parse(json_string_value(conf), json_string_length(conf), "main's configuration", &r->conf,
		       NULL, NULL, err) < 0)
		goto out;
	r->number = (unsigned)json_integer_value(json_object_get(root, "number"));
	role_take_setup(r, json_incref(json_object_get(root, "setup")), m);
	result = 0;
out:
	json_decref(root);
	return result;
}

int role_start(enum role role, struct role_process *r, struct err *err)
{
	struct message m;
	int got;

	memset(r, 0, sizeof *r);
	ignore_mains_signals();
	/* again, for a change of credentials on exec would have cleared it */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	r->channel = channel_new(CHANNEL_FD, false);
	if (!r->channel)
		return err_set(err, ERR_NOMEM, "out of memory");
	got = channel_receive(r->channel, &m);
	if (got != 1 || m.type != MSG_SETUP) {
		if (got == 1)
			message_clear(&m);
		role_end(r);
		return err_set(err, ERR_UNAVAILABLE, "main went before it said what to do");
	}
	got = read_setup(r, &m, err);
	message_clear(&m);
	if (got < 0) {
		role_end(r);
		return -1;
	}
	open_log(r, role_name[role]);
	if (role == ROLE_LOADER)
		turn_bulk();
	else
		turn_short();
	return 0;
}

int role_nonblocking(struct role_process *r, struct err *err)
{
	if (channel_set_nonblocking(r->channel) < 0)
		return err_system(err, "cannot make the channel to main non-blocking");
	return 0;
}

void role_end(struct role_process *r)
{
	channel_free(r->channel);
	r->channel = NULL;
	conf_free(r->conf);
	r->conf = NULL;
	json_decref(r->setup);
	r->setup = NULL;
	for (unsigned i = 0; i < r->fd_count; i++)
		if (r->fds[i] >= 0)
			close(r->fds[i]);
	r->fd_count = 0;
}
