/*
 * process/setup.h - what is settled before any process is started: the configuration, users, log, limits.
 */
#ifndef PROCESS_SETUP_H
#define PROCESS_SETUP_H

#include "config/snapshot.h"
#include "process/logging.h"
#include "process/messages.h"

struct setup {
	const char *config; /* the path; the caller's */
	struct snapshot
	    *started; /* the first one: what a reload cannot change stays as it is there */
	struct config_files *files; /* everything it names, open */
	struct snapshot *snapshot;  /* settings only: no keys, no users files */
	struct rights rights[ROLE_COUNT];
	struct logging_place log_place;
	int log_fd; /* stderr, or ours to close; -1: as before (setup_compare()) */
};

/*
 * Reads and checks the whole configuration; mistakes and warnings go to standard error as `FILE:LINE: text`. False: there
 * were mistakes.
 */
bool setup_check(struct config_files *files, const char *config) MUST_CHECK;

/*
 * Files and snapshot: read and checked, mistakes and warnings told to @fn. -1: there were mistakes, or something else is wrong
 * (@err says). May be another thread's. setup_free() in any case.
 */
int setup_read(struct setup *s, const char *config, snapshot_mistake_fn *fn, void *arg,
    struct err *err) MUST_CHECK;
/*
 * What else @s, just read, needs to take the place of @now: a log that is another is opened, rights are those of now, and what
 * waits for a new start is told as a warning. -1 and a reason. May be another thread's.
 */
int setup_compare(struct setup *s, const struct setup *now, snapshot_mistake_fn *fn, void *arg,
    struct err *err) MUST_CHECK;

/* All of it. -1 and a reason, which is empty when mistakes were reported. setup_free() in any case. */
int setup_do(struct setup *s, const char *config, struct err *err) MUST_CHECK;
void setup_free(struct setup *s);

#endif
