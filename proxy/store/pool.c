/*
 * store/pool.c - the order in which a user tries the stores of a pool.
 *
 * Each way to balance gives every backend a score, and the order is by falling score, then by name:
 *
 *      hash         weight / -ln(u)   u in (0,1) from hash_placement(user, backend): weighted rendezvous hashing. The
 *                   chance to be first is weight / sum of weights, and a backend's score knows nothing of the others.
 *      random       the same with a random u
 *      least        -(sessions + 1) / weight   what it would carry with one more
 *      round-robin  -virtual time     each pick costs the picked 1 / weight (pool_picked)
 *
 * Weight 0 is not in the game: such backends follow all others, among themselves as if of weight 1.
 * Keeps nothing but a batch of random numbers.
 */
#include "store/pool.h"

#include <math.h>

#include "base/hash.h"
#include "base/secret.h"

struct scored {
	const struct backend *backend;
	double score;
	double tie; /* greater first, where scores are equal */
};

const char *
balance_name(enum balance b)
{
	switch (b) {
	case BALANCE_HASH:
		return "hash";
	case BALANCE_LEAST:
		return "least";
	case BALANCE_RANDOM:
		return "random";
	case BALANCE_ROUND_ROBIN:
		return "round-robin";
	}
	return "?";
}

static bool
is_counted(const struct pool *pool)
{
	return pool->balance == BALANCE_LEAST || pool->balance == BALANCE_ROUND_ROBIN;
}

static double
weight_of(const struct backend *b)
{
	return b->weight > 0 ? b->weight : 1;
}

/*
 * Of 53 bits the last is always 1: the numbers in (0,1) that a double has exactly and evenly spaced, without 0 and
 * without 1, both of which have no useful logarithm.
 */
static double
unit(uint64_t bits)
{
	return (double)(bits >> 11 | 1) * 0x1p-53;
}

static uint64_t
random_bits(void)
{
	static uint64_t batch[64];
	static unsigned left;

	if (left == 0) {
		/* Balancing goes on without randomness: any spread will do. */
		if (!secret_random(batch, sizeof(batch))) {
			for (unsigned i = 0; i < ARRAY_SIZE(batch); i++) {
				batch[i] += i;
				batch[i] = hash_table(
				    (struct slice){ (const char *)&batch[i], sizeof(batch[i]) });
			}
		}
		left = ARRAY_SIZE(batch);
	}
	return batch[--left];
}

static int
scored_cmp(const void *pa, const void *pb)
{
	const struct scored *a = pa, *b = pb;

	if ((a->backend->weight == 0) != (b->backend->weight == 0))
		return a->backend->weight == 0 ? 1 : -1;
	if (a->score < b->score || a->score > b->score)
		return a->score > b->score ? -1 : 1;
	if (a->tie < b->tie || a->tie > b->tie)
		return a->tie > b->tie ? -1 : 1;
	return strcmp(a->backend->name, b->backend->name);
}

/*
 * Nobody catches up: a backend that is new, or was out, begins where the others are. While all take part, the least
 * virtual time v is the one picked, and becomes v + 1/weight: so each is at most its own 1/weight ahead of the least, and
 * whoever is further behind than that has not taken part.
 */
static void
level_virtual_time(const struct pool *pool, struct pool_load *loads)
{
	double floor_time = 0;

	for (unsigned i = 0; i < pool->n; i++) {
		const struct backend *b = pool->backends[i];
		double least = loads[b->index].virtual_time - 1 / weight_of(b);

		if (b->weight > 0 && least > floor_time)
			floor_time = least;
	}
	for (unsigned i = 0; i < pool->n; i++) {
		struct pool_load *load = &loads[pool->backends[i]->index];

		if (load->virtual_time < floor_time)
			load->virtual_time = floor_time;
	}
}

void
pool_order(const struct pool *pool, struct slice user, struct pool_load *loads,
    const struct backend **order)
{
	struct scored scored[POOL_BACKENDS_MAX];

	ASSERT(pool->n <= POOL_BACKENDS_MAX && (loads || !is_counted(pool)));
	if (pool->n == 0)
		return;
	if (is_counted(pool))
		level_virtual_time(pool, loads);
	for (unsigned i = 0; i < pool->n; i++) {
		const struct backend *b = pool->backends[i];
		struct scored *s = &scored[i];

		*s = (struct scored){ .backend = b };
		switch (pool->balance) {
		case BALANCE_HASH:
			s->score =
			    weight_of(b) / -log(unit(hash_placement(user, slice_of(b->name))));
			break;
		case BALANCE_RANDOM:
			s->score = weight_of(b) / -log(unit(random_bits()));
			break;
		case BALANCE_LEAST:
			s->score = -((double)loads[b->index].sessions + 1) / weight_of(b);
			s->tie = -loads[b->index].virtual_time;
			break;
		case BALANCE_ROUND_ROBIN:
			s->score = -loads[b->index].virtual_time;
			break;
		}
	}
	qsort(scored, pool->n, sizeof(scored[0]), scored_cmp);
	for (unsigned i = 0; i < pool->n; i++)
		order[i] = scored[i].backend;
}

void
pool_picked(const struct pool *pool, const struct backend *b, struct pool_load *loads)
{
	if (is_counted(pool))
		loads[b->index].virtual_time += 1 / weight_of(b);
}
