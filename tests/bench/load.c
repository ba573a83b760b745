/*
 * load: plays the mail clients in front of a proxy under measurement, and checks what comes back.
 *
 *	login		connect, log in, close, and again: logins a second
 *	download	messages of one size over some sessions, one command each: bytes a second
 *	upload		the same in the other direction
 *	roundtrip	NOOP to and fro on every session: round trips a second and how long one takes
 *	idle		opens sessions, puts them in IDLE, says "ready" and holds them until stdin closes
 *
 * One thread, one epoll; OpenSSL for the client's side of TLS. A run ends with one JSON object on
 * standard output; the exit status is 1 if any login failed, any byte was wrong or anything hung.
 *
 * All modes but login first open all sessions, then work. With --sync "ready" is printed between the
 * two and a line awaited on stdin, and the sessions stay open behind the JSON until stdin closes:
 * so whoever measures the proxy can read its counters at the borders of the work alone.
 *
 * Each connection sends one thing and reads lines until its answer is complete:
 *
 *	FREE -> CONNECT -> HANDSHAKE -> GREETING -> LOGIN -> READY -> WORK -> READY
 *	                                             LOGIN -> LOGOUT -> FREE      (mode login)
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "pattern.h"
#include "stream.h"

#define READ_MAX        (256u << 10)
#define LINE_MAX_BYTES  2048
#define OPENING_AT_ONCE 32
#define ERRORS_SHOWN    5
#define ERRORS_MAX      100

enum mode { MODE_LOGIN, MODE_DOWNLOAD, MODE_UPLOAD, MODE_ROUNDTRIP, MODE_IDLE };
enum tls { TLS_OFF, TLS_FULL, TLS_RESUMED };
enum auth { AUTH_LOGIN, AUTH_LITERAL, AUTH_PLAIN };

enum conn_state {
	CONN_FREE,
	CONN_CONNECT,
	CONN_HANDSHAKE,
	CONN_GREETING,
	CONN_LOGIN,
	CONN_LOGOUT,
	CONN_READY,
	CONN_WORK,
};

static const char *const mode_names[] = { "login", "download", "upload", "roundtrip", "idle" };
static const char *const tls_names[] = { "off", "full", "resumed" };
static const char *const auth_names[] = { "login", "literal", "plain" };
static const char *const state_names[] = { "free", "connect", "handshake", "greeting", "login",
	"logout", "ready", "work" };

struct conn {
	enum conn_state state;
	struct stream stream;
	uint32_t events;
	uint64_t started; /* ns: the connect, or the command in flight */

	const char *out; /* still to be written */
	size_t out_len;
	char command[512];

	char line[LINE_MAX_BYTES];
	size_t line_len;
	uint64_t literal_len, literal_left;
	uint64_t literals; /* complete ones since the command was sent */
};

/* The microseconds that things took, all of them. */
struct times {
	uint32_t *us;
	size_t count, room;
};

static struct {
	/* as asked for */
	enum mode mode;
	enum tls tls;
	enum auth auth;
	struct sockaddr_in address;
	unsigned connections;
	uint64_t count;
	double seconds;
	uint64_t size, bytes, batch;
	unsigned users;
	const char *password;
	double stall;
	bool logout, sync, verify;

	/* as it goes */
	int epoll;
	SSL_CTX *ctx;
	SSL_SESSION *session; /* the newest ticket */
	struct conn *conns;
	unsigned char *pattern;
	char *command; /* of modes other than login: the same each time */
	size_t command_len;
	uint64_t wanted; /* commands, or logins, in all */
	uint64_t begun;  /* of these */
	uint64_t done;   /* of these, well ended */
	uint64_t moved;  /* bytes of literals, both directions */
	uint64_t handshakes, resumed;
	uint64_t errors;
	unsigned open;    /* connections that are not FREE */
	unsigned logging; /* of these, not yet READY */
	unsigned ready;   /* of these, READY or WORK */
	unsigned user;
	bool closing;
	uint64_t stop_at; /* ns: begin nothing more */
	uint64_t progress;
	struct times times;
} load = {
	.auth = AUTH_LOGIN,
	.connections = 16,
	.size = 65536,
	.batch = 1,
	.users = 1000,
	.password = "secret",
	.stall = 15,
	.verify = true,
	.epoll = -1,
};

