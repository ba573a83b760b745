/*
 * process/prepare.h - a reload as a child sees it: what came of the new configuration, and the snapshot that a thread builds of it.
 *
 *      RELOAD -> FILES …, LISTENERS … -> PREPARE: thread builds -> PREPARED -> COMMIT -> COMMITTED
 *                                                                \          \-> ROLLBACK
 *                                                                 \-> REFUSED
 */
#ifndef PROCESS_PREPARE_H
#define PROCESS_PREPARE_H

#include "process/messages.h"

struct child;
struct prepare;

struct prepare *prepare_new(struct child *c) MUST_CHECK; /* NULL: out of memory */
void prepare_free(struct prepare **p);                   /* waits for the thread */

/* Files and listeners now are those of a reload. */
bool prepare_takes(const struct prepare *p);

/* RELOAD, FILES, PREPARE, COMMIT or ROLLBACK of the master. -1 and a reason: it makes no sense. */
int prepare_message(struct prepare *p, struct ipc_message *m, struct err *err) MUST_CHECK;

#endif
