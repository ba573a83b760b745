/*
 * io/ipc.c - messages with descriptors over SOCK_SEQPACKET.
 *
 *      one packet:  struct header | payload            + SCM_RIGHTS, n_fds of them
 *
 * What arrives comes from a process of ours, perhaps of the previous or the next binary, perhaps damaged: magic, version,
 * length and count are checked against what came, and a mismatch closes the channel. Descriptors that came along
 * are closed on every path but the one where the handler took them.
 *
 * Order is kept: as long as something is queued, everything is queued. The kernel refuses descriptors while too
 * many of this user's are in flight (ETOOMANYREFS); then the queue waits for a timer, since the socket stays writable.
 */
#include "io/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#define MAGIC         0x79617073u
#define BUDGET        64 /* messages a turn */
#define RETRY_SECONDS 0.05
#define SEND_SECONDS  10.0 /* without a loop */
#define SOCKET_BUFFER (4 * 1024 * 1024)

struct header {
	uint32_t magic;
	uint16_t version;
	uint16_t type;
	uint32_t length;
	uint16_t n_fds;
	uint16_t reserved;
};

struct queued {
	struct list node;
	int fds[IPC_FDS_MAX]; /* our duplicates */
	unsigned n_fds;
	uint16_t type;
	size_t length;
	char payload[];
};

struct ipc {
	struct loop *loop;
	int fd; /* -1: closed, freed when the dispatch is over */
	ipc_message_fn *message;
	ipc_gone_fn *gone;
	void *arg;
	struct loop_io io;
	struct loop_timer retry;
	struct list queue;
	size_t queued, queued_bytes;
	char *buffer; /* header and payload of the message being received */
	bool dispatching;
	bool dead; /* the owner has been told, or the other side is known to be gone */
};

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

static void
close_fds(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Large enough that the longest message fits beside others; beyond the system's limit where we may. */
static int
set_buffers(int fd)
{
	int size = SOCKET_BUFFER, have = 0;
	socklen_t len = sizeof(have);

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &len) < 0)
		return -1;
	if ((size_t)have < 2 * (IPC_PAYLOAD_MAX + sizeof(struct header))) {
		errno = ENOBUFS;
		return -1;
	}
	return 0;
}

int
ipc_pair(int fds_r[2], struct err *err)
{
	int saved;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds_r) < 0) {
		fds_r[0] = fds_r[1] = -1;
		return err_errno(err, errno, "cannot create a socket pair");
	}
	if (set_buffers(fds_r[0]) < 0 || set_buffers(fds_r[1]) < 0) {
		saved = errno;
		close(fds_r[0]);
		close(fds_r[1]);
		fds_r[0] = fds_r[1] = -1;
		return err_errno(err, saved, "cannot enlarge the buffers of a socket pair");
	}
	return 1;
}

/* --- sending */

