/*
 * io/loop.h - the event loop: readiness of descriptors, timers, signals, and work put off to the end of a turn.
 *
 * The only door to libev. Watchers live inside the objects that they wake; a watcher must be stopped before its
 * memory goes. Tests link another implementation of this header, with a clock of their own.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/list.h"

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop_io;
struct loop_timer;
struct loop_task;
typedef void loop_io_fn(struct loop_io *w, int events);
typedef void loop_timer_fn(struct loop_timer *w);
typedef void loop_task_fn(struct loop_task *t);
typedef void loop_signal_fn(int signum, void *arg);

/* Storage for libev's watcher; its size is checked in loop.c. */
struct loop_io {
	_Alignas(8) unsigned char ev[48];
	loop_io_fn *fn;
	struct loop *loop;
};
struct loop_timer {
	_Alignas(8) unsigned char ev[48];
	loop_timer_fn *fn;
	struct loop *loop;
};

/* Run once at the end of the present turn (or, put in from there, of the next). A zeroed one is at rest. */
struct loop_task {
	struct list node;
	loop_task_fn *fn;
};

struct loop *loop_new(void) MUST_CHECK; /* NULL: no memory or no kernel support */
void loop_free(struct loop **loop);
void loop_run(
    struct loop *loop); /* until loop_stop(), or until nothing is left that could wake it */
void loop_stop(struct loop *loop);
double loop_now(const struct loop *loop); /* monotonic seconds, as of this turn's beginning */

/*
 * Seconds of the longest turn since this was asked last: from the end of its sleep to the end of its work. What a client may have
 * had to wait for others.
 */
double loop_longest(struct loop *loop);

/* @events may be 0: initialised and at rest. */
void loop_io_init(struct loop *loop, struct loop_io *w, int fd, loop_io_fn *fn);
void loop_io_set(
    struct loop_io *w, int events); /* starts, changes or stops (0); cheap when nothing changes */
/* As if these events had come, this turn or the next; at rest or not. A handler never feeds its own watcher: it would run
 * for ever before the loop looks at anything else; loop_defer() is for that. */
void loop_io_feed(struct loop_io *w, int events);
void loop_io_stop(struct loop_io *w); /* also drops what was fed */

void loop_timer_init(struct loop *loop, struct loop_timer *w, loop_timer_fn *fn);
void loop_timer_set(
    struct loop_timer *w, double seconds); /* one shot from now; replaces what was set */
void loop_timer_stop(struct loop_timer *w);
bool loop_timer_active(const struct loop_timer *w);

void loop_defer(
    struct loop *loop, struct loop_task *t, loop_task_fn *fn); /* no-op when it waits already */
void loop_defer_cancel(struct loop_task *t);

/* At most 8 signals a loop. @fn runs in the loop, not in the handler. */
void loop_signal(struct loop *loop, int signum, loop_signal_fn *fn, void *arg);

/* After fork in a child that goes on with libev is not supported: children exec. */
#endif
