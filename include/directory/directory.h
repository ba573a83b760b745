/*
 * directory/directory.h - the route decision: rule, name, lookups, affinity, balancing, addresses.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "directory/route.h"
#include "store/health.h"

struct directory;

/* What it decides by: arrays of a snapshot, which must live until directory_configure() is given others. */
struct directory_config {
	const struct route *routes;
	unsigned n_routes;
	const struct pool
	    *pools; /* named pools, then one unnamed-in-the-file pool of one for each backend */
	unsigned n_pools;
	const struct backend *backends;
	unsigned n_backends;
};

struct directory *directory_new(struct loop *loop, struct err *err) MUST_CHECK;
/* Drops all questions: their fn is not called. Before the configuration's lookups go. */
void directory_free(struct directory **d);

/*
 * Decides by @config from now on; the old one is not used any more once this returns. Questions that wait for a lookup of the old one
 * begin again with the new one, in a later turn; those that wait for addresses only finish as they are. Host names of all
 * backends are resolved ahead. -1 and a reason: out of memory (the old one stays).
 */
int directory_configure(
    struct directory *d, const struct directory_config *config, struct err *err) MUST_CHECK;

/*
 * Called once a question, at once or later; @answer is the directory's and only valid while called. May ask, report and call
 * directory_worker_gone(); must not call directory_configure() nor directory_free().
 */
typedef void directory_answer_fn(void *arg, const struct route_answer *answer);

/*
 * @worker: who asks, for directory_worker_gone(). At most DIRECTORY_QUESTIONS_MAX wait at once; one more is answered
 * FAIL_DIRECTORY at once. Questions are bounded in time by what they wait for: the time-out of a lookup, RESOLVE_SECONDS,
 * and their turn at the store, as long as its backend's max_logging_in logins are under way (directory/places.h).
 *
 * A user with open sessions goes where they are (pinned, no other candidate), and for the pool's affinity time after the last of them that
 * store is the first candidate; both only if that store is still one of the target's pool or of its fallbacks: a lookup that names
 * another target is the operator's decision, and new sessions follow it.
 */
#define DIRECTORY_QUESTIONS_MAX 65536u
void directory_ask(struct directory *d, unsigned worker, const struct route_question *q,
    directory_answer_fn *fn, void *arg);
unsigned directory_waiting(const struct directory *d); /* questions */

/* The same for one who only wants to know: nothing is counted, nothing follows from it. */
void directory_explain(struct directory *d, unsigned worker, const struct route_question *q,
    directory_answer_fn *fn, void *arg);

/* --- what operators see and say */

struct directory_backend {
	const struct backend *backend;
	const struct health *health;
	uint64_t sessions; /* open, by reports */
};
/* Backend @i of the configuration. False: there are not so many. */
bool directory_backend_at(const struct directory *d, unsigned i, struct directory_backend *b_r);
const struct directory_config *directory_config(const struct directory *d);

/* False: there is no such backend. */
bool directory_admin(struct directory *d, struct slice backend, enum health_admin admin);

/* affinity_places(), affinity_user_at(). @user: a normalised name, as in answers. */
typedef void directory_place_fn(void *arg, unsigned worker, const char *backend, unsigned sessions);
bool directory_places(
    const struct directory *d, struct slice user, directory_place_fn *fn, void *arg);
const char *directory_user_at(const struct directory *d, struct slice backend);
size_t directory_users(const struct directory *d);

/* What checks of stores show of their capabilities before login. */
typedef void directory_learnt_fn(void *arg, struct slice backend, struct slice text);
void directory_on_learnt(struct directory *d, directory_learnt_fn *fn, void *arg);

/* Reports of workers. @user: the answer's key; @backend: the name of a backend, or route_target_name(). */
void directory_session_open(
    struct directory *d, unsigned worker, struct slice user, struct slice backend);
void directory_session_close(
    struct directory *d, unsigned worker, struct slice user, struct slice backend);
/* How a login at a store ended: into its health, and its place is given back. */
void directory_login(struct directory *d, unsigned worker, const struct login_outcome *outcome);
void directory_worker_gone(
    struct directory *d, unsigned worker); /* also drops its questions: their fn is not called */

#endif
