#include "conf/options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

#define AT(member) offsetof(struct conf, member)

const struct option_row option_rows[] = {
	{ "listen", OPTION_LISTEN, AT(listen), 1, 64, NULL, "[0.0.0.0@53, \"::@53\"]",
	  "Addresses to answer on, over UDP and TCP. The port is 53 unless @PORT says otherwise. "
	  "An address that is not there yet is bound all the same." },
	{ "database", OPTION_PATH, AT(database), 0, 4000, NULL, LOCALSTATEDIR "/lib/schwenk",
	  "Directory of the store: zones, sets, history. On a local file system; network file systems are refused, "
	  "copy-on-write ones warned of." },
	{ "control", OPTION_PATH, AT(control), 0, sizeof ((struct sockaddr_un *)0)->sun_path - 1, NULL,
	  RUNSTATEDIR "/schwenk/control.sock",
	  "The control socket, which schwenk(1) talks to." },
	{ "user", OPTION_NAME, AT(user), 0, 64, NULL, NULL,
	  "User to become after the sockets are open. null: the daemon stays who it is; the service manager sets it." },
	{ "workers", OPTION_COUNT, AT(workers), 1, 256, "auto", "auto",
	  "Processes that answer. auto: one for each CPU." },
	{ "operators", OPTION_NAME, AT(operators), 0, 64, NULL, NULL,
	  "Group whose members may switch sets, confirm, roll back, and all that stagers and readers may. The control socket "
	  "is given to the group where it is the only one of the three, else everybody may connect: see schwenkd(8)." },
	{ "stagers", OPTION_NAME, AT(stagers), 0, 64, NULL, NULL,
	  "Group whose members may import, edit and check sets that are not live, and reload zones whose property "
	  "reload is stagers." },
	{ "readers", OPTION_NAME, AT(readers), 0, 64, NULL, NULL,
	  "Group whose members may look at everything and change nothing." },
	{ "log", OPTION_WORD, AT(log), 0, 0, "stderr|syslog", "stderr",
	  "Where the log goes, one line an event." },
	{ "log-level", OPTION_WORD, AT(log_level), 0, 0, "error|warning|notice|info|debug", "notice",
	  "The least that is logged." },
	{ "catalog-map-size", OPTION_SIZE, AT(catalog_map_size), MIB, 64 * TIB, NULL, "16GiB",
	  "Upper limit of the catalog (what is served, small edits). Address space, not disk: the file grows as needed." },
	{ "images-map-size", OPTION_SIZE, AT(images_map_size), MIB, 64 * TIB, NULL, "256GiB",
	  "Upper limit of the records of all sets. Address space, not disk: the file grows as needed." },
	{ "loader-memory", OPTION_SIZE, AT(loader_memory), MIB, TIB, NULL, "256MiB",
	  "Memory that one loader sorts a zone in; larger zones are sorted on disk." },
	{ "loaders", OPTION_COUNT, AT(loaders), 1, 64, NULL, "2",
	  "Imports, edits and exports that run at once; further ones wait their turn." },
	{ "loader-threads", OPTION_COUNT, AT(loader_threads), 0, 16, NULL, "0",
	  "Threads in which one loader reads a large zone file whose records fit into loader-memory. 0: one for each CPU "
	  "that no worker has, or for every fourth CPU, whichever is more, up to 8." },
	{ "udp-payload-size", OPTION_COUNT16, AT(udp_payload_size), 512, 4096, NULL, "1232",
	  "Longest UDP answer in octets, and the size announced by EDNS. 1232 avoids fragments." },
	{ "tcp-connections", OPTION_COUNT, AT(tcp_connections), 1, 1000000, NULL, "1000",
	  "TCP connections per worker. At the limit the longest idle one is closed." },
	{ "tcp-connections-per-client", OPTION_COUNT, AT(tcp_connections_per_client), 1, 1000000, NULL, "100",
	  "TCP connections of one client per worker, an IPv4 address or an IPv6 /56 being one. At the limit its own longest "
	  "idle one is closed." },
	{ "tcp-idle-timeout", OPTION_SECONDS, AT(tcp_idle_timeout), 1, 3600, NULL, "10",
	  "Seconds after which a TCP connection without a question is closed." },
	{ "tcp-read-timeout", OPTION_SECONDS, AT(tcp_read_timeout), 1, 3600, NULL, "5",
	  "Seconds that a client has to send the whole of a question it began over TCP, and to take its answer, or 16 KiB "
	  "of it." },
	{ "receive-buffer", OPTION_SIZE, AT(receive_buffer), 64 * KIB, GIB, NULL, "4MiB",
	  "Receive buffer of each UDP socket: what waits there while a worker is replaced. A warning tells when the "
	  "kernel gives less." },
	{ "rate-limit", OPTION_COUNT, AT(rate_limit), 0, 1000000, NULL, "200",
	  "Responses a second over UDP that each worker gives to the clients of one prefix for one name; all that "
	  "does not exist in a zone counts as one name, and so do all names that one wildcard, DNAME or delegation answers "
	  "for, and all errors. What is more is truncated or dropped: see rate-limit-slip. Clients with a valid cookie (RFC "
	  "7873) are not limited, nor those of rate-limit-exempt. 0: no limit." },
	{ "rate-limit-slip", OPTION_COUNT, AT(rate_limit_slip), 0, 100, NULL, "1",
	  "One in so many of the responses over the limit is sent truncated, without records, so that a real client asks "
	  "again over TCP; the others are dropped. 1: none is dropped, so that no client is left without an answer, nor "
	  "open to a forged one. 0: all are dropped." },
	{ "rate-limit-table", OPTION_SIZE, AT(rate_limit_table), 64 * KIB, GIB, NULL, "4MiB",
	  "Memory of each worker for counting responses: 16 octets for each prefix and name of the last second. "
	  "When it is full those that got least are forgotten." },
	{ "rate-limit-ipv4-prefix", OPTION_COUNT, AT(rate_limit_ipv4_prefix), 1, 32, NULL, "24",
	  "Leading bits of an IPv4 address that count as one client." },
	{ "rate-limit-ipv6-prefix", OPTION_COUNT, AT(rate_limit_ipv6_prefix), 1, 128, NULL, "56",
	  "Leading bits of an IPv6 address that count as one client." },
	{ "rate-limit-exempt", OPTION_PREFIXES, AT(rate_limit_exempt), 0, 64, NULL, "[127.0.0.0/8, \"::1\"]",
	  "Clients that are not limited. []: none." },
	{ "include-anywhere", OPTION_BOOLEAN, AT(include_anywhere), 0, 0, NULL, "false",
	  "Whether $INCLUDE in a zone file may name files outside the file's own directory." },
	{ "version", OPTION_TEXT, AT(version), 1, 255, NULL, NULL,
	  "Answer to CH TXT version.bind and version.server. null: refused." },
	{ "hostname", OPTION_TEXT, AT(hostname), 1, 255, NULL, NULL,
	  "Answer to CH TXT hostname.bind. null: refused." },
	{ "identity", OPTION_TEXT, AT(identity), 1, 255, NULL, NULL,
	  "Answer to CH TXT id.server. null: refused." },
	{ "nsid", OPTION_TEXT, AT(nsid), 1, 128, NULL, NULL,
	  "Name Server Identifier (RFC 5001), sent to those who ask for it. null: not sent." },
	{ "cookie-secrets", OPTION_PATH, AT(cookie_secrets), 0, 4000, NULL, NULL,
	  "File of the secrets that DNS cookies (RFC 7873, RFC 9018) are made with, so that the servers of an anycast set "
	  "share them: one or two lines of 32 hexadecimal digits, readable to the daemon's user and to nobody else. "
	  "Cookies are made with the first and understood with both; reload reads the file anew. "
	  "null: secrets are made up at the start and every day." },
	{ "switch-timeout", OPTION_SECONDS, AT(switch_timeout), 2, 60, NULL, "5",
	  "Seconds that a worker may be silent during a switch before it is killed and replaced." },
	{ "pin-workers", OPTION_BOOLEAN, AT(pin_workers), 0, 0, NULL, "false",
	  "Whether each worker stays on a CPU of its own." },
	{ .name = NULL },
};

