/*
 * store/upstream.c - one dialogue with one mail store, from connecting to logged in.
 *
 *      conn events -> step() -> on_response() per whole response -> the state's handler -> ops of the owner
 *
 * The states are private; the owner hears secure, untagged, ready, refused, failed. Everything a store sends here is
 * hostile input: framed and bounded by proto/imap_lex, counted, timed. Owners may free the upstream inside any callback: it is then
 * dead, keeps its memory until the end of the loop turn, and every path here looks at that after a callback.
 *
 * It does not choose stores, does not retry, and does not know what a session is.
 */
#include "store/upstream.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "proto/imap_response.h"

enum upstream_state {
	UP_CONNECT, /* TCP, and TLS where implicit */
	UP_GREETING,
	UP_CAPABILITY, /* asked, no TLS to come or TLS up */
	UP_STARTTLS,   /* asked */
	UP_TLS,        /* handshake after STARTTLS */
	UP_SECURE,     /* waits for upstream_login() */
	UP_LOGIN,
	UP_AFTER, /* logged in, asked for capabilities */
	UP_READY,
	UP_DEAD,
};

/* What a store may send before the relay. */
#define IN_MAX ((size_t)32768)
static const struct frame_limits limits = {
	.line = 8192, .literal = 16384, .total = IN_MAX - 1, .literals = 16
};
_Static_assert(LOGIN_COMMAND_MAX <= CONN_WRITE_MAX, "a login is sent with one write");
#define RESPONSES_MAX 128             /* in a whole login */
#define UNTAGGED_MAX  ((size_t)32768) /* bytes passed on to the client */

struct upstream {
	struct list grave; /* env->graveyard, when dead */
	struct upstream_env *env;
	const struct backend *backend;
	const struct upstream_ops *ops;
	void *arg;
	struct conn *conn;
	struct loop_timer timer;
	struct loop_task start_failed;
	struct err start_err;
	enum upstream_state state;
	enum upstream_state died_in; /* when it is dead */
	bool tls_up;
	bool secret_sent; /* credentials have left: no other store may be tried */
	bool told_after;  /* `after` is known */
	bool blind;       /* a secret was sent once: what the store says is not traced */
	unsigned responses;
	size_t passed_on;
	struct buf in;
	struct frame frame;
	char tag[20];
	struct login_command login; /* wiped when sent */
	struct capability_list before, after;
	char text[512];
};

static const char *const state_names[] = {
	[UP_CONNECT] = "connect",
	[UP_GREETING] = "greeting",
	[UP_CAPABILITY] = "capability",
	[UP_STARTTLS] = "starttls",
	[UP_TLS] = "tls",
	[UP_SECURE] = "secure",
	[UP_LOGIN] = "login",
	[UP_AFTER] = "capability-after-login",
	[UP_READY] = "ready",
	[UP_DEAD] = "dead",
};

/* --- life */

static void
reap(struct loop_task *t)
{
	struct upstream_env *env = container_of(t, struct upstream_env, reaper);
	list_foreach_safe (n, &env->graveyard) {
		list_remove(n);
		mem_pool_put(env->pool, list_entry(n, struct upstream, grave));
	}
}

int
upstream_env_init(struct upstream_env *env, struct loop *loop, struct conn_env *conns)
{
	memset(env, 0, sizeof(*env));
	env->loop = loop;
	env->conns = conns;
	list_init(&env->graveyard);
	env->pool = mem_pool_new("upstream", sizeof(struct upstream));
	return env->pool ? 1 : -1;
}

void
upstream_env_free(struct upstream_env *env)
{
	if (!env->pool)
		return;
	loop_defer_cancel(&env->reaper);
	reap(&env->reaper);
	mem_pool_free(&env->pool);
}

const char *
upstream_state_name(const struct upstream *u)
{
	enum upstream_state at = u->state == UP_DEAD ? u->died_in : u->state;

	/* With implicit TLS, where the handshake belongs to connecting. */
	return state_names[at == UP_CONNECT && u->tls_up ? UP_TLS : at];
}

const struct capability_list *
upstream_before(const struct upstream *u)
{
	return &u->before;
}

