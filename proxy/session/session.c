/*
 * session/session.c - the session object: its states, the one way in and the one way out.
 *
 * The table below is the state machine of the client's side; session_enter() is the only writer of a state and
 * session_close() the only end. Handlers may touch a session that died under them and return: its memory stays until the end
 * of the loop turn. What happens within a state is in front.c (client), login.c (directory, store) and relay.c.
 */
#include "session/internal.h"

#include "base/mem.h"
#include "base/stat.h"

#define BIT(s) (1u << SESSION_##s)

static const struct {
	const char *name;
	bool reads_client; /* else nothing is taken from the client; the relay decides itself */
	bool has_login;    /* s->login is alive */
	bool has_timer;    /* a deadline runs in it; the relay has those that fit */
	unsigned next;     /* states that may follow */
} table[SESSION_STATES] = {
	[SESSION_NEW] = { "new", false, true, false, BIT(TLS) | BIT(COMMAND) | BIT(DEAD) },
	[SESSION_TLS] = { "tls", false, true, true, BIT(COMMAND) | BIT(DEAD) },
	[SESSION_COMMAND] = { "command", true, true, true,
	    BIT(TLS) | BIT(SASL) | BIT(ROUTE) | BIT(STORE) | BIT(DELAY) | BIT(DEAD) },
	[SESSION_SASL] = { "sasl", true, true, true,
	    BIT(COMMAND) | BIT(ROUTE) | BIT(STORE) | BIT(DELAY) | BIT(DEAD) },
	[SESSION_ROUTE] = { "route", false, true, true,
	    BIT(STORE) | BIT(DELAY) | BIT(COMMAND) | BIT(DEAD) },
	[SESSION_STORE] = { "store", false, true, true,
	    BIT(RELAY) | BIT(DELAY) | BIT(COMMAND) | BIT(DEAD) },
	[SESSION_DELAY] = { "delay", false, true, true, BIT(COMMAND) | BIT(DEAD) },
	[SESSION_RELAY] = { "relay", false, false, false, BIT(DEAD) },
	[SESSION_DEAD] = { "dead", false, false, false, 0 },
};

static const struct {
	const char *by, *reason;
} reasons[] = {
#define X(id, by, reason) { by, reason },
	CLOSE_REASONS(X)
#undef X
};

const char *
session_state_name(enum session_state state)
{
	return table[state].name;
}

const char *
session_id_text(const struct session *s, char text[17])
{
	(void)str_fmt(text, 17, "%016llx", (unsigned long long)s->id);
	return text;
}

void
session_log_who(struct session *s, struct log_line *l)
{
	char id[17];
	log_cstr(l, "session", session_id_text(s, id));
	if (s->user)
		log_user(l, "user", s->user);
	else if (s->login && s->login->user[0] != '\0')
		log_user(l, "user", s->login->user);
	log_addr(l, "client", &s->peer);
	log_cstr(l, "listener", s->login ? s->login->listen->name : s->listener);
	if (s->client) {
		struct conn_facts facts;
		conn_facts(s->client, &facts);
		log_cstr(
		    l, "tls", facts.tls ? (facts.version ? facts.version : "handshake") : "none");
		log_cstr(l, "cipher", facts.cipher);
		log_cstr(l, "sni", facts.sni);
		if (facts.resumed)
			log_cstr(l, "resumed", "yes");
	}
}

void
session_enter(struct session *s, enum session_state next)
{
	if (s->state == SESSION_DEAD)
		return;
	if (!(table[s->state].next & (1u << next))) {
		struct log_line l;
		char id[17];
		log_begin(&l, LOG_ERROR, EV_INTERNAL);
		log_cstr(&l, "session", session_id_text(s, id));
		log_fmt(&l, "msg", "no way from state %s to %s", table[s->state].name,
		    table[next].name);
		log_end(&l);
		stat_inc(STAT_BROKEN);
		session_bye(s, CLOSE_BROKEN, "[SERVERBUG] Internal error.");
		return;
	}
	s->state = next;
	if (next == SESSION_DEAD)
		return;
	s->client_reads = table[next].reads_client;
	conn_want_read(s->client, s->client_reads);
}

