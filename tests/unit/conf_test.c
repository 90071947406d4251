/* src/conf: every kind of error with its place, identity of parse and print,
 * the man page's list. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/options.h"

struct said { char text[8192]; unsigned lines; };

static void say(void *arg, const char *text)
{
	struct said *said = arg;
	size_t n = strlen(said->text);

	snprintf(said->text + n, sizeof said->text - n, "%s\n", text);
	said->lines++;
}

static struct conf *parse(const char *text)
{
	struct conf *conf = NULL;
	struct said said = { .text = "" };
	struct err err = ERR_INIT;

	if (conf_parse(text, strlen(text), "test.yaml", &conf, say, &said, &err) < 0)
		fail_msg("%s: %s", text, said.text);
	assert_null(err.code);
	assert_int_equal(said.lines, 0);
	return conf;
}

static void empty_file_gives_defaults(void **state)
{
	struct conf *conf = parse("");

	assert_int_equal(conf->listen_count, 2);
	assert_string_equal(conf->listen[0].text, "0.0.0.0@53");
	assert_string_equal(conf->listen[1].text, "::@53");
	assert_null(conf->user);
	assert_true(conf->workers >= 1);
	assert_int_equal(conf->udp_payload_size, 1232);
	assert_int_equal(conf->receive_buffer, 4 << 20);
	assert_string_equal(conf->log, "stderr");
	assert_int_equal(conf->rate_limit, 200);
	assert_int_equal(conf->rate_limit_exempt.count, 2);
	assert_int_equal(conf->rate_limit_exempt.items[0].bits, 8);
	assert_int_equal(conf->rate_limit_exempt.items[1].size, 16);
	assert_false(conf->include_anywhere);
	conf_free(conf);
}

static void the_minimal_example(void **state)
{
	struct conf *conf = parse("listen: [127.0.0.1@5300, \"::1@5300\"]\ndatabase: /var/lib/schwenk\n"
		"control: /run/schwenk/control.sock\nworkers: 2\n");
	const struct sockaddr_in6 *six = (const void *)&conf->listen[1].address;

	assert_int_equal(conf->listen_count, 2);
	assert_int_equal(((const struct sockaddr_in *)&conf->listen[0].address)->sin_port, htons(5300));
	assert_int_equal(six->sin6_family, AF_INET6);
	assert_int_equal(conf->listen[1].size, sizeof *six);
	assert_int_equal(conf->workers, 2);
	assert_string_equal(conf->database, "/var/lib/schwenk");
	conf_free(conf);
}

static void sizes_and_words(void **state)
{
	struct conf *conf = parse("images-map-size: 2 GiB\ncatalog-map-size: 1048577\nloader-memory: 64m\n"
		"nsid: null\nversion: \"null\"\nlog-level: debug\npin-workers: true\nlisten: 192.0.2.1\n");

	assert_int_equal(conf->images_map_size, UINT64_C(2) << 30);
	assert_int_equal(conf->catalog_map_size, 1048577);
	assert_int_equal(conf->loader_memory, 64 << 20);
	assert_null(conf->nsid);
	assert_string_equal(conf->version, "null");
	assert_true(conf->pin_workers);
	assert_string_equal(conf->listen[0].text, "192.0.2.1@53");
	conf_free(conf);
	conf = parse("rate-limit-exempt: []\n");
	assert_int_equal(conf->rate_limit_exempt.count, 0);
	conf_free(conf);
	conf = parse("rate-limit-exempt: 192.0.2.0/24\n");
	assert_int_equal(conf->rate_limit_exempt.count, 1);
	conf_free(conf);
}

/* text → the place and a part of the message; the first error of each */
static const struct { const char *text, *place, *part; } wrong[] = {
	{ "wrkers: 2\n", "test.yaml:1:1: ", "did you mean workers?" },
	{ "log: stderr\nzebra: 1\n", "test.yaml:2:1: ", "there are: listen, database" },
	{ "workers: [1]\n", "test.yaml:1:10: ", "a list where a number from 1 to 256, or auto is wanted" },
	{ "workers: 0\n", "test.yaml:1:10: ", "a number from 1 to 256" },
	{ "workers: -1\n", "test.yaml:1:10: ", "'-1' is not a number" },
	{ "workers: 2x\n", "test.yaml:1:10: ", "'2x' is not" },
	{ "workers: 99999999999999999999999\n", "test.yaml:1:10: ", "is not a number" },
	{ "workers: \"2\"\n", "test.yaml:1:10: ", "because of its quotes" },
	{ "workers:\n", "test.yaml:1:9: ", "'' is not a number" },
	{ "workers: 2\nworkers: 2\n", "test.yaml:2:1: ", "twice: first in line 1" },
	{ "database: var/lib\n", "test.yaml:1:11: ", "an absolute path" },
	{ "database: {a: b}\n", "test.yaml:1:11: ", "a mapping where an absolute path" },
	{ "cookie-secrets: secrets\n", "test.yaml:1:17: ", "an absolute path of at most 4000 octets, or null" },
	{ "database: null\n", "test.yaml:1:11: ", "an absolute path of at most 4000 octets" },
	{ "log-level: loud\n", "test.yaml:1:12: ", "one of error, warning, notice, info, debug" },
	{ "log-level: info|debug\n", "test.yaml:1:12: ", "one of" },
	{ "include-anywhere: yes\n", "test.yaml:1:19: ", "true or false" },
	{ "udp-payload-size: 511\n", "test.yaml:1:19: ", "a number from 512 to 4096" },
	{ "images-map-size: 1XiB\n", "test.yaml:1:18: ", "a size from 1MiB to 64TiB" },
	{ "images-map-size: 99999999999TiB\n", "test.yaml:1:18: ", "a size from" },
	{ "listen: []\n", "test.yaml:1:9: ", "the list is empty" },
	{ "listen: [127.0.0.1@53, 127.0.0.1]\n", "test.yaml:1:24: ", "twice" },
	{ "listen:\n  - 127.0.0.1\n  - localhost@53\n", "test.yaml:3:5: ", "'localhost@53' is not a list of ADDRESS" },
	{ "listen: [127.1]\n", "test.yaml:1:10: ", "" },
	{ "listen: [127.0.0.1@0]\n", "test.yaml:1:10: ", "ADDRESS@PORT" },
	{ "listen: [127.0.0.1@65536]\n", "test.yaml:1:10: ", "ADDRESS@PORT" },
	{ "listen: [[127.0.0.1]]\n", "test.yaml:1:10: ", "a list within the list" },
	{ "rate-limit-exempt: [127.0.0.1, 192.0.2.1/24]\n", "test.yaml:1:32: ", "rate-limit-exempt: 192.0.2.1/24 has bits set" },
	{ "rate-limit-exempt: [any]\n", "test.yaml:1:21: ", "no address or prefix" },
	{ "rate-limit-exempt: {a: b}\n", "test.yaml:1:20: ", "a mapping where a list of at most 64 prefixes" },
	{ "rate-limit-ipv4-prefix: 33\n", "test.yaml:1:25: ", "from 1 to 32" },
	{ "user: a b\n", "test.yaml:1:7: ", "a name of at most 64" },
	{ "user: \"\"\n", "test.yaml:1:7: ", "a name" },
	{ "nsid: \"a\\0b\"\n", "test.yaml:1:7: ", "NUL" },
	{ "- listen\n", "test.yaml:1:1: ", "a list where lines of 'option: value'" },
	{ "listen\n", "test.yaml:1:1: ", "a value where lines" },
	{ "[a]: b\n", "test.yaml:1:1: ", "a list where the name of an option" },
	{ "log: stderr\n---\nlog: syslog\n", "test.yaml:3:1: ", "a second document" },
	{ "log: [stderr\n", "test.yaml:2:1: ", "not YAML" },
	{ "log: stderr\n\tworkers: 2\n", "test.yaml:2:1: ", "not YAML" },
	{ "log: \xff\n", "test.yaml:1:", "not YAML" },
	{ "log: *nowhere\n", "test.yaml:1:6: ", "not YAML" },
};

