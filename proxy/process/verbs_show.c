/*
 * process/verbs_show.c - verbs that only look: status, pool status, explain, user where.
 */
#include <time.h>

#include "base/mem.h"
#include "process/verbs_internal.h"

/* --- status */

static double
age_of(const struct stat_view *v, unsigned slot)
{
	uint64_t began = stat_view_get(v, slot, STAT_STARTED), now = (uint64_t)time(NULL);

	return began > 0 && now > began ? (double)(now - began) : 0;
}

static void
status_processes(struct request *r)
{
	const struct stat_view *v = r->verbs->env.counters;
	unsigned master = r->verbs->env.workers + 1;
	struct sheet *s = &r->sheet;

	sheet_table(s, "processes", "process number pid uptime clients relays logins");
	for (unsigned i = 0; i <= master; i++) {
		unsigned slot = i == 0 ? master : i - 1;

		sheet_row(s, i == 0);
		sheet_cstr(s, "process", i == 0 ? "master" : i == 1 ? "directory" : "worker");
		sheet_u64(s, "number", i < 2 ? 0 : slot);
		sheet_u64(s, "pid", stat_view_get(v, slot, STAT_PID));
		sheet_span(s, "uptime", age_of(v, slot));
		sheet_u64(s, "clients", stat_view_get(v, slot, STAT_CLIENTS_NOW));
		sheet_u64(s, "relays", stat_view_get(v, slot, STAT_RELAYS_NOW));
		sheet_u64(s, "logins", stat_view_get(v, slot, STAT_LOGINS));
		sheet_row_end(s);
	}
	sheet_table_end(s);
}

static void
last_failure(struct sheet *s, const struct health *h, double now)
{
	bool any = h->last_fail != FAIL_NONE;

	if (any)
		sheet_span(s, "last_failure_ago", now - h->last_at);
	else
		sheet_cstr(s, "last_failure_ago", NULL);
	sheet_cstr(s, "stage", any ? h->last_stage : NULL);
	sheet_cstr(s, "reason", any ? fail_name(h->last_fail) : NULL);
}

static void
status_backends(struct request *r)
{
	const struct directory *d = r->verbs->env.directory;
	double now = loop_now(r->verbs->env.loop);
	struct sheet *s = &r->sheet;
	struct directory_backend b;

	sheet_table(
	    s, "backends", "backend state admin since sessions last_failure_ago stage reason");
	for (unsigned i = 0; directory_backend_at(d, i, &b); i++) {
		sheet_row(s, i == 0);
		sheet_cstr(s, "backend", b.backend->name);
		sheet_cstr(s, "state", health_state_name(b.health->state));
		sheet_cstr(s, "admin", health_admin_name(b.health->admin));
		sheet_span(s, "since", now - b.health->since);
		sheet_u64(s, "sessions", b.sessions);
		last_failure(s, b.health, now);
		sheet_row_end(s);
	}
	sheet_table_end(s);
}

void
verb_status(struct request *r)
{
	const struct stat_view *v = r->verbs->env.counters;
	unsigned slots = r->verbs->env.workers + 2;
	struct sheet *s = &r->sheet;

	control_ok(r->client);
	sheet_begin(s);
	sheet_cstr(s, "version", SALLYPORT_VERSION);
	sheet_span(s, "uptime", age_of(v, slots - 1));
	sheet_u64(s, "generation", stat_view_get(v, slots - 1, STAT_GENERATION));
	sheet_u64(s, "workers", r->verbs->env.workers);
	sheet_u64(s, "users_known", directory_users(r->verbs->env.directory));
	sheet_u64(s, "questions_waiting", directory_waiting(r->verbs->env.directory));
	for (unsigned id = 0; id < STAT_COUNT; id++) {
		uint64_t sum = 0;

		if (id == STAT_PID || id == STAT_STARTED || id == STAT_GENERATION)
			continue;
		for (unsigned slot = 0; slot < slots; slot++)
			sum += stat_view_get(v, slot, (enum stat_id)id);
		sheet_u64(s, stat_name((enum stat_id)id), sum);
	}
	status_processes(r);
	status_backends(r);
	sheet_end(s);
	request_end(r);
}

