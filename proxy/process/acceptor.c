/*
 * process/acceptor.c - accepting.
 *
 * Readiness is level-triggered: what the budget leaves in the queue comes with the next turn. Out of descriptors, that same
 * readiness would spin, so all listeners rest for a moment; the log tells once in a while, with a count.
 */
#include "process/acceptor.h"

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
};

struct acceptor {
	struct loop *loop;
	acceptor_fn *fn;
	void *arg;
	struct list listeners;
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
		if (fd < 0)
			return;
		a->freed = &freed;
		a->fn(a->arg, l->name, fd, &peer, &local);
		if (freed)
			return;
		a->freed = NULL;
	}
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
	list_foreach_safe (node, &a->listeners) {
		struct listener *l = list_entry(node, struct listener, node);

		list_remove(node);
		loop_io_stop(&l->io);
		(void)close(l->fd);
		mem_free(l);
	}
	if (a->freed)
		*a->freed = true;
	mem_free(a);
}

int
acceptor_take(struct acceptor *a, struct ipc_message *m, struct err *err)
{
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
		list_append(&a->listeners, &l->node);
	}
	if (!unpack_ok(&u) || n != m->n_fds)
		return err_set(err, "malformed list of listeners");
	return (int)n;
}

void
acceptor_start(struct acceptor *a)
{
	watch(a, LOOP_READ);
}

const char *
acceptor_at(const struct acceptor *a, unsigned i)
{
	list_foreach (node, &a->listeners)
		if (i-- == 0)
			return list_entry(node, struct listener, node)->name;
	return NULL;
}
