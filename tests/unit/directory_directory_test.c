/*
 * tests/unit/directory_directory_test.c - the whole decision, with lookups and a resolver that answer when the test says so.
 * links: tests/unit/fake_loop.c tests/unit/fake_resolve.c
 */
#include "test.h"

#include "base/log.h"
#include "base/mem.h"
#include "directory/directory.h"
#include "directory/lookup.h"
#include "fake_loop.h"
#include "fake_resolve.h"

/* --- a source that answers later */

#define SLOW_MAX 16

struct slow {
	struct lookup base;
	struct {
		lookup_fn *fn;
		void *arg;
		char user[64];
	} asked[SLOW_MAX];
	unsigned n, cancelled;
};

static void
slow_ask(struct lookup *l, struct slice user, lookup_fn *fn, void *arg)
{
	struct slow *s = container_of(l, struct slow, base);

	CHECK(s->n < SLOW_MAX);
	s->asked[s->n].fn = fn;
	s->asked[s->n].arg = arg;
	CHECK(str_put(s->asked[s->n].user, sizeof(s->asked[0].user), user));
	s->n++;
}

static void
slow_take(struct slow *s, unsigned i)
{
	s->n--;
	memmove(&s->asked[i], &s->asked[i + 1], (s->n - i) * sizeof(s->asked[0]));
}

static void
slow_cancel(struct lookup *l, void *arg)
{
	struct slow *s = container_of(l, struct slow, base);

	for (unsigned i = 0; i < s->n; i++)
		if (s->asked[i].arg == arg) {
			slow_take(s, i);
			s->cancelled++;
			return;
		}
}

static void
slow_free(struct lookup *l)
{
	mem_free(container_of(l, struct slow, base));
}

static const struct lookup_ops slow_ops = {
	.scheme = "slow",
	.ask = slow_ask,
	.cancel = slow_cancel,
	.free = slow_free,
};

static struct lookup *
slow_new(void)
{
	struct slow *s = mem_zalloc(sizeof(*s));

	CHECK(s != NULL);
	s->base.ops = &slow_ops;
	s->base.source = "slow:test";
	return &s->base;
}

static struct slow *
slow_of(struct lookup *l)
{
	return container_of(l, struct slow, base);
}

/* Answers the oldest question: with a line as of a users file; "": not known; NULL: failed. */
static void
slow_answer(struct lookup *l, const char *text)
{
	struct slow *s = slow_of(l);
	lookup_fn *fn = s->asked[0].fn;
	void *arg = s->asked[0].arg;
	struct lookup_answer answer;
	struct err err;

	CHECK(s->n > 0);
	slow_take(s, 0);
	err_set(&err, "connection refused");
	if (!text) {
		fn(arg, -1, NULL, &err);
	} else if (!text[0]) {
		fn(arg, 0, NULL, NULL);
	} else {
		CHECK(lookup_answer_parse(slice_of(text), &answer, &err) == 0);
		fn(arg, 1, &answer, NULL);
	}
}

/* --- the world: stores a b c in a pool, spare behind it, old alone */

enum { A, B, C, SPARE, OLD, STORES };

static struct loop *loop;
static struct directory *d;
static struct backend backends[STORES];
static const struct backend *one[STORES], *abc[3];
static struct pool pools[1 + STORES];
static struct lookup *file, *slow, *lookups[2];
static const struct username_step steps[] = { { USERNAME_LOWERCASE, NULL },
	{ USERNAME_DEFAULT_DOMAIN, "example.org" } };
static struct route routes[2];
static struct directory_config config;
static int log_pipe[2];

static struct {
	unsigned calls;
	struct route_answer a;
	uint64_t ids[SLOW_MAX];
} got;

static void
on_answer(void *arg, const struct route_answer *answer)
{
	CHECK(arg == &got);
	if (got.calls < SLOW_MAX)
		got.ids[got.calls] = answer->id;
	got.calls++;
	got.a = *answer;
}

static void
no_mistake(void *arg, int line, const char *text)
{
	(void)arg;
	FAIL("line %d: %s", line, text);
}

