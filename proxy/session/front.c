/*
 * session/front.c - the client's side until the login: bytes to whole commands, and what is said back.
 *
 *      conn -> front_read -> login->in -> front_parse -> one command -> front_command()
 *                                      '-> one SASL line -> front_sasl()
 *
 * Commands are framed (proto/imap_lex) before they are parsed, so that each byte is looked at once however it arrives, and every
 * bound of the design is met before memory is taken. What a client sends behind its LOGIN stays in login->in until the relay takes it.
 */
#include "session/internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/stat.h"

#define LITERALS_MAX  64   /* in one command */
#define TLS_HANDSHAKE 0x16 /* a TLS record's first byte; no tag begins with it */

void
front_say(struct session *s, const char *fmt, ...)
{
	char line[CAPABILITY_MAX + 1024];
	struct err err;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || s->state == SESSION_DEAD)
		return;
	size_t len = (size_t)n < sizeof(line) - 3 ? (size_t)n : sizeof(line) - 3;
	memcpy(line + len, "\r\n", 2);
	/* A client that takes nothing and goes on asking is at its end when its connection may keep no more. */
	if (conn_write_slice(s->client, (struct slice){ line, len + 2 }, &err) != 1)
		session_close(s, CLOSE_CLIENT_ERROR);
}

static void
greet(struct session *s)
{
	struct login *login = s->login;
	struct capability_list list;
	bool starttls = login->listen->tls == TLS_MODE_STARTTLS && !login->secured;
	login->greeted = true;
	announce_list(s->env->announce, login->snapshot, starttls,
	    login->secured || login->listen->plaintext_login, &list);
	front_say(s, "* OK [CAPABILITY %s] %s sallyport ready.", list.text,
	    login->snapshot->proxy.hostname);
}

static void
tls_log(struct session *s, const struct err *err)
{
	struct log_line l;
	stat_inc(STAT_TLS_FAILURES);
	log_begin(&l, LOG_INFO, EV_TLS_FAILED);
	session_log_who(s, &l);
	log_cstr(&l, "reason", err->text);
	log_end(&l);
}

static void
handshake(struct session *s)
{
	struct err err;
	int r = conn_establish(s->client, &err);
	if (r == 0)
		return;
	if (r < 0) {
		tls_log(s, &err);
		session_close(s, CLOSE_CLIENT_TLS);
		return;
	}
	struct conn_facts facts;
	conn_facts(s->client, &facts);
	stat_inc(STAT_TLS_HANDSHAKES);
	if (facts.resumed)
		stat_inc(STAT_TLS_RESUMED);
	s->login->secured = true;
	session_enter(s, SESSION_COMMAND);
	if (s->state == SESSION_COMMAND && !s->login->greeted)
		greet(s);
}

void
front_begin(struct session *s)
{
	struct login *login = s->login;
	struct err err;
	if (login->listen->tls == TLS_MODE_IMPLICIT) {
		if (conn_start_tls_server(s->client, login->snapshot->tls, &err) != 1) {
			tls_log(s, &err);
			session_close(s, CLOSE_CLIENT_TLS);
			return;
		}
		session_enter(s, SESSION_TLS);
		return;
	}
	session_enter(s, SESSION_COMMAND);
	greet(s);
}

void
front_bad(struct session *s, struct slice tag, const char *why)
{
	struct login *login = s->login;
	if (tag.len > 0)
		front_say(s, SLICE_FMT " BAD %s", SLICE_ARG(tag), why);
	else
		front_say(s, "* BAD %s", why);
	if (s->state != SESSION_DEAD &&
	    ++login->bad_commands >= login->snapshot->proxy.max_bad_commands)
		session_bye(s, CLOSE_BAD_COMMANDS, "Too many bad commands.");
}

/* TLS or HTTP on a port for IMAP: one log line and no dialogue. */
static void
not_imap(struct session *s, const char *what)
{
	struct err err;
	err_set(&err, "%s", what);
	tls_log(s, &err);
	session_close(s, CLOSE_CLIENT_PROTOCOL);
}