const struct option_row *option_find(const char *name)
{
	const struct option_row *row;

	for (row = option_rows; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[33], left, up, i, j;
	size_t m = strlen(b);

	if (strlen(a) > 32 || m > 32)
		return 99;
	for (j = 0; j <= m; j++)
		row[j] = j;
	for (i = 1; a[i - 1]; i++) {
		left = row[0];
		row[0] = i;
		for (j = 1; j <= m; j++) {
			up = row[j];
			left += a[i - 1] != b[j - 1];
			if (up + 1 < left)
				left = up + 1;
			if (row[j - 1] + 1 < left)
				left = row[j - 1] + 1;
			row[j] = left;
			left = up;
		}
	}
	return row[m];
}

const char *option_nearest(const char *name)
{
	const struct option_row *row;
	const char *nearest = NULL;
	unsigned least = strlen(name) < 5 ? 2 : 3;      /* one or two slips */

	for (row = option_rows; row->name; row++) {
		unsigned d = edit_distance(name, row->name);

		if (d < least) {
			least = d;
			nearest = row->name;
		}
	}
	return nearest;
}

/* The largest unit that divides it: so that printing and reading again gives
 * the same number. */
static const char *size_text(uint64_t v, char *buf, size_t size)
{
	static const char *const unit[] = { "", "KiB", "MiB", "GiB", "TiB" };
	unsigned u = 0;

	while (u < 4 && v && v % 1024 == 0) {
		v /= 1024;
		u++;
	}
	snprintf(buf, size, "%llu%s", (unsigned long long)v, unit[u]);
	return buf;
}

const char *option_allowed(const struct option_row *row, char *buf, size_t size)
{
	char low[32], high[32];
	const char *otherwise = row->words ? ", or auto" : "";
	size_t n;

	switch (row->type) {
	case OPTION_LISTEN:
		snprintf(buf, size, "a list of ADDRESS or ADDRESS@PORT, for example [192.0.2.1, \"2001:db8::1@53\"]");
		break;
	case OPTION_PREFIXES:
		snprintf(buf, size, "a list of at most %llu prefixes, for example [192.0.2.0/24, \"2001:db8::/32\"]",
			(unsigned long long)row->max);
		break;
	case OPTION_PATH:
		snprintf(buf, size, "an absolute path of at most %llu octets%s", (unsigned long long)row->max,
			row->initial ? "" : ", or null");
		break;
	case OPTION_NAME:
		snprintf(buf, size, "a name of at most %llu octets, or null", (unsigned long long)row->max);
		break;
	case OPTION_TEXT:
		snprintf(buf, size, "a text of %llu to %llu octets, or null",
			(unsigned long long)row->min, (unsigned long long)row->max);
		break;
	case OPTION_WORD:
		snprintf(buf, size, "one of ");
		n = strlen(buf);
		for (const char *w = row->words; *w && n + 3 < size; w++) {
			buf[n++] = *w == '|' ? ',' : *w;
			if (*w == '|')
				buf[n++] = ' ';
			buf[n] = '\0';
		}
		break;
	case OPTION_COUNT:
	case OPTION_COUNT16:
		snprintf(buf, size, "a number from %llu to %llu%s",
			(unsigned long long)row->min, (unsigned long long)row->max, otherwise);
		break;
	case OPTION_SECONDS:
		snprintf(buf, size, "a number of seconds from %llu to %llu",
			(unsigned long long)row->min, (unsigned long long)row->max);
		break;
	case OPTION_SIZE:
		snprintf(buf, size, "a size from %s to %s (in octets, or with KiB, MiB, GiB, TiB)",
			size_text(row->min, low, sizeof low), size_text(row->max, high, sizeof high));
		break;
	case OPTION_BOOLEAN:
		snprintf(buf, size, "true or false");
		break;
	}
	return buf;
}

static int parse_number(const char *text, uint64_t *value, const char **rest)
{
	char *end;

	/* strtoull takes signs and blanks; we don't. */
	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*value = strtoull(text, &end, 10);
	*rest = end;
	return errno ? -1 : 0;
}

static int parse_size(const char *text, uint64_t *value)
{
	static const char units[] = "KMGT";
	const char *rest, *unit;
	unsigned shift;

	if (parse_number(text, value, &rest) < 0)
		return -1;
	if (*rest == ' ')
		rest++;
	if (!*rest || strcmp(rest, "B") == 0)
		return 0;
	unit = strchr(units, toupper((unsigned char)*rest));
	if (!unit || (rest[1] && strcasecmp(rest + 1, "iB") != 0))
		return -1;
	shift = 10 * (unsigned)(unit - units + 1);
	if (*value > UINT64_MAX >> shift)
		return -1;
	*value <<= shift;
	return 0;
}

static bool is_word(const char *words, const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || strchr(text, '|'))
		return false;
	for (const char *w = words; w; w = strchr(w, '|') ? strchr(w, '|') + 1 : NULL)
		if (strncmp(w, text, n) == 0 && (w[n] == '|' || w[n] == '\0'))
			return true;
	return false;
}

