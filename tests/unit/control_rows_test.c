/* The rows of a reply: text from the writer to the client, the same objects as
 * if they had been JSON all the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/rows.h"

static const char *const texts[] = { "", "shop.example", "\"", "a\\032b\\.example", "line\nline", "M\xc3\xbcller", "\x01\x7f" };
#define TEXTS (sizeof texts / sizeof texts[0])

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *object_of(unsigned i)
{
	return json_pack("{s:o,s:I,s:b,s:o}", "text", text_or_null(texts[i % TEXTS]), "number", (json_int_t)i - 3, "flag", i & 1,
		"json", i % 3 ? json_null() : json_pack("[i,s]", i, texts[1]));
}

static void add_row(struct rows *rows, unsigned i)
{
	row_begin(rows);
	row_text(rows, "text", texts[i % TEXTS]);
	row_number(rows, "number", (int64_t)i - 3);
	row_flag(rows, "flag", i & 1);
	row_json(rows, "json", i % 3 ? json_null() : json_pack("[i,s]", i, texts[1]));
	row_end(rows);
}

/* With the head of a switch's reply, or without anything else. */
static json_t *reply_of(unsigned count, json_t *head)
{
	struct rows rows = { .text = NULL };

	for (unsigned i = 0; i < count; i++)
		add_row(&rows, i);
	assert_int_equal(rows_into(&rows, head), 0);
	assert_null(rows.text);
	return head;
}

static json_t *through_main(const json_t *reply)
{
	size_t size;
	char *message = rows_to_message(reply, &size);
	json_t *there;

	assert_non_null(message);
	there = rows_from_message(message, size);
	free(message);
	assert_non_null(there);
	return there;
}

static void expect_line(const json_t *reply, const json_t *head, unsigned count)
{
	json_t *want = json_deep_copy(head), *list = json_array(), *got;
	char *line = rows_to_line(reply);

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, object_of(i));
	json_object_set_new(want, "zones", list);
	assert_non_null(line);
	assert_null(strchr(line, '\n'));
	got = json_loads(line, 0, NULL);
	assert_non_null(got);
	assert_true(json_equal(got, want));
	json_decref(got);
	json_decref(want);
	free(line);
}

static void test_all_arrive(void **state)
{
	static const unsigned counts[] = { 0, 1, 2, ROWS_READ - 1, ROWS_READ, ROWS_READ + 1, 2 * ROWS_READ, 5000 };
	static const char *const heads[] = { "{}", "{\"ok\":true,\"switch\":7,\"back\":\"schwenk rollback shop.example\"}" };

	(void)state;
	for (unsigned h = 0; h < 2; h++)
		for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
			json_t *head = json_loads(heads[h], 0, NULL), *reply = reply_of(counts[i], json_copy(head)), *there = through_main(reply);
			unsigned read = counts[i] < ROWS_READ ? counts[i] : ROWS_READ;

			assert_int_equal(json_array_size(json_object_get(there, "zones")), read);
			expect_line(there, head, counts[i]);
			json_decref(there);
			json_decref(reply);
			json_decref(head);
		}
}

static void test_without_rows(void **state)
{
	/* "rows" of others' replies are nobody's business */
	json_t *reply = json_pack("{s:b,s:[s],s:[i]}", "ok", 1, "zones", "shop.example", "rows", 1), *there = through_main(reply), *got;
	char *line = rows_to_line(there);

	(void)state;
	got = json_loads(line, 0, NULL);
	assert_true(json_equal(reply, there));
	assert_true(json_equal(reply, got));
	free(line);
	json_decref(got);
	json_decref(there);
	json_decref(reply);
}

static void test_nonsense(void **state)
{
	static const char *const messages[] = { "", "\n", "{", "{}\nx\n", "{}\n{}", "{}\n{}\n\n", "[]\n{}\n", "\n{}\n" };

	(void)state;
	for (unsigned i = 0; i < sizeof messages / sizeof messages[0]; i++)
		assert_null(rows_from_message(messages[i], strlen(messages[i])));
}

static void test_not_utf8(void **state)
{
	struct rows rows = { .text = NULL };
	json_t *reply = json_object();

	(void)state;
	row_begin(&rows);
	row_text(&rows, "text", "\xff");
	row_end(&rows);
	assert_int_equal(rows_into(&rows, reply), -1);
	assert_int_equal(json_object_size(reply), 0);
	json_decref(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_arrive),
		cmocka_unit_test(test_without_rows),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_not_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
