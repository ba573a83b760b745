/*
 * tests/unit/directory_lookup_file_test.c - users files: what matches, in which order, and every mistake with its line.
 */
#include "test.h"

#include "base/mem.h"
#include "directory/lookup.h"

static char mistakes[32768];
static unsigned n_mistakes;

static bool
known_target(void *arg, struct slice target)
{
	(void)arg;
	return slice_eq_cstr(target, "stores") || slice_eq_cstr(target, "store1") ||
	       slice_eq_cstr(target, "old");
}

static void
on_mistake(void *arg, int line, const char *text)
{
	size_t len = strlen(mistakes);

	(void)arg;
	n_mistakes++;
	snprintf(mistakes + len, sizeof(mistakes) - len, "%d: %s\n", line, text);
}

static struct lookup *
load(struct slice bytes)
{
	mistakes[0] = '\0';
	n_mistakes = 0;
	return lookup_file_new("file:/users", bytes, known_target, on_mistake, NULL);
}

static struct {
	unsigned calls;
	int result;
	struct lookup_answer answer;
} got;

static void
on_answer(void *arg, int result, const struct lookup_answer *answer, const struct err *err)
{
	(void)arg;
	(void)err;
	got.calls++;
	got.result = result;
	if (result > 0)
		got.answer = *answer;
	else
		memset(&got.answer, 0, sizeof(got.answer));
}

/* What matched @user, "" when nothing did. */
static const char *
ask(struct lookup *l, const char *user)
{
	got.calls = 0;
	lookup_ask(l, slice_of(user), on_answer, NULL);
	CHECK_U64(got.calls, 1);
	CHECK(got.result >= 0);
	return got.answer.matched;
}

/* --- what matches */

TEST(exact_names_then_domains_then_patterns_in_order)
{
	struct lookup *l = load(SLICE("# users\n"
				      "*@example.org   old\n"
				      "@example.org    stores # everybody\n"
				      "alice@example.org\tstore1 tls=none\n"
				      "\n"
				      "bob*            store1\n"
				      "b*              old\n"
				      "?               stores\n"
				      "@*.example.net  stores\n"
				      "root            [2001:db8::1]:993  tls=implicit verify=no "
				      "user=postmaster@example.org\n"));

	CHECK_STR(mistakes, "");
	CHECK(l != NULL);
	CHECK_STR(l->source, "file:/users");
	CHECK_STR(ask(l, "alice@example.org"), "file:/users:4 (alice@example.org)");
	CHECK_STR(got.answer.target, "store1");
	CHECK_INT(got.answer.tls, TLS_MODE_NONE);
	CHECK_INT(got.answer.verify, -1);
	CHECK_STR(got.answer.user, "");
	CHECK_STR(ask(l, "carol@example.org"), "file:/users:3 (@example.org)");
	CHECK_STR(got.answer.target, "stores");
	CHECK_INT(got.answer.tls, -1);
	CHECK_STR(ask(l, "a@b@example.org"), "file:/users:3 (@example.org)");
	CHECK_STR(ask(l, "bobby@x"), "file:/users:6 (bob*)");
	CHECK_STR(ask(l, "bill@x"), "file:/users:7 (b*)");
	CHECK_STR(ask(l, "x"), "file:/users:8 (?)");
	CHECK_STR(ask(l, "zoe@mail.example.net"), "file:/users:9 (@*.example.net)");
	CHECK_STR(ask(l, "root"), "file:/users:10 (root)");
	CHECK_STR(got.answer.target, "[2001:db8::1]:993");
	CHECK_INT(got.answer.tls, TLS_MODE_IMPLICIT);
	CHECK_INT(got.answer.verify, 0);
	CHECK_STR(got.answer.user, "postmaster@example.org");
	CHECK_STR(ask(l, "zoe@example.net"), "");
	CHECK_STR(ask(l, "zoe@example.org.net"), "");
	CHECK_STR(ask(l, "xy"), "");
	CHECK_STR(ask(l, "@"), "file:/users:8 (?)");
	lookup_cancel(l, NULL);
	lookup_free(&l);
	CHECK(l == NULL);
	lookup_free(&l);
}