static void
bury(struct upstream *u)
{
	if (u->state == UP_DEAD)
		return;
	u->died_in = u->state;
	u->state = UP_DEAD;
	loop_timer_stop(&u->timer);
	loop_defer_cancel(&u->start_failed);
	conn_close(&u->conn, CONN_CLOSE);
	buf_free(&u->in);
	login_command_clear(&u->login);
	list_append(&u->env->graveyard, &u->grave);
	loop_defer(u->env->loop, &u->env->reaper, reap);
}

void
upstream_free(struct upstream **u)
{
	if (*u)
		bury(*u);
	*u = NULL;
}

static void
fail(struct upstream *u, enum fail why, const struct err *err)
{
	const struct upstream_ops *ops = u->ops;
	void *arg = u->arg;
	if (u->state == UP_DEAD)
		return;
	bury(u);
	stat_inc(STAT_STORE_FAILURES);
	ops->failed(arg, why, err);
}

/* Before credentials have left, what goes wrong lets another store be tried; afterwards it must not. */
static enum fail
by_phase(const struct upstream *u, enum fail before, enum fail in_login)
{
	return u->secret_sent ? in_login : before;
}

static void
fail_text(struct upstream *u, enum fail why, const char *text)
{
	struct err err;
	err_set(&err, "%s (%s)", text, state_names[u->state]);
	fail(u, why, &err);
}

static void
timed_out(struct loop_timer *t)
{
	struct upstream *u = container_of(t, struct upstream, timer);
	enum fail why = u->state == UP_CONNECT || u->state == UP_TLS
			    ? FAIL_CONNECT_TIMEOUT
			    : by_phase(u, FAIL_GREETING_TIMEOUT, FAIL_LOGIN_TIMEOUT);
	fail_text(u, why, "the store did not answer in time");
}

static void
enter(struct upstream *u, enum upstream_state state)
{
	u->state = state;
	switch (state) {
	case UP_CONNECT:
	case UP_TLS:
		loop_timer_set(&u->timer, u->backend->connect_timeout);
		break;
	case UP_GREETING:
	case UP_CAPABILITY:
	case UP_STARTTLS:
	case UP_LOGIN:
	case UP_AFTER:
		loop_timer_set(&u->timer, u->backend->reply_timeout);
		break;
	case UP_SECURE: /* the owner's time */
	case UP_READY:
	case UP_DEAD:
		loop_timer_stop(&u->timer);
		break;
	}
}

/* --- sending */

/* @command goes out behind a new tag, which nobody who does not see this connection can guess. */
static bool
new_tag(struct upstream *u)
{
	unsigned char random[8];
	if (!secret_random(random, sizeof(random))) {
		fail_text(
		    u, by_phase(u, FAIL_INTERNAL, FAIL_INTERNAL), "no random bytes for a tag");
		return false;
	}
	size_t n = 0;
	u->tag[n++] = 'S';
	for (unsigned i = 0; i < sizeof(random); i++) {
		u->tag[n++] = (char)('a' + (random[i] >> 4));
		u->tag[n++] = (char)('a' + (random[i] & 15));
	}
	u->tag[n] = '\0';
	return true;
}

static void
trace(struct upstream *u, bool sent, const char *text)
{
	if (u->ops->trace)
		u->ops->trace(u->arg, sent, text);
}

static bool
send_bytes(struct upstream *u, const char *p, size_t len)
{
	struct err err;
	if (conn_write_slice(u->conn, (struct slice){ p, len }, &err) != 1) {
		fail(u, by_phase(u, FAIL_GONE, FAIL_LOGIN_GONE), &err);
		return false;
	}
	return true;
}

static void
command(struct upstream *u, const char *verb, enum upstream_state next)
{
	char line[64];
	if (!new_tag(u))
		return;
	(void)str_fmt(line, sizeof(line), "%s %s", u->tag, verb);
	trace(u, true, line);
	(void)str_fmt(line, sizeof(line), "%s %s\r\n", u->tag, verb);
	if (send_bytes(u, line, strlen(line)))
		enter(u, next);
}

static void
send_next_part(struct upstream *u)
{
	struct slice part = login_command_next(&u->login);
	bool last = !login_command_more(&u->login);
	if (last) /* the password stands in the last part */
		u->secret_sent = u->blind = true;
	trace(u, true, last ? "(login: credentials not shown)" : "(login: its first part)");
	if (send_bytes(u, part.p, part.len) && last)
		buf_free(&u->login.bytes); /* wiped; that all parts went stays known */
}

