/*
 * base/log.c - lines of key=value, formatted on the stack and written whole.
 *
 * A line is at most PIPE_BUF bytes, so that lines of several processes in one pipe do not mix. The
 * descriptor is shared, and so are its flags: O_NONBLOCK is not ours to set. It is asked whether it
 * takes a line now, and as another process may be faster, pipes and sockets are then written in the
 * way that does not wait this once.
 */
#include "base/log.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/stat.h"

static struct {
	int fd;
	enum log_level level;
	enum log_format format;
	const char *role;
	enum { TO_FILE, TO_PIPE, TO_SOCKET } kind; /* file: whatever is neither of the others */
	bool torn;                                 /* the last write left half a line */
	uint64_t lost;
	bool syslog, hash_users;
	unsigned most; /* lines a second of a limited kind; 0: as many as come */
	void (*begun)(void);
	bool suppressing; /* some kind has lines left out */
} out = { .fd = STDERR_FILENO, .level = LOG_INFO, .format = LOG_LOGFMT, .role = "main" };

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"
};
static const char *const event_names[] = {
#define X(id, text) text,
	LOG_EVENTS(X)
#undef X
};
_Static_assert(ARRAY_SIZE(event_names) == EV_COUNT, "a name for each event");

/* What came of each kind within its second. */
static struct {
	time_t second; /* monotonic */
	unsigned lines;
	uint64_t left_out;
} kinds[EV_COUNT];

void
log_style(bool syslog, bool hash_users)
{
	out.syslog = syslog;
	out.hash_users = hash_users;
	tzset(); /* for syslog, perhaps later on: a sandboxed process could not read the zone then */
}

void
log_limit(unsigned most, void (*begun)(void))
{
	out.most = most;
	out.begun = begun;
}

void
log_setup(int fd, enum log_level level, enum log_format format, const char *role)
{
	struct stat st;
	out.fd = fd;
	out.kind = TO_FILE;
	out.torn = false;
	if (fstat(fd, &st) == 0)
		out.kind = S_ISFIFO(st.st_mode)   ? TO_PIPE
			   : S_ISSOCK(st.st_mode) ? TO_SOCKET
						  : TO_FILE;
	out.level = level;
	out.format = format;
	out.role = role;
}

bool
log_wants(enum log_level level)
{
	return level <= out.level;
}

