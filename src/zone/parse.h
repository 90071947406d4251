/*
 * Records out of zone text (RFC 1035 5): owner, TTL, class, type, rdata, and
 * the directives $ORIGIN, $TTL, $INCLUDE, $GENERATE.
 */
#ifndef ZONE_PARSE_H
#define ZONE_PARSE_H

#include "zone/check.h"
#include "zone/scan.h"

struct parsed {                 /* valid until the next call */
	const uint8_t *owner; size_t owner_size;    /* full, case as it came */
	bool same_owner;        /* octet for octet the one of the call before */
	uint32_t ttl;
	bool ttl_known;         /* no: the SOA's minimum is meant, which came not yet */
	uint16_t type;
	const uint8_t *rdata; unsigned size;
	struct place place;     /* of the record's first token */
};

/* The longest $GENERATE: records of one directive. */
#define GENERATE_MAX 1048576

struct parser;
struct parser_options {
	const uint8_t *apex; size_t apex_size;      /* the first origin */
	struct reporter *reporter;
	bool include_anywhere;
	int (*open_include)(void *arg, const char *name, struct err *err);
	void *arg;
	bool lines_are_changes; /* "add|del|replace NAME [TTL] [TYPE [RDATA…]]" instead of records */
};
/* Takes the scanner over. NULL: no memory (the scanner is freed). */
struct parser *parser_new(struct scanner *, const struct parser_options *);
/* Goes on in a later piece of the same file, with the origin and the $TTL that
 * hold at the end of head. Directives are errors, and so is what comes from the
 * records between the two: an owner, a TTL. */
struct parser *parser_new_piece(struct scanner *, const struct parser *head, struct reporter *);
void parser_free(struct parser *);
/* 1: a record, 0: the end. What is wrong is told to the reporter, and the
 * next record given; after LOAD_MAX_ERRORS errors, or where there is no sense
 * in going on, it is the end. */
int parser_next(struct parser *, struct parsed *);

/* The same for lines of changes. type 0, has_rdata false: as in load.h. */
struct parsed_change {
	enum change_kind kind;
	bool has_type, has_rdata, has_ttl;
	struct parsed record;
};
int parser_next_change(struct parser *, struct parsed_change *);

const char *parser_file_name(void *parser, unsigned file);   /* for checker_new */
bool parser_has_soa(const struct parser *);
/* The minimum of the first SOA; 0 before it. */
uint32_t parser_soa_minimum(const struct parser *);
double parser_share(const struct parser *);

#endif
