/*
 * directory/lookup.h - sources of routes behind one table of operations: one file a source.
 */
#ifndef DIRECTORY_LOOKUP_H
#define DIRECTORY_LOOKUP_H

#include "base/err.h"
#include "directory/route.h"

/* What a source says of a user: a target and its overrides. */
struct lookup_answer {
	char target[BACKEND_HOST_MAX + 8]; /* pool, backend, or host:port */
	char user[ROUTE_USER_MAX];         /* user=…; empty: none */
	int8_t tls;                        /* tls=…: enum tls_mode, or -1 */
	int8_t verify;                     /* verify=yes|no, or -1 */
	char matched[ROUTE_REASON_MAX];    /* for explain: "users:12 @example.org" */
};

/* 1: known, @answer is filled; 0: not known here; -1: failed, @err says why. @answer and @err are the callee's only while called. */
typedef void lookup_fn(void *arg, int result, const struct lookup_answer *answer, const struct err *err);

struct lookup_ops {
	const char *scheme; /* "file" */
	/* Answers by calling @fn once, at once or later. */
	void (*ask)(struct lookup *l, struct slice user, lookup_fn *fn, void *arg);
	void (*free)(struct lookup *l);
};

struct lookup {
	const struct lookup_ops *ops;
	const char *source; /* as configured: "file:/etc/sallyport/users" */
};

void lookup_ask(struct lookup *l, struct slice user, lookup_fn *fn, void *arg);
void lookup_free(struct lookup **l);

/*
 * Called for each target that a table of users names while it is read, so that a name that does not exist is found at
 * once, with its line. False: no such pool or backend (host:port never gets here).
 */
typedef bool lookup_target_fn(void *arg, struct slice target);
/* One mistake, with the line it is on. */
typedef void lookup_mistake_fn(void *arg, int line, const char *text);

/*
 * directory/lookup_file.c: a users file, from its bytes (copied). `user target [key=value …]` a line; exact names win, then
 * `@domain`, then patterns (* and ?) in the order of the file; # comments. All mistakes are reported. NULL: out of memory or any mistake.
 */
struct lookup *lookup_file_new(const char *source, struct slice bytes, lookup_target_fn *target,
	lookup_mistake_fn *mistake, void *arg) MUST_CHECK;

/* Parses `target [key=value …]`, as every source answers. -1 and what is wrong. */
int lookup_answer_parse(struct slice text, struct lookup_answer *answer_r, struct err *err) MUST_CHECK;

#endif
