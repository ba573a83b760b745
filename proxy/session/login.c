/*
 * session/login.c - one try to log in: ask the directory, log in at a store, answer the client, begin the relay.
 *
 *      login_begin -> ROUTE -> login_answer -> STORE: next_store -> secure -> upstream_login
 *                                                        ^             |-> ready   -> RELAY
 *                                                        '-- failed <--|-> refused -> DELAY -> COMMAND
 *
 * Every way a try can fail is one enum fail: from it follow the log line, whether another store is tried, and the client's
 * answer (store/fail.h). The password is wiped when the try is over, whichever way.
 */
#include "session/internal.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/stat.h"

#define TRIES_MAX 8 /* addresses tried for one login */

static void next_store(struct session *s);

/* --- the end of a try */

/* Whose fault it is: the client's, or the machinery's. */
static bool
is_refusal(enum fail why)
{
	return why == FAIL_CREDENTIALS || why == FAIL_UNKNOWN_USER || why == FAIL_BAD_NAME ||
	       why == FAIL_AUTHZID;
}

/* The store's words for the log, which escapes them; not when they repeat the password. */
static const char *
loggable(const struct login *login, struct slice words, char *dst, size_t size)
{
	struct slice password = secret_slice(&login->password);
	bool repeats = password.len > 0 && words.len > 0 &&
		       memmem(words.p, words.len, password.p, password.len);
	(void)str_fmt(dst, size, SLICE_FMT,
	    SLICE_ARG(repeats ? SLICE("not shown: it repeats the password") : words));
	return dst;
}

static void
log_failure(struct session *s, enum fail why, const char *detail)
{
	struct login *login = s->login;
	struct log_line l;
	bool credentials = is_refusal(why);
	session_trace(s, "proxy", "the login failed: %s", fail_name(why));
	stat_inc(credentials ? STAT_LOGINS_FAILED : STAT_LOGINS_UNAVAILABLE);
	log_begin(&l, credentials ? LOG_INFO : LOG_WARN, EV_LOGIN_FAILED);
	session_log_who(s, &l);
	log_cstr(&l, "mechanism", login->mechanism_name);
	log_cstr(&l, "reason", fail_name(why));
	log_cstr(&l, "detail", detail && detail[0] != '\0' ? detail : NULL);
	if (login->answer) {
		log_cstr(&l, "route", login->answer->route);
		log_cstr(&l, "backend", login->backend.name);
	}
	log_u64(&l, "attempt", login->failed_logins + 1);
	log_end(&l);
}

static void
wipe_try(struct session *s)
{
	struct login *login = s->login;
	secret_clear(&login->password);
	if (login->question != 0)
		htab_remove(&s->env->questions, &login->asked);
	login->question = 0;
}

/* The directory hears of each dialogue with a store how it ended, once. */
static void
tell_outcome(struct session *s, enum fail fail, const char *stage, const char *reason)
{
	struct login *login = s->login;
	if (!login->trying && !login->placed)
		return;
	/* What went wrong here says nothing of the store. */
	bool ours = fail == FAIL_MEMORY || fail == FAIL_INTERNAL;
	struct login_outcome o = { .question = login->answer->id,
		.backend = slice_of(
		    login->trying ? login->backend.name : login->answer->candidates[0].backend),
		.given_up = ours,
		.fail = ours ? FAIL_NONE : fail,
		.user = hash_placement(slice_of(login->answer->key), SLICE("")),
		.stage = slice_of(stage),
		.reason = slice_of(reason) };
	login->trying = login->placed = false;
	if (o.backend.len > 0) /* else a target without a [backend], which has no places */
		s->env->hooks->outcome(s->env->ctx, &o);
}

