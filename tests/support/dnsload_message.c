/* Which record sets the records of an answer belong to. */
#include "dnsload.h"

/* Steps over a name; its first label, compression followed once, into label. */
static const uint8_t *skip_name(const uint8_t *msg, const uint8_t *end, const uint8_t *p,
	const uint8_t **label)
{
	bool first = true;

	*label = NULL;
	while (p < end) {
		if ((*p & 0xc0) == 0xc0) {
			if (p + 2 > end)
				return NULL;
			if (first) {
				const uint8_t *to = msg + ((p[0] & 0x3f) << 8 | p[1]);

				if (to < end && to + 1 + *to <= end && *to < 64)
					*label = to;
			}
			return p + 2;
		}
		if (*p > 63 || p + 1 + *p > end)
			return NULL;
		if (first)
			*label = p;
		first = false;
		if (*p == 0)
			return p + 1;
		p += 1 + *p;
	}
	return NULL;
}

static unsigned label_marker(const uint8_t *label)
{
	if (label && label[0] == 2 && label[1] == 'm' && label[2] >= '1' && label[2] <= '9')
		return 1u << (label[2] - '0');
	return 0;
}

static unsigned rdata_markers(const uint8_t *msg, const uint8_t *end, unsigned type,
	const uint8_t *rdata, size_t size)
{
	const uint8_t *label = NULL;

	switch (type) {
	case 1:
		return size == 4 && rdata[0] == 10 ? 1u << (rdata[1] & 15) : 0;
	case 2: case 5: case 6: case 39:
		skip_name(msg, end, rdata, &label);
		return label_marker(label);
	case 15:
		if (size > 2)
			skip_name(msg, end, rdata + 2, &label);
		return label_marker(label);
	case 16:
		return size >= 3 ? label_marker(rdata) : 0;
	}
	return 0;
}

/* All markers in all sections; -1 where the message cannot be read. */
int message_markers(const uint8_t *msg, size_t size)
{
	const uint8_t *p = msg + 12, *end = msg + size, *label;
	unsigned records, i, found = 0;

	for (i = 0; i < (unsigned)(msg[4] << 8 | msg[5]); i++) {
		p = skip_name(msg, end, p, &label);
		if (!p || p + 4 > end)
			return -1;
		p += 4;
	}
	records = (unsigned)(msg[6] << 8 | msg[7]) + (unsigned)(msg[8] << 8 | msg[9]) +
		(unsigned)(msg[10] << 8 | msg[11]);
	for (i = 0; i < records; i++) {
		unsigned type, rdlength;

		p = skip_name(msg, end, p, &label);
		if (!p || p + 10 > end)
			return -1;
		type = (unsigned)(p[0] << 8 | p[1]);
		rdlength = (unsigned)(p[8] << 8 | p[9]);
		p += 10;
		if (p + rdlength > end)
			return -1;
		found |= rdata_markers(msg, end, type, p, rdlength);
		p += rdlength;
	}
	return p == end ? (int)found : -1;
}