static struct lookup *
users(const char *text)
{
	struct lookup *l = lookup_file_new("file:/users", slice_of(text), NULL, no_mistake, NULL);

	CHECK(l != NULL);
	return l;
}

static void
configure(void)
{
	struct err err;

	CHECK_INT(directory_configure(d, &config, &err), 0);
}

static void
begin(const char *text)
{
	static const char *const names[STORES] = { "a", "b", "c", "spare", "old" };
	static const char *const hosts[STORES] = { "10.0.0.1", "10.0.0.2", "10.0.0.3",
		"spare.example.org", "old.example.org" };
	struct err err;

	fake_resolve_reset();
	fake_resolve_set("spare.example.org", "10.0.0.4", 60);
	fake_resolve_set("old.example.org", "10.0.0.5 10.0.0.6", 60);
	memset(&got, 0, sizeof(got));
	CHECK(pipe(log_pipe) == 0);
	log_setup(log_pipe[1], LOG_INFO, LOG_LOGFMT, "test");
	loop = loop_new();
	d = directory_new(loop, &err);
	CHECK(d != NULL);
	for (unsigned i = 0; i < STORES; i++) {
		backends[i] = (struct backend){
			.name = names[i], .host = hosts[i], .port = 143, .weight = 100, .index = i
		};
		one[i] = &backends[i];
		pools[1 + i] = (struct pool){ .name = names[i], .backends = &one[i], .n = 1 };
		if (i < 3)
			abc[i] = &backends[i];
	}
	pools[0] = (struct pool){ .name = "stores",
		.backends = abc,
		.n = 3,
		.balance = BALANCE_HASH,
		.affinity = true,
		.affinity_time = 60,
		.fallback = &pools[1 + SPARE] };
	file = users(text);
	slow = slow_new();
	lookups[0] = file;
	lookups[1] = slow;
	routes[0] = (struct route){ .name = "",
		.steps = steps,
		.n_steps = 2,
		.lookups = lookups,
		.n_lookups = 1,
		.default_target = NULL };
	config = (struct directory_config){ .routes = routes,
		.n_routes = 1,
		.pools = pools,
		.n_pools = 1 + STORES,
		.backends = backends,
		.n_backends = STORES };
	configure();
	fake_loop_run_pending(loop);
}

static void
end(void)
{
	directory_free(&d);
	CHECK(d == NULL);
	lookup_free(&file);
	lookup_free(&slow);
	CHECK_U64(fake_loop_timers(loop), 0);
	loop_free(&loop);
	log_setup(STDERR_FILENO, LOG_ERROR, LOG_LOGFMT, "test");
	close(log_pipe[0]);
	close(log_pipe[1]);
}

static const char *
logged(void)
{
	static char all[65536];
	ssize_t len;

	CHECK(write(log_pipe[1], "", 1) == 1);
	len = read(log_pipe[0], all, sizeof(all) - 1);
	CHECK(len > 0);
	all[len] = '\0';
	return all;
}

static void
ask_as(unsigned worker, uint64_t id, const char *user)
{
	struct route_question q = { .id = id, .listener = "imap" };

	CHECK(str_put(q.user, sizeof(q.user), slice_of(user)));
	directory_ask(d, worker, &q, on_answer, &got);
}

/* Asks, lets all turns run, and gives "FAIL" or the candidates: "pool: a b c", "!" behind a pinned pool. */
static const char *
ask(const char *user)
{
	static char text[512];
	unsigned before = got.calls;

	ask_as(1, 7, user);
	fake_loop_run_pending(loop);
	if (got.calls == before)
		return "waits";
	CHECK_U64(got.calls, before + 1);
	CHECK_U64(got.a.id, 7);
	if (got.a.fail != FAIL_NONE) {
		CHECK_U64(got.a.n_candidates, 0);
		return fail_name(got.a.fail);
	}
	str_fmt(text, sizeof(text), "%s%s:", got.a.route, got.a.pinned ? "!" : "");
	for (unsigned i = 0; i < got.a.n_candidates; i++) {
		const struct route_candidate *c = &got.a.candidates[i];
		size_t len = strlen(text);

		str_fmt(
		    text + len, sizeof(text) - len, " %s", c->backend[0] ? c->backend : c->host);
	}
	return text;
}

