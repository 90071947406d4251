/* The jobs that read sets: export, diff, check. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/commands.h"
#include "daemon/loader_set.h"
#include "daemon/rows_json.h"

#define BUFFER_SIZE (256u << 10)
/* A reader that takes nothing for so long is left: our snapshot keeps pages of
 * the store from being used again. Long enough for somebody who pages. */
#define STALL_MS    (10 * 60 * 1000)

/* ---- writing to the client's descriptor ------------------------------------------- */

struct output {
	int fd;                         /* the loader's */
	bool whole;                     /* a file, which takes as much as there is */
	bool failed;                    /* err is set, and says it better than stdio */
	uint64_t octets;
	struct err *err;
};

static int output_failed(struct output *o, int error)
{
	o->failed = true;
	if (error == EPIPE || error == ECONNRESET)
		return err_set(o->err, ERR_UNAVAILABLE, "whoever read the output closed it before the end");
	if (error == ETIMEDOUT)
		return err_set(o->err, ERR_TIMEOUT, "whoever reads the output has taken nothing for %d minutes", STALL_MS / 60000);
	errno = error;
	return err_system(o->err, "cannot write the output");
}

/* The descriptor may be non-blocking, and a pipe whose reader sleeps. */
static ssize_t output_write(void *cookie, const char *buf, size_t size)
{
	struct output *o = cookie;
	struct pollfd p = { .fd = o->fd, .events = POLLOUT };
	size_t done = 0;

	while (done < size) {
		/* no more than a pipe takes without blocking */
		size_t part = o->whole || size - done < PIPE_BUF ? size - done : PIPE_BUF;
		int n = poll(&p, 1, STALL_MS);
		ssize_t written;

		if (n == 0) {
			output_failed(o, ETIMEDOUT);
			return 0;
		}
		if (n < 0 && errno == EINTR)
			continue;
		written = n < 0 ? -1 : write(o->fd, buf + done, part);
		if (written < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (written < 0) {
			output_failed(o, errno);
			return 0;
		}
		done += (size_t)written;
		o->octets += (size_t)written;
	}
	return (ssize_t)done;
}

static FILE *output_open(struct output *o, int fd, struct err *err)
{
	static const cookie_io_functions_t functions = { .write = output_write };
	struct stat st;
	FILE *file;

	*o = (struct output){ .fd = fd, .err = err };
	o->whole = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	file = fopencookie(o, "w", functions);
	if (!file || setvbuf(file, NULL, _IOFBF, BUFFER_SIZE) != 0) {
		if (file)
			fclose(file);
		err_set(err, ERR_NOMEM, "no memory for the output");
		return NULL;
	}
	return file;
}

/* What stdio reports is vague; the cookie knows. */
static int output_close(struct output *o, FILE *file, int status, struct err *err)
{
	if (fclose(file) != 0 && status == 0)
		status = err_set(err, ERR_SYSTEM, "cannot write the output: %s", strerror(errno));
	return status;
}

/* ---- export -------------------------------------------------------------------------- */

struct share { struct loader *l; uint64_t records; };

static void tell_share(void *arg, double share)
{
	const struct share *s = arg;

	loader_share(s->l, share < 0 ? 0 : (uint64_t)(share * (double)s->records), share);
}

static int export_set(struct loader *l, struct opened_set *s, struct err *err)
{
	/* of the live set what is served; of a set by its name what it holds */
	struct print_options options = { .replace_serial = !s->by_name, .serial = s->zone.served_serial };
	struct share share = { l, s->set.records };
	struct output output;
	/* the output's own error comes first, then zone_print's */
	struct err printed = ERR_INIT;
	FILE *file = output_open(&output, l->fd[LOADER_CLIENT_FD], err);
	int status;

	if (!file)
		return -1;
	status = zone_print(&s->view, file, &options, tell_share, &share, &printed);
	status = output_close(&output, file, status, &printed);
	if (status < 0 || output.failed)
		return err_set(err, printed.code ? printed.code : ERR_SYSTEM, "%s", printed.message);
	loader_reply(l, json_pack("{s:o,s:I,s:I}", "set", set_json(snapshot_catalog(l->reader), &s->zone, &s->set), "serial",
		(json_int_t)(options.replace_serial ? s->zone.served_serial : s->set.soa_serial), "octets", (json_int_t)output.octets));
	return 0;
}

int job_export(struct loader *l, struct err *err)
{
	const char *zone = json_text(l->request, "zone"), *set = json_text(l->request, "set");
	char apex_text[NAME_TEXT_MAX], text[SET_TEXT_MAX];
	uint8_t apex[NAME_MAX_SIZE];
	struct opened_set s;
	size_t size;
	int status;

	if (control_parse_zone(zone, apex, &size, err) < 0)
		return -1;
	if (set && strlen(set) > SET_NAME_MAX)
		return err_set(err, ERR_BAD_REQUEST, "\"%.80s\" is no name of a set", set);
	snprintf(text, sizeof text, "%s@%s", name_to_text_short(apex_text, apex), set ? set : "live");
	if (opened_set_find(l, text, &s, err) < 0 || (s.by_name ? opened_set_open : opened_set_open_served)(l, &s, err) < 0)
		return -1;
	status = export_set(l, &s, err);
	opened_set_close(&s);
	return status;
}

/* ---- diff ------------------------------------------------------------------------------ */

struct row_output { FILE *file; struct err *err; };

static int write_row(void *arg, const struct diff_rrset *r)
{
	struct row_output *o = arg;
	json_t *row = diff_row_json(r);
	int status;

	if (!row)
		return err_set(o->err, ERR_NOMEM, "no memory for the difference");
	status = json_dumpf(row, o->file, JSON_COMPACT) < 0 || putc('\n', o->file) == EOF;
	json_decref(row);
	return status ? err_set(o->err, ERR_SYSTEM, "cannot write the output") : 0;
}

/* Every row a line. */
static int diff_to_client(struct loader *l, const struct opened_set *a, const struct opened_set *b, struct diff_counts *counts,
	struct err *err)
{
	struct output output;
	struct row_output rows = { .err = err };
	int status;

	rows.file = output_open(&output, l->fd[LOADER_CLIENT_FD], err);
	if (!rows.file)
		return -1;
	status = zone_diff(&a->view, &b->view, write_row, &rows, counts, err);
	return output_close(&output, rows.file, status, err);
}

static int diff_sets(struct loader *l, const struct opened_set *a, const struct opened_set *b, struct err *err)
{
	struct diff_rows rows = { .rows = json_array(), .err = err };
	struct diff_counts counts = { 0, 0, 0 };
	int status;

	if (l->fd[LOADER_CLIENT_FD] >= 0)
		status = diff_to_client(l, a, b, &counts, err);
	else
		status = zone_diff(&a->view, &b->view, diff_rows_add, &rows, &counts, err);
	if (status < 0) {
		json_decref(rows.rows);
		return -1;
	}
	loader_reply(l, json_pack("{s:I,s:I,s:I,s:o,s:b}", "added", (json_int_t)counts.added, "removed", (json_int_t)counts.removed,
		"changed", (json_int_t)counts.changed, "rows", rows.rows, "more", rows.more));
	return 0;
}

int job_diff(struct loader *l, struct err *err)
{
	struct opened_set a = { .view = { .images = 0 } }, b = { .view = { .images = 0 } };
	int status = -1;

	if (opened_set_find(l, json_text(l->request, "from"), &a, err) < 0 || opened_set_find(l, json_text(l->request, "to"), &b, err) < 0)
		return -1;
	if (a.zone.id != b.zone.id)
		return err_set(err, ERR_BAD_REQUEST, "a difference is between two sets of one zone");
	if (opened_set_open(l, &a, err) == 0 && opened_set_open(l, &b, err) == 0)
		status = diff_sets(l, &a, &b, err);
	opened_set_close(&a);
	opened_set_close(&b);
	return status;
}

/* ---- check ------------------------------------------------------------------------------- */

static const char *const severity_name[] = { [PROBLEM_WARNING] = "warning", [PROBLEM_RULE] = "rule", [PROBLEM_ERROR] = "error" };

struct check_job { struct loader *l; json_t *problems; uint64_t records; };

static void add_problem(void *arg, const struct problem *p)
{
	json_array_append_new(((struct check_job *)arg)->problems, json_pack("{s:s,s:s,s:s}", "severity", severity_name[p->severity], "rule", p->rule,
		"message", p->message));
}

static void tell_records(void *arg, uint64_t records)
{
	const struct check_job *job = arg;

	loader_share(job->l, records, job->records ? (double)records / (double)job->records : -1);
}

static void warn(struct check_job *job, struct check_result *r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void warn(struct check_job *job, struct check_result *r, const char *fmt, ...)
{
	char message[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	r->warnings++;
	add_problem(job, &(struct problem){ .severity = PROBLEM_WARNING, .rule = "serial", .message = message });
}

/* What is signed elsewhere comes with its serials: does a switch to it rise, and
 * one back from it? *back: that, from a set that is not live to the one that is. */
static int check_serial(struct check_job *job, const struct opened_set *s, struct check_result *r, struct serial_outlook *back,
	struct err *err)
{
	struct catalog_txn *txn = snapshot_catalog(job->l->reader);
	bool known = s->zone.flags & ZONE_SERIAL_KNOWN, live = s->zone.live.set == s->set.id;
	struct serial_outlook to;
	char name[NAME_TEXT_MAX];
	struct set_row now;

	name_to_text_short(name, s->zone.apex);
	if (catalog_serial_outlook(txn, (struct set_at){ s->set.id, s->set.edition }, known, s->zone.highest_serial, &to, err) < 0)
		return -1;
	if (to.stuck && live)
		warn(job, r, "%s@%s has no spare signed SOA ahead of %u: from another set there is no way back to it that secondaries "
			"follow; `schwenk import %s@%s --soa FILE` brings some", name, s->set.name, s->zone.highest_serial, name, s->set.name);
	else if (to.stuck)
		warn(job, r, "%s@%s has serial %u, which is not ahead of %u, which was served, and no spare signed SOA: a cutover is refused, "
			"and a rollback to it would not reach secondaries; `schwenk import %s@%s --soa FILE` brings some", name, s->set.name,
			s->set.soa_serial, s->zone.highest_serial, name, s->set.name);
	if (live || to.stuck || !s->zone.live.set)
		return 0;
	if (catalog_serial_outlook(txn, s->zone.live, true, to.serial, back, err) < 0 ||
	    catalog_set(txn, s->zone.live.set, &now, err) < 0)
		return -1;
	if (back->stuck)
		warn(job, r, "the way back from it, to @%s, would not reach secondaries: that has no spare signed SOA ahead of %u; "
			"`schwenk import %s@%s --soa FILE` brings some", now.name, to.serial, name, now.name);
	return 0;
}

int job_check(struct loader *l, struct err *err)
{
	struct check_job job = { .l = l, .problems = json_array() };
	struct opened_set s;
	struct check_request q = { .view = &s.view, .signatures = true, .problem = add_problem, .progress = tell_records, .arg = &job };
	struct serial_outlook back = { .fixed = false };
	struct check_result r;
	int status;

	if (opened_set_find(l, json_text(l->request, "set"), &s, err) < 0 || opened_set_open(l, &s, err) < 0) {
		json_decref(job.problems);
		return -1;
	}
	job.records = s.set.records;
	status = zone_check(&q, &r, err);
	if (status == 0)
		status = check_serial(&job, &s, &r, &back, err);
	if (status == 0)
		loader_reply(l, json_pack("{s:o,s:o,s:I,s:I,s:O}", "set",
			set_json(snapshot_catalog(l->reader), &s.zone, &s.set), "back_spares", spares_json(&back),
			"rules", (json_int_t)r.rules, "warnings", (json_int_t)r.warnings, "problems", job.problems));
	json_decref(job.problems);
	opened_set_close(&s);
	return status;
}
