/*
 * process/logging.c - the log's descriptor; and the timer that tells of lines left out.
 *
 * Nothing here waits: a file is opened without blocking on a FIFO, a datagram socket is connected at once or not at all. The socket of
 * syslog is one for all processes, so the master alone connects it again: the others may open nothing by name.
 */
#include "process/logging.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define SYSLOG_PATH  "/dev/log"
#define TICK_SECONDS 1.1 /* then it is another second */

bool
logging_is_syslog(const char *log)
{
	return strcmp(log, "syslog") == 0;
}

static int
connect_syslog(int fd, struct logging_place *place, struct err *err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = SYSLOG_PATH };
	struct stat st;

	if (stat(SYSLOG_PATH, &st) != 0)
		return err_errno(err, errno, "log: %s", SYSLOG_PATH);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		return err_errno(err, errno, "log: %s", SYSLOG_PATH);
	*place = (struct logging_place){ st.st_dev, st.st_ino };
	return 1;
}

static int
open_syslog(struct logging_place *place, struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_errno(err, errno, "log: socket");
	if (connect_syslog(fd, place, err) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

int
logging_open(const char *log, struct logging_place *place, struct err *err)
{
	int fd;

	*place = (struct logging_place){ 0 };
	if (strcmp(log, "stderr") == 0)
		return STDERR_FILENO;
	if (logging_is_syslog(log))
		return open_syslog(place, err);
	fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	return fd < 0 ? err_errno(err, errno, "log: %s", log) : fd;
}

bool
logging_reconnect(int fd, struct logging_place *place)
{
	struct stat st;

	if (stat(SYSLOG_PATH, &st) != 0 ||
	    (st.st_dev == place->device && st.st_ino == place->inode))
		return false;
	return connect_syslog(fd, place, NULL) > 0;
}

/* --- what was left out */

static struct {
	struct loop *loop; /* NULL: none */
	struct loop_timer timer;
} ticking; /* one a process, as the log is */

static void
on_tick(struct loop_timer *t)
{
	if (log_tick())
		loop_timer_set(t, TICK_SECONDS);
}

static void
begun(void)
{
	if (ticking.loop)
		loop_timer_set(&ticking.timer, TICK_SECONDS);
}

void
logging_start(struct loop *loop)
{
	ticking.loop = loop;
	loop_timer_init(loop, &ticking.timer, on_tick);
	log_limit(LOG_EVENTS_A_SECOND, begun);
}

void
logging_stop(void)
{
	if (ticking.loop)
		loop_timer_stop(&ticking.timer);
	ticking.loop = NULL;
	log_limit(0, NULL);
	(void)log_tick();
}
