/*
 * process/notify.h - what the service manager that started the master wants to know: sd_notify(3)'s protocol.
 */
#ifndef PROCESS_NOTIFY_H
#define PROCESS_NOTIFY_H

#include "base/compiler.h"

/* Takes what is for this process out of the environment, so that no child finds it. First. */
void notify_begin(void);

/* Sends lines such as "READY=1\nSTATUS=…"; nothing when nobody wants to know. Never waits. */
void notify(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* How often, in seconds, the manager must hear WATCHDOG=1; 0: not at all. */
double notify_watchdog(void);

#endif
