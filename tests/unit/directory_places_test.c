/*
 * tests/unit/directory_places_test.c - places at stores: taken, given back, waited for in order.
 * links: tests/unit/fake_loop.c
 */
#include "directory/places.h"

#include "fake_loop.h"
#include "test.h"

static struct loop *loop;
static struct places *p;
static struct backend backends[2];
static uint64_t turns[64];
static unsigned n_turns;

static void
on_turn(struct place_wait *w)
{
	CHECK(n_turns < ARRAY_SIZE(turns));
	CHECK(!list_linked(&w->node));
	turns[n_turns++] = w->id;
}

static void
begin(unsigned max_a, unsigned max_b)
{
	n_turns = 0;
	loop = loop_new();
	p = places_new(loop, on_turn);
	CHECK(loop && p);
	backends[0] = (struct backend){ .name = "a", .max_logging_in = max_a };
	backends[1] = (struct backend){ .name = "b", .max_logging_in = max_b };
	CHECK(places_configure(p, backends, 2));
}

static void
end(void)
{
	places_free(&p);
	CHECK(p == NULL);
	CHECK_U64(fake_loop_timers(loop), 0);
	loop_free(&loop);
}

static unsigned
turns_now(void)
{
	fake_loop_run_pending(loop);
	return n_turns;
}

TEST(who_finds_no_place_waits_in_order)
{
	struct place_wait w[5] = { 0 };

	begin(2, 1);
	for (unsigned i = 0; i < 5; i++)
		CHECK(places_take(p, SLICE("a"), 1, i, &w[i]) == (i < 2));
	CHECK(places_take(p, SLICE("b"), 1, 9, &w[0])); /* another store */
	CHECK_U64(turns_now(), 0);
	places_give_back(p, 2, 0); /* of another worker: nothing */
	places_give_back(p, 1, 7);
	CHECK_U64(turns_now(), 0);
	places_give_back(p, 1, 1);
	places_give_back(p, 1, 1);
	CHECK_U64(turns_now(), 1);
	CHECK_U64(turns[0], 2);
	CHECK_U64(places_taken(p, SLICE("a")), 2);
	place_wait_cancel(&w[3]); /* did not wait */
	places_give_back(p, 1, 0);
	CHECK_U64(turns_now(), 2);
	CHECK_U64(turns[1], 4);
	places_give_back(p, 1, 2);
	places_give_back(p, 1, 4);
	CHECK_U64(places_taken(p, SLICE("a")), 0);
	end();
}

TEST(nobody_overtakes_who_waits)
{
	struct place_wait w[3] = { 0 };

	begin(1, 1);
	CHECK(places_take(p, SLICE("a"), 1, 0, &w[0]));
	CHECK(!places_take(p, SLICE("a"), 1, 1, &w[1]));
	places_give_back(p, 1, 0);
	CHECK(!places_take(p, SLICE("a"), 1, 2, &w[2])); /* free, but one waits for the turn */
	CHECK_U64(turns_now(), 1);
	CHECK_U64(turns[0], 1);
	places_give_back(p, 1, 1);
	CHECK_U64(turns_now(), 2);
	CHECK_U64(turns[1], 2);
	end();
}

TEST(what_is_lost_comes_back_after_a_time)
{
	struct place_wait w = { 0 };

	begin(1, 1);
	CHECK(places_take(p, SLICE("a"), 1, 0, &w));
	CHECK(!places_take(p, SLICE("a"), 1, 1, &w));
	fake_loop_advance(loop, PLACES_SECONDS - 1);
	CHECK_U64(turns_now(), 0);
	fake_loop_advance(loop, 2);
	CHECK_U64(turns_now(), 1);
	end();
}

TEST(a_worker_that_dies_gives_back_what_it_had)
{
	struct place_wait w = { 0 };

	begin(2, 1);
	CHECK(places_take(p, SLICE("a"), 1, 0, &w));
	CHECK(places_take(p, SLICE("a"), 2, 0, &w));
	CHECK(!places_take(p, SLICE("a"), 2, 1, &w));
	places_worker_gone(p, 1);
	CHECK_U64(turns_now(), 1);
	CHECK_U64(places_taken(p, SLICE("a")), 2);
	places_worker_gone(p, 2);
	CHECK_U64(places_taken(p, SLICE("a")), 0);
	end();
}

TEST(another_configuration)
{
	struct place_wait w[4] = { 0 };

	begin(1, 1);
	CHECK(places_take(p, SLICE("a"), 1, 0, &w[0]));
	CHECK(places_take(p, SLICE("b"), 1, 10, &w[0]));
	CHECK(!places_take(p, SLICE("a"), 1, 1, &w[1]));
	CHECK(!places_take(p, SLICE("a"), 1, 2, &w[2]));
	CHECK(!places_take(p, SLICE("b"), 1, 11, &w[3]));
	backends[0].max_logging_in = 2;
	CHECK(places_configure(p, backends, 2));
	CHECK_U64(turns_now(), 1);
	CHECK(places_configure(p, backends, 1)); /* b is no more: who waits for it is let go */
	CHECK_U64(turns_now(), 2);
	CHECK_U64(turns[1], 11);
	CHECK(places_take(p, SLICE("b"), 1, 12, &w[3]));
	CHECK_U64(places_taken(p, SLICE("b")), 1);
	places_give_back(p, 1, 10);
	CHECK(places_configure(p, backends, 1));
	CHECK(places_configure(p, backends, 2));
	backends[0].max_logging_in = 1; /* fewer than there are: the next waits for two */
	CHECK(places_configure(p, backends, 2));
	places_give_back(p, 1, 0);
	CHECK_U64(turns_now(), 2);
	places_give_back(p, 1, 1);
	CHECK_U64(turns_now(), 3);
	end();
}
