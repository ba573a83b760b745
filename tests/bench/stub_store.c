/*
 * stub_store: a mail store that costs next to nothing, to stand behind a proxy under measurement.
 *
 * It speaks as much IMAP as a login needs and two bulk commands of its own:
 *
 *	tag XDOWNLOAD size count	count FETCH responses with a literal of size bytes each
 *	tag XUPLOAD {size+}		takes size bytes and says whether they were the pattern's
 *
 * Every user may log in whose password is the one given by --password. One thread, one epoll. It
 * also answers nginx's auth_http question, always with its own address, so that no slow helper
 * stands in the way of nginx's logins.
 *
 * A peer's commands stay in its own buffer, literals included, until they are complete; only the
 * bytes of an upload go through a buffer shared by all. While output waits, no input is read.
 *
 *	peer_input -> command_end -> command_run -> peer_say / the messages of a download -> peer_flush
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include <openssl/evp.h>

#include "pattern.h"
#include "stream.h"

#define CAPS_BEFORE "IMAP4rev1 SASL-IR LITERAL+ ID IDLE NAMESPACE AUTH=PLAIN"
#define CAPS_AFTER  "IMAP4rev1 LITERAL+ ID IDLE NAMESPACE UIDPLUS"

#define INPUT_MAX        8192
#define OUTPUT_MAX       1024
#define TAG_MAX          100
#define SIZE_MAX_MESSAGE (64u << 20)
#define BULK_READ        (256u << 10)
#define MESSAGES_AT_ONCE 12

enum peer_kind {
	PEER_LISTEN_PLAIN,
	PEER_LISTEN_TLS,
	PEER_LISTEN_HTTP,
	PEER_IMAP,
	PEER_HTTP,
};

enum peer_state {
	STATE_COMMAND, /* a command, or its rest, comes next */
	STATE_SASL,    /* the response to AUTHENTICATE's challenge */
	STATE_IDLE,    /* DONE */
	STATE_SWALLOW, /* the literal of an upload */
};

/* A FETCH response, whole, as it goes out; made once for each size and kept. */
struct message {
	struct message *next;
	size_t size; /* of the literal */
	size_t len;  /* of the response */
	unsigned char bytes[];
};

struct peer {
	enum peer_kind kind;
	enum peer_state state;
	struct stream stream;
	uint32_t events; /* as epoll has them */
	bool handshaking;
	bool logged_in;
	bool closing; /* when all output is gone */

	char in[INPUT_MAX + 1];
	size_t in_len;
	size_t scan; /* no command ends before this */
	char tag[TAG_MAX + 1];

	uint64_t upload_size;
	uint64_t upload_left;
	bool upload_intact;

	/* Output, in this order: out, messages, final. */
	char out[OUTPUT_MAX];
	size_t out_len, out_pos;
	const struct message *message;
	uint64_t messages; /* still to send, the current one included */
	size_t message_pos;
	char final[TAG_MAX + 64];
	size_t final_len, final_pos;
};

static struct {
	int epoll;
	SSL_CTX *tls;
	const char *password;
	unsigned port;
	struct message *messages;
	unsigned char *pattern;
	unsigned char *bulk;
} stub = { .epoll = -1, .password = "secret" };

