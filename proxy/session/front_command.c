/*
 * session/front_command.c - what each command does before the login (RFC 9051 sections 6.1 and 6.2, RFC 2971).
 *
 * The store is not involved in any of them; LOGIN and AUTHENTICATE end in login_begin().
 */
#include "session/internal.h"

#include "base/mem.h"
#include "base/stat.h"

#define NUL_TEXT "A NUL is not allowed in names and passwords."

bool
front_may_log_in(const struct session *s)
{
	return s->login->secured || s->login->listen->plaintext_login;
}

static bool
serves_starttls(const struct session *s)
{
	return s->login->listen->tls == TLS_MODE_STARTTLS && !s->login->secured;
}

static void
ok(struct session *s, const struct imap_command *cmd, const char *text)
{
	if (s->state == SESSION_DEAD) /* an untagged response before it could not be sent */
		return;
	s->login->bad_commands = 0;
	front_say(s, SLICE_FMT " OK %s", SLICE_ARG(cmd->tag), text);
}

static void
capability(struct session *s, const struct imap_command *cmd)
{
	struct capability_list list;
	announce_list(
	    s->env->announce, s->login->snapshot, serves_starttls(s), front_may_log_in(s), &list);
	s->login->asked_capability = true;
	front_say(s, "* CAPABILITY %s", list.text);
	ok(s, cmd, "Capability completed.");
}

/* Throws away what came in plaintext with or behind the command. True when there was any. */
static bool
discard_plaintext(struct session *s, size_t command_len)
{
	struct login *login = s->login;
	bool any = buf_len(&login->in) > command_len;
	if (any)
		login->in.end = login->in.start + command_len;
	while (conn_has_input(s->client)) {
		size_t n = 0;
		struct err err;
		if (conn_read(s->client, s->env->scratch, CONN_WRITE_MAX, &n, &err) != 1 || n == 0)
			break;
		any = true;
	}
	return any;
}

static void
starttls(struct session *s, const struct imap_command *cmd)
{
	struct login *login = s->login;
	struct err err;
	if (!serves_starttls(s)) {
		front_bad(s, cmd->tag,
		    login->secured ? "TLS is active already." : "STARTTLS is not available.");
		return;
	}
	/* The command lies in front of the buffer still: what is behind its end was not protected. */
	if (discard_plaintext(s, login->frame.len)) {
		struct log_line l;
		stat_inc(STAT_STARTTLS_INJECTIONS);
		log_begin(&l, LOG_WARN, EV_STARTTLS_INJECTION);
		session_log_who(s, &l);
		log_cstr(&l, "msg", "plaintext behind STARTTLS was thrown away");
		log_end(&l);
	}
	ok(s, cmd, "Begin TLS negotiation now.");
	if (s->state == SESSION_DEAD)
		return;
	if (conn_pending(s->client) > 0) { /* it does not even take this line */
		session_close(s, CLOSE_CLIENT_ERROR);
		return;
	}
	/* Nothing said before counts from here on. */
	login->asked_capability = false;
	login->bad_commands = login->failed_logins = 0;
	login_forget_store(s);
	session_enter(s, SESSION_TLS);
	if (s->state == SESSION_TLS &&
	    conn_start_tls_server(s->client, login->snapshot->tls, &err) != 1)
		session_close(s, CLOSE_MEMORY);
}

static bool
refuse_plaintext(struct session *s, const struct imap_command *cmd)
{
	if (front_may_log_in(s))
		return false;
	front_say(s,
	    SLICE_FMT " NO [PRIVACYREQUIRED] Plaintext authentication is not allowed, use TLS.",
	    SLICE_ARG(cmd->tag));
	return true;
}

/* Sets who wants in. False: an answer has been given. */
static bool
set_user(struct session *s, struct slice user)
{
	struct login *login = s->login;
	bool good = str_put(login->user, sizeof(login->user), user) && user.len > 0;
	login_asked(s);
	if (strcmp(login->user, login->upstream_user) != 0)
		login_forget_store(s);
	if (good)
		return true;
	login_fail(s, FAIL_BAD_NAME, "empty, too long, or with a NUL");
	return false;
}

static void
set_password(struct session *s, struct slice password)
{
	if (!secret_set(&s->login->password, password))
		login_fail(s, FAIL_MEMORY, NULL);
	else
		login_begin(s);
}

static void
login_command(struct session *s, const struct imap_command *cmd)
{
	struct login *login = s->login;
	size_t user_len, password_len, size = cmd->login.password.len + 1;
	char user[ROUTE_USER_MAX];
	if (refuse_plaintext(s, cmd))
		return;
	login->mechanism_name = "LOGIN";
	char *password = mem_alloc(size);
	if (!password) {
		login_fail(s, FAIL_MEMORY, NULL);
		return;
	}
	if (memchr(cmd->login.user.p ? cmd->login.user.p : "", '\0', cmd->login.user.len) ||
	    !imap_string_copy(&cmd->login.password, password, size, &password_len)) {
		front_bad(s, cmd->tag, NUL_TEXT);
	} else if (!imap_string_copy(&cmd->login.user, user, sizeof(user), &user_len)) {
		(void)set_user(s, (struct slice){ NULL, 0 });
	} else if (set_user(s, (struct slice){ user, user_len })) {
		set_password(s, (struct slice){ password, password_len });
	}
	secret_wipe(password, size);
	mem_free(password);
}

