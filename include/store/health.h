/*
 * store/health.h - whether a store may be sent logins: what checks and real logins have shown, as a state machine without I/O.
 *
 *      UP --fall checks failed, or failures of several users--> DOWN
 *      DOWN --after a pause that doubles--> TRIAL (half open) --rise checks or one login fine--> UP
 *                                             '--anything fails--> DOWN
 *
 * One user's trouble takes no store down: failures of logins count only from HEALTH_USERS different users within
 * HEALTH_WINDOW seconds, only those that are the store's (fail_is_stores()), and only while they are more than the logins that it
 * answered in that time: a busy store is not down because some of its users have trouble.
 */
#ifndef STORE_HEALTH_H
#define STORE_HEALTH_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "store/fail.h"

#define HEALTH_WINDOW   30.0 /* seconds in which failures of logins are counted together */
#define HEALTH_FAILURES 5u   /* failures of logins that open the circuit … */
#define HEALTH_USERS    3u   /* … of so many users at least */
#define HEALTH_PAUSE_FIRST                                                                         \
	1.0 /* seconds before a store that is down is tried again; doubled each time */
#define HEALTH_PAUSE_MAX 60.0

enum health_state { HEALTH_UP, HEALTH_DOWN, HEALTH_TRIAL };

/* What an operator has said; kept apart from what was found. */
enum health_admin {
	ADMIN_ENABLED,
	ADMIN_DRAIN,       /* no new users; those with sessions there go on */
	ADMIN_DISABLED,    /* no logins */
	ADMIN_MAINTENANCE, /* its users are told [UNAVAILABLE]; they do not go elsewhere */
};

struct health_config {
	unsigned rise, fall; /* checks in a row, at least 1 */
	bool checked;        /* checks run: a store that is down comes back by them alone */
};

struct health {
	struct health_config config;
	enum health_state state;
	enum health_admin admin;
	double since;           /* of the present state */
	double pause, retry_at; /* DOWN: when the trial begins */
	unsigned in_row;        /* checks of one outcome in a row */
	bool row_ok;            /* which */
	bool trial_out;         /* TRIAL without checks: the one login is under way */
	double trial_since;
	double window; /* when the present count of failures began */
	unsigned failures, n_users;
	uint64_t window_fine;         /* logins in it that the store has answered */
	uint64_t users[HEALTH_USERS]; /* hashes of the users who failed */
	uint64_t by_fail[FAIL_COUNT]; /* failures ever, by cause */
	uint64_t checks, checks_failed, logins, logins_failed;
	/* the last failure, for people */
	double last_at;
	enum fail last_fail;
	char last_stage[32];
	struct err last_reason;
};

void health_init(struct health *h, const struct health_config *config, double now);
/* New settings; what is known stays. */
void health_configure(struct health *h, const struct health_config *config);

/* The outcome of a check. @stage: how far it got. True: the state has changed. */
bool health_check(
    struct health *h, double now, enum fail fail, const char *stage, const struct err *reason);

/* The outcome of a real login's dialogue with the store; @user: a hash of the name. True: the state has changed. */
bool health_login(struct health *h, double now, enum fail fail, uint64_t user, const char *stage,
    const struct err *reason);
/* A login that it was allowed ended on our side before the store had shown anything: the next may try. */
void health_given_up(struct health *h);

/* How one login's dialogue with one store ended, as it goes from a worker to the directory. */
struct login_outcome {
	uint64_t question;    /* by whose answer it went there */
	struct slice backend; /* given up before it came to a store: the first candidate */
	bool
	    given_up; /* by us or the client, before the store had shown anything; no fail, stage, reason */
	enum fail fail;
	uint64_t user; /* hash of the name */
	struct slice stage, reason;
};

/*
 * Whether a login may go there now. Without checks a store on trial takes one login at a time: a true answer counts as that one.
 * @pinned: the user has sessions there already.
 */
bool health_allows(struct health *h, double now, bool pinned);
/* The same for one who only wants to know. */
bool health_would_allow(const struct health *h, double now, bool pinned);

/* Time has passed: DOWN becomes TRIAL when its pause is over. True: the state has changed. */
bool health_tick(struct health *h, double now);

const char *health_state_name(enum health_state s); /* "up", "down", "trial" */
const char *health_admin_name(
    enum health_admin a); /* "enabled", "drain", "disabled", "maintenance" */
bool health_admin_parse(const char *word, enum health_admin *admin_r) MUST_CHECK;

/* Whether a failure speaks of the store and not of the user or of us. */
bool fail_is_stores(enum fail f);

#endif
