/*
 * base/stat.h - counters of a process: one slot of a shared memory file, written by its owner alone.
 *
 * One table gives enum, name and help. Until stat_attach() the slot is private memory, so that code that counts
 * runs anywhere (tests, check).
 */
#ifndef BASE_STAT_H
#define BASE_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define STAT_COUNTERS(X)                                                                           \
	X(CONNECTIONS, "connections", "client connections accepted")                               \
	X(ACCEPT_ERRORS, "accept_errors", "connections that could not be accepted")                \
	X(TLS_HANDSHAKES, "tls_handshakes", "TLS handshakes with clients completed")               \
	X(TLS_RESUMED, "tls_resumed", "of these, resumed")                                         \
	X(TLS_FAILURES, "tls_failures", "TLS handshakes with clients failed")                      \
	X(STARTTLS_INJECTIONS, "starttls_injections", "plaintext behind STARTTLS thrown away")     \
	X(LOGINS, "logins", "logins that reached the relay")                                       \
	X(LOGINS_FAILED, "logins_failed", "logins refused for credentials")                        \
	X(LOGINS_UNAVAILABLE, "logins_unavailable", "logins that found no store or no answer")     \
	X(STORE_CONNECTS, "store_connects", "connections to stores tried")                         \
	X(STORE_FAILURES, "store_failures", "of these, failed before the login")                   \
	X(SESSIONS, "sessions", "sessions ended")                                                  \
	X(BYTES_FROM_CLIENTS, "bytes_from_clients", "bytes relayed from clients")                  \
	X(BYTES_FROM_STORES, "bytes_from_stores", "bytes relayed from stores")                     \
	X(LINGERS, "lingers", "connections closed after draining input")                           \
	X(REFUSED, "refused", "connections refused for a limit or want of memory")                 \
	X(BROKEN, "broken", "sessions ended by a broken invariant")                                \
	X(LOG_LOST, "log_lost", "log lines that could not be written")                             \
	X(LOG_SUPPRESSED, "log_suppressed", "log lines left out because their kind came too often")

#define STAT_GAUGES(X)                                                                             \
	X(CLIENTS_NOW, "clients_now", "client connections open")                                   \
	X(RELAYS_NOW, "relays_now", "sessions in the relay")                                       \
	X(PID, "pid", "the process whose counters these are")                                      \
	X(STARTED, "started", "when it began, seconds since 1970")                                 \
	X(GENERATION, "generation",                                                                \
	    "the configuration in force: 1, and one more each reload (master)")

enum stat_id {
#define X(id, name, help) STAT_##id,
	STAT_COUNTERS(X) STAT_GAUGES(X)
#undef X
	    STAT_COUNT
};

void stat_add(enum stat_id id, uint64_t n);
static inline void
stat_inc(enum stat_id id)
{
	stat_add(id, 1);
}
void stat_dec(enum stat_id id); /* gauges */
void stat_set(enum stat_id id, uint64_t n);
uint64_t stat_get(enum stat_id id); /* this process's own */
const char *stat_name(enum stat_id id);

/* A memfd with @slots slots, sealed against resizing; -1 and a reason when there is none. */
int stat_create(unsigned slots, struct err *err) MUST_CHECK;
/*
 * Makes slot @slot of @fd (not kept) this process's own, taking along what was counted before. Counters that the slot
 * holds, of a process that had it earlier, are kept and added to; its gauges end with it. 1, or -1 and a reason.
 */
int stat_attach(int fd, unsigned slot, struct err *err) MUST_CHECK;
/* The sum of @id over the first @slots slots of @fd. 0 when it cannot be read. */
uint64_t stat_sum(int fd, unsigned slots, enum stat_id id);

/* All slots of @fd (not kept), to be looked at again and again. NULL and a reason. */
struct stat_view;
struct stat_view *stat_view_open(int fd, struct err *err) MUST_CHECK;
void stat_view_close(struct stat_view **v);
/* 0 also for a slot that is not there. */
uint64_t stat_view_get(const struct stat_view *v, unsigned slot, enum stat_id id);
unsigned stat_view_slots(const struct stat_view *v);
bool stat_is_gauge(enum stat_id id);

#endif
