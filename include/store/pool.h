/*
 * store/pool.h - several stores that serve the same users, and in which order a user tries them.
 */
#ifndef STORE_POOL_H
#define STORE_POOL_H

#include "store/backend.h"

enum balance {
	BALANCE_HASH, /* weighted rendezvous hashing by user: same user, same store, on every proxy */
	BALANCE_LEAST,       /* fewest sessions for its weight */
	BALANCE_RANDOM,      /* weighted */
	BALANCE_ROUND_ROBIN, /* weighted */
};

#define POOL_BACKENDS_MAX 1024

struct pool {
	const char *name;
	const struct backend *const *backends;
	unsigned n;
	enum balance balance;
	double
	    affinity_time; /* seconds after the last session; 0: only while sessions are open … */
	bool affinity;     /* … and false: not at all */
	double check_interval;           /* seconds; 0: its stores are not checked for it */
	unsigned check_rise, check_fall; /* checks in a row */
	const struct pool *
	    fallback; /* tried after all of this pool; a single backend is a pool of one; may be NULL */
	int line;
};

/* What BALANCE_LEAST and BALANCE_ROUND_ROBIN need to know: the directory's. Indexed by backend->index. */
struct pool_load {
	uint64_t sessions; /* open now, or about to be */
	double
	    virtual_time; /* round robin, and ties of least: 1/weight a pick; kept by pool_order() */
};

/*
 * Puts all backends of @pool into @order (room for pool->n), best first; those of weight 0 come last. @loads may be NULL for
 * BALANCE_HASH and BALANCE_RANDOM. Rendezvous scores depend on user name, backend name and weight only, so that a change of the pool moves
 * nobody but the users of what was added or taken away. They are part of the protocol between the proxies of a fleet: never change them.
 *
 * Nothing is counted as picked, but in @loads newcomers are brought level with the others.
 */
void pool_order(const struct pool *pool, struct slice user, struct pool_load *loads,
    const struct backend **order);

/* The first of an order is taken: for BALANCE_ROUND_ROBIN and ties of BALANCE_LEAST. Sessions are the caller's to count. */
void pool_picked(const struct pool *pool, const struct backend *b, struct pool_load *loads);

const char *balance_name(enum balance b); /* "hash", "least", "random", "round-robin" */

#endif
