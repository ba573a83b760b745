/*
 * process/logging.h - where the log goes: opened by the master, handed to the others, opened anew.
 */
#ifndef PROCESS_LOGGING_H
#define PROCESS_LOGGING_H

#include <sys/types.h>

#include "base/err.h"
#include "io/loop.h"

/* Which socket a syslog daemon had: another means that it was started anew. */
struct logging_place {
	dev_t device;
	ino_t inode;
};

bool logging_is_syslog(const char *log);

/* @log as the configuration has it. A descriptor, stderr's own when that is it; -1 and a reason. */
int logging_open(const char *log, struct logging_place *place_r, struct err *err) MUST_CHECK;

/*
 * When the daemon has been started anew since @place, the socket @fd, which all processes share, is connected to it again. True: it
 * was. A daemon that is not there is tried again next time; lines are lost, and counted, meanwhile.
 */
bool logging_reconnect(int fd, struct logging_place *place);

/* Every process: bounds how often a kind of event is logged, and tells by @loop what was left out. */
void logging_start(struct loop *loop);
void logging_stop(void);

#endif