static unsigned char read_buffer[READ_MAX];

__attribute__((noreturn, format(printf, 1, 2))) static void
die(const char *format, ...)
{
	va_list ap;

	fputs("load: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static void *
must_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		die("out of memory");
	return p;
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
times_add(struct times *t, uint64_t ns)
{
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 4096;
		t->us = realloc(t->us, t->room * sizeof(*t->us));
		if (!t->us)
			die("out of memory");
	}
	t->us[t->count++] = ns / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 1000);
}

static int
times_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t
times_quantile(const struct times *t, double q)
{
	return t->count ? t->us[(size_t)(q * (double)(t->count - 1))] : 0;
}

/* ---- one connection ---- */

static void
conn_watch(struct conn *c, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (c->events == events)
		return;
	if (epoll_ctl(load.epoll, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->stream.fd, &ev) < 0)
		die("epoll_ctl: %s", strerror(errno));
	c->events = events;
}

/* Closes, and says good-bye on the TLS layer, else OpenSSL would not resume the session. */
static void
conn_close(struct conn *c)
{
	if (c->state == CONN_READY || c->state == CONN_WORK)
		load.ready--;
	else
		load.logging--;
	load.open--;
	c->state = CONN_FREE;
	stream_close(&c->stream, true);
	c->events = 0;
}

__attribute__((format(printf, 2, 3))) static void
conn_fail(struct conn *c, const char *format, ...)
{
	va_list ap;

	load.errors++;
	if (load.errors <= ERRORS_SHOWN) {
		fprintf(
		    stderr, "load: connection %td, %s: ", c - load.conns, state_names[c->state]);
		va_start(ap, format);
		vfprintf(stderr, format, ap);
		va_end(ap);
		fputc('\n', stderr);
	}
	conn_close(c);
}

/* Writes what waits. Returns false if that failed, and the connection with it. */
static bool
conn_flush(struct conn *c)
{
	while (c->out_len > 0) {
		struct iovec iov = { (void *)c->out, c->out_len };
		ssize_t n = stream_writev(&c->stream, &iov, 1);

		if (n == STREAM_FAILED) {
			conn_fail(c, "cannot write: %s", strerror(errno));
			return false;
		}
		if (n < 0)
			break;
		c->out += n;
		c->out_len -= (size_t)n;
		load.progress++;
	}
	conn_watch(c, c->out_len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return true;
}

static bool
conn_send(struct conn *c, const char *bytes, size_t len)
{
	c->out = bytes;
	c->out_len = len;
	c->literals = 0;
	return conn_flush(c);
}

static bool
login_send(struct conn *c)
{
	char user[32], plain[256], base64[400];
	int user_len, n = 0;

	user_len = snprintf(user, sizeof(user), "user%u", load.user++ % load.users);
	switch (load.auth) {
	case AUTH_LOGIN:
		n = snprintf(c->command, sizeof(c->command), "l1 LOGIN \"%s\" \"%s\"\r\n", user,
		    load.password);
		break;
	case AUTH_LITERAL:
		n = snprintf(c->command, sizeof(c->command),
		    "l1 LOGIN {%d+}\r\n%s {%zu+}\r\n%s\r\n", user_len, user, strlen(load.password),
		    load.password);
		break;
	case AUTH_PLAIN:
		n = snprintf(plain, sizeof(plain), "%c%s%c%s", 0, user, 0, load.password);
		EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)plain, n);
		n = snprintf(
		    c->command, sizeof(c->command), "l1 AUTHENTICATE PLAIN %s\r\n", base64);
		break;
	}
	c->state = CONN_LOGIN;
	return conn_send(c, c->command, (size_t)n);
}