static bool is_null(const char *text)
{
	return !*text || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0;
}

static int refuse(struct err *err, const struct option_row *row, const char *text)
{
	char allowed[256];

	return err_set(err, ERR_PARSE, "%s: '%.100s' is not %s", row->name, text,
		option_allowed(row, allowed, sizeof allowed));
}

/* A full text, or NULL for null: replaces what is there. */
static int set_text(struct conf *conf, const struct option_row *row, const char *text, struct err *err)
{
	char **place = (char **)(void *)((char *)conf + row->offset), *copy = NULL;

	if (text && !(copy = strdup(text)))
		return err_set(err, ERR_NOMEM, "%s: no memory", row->name);
	free(*place);
	*place = copy;
	return 0;
}

static int resolve(const char *host, const char *port, struct conf_listen *l)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM }, *found;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		return -1;
	memset(&l->address, 0, sizeof l->address);
	memcpy(&l->address, found->ai_addr, found->ai_addrlen);
	l->size = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int add_listen(struct conf *conf, const struct option_row *row, const char *text, struct err *err)
{
	struct conf_listen one, *more;
	struct in_addr four;
	char host[80];
	const char *at = strrchr(text, '@'), *port = at ? at + 1 : "53", *rest;
	size_t n = at ? (size_t)(at - text) : strlen(text);
	uint64_t number;

	if (n == 0 || n > 64 || parse_number(port, &number, &rest) < 0 || *rest || number < 1 || number > 65535)
		return refuse(err, row, text);
	memcpy(host, text, n);
	host[n] = '\0';
	/* getaddrinfo also takes inet_aton's forms ("127.1"), which are no
	 * addresses to a person */
	if (!strchr(host, ':') && inet_pton(AF_INET, host, &four) != 1)
		return refuse(err, row, text);
	if (resolve(host, port, &one) < 0)
		return refuse(err, row, text);
	snprintf(one.text, sizeof one.text, "%.64s@%u", host, (unsigned)number);
	for (size_t i = 0; i < conf->listen_count; i++)
		if (conf->listen[i].size == one.size && memcmp(&conf->listen[i].address, &one.address, one.size) == 0)
			return err_set(err, ERR_PARSE, "listen: %s stands there twice", one.text);
	if (conf->listen_count >= row->max)
		return err_set(err, ERR_PARSE, "listen: more than %llu addresses", (unsigned long long)row->max);
	more = realloc(conf->listen, (conf->listen_count + 1) * sizeof *more);
	if (!more)
		return err_set(err, ERR_NOMEM, "listen: no memory");
	conf->listen = more;
	conf->listen[conf->listen_count++] = one;
	return 0;
}

