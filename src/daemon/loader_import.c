/* The job "import": a text into one set. */
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/commands.h"
#include "daemon/loading.h"
#include "daemon/rows_json.h"

#define THREADS_MOST 8

/* ---- one text ------------------------------------------------------------------- */

static int open_include(void *arg, const char *name, struct err *err)
{
	return loader_open(((struct loading *)arg)->loader, name, err);
}

static void tell_progress(void *arg, uint64_t records, double share)
{
	loader_share(((struct loading *)arg)->loader, records, share);
}

/* The set's row says why it failed; people read it in `schwenk sets`. */
static void note_rule(struct loading *l, const struct problem *p)
{
	if (p->file && p->line)
		snprintf(l->rule, sizeof l->rule, "%.100s:%u: %s (%s)", p->file, p->line, p->message, p->rule);
	else
		snprintf(l->rule, sizeof l->rule, "%s (%s)", p->message, p->rule);
}

static void tell_problem(void *arg, const struct problem *p)
{
	struct loading *l = arg;
	unsigned *left = p->severity == PROBLEM_WARNING ? &l->warnings_max : &l->errors_max;

	if (p->severity == PROBLEM_RULE && !l->rule[0])
		note_rule(l, p);
	if (!*left)
		return;
	--*left;
	loader_problem(l->loader, p);
}

/* The request's "drop" as zone_load takes it. */
static const char **drop_rules(const json_t *request, size_t *count, struct err *err)
{
	const json_t *drop = json_object_get(request, "drop");
	const char **rules;

	*count = json_array_size(drop);
	rules = calloc(*count ? *count : 1, sizeof *rules);
	if (!rules)
		err_set(err, ERR_NOMEM, "no memory for the names of rules");
	for (size_t i = 0; rules && i < *count; i++)
		rules[i] = json_string_value(json_array_get(drop, i));
	return rules;
}

int loading_check(const json_t *request, struct err *err)
{
	size_t count;
	const char **rules = drop_rules(request, &count, err);
	int status = rules ? load_check_drops(rules, count, err) : -1;

	free(rules);
	return status;
}

/* Who answers is not to share CPUs with more threads than the import has anyhow. */
static unsigned threads_of(const struct conf *conf)
{
	cpu_set_t allowed;
	unsigned cpus, threads;

	if (conf->loader_threads)
		return conf->loader_threads;
	cpus = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? (unsigned)CPU_COUNT(&allowed) : 1;
	threads = cpus > conf->workers ? cpus - conf->workers : 0;
	if (threads < cpus / 4)
		threads = cpus / 4;
	return threads > THREADS_MOST ? THREADS_MOST : threads;
}

int loading_run(struct loading *l, struct err *err)
{
	struct loader *loader = l->loader;
	const struct conf *conf = loader->role.conf;
	struct load_request q = { .apex = l->apex, .apex_size = l->apex_size, .hash_key = store_hash_key(loader->reader),
		.text_fd = l->fd, .text_name = l->name, .image_fd = loader->fd[LOADER_IMAGE_FD], .image_offset = l->offset,
		.scratch_fd = loader->fd[LOADER_SCRATCH_FD], .memory_limit = conf->loader_memory,
		.threads = l->many ? 1 : threads_of(conf),
		.include_anywhere = conf->include_anywhere, .open_include = open_include,
		.progress = l->many ? NULL : tell_progress, .problem = tell_problem, .arg = l };
	const char **rules = drop_rules(loader->request, &q.drop_count, err);
	int status;

	if (!rules)
		return -1;
	q.drop_rules = rules;
	l->rule[0] = '\0';
	status = zone_load(&q, &l->result, err);
	free(rules);
	return status;
}

json_t *loading_meta(const struct loading *l)
{
	const struct load_result *r = &l->result;
	struct content_hash hash;
	char source[256];
	json_t *meta;

	memcpy(hash.word, r->header.content, sizeof hash.word);
	snprintf(source, sizeof source, "import of %s", l->name);
	meta = json_pack("{s:{s:I,s:I},s:I,s:b,s:b,s:o,s:o,s:o}", "image", "offset", (json_int_t)l->offset, "size", (json_int_t)r->image_size,
		"soa_serial", (json_int_t)r->soa_serial, "serial_fixed", r->serial_fixed, "failed", r->failed,
		"hash", content_json(&hash), "signing", signing_json(&r->signing), "source", loader_text(source));
	if (meta && r->failed)
		json_object_set_new(meta, "rule", loader_text(l->rule));
	return meta;
}

/* ---- the job ---------------------------------------------------------------------- */

static void add_counts(json_t *o, const struct load_result *r)
{
	json_object_set_new(o, "errors", json_integer((json_int_t)r->errors + r->rules));
	json_object_set_new(o, "warnings", json_integer(r->warnings));
	json_object_set_new(o, "dropped", json_integer(r->dropped));
}

int job_import(struct loader *loader, struct err *err)
{
	const char *zone = json_string_value(json_object_get(loader->request, "zone"));
	const char *name = json_string_value(json_object_get(loader->request, "name"));
	struct loading l = { .loader = loader, .fd = loader->fd[LOADER_CLIENT_FD], .name = name ? name : "the text",
		.warnings_max = UINT_MAX, .errors_max = UINT_MAX };
	uint8_t apex[NAME_MAX_SIZE];
	json_t *o;

	if (control_parse_zone(zone, apex, &l.apex_size, err) < 0)
		return -1;
	l.apex = apex;
	if (loading_run(&l, err) < 0) {
		o = control_error(err);
		add_counts(o, &l.result);
		loader_reply(loader, o);
		return 0;
	}
	o = loading_meta(&l);
	if (!o)
		return err_set(err, ERR_NOMEM, "no memory");
	add_counts(o, &l.result);
	loader_image(loader, o, loader->fd[LOADER_IMAGE_FD]);
	return 0;
}