TEST(case_does_not_matter)
{
	struct lookup *l = load(SLICE("Alice@Example.ORG stores\n@EXAMPLE.org store1\nX* old\n"));

	CHECK(l != NULL);
	CHECK_STR(ask(l, "ALICE@example.org"), "file:/users:1 (alice@example.org)");
	CHECK_STR(ask(l, "Bob@Example.Org"), "file:/users:2 (@example.org)");
	CHECK_STR(ask(l, "xaver"), "file:/users:3 (x*)");
	lookup_free(&l);
}

/* A client may call itself anything: it is no pattern, and finds none out of turn. */
TEST(stars_in_a_user_name_are_only_bytes)
{
	struct lookup *l = load(SLICE("a* stores\na*b old\n"));

	CHECK(l != NULL);
	CHECK_STR(ask(l, "a*b"), "file:/users:1 (a*)");
	CHECK_STR(ask(l, "*"), "");
	lookup_free(&l);
}

TEST(line_ends_marks_and_blanks_are_tolerated)
{
	static const struct {
		struct slice text;
		const char *line;
	} rows[] = {
		{ SLICE("\xef\xbb\xbf"
			"bob stores\r\n"),
		    "1" },
		{ SLICE("\xef\xbb\xbf# users\r\n\r\nbob stores"), "3" },
		{ SLICE("\t bob \t stores \t \r\n"), "1" },
		{ SLICE("bob stores#1 # no comment in a word\n"), NULL },
		{ SLICE("#\n  # x\n\nbob stores#\n"), NULL },
		{ SLICE("bob stores # tls=none"), "1" },
		{ SLICE("\n\n\nbob stores\n\n\n"), "4" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lookup *l = load(rows[i].text);
		char want[64];

		test_note("row %zu", i);
		if (!rows[i].line) {
			CHECK(l == NULL && n_mistakes == 1);
			continue;
		}
		CHECK_STR(mistakes, "");
		CHECK(l != NULL);
		snprintf(want, sizeof(want), "file:/users:%s (bob)", rows[i].line);
		CHECK_STR(ask(l, "bob"), want);
		CHECK_STR(got.answer.target, "stores");
		CHECK_INT(got.answer.tls, -1);
		lookup_free(&l);
	}
}

TEST(an_empty_file_knows_nobody)
{
	static const struct slice files[] = { { NULL, 0 }, { "\n", 1 }, { "# none", 6 },
		{ "\xef\xbb\xbf", 3 } };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct lookup *l = load(files[i]);

		CHECK(l != NULL);
		CHECK_STR(ask(l, "bob"), "");
		lookup_free(&l);
	}
}

TEST(many_users_are_all_found)
{
	unsigned n = 50000;
	size_t size = n * 40, len = 0;
	char *text = mem_alloc(size), name[40];
	struct lookup *l;

	CHECK(text != NULL);
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, size - len, "user%u@example.org %s\n", i,
		    i % 2 ? "stores" : "store1");
	l = load((struct slice){ text, len });
	mem_free(text); /* it was copied */
	CHECK(l != NULL);
	for (unsigned i = 0; i < n; i += 7) {
		char want[80];

		snprintf(name, sizeof(name), "user%u@example.org", i);
		snprintf(want, sizeof(want), "file:/users:%u (%s)", i + 1, name);
		CHECK_STR(ask(l, name), want);
		CHECK_STR(got.answer.target, i % 2 ? "stores" : "store1");
	}
	lookup_free(&l);
}

/* --- mistakes */

