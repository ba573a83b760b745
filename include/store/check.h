/*
 * store/check.h - one check of a store: TCP, TLS, greeting, capabilities, login where there is somebody to log in as, LOGOUT.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/upstream.h"

struct check;

/*
 * How it ended: FAIL_NONE, or why and at which stage not. FAIL_CREDENTIALS and FAIL_STORE_REFUSED: the store is well and does not let the
 * probe user in. @err never has words that a store said after it was sent the password.
 */
struct check_result {
	enum fail fail;
	const char *stage; /* "connect", "tls", "greeting", …, "login", "done" */
	const struct err *err;
	struct slice before; /* what the store announces before login; empty: not got so far */
	struct slice after;  /* and after: empty without a probe user */
};

/* @result is valid while called; the check is gone then. */
typedef void check_fn(void *arg, const struct check_result *result);

/* Begins; @backend lives until the end. @fn is called from the loop. NULL: out of memory. */
struct check *check_start(struct upstream_env *env, const struct backend *backend,
    const struct addr *to, check_fn *fn, void *arg) MUST_CHECK;
/* Gives it up: @fn is not called. NULL is fine. */
void check_free(struct check **c);

#endif
