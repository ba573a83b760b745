/*
 * base/err.h - the reason of a failure, as text for the operator.
 *
 * Passed last to whatever can fail; set where the failure is seen, given context on the way up, logged
 * once, where it is decided what follows. Never holds a secret; text from the network is put in with
 * err_set("%s") and escaped by the logger.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/compiler.h"

struct err {
	char text[320]; /* NUL-terminated, cut where too long; empty: no reason given */
};

/* Sets the text. @e may be NULL (nobody wants to know). Always returns -1, so that `return err_set(…)` reads well. */
int err_set(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Same, with ": " and the text of errno value @errnum at its end. */
int err_errno(struct err *e, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "@fmt…: " before what is there, "@fmt…" alone where nothing is or nothing of it has room.
 * Returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
