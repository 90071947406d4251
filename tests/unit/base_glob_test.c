/* Shell patterns: against a table, against fnmatch(3), and in bounded time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/glob.h"

static void test_table(void **state)
{
	static const struct { const char *pattern, *text; bool match; } cases[] = {
		{ "", "", true }, { "", "a", false }, { "*", "", true }, { "*", "shop.example", true },
		{ "?", "", false }, { "?", "a", true }, { "shop.example", "SHOP.Example", true },
		{ "*.example", "shop.example", true }, { "*.example", "example", false }, { "*.example", "shop.example.org", false },
		{ "s*p.*e", "shop.example", true }, { "a*a*b", "aaaab", true }, { "a*a*b", "aaaac", false },
		{ "**", "x", true }, { "x**", "x", true }, { "z[0-9].example", "z7.example", true },
		{ "z[0-9].example", "zz.example", false }, { "[!a-c]x", "dx", true }, { "[!a-c]x", "bx", false },
		{ "[^a-c]x", "dx", true }, { "[]]", "]", true }, { "[!]]", "]", false }, { "[]a]", "a", true },
		{ "[a-]", "-", true }, { "[A-C]", "b", true }, { "[\\]]", "]", true }, { "[a-\\c]", "b", true },
		{ "[abc", "[abc", true }, { "[abc", "a", false }, { "[", "[", true }, { "\\*", "*", true }, { "\\*", "a", false },
		{ "\\", "\\", true }, { "a\\", "a", false }, { "\\\\046x", "\\046x", true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (glob_match(cases[i].pattern, cases[i].text) != cases[i].match)
			fail_msg("\"%s\" against \"%s\": not %d", cases[i].pattern, cases[i].text, cases[i].match);
}

/* What we do and what fnmatch does is the same where both are defined. */
static void test_like_fnmatch(void **state)
{
	static const char in_pattern[] = "**?aB.", in_text[] = "abBc.";

	srandom(1);
	for (int i = 0; i < 200000; i++) {
		char pattern[20] = "", text[12] = "";

		for (long n = random() % 9, k = 0; k < n; k++)
			pattern[k] = in_pattern[random() % (long)(sizeof in_pattern - 1)];
		if (random() % 4 == 0)
			strcat(pattern, "[a-b]*");
		for (long n = random() % 10, k = 0; k < n; k++)
			text[k] = in_text[random() % (long)(sizeof in_text - 1)];
		if (glob_match(pattern, text) != (fnmatch(pattern, text, FNM_CASEFOLD) == 0))
			fail_msg("\"%s\" against \"%s\": %d", pattern, text, glob_match(pattern, text));
	}
}

static void test_bounded(void **state)
{
	char pattern[601], text[1001];
	int64_t begun = clock_cpu_us();

	for (size_t i = 0; i < sizeof pattern - 1; i++)
		pattern[i] = i % 2 ? 'a' : '*';
	pattern[sizeof pattern - 2] = 'b';
	pattern[sizeof pattern - 1] = '\0';
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_false(glob_match(pattern, text));
	assert_true(clock_cpu_us() - begun < 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_like_fnmatch), cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