/* --- pool status */

static void
pool_row(struct request *r, bool first, const struct pool *pool, const struct directory_backend *b)
{
	double now = loop_now(r->verbs->env.loop);
	const struct health *h = b->health;
	char address[ROUTE_TARGET_MAX];
	struct sheet *s = &r->sheet;

	sheet_row(s, first);
	sheet_cstr(s, "pool", pool ? pool->name : NULL);
	sheet_cstr(s, "backend", b->backend->name);
	sheet_cstr(s, "address", route_target_name(address, b->backend->host, b->backend->port));
	sheet_u64(s, "weight", b->backend->weight);
	sheet_cstr(s, "state", health_state_name(h->state));
	sheet_cstr(s, "admin", health_admin_name(h->admin));
	sheet_span(s, "since", now - h->since);
	sheet_u64(s, "sessions", b->sessions);
	sheet_u64(s, "checks", h->checks);
	sheet_u64(s, "checks_failed", h->checks_failed);
	sheet_u64(s, "logins", h->logins);
	sheet_u64(s, "logins_failed", h->logins_failed);
	last_failure(s, h, now);
	sheet_cstr(s, "detail", h->last_reason.text);
	sheet_row_end(s);
}

static void
failure_rows(struct request *r)
{
	struct directory_backend b;
	struct sheet *s = &r->sheet;
	bool first = true;

	sheet_table(s, "failures", "backend cause count");
	for (unsigned i = 0; directory_backend_at(r->verbs->env.directory, i, &b); i++) {
		for (unsigned f = 1; f < FAIL_COUNT; f++) {
			if (b.health->by_fail[f] == 0)
				continue;
			sheet_row(s, first);
			first = false;
			sheet_cstr(s, "backend", b.backend->name);
			sheet_cstr(s, "cause", fail_name((enum fail)f));
			sheet_u64(s, "count", b.health->by_fail[f]);
			sheet_row_end(s);
		}
	}
	sheet_table_end(s);
}

static bool
in_named_pool(const struct directory_config *c, const struct backend *b)
{
	for (unsigned i = 0; i + c->n_backends < c->n_pools; i++)
		for (unsigned j = 0; j < c->pools[i].n; j++)
			if (c->pools[i].backends[j] == b)
				return true;
	return false;
}

void
verb_pool(struct request *r)
{
	const struct directory *d = r->verbs->env.directory;
	const struct directory_config *c = directory_config(d);
	struct directory_backend b;
	struct sheet *s = &r->sheet;
	bool first = true;

	if (strcmp(r->words[0], "status") != 0) {
		request_fail(r, "pool: what is %s? There is: pool status", r->words[0]);
		return;
	}
	control_ok(r->client);
	sheet_begin(s);
	sheet_table(s, "backends",
	    "pool backend address weight state admin since sessions checks checks_failed logins "
	    "logins_failed last_failure_ago stage reason detail");
	/* The named pools, then what is in none of them. */
	for (unsigned i = 0; i + c->n_backends < c->n_pools; i++) {
		const struct pool *pool = &c->pools[i];

		for (unsigned j = 0; j < pool->n; j++, first = false)
			if (directory_backend_at(d, pool->backends[j]->index, &b))
				pool_row(r, first, pool, &b);
	}
	for (unsigned i = 0; directory_backend_at(d, i, &b); i++) {
		if (in_named_pool(c, b.backend))
			continue;
		pool_row(r, first, NULL, &b);
		first = false;
	}
	sheet_table_end(s);
	failure_rows(r);
	sheet_end(s);
	request_end(r);
}

/* --- explain */

