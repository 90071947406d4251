/*
 * Text to an image: what a loader process does. The only place with ldns.
 * Nothing here writes to the store: it writes an image file.
 */
#ifndef ZONE_LOAD_H
#define ZONE_LOAD_H

#include <stdio.h>

#include "store/image.h"
#include "store/signing.h"

#define LOAD_MAX_ERRORS 20

enum problem_severity { PROBLEM_WARNING, PROBLEM_RULE /* set becomes failed; --drop RULE leaves the records out */,
	PROBLEM_ERROR /* not readable: nothing changes */ };
struct problem {
	enum problem_severity severity;
	const char *rule;               /* "cname-and-other", "out-of-zone", "syntax", …: one table in check.h */
	const char *file; unsigned line, column;   /* 0: unknown */
	const char *message;            /* with the text that is wrong; no place in it */
};

struct load_request {
	const uint8_t *apex; size_t apex_size;     /* wire, lower case */
	uint64_t hash_key;
	int text_fd; const char *text_name;        /* name for messages */
	int image_fd; uint64_t image_offset;       /* where the image file goes */
	int scratch_fd;                            /* for the external sort; -1: memory only */
	size_t memory_limit;                       /* octets of sort memory; 0: 256 MiB */
	unsigned threads;                          /* to read a large file with; 0: one */
	uint64_t pieces_min;                       /* … of so many octets; 0: as in pieces.h (tests take less) */
	const char *const *drop_rules; size_t drop_count;
	bool include_anywhere;                     /* else only below the file's own directory */
	/* Opens an $INCLUDE by name (as written); returns an fd owned by the
	 * loader or -1 with err set. NULL: $INCLUDE is refused. */
	int (*open_include)(void *arg, const char *name, struct err *err);
	/* Called about ten times a second. share: 0..1, or < 0 when unknown (stdin). */
	void (*progress)(void *arg, uint64_t records, double share);
	void (*problem)(void *arg, const struct problem *);   /* up to LOAD_MAX_ERRORS errors, 100 warnings */
	void *arg;
};
/* Are these names of rules that --drop takes? ERR_BAD_REQUEST. (zone_load looks, too.) */
int load_check_drops(const char *const *rules, size_t count, struct err *);
struct load_result {
	uint64_t image_size;
	struct image_header header;
	uint32_t soa_serial;
	bool serial_fixed;              /* SOA signed, or ZONEMD at the apex */
	struct set_signing signing;
	bool failed;                    /* a rule is broken: set state FAILED */
	unsigned errors, rules, warnings, dropped;
};
/* 0: an image was made (see failed), -1: nothing was (err: the first error;
 * all were told through problem()). */
int zone_load(const struct load_request *, struct load_result *, struct err *);

/* ---- spare signed SOAs: import --soa ---------------------------------------- */
/* Text with SOAs of the zone, of other serials than the set's, each followed by
 * its RRSIGs, and its ZONEMD with RRSIGs where the set has them. All are
 * verified, by the keys and the records of the set. Each becomes an image with
 * the apex alone. */
struct spares_request {
	const struct view *view;
	int text_fd; const char *text_name;
	int image_fd; uint64_t image_offset;
	bool served_known; uint32_t served;     /* what is not ahead of it is left out, and told */
	void (*problem)(void *arg, const struct problem *);
	void *arg;
};
struct made_spare { uint32_t serial; int64_t until; uint64_t offset, size; };
struct spares_result {
	struct made_spare *spares; size_t count;        /* malloc'd, owned by the caller */
	unsigned errors, warnings;
};
/* -1: nothing was made; err: the first error. */
int zone_spares(const struct spares_request *, struct spares_result *, struct err *);

