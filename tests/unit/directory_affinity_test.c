/*
 * tests/unit/directory_affinity_test.c - users at stores: while sessions are open, for a while after, and within bounds.
 * links: tests/unit/fake_loop.c
 */
#include "test.h"

#include "directory/affinity.h"
#include "fake_loop.h"

static struct loop *loop;
static struct affinity *a;

static void
begin(size_t max)
{
	loop = loop_new();
	CHECK(loop != NULL);
	a = affinity_new_bounded(loop, max);
	CHECK(a != NULL);
}

static void
end(void)
{
	affinity_free(&a);
	CHECK(a == NULL);
	CHECK_U64(fake_loop_timers(loop), 0);
	loop_free(&loop);
}

static bool
open_at(unsigned worker, const char *user, const char *backend, double seconds)
{
	return affinity_open(a, worker, slice_of(user), slice_of(backend), seconds);
}

static void
close_at(unsigned worker, const char *user, const char *backend)
{
	affinity_close(a, worker, slice_of(user), slice_of(backend));
}

/* "store1 2": where and how many; "": nowhere. */
static const char *
where(const char *user)
{
	static char text[80];
	const char *backend;
	unsigned sessions;

	if (!affinity_find(a, slice_of(user), NULL, NULL, &backend, &sessions)) {
		CHECK(backend == NULL && sessions == 0);
		return "";
	}
	snprintf(text, sizeof(text), "%s %u", backend, sessions);
	return text;
}

static uint64_t
at(const char *backend)
{
	return affinity_sessions(a, slice_of(backend));
}

TEST(open_sessions_hold_a_user)
{
	begin(10);
	CHECK_STR(where("alice"), "");
	CHECK(open_at(1, "alice", "store1", 60));
	CHECK(open_at(1, "alice", "store1", 60));
	CHECK(open_at(2, "alice", "store1", 60));
	CHECK_STR(where("alice"), "store1 3");
	CHECK_U64(at("store1"), 3);
	CHECK_U64(affinity_users(a), 1);
	fake_loop_advance(loop, 100000); /* for days */
	CHECK_STR(where("alice"), "store1 3");
	close_at(1, "alice", "store1");
	CHECK_STR(where("alice"), "store1 2");
	close_at(2, "alice", "store1");
	close_at(1, "alice", "store1");
	CHECK_STR(where("alice"), "store1 0");
	CHECK_U64(at("store1"), 0);
	end();
}

TEST(a_user_stays_for_its_time_after_the_last_session)
{
	begin(10);
	CHECK(open_at(1, "alice", "store1", 60));
	fake_loop_advance(loop, 1000);
	close_at(1, "alice", "store1");
	fake_loop_advance(loop, 59);
	CHECK_STR(where("alice"), "store1 0");
	CHECK(open_at(1, "alice", "store2", 60)); /* back, and elsewhere: that counts now */
	CHECK_STR(where("alice"), "store2 1");
	fake_loop_advance(loop, 1000);
	close_at(1, "alice", "store2");
	fake_loop_advance(loop, 59);
	CHECK_STR(where("alice"), "store2 0");
	fake_loop_advance(loop, 2);
	CHECK_STR(where("alice"), "");
	CHECK_U64(affinity_users(a), 0);
	end();
}

TEST(without_a_time_a_user_goes_with_the_last_session)
{
	begin(10);
	CHECK(open_at(1, "alice", "10.0.0.1:143", 0));
	CHECK_STR(where("alice"), "10.0.0.1:143 1");
	CHECK_U64(at("10.0.0.1:143"), 1);
	close_at(1, "alice", "10.0.0.1:143");
	CHECK_STR(where("alice"), "");
	CHECK_U64(affinity_users(a), 0);
	end();
}

TEST(pools_of_different_times)
{
	begin(100);
	for (unsigned i = 0; i < 30; i++) { /* more than there are lists */
		char user[16];

		snprintf(user, sizeof(user), "user%u", i);
		CHECK(open_at(1, user, "store1", 10 * (i + 1)));
		close_at(1, user, "store1");
	}
	CHECK_U64(affinity_users(a), 30);
	fake_loop_advance(loop, 10.5);
	CHECK_STR(where("user0"), "");
	CHECK_STR(where("user1"), "store1 0");
	fake_loop_advance(loop, 10);
	CHECK_STR(where("user1"), "");
	fake_loop_advance(loop, 140);
	CHECK_U64(affinity_users(a), 0);          /* those beyond the lists had the nearest time */
	CHECK(open_at(1, "late", "store1", 777)); /* lists that are empty serve again */
	close_at(1, "late", "store1");
	fake_loop_advance(loop, 776);
	CHECK_STR(where("late"), "store1 0");
	fake_loop_advance(loop, 2);
	CHECK_STR(where("late"), "");
	end();
}

