/*
 * process/supervise.h - the master's view of one child: start by fork and exec of self, end, and the pause before the next.
 */
#ifndef PROCESS_SUPERVISE_H
#define PROCESS_SUPERVISE_H

#include <sys/types.h>

#include "io/ipc.h"
#include "io/loop.h"
#include "process/messages.h"

/* --- how long to wait before a process is started again */

#define BACKOFF_FIRST 0.1 /* seconds; doubled for each life that was short */
#define BACKOFF_MAX   10.0
#define BACKOFF_RESET 60.0 /* a life as long as this is none of a row of crashes */

struct backoff {
	double delay; /* of the last time; 0: none yet */
};
/* Seconds to wait now that a life of @lived seconds is over. */
double backoff_next(struct backoff *b, double lived);

/* --- processes */

#define CHANNEL_FD 3 /* where a child finds its end of the channel to the master */

struct process;

/*
 * Upward: a message of the child; and its end (@status as of waitpid), after which process_start() or process_restart_in() may
 * follow; and that it is time to start it again.
 */
struct process_ops {
	void (*message)(struct process *p, struct ipc_message *m);
	void (*ended)(struct process *p, pid_t pid, int status, double lived);
	void (*restart)(struct process *p);
};

struct process {
	const struct process_ops *ops;
	struct loop *loop;
	enum role role;
	unsigned number; /* of the worker, from 1; 0: the directory */
	pid_t pid;       /* 0: does not run */
	struct ipc *ipc; /* NULL: does not run, or has closed it */
	bool ready;      /* the owner's: it has said so */
	double started;  /* loop time */
	struct backoff backoff;
	struct loop_timer timer; /* runs: until it is killed; does not run: until it is started */
};

void process_init(struct process *p, struct loop *loop, enum role role, unsigned number,
    const struct process_ops *ops);

/* Runs this program anew as "sallyport: worker 1", its channel at CHANNEL_FD and no other descriptor but 0, 1, 2. -1 and a reason. */
int process_start(struct process *p, struct err *err) MUST_CHECK;
void process_restart_in(struct process *p, double seconds);
void process_kill(struct process *p); /* at once; ended() follows */

/* On SIGCHLD, for each process. */
void process_reap(struct process *p);

/* For good: timers and channel. Must not run any more. */
void process_free(struct process *p);

/* The argv[0] of a child; false when @argv0 is none: who starts this program is an operator. */
void process_title(char *dst, size_t size, enum role role, unsigned number);
bool process_title_parse(const char *argv0, enum role *role_r) MUST_CHECK;

#endif
