/*
 * store/upstream.h - the dialogue with a mail store: connect, TLS, greeting, capabilities, login. Used by sessions and by checks.
 *
 *      CONNECT -> [TLS] -> GREETING -> [CAPABILITY] -> [STARTTLS -> TLS -> CAPABILITY] -> SECURE
 *              -> LOGIN -> [CAPABILITY] -> READY            (the relay takes the connection)
 *                  '-> REFUSED -> LOGIN again with other credentials, on the same connection
 *
 * All that a store sends here is bounded in line, literal, number and time. No secret is sent before TLS that is configured, nor to a
 * store that says LOGINDISABLED.
 */
#ifndef STORE_UPSTREAM_H
#define STORE_UPSTREAM_H

#include "base/buf.h"
#include "io/conn.h"
#include "io/deadline.h"
#include "proto/capability.h"
#include "store/backend.h"
#include "store/fail.h"
#include "store/login_command.h"

struct upstream;

/* What upstreams of a worker share. */
struct upstream_env {
	struct loop *loop;
	struct conn_env *conns;
	struct mem_pool *pool; /* of struct upstream */
	struct list graveyard; /* freed, memory kept until the end of the turn */
	struct loop_task reaper;
	unsigned next_source; /* local addresses are taken in turn */
};

int upstream_env_init(
    struct upstream_env *env, struct loop *loop, struct conn_env *conns) MUST_CHECK;
void upstream_env_free(struct upstream_env *env);

/*
 * What the owner is told. Each may close the upstream (upstream_free) before returning.
 *
 * secure:   the store is ready for credentials (TLS up where configured); its capabilities before login are known.
 * untagged: an untagged response that belongs to the login, line end included, to be passed on in order.
 * ready:    logged in. The owner calls upstream_take().
 * refused:  the store said NO (or BAD) to the credentials: @text is what stood behind "NO " (code and text), empty for BAD. FAIL_CREDENTIALS or
 *           FAIL_STORE_REFUSED. The connection lives on, upstream_login() may be called again.
 * failed:   everything else; the connection is closed already. @err has the reason for the log.
 */
struct upstream_ops {
	void (*secure)(void *arg);
	void (*untagged)(void *arg, struct slice response);
	void (*ready)(void *arg);
	void (*refused)(void *arg, enum fail why, struct slice text);
	void (*failed)(void *arg, enum fail why, const struct err *err);
	/*
	 * May be NULL. What went over the wire, in words: @sent by us, or by the store. Once a secret was sent nothing of what the
	 * store says is in it but its kind, as it might repeat it. Must not close the upstream.
	 */
	void (*trace)(void *arg, bool sent, const char *text);
};

/*
 * Begins: connects to @to, an address of @backend (which must live as long as the upstream). NULL: out of memory.
 * A connection that cannot be begun is reported by failed(), from the loop, never from here.
 */
struct upstream *upstream_start(struct upstream_env *env, const struct backend *backend,
    const struct addr *to, const struct upstream_ops *ops, void *arg) MUST_CHECK;

/* Sends the login: only from secure() or after refused(). Ends in ready, refused or failed. */
void upstream_login(struct upstream *u, const struct upstream_credentials *credentials);

/* The store's capabilities before login (after TLS, where TLS is used); valid from secure() on. */
const struct capability_list *upstream_before(const struct upstream *u);

/* After ready(): what the session needs of it; then the upstream is freed. */
struct upstream_result {
	struct conn *conn; /* the receiver's; no handler set, not reading */
	struct buf rest;   /* bytes behind the tagged OK, the receiver's */
	struct capability_list
	    after;      /* the store's capabilities after login, as it told or was asked */
	char text[512]; /* human text of its tagged OK */
};
void upstream_take(struct upstream **u, struct upstream_result *result_r);

/* Ends it as a client does that has nothing more to ask: LOGOUT goes out, its answer is not awaited. Only from secure(). */
void upstream_logout(struct upstream **u);

/* Ends it in any state: LOGOUT is not awaited. NULL is fine. */
void upstream_free(struct upstream **u);

/* For logs and trace: "connect", "tls", "greeting", … In failed(): where it failed. */
const char *upstream_state_name(const struct upstream *u);

#endif
