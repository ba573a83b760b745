/*
 * process/activation.h - listening sockets that a service manager has opened: sd_listen_fds(3)'s protocol.
 */
#ifndef PROCESS_ACTIVATION_H
#define PROCESS_ACTIVATION_H

#include "base/addr.h"
#include "base/err.h"

/* Finds what was handed over, and takes it out of the environment. First. -1 and a reason: one of them is no listening TCP socket. */
int activation_begin(struct err *err) MUST_CHECK;

/*
 * The socket that listens at @addr, the caller's from now on; -1: none. -2 and a reason: there is one, but others must be able to
 * bind the same address (@shared) and it was not opened so.
 */
int activation_take(const struct addr *addr, bool shared, struct err *err);

/* Those that no listener has asked for are told in the log, and closed. */
void activation_end(void);

#endif
