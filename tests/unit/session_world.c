/*
 * tests/unit/session_world.c - sessions between scripted clients, stores and directory; see session_world.h.
 */
#include "session_world.h"

#include <limits.h>
#include <stdarg.h>

#include "base/mem.h"
#include "io/tls_ctx.h"
#include "store/fail.h"

#define QUEUE 512

struct world {
	struct snapshot snapshot;
	struct listen listens[5];
	struct backend backends[3];
	char names[3][16];
	struct addr source;
	struct session_env *env;
	const struct listen *listen;
	bool no_directory;
	/* asked and not yet named by a step */
	struct route_question questions[QUEUE];
	unsigned asked, named;
	uint64_t question[SCRIPT_CLIENTS]; /* of each client */
	char hooks[QUEUE][160];
	char outcome[160]; /* the last, until looked at */
	unsigned told, looked;
	char capability[256];
	struct session_cursor cursor;
};

/* --- the worker's side */

static bool
on_ask(void *ctx, const struct route_question *q)
{
	struct world *w = ctx;

	if (w->no_directory)
		return false;
	if (w->asked < QUEUE)
		w->questions[w->asked++] = *q;
	return true;
}

PRINTF_LIKE(2, 3)
static void
hook(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->told == QUEUE)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(w->hooks[w->told++], sizeof(w->hooks[0]), fmt, ap);
	va_end(ap);
}

static void
on_opened(void *ctx, struct slice user, struct slice backend)
{
	hook(ctx, "opened " SLICE_FMT " " SLICE_FMT, SLICE_ARG(user), SLICE_ARG(backend));
}

static void
on_closed(void *ctx, struct slice user, struct slice backend)
{
	hook(ctx, "closed " SLICE_FMT " " SLICE_FMT, SLICE_ARG(user), SLICE_ARG(backend));
}

static void
on_outcome(void *ctx, const struct login_outcome *o)
{
	struct world *w = ctx;

	(void)str_fmt(w->outcome, sizeof(w->outcome), SLICE_FMT " %s " SLICE_FMT,
	    SLICE_ARG(o->backend), o->given_up ? "given-up" : fail_name(o->fail),
	    SLICE_ARG(o->stage));
}

static void
on_learnt(void *ctx, struct slice backend, struct slice capabilities)
{
	hook(ctx, "learnt " SLICE_FMT " " SLICE_FMT, SLICE_ARG(backend), SLICE_ARG(capabilities));
}

static void
on_empty(void *ctx)
{
	hook(ctx, "empty");
}

static void
on_trace(void *ctx, uint32_t id, uint64_t session, const char *who, const char *text)
{
	(void)session;
	hook(ctx, "trace %u %s: %s", id, who, text);
}

static const struct session_hooks hooks = { .ask = on_ask,
	.opened = on_opened,
	.closed = on_closed,
	.outcome = on_outcome,
	.learnt = on_learnt,
	.trace = on_trace,
	.empty = on_empty };

/* --- configuration */

static void
store_address(struct addr *a, unsigned store, unsigned address)
{
	char text[32];

	(void)str_fmt(text, sizeof(text), "10.0.%u.%u", address, store);
	(void)!addr_parse_ip(a, slice_of(text), 143);
}

static void
defaults(struct world *w, struct err *err)
{
	static const struct {
		const char *name;
		enum tls_mode tls;
		bool plaintext_login;
	} listens[] = {
		{ "plain", TLS_MODE_NONE, true },
		{ "strict", TLS_MODE_NONE, false },
		{ "imap", TLS_MODE_STARTTLS, false },
		{ "mixed", TLS_MODE_STARTTLS, true },
		{ "imaps", TLS_MODE_IMPLICIT, false },
	};
	struct tls_client_params params = { .min = TLS_1_2 };

	w->snapshot.refs = 1000; /* never freed: it is no snapshot of snapshot.c's */
	w->snapshot.proxy = (struct proxy_settings){
		.hostname = "mail.test",
		.login_timeout = 60,
		.auth_failure_delay = 2,
		.max_sessions = 1000,
		.max_line = 8192,
		.max_auth_line = 65536,
		.max_literal = 4096,
		.max_command = 65536,
		.max_bad_commands = 10,
		.max_failed_logins = 3,
	};
	for (size_t i = 0; i < ARRAY_SIZE(listens); i++)
		w->listens[i] = (struct listen){ .name = listens[i].name,
			.tls = listens[i].tls,
			.plaintext_login = listens[i].plaintext_login };
	for (unsigned i = 0; i < ARRAY_SIZE(w->backends); i++) {
		(void)str_fmt(w->names[i], sizeof(w->names[i]), "store%u", i + 1);
		w->backends[i] = (struct backend){ .name = w->names[i],
			.host = w->names[i],
			.port = 143,
			.verify = true,
			.client = tls_client_new(&params, err),
			.weight = 100,
			.connect_timeout = 5,
			.reply_timeout = 30,
			.index = i };
	}
	w->snapshot.listens = w->listens;
	w->snapshot.n_listens = ARRAY_SIZE(w->listens);
	w->snapshot.backends = w->backends;
	w->snapshot.n_backends = 1;
	w->snapshot.tls = tls_server_new(NULL, err);
	for (size_t i = 0; i < ARRAY_SIZE(w->snapshot.targets); i++)
		w->snapshot.targets[i] = tls_client_new(&params, err);
}

