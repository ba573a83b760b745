/*
 * io/resolve.c - names to addresses with c-ares on our loop.
 *
 *      resolver_ask -> ares_getaddrinfo -> (its sockets, our watchers) -> on_answer -> done -> task -> the asker
 *                                                  5 s over: on_late --------------------^
 *
 * c-ares may answer before ares_getaddrinfo() returns (a name in /etc/hosts); the asker is told by a deferred
 * task in every case. A question that is too late is answered with the reason while c-ares still holds it; it goes
 * when c-ares lets go of it, and counts as open until then.
 */
#include "io/resolve.h"

#include <ares.h>
#include <netdb.h>
#include <sys/time.h>

#include "base/mem.h"
#include "io/deadline.h"

#define QUESTIONS_MAX 4096
#define TRY_MS        1000 /* the first try of each server; the second waits twice as long */
#define TRIES         2

struct question {
	struct list node; /* on the resolver's open or done */
	struct deadline deadline;
	struct resolver *resolver;
	resolve_fn *fn;
	void *arg;
	uint16_t port;
	bool held; /* by c-ares */
	bool told;
	unsigned n, ttl;
	struct addr addrs[RESOLVE_MAX];
	struct err err;
	char host[];
};

struct watched {
	struct list node;
	struct loop_io io;
	struct resolver *resolver;
	ares_socket_t fd;
};

struct resolver {
	struct loop *loop;
	ares_channel channel;
	struct loop_timer timer; /* c-ares' own retries */
	struct deadline_list deadlines;
	struct list open, done, sockets;
	struct loop_task task;
	unsigned count;
	bool telling;
	bool freed; /* by the asker that is being told */
};

static void
drop(struct question *q)
{
	deadline_clear(&q->deadline);
	list_remove(&q->node);
	q->resolver->count--;
	mem_free(q);
}

static void
on_task(struct loop_task *t)
{
	struct resolver *r = container_of(t, struct resolver, task);
	struct list now;

	list_init(&now);
	list_foreach_safe (node, &r->done) {
		list_remove(node);
		list_append(&now, node);
	}
	r->telling = true;
	while (!list_empty(&now)) {
		struct question *q = list_entry(now.next, struct question, node);

		list_remove(&q->node);
		if (!r->freed)
			q->fn(q->arg, q->addrs, q->n, q->ttl, &q->err);
		q->told = true; /* not before: until here on_answer() leaves it to us */
		if (!q->held || r->freed)
			drop(q);
		else
			list_append(&r->open, &q->node); /* c-ares has it still */
	}
	r->telling = false;
	if (r->freed)
		mem_free(r);
}

static void
finish(struct question *q)
{
	struct resolver *r = q->resolver;

	deadline_clear(&q->deadline);
	list_remove(&q->node);
	list_append(&r->done, &q->node);
	loop_defer(r->loop, &r->task, on_task);
}

static void
on_late(struct deadline *d, void *arg)
{
	struct question *q = container_of(d, struct question, deadline);

	(void)arg;
	err_set(&q->err, "cannot resolve %s: no answer in %d s", q->host, RESOLVE_SECONDS);
	finish(q);
}

/* --- c-ares' sockets and timer */

static void
rearm(struct resolver *r)
{
	struct timeval tv;

	if (ares_timeout(r->channel, NULL, &tv))
		loop_timer_set(&r->timer, (double)tv.tv_sec + (double)tv.tv_usec / 1e6);
	else
		loop_timer_stop(&r->timer);
}

static void
on_timer(struct loop_timer *w)
{
	struct resolver *r = container_of(w, struct resolver, timer);

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(r);
}

static void
on_io(struct loop_io *io, int events)
{
	struct watched *w = container_of(io, struct watched, io);
	struct resolver *r = w->resolver;
	ares_socket_t fd = w->fd;

	ares_process_fd(r->channel, events & LOOP_READ ? fd : ARES_SOCKET_BAD,
	    events & LOOP_WRITE ? fd : ARES_SOCKET_BAD); /* may free @w */
	rearm(r);
}

static void
unwatch(struct watched *w)
{
	loop_io_stop(&w->io);
	list_remove(&w->node);
	mem_free(w);
}

static void
on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	struct watched *w = NULL;

	list_foreach (node, &r->sockets)
		if (list_entry(node, struct watched, node)->fd == fd)
			w = list_entry(node, struct watched, node);
	if (!readable && !writable) {
		if (w)
			unwatch(w);
		return;
	}
	if (!w) {
		w = mem_zalloc(sizeof(*w));
		if (!w)
			return; /* not heard: the question runs out of time */
		w->resolver = r;
		w->fd = fd;
		loop_io_init(r->loop, &w->io, fd, on_io);
		list_append(&r->sockets, &w->node);
	}
	loop_io_set(&w->io, (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0));
}

