/*
 * The load generator: asks a name server over UDP or TCP, closed loop or at
 * a given rate, and tells as one line of JSON what was answered, how soon,
 * and how much CPU time given processes (the server's) used for it.
 *
 * The CPU time is the scheduler's count of the run time of all threads of a
 * process, the same as in /proc/PID/schedstat, read by its CPU clock: exact
 * at that moment, threads that ended included.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
	"usage: load --port PORT [OPTION VALUE...]\n"
	"  --server ADDRESS        127.0.0.1\n"
	"what is asked:\n"
	"  --mix MIX               random, hot, nxdomain, address, zones (random)\n"
	"  --names COUNT           names of the zone, or small zones, as gen made them\n"
	"  --seed NUMBER           gen's (1)    --draw NUMBER   which questions (1)\n"
	"  --queries FILE          prepared queries instead, each behind its length in two octets\n"
	"  --pool COUNT            different queries, made before the clock starts (1048576)\n"
	"  --edns SIZE             EDNS with this payload size; --do also sets the DO bit\n"
	"  --print COUNT           print queries in hex, ask nothing\n"
	"how, over UDP:\n"
	"  --sockets COUNT         (4)          --window COUNT  queries open on each (48)\n"
	"  --rate COUNT            so many a second, whatever comes back\n"
	"  --segments COUNT        queries a call by UDP_SEGMENT (32); 1: sendmmsg\n"
	"how, over TCP:\n"
	"  --connections COUNT     (0: UDP)     --window COUNT  queries open on each\n"
	"  --per-connection COUNT  queries before it is closed (0: no end)\n"
	"from where, how long:\n"
	"  --from ADDRESS          the first source; --sources COUNT of them, --step apart (1)\n"
	"  --seconds S (2; SIGTERM ends it sooner)  --warmup S (0.3)  --timeout S (1)\n"
	"what is told:\n"
	"  --pids PID,PID...       their CPU time\n"
	"  --version NUMBER        the zone's new version: when it came, when the old one went\n";

static struct options options = {
	.server = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f },
	.names = { .seed = 1, .count = 1000000 }, .seed = 1, .pool = 1u << 20, .source_step = 1,
	.seconds = 2, .warmup = .3, .timeout = 1, .sockets = 4, .window = 48, .segments = 32,
};
static unsigned print_count;
static uint64_t measured_from, measured_to, warm_at, cpu[PIDS_MAX];
static volatile sig_atomic_t told_to_end;

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("load: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- what the clock does --------------------------------------------------------------- */

static uint64_t cpu_time(pid_t pid)
{
	clockid_t clock;
	struct timespec t;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void begin_measuring(uint64_t now)
{
	unsigned version = results.version;

	memset(&results, 0, sizeof results);
	results.version = version;
	measured_from = now;
	for (unsigned i = 0; i < options.pid_count; i++)
		cpu[i] = cpu_time(options.pids[i]);
}

static void end_measuring(uint64_t now)
{
	measured_to = now;
	for (unsigned i = 0; i < options.pid_count; i++)
		cpu[i] = cpu_time(options.pids[i]) - cpu[i];
}

bool clock_tick(uint64_t now)
{
	if (!warm_at)
		warm_at = now + (uint64_t)(1e9 * options.warmup);
	if (!measured_from && now >= warm_at)
		begin_measuring(now);
	if (measured_from && (told_to_end || (double)(now - measured_from) >= 1e9 * options.seconds)) {
		end_measuring(now);
		return false;
	}
	return true;
}

int open_peer(const struct options *o, int type, unsigned i)
{
	struct sockaddr_in a = o->source;
	int fd = socket(AF_INET, type, 0), one = 1;

	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (o->sources) {
		a.sin_addr.s_addr = htonl(ntohl(a.sin_addr.s_addr) + i % o->sources * o->source_step);
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof one);
		if (bind(fd, (struct sockaddr *)&a, sizeof a)) {
			char text[INET_ADDRSTRLEN];

			die("cannot ask from %s: %s", inet_ntop(AF_INET, &a.sin_addr, text, sizeof text), strerror(errno));
		}
	}
	if (connect(fd, (const struct sockaddr *)&o->server, sizeof o->server) && errno != EINPROGRESS) {
		int code = errno;

		close(fd);
		errno = code;
		return -1;
	}
	return fd;
}

/* ---- options ------------------------------------------------------------------------------ */

enum row {
	SERVER, PORT, MIX, NAMES, SEED, DRAW, QUERIES, POOL, EDNS, DNSSEC_OK, PRINT, SOCKETS, WINDOW, RATE, SEGMENTS,
	CONNECTIONS, PER_CONNECTION, FROM, SOURCES, STEP, SECONDS, WARMUP, TIMEOUT, PIDS, VERSION, HELP,
};