static void
opened(const char *user, const char *backend)
{
	directory_session_open(d, 1, slice_of(user), slice_of(backend));
}

static void
closed(const char *user, const char *backend)
{
	directory_session_close(d, 1, slice_of(user), slice_of(backend));
}

/* --- the way through */

TEST(a_user_is_known_by_a_file)
{
	char text[ADDR_TEXT];

	begin("@example.org stores\nalice@example.org old tls=implicit verify=no user=Alice\n");
	CHECK_STR(ask("ALICE"), "old: old");
	CHECK_STR(got.a.key, "alice@example.org");
	CHECK_STR(got.a.user, "Alice");
	CHECK_INT(got.a.tls, TLS_MODE_IMPLICIT);
	CHECK_INT(got.a.verify, 0);
	CHECK_STR(got.a.reason, "file:/users:2 (alice@example.org) -> old, hash");
	CHECK_STR(got.a.candidates[0].host, "old.example.org");
	CHECK_U64(got.a.candidates[0].port, 143);
	CHECK_U64(got.a.candidates[0].n_addrs, 2);
	CHECK_STR(addr_format(text, &got.a.candidates[0].addrs[0]), "10.0.0.5:143");

	ask("bob");
	CHECK_STR(got.a.user, "bob@example.org");
	CHECK_STR(got.a.reason, "file:/users:1 (@example.org) -> stores, hash");
	CHECK_INT(got.a.tls, -1);
	CHECK_INT(got.a.verify, -1);
	CHECK_U64(got.a.n_candidates, 4);
	CHECK_STR(got.a.candidates[3].backend, "spare");
	CHECK_U64(directory_waiting(d), 0);
	end();
}

TEST(an_answer_that_is_known_comes_at_once)
{
	begin("@example.org stores\n");
	ask_as(1, 1, "bob");
	CHECK_U64(got.calls, 1);
	end();
}

TEST(unknown_and_unusable_names)
{
	begin("bob@example.org stores\n");
	CHECK_STR(ask("carol"), "unknown-user");
	CHECK_STR(got.a.key, "carol@example.org");
	CHECK_STR(got.a.reason, "known to no lookup, and there is no default");
	CHECK_STR(ask(""), "bad-name");
	CHECK_STR(ask("a\tb"), "bad-name");
	config.n_routes = 0;
	configure();
	CHECK_STR(ask("bob"), "unknown-user");
	CHECK_STR(got.a.reason, "no route for this listener and server name");
	end();
}

TEST(the_default_serves_who_is_not_known)
{
	begin("bob@example.org old\n");
	routes[0].default_target = &pools[0];
	routes[0].name = "main";
	CHECK_STR(ask("bob"), "old: old");
	ask("carol");
	CHECK_STR(got.a.route, "stores");
	CHECK_STR(got.a.reason, "route main: default -> stores, hash");
	end();
}

TEST(lookups_are_asked_in_turn)
{
	begin("bob@example.org old\n");
	routes[0].n_lookups = 2;
	CHECK_STR(ask("bob"), "old: old");
	CHECK_U64(slow_of(slow)->n, 0); /* the first that knows */
	CHECK_STR(ask("carol"), "waits");
	CHECK_U64(directory_waiting(d), 1);
	CHECK_STR(slow_of(slow)->asked[0].user, "carol@example.org");
	slow_answer(slow, "a user=c");
	CHECK_U64(got.calls, 2);
	CHECK_STR(got.a.route, "a");
	CHECK_STR(got.a.user, "c");
	CHECK_STR(got.a.reason, "slow:test -> a, hash");
	CHECK_STR(ask("dave"), "waits");
	slow_answer(slow, "");
	CHECK_STR(fail_name(got.a.fail), "unknown-user");
	end();
}

