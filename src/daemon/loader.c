#include "daemon/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/commands.h"
#include "daemon/privileges.h"

#define TELL_US 100000
#define NICE    5               /* of what is done in the background */

const struct loader_job loader_jobs[] = {
	{ .name = "import", .run = job_import, .use = USE_READ, .background = true },
	{ .name = "import-soa", .run = job_spares, .use = USE_READ, .background = true },
	{ .name = "import-dir", .run = job_import_dir, .background = true },
	{ .name = "copy", .run = job_copy },
	{ .name = "record", .run = job_change, .use = USE_READ },
	{ .name = "edit", .run = job_change, .use = USE_READ },
	{ .name = "fold", .run = job_fold, .background = true },
	{ .name = "export", .run = job_export, .use = USE_WRITE },
	{ .name = "diff", .run = job_diff, .use = USE_WRITE },
	{ .name = "check", .run = job_check },
	{ .name = "backup", .run = job_backup, .own_store = true, .background = true },
	{ .name = "fsck", .run = job_fsck, .own_store = true, .background = true },
	{ .name = NULL },
};

/* ---- to main --------------------------------------------------------------------- */

/* Without main there is nobody to work for. */
static void __attribute__((noreturn)) end_without_main(void)
{
	log_debug("main is gone");
	_exit(1);
}

static void send_json(struct loader *l, enum message_type type, uint64_t id, json_t *json, int fd)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (!text) {
		log_error("no memory for a message to main");
		_exit(1);
	}
	if (channel_send(l->role.channel, type, id, text, strlen(text), &fd, fd >= 0) < 0)
		end_without_main();
	free(text);
	json_decref(json);
}

json_t *loader_text(const char *text)
{
	json_t *json = json_string(text ? text : "");
	char *clean;

	if (json)
		return json;
	clean = strdup(text);
	for (char *p = clean; p && *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	json = clean ? json_string(clean) : NULL;
	free(clean);
	return json;
}

void loader_progress(struct loader *l, json_t *progress)
{
	send_json(l, MSG_PROGRESS, 0, progress, -1);
}

void loader_share(struct loader *l, uint64_t records, double share)
{
	int64_t now = clock_boot_us(), took = now - l->began_us;
	json_t *o;

	if (now - l->told_us < TELL_US)
		return;
	l->told_us = now;
	o = json_pack("{s:I,s:I}", "records", (json_int_t)records,
		"rate", (json_int_t)(took > 0 ? (double)records * 1e6 / (double)took : 0));
	if (share >= 0)
		json_object_set_new(o, "share", json_real(share > 1 ? 1 : share));
	loader_progress(l, o);
}

void loader_problem(void *arg, const struct problem *p)
{
	static const char *const severity[] = { [PROBLEM_WARNING] = "warning", [PROBLEM_RULE] = "rule", [PROBLEM_ERROR] = "error" };

	loader_progress(arg, json_pack("{s:{s:s,s:s,s:o,s:I,s:I,s:o}}", "problem", "severity", severity[p->severity],
		"rule", p->rule ? p->rule : "", "file", loader_text(p->file), "line", (json_int_t)p->line,
		"column", (json_int_t)p->column, "message", loader_text(p->message)));
}

void loader_reply(struct loader *l, json_t *reply)
{
	if (reply && !json_object_get(reply, "ok"))
		json_object_set_new(reply, "ok", json_true());
	l->replied = true;
	send_json(l, MSG_REPLY, 0, reply, -1);
}

void loader_image(struct loader *l, json_t *meta, int fd)
{
	l->replied = true;
	send_json(l, MSG_IMAGE, 0, meta, fd);
}

/* ---- from main -------------------------------------------------------------------- */

/* The client's answer to a question. */
struct loader_file {
	struct loader_file *next;
	uint64_t question;
	char *name, *error;     /* error NULL: fd is the file */
	int fd;
};

static void file_free(struct loader_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->name);
	free(f->error);
	free(f);
}

static char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? strdup(text) : NULL;
}

