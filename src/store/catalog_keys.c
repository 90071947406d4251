/*
 * The keys and signatures of a switch: may resolvers that hold a part of the
 * former set validate the rest out of the latter, and the other way round?
 */
#include "store/catalog_internal.h"

#include <stdio.h>

int keys_compare(struct catalog_txn *t, const struct zone_row *zone, const struct edition_row *to, struct switch_result_item *item,
	struct err *err)
{
	struct edition_row from;

	item->signed_until = to->signing.until;
	if (!zone->live.set)
		return 0;
	if (edition_get(t, zone->live, &from, err))
		return -1;
	item->back_signed_until = from.signing.until;
	item->keys_fit = set_keys_fit(&from.signing, &to->signing, &item->missing);
	return 0;
}

char *switch_keys_text(const struct switch_result_item *item, char buf[KEYS_TEXT_MAX])
{
	const char *from = item->member.from_name, *to = item->member.to_name;
	bool latter = item->keys_fit == KEYS_LATTER_SIGNER;

	switch (item->keys_fit) {
	case KEYS_FIT:
		buf[0] = '\0';
		break;
	case KEYS_UNSIGNED:
		snprintf(buf, KEYS_TEXT_MAX, "@%s is signed, @%s is not: as long as the parent has a DS for the zone, resolvers that "
			"validate refuse every answer", from, to);
		break;
	case KEYS_LATTER_SIGNER:
	case KEYS_FORMER_SIGNER:
		snprintf(buf, KEYS_TEXT_MAX, "the key %u (algorithm %u) signs in @%s, and is not in the DNSKEY RRset of @%s: resolvers "
			"that have a part of the one and a part of the other cannot validate", item->missing.tag, item->missing.algorithm,
			latter ? to : from, latter ? from : to);
		break;
	case KEYS_TOO_MANY:
		snprintf(buf, KEYS_TEXT_MAX, "@%s or @%s has more than %d keys: they are not compared", from, to, SET_KEYS_MAX);
		break;
	}
	return buf;
}

bool keys_forbid(const struct switch_request *req, const struct switch_result_item *item)
{
	if (req->kind != SWITCH_CUTOVER || item->keys_fit == KEYS_FIT)
		return false;
	return !(req->force & (item->keys_fit == KEYS_UNSIGNED ? FORCE_UNSIGNED : FORCE_DNSKEY));
}

void keys_no_go_text(const struct zone_row *zone, const struct switch_result_item *item, char *buf, size_t size)
{
	bool is_unsigned = item->keys_fit == KEYS_UNSIGNED;
	char text[NAME_TEXT_MAX], why[KEYS_TEXT_MAX];

	snprintf(buf, size, "%.400s: %s. %s and wait until what is cached is over, or force it: --force %s",
		name_to_text_short(text, zone->apex), switch_keys_text(item, why),
		is_unsigned ? "Have the DS taken away first" : "Publish the keys of both in both sets first",
		is_unsigned ? "unsigned" : "dnskey");
}
