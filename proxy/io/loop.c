/*
 * io/loop.c - the event loop over libev (epoll).
 *
 *      turn:  what tasks fed -> ev_run (prepare, sleep, timers, descriptors) -> tasks
 *
 * libev runs one iteration at a time and we run the deferred tasks between two of them. ev_run() must not sleep
 * while tasks wait, and it would sleep after it has called what was fed before it; so what was fed is called first,
 * here, and only then it is decided whether to sleep.
 *
 * Two clocks: libev's timers run on the monotonic clock, but ev_now() is wall-clock time. loop_now() is our own
 * reading of CLOCK_MONOTONIC, taken once a turn by a check watcher of the highest priority.
 */
#include "io/loop.h"

#include <ev.h>
#include <signal.h>
#include <time.h>

#include "base/mem.h"

#define SIGNALS_MAX 8

struct loop_signal {
	ev_signal ev;
	loop_signal_fn *fn;
	void *arg;
};

struct loop {
	struct ev_loop *ev;
	double now;
	double longest; /* turn */
	bool stopping;
	struct list tasks;
	ev_check check; /* takes the time when the sleep is over */
	struct loop_signal signals[SIGNALS_MAX];
	unsigned n_signals;
};

_Static_assert(sizeof(ev_io) <= sizeof(((struct loop_io *)0)->ev), "room for an ev_io");
_Static_assert(sizeof(ev_timer) <= sizeof(((struct loop_timer *)0)->ev), "room for an ev_timer");
_Static_assert((int)LOOP_READ == (int)EV_READ && (int)LOOP_WRITE == (int)EV_WRITE, "same bits");

static ev_io *
io_ev(struct loop_io *w)
{
	return (ev_io *)(void *)w->ev;
}

static ev_timer *
timer_ev(struct loop_timer *w)
{
	return (ev_timer *)(void *)w->ev;
}

static double
monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
on_check(struct ev_loop *ev, ev_check *w, int revents)
{
	struct loop *loop = w->data;

	(void)ev;
	(void)revents;
	loop->now = monotonic();
}

struct loop *
loop_new(void)
{
	struct loop *loop = mem_zalloc(sizeof(*loop));

	if (!loop)
		return NULL;
	loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!loop->ev) {
		mem_free(loop);
		return NULL;
	}
	list_init(&loop->tasks);
	loop->now = monotonic();
	ev_check_init(&loop->check, on_check);
	ev_set_priority(&loop->check, EV_MAXPRI);
	loop->check.data = loop;
	ev_check_start(loop->ev, &loop->check);
	ev_unref(loop->ev); /* it keeps no loop alive */
	return loop;
}

void
loop_free(struct loop **loopp)
{
	struct loop *loop = *loopp;

	if (!loop)
		return;
	*loopp = NULL;
	for (unsigned i = 0; i < loop->n_signals; i++)
		ev_signal_stop(loop->ev, &loop->signals[i].ev);
	ev_ref(loop->ev);
	ev_check_stop(loop->ev, &loop->check);
	list_foreach_safe (node, &loop->tasks)
		list_remove(node);
	ev_loop_destroy(loop->ev);
	mem_free(loop);
}

/* Those that wait now; what they put in waits for the next turn. */
static void
run_tasks(struct loop *loop)
{
	struct list now;

	if (list_empty(&loop->tasks))
		return;
	list_init(&now);
	now.next = loop->tasks.next;
	now.prev = loop->tasks.prev;
	now.next->prev = now.prev->next = &now;
	list_init(&loop->tasks);
	while (!list_empty(&now)) {
		struct loop_task *t = list_entry(now.next, struct loop_task, node);

		list_remove(&t->node);
		t->fn(t); /* may free it, and cancel others that are still in @now */
	}
}

