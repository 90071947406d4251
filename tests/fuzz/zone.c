/*
 * Any octets as zone text, as lines of changes, as the text of an edit, and as
 * spare SOAs of a zone with ZONEMD.
 * Not only must nothing crash: what was taken must come out again the same,
 * and a set that was changed must look as if it had been loaded afresh.
 */
#include "config.h"

#include "../unit/zone_support.h"

#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE "$TTL 3600\n@ SOA ns1 hostmaster 1 14400 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n" \
	"*.w TXT x\na.b.c A 192.0.2.2\nsub NS ns.sub\nns.sub A 192.0.2.3\nd DNAME o.\nc CNAME ns1\n"

#define BASE_ZONEMD "$TTL 3600\n@ SOA ns1 hostmaster 1 14400 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n*.w TXT x\n" \
	"sub NS ns.sub\nns.sub A 192.0.2.3\n@ ZONEMD 1 1 1 51f6e52a6ef555695fb4883406085c8c7092699ae3c4e8badbfa29dbf7964bc0d118da6f38a0b3" \
	"f2161f83f2ca27428f\n"

static void say(const char *what, const char *text, const char *other)
{
	fprintf(stderr, "%s\n--- printed:\n%s\n--- other:\n%s\n", what, text, other);
	abort();
}

static void must_come_in_again(struct loaded *l, bool nodes_too)
{
	char *text = view_text(&l->view), *nodes = view_nodes(&l->view);
	struct loaded again;

	load_text(&again, "example.com", text, 0, NULL);
	if (again.status < 0) {
		/* of a zone whose records all were left out nothing is printed */
		if (l->result.header.records || nodes_too)
			say("what was printed cannot be read", text, again.err.message);
	} else {
		char *text2 = view_text(&again.view), *nodes2 = view_nodes(&again.view);

		if (strcmp(text, text2) != 0)
			say("the print of what was printed differs", text, text2);
		if (nodes_too && strcmp(nodes, nodes2) != 0)
			say("the nodes differ from those of a full load", nodes, nodes2);
		free(text2);
		free(nodes2);
	}
	free(text);
	free(nodes);
	loaded_free(&again);
}

static void fuzz_change(const char *text, bool whole)
{
	struct loaded l;
	struct change_result result;

	load_text(&l, "example.com", BASE, 0, NULL);
	if (l.status < 0)
		say("the base cannot be loaded", BASE, l.err.message);
	if (change_view(&l, text, whole, &result) == 0)
		must_come_in_again(&l, true);
	else if (!l.err.code)
		say("it failed without an error", text, "");
	loaded_free(&l);
}

/* Laid on the set, each that was taken makes a zone of it that can be loaded. */
static void must_be_sound(int fd, const struct made_spare *made)
{
	struct loaded l;
	uint8_t *bytes = malloc(made->size);
	int own = empty_file();

	load_text(&l, "example.com", BASE_ZONEMD, 0, NULL);
	if (l.status < 0 || !bytes || pread(fd, bytes, made->size, (off_t)made->offset) != (ssize_t)made->size ||
	    write(own, bytes, made->size) != (ssize_t)made->size)
		say("a spare SOA cannot be laid on the set", BASE_ZONEMD, l.err.message);
	add_image(&l, own, made->size);
	must_come_in_again(&l, false);
	free(bytes);
	loaded_free(&l);
}

static void fuzz_spares(const char *text, size_t size)
{
	struct loaded l;
	struct spares_result result;
	struct spares_request q = { .view = &l.view, .text_fd = empty_file(), .text_name = "spares", .image_fd = empty_file(),
		.problem = told_problem, .arg = &l.told };

	load_text(&l, "example.com", BASE_ZONEMD, 0, NULL);
	if (l.status < 0 || l.result.failed)
		say("the base cannot be loaded", BASE_ZONEMD, l.err.message);
	if (write(q.text_fd, text, size) != (ssize_t)size || lseek(q.text_fd, 0, SEEK_SET) != 0)
		say("the text cannot be written", "", "");
	if (zone_spares(&q, &result, &l.err) == 0) {
		for (size_t i = 0; i < result.count; i++)
			must_be_sound(q.image_fd, &result.spares[i]);
	} else if (!l.err.code || result.count) {
		say("it failed without an error, or with something", text, "");
	}
	free(result.spares);
	close(q.text_fd);
	close(q.image_fd);
	loaded_free(&l);
}

static void fuzz_load(const char *text, size_t size)
{
	struct loaded l;
	struct check_request q = { .view = &l.view };
	struct check_result r;

	load_text(&l, "example.com", text, size, NULL);
	if (l.status == 0) {
		if (zone_check(&q, &r, &l.err) < 0)
			say("a set that was loaded cannot be checked", text, l.err.message);
		if (!l.result.failed && r.rules)
			say("a set was ready, but breaks rules", text, "");
		if (memcmp(&r.signing, &l.result.signing, sizeof(r.signing)) != 0)
			say("its signatures are others than those that were loaded", text, "");
		q.signatures = true;
		if (zone_check(&q, &r, &l.err) < 0)
			say("its signatures cannot be verified", text, l.err.message);
		must_come_in_again(&l, false);
	} else if (!l.err.code) {
		say("it failed without an error", text, "");
	}
	loaded_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 2)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0]) {
	case 'c': fuzz_change(text, false); break;
	case 'w': fuzz_change(text, true); break;
	case 's': fuzz_spares(text, size - 1); break;
	default: fuzz_load(text, size - 1); break;
	}
	free(text);
	return 0;
}
