/*
 * process/reaper.c - the heap of snapshots to be freed, and the thread that does it.
 */
#include "process/reaper.h"

#include "config/snapshot.h"
#include "io/job.h"

static struct {
	struct loop *loop;
	struct job job;
	struct snapshot *waiting; /* come since the thread has begun */
	struct snapshot *work;    /* the thread's */
} the_reaper;                     /* one a process, as the hook is */

static void
free_all(struct snapshot **list)
{
	while (*list) {
		struct snapshot *s = *list;

		*list = s->next;
		snapshot_free(s);
	}
}

static void
work(void *arg)
{
	(void)arg;
	free_all(&the_reaper.work);
}

static void
next(void *arg)
{
	(void)arg;
	if (!the_reaper.waiting || the_reaper.job.running)
		return;
	the_reaper.work = the_reaper.waiting;
	the_reaper.waiting = NULL;
	job_start(&the_reaper.job, the_reaper.loop, work, next, NULL);
}

static void
on_last(struct snapshot *s)
{
	s->next = the_reaper.waiting;
	the_reaper.waiting = s;
	next(NULL);
}

void
reaper_start(struct loop *loop)
{
	the_reaper.loop = loop;
	snapshot_set_last(on_last);
}

void
reaper_stop(void)
{
	snapshot_set_last(NULL);
	job_finish(&the_reaper.job);
	free_all(&the_reaper.work);
	free_all(&the_reaper.waiting);
}
