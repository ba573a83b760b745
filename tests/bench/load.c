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

#include "load_options.h"
#include "pattern.h"
#include "stream.h"
#include "times.h"

#define READ_MAX        (256u << 10)
#define LINE_MAX_BYTES  2048
#define OPENING_AT_ONCE 32
#define ERRORS_SHOWN    5
#define ERRORS_MAX      100

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

static struct {
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
} load = { .epoll = -1 };

static unsigned char read_buffer[READ_MAX];
static char host_name[] = "mail.example.org"; /* OpenSSL's macros know no const */

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
		struct iovec iov = stream_piece(c->out, c->out_len);
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

	user_len = snprintf(user, sizeof(user), "user%u", load.user++ % asked.users);
	switch (asked.auth) {
	case AUTH_LOGIN:
		n = snprintf(c->command, sizeof(c->command), "l1 LOGIN \"%s\" \"%s\"\r\n", user,
		    asked.password);
		break;
	case AUTH_LITERAL:
		n = snprintf(c->command, sizeof(c->command),
		    "l1 LOGIN {%d+}\r\n%s {%zu+}\r\n%s\r\n", user_len, user, strlen(asked.password),
		    asked.password);
		break;
	case AUTH_PLAIN:
		n = snprintf(plain, sizeof(plain), "%c%s%c%s", 0, user, 0, asked.password);
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
	if (asked.mode == MODE_DOWNLOAD && c->literals != asked.batch) {
		conn_fail(c, "%ju messages of %ju", (uintmax_t)c->literals, (uintmax_t)asked.batch);
		return false;
	}
	if (asked.mode == MODE_UPLOAD)
		load.moved += asked.size;
	load.done++;
	times_add(&load.times, now_ns() - c->started);
	return work_send(c);
}

