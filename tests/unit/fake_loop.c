/*
 * tests/unit/fake_loop.c - io/loop.h over a virtual clock; see fake_loop.h.
 *
 * Order within a turn as in the real one: events, timers, and at its end the tasks put off until then. Whatever is
 * added while a turn runs its tasks waits for the next turn. Watchers keep their state where libev would have its own.
 */
#include "fake_loop.h"

#include "base/mem.h"

#define TURNS_MAX 100000 /* at one instant: more is a livelock */

struct loop {
	double now;
	struct list timers; /* by time, then in the order in which they were set */
	struct list fed;    /* loop_io with events, in order */
	struct list tasks;
	unsigned watchers;
	bool stop;
};

struct io_state {
	struct list node; /* on loop->fed */
	int fd;
	int events, fed;
};
_Static_assert(sizeof(struct io_state) <= sizeof(((struct loop_io *)0)->ev), "fits");

struct timer_state {
	struct list node; /* on loop->timers */
	double at;
};
_Static_assert(sizeof(struct timer_state) <= sizeof(((struct loop_timer *)0)->ev), "fits");

static struct io_state *
io_state(struct loop_io *w)
{
	return (struct io_state *)(void *)w->ev;
}

static struct timer_state *
timer_state(struct loop_timer *w)
{
	return (struct timer_state *)(void *)w->ev;
}

/* --- the loop */

struct loop *
loop_new(void)
{
	struct loop *loop = mem_zalloc(sizeof(*loop));

	if (!loop)
		return NULL;
	loop->now = FAKE_LOOP_START;
	list_init(&loop->timers);
	list_init(&loop->fed);
	list_init(&loop->tasks);
	return loop;
}

void
loop_free(struct loop **loop)
{
	mem_free(*loop);
	*loop = NULL;
}

double
loop_now(const struct loop *loop)
{
	return loop->now;
}

void
loop_run(struct loop *loop)
{
	loop->stop = false;
	while (!loop->stop) {
		double next;

		if (fake_loop_turn(loop))
			continue;
		next = fake_loop_next(loop);
		if (next < 0)
			return; /* nothing can ever happen again */
		loop->now += next;
	}
}

void
loop_stop(struct loop *loop)
{
	loop->stop = true;
}

void
loop_signal(struct loop *loop, int signum, loop_signal_fn *fn, void *arg)
{
	(void)loop;
	(void)signum;
	(void)fn;
	(void)arg;
}

/* --- descriptors */

void
loop_io_init(struct loop *loop, struct loop_io *w, int fd, loop_io_fn *fn)
{
	memset(w, 0, sizeof(*w));
	w->loop = loop;
	w->fn = fn;
	io_state(w)->fd = fd;
}

void
loop_io_set(struct loop_io *w, int events)
{
	struct io_state *s = io_state(w);

	if (!s->events && events)
		w->loop->watchers++;
	else if (s->events && !events)
		w->loop->watchers--;
	s->events = events;
}

void
loop_io_feed(struct loop_io *w, int events)
{
	struct io_state *s = io_state(w);

	s->fed |= events;
	if (!list_linked(&s->node))
		list_append(&w->loop->fed, &s->node);
}

void
loop_io_stop(struct loop_io *w)
{
	if (!w->loop)
		return;
	loop_io_set(w, 0);
	io_state(w)->fed = 0;
	list_remove(&io_state(w)->node);
}

int
fake_loop_wants(const struct loop_io *w)
{
	struct io_state s;

	memcpy(&s, w->ev, sizeof(s));
	return s.events;
}

int
fake_loop_fd(const struct loop_io *w)
{
	struct io_state s;

	memcpy(&s, w->ev, sizeof(s));
	return s.fd;
}

/* --- timers */

void
loop_timer_init(struct loop *loop, struct loop_timer *w, loop_timer_fn *fn)
{
	memset(w, 0, sizeof(*w));
	w->loop = loop;
	w->fn = fn;
}

