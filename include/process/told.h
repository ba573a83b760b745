/*
 * process/told.h - what is wrong with a configuration, kept by who reads it (perhaps a thread) for who tells it: the log, the caller.
 */
#ifndef PROCESS_TOLD_H
#define PROCESS_TOLD_H

#include "base/buf.h"
#include "base/log.h"

struct told_line;

struct told {
	struct told_line *first, *last;
};

/* A snapshot_mistake_fn; @told: a zeroed struct told to begin with. What cannot be kept is dropped. */
void told_add(void *told, bool warning, const char *file, int line, const char *text);
void told_free(struct told *t);

/* A line of the log each. Warnings are logged at @warnings, mistakes as errors. */
void told_log(const struct told *t, enum log_level warnings);

/* `FILE:LINE: text` lines, as `check` has them; what does not fit is left out. */
void told_text(const struct told *t, struct buf *out);

#endif
