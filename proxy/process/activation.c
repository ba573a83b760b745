/*
 * process/activation.c - descriptors from 3 on, as many as LISTEN_FDS says, when LISTEN_PID is us.
 *
 * A socket is known by the address that it listens at. LISTEN_FDNAMES is not needed for that: names of units and of listeners need
 * not be the same.
 */
#include "process/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define FIRST 3
#define MOST  64

static struct {
	int fd; /* -1: taken */
	struct addr bound;
} given[MOST];
static unsigned n_given;

static int
look_at(int fd, struct addr *bound, struct err *err)
{
	int listening = 0, flags;
	socklen_t len = sizeof(listening), addr_room = sizeof(*bound);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0)
		return err_errno(err, errno, "descriptor %d of LISTEN_FDS", fd);
	memset(bound, 0, sizeof(*bound));
	if (getsockname(fd, &bound->sa, &addr_room) != 0)
		return err_errno(err, errno, "descriptor %d of LISTEN_FDS", fd);
	if (!listening || (bound->sa.sa_family != AF_INET && bound->sa.sa_family != AF_INET6))
		return err_set(err, "descriptor %d of LISTEN_FDS is no listening TCP socket", fd);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_errno(err, errno, "descriptor %d of LISTEN_FDS", fd);
	return 1;
}

int
activation_begin(struct err *err)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t n = 0, who;
	bool ours = pid && fds && str_u64(slice_of(pid), UINT32_MAX, &who) &&
		    who == (uint64_t)getpid() && str_u64(slice_of(fds), INT32_MAX, &n);

	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	if (!ours)
		return 1;
	if (n > MOST)
		return err_set(err, "LISTEN_FDS: at most %d sockets", MOST);
	for (unsigned i = 0; i < n; i++) {
		given[i].fd = FIRST + (int)i;
		if (look_at(given[i].fd, &given[i].bound, err) < 0)
			return -1;
		n_given = i + 1;
	}
	return 1;
}

int
activation_take(const struct addr *addr, bool shared, struct err *err)
{
	for (unsigned i = 0; i < n_given; i++) {
		int fd = given[i].fd, reuse = 0;
		socklen_t len = sizeof(reuse);

		if (fd < 0 || !addr_eq(&given[i].bound, addr))
			continue;
		if (shared &&
		    (getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reuse, &len) != 0 || !reuse)) {
			err_set(err,
			    "the socket that was handed over needs ReusePort=yes in its unit: "
			    "there is more than one worker");
			return -2;
		}
		given[i].fd = -1;
		return fd;
	}
	return -1;
}

void
activation_end(void)
{
	for (unsigned i = 0; i < n_given; i++) {
		struct log_line l;

		if (given[i].fd < 0)
			continue;
		log_begin(&l, LOG_WARN, EV_LISTEN);
		log_addr(&l, "address", &given[i].bound);
		log_cstr(&l, "msg",
		    "handed over by the service manager, but no listener has this address");
		log_end(&l);
		(void)close(given[i].fd);
		given[i].fd = -1;
	}
	n_given = 0;
}