static void each_error_has_its_place(void **state)
{
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct conf *conf = NULL;
		struct said said = { .text = "" };
		struct err err = ERR_INIT;

		if (conf_parse(wrong[i].text, strlen(wrong[i].text), "test.yaml", &conf, say, &said, &err) == 0)
			fail_msg("accepted: %s", wrong[i].text);
		assert_null(conf);
		assert_string_equal(err.code, ERR_PARSE);
		if (strncmp(err.message, wrong[i].place, strlen(wrong[i].place)) != 0 || !strstr(err.message, wrong[i].part))
			fail_msg("%s gave: %s", wrong[i].text, err.message);
		assert_int_equal(strncmp(said.text, err.message, strlen(err.message)), 0);
	}
}

static void all_errors_in_one_run(void **state)
{
	const char *text = "workers: 0\nlog: paper\nnope: 1\nlisten: [x, y]\n";
	struct conf *conf = NULL;
	struct said said = { .text = "" };
	struct err err = ERR_INIT;

	assert_int_equal(conf_parse(text, strlen(text), "test.yaml", &conf, say, &said, &err), -1);
	assert_int_equal(said.lines, 5);
	assert_non_null(strstr(said.text, "test.yaml:4:13: "));
	/* nobody listens: the first one is in err all the same */
	err_clear(&err);
	assert_int_equal(conf_parse(text, strlen(text), "test.yaml", &conf, NULL, NULL, &err), -1);
	assert_non_null(strstr(err.message, "test.yaml:1:10: "));
}

