/* What the configuration needs around it: file system, users, groups. */
#include "conf/conf.h"
#include "conf/options.h"

#include <errno.h>
#include <grp.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* "FILE:LINE: OPTION", or without a place where it is a default. */
static const char *where(const struct conf *conf, const char *option, char *text, size_t size)
{
	size_t line = conf->line[option_find(option) - option_rows];

	if (line)
		snprintf(text, size, "%s:%zu: %s", conf->file, line, option);
	else
		snprintf(text, size, "%s", option);
	return text;
}

struct file_system { unsigned long magic; const char *name; enum conf_file_system kind; };

static const struct file_system file_systems[] = {
	{ NFS_SUPER_MAGIC, "NFS", CONF_FS_NETWORK },
	{ SMB_SUPER_MAGIC, "SMB", CONF_FS_NETWORK },
	{ 0xff534d42, "CIFS", CONF_FS_NETWORK },
	{ 0xfe534d42, "SMB2", CONF_FS_NETWORK },
	{ AFS_SUPER_MAGIC, "AFS", CONF_FS_NETWORK },
	{ 0x00c36400, "CephFS", CONF_FS_NETWORK },
	{ BTRFS_SUPER_MAGIC, "btrfs", CONF_FS_COPY_ON_WRITE },
	{ 0x2fc12fc1, "ZFS", CONF_FS_COPY_ON_WRITE },
	{ 0xca451a4e, "bcachefs", CONF_FS_COPY_ON_WRITE },
	{ 0x3434, "NILFS", CONF_FS_COPY_ON_WRITE },
	{ TMPFS_MAGIC, "tmpfs", CONF_FS_VOLATILE },
	{ RAMFS_MAGIC, "ramfs", CONF_FS_VOLATILE },
};

enum conf_file_system conf_judge_file_system(unsigned long magic, const char **name)
{
	for (size_t i = 0; i < sizeof file_systems / sizeof *file_systems; i++)
		if (file_systems[i].magic == magic) {
			*name = file_systems[i].name;
			return file_systems[i].kind;
		}
	*name = "";
	return CONF_FS_ORDINARY;
}

/* The directory need not exist yet: then its nearest parent decides. */
static int statfs_nearest(const char *path, struct statfs *fs)
{
	char *at = strdup(path), *slash;
	int r = -1;

	while (at && (r = statfs(at, fs)) < 0 && errno == ENOENT && (slash = strrchr(at, '/'))) {
		if (slash == at && !slash[1])
			break;
		slash[slash == at] = '\0';
	}
	free(at);
	return r;
}

static int check_database(const struct conf *conf, void (*say)(void *, const char *), void *arg, struct err *err)
{
	struct statfs fs;
	struct stat st;
	const char *name;
	char text[512], place[512];

	where(conf, "database", place, sizeof place);
	if (stat(conf->database, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_set(err, ERR_SYSTEM, "%s: %s is not a directory", place, conf->database);
	if (statfs_nearest(conf->database, &fs) < 0)
		return err_system(err, "%s: %s", place, conf->database);
	switch (conf_judge_file_system((unsigned long)fs.f_type & 0xffffffff, &name)) {
	case CONF_FS_NETWORK:
		return err_set(err, ERR_SYSTEM, "%s: %s lies on %s: LMDB needs a local file system, for its locks and its "
			"memory map; move it to a local disk", place, conf->database, name);
	case CONF_FS_COPY_ON_WRITE:
		snprintf(text, sizeof text, "warning: database: %s lies on %s, which copies on write: a switch on a full disk can "
			"fail, because space reserved there is not kept; prefer ext4 or xfs, or see chattr +C", conf->database, name);
		if (say)
			say(arg, text);
		break;
	case CONF_FS_VOLATILE:
		snprintf(text, sizeof text, "warning: database: %s lies on %s, in memory: nothing survives a restart of the machine",
			conf->database, name);
		if (say)
			say(arg, text);
		break;
	case CONF_FS_ORDINARY:
		break;
	}
	return 0;
}

static int check_group(const struct conf *conf, const char *option, const char *name, struct err *err)
{
	char place[512];

	if (name && !getgrnam(name))
		return err_set(err, ERR_PARSE, "%s: there is no group '%s'; make it: groupadd --system %s",
			where(conf, option, place, sizeof place), name, name);
	return 0;
}

static int check_cookie_secrets(const struct conf *conf, void (*say)(void *, const char *), void *arg, struct err *err)
{
	uint8_t secrets[CONF_COOKIE_SECRETS][CONF_COOKIE_SECRET_SIZE];
	char text[512];
	struct stat st;
	unsigned count;

	if (!conf->cookie_secrets)
		return 0;
	if (conf_read_cookie_secrets(conf->cookie_secrets, secrets, &count, err) < 0)
		return -1;
	explicit_bzero(secrets, sizeof secrets);
	if (stat(conf->cookie_secrets, &st) == 0 && (st.st_mode & S_IROTH) && say) {
		snprintf(text, sizeof text, "warning: cookie-secrets: %s is readable to everybody: chmod o= %s", conf->cookie_secrets,
			conf->cookie_secrets);
		say(arg, text);
	}
	return 0;
}

int conf_check_surroundings(const struct conf *conf, void (*say)(void *, const char *text), void *arg, struct err *err)
{
	char place[512];

	if (conf->user && !getpwnam(conf->user))
		return err_set(err, ERR_PARSE, "%s: there is no user '%s'; make it: useradd --system %s",
			where(conf, "user", place, sizeof place), conf->user, conf->user);
	if (check_group(conf, "operators", conf->operators, err) < 0 || check_group(conf, "stagers", conf->stagers, err) < 0
		|| check_group(conf, "readers", conf->readers, err) < 0)
		return -1;
	if (check_cookie_secrets(conf, say, arg, err) < 0)
		return -1;
	return check_database(conf, say, arg, err);
}
