#include "daemon/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer/access.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/privileges.h"

/* event priorities: main's word goes before strangers' */
enum { FIRST, ORDINARY, PRIORITIES };

static void begin_snapshot(struct worker *w)
{
	struct err err = ERR_INIT;

	if (snapshot_begin(w->reader, &err) == 0) {
		w->snapshots++;
		return;
	}
	log_error("cannot begin a snapshot: %s", err.message);
	_exit(1);
}

void worker_answer(struct worker *w, struct answer_job *jobs, unsigned count)
{
	begin_snapshot(w);
	answerer_set_time(w->answerer, (uint32_t)(clock_wall_us() / 1000000));
	answer_batch(w->answerer, w->reader, jobs, count);
	snapshot_end(w->reader);
}

void worker_set_client(struct answer_job *job, const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET) {
		job->client = (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr;
		job->client_size = 4;
	} else if (address->ss_family == AF_INET6) {
		job->client = (const uint8_t *)&((const struct sockaddr_in6 *)address)->sin6_addr;
		job->client_size = 16;
	}
}

/* ---- options ----------------------------------------------------------------- */

static struct answerer *new_answerer(const struct worker *w, const struct conf *conf)
{
	struct answer_options o = {
		.udp_payload_max = conf->udp_payload_size,
		.tcp_idle_seconds = (uint16_t)conf->tcp_idle_timeout,
		.version = conf->version, .hostname = conf->hostname, .identity = conf->identity,
		.nsid = (const uint8_t *)conf->nsid,
		.nsid_size = conf->nsid ? (uint16_t)strlen(conf->nsid) : 0,
	};

	return answerer_new(&o, store_hash_key(w->reader));
}

static void reload(struct worker *w, const struct message *m)
{
	struct err err = ERR_INIT;
	struct conf *conf = NULL;
	struct answerer *answerer = NULL;
	enum log_level level;

	if (conf_parse((char *)m->payload, m->size, "main's configuration", &conf, NULL, NULL, &err) < 0 ||
	    !(answerer = new_answerer(w, conf))) {
		log_error("cannot take the new configuration: %s", err.code ? err.message : "out of memory");
		conf_free(conf);
		return;
	}
	*answerer_counters(answerer) = *answerer_counters(w->answerer);
	answerer_set_cookies(answerer, &w->cookies);
	answerer_free(w->answerer);
	w->answerer = answerer;
	worker_limits_change(w, conf);
	conf_free(w->role.conf);
	w->role.conf = conf;
	if (log_level_from_text(conf->log_level, &level))
		log_set_level(level);
}

static void take_cookie_secrets(struct worker *w, const struct message *m)
{
	if (m->size > sizeof w->cookies.secret || m->size % COOKIE_SECRET_SIZE)
		return;
	memcpy(w->cookies.secret, m->payload, m->size);
	w->cookies.count = m->size / COOKIE_SECRET_SIZE;
	answerer_set_cookies(w->answerer, &w->cookies);
}

/* ---- main's messages ------------------------------------------------------------ */

/* The snapshot begun here proves it for all later ones: they are not older.
 * The commit is visible before the writer tells of it; a moment's patience is
 * for what we did not think of, and main judges the id. */
static void barrier(struct worker *w, const struct message *m)
{
	uint64_t wanted = m->size == 8 ? load_le64(m->payload) : 0, id = 0;
	uint8_t payload[8];

	for (int attempt = 0; attempt < 50; attempt++) {
		begin_snapshot(w);
		id = snapshot_id(w->reader);
		snapshot_end(w->reader);
		if (id >= wanted)
			break;
		usleep(100);
	}
	w->barriers++;
	store_le64(payload, id);
	channel_send(w->role.channel, MSG_BEGUN, m->id, payload, sizeof payload, NULL, 0);
}

static void put(json_t *into, const char *key, uint64_t value)
{
	json_object_set_new(into, key, json_integer((json_int_t)value));
}

static void stats(struct worker *w, const struct message *m)
{
	static const char *const rcode_name[] = {
		"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
		"NOTZONE", "11", "12", "13", "14", "15", "BADVERS", "17", "18", "19", "20", "21", "22", "BADCOOKIE",
	};
	const struct answer_counters *c = answerer_counters(w->answerer);
	json_t *o = json_object(), *rcodes = json_object();
	char *text;

	put(o, "queries", c->queries);
	put(o, "responses", c->responses);
	put(o, "dropped", c->dropped);
	put(o, "truncated", c->truncated);
	put(o, "tcp", c->tcp);
	put(o, "referrals", c->referrals);
	put(o, "nodata", c->nodata);
	put(o, "cookies", c->cookies);
	for (size_t i = 0; i < sizeof c->rcode / sizeof c->rcode[0]; i++)
		if (c->rcode[i])
			put(rcodes, rcode_name[i], c->rcode[i]);
	json_object_set_new(o, "rcode", rcodes);
	put(o, "snapshots", w->snapshots);
	put(o, "barriers", w->barriers);
	worker_limits_stats(w, o);
	udp_stats(w->udp, o);
	tcp_stats(w->tcp, o);
	text = json_dumps(o, JSON_COMPACT);
	if (text)
		channel_send(w->role.channel, MSG_STATS, m->id, text, strlen(text), NULL, 0);
	free(text);
	json_decref(o);
}

static void on_message(struct worker *w, const struct message *m)
{
	switch (m->type) {
	case MSG_BARRIER:
		barrier(w, m);
		break;
	case MSG_STATS:
		stats(w, m);
		break;
	case MSG_RELOAD:
		reload(w, m);
		break;
	case MSG_COOKIE_SECRETS:
		take_cookie_secrets(w, m);
		break;
	case MSG_STOP:
		event_base_loopbreak(w->base);
		break;
	default:
		log_warning("main sent a message of type %d, which is not for workers", (int)m->type);
	}
}

