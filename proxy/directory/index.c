/*
 * directory/index.c - pools and backends by name, and the candidates of a pool.
 *
 * Built anew with each configuration; refers to its arrays and owns only tables and counts. Balancing by sessions would
 * send a whole burst of logins to the one store that had the fewest before it, since reports come only after the login: so
 * an answer is counted as a promise until its session is reported, or for 10 to 20 seconds.
 */
#include "directory/index.h"

#include "base/mem.h"

#define CHAIN_MAX                                                                                  \
	16 /* pools behind each other by fallback: a circle in a configuration does not hang us */
#define FALLBACK_PLACES 2

struct index_backend {
	struct htab_node node;
	const struct backend *backend;
	double affinity_time;
	uint64_t sessions;
	unsigned promised[2]; /* of this while, of the one before */
	struct health health;
};

struct index_pool {
	struct htab_node node;
	const struct pool *pool;
};

static struct index_backend *
backend_find(const struct index *x, struct slice name)
{
	struct htab_node *node = htab_find(&x->backends_by_name, name);

	return node ? container_of(node, struct index_backend, node) : NULL;
}

static void
load_refresh(struct index *x, const struct index_backend *b)
{
	x->loads[b->backend->index].sessions = b->sessions + b->promised[0] + b->promised[1];
}

/* --- building */

/* Every backend that @pool leads to keeps its users at least as long as @pool says. */
static void
affinity_spread(struct index *x, const struct pool *pool)
{
	double seconds = pool->affinity ? pool->affinity_time : 0;
	const struct pool *p = pool;

	for (unsigned depth = 0; p && depth < CHAIN_MAX; depth++, p = p->fallback) {
		for (unsigned i = 0; i < p->n; i++) {
			struct index_backend *b = &x->backends[p->backends[i]->index];

			if (b->affinity_time < seconds)
				b->affinity_time = seconds;
		}
	}
}

static bool
backends_fill(struct index *x, const struct index *old, const struct affinity *affinity, double now)
{
	for (unsigned i = 0; i < x->config.n_backends; i++) {
		const struct backend *backend = &x->config.backends[i];
		struct index_backend *b = &x->backends[i], *before = NULL;

		ASSERT(backend->index == i);
		b->backend = backend;
		b->node.key = slice_of(backend->name);
		if (old)
			before = backend_find(old, b->node.key);
		if (before) {
			memcpy(b->promised, before->promised, sizeof(b->promised));
			b->health = before->health;
			x->loads[i].virtual_time = old->loads[before->backend->index].virtual_time;
		}
		if (!before)
			health_init(
			    &b->health, &(struct health_config){ .rise = 2, .fall = 3 }, now);
		b->sessions = affinity_sessions(affinity, b->node.key);
		load_refresh(x, b);
		if (!backend_find(x, b->node.key) && !htab_insert(&x->backends_by_name, &b->node))
			return false;
	}
	return true;
}

bool
index_build(struct index *x, const struct directory_config *config, const struct index *old,
    const struct affinity *affinity, double now)
{
	memset(x, 0, sizeof(*x));
	x->config = *config;
	htab_init(&x->backends_by_name);
	htab_init(&x->pools_by_name);
	x->backends = mem_zalloc((config->n_backends + (size_t)1) * sizeof(*x->backends));
	x->loads = mem_zalloc((config->n_backends + (size_t)1) * sizeof(*x->loads));
	x->pools = mem_zalloc((config->n_pools + (size_t)1) * sizeof(*x->pools));
	if (!x->backends || !x->loads || !x->pools || !backends_fill(x, old, affinity, now))
		goto fail;
	for (unsigned i = 0; i < config->n_pools; i++) {
		struct index_pool *p = &x->pools[i];

		p->pool = &config->pools[i];
		p->node.key = slice_of(p->pool->name);
		/* Of two of one name the first counts: named pools stand before backends. */
		if (!index_pool(x, p->node.key) && !htab_insert(&x->pools_by_name, &p->node))
			goto fail;
		affinity_spread(x, p->pool);
	}
	if (old)
		x->promises_turned = old->promises_turned;
	return true;
fail:
	index_free(x);
	return false;
}

void
index_free(struct index *x)
{
	htab_free(&x->backends_by_name);
	htab_free(&x->pools_by_name);
	mem_free(x->backends);
	mem_free(x->loads);
	mem_free(x->pools);
	memset(x, 0, sizeof(*x));
}

const struct pool *
index_pool(const struct index *x, struct slice name)
{
	struct htab_node *node = htab_find(&x->pools_by_name, name);

	return node ? container_of(node, struct index_pool, node)->pool : NULL;
}