static void keep_file(struct loader *l, struct message *m)
{
	json_t *o = json_loadb((const char *)m->payload, m->size, 0, NULL);
	struct loader_file *f;

	if (json_is_true(json_object_get(o, "end"))) {
		l->files_end = true;
		l->files_due = 0;
		json_decref(o);
		return;
	}
	f = calloc(1, sizeof *f);
	if (!o || !f) {
		log_error("no memory for a file");
		_exit(1);
	}
	f->question = m->id;
	f->name = text_of(o, "name");
	f->error = text_of(o, "error");
	f->fd = message_take_fd(m, 0);
	if (f->fd < 0 && !f->error)
		f->error = strdup("no descriptor came with it");
	if (m->id == 0 && l->files_due)
		l->files_due--;
	*l->last_file = f;
	l->last_file = &f->next;
	json_decref(o);
}

static void keep_answer(struct loader *l, const struct message *m)
{
	l->answer = json_loadb((const char *)m->payload, m->size, 0, NULL);
	if (!l->answer) {
		log_error("no memory for an answer of main's");
		_exit(1);
	}
}

/* Waits for main's next message and keeps what it brings. */
static void receive(struct loader *l)
{
	struct message m;

	if (channel_receive(l->role.channel, &m) != 1)
		end_without_main();
	if (m.type == MSG_FILE)
		keep_file(l, &m);
	else if (m.type == MSG_REPLY && m.id && m.id == l->last_question && !l->answer)
		keep_answer(l, &m);
	else if (m.type == MSG_REPLY && l->slices)
		l->slices--;
	else if (m.type == MSG_STOP)
		_exit(0);
	else
		log_warning("a message of type %d is none of a loader's", (int)m.type);
	message_clear(&m);
}

/* The first file that answers the question; it leaves the list. */
static struct loader_file *take_file(struct loader *l, uint64_t question)
{
	struct loader_file **p = &l->first_file, *f;

	while (*p && (*p)->question != question)
		p = &(*p)->next;
	f = *p;
	if (!f)
		return NULL;
	*p = f->next;
	if (!*p)
		l->last_file = p;
	f->next = NULL;
	return f;
}

/* Its descriptor, or -1 with err. */
static int give_fd(struct loader_file *f, struct err *err)
{
	int fd = f->fd;

	f->fd = -1;
	if (!f->error)
		return fd;
	if (fd >= 0)
		close(fd);
	return err_set(err, ERR_SYSTEM, "%s", f->error);
}

int loader_open(void *arg, const char *name, struct err *err)
{
	json_t *question = json_pack("{s:s}", "open", name);
	struct loader *l = arg;
	struct loader_file *f;
	uint64_t id;
	int fd;

	if (!question)
		return err_set(err, ERR_BAD_REQUEST, "a file's name that is not UTF-8 cannot be asked for");
	id = ++l->last_question;
	send_json(l, MSG_OPEN, id, question, -1);
	while (!(f = take_file(l, id)))
		receive(l);
	fd = give_fd(f, err);
	file_free(f);
	return fd;
}

/* All questions for files of a directory have the id 0: whose answer a file
 * is does not matter. */
static void ask_for_files(struct loader *l, unsigned ahead)
{
	unsigned here = 0;

	for (const struct loader_file *f = l->first_file; f; f = f->next)
		here += f->question == 0;
	if (l->files_end || here + l->files_due > ahead / 2)
		return;
	send_json(l, MSG_OPEN, 0, json_pack("{s:I}", "need", (json_int_t)(ahead - here - l->files_due)), -1);
	l->files_due = ahead - here;
}

int loader_next_file(struct loader *l, unsigned ahead, char **name, int *fd, struct err *err)
{
	struct loader_file *f;

	ask_for_files(l, ahead);
	while (!(f = take_file(l, 0))) {
		if (!l->files_due)
			return 0;
		receive(l);
	}
	*fd = give_fd(f, err);
	*name = f->name ? f->name : strdup("");
	f->name = NULL;
	file_free(f);
	if (!*name) {
		log_error("no memory for a file's name");
		_exit(1);
	}
	return 1;
}

