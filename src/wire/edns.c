#include "wire/edns.h"

#include "base/bytes.h"
#include "wire/cookie.h"
#include "wire/rrtype.h"

#define DNSSEC_OK 0x8000
#define SOA_SERIAL 0            /* the one type of a zone's version that there is */

/* RFC 7873 4: a client cookie of 8 octets, with a server cookie of 8 to 32. */
static bool cookie_size_valid(size_t size)
{
	return size == COOKIE_CLIENT_SIZE || (size >= 16 && size <= 40);
}

bool edns_parse(struct edns *edns, uint16_t rrclass, uint32_t ttl, const uint8_t *options, size_t size)
{
	struct cursor c = cursor_over(options, size);

	*edns = (struct edns){
		.present = true,
		.dnssec_ok = ttl & DNSSEC_OK,
		.version = (uint8_t)(ttl >> 16),
		.payload = rrclass < EDNS_PAYLOAD_MIN ? EDNS_PAYLOAD_MIN : rrclass,
	};
	while (cursor_left(&c)) {
		uint16_t code = cursor_get_be16(&c), length = cursor_get_be16(&c);
		const uint8_t *data = cursor_take(&c, length);

		if (c.failed)
			return false;
		if (code == OPTION_NSID)
			edns->nsid = true;
		else if (code == OPTION_TCP_KEEPALIVE)
			edns->keepalive = true;
		else if (code == OPTION_ZONEVERSION)
			edns->zone_version = true;      /* RFC 9660 3.2: whatever it holds */
		else if (code == OPTION_COOKIE && !edns->cookie_size) { /* of several, the first counts */
			if (!cookie_size_valid(length))
				return false;
			edns->cookie = data;
			edns->cookie_size = (uint8_t)length;
		}
	}
	return true;
}

size_t edns_size(const struct edns_reply *reply)
{
	size_t size = EDNS_RECORD_SIZE;

	if (reply->nsid)
		size += 4u + reply->nsid_size;
	if (reply->cookie)
		size += 4 + COOKIE_SIZE;
	if (reply->keepalive)
		size += 6;
	if (reply->zone_version)
		size += 10;
	if (reply->extended_error != EXTENDED_ERROR_NONE)
		size += 6;
	return size;
}

void edns_write(uint8_t *p, const struct edns_reply *reply)
{
	size_t size = edns_size(reply);
	struct cursor c = cursor_over(p, size);

	cursor_put_u8(&c, 0);
	cursor_put_be16(&c, TYPE_OPT);
	cursor_put_be16(&c, reply->payload);
	cursor_put_u8(&c, (uint8_t)(reply->rcode >> 4));
	cursor_put_u8(&c, 0);   /* the version we speak */
	cursor_put_be16(&c, reply->dnssec_ok ? DNSSEC_OK : 0);
	cursor_put_be16(&c, (uint16_t)(size - EDNS_RECORD_SIZE));
	if (reply->nsid) {
		cursor_put_be16(&c, OPTION_NSID);
		cursor_put_be16(&c, reply->nsid_size);
		cursor_put(&c, reply->nsid, reply->nsid_size);
	}
	if (reply->cookie) {
		cursor_put_be16(&c, OPTION_COOKIE);
		cursor_put_be16(&c, COOKIE_SIZE);
		cursor_put(&c, reply->cookie, COOKIE_SIZE);
	}
	if (reply->keepalive) {
		cursor_put_be16(&c, OPTION_TCP_KEEPALIVE);
		cursor_put_be16(&c, 2);
		cursor_put_be16(&c, reply->keepalive_100ms);
	}
	if (reply->zone_version) {
		cursor_put_be16(&c, OPTION_ZONEVERSION);
		cursor_put_be16(&c, 6);
		cursor_put_u8(&c, reply->zone_labels);
		cursor_put_u8(&c, SOA_SERIAL);
		cursor_put_be32(&c, reply->zone_serial);
	}
	if (reply->extended_error != EXTENDED_ERROR_NONE) {
		cursor_put_be16(&c, OPTION_EXTENDED_ERROR);
		cursor_put_be16(&c, 2);
		cursor_put_be16(&c, reply->extended_error);
	}
}
