/*
 * The secrets of DNS cookies, in main: from the operator's file, or made up
 * and every day anew (RFC 7873 7.1). Workers get them over the channel, since
 * all of them must understand each other's cookies and none may read files.
 */
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "daemon/children.h"
#include "daemon/cookie_secrets.h"

#define DAY { 86400, 0 }

_Static_assert(COOKIE_SECRETS_MAX == CONF_COOKIE_SECRETS && COOKIE_SECRET_SIZE == CONF_COOKIE_SECRET_SIZE,
	"a file holds what a worker takes");

/* The former secret is understood for another day. */
static int roll(struct cookie_secrets *s, struct err *err)
{
	uint8_t fresh[COOKIE_SECRET_SIZE];

	if (getrandom(fresh, sizeof fresh, 0) != (ssize_t)sizeof fresh)
		return err_system(err, "cannot get random octets for cookie secrets");
	memcpy(s->secret[1], s->secret[0], COOKIE_SECRET_SIZE);
	memcpy(s->secret[0], fresh, COOKIE_SECRET_SIZE);
	s->count = s->count ? 2 : 1;
	explicit_bzero(fresh, sizeof fresh);
	return 0;
}

int cookie_secrets_load(struct daemon *d, const struct conf *conf, struct err *err)
{
	if (conf->cookie_secrets) {
		if (conf_read_cookie_secrets(conf->cookie_secrets, d->cookies.secret, &d->cookies.count, err) < 0)
			return -1;
		d->cookies_made_up = false;
		return 0;
	}
	if (d->cookies_made_up)
		return 0;
	/* the file's are no business of ours any more */
	d->cookies.count = 0;
	if (roll(&d->cookies, err) < 0)
		return -1;
	d->cookies_made_up = true;
	return 0;
}

void cookie_secrets_send(const struct daemon *d, struct child *worker)
{
	child_send(worker, MSG_COOKIE_SECRETS, 0, d->cookies.secret, d->cookies.count * COOKIE_SECRET_SIZE, NULL, 0);
}

static void send_to_all(struct daemon *d)
{
	for (unsigned i = 0; i < d->worker_count; i++)
		if (d->worker[i] && worker_has_setup(d, i))
			cookie_secrets_send(d, d->worker[i]);
}

static void on_day(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct err err = ERR_INIT;

	if (!d->cookies_made_up)
		return;
	if (roll(&d->cookies, &err) < 0)
		log_warning("%s", err.message);
	else
		send_to_all(d);
}

struct event *cookie_secrets_watch(struct daemon *d)
{
	static const struct timeval day = DAY;
	struct event *e = event_new(d->base, -1, EV_PERSIST, on_day, d);

	if (e)
		event_add(e, &day);
	return e;
}
