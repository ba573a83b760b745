/*
 * process/bundle.h - the configuration's text and files, as open descriptors, from the master to a child.
 */
#ifndef PROCESS_BUNDLE_H
#define PROCESS_BUNDLE_H

#include "config/files.h"
#include "process/messages.h"

/* Whether processes of @role get files of @kind: keys go to workers only, users files and passwords to the directory only. */
bool bundle_wants(enum role role, enum config_file_kind kind);

/* Sends what @role gets of @files. How many went, or -1: the channel is gone or full. */
int bundle_send(struct ipc *ipc, enum role role, const struct config_files *files) MUST_CHECK;

/*
 * A MSG_FILES of the master: what it brings goes into @files, whose descriptors they then are. How many came, or -1 and a reason:
 * malformed, or a file that @role must not have.
 */
int bundle_take(
    struct config_files *files, enum role role, struct ipc_message *m, struct err *err) MUST_CHECK;

#endif
