/*
 * io/ipc.h - typed, versioned, length-checked messages, with descriptors, between our own processes.
 *
 * A SOCK_SEQPACKET socket pair: a message is whole or not there. What the other side does not take now waits in a
 * bounded queue. A message that is malformed, of another version, or too long closes the channel.
 */
#ifndef IO_IPC_H
#define IO_IPC_H

#include "base/err.h"
#include "base/pack.h"
#include "io/loop.h"

#define IPC_VERSION         1
#define IPC_PAYLOAD_MAX     ((size_t)65536)
#define IPC_FDS_MAX         16
#define IPC_QUEUE_MAX       8192               /* messages waiting to be sent */
#define IPC_QUEUE_BYTES_MAX ((size_t)32 << 20) /* and their payloads in sum */

struct ipc;

struct ipc_message {
	uint16_t type;
	struct slice payload;
	int fds
	    [IPC_FDS_MAX]; /* the handler takes one by setting it to -1; the rest is closed after it returned */
	unsigned n_fds;
};

/* May call ipc_close() on its own channel. */
typedef void ipc_message_fn(struct ipc *ipc, struct ipc_message *m, void *arg);
/* The other side is gone (or misbehaved: @err says); the channel must be closed by the owner, here or later. */
typedef void ipc_gone_fn(struct ipc *ipc, const struct err *err, void *arg);

/* A connected pair, close-on-exec, non-blocking, with buffers large enough for the longest message. -1 and a reason. */
int ipc_pair(int fds_r[2], struct err *err) MUST_CHECK;

/*
 * Takes over @fd (closed on failure too). @loop may be NULL, for a process that has none yet: then ipc_send() waits for room (10 s at
 * most) instead of queueing, and messages come through ipc_receive(). NULL when out of memory.
 */
struct ipc *ipc_new(
    struct loop *loop, int fd, ipc_message_fn *message, ipc_gone_fn *gone, void *arg) MUST_CHECK;
void ipc_close(struct ipc **ipc);

/*
 * Sends or queues. Descriptors are duplicated when queued; the caller keeps its own. 1; -1: gone or the queue is full.
 */
int ipc_send(struct ipc *ipc, uint16_t type, struct slice payload, const int *fds,
    unsigned n_fds) MUST_CHECK;

/*
 * Blocking, for a process that has no loop yet: waits up to @seconds for one message. 1; 0: time is up; -1: gone, with a reason.
 * The caller closes m->fds. @m->payload is valid until the next call.
 */
int ipc_receive(struct ipc *ipc, struct ipc_message *m, double seconds, struct err *err) MUST_CHECK;

size_t ipc_queued(const struct ipc *ipc);

#endif
