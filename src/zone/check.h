/*
 * The rules of a zone as a whole, and how problems are told. One table for
 * the loader, for changes, and for `schwenk check`.
 */
#ifndef ZONE_CHECK_H
#define ZONE_CHECK_H

#include "zone/load.h"

enum rule_id {
	/* errors: nothing changes */
	RULE_SYNTAX, RULE_RDATA, RULE_NAME, RULE_CLASS, RULE_TYPE, RULE_TTL, RULE_DIRECTIVE, RULE_INCLUDE,
	RULE_GENERATE, RULE_EMPTY, RULE_READ,
	/* rules: the set becomes failed */
	RULE_NO_SOA, RULE_SEVERAL_SOAS, RULE_SOA_BELOW_APEX, RULE_NO_NS, RULE_CNAME_AND_OTHER, RULE_SEVERAL_CNAMES,
	RULE_SEVERAL_DNAMES, RULE_NS_BESIDE_DNAME, RULE_BELOW_DNAME, RULE_WILDCARD_NS, RULE_OUT_OF_ZONE,
	RULE_RRSET_TOO_LARGE,
	/* warnings */
	RULE_TTL_MISMATCH, RULE_DUPLICATE, RULE_NO_TTL, RULE_APEX_NS_ADDRESS, RULE_GLUE_MISSING, RULE_NS_IS_CNAME,
	RULE_BELOW_CUT, RULE_RRSIG_TTL, RULE_RRSIG_KEY, RULE_RRSIG_NO_DNSKEY, RULE_RRSIG_ALONE,
	RULE_COUNT,
};

struct rule {
	const char *name;
	enum problem_severity severity;
	bool droppable;         /* --drop leaves the records out that break it */
	const char *help;
};
const struct rule *rule_of(enum rule_id);
/* false: no rule of that name. */
bool rule_from_name(const char *name, enum rule_id *);

/* Tells problems, as many as are wanted, and counts all. */
struct reporter {
	void (*problem)(void *arg, const struct problem *);
	void *arg;
	struct err *err;        /* takes the first error, with its place; may be NULL */
	bool err_takes_rules;   /* the first broken rule too (changes) */
	unsigned errors, rules, warnings, dropped;
};
/* file NULL, line 0: no place is known. */
void report(struct reporter *, enum rule_id, const char *file, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* A record that is left out because of --drop: a warning under the rule's name. */
void report_dropped(struct reporter *, enum rule_id, const char *file, unsigned line, unsigned column, const char *message);

/* ---- a zone, owner by owner ------------------------------------------------ */

struct place { uint32_t line; uint16_t file, column; };   /* line 0: unknown */

struct node_rrset {
	uint16_t type;
	uint32_t ttl;
	struct build_record *records; struct place *places; uint32_t count;
	struct build_record *sigs; struct place *sig_places; uint32_t sig_count;
};
/* One owner with all it owns; the checker may take records out of it. */
struct zone_node {
	uint8_t owner[NAME_MAX_SIZE]; size_t owner_size;   /* relative, case as it came */
	struct node_rrset *rrsets; unsigned count;         /* types ascending; RRSIG: those that cover nothing */
};

struct checker;
/* file_name: of a place. drops: a bit for each rule_id. */
struct checker *checker_new(struct reporter *, const uint8_t *apex, size_t apex_size, uint64_t drops,
	const char *(*file_name)(void *, unsigned file), void *arg);
void checker_free(struct checker *);
/* First of all: every NS record, in any order. -1: no memory. */
int checker_ns(struct checker *, bool at_apex, const uint8_t *target, const struct place *);
/* Then every node in canonical order, the apex first. -1: no memory. */
int checker_node(struct checker *, struct zone_node *);
/* Then what is only known at the end. */
void checker_finish(struct checker *);

/* Does a relative name lie below another, and is not that name itself? */
bool relative_is_below(const uint8_t *name, size_t size, const uint8_t *top, size_t top_size);
/* What one owner by itself must obey; used by checker_node, and for changes. */
void check_owner(struct checker *, struct zone_node *);

#endif
