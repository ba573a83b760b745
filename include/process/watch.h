/*
 * process/watch.h - what the master looks at from time to time: certificates that change on disk, a syslog daemon started anew.
 */
#ifndef PROCESS_WATCH_H
#define PROCESS_WATCH_H

#include "process/master_int.h"

struct watch *watch_new(struct master *m) MUST_CHECK; /* NULL: out of memory */
void watch_free(struct watch **w);

/* The configuration in force is another: what is looked at, and how often, follows from it. */
void watch_configure(struct watch *w);

#endif