static bool
is_http(struct slice line)
{
	static const char *const methods[] = { "GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ",
		"CONNECT ", "DELETE ", "PRI " };
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (slice_starts_case(line, slice_of(methods[i])) &&
		    memmem(line.p, line.len, " HTTP/", 6))
			return true;
	return false;
}

size_t
front_command_max(const struct proxy_settings *p)
{
	return p->max_command > p->max_auth_line ? p->max_command : p->max_auth_line;
}

static struct frame_limits
limits_for(const struct session *s, struct slice in)
{
	const struct login *login = s->login;
	const struct proxy_settings *p = &login->snapshot->proxy;
	bool long_line = s->state == SESSION_SASL || imap_is_authenticate(in.p, in.len);
	return (struct frame_limits){
		.line = long_line ? p->max_auth_line : p->max_line,
		.literal = p->max_literal,
		.total = front_command_max(p),
		.literals = LITERALS_MAX,
	};
}

/* The tag of what has been framed so far, for an answer to it. */
static struct slice
tag_of(struct slice so_far)
{
	struct lex x = { so_far.p, so_far.p + so_far.len };
	struct slice tag;
	return lex_tag(&x, &tag) == 1 ? tag : (struct slice){ NULL, 0 };
}

/* The command up to here is dropped. */
static void
drop(struct session *s, size_t len)
{
	if (s->state == SESSION_DEAD)
		return;
	buf_consume(&s->login->in, len);
	frame_init(&s->login->frame, FRAME_CLIENT);
	s->login->bad = NULL;
}

/*
 * A literal was announced. What is refused whatever stands in it is refused before it is sent, a password that must not go over
 * plaintext above all; where its bytes come unasked, the answer waits until they are read.
 */
static void
on_literal(struct session *s, struct slice in)
{
	struct login *login = s->login;
	struct imap_command cmd;
	const char *why = NULL;
	size_t so_far = login->frame.pos;
	bool decided = false;
	if (!login->bad) {
		int r = imap_command_parse(in.p, so_far, &cmd, &why);
		login->bad = r < 0 ? why : NULL;
		decided = r == 1 || (cmd.verb == IMAP_LOGIN && !front_may_log_in(s));
	}
	if (!login->frame.sync)
		return;
	if (!login->bad && !decided) {
		front_say(s, "+ OK");
		return;
	}
	if (login->bad)
		front_bad(s, tag_of(in), login->bad);
	else
		front_command(s, &cmd);
	drop(s, so_far);
}

static void
on_command(struct session *s, struct slice whole)
{
	struct login *login = s->login;
	struct imap_command cmd;
	const char *why = "Incomplete command.";
	if (login->bad) {
		front_bad(s, tag_of(whole), login->bad);
		return;
	}
	if (is_http(whole)) {
		not_imap(s, "HTTP where IMAP was expected");
		return;
	}
	if (imap_command_parse(whole.p, whole.len, &cmd, &why) != 1)
		front_bad(s, cmd.tag, why);
	else
		front_command(s, &cmd);
}

/*
 * Drops the rest of a refused line, of which the first @seen bytes in the buffer were looked at. Nobody has read what it says, so a
 * literal that its end announces as coming unasked would be read as commands: that is the end of the session.
 */
static void
skip_line(struct session *s, size_t seen)
{
	struct login *login = s->login;
	struct slice in = buf_slice(&login->in);
	char *tail = login->skipped;
	bool done;
	size_t n = seen + frame_skip_line(in.p + seen, in.len - seen, &done);
	for (size_t i = n > 4 ? n - 4 : 0; i < n; i++) {
		memmove(tail, tail + 1, 3);
		tail[3] = in.p[i];
	}
	drop(s, n);
	login->skipping = !done;
	if (!done)
		return;
	bool data = memcmp(tail, "+}\r\n", 4) == 0 || memcmp(tail + 1, "+}\n", 3) == 0;
	memset(tail, 0, sizeof(login->skipped));
	if (data)
		session_bye(s, CLOSE_TOO_BIG, "[TOOBIG] Literal or command too big.");
}