static char *print(const struct conf *conf)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(conf_print(conf, out), 0);
	fclose(out);
	return text;
}

static void parse_print_parse_is_the_identity(void **state)
{
	static const char *const texts[] = {
		"",
		"listen: [127.0.0.1@5300, \"::1@5300\", \"2001:db8::1\"]\ndatabase: \"/a b\\\"c\\\\\"\ncontrol: /s\nuser: schwenk\n"
		"workers: 7\noperators: ops\nstagers: ci\nreaders: look\nlog: syslog\nlog-level: info\ncatalog-map-size: 3MiB\n"
		"images-map-size: 1000001MiB\nloader-memory: 1048579\nloaders: 3\nloader-threads: 5\nudp-payload-size: 4096\ntcp-connections: 5\ntcp-connections-per-client: 3\n"
		"tcp-idle-timeout: 11\ntcp-read-timeout: 12\nreceive-buffer: 1MiB\ninclude-anywhere: true\n"
		"version: \"1.0: # \\x01\"\nhostname: ns1\nidentity: \"~\"\nnsid: \"m\xc3\xbcnchen\"\ncookie-secrets: /etc/cookies\nswitch-timeout: 9\npin-workers: true\n"
		"rate-limit: 0\nrate-limit-slip: 2\nrate-limit-table: 1MiB\nrate-limit-ipv4-prefix: 32\n"
		"rate-limit-ipv6-prefix: 48\nrate-limit-exempt: [10.0.0.0/8, \"2001:db8::1\"]\n",
	};

	for (size_t i = 0; i < 2; i++) {
		struct conf *a = parse(texts[i]), *b;
		char *one = print(a), *two;

		b = parse(one);
		two = print(b);
		assert_string_equal(one, two);
		assert_int_equal(a->listen_count, b->listen_count);
		assert_string_equal(a->database, b->database);
		assert_int_equal(a->images_map_size, b->images_map_size);
		assert_true(!a->version == !b->version && (!a->version || strcmp(a->version, b->version) == 0));
		if (i == 1) {
			assert_string_equal(b->database, "/a b\"c\\");
			assert_string_equal(b->version, "1.0: # \x01");
			assert_string_equal(b->identity, "~");
			assert_int_equal(b->loader_memory, 1048579);
		}
		free(one);
		free(two);
		conf_free(a);
		conf_free(b);
	}
}

