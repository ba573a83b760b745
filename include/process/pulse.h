/*
 * process/pulse.h - the watchdog: the service manager hears from the master only as long as all processes answer it.
 */
#ifndef PROCESS_PULSE_H
#define PROCESS_PULSE_H

#include "process/master_int.h"

/* @seconds: what the service manager waits. NULL: out of memory. */
struct pulse *pulse_new(struct master *m, double seconds) MUST_CHECK;
void pulse_free(struct pulse **p);

/* All processes are up. */
void pulse_start(struct pulse *p);

/* MSG_PONG of @p. False: it is malformed. */
bool pulse_message(struct pulse *p, const struct process *from, const struct ipc_message *m);

#endif
