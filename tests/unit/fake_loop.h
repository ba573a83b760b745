/*
 * tests/unit/fake_loop.h - io/loop.h with a clock that only a test moves, for state machines without sockets and
 * without sleeping. Named in the `links:` comment of a test it takes the place of io/loop.c.
 *
 * loop_new() begins at FAKE_LOOP_START. No descriptor is ever polled: readiness comes from loop_io_feed().
 * A livelock (work that puts off work for ever) aborts with a message.
 */
#ifndef FAKE_LOOP_H
#define FAKE_LOOP_H

#include "io/loop.h"

#define FAKE_LOOP_START 1000.0 /* seconds */

/* Turns of the loop at the present time until nothing is left: events fed, timers that are due, then tasks put off. */
void fake_loop_run_pending(struct loop *loop);

/*
 * Moves the clock by @seconds, stopping at each timer on the way, with all that is pending run at each stop (and
 * before the first). A timer set to be due exactly at the end has run afterwards.
 */
void fake_loop_advance(struct loop *loop, double seconds);

/* One turn only; false when there was nothing to do. For tests of what happens between two turns. */
bool fake_loop_turn(struct loop *loop);

/* What the watcher waits for (set of LOOP_READ, LOOP_WRITE), and on which descriptor. */
int fake_loop_wants(const struct loop_io *w);
int fake_loop_fd(const struct loop_io *w);

/* Seconds until the next timer; negative: none is set. Whether anything is pending now. */
double fake_loop_next(const struct loop *loop);
bool fake_loop_is_pending(const struct loop *loop);

/* Timers set and watchers not at rest: 0 and 0 when everything was let go. */
unsigned fake_loop_timers(const struct loop *loop);
unsigned fake_loop_watchers(const struct loop *loop);

#endif