TEST(a_lookup_that_fails_is_no_unknown_user)
{
	begin("");
	lookups[0] = slow;
	lookups[1] = file;
	routes[0].n_lookups = 2;
	routes[0].default_target = &pools[0];
	ask("bob");
	slow_answer(slow, NULL);
	CHECK_INT(got.a.fail, FAIL_LOOKUP); /* neither the next lookup nor the default */
	CHECK_U64(got.a.n_candidates, 0);
	CHECK_STR(got.a.reason, "slow:test failed");
	{
		const char *line = logged();

		CHECK(strstr(line, "event=lookup_failed") != NULL);
		CHECK(strstr(line, "slow:test") != NULL);
		CHECK(strstr(line, "connection refused") != NULL);
		CHECK(strchr(line, '\n') == strrchr(line, '\n'));
	}
	ask("bob");
	slow_answer(slow, "nowhere");
	CHECK_INT(got.a.fail, FAIL_LOOKUP); /* a source in error is no verdict on the user either */
	CHECK(strstr(logged(), "nowhere") != NULL);
	end();
}

TEST(a_target_may_be_an_address)
{
	char text[ADDR_TEXT];

	begin("a@x 192.0.2.1:1143\nb@x [2001:db8::1]:993 tls=implicit\nc@x Mail.Example.net:143\n");
	CHECK_STR(ask("a@x"), "192.0.2.1:1143: 192.0.2.1");
	CHECK_STR(got.a.candidates[0].backend, "");
	CHECK_STR(addr_format(text, &got.a.candidates[0].addrs[0]), "192.0.2.1:1143");
	CHECK_STR(ask("b@x"), "[2001:db8::1]:993: 2001:db8::1");
	CHECK_INT(got.a.tls, TLS_MODE_IMPLICIT);
	CHECK_STR(addr_format(text, &got.a.candidates[0].addrs[0]), "[2001:db8::1]:993");
	opened("b@x", "[2001:db8::1]:993");
	CHECK_STR(ask("b@x"), "[2001:db8::1]:993!: 2001:db8::1");
	CHECK_STR(ask("c@x"), "resolve");
	fake_resolve_set("mail.example.net", "192.0.2.9", 60);
	fake_loop_advance(loop, 3);
	CHECK_STR(ask("c@x"), "mail.example.net:143: mail.example.net");

	opened("c@x", "mail.example.net:143");
	CHECK_STR(ask("c@x"), "mail.example.net:143!: mail.example.net");
	closed("c@x", "mail.example.net:143");
	CHECK_STR(ask("c@x"), "mail.example.net:143: mail.example.net");
	end();
}

/* --- affinity */

TEST(a_user_with_open_sessions_goes_where_they_are)
{
	char want[128], other[BACKEND_NAME_MAX];

	begin("@example.org stores\n");
	ask("bob");
	/* not the one that the hash would choose */
	memcpy(other, got.a.candidates[1].backend, sizeof(other));
	opened("bob@example.org", other);
	opened("bob@example.org", other);
	snprintf(want, sizeof(want), "stores!: %s", other);
	CHECK_STR(ask("bob"), want);
	CHECK(strstr(got.a.reason, ", with 2 open at ") != NULL);
	fake_loop_advance(loop, 10000);
	CHECK_STR(ask("bob"), want);

	closed("bob@example.org", other);
	closed("bob@example.org", other);
	ask("bob");
	CHECK(!got.a.pinned);
	CHECK_STR(got.a.candidates[0].backend, other); /* first, and others behind it */
	CHECK_U64(got.a.n_candidates, 4);
	CHECK(strstr(got.a.reason, ", lately at ") != NULL);
	fake_loop_advance(loop, 61);
	ask("bob");
	CHECK(strcmp(got.a.candidates[0].backend, other) != 0);
	end();
}

