/*
 * directory/affinity.h - which store each user's open sessions are at, and for a while afterwards.
 *
 * Sessions are reported by workers; what a worker reported vanishes with it. Bounded: at most AFFINITY_USERS_MAX names; beyond it
 * those without sessions go first, the longest idle before the others, and then new ones are not remembered (counted). After that
 * the number of sessions of such a user may be too low, never too high.
 */
#ifndef DIRECTORY_AFFINITY_H
#define DIRECTORY_AFFINITY_H

#include "io/deadline.h"
#include "store/pool.h"

#define AFFINITY_USERS_MAX 1000000u
#define AFFINITY_NAME_MAX  1024 /* bytes of a user or backend name; longer ones are not remembered */

struct affinity;

struct affinity *affinity_new(struct loop *loop) MUST_CHECK;
/* With another bound on users, for tests. */
struct affinity *affinity_new_bounded(struct loop *loop, size_t users_max) MUST_CHECK;
void affinity_free(struct affinity **a);

/*
 * A session of @user began at backend @backend on worker @worker. @seconds: how long the name stays after its last session (of
 * several reports the last one counts; 0: not at all). False: not remembered.
 */
bool affinity_open(
    struct affinity *a, unsigned worker, struct slice user, struct slice backend, double seconds);
/* It ended. What was not reported open on this worker is ignored. */
void affinity_close(struct affinity *a, unsigned worker, struct slice user, struct slice backend);
/* All its sessions ended. */
void affinity_worker_gone(struct affinity *a, unsigned worker);

/* Whether a backend may be the answer. NULL instead: any. */
typedef bool affinity_accept_fn(void *arg, struct slice backend);

/*
 * Where @user is: backend name (valid until the next call of any function here) and how many sessions are open there; false: nowhere.
 * Two sessions that raced to different stores are both counted where they are: of the acceptable ones the store with most sessions is
 * the answer, and of equal ones that reported first. *sessions_r is 0 for a user whose last session has ended.
 */
bool affinity_find(struct affinity *a, struct slice user, affinity_accept_fn *accept, void *arg,
    const char **backend_r, unsigned *sessions_r);

/* Each store where @user has sessions, by worker; or the one where the last was, with 0. False: nowhere. */
typedef void affinity_place_fn(void *arg, unsigned worker, const char *backend, unsigned sessions);
bool affinity_places(const struct affinity *a, struct slice user, affinity_place_fn *fn, void *arg);

/* Somebody who has sessions at @backend: the first who was reported there. NULL: nobody. Valid until the next call of any function here. */
const char *affinity_user_at(const struct affinity *a, struct slice backend);

size_t affinity_users(const struct affinity *a);
uint64_t affinity_sessions(const struct affinity *a, struct slice backend); /* open at a store */
uint64_t affinity_refused(const struct affinity *a); /* reports not remembered */

#endif
