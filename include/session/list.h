/*
 * session/list.h - the sessions of a worker for those who look at them: rows, ends on order, the dialogue before the relay.
 */
#ifndef SESSION_LIST_H
#define SESSION_LIST_H

#include "session/session.h"

/* Which sessions; what is empty or 0 fits all. */
struct session_filter {
	struct slice
	    user; /* the normalised name or, before the directory has answered, as sent; case counts not */
	struct slice backend; /* those in the relay only */
	uint64_t id;
};

struct session_info {
	uint64_t id;
	const char *state; /* a literal */
	const char *user, *listener,
	    *tls;                    /* user: NULL while not known; tls: "none", "TLSv1.3", … */
	const char *route, *backend; /* NULL before the relay */
	struct addr client;
	double age, idle; /* seconds; idle since the last byte either way */
	uint64_t client_bytes, store_bytes;
};

/*
 * A walk over all sessions, a bounded number at a time: those logging in, then those in the relay. It survives the end of any
 * of them. One that logs in while the walk goes on may be met twice, and none that stays is left out.
 */
struct session_cursor {
	struct list node; /* of env->cursors */
	struct session_env *env;
	struct list *at; /* the next, or the head of its list */
	bool relays;
};

/* Pointers in @info are valid during the call, which must not end sessions. */
typedef void session_row_fn(void *arg, const struct session_info *info);

void session_walk_begin(struct session_env *env, struct session_cursor *c);
/* The next @budget sessions, those that fit to @fn. False: that was all. */
bool session_walk(struct session_cursor *c, const struct session_filter *filter, unsigned budget,
    session_row_fn *fn, void *arg);
void session_walk_end(struct session_cursor *c); /* also twice */

/*
 * The same, but sessions that fit are ended as kicked: before the relay with BYE. *ended_r is added to. False: that was all.
 */
bool session_kick(struct session_cursor *c, const struct session_filter *filter, unsigned budget,
    uint64_t *ended_r);

/* --- the dialogue before the relay */

#define SESSION_TRACES_MAX 8

/* Logins of @user are told to hooks->trace from now on, with @id. False: too many already, or out of memory. */
bool session_trace_begin(struct session_env *env, uint32_t id, struct slice user) MUST_CHECK;
void session_trace_end(struct session_env *env, uint32_t id);
void session_trace_end_all(struct session_env *env);

#endif