/* What is kept of a store between two tries of the same user. */
void
login_forget_store(struct session *s)
{
	struct login *login = s->login;
	if (!login)
		return;
	if (login->answer) /* the client has gone, or time was up, or it never came to a store */
		tell_outcome(s, FAIL_INTERNAL, "", "");
	upstream_free(&login->upstream);
	login->upstream_user[0] = '\0';
	mem_free(login->answer);
	login->answer = NULL;
}

/*
 * A refusal comes no earlier than the delay after the login was asked for, whoever found it out and however fast: an unknown
 * user is told as late as a wrong password. So the delay runs from here, along with the try.
 */
void
login_asked(struct session *s)
{
	s->login->began = loop_now(s->env->loop);
	if (s->env->delays.seconds > 0)
		deadline_set(&s->env->delays, &s->login->delay);
}

void
login_fail(struct session *s, enum fail why, const char *detail)
{
	struct login *login = s->login;
	if (s->state == SESSION_DEAD)
		return;
	log_failure(s, why, detail);
	wipe_try(s);
	login->fail = why;
	if (!login->upstream)
		login_forget_store(s);
	session_enter(s, SESSION_DELAY);
	if (s->state != SESSION_DELAY)
		return;
	if (is_refusal(why) && list_linked(&login->delay.node))
		return;
	deadline_clear(&login->delay); /* an outage is told at once */
	login_delay_over(&login->delay, s->env);
}

void
login_delay_over(struct deadline *d, void *arg)
{
	struct login *login = container_of(d, struct login, delay);
	struct session *s = login->session;
	(void)arg;
	if (s->state != SESSION_DELAY) /* the try goes on: its refusal will be told at once */
		return;
	const char *text = login->fail == FAIL_STORE_REFUSED && login->fail_text[0] != '\0'
			       ? login->fail_text
			       : fail_response(login->fail);
	session_trace(s, "proxy to client", "%s NO %s", login->tag,
	    text == login->fail_text ? "(the store's words)" : text);
	front_say(s, "%s NO %s", login->tag, text);
	login->fail_text[0] = '\0';
	if (s->state == SESSION_DEAD)
		return;
	/* An outage is nobody's guess: only what a store or we said of the credentials counts. */
	bool counts = is_refusal(login->fail) || login->fail == FAIL_STORE_REFUSED;
	if (counts && ++login->failed_logins >= login->snapshot->proxy.max_failed_logins) {
		session_bye(s, CLOSE_FAILED_LOGINS, "Too many failed logins.");
		return;
	}
	login->bad_commands = 0;
	session_enter(s, SESSION_COMMAND);
	front_resume(s);
	session_check(s);
}

/* --- the relay begins */

static bool
remember_names(struct session *s)
{
	struct login *login = s->login;
	const char *parts[] = { login->listen->name, login->answer->key, login->answer->route,
		login->backend.name };
	const char **to[] = { &s->listener, &s->user, &s->route, &s->backend };
	size_t size = 0;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		size += strlen(parts[i]) + 1;
	char *at = mem_alloc(size);
	if (!at)
		return false;
	s->names = at;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t len = strlen(parts[i]) + 1;
		memcpy(at, parts[i], len);
		*to[i] = at;
		at += len;
	}
	return true;
}

static void
log_login(struct session *s)
{
	struct login *login = s->login;
	struct log_line l;
	struct conn_facts facts;
	char at[ADDR_TEXT];
	conn_facts(s->store, &facts);
	log_begin(&l, LOG_INFO, EV_LOGIN);
	session_log_who(s, &l);
	log_cstr(&l, "mechanism", login->mechanism_name);
	log_cstr(&l, "route", s->route);
	log_cstr(&l, "backend", s->backend);
	log_cstr(&l, "store",
	    addr_format(at, &login->answer->candidates[login->candidate].addrs[login->address]));
	log_cstr(&l, "store_tls", facts.tls ? facts.version : "none");
	log_why(&l, "why", login->answer->reason);
	log_seconds(&l, "took", loop_now(s->env->loop) - login->began);
	log_end(&l);
}

