/*
 * session/session.h - one client from accept to the end, as the worker's process sees it.
 *
 *      ACCEPT -> [TLS] -> COMMAND <-> STARTTLS/TLS
 *                         COMMAND <-> SASL
 *                         COMMAND  -> ROUTE -> STORE -> RELAY
 *
 * The worker gives connections in and answers of the directory; what the session needs of the world above
 * comes through struct session_hooks. Questions carry an id, never a pointer.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "config/snapshot.h"
#include "directory/route.h"
#include "io/conn.h"
#include "io/loop.h"
#include "store/health.h"

struct session_env;

/* Upward needs, set at start; @ctx is theirs. */
struct session_hooks {
	/* Puts a question to the directory. False: there is none now; the login fails with FAIL_DIRECTORY. */
	bool (*ask)(void *ctx, const struct route_question *q);
	/* A relay began / ended: @user is the normalised name, @backend where it is. */
	void (*opened)(void *ctx, struct slice user, struct slice backend);
	void (*closed)(void *ctx, struct slice user, struct slice backend);
	/* A login's dialogue with a store has ended; the slices live during the call. */
	void (*outcome)(void *ctx, const struct login_outcome *outcome);
	/* A real login has shown what @backend announces before login, and it is new. */
	void (*learnt)(void *ctx, struct slice backend, struct slice capabilities);
	/* A step of a login that trace @id is about. @who: "client", "proxy to client", … a literal; @text: printable, without secrets. */
	void (*trace)(void *ctx, uint32_t id, uint64_t session, const char *who, const char *text);
	/* The last session is gone after session_stop(). */
	void (*empty)(void *ctx);
};

/* @share: this worker is one of so many: limits over all workers are divided. NULL: out of memory. */
struct session_env *session_env_new(struct loop *loop, struct conn_env *conns,
    const struct session_hooks *hooks, void *ctx, unsigned share) MUST_CHECK;
/* All sessions are closed at once. */
void session_env_free(struct session_env **env);

/* New sessions go by @snapshot (a reference is taken); those logging in keep the one they began with. */
void session_configure(struct session_env *env, struct snapshot *snapshot);

/*
 * Takes over an accepted connection of @listen (of the present snapshot). When a limit is reached the client is told and the connection closed.
 */
void session_accept(struct session_env *env, const struct listen *listen, struct conn **conn,
    const struct addr *peer, const struct addr *local);
/* The same for a @listen of @snapshot, which is no longer the present one: what waited at a listener that went with it. */
void session_accept_under(struct session_env *env, struct snapshot *snapshot,
    const struct listen *listen, struct conn **conn, const struct addr *peer,
    const struct addr *local);

/* An answer of the directory; one whose session is gone is dropped. */
void session_answer(struct session_env *env, const struct route_answer *answer);

/* The directory is gone: questions that wait fail, their clients may try again. */
void session_directory_lost(struct session_env *env);
/* A directory is there anew: reports every open relay through hooks->opened. */
void session_report(struct session_env *env);

/* What another worker's login has shown of a backend. */
void session_learn(struct session_env *env, struct slice backend, struct slice capabilities);

/*
 * Ends: those not logged in at once with `* BYE`, relays spread over @seconds and then the rest; hooks->empty when none is left (also at once).
 */
void session_stop(struct session_env *env, double seconds);

unsigned session_count(const struct session_env *env); /* clients, logged in or not */

#endif
