/*
 * directory/index.h - a configuration made ready for decisions: pools and backends by name, and what balancing counts.
 */
#ifndef DIRECTORY_INDEX_H
#define DIRECTORY_INDEX_H

#include "base/htab.h"
#include "directory/affinity.h"
#include "directory/directory.h"
#include "store/health.h"

/* How long an answer counts as a session that is about to be, until the worker reports it: at least this, at most twice. */
#define INDEX_PROMISE_SECONDS 10

struct index_backend;
struct index_pool;

struct index {
	struct directory_config config; /* the arrays are the caller's */
	struct htab backends_by_name, pools_by_name;
	struct index_backend *backends; /* as config.backends */
	struct index_pool *pools;
	struct pool_load *loads; /* indexed by backend->index */
	double promises_turned;  /* loop time */
};

/* @loads are carried over from @old by name, where there is one. False: out of memory. */
bool index_build(struct index *x, const struct directory_config *config, const struct index *old,
    const struct affinity *affinity, double now) MUST_CHECK;
void index_free(struct index *x);

const struct pool *index_pool(const struct index *x, struct slice name); /* NULL: none */

/* The longest affinity time of the pools in which backend @name is, their fallbacks included; 0: none. */
double index_affinity_time(const struct index *x, struct slice name);

/* Sessions at backend @name have changed, or a user was just sent there. Unknown names are no matter. */
void index_sessions(struct index *x, struct slice name, uint64_t sessions, bool opened);
void index_promise(struct index *x, struct slice name);
/* Forgets promises that nobody kept; called before balancing. */
void index_promises_turn(struct index *x, double now);

/*
 * The stores that a user may try, best first, at most ROUTE_CANDIDATES: the pool's own order, then its fallbacks', none
 * twice, and none that is down or that an operator has taken out. However large a pool is, up to two places are left for each fallback
 * behind it. A user whose own store is in maintenance (it is @first, or first of a hash) gets none. How many.
 */
struct index_wish {
	const struct pool *pool;
	struct slice user;
	const struct backend *first; /* goes before all others; NULL: none */
	double now;                  /* loop time */
	bool dry;                    /* only to know: nothing is counted */
	bool maintenance;            /* result: why there is none */
};
unsigned index_candidates(
    struct index *x, struct index_wish *w, const struct backend *order_r[ROUTE_CANDIDATES]);

/* Whether logins may go to @b; @pinned: of a user with sessions there. @dry: only to know, nothing is counted. */
bool index_usable(struct index *x, const struct backend *b, double now, bool pinned, bool dry);

struct health *index_health(struct index *x, const struct backend *b);
const struct health *index_health_of(const struct index *x, const struct backend *b);
const struct backend *index_backend(const struct index *x, struct slice name); /* NULL: none */

/* The backend @name when it is in @pool or in one of its fallbacks; NULL: it is not. */
const struct backend *index_in_chain(const struct pool *pool, struct slice name);

#endif
