#include "zone/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RULES_TOLD 100
#define WARNINGS_TOLD 100
#define SOME_TOLD 20         /* of report_some, a rule */

static const struct rule rules[RULE_COUNT] = {
#define ROW(id, name, severity, droppable, help) [RULE_ ## id] = { name, PROBLEM_ ## severity, droppable, false, help }
#define BROKEN(id, name, help) [RULE_ ## id] = { name, PROBLEM_WARNING, false, true, help }
	ROW(SYNTAX, "syntax", ERROR, false, "parentheses, quotes, escapes, or what a record is made of"),
	ROW(RDATA, "rdata", ERROR, false, "rdata that its type does not allow"),
	ROW(NAME, "name", ERROR, false, "a malformed owner or origin, or a label over 63 or a name over 255 octets"),
	ROW(CLASS, "class", ERROR, false, "a class other than IN"),
	ROW(TYPE, "type", ERROR, false, "an unknown type, or one that no zone holds"),
	ROW(TTL, "ttl", ERROR, false, "a malformed TTL, or one over 2147483647"),
	ROW(DIRECTIVE, "directive", ERROR, false, "an unknown or malformed $ directive"),
	ROW(INCLUDE, "include", ERROR, false, "an $INCLUDE that is not allowed, not there, or too deep"),
	ROW(GENERATE, "generate", ERROR, false, "a malformed or too large $GENERATE"),
	ROW(EMPTY, "empty", ERROR, false, "no record of the zone in the text"),
	ROW(READ, "read", ERROR, false, "the text cannot be read"),
	ROW(SPARE, "spare", ERROR, false, "a spare SOA that is none for the set"),
	ROW(NO_SOA, "no-soa", RULE, false, "the apex has no SOA"),
	ROW(SEVERAL_SOAS, "several-soas", RULE, true, "two different SOAs"),
	ROW(SOA_BELOW_APEX, "soa-below-apex", RULE, true, "an SOA at another name than the apex"),
	ROW(NO_NS, "no-ns", RULE, false, "the apex has no NS"),
	ROW(CNAME_AND_OTHER, "cname-and-other", RULE, true, "a CNAME beside other data (RFC 2181 10.1)"),
	ROW(SEVERAL_CNAMES, "several-cnames", RULE, true, "two CNAMEs at one name"),
	ROW(SEVERAL_DNAMES, "several-dnames", RULE, true, "two DNAMEs at one name (RFC 6672 2.4)"),
	ROW(NS_BESIDE_DNAME, "ns-beside-dname", RULE, true, "a DNAME at a delegation (RFC 6672 2.3)"),
	ROW(BELOW_DNAME, "below-dname", RULE, true, "data below a DNAME (RFC 6672 2.4)"),
	ROW(WILDCARD_NS, "wildcard-ns", RULE, true, "a delegation of a wildcard (RFC 4592 4.2)"),
	ROW(OUT_OF_ZONE, "out-of-zone", RULE, true, "a name that is not in the zone"),
	ROW(RRSET_TOO_LARGE, "rrset-too-large", RULE, true, "an RRset that fits into no message"),
	ROW(ZONEMD, "zonemd", RULE, false, "a zone that is not what its ZONEMD says (RFC 8976)"),
	ROW(RRSIG_MISSING, "rrsig-missing", RULE, false, "an RRset without signature in a signed zone"),
	ROW(RRSIG_BOGUS, "rrsig-bogus", RULE, false, "a signature that is not one of its RRset by a key of the zone"),
	ROW(DENIAL, "denial", RULE, false, "NSEC or NSEC3 records that do not prove what is not there"),
	ROW(TTL_MISMATCH, "ttl-mismatch", WARNING, false, "several TTLs in an RRset: the lowest is taken (RFC 2181 5.2)"),
	ROW(DUPLICATE, "duplicate", WARNING, false, "a record twice: it is taken once"),
	ROW(NO_TTL, "no-ttl", WARNING, false, "no TTL anywhere: the SOA's minimum is taken"),
	ROW(APEX_NS_ADDRESS, "apex-ns-address", WARNING, false, "a name server of the zone, in the zone, without address"),
	ROW(GLUE_MISSING, "glue-missing", WARNING, false, "a delegation to a name in the zone that has no address"),
	ROW(NS_IS_CNAME, "ns-is-cname", WARNING, false, "an NS that points to a CNAME (RFC 2181 10.3)"),
	ROW(BELOW_CUT, "below-cut", WARNING, false, "data below a delegation that is no glue: never answered"),
	ROW(RRSIG_TTL, "rrsig-ttl", WARNING, false, "an RRSIG whose TTL is not its RRset's, which is taken"),
	ROW(RRSIG_KEY, "rrsig-key", WARNING, false, "signatures by a key that is not in the DNSKEY RRset"),
	ROW(RRSIG_NO_DNSKEY, "rrsig-no-dnskey", WARNING, false, "signatures, but no DNSKEY at the apex"),
	ROW(RRSIG_ALONE, "rrsig-alone", WARNING, false, "an RRSIG whose covered RRset is not there"),
	ROW(ZONEMD_OTHER, "zonemd-other", WARNING, false, "a ZONEMD of a hash that is not known here, or a wrong one beside a right one"),
	BROKEN(RRSIG_EXPIRED, "rrsig-expired", "a signature that has expired"),
	BROKEN(RRSIG_EARLY, "rrsig-early", "a signature that is not valid yet"),
	ROW(RRSIG_EXPIRING, "rrsig-expiring", WARNING, false, "a signature that expires in less than 7 days"),
	ROW(NSEC3_ITERATIONS, "nsec3-iterations", WARNING, false, "NSEC3 with more than 0 iterations (RFC 9276 3.1)"),
	ROW(RRSIG_ALGORITHM, "rrsig-algorithm", WARNING, false, "signatures of an algorithm that cannot be verified here"),
	ROW(DNSKEY_SEP, "dnskey-sep", WARNING, false, "a DNSKEY RRset that none of its SEP keys has signed"),
	ROW(SPARE_IDLE, "spare-idle", WARNING, false, "a spare SOA that would never be served"),
#undef BROKEN
#undef ROW
};