void
verbs_explain_write(struct sheet *s, const struct route_question *q, const struct route_answer *a)
{
	sheet_cstr(s, "asked", q->user);
	sheet_cstr(s, "result", a->fail == FAIL_NONE ? "ok" : fail_name(a->fail));
	if (a->fail != FAIL_NONE)
		sheet_cstr(s, "client_is_told", fail_response(a->fail));
	sheet_cstr(s, "user", a->key);
	sheet_cstr(s, "sent_to_store", a->user);
	sheet_cstr(s, "route", a->route);
	sheet_cstr(s, "why", a->reason);
	sheet_bool(s, "pinned", a->pinned);
	if (a->tls >= 0)
		sheet_cstr(s, "tls",
		    a->tls == TLS_MODE_NONE       ? "none"
		    : a->tls == TLS_MODE_STARTTLS ? "starttls"
						  : "implicit");
	if (a->verify >= 0)
		sheet_bool(s, "verify", a->verify == 1);
	sheet_table(s, "candidates", "backend host port addresses");
	for (unsigned i = 0; i < a->n_candidates; i++) {
		const struct route_candidate *c = &a->candidates[i];
		char list[RESOLVE_MAX * (ADDR_TEXT + 1) + 1] = "", text[ADDR_TEXT];
		size_t len = 0;

		for (unsigned j = 0; j < c->n_addrs; j++) {
			str_fmt(list + len, sizeof(list) - len, "%s%s", j > 0 ? " " : "",
			    addr_format(text, &c->addrs[j]));
			len += strlen(list + len);
		}
		sheet_row(s, i == 0);
		sheet_cstr(s, "backend", c->backend);
		sheet_cstr(s, "host", c->host);
		sheet_u64(s, "port", c->port);
		sheet_cstr(s, "addresses", list);
		sheet_row_end(s);
	}
	sheet_table_end(s);
}

static void
on_place(void *arg, unsigned worker, const char *backend, unsigned sessions)
{
	struct request *r = arg;
	struct sheet *s = &r->sheet;

	sheet_row(s, r->count++ == 0);
	sheet_cstr(s, "backend", backend);
	sheet_u64(s, "worker", worker);
	sheet_u64(s, "sessions", sessions);
	sheet_row_end(s);
}

static void
write_where(struct request *r, const struct route_answer *a)
{
	struct sheet *s = &r->sheet;

	sheet_cstr(s, "asked", r->question.user);
	sheet_cstr(s, "user", a->key);
	sheet_cstr(s, "next_login",
	    a->fail != FAIL_NONE          ? fail_name(a->fail)
	    : a->candidates[0].backend[0] ? a->candidates[0].backend
					  : a->route);
	sheet_cstr(s, "why", a->reason);
	sheet_table(s, "places", "backend worker sessions");
	(void)directory_places(r->verbs->env.directory, slice_of(a->key), on_place, r);
	sheet_table_end(s);
}

static void
on_explained(void *arg, const struct route_answer *a)
{
	struct request *r = arg;

	r->asking = false;
	if (!r->client) { /* did not wait */
		list_remove(&r->node);
		mem_free(r);
		return;
	}
	control_ok(r->client);
	sheet_begin(&r->sheet);
	if (r->kind->run == verb_explain)
		verbs_explain_write(&r->sheet, &r->question, a);
	else
		write_where(r, a);
	sheet_end(&r->sheet);
	request_end(r);
}

static void
explain(struct request *r, const char *user)
{
	struct route_question *q = &r->question;

	q->id = r->id;
	if (!str_put(q->user, sizeof(q->user), slice_of(user)) || !*user) {
		request_fail(r, "%s: not a user name", r->kind->name);
	} else if (r->listener &&
		   !str_put(q->listener, sizeof(q->listener), slice_of(r->listener))) {
		request_fail(r, "%s: listener: name too long", r->kind->name);
	} else if (r->server_name &&
		   !str_put(q->server_name, sizeof(q->server_name), slice_of(r->server_name))) {
		request_fail(r, "%s: server name too long", r->kind->name);
	} else if (r->from && !addr_parse_ip(&q->client, slice_of(r->from), 0)) {
		request_fail(r, "%s: --from: not an address: %s", r->kind->name, r->from);
	} else {
		r->asking = true;
		directory_explain(r->verbs->env.directory, 0, q, on_explained, r);
	}
}

void
verb_explain(struct request *r)
{
	explain(r, r->words[0]);
}

void
verb_user(struct request *r)
{
	if (strcmp(r->words[0], "where") == 0)
		explain(r, r->words[1]);
	else
		request_fail(r, "user: what is %s? There is: user where USER", r->words[0]);
}
