/*
 * process/setup.h - what is settled before any process is started: the configuration, users, log, limits.
 */
#ifndef PROCESS_SETUP_H
#define PROCESS_SETUP_H

#include "config/snapshot.h"
#include "process/messages.h"

struct setup {
	const char *config;         /* the path; the caller's */
	struct config_files *files; /* everything it names, open */
	struct snapshot *snapshot;  /* settings only: no keys, no users files */
	struct rights rights[ROLE_COUNT];
	int log_fd; /* stderr, or ours to close */
};

/*
 * Reads and checks the whole configuration; mistakes and warnings go to standard error as `FILE:LINE: text`. False: there
 * were mistakes.
 */
bool setup_check(struct config_files *files, const char *config) MUST_CHECK;

/* All of it. -1 and a reason, which is empty when mistakes were reported. setup_free() in any case. */
int setup_do(struct setup *s, const char *config, struct err *err) MUST_CHECK;
void setup_free(struct setup *s);

#endif
