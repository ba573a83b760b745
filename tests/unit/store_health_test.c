/*
 * tests/unit/store_health_test.c - up, down and on trial, by checks and by logins, with time said by the test.
 */
#include "store/health.h"

#include "test.h"

static const struct err why = { "connection refused" };

static struct health
fresh(unsigned rise, unsigned fall, bool checked)
{
	struct health h;
	health_init(&h, &(struct health_config){ rise, fall, checked }, 100);
	return h;
}

TEST(checks_in_a_row_take_it_down_and_up)
{
	struct health h = fresh(2, 3, true);
	CHECK(!health_check(&h, 101, FAIL_CONNECT, "connect", &why));
	CHECK(!health_check(&h, 102, FAIL_CONNECT, "connect", &why));
	CHECK(!health_check(&h, 103, FAIL_NONE, "greeting", &why)); /* the row is broken */
	CHECK(!health_check(&h, 104, FAIL_CONNECT, "connect", &why));
	CHECK(!health_check(&h, 105, FAIL_GREETING_TIMEOUT, "greeting", &why));
	CHECK(health_allows(&h, 105, false));
	CHECK(health_check(&h, 106, FAIL_CONNECT, "connect", &why));
	CHECK(!health_allows(&h, 106, true));
	CHECK_STR(h.last_stage, "connect");
	CHECK_STR(h.last_reason.text, "connection refused");
	CHECK_U64(h.by_fail[FAIL_CONNECT], 4);
	CHECK(!health_check(&h, 107, FAIL_NONE, "", &why));
	CHECK(health_check(&h, 108, FAIL_NONE, "", &why));
	CHECK(health_allows(&h, 108, false));
}

TEST(a_probe_users_wrong_password_is_no_failure_of_the_store)
{
	struct health h = fresh(1, 1, true);
	CHECK(!health_check(&h, 101, FAIL_CREDENTIALS, "login", &why));
	CHECK(h.state == HEALTH_UP);
	CHECK(h.last_fail == FAIL_CREDENTIALS);
}

TEST(one_users_trouble_takes_no_store_down)
{
	struct health h = fresh(1, 1, false);
	for (unsigned i = 0; i < 100; i++)
		CHECK(!health_login(&h, 101, FAIL_LOGIN_TIMEOUT, 7, "login", &why));
	CHECK(health_allows(&h, 101, false));
	CHECK(!health_login(&h, 102, FAIL_LOGIN_TIMEOUT, 8, "login", &why));
	CHECK(health_login(&h, 102, FAIL_LOGIN_TIMEOUT, 9, "login", &why));
	CHECK(!health_allows(&h, 102, false));
}

TEST(failures_far_apart_do_not_add_up)
{
	struct health h = fresh(1, 1, false);
	for (unsigned i = 0; i < 20; i++)
		CHECK(!health_login(
		    &h, 100 + i * (HEALTH_WINDOW + 1), FAIL_CONNECT, i, "connect", &why));
	CHECK(h.state == HEALTH_UP);
}

TEST(refused_credentials_never_count)
{
	struct health h = fresh(1, 1, false);
	for (unsigned i = 0; i < 100; i++)
		CHECK(!health_login(&h, 101, FAIL_CREDENTIALS, i, "login", &why));
	CHECK(h.state == HEALTH_UP);
	CHECK_U64(h.logins_failed, 0);
}

TEST(a_busy_store_is_not_down_for_a_few)
{
	struct health h = fresh(1, 1, false);
	for (unsigned i = 0; i < 100; i++) {
		CHECK(!health_login(&h, 101, FAIL_LOGIN_TIMEOUT, i, "login", &why));
		for (unsigned fine = 0; fine < 2; fine++)
			CHECK(!health_login(&h, 101, FAIL_NONE, 1000 + i, "", &why));
	}
	CHECK(!health_login(&h, 102, FAIL_NONE, 1, "", &why));
	CHECK(h.state == HEALTH_UP);
	/* Old answers do not stand for it for long. */
	for (unsigned i = 0; i + 1 < HEALTH_FAILURES; i++)
		CHECK(!health_login(&h, 102 + HEALTH_WINDOW, FAIL_CONNECT, i, "connect", &why));
	CHECK(health_login(&h, 102 + HEALTH_WINDOW, FAIL_CONNECT, 9, "connect", &why));
}

static void
take_down(struct health *h, double now)
{
	for (unsigned i = 0; i < HEALTH_FAILURES; i++)
		(void)health_login(h, now, FAIL_CONNECT, i, "connect", &why);
	CHECK(h->state == HEALTH_DOWN);
}

TEST(without_checks_one_login_at_a_time_tries_it)
{
	struct health h = fresh(1, 1, false);
	take_down(&h, 101);
	CHECK(!health_tick(&h, 101.5));
	CHECK(health_tick(&h, 101 + HEALTH_PAUSE_FIRST));
	CHECK(health_allows(&h, 103, false));
	CHECK(!health_allows(&h, 103, false));
	CHECK(health_allows(&h, 103 + HEALTH_WINDOW, false)); /* the first never reported */
	CHECK(health_login(&h, 140, FAIL_CREDENTIALS, 1, "login", &why));
	CHECK(h.state == HEALTH_UP);
}

TEST(a_trial_that_was_given_up_lets_the_next_try)
{
	struct health h = fresh(1, 1, false);
	take_down(&h, 101);
	CHECK(health_tick(&h, 101 + HEALTH_PAUSE_FIRST));
	CHECK(health_allows(&h, 103, false));
	CHECK(!health_allows(&h, 103, false));
	health_given_up(&h);
	CHECK(health_allows(&h, 103, false));
}

TEST(the_pause_doubles_up_to_its_bound)
{
	struct health h = fresh(1, 1, false);
	double now = 101, pause = HEALTH_PAUSE_FIRST;
	take_down(&h, now);
	for (unsigned i = 0; i < 10; i++) {
		CHECK(!health_tick(&h, now + pause - 0.01));
		now += pause;
		CHECK(health_tick(&h, now));
		CHECK(health_allows(&h, now, false));
		CHECK(health_login(&h, now, FAIL_CONNECT, 1, "connect", &why));
		pause = pause * 2 < HEALTH_PAUSE_MAX ? pause * 2 : HEALTH_PAUSE_MAX;
	}
}

TEST(with_checks_a_trial_takes_no_login)
{
	struct health h = fresh(2, 1, true);
	take_down(&h, 101);
	CHECK(health_tick(&h, 110));
	CHECK(!health_allows(&h, 110, false));
	CHECK(health_check(&h, 111, FAIL_CONNECT, "connect", &why));
	CHECK(h.state == HEALTH_DOWN);
	CHECK(!health_check(&h, 112, FAIL_NONE, "", &why));
	CHECK(health_check(&h, 113, FAIL_NONE, "", &why));
	CHECK(h.state == HEALTH_UP);
}

TEST(what_the_operator_says)
{
	struct health h = fresh(1, 1, false);
	h.admin = ADMIN_DRAIN;
	CHECK(!health_allows(&h, 101, false));
	CHECK(health_allows(&h, 101, true));
	h.admin = ADMIN_DISABLED;
	CHECK(!health_allows(&h, 101, true));
	h.admin = ADMIN_MAINTENANCE;
	CHECK(!health_allows(&h, 101, true));
	for (unsigned i = 0; i <= ADMIN_MAINTENANCE; i++) {
		enum health_admin a;
		CHECK(health_admin_parse(health_admin_name((enum health_admin)i), &a) && a == i);
	}
	enum health_admin a;
	CHECK(!health_admin_parse("off", &a));
}
