/* Images on their way into the store: shared by writer_bulk.c (one set),
 * writer_edition.c (a set that is there) and writer_portfolio.c (many small ones). */
#ifndef DAEMON_WRITER_INTAKE_H
#define DAEMON_WRITER_INTAKE_H

#include "daemon/writer.h"

struct intake {
	int fd;                         /* the loader's file; -1: none */
	uint64_t offset, size;
	uint64_t image;                 /* its id in the store; 0: not drawn yet */
	struct copy_in *copy;
	int64_t told_us;
};
/* What the request says of its image; takes its descriptor. */
void intake_take(struct intake *, struct pending *);
int intake_step(struct writer *, struct intake *, uint64_t request, struct err *);
int intake_check(const struct intake *, const struct zone_row *, bool delta, struct err *);
int intake_delete(struct writer *, struct intake *);
void intake_free(struct intake *);

/* What main and the loader say of an image; texts are the request's. */
struct import_claim {
	const char *zone, *set /* NULL: an ordinary reload */, *source, *note /* the first rule broken */;
	uint32_t soa_serial;
	bool serial_fixed, failed, create;
	struct content_hash hash;
	struct set_signing signing;
	bool expect_live_given;
	struct set_at expect_live;
};
void claim_from_json(struct import_claim *, const json_t *);
/* The set's row, loading. 1: a reload that would change nothing. */
int import_begin(struct writer *, struct catalog_txn *, const struct import_claim *, struct zone_row *, struct set_row *, struct err *);
/* The row ready, or failed; set is filled. */
int import_finish(struct catalog_txn *, uint64_t id, const struct import_claim *, const struct image_header *,
	uint64_t image, uint64_t octets, struct set_row *set, struct err *);
void drop_loading(struct writer *, uint64_t set);
/* {"outcome", "set", "serial"}. */
json_t *import_reply(struct catalog_txn *, const struct zone_row *, uint64_t set_id, const char *outcome);

/* The whole of a small image; malloc'd. NULL: err is set. */
uint8_t *intake_read(const struct intake *, struct err *);
struct bulk *spares_begin(struct pending *);
struct bulk *edition_begin(struct pending *, bool fold);
struct bulk *portfolio_begin(struct pending *);

#endif
