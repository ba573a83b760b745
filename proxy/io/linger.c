/*
 * io/linger.c - the close that lets a last message arrive.
 *
 *      spill -> socket, FIN          what comes in meanwhile is read and thrown away
 *      the peer's FIN, 256 KiB, 2 seconds, or an error: close()
 *
 * close() with unread input in the socket sends a reset, and a reset takes along what the peer has not read yet:
 * the `* BYE` that says why. All of it is ciphertext or plaintext ready for the wire, so nothing of a TLS object
 * is needed any more. Bounded in number, bytes and time: beyond, a plain close.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/stat.h"
#include "io/conn_ops.h"
#include "io/deadline.h"

#define LINGER_MAX     1024
#define LINGER_SECONDS 2.0
#define LINGER_BYTES   ((size_t)256 * 1024)

struct lingering {
	struct loop_io io;
	struct deadline deadline;
	struct linger_list *list;
	struct conn_chunk *spill;
	size_t drained;
	int fd;
	bool fin_sent, ended; /* our FIN, the peer's */
};

struct linger_list {
	struct conn_env *env;
	struct deadline_list deadlines; /* every member is on it */
	unsigned count;
};

static void
finish(struct lingering *l)
{
	loop_io_stop(&l->io);
	deadline_clear(&l->deadline);
	close(l->fd);
	conn_chunk_free(&l->spill);
	l->list->count--;
	mem_free(l);
}

static void
on_deadline(struct deadline *d, void *arg)
{
	(void)arg;
	finish(container_of(d, struct lingering, deadline));
}

/* False: broken. */
static bool
flush(struct lingering *l)
{
	struct conn_chunk *k = l->spill;

	if (k) {
		ssize_t n = send(l->fd, k->data + k->start, k->end - k->start, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		k->start += (uint32_t)n;
		if (k->start < k->end)
			return true;
		conn_chunk_free(&l->spill);
	}
	if (!l->fin_sent) {
		l->fin_sent = true;
		return shutdown(l->fd, SHUT_WR) == 0;
	}
	return true;
}

/* One read a turn. False: broken, or too much. */
static bool
drain(struct lingering *l)
{
	ssize_t n = recv(l->fd, l->list->env->raw, CONN_RAW_SIZE, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		l->ended = true;
	l->drained += (size_t)n;
	return l->drained < LINGER_BYTES;
}

static bool
rearm(struct lingering *l)
{
	if (!l->spill && l->ended)
		return false;
	loop_io_set(&l->io, (l->ended ? 0 : LOOP_READ) | (l->spill ? LOOP_WRITE : 0));
	return true;
}

static void
on_io(struct loop_io *w, int events)
{
	struct lingering *l = container_of(w, struct lingering, io);

	if ((events & LOOP_WRITE) && !flush(l))
		finish(l);
	else if ((events & LOOP_READ) && !drain(l))
		finish(l);
	else if (!rearm(l))
		finish(l);
}

void
linger_add(struct linger_list *list, int fd, struct conn_chunk **spill, bool fin_sent)
{
	struct lingering *l = list->count < LINGER_MAX ? mem_zalloc(sizeof(*l)) : NULL;

	if (!l) {
		conn_chunk_free(spill);
		close(fd);
		return;
	}
	l->list = list;
	l->fd = fd;
	l->spill = *spill;
	l->fin_sent = fin_sent;
	*spill = NULL;
	list->count++;
	stat_inc(STAT_LINGERS);
	loop_io_init(list->env->loop, &l->io, fd, on_io);
	deadline_set(&list->deadlines, &l->deadline);
	if ((!l->spill && !flush(l)) || !rearm(l))
		finish(l);
}

struct linger_list *
linger_list_new(struct conn_env *env)
{
	struct linger_list *list = mem_zalloc(sizeof(*list));

	if (!list)
		return NULL;
	list->env = env;
	deadline_list_init(env->loop, &list->deadlines, LINGER_SECONDS, on_deadline, NULL);
	return list;
}

void
linger_list_free(struct linger_list **listp)
{
	struct linger_list *list = *listp;

	if (!list)
		return;
	*listp = NULL;
	list_foreach_safe (node, &list->deadlines.members)
		finish(list_entry(node, struct lingering, deadline.node));
	deadline_list_stop(&list->deadlines);
	mem_free(list);
}

unsigned
linger_count(const struct linger_list *list)
{
	return list->count;
}
