/*
 * tests/unit/fake_conn.c - io/conn.h in memory; see fake_conn.h.
 *
 *      owner -> conn_write -> pending -> (takes) -> peer->out -> test
 *      owner <- conn_read  <- peer->in <- fake_peer_send <- test
 *
 * Ready conns wait on env->ready for one deferred task, which tells each of them once a turn; one that still has
 * something to tell afterwards waits for the next turn. Dead ones are freed behind them.
 */
#include "fake_conn.h"

#include "base/list.h"
#include "base/mem.h"

enum state { CONNECTING, SHAKING, UP, FAILED, DEAD };

struct conn {
	struct list node; /* env->ready, or env->dead */
	struct conn_env *env;
	struct fake_peer *peer;
	conn_fn *fn;
	void *arg;
	enum state state;
	bool decided; /* connecting or shaking: how it ends is known */
	bool good;
	bool want_read, shut, eof_told, error_told;
	int wake; /* set of enum conn_event, told whatever the level says */
	uint64_t bytes_in, bytes_out;
};

struct conn_env {
	struct loop *loop;
	struct list ready, dead;
	struct loop_task task;
	struct fake_peer *peers, **last_peer;
	unsigned open;
	bool fail_dial;
};

#define BUF_BOUND ((size_t)16 << 20)

static struct conn_env *last_env;

/* --- telling */

static void on_task(struct loop_task *t);

static int
events_of(const struct conn *c)
{
	int events = c->wake;
	bool readable = c->peer->in.end > c->peer->in.start || (c->peer->ended && !c->eof_told) ||
			(c->peer->reset && !c->error_told);

	switch (c->state) {
	case CONNECTING:
	case SHAKING:
		return (events & CONN_UP) | (c->decided ? CONN_UP : 0);
	case FAILED:
	case DEAD:
		return 0;
	case UP:
		break;
	}
	events &= ~CONN_UP;
	if (!c->want_read && !c->peer->reset)
		events &= ~CONN_IN;
	if (c->want_read && readable)
		events |= CONN_IN;
	return events;
}

static void
arm(struct conn *c)
{
	if (!c->fn || c->state == DEAD || list_linked(&c->node) || !events_of(c))
		return;
	list_append(&c->env->ready, &c->node);
	loop_defer(c->env->loop, &c->env->task, on_task);
}

static void
on_task(struct loop_task *t)
{
	struct conn_env *env = container_of(t, struct conn_env, task);
	struct list now;

	list_init(&now);
	while (!list_empty(&env->ready)) {
		struct list *n = env->ready.next;

		list_remove(n);
		list_append(&now, n);
	}
	while (!list_empty(&now)) {
		struct conn *c = list_entry(now.next, struct conn, node);
		int events = events_of(c);

		list_remove(&c->node);
		if (!c->fn)
			continue;
		c->wake = 0;
		if (events)
			c->fn(c, events, c->arg);
		arm(c);
	}
	list_foreach_safe (node, &env->dead) {
		list_remove(node);
		mem_free(list_entry(node, struct conn, node));
	}
}

static void
wake(struct conn *c, int events)
{
	c->wake |= events;
	arm(c);
}

/* --- the peer's side */

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fake_conn: %s\n", what);
	abort();
}

/* What waits goes as far as the peer takes it. True when something waited and nothing does now. */
static bool
flush(struct fake_peer *p)
{
	size_t n = buf_len(&p->pending), waited = n;

	if (n > p->takes)
		n = p->takes;
	if (n > 0) {
		must(buf_put(&p->out, p->pending.data + p->pending.start, n), "out of memory");
		buf_consume(&p->pending, n);
		if (p->takes != SIZE_MAX)
			p->takes -= n;
	}
	if (buf_len(&p->pending) > 0)
		return false;
	if ((p->conn && p->conn->shut) || (p->closed && p->how != CONN_ABORT))
		p->got_fin = true;
	return waited > 0;
}

void
fake_peer_takes(struct fake_peer *p, size_t n)
{
	p->takes = n;
	if (flush(p) && p->conn)
		wake(p->conn, CONN_OUT);
}

void
fake_peer_send(struct fake_peer *p, const void *bytes, size_t len)
{
	if (p->reset || p->ended || !p->conn)
		return; /* nobody reads it any more */
	must(buf_put(&p->in, bytes, len), "out of memory");
	arm(p->conn);
}

void
fake_peer_end(struct fake_peer *p)
{
	p->ended = true;
	if (p->conn)
		arm(p->conn);
}

