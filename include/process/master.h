/*
 * process/master.h - the process that an operator starts: it opens everything, starts the others and watches them.
 */
#ifndef PROCESS_MASTER_H
#define PROCESS_MASTER_H

struct master_options {
	const char *config;
	const char *address_file; /* written when all are ready; NULL: none */
};

/* `sallyport run`: until it is told to end. Returns the exit status; what kept it from starting is on standard error. */
int master_run(const struct master_options *o);

#endif