/* Gives a READY connection its next piece of work, if there is one left. */
static bool
work_send(struct conn *c)
{
	if (load.begun == load.wanted || (load.stop_at && now_ns() >= load.stop_at))
		return true;
	load.begun++;
	c->state = CONN_WORK;
	c->started = now_ns();
	return conn_send(c, load.command, load.command_len);
}

/* The tagged OK to the command in flight. Returns whether the connection still stands. */
static bool
work_done(struct conn *c)
{
	c->state = CONN_READY;
	if (load.mode == MODE_DOWNLOAD && c->literals != load.batch) {
		conn_fail(c, "%ju messages of %ju", (uintmax_t)c->literals, (uintmax_t)load.batch);
		return false;
	}
	if (load.mode == MODE_UPLOAD)
		load.moved += load.size;
	load.done++;
	times_add(&load.times, now_ns() - c->started);
	return work_send(c);
}

static void
login_done(struct conn *c)
{
	if (load.mode == MODE_LOGIN) {
		load.done++;
		times_add(&load.times, now_ns() - c->started);
		conn_close(c);
	}
}

/* One line from the server, its CRLF cut off. Returns whether the connection still stands. */
static bool
conn_line(struct conn *c, const char *line, size_t len)
{
	static const char logout[] = "l2 LOGOUT\r\n";
	const char *open;

	switch (c->state) {
	case CONN_GREETING:
		if (strncmp(line, "* OK", 4) != 0)
			break;
		return login_send(c);
	case CONN_LOGIN:
		if (line[0] == '*')
			return true;
		if (strncmp(line, "l1 OK", 5) != 0)
			break;
		if (load.mode != MODE_LOGIN) {
			c->state = CONN_READY;
			load.logging--;
			load.ready++;
			return true;
		}
		if (load.logout) {
			c->state = CONN_LOGOUT;
			return conn_send(c, logout, sizeof(logout) - 1);
		}
		login_done(c);
		return false;
	case CONN_LOGOUT:
		if (line[0] == '*')
			return true;
		if (strncmp(line, "l2 OK", 5) != 0)
			break;
		login_done(c);
		return false;
	case CONN_WORK:
		if (load.mode == MODE_IDLE) {
			if (line[0] != '+')
				break;
			c->state = CONN_READY;
			load.done++;
			return true;
		}
		if (line[0] == '*' || line[0] == ')') {
			open = len > 0 && line[len - 1] == '}' ? memrchr(line, '{', len) : NULL;
			if (!open)
				return true;
			c->literal_len = c->literal_left = strtoull(open + 1, NULL, 10);
			if (load.mode == MODE_DOWNLOAD && c->literal_len == load.size) {
				c->literals += c->literal_len == 0;
				return true;
			}
		}
		if (strncmp(line, "w1 OK", 5) == 0)
			return work_done(c);
		break;
	case CONN_READY:
		if (load.closing && load.mode == MODE_IDLE && strncmp(line, "w1 OK", 5) == 0) {
			conn_close(c);
			return false;
		}
		break;
	case CONN_FREE:
	case CONN_CONNECT:
	case CONN_HANDSHAKE:
		break;
	}
	conn_fail(c, "unexpected: %.200s", line);
	return false;
}