static bool
mode_of(struct slice value, enum tls_mode *mode_r)
{
	if (slice_eq_cstr(value, "none"))
		*mode_r = TLS_MODE_NONE;
	else if (slice_eq_cstr(value, "starttls"))
		*mode_r = TLS_MODE_STARTTLS;
	else if (slice_eq_cstr(value, "implicit"))
		*mode_r = TLS_MODE_IMPLICIT;
	else
		return false;
	return true;
}

static bool
set_one(struct world *w, struct slice key, struct slice value)
{
	struct proxy_settings *p = &w->snapshot.proxy;
	const struct {
		const char *name;
		unsigned *at;
	} numbers[] = {
		{ "max_sessions", &p->max_sessions },
		{ "max_line", &p->max_line },
		{ "max_auth_line", &p->max_auth_line },
		{ "max_literal", &p->max_literal },
		{ "max_command", &p->max_command },
		{ "max_bad_commands", &p->max_bad_commands },
		{ "max_failed_logins", &p->max_failed_logins },
		{ "stores", &w->snapshot.n_backends },
	};
	const struct {
		const char *name;
		double *at;
	} times[] = {
		{ "login_timeout", &p->login_timeout },
		{ "idle_timeout", &p->idle_timeout },
		{ "auth_failure_delay", &p->auth_failure_delay },
	};
	char text[64];
	uint64_t n;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (slice_eq_cstr(key, numbers[i].name) && str_u64(value, UINT32_MAX, &n)) {
			*numbers[i].at = (unsigned)n;
			return true;
		}
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		if (slice_eq_cstr(key, times[i].name) && str_put(text, sizeof(text), value)) {
			*times[i].at = strtod(text, NULL);
			return true;
		}
	if (slice_eq_cstr(key, "source")) {
		for (unsigned i = 0; i < ARRAY_SIZE(w->backends); i++) {
			w->backends[i].sources = &w->source;
			w->backends[i].n_sources = 1;
		}
		return addr_parse_ip(&w->source, value, 0);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(w->backends); i++)
		if (!slice_eq_cstr(key, "tls") || !mode_of(value, &w->backends[i].tls))
			return false;
	return true;
}

static void
step_set(struct script *s, struct slice rest)
{
	struct world *w = s->world;
	struct slice word, key;

	if (slice_starts_case(rest, SLICE("capability="))) {
		(void)!str_put(w->capability, sizeof(w->capability),
		    (struct slice){ rest.p + 11, rest.len - 11 });
		w->snapshot.proxy.capability = w->capability;
		rest.len = 0;
	}
	while ((word = slice_word(&rest)).len > 0)
		if (!slice_cut(&word, '=', &key) || !set_one(w, key, word))
			script_fail(s, "no such setting: " SLICE_FMT, SLICE_ARG(key));
	session_configure(w->env, &w->snapshot);
}

/* --- steps */

static struct fake_peer *
accept_client(struct script *s)
{
	struct world *w = s->world;
	struct conn *c = fake_conn_new(s->conns);
	struct fake_peer *p = fake_conn_peer(c);
	struct addr peer, local;

	(void)!addr_parse_ip(&peer, SLICE("192.0.2.7"), 40000);
	(void)!addr_parse_ip(&local, SLICE("192.0.2.1"), 143);
	session_accept(w->env, w->listen, &c, &peer, &local);
	if (c)
		script_fail(s, "the connection was not taken over");
	return p;
}

static void
step_question(struct script *s, struct slice user)
{
	struct world *w = s->world;

	if (w->named == w->asked) {
		script_fail(s, "nobody was asked");
		return;
	}
	struct route_question *q = &w->questions[w->named++];
	struct buf want;

	buf_init(&want, ROUTE_USER_MAX, false);
	if (script_expand(s, user, false, &want) && !slice_eq_cstr(buf_slice(&want), q->user))
		script_fail(s, "the question is for %s", q->user);
	buf_free(&want);
	w->question[s->who] = q->id;
}