TEST(the_store_with_most_sessions_is_the_answer)
{
	begin(10);
	CHECK(open_at(1, "alice", "store1", 60));
	CHECK(open_at(2, "alice", "store2", 60)); /* a race: both are counted where they are */
	CHECK_STR(where("alice"), "store1 1");    /* the first report wins */
	CHECK(open_at(3, "alice", "store2", 60));
	CHECK_STR(where("alice"), "store2 2");
	CHECK(open_at(3, "alice", "store1", 60));
	CHECK_STR(where("alice"), "store1 2");
	close_at(1, "alice", "store1");
	CHECK_STR(where("alice"), "store2 2");
	CHECK_U64(at("store1"), 1);
	CHECK_U64(at("store2"), 2);
	end();
}

static bool
accept_named(void *arg, struct slice backend)
{
	const char *name = arg;

	return slice_eq_cstr(backend, name);
}

TEST(only_acceptable_stores_are_the_answer)
{
	char store1[] = "store1", store2[] = "store2", store3[] = "store3";
	const char *backend;
	unsigned sessions;

	begin(10);
	CHECK(open_at(1, "alice", "store2", 60));
	CHECK(open_at(1, "alice", "store2", 60));
	CHECK(open_at(1, "alice", "store1", 60));
	CHECK(affinity_find(a, SLICE("alice"), accept_named, store1, &backend, &sessions));
	CHECK_STR(backend, "store1");
	CHECK_U64(sessions, 1);
	CHECK(affinity_find(a, SLICE("alice"), accept_named, store2, &backend, &sessions));
	CHECK_U64(sessions, 2);
	CHECK(!affinity_find(a, SLICE("alice"), accept_named, store3, &backend, &sessions));
	affinity_worker_gone(a, 1);
	CHECK_STR(where("alice"), "store1 0"); /* the one that ended last */
	CHECK(!affinity_find(a, SLICE("alice"), accept_named, store2, &backend, &sessions));
	end();
}

TEST(what_a_worker_reported_vanishes_with_it)
{
	begin(100);
	for (unsigned i = 0; i < 50; i++) {
		char user[16];

		snprintf(user, sizeof(user), "user%u", i % 10);
		CHECK(open_at(1, user, i % 3 ? "store1" : "store2", 60));
	}
	CHECK(open_at(2, "user0", "store1", 60));
	CHECK(open_at(2, "bob", "store2", 60));
	affinity_worker_gone(a, 1);
	CHECK_U64(at("store1"), 1);
	CHECK_U64(at("store2"), 1);
	CHECK_STR(where("user0"), "store1 1");
	CHECK_STR(where("bob"), "store2 1");
	CHECK(where("user5")[0]); /* lingers: it comes back at once, to where it was */
	affinity_worker_gone(a, 1);
	affinity_worker_gone(a, 7);
	close_at(1, "user0", "store1"); /* late, from nowhere */
	CHECK_U64(at("store1"), 1);
	fake_loop_advance(loop, 61);
	CHECK_U64(affinity_users(a), 2);
	CHECK(open_at(1, "user5", "store1", 60)); /* the next process of that number */
	CHECK_STR(where("user5"), "store1 1");
	end();
}

TEST(reports_without_an_open_are_ignored)
{
	begin(10);
	close_at(1, "alice", "store1");
	CHECK(open_at(1, "alice", "store1", 60));
	close_at(2, "alice", "store1");
	close_at(1, "alice", "store2");
	close_at(1, "alic", "store1");
	CHECK_STR(where("alice"), "store1 1");
	close_at(1, "alice", "store1");
	close_at(1, "alice", "store1");
	CHECK_U64(at("store1"), 0);
	end();
}

