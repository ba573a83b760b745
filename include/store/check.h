/*
 * store/check.h - one check of a store: TCP, TLS, greeting, capabilities, LOGOUT.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/upstream.h"

struct check;

/*
 * How it ended: FAIL_NONE, and @capabilities are what the store announces before login; or why and at which stage not. Valid while called;
 * the check is gone then.
 */
typedef void check_fn(
    void *arg, enum fail fail, const char *stage, const struct err *err, struct slice capabilities);

/* Begins; @backend lives until the end. @fn is called from the loop. NULL: out of memory. */
struct check *check_start(struct upstream_env *env, const struct backend *backend,
    const struct addr *to, check_fn *fn, void *arg) MUST_CHECK;
/* Gives it up: @fn is not called. NULL is fine. */
void check_free(struct check **c);

#endif