TEST(sessions_at_a_fallback_hold_too)
{
	begin("@example.org stores\n");
	opened("bob@example.org", "spare");
	CHECK_STR(ask("bob"), "stores!: spare");
	closed("bob@example.org", "spare");
	ask("bob");
	CHECK_STR(got.a.candidates[0].backend, "spare");
	CHECK_U64(got.a.n_candidates, 4);
	fake_loop_advance(loop, 59);
	ask("bob");
	CHECK_STR(
	    got.a.candidates[0].backend, "spare"); /* the pool's time, though spare is none of it */
	end();
}

TEST(another_target_is_followed)
{
	begin("@example.org stores\n");
	opened("bob@example.org", "old");
	ask("bob");
	CHECK(!got.a.pinned);
	CHECK_U64(got.a.n_candidates, 4);
	opened("bob@example.org", "c"); /* the old one and one of the pool's: the pool's holds */
	CHECK_STR(ask("bob"), "stores!: c");
	end();
}

TEST(a_pool_without_affinity_forgets_at_once)
{
	begin("@example.org stores\n");
	pools[0].affinity = false;
	configure();
	ask("bob");
	opened("bob@example.org", got.a.candidates[2].backend);
	ask("bob");
	CHECK(!got.a.pinned);
	CHECK_U64(got.a.n_candidates, 4);
	end();
}

TEST(sessions_vanish_with_their_worker)
{
	begin("@example.org stores\n");
	opened("bob@example.org", "b");
	directory_worker_gone(d, 2);
	CHECK_STR(ask("bob"), "stores!: b");
	directory_worker_gone(d, 1);
	ask("bob");
	CHECK(!got.a.pinned);
	CHECK_STR(got.a.candidates[0].backend, "b"); /* it comes back to where it was */
	end();
}

/* --- balancing */

TEST(least_counts_sessions_and_promises)
{
	unsigned count[STORES] = { 0 };

	begin("@example.org stores\n");
	pools[0].balance = BALANCE_LEAST;
	opened("x1@example.org", "a");
	opened("x2@example.org", "a");
	opened("x3@example.org", "b");
	/* a storm: nobody has logged in yet when the last one asks */
	for (unsigned i = 0; i < 9; i++) {
		char user[16];

		snprintf(user, sizeof(user), "u%u", i);
		ask(user);
		count[got.a.candidates[0].backend[0] - 'a']++;
	}
	CHECK_U64(count[A], 2);
	CHECK_U64(count[B], 3);
	CHECK_U64(count[C], 4);
	/* a promise not kept is forgotten */
	fake_loop_advance(loop, 25);
	ask("v");
	CHECK_STR(got.a.candidates[0].backend, "c");
	/* one that is kept counts once: a and b have two each, c one */
	opened("v@example.org", "c");
	opened("x4@example.org", "b");
	ask("w");
	CHECK_STR(got.a.candidates[0].backend, "c");
	end();
}

TEST(round_robin_goes_on_over_a_configuration)
{
	begin("@example.org stores\n");
	pools[0].balance = BALANCE_ROUND_ROBIN;
	ask("u1");
	CHECK_STR(got.a.candidates[0].backend, "a");
	ask("u2");
	CHECK_STR(got.a.candidates[0].backend, "b");
	configure();
	ask("u3");
	CHECK_STR(got.a.candidates[0].backend, "c");
	end();
}

TEST(large_pools_leave_room_for_their_fallbacks)
{
	static struct backend many[12];
	static const struct backend *refs[12], *behind[1];
	static char names[12][8];
	static struct pool p[2];

	begin("@example.org many\n");
	for (unsigned i = 0; i < 12; i++) {
		snprintf(names[i], sizeof(names[i]), "m%u", i);
		many[i] = (struct backend){
			.name = names[i], .host = "10.1.0.1", .port = 143, .weight = 100, .index = i
		};
		refs[i] = &many[i];
	}
	behind[0] = &many[11];
	p[0] = (struct pool){ .name = "many", .backends = refs, .n = 11, .fallback = &p[1] };
	p[1] = (struct pool){ .name = "behind", .backends = behind, .n = 1 };
	config.pools = p;
	config.n_pools = 2;
	config.backends = many;
	config.n_backends = 12;
	configure();
	ask("bob");
	CHECK_U64(got.a.n_candidates, ROUTE_CANDIDATES);
	CHECK_STR(got.a.candidates[ROUTE_CANDIDATES - 1].backend, "m11");
	p[1].fallback = &p[0]; /* a circle is a mistake of the configuration's, but ends */
	ask("bob");
	for (unsigned i = 0; i < got.a.n_candidates; i++)
		for (unsigned j = 0; j < i; j++)
			CHECK(strcmp(got.a.candidates[i].backend, got.a.candidates[j].backend));
	end();
}