void loader_slice(struct loader *l, json_t *meta, int fd, unsigned ahead)
{
	if (meta) {
		send_json(l, MSG_IMAGE, 0, meta, fd);
		l->slices++;
	}
	while (l->slices > ahead)
		receive(l);
}

int loader_confirm_pause(struct loader *l, struct err *err)
{
	bool held;

	send_json(l, MSG_REQUEST, ++l->last_question, json_pack("{s:s}", "command", "confirm-pause"), -1);
	while (!l->answer)
		receive(l);
	held = json_is_true(json_object_get(l->answer, "ok"));
	if (!held)
		control_error_read(l->answer, err);
	json_decref(l->answer);
	l->answer = NULL;
	return held ? 0 : -1;
}

/* ---- the set that a request names ----------------------------------------------------- */

int loader_set(struct loader *l, const char *text, struct zone_row *zone, struct set_row *set, struct err *err)
{
	uint8_t apex[NAME_MAX_SIZE];
	char name[SET_NAME_MAX + 1];
	struct catalog_txn *txn;
	size_t size;

	if (control_parse_set(text, apex, &size, name, err) < 0)
		return -1;
	if (!l->in_snapshot && snapshot_begin(l->reader, err) < 0)
		return -1;
	l->in_snapshot = true;
	txn = snapshot_catalog(l->reader);
	if (catalog_zone(txn, apex, size, zone, err) < 0 || catalog_set_by_name(txn, zone, name[0] ? name : "live", set, err) < 0)
		return -1;
	if (set->state != SET_READY && set->state != SET_FAILED) {
		char shown[NAME_TEXT_MAX];

		return err_set(err, ERR_NOT_READY, "%s@%s is %s: `schwenk sets %s` shows when it is ready",
			name_to_text_short(shown, zone->apex), set->name, set_state_name[set->state], shown);
	}
	return 0;
}

/* ---- the client's descriptor ------------------------------------------------------------ */

static int check_readable(int mode, mode_t type, const char *command, struct err *err)
{
	if (type == S_IFDIR)
		return err_set(err, ERR_BAD_REQUEST, "%s: the descriptor is of a directory, no file; a directory of zone files is "
			"imported by `schwenk import --dir`", command);
	if (type != S_IFREG && type != S_IFIFO && type != S_IFCHR)
		return err_set(err, ERR_BAD_REQUEST, "%s: the descriptor is of a %s: give a file or a pipe (`cat … | schwenk …`)", command,
			type == S_IFSOCK ? "socket" : type == S_IFBLK ? "block device" : "thing that cannot be read");
	if (mode == O_WRONLY)
		return err_set(err, ERR_BAD_REQUEST, "%s: the descriptor is open for writing only", command);
	return 0;
}

static int check_writable(int mode, mode_t type, const char *command, struct err *err)
{
	if (type == S_IFDIR)
		return err_set(err, ERR_BAD_REQUEST, "%s: the descriptor is of a directory, no file", command);
	if (mode == O_RDONLY)
		return err_set(err, ERR_BAD_REQUEST, "%s: the descriptor is open for reading only, and is to be written to", command);
	return 0;
}

/* Here, not in main: a look at a file may wait for a disk. */
static int check_client_fd(const struct loader *l, const struct loader_job *job, struct err *err)
{
	int fd = l->fd[LOADER_CLIENT_FD], flags;
	struct stat st;

	if (fd < 0 || job->use == USE_NONE)
		return 0;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fstat(fd, &st) < 0)
		return err_system(err, "%s: the descriptor", job->name);
	if (flags & O_PATH)
		return err_set(err, ERR_BAD_REQUEST, "%s: the descriptor is open neither for reading nor for writing (O_PATH)", job->name);
	return job->use == USE_READ ? check_readable(flags & O_ACCMODE, st.st_mode & S_IFMT, job->name, err) :
		check_writable(flags & O_ACCMODE, st.st_mode & S_IFMT, job->name, err);
}

/* ---- begin and end ----------------------------------------------------------------------- */

