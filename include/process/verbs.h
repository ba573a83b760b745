/*
 * process/verbs.h - what operators ask of a running proxy, served by the directory process: from the words of a request to the answer.
 *
 * In process/ and not in directory/, since most of it is asked of workers and of the master.
 */
#ifndef PROCESS_VERBS_H
#define PROCESS_VERBS_H

#include "base/sheet.h"
#include "base/stat.h"
#include "directory/directory.h"
#include "process/messages.h"

#define VERBS_TRACES_MAX 8

struct verbs;

/* What they need of the role; all of it outlives them. */
struct verbs_env {
	struct loop *loop;
	struct directory *directory;
	const struct stat_view *counters; /* slots: directory, workers, master */
	unsigned workers;
	/* The channel to worker @number (from 1), or with 0 to the master. NULL: not there now. */
	struct ipc *(*channel)(void *arg, unsigned number);
	/* It does not take messages: to be closed. */
	void (*broken)(void *arg, unsigned number);
	void *arg;
};

/* @fd: the listening socket, taken over. NULL: out of memory. */
struct verbs *verbs_new(
    const struct verbs_env *env, int fd, const struct control_start *start) MUST_CHECK;
void verbs_free(struct verbs **v); /* NULL is fine */

/* MSG_ROWS, MSG_KICKED, MSG_TRACED. False: malformed, or none of these. */
bool verbs_worker_message(struct verbs *v, unsigned worker, struct ipc_message *m);
void verbs_worker_here(struct verbs *v, unsigned worker);
void verbs_worker_gone(struct verbs *v, unsigned worker);
void verbs_ordered(struct verbs *v, const struct ordered *o);

/* The answer to `explain`, into an object of @s. */
void verbs_explain_write(
    struct sheet *s, const struct route_question *q, const struct route_answer *a);

#endif
