/*
 * tests/unit/directory_checks_test.c - when which store is checked, and what follows, by a clock in the test's hands.
 * links: tests/unit/fake_loop.c tests/unit/fake_resolve.c tests/unit/fake_conn.c tests/unit/fake_tls.c
 */
#include "test.h"

#include "base/log.h"
#include "directory/checks.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "fake_resolve.h"

#define STORES          4
#define CONNECT_TIMEOUT 5
#define REPLY_TIMEOUT   30

static struct loop *loop;
static struct names *names;
static struct affinity *affinity;
static struct checks *checks;
static struct index idx;
static struct backend backends[STORES];
static const struct backend *members[STORES][STORES];
static struct pool pools[STORES];
static unsigned n_pools;
static int log_pipe[2];
static char learnt[256];
static struct fake_peer *seen; /* the last that was looked at */

static void
on_learnt(void *arg, struct slice backend, struct slice text)
{
	CHECK(arg == &idx);
	(void)str_fmt(
	    learnt, sizeof(learnt), SLICE_FMT ": " SLICE_FMT, SLICE_ARG(backend), SLICE_ARG(text));
}

/* Four stores, store0 to store3, at 10.0.0.1 to 10.0.0.4; no pools. */
static void
begin(void)
{
	static const char *const store[] = { "store0", "store1", "store2", "store3" };
	static const char *const host[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" };
	struct err err;

	fake_resolve_reset();
	CHECK(pipe(log_pipe) == 0);
	log_setup(log_pipe[1], LOG_INFO, LOG_LOGFMT, "test");
	loop = loop_new();
	names = names_new(loop, &err);
	affinity = affinity_new(loop);
	checks = checks_new(loop, names);
	CHECK(loop && names && affinity && checks);
	checks_on_learnt(checks, on_learnt, &idx);
	for (unsigned i = 0; i < STORES; i++)
		backends[i] = (struct backend){ .name = store[i],
			.host = host[i],
			.port = 143,
			.index = i,
			.weight = 100,
			.connect_timeout = CONNECT_TIMEOUT,
			.reply_timeout = REPLY_TIMEOUT };
	n_pools = 0;
	learnt[0] = '\0';
	seen = NULL;
	memset(&idx, 0, sizeof(idx));
}

static void
pool(double interval, unsigned rise, unsigned fall, const char *digits)
{
	struct pool *p = &pools[n_pools];

	*p = (struct pool){ .name = n_pools ? "more" : "stores",
		.backends = members[n_pools],
		.check_interval = interval,
		.check_rise = rise,
		.check_fall = fall };
	for (const char *d = digits; *d; d++)
		members[n_pools][p->n++] = &backends[*d - '0'];
	n_pools++;
}

static void
configure(void)
{
	const struct directory_config config = {
		.pools = pools, .n_pools = n_pools, .backends = backends, .n_backends = STORES
	};
	struct index old = idx;

	CHECK(index_build(&idx, &config, old.backends ? &old : NULL, affinity, loop_now(loop)));
	checks_configure(checks, &idx);
	index_free(&old);
}

static void
end(void)
{
	checks_free(&checks);
	index_free(&idx);
	names_free(&names);
	affinity_free(&affinity);
	fake_loop_run_pending(loop);
	CHECK_U64(fake_loop_timers(loop), 0);
	loop_free(&loop);
	log_setup(STDERR_FILENO, LOG_ERROR, LOG_LOGFMT, "test");
	close(log_pipe[0]);
	close(log_pipe[1]);
}

/* Lines of the log that have @text, since the last call. */
static unsigned
logged(const char *text)
{
	static char all[65536];
	ssize_t len;
	unsigned n = 0;

	if (write(log_pipe[1], "", 1) != 1)
		return 0;
	len = read(log_pipe[0], all, sizeof(all) - 1);
	CHECK(len > 0);
	all[len] = '\0';
	for (char *p = all; (p = strstr(p, text)); p++)
		n++;
	return n;
}

/* The next connection that was begun; NULL: none. */
static struct fake_peer *
next_peer(void)
{
	struct fake_peer *p = seen ? seen->next : fake_conn_peers(fake_conn_env());

	if (p)
		seen = p;
	return p;
}

/* The clock goes on until a connection is begun, for at most @seconds. How long it took; -1: none came. */
static double
until_peer(double seconds, struct fake_peer **peer)
{
	double start = loop_now(loop);

	for (;;) {
		double next = fake_loop_next(loop), passed = loop_now(loop) - start;

		fake_loop_run_pending(loop);
		*peer = next_peer();
		if (*peer)
			return loop_now(loop) - start;
		next = fake_loop_next(loop);
		if (next < 0 || passed + next > seconds)
			return -1;
		fake_loop_advance(loop, next);
	}
}

static const char *
address_of(const struct fake_peer *p)
{
	static char text[ADDR_TEXT];

	return addr_format(text, &p->to);
}

static void
is_well(struct fake_peer *p)
{
	static const char text[] = "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n";

	fake_peer_connect(p);
	fake_peer_send(p, text, sizeof(text) - 1);
	fake_loop_run_pending(loop);
	CHECK(p->closed);
}

static void
is_away(struct fake_peer *p)
{
	fake_peer_refuse(p);
	fake_loop_run_pending(loop);
	CHECK(p->closed);
}

static struct health *
health(unsigned i)
{
	return index_health(&idx, &backends[i]);
}

/* The next check of the only store that is checked; false: it did not come in time. */
static bool
round_of(bool well, double seconds)
{
	struct fake_peer *p;

	if (until_peer(seconds, &p) < 0)
		return false;
	(well ? is_well : is_away)(p);
	return true;
}

TEST(intervals_with_jitter)
{
	double least = 1000, most = 0, took;
	struct fake_peer *p;

	begin();
	pool(10, 2, 3, "0");
	configure();
	took = until_peer(60, &p);
	CHECK(took >= 0.9 - 1e-6 && took <= 1.1 + 1e-6); /* the first comes soon */
	is_well(p);
	for (unsigned i = 0; i < 200; i++) {
		took = until_peer(60, &p);
		CHECK(took >= 9 - 1e-6 && took <= 11 + 1e-6);
		least = took < least ? took : least;
		most = took > most ? took : most;
		is_well(p);
	}
	CHECK(least < 9.5 && most > 10.5); /* and it is jitter */
	CHECK_U64(health(0)->checks, 201);
	CHECK_U64(health(0)->checks_failed, 0);
	end();
}

TEST(short_intervals_begin_at_once)
{
	struct fake_peer *p;
	double took;

	begin();
	pool(0.2, 2, 3, "0");
	configure();
	took = until_peer(60, &p);
	CHECK(took >= 0.18 - 1e-6 && took <= 0.22 + 1e-6);
	end();
}

TEST(the_interval_begins_when_the_check_has_ended)
{
	struct fake_peer *p;
	double took;

	begin();
	pool(2, 2, 3, "0");
	configure();
	CHECK(until_peer(60, &p) >= 0);
	fake_peer_connect(p);
	fake_loop_advance(loop, 20); /* it does not greet yet */
	CHECK(next_peer() == NULL);
	is_well(p);
	took = until_peer(60, &p);
	CHECK(took >= 1.8 - 1e-6 && took <= 2.2 + 1e-6);
	end();
}

TEST(only_stores_of_pools_are_checked)
{
	struct fake_peer *p;

	begin();
	pool(10, 2, 3, "13");
	pool(0, 2, 3, "02"); /* not checked */
	configure();
	for (unsigned i = 0; i < 2; i++) {
		CHECK(until_peer(60, &p) >= 0);
		CHECK(strcmp(address_of(p), "10.0.0.2:143") == 0 ||
		      strcmp(address_of(p), "10.0.0.4:143") == 0);
		is_well(p);
	}
	for (unsigned i = 0; i < 20; i++)
		CHECK(round_of(true, 60));
	CHECK_U64(health(0)->checks + health(2)->checks, 0);
	CHECK(health(1)->checks >= 9 && health(3)->checks >= 9);
	CHECK(health(1)->config.checked && health(3)->config.checked);
	CHECK(!health(0)->config.checked && !health(2)->config.checked);
	end();
}

TEST(nothing_is_checked_without_pools)
{
	struct fake_peer *p;

	begin();
	configure();
	CHECK(until_peer(1000, &p) < 0);
	CHECK_U64(fake_loop_timers(loop), 0);
	end();
}

TEST(the_shortest_interval_of_several_pools)
{
	struct fake_peer *p;

	begin();
	pool(60, 4, 5, "0");
	pool(10, 1, 2, "0");
	pool(30, 6, 7, "0");
	configure();
	CHECK_U64(health(0)->config.rise, 1);
	CHECK_U64(health(0)->config.fall, 2);
	CHECK(round_of(true, 60));
	for (unsigned i = 0; i < 10; i++) {
		double took = until_peer(60, &p);

		CHECK(took >= 9 - 1e-6 && took <= 11 + 1e-6);
		is_well(p);
	}
	end();
}

TEST(fall_and_rise)
{
	begin();
	pool(10, 2, 3, "0");
	configure();
	CHECK(round_of(true, 60));
	/* Fewer than three in a row are nothing. */
	CHECK(round_of(false, 60) && round_of(false, 60) && round_of(true, 60));
	CHECK(round_of(false, 60) && round_of(false, 60));
	CHECK_STR(health_state_name(health(0)->state), "up");
	CHECK_U64(logged("event=backend_"), 0);
	CHECK(round_of(false, 60));
	CHECK_STR(health_state_name(health(0)->state), "down");
	CHECK_STR(health(0)->last_stage, "connect");
	CHECK_STR(fail_name(health(0)->last_fail), "connect");
	CHECK(health(0)->last_reason.text[0] != '\0');
	CHECK_U64(logged("event=backend_down"), 1);
	/* It goes on being checked, and is told of once. */
	for (unsigned i = 0; i < 20; i++)
		CHECK(round_of(false, 60));
	CHECK(round_of(true, 60) && round_of(false, 60) && round_of(true, 60));
	CHECK_STR(health_state_name(health(0)->state), "down");
	CHECK_U64(logged("event=backend_"), 0);
	CHECK(round_of(true, 60));
	CHECK_STR(health_state_name(health(0)->state), "up");
	CHECK_U64(logged("event=backend_up"), 1);
	end();
}

TEST(a_name_that_cannot_be_resolved_is_a_failure)
{
	struct fake_peer *p;

	begin();
	backends[0].host = "imap.store0.test";
	pool(10, 2, 2, "0");
	configure();
	CHECK(until_peer(100, &p) < 0);
	CHECK_STR(health_state_name(health(0)->state), "down");
	CHECK_STR(health(0)->last_stage, "resolve");
	CHECK_STR(fail_name(health(0)->last_fail), "resolve");
	CHECK(strstr(health(0)->last_reason.text, "imap.store0.test"));
	fake_resolve_set("imap.store0.test", "10.0.0.9", 60);
	CHECK(round_of(true, 60) && round_of(true, 60));
	CHECK_STR(health_state_name(health(0)->state), "up");
	end();
}

TEST(all_addresses_have_their_turn)
{
	struct fake_peer *p;

	begin();
	backends[0].host = "imap.store0.test";
	fake_resolve_set("imap.store0.test", "10.1.0.1 10.1.0.2", 3600);
	pool(10, 2, 3, "0");
	configure();
	for (unsigned i = 0; i < 4; i++) {
		CHECK(until_peer(60, &p) >= 0);
		CHECK_STR(address_of(p), i % 2 ? "10.1.0.2:143" : "10.1.0.1:143");
		is_well(p);
	}
	end();
}

TEST(what_is_learnt_is_passed_on)
{
	begin();
	pool(10, 2, 3, "2");
	configure();
	CHECK(round_of(false, 60));
	CHECK_STR(learnt, "");
	CHECK(round_of(true, 60));
	CHECK_STR(learnt, "store2: IMAP4rev1 IDLE");
	end();
}

TEST(a_check_that_hangs_is_bounded)
{
	struct fake_peer *p;

	begin();
	pool(1, 2, 2, "0");
	configure();
	CHECK(until_peer(60, &p) >= 0); /* it never connects */
	fake_loop_advance(loop, CONNECT_TIMEOUT - 0.01);
	CHECK(!p->closed);
	CHECK(next_peer() == NULL); /* and one at a time */
	fake_loop_advance(loop, 0.02);
	CHECK(p->closed);
	CHECK_STR(fail_name(health(0)->last_fail), "connect-timeout");
	CHECK(until_peer(60, &p) >= 0); /* it never greets */
	fake_peer_connect(p);
	fake_loop_advance(loop, REPLY_TIMEOUT + 0.01);
	CHECK(p->closed);
	CHECK_STR(fail_name(health(0)->last_fail), "store-timeout");
	CHECK_STR(health(0)->last_stage, "greeting");
	CHECK_STR(health_state_name(health(0)->state), "down");
	CHECK(round_of(true, 60) && round_of(true, 60));
	CHECK_STR(health_state_name(health(0)->state), "up");
	end();
}

TEST(a_reload_begins_again)
{
	struct fake_peer *p, *q;
	double took;

	begin();
	pool(10, 2, 2, "01");
	configure();
	CHECK(until_peer(60, &p) >= 0 && until_peer(60, &q) >= 0);
	is_away(p);
	fake_peer_connect(q);
	fake_loop_run_pending(loop);
	/* One waits for its interval, one is under way: given up, without an outcome. */
	configure();
	CHECK(q->closed);
	took = until_peer(60, &p);
	CHECK(took >= 0.9 - 1e-6 && took <= 1.1 + 1e-6);
	is_away(p);
	CHECK(until_peer(60, &q) >= 0);
	is_away(q);
	CHECK_U64(health(0)->checks + health(1)->checks, 3);
	CHECK_U64(health(0)->checks_failed + health(1)->checks_failed, 3);
	/* What is known stays: one of them had failed before. */
	CHECK_U64(logged("event=backend_down"), 1);

	/* A store that is checked no more is left alone. */
	pools[0].n = 1;
	configure();
	for (unsigned i = 0; i < 5; i++)
		CHECK(round_of(true, 60));
	CHECK(!health(1)->config.checked);
	CHECK(health(1)->checks <= 2);
	end();
}

TEST(a_reload_while_a_name_is_asked_for)
{
	struct fake_peer *p;

	begin();
	backends[0].host = "imap.store0.test";
	fake_resolve_hold("imap.store0.test");
	pool(10, 2, 2, "0");
	configure();
	CHECK(until_peer(5, &p) < 0);
	configure();
	n_pools = 0;
	configure();
	fake_resolve_set("imap.store0.test", "10.0.0.9", 60);
	fake_resolve_release("imap.store0.test");
	CHECK(until_peer(100, &p) < 0);
	end();
}

TEST(an_end_with_checks_under_way)
{
	struct fake_peer *p;

	begin();
	pool(10, 2, 3, "0123");
	configure();
	CHECK(until_peer(60, &p) >= 0);
	fake_peer_connect(p);
	fake_loop_run_pending(loop);
	end();
}

/* The next check: how the store answers the login. */
static void
answers_login(const char *status)
{
	static const char greeting[] = "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n";
	struct fake_peer *p;
	char text[256];
	struct slice line;

	CHECK(until_peer(60, &p) >= 0);
	fake_peer_connect(p);
	fake_peer_send(p, greeting, sizeof(greeting) - 1);
	fake_loop_run_pending(loop);
	line = buf_slice(&p->out);
	CHECK(memmem(line.p, line.len, " LOGIN \"probe\" ", 15));
	(void)str_fmt(text, sizeof(text), "%.*s %s\r\n", (int)strcspn(line.p, " "), line.p, status);
	fake_peer_send(p, text, strlen(text));
	fake_loop_run_pending(loop);
	CHECK(p->closed);
}

TEST(a_probe_user_who_is_refused_takes_no_store_down)
{
	begin();
	backends[0].probe_user = "probe";
	CHECK(secret_set(&backends[0].probe_password, SLICE("pa55word")));
	pool(10, 1, 1, "0");
	configure();
	answers_login("OK [CAPABILITY IMAP4rev1] in");
	CHECK_U64(health(0)->checks, 1);
	CHECK_U64(logged("event="), 0);
	for (unsigned i = 0; i < 5; i++) {
		learnt[0] = '\0';
		answers_login("NO [AUTHENTICATIONFAILED] pa55word is wrong");
		CHECK_STR(learnt, "store0: IMAP4rev1 IDLE");
	}
	CHECK_STR(health_state_name(health(0)->state), "up");
	CHECK_U64(health(0)->checks, 6);
	CHECK_U64(health(0)->checks_failed, 0);
	CHECK_STR(health(0)->last_stage, "login");
	CHECK_STR(fail_name(health(0)->last_fail), "credentials");
	CHECK_STR(health(0)->last_reason.text, "the store does not let the probe user in");
	CHECK_U64(logged("event=probe_refused"), 1);
	/* A store that is away says nothing of the password. */
	CHECK(round_of(false, 60));
	CHECK_STR(health_state_name(health(0)->state), "down");
	answers_login("NO wrong");
	CHECK_STR(health_state_name(health(0)->state), "up");
	CHECK_U64(logged("event=probe_"), 0);
	answers_login("OK [CAPABILITY IMAP4rev1] in");
	answers_login("OK [CAPABILITY IMAP4rev1] in");
	CHECK_U64(logged("event=probe_accepted"), 1);
	secret_clear(&backends[0].probe_password);
	end();
}
