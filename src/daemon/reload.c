/* Reading the configuration anew, while everything runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/children.h"
#include "daemon/cookie_secrets.h"
#include "daemon/handlers_jobs.h"
#include "daemon/listen.h"
#include "daemon/notify.h"

char *conf_to_text(const struct conf *conf)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int r;

	if (!f)
		return NULL;
	r = conf_print(conf, f);
	if (fclose(f) != 0 || r < 0) {
		free(text);
		return NULL;
	}
	return text;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_listen(const struct conf *a, const struct conf *b)
{
	if (a->listen_count != b->listen_count)
		return false;
	for (size_t i = 0; i < a->listen_count; i++)
		if (strcmp(a->listen[i].text, b->listen[i].text) != 0)
			return false;
	return true;
}

static void note(json_t *list, bool same, const char *option)
{
	if (!same)
		json_array_append_new(list, json_string(option));
}

/* What is bound to open sockets, maps and processes stays as it is until a
 * restart; the old value is kept, so that what is said of us stays true. */
static void keep_until_restart(struct conf *new, struct conf *old, json_t *restart)
{
	struct conf before = *new;

	note(restart, same_listen(old, new), "listen");
	note(restart, same_text(old->database, new->database), "database");
	note(restart, same_text(old->control, new->control), "control");
	note(restart, same_text(old->user, new->user), "user");
	note(restart, old->workers == new->workers, "workers");
	note(restart, same_text(old->log, new->log), "log");
	note(restart, old->catalog_map_size == new->catalog_map_size, "catalog-map-size");
	note(restart, old->images_map_size == new->images_map_size, "images-map-size");
	note(restart, old->receive_buffer == new->receive_buffer, "receive-buffer");
	note(restart, old->pin_workers == new->pin_workers, "pin-workers");
	new->listen = old->listen, old->listen = before.listen;
	new->listen_count = old->listen_count, old->listen_count = before.listen_count;
	new->database = old->database, old->database = before.database;
	new->control = old->control, old->control = before.control;
	new->user = old->user, old->user = before.user;
	new->log = old->log, old->log = before.log;
	new->workers = old->workers;
	new->catalog_map_size = old->catalog_map_size;
	new->images_map_size = old->images_map_size;
	new->receive_buffer = old->receive_buffer;
	new->pin_workers = old->pin_workers;
}

static void note_changed(const struct conf *new, const struct conf *old, json_t *changed)
{
	note(changed, same_text(old->operators, new->operators), "operators");
	note(changed, same_text(old->stagers, new->stagers), "stagers");
	note(changed, same_text(old->readers, new->readers), "readers");
	note(changed, same_text(old->log_level, new->log_level), "log-level");
	note(changed, old->loader_memory == new->loader_memory, "loader-memory");
	note(changed, old->loaders == new->loaders, "loaders");
	note(changed, old->udp_payload_size == new->udp_payload_size, "udp-payload-size");
	note(changed, old->tcp_connections == new->tcp_connections, "tcp-connections");
	note(changed, old->tcp_connections_per_client == new->tcp_connections_per_client, "tcp-connections-per-client");
	note(changed, old->tcp_idle_timeout == new->tcp_idle_timeout, "tcp-idle-timeout");
	note(changed, old->tcp_read_timeout == new->tcp_read_timeout, "tcp-read-timeout");
	note(changed, old->rate_limit == new->rate_limit, "rate-limit");
	note(changed, old->rate_limit_slip == new->rate_limit_slip, "rate-limit-slip");
	note(changed, old->rate_limit_table == new->rate_limit_table, "rate-limit-table");
	note(changed, old->rate_limit_ipv4_prefix == new->rate_limit_ipv4_prefix, "rate-limit-ipv4-prefix");
	note(changed, old->rate_limit_ipv6_prefix == new->rate_limit_ipv6_prefix, "rate-limit-ipv6-prefix");
	note(changed, prefix_list_equal(&old->rate_limit_exempt, &new->rate_limit_exempt), "rate-limit-exempt");
	note(changed, old->include_anywhere == new->include_anywhere, "include-anywhere");
	note(changed, same_text(old->version, new->version), "version");
	note(changed, same_text(old->hostname, new->hostname), "hostname");
	note(changed, same_text(old->identity, new->identity), "identity");
	note(changed, same_text(old->nsid, new->nsid), "nsid");
	note(changed, old->switch_timeout == new->switch_timeout, "switch-timeout");
}

static void say(void *arg, const char *text)
{
	log_error("%s", text);
}

static void say_warning(void *arg, const char *text)
{
	log_warning("%s", text);
}

static void log_list(const json_t *list, const char *what)
{
	size_t i;
	json_t *option;

	json_array_foreach(list, i, option)
		log_notice("%s: %s", json_string_value(option), what);
}

/* The socket follows the groups. Where it cannot, they are in force all the
 * same: they are looked at for each request. */
static void open_control_to(const struct conf *new, const struct conf *old)
{
	struct err err = ERR_INIT;

	if (same_text(old->operators, new->operators) && same_text(old->stagers, new->stagers) &&
	    same_text(old->readers, new->readers))
		return;
	if (listen_control_access(new, geteuid(), getegid(), &err) < 0)
		log_warning("%s", err.message);
}

static void tell_children(struct daemon *d)
{
	for (struct child *c = d->children; c; c = child_next(c)) {
		bool worker = child_role(c) == ROLE_WORKER && worker_has_setup(d, child_number(c) - 1);

		if (worker || child_role(c) == ROLE_WRITER)
			child_send(c, MSG_RELOAD, 0, d->conf_text, strlen(d->conf_text), NULL, 0);
		if (worker)
			cookie_secrets_send(d, c);
	}
}

int daemon_reload(struct daemon *d, json_t *reply, struct err *err)
{
	json_t *changed = json_array(), *restart = json_array();
	struct cookie_secrets before = d->cookies;
	struct conf *new = NULL;
	enum log_level level;
	char *text = NULL;
	int result = -1;

	notify_reloading();
	if (conf_read(d->conf_path, &new, say, NULL, err) < 0 || conf_check_surroundings(new, say_warning, NULL, err) < 0 ||
	    cookie_secrets_load(d, new, err) < 0)
		goto out;
	keep_until_restart(new, d->conf, restart);
	note_changed(new, d->conf, changed);
	note(changed, d->cookies.count == before.count &&
		memcmp(d->cookies.secret, before.secret, before.count * COOKIE_SECRET_SIZE) == 0, "cookie-secrets");
	text = conf_to_text(new);
	if (!text) {
		/* what was swapped goes back with its owner */
		json_array_clear(restart);
		keep_until_restart(d->conf, new, restart);
		err_set(err, ERR_NOMEM, "out of memory");
		goto out;
	}
	open_control_to(new, d->conf);
	conf_free(d->conf);
	d->conf = new;
	new = NULL;
	free(d->conf_text);
	d->conf_text = text;
	if (log_level_from_text(d->conf->log_level, &level))
		log_set_level(level);
	tell_children(d);
	jobs_let_loaders_go(d);
	log_notice("configuration read anew from %s", d->conf_path);
	log_list(changed, "the new value is in force");
	log_list(restart, "the new value needs a restart");
	if (reply) {
		json_object_set(reply, "changed", changed);
		json_object_set(reply, "restart", restart);
	}
	result = 0;
out:
	explicit_bzero(&before, sizeof before);
	if (result < 0)
		log_error("the configuration stays as it was: %s", err->message);
	if (!d->stopping)
		notify_ready();
	conf_free(new);
	json_decref(changed);
	json_decref(restart);
	return result;
}
