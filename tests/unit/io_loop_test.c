/*
 * The loop and the deadlines: order of tasks, readiness, feeding, timers, signals.
 */
#include <time.h>

#include "io/deadline.h"
#include "io_world.h"

static char order[64];

static void
note(char c)
{
	size_t n = strlen(order);

	CHECK(n + 1 < sizeof(order));
	order[n] = c;
	order[n + 1] = '\0';
}

struct numbered {
	struct loop_task task;
	char name;
	struct numbered *more;
	bool stop;
};

static void
on_numbered(struct loop_task *t)
{
	struct numbered *n = container_of(t, struct numbered, task);

	note(n->name);
	if (n->more)
		loop_defer(world.loop, &n->more->task, on_numbered);
	if (n->stop)
		loop_stop(world.loop);
}

TEST(tasks_run_in_order_and_those_of_tasks_a_turn_later)
{
	struct numbered d = { .name = 'd', .stop = true }, a = { .name = 'a', .more = &d },
			b = { .name = 'b' }, c = { .name = 'c' };

	order[0] = '\0';
	world_open();
	loop_defer(world.loop, &a.task, on_numbered);
	loop_defer(world.loop, &b.task, on_numbered);
	loop_defer(world.loop, &c.task, on_numbered);
	loop_defer(world.loop, &a.task, on_numbered); /* waits already */
	loop_run(world.loop);
	CHECK_STR(order, "abcd");
	world_close();
}

TEST(a_cancelled_task_does_not_run)
{
	struct numbered a = { .name = 'a' }, b = { .name = 'b', .stop = true };

	order[0] = '\0';
	world_open();
	loop_defer(world.loop, &a.task, on_numbered);
	loop_defer(world.loop, &b.task, on_numbered);
	loop_defer_cancel(&a.task);
	loop_defer_cancel(&a.task);
	loop_run(world.loop);
	CHECK_STR(order, "b");
	world_close();
}

static void
on_again(struct loop_task *t)
{
	struct numbered *n = container_of(t, struct numbered, task);

	note(n->name);
	if (strlen(order) < 20)
		loop_defer(world.loop, t, on_again);
	else
		loop_stop(world.loop);
}

TEST(the_loop_does_not_sleep_while_a_task_waits)
{
	struct numbered a = { .name = 'a' };
	struct loop_timer far;
	double before;

	order[0] = '\0';
	world_open();
	loop_timer_init(world.loop, &far, world_on_guard);
	loop_timer_set(&far, 100);
	loop_defer(world.loop, &a.task, on_again);
	before = loop_now(world.loop);
	loop_run(world.loop);
	CHECK_U64(strlen(order), 20);
	CHECK(loop_now(world.loop) - before < 50);
	loop_timer_stop(&far);
	world_close();
}

static void
on_end(struct loop_task *t)
{
	(void)t;
	note('t');
}

TEST(a_loop_without_anything_to_wake_it_ends)
{
	struct loop_task t = { .fn = NULL };

	order[0] = '\0';
	world_open();
	loop_run(world.loop);
	loop_defer(world.loop, &t, on_end);
	loop_run(world.loop);
	CHECK_STR(order, "t");
	world_close();
}

struct pipe_end {
	struct loop_io io;
	struct loop_task task;
	int events, calls;
};

static void
on_pipe(struct loop_io *w, int events)
{
	struct pipe_end *p = container_of(w, struct pipe_end, io);

	p->events |= events;
	p->calls++;
	loop_io_set(w, 0);
	loop_stop(world.loop);
}

TEST(readiness_is_told_as_long_as_it_is_wanted)
{
	struct pipe_end r = { .calls = 0 }, w = { .calls = 0 };
	int fds[2];

	world_open();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	loop_io_init(world.loop, &r.io, fds[0], on_pipe);
	loop_io_init(world.loop, &w.io, fds[1], on_pipe);
	loop_io_set(&w.io, LOOP_READ | LOOP_WRITE);
	loop_run(world.loop);
	CHECK_INT(w.events, LOOP_WRITE);
	CHECK(write(fds[1], "x", 1) == 1);
	loop_io_set(&r.io, LOOP_READ);
	loop_run(world.loop);
	CHECK_INT(r.events, LOOP_READ);
	run_turns(5); /* at rest since, though there is input */
	CHECK_INT(r.calls, 1);
	loop_io_set(&r.io, LOOP_READ);
	loop_io_set(&r.io, LOOP_READ);
	loop_run(world.loop);
	CHECK_INT(r.calls, 2);
	loop_io_stop(&r.io);
	loop_io_stop(&w.io);
	close(fds[0]);
	close(fds[1]);
	world_close();
}

static void
feed_task(struct loop_task *t)
{
	struct pipe_end *p = container_of(t, struct pipe_end, task);

	loop_io_feed(&p->io, LOOP_READ | LOOP_WRITE);
}

