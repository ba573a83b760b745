/*
 * io/deadline.h - many time-outs of one length at the cost of one timer.
 *
 * All members of a list have the same length, so that appending keeps it in order: setting, moving and clearing
 * cost O(1), and only the first member is ever looked at.
 */
#ifndef IO_DEADLINE_H
#define IO_DEADLINE_H

#include "io/loop.h"

struct deadline {
	struct list node;
	double at; /* loop time */
};

struct deadline_list;
typedef void deadline_fn(struct deadline *d, void *arg);

struct deadline_list {
	struct list members;
	struct loop_timer timer;
	double seconds; /* 0: members never expire */
	deadline_fn *fn;
	void *arg;
};

/* @fn is called for each member that expires, already taken off; it may free it, and set others. At most 256 a turn. */
void deadline_list_init(
    struct loop *loop, struct deadline_list *l, double seconds, deadline_fn *fn, void *arg);
void deadline_list_stop(struct deadline_list *l); /* the timer; members stay linked */
void deadline_set(
    struct deadline_list *l, struct deadline *d); /* from now; moves it when already set */
void deadline_clear(struct deadline *d);          /* no-op when not set */

#endif