bool
log_level_parse(struct slice s, enum log_level *level_r)
{
	for (unsigned i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (slice_eq_cstr(s, level_names[i])) {
			*level_r = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* What the end of a line needs: quote of the last value, brace, line end. Nothing else goes there. */
#define TAIL 3

static size_t
room(const struct log_line *l)
{
	size_t most = sizeof(l->text) - TAIL;
	return l->len < most ? most - l->len : 0;
}

/* As much as there is room for. */
static void
raw(struct log_line *l, const char *p, size_t len)
{
	if (len > room(l))
		len = room(l);
	memcpy(l->text + l->len, p, len);
	l->len += len;
}

static bool
bare(struct slice v)
{
	if (v.len == 0)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.p[i];
		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return true;
}

static void
escaped(struct log_line *l, struct slice v)
{
	char seq[STR_ESCAPE_MAX];
	for (size_t i = 0; i < v.len; i++) {
		size_t len = str_escape(seq, v.p[i]);
		if (room(l) < len) /* cut: never half an escape */
			return;
		raw(l, seq, len);
	}
}

static void
pair(struct log_line *l, const char *key, struct slice value, bool number)
{
	if (l->off)
		return;
	/* A key that would not fit whole, with a little of its value or all of a number, is left out:
	 * four bytes around it, twenty digits. */
	if (room(l) < strlen(key) + 24)
		return;
	if (out.format == LOG_JSON) {
		raw(l, l->len > 1 ? ",\"" : "\"", l->len > 1 ? 2 : 1);
		raw(l, key, strlen(key));
		raw(l, "\":", 2);
	} else {
		if (l->len > 0)
			raw(l, " ", 1);
		raw(l, key, strlen(key));
		raw(l, "=", 1);
	}
	if (number || (out.format == LOG_LOGFMT && bare(value))) {
		raw(l, value.p, value.len);
		return;
	}
	raw(l, "\"", 1);
	escaped(l, value);
	l->text[l->len++] = '"'; /* the first of TAIL */
}

void
log_str(struct log_line *l, const char *key, struct slice value)
{
	pair(l, key, value, false);
}

void
log_cstr(struct log_line *l, const char *key, const char *value)
{
	if (value)
		pair(l, key, slice_of(value), false);
}

void
log_fmt(struct log_line *l, const char *key, const char *fmt, ...)
{
	char text[1024];
	if (l->off)
		return;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pair(l, key, slice_of(text), false);
}

void
log_u64(struct log_line *l, const char *key, uint64_t value)
{
	char text[24];
	if (l->off)
		return;
	(void)str_fmt(text, sizeof(text), "%llu", (unsigned long long)value);
	pair(l, key, slice_of(text), true);
}

void
log_seconds(struct log_line *l, const char *key, double seconds)
{
	char text[32];
	if (l->off)
		return;
	if (!(fabs(seconds) < 1e12)) /* nor infinite, nor no number: JSON has none */
		seconds = 0;
	(void)str_fmt(text, sizeof(text), "%.3f", seconds);
	pair(l, key, slice_of(text), true);
}

void
log_addr(struct log_line *l, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT];
	if (!l->off)
		pair(l, key, slice_of(addr_format(text, a)), false);
}

void
log_user(struct log_line *l, const char *key, const char *name)
{
	char text[24];
	if (!name || !out.hash_users) {
		log_cstr(l, key, name);
		return;
	}
	if (l->off)
		return;
	(void)str_fmt(text, sizeof(text), "h:%016llx",
	    (unsigned long long)hash_placement(SLICE("log_users"), slice_of(name)));
	log_cstr(l, key, text);
}

void
log_why(struct log_line *l, const char *key, const char *why)
{
	char text[1024];
	const char *open = why && out.hash_users ? strstr(why, " (") : NULL;
	const char *close = open ? strrchr(open, ')') : NULL;
	if (!open) {
		log_cstr(l, key, why);
		return;
	}
	(void)str_fmt(text, sizeof(text), "%.*s%s", (int)(open - why), why, close ? close + 1 : "");
	log_cstr(l, key, text);
}

/* --- how often */

/* Whether others than us and the operator decide how often it happens. Lines that account for a login or a session are all there. */
static bool
limited(enum log_event event)
{
	switch (event) {
	case EV_LOGIN_FAILED:
	case EV_TLS_FAILED:
	case EV_STARTTLS_INJECTION:
	case EV_STORE_FAILED:
	case EV_STORE_DIFFERS:
	case EV_LOOKUP_FAILED:
	case EV_RESOLVE_FAILED:
	case EV_ACCEPT_FAILED:
	case EV_INTERNAL:
		return true;
	default:
		return false;
	}
}

static time_t
second_now(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static void
tell_left_out(enum log_event event)
{
	struct log_line l;
	uint64_t n = kinds[event].left_out;
	kinds[event].left_out = 0;
	log_begin(&l, LOG_WARN, EV_SUPPRESSED);
	log_cstr(&l, "suppressed", event_names[event]);
	log_u64(&l, "count", n);
	log_end(&l);
}

bool
log_tick(void)
{
	time_t now = out.suppressing ? second_now() : 0;
	if (!out.suppressing)
		return false;
	out.suppressing = false; /* also: log_begin() does not come back here */
	bool more = false;
	for (unsigned e = 0; e < EV_COUNT; e++) {
		if (kinds[e].left_out > 0 && kinds[e].second != now)
			tell_left_out((enum log_event)e);
		more |= kinds[e].left_out > 0;
	}
	out.suppressing = more;
	return more;
}

/* Whether a line of @event is one too many in this second. */
static bool
too_many(enum log_event event)
{
	if (out.most == 0 || !limited(event))
		return false;
	time_t now = second_now();
	if (kinds[event].second != now) {
		if (kinds[event].left_out > 0)
			tell_left_out(event);
		kinds[event].second = now;
		kinds[event].lines = 0;
	}
	if (kinds[event].lines < out.most) {
		kinds[event].lines++;
		return false;
	}
	kinds[event].left_out++;
	stat_inc(STAT_LOG_SUPPRESSED);
	if (!out.suppressing && out.begun)
		out.begun();
	out.suppressing = true;
	return true;
}

void
log_begin(struct log_line *l, enum log_level level, enum log_event event)
{
	l->len = 0;
	l->level = level;
	l->off = !log_wants(level) || too_many(event);
	if (l->off)
		return;
	if (out.suppressing)
		(void)log_tick();
	if (out.format == LOG_JSON)
		l->text[l->len++] = '{';
	struct timespec now;
	struct tm tm;
	char ts[40];
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)str_fmt(ts, sizeof(ts), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (int)(now.tv_nsec / 1000000));
	log_cstr(l, "ts", ts);
	log_cstr(l, "level", level_names[level]);
	log_cstr(l, "role", out.role);
	log_u64(l, "pid", (uint64_t)getpid());
	log_cstr(l, "event", event_names[event]);
}

/* write(2) that does not wait where that can be had. */
static ssize_t
write_now(const char *p, size_t len)
{
	struct iovec v = { (void *)(uintptr_t)p, len };
	ssize_t n;
	if (out.kind == TO_SOCKET)
		return send(out.fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (out.kind == TO_PIPE) {
		n = pwritev2(out.fd, &v, 1, -1, RWF_NOWAIT);
		if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
			return n;
		/* Pipes can do it since Linux 6.4. Before that, poll() has to be believed. */
	}
	return write(out.fd, p, len);
}

/* RFC 3164 as daemons take it from /dev/log: without a host name. The whole datagram is one line. */
static bool
write_syslog(enum log_level level, const char *p, size_t len)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };
	static const int severities[] = {
		[LOG_ERROR] = 3, [LOG_WARN] = 4, [LOG_INFO] = 6, [LOG_DEBUG] = 7
	};
	char text[64 + sizeof(((struct log_line *)0)->text)];
	struct tm tm;
	time_t now = time(NULL);
	(void)localtime_r(&now, &tm);
	(void)str_fmt(text, sizeof(text),
	    "<%d>%s %2d %02d:%02d:%02d sallyport[%d]: ", (2 << 3) + severities[level],
	    months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)getpid());
	size_t head = strlen(text);
	len--; /* without the line end */
	memcpy(text + head, p, len);
	return send(out.fd, text, head + len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)(head + len);
}

