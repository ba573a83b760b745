/*
 * directory/route.h - the question "where does this user go", its answer, and the rules behind it.
 */
#ifndef DIRECTORY_ROUTE_H
#define DIRECTORY_ROUTE_H

#include "base/addr.h"
#include "base/pack.h"
#include "io/resolve.h"
#include "store/fail.h"
#include "store/pool.h"

struct lookup; /* directory/lookup.h */

#define ROUTE_USER_MAX   512 /* bytes of a user name, with its NUL */
#define ROUTE_CANDIDATES 8   /* stores that one login may try */
#define ROUTE_REASON_MAX 160

/* --- rules (immutable, part of a snapshot) */

enum username_step_kind { USERNAME_LOWERCASE, USERNAME_DEFAULT_DOMAIN, USERNAME_STRIP_DOMAIN };

struct username_step {
	enum username_step_kind kind;
	const char *domain; /* USERNAME_DEFAULT_DOMAIN */
};

struct route {
	const char *name;           /* "" for [route] */
	const char *const *listens; /* for these listeners only; NULL: all */
	unsigned n_listens;
	const char *const *server_names; /* for these TLS server names only; NULL: all */
	unsigned n_server_names;
	const struct username_step *steps;
	unsigned n_steps;
	struct lookup *const *lookups; /* asked in turn; directory (and check) only */
	unsigned n_lookups;
	const struct pool *default_target; /* NULL: unknown users are refused */
	int line;
};

/* --- question and answer, as they go between worker and directory */

struct route_question {
	uint64_t id;               /* the asker's; comes back with the answer */
	char user[ROUTE_USER_MAX]; /* as the client sent it; never holds a NUL */
	char listener[BACKEND_NAME_MAX];
	char server_name[BACKEND_HOST_MAX]; /* SNI; empty: none */
	struct addr client;
};

struct route_candidate {
	char backend
	    [BACKEND_NAME_MAX]; /* [backend NAME]; empty: host and port below, with the defaults of a backend */
	char host[BACKEND_HOST_MAX]; /* lower case */
	uint16_t port;
	struct addr addrs[RESOLVE_MAX];
	unsigned n_addrs; /* 0: could not be resolved */
};

struct route_answer {
	uint64_t id;
	enum fail fail;                /* FAIL_NONE: candidates follow; else why there are none */
	char user[ROUTE_USER_MAX];     /* the name for the store (normalised or overridden) */
	char key[ROUTE_USER_MAX];      /* the normalised name: affinity, logs */
	char route[BACKEND_NAME_MAX];  /* name of the pool, or of the backend, for the log */
	char reason[ROUTE_REASON_MAX]; /* which lookup or rule decided, for logs and explain */
	bool pinned; /* the user has sessions open at the first candidate: no other may be tried */
	int8_t tls;  /* override: enum tls_mode, or -1 */
	int8_t verify; /* override: 0, 1, or -1 */
	struct route_candidate candidates[ROUTE_CANDIDATES];
	unsigned n_candidates;
};

void route_question_pack(struct pack *k, const struct route_question *q);
bool route_question_unpack(struct unpack *u, struct route_question *q_r) MUST_CHECK;
void route_answer_pack(struct pack *k, const struct route_answer *a);
bool route_answer_unpack(struct unpack *u, struct route_answer *a_r) MUST_CHECK;

/*
 * How a store without a [backend] is called, in reports of sessions and in logs: "host:port", "[v6]:port", in lower case whatever the
 * lookup wrote. Into @dst, cut where too long; returns @dst.
 */
#define ROUTE_TARGET_MAX (BACKEND_HOST_MAX + 8)
char *route_target_name(char dst[ROUTE_TARGET_MAX], const char *host, uint16_t port);

/*
 * Normalises @name by the steps of @route into @dst. False: it is no usable name (empty, a NUL or control byte, too long).
 */
bool route_username(
    const struct route *route, struct slice name, char *dst, size_t size) MUST_CHECK;

/*
 * The rule for a question: the first whose listen and server_name fit, those that name something before those that do not. NULL: none.
 */
const struct route *route_choose(
    const struct route *routes, unsigned n, const struct route_question *q);

#endif