static int add_prefix(struct conf *conf, const struct option_row *row, const char *text, struct err *err)
{
	struct prefix_list *list = (struct prefix_list *)(void *)((char *)conf + row->offset);
	struct prefix p;

	if (prefix_parse(&p, text, strlen(text), err) < 0)
		return err_context(err, "%s", row->name);
	if (list->count >= row->max)
		return err_set(err, ERR_PARSE, "%s: more than %llu prefixes", row->name, (unsigned long long)row->max);
	return prefix_list_add(list, &p, err);
}

bool option_is_list(const struct option_row *row)
{
	return row->type == OPTION_LISTEN || row->type == OPTION_PREFIXES;
}

static uint64_t cpus(const struct option_row *row)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < (long)row->min ? row->min : n > (long)row->max ? row->max : (uint64_t)n;
}

static int set_number(struct conf *conf, const struct option_row *row, const char *text, bool plain, struct err *err)
{
	void *place = (char *)conf + row->offset;
	const char *rest = "";
	uint64_t v;

	if (row->words && plain && strcmp(text, row->words) == 0)
		v = cpus(row);
	else if (!plain && row->type != OPTION_SIZE)
		return err_set(err, ERR_PARSE, "%s: \"%.100s\" is a text, because of its quotes; a number is wanted",
			row->name, text);
	else if ((row->type == OPTION_SIZE ? parse_size(text, &v) : parse_number(text, &v, &rest)) < 0 || *rest
		|| v < row->min || v > row->max)
		return refuse(err, row, text);
	if (row->type == OPTION_SIZE)
		*(uint64_t *)place = v;
	else if (row->type == OPTION_COUNT16)
		*(uint16_t *)place = (uint16_t)v;
	else
		*(unsigned *)place = (unsigned)v;
	return 0;
}

static int set_boolean(struct conf *conf, const struct option_row *row, const char *text, bool plain, struct err *err)
{
	bool *place = (bool *)((char *)conf + row->offset);

	if (plain && strcmp(text, "true") == 0)
		*place = true;
	else if (plain && strcmp(text, "false") == 0)
		*place = false;
	else
		return refuse(err, row, text);
	return 0;
}