TEST(every_mistake_is_told_with_its_line)
{
	static const struct {
		struct slice text;
		const char *want;
	} rows[] = {
		{ SLICE("bob\n"), "1: no target: a pool, a backend or host:port must follow\n" },
		{ SLICE("bob # stores\n"),
		    "1: no target: a pool, a backend or host:port must follow\n" },
		{ SLICE("bob storse\n"), "1: target 'storse': no such pool or backend\n" },
		{ SLICE("bob stores tsl=none\n"), "1: unknown key 'tsl': did you mean 'tls'?\n" },
		{ SLICE("bob stores colour=red\n"),
		    "1: unknown key 'colour': expected user, tls or verify\n" },
		{ SLICE("bob stores tls=on\n"),
		    "1: tls=on: expected none, starttls or implicit\n" },
		{ SLICE("bob stores verify=maybe\n"), "1: verify=maybe: expected yes or no\n" },
		{ SLICE("bob stores tls\n"),
		    "1: 'tls': expected key=value (user=, tls= or verify=)\n" },
		{ SLICE("bob stores tls=none tls=none\n"), "1: tls= is there twice\n" },
		{ SLICE("bob stores verify=no verify=yes\n"), "1: verify= is there twice\n" },
		{ SLICE("bob stores user=a user=b\n"), "1: user= is there twice\n" },
		{ SLICE("bob stores user=\n"), "1: user= names nobody\n" },
		{ SLICE("bob host:\n"),
		    "1: target 'host:': expected a port from 1 to 65535 behind the colon, found "
		    "\"host:\"\n" },
		{ SLICE("bob host:0\n"),
		    "1: target 'host:0': expected a port from 1 to 65535 behind the colon, found "
		    "\"host:0\"\n" },
		{ SLICE("bob ::1:143\n"),
		    "1: target '::1:143': an IPv6 address is written in brackets, [address]:port; "
		    "found \"::1:143\"\n" },
		{ SLICE("@ stores\n"), "1: user '@': a domain must follow the @\n" },
		{ SLICE("b\x01 stores\n"), "1: user 'b\\x01': a control byte is in it\n" },
		{ SLICE("a\0b stores\n"), "1: a NUL byte is in it\n" },
		{ SLICE("bob stores\nalice stores\nBob old\n"),
		    "3: 'bob' is there already, on line 1\n" },
		{ SLICE("@a.org stores\n@A.org old\n"),
		    "2: '@a.org' is there already, on line 1\n" },
		{ SLICE("a* stores\nb stores\na* old\n"), "3: 'a*' is there already, on line 1\n" },
		{ SLICE("a nowhere\nb stores\nc stores tls=\n\nb stores\n"),
		    "1: target 'nowhere': no such pool or backend\n"
		    "3: tls=: expected none, starttls or implicit\n"
		    "5: 'b' is there already, on line 2\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		test_note("row %zu", i);
		CHECK(load(rows[i].text) == NULL);
		CHECK_STR(mistakes, rows[i].want);
	}
}

TEST(names_and_lines_too_long_are_mistakes)
{
	char text[4096];

	memset(text, 'a', sizeof(text));
	memcpy(text + ROUTE_USER_MAX, " stores\n", 8);
	CHECK(load((struct slice){ text, ROUTE_USER_MAX + 8 }) == NULL);
	CHECK(strstr(mistakes, "a name has at most 511 bytes") != NULL);
	CHECK(strncmp(mistakes, "1: ", 3) == 0);

	memset(text, ' ', sizeof(text));
	memcpy(text, "bob stores", 10);
	text[LOOKUP_FILE_LINE_MAX] = '\n';
	{
		struct lookup *l = load((struct slice){ text, LOOKUP_FILE_LINE_MAX + 1 });

		CHECK(l != NULL);
		lookup_free(&l);
	}
	text[LOOKUP_FILE_LINE_MAX] = ' ';
	text[LOOKUP_FILE_LINE_MAX + 1] = '\n';
	CHECK(load((struct slice){ text, LOOKUP_FILE_LINE_MAX + 2 }) == NULL);
	CHECK_STR(mistakes, "1: line of 2049 bytes: at most 2048\n");

	memcpy(text, "bob ", 4);
	memset(text + 4, 'x', BACKEND_NAME_MAX);
	CHECK(load((struct slice){ text, 4 + BACKEND_NAME_MAX }) == NULL);
	CHECK(strstr(mistakes, "a name has at most 63 bytes") != NULL);
}

TEST(mistakes_are_bounded)
{
	char text[8192];
	size_t len = 0;

	for (unsigned i = 0; i < 500; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "u%u nowhere\n", i);
	CHECK(load((struct slice){ text, len }) == NULL);
	CHECK_U64(n_mistakes, LOOKUP_FILE_MISTAKES_MAX + 1);
	CHECK(strstr(mistakes, "100: too many mistakes") != NULL);
}

TEST(patterns_are_bounded)
{
	size_t size = (LOOKUP_FILE_PATTERNS_MAX + 2) * 16, len = 0;
	char *text = mem_alloc(size);
	struct lookup *l;

	CHECK(text != NULL);
	for (unsigned i = 0; i < LOOKUP_FILE_PATTERNS_MAX; i++)
		len += (size_t)snprintf(text + len, size - len, "u%u* stores\n", i);
	l = load((struct slice){ text, len });
	CHECK(l != NULL);
	CHECK_STR(ask(l, "u9999x"), "file:/users:10 (u9*)");
	lookup_free(&l);
	len += (size_t)snprintf(text + len, size - len, "z* stores\n");
	CHECK(load((struct slice){ text, len }) == NULL);
	CHECK_STR(mistakes, "10001: more than 10000 patterns\n");
	mem_free(text);
}

/* --- parts */

TEST(patterns_fit_or_not)
{
	static const struct {
		const char *pattern, *name;
		bool fits;
	} rows[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "abc", true },
		{ "**", "", true },
		{ "?", "", false },
		{ "?", "a", true },
		{ "?", "ab", false },
		{ "a?c", "abc", true },
		{ "a*c", "ac", true },
		{ "a*c", "abbbc", true },
		{ "a*c", "abbbcd", false },
		{ "a*a", "a", false }, /* the two do not share a byte */
		{ "a*a", "aa", true },
		{ "*b*", "abc", true },
		{ "*b*", "ac", false },
		{ "*ab*ab*", "abab", true },
		{ "*ab*ab*", "aab", false },
		{ "*aab*", "aaab", true },
		{ "*a?c*e", "xabcabde", true },
		{ "*a?c*e", "xabdabde", false },
		{ "a**b", "ab", true },
		{ "*?", "", false },
		{ "*?", "a", true },
		{ "?*?", "a", false },
		{ "?*?", "ab", true },
		{ "*.x@*", "john.x@y", true },
		{ "*.x@*", "john.x", false },
		{ "*bc*c", "abcc", true },
		{ "*bc*c", "abc", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		test_note("%s against %s", rows[i].pattern, rows[i].name);
		CHECK(lookup_pattern_fits(slice_of(rows[i].pattern), slice_of(rows[i].name)) ==
		      rows[i].fits);
	}
}

/* Every pattern of up to five of these against every name of up to five, next to the obvious recursion. */
static bool
fits_slowly(const char *p, const char *s)
{
	if (!*p)
		return !*s;
	if (*p == '*')
		return fits_slowly(p + 1, s) || (*s && fits_slowly(p, s + 1));
	return *s && (*p == '?' || *p == *s) && fits_slowly(p + 1, s + 1);
}

static void
nth_word(char *dst, unsigned n, unsigned len, const char *letters)
{
	size_t base = strlen(letters);

	for (unsigned i = 0; i < len; i++, n /= (unsigned)base)
		dst[i] = letters[n % base];
	dst[len] = '\0';
}

TEST(patterns_agree_with_the_definition)
{
	char pattern[8], name[8];

	for (unsigned plen = 0; plen <= 5; plen++)
		for (unsigned p = 0; p < 1u << (2 * plen); p++) {
			nth_word(pattern, p, plen, "ab?*");
			for (unsigned slen = 0; slen <= 5; slen++)
				for (unsigned s = 0; s < 1u << slen; s++) {
					nth_word(name, s, slen, "ab");
					if (lookup_pattern_fits(slice_of(pattern),
						slice_of(name)) == fits_slowly(pattern, name))
						continue;
					FAIL("%s against %s", pattern, name);
				}
		}
}

/* The one that takes others for ever. */
TEST(patterns_never_explode)
{
	char pattern[401], name[ROUTE_USER_MAX];

	for (unsigned i = 0; i < 400; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[398] = '*';
	pattern[399] = 'b';
	pattern[400] = '\0';
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (unsigned i = 0; i < 1000; i++)
		CHECK(!lookup_pattern_fits(slice_of(pattern), slice_of(name)));
}

TEST(answers_of_any_source_are_parsed)
{
	struct lookup_answer a;
	struct err err;

	CHECK_INT(lookup_answer_parse(SLICE(" store1\t verify=yes "), &a, &err), 0);
	CHECK_STR(a.target, "store1");
	CHECK_INT(a.verify, 1);
	CHECK_STR(a.matched, "");
	CHECK_INT(lookup_answer_parse(SLICE("mail.example.org:993 tls=implicit"), &a, &err), 0);
	CHECK_STR(a.target, "mail.example.org:993");
	CHECK_INT(lookup_answer_parse(SLICE(""), &a, &err), -1);
	CHECK_INT(lookup_answer_parse(SLICE("st\x02re"), &a, &err), -1);
	CHECK_STR(err.text, "target 'st\\x02re': a control byte is in it");
}
