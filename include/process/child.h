/*
 * process/child.h - what every process but the master begins with: its channel, its inheritance, its rights, its loop.
 */
#ifndef PROCESS_CHILD_H
#define PROCESS_CHILD_H

#include "config/snapshot.h"
#include "io/ipc.h"
#include "io/loop.h"
#include "process/messages.h"

struct child;
struct prepare;
struct stat_view;

/* What a role does with it. All but begin() and end() are called only after begin(). */
struct child_ops {
	enum role role;
	enum snapshot_part parts; /* of the configuration */
	/* Its own memory, before anything came. NULL: out of memory. */
	void *(*create)(struct child *c);
	/* All of the start has come and c->snapshot is built: gets going. -1 and a reason: the process ends. */
	int (*begin)(struct child *c, struct err *err);
	/*
	 * Another message of the master, of the start (before begin) or later. -1 and a reason: malformed.
	 */
	int (*message)(struct child *c, struct ipc_message *m, struct err *err);
	/*
	 * A reload: whether @fresh fits with what else has come for it (-1 and a reason: no); then either it is in force from now
	 * on, while c->snapshot still is the old one (-1 and a reason: the process ends), or what came is dropped.
	 */
	int (*check)(struct child *c, const struct snapshot *fresh, struct err *err);
	int (*configure)(struct child *c, struct snapshot *fresh, struct err *err);
	void (*drop)(struct child *c);
	/* The end, within @seconds: then child_end(). */
	void (*stop)(struct child *c, double seconds);
	/* The master is gone for good: end when the work is done. */
	void (*orphaned)(struct child *c);
	/* Frees what create() and begin() made. */
	void (*destroy)(struct child *c);
};

struct child {
	const struct child_ops *ops;
	void *role; /* of create() */
	struct loop *loop;
	struct ipc *master; /* NULL: gone */
	struct inherit inherit;
	struct stat_view *counters; /* of all processes: the directory's */
	struct config_files *files;
	struct snapshot *snapshot; /* NULL before begin() */
	bool inherited, begun, stopping, failed;
	unsigned n_files, n_listeners; /* came so far; listeners are counted by the role */
	struct prepare *prepare;
	int log_fd; /* ours to close; -1: stderr */
};

/* The process, from start to end. Returns its exit status. */
int child_main(const struct child_ops *ops);

/* Ends the loop: status 0. */
void child_end(struct child *c);

extern const struct child_ops worker_role, directory_role;

#endif
