/*
 * io/conn_env.c - what the connections of a loop have in common: memory, scratch buffers, waking and burying.
 *
 * Events that no descriptor reports are told here, once a turn. A closed conn is on the list of the dead until then,
 * so that a handler may close its own connection, or another one, and return.
 */
#include "base/mem.h"
#include "base/secret.h"
#include "io/conn_ops.h"

/* What waits may be a login on its way to a store without TLS: it is wiped wherever it is let go. */
bool
conn_chunk_append(struct conn_chunk **kp, const char *p, size_t len)
{
	struct conn_chunk *k = *kp;
	size_t have = conn_chunk_len(k);

	if (k && k->cap - k->end < len && k->start > 0) {
		memmove(k->data, k->data + k->start, have);
		k->start = 0;
		k->end = (uint32_t)have;
	}
	if (!k || k->cap - k->end < len) {
		size_t cap = have + len;

		k = mem_alloc(sizeof(*k) + cap);
		if (!k)
			return false;
		k->start = 0;
		k->end = (uint32_t)have;
		k->cap = (uint32_t)cap;
		if (have > 0)
			memcpy(k->data, (*kp)->data + (*kp)->start, have);
		conn_chunk_free(kp);
		*kp = k;
	}
	memcpy(k->data + k->end, p, len);
	k->end += (uint32_t)len;
	return true;
}

void
conn_chunk_free(struct conn_chunk **k)
{
	if (!*k)
		return;
	secret_wipe((*k)->data, (*k)->cap);
	mem_free(*k);
	*k = NULL;
}

void
conn_tell(struct conn *c, int events)
{
	if (!events)
		return;
	if (!c->fn) {
		c->wake |= (uint8_t)events;
		return;
	}
	c->fn(c, events, c->arg); /* may close it */
}

/* Those woken before this turn's end, then those that died. */
static void
on_task(struct loop_task *t)
{
	struct conn_env *env = container_of(t, struct conn_env, task);
	struct list now;

	list_init(&now);
	list_foreach_safe (node, &env->woken) {
		list_remove(node);
		list_append(&now, node);
	}
	while (!list_empty(&now)) {
		struct conn *c = list_entry(now.next, struct conn, node);
		int events = c->wake;

		list_remove(&c->node);
		c->wake = 0;
		if (c->state != CONN_OPEN)
			events &= CONN_UP;
		else
			events &= ~CONN_UP;
		if (!c->want_read && !c->write_error)
			events &= ~CONN_IN;
		conn_tell(c, events);
	}
	while (!list_empty(&env->dead)) {
		struct conn *c = list_entry(env->dead.next, struct conn, node);

		list_remove(&c->node);
		mem_pool_put(env->pool, c);
	}
}

void
conn_wake(struct conn *c, int events)
{
	c->wake |= (uint8_t)events;
	if (!c->fn || list_linked(&c->node))
		return;
	list_append(&c->env->woken, &c->node);
	loop_defer(c->env->loop, &c->env->task, on_task);
}

struct conn *
conn_alloc(struct conn_env *env, const struct conn_ops *ops)
{
	struct conn *c = mem_pool_get(env->pool);

	if (!c)
		return NULL;
	c->ops = ops;
	c->env = env;
	c->fd = -1;
	c->state = CONN_OPEN;
	env->open++;
	return c;
}

void
conn_bury(struct conn *c)
{
	list_remove(&c->node);
	list_append(&c->env->dead, &c->node);
	loop_defer(c->env->loop, &c->env->task, on_task);
	c->env->open--;
}

struct conn_env *
conn_env_new(struct loop *loop)
{
	struct conn_env *env = mem_zalloc(sizeof(*env));

	if (!env)
		return NULL;
	env->loop = loop;
	list_init(&env->woken);
	list_init(&env->dead);
	env->pool = mem_pool_new("conn", sizeof(struct conn));
	env->raw = mem_alloc(CONN_RAW_SIZE);
	env->seal = mem_alloc(CONN_SEAL_SIZE);
	env->gather = mem_alloc(16384);
	env->lingers = linger_list_new(env);
	if (!env->pool || !env->raw || !env->seal || !env->gather || !env->lingers)
		conn_env_free(&env);
	return env;
}

void
conn_env_free(struct conn_env **envp)
{
	struct conn_env *env = *envp;

	if (!env)
		return;
	*envp = NULL;
	ASSERT(env->open == 0);
	loop_defer_cancel(&env->task);
	if (env->pool) {
		on_task(&env->task); /* frees the dead */
		mem_pool_free(&env->pool);
	}
	linger_list_free(&env->lingers);
	mem_free(env->raw);
	mem_free(env->seal);
	mem_free(env->gather);
	mem_free(env);
}

unsigned
conn_env_open(const struct conn_env *env)
{
	return env->open + linger_count(env->lingers);
}