__attribute__((noreturn, format(printf, 1, 2))) static void
die(const char *format, ...)
{
	va_list ap;

	fputs("stub_store: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void *
must_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		die("out of memory");
	return p;
}

/* ---- output ---- */

__attribute__((format(printf, 2, 3))) static void
peer_say(struct peer *p, const char *format, ...)
{
	size_t room = sizeof(p->out) - p->out_len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(p->out + p->out_len, room, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		p->closing = true; /* asked for more than it reads: no use in going on */
	else
		p->out_len += (size_t)n;
}

static const struct message *
message_of(size_t size)
{
	struct message *m;
	char head[64];
	int head_len;

	for (m = stub.messages; m; m = m->next)
		if (m->size == size)
			return m;
	head_len = snprintf(head, sizeof(head), "* 1 FETCH (BODY[] {%zu}\r\n", size);
	m = must_alloc(sizeof(*m) + (size_t)head_len + size + 3);
	m->size = size;
	m->len = (size_t)head_len + size + 3;
	memcpy(m->bytes, head, (size_t)head_len);
	pattern_fill(m->bytes + head_len, size);
	memcpy(m->bytes + head_len + size, ")\r\n", 3);
	m->next = stub.messages;
	stub.messages = m;
	return m;
}

/* The output that waits, as pieces. Returns how many. */
static int
peer_gather(struct peer *p, struct iovec iov[MESSAGES_AT_ONCE + 2])
{
	int n = 0;

	if (p->out_pos < p->out_len)
		iov[n++] = stream_piece(p->out + p->out_pos, p->out_len - p->out_pos);
	for (uint64_t i = 0; i < p->messages && i < MESSAGES_AT_ONCE; i++) {
		size_t skip = i == 0 ? p->message_pos : 0;

		iov[n++] = stream_piece(p->message->bytes + skip, p->message->len - skip);
	}
	if (p->messages <= MESSAGES_AT_ONCE && p->final_pos < p->final_len)
		iov[n++] = stream_piece(p->final + p->final_pos, p->final_len - p->final_pos);
	return n;
}

/* Counts off what was written. */
static void
peer_advance(struct peer *p, size_t written)
{
	size_t part = p->out_len - p->out_pos;

	if (part > written)
		part = written;
	p->out_pos += part;
	written -= part;
	if (p->out_pos == p->out_len)
		p->out_pos = p->out_len = 0;
	while (p->messages > 0 && written > 0) {
		part = p->message->len - p->message_pos;
		if (part > written) {
			p->message_pos += written;
			return;
		}
		written -= part;
		p->message_pos = 0;
		p->messages--;
	}
	p->final_pos += written;
	if (p->final_pos == p->final_len)
		p->final_pos = p->final_len = 0;
}

/* 1: all output is gone; 0: the socket is full; -1: the connection is dead. */
static int
peer_flush(struct peer *p)
{
	struct iovec iov[MESSAGES_AT_ONCE + 2];
	ssize_t written;
	int count;

	while ((count = peer_gather(p, iov)) > 0) {
		written = stream_writev(&p->stream, iov, count);
		if (written == STREAM_FAILED)
			return -1;
		if (written < 0)
			return 0;
		peer_advance(p, (size_t)written);
	}
	return 1;
}

/* ---- commands ---- */

/*
 * Takes one astring (atom, quoted or literal) at *at into out, with a NUL behind it. Returns whether
 * there was one that fits; the literal's bytes are known to be there.
 */
static bool
astring_take(const char **at, const char *end, char *out, size_t room)
{
	const char *s = *at;
	size_t n = 0;

	while (s < end && *s == ' ')
		s++;
	if (s < end && *s == '"') {
		for (s++; s < end && *s != '"'; s++) {
			if (*s == '\\' && s + 1 < end)
				s++;
			if (n + 1 >= room)
				return false;
			out[n++] = *s;
		}
		if (s == end)
			return false;
		s++;
	} else if (s < end && *s == '{') {
		size_t len = strtoul(s + 1, NULL, 10);

		s = memchr(s, '\n', (size_t)(end - s));
		if (!s || len >= room || (size_t)(end - s - 1) < len)
			return false;
		memcpy(out, s + 1, len);
		n = len;
		s += 1 + len;
	} else {
		for (; s < end && *s != ' ' && *s != '\r' && *s != '\n'; s++) {
			if (n + 1 >= room)
				return false;
			out[n++] = *s;
		}
		if (n == 0)
			return false;
	}
	out[n] = '\0';
	*at = s;
	return true;
}

static void
login_answer(struct peer *p, const char *user, const char *password)
{
	if (user[0] == '\0' || strcmp(password, stub.password) != 0) {
		peer_say(p, "%s NO [AUTHENTICATIONFAILED] Authentication failed.\r\n", p->tag);
		return;
	}
	p->logged_in = true;
	peer_say(p, "%s OK [CAPABILITY " CAPS_AFTER "] Logged in\r\n", p->tag);
}

/* A base64 line of SASL PLAIN: authorisation identity, NUL, user, NUL, password. */
static void
sasl_answer(struct peer *p, const char *line, size_t len)
{
	unsigned char plain[INPUT_MAX + 1];
	char *user, *password;
	int n;

	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	n = len % 4 == 0 ? EVP_DecodeBlock(plain, (const unsigned char *)line, (int)len) : -1;
	for (; n > 0 && len > 0 && line[len - 1] == '='; len--)
		n--;
	p->state = STATE_COMMAND;
	if (n < 0) {
		peer_say(p, "%s BAD not base64\r\n", p->tag);
		return;
	}
	plain[n] = '\0';
	user = memchr(plain, '\0', (size_t)n);
	password = user ? memchr(user + 1, '\0', (size_t)((char *)plain + n - user - 1)) : NULL;
	if (!password) {
		peer_say(p, "%s BAD not PLAIN\r\n", p->tag);
		return;
	}
	login_answer(p, user + 1, password + 1);
}

static void
download_start(struct peer *p, const char *arguments)
{
	unsigned long long size, count;
	char *rest;

	size = strtoull(arguments, &rest, 10);
	count = strtoull(rest, NULL, 10);
	if (size > SIZE_MAX_MESSAGE) {
		peer_say(p, "%s NO too large\r\n", p->tag);
		return;
	}
	p->message = message_of(size);
	p->messages = count;
	p->message_pos = 0;
	p->final_len = (size_t)snprintf(p->final, sizeof(p->final), "%s OK done\r\n", p->tag);
}

/* One whole command of len bytes, literals included, ending in LF. */
static void
command_run(struct peer *p, const char *line, size_t len)
{
	const char *end = line + len, *at = line;
	char verb[32], user[1024], word[1024];

	if (p->state == STATE_SASL) {
		sasl_answer(p, line, len);
		return;
	}
	if (p->state == STATE_IDLE) {
		p->state = STATE_COMMAND;
		peer_say(p, "%s %s\r\n", p->tag,
		    strncasecmp(line, "DONE", 4) ? "BAD no DONE" : "OK IDLE");
		return;
	}
	if (len > 6 && memcmp(line, "PROXY ", 6) == 0)
		return;
	if (!astring_take(&at, end, p->tag, sizeof(p->tag)) ||
	    !astring_take(&at, end, verb, sizeof(verb))) {
		peer_say(p, "* BAD no command\r\n");
	} else if (!strcasecmp(verb, "NOOP")) {
		peer_say(p, "%s OK NOOP\r\n", p->tag);
	} else if (!strcasecmp(verb, "CAPABILITY")) {
		peer_say(p, "* CAPABILITY %s\r\n%s OK CAPABILITY\r\n",
		    p->logged_in ? CAPS_AFTER : CAPS_BEFORE, p->tag);
	} else if (!strcasecmp(verb, "ID")) {
		peer_say(p, "* ID (\"name\" \"stub\")\r\n%s OK ID\r\n", p->tag);
	} else if (!strcasecmp(verb, "LOGOUT")) {
		peer_say(p, "* BYE\r\n%s OK LOGOUT\r\n", p->tag);
		p->closing = true;
	} else if (!strcasecmp(verb, "LOGIN") && !p->logged_in) {
		if (astring_take(&at, end, user, sizeof(user)) &&
		    astring_take(&at, end, word, sizeof(word)))
			login_answer(p, user, word);
		else
			peer_say(p, "%s BAD LOGIN\r\n", p->tag);
	} else if (!strcasecmp(verb, "AUTHENTICATE") && !p->logged_in) {
		if (!astring_take(&at, end, word, sizeof(word)) || strcasecmp(word, "PLAIN")) {
			peer_say(p, "%s NO only PLAIN\r\n", p->tag);
		} else if (at < end && *at == ' ') {
			sasl_answer(p, at + 1, (size_t)(end - at - 1));
		} else {
			p->state = STATE_SASL;
			peer_say(p, "+ \r\n");
		}
	} else if (!strcasecmp(verb, "IDLE") && p->logged_in) {
		p->state = STATE_IDLE;
		peer_say(p, "+ idling\r\n");
	} else if (!strcasecmp(verb, "XDOWNLOAD") && p->logged_in) {
		download_start(p, at);
	} else {
		peer_say(p, "%s BAD unknown, or not now\r\n", p->tag);
	}
}

/* Whether the line [line, lf] announces a literal; then its length and whether we must ask for it. */
static bool
literal_announced(const char *line, const char *lf, uint64_t *len, bool *asks)
{
	const char *s = lf;

	if (s > line && s[-1] == '\r')
		s--;
	if (s == line || *--s != '}')
		return false;
	*asks = !(s > line && s[-1] == '+');
	if (!*asks)
		s--;
	while (s > line && isdigit((unsigned char)s[-1]))
		s--;
	if (s == line || s[-1] != '{' || !isdigit((unsigned char)*s))
		return false;
	*len = strtoull(s, NULL, 10);
	return true;
}

/*
 * Where the command at the head of the input ends: its length, or 0 when more must come first. An
 * upload's literal is not waited for: it turns the peer to STATE_SWALLOW.
 */
static size_t
command_end(struct peer *p)
{
	while (p->scan < p->in_len) {
		char *line = p->in + p->scan;
		char *lf = memchr(line, '\n', p->in_len - p->scan);
		const char *at = p->in;
		char verb[32];
		uint64_t len;
		bool asks;

		if (!lf)
			return 0;
		p->scan = (size_t)(lf + 1 - p->in);
		if (p->state != STATE_COMMAND || !literal_announced(line, lf, &len, &asks))
			return p->scan;
		if (asks)
			peer_say(p, "+ go on\r\n");
		if (line == p->in && p->logged_in &&
		    astring_take(&at, lf, p->tag, sizeof(p->tag)) &&
		    astring_take(&at, lf, verb, sizeof(verb)) && !strcasecmp(verb, "XUPLOAD")) {
			p->upload_size = p->upload_left = len;
			p->upload_intact = true;
			p->state = STATE_SWALLOW;
			return p->scan;
		}
		if (len > INPUT_MAX)
			p->closing = true;
		p->scan += len;
	}
	return 0;
}

static void
input_drop(struct peer *p, size_t len)
{
	p->in_len -= len;
	memmove(p->in, p->in + len, p->in_len);
	p->scan = 0;
}

static void
upload_take(struct peer *p, const void *bytes, size_t len)
{
	uint64_t offset = p->upload_size - p->upload_left;

	if (!pattern_matches(stub.pattern, offset, bytes, len))
		p->upload_intact = false;
	p->upload_left -= len;
	if (p->upload_left > 0)
		return;
	peer_say(
	    p, "%s %s\r\n", p->tag, p->upload_intact ? "OK taken" : "NO bytes changed on the way");
	p->state = STATE_COMMAND;
}

static void
http_answer(struct peer *p)
{
	if (!memmem(p->in, p->in_len, "\r\n\r\n", 4))
		return;
	peer_say(p,
	    "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 127.0.0.1\r\n"
	    "Auth-Port: %u\r\n\r\n",
	    stub.port);
	p->in_len = 0;
	p->closing = true;
}

/* Runs what is complete in the input buffer, as long as nothing large waits to go out. */
static void
peer_run(struct peer *p)
{
	if (p->kind == PEER_HTTP) {
		http_answer(p);
		return;
	}
	while (p->in_len > 0 && p->messages == 0 && !p->closing) {
		size_t len;

		if (p->state == STATE_SWALLOW) {
			len = p->in_len < p->upload_left ? p->in_len : (size_t)p->upload_left;
			upload_take(p, p->in, len);
			input_drop(p, len);
			continue;
		}
		/* What ends the line behind an upload's literal. */
		if (p->state == STATE_COMMAND && p->scan == 0 &&
		    (*p->in == '\r' || *p->in == '\n')) {
			input_drop(p, 1);
			continue;
		}
		len = command_end(p);
		if (len == 0)
			return;
		if (p->state != STATE_SWALLOW)
			command_run(p, p->in, len);
		input_drop(p, len);
	}
}

/* ---- events ---- */

static void
peer_watch(struct peer *p, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = p };

	if (p->events == events)
		return;
	if (epoll_ctl(stub.epoll, p->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, p->stream.fd, &ev) < 0)
		die("epoll_ctl: %s", strerror(errno));
	p->events = events;
}

/* Reads once. 1: something came; 0: nothing; -1: the connection is over. */
static int
peer_read(struct peer *p)
{
	bool bulk = p->state == STATE_SWALLOW && p->in_len == 0;
	size_t room = INPUT_MAX - p->in_len;
	ssize_t n;

	if (bulk) {
		room = p->upload_left < BULK_READ ? (size_t)p->upload_left : BULK_READ;
		n = stream_read(&p->stream, stub.bulk, room);
	} else {
		if (room == 0)
			return -1;
		n = stream_read(&p->stream, p->in + p->in_len, room);
	}
	if (n == STREAM_WANT_READ || n == STREAM_WANT_WRITE)
		return 0;
	if (n <= 0)
		return -1;
	if (bulk) {
		upload_take(p, stub.bulk, (size_t)n);
	} else {
		p->in_len += (size_t)n;
		p->in[p->in_len] = '\0';
	}
	return 1;
}

/* One turn: reads, runs and writes what it can. Returns whether the peer lives on. */
static bool
peer_turn(struct peer *p)
{
	bool was_read = false;
	int ret;

	if (p->handshaking) {
		ret = stream_handshake(&p->stream);
		if (ret == STREAM_FAILED)
			return false;
		if (ret < 0) {
			peer_watch(p, ret == STREAM_WANT_READ ? EPOLLIN : EPOLLOUT);
			return true;
		}
		p->handshaking = false;
	}
	for (;;) {
		ret = peer_flush(p);
		if (ret < 0 || (ret > 0 && p->closing))
			return false;
		if (ret == 0) {
			peer_watch(p, EPOLLOUT);
			return true;
		}
		peer_run(p);
		if (p->out_len > 0 || p->final_len > 0 || p->closing)
			continue;
		/* Over plaintext epoll tells of the rest: give the others their turn. */
		ret = was_read && !p->stream.ssl ? 0 : peer_read(p);
		if (ret < 0)
			return false;
		if (ret == 0) {
			peer_watch(p, EPOLLIN);
			return true;
		}
		was_read = true;
	}
}

static void
peer_accept(struct peer *listener)
{
	struct peer *p;
	int fd, one = 1;

	while ((fd = accept4(listener->stream.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		p = must_alloc(sizeof(*p));
		p->stream.fd = fd;
		p->kind = listener->kind == PEER_LISTEN_HTTP ? PEER_HTTP : PEER_IMAP;
		if (listener->kind == PEER_LISTEN_TLS) {
			p->stream.ssl = SSL_new(stub.tls);
			if (!p->stream.ssl || !SSL_set_fd(p->stream.ssl, fd))
				die("SSL_new failed");
			SSL_set_accept_state(p->stream.ssl);
			p->handshaking = true;
		}
		if (p->kind == PEER_IMAP)
			peer_say(p, "* OK [CAPABILITY " CAPS_BEFORE "] ready\r\n");
		if (!peer_turn(p)) {
			stream_close(&p->stream, false);
			free(p);
		}
	}
}

static unsigned
listen_open(enum peer_kind kind, unsigned port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	struct peer *p = must_alloc(sizeof(*p));
	int one = 1;

	p->kind = kind;
	p->stream.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->stream.fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(p->stream.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(p->stream.fd, (struct sockaddr *)&address, len) < 0 ||
	    listen(p->stream.fd, 4096) < 0 ||
	    getsockname(p->stream.fd, (struct sockaddr *)&address, &len) < 0)
		die("listen on port %u: %s", port, strerror(errno));
	peer_watch(p, EPOLLIN);
	return ntohs(address.sin_port);
}

static void
tls_open(const char *certificate, const char *key)
{
	stub.tls = SSL_CTX_new(TLS_server_method());
	if (!stub.tls || SSL_CTX_use_certificate_chain_file(stub.tls, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(stub.tls, key, SSL_FILETYPE_PEM) != 1)
		die("%s, %s: %s", certificate, key, ERR_reason_error_string(ERR_peek_error()));
	SSL_CTX_set_mode(stub.tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
				       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				       SSL_MODE_RELEASE_BUFFERS);
}

static void
stub_serve(void)
{
	struct epoll_event events[256];

	for (;;) {
		int n = epoll_wait(stub.epoll, events, 256, -1);

		if (n < 0 && errno != EINTR)
			die("epoll_wait: %s", strerror(errno));
		for (int i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;

			if (p->kind <= PEER_LISTEN_HTTP) {
				peer_accept(p);
			} else if (!peer_turn(p)) {
				stream_close(&p->stream, true);
				free(p);
			}
		}
	}
}

__attribute__((noreturn)) static void
usage(int status)
{
	fputs("usage: stub_store [--port N] [--password WORD] [--auth-http]\n"
	      "                  [--tls --cert FILE --key FILE]\n"
	      "Listens on 127.0.0.1 and prints one line a port: \"listening N\", \"tls N\",\n"
	      "\"auth_http N\". Ports that are not given are chosen by the kernel.\n",
	    status ? stderr : stdout);
	exit(status);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "password", required_argument, NULL, 'w' },
		{ "auth-http", no_argument, NULL, 'a' },
		{ "tls", no_argument, NULL, 't' },
		{ "cert", required_argument, NULL, 'c' },
		{ "key", required_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *certificate = NULL, *key = NULL;
	bool http = false, tls = false;
	struct rlimit files;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			stub.port = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			stub.password = optarg;
			break;
		case 'a':
			http = true;
			break;
		case 't':
			tls = true;
			break;
		case 'c':
			certificate = optarg;
			break;
		case 'k':
			key = optarg;
			break;
		case 'h':
			usage(0);
		default:
			usage(2);
		}
	}
	if (optind != argc || (tls && (!certificate || !key)) || stub.port > 65535)
		usage(2);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	stub.pattern = must_alloc(BULK_READ + INPUT_MAX + PATTERN_PERIOD);
	pattern_fill(stub.pattern, BULK_READ + INPUT_MAX + PATTERN_PERIOD);
	stub.bulk = must_alloc(BULK_READ);
	stub.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (stub.epoll < 0)
		die("epoll: %s", strerror(errno));
	stub.port = listen_open(PEER_LISTEN_PLAIN, stub.port);
	printf("listening %u\n", stub.port);
	if (tls) {
		tls_open(certificate, key);
		printf("tls %u\n", listen_open(PEER_LISTEN_TLS, 0));
	}
	if (http)
		printf("auth_http %u\n", listen_open(PEER_LISTEN_HTTP, 0));
	if (fflush(stdout) != 0)
		die("standard output: %s", strerror(errno));
	stub_serve();
}
