/*
 * process/notify.c - datagrams to the socket that NOTIFY_SOCKET names, a path or (@) an abstract name.
 *
 * The protocol is a few lines of text, stable and documented; the library for it would bring a shared object and its
 * dependencies into every process of ours, since all of them are one program.
 */
#include "process/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

static struct sockaddr_un to;
static socklen_t to_len; /* 0: nobody */
static double watchdog;

static void
take_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t n;

	if (pid && (!str_u64(slice_of(pid), UINT32_MAX, &n) || n != (uint64_t)getpid()))
		return;
	if (usec && str_u64(slice_of(usec), UINT64_MAX / 2, &n))
		watchdog = (double)n / 1e6;
}

void
notify_begin(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t len = name ? strlen(name) : 0;

	if (len > 1 && len < sizeof(to.sun_path) && (name[0] == '/' || name[0] == '@')) {
		to.sun_family = AF_UNIX;
		memcpy(to.sun_path, name, len + 1);
		if (name[0] == '@')
			to.sun_path[0] = '\0';
		to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
		take_watchdog();
	}
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

void
notify(const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int fd;

	if (to_len == 0)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody can do anything about a manager that does not listen. */
	(void)!sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
	    (const struct sockaddr *)&to, to_len);
	(void)close(fd);
}

double
notify_watchdog(void)
{
	return watchdog;
}
