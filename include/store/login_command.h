/*
 * store/login_command.h - the command that logs in at a store, in the form that the store understands.
 *
 * AUTHENTICATE PLAIN where it is offered (it carries an authorisation identity), with the initial response where SASL-IR is; else LOGIN,
 * each string quoted or as a literal as its bytes demand. Where the store must ask for more first, the command falls
 * into parts; the password always stands in the last.
 */
#ifndef STORE_LOGIN_COMMAND_H
#define STORE_LOGIN_COMMAND_H

#include "base/buf.h"
#include "base/secret.h"
#include "proto/capability.h"
#include "store/fail.h"

#define LOGIN_COMMAND_PARTS 3
#define LOGIN_COMMAND_MAX   ((size_t)65536) /* bytes: what a connection takes at once */

struct upstream_credentials {
	struct slice user;             /* as the store is to see it */
	struct slice authzid;          /* empty: none */
	const struct secret *password; /* the caller's; not kept */
};

struct login_command {
	struct buf bytes;                /* secret: wiped when cleared */
	size_t end[LOGIN_COMMAND_PARTS]; /* where each part ends */
	unsigned n, sent;                /* parts, and how many have been taken */
};

/*
 * Builds it behind @tag for a store with the capabilities @before. 1; -1 with why in *fail_r: FAIL_NO_MECHANISM (the store says
 * LOGINDISABLED, or cannot take what is asked) or FAIL_MEMORY (too long, a NUL).
 */
int login_command_build(struct login_command *c, const struct capability_list *before,
    const char *tag, const struct upstream_credentials *credentials, enum fail *fail_r) MUST_CHECK;

bool login_command_more(const struct login_command *c);   /* parts are left */
struct slice login_command_next(struct login_command *c); /* the next part; valid until cleared */
void login_command_clear(struct login_command *c); /* wipes; a zeroed or cleared one is fine */

#endif