void
loop_run(struct loop *loop)
{
	bool alive = true;
	double take;

	loop->stopping = false;
	loop->now = monotonic();
	while (!loop->stopping && alive) {
		ev_invoke_pending(loop->ev);
		if (loop->stopping) {
			run_tasks(loop);
			break;
		}
		alive = ev_run(loop->ev, list_empty(&loop->tasks) ? EVRUN_ONCE : EVRUN_NOWAIT);
		run_tasks(loop);
		take = monotonic() - loop->now;
		if (take > loop->longest)
			loop->longest = take;
		if (!list_empty(&loop->tasks) || ev_pending_count(loop->ev) > 0)
			alive = true;
	}
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

double
loop_longest(struct loop *loop)
{
	double longest = loop->longest;

	loop->longest = 0;
	return longest;
}

double
loop_now(const struct loop *loop)
{
	return loop->now;
}

/* --- descriptors */

static void
on_io(struct ev_loop *ev, ev_io *e, int revents)
{
	struct loop_io *w = container_of(e, struct loop_io, ev);

	(void)ev;
	w->fn(w, revents & (LOOP_READ | LOOP_WRITE)); /* may free it */
}

void
loop_io_init(struct loop *loop, struct loop_io *w, int fd, loop_io_fn *fn)
{
	w->fn = fn;
	w->loop = loop;
	ev_io_init(io_ev(w), on_io, fd, 0);
}

void
loop_io_set(struct loop_io *w, int events)
{
	ev_io *e = io_ev(w);
	int pending;

	if (events == (ev_is_active(e) ? e->events & (EV_READ | EV_WRITE) : 0))
		return;
	/* Stopping drops what is pending. What came from the kernel would come again, what was fed would not. */
	pending = ev_is_pending(e) ? ev_clear_pending(w->loop->ev, e) : 0;
	ev_io_stop(w->loop->ev, e);
	if (events) {
		ev_io_modify(e, events);
		ev_io_start(w->loop->ev, e);
	}
	if (pending)
		ev_feed_event(w->loop->ev, e, pending);
}

void
loop_io_feed(struct loop_io *w, int events)
{
	ev_feed_event(w->loop->ev, io_ev(w), events);
}

void
loop_io_stop(struct loop_io *w)
{
	if (w->loop)
		ev_io_stop(w->loop->ev, io_ev(w));
}

/* --- timers */

static void
on_timer(struct ev_loop *ev, ev_timer *e, int revents)
{
	struct loop_timer *w = container_of(e, struct loop_timer, ev);

	(void)ev;
	(void)revents;
	w->fn(w); /* may free it */
}

void
loop_timer_init(struct loop *loop, struct loop_timer *w, loop_timer_fn *fn)
{
	w->fn = fn;
	w->loop = loop;
	ev_timer_init(timer_ev(w), on_timer, 0., 0.);
}

void
loop_timer_set(struct loop_timer *w, double seconds)
{
	ev_timer *e = timer_ev(w);

	ev_timer_stop(w->loop->ev, e);
	/* Timers count from the time libev took last: after long work, or before the first turn, that is old. */
	ev_now_update(w->loop->ev);
	ev_timer_set(e, seconds > 0 ? seconds : 0., 0.);
	ev_timer_start(w->loop->ev, e);
}

void
loop_timer_stop(struct loop_timer *w)
{
	if (w->loop)
		ev_timer_stop(w->loop->ev, timer_ev(w));
}

bool
loop_timer_active(const struct loop_timer *w)
{
	ev_timer *e = (ev_timer *)(uintptr_t)w->ev; /* libev's macros cast const away */

	return w->loop && (ev_is_active(e) || ev_is_pending(e));
}

/* --- tasks */

void
loop_defer(struct loop *loop, struct loop_task *t, loop_task_fn *fn)
{
	if (list_linked(&t->node))
		return;
	t->fn = fn;
	list_append(&loop->tasks, &t->node);
}

void
loop_defer_cancel(struct loop_task *t)
{
	list_remove(&t->node);
}

/* --- signals */

static void
on_signal(struct ev_loop *ev, ev_signal *e, int revents)
{
	struct loop_signal *s = container_of(e, struct loop_signal, ev);

	(void)ev;
	(void)revents;
	s->fn(e->signum, s->arg);
}

void
loop_signal(struct loop *loop, int signum, loop_signal_fn *fn, void *arg)
{
	struct loop_signal *s;

	ASSERT(loop->n_signals < SIGNALS_MAX);
	s = &loop->signals[loop->n_signals++];
	s->fn = fn;
	s->arg = arg;
	ev_signal_init(&s->ev, on_signal, signum);
	ev_signal_start(loop->ev, &s->ev);
}
