/*
 * process/learnt.h - what each backend was last seen to announce before login: kept by the directory for workers to come, and by
 * each worker for a directory to come. Bounded by the backends of the configuration; other names are not kept.
 */
#ifndef PROCESS_LEARNT_H
#define PROCESS_LEARNT_H

#include "config/snapshot.h"
#include "io/ipc.h"

#define LEARNT_TEXT_MAX ((size_t)4096) /* longer texts are not kept */

struct learnt;

struct learnt *learnt_new(
    struct snapshot *snapshot) MUST_CHECK; /* a reference is taken; NULL: out of memory */
void learnt_free(struct learnt **l);
/* What is known of the backends that @snapshot has too, from now on under it. Out of memory: *l stays as it is. */
void learnt_renew(struct learnt **l, struct snapshot *snapshot);

/* Keeps @text (copied). True when it is news: @backend exists and had another text or none. */
bool learnt_set(struct learnt *l, struct slice backend, struct slice text);

/* The text of @backend, or an empty slice. Valid until it is set anew. */
struct slice learnt_get(const struct learnt *l, struct slice backend);

/* Sends all of it. -1: the channel is gone or full. */
int learnt_send(const struct learnt *l, struct ipc *ipc) MUST_CHECK;

#endif