/*
 * The client learns the store's own capabilities, in the form that it reads: untagged when it asked with CAPABILITY
 * before, else in the tagged OK.
 */
static void
say_logged_in(struct session *s, struct upstream_result *result)
{
	struct login *login = s->login;
	capability_strip_after_login(&result->after);
	if (result->after.text[0] == '\0') {
		front_say(s, "%s OK %s", login->tag, result->text);
	} else if (login->asked_capability) {
		front_say(s, "* CAPABILITY %s", result->after.text);
		front_say(s, "%s OK %s", login->tag, result->text);
	} else {
		front_say(
		    s, "%s OK [CAPABILITY %s] %s", login->tag, result->after.text, result->text);
	}
}

static void
begin_relay(struct session *s)
{
	struct login *login = s->login;
	struct session_env *env = s->env;
	struct upstream_result result;
	struct err err;
	upstream_take(&login->upstream, &result);
	s->store = result.conn;
	if (!remember_names(s)) {
		buf_free(&result.rest);
		login_fail(s, FAIL_MEMORY, NULL);
		conn_close(&s->store, CONN_CLOSE);
		return;
	}
	s->relay_began = loop_now(env->loop);
	log_login(s);
	session_trace(s, "proxy to client", "%s OK (logged in, the relay begins)", login->tag);
	say_logged_in(s, &result);
	if (s->state == SESSION_DEAD) {
		buf_free(&result.rest);
		return;
	}
	/* What the store sent behind its OK, and what the client sent behind its login: once, in order. */
	struct slice rest = buf_slice(&result.rest), early = buf_slice(&login->in);
	bool told = rest.len == 0 || conn_write_slice(s->client, rest, &err) == 1;
	bool sent = early.len == 0 || conn_write_slice(s->store, early, &err) == 1;
	s->store_bytes += rest.len;
	s->client_bytes += early.len;
	stat_add(STAT_BYTES_FROM_STORES, rest.len);
	stat_add(STAT_BYTES_FROM_CLIENTS, early.len);
	buf_free(&result.rest);
	session_enter(s, SESSION_RELAY);
	if (s->state != SESSION_RELAY)
		return;
	session_free_login(s);
	session_list_leave(s);
	list_append(&env->relays, &s->node);
	stat_inc(STAT_LOGINS);
	stat_inc(STAT_RELAYS_NOW);
	env->hooks->opened(env->ctx, slice_of(s->user), slice_of(s->backend));
	if (!told || !sent)
		session_close(s, told ? CLOSE_STORE_ERROR : CLOSE_CLIENT_ERROR);
	else
		relay_begin(s);
}

/* --- the store's side */

static void
on_secure(void *arg)
{
	struct session *s = arg;
	struct login *login = s->login;
	const struct capability_list *before = upstream_before(login->upstream);
	struct upstream_credentials credentials = { .user = slice_of(login->answer->user),
		.password = &login->password };
	if (announce_learn(s->env->announce, login->backend.name, before))
		s->env->hooks->learnt(
		    s->env->ctx, slice_of(login->backend.name), slice_of(before->text));
	upstream_login(login->upstream, &credentials);
	session_check(s);
}

static void
on_untagged(void *arg, struct slice response)
{
	struct session *s = arg;
	struct err err;
	if (conn_write_slice(s->client, response, &err) != 1)
		session_close(s, CLOSE_CLIENT_ERROR);
}

static void
on_ready(void *arg)
{
	struct session *s = arg;
	tell_outcome(s, FAIL_NONE, upstream_state_name(s->login->upstream), "");
	begin_relay(s);
	session_check(s);
}

static void
on_refused(void *arg, enum fail why, struct slice text)
{
	struct session *s = arg;
	struct login *login = s->login;
	char detail[256];
	if (!str_put(login->fail_text, sizeof(login->fail_text), text))
		login->fail_text[0] = '\0';
	/* Kept for another try of the same user. */
	(void)str_fmt(login->upstream_user, sizeof(login->upstream_user), "%s", login->user);
	(void)loggable(login, text, detail, sizeof(detail));
	tell_outcome(s, why, "login", detail);
	login_fail(s, why, detail);
	session_check(s);
}

