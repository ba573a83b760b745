/*
 * Work in a thread of its own: the loop goes on meanwhile, and what it hashes and builds is its own.
 */
#include "test.h"

#include <pthread.h>
#include <time.h>

#include "base/hash.h"
#include "io/job.h"

static struct loop *loop;
static struct job job;
static pthread_t worker;
static uint64_t hashed;
static unsigned done, turns;
static struct loop_timer ticks;

static void
work(void *arg)
{
	struct timespec t = { .tv_nsec = 100000000 };

	CHECK(arg == &job);
	worker = pthread_self();
	hashed = hash_table(SLICE("alice"));
	nanosleep(&t, NULL);
}

static void
on_done(void *arg)
{
	CHECK(arg == &job);
	CHECK(!job.running);
	if (++done < 3)
		job_start(&job, loop, work, on_done, &job);
	else
		loop_stop(loop);
}

static void
on_tick(struct loop_timer *t)
{
	turns++;
	loop_timer_set(t, 0.01);
}

TEST(the_loop_goes_on_while_the_work_is_done)
{
	loop = loop_new();
	CHECK(loop != NULL);
	loop_timer_init(loop, &ticks, on_tick);
	loop_timer_set(&ticks, 0);
	job_start(&job, loop, work, on_done, &job);
	CHECK_U64(done, 0);
	loop_run(loop);
	CHECK_U64(done, 3);
	CHECK(turns > 5);
	CHECK(!pthread_equal(worker, pthread_self()));
	CHECK_U64(hashed, hash_table(SLICE("alice")));
	CHECK(loop_longest(loop) < 0.09);
	loop_timer_stop(&ticks);
	loop_free(&loop);
}

TEST(a_job_can_be_waited_for_and_then_nobody_is_called)
{
	loop = loop_new();
	CHECK(loop != NULL);
	done = 0;
	job_finish(&job); /* at rest */
	job_start(&job, loop, work, on_done, &job);
	job_finish(&job);
	CHECK(!job.running);
	loop_run(loop); /* nothing is left in it */
	CHECK_U64(done, 0);
	loop_free(&loop);
}