static bool
override(struct route_answer *a, struct slice key, struct slice value)
{
	enum tls_mode mode;

	if (slice_eq_cstr(key, "user"))
		return str_put(a->user, sizeof(a->user), value);
	if (slice_eq_cstr(key, "key"))
		return str_put(a->key, sizeof(a->key), value);
	if (slice_eq_cstr(key, "verify"))
		a->verify = value.p[0] == '1';
	else if (slice_eq_cstr(key, "tls") && mode_of(value, &mode))
		a->tls = (int8_t)mode;
	else if (slice_eq_cstr(key, "fail"))
		while (a->fail < FAIL_COUNT && !slice_eq_cstr(value, fail_name(a->fail)))
			a->fail++;
	else
		return false;
	return true;
}

static void
candidate(struct script *s, struct route_answer *a, struct slice word)
{
	struct route_candidate *c = &a->candidates[a->n_candidates++];
	unsigned n = 1, addrs = 1;

	if (slice_starts_case(word, SLICE("host="))) {
		struct slice host;
		struct err err;

		word = (struct slice){ word.p + 5, word.len - 5 };
		if (!addr_split(word, false, &host, &c->port, &err) ||
		    !str_put(c->host, sizeof(c->host), host))
			script_fail(s, "no host: %s", err.text);
	} else if (sscanf(word.p, "store%u+%u", &n, &addrs) < 1) {
		script_fail(s, "no store: " SLICE_FMT, SLICE_ARG(word));
	} else {
		(void)str_fmt(c->backend, sizeof(c->backend), "store%u", n);
	}
	c->n_addrs = addrs;
	for (unsigned i = 0; i < addrs; i++)
		store_address(&c->addrs[i], n, i);
}

static void
step_answer(struct script *s, struct slice rest)
{
	struct world *w = s->world;
	struct route_answer a = { .id = w->question[s->who], .tls = -1, .verify = -1 };
	struct slice word, key;

	for (unsigned i = 0; i < w->asked; i++)
		if (w->questions[i].id == a.id) {
			(void)str_fmt(a.user, sizeof(a.user), "%s", w->questions[i].user);
			(void)str_fmt(a.key, sizeof(a.key), "%s", w->questions[i].user);
		}
	(void)str_fmt(a.route, sizeof(a.route), "stores");
	(void)str_fmt(a.reason, sizeof(a.reason), "default");
	while ((word = slice_word(&rest)).len > 0) {
		struct slice value = word;

		if (slice_eq_cstr(word, "pinned"))
			a.pinned = true;
		else if (!slice_cut(&value, '=', &key) || !override(&a, key, value))
			candidate(s, &a, word);
	}
	session_answer(w->env, &a);
}

static void
step_directory(struct script *s, struct slice what)
{
	struct world *w = s->world;

	w->no_directory = !slice_eq_cstr(what, "back");
	if (slice_eq_cstr(what, "lost"))
		session_directory_lost(w->env);
	else if (slice_eq_cstr(what, "back"))
		session_report(w->env);
}

/* A star at the end is any rest. */
static bool
hook_fits(struct slice what, const char *told)
{
	if (what.len > 0 && what.p[what.len - 1] == '*')
		return strncmp(told, what.p, what.len - 1) == 0;
	return slice_eq_cstr(what, told);
}

static void
step_hook(struct script *s, struct slice what)
{
	struct world *w = s->world;

	if (w->looked == w->told)
		script_fail(s, "the worker was told nothing");
	else if (!hook_fits(what, w->hooks[w->looked++]))
		script_fail(s, "the worker was told: %s", w->hooks[w->looked - 1]);
}

static void
step_outcome(struct script *s, struct slice what)
{
	struct world *w = s->world;

	if (!hook_fits(what, w->outcome))
		script_fail(s, "the outcome of a login: %s", w->outcome);
	w->outcome[0] = '\0';
}

/* user=U or backend=B */
static void
step_kick(struct script *s, struct slice rest)
{
	struct world *w = s->world;
	struct session_filter f = { .id = 0 };
	struct session_cursor c;
	uint64_t ended = 0;
	struct slice key;

	if (slice_cut(&rest, '=', &key) && slice_eq_cstr(key, "user"))
		f.user = slice_trim(rest);
	else
		f.backend = slice_trim(rest);
	session_walk_begin(w->env, &c);
	while (session_kick(&c, &f, 1, &ended))
		;
	session_walk_end(&c);
}

static void
count_row(void *arg, const struct session_info *info)
{
	unsigned *n = arg;

	(void)info;
	++*n;
}