/* --- addresses */

TEST(one_name_that_fails_keeps_the_others)
{
	begin("@example.org stores\n");
	fake_resolve_fail("spare.example.org");
	fake_loop_advance(loop, 400);
	backends[SPARE].host = "gone.example.org";
	configure();
	ask("bob");
	CHECK_INT(got.a.fail, FAIL_NONE);
	CHECK_U64(got.a.n_candidates, 4);
	CHECK_U64(got.a.candidates[0].n_addrs, 1);
	CHECK_STR(got.a.candidates[3].backend, "spare");
	CHECK_U64(got.a.candidates[3].n_addrs, 0);
	end();
}

TEST(names_that_all_fail_are_an_outage)
{
	begin("@example.org old\n");
	backends[OLD].host = "gone.example.org";
	configure();
	CHECK_STR(ask("bob"), "resolve");
	CHECK(strstr(logged(), "event=resolve_failed") != NULL);
	end();
}

TEST(names_are_resolved_ahead)
{
	begin("@example.org old\n");
	CHECK_U64(fake_resolve_asked("old.example.org"), 1);
	ask_as(1, 1, "bob");
	CHECK_U64(got.calls, 1);
	CHECK_U64(fake_resolve_asked("old.example.org"), 1);
	end();
}

TEST(many_questions_wait_for_one_name)
{
	begin("@example.org old\n");
	fake_loop_advance(loop, 61);
	fake_resolve_hold("old.example.org");
	for (unsigned i = 0; i < 10; i++)
		ask_as(1, i, "bob");
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 0);
	CHECK_U64(directory_waiting(d), 10);
	fake_resolve_release("old.example.org");
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 10);
	for (unsigned i = 0; i < 10; i++)
		CHECK_U64(got.ids[i], i); /* in order */
	CHECK_U64(fake_resolve_asked("old.example.org"), 2);
	CHECK_U64(directory_waiting(d), 0);
	end();
}

TEST(a_slow_name_of_a_fallback_holds_up_nobody_for_long)
{
	begin("@example.org stores\n");
	backends[SPARE].host = "slow.example.org";
	fake_resolve_hold("slow.example.org");
	configure();
	CHECK_STR(ask("bob"), "waits");
	fake_loop_advance(loop, 1.1);
	CHECK_U64(got.calls, 1);
	CHECK_U64(got.a.candidates[0].n_addrs, 1);
	CHECK_U64(got.a.candidates[3].n_addrs, 0);
	end();
}

TEST(a_slow_name_of_the_best_store_is_waited_for)
{
	unsigned best;

	begin("@example.org stores\n");
	ask("bob");
	best = (unsigned)(got.a.candidates[0].backend[0] - 'a');
	backends[best].host = "slow.example.org";
	fake_resolve_hold("slow.example.org");
	configure();
	CHECK_STR(ask("bob"), "waits");
	fake_loop_advance(loop, 4);
	CHECK_U64(got.calls, 1);
	fake_resolve_set("slow.example.org", "10.0.0.9", 60);
	fake_resolve_release("slow.example.org");
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 2);
	CHECK_U64(got.a.candidates[0].n_addrs, 1);

	/* once it has failed, the next best is enough */
	backends[best].host = "slower.example.org";
	fake_resolve_hold("slower.example.org");
	configure();
	CHECK_STR(ask("bob"), "waits");
	fake_loop_advance(loop, 4);
	fake_resolve_release("slower.example.org");
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 3);
	CHECK_U64(got.a.candidates[0].n_addrs, 0);
	CHECK_U64(got.a.candidates[1].n_addrs, 1);
	end();
}

