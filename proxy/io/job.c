/*
 * io/job.c - a thread for one piece of work, joined through the loop.
 *
 *      job_start -> thread: work, eventfd written -> loop: eventfd readable, thread joined -> done
 *
 * The thread takes no signals: those are the loop's.
 */
#include "io/job.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/hash.h"

#define STACK_BYTES ((size_t)1 << 20)

static void *
run(void *arg)
{
	struct job *j = arg;
	uint64_t one = 1;
	ssize_t n;

	j->work(j->arg);
	hash_end_thread();
	n = write(j->fd, &one, sizeof(one));
	ASSERT(n == (ssize_t)sizeof(one));
	return NULL;
}

static void
rest(struct job *j)
{
	if (j->threaded) {
		(void)pthread_join(j->thread, NULL);
		loop_io_stop(&j->io);
		(void)close(j->fd);
	}
	loop_defer_cancel(&j->task);
	j->running = false;
}

static void
on_told(struct loop_io *w, int events)
{
	struct job *j = container_of(w, struct job, io);

	(void)events;
	rest(j);
	j->done(j->arg);
}

static void
on_task(struct loop_task *t)
{
	struct job *j = container_of(t, struct job, task);

	rest(j);
	j->done(j->arg);
}

static bool
start_thread(struct job *j)
{
	sigset_t all, before;
	pthread_attr_t attr;
	bool started;

	j->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (j->fd < 0)
		return false;
	if (pthread_attr_init(&attr) != 0) {
		(void)close(j->fd);
		return false;
	}
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&j->thread, &attr, run, j) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	if (!started)
		(void)close(j->fd);
	return started;
}

void
job_start(struct job *j, struct loop *loop, job_fn *work, job_fn *done, void *arg)
{
	ASSERT(!j->running);
	j->work = work;
	j->done = done;
	j->arg = arg;
	j->running = true;
	j->threaded = start_thread(j);
	if (j->threaded) {
		loop_io_init(loop, &j->io, j->fd, on_told);
		loop_io_set(&j->io, LOOP_READ);
	} else {
		work(arg);
		loop_defer(loop, &j->task, on_task);
	}
}

void
job_finish(struct job *j)
{
	if (j->running)
		rest(j);
}
