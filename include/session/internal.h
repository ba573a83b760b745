/*
 * session/internal.h - what the files of session/ share; nobody else includes it.
 *
 * struct session is what stays, perhaps for days. struct login is what is needed before the relay and is freed,
 * secrets wiped, when the relay begins.
 */
#ifndef SESSION_INTERNAL_H
#define SESSION_INTERNAL_H

#include "base/buf.h"
#include "base/htab.h"
#include "base/secret.h"
#include "io/deadline.h"
#include "proto/imap_command.h"
#include "proto/sasl.h"
#include "session/list.h"
#include "session/session.h"
#include "store/upstream.h"

/*
 * The client side. What each state reads, waits for and may become is in the table of session.c.
 */
enum session_state {
	SESSION_NEW,     /* being made */
	SESSION_TLS,     /* handshake with the client */
	SESSION_COMMAND, /* a command is expected */
	SESSION_SASL,    /* a SASL response is expected */
	SESSION_ROUTE,   /* the directory is asked */
	SESSION_STORE,   /* a store is being logged in to */
	SESSION_DELAY,   /* a refused login waits for its answer */
	SESSION_RELAY,
	SESSION_DEAD,
	SESSION_STATES
};

/* Why a session ended: enum, closed_by, reason in the log. */
#define CLOSE_REASONS(X)                                                                           \
	X(CLIENT_CLOSED, "client", "closed")          /* the client ended its side first */        \
	X(CLIENT_ERROR, "client", "connection-error") /* reset, timed out, TLS error */            \
	X(CLIENT_TLS, "client", "tls-handshake")      /* failed before anything was said */        \
	X(CLIENT_LOGOUT, "client", "logout")          /* before a login */                         \
	X(CLIENT_PROTOCOL, "proxy", "not-imap")       /* TLS or HTTP where IMAP was expected */    \
	X(BAD_COMMANDS, "proxy", "too-many-bad-commands")                                          \
	X(FAILED_LOGINS, "proxy", "too-many-failed-logins")                                        \
	X(TOO_BIG, "proxy", "too-big") /* a literal or command over its bound */                   \
	X(LOGIN_TIMEOUT, "proxy", "login-timeout")                                                 \
	X(IDLE, "proxy", "idle-timeout")                                                           \
	X(STALLED_CLIENT, "proxy", "client-stalled") /* took no bytes for too long */              \
	X(STALLED_STORE, "proxy", "store-stalled")                                                 \
	X(HALF_CLOSED, "proxy", "half-closed") /* one side ended, the other never did */           \
	X(STORE_CLOSED, "store", "closed")                                                         \
	X(STORE_ERROR, "store", "connection-error")                                                \
	X(MEMORY, "proxy", "out-of-memory")                                                        \
	X(KICKED, "proxy", "kicked") /* an operator said so */                                     \
	X(SHUTDOWN, "proxy", "shutdown")                                                           \
	X(BROKEN, "proxy", "internal-error")

enum close_reason {
#define X(id, by, reason) CLOSE_##id,
	CLOSE_REASONS(X)
#undef X
	    CLOSE_REASON_COUNT
};

struct session;

/* Before the relay. */
struct login {
	struct session *session;
	struct snapshot *snapshot;   /* counted */
	const struct listen *listen; /* of it */
	struct deadline until;       /* login_timeout, from accepting to the relay */
	struct deadline delay;       /* a refusal is told no earlier; runs from login_asked() */

	/* the client's side */
	struct buf in; /* what came and is not dealt with; wiped */
	struct frame frame;
	const char *bad;       /* the command has been found wrong; its rest is read and dropped */
	bool parsing;          /* front_parse() is at work: front_resume() leaves the rest to it */
	bool skipping;         /* the rest of a refused line is read and dropped */
	char skipped[4];       /* the last bytes of it */
	bool secured;          /* TLS was up when the session began or by STARTTLS */
	bool asked_capability; /* reads untagged CAPABILITY: see design, section 3 */
	bool greeted;
	unsigned bad_commands, failed_logins;
	char tag[65];
	enum sasl_mechanism mechanism;
	const char *mechanism_name; /* for the log: "LOGIN", "PLAIN", … */
	bool sasl_user_known;       /* LOGIN: the name has come, the password is next */

	/* who wants in */
	char user[ROUTE_USER_MAX]; /* as sent */
	struct secret password;

	/* the way there */
	struct htab_node asked;      /* in env->questions while the directory has one */
	uint64_t question;           /* its id */
	double began;                /* the present try, loop time */
	struct route_answer *answer; /* SESSION_STORE */
	unsigned candidate, address; /* present, in the answer */
	unsigned tries;
	char target[ROUTE_TARGET_MAX];      /* name of a store without a [backend] */
	struct backend backend;             /* the present store's, overrides applied */
	struct upstream *upstream;          /* also after a refusal, for another try */
	bool trying;                        /* it is at work: its outcome is to be told */
	bool placed;                        /* an answer has come, and no outcome was told of it */
	char upstream_user[ROUTE_USER_MAX]; /* whom the kept one is for, as sent */
	enum fail fail;                     /* SESSION_DELAY: what will be answered */
	char fail_text[512];                /* the store's own words, if they are passed on */
	enum fail last_fail;                /* of the last store tried */
};