/* Takes what was read. Returns whether the connection still stands. */
static bool
conn_take(struct conn *c, const unsigned char *bytes, size_t len)
{
	while (len > 0) {
		const unsigned char *lf;
		size_t part = len;

		if (c->literal_left > 0) {
			uint64_t offset = c->literal_len - c->literal_left;

			if (part > c->literal_left)
				part = (size_t)c->literal_left;
			if (load.verify && !pattern_matches(load.pattern, offset, bytes, part)) {
				conn_fail(c, "wrong bytes in a literal behind byte %ju",
				    (uintmax_t)offset);
				return false;
			}
			c->literal_left -= part;
			load.moved += part;
			c->literals += c->literal_left == 0;
		} else {
			lf = memchr(bytes, '\n', len);
			if (lf)
				part = (size_t)(lf + 1 - bytes);
			if (c->line_len + part >= sizeof(c->line)) {
				conn_fail(c, "line too long");
				return false;
			}
			memcpy(c->line + c->line_len, bytes, part);
			c->line_len += part;
			if (lf) {
				size_t line_len = c->line_len - 1;

				if (line_len > 0 && c->line[line_len - 1] == '\r')
					line_len--;
				c->line[line_len] = '\0';
				c->line_len = 0;
				if (!conn_line(c, c->line, line_len))
					return false;
			}
		}
		bytes += part;
		len -= part;
	}
	return true;
}

/* Everything that one event allows. */
static void
conn_turn(struct conn *c)
{
	socklen_t len = sizeof(int);
	int error = 0;
	ssize_t n;

	load.progress++;
	if (c->state == CONN_CONNECT) {
		getsockopt(c->stream.fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error) {
			conn_fail(c, "%s", strerror(error));
			return;
		}
		c->state = CONN_HANDSHAKE;
	}
	if (c->state == CONN_HANDSHAKE) {
		n = stream_handshake(&c->stream);
		if (n == STREAM_FAILED) {
			unsigned long code = ERR_peek_error();

			conn_fail(c, "%s", code ? ERR_reason_error_string(code) : strerror(errno));
			return;
		}
		conn_watch(c, n == STREAM_WANT_WRITE ? EPOLLOUT : EPOLLIN);
		if (n < 0)
			return;
		if (c->stream.ssl) {
			load.handshakes++;
			load.resumed += (uint64_t)SSL_session_reused(c->stream.ssl);
		}
		c->state = CONN_GREETING;
	}
	if (c->out_len > 0 && !conn_flush(c))
		return;
	/* Over plaintext one read a turn: epoll tells of the rest. OpenSSL may hold some back. */
	do {
		n = stream_read(&c->stream, read_buffer, sizeof(read_buffer));
		if (n == 0)
			conn_fail(c, "closed by the other side");
		else if (n == STREAM_FAILED)
			conn_fail(c, "cannot read: %s", strerror(errno));
	} while (n > 0 && conn_take(c, read_buffer, (size_t)n) && c->stream.ssl);
}

