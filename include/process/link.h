/*
 * process/link.h - a worker's end of the channel to the directory: questions, answers, reports, what was learnt.
 *
 *      session hooks --> link_ask, link_report, link_outcome, link_learnt --> directory
 *      session_answer, session_learn <-- link_ops             <--
 *
 * Reports and outcomes of logins are gathered and go at the end of the loop turn, or before a question: a worker with fifty thousand sessions that reports to
 * a new directory sends a few dozen messages.
 */
#ifndef PROCESS_LINK_H
#define PROCESS_LINK_H

#include "directory/route.h"
#include "io/loop.h"
#include "process/messages.h"

struct link;

struct link_ops {
	void (*answer)(void *arg, const struct route_answer *answer);
	void (*learnt)(void *arg, struct slice backend, struct slice text);
	/* Any other message. False: malformed. */
	bool (*message)(void *arg, struct ipc_message *m);
	/* The directory is gone. Never called from within a function of this header but link_open(). */
	void (*lost)(void *arg);
	/* Every half second while there is none: somebody should see to it that link_open() is called. */
	void (*want)(void *arg);
};

struct link *link_new(struct loop *loop, const struct link_ops *ops, void *arg) MUST_CHECK;
void link_free(struct link **l);

/* A new channel (@fd is taken over), in place of what there was: lost() is called first if that was still open. False: out of memory. */
bool link_open(struct link *l, int fd) MUST_CHECK;

bool link_ask(struct link *l,
    const struct route_question *q) MUST_CHECK; /* false: no directory now, or too busy */
void link_report(struct link *l, bool open, struct slice user, struct slice backend);
void link_outcome(struct link *l, const struct login_outcome *outcome);
void link_learnt(struct link *l, struct slice backend, struct slice text);
void link_flush(struct link *l);      /* what was gathered goes now, before what is sent next */
struct ipc *link_ipc(struct link *l); /* NULL: no directory now */

/* The channel failed in somebody else's hands: as if the other side had closed it. */
void link_broken(struct link *l, const struct err *err);

#endif
