/*
 * process/acceptor.c - accepting.
 *
 * Readiness is level-triggered: what the budget leaves in the queue comes with the next turn. Out of descriptors, that same
 * readiness would spin, so all listeners rest for a moment; the log tells once in a while, with a count.
 */
#include "process/acceptor.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/stat.h"
#include "io/sock.h"
#include "store/backend.h"

#define LOG_INTERVAL 10.0 /* seconds between two lines */

struct listener {
	struct list node;
	struct acceptor *acceptor;
	struct loop_io io;
	int fd;
	char name[BACKEND_NAME_MAX];
	struct addr bound;
	ino_t inode;         /* of the socket: the same under every descriptor of it */
	struct snapshot *of; /* not NULL: to be closed when its queue is empty */
	struct loop_task again;
	bool stays; /* of the one being committed */
};

struct acceptor {
	struct loop *loop;
	acceptor_fn *fn;
	void *arg;
	struct list listeners, offered;
	struct loop_timer pause;
	bool *freed; /* set while calling out */
	double logged;
	uint64_t failures; /* since the last line */
};

static void
watch(struct acceptor *a, int events)
{
	list_foreach (node, &a->listeners)
		loop_io_set(&list_entry(node, struct listener, node)->io, events);
}

static void
on_pause_over(struct loop_timer *w)
{
	watch(container_of(w, struct acceptor, pause), LOOP_READ);
}

static void
out_of_resources(struct acceptor *a, const struct listener *l, const struct err *err)
{
	double now = loop_now(a->loop);

	stat_inc(STAT_ACCEPT_ERRORS);
	a->failures++;
	watch(a, 0);
	loop_timer_set(&a->pause, ACCEPT_PAUSE);
	if (a->logged == 0 || now - a->logged >= LOG_INTERVAL) {
		struct log_line line;

		log_begin(&line, LOG_ERROR, EV_ACCEPT_FAILED);
		log_cstr(&line, "listener", l->name);
		log_u64(&line, "times", a->failures);
		log_cstr(&line, "reason", err->text);
		log_end(&line);
		a->logged = now;
		a->failures = 0;
	}
}

static void
listener_free(struct listener *l)
{
	list_remove(&l->node);
	loop_defer_cancel(&l->again);
	loop_io_stop(&l->io);
	(void)close(l->fd);
	snapshot_unref(&l->of);
	mem_free(l);
}

static void on_again(struct loop_task *t);

static void
on_readable(struct loop_io *w, int events)
{
	struct listener *l = container_of(w, struct listener, io);
	struct acceptor *a = l->acceptor;
	bool freed = false;

	(void)events;
	for (int budget = ACCEPT_BUDGET; budget > 0; budget--) {
		struct addr peer, local;
		struct err err = { "" };
		int fd = sock_accept(l->fd, &peer, &local, &err);

		if (fd == -2)
			out_of_resources(a, l, &err);
		if (fd == -1 && l->of)
			listener_free(l);
		if (fd < 0)
			return;
		a->freed = &freed;
		a->fn(a->arg, l->of, l->name, fd, &peer, &local);
		if (freed)
			return;
		a->freed = NULL;
	}
	if (l->of) /* nothing more may come to wake it */
		loop_defer(a->loop, &l->again, on_again);
}

static void
on_again(struct loop_task *t)
{
	on_readable(&container_of(t, struct listener, again)->io, LOOP_READ);
}

struct acceptor *
acceptor_new(struct loop *loop, acceptor_fn *fn, void *arg)
{
	struct acceptor *a = mem_zalloc(sizeof(*a));

	if (!a)
		return NULL;
	a->loop = loop;
	a->fn = fn;
	a->arg = arg;
	list_init(&a->listeners);
	list_init(&a->offered);
	loop_timer_init(loop, &a->pause, on_pause_over);
	return a;
}

void
acceptor_free(struct acceptor **ap)
{
	struct acceptor *a = *ap;

	if (!a)
		return;
	*ap = NULL;
	loop_timer_stop(&a->pause);
	list_foreach_safe (node, &a->listeners)
		listener_free(list_entry(node, struct listener, node));
	acceptor_drop(a);
	if (a->freed)
		*a->freed = true;
	mem_free(a);
}

static int
take(struct acceptor *a, struct list *to, struct ipc_message *m, struct err *err)
{
	struct stat st;
	struct unpack u;
	unsigned n = 0;

	unpack_init(&u, m->payload);
	while (u.left > 0 && !u.bad && n < m->n_fds) {
		struct listener *l = mem_zalloc(sizeof(*l));
		struct slice bound;

		if (!l)
			return err_set(err, "listeners: out of memory");
		unpack_cstr(&u, l->name, sizeof(l->name));
		bound = unpack_slice(&u);
		if (u.bad || bound.len != sizeof(l->bound)) {
			mem_free(l);
			break;
		}
		memcpy(&l->bound, bound.p, bound.len);
		l->acceptor = a;
		l->fd = message_take_fd(m, n++);
		loop_io_init(a->loop, &l->io, l->fd, on_readable);
		list_append(to, &l->node);
		if (fstat(l->fd, &st) != 0)
			return err_errno(err, errno, "listener");
		l->inode = st.st_ino;
	}
	if (!unpack_ok(&u) || n != m->n_fds)
		return err_set(err, "malformed list of listeners");
	return (int)n;
}

int
acceptor_take(struct acceptor *a, struct ipc_message *m, struct err *err)
{
	return take(a, &a->listeners, m, err);
}

int
acceptor_offer(struct acceptor *a, struct ipc_message *m, struct err *err)
{
	return take(a, &a->offered, m, err);
}

void
acceptor_drop(struct acceptor *a)
{
	list_foreach_safe (node, &a->offered)
		listener_free(list_entry(node, struct listener, node));
}

static struct listener *
find_same(struct acceptor *a, const struct listener *other)
{
	list_foreach (node, &a->listeners) {
		struct listener *l = list_entry(node, struct listener, node);

		if (!l->of && l->inode == other->inode)
			return l;
	}
	return NULL;
}

void
acceptor_commit(struct acceptor *a, struct snapshot *old)
{
	int events = loop_timer_active(&a->pause) ? 0 : LOOP_READ;

	/*
	 * The descriptor that is watched stays, also when another of the same socket has come: while one of them is open the
	 * kernel would go on to report the other.
	 */
	list_foreach_safe (node, &a->offered) {
		struct listener *l = list_entry(node, struct listener, node);
		struct listener *same = find_same(a, l);

		if (same) {
			memcpy(same->name, l->name, sizeof(same->name));
			same->stays = true;
			listener_free(l);
			continue;
		}
		list_remove(node);
		list_append(&a->listeners, node);
		l->stays = true;
		loop_io_set(&l->io, events);
	}
	list_foreach (other, &a->listeners) {
		struct listener *l = list_entry(other, struct listener, node);

		if (!l->stays && !l->of) {
			l->of = snapshot_ref(old);
			loop_io_feed(&l->io, LOOP_READ); /* also when nothing waits */
		}
		l->stays = false;
	}
}

void
acceptor_start(struct acceptor *a)
{
	watch(a, LOOP_READ);
}

static const char *
name_at(const struct list *listeners, unsigned i)
{
	list_foreach (node, listeners)
		if (i-- == 0)
			return list_entry(node, struct listener, node)->name;
	return NULL;
}

const char *
acceptor_at(const struct acceptor *a, unsigned i)
{
	return name_at(&a->listeners, i);
}

const char *
acceptor_offered_at(const struct acceptor *a, unsigned i)
{
	return name_at(&a->offered, i);
}
