/*
 * process/control.h - the control socket: bounded clients, one request each, answers that stream.
 *
 *      request: words, each ended by a NUL, and an empty word
 *      answer:  `ok` or `error TEXT` on a line, then the body until the end
 *
 * Knows no verb. Who may ask: root, the user the master runs as, and whom the socket's group lets in.
 */
#ifndef PROCESS_CONTROL_H
#define PROCESS_CONTROL_H

#include "base/buf.h"
#include "base/err.h"
#include "io/loop.h"

#define CONTROL_CLIENTS_MAX     32
#define CONTROL_REQUEST_MAX     4096
#define CONTROL_WORDS_MAX       32
#define CONTROL_OUT_MAX         ((size_t)1 << 20) /* bytes of an answer that wait for the client */
#define CONTROL_OUT_HIGH        ((size_t)65536)   /* above it no more should be asked for */
#define CONTROL_REQUEST_SECONDS 5                 /* for the request to come */
#define CONTROL_STALL_SECONDS   30                /* for a client that reads nothing */

struct control;
struct control_client;

struct control_ops {
	/* A request, NULL behind the last word. Ends, here or later, in control_end() or control_fail(), or in gone(). */
	void (*request)(struct control_client *c, char **words, unsigned n, void *arg);
	/* What was put has gone out to the client. */
	void (*room)(struct control_client *c, void *arg);
	/* The client did not wait: @c must not be used any more. */
	void (*gone)(struct control_client *c, void *arg);
};

/* @fd: listening, taken over. @owner: the master's user. @group: members of the socket's group may ask. NULL: out of memory. */
struct control *control_new(struct loop *loop, int fd, uint32_t owner, bool group,
    const struct control_ops *ops, void *arg) MUST_CHECK;
void control_free(struct control **c); /* gone() for all that wait; NULL is fine */

void control_set_data(struct control_client *c, void *data);
void *control_data(const struct control_client *c);

/* The answer is a good one: the first line. */
void control_ok(struct control_client *c);
/* Where the body is put; then control_flush(). */
struct buf *control_out(struct control_client *c);
void control_flush(struct control_client *c);
bool control_full(const struct control_client *c);

/* The end: what was put still goes out. @c must not be used any more. */
void control_end(struct control_client *c);
/* The answer is an error (once the first line is out: the end, cut). @c must not be used any more. */
void control_fail(struct control_client *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Lines of the answer as they are, but for control bytes in them. Before control_end() or, for what goes with an error, control_fail(). */
void control_lines(struct control_client *c, struct slice lines);

/* --- the socket's file, in the master */

/*
 * Binds and listens at @path, mode 0600, or with @group 0660 and that group. A socket that is there already is replaced when nobody
 * answers at it. -1 and a reason.
 */
int control_listen(const char *path, const char *group, struct err *err) MUST_CHECK;
/* The longest @path there can be, with its NUL. */
#define CONTROL_PATH_MAX 108

/* A connection to the proxy that listens there. -1 and a reason; *nobody_r: there is none. */
int control_connect(const char *path, bool *nobody_r, struct err *err) MUST_CHECK;

#endif
