/*
 * tests/unit/store_pool_test.c - the order of a pool's stores, and the table of failures.
 */
#include "test.h"

#include <math.h>

#include "store/fail.h"
#include "store/pool.h"

#define STORES 12

static struct backend stores[STORES];
static const struct backend *refs[STORES];
static char names[STORES][16];
static struct pool pool;
static struct pool_load loads[STORES];

/* Stores store1 … store@n of the weights given (NULL: 100 each). */
static void
make(enum balance balance, unsigned n, const int *weights)
{
	memset(loads, 0, sizeof(loads));
	for (unsigned i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "store%u", i + 1);
		stores[i] = (struct backend){
			.name = names[i], .weight = weights ? (unsigned)weights[i] : 100, .index = i
		};
		refs[i] = &stores[i];
	}
	pool = (struct pool){ .name = "stores", .backends = refs, .n = n, .balance = balance };
}

static struct slice
user(unsigned i, char text[32])
{
	snprintf(text, 32, "user%u@example.org", i);
	return slice_of(text);
}

static unsigned
first(struct slice name)
{
	const struct backend *order[STORES];

	pool_order(&pool, name, loads, order);
	return order[0]->index;
}

/* Takes the first, as a session would. */
static unsigned
pick(void)
{
	unsigned i = first(SLICE("anybody"));

	pool_picked(&pool, &stores[i], loads);
	return i;
}

static void
check_permutation(const struct backend *const *order, unsigned n)
{
	bool seen[STORES] = { false };

	for (unsigned i = 0; i < n; i++) {
		CHECK(order[i]->index < n && !seen[order[i]->index]);
		seen[order[i]->index] = true;
	}
}

/*
 * For ever: proxies of different versions in one fleet must agree. Computed independently of this program: SipHash-2-4
 * under the key "sallyport/place1" over user, NUL, store.
 */
TEST(hash_is_the_same_everywhere)
{
	static const struct {
		const char *user;
		const char *order;
	} rows[] = {
		{ "alice", "store3 store4 store2 store1 store5" },
		{ "bob", "store2 store3 store4 store1 store5" },
		{ "alice@example.org", "store3 store1 store2 store4 store5" },
		{ "bob@example.org", "store3 store2 store4 store1 store5" },
		{ "carol@example.org", "store3 store1 store2 store4 store5" },
		{ "dave@example.com", "store2 store4 store3 store1 store5" },
		{ "erin@example.net", "store2 store3 store1 store4 store5" },
		{ "j\xc3\xbc"
		  "rgen@example.org",
		    "store2 store3 store1 store4 store5" },
		{ "a", "store1 store3 store2 store4 store5" },
		{ "postmaster@example.org", "store3 store2 store1 store4 store5" },
	};
	static const int weights[] = { 100, 100, 200, 50, 0 };

	make(BALANCE_HASH, 5, weights);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct backend *order[STORES];
		char text[128] = "";

		pool_order(&pool, slice_of(rows[i].user), NULL, order);
		for (unsigned j = 0; j < pool.n; j++)
			str_fmt(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			    j ? " " : "", order[j]->name);
		test_note("%s", rows[i].user);
		CHECK_STR(text, rows[i].order);
	}
}

TEST(hash_follows_the_weights)
{
	static const int weights[] = { 100, 50, 200, 1, 0, 149 };
	unsigned count[6] = { 0 }, n = 100000;
	double sum = 500, chi = 0;
	char text[32];

	make(BALANCE_HASH, 6, weights);
	for (unsigned i = 0; i < n; i++)
		count[first(user(i, text))]++;
	for (unsigned i = 0; i < 6; i++) {
		double want = n * weights[i] / sum;

		if (weights[i] == 0) {
			CHECK_U64(count[i], 0);
			continue;
		}
		chi += (count[i] - want) * (count[i] - want) / want;
	}
	/* 4 degrees of freedom: above 18.5 once in a thousand, and the users are always the same. */
	test_note("chi square %.2f", chi);
	CHECK(chi < 18.5);
}

TEST(hash_orders_are_permutations_with_weight_0_last)
{
	static const int weights[] = { 1, 0, 1000000, 0, 3, 100, 7 };
	char text[32];

	make(BALANCE_HASH, 7, weights);
	for (unsigned i = 0; i < 1000; i++) {
		const struct backend *order[STORES];

		pool_order(&pool, user(i, text), NULL, order);
		check_permutation(order, 7);
		CHECK(order[5]->weight == 0 && order[6]->weight == 0);
	}
}

