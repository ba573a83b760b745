/*
 * directory/names.c - resolved host names, kept as long as they are good for, and longer while there is nothing better.
 *
 *      name_ask:   fresh                        -> known
 *                  failed within NAMES_RETRY    -> known, as far as it is: old addresses, or none
 *                  else ask the resolver, and
 *                    old addresses, last failed -> known: nobody waits for a resolver that is down
 *                    otherwise                  -> wait for the answer
 *
 * An entry is held by who uses it; one that nobody holds and that is not being asked for is in the idle list, oldest
 * first, and goes when there is no room. The resolver's question refers to the entry, so an entry being asked for stays.
 */
#include "directory/names.h"

#include "base/htab.h"
#include "base/log.h"
#include "base/mem.h"

#define HOST_MAX 256 /* with its NUL: what a domain name can be, and what a backend's host may be */

struct name {
	struct htab_node node;
	struct names *names;
	struct list idle; /* on names->idle, or off */
	struct list waits;
	unsigned refs;
	bool literal; /* never expires */
	bool asking;
	bool failed;     /* last time */
	double expires;  /* addrs are fresh until then */
	double retry_at; /* failed: not asked for before */
	double logged_at;
	unsigned n;
	struct addr addrs[RESOLVE_MAX];
	char host[];
};

struct names {
	struct loop *loop;
	struct resolver *resolver;
	struct htab table;
	struct list idle;
	size_t max;
};

/* --- entries */

static void
name_free(struct names *n, struct name *name)
{
	list_remove(&name->idle);
	htab_remove(&n->table, &name->node);
	mem_free(name);
}

static void
name_rest(struct names *n, struct name *name)
{
	if (name->refs == 0 && !name->asking && !list_linked(&name->idle))
		list_append(&n->idle, &name->idle);
}

struct name *
name_get(struct names *n, const char *host)
{
	char lower[HOST_MAX];
	size_t len = strlen(host);
	struct htab_node *node;
	struct name *name;

	if (len == 0 || len >= sizeof(lower))
		return NULL;
	for (size_t i = 0; i <= len; i++)
		lower[i] = ascii_lower(host[i]);
	node = htab_find(&n->table, (struct slice){ lower, len });
	if (node) {
		name = container_of(node, struct name, node);
		list_remove(&name->idle);
		name->refs++;
		return name;
	}
	if (n->table.count >= n->max) {
		if (list_empty(&n->idle))
			return NULL;
		name_free(n, list_entry(n->idle.next, struct name, idle));
	}
	name = mem_zalloc(sizeof(*name) + len + 1);
	if (!name)
		return NULL;
	memcpy(name->host, lower, len);
	name->names = n;
	name->node.key = (struct slice){ name->host, len };
	list_init(&name->waits);
	name->logged_at = -NAMES_LOG_EVERY;
	name->literal = addr_parse_ip(&name->addrs[0], name->node.key, 0);
	name->n = name->literal;
	if (!htab_insert(&n->table, &name->node)) {
		mem_free(name);
		return NULL;
	}
	name->refs = 1;
	return name;
}

void
name_put(struct names *n, struct name **name)
{
	struct name *e = *name;

	if (!e)
		return;
	*name = NULL;
	ASSERT(e->refs > 0);
	e->refs--;
	name_rest(n, e);
}

/* --- asking */

static void
name_failed(struct name *name, const struct err *err)
{
	double now = loop_now(name->names->loop);
	struct log_line l;

	name->failed = true;
	name->retry_at = now + NAMES_RETRY;
	if (now - name->logged_at < NAMES_LOG_EVERY)
		return;
	name->logged_at = now;
	log_begin(&l, LOG_WARN, EV_RESOLVE_FAILED);
	log_cstr(&l, "host", name->host);
	log_cstr(&l, "error", err->text);
	log_u64(&l, "old_addresses", name->n); /* these are used meanwhile */
	log_end(&l);
}

static void
on_resolved(
    void *arg, const struct addr *addrs, unsigned count, unsigned ttl, const struct err *err)
{
	struct name *name = arg;
	struct names *n = name->names;
	struct list told;

	name->asking = false;
	if (count > 0) {
		if (ttl < NAMES_TTL_MIN)
			ttl = NAMES_TTL_MIN;
		if (ttl > NAMES_TTL_MAX)
			ttl = NAMES_TTL_MAX;
		name->n = count < RESOLVE_MAX ? count : RESOLVE_MAX;
		memcpy(name->addrs, addrs, name->n * sizeof(*addrs));
		name->expires = loop_now(n->loop) + ttl;
		name->failed = false;
	} else {
		name_failed(name, err);
	}
	/*
	 * Whoever is told may ask again, or take others off: a list of its own, from which each is taken first. The
	 * reference keeps the entry meanwhile.
	 */
	name->refs++;
	list_init(&told);
	while (!list_empty(&name->waits)) {
		struct list *node = name->waits.next;

		list_remove(node);
		list_append(&told, node);
	}
	while (!list_empty(&told)) {
		struct name_wait *w = list_entry(told.next, struct name_wait, node);

		list_remove(&w->node);
		w->fn(w);
	}
	name_put(n, &name);
}

bool
name_ask(struct names *n, struct name *name, struct name_wait *w, name_fn *fn)
{
	double now = loop_now(n->loop);
	struct err err;

	if (name->literal || (name->n > 0 && !name->failed && now < name->expires))
		return true;
	if (!name->asking) {
		if (name->failed && now < name->retry_at)
			return true;
		if (resolver_ask(n->resolver, name->host, 0, on_resolved, name) < 0) {
			err_set(&err, "too many names are being resolved, or out of memory");
			name_failed(name, &err);
			return true;
		}
		name->asking = true;
		list_remove(&name->idle);
	}
	if (name->failed && name->n > 0)
		return true;
	if (w) {
		w->fn = fn;
		list_append(&name->waits, &w->node);
	}
	return false;
}

void
name_wait_cancel(struct name_wait *w)
{
	list_remove(&w->node);
}

/* --- what is known */

unsigned
name_addrs(const struct name *name, uint16_t port, struct addr addrs[RESOLVE_MAX])
{
	for (unsigned i = 0; i < name->n; i++) {
		addrs[i] = name->addrs[i];
		addr_set_port(&addrs[i], port);
	}
	return name->n;
}

const char *
name_host(const struct name *name)
{
	return name->host;
}

size_t
names_count(const struct names *n)
{
	return n->table.count;
}

/* --- the whole */

struct names *
names_new_bounded(struct loop *loop, size_t max, struct err *err)
{
	struct names *n = mem_zalloc(sizeof(*n));

	if (!n) {
		err_set(err, "out of memory");
		return NULL;
	}
	n->loop = loop;
	n->max = max;
	htab_init(&n->table);
	list_init(&n->idle);
	n->resolver = resolver_new(loop, err);
	if (!n->resolver) {
		mem_free(n);
		return NULL;
	}
	return n;
}

struct names *
names_new(struct loop *loop, struct err *err)
{
	return names_new_bounded(loop, NAMES_MAX, err);
}

static bool
free_one(struct htab_node *node, void *arg)
{
	struct name *name = container_of(node, struct name, node);

	ASSERT(name->refs == 0);
	name_free(arg, name);
	return true;
}

void
names_free(struct names **n)
{
	if (!*n)
		return;
	resolver_free(&(*n)->resolver); /* first: its questions refer to entries */
	htab_walk(&(*n)->table, free_one, *n);
	htab_free(&(*n)->table);
	mem_free(*n);
	*n = NULL;
}