/* --- SASL */

static void
sasl_bad(struct session *s, const char *why)
{
	front_bad(s, slice_of(s->login->tag), why);
	if (s->state == SESSION_SASL)
		session_enter(s, SESSION_COMMAND);
}

static void
sasl_plain(struct session *s, struct slice message)
{
	struct sasl_plain plain;
	if (!sasl_plain_parse(message, &plain)) {
		sasl_bad(s, "Invalid PLAIN message.");
		return;
	}
	if (!set_user(s, plain.authcid))
		return;
	if (plain.authzid.len > 0 && !slice_eq(plain.authzid, plain.authcid))
		login_fail(s, FAIL_AUTHZID, NULL);
	else
		set_password(s, plain.password);
}

static void
sasl_login(struct session *s, struct slice message)
{
	struct login *login = s->login;
	if (message.len > 0 && memchr(message.p, '\0', message.len)) {
		sasl_bad(s, NUL_TEXT);
		return;
	}
	if (login->sasl_user_known) {
		set_password(s, message);
		return;
	}
	if (!set_user(s, message))
		return;
	login->sasl_user_known = true;
	if (s->state == SESSION_COMMAND)
		session_enter(s, SESSION_SASL);
	front_say(s, "+ UGFzc3dvcmQ6"); /* Password: */
}

static void
sasl_message(struct session *s, struct slice base64)
{
	size_t len, size = base64.len / 4 * 3 + 1;
	char *message = mem_alloc(size);
	if (!message) {
		login_fail(s, FAIL_MEMORY, NULL);
		return;
	}
	struct slice text = { message, 0 };
	if (!base64_decode(base64, message, size, &len)) {
		sasl_bad(s, "Invalid base64.");
	} else {
		text.len = len;
		if (s->login->mechanism == SASL_PLAIN)
			sasl_plain(s, text);
		else
			sasl_login(s, text);
	}
	secret_wipe(message, size);
	mem_free(message);
}

void
front_sasl(struct session *s, struct slice line)
{
	if (slice_eq(line, SLICE("*")))
		sasl_bad(s, "AUTHENTICATE aborted.");
	else
		sasl_message(s, line);
}

static void
authenticate(struct session *s, const struct imap_command *cmd)
{
	struct login *login = s->login;
	if (refuse_plaintext(s, cmd))
		return;
	login->mechanism = sasl_mechanism(cmd->authenticate.mechanism);
	login->sasl_user_known = false;
	switch (login->mechanism) {
	case SASL_PLAIN:
		login->mechanism_name = "PLAIN";
		break;
	case SASL_LOGIN:
		login->mechanism_name = "SASL-LOGIN";
		break;
	case SASL_UNKNOWN:
		front_say(
		    s, SLICE_FMT " NO Unsupported authentication mechanism.", SLICE_ARG(cmd->tag));
		return;
	}
	if (cmd->authenticate.has_initial) {
		bool empty = slice_eq(cmd->authenticate.initial, SLICE("="));
		sasl_message(s, empty ? (struct slice){ NULL, 0 } : cmd->authenticate.initial);
		return;
	}
	session_enter(s, SESSION_SASL);
	front_say(s, login->mechanism == SASL_LOGIN ? "+ VXNlcm5hbWU6" : "+ "); /* Username: */
}

void
front_command(struct session *s, const struct imap_command *cmd)
{
	struct login *login = s->login;
	if (!str_put(login->tag, sizeof(login->tag), cmd->tag)) {
		front_bad(s, (struct slice){ NULL, 0 }, "Tag too long.");
		return;
	}
	switch (cmd->verb) {
	case IMAP_CAPABILITY:
		capability(s, cmd);
		return;
	case IMAP_NOOP:
		ok(s, cmd, "NOOP completed.");
		return;
	case IMAP_LOGOUT:
		front_say(s, "* BYE Logging out.");
		ok(s, cmd, "Logout completed.");
		session_end_lingering(s, CLOSE_CLIENT_LOGOUT);
		return;
	case IMAP_ID:
		front_say(s, "* ID (\"name\" \"sallyport\")");
		ok(s, cmd, "ID completed.");
		return;
	case IMAP_ENABLE:
		front_say(s, "* ENABLED");
		ok(s, cmd, "Nothing enabled before login.");
		return;
	case IMAP_STARTTLS:
		starttls(s, cmd);
		return;
	case IMAP_LOGIN:
		login_command(s, cmd);
		return;
	case IMAP_AUTHENTICATE:
		authenticate(s, cmd);
		return;
	case IMAP_NEEDS_LOGIN:
		front_bad(s, cmd->tag, "Log in first.");
		return;
	case IMAP_UNKNOWN:
		front_bad(s, cmd->tag, "Unknown command.");
		return;
	}
}
