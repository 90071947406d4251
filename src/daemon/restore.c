/*
 * schwenkd --restore: a backup into an empty database, without a daemon.
 *
 * The store is made beside (in .restore, in the database's directory), checked,
 * and moved into place file by file: images, catalog, and last STORE. So what
 * was interrupted is told from what is whole: as long as .restore is there and
 * STORE is not, all else is rubbish of ours, and the next try clears it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/backup.h"
#include "daemon/daemon.h"
#include "store/catalog_backup.h"

#define BUILD_NAME    ".restore"
#define COPY_SIZE     (1u << 20)
#define STUCK_NAMED   20
#define PROBLEMS_SAID 20

struct restore {
	const struct conf *conf;
	const char *from;
	char build[BACKUP_PATH_MAX];
	json_t *manifest;
	bool text;
	uint32_t step;
	struct store_writer *store;
	uint64_t zones, sets, raised, stuck, problems;
};

/* ---- files --------------------------------------------------------------------- */

static bool exists(const char *dir, const char *name)
{
	char path[BACKUP_PATH_MAX];
	struct err ignored = ERR_INIT;

	return backup_path(path, dir, name, &ignored) == 0 && access(path, F_OK) == 0;
}

static void remove_file(const char *dir, const char *name)
{
	char path[BACKUP_PATH_MAX];
	struct err ignored = ERR_INIT;

	if (backup_path(path, dir, name, &ignored) == 0)
		unlink(path);
}

static void remove_build(const struct restore *r)
{
	struct dirent *entry;
	DIR *dir = opendir(r->build);

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(r->build);
}

/* STORE first: what remains is no store any more. */
static void remove_store(const char *dir)
{
	static const char *const files[] = { "STORE", "STORE.new", "catalog.mdb", "catalog.mdb-lock", "images.mdb", "images.mdb-lock" };

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		remove_file(dir, files[i]);
}

static int copy_octets(int in, int out, const char *path, struct err *err)
{
	uint8_t *buf = malloc(COPY_SIZE);
	ssize_t n = buf ? 1 : 0;

	if (!buf)
		return err_set(err, ERR_NOMEM, "no memory to copy %s", path);
	while (n > 0) {
		n = read(in, buf, COPY_SIZE);
		for (ssize_t done = 0; n > 0 && done < n;) {
			ssize_t written = write(out, buf + done, (size_t)(n - done));

			if (written < 0)
				n = -1;
			else
				done += written;
		}
	}
	if (n < 0 || fsync(out) < 0)
		err_system(err, "cannot copy %s", path);
	free(buf);
	return err->code ? -1 : 0;
}

static int copy_file(const char *from, const char *to, json_int_t size, struct err *err)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out, status;
	struct stat st;

	if (in < 0 || fstat(in, &st) < 0) {
		err_system(err, "cannot read %s", from);
		if (in >= 0)
			close(in);
		return -1;
	}
	if ((json_int_t)st.st_size != size) {
		close(in);
		return err_set(err, ERR_CORRUPT, "%s has %lld octets, the backup wrote %lld: it was cut short or changed since", from,
			(long long)st.st_size, (long long)size);
	}
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (out < 0)
		status = err_system(err, "cannot create %s", to);
	else
		status = copy_octets(in, out, from, err);
	if (out >= 0 && close(out) < 0 && status == 0)
		status = err_system(err, "cannot write %s", to);
	close(in);
	return status;
}

/* ---- is the database empty? -------------------------------------------------------- */

/* A store that a daemon made and in which there never was anything. */
static int check_unused(const struct restore *r, struct err *err)
{
	struct store_reader *reader = NULL;
	struct catalog_ids ids = { 1, 1, 1, 1 };
	int status = store_reader_open(&reader, r->conf->database, err);

	if (status == 0 && (status = snapshot_begin(reader, err)) == 0) {
		catalog_ids(snapshot_catalog(reader), &ids);
		snapshot_end(reader);
	}
	store_reader_close(reader);
	if (status < 0)
		return err_context(err, "there is a store in %s already, and not a readable one", r->conf->database);
	if (ids.zone || ids.group)
		return err_set(err, ERR_EXISTS, "the store in %s is not empty: a restore takes an empty one; move it away, or set "
			"\"database\" to another directory", r->conf->database);
	return 0;
}

