/*
 * Starting again: how long it is waited, and by what a child knows that it is one.
 */
#include "test.h"

#include "process/supervise.h"

TEST(short_lives_double_the_wait)
{
	static const double waits[] = { 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10 };
	struct backoff b = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		double wait = backoff_next(&b, 0.5);

		test_note("life %zu: %f", i, wait);
		CHECK(wait > waits[i] - 1e-9 && wait < waits[i] + 1e-9);
	}
}

TEST(a_long_life_is_forgiven)
{
	struct backoff b = { 0 };

	for (int i = 0; i < 20; i++)
		(void)backoff_next(&b, 59.9);
	CHECK(b.delay == BACKOFF_MAX);
	CHECK(backoff_next(&b, BACKOFF_RESET) == BACKOFF_FIRST);
	CHECK(backoff_next(&b, 1) == 2 * BACKOFF_FIRST);
}

TEST(titles_tell_the_role)
{
	char title[32];
	enum role role;

	process_title(title, sizeof(title), ROLE_WORKER, 12);
	CHECK_STR(title, "sallyport: worker 12");
	CHECK(process_title_parse(title, &role) && role == ROLE_WORKER);
	process_title(title, sizeof(title), ROLE_DIRECTORY, 0);
	CHECK_STR(title, "sallyport: directory");
	CHECK(process_title_parse(title, &role) && role == ROLE_DIRECTORY);
}

TEST(an_operator_is_no_child)
{
	static const char *const names[] = { "sallyport", "/usr/sbin/sallyport",
		"sallyport:", "sallyport: ", "sallyport: master", "sallyport: workers", "" };
	enum role role;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		test_note("%s", names[i]);
		CHECK(!process_title_parse(names[i], &role));
	}
	CHECK(!process_title_parse(NULL, &role));
}