static void files_that_are_none(void **state)
{
	char dir[] = "/tmp/conf-test.XXXXXX", path[64];
	struct conf *conf = NULL;
	struct said said = { .text = "" };
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/none.yaml", dir);
	assert_int_equal(conf_read(path, &conf, say, &said, &err), -1);
	assert_non_null(strstr(err.message, path));
	assert_non_null(strstr(err.message, "no such file"));
	err_clear(&err);
	assert_int_equal(conf_read(dir, &conf, say, &said, &err), -1);
	assert_non_null(strstr(err.message, "not a regular file"));
	err_clear(&err);
	snprintf(path, sizeof path, "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(conf_read(path, &conf, say, &said, &err), -1);
	assert_non_null(strstr(err.message, "not a regular file"));
	unlink(path);
	rmdir(dir);
}

#define ONE "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define TWO "DD3BDF9344B678B185A6F5CB60FCA715"

static const struct { const char *text, *part; unsigned count; } secret_files[] = {
	{ ONE "\n", NULL, 1 }, { ONE, NULL, 1 }, { "# made in June\n\n" ONE "\n  \n" TWO " \r\n", NULL, 2 },
	{ "", "there is no secret in it", 0 }, { "# none\n", "there is no secret in it", 0 },
	{ ONE "\n" TWO "\n" ONE "\n", ":3: more than 2 secrets", 0 }, { "e5e973\n", ":1: a secret has 32", 0 },
	{ ONE "0\n", ":1: a secret has 32", 0 }, { ONE " " TWO "\n", ":1: a secret has 32", 0 },
	{ "\n" "x5e973e5a6b2a43f48e7dc849e37bfcf\n", ":2: a secret has 32", 0 },
};

static void cookie_secrets(void **state)
{
	static const uint8_t two[] = { 0xdd, 0x3b, 0xdf, 0x93 };
	char path[] = "/tmp/conf-test.XXXXXX";
	int fd = mkstemp(path);
	uint8_t secrets[CONF_COOKIE_SECRETS][CONF_COOKIE_SECRET_SIZE];
	struct err err = ERR_INIT;
	unsigned count;

	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof secret_files / sizeof secret_files[0]; i++) {
		size_t size = strlen(secret_files[i].text);
		int r;

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, secret_files[i].text, size, 0), (ssize_t)size);
		count = 0;
		r = conf_read_cookie_secrets(path, secrets, &count, &err);
		assert_int_equal(r, secret_files[i].part ? -1 : 0);
		assert_int_equal(count, secret_files[i].count);
		if (!r)
			continue;
		/* where it is, not what it is */
		if (!strstr(err.message, secret_files[i].part) || !strstr(err.message, path) || strstr(err.message, "e973"))
			fail_msg("%s gave: %s", secret_files[i].text, err.message);
		err_clear(&err);
	}
	assert_int_equal(pwrite(fd, ONE "\n" TWO "\n", 66, 0), 66);
	assert_int_equal(conf_read_cookie_secrets(path, secrets, &count, &err), 0);
	assert_memory_equal(secrets[1], two, sizeof two);
	unlink(path);
	close(fd);
	assert_int_equal(conf_read_cookie_secrets(path, secrets, &count, &err), -1);
	assert_non_null(strstr(err.message, path));
}