static void watch_writing(struct worker *w)
{
	if (channel_wants_write(w->role.channel))
		event_add(w->channel_writable, NULL);
	else
		event_del(w->channel_writable);
}

static void on_channel_readable(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct message m;
	int r;

	while ((r = channel_receive(w->role.channel, &m)) == 1) {
		on_message(w, &m);
		message_clear(&m);
	}
	/* without main nobody could tell us of a switch: not one answer more */
	if (r < 0)
		_exit(0);
	watch_writing(w);
}

static void on_channel_writable(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	if (channel_flush(w->role.channel) < 0)
		_exit(0);
	watch_writing(w);
}

/* ---- start ---------------------------------------------------------------------- */

static void pin(const struct worker *w)
{
	cpu_set_t have, mine;
	int cpu = -1;
	unsigned nth;

	if (sched_getaffinity(0, sizeof have, &have) < 0 || CPU_COUNT(&have) < 2)
		return;
	nth = (w->role.number - 1) % (unsigned)CPU_COUNT(&have);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &have) && nth-- == 0) {
			cpu = i;
			break;
		}
	CPU_ZERO(&mine);
	CPU_SET(cpu, &mine);
	if (sched_setaffinity(0, sizeof mine, &mine) < 0) {
		log_warning("cannot stay on CPU %d: %s", cpu, strerror(errno));
		return;
	}
	/* with a worker for each CPU the kernel may hand a packet to the one
	 * that runs where it came in; with fewer, some CPUs have no worker */
	if (w->role.conf->workers >= (unsigned)CPU_COUNT(&have))
		for (unsigned i = 0; i < w->role.fd_count; i++)
			setsockopt(w->role.fds[i], SOL_SOCKET, SO_INCOMING_CPU, &cpu, sizeof cpu);
}

static void raise_descriptor_limit(const struct conf *conf)
{
	struct rlimit l;
	rlim_t want = conf->tcp_connections + 2 * (rlim_t)conf->listen_count + 64;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= want)
		return;
	l.rlim_cur = want < l.rlim_max ? want : l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	if (l.rlim_cur < want)
		log_warning("only %llu descriptors are allowed: not all of %u TCP connections fit (LimitNOFILE=, ulimit -n)",
			(unsigned long long)l.rlim_cur, conf->tcp_connections);
}

static int open_store(struct worker *w, struct err *err)
{
	if (store_reader_open(&w->reader, w->role.conf->database, err) < 0)
		return -1;
	/* the first one shows whether the reader table knows us */
	if (snapshot_begin(w->reader, err) < 0)
		return -1;
	snapshot_end(w->reader);
	store_reader_keep(w->reader, access_keep);
	w->answerer = new_answerer(w, w->role.conf);
	return w->answerer ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int open_events(struct worker *w, struct err *err)
{
	int udp[MESSAGE_FDS], tcp[MESSAGE_FDS];
	unsigned pairs = w->role.fd_count / 2;

	w->base = event_base_new();
	if (!w->base || event_base_priority_init(w->base, PRIORITIES) < 0)
		return err_set(err, ERR_SYSTEM, "cannot make an event loop");
	for (unsigned i = 0; i < pairs; i++) {
		udp[i] = w->role.fds[2 * i];
		tcp[i] = w->role.fds[2 * i + 1];
	}
	if (role_nonblocking(&w->role, err) < 0)
		return -1;
	w->channel_readable = event_new(w->base, CHANNEL_FD, EV_READ | EV_PERSIST, on_channel_readable, w);
	w->channel_writable = event_new(w->base, CHANNEL_FD, EV_WRITE | EV_PERSIST, on_channel_writable, w);
	if (!w->channel_readable || !w->channel_writable)
		return err_set(err, ERR_NOMEM, "out of memory");
	event_priority_set(w->channel_readable, FIRST);
	event_add(w->channel_readable, NULL);
	if (worker_limits_begin(w, err) < 0 || worker_ahead_begin(w, err) < 0)
		return -1;
	w->udp = udp_new(w, udp, pairs);
	w->tcp = tcp_new(w, tcp, pairs);
	return w->udp && w->tcp ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static void worker_end(struct worker *w)
{
	tcp_free(w->tcp);
	udp_free(w->udp);
	worker_limits_end(w);
	worker_ahead_end(w);
	if (w->channel_readable)
		event_free(w->channel_readable);
	if (w->channel_writable)
		event_free(w->channel_writable);
	if (w->base)
		event_base_free(w->base);
	answerer_free(w->answerer);
	store_reader_close(w->reader);
	role_end(&w->role);
}

int worker_main(void)
{
	static struct worker w;
	struct err err = ERR_INIT;

	if (role_start(ROLE_WORKER, &w.role, &err) < 0) {
		if (!err_is(&err, ERR_UNAVAILABLE))
			log_error("%s", err.message);
		return err_is(&err, ERR_UNAVAILABLE) ? 0 : 1;
	}
	raise_descriptor_limit(w.role.conf);
	if (w.role.conf->pin_workers)
		pin(&w);
	if (open_store(&w, &err) < 0 || open_events(&w, &err) < 0 ||
	    privileges_seal(ROLE_WORKER, w.role.conf, false, &err) < 0) {
		log_error("cannot start: %s", err.message);
		worker_end(&w);
		return 1;
	}
	channel_send(w.role.channel, MSG_READY, 0, NULL, 0, NULL, 0);
	/* what main sent behind the setup may have come with it already */
	on_channel_readable(CHANNEL_FD, EV_READ, &w);
	event_base_dispatch(w.base);
	channel_flush(w.role.channel);
	worker_end(&w);
	return 0;
}