/* --- in between */

TEST(a_worker_goes_while_its_questions_wait)
{
	begin("@example.org old\n");
	routes[0].n_lookups = 2;
	ask_as(1, 1, "x@lookup");
	ask_as(2, 2, "y@lookup");
	fake_loop_advance(loop, 61);
	fake_resolve_hold("old.example.org");
	ask_as(1, 3, "x");
	ask_as(2, 4, "y");
	CHECK_U64(directory_waiting(d), 4);
	directory_worker_gone(d, 1);
	CHECK_U64(directory_waiting(d), 2);
	CHECK_U64(slow_of(slow)->cancelled, 1);
	slow_answer(slow, "a");
	fake_resolve_release("old.example.org");
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 2);
	CHECK_U64(got.ids[0], 2);
	CHECK_U64(got.ids[1], 4);
	end();
}

TEST(everything_goes_while_questions_wait)
{
	begin("@example.org old\n");
	routes[0].n_lookups = 2;
	ask_as(1, 1, "x@lookup");
	fake_loop_advance(loop, 61);
	fake_resolve_hold("old.example.org");
	ask_as(1, 2, "x");
	ask_as(1, 3, "y@lookup");
	configure(); /* 1 and 3 are to begin again */
	end();
	CHECK_U64(got.calls, 0);
}

TEST(a_new_configuration_while_a_lookup_is_asked)
{
	struct lookup *fresh, *gone = NULL;

	begin("");
	lookups[0] = slow;
	ask_as(1, 1, "bob");
	ask_as(2, 2, "carol");
	CHECK_U64(slow_of(slow)->n, 2);

	/* The old one goes with everything in it, as soon as the new one is in force. */
	fresh = users("@example.org b\n");
	lookups[0] = fresh;
	configure();
	CHECK_U64(slow_of(slow)->cancelled, 2);
	lookup_free(&slow);
	lookup_free(&file);
	file = fresh;
	slow = gone;
	CHECK_U64(got.calls, 0); /* never from within */
	directory_worker_gone(d, 1);
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 1);
	CHECK_U64(got.a.id, 2);
	CHECK_STR(got.a.route, "b");
	CHECK_STR(got.a.key, "carol@example.org");
	end();
}

TEST(a_new_configuration_while_a_name_is_resolved)
{
	begin("@example.org old\n");
	fake_loop_advance(loop, 61);
	fake_resolve_hold("old.example.org");
	ask_as(1, 1, "bob");
	config.n_backends = 2;
	config.pools = &pools[1];
	config.n_pools = 2;
	config.n_routes = 0;
	configure();
	memset(&backends[OLD], 0, sizeof(backends[OLD]));
	fake_resolve_release("old.example.org");
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 1);
	CHECK_STR(got.a.candidates[0].backend, "old");
	CHECK_STR(got.a.candidates[0].host, "old.example.org");
	end();
}

/* An answer's receiver may ask again, report, and lose a worker. */
static void
on_answer_busy(void *arg, const struct route_answer *answer)
{
	(void)arg;
	got.calls++;
	directory_session_open(d, 2, slice_of(answer->key), SLICE("old"));
	if (got.calls == 1) {
		ask_as(2, 99, "z");
		directory_worker_gone(d, 1);
	}
}

TEST(who_is_answered_may_do_anything)
{
	struct route_question q = { .id = 1, .user = "bob", .listener = "imap" };

	begin("@example.org old\n");
	fake_loop_advance(loop, 61);
	fake_resolve_hold("old.example.org");
	directory_ask(d, 2, &q, on_answer_busy, NULL);
	directory_ask(d, 1, &q, on_answer_busy, NULL); /* was about to be answered */
	directory_ask(d, 2, &q, on_answer_busy, NULL);
	fake_resolve_release("old.example.org");
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 3); /* two of worker 2, and z */
	CHECK_U64(directory_waiting(d), 0);
	end();
}