/* 1: the kernel has it; 0: not now (errno says why); -1: never. */
static int
transmit(struct ipc *ipc, uint16_t type, const void *payload, size_t length, const int *fds,
    unsigned n_fds)
{
	struct header h = { .magic = MAGIC,
		.version = IPC_VERSION,
		.type = type,
		.length = (uint32_t)length,
		.n_fds = (uint16_t)n_fds };
	struct iovec parts[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)payload, length } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = length > 0 ? 2 : 1 };
	union control control;
	ssize_t n;

	if (n_fds > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(ipc->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 1;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == ETOOMANYREFS ||
		       errno == ENOBUFS || errno == ENOMEM
		   ? 0
		   : -1;
}

static void
drop_queued(struct ipc *ipc, struct queued *q)
{
	list_remove(&q->node);
	close_fds(q->fds, q->n_fds);
	ipc->queued--;
	ipc->queued_bytes -= q->length;
	mem_free(q);
}

static void
rearm(struct ipc *ipc)
{
	if (ipc->fd < 0 || !ipc->loop)
		return;
	if (ipc->dead)
		loop_io_set(&ipc->io, 0);
	else if (list_empty(&ipc->queue) || loop_timer_active(&ipc->retry))
		loop_io_set(&ipc->io, LOOP_READ);
	else
		loop_io_set(&ipc->io, LOOP_READ | LOOP_WRITE);
}

/* The socket was not full, the system was: it says nothing when it is better. */
static void
wait_for_system(struct ipc *ipc)
{
	if (errno != EAGAIN && errno != EWOULDBLOCK && ipc->loop)
		loop_timer_set(&ipc->retry, RETRY_SECONDS);
}

static void
send_queued(struct ipc *ipc)
{
	for (int budget = BUDGET; budget > 0 && !list_empty(&ipc->queue); budget--) {
		struct queued *q = list_entry(ipc->queue.next, struct queued, node);
		int r = transmit(ipc, q->type, q->payload, q->length, q->fds, q->n_fds);

		if (r == 0) {
			wait_for_system(ipc);
			break;
		}
		if (r < 0) { /* reading will find the end, behind what the other side still said */
			while (!list_empty(&ipc->queue))
				drop_queued(ipc, list_entry(ipc->queue.next, struct queued, node));
			break;
		}
		drop_queued(ipc, q);
	}
	rearm(ipc);
}

static void
on_retry(struct loop_timer *w)
{
	send_queued(container_of(w, struct ipc, retry));
}

static int
enqueue(struct ipc *ipc, uint16_t type, struct slice payload, const int *fds, unsigned n_fds)
{
	struct queued *q;

	if (ipc->queued >= IPC_QUEUE_MAX || ipc->queued_bytes + payload.len > IPC_QUEUE_BYTES_MAX)
		return -1;
	q = mem_alloc(sizeof(*q) + payload.len);
	if (!q)
		return -1;
	q->type = type;
	q->length = payload.len;
	if (payload.len > 0)
		memcpy(q->payload, payload.p, payload.len);
	for (q->n_fds = 0; q->n_fds < n_fds; q->n_fds++) {
		q->fds[q->n_fds] = fcntl(fds[q->n_fds], F_DUPFD_CLOEXEC, 0);
		if (q->fds[q->n_fds] < 0) {
			close_fds(q->fds, q->n_fds);
			mem_free(q);
			return -1;
		}
	}
	list_append(&ipc->queue, &q->node);
	ipc->queued++;
	ipc->queued_bytes += payload.len;
	return 1;
}

static double
monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Waits for @events until @until. False: time is up. */
static bool
wait_ready(int fd, short events, double until)
{
	struct pollfd p = { .fd = fd, .events = events };
	double left = until - monotonic();
	int r = poll(&p, 1, left > 0 ? (int)(left * 1000) + 1 : 0);

	return r > 0 || (r < 0 && errno == EINTR) || left > 0;
}

/* Without a loop: waits for room. */
static int
send_waiting(struct ipc *ipc, uint16_t type, struct slice payload, const int *fds, unsigned n_fds)
{
	double until = monotonic() + SEND_SECONDS;
	int r;

	while ((r = transmit(ipc, type, payload.p, payload.len, fds, n_fds)) == 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			poll(NULL, 0, (int)(RETRY_SECONDS * 1000));
		if (!wait_ready(ipc->fd, POLLOUT, until))
			return -1;
	}
	return r;
}

int
ipc_send(struct ipc *ipc, uint16_t type, struct slice payload, const int *fds, unsigned n_fds)
{
	int r;

	if (ipc->fd < 0 || ipc->dead || payload.len > IPC_PAYLOAD_MAX || n_fds > IPC_FDS_MAX)
		return -1;
	if (!ipc->loop)
		return send_waiting(ipc, type, payload, fds, n_fds);
	if (list_empty(&ipc->queue)) {
		r = transmit(ipc, type, payload.p, payload.len, fds, n_fds);
		if (r != 0)
			return r;
		wait_for_system(ipc);
	}
	r = enqueue(ipc, type, payload, fds, n_fds);
	rearm(ipc);
	return r;
}

/* --- receiving */

/* Takes the descriptors out of @msg into @m. False when there are more than a message may have. */
static bool
take_fds(struct msghdr *msg, struct ipc_message *m)
{
	bool ok = true;

	m->n_fds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (m->n_fds < IPC_FDS_MAX) {
				m->fds[m->n_fds++] = fd;
			} else {
				close(fd);
				ok = false;
			}
		}
	}
	return ok;
}

/* Whether what came is one message of ours, whole. */
static int
check_message(const struct ipc *ipc, const struct msghdr *msg, size_t n, struct ipc_message *m,
    struct err *err)
{
	struct header h;