void
upstream_login(struct upstream *u, const struct upstream_credentials *credentials)
{
	enum fail why;
	ASSERT(u->state == UP_SECURE);
	if (!new_tag(u))
		return;
	u->told_after = false;
	u->responses = 0;
	u->passed_on = 0;
	if (login_command_build(&u->login, &u->before, u->tag, credentials, &why) != 1) {
		fail_text(u, why,
		    why == FAIL_NO_MECHANISM
			? "the store takes no login: LOGINDISABLED or no fitting mechanism"
			: "the credentials are too long for a login at the store");
		return;
	}
	enter(u, UP_LOGIN);
	send_next_part(u);
}

/* --- receiving */

static void
take_capabilities(struct upstream *u, struct slice list)
{
	bool after = u->state == UP_LOGIN || u->state == UP_AFTER;
	struct capability_list *to = after ? &u->after : &u->before;
	struct capability_list parsed;
	if (!capability_parse(&parsed, list)) /* over a bound or nonsense: as if it had told none */
		return;
	*to = parsed;
	u->told_after = after;
}

static void
secure(struct upstream *u)
{
	enter(u, UP_SECURE);
	u->ops->secure(u->arg);
}

/* The capabilities before login are known as far as they will be. */
static void
greeted(struct upstream *u)
{
	bool told = u->before.text[0] != '\0';
	if (u->backend->tls == TLS_MODE_STARTTLS && !u->tls_up) {
		if (told && !capability_has(&u->before, SLICE("STARTTLS")))
			fail_text(u, FAIL_NO_STARTTLS, "the store does not announce STARTTLS");
		else
			command(u, "STARTTLS", UP_STARTTLS);
		return;
	}
	if (told)
		secure(u);
	else
		command(u, "CAPABILITY", UP_CAPABILITY);
}

static void
start_tls(struct upstream *u)
{
	struct err err;
	/* What came with or behind the answer was not protected: the connection is worth nothing. */
	if (buf_len(&u->in) > u->frame.len || conn_has_input(u->conn)) {
		fail_text(u, FAIL_INJECTION, "plaintext came behind the answer to STARTTLS");
		return;
	}
	u->before.text[0] = '\0';
	if (conn_start_tls_client(u->conn, u->backend->client, u->backend->host, &err) != 1) {
		fail(u, FAIL_TLS, &err);
		return;
	}
	enter(u, UP_TLS);
}

static void
refused(struct upstream *u, const struct imap_response *r)
{
	struct slice text = { NULL, 0 };
	enum fail why = FAIL_STORE_REFUSED;
	login_command_clear(&u->login);
	if (r->status == IMAP_STATUS_NO) {
		if (r->code.len == 0 || slice_eq_case(r->code_name, SLICE("AUTHENTICATIONFAILED")))
			why = FAIL_CREDENTIALS;
		else if (!slice_eq_case(r->code_name, SLICE("REFERRAL"))) {
			/* From "[" to the end of the text: code and words as the store wrote them. */
			text.p = r->code.p - 1;
			text.len = (size_t)(r->text.p + r->text.len - text.p);
		}
	}
	u->secret_sent = false;
	enter(u, UP_SECURE);
	u->ops->refused(u->arg, why, text);
}

static void
ready(struct upstream *u)
{
	enter(u, UP_READY);
	conn_want_read(u->conn, false);
	u->ops->ready(u->arg);
}

static void
logged_in(struct upstream *u, const struct imap_response *r)
{
	if (!str_put(u->text, sizeof(u->text), r->text) || u->text[0] == '\0')
		(void)str_fmt(u->text, sizeof(u->text), "Logged in.");
	login_command_clear(&u->login);
	if (u->told_after)
		ready(u);
	else
		command(u, "CAPABILITY", UP_AFTER);
}