static void
on_failed(void *arg, enum fail why, const struct err *err)
{
	struct session *s = arg;
	struct login *login = s->login;
	const char *stage = upstream_state_name(login->upstream);
	login->upstream = NULL;          /* it is gone already */
	if (s->state != SESSION_STORE) { /* kept for another try, and the store did not wait */
		login_forget_store(s);
		return;
	}
	struct log_line l;
	char at[ADDR_TEXT], id[17], words[sizeof(err->text)];
	const char *detail = loggable(login, slice_of(err->text), words, sizeof(words));
	tell_outcome(s, why, stage, detail);
	log_begin(&l, LOG_WARN, EV_STORE_FAILED);
	log_cstr(&l, "session", session_id_text(s, id));
	log_user(&l, "user", login->answer->key);
	log_cstr(&l, "backend", login->backend.name);
	log_cstr(&l, "store",
	    addr_format(at, &login->answer->candidates[login->candidate].addrs[login->address]));
	log_cstr(&l, "reason", fail_name(why));
	log_cstr(&l, "detail", detail);
	log_end(&l);
	session_trace(s, "proxy", "the store failed: %s%s%s", fail_name(why),
	    fail_retry(why) && login->upstream_user[0] == '\0' ? ": " : "",
	    fail_retry(why) && login->upstream_user[0] == '\0' ? detail : "");
	login->last_fail = why;
	if (fail_retry(why)) {
		login->address++;
		next_store(s);
	} else {
		login_fail(s, why, detail);
	}
	session_check(s);
}

static void
on_trace(void *arg, bool sent, const char *text)
{
	session_trace(arg, sent ? "proxy to store" : "store", "%s", text);
}

static const struct upstream_ops ops = {
	.trace = on_trace,
	.secure = on_secure,
	.untagged = on_untagged,
	.ready = on_ready,
	.refused = on_refused,
	.failed = on_failed,
};

static void
trace_store(struct session *s)
{
	struct login *login = s->login;
	char at[ADDR_TEXT];
	if (list_empty(&s->env->traces))
		return;
	(void)addr_format(at, &login->answer->candidates[login->candidate].addrs[login->address]);
	session_trace(s, "proxy", "connects to %s, %s", login->backend.name, at);
}

/* The present candidate as a backend, what its lookup overrides applied. */
static bool
use_candidate(struct session *s)
{
	struct login *login = s->login;
	struct route_candidate *c = &login->answer->candidates[login->candidate];
	const struct backend *b = snapshot_backend(login->snapshot, c->backend);
	if (b) {
		login->backend = *b;
	} else {
		if (c->backend[0] != '\0') /* of a snapshot that is not ours */
			return false;
		snapshot_backend_defaults(&login->backend);
		route_target_name(login->target, c->host, c->port);
		login->backend.name = login->target;
		login->backend.host = c->host;
		login->backend.port = c->port;
	}
	if (login->answer->tls >= 0)
		login->backend.tls = (enum tls_mode)login->answer->tls;
	if (login->answer->verify >= 0 && login->backend.verify != (login->answer->verify == 1)) {
		login->backend.verify = login->answer->verify == 1;
		login->backend.client = NULL;
	}
	if (login->backend.tls != TLS_MODE_NONE && !login->backend.client)
		login->backend.client = login->snapshot->targets[login->backend.verify];
	return true;
}