void
loop_timer_set(struct loop_timer *w, double seconds)
{
	struct timer_state *s = timer_state(w);
	struct list *after;

	list_remove(&s->node);
	s->at = w->loop->now + (seconds > 0 ? seconds : 0);
	for (after = w->loop->timers.prev; after != &w->loop->timers; after = after->prev)
		if (list_entry(after, struct timer_state, node)->at <= s->at)
			break;
	list_append(after->next, &s->node); /* appending to the next one puts it before that */
}

void
loop_timer_stop(struct loop_timer *w)
{
	list_remove(&timer_state(w)->node);
}

bool
loop_timer_active(const struct loop_timer *w)
{
	struct timer_state s;

	memcpy(&s, w->ev, sizeof(s));
	return list_linked(&s.node);
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

/* --- turns */

/* Takes all of @from over to @to, which is empty and local: what is added meanwhile waits for the next turn. */
static void
list_take(struct list *to, struct list *from)
{
	list_init(to);
	while (!list_empty(from)) {
		struct list *node = from->next;

		list_remove(node);
		list_append(to, node);
	}
}

bool
fake_loop_turn(struct loop *loop)
{
	struct list now;
	bool did = false;

	list_take(&now, &loop->fed);
	while (!list_empty(&now)) {
		struct io_state *s = list_entry(now.next, struct io_state, node);
		struct loop_io *w = container_of(s, struct loop_io, ev);
		int events = s->fed;

		list_remove(&s->node);
		s->fed = 0;
		did = true;
		w->fn(w, events);
	}
	/* A timer that sets itself to "at once" is due again in the next turn, not in this one for ever. */
	list_init(&now);
	while (!list_empty(&loop->timers)) {
		struct timer_state *s = list_entry(loop->timers.next, struct timer_state, node);

		if (s->at > loop->now)
			break;
		list_remove(&s->node);
		list_append(&now, &s->node);
	}
	while (!list_empty(&now)) {
		struct timer_state *s = list_entry(now.next, struct timer_state, node);
		struct loop_timer *w = container_of(s, struct loop_timer, ev);

		list_remove(&s->node);
		did = true;
		w->fn(w);
	}
	list_take(&now, &loop->tasks);
	while (!list_empty(&now)) {
		struct loop_task *t = list_entry(now.next, struct loop_task, node);

		list_remove(&t->node);
		did = true;
		t->fn(t);
	}
	return did;
}

void
fake_loop_run_pending(struct loop *loop)
{
	for (int i = 0; fake_loop_turn(loop); i++) {
		if (i < TURNS_MAX)
			continue;
		fprintf(stderr, "fake_loop: no end after %d turns at one instant\n", TURNS_MAX);
		abort();
	}
}

double
fake_loop_next(const struct loop *loop)
{
	double at;

	if (list_empty(&loop->timers))
		return -1;
	at = list_entry(loop->timers.next, struct timer_state, node)->at;
	return at > loop->now ? at - loop->now : 0;
}

void
fake_loop_advance(struct loop *loop, double seconds)
{
	double end = loop->now + seconds;

	fake_loop_run_pending(loop);
	while (!list_empty(&loop->timers)) {
		double at = list_entry(loop->timers.next, struct timer_state, node)->at;

		/* A hair of rounding does not make a timer late: 0.1 ten times is 1. */
		if (at > end + 1e-6)
			break;
		if (at > loop->now)
			loop->now = at;
		fake_loop_run_pending(loop);
	}
	if (end > loop->now)
		loop->now = end;
}

bool
fake_loop_is_pending(const struct loop *loop)
{
	double next = fake_loop_next(loop);

	return !list_empty(&loop->fed) || !list_empty(&loop->tasks) || (next >= 0 && next <= 0);
}

unsigned
fake_loop_timers(const struct loop *loop)
{
	unsigned n = 0;

	list_foreach (node, &loop->timers)
		n++;
	return n;
}

unsigned
fake_loop_watchers(const struct loop *loop)
{
	return loop->watchers;
}