static void
on_tagged(struct upstream *u, const struct imap_response *r)
{
	if (!slice_eq_cstr(r->tag, u->tag)) {
		fail_text(u, by_phase(u, FAIL_PROTOCOL, FAIL_LOGIN_PROTOCOL),
		    "a response under a tag we did not use");
		return;
	}
	bool ok = r->status == IMAP_STATUS_OK;
	switch (u->state) {
	case UP_CAPABILITY:
		if (!ok || u->before.text[0] == '\0')
			fail_text(u, FAIL_PROTOCOL, "the store tells no capabilities");
		else
			secure(u);
		return;
	case UP_STARTTLS:
		if (!ok)
			fail_text(u, FAIL_NO_STARTTLS, "the store refuses STARTTLS");
		else
			start_tls(u);
		return;
	case UP_LOGIN:
		if (!ok)
			refused(u, r);
		else if (login_command_more(&u->login))
			fail_text(u, FAIL_LOGIN_PROTOCOL, "OK before all of the login was sent");
		else
			logged_in(u, r);
		return;
	case UP_AFTER:
		if (!u->told_after)
			u->after =
			    u->before; /* what it said before login is the best that is known */
		ready(u);
		return;
	case UP_CONNECT:
	case UP_GREETING:
	case UP_TLS:
	case UP_SECURE:
	case UP_READY:
	case UP_DEAD:
		break;
	}
	fail_text(
	    u, by_phase(u, FAIL_PROTOCOL, FAIL_LOGIN_PROTOCOL), "a tagged response to nothing");
}

static void
on_greeting(struct upstream *u, const struct imap_response *r)
{
	if (r->kind != IMAP_RESP_UNTAGGED || r->status == IMAP_STATUS_NONE) {
		fail_text(u, FAIL_PROTOCOL, "the store's greeting is no IMAP greeting");
		return;
	}
	if (r->status == IMAP_STATUS_PREAUTH)
		fail_text(
		    u, FAIL_PREAUTH, "the store greets with PREAUTH where a login is to happen");
	else if (r->status == IMAP_STATUS_OK)
		greeted(u);
	else
		fail_text(u, FAIL_PROTOCOL, "the store's greeting is no OK");
}

static void
on_untagged(struct upstream *u, const struct imap_response *r, struct slice whole)
{
	struct err err;
	if (r->status == IMAP_STATUS_BYE) {
		if (u->blind) /* it may repeat what it was sent */
			err_set(&err, "the store said BYE within the login");
		else
			err_set(&err, "the store said BYE: " SLICE_FMT, SLICE_ARG(r->text));
		fail(u, by_phase(u, FAIL_BYE, FAIL_LOGIN_GONE), &err);
		return;
	}
	bool capabilities = false;
	if (r->status == IMAP_STATUS_NONE && slice_eq_case(r->name, SLICE("CAPABILITY"))) {
		take_capabilities(u, r->data);
		capabilities = true;
	} else if (r->status == IMAP_STATUS_PREAUTH) {
		fail_text(u, by_phase(u, FAIL_PREAUTH, FAIL_LOGIN_PROTOCOL),
		    "PREAUTH after the greeting");
		return;
	}
	if ((u->state != UP_LOGIN && u->state != UP_AFTER) || capabilities)
		return;
	if (slice_eq_case(r->code_name, SLICE("CAPABILITY")) ||
	    slice_eq_case(r->code_name, SLICE("REFERRAL")))
		return; /* told again in our form; referrals lead around the proxy */
	u->passed_on += whole.len;
	if (u->passed_on > UNTAGGED_MAX) {
		fail_text(u, FAIL_LOGIN_PROTOCOL, "the store sends too much within a login");
		return;
	}
	u->ops->untagged(u->arg, whole);
}

static void
trace_response(struct upstream *u, const struct imap_response *r, struct slice whole)
{
	static const char *const status[] = { [IMAP_STATUS_NONE] = "data",
		[IMAP_STATUS_OK] = "OK",
		[IMAP_STATUS_NO] = "NO",
		[IMAP_STATUS_BAD] = "BAD",
		[IMAP_STATUS_PREAUTH] = "PREAUTH",
		[IMAP_STATUS_BYE] = "BYE" };
	char text[512];
	if (!u->ops->trace)
		return;
	ASSERT(whole.p);
	while (whole.len > 0 && (whole.p[whole.len - 1] == '\n' || whole.p[whole.len - 1] == '\r'))
		whole.len--;
	if (!u->blind)
		(void)str_printable(text, sizeof(text), whole);
	else if (r->kind == IMAP_RESP_TAGGED)
		(void)str_fmt(
		    text, sizeof(text), "%s %s (words not shown)", u->tag, status[r->status]);
	else
		(void)str_fmt(text, sizeof(text), "%s %s (words not shown)",
		    r->kind == IMAP_RESP_UNTAGGED ? "*" : "+",
		    r->kind == IMAP_RESP_UNTAGGED ? status[r->status] : "");
	trace(u, false, text);
}