/* One line that answers why. */
static void
log_end_of(struct session *s, enum close_reason reason)
{
	struct log_line l;
	struct conn_facts facts = { 0 };
	double now = loop_now(s->env->loop);
	log_begin(&l, LOG_INFO, EV_SESSION_END);
	session_log_who(s, &l);
	log_cstr(&l, "route", s->route);
	log_cstr(&l, "backend", s->backend);
	if (s->store) {
		conn_facts(s->store, &facts);
		log_cstr(&l, "store_tls", facts.tls && facts.version ? facts.version : "none");
	}
	log_u64(&l, "client_bytes", s->client_bytes);
	log_u64(&l, "store_bytes", s->store_bytes);
	log_seconds(&l, "duration", now - s->began);
	if (s->relay_began > 0)
		log_seconds(&l, "login_time", s->relay_began - s->began);
	log_cstr(&l, "state", table[s->state].name);
	log_cstr(&l, "closed_by", reasons[reason].by);
	log_cstr(&l, "reason", reasons[reason].reason);
	if (s->client) {
		conn_facts(s->client, &facts);
		if (facts.truncated)
			log_cstr(&l, "truncated", "client");
	}
	log_end(&l);
}

/* Wipes and lets go all that hangs on the login; what is left is empty, and may be touched. */
static void
release_login(struct session *s)
{
	struct login *login = s->login;
	if (!login)
		return;
	login_forget_store(s);
	if (login->question != 0)
		htab_remove(&s->env->questions, &login->asked);
	login->question = 0;
	deadline_clear(&login->until);
	deadline_clear(&login->delay);
	secret_clear(&login->password);
	buf_free(&login->in);
	snapshot_unref(&login->snapshot);
}

void
session_free_login(struct session *s)
{
	release_login(s);
	mem_pool_put(s->env->login_pool, s->login); /* zeroed by the pool */
	s->login = NULL;
}

static void
reap(struct loop_task *t)
{
	struct session_env *env = container_of(t, struct session_env, reaper);
	list_foreach_safe (n, &env->graveyard) {
		struct session *s = list_entry(n, struct session, node);
		list_remove(n);
		session_free_login(s);
		mem_free(s->names);
		mem_pool_put(env->sessions, s);
	}
	if (env->stopping && env->count == 0)
		env->hooks->empty(env->ctx);
}

static void
end(struct session *s, enum close_reason reason, enum conn_close_how how)
{
	struct session_env *env = s->env;
	if (s->state == SESSION_DEAD)
		return;
	/* Of two peers that go the first counts; what the proxy decides, counts. */
	if (s->reason_set && strcmp(reasons[reason].by, "proxy") != 0)
		reason = s->reason;
	log_end_of(s, reason);
	if (s->state == SESSION_RELAY) {
		env->hooks->closed(env->ctx, slice_of(s->user), slice_of(s->backend));
		stat_dec(STAT_RELAYS_NOW);
	}
	stat_inc(STAT_SESSIONS);
	stat_dec(STAT_CLIENTS_NOW);
	s->reason = reason;
	s->state = SESSION_DEAD;
	release_login(s); /* its memory goes with the session's: handlers may be at work in it */
	deadline_clear(&s->deadline);
	conn_close(&s->client, how);
	conn_close(&s->store, CONN_CLOSE);
	session_list_leave(s);
	list_append(&env->graveyard, &s->node);
	env->count--;
	loop_defer(env->loop, &env->reaper, reap);
}

void
session_close(struct session *s, enum close_reason reason)
{
	end(s, reason, CONN_CLOSE);
}

void
session_end_lingering(struct session *s, enum close_reason reason)
{
	end(s, reason, CONN_LINGER);
}

void
session_bye(struct session *s, enum close_reason reason, const char *text)
{
	/* Nothing can be said within a handshake, and nothing may be said in the relay. */
	if (s->state == SESSION_DEAD || s->state == SESSION_RELAY || s->state == SESSION_TLS ||
	    s->state == SESSION_NEW) {
		session_close(s, reason);
		return;
	}
	front_say(s, "* BYE %s", text);
	end(s, reason, CONN_LINGER);
}

void
session_check(struct session *s)
{
	if (s->state == SESSION_DEAD)
		return;
	bool awake;
	if (s->state == SESSION_RELAY)
		awake = s->client_reads || s->store_reads || conn_pending(s->client) > 0 ||
			conn_pending(s->store) > 0 || list_linked(&s->deadline.node);
	else
		awake = s->client_reads || s->login->question != 0 || s->login->upstream ||
			list_linked(&s->login->delay.node) || conn_pending(s->client) > 0 ||
			list_linked(&s->login->until.node);
	if (awake)
		return;
	struct log_line l;
	char id[17];
	log_begin(&l, LOG_ERROR, EV_INTERNAL);
	log_cstr(&l, "session", session_id_text(s, id));
	log_fmt(&l, "msg", "nothing can wake the session in state %s", table[s->state].name);
	log_end(&l);
	stat_inc(STAT_BROKEN);
	session_bye(s, CLOSE_BROKEN, "[SERVERBUG] Internal error.");
}

static void
login_expired(struct deadline *d, void *arg)
{
	struct login *login = container_of(d, struct login, until);
	(void)arg;
	session_bye(login->session, CLOSE_LOGIN_TIMEOUT, "[UNAVAILABLE] Too long without a login.");
}