/* --- answers */

static void
take_addresses(struct question *q, const struct ares_addrinfo *info)
{
	for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
		struct addr *a = &q->addrs[q->n];
		unsigned ttl = node->ai_ttl > 0 ? (unsigned)node->ai_ttl : 0;

		if (q->n == RESOLVE_MAX)
			break;
		if ((node->ai_family != AF_INET && node->ai_family != AF_INET6) ||
		    node->ai_addrlen > sizeof(*a))
			continue;
		memset(a, 0, sizeof(*a));
		memcpy(a, node->ai_addr, node->ai_addrlen);
		addr_set_port(a, q->port);
		if (q->n == 0 || ttl < q->ttl)
			q->ttl = ttl;
		q->n++;
	}
}

static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *q = arg;

	(void)timeouts;
	q->held = false;
	if (q->told) { /* too late, or the resolver is going */
		ares_freeaddrinfo(info);
		drop(q);
		return;
	}
	if (!list_linked(&q->deadline.node)) { /* too late, but not yet told so */
		ares_freeaddrinfo(info);
		return;
	}
	if (status == ARES_SUCCESS && info)
		take_addresses(q, info);
	if (q->n == 0)
		err_set(&q->err, "cannot resolve %s: %s", q->host,
		    status == ARES_SUCCESS ? "no address" : ares_strerror(status));
	ares_freeaddrinfo(info);
	finish(q);
}

int
resolver_ask(struct resolver *r, const char *host, uint16_t port, resolve_fn *fn, void *arg)
{
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	size_t len = strlen(host);
	struct question *q;

	if (r->count >= QUESTIONS_MAX)
		return -1;
	q = mem_zalloc(sizeof(*q) + len + 1);
	if (!q)
		return -1;
	memcpy(q->host, host, len + 1);
	q->resolver = r;
	q->port = port;
	q->fn = fn;
	q->arg = arg;
	r->count++;
	list_append(&r->open, &q->node);
	if (addr_parse_ip(&q->addrs[0], slice_of(host), port)) {
		q->n = 1;
		finish(q);
		return 1;
	}
	deadline_set(&r->deadlines, &q->deadline);
	q->held = true;
	ares_getaddrinfo(r->channel, host, NULL, &hints, on_answer, q);
	rearm(r);
	return 1;
}

/* --- birth and death */

struct resolver *
resolver_new(struct loop *loop, struct err *err)
{
	struct ares_options options = {
		.timeout = TRY_MS, .tries = TRIES, .sock_state_cb = on_socket
	};
	struct resolver *r = mem_zalloc(sizeof(*r));
	int status;

	if (!r) {
		err_set(err, "out of memory");
		return NULL;
	}
	options.sock_state_cb_data = r;
	r->loop = loop;
	list_init(&r->open);
	list_init(&r->done);
	list_init(&r->sockets);
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status == ARES_SUCCESS) {
		status = ares_init_options(&r->channel, &options,
		    ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
		if (status != ARES_SUCCESS)
			ares_library_cleanup();
	}
	if (status != ARES_SUCCESS) {
		err_set(err, "cannot set up name resolution: %s", ares_strerror(status));
		mem_free(r);
		return NULL;
	}
	loop_timer_init(loop, &r->timer, on_timer);
	deadline_list_init(loop, &r->deadlines, RESOLVE_SECONDS, on_late, NULL);
	return r;
}

int
resolver_set_servers(struct resolver *r, const char *servers, struct err *err)
{
	int status = ares_set_servers_ports_csv(r->channel, servers);

	if (status != ARES_SUCCESS)
		return err_set(
		    err, "cannot use the name servers \"%s\": %s", servers, ares_strerror(status));
	return 1;
}

void
resolver_free(struct resolver **rp)
{
	struct resolver *r = *rp;

	if (!r)
		return;
	*rp = NULL;
	r->freed = true;
	list_foreach_safe (node, &r->done) {
		struct question *q = list_entry(node, struct question, node);

		list_remove(node);
		list_append(&r->open, node);
		q->told = true;
		if (!q->held)
			drop(q);
	}
	list_foreach (node, &r->open)
		list_entry(node, struct question, node)->told = true;
	ares_destroy(r->channel); /* answers what it holds; on_answer drops it */
	ares_library_cleanup();
	while (!list_empty(&r->sockets))
		unwatch(list_entry(r->sockets.next, struct watched, node));
	loop_timer_stop(&r->timer);
	deadline_list_stop(&r->deadlines);
	loop_defer_cancel(&r->task);
	if (!r->telling)
		mem_free(r);
}
