/*
 * directory/affinity.h - which store each user's open sessions are at, and for a while afterwards.
 *
 * Sessions are reported by workers; what a worker reported vanishes with it. Bounded: at most AFFINITY_USERS_MAX names; beyond it
 * those without sessions go first, and then new ones are not remembered (counted).
 */
#ifndef DIRECTORY_AFFINITY_H
#define DIRECTORY_AFFINITY_H

#include "io/deadline.h"
#include "store/pool.h"

#define AFFINITY_USERS_MAX 1000000u

struct affinity;

struct affinity *affinity_new(struct loop *loop) MUST_CHECK;
void affinity_free(struct affinity **a);

/* A session of @user began at backend @backend on worker @worker. @seconds: how long the name stays after its last session. */
bool affinity_open(struct affinity *a, unsigned worker, struct slice user, struct slice backend, double seconds);
void affinity_close(struct affinity *a, unsigned worker, struct slice user, struct slice backend);
void affinity_worker_gone(struct affinity *a, unsigned worker);

/* Where @user is: backend name (valid until the next call of any function here) and how many sessions; false: nowhere. */
bool affinity_find(struct affinity *a, struct slice user, const char **backend_r, unsigned *sessions_r);

size_t affinity_users(const struct affinity *a);
uint64_t affinity_sessions(const struct affinity *a, struct slice backend); /* open at a store */

#endif
