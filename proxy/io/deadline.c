/*
 * io/deadline.c - time-outs of one length in a list that is in order by itself.
 *
 *      members:  first to expire  ->  ...  ->  set last
 *      timer:    set for the first, never moved when members are appended or cleared
 *
 * When the timer fires for a member that has been cleared or moved meanwhile, it is set again for the one that is
 * first now: at most one idle wake-up a length, whatever happens to the members.
 */
#include "io/deadline.h"

#define EXPIRE_A_TURN 256
/* epoll sleeps in milliseconds; a member that is due within one is due. */
#define SLACK 0.001

static void
rearm(struct deadline_list *l)
{
	struct deadline *d;
	double left;

	if (list_empty(&l->members) || l->seconds <= 0 || loop_timer_active(&l->timer))
		return;
	d = list_entry(l->members.next, struct deadline, node);
	left = d->at - loop_now(l->timer.loop);
	loop_timer_set(&l->timer, left > 0 ? left : 0);
}

static void
on_timer(struct loop_timer *w)
{
	struct deadline_list *l = container_of(w, struct deadline_list, timer);
	double now = loop_now(w->loop);
	unsigned budget = EXPIRE_A_TURN;

	while (budget > 0 && !list_empty(&l->members)) {
		struct deadline *d = list_entry(l->members.next, struct deadline, node);

		if (d->at > now + SLACK)
			break;
		budget--;
		list_remove(&d->node);
		l->fn(d, l->arg);
	}
	rearm(l);
}

void
deadline_list_init(
    struct loop *loop, struct deadline_list *l, double seconds, deadline_fn *fn, void *arg)
{
	list_init(&l->members);
	loop_timer_init(loop, &l->timer, on_timer);
	l->seconds = seconds;
	l->fn = fn;
	l->arg = arg;
}

void
deadline_list_stop(struct deadline_list *l)
{
	loop_timer_stop(&l->timer);
}

void
deadline_set(struct deadline_list *l, struct deadline *d)
{
	list_remove(&d->node);
	d->at = loop_now(l->timer.loop) + l->seconds;
	list_append(&l->members, &d->node);
	rearm(l);
}

void
deadline_clear(struct deadline *d)
{
	list_remove(&d->node);
}
