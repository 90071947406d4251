/*
 * The rules of zone text and of zones, one row each, and how problems are
 * told: one table for the loader, for changes, and for `schwenk check`.
 */
#ifndef ZONE_RULES_H
#define ZONE_RULES_H

#include "zone/load.h"

enum rule_id {
	/* errors: nothing changes */
	RULE_SYNTAX, RULE_RDATA, RULE_NAME, RULE_CLASS, RULE_TYPE, RULE_TTL, RULE_DIRECTIVE, RULE_INCLUDE,
	RULE_GENERATE, RULE_EMPTY, RULE_READ, RULE_SPARE,
	/* rules: the set becomes failed */
	RULE_NO_SOA, RULE_SEVERAL_SOAS, RULE_SOA_BELOW_APEX, RULE_NO_NS, RULE_CNAME_AND_OTHER, RULE_SEVERAL_CNAMES,
	RULE_SEVERAL_DNAMES, RULE_NS_BESIDE_DNAME, RULE_BELOW_DNAME, RULE_WILDCARD_NS, RULE_OUT_OF_ZONE,
	RULE_RRSET_TOO_LARGE, RULE_ZONEMD,
	/* rules of `check` alone: an import does not look so closely */
	RULE_RRSIG_MISSING, RULE_RRSIG_BOGUS, RULE_DENIAL,
	/* warnings */
	RULE_TTL_MISMATCH, RULE_DUPLICATE, RULE_NO_TTL, RULE_APEX_NS_ADDRESS, RULE_GLUE_MISSING, RULE_NS_IS_CNAME,
	RULE_BELOW_CUT, RULE_RRSIG_TTL, RULE_RRSIG_KEY, RULE_RRSIG_NO_DNSKEY, RULE_RRSIG_ALONE,
	RULE_ZONEMD_OTHER, RULE_RRSIG_EXPIRED, RULE_RRSIG_EARLY, RULE_RRSIG_EXPIRING, RULE_NSEC3_ITERATIONS,
	RULE_RRSIG_ALGORITHM, RULE_DNSKEY_SEP, RULE_SPARE_IDLE,
	RULE_COUNT,
};

struct rule {
	const char *name;
	enum problem_severity severity;
	bool droppable;         /* --drop leaves the records out that break it */
	bool broken;            /* a warning at an import; in `check` it counts as a broken rule: resolvers would not take it */
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
	bool check;             /* struct rule: broken */
	unsigned errors, rules, warnings, dropped;
	unsigned some[RULE_COUNT];      /* of report_some */
};
/* file NULL, line 0: no place is known. */
void report(struct reporter *, enum rule_id, const char *file, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* The same of what may be wrong with every name of a zone: some are told, all are
 * counted, and report_rest tells at the end how many more there are. */
void report_some(struct reporter *, enum rule_id, const char *file, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
void report_rest(struct reporter *);
/* A record that is left out because of --drop: a warning under the rule's name. */
void report_dropped(struct reporter *, enum rule_id, const char *file, unsigned line, unsigned column, const char *message);

#endif
