/*
 * directory/places.h - so many logins under way at a store at once, over all workers; the others wait their turn.
 *
 * A place is taken when the answer with that store as first candidate goes out. It is given back by the outcome of that login,
 * by the end of its worker, or after PLACES_SECONDS, so that nothing lost can shut a store for good. Logins at further candidates, and
 * another try on a connection that was kept, take none.
 */
#ifndef DIRECTORY_PLACES_H
#define DIRECTORY_PLACES_H

#include "io/deadline.h"
#include "store/backend.h"

#define PLACES_SECONDS 60
#define PLACES_A_TURN  256 /* of those who waited */

struct places;

/* Embedded in what waits. */
struct place_wait {
	struct list node;
	unsigned worker;
	uint64_t id;
};

/* It has its place now and waits no more. Called from the loop, never from a function below. */
typedef void place_turn_fn(struct place_wait *w);

struct places *places_new(struct loop *loop, place_turn_fn *fn) MUST_CHECK;
void places_free(struct places **p); /* nobody may wait */

/* max_logging_in of @backends counts from now on; who waits for a store that is no more has a turn. False: out of memory, nothing has changed. */
bool places_configure(struct places *p, const struct backend *backends, unsigned n) MUST_CHECK;

/*
 * A place at @backend for the login of question @id of @worker. True: taken, or the store has no bound. False: @w waits behind those
 * who came before.
 */
bool places_take(struct places *p, struct slice backend, unsigned worker, uint64_t id,
    struct place_wait *w) MUST_CHECK;
void place_wait_cancel(struct place_wait *w); /* no-op when it does not wait */

void places_give_back(struct places *p, unsigned worker, uint64_t id); /* no-op without one */
void places_worker_gone(struct places *p, unsigned worker);

unsigned places_taken(const struct places *p, struct slice backend);

#endif
