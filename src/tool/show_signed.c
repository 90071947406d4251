/* What is signed elsewhere: until when, by which keys, with which serials. */
#include "tool/show_parts.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tool/names.h"
#include "tool/session.h"

bool show_is_over(const char *until)
{
	char now[32];

	/* both are UTC in the same form, without fractions */
	return *until && strcmp(until, clock_format(clock_wall_us(), now)) <= 0;
}

char *show_until(const char *until, char buf[96])
{
	char time[32];

	buf[0] = '\0';
	if (*until)
		snprintf(buf, 96, show_is_over(until) ? "its signatures expired on %s" : "signed until %s", terminal_time(until, time));
	return buf;
}

const char *show_first_over(const json_t *zones, const char *key)
{
	const char *first = "";
	const json_t *zone;
	size_t i;

	json_array_foreach(zones, i, zone) {
		const char *until = reply_text(zone, key);

		if (*until && (!*first || strcmp(until, first) < 0))
			first = until;
	}
	return first;
}

/* Keys that do not fit were forced, or not asked about; nor does a rollback ask
 * whether what it goes back to still validates. */
void show_signed_warnings(struct tool *tool, const char *what, const json_t *zone)
{
	const char *outcome = reply_text(zone, "outcome"), *until = reply_text(zone, "signed_until"), *keys = reply_text(zone, "keys");
	const char *back = reply_text(zone, "back_signed_until");
	char name[NAME_TEXT_MAX], time[32];

	if (strcmp(what, "confirm") == 0 || (strcmp(outcome, "switched") != 0 && strcmp(outcome, "overtook") != 0))
		return;
	names_show(tool, reply_text(zone, "zone"), name);
	if (*keys)
		tool_note(tool, "warning: %s: %s", name, keys);
	if (show_is_over(until))
		tool_note(tool, "warning: %s: the signatures of %s expired on %s: resolvers that validate refuse them", name,
			reply_text(zone, "to"), terminal_time(until, time));
	if (strcmp(what, "cutover") == 0 && show_is_over(back))
		tool_note(tool, "warning: %s: the signatures of %s, the way back, expired on %s", name, reply_text(zone, "from"),
			terminal_time(back, time));
}