TEST(hash_moves_only_the_users_of_what_changed)
{
	unsigned before[20000], n = 20000, moved = 0;
	char text[32];

	make(BALANCE_HASH, 5, NULL);
	for (unsigned i = 0; i < n; i++)
		before[i] = first(user(i, text));

	pool.n = 4; /* store5 goes: its users move, nobody else */
	for (unsigned i = 0; i < n; i++) {
		unsigned now = first(user(i, text));

		CHECK(now == before[i] || before[i] == 4);
	}

	make(BALANCE_HASH, 6, NULL); /* store6 comes: a sixth moves, all to it */
	for (unsigned i = 0; i < n; i++) {
		unsigned now = first(user(i, text));

		CHECK(now == before[i] || now == 5);
		moved += now != before[i];
	}
	CHECK(moved > n / 6 - n / 60 && moved < n / 6 + n / 60);

	make(BALANCE_HASH, 5, NULL);
	stores[2].weight = 50; /* store3 becomes lighter: users only leave it */
	moved = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned now = first(user(i, text));

		CHECK(now == before[i] || before[i] == 2);
		moved += now != before[i];
	}
	/* From a fifth to a ninth: 8.9 in a hundred. */
	CHECK(moved > n * 8 / 100 && moved < n * 10 / 100);
}

TEST(hash_depends_on_names_not_places)
{
	const struct backend *order[STORES], *swapped[STORES];
	char text[32];

	make(BALANCE_HASH, 4, NULL);
	for (unsigned i = 0; i < 100; i++) {
		pool_order(&pool, user(i, text), NULL, order);
		refs[0] = &stores[3];
		refs[3] = &stores[0];
		pool_order(&pool, user(i, text), NULL, swapped);
		refs[0] = &stores[0];
		refs[3] = &stores[3];
		for (unsigned j = 0; j < 4; j++)
			CHECK_STR(order[j]->name, swapped[j]->name);
	}
}

/* The users of a store that fails spread over the others by weight, and do not all fall upon one. */
TEST(hash_spreads_the_second_choice)
{
	unsigned second[5] = { 0 }, n = 0;
	char text[32];

	make(BALANCE_HASH, 5, NULL);
	for (unsigned i = 0; i < 20000; i++) {
		const struct backend *order[STORES];

		pool_order(&pool, user(i, text), NULL, order);
		if (order[0]->index != 0)
			continue;
		second[order[1]->index]++;
		n++;
	}
	for (unsigned i = 1; i < 5; i++)
		CHECK(second[i] > n / 4 - n / 20 && second[i] < n / 4 + n / 20);
}

TEST(random_follows_the_weights)
{
	static const int weights[] = { 100, 300, 0 };
	unsigned count[3] = { 0 }, n = 40000;

	make(BALANCE_RANDOM, 3, weights);
	for (unsigned i = 0; i < n; i++) {
		const struct backend *order[STORES];

		pool_order(&pool, SLICE("alice"), NULL, order);
		check_permutation(order, 3);
		count[order[0]->index]++;
	}
	/* 10000 expected, deviation 87: ten of these are never met by accident. */
	test_note("%u of %u", count[0], n);
	CHECK(count[0] > 9130 && count[0] < 10870);
	CHECK_U64(count[2], 0);
}

TEST(round_robin_takes_turns)
{
	make(BALANCE_ROUND_ROBIN, 3, NULL);
	for (unsigned i = 0; i < 9; i++)
		CHECK_U64(pick(), i % 3);
}

TEST(round_robin_follows_the_weights)
{
	static const int weights[] = { 3, 1, 0, 2 };
	unsigned count[4] = { 0 };

	make(BALANCE_ROUND_ROBIN, 4, weights);
	for (unsigned i = 0; i < 600; i++)
		count[pick()]++;
	CHECK(count[0] >= 299 && count[0] <= 301);
	CHECK(count[1] >= 99 && count[1] <= 101);
	CHECK_U64(count[2], 0);
	CHECK(count[3] >= 199 && count[3] <= 201);
}

