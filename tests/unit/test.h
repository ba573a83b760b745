/*
 * tests/unit/test.h - the harness of the unit tests: cases that register themselves, checks, and
 * main().
 *
 *      #include "test.h"
 *
 *      TEST(words_are_cut_at_spaces)
 *      {
 *              struct slice s = SLICE("a b");
 *              CHECK_SLICE(slice_word(&s), "a");
 *              CHECK_U64(s.len, 1);
 *      }
 *
 * Each binary prints `ok - BINARY.CASE` or `not ok - BINARY.CASE: why (file:line)` a case and exits
 * 1 when one failed. The first failed check ends its case (with a longjmp, also out of helper
 * functions), not the binary. In a loop over a table say with test_note() which row is being
 * checked; it is printed with the failure. Arguments are parts of case names: only those cases run.
 * `-l` lists.
 */
#ifndef TEST_H
#define TEST_H

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

struct test_case {
	const char *name;
	void (*run)(void);
	struct test_case *next;
};

static struct test_case *test_first, **test_last = &test_first;
static struct test_case *test_now;
static char test_prefix[64];
static char test_note_text[512];
static jmp_buf test_out;

static inline void
test_register(struct test_case *t)
{
	*test_last = t;
	test_last = &t->next;
}

/* One case: TEST(name) { ... }. Cases of a file run in the order in which they stand in it. */
#define TEST(name_)                                                                                \
	static void test_run_##name_(void);                                                        \
	static struct test_case test_case_##name_ = { #name_, test_run_##name_, NULL };            \
	__attribute__((constructor)) static void test_register_##name_(void)                       \
	{                                                                                          \
		test_register(&test_case_##name_);                                                 \
	}                                                                                          \
	static void test_run_##name_(void)

/* What is being looked at, for a failure's message; "" forgets it. Each case starts with none. */
PRINTF_LIKE(1, 2)
static inline void
test_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(test_note_text, sizeof(test_note_text), fmt, ap);
	va_end(ap);
	for (char *c = test_note_text; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '.'; /* the report is one line */
}

static inline void
test_put_escaped(const char *p, size_t len)
{
	fputc('"', stdout);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];

		if (i == 256) {
			printf("... %zu bytes", len);
			break;
		}
		if (c == '\r')
			fputs("\\r", stdout);
		else if (c == '\n')
			fputs("\\n", stdout);
		else if (c < 32 || c > 126 || c == '"' || c == '\\')
			printf("\\x%02x", c);
		else
			fputc(c, stdout);
	}
	fputc('"', stdout);
}

static inline void
test_fail_begin(void)
{
	printf("not ok - %s.%s: ", test_prefix, test_now->name);
	if (test_note_text[0])
		printf("[%s] ", test_note_text);
}

NORETURN static inline void
test_fail_end(const char *file, int line)
{
	printf(" (%s:%d)\n", file, line);
	longjmp(test_out, 1);
}

/* Ends the case as failed, with a reason of its own. */
NORETURN PRINTF_LIKE(3, 4) static inline void test_fail_at(
    const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	test_fail_begin();
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	test_fail_end(file, line);
}

static inline void
test_check_u64(uint64_t a, uint64_t b, const char *what, const char *file, int line)
{
	if (a != b)
		test_fail_at(file, line, "%s is %" PRIu64 ", not %" PRIu64, what, a, b);
}

static inline void
test_check_i64(int64_t a, int64_t b, const char *what, const char *file, int line)
{
	if (a != b)
		test_fail_at(file, line, "%s is %" PRId64 ", not %" PRId64, what, a, b);
}

static inline void
test_check_bytes(const char *a, size_t alen, const char *b, size_t blen, const char *what,
    const char *file, int line)
{
	if (alen == blen && (alen == 0 || memcmp(a, b, alen) == 0))
		return;
	test_fail_begin();
	printf("%s is ", what);
	test_put_escaped(a, alen);
	fputs(", not ", stdout);
	test_put_escaped(b, blen);
	test_fail_end(file, line);
}

static inline void
test_check_str(const char *a, const char *b, const char *what, const char *file, int line)
{
	if (!a && !b)
		return;
	if (!a || !b)
		test_fail_at(file, line, "%s is %s, not %s", what, a ? a : "NULL", b ? b : "NULL");
	test_check_bytes(a, strlen(a), b, strlen(b), what, file, line);
}

/* A slice in a table, NULs and all. */
#define BYTES(literal)                                                                             \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

#define FAIL(...)   test_fail_at(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(cond) ((cond) ? (void)0 : test_fail_at(__FILE__, __LINE__, "%s is false", #cond))
/* What came first, what it should be second. */
#define CHECK_U64(a, b) test_check_u64((uint64_t)(a), (uint64_t)(b), #a, __FILE__, __LINE__)
#define CHECK_INT(a, b) test_check_i64((int64_t)(a), (int64_t)(b), #a, __FILE__, __LINE__)
#define CHECK_STR(a, b)                                                                            \
	test_check_str(a, b, #a, __FILE__, __LINE__) /* NUL-terminated; NULL == NULL */
#define CHECK_BYTES(a, alen, b, blen) test_check_bytes(a, alen, b, blen, #a, __FILE__, __LINE__)
#define CHECK_SLICE(s, cstr)          test_check_slice(s, slice_of(cstr), #s, __FILE__, __LINE__)

static inline void
test_check_slice(struct slice a, struct slice b, const char *what, const char *file, int line)
{
	test_check_bytes(a.p, a.len, b.p, b.len, what, file, line);
}

/* Says which case it was; the default action (or a sanitizer's) follows. */
static inline void
test_on_abort(int sig)
{
	static const char died[] = ": aborted\n";
	const char *parts[] = { "not ok - ", test_prefix, ".", test_now ? test_now->name : "?",
		died };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (write(STDOUT_FILENO, parts[i], strlen(parts[i])) < 0)
			break;
	signal(sig, SIG_DFL);
	raise(sig);
}

static inline bool
test_wanted(const struct test_case *t, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(t->name, argv[i]))
			return true;
	return argc < 2;
}

int
main(int argc, char **argv)
{
	volatile unsigned failed = 0, run = 0; /* kept over the longjmp */
	const char *base = strrchr(argv[0], '/');
	size_t len;

	base = base ? base + 1 : argv[0];
	len = strlen(base);
	if (len > 5 && strcmp(base + len - 5, "_test") == 0)
		len -= 5;
	snprintf(test_prefix, sizeof(test_prefix), "%.*s", (int)len, base);
	setvbuf(stdout, NULL, _IOLBF, 0);

	if (argc == 2 && strcmp(argv[1], "-l") == 0) {
		for (struct test_case *t = test_first; t; t = t->next)
			printf("%s.%s\n", test_prefix, t->name);
		return 0;
	}
	signal(SIGABRT, test_on_abort);
	for (test_now = test_first; test_now; test_now = test_now->next) {
		if (!test_wanted(test_now, argc, argv))
			continue;
		run++;
		test_note_text[0] = '\0';
		if (setjmp(test_out)) {
			failed++;
			continue;
		}
		test_now->run();
		printf("ok - %s.%s\n", test_prefix, test_now->name);
	}
	if (run == 0) {
		printf("not ok - %s: no such case\n", test_prefix);
		return 1;
	}
	return failed > 0;
}

#endif