/* A file that everybody may read is warned of, one that is wrong refused. */
static void surroundings_of_cookie_secrets(void **state)
{
	char path[] = "/tmp/conf-test.XXXXXX", text[128];
	int fd = mkstemp(path);
	struct said said = { .text = "" };
	struct err err = ERR_INIT;
	struct conf *conf;

	snprintf(text, sizeof text, "database: /nowhere/at/all\ncookie-secrets: %s\n", path);
	conf = parse(text);
	assert_int_equal(conf_check_surroundings(conf, say, &said, &err), -1);
	assert_non_null(strstr(err.message, "cookie-secrets: "));
	err_clear(&err);
	assert_int_equal(pwrite(fd, ONE "\n", 33, 0), 33);
	assert_int_equal(conf_check_surroundings(conf, say, &said, &err), 0);
	assert_null(strstr(said.text, "readable to everybody"));
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(conf_check_surroundings(conf, say, &said, &err), 0);
	assert_non_null(strstr(said.text, "readable to everybody"));
	conf_free(conf);
	unlink(path);
	close(fd);
}

static void surroundings(void **state)
{
	struct conf *conf = parse("database: /proc/self/status\n");
	struct said said = { .text = "" };
	struct err err = ERR_INIT;
	const char *name;

	assert_int_equal(conf_check_surroundings(conf, say, &said, &err), -1);
	assert_non_null(strstr(err.message, "not a directory"));
	conf_free(conf);
	err_clear(&err);
	conf = parse("database: /nowhere/at/all\n");
	assert_int_equal(conf_check_surroundings(conf, say, &said, &err), 0);
	conf_free(conf);
	conf = parse("operators: no-such-group-here\n");
	assert_int_equal(conf_check_surroundings(conf, say, &said, &err), -1);
	assert_non_null(strstr(err.message, "test.yaml:1: operators: there is no group 'no-such-group-here'"));
	conf_free(conf);
	assert_int_equal(conf_judge_file_system(NFS_SUPER_MAGIC, &name), CONF_FS_NETWORK);
	assert_int_equal(conf_judge_file_system(BTRFS_SUPER_MAGIC, &name), CONF_FS_COPY_ON_WRITE);
	assert_string_equal(name, "btrfs");
	assert_int_equal(conf_judge_file_system(TMPFS_MAGIC, &name), CONF_FS_VOLATILE);
	assert_int_equal(conf_judge_file_system(EXT4_SUPER_MAGIC, &name), CONF_FS_ORDINARY);
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text;
	size_t n;

	if (!f)
		fail_msg("cannot read %s", path);
	text = calloc(1, 1 << 18);
	assert_non_null(text);
	n = fread(text, 1, (1 << 18) - 1, f);
	assert_true(n > 0);
	fclose(f);
	return text;
}

/* the man page's list is what the table prints, octet by octet (paths that
 * configure chooses aside) */
static void man_page_lists_every_option(void **state)
{
	const char *top = getenv("top_srcdir");
	char path[512], *page, *list = NULL, *line, *rest;
	size_t size;
	FILE *out = open_memstream(&list, &size);

	snprintf(path, sizeof path, "%s/src/daemon/schwenkd.yaml.5", top ? top : ".");
	page = slurp(path);
	conf_print_options(out, true);
	fclose(out);
	rest = page;
	for (line = strtok(list, "\n"); line; line = strtok(NULL, "\n")) {
		char whole[2048];
		char *found;

		if (strncmp(line, "Default: /", 10) == 0)
			continue;
		snprintf(whole, sizeof whole, "\n%s\n", line);
		found = strstr(rest, whole);
		if (!found)
			fail_msg("schwenkd.yaml.5 lacks, or has in another place: %s", line);
		rest = found + strlen(whole) - 1;
	}
	free(list);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_file_gives_defaults),
		cmocka_unit_test(the_minimal_example),
		cmocka_unit_test(sizes_and_words),
		cmocka_unit_test(each_error_has_its_place),
		cmocka_unit_test(all_errors_in_one_run),
		cmocka_unit_test(parse_print_parse_is_the_identity),
		cmocka_unit_test(files_that_are_none),
		cmocka_unit_test(cookie_secrets),
		cmocka_unit_test(surroundings),
		cmocka_unit_test(surroundings_of_cookie_secrets),
		cmocka_unit_test(man_page_lists_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
