/*
 * process/worker_control.h - a worker's part in the control verbs: lists of its sessions, ends on order, traces.
 */
#ifndef PROCESS_WORKER_CONTROL_H
#define PROCESS_WORKER_CONTROL_H

#include "process/link.h"
#include "session/session.h"

#define WORKER_LISTS_MAX 32 /* at once: as many as the control socket has clients */

struct worker_control;

struct worker_control *worker_control_new(
    struct loop *loop, struct session_env *sessions, struct link *link) MUST_CHECK;
void worker_control_free(struct worker_control **c); /* before the sessions' env */

/* MSG_LIST, MSG_KICK, MSG_TRACE. False: malformed, or none of these. */
bool worker_control_message(struct worker_control *c, struct ipc_message *m);

/* The directory is gone: nobody waits any more. */
void worker_control_lost(struct worker_control *c);

/* The session hook. */
void worker_control_trace(
    struct worker_control *c, uint32_t id, uint64_t session, const char *who, const char *text);

#endif
