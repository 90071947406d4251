#include "daemon/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "config.h"
#include "daemon/rows_json.h"

const char *const backup_store_file[] = { "images.mdb", "catalog.mdb", "STORE", NULL };

int backup_path(char path[BACKUP_PATH_MAX], const char *dir, const char *name, struct err *err)
{
	if ((size_t)snprintf(path, BACKUP_PATH_MAX, "%s/%s", dir, name) >= BACKUP_PATH_MAX)
		return err_set(err, ERR_LIMIT, "the path is too long: %.100s…", dir);
	return 0;
}

int backup_sync_directory(const char *dir, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int status;

	if (fd < 0)
		return err_system(err, "cannot open the directory %s", dir);
	status = fsync(fd) < 0 ? err_system(err, "cannot sync the directory %s", dir) : 0;
	close(fd);
	return status;
}

/* ---- the manifest ---------------------------------------------------------- */

json_t *backup_manifest_new(const char *form)
{
	return json_pack("{s:s,s:i,s:s,s:s,s:o}", "backup", "schwenk", "version", BACKUP_VERSION, "form", form,
		"schwenk", PACKAGE_VERSION, "created", time_json(clock_wall_us()));
}

int backup_manifest_write(const char *dir, const json_t *manifest, struct err *err)
{
	char path[BACKUP_PATH_MAX], temporary[BACKUP_PATH_MAX];
	FILE *file;
	bool bad;

	if (backup_path(path, dir, BACKUP_MANIFEST, err) < 0 || backup_path(temporary, dir, BACKUP_MANIFEST ".new", err) < 0 ||
	    backup_sync_directory(dir, err) < 0)
		return -1;
	file = fopen(temporary, "we");
	if (!file)
		return err_system(err, "cannot create %s", temporary);
	bad = json_dumpf(manifest, file, JSON_INDENT(2)) < 0 || putc('\n', file) == EOF || fflush(file) != 0 || fsync(fileno(file)) < 0;
	if (fclose(file) != 0 || bad) {
		err_system(err, "cannot write %s", temporary);
		unlink(temporary);
		return -1;
	}
	if (rename(temporary, path) < 0) {
		err_system(err, "cannot rename %s", temporary);
		unlink(temporary);
		return -1;
	}
	if (backup_sync_directory(dir, err) == 0)
		return 0;
	unlink(path);
	return -1;
}

static int check_manifest(const char *dir, const json_t *manifest, bool *text, struct err *err)
{
	const char *what = json_string_value(json_object_get(manifest, "backup"));
	const char *form = json_string_value(json_object_get(manifest, "form"));
	json_int_t version = json_integer_value(json_object_get(manifest, "version"));

	if (!what || strcmp(what, "schwenk") != 0)
		return err_set(err, ERR_VERSION, "%s/%s does not say that this is a backup of Schwenk", dir, BACKUP_MANIFEST);
	if (version != BACKUP_VERSION)
		return err_set(err, ERR_VERSION, "the backup in %s has version %lld, this is schwenkd %s, which reads version %d: use the "
			"version that made it (%s)", dir, (long long)version, PACKAGE_VERSION, BACKUP_VERSION,
			json_string_value(json_object_get(manifest, "schwenk")) ? json_string_value(json_object_get(manifest, "schwenk")) : "unknown");
	if (!form || (strcmp(form, "text") != 0 && strcmp(form, "binary") != 0))
		return err_set(err, ERR_VERSION, "the backup in %s is in a form that is not known: \"%.40s\"", dir, form ? form : "");
	*text = form[0] == 't';
	return 0;
}

json_t *backup_manifest_read(const char *dir, bool *text, struct err *err)
{
	char path[BACKUP_PATH_MAX];
	json_error_t where;
	json_t *manifest;
	FILE *file;

	if (backup_path(path, dir, BACKUP_MANIFEST, err) < 0)
		return NULL;
	file = fopen(path, "re");
	if (!file && errno == ENOENT)
		err_set(err, ERR_CORRUPT, "there is no finished backup in %s: %s, which is written last, is missing", dir, BACKUP_MANIFEST);
	if (!file) {
		err_system(err, "cannot read %s", path);
		return NULL;
	}
	manifest = json_loadf(file, JSON_REJECT_DUPLICATES, &where);
	fclose(file);
	if (!manifest) {
		err_set(err, ERR_CORRUPT, "%s:%d: %s", path, where.line, where.text);
		return NULL;
	}
	if (check_manifest(dir, manifest, text, err) < 0) {
		json_decref(manifest);
		return NULL;
	}
	return manifest;
}

/* ---- names and pairs ----------------------------------------------------------- */

/* "shop.example@old.zone"; an older edition "shop.example@old+2.zone". What is
 * no letter, digit, or one of ". _ -" goes as %XX. */
char *backup_file_name(char name[256], const uint8_t *apex, const struct set_row *set, uint32_t edition, bool newest)
{
	char zone[NAME_TEXT_MAX], encoded[3 * NAME_TEXT_MAX + SET_NAME_MAX + 32], number[16] = "";
	size_t n = 0;

	name_to_text_short(zone, apex);
	for (const char *p = zone; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_' || *p == '-' || (*p == '.' && n);

		n += (size_t)snprintf(encoded + n, 4, plain ? "%c" : "%%%02X", (unsigned char)*p);
	}
	if (!newest)
		snprintf(number, sizeof number, "+%u", edition);
	n += (size_t)snprintf(encoded + n, sizeof encoded - n, "@%s%s.zone", set->name, number);
	if (n < 256)
		memcpy(name, encoded, n + 1);
	else
		snprintf(name, 256, "set-%llu+%u.zone", (unsigned long long)set->id, edition);
	return name;
}

/* A suffix of the same length: what fits for the one fits for the other. */
char *backup_spares_name(char name[256], const char *zone_file)
{
	size_t n = strlen(zone_file) - strlen(".zone");

	snprintf(name, 256, "%.*s.soas", (int)n, zone_file);
	return name;
}

json_t *backup_at_json(struct set_at at)
{
	return at.set ? json_pack("[I,I]", (json_int_t)at.set, (json_int_t)at.edition) : json_null();
}