static void
on_response(struct upstream *u, struct slice whole)
{
	struct imap_response r;
	const char *why = NULL;
	char text[200];
	if (++u->responses > RESPONSES_MAX) {
		fail_text(u, by_phase(u, FAIL_STORE_LIMIT, FAIL_LOGIN_PROTOCOL),
		    "the store sends responses without end");
		return;
	}
	if (imap_response_parse(whole.p, whole.len, &r, &why) != 1) {
		char shown[80] = "not shown: it may repeat the password";
		if (!u->secret_sent)
			(void)str_printable(shown, sizeof(shown), whole);
		(void)str_fmt(text, sizeof(text), "no IMAP response: %s: \"%s\"", why, shown);
		fail_text(u, by_phase(u, FAIL_PROTOCOL, FAIL_LOGIN_PROTOCOL), text);
		return;
	}
	trace_response(u, &r, whole);
	/* Codes of status responses outside a login's answer count only before login and in tagged answers. */
	if (slice_eq_case(r.code_name, SLICE("CAPABILITY")) && r.status == IMAP_STATUS_OK)
		take_capabilities(u, r.code_args);
	if (r.kind == IMAP_RESP_UNTAGGED && r.status == IMAP_STATUS_BYE)
		on_untagged(u, &r, whole);
	else if (u->state == UP_GREETING)
		on_greeting(u, &r);
	else if (r.kind == IMAP_RESP_TAGGED)
		on_tagged(u, &r);
	else if (r.kind == IMAP_RESP_UNTAGGED)
		on_untagged(u, &r, whole);
	else if (u->state == UP_LOGIN && login_command_more(&u->login))
		send_next_part(u);
	else if (
	    u->state ==
	    UP_LOGIN) /* a challenge that PLAIN does not have: cancel, RFC 9051 section 6.2.2 */
		(void)send_bytes(u, "*\r\n", 3);
	else
		fail_text(u, by_phase(u, FAIL_PROTOCOL, FAIL_LOGIN_PROTOCOL),
		    "a continuation nobody asked for");
}

/* Whether responses are taken now: once logged in, what follows is the session's. */
static bool
listening(const struct upstream *u)
{
	return u->state != UP_DEAD && u->state != UP_READY && u->state != UP_TLS &&
	       u->state != UP_CONNECT;
}

static void
parse(struct upstream *u)
{
	while (listening(u) && buf_len(&u->in) > 0) {
		struct slice have = buf_slice(&u->in);
		switch (frame_next(&u->frame, have.p, have.len, &limits)) {
		case FRAME_MORE:
			return;
		case FRAME_LITERAL:
			continue;
		case FRAME_DONE: {
			/* Handled where it lies: nothing reads into the buffer meanwhile. */
			struct slice whole = { have.p, u->frame.len };
			on_response(u, whole);
			if (u->state == UP_DEAD)
				return;
			buf_consume(&u->in, whole.len);
			frame_init(&u->frame, FRAME_STORE);
			break;
		}
		case FRAME_LINE_LONG:
		case FRAME_LITERAL_BIG:
		case FRAME_TOTAL_BIG:
			fail_text(u, by_phase(u, FAIL_STORE_LIMIT, FAIL_LOGIN_PROTOCOL),
			    "the store's response is too long");
			return;
		case FRAME_BAD:
			fail_text(u, by_phase(u, FAIL_PROTOCOL, FAIL_LOGIN_PROTOCOL),
			    "the store sends what IMAP does not have");
			return;
		}
	}
}

