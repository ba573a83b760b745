/*
 * directory/directory.h - the route decision: rule, name, lookups, affinity, balancing, addresses.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "directory/route.h"

struct directory;

/* What it decides by: arrays of a snapshot, which must live until directory_configure() is given others. */
struct directory_config {
	const struct route *routes;
	unsigned n_routes;
	const struct pool *pools; /* named pools, then one unnamed-in-the-file pool of one for each backend */
	unsigned n_pools;
	const struct backend *backends;
	unsigned n_backends;
};

struct directory *directory_new(struct loop *loop, struct err *err) MUST_CHECK;
void directory_free(struct directory **d);
/* -1 and a reason: out of memory (the old one stays). */
int directory_configure(struct directory *d, const struct directory_config *config, struct err *err) MUST_CHECK;

/* Called once a question, at once or later; @answer is the directory's. */
typedef void directory_answer_fn(void *arg, const struct route_answer *answer);

/* At most DIRECTORY_QUESTIONS_MAX wait at once; one more is answered FAIL_DIRECTORY at once. */
#define DIRECTORY_QUESTIONS_MAX 65536u
void directory_ask(struct directory *d, const struct route_question *q, directory_answer_fn *fn, void *arg);

/* Reports of workers. */
void directory_session_open(struct directory *d, unsigned worker, struct slice user, struct slice backend);
void directory_session_close(struct directory *d, unsigned worker, struct slice user, struct slice backend);
void directory_worker_gone(struct directory *d, unsigned worker); /* also drops its questions: their fn is not called */

#endif