/* A walk by steps of one: all of it, or a number of steps, or what is left; how many were met. */
static void
step_walk(struct script *s, bool begin, unsigned steps, unsigned wanted)
{
	const struct session_filter all = { .id = 0 };
	struct world *w = s->world;
	unsigned met = 0;

	if (begin) {
		session_walk_end(&w->cursor);
		session_walk_begin(w->env, &w->cursor);
	}
	while (steps-- > 0 && session_walk(&w->cursor, &all, 1, count_row, &met))
		;
	if (met != wanted)
		script_fail(s, "the walk met %u sessions", met);
}

static void
step_learn(struct script *s, struct slice rest)
{
	struct world *w = s->world;
	struct slice store = slice_word(&rest);

	session_learn(w->env, store, slice_trim(rest));
}

static void
step_ended(struct script *s, struct slice keys)
{
	char step[600];

	(void)str_fmt(step, sizeof(step), "log event=session_end " SLICE_FMT "\nclosed client\n",
	    SLICE_ARG(keys));
	(void)!script_run(s, step);
}

static bool
listen_step(struct script *s, struct slice name)
{
	struct world *w = s->world;

	for (size_t i = 0; i < ARRAY_SIZE(w->listens); i++)
		if (slice_eq_cstr(name, w->listens[i].name))
			w->listen = &w->listens[i];
	script_client(s, accept_client(s));
	return true;
}

static bool
step(struct script *s, struct slice word, struct slice rest)
{
	struct world *w = s->world;
	char number[32];

	if (!str_put(number, sizeof(number), rest))
		number[0] = '\0';
	if (slice_eq_cstr(word, "set"))
		step_set(s, rest);
	else if (slice_eq_cstr(word, "listen"))
		(void)listen_step(s, rest);
	else if (slice_eq_cstr(word, "question"))
		step_question(s, rest);
	else if (slice_eq_cstr(word, "noquestion") && w->named < w->asked)
		script_fail(s, "asked for %s", w->questions[w->named].user);
	else if (slice_eq_cstr(word, "answer"))
		step_answer(s, rest);
	else if (slice_eq_cstr(word, "directory"))
		step_directory(s, rest);
	else if (slice_eq_cstr(word, "hook"))
		step_hook(s, rest);
	else if (slice_eq_cstr(word, "outcome"))
		step_outcome(s, rest);
	else if (slice_eq_cstr(word, "learn"))
		step_learn(s, rest);
	else if (slice_eq_cstr(word, "kick"))
		step_kick(s, rest);
	else if (slice_eq_cstr(word, "walk"))
		step_walk(s, true, UINT_MAX, (unsigned)strtoul(number, NULL, 10));
	else if (slice_eq_cstr(word, "walkstart"))
		step_walk(s, true, (unsigned)strtoul(number, NULL, 10),
		    (unsigned)strtoul(number, NULL, 10));
	else if (slice_eq_cstr(word, "walkrest"))
		step_walk(s, false, UINT_MAX, (unsigned)strtoul(number, NULL, 10));
	else if (slice_eq_cstr(word, "trace")) {
		if (!session_trace_begin(w->env, 1, slice_trim(rest)))
			script_fail(s, "no trace");
	} else if (slice_eq_cstr(word, "stop"))
		session_stop(w->env, strtod(number, NULL));
	else if (slice_eq_cstr(word, "count") && session_count(w->env) != strtoul(number, NULL, 10))
		script_fail(s, "there are %u sessions", session_count(w->env));
	else if (slice_eq_cstr(word, "ended"))
		step_ended(s, rest);
	else if (!slice_eq_cstr(word, "noquestion") && !slice_eq_cstr(word, "count"))
		return false;
	fake_loop_run_pending(s->loop);
	return true;
}

/* --- life */

static bool
open_world(struct script *s)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err;

	if (!w)
		abort();
	s->world = w;
	defaults(w, &err);
	w->listen = &w->listens[0];
	w->env = session_env_new(s->loop, s->conns, &hooks, w, 1);
	if (!w->env)
		abort();
	session_configure(w->env, &w->snapshot);
	return true;
}

/* Whatever still lives is closed; that nothing of it is left is asserted by the pools. */
static void
close_world(struct script *s)
{
	struct world *w = s->world;

	session_env_free(&w->env);
	if (w->snapshot.refs != 1000)
		script_fail(s, "%u references to the snapshot are left", w->snapshot.refs - 1000);
	for (size_t i = 0; i < ARRAY_SIZE(w->backends); i++)
		tls_client_unref(&w->backends[i].client);
	for (size_t i = 0; i < ARRAY_SIZE(w->snapshot.targets); i++)
		tls_client_unref(&w->snapshot.targets[i]);
	tls_server_unref(&w->snapshot.tls);
	free(w);
}

struct session_env *
session_world_env(struct script *s)
{
	return ((struct world *)s->world)->env;
}

const struct script_world session_world = {
	.open = open_world,
	.accept = accept_client,
	.step = step,
	.close = close_world,
};
