#include "tool/terminal.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tool/session.h"

#define BAR_AFTER_US 1000000    /* what is quicker needs no bar */
#define BAR_EVERY_US 100000

void terminal_setup(struct tool *tool)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	tool->terminal = isatty(fileno(tool->out));
	tool->colour = tool->terminal && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
	tool->utf8 = tool->terminal && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	tool->bar = isatty(fileno(tool->say)) && term && strcmp(term, "dumb") != 0;
}

static void put_harmless(FILE *out, const char *text, bool one_line)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		/* C1 controls are two octets in UTF-8: c2 80 to c2 9f */
		if (*p == '\n' || *p == '\t')
			putc(one_line ? ' ' : *p, out);
		else if (*p < 0x20 || *p == 0x7f)
			fprintf(out, "\\%03u", *p);
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
			fprintf(out, "\\%03u\\%03u", p[0], p[1]), p++;
		else
			putc(*p, out);
	}
}

void terminal_put(FILE *out, const char *text)
{
	put_harmless(out, text, false);
}

void terminal_put_line(FILE *out, const char *text)
{
	put_harmless(out, text, true);
}

void terminal_colour(struct tool *tool, enum colour colour)
{
	static const char *const sgr[] = { "0", "1", "2", "31", "32", "33" };

	if (tool->colour)
		fprintf(tool->out, "\033[%sm", sgr[colour]);
}

void terminal_error(struct tool *tool, const char *text)
{
	terminal_progress_clear(tool);
	fflush(tool->out);
	fputs("schwenk: ", tool->say);
	terminal_put(tool->say, text);
	putc('\n', tool->say);
}

char *terminal_number(int64_t v, char buf[32])
{
	char plain[24];
	size_t n, o = 0;

	snprintf(plain, sizeof plain, "%lld", (long long)v);
	n = strlen(plain);
	for (size_t i = 0; i < n; i++) {
		buf[o++] = plain[i];
		if (n - i > 1 && (n - i - 1) % 3 == 0 && plain[i] != '-')
			buf[o++] = ',';
	}
	buf[o] = '\0';
	return buf;
}

char *terminal_count(int64_t n, const char *one, char buf[COUNT_TEXT])
{
	char number[32];

	snprintf(buf, COUNT_TEXT, "%s %s%s", terminal_number(n, number), one, n == 1 ? "" : "s");
	return buf;
}

char *terminal_bytes(int64_t octets, char buf[32])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)octets;
	unsigned u = 0;

	while (v >= 1024 && u < 4) {
		v /= 1024;
		u++;
	}
	snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", v, unit[u]);
	return buf;
}

char *terminal_time(const char *rfc3339, char buf[32])
{
	struct tm tm = { 0 };
	const char *rest = strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t t;

	/* the protocol's times are UTC: "Z", perhaps after a fraction */
	if (rest && (*rest == 'Z' || *rest == '.')) {
		t = timegm(&tm);
		if (localtime_r(&t, &tm) && strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm))
			return buf;
	}
	snprintf(buf, 32, "%.31s", rfc3339);
	return buf;
}

/* ---- progress ------------------------------------------------------------------ */

void terminal_progress_start(struct tool *tool)
{
	tool->progress = (struct progress_bar){ .started_us = clock_boot_us() };
}

static size_t put_left(char *buf, size_t size, double share, double seconds)
{
	double left = seconds / share * (1 - share);

	if (left < 3600)
		return (size_t)snprintf(buf, size, "  %d:%02d left", (int)left / 60, (int)left % 60);
	return (size_t)snprintf(buf, size, "  %d:%02d h left", (int)(left / 3600), (int)(left / 60) % 60);
}

void terminal_progress_text(char *buf, size_t size, const json_t *progress, double seconds)
{
	const json_t *share_json = json_object_get(progress, "share");
	double share = json_is_number(share_json) ? json_number_value(share_json) : -1;
	int64_t records = reply_number(progress, "records"), rate = reply_number(progress, "rate");
	char number[COUNT_TEXT];
	size_t n = 0;

	buf[0] = '\0';
	if (share > 1)
		share = 1;
	if (share >= 0) {
		char bar[25];
		int full = (int)(share * 24);

		memset(bar, '#', (size_t)full);
		memset(bar + full, '.', (size_t)(24 - full));
		bar[24] = '\0';
		n += (size_t)snprintf(buf + n, size - n, "[%s] %3d %%", bar, (int)(share * 100));
	}
	if (records > 0 && n < size)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? "  " : "", terminal_count(records, "record", number));
	if (rate == 0 && seconds > 0)
		rate = (int64_t)((double)records / seconds);
	if (rate > 0 && n < size)
		n += (size_t)snprintf(buf + n, size - n, "  %s/s", terminal_number(rate, number));
	if (share > 0.01 && share < 1 && n < size)
		n += put_left(buf + n, size - n, share, seconds);
	if (n == 0)
		snprintf(buf, size, "working for %d s", (int)seconds);
}

void terminal_progress(struct tool *tool, const json_t *progress)
{
	int64_t now = clock_boot_us();
	char text[160];

	if (!tool->bar || tool->quiet || tool->json || now - tool->progress.started_us < BAR_AFTER_US
		|| now - tool->progress.drawn_us < BAR_EVERY_US)
		return;
	tool->progress.drawn_us = now;
	tool->progress.visible = true;
	terminal_progress_text(text, sizeof text, progress, (double)(now - tool->progress.started_us) / 1e6);
	fprintf(tool->say, "\r\033[K%s", text);
	fflush(tool->say);
}

void terminal_progress_clear(struct tool *tool)
{
	if (tool->progress.visible)
		fputs("\r\033[K", tool->say);
	tool->progress.visible = false;
}

/* ---- questions ----------------------------------------------------------------- */

char terminal_ask(struct tool *tool, const char *question, const char *letters)
{
	bool terminal = isatty(STDIN_FILENO);
	char line[64];

	for (;;) {
		bool end;

		fflush(tool->out);
		terminal_put(tool->say, question);
		putc(' ', tool->say);
		fflush(tool->say);
		end = !fgets(line, sizeof line, stdin);
		if (end || !terminal)
			putc('\n', tool->say);   /* nobody has typed one */
		if (end)
			return 0;
		if (line[0] && line[0] != '\n' && strchr(letters, line[0]))
			return line[0];
	}
}
