/*
 * io/job.h - work that would hold up the loop, done by a thread of its own while the loop goes on.
 *
 * The work must not touch what belongs to the loop: no watcher, no session, no log line, no counter.
 */
#ifndef IO_JOB_H
#define IO_JOB_H

#include <pthread.h>

#include "io/loop.h"

typedef void job_fn(void *arg);

/* One piece of work at a time. Zeroed it is at rest; it must be at rest before its memory goes. */
struct job {
	struct loop_io io;     /* the thread's end */
	struct loop_task task; /* ended already, without a thread */
	int fd;
	pthread_t thread;
	bool running, threaded;
	job_fn *work, *done;
	void *arg;
};

/*
 * Calls @work(@arg) in a thread, and then @done(@arg) in the loop, where job_start() may be called again. Where no thread can be
 * had the work is done before this returns; @done is called by the loop in any case. Not while it is running.
 */
void job_start(struct job *j, struct loop *loop, job_fn *work, job_fn *done, void *arg);

/* Waits, blocking, for the work to end; @done is not called. For the end of a process. At rest is fine. */
void job_finish(struct job *j);

#endif
