/*
 * tests/unit/base_err_test.c - texts of failures: context, and cutting at the end of the room.
 */
#include "test.h"

#include "base/err.h"

enum { ROOM = sizeof(((struct err *)NULL)->text) };

/* @n times 'x'. */
static const char *
xs(size_t n)
{
	static char text[ROOM * 2];

	memset(text, 'x', n);
	text[n] = '\0';
	return text;
}

TEST(set_says_why_and_fails)
{
	struct err e = { "" };

	CHECK_INT(err_set(&e, "store %d: %s", 1, "gone"), -1);
	CHECK_STR(e.text, "store 1: gone");
	CHECK_INT(err_set(&e, "again"), -1);
	CHECK_STR(e.text, "again");
}

TEST(nobody_needs_to_know)
{
	CHECK_INT(err_set(NULL, "%d", 1), -1);
	CHECK_INT(err_errno(NULL, ENOENT, "%d", 1), -1);
	CHECK_INT(err_prefix(NULL, "%d", 1), -1);
}

TEST(errno_is_put_into_words)
{
	struct err e = { "old" };

	errno = EIO;
	CHECK_INT(err_errno(&e, ENOENT, "open %s", "x"), -1);
	CHECK_STR(e.text, "open x: No such file or directory");
	CHECK_INT(err_errno(&e, 123456, "open"), -1);
	CHECK_STR(e.text, "open: Unknown error 123456");
}

TEST(a_prefix_goes_before_what_is_there)
{
	struct err e;

	err_set(&e, "Connection refused");
	CHECK_INT(err_prefix(&e, "%s:%d", "10.0.0.1", 993), -1);
	CHECK_INT(err_prefix(&e, "store1"), -1);
	CHECK_STR(e.text, "store1: 10.0.0.1:993: Connection refused");
}

TEST(a_prefix_to_no_reason_stands_alone)
{
	struct err e = { "" };

	err_prefix(&e, "store1");
	CHECK_STR(e.text, "store1");
}

TEST(everything_is_cut_at_the_end_of_the_room)
{
	for (size_t n = 0; n < ROOM + 8; n++) {
		struct {
			struct err e;
			char guard[8];
		} m;
		char want[ROOM * 3];

		memset(&m, 'g', sizeof(m));
		test_note("%zu bytes", n);
		err_set(&m.e, "%s", xs(n));
		CHECK_U64(strlen(m.e.text), n < ROOM ? n : ROOM - 1);

		err_errno(&m.e, EPERM, "%s", xs(n));
		snprintf(want, sizeof(want), "%s: Operation not permitted", xs(n));
		want[ROOM - 1] = '\0';
		CHECK_STR(m.e.text, want);
		CHECK_BYTES(m.guard, 8, "gggggggg", 8);
	}
}

TEST(a_prefix_may_push_the_reason_out_but_never_over)
{
	static const size_t reasons[] = { 1, 2, 100, ROOM - 4, ROOM - 3, ROOM - 2, ROOM - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		for (size_t n = 0; n < ROOM + 8; n++) {
			struct {
				struct err e;
				char guard[8];
			} m;
			char want[ROOM * 4], reason[ROOM];

			memset(&m, 'g', sizeof(m));
			test_note("%zu before %zu", n, reasons[i]);
			memset(reason, 'r', reasons[i]);
			reason[reasons[i]] = '\0';
			err_set(&m.e, "%s", reason);
			err_prefix(&m.e, "%s", xs(n));
			snprintf(want, sizeof(want), "%s: %s", xs(n), reason);
			want[ROOM - 1] = '\0';
			if (n + 2 >= ROOM - 1) /* nothing of the reason fits: no colon either */
				want[n < ROOM ? n : ROOM - 1] = '\0';
			CHECK_STR(m.e.text, want);
			CHECK_BYTES(m.guard, 8, "gggggggg", 8);
		}
}