static void
next_store(struct session *s)
{
	struct login *login = s->login;
	struct route_answer *a = login->answer;
	for (; login->candidate < a->n_candidates; login->candidate++, login->address = 0) {
		if (login->candidate > 0 && a->pinned)
			break; /* the user has sessions there: nowhere else */
		if (login->address >= a->candidates[login->candidate].n_addrs || !use_candidate(s))
			continue;
		if (login->tries++ >= TRIES_MAX)
			break;
		trace_store(s);
		login->upstream = upstream_start(&s->env->upstreams, &login->backend,
		    &a->candidates[login->candidate].addrs[login->address], &ops, s);
		login->trying = login->upstream != NULL;
		if (!login->upstream)
			login_fail(s, FAIL_MEMORY, NULL);
		return;
	}
	login_fail(s, login->last_fail != FAIL_NONE ? login->last_fail : FAIL_NO_CANDIDATE,
	    a->pinned ? "the user's sessions are at a store that does not answer"
		      : "no store is left to try");
}

/* --- the directory's side */

void
login_begin(struct session *s)
{
	struct login *login = s->login;
	struct session_env *env = s->env;
	login_asked(s);
	session_trace(s, "client", "%s %s %s (secret not shown)", login->tag, login->mechanism_name,
	    login->user);
	if (login->upstream && strcmp(login->user, login->upstream_user) == 0) {
		struct upstream_credentials credentials = { .user = slice_of(login->answer->user),
			.password = &login->password };
		session_enter(s, SESSION_STORE);
		login->trying = s->state == SESSION_STORE;
		if (login->trying)
			upstream_login(login->upstream, &credentials);
		return;
	}
	login_forget_store(s);
	struct route_question q = { .id = env->next_question, .client = s->peer };
	struct conn_facts facts;
	conn_facts(s->client, &facts);
	(void)str_fmt(q.user, sizeof(q.user), "%s", login->user);
	(void)str_fmt(q.listener, sizeof(q.listener), "%s", login->listen->name);
	if (facts.sni && strlen(facts.sni) < sizeof(q.server_name))
		(void)str_fmt(q.server_name, sizeof(q.server_name), "%s", facts.sni);
	session_enter(s, SESSION_ROUTE);
	if (s->state != SESSION_ROUTE)
		return;
	login->question = env->next_question++;
	login->asked.key =
	    (struct slice){ (const char *)&login->question, sizeof(login->question) };
	if (!htab_insert(&env->questions, &login->asked)) {
		login->question = 0;
		login_fail(s, FAIL_MEMORY, NULL);
	} else if (!env->hooks->ask(env->ctx, &q)) {
		login_fail(s, FAIL_DIRECTORY, "there is no directory process");
	}
}

/* Nobody goes by this answer: the place that the directory keeps for it is free. */
void
login_unused(struct session_env *env, const struct route_answer *answer)
{
	const struct login_outcome o = { .question = answer->id,
		.backend = slice_of(answer->candidates[0].backend),
		.given_up = true };
	if (answer->fail == FAIL_NONE && answer->n_candidates > 0 && o.backend.len > 0)
		env->hooks->outcome(env->ctx, &o);
}

void
login_answer(struct session *s, const struct route_answer *answer)
{
	struct login *login = s->login;
	htab_remove(&s->env->questions, &login->asked);
	login->question = 0;
	if (s->state != SESSION_ROUTE) {
		login_unused(s->env, answer);
		return;
	}
	session_trace(s, "directory", "%s: %s", answer->fail == FAIL_NONE ? "goes to" : "no way",
	    answer->reason);
	if (answer->fail != FAIL_NONE) {
		login_fail(s, answer->fail, answer->reason);
		return;
	}
	login->answer = mem_alloc(sizeof(*login->answer));
	if (!login->answer) {
		login_unused(s->env, answer);
		login_fail(s, FAIL_MEMORY, NULL);
		return;
	}
	*login->answer = *answer;
	login->placed = true;
	login->candidate = login->address = login->tries = 0;
	login->last_fail = FAIL_NONE;
	session_enter(s, SESSION_STORE);
	if (s->state == SESSION_STORE)
		next_store(s);
}