TEST(users_are_bounded_and_the_longest_idle_goes_first)
{
	begin(3);
	CHECK(open_at(1, "short", "store1", 50));
	CHECK(open_at(1, "long", "store1", 500));
	CHECK(open_at(1, "busy", "store1", 500));
	close_at(1, "long", "store1");
	fake_loop_advance(loop, 10);
	close_at(1, "short", "store1");
	fake_loop_advance(loop, 10);
	/* long would stay until 500, short until 60; but long has been idle for longer */
	CHECK(open_at(1, "new1", "store1", 50));
	CHECK_STR(where("long"), "");
	CHECK_STR(where("short"), "store1 0");
	CHECK(open_at(1, "new2", "store1", 50));
	CHECK_STR(where("short"), "");
	CHECK_U64(affinity_refused(a), 0);
	CHECK(!open_at(1, "new3", "store1", 50)); /* all have sessions */
	CHECK(!open_at(1, "new3", "store1", 50));
	CHECK_U64(affinity_refused(a), 2);
	CHECK_U64(affinity_users(a), 3);
	CHECK_U64(at("store1"), 3);
	close_at(1, "new3", "store1");
	CHECK(open_at(1, "busy", "store1", 50)); /* who is there already is counted on */
	CHECK_STR(where("busy"), "store1 2");
	end();
}

TEST(names_out_of_bounds_are_not_remembered)
{
	char name[AFFINITY_NAME_MAX + 1];

	begin(10);
	memset(name, 'a', sizeof(name));
	CHECK(!affinity_open(a, 1, (struct slice){ name, sizeof(name) }, SLICE("store1"), 60));
	CHECK(!affinity_open(a, 1, SLICE("alice"), (struct slice){ name, sizeof(name) }, 60));
	CHECK(!affinity_open(a, 1, SLICE(""), SLICE("store1"), 60));
	CHECK(!affinity_open(a, 1, SLICE("alice"), SLICE(""), 60));
	CHECK(affinity_open(a, 1, (struct slice){ name, sizeof(name) - 1 }, SLICE("s"), 60));
	CHECK_U64(affinity_users(a), 1);
	CHECK_U64(affinity_refused(a), 4);
	end();
}

TEST(expiry_is_spread_over_turns)
{
	begin(10000);
	for (unsigned i = 0; i < 5000; i++) {
		char user[16];

		snprintf(user, sizeof(user), "user%u", i);
		CHECK(open_at(i % 4, user, "store1", 60));
	}
	for (unsigned i = 0; i < 4; i++)
		affinity_worker_gone(a, i);
	CHECK_U64(affinity_users(a), 5000);
	fake_loop_advance(loop, 61);
	CHECK_U64(affinity_users(a), 0);
	end();
}

/* Against a plain array: a thousand random reports. */
TEST(random_reports_agree_with_a_plain_count)
{
	static const char *const backends[] = { "s0", "s1", "s2" };
	static const char *const users[] = { "u0", "u1", "u2", "u3" };
	unsigned count[3][4][3] = { 0 }; /* worker, user, backend */
	uint32_t x = 12345;

	begin(100);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned w, u, b, sum, most = 0;

		x = x * 1664525 + 1013904223;
		w = (x >> 8) % 3;
		u = (x >> 12) % 4;
		b = (x >> 16) % 3;
		if ((x >> 20) % 97 == 0) {
			affinity_worker_gone(a, w);
			memset(count[w], 0, sizeof(count[w]));
		} else if ((x >> 24) % 2) {
			CHECK(open_at(w, users[u], backends[b], i % 2 ? 60 : 0));
			count[w][u][b]++;
		} else {
			close_at(w, users[u], backends[b]);
			count[w][u][b] -= count[w][u][b] > 0;
		}
		for (unsigned k = 0; k < 3; k++) {
			const char *backend;
			unsigned sessions;

			sum = count[0][u][k] + count[1][u][k] + count[2][u][k];
			most = sum > most ? sum : most;
			(void)!affinity_find(a, slice_of(users[u]), accept_named,
			    (char[]){ 's', (char)('0' + k), 0 }, &backend, &sessions);
			CHECK_U64(sessions, sum);
			sum = 0;
			for (unsigned j = 0; j < 12; j++)
				sum += count[j / 4][j % 4][k];
			CHECK_U64(at(backends[k]), sum);
		}
		if (most > 0)
			CHECK_U64(strtoul(where(users[u]) + 3, NULL, 10), most);
	}
	end();
}