static void
login_done(struct conn *c)
{
	if (asked.mode == MODE_LOGIN) {
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
		if (asked.mode != MODE_LOGIN) {
			c->state = CONN_READY;
			load.logging--;
			load.ready++;
			return true;
		}
		if (asked.logout) {
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
		if (asked.mode == MODE_IDLE) {
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
			if (asked.mode == MODE_DOWNLOAD && c->literal_len == asked.size) {
				c->literals += c->literal_len == 0;
				return true;
			}
		}
		if (strncmp(line, "w1 OK", 5) == 0)
			return work_done(c);
		break;
	case CONN_READY:
		if (load.closing && asked.mode == MODE_IDLE && strncmp(line, "w1 OK", 5) == 0) {
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
			if (asked.verify && !pattern_matches(load.pattern, offset, bytes, part)) {
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
	if (connect(c->stream.fd, (struct sockaddr *)&asked.address, sizeof(asked.address)) < 0 &&
	    errno != EINPROGRESS) {
		conn_fail(c, "connect: %s", strerror(errno));
		return;
	}
	if (asked.tls != TLS_OFF) {
		c->stream.ssl = SSL_new(load.ctx);
		if (!c->stream.ssl || !SSL_set_fd(c->stream.ssl, c->stream.fd))
			die("SSL_new failed");
		SSL_set_connect_state(c->stream.ssl);
		SSL_set_tlsext_host_name(c->stream.ssl, host_name);
		if (asked.tls == TLS_RESUMED && load.session) {
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
	} else if ((double)(now - seen_at) > asked.stall * 1e9) {
		fprintf(stderr, "load: nothing moved for %g s\n", asked.stall);
		for (unsigned i = 0; i < asked.connections; i++)
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
		unsigned slots = asked.connections;

		if (asked.tls == TLS_RESUMED && !load.session && load.errors == 0)
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

	while (load.ready < asked.connections && load.errors == 0) {
		while (next < asked.connections && load.logging < OPENING_AT_ONCE &&
		       (asked.tls != TLS_RESUMED || load.session || next == 0))
			conn_open(&load.conns[next++]);
		events_wait(1000);
	}
	return load.errors == 0;
}

static void
work_run(void)
{
	for (unsigned i = 0; i < asked.connections; i++)
		if (load.conns[i].state == CONN_READY)
			work_send(&load.conns[i]);
	for (;;) {
		bool working = false;

		for (unsigned i = 0; i < asked.connections && !working; i++)
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
	for (unsigned i = 0; i < asked.connections; i++)
		if (load.conns[i].state == CONN_READY)
			conn_send(&load.conns[i], done, sizeof(done) - 1);
	while (load.open > 0 && !given_up())
		events_wait(1000);
}

static void
command_prepare(void)
{
	size_t room = 128 + (asked.mode == MODE_UPLOAD ? asked.size : 0);
	char *s = must_alloc(room);
	int n = 0;

	switch (asked.mode) {
	case MODE_LOGIN:
		break;
	case MODE_DOWNLOAD:
		n = snprintf(s, room, "w1 XDOWNLOAD %ju %ju\r\n", (uintmax_t)asked.size,
		    (uintmax_t)asked.batch);
		break;
	case MODE_UPLOAD:
		n = snprintf(s, room, "w1 XUPLOAD {%ju+}\r\n", (uintmax_t)asked.size);
		pattern_fill((unsigned char *)s + n, asked.size);
		memcpy(s + n + asked.size, "\r\n", 2);
		load.command_len = asked.size + 2;
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
tls_prepare(void)
{
	bool v13 = asked.tls_version == 1;
	int version = v13 ? TLS1_3_VERSION : TLS1_2_VERSION;
	const char *suite = asked.suite;
	char groups[64];

	if (!suite)
		suite = v13 ? "TLS_AES_128_GCM_SHA256" : "ECDHE-ECDSA-AES128-GCM-SHA256";
	/* TLS 1.2 counts the curve of the certificate among the groups. */
	snprintf(groups, sizeof(groups), "%s",
	    asked.groups ? asked.groups : (v13 ? "X25519" : "X25519:P-256"));
	load.ctx = SSL_CTX_new(TLS_client_method());
	if (!load.ctx || !SSL_CTX_set_min_proto_version(load.ctx, version) ||
	    !SSL_CTX_set_max_proto_version(load.ctx, version) ||
	    !SSL_CTX_set1_groups_list(load.ctx, groups) ||
	    !(v13 ? SSL_CTX_set_ciphersuites(load.ctx, suite)
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
	times_sort(&load.times);
	printf("{\"mode\": \"%s\", \"tls\": \"%s\", \"auth\": \"%s\", \"connections\": %u, "
	       "\"done\": %ju, \"errors\": %ju, \"seconds\": %.6f, \"per_second\": %.1f, "
	       "\"bytes\": %ju, \"bytes_per_second\": %.0f, \"handshakes\": %ju, "
	       "\"resumed\": %ju, \"latency_us\": {\"median\": %u, \"p99\": %u, \"max\": %u}, "
	       "\"own_cpu_seconds\": %.3f}\n",
	    mode_names[asked.mode], tls_names[asked.tls], auth_names[asked.auth], asked.connections,
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

	if (asked.mode != MODE_LOGIN)
		stands = sessions_open();
	if (asked.sync && asked.mode != MODE_IDLE) {
		say_ready();
		if (!stdin_line())
			die("nobody said go");
	}
	start = now_ns();
	if (asked.seconds > 0)
		load.stop_at = start + (uint64_t)(asked.seconds * 1e9);
	if (asked.mode == MODE_LOGIN)
		logins_run();
	else if (stands)
		work_run();
	start = now_ns() - start;
	if (asked.mode == MODE_IDLE && stands && load.errors == 0) {
		say_ready();
		while (stdin_line())
			;
		idle_end();
	}
	counted_short = asked.seconds > 0 ? load.done != load.begun : load.done != load.wanted;
	if (counted_short && load.errors == 0)
		load.errors++;
	report((double)start / 1e9);
	if (asked.sync && asked.mode != MODE_IDLE)
		while (stdin_line())
			;
	for (unsigned i = 0; i < asked.connections; i++)
		if (load.conns[i].state != CONN_FREE)
			conn_close(&load.conns[i]);
}

int
main(int argc, char **argv)
{
	struct rlimit files;

	options_parse(argc, argv);
	load.wanted = asked.count;
	if (asked.bytes && asked.size && (asked.mode == MODE_DOWNLOAD || asked.mode == MODE_UPLOAD))
		load.wanted = asked.bytes / (asked.size * asked.batch);
	if (asked.mode == MODE_IDLE)
		load.wanted = asked.connections;
	if (load.wanted == 0) {
		if (asked.seconds <= 0)
			die("neither --count nor --seconds, nor --bytes for a whole message");
		load.wanted = UINT64_MAX;
	}

	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (asked.tls != TLS_OFF)
		tls_prepare();
	load.pattern = must_alloc(READ_MAX + PATTERN_PERIOD);
	pattern_fill(load.pattern, READ_MAX + PATTERN_PERIOD);
	load.conns = must_alloc(asked.connections * sizeof(*load.conns));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.epoll < 0)
		die("epoll: %s", strerror(errno));
	command_prepare();
	load_run();
	return load.errors > 0;
}