double
index_affinity_time(const struct index *x, struct slice name)
{
	const struct index_backend *b = backend_find(x, name);

	return b ? b->affinity_time : 0;
}

/* --- counting */

void
index_sessions(struct index *x, struct slice name, uint64_t sessions, bool opened)
{
	struct index_backend *b = backend_find(x, name);

	if (!b)
		return;
	b->sessions = sessions;
	if (opened && b->promised[1] > 0)
		b->promised[1]--;
	else if (opened && b->promised[0] > 0)
		b->promised[0]--;
	load_refresh(x, b);
}

void
index_promise(struct index *x, struct slice name)
{
	struct index_backend *b = backend_find(x, name);

	if (!b)
		return;
	b->promised[0]++;
	load_refresh(x, b);
}

void
index_promises_turn(struct index *x, double now)
{
	double since = now - x->promises_turned;

	if (since < INDEX_PROMISE_SECONDS)
		return;
	x->promises_turned = now;
	for (unsigned i = 0; i < x->config.n_backends; i++) {
		struct index_backend *b = &x->backends[i];

		b->promised[1] = since < 2 * INDEX_PROMISE_SECONDS ? b->promised[0] : 0;
		b->promised[0] = 0;
		load_refresh(x, b);
	}
}

/* --- candidates */

const struct backend *
index_in_chain(const struct pool *pool, struct slice name)
{
	for (unsigned depth = 0; pool && depth < CHAIN_MAX; depth++, pool = pool->fallback)
		for (unsigned i = 0; i < pool->n; i++)
			if (slice_eq_cstr(name, pool->backends[i]->name))
				return pool->backends[i];
	return NULL;
}

static bool
is_among(const struct backend *b, const struct backend *const *order, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (order[i] == b)
			return true;
	return false;
}

/* How many may be there after @pool was added to the @n before it: the rest is left for what is behind it. */
static unsigned
places(const struct pool *pool, unsigned n)
{
	unsigned left = 0;

	pool = pool->fallback;
	for (unsigned depth = 0; pool && depth < CHAIN_MAX; depth++, pool = pool->fallback)
		left += pool->n < FALLBACK_PLACES ? pool->n : FALLBACK_PLACES;
	return n + left < ROUTE_CANDIDATES ? ROUTE_CANDIDATES - left : n + 1;
}

struct health *
index_health(struct index *x, const struct backend *b)
{
	return &x->backends[b->index].health;
}

const struct health *
index_health_of(const struct index *x, const struct backend *b)
{
	return &x->backends[b->index].health;
}

const struct backend *
index_backend(const struct index *x, struct slice name)
{
	const struct index_backend *b = backend_find(x, name);

	return b ? b->backend : NULL;
}

bool
index_usable(struct index *x, const struct backend *b, double now, bool pinned, bool dry)
{
	struct health *h = index_health(x, b);

	if (!h->config.checked)
		(void)health_tick(h, now); /* down for long enough: one login may try */
	return dry ? health_would_allow(h, now, pinned) : health_allows(h, now, pinned);
}

static bool
in_maintenance(struct index *x, const struct backend *b)
{
	return index_health(x, b)->admin == ADMIN_MAINTENANCE;
}

unsigned
index_candidates(
    struct index *x, struct index_wish *w, const struct backend *order_r[ROUTE_CANDIDATES])
{
	const struct backend *order[POOL_BACKENDS_MAX];
	const struct pool *pool = w->pool;
	unsigned n = 0;

	w->maintenance = w->first && in_maintenance(x, w->first);
	if (w->maintenance)
		return 0;
	if (w->first && index_usable(x, w->first, w->now, false, w->dry))
		order_r[n++] = w->first;
	for (unsigned depth = 0; pool && depth < CHAIN_MAX; depth++, pool = pool->fallback) {
		unsigned max = places(pool, n);

		if (n == ROUTE_CANDIDATES)
			break;
		pool_order(pool, w->user, x->loads, order);
		if (depth == 0 && !w->first && pool->balance == BALANCE_HASH && pool->n > 0 &&
		    in_maintenance(x, order[0])) {
			w->maintenance = true;
			return 0;
		}
		/* The one login that a store on trial gets is spent only on one that begins there. */
		for (unsigned i = 0; i < pool->n && n < max; i++)
			if (!is_among(order[i], order_r, n) &&
			    (n == 0 ? index_usable(x, order[i], w->now, false, w->dry)
				    : index_health(x, order[i])->state == HEALTH_UP &&
					  index_usable(x, order[i], w->now, false, true)))
				order_r[n++] = order[i];
		if (depth == 0 && !w->first && n > 0 && !w->dry)
			pool_picked(pool, order_r[0], x->loads);
	}
	return n;
}
