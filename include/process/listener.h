/*
 * process/listener.h - the listening sockets: opened and held by the master, one of each for every worker.
 *
 * As the master keeps all of them open, a worker that dies loses no connection in its queue: the next one of its number gets the
 * same sockets.
 */
#ifndef PROCESS_LISTENER_H
#define PROCESS_LISTENER_H

#include "config/snapshot.h"
#include "process/messages.h"

struct listener_set;

/*
 * Opens every address of every listener of @snapshot @workers times (SO_REUSEPORT; where the kernel picks the port, all have the
 * one it picked for the first). NULL and a reason: an address is in use, also by another instance of this program.
 */
struct listener_set *listener_set_open(
    const struct snapshot *snapshot, unsigned workers, struct err *err) MUST_CHECK;

/*
 * The set of another @snapshot for the same workers: sockets of addresses that @old has are the same sockets (both sets have
 * descriptors of their own), others are opened. An address may go to a listener of another name; port 0 goes to the one of its name.
 */
struct listener_set *listener_set_renew(
    const struct listener_set *old, const struct snapshot *snapshot, struct err *err) MUST_CHECK;
/* Whether the two differ in a name or an address. */
bool listener_set_differs(const struct listener_set *a, const struct listener_set *b);
void listener_set_close(struct listener_set **set);

/* The addresses, in the order of the configuration. NULL past the end. */
const char *listener_set_at(const struct listener_set *set, size_t i, const struct addr **bound_r);

/* Sends worker @number (from 1) its own. How many went, or -1: the channel is gone or full. */
int listener_set_send(const struct listener_set *set, struct ipc *ipc, unsigned number) MUST_CHECK;

/*
 * Writes the lines `NAME ADDRESS:PORT` to @path: to a neighbour first, renamed when it is whole.
 */
int listener_set_write(
    const struct listener_set *set, const char *path, struct err *err) MUST_CHECK;

#endif