static const struct option rows[] = {
	{ "server", 1, NULL, SERVER }, { "port", 1, NULL, PORT }, { "mix", 1, NULL, MIX }, { "names", 1, NULL, NAMES },
	{ "seed", 1, NULL, SEED }, { "draw", 1, NULL, DRAW }, { "queries", 1, NULL, QUERIES }, { "pool", 1, NULL, POOL },
	{ "edns", 1, NULL, EDNS }, { "do", 0, NULL, DNSSEC_OK }, { "print", 1, NULL, PRINT },
	{ "sockets", 1, NULL, SOCKETS }, { "window", 1, NULL, WINDOW }, { "rate", 1, NULL, RATE },
	{ "segments", 1, NULL, SEGMENTS }, { "connections", 1, NULL, CONNECTIONS },
	{ "per-connection", 1, NULL, PER_CONNECTION }, { "from", 1, NULL, FROM }, { "sources", 1, NULL, SOURCES },
	{ "step", 1, NULL, STEP }, { "seconds", 1, NULL, SECONDS }, { "warmup", 1, NULL, WARMUP },
	{ "timeout", 1, NULL, TIMEOUT }, { "pids", 1, NULL, PIDS }, { "version", 1, NULL, VERSION }, { "help", 0, NULL, HELP },
	{ NULL, 0, NULL, 0 },
};

static unsigned long whole(int row, unsigned long least, unsigned long most)
{
	char *end;
	unsigned long v = strtoul(optarg, &end, 10);

	if (end == optarg || *end || v < least || v > most)
		die("--%s: a number from %lu to %lu, not %s", rows[row].name, least, most, optarg);
	return v;
}

static double seconds(int row)
{
	char *end;
	double v = strtod(optarg, &end);

	if (end == optarg || *end || !(v >= 0 && v <= 86400))
		die("--%s: seconds, not %s", rows[row].name, optarg);
	return v;
}

static struct in_addr address(int row)
{
	struct in_addr a;

	if (inet_pton(AF_INET, optarg, &a) != 1)
		die("--%s: an IPv4 address, not %s", rows[row].name, optarg);
	return a;
}

static void set_pids(void)
{
	for (char *p = optarg, *part; (part = strsep(&p, ","));) {
		pid_t pid = (pid_t)atol(part);

		if (pid <= 0 || options.pid_count == PIDS_MAX)
			die("--pids: up to %d process ids, not %s", PIDS_MAX, part);
		options.pids[options.pid_count++] = pid;
	}
}

static void set_what(int row)
{
	struct options *o = &options;

	switch ((enum row)row) {
	case MIX:
		if (mix_from_text(optarg, &o->mix))
			die("--mix: random, hot, nxdomain, address or zones, not %s", optarg);
		break;
	case NAMES: o->names.count = whole(row, 1, NAMES_MAX); break;
	case SEED: o->names.seed = whole(row, 0, UINT32_MAX); break;
	case DRAW: o->seed = whole(row, 0, UINT32_MAX); break;
	case QUERIES: o->queries = optarg; break;
	case POOL: o->pool = (unsigned)whole(row, 1, 1u << 25); break;
	case EDNS: o->edns = (unsigned)whole(row, 1, 65535); break;
	case DNSSEC_OK: o->dnssec_ok = true; break;
	case PRINT: print_count = (unsigned)whole(row, 1, 1u << 25); break;
	default: fputs(help, row == HELP ? stdout : stderr); exit(row == HELP ? 0 : 2);
	}
}

static void set_option(int row)
{
	struct options *o = &options;

	switch ((enum row)row) {
	case SERVER: o->server.sin_addr = address(row); break;
	case PORT: o->server.sin_port = htons((uint16_t)whole(row, 1, 65535)); break;
	case SOCKETS: o->sockets = (unsigned)whole(row, 1, 1024); break;
	case WINDOW: o->window = (unsigned)whole(row, 1, 4096); break;
	case RATE: o->rate = (unsigned)whole(row, 1, 10000000); break;
	case SEGMENTS: o->segments = (unsigned)whole(row, 1, GROUP_MAX); break;
	case CONNECTIONS: o->connections = (unsigned)whole(row, 1, 10000); break;
	case PER_CONNECTION: o->per_connection = (unsigned)whole(row, 0, 1u << 30); break;
	case FROM: o->source.sin_family = AF_INET; o->source.sin_addr = address(row); o->sources += !o->sources; break;
	case SOURCES: o->sources = (unsigned)whole(row, 1, 1u << 20); break;
	case STEP: o->source_step = (unsigned)whole(row, 1, 1u << 24); break;
	case SECONDS: o->seconds = seconds(row); break;
	case WARMUP: o->warmup = seconds(row); break;
	case TIMEOUT: o->timeout = seconds(row); break;
	case PIDS: set_pids(); break;
	case VERSION: results.version = (unsigned)whole(row, 1, 255); break;
	default: set_what(row);
	}
}

static void on_signal(int number)
{
	told_to_end = 1;
}

int main(int argc, char **argv)
{
	struct pool pool;
	int row;

	while ((row = getopt_long(argc, argv, "", rows, NULL)) >= 0)
		set_option(row == '?' ? -1 : row);
	if (optind != argc || (!options.server.sin_port && !print_count))
		set_option(-1);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_signal);
	prctl(PR_SET_TIMERSLACK, 1);
	pool_fill(&pool, &options, options.connections ? 2 : 0);
	if (print_count) {
		pool_print(&pool, print_count);
	} else {
		puts("asking");
		fflush(stdout);
		if (options.connections)
			ask_tcp(&options, &pool);
		else
			ask_udp(&options, &pool);
		results_print(&options, (double)(measured_to - measured_from) / 1e9, cpu);
	}
	free(pool.bytes);
	free(pool.groups);
	return 0;
}
