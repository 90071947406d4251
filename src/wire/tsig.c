#include "wire/tsig.h"

#include "base/bytes.h"
#include "wire/name.h"
#include "wire/rrtype.h"

#define TIME_FUDGE_SIZE 8
#define FIXED 10                /* of a record: type, class, TTL, rdlength */
#define TAIL 8                  /* MAC size, original id, error, other size */

bool tsig_parse(struct tsig *tsig, const uint8_t *owner, size_t owner_size, uint16_t rrclass, uint32_t ttl,
	const uint8_t *rdata, size_t size)
{
	struct cursor c = cursor_over(rdata, size);
	size_t algorithm = name_length(rdata, size);

	if (name_length(owner, owner_size) != owner_size || !algorithm || rrclass != CLASS_ANY || ttl)
		return false;
	*tsig = (struct tsig){ .present = true, .key = owner, .key_size = (uint8_t)owner_size,
		.algorithm_size = (uint8_t)algorithm };
	tsig->algorithm = cursor_take(&c, algorithm);
	tsig->time_fudge = cursor_take(&c, TIME_FUDGE_SIZE);
	cursor_take(&c, cursor_get_be16(&c));           /* the MAC */
	tsig->original_id = cursor_get_be16(&c);
	cursor_get_be16(&c);                            /* error */
	cursor_take(&c, cursor_get_be16(&c));           /* other */
	return !c.failed && !cursor_left(&c);
}

size_t tsig_error_size(const struct tsig *tsig)
{
	return (size_t)tsig->key_size + FIXED + tsig->algorithm_size + TIME_FUDGE_SIZE + TAIL;
}

void tsig_error_write(uint8_t *p, const struct tsig *tsig, uint16_t error)
{
	struct cursor c = cursor_over(p, tsig_error_size(tsig));

	cursor_put(&c, tsig->key, tsig->key_size);
	cursor_put_be16(&c, TYPE_TSIG);
	cursor_put_be16(&c, CLASS_ANY);
	cursor_put_be32(&c, 0);
	cursor_put_be16(&c, (uint16_t)(tsig->algorithm_size + TIME_FUDGE_SIZE + TAIL));
	cursor_put(&c, tsig->algorithm, tsig->algorithm_size);
	cursor_put(&c, tsig->time_fudge, TIME_FUDGE_SIZE);
	cursor_put_be16(&c, 0);
	cursor_put_be16(&c, tsig->original_id);
	cursor_put_be16(&c, error);
	cursor_put_be16(&c, 0);
}
