/*
 * process/reaper.h - snapshots that nobody refers to any more are freed by a thread: one may hold millions of routes.
 */
#ifndef PROCESS_REAPER_H
#define PROCESS_REAPER_H

#include "io/loop.h"

/* From now on the last snapshot_unref() of this process does so. */
void reaper_start(struct loop *loop);
/* What is left is freed at once, and so is what comes later. Before the loop goes. */
void reaper_stop(void);

#endif
