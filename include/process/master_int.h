/*
 * process/master_int.h - the master's object, as its files share it: master.c (processes), reload.c, watch.c, pulse.c. Nobody else's.
 */
#ifndef PROCESS_MASTER_INT_H
#define PROCESS_MASTER_INT_H

#include "process/control_master.h"
#include "process/listener.h"
#include "process/master.h"
#include "process/setup.h"
#include "process/supervise.h"

struct reload;
struct watch;
struct pulse;

struct master {
	const struct master_options *options;
	struct setup setup; /* the configuration in force */
	struct listener_set *listeners;
	struct control_master control;
	int counters;
	unsigned char ticket_key[TLS_TICKET_KEY];
	struct loop *loop;
	struct process *processes; /* the directory, then the workers */
	unsigned n;
	bool running;  /* all were ready once */
	bool stopping; /* nobody is replaced any more */
	int status;
	struct loop_timer kill;
	struct reload *reload;
	struct watch *watch;
	struct pulse *pulse;
};

/* The log of the configuration in force: this process's, and told to all others. */
void master_send_log(struct master *m);
void master_log_listeners(const struct master *m);
/* The service manager is told that all is up, with a line of status. */
void master_notify_ready(const struct master *m);

struct reload *reload_new(struct master *m) MUST_CHECK; /* NULL: out of memory */
void reload_free(struct reload **r);                    /* waits for its thread; nobody is told */

void reload_ready(
    struct reload *r); /* all processes have started: what has been asked for may begin */
void reload_stop(struct reload *r); /* the end has begun: who waits is told so */

/* No process is to be started now: whether with the old or the new configuration is being decided. */
bool reload_undecided(const struct reload *r);

/* PREPARED, REFUSED or COMMITTED of @p. False: it makes no sense. */
bool reload_message(struct reload *r, struct process *p, const struct ipc_message *m);
void reload_ended(struct reload *r, const struct process *p);

#endif