TEST(what_is_fed_comes_at_rest_too_and_after_a_change)
{
	struct pipe_end p = { .calls = 0 };
	struct loop_timer far;
	int fds[2];

	world_open();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	loop_timer_init(world.loop, &far, world_on_guard);
	loop_timer_set(&far, GUARD_SECONDS);
	loop_io_init(world.loop, &p.io, fds[0], on_pipe);
	loop_io_feed(&p.io, LOOP_READ);
	loop_run(world.loop);
	CHECK_INT(p.calls, 1);
	CHECK_INT(p.events, LOOP_READ);

	loop_io_feed(&p.io, LOOP_WRITE);
	loop_io_set(&p.io, LOOP_READ);
	loop_run(world.loop);
	CHECK_INT(p.calls, 2);
	CHECK_INT(p.events, LOOP_READ | LOOP_WRITE);

	loop_defer(world.loop, &p.task, feed_task); /* fed between two sleeps */
	loop_run(world.loop);
	CHECK_INT(p.calls, 3);

	loop_io_feed(&p.io, LOOP_WRITE);
	loop_io_stop(&p.io);
	run_turns(3);
	CHECK_INT(p.calls, 3);
	loop_timer_stop(&far);
	close(fds[0]);
	close(fds[1]);
	world_close();
}

static double fired_at;

static void
on_timer(struct loop_timer *w)
{
	fired_at = loop_now(w->loop);
	CHECK(!loop_timer_active(w));
	loop_stop(w->loop);
}

TEST(a_timer_counts_from_now_even_after_long_work)
{
	struct timespec work = { 0, 80000000 };
	struct loop_timer t;
	double before;

	world_open();
	loop_timer_init(world.loop, &t, on_timer);
	run_turns(1);
	nanosleep(&work, NULL); /* the long work itself, not a way to wait */
	before = loop_now(world.loop);
	loop_timer_set(&t, 0.05);
	CHECK(loop_timer_active(&t));
	loop_run(world.loop);
	CHECK(fired_at - before >= 0.129);
	loop_timer_set(&t, 0.001);
	loop_timer_stop(&t);
	CHECK(!loop_timer_active(&t));
	world_close();
}

static int signalled;

static void
on_signal(int signum, void *arg)
{
	(void)arg;
	signalled = signum;
	loop_stop(world.loop);
}

TEST(signals_arrive_in_the_loop)
{
	world_open();
	loop_signal(world.loop, SIGUSR1, on_signal, NULL);
	signalled = 0;
	raise(SIGUSR1);
	CHECK_INT(signalled, 0);
	loop_run(world.loop);
	CHECK_INT(signalled, SIGUSR1);
	world_close();
}

struct due {
	struct deadline d;
	char name;
	bool again;
};

static struct deadline_list deadlines;
static unsigned expired;

static void
on_deadline(struct deadline *d, void *arg)
{
	struct due *due = container_of(d, struct due, d);

	CHECK(arg == order);
	CHECK(!list_linked(&d->node));
	expired++;
	if (strlen(order) < 40)
		note(due->name);
	if (due->again) {
		due->again = false;
		deadline_set(&deadlines, d);
	} else if (list_empty(&deadlines.members)) {
		loop_stop(world.loop);
	}
}

TEST(deadlines_expire_in_order_move_and_clear)
{
	struct due a = { .name = 'a' }, b = { .name = 'b', .again = true }, c = { .name = 'c' };

	order[0] = '\0';
	world_open();
	deadline_list_init(world.loop, &deadlines, 0.01, on_deadline, order);
	deadline_clear(&a.d);
	deadline_set(&deadlines, &a.d);
	deadline_set(&deadlines, &b.d);
	deadline_set(&deadlines, &c.d);
	deadline_set(&deadlines, &a.d); /* now the last */
	deadline_clear(&c.d);
	loop_run(world.loop);
	CHECK_STR(order, "bab");
	deadline_list_stop(&deadlines);
	world_close();
}

TEST(many_deadlines_expire_over_several_turns)
{
	static struct due many[1000];

	order[0] = '\0';
	expired = 0;
	world_open();
	deadline_list_init(world.loop, &deadlines, 0.002, on_deadline, order);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		many[i].name = 'm';
		deadline_set(&deadlines, &many[i].d);
	}
	loop_run(world.loop);
	CHECK_U64(expired, ARRAY_SIZE(many));
	deadline_list_stop(&deadlines);
	world_close();
}

TEST(deadlines_of_length_0_never_expire)
{
	struct due a = { .name = 'a' };

	order[0] = '\0';
	world_open();
	deadline_list_init(world.loop, &deadlines, 0, on_deadline, order);
	deadline_set(&deadlines, &a.d);
	run_turns(5);
	CHECK_STR(order, "");
	deadline_clear(&a.d);
	world_close();
}