	if (n < sizeof(h))
		return err_set(err, "message of %zu bytes without a header", n);
	memcpy(&h, ipc->buffer, sizeof(h));
	if (h.magic != MAGIC)
		return err_set(err, "message with magic number %#x", h.magic);
	if (h.version != IPC_VERSION)
		return err_set(err, "message of version %u, not %u", h.version, IPC_VERSION);
	if ((msg->msg_flags & MSG_TRUNC) || h.length > IPC_PAYLOAD_MAX)
		return err_set(err, "message of type %u is too long", h.type);
	if (h.length != n - sizeof(h))
		return err_set(err, "message of type %u with %zu bytes, not %u", h.type,
		    n - sizeof(h), h.length);
	if (msg->msg_flags & MSG_CTRUNC)
		return err_set(err, "message of type %u lost descriptors on its way", h.type);
	if (h.n_fds != m->n_fds)
		return err_set(err, "message of type %u with %u descriptors, not %u", h.type,
		    m->n_fds, h.n_fds);
	m->type = h.type;
	m->payload = (struct slice){ ipc->buffer + sizeof(h), h.length };
	return 1;
}

/* 1: a message; 0: nothing now; -1: gone or misbehaved, no descriptor is left in @m. */
static int
receive(struct ipc *ipc, struct ipc_message *m, struct err *err)
{
	struct iovec part = { ipc->buffer, sizeof(struct header) + IPC_PAYLOAD_MAX };
	union control control;
	struct msghdr msg = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	ssize_t n;
	bool few;

	do
		n = recvmsg(ipc->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	m->n_fds = 0;
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK
			   ? 0
			   : err_errno(err, errno, "cannot receive");
	few = take_fds(&msg, m);
	if (n == 0 && m->n_fds == 0 && few)
		return err_set(err, "the other side has closed the channel");
	if (!few)
		err_set(err, "message with more than %u descriptors", IPC_FDS_MAX);
	if (few && check_message(ipc, &msg, (size_t)n, m, err) == 1)
		return 1;
	close_fds(m->fds, m->n_fds);
	m->n_fds = 0;
	return -1;
}

static void
free_channel(struct ipc *ipc)
{
	mem_free(ipc->buffer);
	mem_free(ipc);
}

static void
on_io(struct loop_io *w, int events)
{
	struct ipc *ipc = container_of(w, struct ipc, io);
	struct err err = { "" };
	int r = 1;

	ipc->dispatching = true;
	if (events & LOOP_WRITE)
		send_queued(ipc);
	for (int budget = BUDGET; (events & LOOP_READ) && budget > 0 && ipc->fd >= 0; budget--) {
		struct ipc_message m;

		r = receive(ipc, &m, &err);
		if (r <= 0)
			break;
		ipc->message(ipc, &m, ipc->arg);
		close_fds(m.fds, m.n_fds);
	}
	if (r < 0 && ipc->fd >= 0) {
		ipc->dead = true;
		rearm(ipc);
		ipc->gone(ipc, &err, ipc->arg);
	}
	ipc->dispatching = false;
	if (ipc->fd < 0)
		free_channel(ipc);
}

int
ipc_receive(struct ipc *ipc, struct ipc_message *m, double seconds, struct err *err)
{
	double until = monotonic() + seconds;
	int r;

	if (ipc->fd < 0 || ipc->dead)
		return err_set(err, "the channel is closed");
	while ((r = receive(ipc, m, err)) == 0)
		if (!wait_ready(ipc->fd, POLLIN, until))
			return 0;
	if (r < 0)
		ipc->dead = true;
	return r;
}

/* --- birth and death */

struct ipc *
ipc_new(struct loop *loop, int fd, ipc_message_fn *message, ipc_gone_fn *gone, void *arg)
{
	struct ipc *ipc = mem_zalloc(sizeof(*ipc));

	if (ipc)
		ipc->buffer = mem_alloc(sizeof(struct header) + IPC_PAYLOAD_MAX);
	if (!ipc || !ipc->buffer) {
		mem_free(ipc);
		close(fd);
		return NULL;
	}
	ipc->loop = loop;
	ipc->fd = fd;
	ipc->message = message;
	ipc->gone = gone;
	ipc->arg = arg;
	list_init(&ipc->queue);
	if (loop) {
		loop_io_init(loop, &ipc->io, fd, on_io);
		loop_timer_init(loop, &ipc->retry, on_retry);
		rearm(ipc);
	}
	return ipc;
}

void
ipc_close(struct ipc **ipcp)
{
	struct ipc *ipc = *ipcp;

	if (!ipc)
		return;
	*ipcp = NULL;
	loop_io_stop(&ipc->io);
	loop_timer_stop(&ipc->retry);
	close(ipc->fd);
	ipc->fd = -1;
	while (!list_empty(&ipc->queue))
		drop_queued(ipc, list_entry(ipc->queue.next, struct queued, node));
	if (!ipc->dispatching)
		free_channel(ipc);
}

size_t
ipc_queued(const struct ipc *ipc)
{
	return ipc->queued;
}
