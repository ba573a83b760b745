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

/*
 * 1: known, @answer is filled; 0: not known here; -1: failed, @err says why. @answer and @err are the callee's and only while
 * called. May ask again (this source or another), never free the source.
 */
typedef void lookup_fn(
    void *arg, int result, const struct lookup_answer *answer, const struct err *err);

struct lookup_ops {
	const char *scheme; /* "file" */
	/* Answers by calling @fn once, at once or later. */
	void (*ask)(struct lookup *l, struct slice user, lookup_fn *fn, void *arg);
	/* Forgets a question that waits, by its @arg: its fn is not called any more. NULL: this source always answers at once. */
	void (*cancel)(struct lookup *l, void *arg);
	/* Questions that still wait are forgotten likewise. */
	void (*free)(struct lookup *l);
};

struct lookup {
	const struct lookup_ops *ops;
	const char *source; /* as configured: "file:/etc/sallyport/users" */
};

/* @user: normalised. @arg also names the question for lookup_cancel(), so it must not be waiting twice. */
void lookup_ask(struct lookup *l, struct slice user, lookup_fn *fn, void *arg);
void lookup_cancel(struct lookup *l, void *arg); /* no-op when nothing waits for @arg */
void lookup_free(struct lookup **l);             /* NULL is fine */

/*
 * Called for each target that a table of users names while it is read, so that a name that does not exist is found at
 * once, with its line. False: no such pool or backend (host:port never gets here).
 */
typedef bool lookup_target_fn(void *arg, struct slice target);
/* One mistake, with the line it is on. */
typedef void lookup_mistake_fn(void *arg, int line, const char *text);

/* Bounds of a users file. */
#define LOOKUP_FILE_LINES_MAX    10000000
#define LOOKUP_FILE_PATTERNS_MAX 10000
#define LOOKUP_FILE_LINE_MAX     2048 /* bytes, without the line end */
#define LOOKUP_FILE_MISTAKES_MAX 100  /* reported in a run */

/*
 * directory/lookup_file.c: a users file, from its bytes (copied). A line is `user target [key=value …]`, cut at blanks; a word that
 * begins with # begins a comment. CRLF and a byte order mark at the front are tolerated.
 *
 * Exact names win, then `@domain` (of the name's last @), then patterns in the order of the file: * is any run of bytes,
 * also none, ? is one byte; a pattern that begins with @ is for the domain alone. Names, domains and patterns are compared
 * without regard to ASCII case, whether or not the route lowercases: `Bob` and `bob` in one file are a mistake.
 *
 * All mistakes are reported, in order of lines, up to the bound. NULL: out of memory (reported with line 0) or any mistake.
 */
struct lookup *lookup_file_new(const char *source, struct slice bytes, lookup_target_fn *target,
    lookup_mistake_fn *mistake, void *arg) MUST_CHECK;

/*
 * Parses `target [key=value …]`, as every source answers: user=NAME, tls=none|starttls|implicit, verify=yes|no. The target is a
 * name or host:port ([v6]:port). 0; -1 and what is wrong. Leaves @matched empty.
 */
int lookup_answer_parse(
    struct slice text, struct lookup_answer *answer_r, struct err *err) MUST_CHECK;

/* Whether a target is host:port rather than the name of a pool or backend. */
bool lookup_target_is_address(struct slice target);

/* Cuts the next word off the front of *@s, words being separated by spaces and tabs; empty when none is left. */
struct slice lookup_word(struct slice *s);

/* Whether @name fits @pattern (* and ?), byte by byte. Time: length of the name times that of the longest run between stars, at worst. */
bool lookup_pattern_fits(struct slice pattern, struct slice name);

#endif