static int clear_database(struct restore *r, struct err *err)
{
	const char *database = r->conf->database;

	if (backup_path(r->build, database, BUILD_NAME, err) < 0)
		return -1;
	if (exists(database, BUILD_NAME) && !exists(database, "STORE")) {
		log_notice("a restore was interrupted before: what it left is cleared");
		remove_store(database);
	}
	if (exists(database, "STORE") || exists(database, "catalog.mdb")) {
		if (check_unused(r, err) < 0)
			return -1;
	} else if (exists(database, "images.mdb")) {
		return err_set(err, ERR_EXISTS, "%s has images.mdb, but no catalog.mdb: a store that is damaged; move it away", database);
	}
	remove_build(r);
	if (mkdir(r->build, 0750) < 0)
		return err_system(err, "cannot make the directory %s", r->build);
	return 0;
}

/* ---- the two forms ------------------------------------------------------------------- */

static int open_store(struct restore *r, struct err *err)
{
	struct store_options options = { .dir = r->build, .catalog_map = r->conf->catalog_map_size,
		.images_map = r->conf->images_map_size, .max_readers = 2 * r->conf->workers + 64 };

	return store_writer_open(&r->store, &options, err);
}

static int read_binary(struct restore *r, struct err *err)
{
	const json_t *files = json_object_get(r->manifest, "files");
	char from[BACKUP_PATH_MAX], to[BACKUP_PATH_MAX];

	for (unsigned i = 0; backup_store_file[i]; i++)
		if (backup_path(from, r->from, backup_store_file[i], err) < 0 || backup_path(to, r->build, backup_store_file[i], err) < 0 ||
		    copy_file(from, to, json_integer_value(json_object_get(files, backup_store_file[i])), err) < 0)
			return -1;
	return open_store(r, err);
}

static int read_text(struct restore *r, struct err *err)
{
	return open_store(r, err) < 0 ? -1 : restore_read_text(r->store, r->from, r->manifest, r->build, err);
}

/* ---- serials ------------------------------------------------------------------------- */

static void tell_stuck(void *arg, const struct zone_row *zone)
{
	struct restore *r = arg;
	char name[NAME_TEXT_MAX];

	if (r->stuck++ < STUCK_NAMED)
		log_warning("the serial of %s stays %u: its SOA is signed elsewhere, or covered by a ZONEMD. Should secondaries have a "
			"higher one, sign it with a higher serial and import it", name_to_text_short(name, zone->apex), zone->served_serial);
}

static void who_restores(struct who *who)
{
	const struct passwd *pw = getpwuid(getuid());
	FILE *file = fopen("/proc/self/loginuid", "re");

	*who = (struct who){ .uid = getuid(), .gid = getgid(), .login_uid = UINT32_MAX, .pid = getpid() };
	if (file) {
		if (fscanf(file, "%" SCNu32, &who->login_uid) != 1)
			who->login_uid = UINT32_MAX;
		fclose(file);
	}
	snprintf(who->name, sizeof who->name, "%s", pw ? pw->pw_name : "schwenkd");
}

static int raise_some(struct restore *r, struct serial_raise *raise, struct err *err)
{
	struct catalog_txn *txn;
	int more;

	if (catalog_begin(r->store, &txn, err) < 0)
		return -1;
	more = catalog_raise_serials(txn, raise, err);
	if (more == 0)
		more = catalog_raise_retired(txn, r->step, err);
	if (more < 0) {
		catalog_abort(txn);
		return -1;
	}
	return catalog_commit(txn, NULL, NULL, err) < 0 ? -1 : more;
}

static int raise_serials(struct restore *r, struct err *err)
{
	char note[NOTE_MAX + 1];
	struct serial_raise *raise = calloc(1, sizeof *raise);
	int more = 1;

	if (!raise)
		return err_set(err, ERR_NOMEM, "no memory");
	snprintf(note, sizeof note, "restored from %.400s", r->from);
	raise->step = r->step;
	raise->note = note;
	raise->stuck = tell_stuck;
	raise->arg = r;
	who_restores(&raise->who);
	while (more > 0)
		more = raise_some(r, raise, err);
	r->raised = raise->raised;
	free(raise);
	if (more == 0 && r->stuck > STUCK_NAMED)
		log_warning("and of %" PRIu64 " zones more for the same reason", r->stuck - STUCK_NAMED);
	return more;
}