/* What stays. */
struct session {
	unsigned magic;
	enum session_state state;
	enum close_reason reason; /* SESSION_DEAD, or of the first end seen in the relay */
	bool reason_set;
	bool client_reads, store_reads; /* what is wanted of each leg now */
	bool client_eof, store_eof;
	struct list node; /* env->logins, env->relays or env->graveyard */
	struct session_env *env;
	struct conn *client, *store;
	struct login *login;      /* NULL in the relay */
	struct deadline deadline; /* relay: idle, stall or half-close */
	size_t stalled_at;        /* what was pending when the stall was noted */
	uint64_t id;
	uint64_t client_bytes, store_bytes; /* relayed */
	double began, relay_began, moved;   /* loop time; the last byte */
	struct addr peer;
	const char *listener; /* of `names`, as the next ones */
	char *names;          /* one allocation: listener, user, route, backend */
	const char *user, *route, *backend;
};
#define SESSION_MAGIC 0x5e551044u
_Static_assert(sizeof(struct session) <= 256, "the session that stays is small");

struct session_env {
	struct loop *loop;
	struct conn_env *conns;
	const struct session_hooks *hooks;
	void *ctx;
	unsigned share;
	struct snapshot *snapshot;
	struct upstream_env upstreams;
	struct mem_pool *sessions, *login_pool;
	struct list logins, relays, graveyard;
	struct list cursors; /* struct session_cursor: nearly always none */
	struct list traces;
	unsigned n_traces;
	struct loop_task reaper;
	unsigned count;
	uint64_t next_id, next_question;
	struct htab questions; /* struct login by question id */
	struct deadline_list login_times, delays, idles, stalls, half_closed;
	struct loop_timer stop_timer;
	double stop_until, stop_seconds; /* loop time, how long it was given */
	unsigned stop_count;             /* relays there were then */
	bool stopping;
	struct announce *announce;
	char *scratch; /* the one relay buffer, CONN_WRITE_MAX bytes */
};

/* --- session.c */

/* The only writer of s->state; an edge that the table does not have is a broken invariant and ends the session. */
void session_enter(struct session *s, enum session_state next);

/*
 * The only way out: state DEAD, watchers stopped, descriptors closed, secrets wiped, one log line; the memory goes at the end of the turn.
 * Does nothing to a dead session.
 */
void session_close(struct session *s, enum close_reason reason);

/* The same, with "* BYE @text" to the client; only before the relay. */
void session_bye(struct session *s, enum close_reason reason, const char *text);

/* As session_close(), for a session that has said its last word: it is made sure that the client gets it. */
void session_end_lingering(struct session *s, enum close_reason reason);

/* At the end of each dispatch: something can still wake this session, or it is dead. */
void session_check(struct session *s);

void session_free_login(struct session *s); /* wipes and frees s->login and what hangs on it */
struct log_line;
void session_log_who(struct session *s, struct log_line *l); /* session, client, listener, TLS */
const char *session_id_text(const struct session *s, char text[17]);

/* --- list.c */

const char *session_state_name(enum session_state state);
/* @s leaves the list that it is on: walks go on behind it. */
void session_list_leave(struct session *s);
/*
 * A step of the dialogue before the relay, for those who trace the user. Never given what may hold a secret: words of
 * our own, names, and what a store said before it was sent a secret.
 */
void session_trace(struct session *s, const char *who, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool session_traced(const struct session *s); /* whether anybody does */

/* --- front.c: the client's side until the login */

size_t front_command_max(const struct proxy_settings *p); /* bytes of a whole command */
void front_begin(struct session *s);                      /* greeting or handshake */
void front_event(struct conn *c, int events, void *arg);
void front_say(struct session *s, const char *fmt, ...)
    PRINTF_LIKE(2, 3);                /* one whole response, without CRLF */
void front_resume(struct session *s); /* back in COMMAND: what is buffered goes on */

/* --- front_command.c: what the commands do */

bool front_may_log_in(const struct session *s); /* over this connection, as it is now */

void front_command(struct session *s, const struct imap_command *cmd);
void front_sasl(struct session *s, struct slice line); /* a SASL response, line end off */
void front_bad(struct session *s, struct slice tag, const char *why); /* counts towards the limit */

/* --- login.c: directory, stores, answer */

void login_asked(struct session *s); /* the client wants in, as of now */
void login_begin(struct session *s); /* user, password, tag are set */
void login_answer(struct session *s, const struct route_answer *answer);
void login_unused(struct session_env *env, const struct route_answer *answer);
void login_fail(struct session *s, enum fail why, const char *detail); /* after its delay */
void login_delay_over(struct deadline *d, void *arg);
void login_forget_store(struct session *s);

/* --- relay.c */

/* Both legs are up, what is to be said before has been written; s->login is freed already. */
void relay_begin(struct session *s);
void relay_expired(struct deadline *d, void *arg); /* idle */
void relay_stalled(struct deadline *d, void *arg);
void relay_half_closed(struct deadline *d, void *arg);

/* --- announce.c: what may be announced before login */

struct announce;
struct announce *announce_new(void) MUST_CHECK;
void announce_free(struct announce **a);
/* The stores that count are those of @snapshot; what is known of them is kept. */
void announce_configure(struct announce *a, const struct snapshot *snapshot);
/* A store's list before login. True when it was new. */
bool announce_learn(struct announce *a, const char *backend, const struct capability_list *before);
/*
 * The list for a client: @starttls: the command is served; @login: logins are accepted now (else LOGINDISABLED).
 */
void announce_list(const struct announce *a, const struct snapshot *snapshot, bool starttls,
    bool login, struct capability_list *list_r);

#endif
