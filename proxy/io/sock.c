/*
 * io/sock.c - TCP sockets with the options that a mail relay wants.
 *
 * TCP_NODELAY before the first byte (Nagle and delayed acknowledgements together cost 40 ms a login). Keepalive
 * finds peers that vanished behind a NAT while the session is idle, TCP_USER_TIMEOUT those that vanished while
 * bytes wait for them. An option that the kernel refuses is not worth losing the connection for.
 */
#include "io/sock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define KEEPALIVE_IDLE  120 /* seconds */
#define KEEPALIVE_EVERY 30
#define KEEPALIVE_TRIES 4
#define USER_TIMEOUT    300000 /* milliseconds */
#define ACCEPT_TRIES    16     /* connections that were gone again, in a row */

static void
set_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		errno = 0; /* see above */
}

static void
set_leg_options(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRIES);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT);
}

/* A socket of @a's family; -1 and errno. */
static int
tcp_socket(const struct addr *a)
{
	return socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
}

int
sock_listen(const struct addr *addr, struct addr *bound_r, struct err *err)
{
	char text[ADDR_TEXT];
	socklen_t len = sizeof(*bound_r);
	int on = 1, fd, saved;

	fd = tcp_socket(addr);
	if (fd < 0)
		goto fail;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		goto fail;
	if (addr->sa.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		goto fail;
	if (bind(fd, &addr->sa, addr_len(addr)) < 0 || listen(fd, SOCK_BACKLOG) < 0)
		goto fail;
	if (bound_r) {
		memset(bound_r, 0, sizeof(*bound_r));
		if (getsockname(fd, &bound_r->sa, &len) < 0)
			goto fail;
	}
	return fd;
fail:
	saved = errno;
	if (fd >= 0)
		close(fd);
	return err_errno(err, saved, "cannot listen on %s", addr_format(text, addr));
}

int
sock_accept(int fd, struct addr *peer_r, struct addr *local_r, struct err *err)
{
	for (int tries = 0; tries < ACCEPT_TRIES; tries++) {
		socklen_t len = sizeof(*peer_r);
		int leg;

		memset(peer_r, 0, sizeof(*peer_r));
		leg = accept4(fd, &peer_r->sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (leg >= 0) {
			len = sizeof(*local_r);
			memset(local_r, 0, sizeof(*local_r));
			if (getsockname(leg, &local_r->sa, &len) < 0) {
				close(leg);
				continue;
			}
			set_leg_options(leg);
			return leg;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return -1;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			err_errno(err, errno, "cannot accept");
			return -2;
		}
		/* All else concerns the one connection that was first in the queue (accept(2)): it is gone. */
	}
	return -1; /* the listener is still readable: next turn */
}

int
sock_connect(const struct addr *to, const struct addr *source, struct err *err)
{
	char text[ADDR_TEXT];
	int fd, saved;

	fd = tcp_socket(to);
	if (fd < 0)
		return err_errno(err, errno, "cannot open a socket");
	set_leg_options(fd);
	if (source && addr_is_set(source)) {
		set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		if (bind(fd, &source->sa, addr_len(source)) < 0) {
			saved = errno;
			close(fd);
			return err_errno(
			    err, saved, "cannot connect from %s", addr_format_ip(text, source));
		}
	}
	if (connect(fd, &to->sa, addr_len(to)) < 0 && errno != EINPROGRESS) {
		saved = errno;
		close(fd);
		return err_errno(err, saved, "cannot connect");
	}
	return fd;
}

int
sock_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}
