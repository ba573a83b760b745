/*
 * tests/unit/fake_resolve.c - a resolver that answers from a table; see fake_resolve.h.
 */
#include "fake_resolve.h"

#include "base/mem.h"

#define HOSTS_MAX 64

struct host {
	char name[256];
	struct addr addrs[RESOLVE_MAX];
	unsigned n, ttl, asked;
	bool held;
};

struct query {
	struct list node; /* of resolver->queries */
	struct host *host;
	uint16_t port;
	resolve_fn *fn;
	void *arg;
};

struct resolver {
	struct loop *loop;
	struct loop_task task;
	struct list queries;
};

static struct host hosts[HOSTS_MAX];
static unsigned n_hosts;
static bool refusing;
static struct resolver *present; /* the last one made: released questions are run on its loop */

static struct host *
host_get(const char *name)
{
	struct host *h;

	for (unsigned i = 0; i < n_hosts; i++)
		if (slice_eq_case(slice_of(hosts[i].name), slice_of(name)))
			return &hosts[i];
	ASSERT(n_hosts < HOSTS_MAX);
	h = &hosts[n_hosts++];
	memset(h, 0, sizeof(*h));
	ASSERT(str_put(h->name, sizeof(h->name), slice_of(name)));
	return h;
}

static void
on_task(struct loop_task *t)
{
	struct resolver *r = container_of(t, struct resolver, task);
	struct list ready;
	struct err err;

	list_init(&ready);
	list_foreach_safe (node, &r->queries) {
		if (list_entry(node, struct query, node)->host->held)
			continue;
		list_remove(node);
		list_append(&ready, node);
	}
	while (!list_empty(&ready)) {
		struct query *q = list_entry(ready.next, struct query, node);
		struct query copy = *q;
		struct addr addrs[RESOLVE_MAX];

		list_remove(&q->node);
		mem_free(q);
		for (unsigned i = 0; i < copy.host->n; i++) {
			addrs[i] = copy.host->addrs[i];
			addr_set_port(&addrs[i], copy.port);
		}
		err_set(&err, "no such host");
		copy.fn(
		    copy.arg, addrs, copy.host->n, copy.host->ttl, copy.host->n > 0 ? NULL : &err);
	}
}

/* --- io/resolve.h */

struct resolver *
resolver_new(struct loop *loop, struct err *err)
{
	struct resolver *r = mem_zalloc(sizeof(*r));

	(void)err;
	ASSERT(r);
	r->loop = loop;
	list_init(&r->queries);
	present = r;
	return r;
}

void
resolver_free(struct resolver **r)
{
	if (!*r)
		return;
	list_foreach_safe (node, &(*r)->queries) {
		list_remove(node);
		mem_free(list_entry(node, struct query, node));
	}
	loop_defer_cancel(&(*r)->task);
	if (present == *r)
		present = NULL;
	mem_free(*r);
	*r = NULL;
}

int
resolver_ask(struct resolver *r, const char *host, uint16_t port, resolve_fn *fn, void *arg)
{
	struct query *q;

	if (refusing)
		return -1;
	q = mem_zalloc(sizeof(*q));
	ASSERT(q);
	q->host = host_get(host);
	q->host->asked++;
	if (q->host->n == 0 && addr_parse_ip(&q->host->addrs[0], slice_of(host), 0))
		q->host->n = 1;
	q->port = port;
	q->fn = fn;
	q->arg = arg;
	list_append(&r->queries, &q->node);
	loop_defer(r->loop, &r->task, on_task);
	return 1;
}

/* --- the table */

void
fake_resolve_reset(void)
{
	n_hosts = 0;
	refusing = false;
}

void
fake_resolve_set(const char *host, const char *addrs, unsigned ttl)
{
	struct host *h = host_get(host);
	struct slice list = slice_of(addrs), word;

	h->n = 0;
	h->ttl = ttl;
	while ((word = slice_word(&list)).len > 0) {
		ASSERT(h->n < RESOLVE_MAX);
		ASSERT(addr_parse_ip(&h->addrs[h->n++], word, 0));
	}
}

void
fake_resolve_fail(const char *host)
{
	host_get(host)->n = 0;
}

void
fake_resolve_hold(const char *host)
{
	host_get(host)->held = true;
}

void
fake_resolve_release(const char *host)
{
	host_get(host)->held = false;
	if (present)
		loop_defer(present->loop, &present->task, on_task);
}

unsigned
fake_resolve_asked(const char *host)
{
	unsigned sum = 0;

	if (host)
		return host_get(host)->asked;
	for (unsigned i = 0; i < n_hosts; i++)
		sum += hosts[i].asked;
	return sum;
}

void
fake_resolve_refuse(bool refuse)
{
	refusing = refuse;
}
