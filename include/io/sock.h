/*
 * io/sock.h - TCP sockets: listeners, accepting, connecting, options. All non-blocking and close-on-exec.
 */
#ifndef IO_SOCK_H
#define IO_SOCK_H

#include "base/addr.h"
#include "base/err.h"

#define SOCK_BACKLOG 4096

/*
 * A listening socket with SO_REUSEPORT (and IPV6_V6ONLY). Port 0: the kernel picks; *bound_r tells.
 * Descriptor, or -1 and a reason.
 */
int sock_listen(const struct addr *addr, struct addr *bound_r, struct err *err) MUST_CHECK;

/*
 * Accepts one connection: descriptor (options of a relayed leg set: TCP_NODELAY, keepalive 120/30/4, TCP_USER_TIMEOUT 5 min);
 * -1: none waiting; -2: out of descriptors or memory (@err says), try later.
 * @local_r is the address the client connected to.
 */
int sock_accept(int fd, struct addr *peer_r, struct addr *local_r, struct err *err) MUST_CHECK;

/*
 * Begins a connection, from @source when set (IP_BIND_ADDRESS_NO_PORT). Descriptor with the same options, -1 and a reason.
 * It is up when the descriptor becomes writable and sock_error() is 0.
 */
int sock_connect(const struct addr *to, const struct addr *source, struct err *err) MUST_CHECK;
int sock_error(int fd); /* SO_ERROR */

#endif