/* What stands in the buffer is over a bound or no command. */
static void
refuse_line(struct session *s, struct slice in, const char *why)
{
	struct login *login = s->login;
	if (!login->frame.sync) { /* data is on its way that must never be read as a command */
		session_bye(s, CLOSE_TOO_BIG, why);
		return;
	}
	in.len = login->frame.pos; /* what is behind may have come already or not */
	front_bad(s, s->state == SESSION_SASL ? slice_of(login->tag) : tag_of(in), why);
	if (s->state == SESSION_DEAD)
		return;
	if (s->state == SESSION_SASL)
		session_enter(s, SESSION_COMMAND);
	skip_line(s, login->frame.pos);
}

static bool
speaking(const struct session *s)
{
	return s->state == SESSION_COMMAND || s->state == SESSION_SASL;
}

/* Deals with what is buffered, as far as it is whole. */
static void
parse(struct session *s)
{
	while (speaking(s) && buf_len(&s->login->in) > 0) {
		struct login *login = s->login;
		struct slice in = buf_slice(&login->in);
		ASSERT(in.p);
		if (login->skipping) {
			skip_line(s, 0);
			continue;
		}
		if (!login->secured && login->frame.pos == 0 && in.p[0] == TLS_HANDSHAKE) {
			not_imap(s, "TLS where plaintext IMAP was expected");
			return;
		}
		login->frame.sasl = s->state == SESSION_SASL;
		struct frame_limits limits = limits_for(s, in);
		switch (frame_next(&login->frame, in.p, in.len, &limits)) {
		case FRAME_MORE:
			return;
		case FRAME_LITERAL:
			on_literal(s, in);
			break;
		case FRAME_DONE: {
			size_t len = login->frame.len;
			if (s->state == SESSION_SASL) {
				struct slice line = { in.p, len };
				while (line.len > 0 && (line.p[line.len - 1] == '\n' ||
							   line.p[line.len - 1] == '\r'))
					line.len--;
				front_sasl(s, line);
			} else {
				on_command(s, (struct slice){ in.p, len });
			}
			drop(s, len);
			break;
		}
		case FRAME_LINE_LONG:
			refuse_line(s, in, "[TOOBIG] Line too long.");
			break;
		case FRAME_LITERAL_BIG:
		case FRAME_TOTAL_BIG:
			refuse_line(s, in, "[TOOBIG] Literal or command too big.");
			break;
		case FRAME_BAD:
			refuse_line(s, in, "Invalid characters in command.");
			break;
		}
	}
}

static void
front_parse(struct session *s)
{
	/* A refused login may end within its command: the loop that is at work goes on then, behind it. */
	if (!speaking(s) || s->login->parsing)
		return;
	s->login->parsing = true;
	parse(s);
	if (s->login)
		s->login->parsing = false;
}

static void
front_read(struct session *s)
{
	/* One command at most is waited for at a time: what is behind a LOGIN stays where it is. */
	while (speaking(s)) {
		struct err err;
		size_t room, got;
		char *at = buf_room(&s->login->in, 1, &room);
		if (!at) {
			session_bye(s, CLOSE_TOO_BIG, "[TOOBIG] Command too big.");
			return;
		}
		/* So much may stand behind a LOGIN when the relay begins: what one write takes. */
		if (room > CONN_WRITE_MAX)
			room = CONN_WRITE_MAX;
		int r = conn_read(s->client, at, room, &got, &err);
		if (r == 0)
			return;
		if (r < 0) {
			session_close(s, CLOSE_CLIENT_ERROR);
			return;
		}
		if (got == 0) {
			session_close(s, CLOSE_CLIENT_CLOSED);
			return;
		}
		buf_added(&s->login->in, got);
		front_parse(s);
	}
}

void
front_resume(struct session *s)
{
	front_parse(s);
	/* Reading was off: what came meanwhile is told by the connection, next turn. */
}

void
front_event(struct conn *c, int events, void *arg)
{
	struct session *s = arg;
	(void)c;
	ASSERT(s->magic == SESSION_MAGIC);
	if (s->state == SESSION_TLS)
		handshake(s);
	else if (events & CONN_IN)
		front_read(s);
	session_check(s);
}