static void
receive(struct upstream *u)
{
	while (listening(u)) {
		struct err err;
		size_t room, got;
		char *at = buf_room(&u->in, 1, &room);
		if (!at) {
			fail_text(u, by_phase(u, FAIL_STORE_LIMIT, FAIL_LOGIN_PROTOCOL),
			    "the store's response is too long");
			return;
		}
		int r = conn_read(u->conn, at, room, &got, &err);
		if (r == 0)
			return;
		if (r < 0) {
			fail(u, by_phase(u, FAIL_GONE, FAIL_LOGIN_GONE), &err);
			return;
		}
		if (got == 0) {
			fail_text(u, by_phase(u, FAIL_GONE, FAIL_LOGIN_GONE),
			    "the store closed the connection");
			return;
		}
		buf_added(&u->in, got);
		parse(u);
	}
}

static void
on_conn(struct conn *c, int events, void *arg)
{
	struct upstream *u = arg;
	struct err err;
	if (u->state == UP_DEAD)
		return;
	if (u->state == UP_CONNECT || u->state == UP_TLS) {
		int r = conn_establish(c, &err);
		if (r == 0)
			return;
		if (r < 0) {
			fail(u, u->state == UP_TLS || u->tls_up ? FAIL_TLS : FAIL_CONNECT, &err);
			return;
		}
		if (u->state == UP_TLS) {
			u->tls_up = true;
			trace(u, false, "(TLS is up)");
			conn_want_read(c, true);
			command(u, "CAPABILITY", UP_CAPABILITY);
			return;
		}
		if (u->backend->tls == TLS_MODE_IMPLICIT && !u->tls_up) {
			u->tls_up = true;
			if (conn_start_tls_client(c, u->backend->client, u->backend->host, &err) !=
			    1)
				fail(u, FAIL_TLS, &err);
			return;
		}
		trace(u, false, u->tls_up ? "(connected, TLS is up)" : "(connected)");
		enter(u, UP_GREETING);
		conn_want_read(c, true);
		return;
	}
	if (events & CONN_IN)
		receive(u);
}

static void
report_start(struct loop_task *t)
{
	struct upstream *u = container_of(t, struct upstream, start_failed);
	struct err err = u->start_err;
	fail(u, FAIL_CONNECT, &err);
}

struct upstream *
upstream_start(struct upstream_env *env, const struct backend *backend, const struct addr *to,
    const struct upstream_ops *ops, void *arg)
{
	struct upstream *u = mem_pool_get(env->pool);
	if (!u)
		return NULL;
	u->env = env;
	u->backend = backend;
	u->ops = ops;
	u->arg = arg;
	buf_init(&u->in, IN_MAX, false);
	frame_init(&u->frame, FRAME_STORE);
	loop_timer_init(env->loop, &u->timer, timed_out);
	const struct addr *source = NULL;
	if (backend->n_sources > 0) { /* in turn, among those of the store's family */
		for (unsigned i = 0; i < backend->n_sources && !source; i++) {
			const struct addr *a =
			    &backend->sources[env->next_source++ % backend->n_sources];
			if (a->sa.sa_family == to->sa.sa_family)
				source = a;
		}
	}
	stat_inc(STAT_STORE_CONNECTS);
	enter(u, UP_CONNECT);
	u->conn = conn_dial(env->conns, to, source, &u->start_err);
	if (u->conn)
		conn_set_handler(u->conn, on_conn, u);
	else
		loop_defer(env->loop, &u->start_failed, report_start);
	return u;
}

void
upstream_take(struct upstream **up, struct upstream_result *result_r)
{
	struct upstream *u = *up;
	ASSERT(u->state == UP_READY);
	conn_set_handler(u->conn, NULL, NULL);
	result_r->conn = u->conn;
	u->conn = NULL;
	/* What is behind the response that made it ready: that response itself is still in front. */
	buf_consume(&u->in, u->frame.len);
	result_r->rest = u->in;
	buf_init(&u->in, IN_MAX, false);
	result_r->after = u->after;
	(void)str_fmt(result_r->text, sizeof(result_r->text), "%s", u->text);
	upstream_free(up);
}

void
upstream_logout(struct upstream **up)
{
	struct upstream *u = *up;
	struct err err;
	char line[40];
	ASSERT(u->state == UP_SECURE);
	(void)str_fmt(line, sizeof(line), "%s LOGOUT\r\n", u->tag[0] ? u->tag : "S");
	if (conn_write_slice(u->conn, slice_of(line), &err) == 1)
		conn_close(&u->conn, CONN_LINGER);
	upstream_free(up);
}