/* --- the worker's side */

/* Before there is a session: the client is told, and the connection goes. */
static void
refuse(struct session_env *env, const struct listen *listen, struct conn **conn,
    const struct addr *peer, const char *why)
{
	struct log_line l;
	struct err err;
	log_begin(&l, LOG_WARN, EV_ACCEPT_FAILED);
	log_addr(&l, "client", peer);
	log_cstr(&l, "listener", listen->name);
	log_cstr(&l, "reason", why);
	log_end(&l);
	stat_inc(STAT_REFUSED);
	(void)env;
	bool told =
	    listen->tls != TLS_MODE_IMPLICIT &&
	    conn_write_slice(*conn,
		SLICE("* BYE [UNAVAILABLE] Too many connections, try again later.\r\n"), &err) == 1;
	conn_close(conn, told ? CONN_LINGER : CONN_CLOSE);
}

void
session_accept(struct session_env *env, const struct listen *listen, struct conn **conn,
    const struct addr *peer, const struct addr *local)
{
	session_accept_under(env, env->snapshot, listen, conn, peer, local);
}

void
session_accept_under(struct session_env *env, struct snapshot *snapshot,
    const struct listen *listen, struct conn **conn, const struct addr *peer,
    const struct addr *local)
{
	(void)local;
	stat_inc(STAT_CONNECTIONS);
	unsigned most = env->snapshot->proxy.max_sessions / env->share;
	if (env->stopping || env->count >= (most > 0 ? most : 1)) {
		refuse(env, listen, conn, peer, env->stopping ? "stopping" : "max_sessions");
		return;
	}
	struct session *s = mem_pool_get(env->sessions);
	struct login *login = s ? mem_pool_get(env->login_pool) : NULL;
	if (!login) {
		mem_pool_put(env->sessions, s);
		refuse(env, listen, conn, peer, "out of memory");
		return;
	}
	s->magic = SESSION_MAGIC;
	s->env = env;
	s->id = env->next_id++;
	s->client = *conn;
	*conn = NULL;
	s->peer = *peer;
	addr_unmap(&s->peer);
	s->began = loop_now(env->loop);
	s->login = login;
	login->session = s;
	login->snapshot = snapshot_ref(snapshot);
	login->listen = listen;
	size_t room = front_command_max(&snapshot->proxy);
	buf_init(&login->in, room > CONN_WRITE_MAX ? room : CONN_WRITE_MAX, true);
	frame_init(&login->frame, FRAME_CLIENT);
	list_append(&env->logins, &s->node);
	env->count++;
	stat_inc(STAT_CLIENTS_NOW);
	deadline_set(&env->login_times, &login->until);
	conn_set_handler(s->client, front_event, s);
	front_begin(s);
	session_check(s);
}

void
session_answer(struct session_env *env, const struct route_answer *answer)
{
	struct htab_node *n = htab_find(
	    &env->questions, (struct slice){ (const char *)&answer->id, sizeof(answer->id) });
	if (!n) { /* the client did not wait */
		login_unused(env, answer);
		return;
	}
	struct session *s = container_of(n, struct login, asked)->session;
	login_answer(s, answer);
	session_check(s);
}

static bool
lose_question(struct htab_node *n, void *arg)
{
	(void)arg;
	struct session *s = container_of(n, struct login, asked)->session;
	login_fail(s, FAIL_DIRECTORY, "the directory process is gone");
	session_check(s);
	return true;
}

void
session_directory_lost(struct session_env *env)
{
	htab_walk(&env->questions, lose_question, NULL);
}

void
session_report(struct session_env *env)
{
	list_foreach (n, &env->relays) {
		struct session *s = list_entry(n, struct session, node);
		env->hooks->opened(env->ctx, slice_of(s->user), slice_of(s->backend));
	}
}

void
session_learn(struct session_env *env, struct slice backend, struct slice capabilities)
{
	char name[BACKEND_NAME_MAX];
	struct capability_list list;
	if (str_put(name, sizeof(name), backend) && capability_parse(&list, capabilities))
		(void)announce_learn(env->announce, name, &list);
}

void
session_configure(struct session_env *env, struct snapshot *snapshot)
{
	struct snapshot *old = env->snapshot;
	env->snapshot = snapshot_ref(snapshot);
	snapshot_unref(&old);
	env->login_times.seconds = snapshot->proxy.login_timeout;
	env->delays.seconds = snapshot->proxy.auth_failure_delay;
	while (env->delays.seconds <= 0 && !list_empty(&env->delays.members)) {
		struct deadline *d = list_entry(env->delays.members.next, struct deadline, node);
		deadline_clear(d);
		login_delay_over(d, env);
	}
	env->idles.seconds = snapshot->proxy.idle_timeout;
	announce_configure(env->announce, snapshot);
}