void
fake_peer_reset(struct fake_peer *p)
{
	bool waited = buf_len(&p->pending) > 0;

	p->reset = true;
	buf_free(&p->in);
	buf_free(&p->pending);
	if (!p->conn)
		return;
	if (p->conn->state == CONNECTING || p->conn->state == SHAKING) {
		p->conn->decided = true;
		p->conn->good = false;
	}
	wake(p->conn, waited ? CONN_IN | CONN_OUT : 0);
}

static void
decide(struct fake_peer *p, enum state in, bool good)
{
	if (!p->conn || p->conn->state != in)
		return;
	p->conn->decided = true;
	p->conn->good = good;
	arm(p->conn);
}

void
fake_peer_connect(struct fake_peer *p)
{
	decide(p, CONNECTING, true);
}

void
fake_peer_refuse(struct fake_peer *p)
{
	decide(p, CONNECTING, false);
}

void
fake_peer_tls(struct fake_peer *p, bool good)
{
	decide(p, SHAKING, good);
}

struct fake_peer *
fake_conn_peer(struct conn *c)
{
	return c->peer;
}

struct fake_peer *
fake_conn_peers(struct conn_env *env)
{
	return env->peers;
}

struct conn_env *
fake_conn_env(void)
{
	return last_env;
}

void
fake_conn_fail_dial(struct conn_env *env)
{
	env->fail_dial = true;
}

/* --- io/conn.h */

struct conn_env *
conn_env_new(struct loop *loop)
{
	struct conn_env *env = mem_zalloc(sizeof(*env));

	if (!env)
		return NULL;
	last_env = env;
	env->loop = loop;
	env->last_peer = &env->peers;
	list_init(&env->ready);
	list_init(&env->dead);
	return env;
}

void
conn_env_free(struct conn_env **envp)
{
	struct conn_env *env = *envp;

	if (!env)
		return;
	*envp = NULL;
	must(env->open == 0, "connections are open at the end");
	if (last_env == env)
		last_env = NULL;
	loop_defer_cancel(&env->task);
	on_task(&env->task);
	while (env->peers) {
		struct fake_peer *p = env->peers;

		env->peers = p->next;
		buf_free(&p->in);
		buf_free(&p->out);
		buf_free(&p->pending);
		mem_free(p);
	}
	mem_free(env);
}

unsigned
conn_env_open(const struct conn_env *env)
{
	return env->open;
}

static struct conn *
new_conn(struct conn_env *env, enum state state)
{
	struct conn *c = mem_zalloc(sizeof(*c));
	struct fake_peer *p = mem_zalloc(sizeof(*p));

	must(c && p, "out of memory");
	c->env = env;
	c->peer = p;
	c->state = state;
	p->conn = c;
	p->takes = SIZE_MAX;
	buf_init(&p->in, BUF_BOUND, true);
	buf_init(&p->out, BUF_BOUND, true);
	buf_init(&p->pending, BUF_BOUND, true);
	*env->last_peer = p;
	env->last_peer = &p->next;
	env->open++;
	return c;
}

struct conn *
fake_conn_new(struct conn_env *env)
{
	return new_conn(env, UP);
}

struct conn *
conn_new(struct conn_env *env, int fd)
{
	must(fd < 0, "there are no sockets here");
	return new_conn(env, UP);
}

struct conn *
conn_dial(struct conn_env *env, const struct addr *to, const struct addr *source, struct err *err)
{
	struct conn *c;

	if (env->fail_dial) {
		env->fail_dial = false;
		(void)err_set(err, "cannot dial: no route");
		return NULL;
	}
	c = new_conn(env, CONNECTING);
	c->peer->dialled = true;
	c->peer->to = *to;
	if (source)
		c->peer->source = *source;
	return c;
}

void
conn_set_handler(struct conn *c, conn_fn *fn, void *arg)
{
	c->fn = fn;
	c->arg = arg;
	arm(c);
}

int
conn_establish(struct conn *c, struct err *err)
{
	switch (c->state) {
	case CONNECTING:
	case SHAKING:
		if (!c->decided)
			return 0;
		break;
	case UP:
		return 1;
	case FAILED:
	case DEAD:
		return err_set(err, "closed");
	}
	if (!c->good) {
		(void)err_set(err, c->state == CONNECTING ? "cannot connect: Connection refused"
							  : "TLS handshake: bad certificate");
		c->state = FAILED;
		return -1;
	}
	c->peer->tls_up = c->state == SHAKING;
	c->decided = false;
	c->state = UP;
	arm(c);
	return 1;
}

