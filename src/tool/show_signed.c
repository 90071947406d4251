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

char *show_spares(const json_t *spares, char buf[96])
{
	json_int_t n = json_integer_value(spares);
	char count[COUNT_TEXT];

	buf[0] = '\0';
	if (json_is_integer(spares))
		snprintf(buf, 96, "%s left", n ? terminal_count(n, "spare SOA", count) : "no spare SOA");
	return buf;
}

char *show_signing(const json_t *object, const char *until_key, const char *spares_key, char buf[200])
{
	char until[96], spares[96];

	show_until(reply_text(object, until_key), until);
	show_spares(json_object_get(object, spares_key), spares);
	snprintf(buf, 200, "%s%s%s", until, *until && *spares ? ", " : "", spares);
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
	const char *name;
	char shown[NAME_TEXT_MAX], time[32];

	if (strcmp(what, "confirm") == 0 || (strcmp(outcome, "switched") != 0 && strcmp(outcome, "overtook") != 0))
		return;
	name = names_show(tool, reply_text(zone, "zone"), shown);
	if (*keys)
		tool_note(tool, "warning: %s: %s", name, keys);
	if (show_is_over(until))
		tool_note(tool, "warning: %s: the signatures of %s expired on %s: resolvers that validate refuse them", name,
			reply_text(zone, "to"), terminal_time(until, time));
	if (strcmp(what, "cutover") == 0 && reply_true(zone, "back_stuck"))
		tool_note(tool, "warning: %s: %s, the way back, has no spare signed SOA ahead of the serial that is served now: secondaries "
			"would not follow a rollback; 'schwenk import %s@%s --soa FILE' brings some", name, reply_text(zone, "from"),
			name, reply_text(zone, "from"));
	if (strcmp(what, "rollback") == 0 && reply_true(zone, "back_stuck"))
		tool_note(tool, "warning: %s: %s has no spare signed SOA ahead of the serial that is served now: a cutover to it is refused "
			"before 'schwenk import %s@%s --soa FILE' brings some", name, reply_text(zone, "from"), name, reply_text(zone, "from"));
	if (strcmp(what, "cutover") == 0 && show_is_over(back))
		tool_note(tool, "warning: %s: the signatures of %s, the way back, expired on %s", name, reply_text(zone, "from"),
			terminal_time(back, time));
}