const struct rule *rule_of(enum rule_id id)
{
	return &rules[id];
}

bool rule_from_name(const char *name, enum rule_id *id)
{
	for (unsigned i = 0; i < RULE_COUNT; i++)
		if (strcmp(rules[i].name, name) == 0) {
			*id = (enum rule_id)i;
			return true;
		}
	return false;
}

/* ---- telling ---------------------------------------------------------------- */

static void tell(struct reporter *r, enum problem_severity severity, enum rule_id id, const char *file,
	unsigned line, unsigned column, const char *message)
{
	struct problem problem = { .severity = severity, .rule = rules[id].name, .file = file, .line = line,
		.column = column, .message = message };

	if (r->problem)
		r->problem(r->arg, &problem);
	if (!r->err || !(severity == PROBLEM_ERROR || (severity == PROBLEM_RULE && r->err_takes_rules)))
		return;
	err_set(r->err, severity == PROBLEM_ERROR ? ERR_PARSE : ERR_RULE, "%s", message);
	if (r->err->message[0] && severity == PROBLEM_RULE && r->rules == 1 && !r->errors)
		err_context(r->err, "rule %s", rules[id].name);
	if (file && line && r->errors + r->rules == 1)
		err_context(r->err, "%s:%u:%u", file, line, column);
	else if (file && r->errors + r->rules == 1)
		err_context(r->err, "%s", file);
}

static enum problem_severity severity_of(const struct reporter *r, enum rule_id id)
{
	return r->check && rules[id].broken ? PROBLEM_RULE : rules[id].severity;
}

static unsigned *count_of(struct reporter *r, enum problem_severity severity)
{
	return severity == PROBLEM_ERROR ? &r->errors : severity == PROBLEM_RULE ? &r->rules : &r->warnings;
}

static void tell_counted(struct reporter *r, enum rule_id id, const char *file, unsigned line, unsigned column, const char *fmt,
	va_list ap)
{
	char message[640];
	enum problem_severity severity = severity_of(r, id);
	unsigned limit = severity == PROBLEM_ERROR ? LOAD_MAX_ERRORS : severity == PROBLEM_RULE ? RULES_TOLD : WARNINGS_TOLD;

	if (++*count_of(r, severity) > limit)
		return;
	vsnprintf(message, sizeof(message), fmt, ap);
	tell(r, severity, id, file, line, column, message);
}

void report(struct reporter *r, enum rule_id id, const char *file, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell_counted(r, id, file, line, column, fmt, ap);
	va_end(ap);
}

void report_some(struct reporter *r, enum rule_id id, const char *file, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list ap;

	if (++r->some[id] > SOME_TOLD) {
		++*count_of(r, severity_of(r, id));
		return;
	}
	va_start(ap, fmt);
	tell_counted(r, id, file, line, column, fmt, ap);
	va_end(ap);
}

void report_rest(struct reporter *r)
{
	char message[200];

	for (int id = 0; id < RULE_COUNT; id++) {
		if (r->some[id] <= SOME_TOLD)
			continue;
		snprintf(message, sizeof(message), "and %u more like these: %s", r->some[id] - SOME_TOLD, rules[id].help);
		tell(r, severity_of(r, (enum rule_id)id), (enum rule_id)id, NULL, 0, 0, message);
	}
}

void report_dropped(struct reporter *r, enum rule_id id, const char *file, unsigned line, unsigned column, const char *message)
{
	char text[700];

	r->dropped++;
	if (++r->warnings > WARNINGS_TOLD + RULES_TOLD)
		return;
	snprintf(text, sizeof(text), "left out: %s", message);
	tell(r, PROBLEM_WARNING, id, file, line, column, text);
}