static bool
write_line(enum log_level level, const char *p, size_t len)
{
	if (out.syslog)
		return write_syslog(level, p, len);
	struct pollfd pfd = { .fd = out.fd, .events = POLLOUT };
	if (out.fd < 0 || poll(&pfd, 1, 0) != 1 || pfd.revents != POLLOUT)
		return false;
	if (out.torn && write_now("\n", 1) != 1)
		return false;
	out.torn = false;
	ssize_t n;
	do
		n = write_now(p, len);
	while (n < 0 && errno == EINTR);
	out.torn = n > 0 && n < (ssize_t)len;
	return n == (ssize_t)len;
}

void
log_end(struct log_line *l)
{
	if (l->off)
		return;
	if (out.format == LOG_JSON)
		l->text[l->len++] = '}';
	l->text[l->len++] = '\n';
	if (out.lost > 0) {
		uint64_t lost = out.lost;
		struct log_line note;
		out.lost = 0;
		log_begin(&note, LOG_ERROR, EV_LOST);
		log_u64(&note, "lines", lost);
		if (out.format == LOG_JSON)
			note.text[note.len++] = '}';
		note.text[note.len++] = '\n';
		if (!write_line(LOG_ERROR, note.text, note.len))
			out.lost = lost;
	}
	if (out.lost > 0 || !write_line(l->level, l->text, l->len)) {
		out.lost++;
		stat_inc(STAT_LOG_LOST);
	}
}

void
log_msg(enum log_level level, enum log_event event, const char *fmt, ...)
{
	char text[1024];
	struct log_line l;
	log_begin(&l, level, event);
	if (l.off)
		return;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_cstr(&l, "msg", text);
	log_end(&l);
}

void
assert_failed(const char *cond, const char *file, int line)
{
	log_msg(LOG_ERROR, EV_ASSERT, "%s:%d: %s", file, line, cond);
	abort();
}
