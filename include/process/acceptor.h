/*
 * process/acceptor.h - a worker's listening sockets: accepts a few a turn, and pauses when there is no descriptor left.
 */
#ifndef PROCESS_ACCEPTOR_H
#define PROCESS_ACCEPTOR_H

#include "config/snapshot.h"
#include "io/loop.h"
#include "process/messages.h"

#define ACCEPT_BUDGET 16  /* connections a listener a turn: sessions have their turn too */
#define ACCEPT_PAUSE  0.1 /* seconds without accepting when descriptors or memory are short */

struct acceptor;

/*
 * An accepted connection, @fd the callee's. @name: of the listener, in @of, which is NULL where it is the configuration in
 * force. It may call acceptor_free().
 */
typedef void acceptor_fn(void *arg, struct snapshot *of, const char *name, int fd,
    const struct addr *peer, const struct addr *local);

struct acceptor *acceptor_new(struct loop *loop, acceptor_fn *fn, void *arg) MUST_CHECK;
/* Closes the sockets. NULL is fine. */
void acceptor_free(struct acceptor **a);

/*
 * A MSG_LISTENERS of the master. How many came, or -1 and a reason. Accepting begins with acceptor_start().
 */
int acceptor_take(struct acceptor *a, struct ipc_message *m, struct err *err) MUST_CHECK;
void acceptor_start(struct acceptor *a);

/*
 * A reload: what a MSG_LISTENERS of it brings is kept apart, until it takes the place of what there is (sockets that are the same
 * go on), or is dropped. Sockets that are not among it are closed once their queue is empty; what waits there is accepted under @old,
 * the configuration that was in force.
 */
int acceptor_offer(struct acceptor *a, struct ipc_message *m, struct err *err) MUST_CHECK;
void acceptor_commit(struct acceptor *a, struct snapshot *old);
void acceptor_drop(struct acceptor *a);
const char *acceptor_offered_at(const struct acceptor *a, unsigned i);

/* The name of listener @i, NULL past the end. */
const char *acceptor_at(const struct acceptor *a, unsigned i);

#endif
