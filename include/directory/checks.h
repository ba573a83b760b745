/*
 * directory/checks.h - stores are checked at intervals, once for all workers; what their checks and logins show goes into their health.
 */
#ifndef DIRECTORY_CHECKS_H
#define DIRECTORY_CHECKS_H

#include "directory/index.h"
#include "directory/names.h"

#define CHECKS_JITTER 0.1 /* of the interval, either way */

struct checks;

/* A store was seen to announce @text before login. */
typedef void checks_learnt_fn(void *arg, struct slice backend, struct slice text);

struct checks *checks_new(struct loop *loop, struct names *names) MUST_CHECK;
void checks_free(struct checks **c); /* before the names */
void checks_on_learnt(struct checks *c, checks_learnt_fn *fn, void *arg);

/*
 * Checks the backends of @index by the shortest interval of the pools that each is in; what is found goes into its health. Those under
 * way are given up. A store that does not let its probe user in stays up; it is logged when that begins and ends, and again after a
 * reload, as the reload may have been about that. The index lives until the next call; its configuration too.
 */
void checks_configure(struct checks *c, struct index *index);

/* The outcome of a real login: goes into the health of its store; a change is logged as one by a check is. Unknown stores are no matter. */
void checks_login(struct checks *c, const struct login_outcome *outcome);

#endif