/* ---- changes: record add/del/replace, record apply, edit ------------------- */
enum change_kind { CHANGE_ADD, CHANGE_DELETE /* rdata empty: the whole RRset; type 0: the owner */, CHANGE_REPLACE };
/* Within one request the first `replace` of an RRset empties it, further ones
 * of the same RRset add to it. A TTL that is stated becomes that of the whole
 * RRset; without one the RRset keeps its own, a new one takes the SOA's
 * minimum. To add what is there, and to delete what is not, changes nothing.
 * An SOA that differs in its serial alone is none that differs. Names without
 * a final dot end in the apex.
 *
 * Lines of `record apply`: "add|del|replace NAME [TTL] TYPE RDATA…" or a zone
 * file text when whole is set (edit: becomes exactly this text). Makes a delta
 * image against base; with nothing changed, result->header.nodes == 0. Checks
 * the rules for what is touched (and its ancestors and glue), keeps empty
 * non-terminals and flags right. ERR_PARSE, ERR_RULE: told through problem();
 * ERR_SIGNED for a signed set, or a change of signatures and proofs; ERR_BUSY
 * when the view has IMAGE_DELTA_MAX deltas already and must be folded first. */
struct change_request {
	const struct view *base;
	uint32_t base_serial;
	const char *text; size_t text_size; const char *text_name;
	bool whole;
	int image_fd; uint64_t image_offset;
	void (*problem)(void *arg, const struct problem *);
	void *arg;
};
struct change_result {
	uint64_t image_size;
	struct image_header header;         /* of the delta */
	int64_t records, rrsets, nodes;     /* differences to the base's counts */
	uint64_t hash_add[8], hash_subtract[8];
	uint32_t soa_serial;
	unsigned changed_rrsets;
	bool serial_fixed;
};
int zone_change(const struct change_request *, struct change_result *, struct err *);

/* ---- folding, printing, comparing ------------------------------------------ */
/* images newest first merged into one image file; base: into a full image,
 * else a delta spanning them (then the view holds deltas only, not the base). */
int zone_fold(const struct view *, bool base, int image_fd, uint64_t offset, uint64_t *size, struct image_header *, struct err *);

/* Canonical text zone file: SOA first, then canonical order, absolute names,
 * one RR a line. serial: replaces the SOA's unless serial_fixed. */
struct print_options { bool replace_serial; uint32_t serial; };
int zone_print(const struct view *, FILE *out, const struct print_options *, void (*progress)(void *, double), void *arg, struct err *);
/* Only the SOA and ZONEMD of the apex, with their signatures: what zone_spares reads. */
int zone_print_soa(const struct view *, FILE *out, struct err *);
/* One RR in presentation form, malloc'd, without newline; NULL: no memory. */
char *zone_rr_to_text(const uint8_t *owner, size_t owner_size, uint16_t type, uint32_t ttl, const uint8_t *rdata, size_t rdata_size);

/* RRset by RRset, the SOA's serial aside. kind '+' only in b, '-' only in a,
 * '~' changed. each returns nonzero to stop. */
struct diff_rrset { char kind; const uint8_t *owner; size_t owner_size; uint16_t type;
	char *const *old_text; size_t old_count; char *const *new_text; size_t new_count;   /* RR texts */ };
struct diff_counts { uint64_t added, removed, changed; };
int zone_diff(const struct view *a, const struct view *b, int (*each)(void *, const struct diff_rrset *), void *arg,
	struct diff_counts *, struct err *);

/* Rules and warnings of a finished set (schwenk check): the same table as the
 * loader's, walked over a view; problems have no line. */
struct check_request {
	const struct view *view;
	bool signatures;                /* verify every one, and the proofs: takes its time */
	void (*problem)(void *arg, const struct problem *);
	void (*progress)(void *arg, uint64_t records);         /* about ten times a second; may be NULL */
	void *arg;
};
struct check_result {
	unsigned rules, warnings;
	struct set_signing signing;
};
int zone_check(const struct check_request *, struct check_result *, struct err *);
/* Is the set what its ZONEMD says, if it has one? -1 with ERR_RULE where not. */
int zone_check_zonemd(const struct view *, struct err *);

/* "ldns 1.8.3": for schwenkd -V. */
const char *zone_library_version(void);

#endif
