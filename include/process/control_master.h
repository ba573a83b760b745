/*
 * process/control_master.h - the master's part in the control socket: its file, and what operators have said of backends, which
 * survives any directory process.
 */
#ifndef PROCESS_CONTROL_MASTER_H
#define PROCESS_CONTROL_MASTER_H

#include "base/list.h"
#include "config/snapshot.h"
#include "process/messages.h"

#define CONTROL_ADMINS_MAX 4096u /* backends that are not simply enabled */

struct control_master {
	int fd;           /* listening; -1: there is none */
	const char *path; /* the snapshot's of the start */
	bool group;
	struct list admins;
	unsigned n_admins;
};

void control_master_init(struct control_master *c);
/* Listens, where a path is set. -1 and a reason. */
int control_master_open(
    struct control_master *c, const struct proxy_settings *s, struct err *err) MUST_CHECK;
/* To a directory that starts. -1: the channel is gone or full. */
int control_master_send(const struct control_master *c, struct ipc *ipc) MUST_CHECK;
/* A MSG_ADMIN of the directory, which knows the backend. False: malformed. */
bool control_master_take(struct control_master *c, struct slice payload) MUST_CHECK;
/* Closes, and removes the file. */
void control_master_close(struct control_master *c);

#endif