static int
start_tls(struct conn *c, const void *with, const char *name)
{
	must(c->state == UP, "TLS on a connection that is not up");
	must(!c->peer->tls, "TLS twice");
	must(buf_len(&c->peer->pending) == 0, "TLS over bytes that wait");
	must(buf_len(&c->peer->in) == 0, "TLS over bytes that were not read");
	c->state = SHAKING;
	c->peer->tls = true;
	c->peer->tls_with = with;
	(void)str_fmt(c->peer->tls_name, sizeof(c->peer->tls_name), "%s", name ? name : "");
	wake(c, CONN_UP);
	return 1;
}

int
conn_start_tls_server(struct conn *c, struct tls_server *tls, struct err *err)
{
	(void)err;
	return start_tls(c, tls, NULL);
}

int
conn_start_tls_client(struct conn *c, struct tls_client *tls, const char *name, struct err *err)
{
	must(tls != NULL, "TLS without a context");
	(void)err;
	return start_tls(c, tls, name);
}

int
conn_read(struct conn *c, void *p, size_t size, size_t *len_r, struct err *err)
{
	struct buf *in = &c->peer->in;
	size_t n = buf_len(in);

	*len_r = 0;
	if (c->state != UP)
		return 0;
	if (c->eof_told)
		return 1;
	if (c->peer->reset) {
		c->error_told = true;
		return err_set(err, "cannot read: Connection reset by peer");
	}
	if (n == 0) {
		c->eof_told = c->peer->ended;
		return c->eof_told;
	}
	if (size == 0)
		return 0;
	*len_r = n < size ? n : size;
	memcpy(p, in->data + in->start, *len_r);
	buf_consume(in, *len_r);
	c->bytes_in += *len_r;
	return 1;
}

int
conn_write(struct conn *c, const struct iovec *parts, int n, struct err *err)
{
	struct fake_peer *p = c->peer;
	size_t len = 0, waiting = buf_len(&p->pending);

	for (int i = 0; i < n; i++)
		len += parts[i].iov_len;
	if (c->state != UP)
		return err_set(err, "cannot write: not connected");
	if (c->shut)
		return err_set(err, "cannot write: this side has ended");
	if (p->reset)
		return err_set(err, "cannot write: Broken pipe");
	if (len > CONN_WRITE_MAX || (waiting > 0 && waiting + len > CONN_WRITE_MAX))
		return err_set(err, "cannot write %zu bytes: %zu wait already", len, waiting);
	for (int i = 0; i < n; i++)
		must(buf_put(&p->pending, parts[i].iov_base, parts[i].iov_len), "out of memory");
	(void)flush(p);
	c->bytes_out += len;
	return 1;
}

int
conn_write_slice(struct conn *c, struct slice s, struct err *err)
{
	struct iovec part = { (void *)(uintptr_t)s.p, s.len };

	return conn_write(c, &part, 1, err);
}

size_t
conn_pending(const struct conn *c)
{
	size_t n = buf_len(&c->peer->pending);

	return n == 0 && (c->state == CONNECTING || c->state == SHAKING) ? 1 : n;
}

void
conn_want_read(struct conn *c, bool want)
{
	c->want_read = want;
	arm(c);
}

bool
conn_has_input(struct conn *c)
{
	return c->state == UP && buf_len(&c->peer->in) > 0;
}

bool
conn_more(const struct conn *c)
{
	return c->state == UP && c->peer->tls_up && buf_len(&c->peer->in) > 0;
}

void
conn_kick(struct conn *c)
{
	wake(c, CONN_IN);
}

void
conn_shutdown(struct conn *c)
{
	c->shut = true;
	(void)flush(c->peer);
}

void
conn_close(struct conn **cp, enum conn_close_how how)
{
	struct conn *c = *cp;

	if (!c)
		return;
	must(c->state != DEAD, "closed twice");
	*cp = NULL;
	c->peer->conn = NULL;
	c->peer->closed = true;
	c->peer->how = how;
	c->state = DEAD;
	c->fn = NULL;
	buf_free(&c->peer->in);
	(void)flush(c->peer);
	if (how != CONN_LINGER)
		buf_free(&c->peer->pending);
	list_remove(&c->node);
	list_append(&c->env->dead, &c->node);
	loop_defer(c->env->loop, &c->env->task, on_task);
	c->env->open--;
}

void
conn_facts(const struct conn *c, struct conn_facts *facts_r)
{
	memset(facts_r, 0, sizeof(*facts_r));
	facts_r->tls = c->peer->tls;
	if (c->peer->tls_up) {
		facts_r->version = "TLSv1.3";
		facts_r->cipher = "TLS_AES_128_GCM_SHA256";
	}
	facts_r->bytes_in = c->bytes_in;
	facts_r->bytes_out = c->bytes_out;
}