TEST(questions_are_bounded)
{
	begin("@example.org old\n");
	fake_loop_advance(loop, 61);
	fake_resolve_hold("old.example.org");
	for (unsigned i = 0; i < DIRECTORY_QUESTIONS_MAX; i++)
		ask_as(1, i, "bob");
	CHECK_U64(got.calls, 0);
	ask_as(2, 4711, "bob");
	CHECK_U64(got.calls, 1);
	CHECK_INT(got.a.fail, FAIL_DIRECTORY);
	CHECK_U64(got.a.id, 4711);
	directory_worker_gone(d, 1);
	CHECK_U64(directory_waiting(d), 0);
	fake_resolve_release("old.example.org");
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 1);
	end();
}

TEST(reasons_are_bounded)
{
	char text[1200], user[400];
	size_t len;

	memset(user, 'u', sizeof(user) - 1);
	user[sizeof(user) - 1] = '\0';
	len = (size_t)snprintf(text, sizeof(text), "%s@example.org old\n", user);
	CHECK(len < sizeof(text));
	begin(text);
	CHECK_STR(ask(user), "old: old");
	CHECK_U64(strlen(got.a.reason), ROUTE_REASON_MAX - 1);
	end();
}

/* --- outcomes of logins */

static void
login(const char *backend, enum fail fail, uint64_t user)
{
	const struct login_outcome o = { .backend = slice_of(backend),
		.fail = fail,
		.user = user,
		.stage = SLICE("greeting"),
		.reason = SLICE("it hung up") };

	directory_login(d, 1, &o);
}

TEST(failures_of_several_users_take_a_store_down_and_one_login_brings_it_back)
{
	const struct login_outcome given_up = { .backend = SLICE("old"), .given_up = true };

	begin("al@example.org old\n");
	CHECK_STR(ask("al"), "old: old");
	for (unsigned i = 0; i < 100; i++)
		login("old", FAIL_GONE, 1);
	CHECK_STR(ask("al"), "old: old");
	login("old", FAIL_GONE, 2);
	login("nobody", FAIL_GONE, 2);
	login("old", FAIL_GONE, 3);
	CHECK_STR(ask("al"), "no-store-left");
	CHECK(strstr(logged(), "event=backend_down backend=old by=logins stage=greeting "
			       "reason=store-gone detail=\"it hung up\"") != NULL);
	fake_loop_advance(loop, HEALTH_PAUSE_FIRST);
	CHECK_STR(ask("al"), "old: old");
	CHECK_STR(ask("al"), "no-store-left"); /* one at a time */
	directory_login(d, 1, &given_up);
	CHECK_STR(ask("al"), "old: old");
	login("old", FAIL_CREDENTIALS, 1);
	CHECK(strstr(logged(), "event=backend_up backend=old by=logins") != NULL);
	CHECK_STR(ask("al"), "old: old");
	CHECK_STR(ask("al"), "old: old");
	end();
}

TEST(at_most_so_many_log_in_at_once)
{
	const struct login_outcome over = { .question = 1, .backend = SLICE("old") };
	const struct login_outcome unused = { .question = 2, .given_up = true };

	begin("al@example.org old\n");
	backends[OLD].max_logging_in = 1;
	configure();
	ask_as(1, 1, "al");
	for (uint64_t id = 2; id <= 5; id++)
		ask_as(id == 4 ? 2 : 1, id, "al");
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 1);
	CHECK_U64(directory_waiting(d), 4);
	directory_login(d, 1, &over);
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 2);
	CHECK_U64(got.ids[1], 2);
	directory_login(d, 2, &unused); /* not its place */
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 2);
	directory_login(d, 1, &unused);
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 3);
	CHECK_U64(got.ids[2], 3);
	directory_worker_gone(d, 1); /* with its place, and with question 5 */
	fake_loop_run_pending(loop);
	CHECK_U64(got.calls, 4);
	CHECK_U64(got.ids[3], 4);
	CHECK_U64(directory_waiting(d), 0);
	ask_as(1, 6, "al");
	CHECK_U64(directory_waiting(d), 1);
	end();
}