int option_set(struct conf *conf, const struct option_row *row, const char *text, bool plain, struct err *err)
{
	size_t n = strlen(text);

	switch (row->type) {
	case OPTION_LISTEN:
		return add_listen(conf, row, text, err);
	case OPTION_PREFIXES:
		return add_prefix(conf, row, text, err);
	case OPTION_PATH:
		if (!row->initial && plain && is_null(text))
			return set_text(conf, row, NULL, err);
		return text[0] != '/' || n > row->max ? refuse(err, row, text) : set_text(conf, row, text, err);
	case OPTION_NAME:
		if (plain && is_null(text))
			return set_text(conf, row, NULL, err);
		return n == 0 || n > row->max || strpbrk(text, " \t:,/") ? refuse(err, row, text)
			: set_text(conf, row, text, err);
	case OPTION_TEXT:
		if (plain && is_null(text))
			return set_text(conf, row, NULL, err);
		return n < row->min || n > row->max ? refuse(err, row, text) : set_text(conf, row, text, err);
	case OPTION_WORD:
		return is_word(row->words, text) ? set_text(conf, row, text, err) : refuse(err, row, text);
	case OPTION_BOOLEAN:
		return set_boolean(conf, row, text, plain, err);
	default:
		return set_number(conf, row, text, plain, err);
	}
}

/* Double-quoted YAML: the one style that takes every text. */
static void print_quoted(const char *s, FILE *out)
{
	putc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\x%02x", (unsigned char)*s);
		else
			putc(*s, out);
	}
	putc('"', out);
}

static void print_prefixes(const struct prefix_list *list, FILE *out)
{
	char text[PREFIX_TEXT];

	putc('[', out);
	for (size_t i = 0; i < list->count; i++) {
		const struct prefix *p = &list->items[i];

		fputs(i ? ", " : "", out);
		print_quoted(prefix_to_text(text, &p->first, p->size, p->bits), out);
	}
	putc(']', out);
}

void option_print(const struct conf *conf, const struct option_row *row, FILE *out)
{
	const void *place = (const char *)conf + row->offset;
	const char *text;
	char buf[32];

	fprintf(out, "%s: ", row->name);
	switch (row->type) {
	case OPTION_LISTEN:
		putc('[', out);
		for (size_t i = 0; i < conf->listen_count; i++) {
			fputs(i ? ", " : "", out);
			print_quoted(conf->listen[i].text, out);
		}
		putc(']', out);
		break;
	case OPTION_PREFIXES:
		print_prefixes(place, out);
		break;
	case OPTION_PATH:
	case OPTION_NAME:
	case OPTION_TEXT:
		text = *(char *const *)place;
		if (text)
			print_quoted(text, out);
		else
			fputs("null", out);
		break;
	case OPTION_WORD:
		fputs(*(char *const *)place, out);
		break;
	case OPTION_COUNT:
	case OPTION_SECONDS:
		fprintf(out, "%u", *(const unsigned *)place);
		break;
	case OPTION_COUNT16:
		fprintf(out, "%u", *(const uint16_t *)place);
		break;
	case OPTION_SIZE:
		fputs(size_text(*(const uint64_t *)place, buf, sizeof buf), out);
		break;
	case OPTION_BOOLEAN:
		fputs(*(const bool *)place ? "true" : "false", out);
		break;
	}
	putc('\n', out);
}

/* Sentences on lines of their own, and no line that begins like a macro:
 * what mdoc wants. */
static void print_sentences(const char *s, FILE *out)
{
	for (; *s; s++) {
		if (*s == '\\')
			fputs("\\e", out);
		else if (*s == ' ' && s[-1] == '.')
			putc('\n', out);
		else
			putc(*s, out);
	}
	putc('\n', out);
}

void conf_print_options(FILE *out, bool mdoc)
{
	const struct option_row *row;
	char allowed[256];

	for (row = option_rows; row->name; row++) {
		option_allowed(row, allowed, sizeof allowed);
		if (mdoc) {
			fprintf(out, ".It Ic %s\n", row->name);
			print_sentences(row->help, out);
			fprintf(out, "Value: %s.\nDefault: %s.\n", allowed, row->initial ? row->initial : "null");
		} else {
			fprintf(out, "%s\n    %s\n    Value: %s. Default: %s.\n", row->name, row->help, allowed,
				row->initial ? row->initial : "null");
		}
	}
}