TEST(round_robin_does_not_flood_a_newcomer)
{
	unsigned count[3] = { 0 };

	make(BALANCE_ROUND_ROBIN, 2, NULL);
	for (unsigned i = 0; i < 10000; i++)
		pick();
	CHECK(loads[0].virtual_time > 49 && loads[2].virtual_time <= 0);
	stores[2] = (struct backend){ .name = "store3", .weight = 100, .index = 2 };
	refs[2] = &stores[2];
	pool.n = 3;
	for (unsigned i = 0; i < 30; i++)
		count[pick()]++;
	for (unsigned i = 0; i < 3; i++)
		CHECK(count[i] >= 9 && count[i] <= 11);
}

TEST(least_takes_the_fewest_sessions_for_the_weight)
{
	static const int weights[] = { 100, 200, 100, 0 };
	const struct backend *order[STORES];

	make(BALANCE_LEAST, 4, weights);
	loads[0].sessions = 10;
	loads[1].sessions = 12;
	loads[2].sessions = 5;
	pool_order(&pool, SLICE("alice"), loads, order);
	CHECK_STR(order[0]->name, "store3"); /* 6/100 */
	CHECK_STR(order[1]->name, "store2"); /* 13/200 */
	CHECK_STR(order[2]->name, "store1"); /* 11/100 */
	CHECK_STR(order[3]->name, "store4"); /* weight 0, though empty */
}

TEST(least_fills_by_weight)
{
	static const int weights[] = { 100, 300 };

	make(BALANCE_LEAST, 2, weights);
	for (unsigned i = 0; i < 400; i++)
		loads[pick()].sessions++;
	CHECK_U64(loads[0].sessions, 100);
	CHECK_U64(loads[1].sessions, 300);
}

/* Logins one by one, each ending before the next: without turns the first by name would get all. */
TEST(least_takes_turns_among_equals)
{
	unsigned count[3] = { 0 };

	make(BALANCE_LEAST, 3, NULL);
	for (unsigned i = 0; i < 30; i++)
		count[pick()]++;
	for (unsigned i = 0; i < 3; i++)
		CHECK_U64(count[i], 10);
}

TEST(an_order_not_followed_costs_nothing)
{
	make(BALANCE_ROUND_ROBIN, 2, NULL);
	CHECK_U64(first(SLICE("x")), 0);
	CHECK_U64(first(SLICE("x")), 0);
	CHECK_U64(pick(), 0);
	CHECK_U64(first(SLICE("x")), 1);
}

TEST(an_empty_pool_has_no_order)
{
	make(BALANCE_LEAST, 0, NULL);
	pool_order(&pool, SLICE("alice"), loads, NULL);
}

TEST(balance_has_its_configured_names)
{
	CHECK_STR(balance_name(BALANCE_HASH), "hash");
	CHECK_STR(balance_name(BALANCE_LEAST), "least");
	CHECK_STR(balance_name(BALANCE_RANDOM), "random");
	CHECK_STR(balance_name(BALANCE_ROUND_ROBIN), "round-robin");
}

/* --- failures */

TEST(an_outage_never_looks_like_a_wrong_password)
{
	for (unsigned i = 0; i < FAIL_COUNT; i++) {
		enum fail f = (enum fail)i;
		bool credentials =
		    f == FAIL_CREDENTIALS || f == FAIL_UNKNOWN_USER || f == FAIL_BAD_NAME;
		struct slice says = slice_of(fail_response(f));

		test_note("%s", fail_name(f));
		CHECK(fail_name(f)[0]);
		CHECK(slice_starts_case(says, SLICE("[AUTHENTICATIONFAILED] ")) == credentials);
		if (fail_retry(f))
			CHECK(slice_starts_case(says, SLICE("[UNAVAILABLE] ")));
		for (unsigned j = 0; j < i; j++)
			CHECK(strcmp(fail_name(f), fail_name((enum fail)j)) != 0);
	}
}

TEST(nothing_is_tried_again_after_credentials_were_sent)
{
	CHECK(fail_retry(FAIL_CONNECT));
	CHECK(fail_retry(FAIL_BYE));
	CHECK(!fail_retry(FAIL_CREDENTIALS));
	CHECK(!fail_retry(FAIL_LOGIN_TIMEOUT));
	CHECK(!fail_retry(FAIL_LOGIN_GONE));
	CHECK(!fail_retry(FAIL_LOGIN_PROTOCOL));
	CHECK(!fail_retry(FAIL_LOOKUP));
}

TEST(a_failure_that_is_none_is_our_own_fault)
{
	CHECK_STR(fail_name((enum fail)FAIL_COUNT), "internal");
	CHECK(!fail_retry((enum fail)FAIL_COUNT));
}