#define STALL_SECONDS       300
#define HALF_CLOSED_SECONDS 60
#define STOP_TICK           0.1

struct session_env *
session_env_new(struct loop *loop, struct conn_env *conns, const struct session_hooks *hooks,
    void *ctx, unsigned share)
{
	struct session_env *env = mem_zalloc(sizeof(*env));
	if (!env)
		return NULL;
	env->loop = loop;
	env->conns = conns;
	env->hooks = hooks;
	env->ctx = ctx;
	env->share = share > 0 ? share : 1;
	list_init(&env->logins);
	list_init(&env->relays);
	list_init(&env->graveyard);
	list_init(&env->cursors);
	list_init(&env->traces);
	htab_init(&env->questions);
	uint32_t high;
	if (upstream_env_init(&env->upstreams, loop, conns) != 1 ||
	    !secret_random(&high, sizeof(high)))
		goto out;
	env->next_id = (uint64_t)high << 32 | 1; /* ids of two workers, or two runs, differ */
	env->next_question = 1;
	env->sessions = mem_pool_new("session", sizeof(struct session));
	env->login_pool = mem_pool_new("login", sizeof(struct login));
	env->announce = announce_new();
	env->scratch = mem_alloc(CONN_WRITE_MAX);
	deadline_list_init(loop, &env->login_times, 60, login_expired, env);
	deadline_list_init(loop, &env->delays, 2, login_delay_over, env);
	deadline_list_init(loop, &env->idles, 0, relay_expired, env);
	deadline_list_init(loop, &env->stalls, STALL_SECONDS, relay_stalled, env);
	deadline_list_init(loop, &env->half_closed, HALF_CLOSED_SECONDS, relay_half_closed, env);
	if (env->sessions && env->login_pool && env->announce && env->scratch)
		return env;
out:
	session_env_free(&env);
	return NULL;
}

void
session_env_free(struct session_env **envp)
{
	struct session_env *env = *envp;
	if (!env)
		return;
	list_foreach_safe (n, &env->logins)
		session_close(list_entry(n, struct session, node), CLOSE_SHUTDOWN);
	list_foreach_safe (m, &env->relays)
		session_close(list_entry(m, struct session, node), CLOSE_SHUTDOWN);
	loop_timer_stop(&env->stop_timer);
	loop_defer_cancel(&env->reaper);
	env->stopping = false;
	list_foreach_safe (cursor, &env->cursors)
		session_walk_end(list_entry(cursor, struct session_cursor, node));
	session_trace_end_all(env);
	if (env->sessions)
		reap(&env->reaper);
	upstream_env_free(&env->upstreams);
	deadline_list_stop(&env->login_times);
	deadline_list_stop(&env->delays);
	deadline_list_stop(&env->idles);
	deadline_list_stop(&env->stalls);
	deadline_list_stop(&env->half_closed);
	announce_free(&env->announce);
	snapshot_unref(&env->snapshot);
	htab_free(&env->questions);
	mem_free(env->scratch);
	mem_pool_free(&env->sessions);
	mem_pool_free(&env->login_pool);
	mem_free(env);
	*envp = NULL;
}

/* Lets relays go evenly over the time that was given, so that their clients do not all come back at once. */
static void
stop_some(struct loop_timer *t)
{
	struct session_env *env = container_of(t, struct session_env, stop_timer);
	double left = env->stop_until - loop_now(env->loop);
	unsigned keep = 0;
	if (left >= STOP_TICK)
		keep = (unsigned)((double)env->stop_count * left / env->stop_seconds);
	list_foreach_safe (n, &env->relays) {
		if (env->count <= keep)
			break;
		session_close(list_entry(n, struct session, node), CLOSE_SHUTDOWN);
	}
	if (env->count > 0)
		loop_timer_set(&env->stop_timer, STOP_TICK);
}

void
session_stop(struct session_env *env, double seconds)
{
	if (env->stopping)
		return;
	env->stopping = true;
	env->stop_until = loop_now(env->loop) + seconds;
	list_foreach_safe (n, &env->logins)
		session_bye(list_entry(n, struct session, node), CLOSE_SHUTDOWN,
		    "[UNAVAILABLE] The server is going down, try again.");
	env->stop_count = env->count;
	env->stop_seconds = seconds;
	loop_timer_init(env->loop, &env->stop_timer, stop_some);
	if (!list_empty(&env->relays))
		loop_timer_set(&env->stop_timer, STOP_TICK);
	loop_defer(env->loop, &env->reaper, reap); /* says empty, where it is */
}

unsigned
session_count(const struct session_env *env)
{
	return env->count;
}
