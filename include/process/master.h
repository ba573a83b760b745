/*
 * process/master.h - the process that an operator starts: it opens everything, starts the others and watches them.
 */
#ifndef PROCESS_MASTER_H
#define PROCESS_MASTER_H

#include <stdbool.h>

struct master;

struct master_options {
	const char *config;
	const char *address_file; /* written when all are ready; NULL: none */
};

/* `sallyport run`: until it is told to end. Returns the exit status; what kept it from starting is on standard error. */
int master_run(const struct master_options *o);

/* How it ended: @done or refused; @text: all mistakes and warnings, one a line, and the reason; valid while called. */
typedef void master_reload_fn(void *arg, bool done, const char *text);

/*
 * The configuration is read again, and put in force in all processes if it is right. While one reload runs, another is kept for after
 * it, and no more than that. @fn may be NULL; it is called once, from the loop. False: the proxy is being stopped, or out of memory.
 */
bool master_reload(struct master *m, master_reload_fn *fn, void *arg);

#endif
