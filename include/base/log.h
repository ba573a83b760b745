/*
 * base/log.h - one line an event, key=value, in logfmt or JSON.
 *
 *      ts=2026-11-23T15:06:27.123Z level=info role=worker pid=123 event=login session=… user=…
 *
 * Each process writes its lines itself, whole lines of at most PIPE_BUF bytes, to a descriptor that it inherited.
 * Writing never blocks: a line that cannot be written now is dropped and counted, and the next line that gets through says how
 * many were lost. Values are escaped here and nowhere else. No secret is ever given to the logger.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* The event names, one table: enum and text. What each means is in the manual. */
#define LOG_EVENTS(X)                                                                              \
	X(START, "start")                 /* a process begins */                                   \
	X(READY, "ready")                 /* all is up, listeners accept */                        \
	X(STOP, "stop")                   /* ordered end */                                        \
	X(CONFIG, "config")               /* a mistake or warning in the configuration */          \
	X(RELOAD, "reload")               /* a new configuration is in force, or was refused */    \
	X(LISTEN, "listen")               /* a listener is open */                                 \
	X(PROCESS_START, "process_start") /* the master started a process */                       \
	X(PROCESS_EXIT, "process_exit")   /* a process ended */                                    \
	X(SANDBOX, "sandbox")             /* which fences a process has put around itself */       \
	X(ASSERT, "assert")               /* a process found itself damaged */                     \
	X(LOGIN, "login")                 /* the relay begins */                                   \
	X(LOGIN_FAILED, "login_failed")   /* one refused try, at once */                           \
	X(SESSION_END, "session_end")     /* one line that says why */                             \
	X(TLS_FAILED, "tls_failed")       /* a handshake failed */                                 \
	X(STARTTLS_INJECTION, "starttls_injection") /* plaintext came behind STARTTLS */           \
	X(STORE_FAILED, "store_failed")             /* a store was tried in vain */                \
	X(STORE_DIFFERS, "store_differs")           /* stores announce different capabilities */   \
	X(LOOKUP_FAILED, "lookup_failed")           /* a source could not answer */                \
	X(RESOLVE_FAILED, "resolve_failed")         /* a host name could not be resolved */        \
	X(ACCEPT_FAILED, "accept_failed")           /* no descriptor or memory for a connection */ \
	X(DIRECTORY_LOST, "directory_lost")         /* a worker lost its directory */              \
	X(DIRECTORY_BACK, "directory_back")                                                        \
	X(CONTROL, "control")               /* an operator asked for a change */                   \
	X(BACKEND_DOWN, "backend_down")     /* a store is not sent logins any more */              \
	X(BACKEND_UP, "backend_up")         /* and is again */                                     \
	X(PROBE_REFUSED, "probe_refused")   /* a store does not let its probe user in */           \
	X(PROBE_ACCEPTED, "probe_accepted") /* and does again */                                   \
	X(INTERNAL, "internal")             /* a broken invariant of one session */                \
	X(LOST, "log_lost")                 /* lines that could not be written */                  \
	X(SUPPRESSED, "log_suppressed")     /* lines of a kind that came too often */

enum log_event {
#define X(id, text) EV_##id,
	LOG_EVENTS(X)
#undef X
	    EV_COUNT
};

/* Sets where and how this process logs. @fd stays the caller's. @role: a literal. */
void log_setup(int fd, enum log_level level, enum log_format format, const char *role);
bool log_wants(enum log_level level);

/*
 * @syslog: the descriptor is a datagram socket of a syslog daemon, and each line gets the head that RFC 3164 has, facility
 * mail. @hash_users: log_user() writes pseudonyms. Both are off at first.
 */
void log_style(bool syslog, bool hash_users);

/*
 * Of events that a stranger or a dead store can cause as often as they like, at most @most lines a second of each kind are written
 * by this process; 0, at first: no limit. The rest is counted, and told by one line when the second is over, with the next line of
 * any kind or by log_tick(). @begun: called when lines begin to be left out, by who makes sure of log_tick() a second later; may
 * be NULL.
 */
#define LOG_EVENTS_A_SECOND 50
void log_limit(unsigned most, void (*begun)(void));
/* Tells what is due. True: there is more, in a second or less. */
bool log_tick(void);

/*
 * One line in the making; lives on the stack. What does not fit is cut: a value at its end, between two
 * characters; a pair of which only a few bytes would be left is not there at all. Still a valid line.
 */
struct log_line {
	char text[4096];
	size_t len;
	enum log_level level;
	bool off; /* level not wanted: nothing is formatted */
};

void log_begin(struct log_line *l, enum log_level level, enum log_event event);
void log_str(struct log_line *l, const char *key, struct slice value);
void log_cstr(
    struct log_line *l, const char *key, const char *value); /* NULL: the key is left out */
/*
 * The name of a user: as it is or, with hash_users, a pseudonym that is the same for the same name in every process, run and
 * machine ("h:" and 16 hexadecimal digits). NULL: the key is left out.
 */
void log_user(struct log_line *l, const char *key, const char *name);
/* Why a user goes where: with hash_users without what is in parentheses, which may be a name. */
void log_why(struct log_line *l, const char *key, const char *why);
/* At most 1023 bytes of text. */
void log_fmt(struct log_line *l, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
void log_u64(struct log_line *l, const char *key, uint64_t value);
void log_addr(struct log_line *l, const char *key, const struct addr *a);
void log_seconds(struct log_line *l, const char *key,
    double seconds);              /* three decimals; what is beyond 10^12 or no number is 0 */
void log_end(struct log_line *l); /* writes it */

/* A line with only a message (key `msg`, at most 1023 bytes). */
void log_msg(enum log_level level, enum log_event event, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* "error", "warn", "info", "debug"; false when it is none. */
bool log_level_parse(struct slice s, enum log_level *level_r) MUST_CHECK;

#endif