static int count_rows(struct restore *r, struct err *err)
{
	struct catalog_txn *txn;

	if (catalog_begin(r->store, &txn, err) < 0)
		return -1;
	r->zones = catalog_zone_count(txn);
	r->sets = catalog_set_count(txn);
	catalog_abort(txn);
	return 0;
}

/* ---- check, and into place -------------------------------------------------------------- */

static void tell_problem(void *arg, const char *problem)
{
	struct restore *r = arg;

	if (r->problems++ < PROBLEMS_SAID)
		log_error("%s", problem);
}

static int check_store(struct restore *r, struct err *err)
{
	struct fsck_report report;

	store_writer_close(r->store);
	r->store = NULL;
	if (store_fsck(r->build, &report, tell_problem, NULL, r, err) < 0)
		return -1;
	if (report.problems)
		return err_set(err, ERR_CORRUPT, "the check of what was restored found %" PRIu64 " problem%s: nothing was put into %s",
			report.problems, report.problems == 1 ? "" : "s", r->conf->database);
	return 0;
}

static int move_files(struct restore *r, struct err *err)
{
	const char *database = r->conf->database;

	for (unsigned i = 0; backup_store_file[i]; i++) {
		char from[BACKUP_PATH_MAX], to[BACKUP_PATH_MAX];

		if (backup_path(from, r->build, backup_store_file[i], err) < 0 || backup_path(to, database, backup_store_file[i], err) < 0)
			return -1;
		if (rename(from, to) < 0)
			return err_system(err, "cannot move %s to %s", from, to);
		if (backup_sync_directory(database, err) < 0)
			return -1;
	}
	return 0;
}

static int install(struct restore *r, struct err *err)
{
	if (backup_sync_directory(r->build, err) < 0)
		return -1;
	remove_store(r->conf->database);        /* an unused one, if any */
	if (move_files(r, err) < 0) {
		remove_store(r->conf->database);
		return -1;
	}
	remove_build(r);
	return 0;
}

static void say_done(const struct restore *r)
{
	const char *created = json_string_value(json_object_get(r->manifest, "created"));

	printf("restored %" PRIu64 " zone%s with %" PRIu64 " set%s into %s from %s (%s form, of %s)\n", r->zones, r->zones == 1 ? "" : "s",
		r->sets, r->sets == 1 ? "" : "s", r->conf->database, r->from, r->text ? "text" : "binary", created ? created : "?");
	if (r->step)
		printf("%" PRIu64 " serial%s raised by %u, so that secondaries follow\n", r->raised, r->raised == 1 ? " is" : "s are", r->step);
	if (r->stuck)
		printf("%" PRIu64 " serial%s not raised: see the warnings\n", r->stuck, r->stuck == 1 ? " was" : "s were");
}

static int restore(struct restore *r, struct err *err)
{
	r->manifest = backup_manifest_read(r->from, &r->text, err);
	if (!r->manifest || clear_database(r, err) < 0)
		return -1;
	if ((r->text ? read_text(r, err) : read_binary(r, err)) == 0 && (!r->step || raise_serials(r, err) == 0) &&
	    count_rows(r, err) == 0 && check_store(r, err) == 0 && install(r, err) == 0)
		return 0;
	store_writer_close(r->store);
	r->store = NULL;
	remove_build(r);
	return -1;
}

int restore_main(const struct conf *conf, const char *dir, uint32_t serial_step)
{
	struct restore r = { .conf = conf, .from = dir, .step = serial_step };
	struct err err = ERR_INIT;
	int status = restore(&r, &err);

	if (status < 0)
		log_error("cannot restore %s: %s", dir, err.message);
	else
		say_done(&r);
	json_decref(r.manifest);
	return status < 0 ? 1 : 0;
}