static void take_fds(struct loader *l)
{
	const json_t *places = json_object_get(l->setup, "fds");

	for (unsigned i = 0; i < l->role.fd_count; i++) {
		json_int_t place = json_integer_value(json_array_get(places, i));

		if (i < json_array_size(places) && place >= 0 && place < LOADER_FD_COUNT && l->fd[place] < 0) {
			l->fd[place] = l->role.fds[i];
			l->role.fds[i] = -1;
		}
	}
}

static void begin_job(struct loader *l)
{
	l->began_us = l->told_us = clock_boot_us();
	l->setup = l->role.setup;
	l->request = json_object_get(l->setup, "request");
	take_fds(l);
}

static const struct loader_job *find_job(const struct loader *l, struct err *err)
{
	const char *name = json_string_value(json_object_get(l->setup, "job"));

	for (const struct loader_job *job = loader_jobs; job->name; job++)
		if (name && strcmp(job->name, name) == 0)
			return job;
	err_set(err, ERR_INTERNAL, "a loader knows no job \"%.64s\"", name ? name : "");
	return NULL;
}

static int run(struct loader *l, const struct loader_job *job, struct err *err)
{
	if (check_client_fd(l, job, err) < 0 || job->run(l, err) < 0)
		return -1;
	return l->replied ? 0 : err_set(err, ERR_INTERNAL, "the job %s ended without a result", job->name);
}

/* What the job that went well leaves behind. */
static void end_job(struct loader *l)
{
	if (l->in_snapshot)
		snapshot_end(l->reader);
	l->in_snapshot = false;
	for (int i = 0; i < LOADER_FD_COUNT; i++) {
		if (l->fd[i] >= 0)
			close(l->fd[i]);
		l->fd[i] = -1;
	}
	l->replied = false;
}

/* Another setup of main's; false: there is none to come. */
static bool next_job(struct loader *l)
{
	struct message m;

	if (channel_receive(l->role.channel, &m) != 1)
		return false;
	if (m.type == MSG_JOB) {
		role_take_setup(&l->role, json_loadb((const char *)m.payload, m.size, 0, NULL), &m);
		begin_job(l);
	}
	message_clear(&m);
	return m.type == MSG_JOB && l->setup;
}

static int work(struct loader *l, struct err *err)
{
	const struct loader_job *job = find_job(l, err);

	if (job && job->background && setpriority(PRIO_PROCESS, 0, NICE) < 0)
		log_debug("cannot lower the priority: %s", strerror(errno));
	if (!job || (!job->own_store && store_reader_open(&l->reader, l->role.conf->database, err) < 0) ||
	    privileges_seal(ROLE_LOADER, l->role.conf, job->own_store, err) < 0)
		return -1;
	if (channel_send(l->role.channel, MSG_READY, 0, "{}", 2, NULL, 0) < 0)
		end_without_main();
	while (job && run(l, job, err) == 0) {
		if (!json_is_true(json_object_get(l->setup, "stay")))
			return 0;
		end_job(l);
		if (!next_job(l))
			return 0;
		job = find_job(l, err);
	}
	return -1;
}

static void loader_end(struct loader *l)
{
	struct loader_file *f;

	while ((f = l->first_file)) {
		l->first_file = f->next;
		file_free(f);
	}
	end_job(l);
	if (l->reader)
		store_reader_close(l->reader);
	role_end(&l->role);
}

int loader_main(void)
{
	struct loader l = { .reader = NULL };
	struct err err = ERR_INIT;

	for (int i = 0; i < LOADER_FD_COUNT; i++)
		l.fd[i] = -1;
	l.last_file = &l.first_file;
	if (role_start(ROLE_LOADER, &l.role, &err) < 0) {
		log_error("%s", err.message);
		return 1;
	}
	begin_job(&l);
	/* what a client did wrong is its own affair: main logs it, we end well */
	if (work(&l, &err) < 0 && !l.replied)
		loader_reply(&l, control_error(&err));
	loader_end(&l);
	return 0;
}