static void
conn_open(struct conn *c)
{
	int one = 1;

	c->line_len = 0;
	c->literal_left = 0;
	c->out_len = 0;
	c->events = 0;
	c->stream.ssl = NULL;
	c->stream.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->stream.fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(c->stream.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->state = CONN_CONNECT;
	c->started = now_ns();
	load.open++;
	load.logging++;
	if (connect(c->stream.fd, (struct sockaddr *)&load.address, sizeof(load.address)) < 0 &&
	    errno != EINPROGRESS) {
		conn_fail(c, "connect: %s", strerror(errno));
		return;
	}
	if (load.tls != TLS_OFF) {
		c->stream.ssl = SSL_new(load.ctx);
		if (!c->stream.ssl || !SSL_set_fd(c->stream.ssl, c->stream.fd))
			die("SSL_new failed");
		SSL_set_connect_state(c->stream.ssl);
		SSL_set_tlsext_host_name(c->stream.ssl, "mail.example.org");
		if (load.tls == TLS_RESUMED && load.session) {
			SSL_SESSION *copy = SSL_SESSION_dup(load.session);

			SSL_set_session(c->stream.ssl, copy);
			SSL_SESSION_free(copy);
		}
	}
	conn_watch(c, EPOLLOUT);
}

/* ---- the run ---- */

static void
events_wait(int timeout_ms)
{
	struct epoll_event events[256];
	static uint64_t seen, seen_at;
	int n = epoll_wait(load.epoll, events, 256, timeout_ms);
	uint64_t now = now_ns();

	if (n < 0 && errno != EINTR)
		die("epoll_wait: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		struct conn *c = events[i].data.ptr;

		if (c->state != CONN_FREE)
			conn_turn(c);
	}
	if (load.progress != seen || seen_at == 0) {
		seen = load.progress;
		seen_at = now;
	} else if ((double)(now - seen_at) > load.stall * 1e9) {
		fprintf(stderr, "load: nothing moved for %g s\n", load.stall);
		for (unsigned i = 0; i < load.connections; i++)
			if (load.conns[i].state != CONN_FREE && load.conns[i].state != CONN_READY)
				conn_fail(&load.conns[i], "hangs");
		load.errors++;
		seen_at = now;
	}
}

static bool
given_up(void)
{
	return load.errors >= ERRORS_MAX;
}

/* Logins one after the other on every slot; in resumed mode the first one alone, for its ticket. */
static void
logins_run(void)
{
	load.user = 0;
	for (;;) {
		bool more = load.begun < load.wanted && !given_up() &&
			    !(load.stop_at && now_ns() >= load.stop_at);
		unsigned slots = load.connections;

		if (load.tls == TLS_RESUMED && !load.session && load.errors == 0)
			slots = 1;
		for (unsigned i = 0; more && i < slots && load.begun < load.wanted; i++) {
			if (load.conns[i].state == CONN_FREE) {
				load.begun++;
				conn_open(&load.conns[i]);
			}
		}
		if (!more && load.open == 0)
			return;
		events_wait(1000);
	}
}

/* Opens all sessions, a few at a time. Returns whether all stand. */
static bool
sessions_open(void)
{
	unsigned next = 0;

	while (load.ready < load.connections && load.errors == 0) {
		while (next < load.connections && load.logging < OPENING_AT_ONCE &&
		       (load.tls != TLS_RESUMED || load.session || next == 0))
			conn_open(&load.conns[next++]);
		events_wait(1000);
	}
	return load.errors == 0;
}

static void
work_run(void)
{
	for (unsigned i = 0; i < load.connections; i++)
		if (load.conns[i].state == CONN_READY)
			work_send(&load.conns[i]);
	for (;;) {
		bool working = false;

		for (unsigned i = 0; i < load.connections && !working; i++)
			working = load.conns[i].state == CONN_WORK;
		if (!working || given_up())
			return;
		events_wait(1000);
	}
}

/* Whether a line came on stdin; false at its end. */
static bool
stdin_line(void)
{
	int ch;

	while ((ch = getchar()) != EOF && ch != '\n')
		;
	return ch == '\n';
}

static void
say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

/* Ends IDLE on all sessions: those that the proxy lost meanwhile count as errors. */
static void
idle_end(void)
{
	static const char done[] = "DONE\r\n";

	load.closing = true;
	for (unsigned i = 0; i < load.connections; i++)
		if (load.conns[i].state == CONN_READY)
			conn_send(&load.conns[i], done, sizeof(done) - 1);
	while (load.open > 0 && !given_up())
		events_wait(1000);
}

static void
command_prepare(void)
{
	size_t room = 128 + (load.mode == MODE_UPLOAD ? load.size : 0);
	char *s = must_alloc(room);
	int n = 0;

	switch (load.mode) {
	case MODE_LOGIN:
		break;
	case MODE_DOWNLOAD:
		n = snprintf(s, room, "w1 XDOWNLOAD %ju %ju\r\n", (uintmax_t)load.size,
		    (uintmax_t)load.batch);
		break;
	case MODE_UPLOAD:
		n = snprintf(s, room, "w1 XUPLOAD {%ju+}\r\n", (uintmax_t)load.size);
		pattern_fill((unsigned char *)s + n, load.size);
		memcpy(s + n + load.size, "\r\n", 2);
		load.command_len = load.size + 2;
		break;
	case MODE_ROUNDTRIP:
		n = snprintf(s, room, "w1 NOOP\r\n");
		break;
	case MODE_IDLE:
		n = snprintf(s, room, "w1 IDLE\r\n");
		break;
	}
	load.command = s;
	load.command_len += (size_t)n;
}

/*
 * Keeps the newest ticket. A copy: OpenSSL marks the session that a TLS 1.3 handshake used as spent,
 * and here many connections may start from one ticket at the same time.
 */
static int
session_new(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(load.session);
	load.session = SSL_SESSION_dup(session);
	return 0;
}

static void
tls_prepare(int version, const char *suite, const char *groups)
{
	load.ctx = SSL_CTX_new(TLS_client_method());
	if (!load.ctx || !SSL_CTX_set_min_proto_version(load.ctx, version) ||
	    !SSL_CTX_set_max_proto_version(load.ctx, version) ||
	    !SSL_CTX_set1_groups_list(load.ctx, groups) ||
	    !(version == TLS1_3_VERSION ? SSL_CTX_set_ciphersuites(load.ctx, suite)
					: SSL_CTX_set_cipher_list(load.ctx, suite)))
		die("TLS: %s", ERR_reason_error_string(ERR_peek_error()));
	SSL_CTX_set_verify(load.ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(load.ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				       SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(load.ctx, 1);
	SSL_CTX_set_default_read_buffer_len(load.ctx, 65536);
	SSL_CTX_set_session_cache_mode(
	    load.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(load.ctx, session_new);
}

static void
report(double seconds)
{
	struct rusage own;
	double cpu;

	getrusage(RUSAGE_SELF, &own);
	cpu = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
	      (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
	if (load.times.count > 1)
		qsort(load.times.us, load.times.count, sizeof(*load.times.us), times_compare);
	printf("{\"mode\": \"%s\", \"tls\": \"%s\", \"auth\": \"%s\", \"connections\": %u, "
	       "\"done\": %ju, \"errors\": %ju, \"seconds\": %.6f, \"per_second\": %.1f, "
	       "\"bytes\": %ju, \"bytes_per_second\": %.0f, \"handshakes\": %ju, "
	       "\"resumed\": %ju, \"latency_us\": {\"median\": %u, \"p99\": %u, \"max\": %u}, "
	       "\"own_cpu_seconds\": %.3f}\n",
	    mode_names[load.mode], tls_names[load.tls], auth_names[load.auth], load.connections,
	    (uintmax_t)load.done, (uintmax_t)load.errors, seconds,
	    seconds > 0 ? (double)load.done / seconds : 0, (uintmax_t)load.moved,
	    seconds > 0 ? (double)load.moved / seconds : 0, (uintmax_t)load.handshakes,
	    (uintmax_t)load.resumed, times_quantile(&load.times, 0.5),
	    times_quantile(&load.times, 0.99), times_quantile(&load.times, 1), cpu);
	fflush(stdout);
}

static void
load_run(void)
{
	uint64_t start;
	bool stands = true, counted_short;

	if (load.mode != MODE_LOGIN)
		stands = sessions_open();
	if (load.sync && load.mode != MODE_IDLE) {
		say_ready();
		if (!stdin_line())
			die("nobody said go");
	}
	start = now_ns();
	if (load.seconds > 0)
		load.stop_at = start + (uint64_t)(load.seconds * 1e9);
	if (load.mode == MODE_LOGIN)
		logins_run();
	else if (stands)
		work_run();
	start = now_ns() - start;
	if (load.mode == MODE_IDLE && stands && load.errors == 0) {
		say_ready();
		while (stdin_line())
			;
		idle_end();
	}
	counted_short = load.seconds > 0 ? load.done != load.begun : load.done != load.wanted;
	if (counted_short && load.errors == 0)
		load.errors++;
	report((double)start / 1e9);
	if (load.sync && load.mode != MODE_IDLE)
		while (stdin_line())
			;
	for (unsigned i = 0; i < load.connections; i++)
		if (load.conns[i].state != CONN_FREE)
			conn_close(&load.conns[i]);
}

__attribute__((noreturn)) static void
usage(int status)
{
	fputs("usage: load login|download|upload|roundtrip|idle --port N [option ...]\n"
	      "  --host ADDRESS           an IPv4 address (127.0.0.1)\n"
	      "  --tls off|full|resumed   (off)\n"
	      "  --tls-version 1.2|1.3    (1.3)\n"
	      "  --suite NAME             (TLS_AES_128_GCM_SHA256)\n"
	      "  --groups LIST            (X25519)\n"
	      "  --auth login|literal|plain  LOGIN with quoted strings or literals, or SASL PLAIN\n"
	      "  --connections N          at once (16)\n"
	      "  --count N                logins, messages or round trips in all\n"
	      "  --seconds S              begin nothing new after so long\n"
	      "  --size BYTES             of a message (65536)\n"
	      "  --bytes TOTAL            download and upload: in place of --count\n"
	      "  --batch N                messages a download command asks for (1)\n"
	      "  --logout                 login: LOGOUT before the close\n"
	      "  --users N --password WORD   user0 to userN-1 in turn (1000, secret)\n"
	      "  --no-verify              do not compare the bytes of literals\n"
	      "  --stall S                give up when nothing moves for so long (15)\n"
	      "  --sync                   say \"ready\" before the work and wait for a line; when\n"
	      "                           the JSON is out, hold the sessions until stdin closes\n",
	    status ? stderr : stdout);
	exit(status);
}

/* The index of word in names. */
static unsigned
word_index(const char *word, const char *const *names, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(word, names[i]) == 0)
			return i;
	fprintf(stderr, "load: what is \"%s\"?\n", word);
	usage(2);
}

static uint64_t
number(const char *word)
{
	char *end;
	unsigned long long value = strtoull(word, &end, 10);

	if (end == word || *end != '\0' || word[0] == '-') {
		fprintf(stderr, "load: \"%s\" is no number\n", word);
		usage(2);
	}
	return value;
}

static unsigned
small_number(const char *word)
{
	uint64_t value = number(word);

	if (value == 0 || value > 1000000)
		die("%s is out of range", word);
	return (unsigned)value;
}

int
main(int argc, char **argv)
{
	enum {
		OPT_HOST = 1,
		OPT_PORT,
		OPT_TLS,
		OPT_VERSION,
		OPT_SUITE,
		OPT_GROUPS,
		OPT_AUTH,
		OPT_CONNECTIONS,
		OPT_COUNT,
		OPT_SECONDS,
		OPT_SIZE,
		OPT_BYTES,
		OPT_BATCH,
		OPT_LOGOUT,
		OPT_USERS,
		OPT_PASSWORD,
		OPT_NO_VERIFY,
		OPT_STALL,
		OPT_SYNC,
		OPT_HELP
	};
	static const struct option options[] = {
		{ "host", required_argument, NULL, OPT_HOST },
		{ "port", required_argument, NULL, OPT_PORT },
		{ "tls", required_argument, NULL, OPT_TLS },
		{ "tls-version", required_argument, NULL, OPT_VERSION },
		{ "suite", required_argument, NULL, OPT_SUITE },
		{ "groups", required_argument, NULL, OPT_GROUPS },
		{ "auth", required_argument, NULL, OPT_AUTH },
		{ "connections", required_argument, NULL, OPT_CONNECTIONS },
		{ "count", required_argument, NULL, OPT_COUNT },
		{ "seconds", required_argument, NULL, OPT_SECONDS },
		{ "size", required_argument, NULL, OPT_SIZE },
		{ "bytes", required_argument, NULL, OPT_BYTES },
		{ "batch", required_argument, NULL, OPT_BATCH },
		{ "logout", no_argument, NULL, OPT_LOGOUT },
		{ "users", required_argument, NULL, OPT_USERS },
		{ "password", required_argument, NULL, OPT_PASSWORD },
		{ "no-verify", no_argument, NULL, OPT_NO_VERIFY },
		{ "stall", required_argument, NULL, OPT_STALL },
		{ "sync", no_argument, NULL, OPT_SYNC },
		{ "help", no_argument, NULL, OPT_HELP },
		{ NULL, 0, NULL, 0 },
	};
	const char *host = "127.0.0.1", *suite = NULL, *groups = NULL;
	int option, version = TLS1_3_VERSION;
	struct rlimit files;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case OPT_HOST:
			host = optarg;
			break;
		case OPT_PORT:
			load.address.sin_port = htons((uint16_t)small_number(optarg));
			break;
		case OPT_TLS:
			load.tls = (enum tls)word_index(optarg, tls_names, 3);
			break;
		case OPT_VERSION:
			if (strcmp(optarg, "1.2") != 0 && strcmp(optarg, "1.3") != 0)
				usage(2);
			version = optarg[2] == '2' ? TLS1_2_VERSION : TLS1_3_VERSION;
			break;
		case OPT_SUITE:
			suite = optarg;
			break;
		case OPT_GROUPS:
			groups = optarg;
			break;
		case OPT_AUTH:
			load.auth = (enum auth)word_index(optarg, auth_names, 3);
			break;
		case OPT_CONNECTIONS:
			load.connections = small_number(optarg);
			break;
		case OPT_COUNT:
			load.count = number(optarg);
			break;
		case OPT_SECONDS:
			load.seconds = strtod(optarg, NULL);
			break;
		case OPT_SIZE:
			load.size = number(optarg);
			break;
		case OPT_BYTES:
			load.bytes = number(optarg);
			break;
		case OPT_BATCH:
			load.batch = small_number(optarg);
			break;
		case OPT_LOGOUT:
			load.logout = true;
			break;
		case OPT_USERS:
			load.users = small_number(optarg);
			break;
		case OPT_PASSWORD:
			load.password = optarg;
			break;
		case OPT_NO_VERIFY:
			load.verify = false;
			break;
		case OPT_STALL:
			load.stall = strtod(optarg, NULL);
			break;
		case OPT_SYNC:
			load.sync = true;
			break;
		case OPT_HELP:
			usage(0);
		default:
			usage(2);
		}
	}
	if (optind + 1 != argc || load.address.sin_port == 0)
		usage(2);
	load.mode = (enum mode)word_index(argv[optind], mode_names, 5);
	load.address.sin_family = AF_INET;
	if (inet_pton(AF_INET, host, &load.address.sin_addr) != 1)
		die("%s is no IPv4 address", host);
	if (strlen(load.password) > 100)
		die("the password is too long");
	if (load.size > 64u << 20)
		die("messages have at most 64 MiB");

	load.wanted = load.count;
	if (load.bytes && load.size && (load.mode == MODE_DOWNLOAD || load.mode == MODE_UPLOAD))
		load.wanted = load.bytes / (load.size * load.batch);
	if (load.mode == MODE_IDLE)
		load.wanted = load.connections;
	if (load.wanted == 0) {
		if (load.seconds <= 0)
			die("neither --count nor --seconds, nor --bytes for a whole message");
		load.wanted = UINT64_MAX;
	}

	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (load.tls != TLS_OFF) {
		if (!suite)
			suite = version == TLS1_3_VERSION ? "TLS_AES_128_GCM_SHA256"
							  : "ECDHE-ECDSA-AES128-GCM-SHA256";
		if (!groups) /* TLS 1.2 counts the curve of the certificate among them */
			groups = version == TLS1_3_VERSION ? "X25519" : "X25519:P-256";
		tls_prepare(version, suite, groups);
	}
	load.pattern = must_alloc(READ_MAX + PATTERN_PERIOD);
	pattern_fill(load.pattern, READ_MAX + PATTERN_PERIOD);
	load.conns = must_alloc(load.connections * sizeof(*load.conns));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.epoll < 0)
		die("epoll: %s", strerror(errno));
	command_prepare();
	load_run();
	return load.errors > 0;
}
