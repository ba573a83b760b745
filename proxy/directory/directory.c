/*
 * directory/directory.c - one question from "who" to "where": the only place where routes, lookups, affinity, pools and
 * addresses meet.
 *
 *      directory_ask -> question_begin    route_choose, route_username
 *                    -> question_next     the next lookup of the route, or its default
 *                         on_lookup         not known: question_next again; failed: FAIL_LOOKUP
 *                    -> question_target   pool (affinity, balancing, fallback) or host:port
 *                    -> question_resolve  names not known yet: on_name, on_impatient
 *                    -> question_answer   the one way out, but for questions dropped; first waits for a place at the store
 *
 * Any step may go through at once or be taken up in a later turn. A question holds pointers into the configuration (its
 * route) only while it waits for a lookup, and directory_configure() takes those back; from question_target on it
 * has copies of all it needs and entries of the names cache, which it holds. Waiting lookups are cancelled by the
 * question's address, name waits are linked into it: nothing can call a question that is gone. Whoever calls what may
 * answer does nothing with the question afterwards.
 */
#include "directory/directory.h"

#include <stdarg.h>

#include "base/log.h"
#include "base/mem.h"
#include "directory/checks.h"
#include "directory/index.h"
#include "directory/lookup.h"
#include "directory/names.h"
#include "directory/places.h"

/* Once the best store is known, how long slow names of the others may hold up a login. */
#define IMPATIENT_SECONDS 1
#define RESTARTS_A_TURN   256

struct question;

struct candidate {
	struct name_wait wait;
	struct question *question;
	struct name *name; /* of its host; NULL: no entry could be had */
	bool waiting;
	uint16_t port;
	char backend[BACKEND_NAME_MAX];
};

struct question {
	struct list node; /* of directory->asked or ->restarting */
	struct directory *directory;
	unsigned worker;
	directory_answer_fn *fn;
	void *arg;
	struct route_question q;
	const struct route *route; /* only while a lookup is asked */
	unsigned step;             /* the next of its lookups */
	struct lookup *asking;     /* called, and not answered yet */
	char key[ROUTE_USER_MAX], user[ROUTE_USER_MAX];
	char target[BACKEND_NAME_MAX]; /* the answer's route */
	char reason[ROUTE_REASON_MAX];
	bool pinned;
	bool dry; /* only to know */
	int8_t tls, verify;
	unsigned n;
	struct candidate candidates[ROUTE_CANDIDATES];
	struct deadline patience;
	struct place_wait place;
	bool placed; /* it has its place at the first candidate */
	bool impatient;
};

struct directory {
	struct loop *loop;
	struct index index;
	struct names *names;
	struct checks *checks;
	struct affinity *affinity;
	struct places *places;
	struct mem_pool *questions;
	unsigned waiting;
	struct list asked, restarting;
	struct deadline_list patience;
	struct loop_task restart;
};

static void question_next(struct question *q);

/* --- the end of a question */

static void
question_free(struct question *q)
{
	struct directory *d = q->directory;

	if (q->asking)
		lookup_cancel(q->asking, q);
	for (unsigned i = 0; i < q->n; i++) {
		name_wait_cancel(&q->candidates[i].wait);
		name_put(d->names, &q->candidates[i].name);
	}
	deadline_clear(&q->patience);
	place_wait_cancel(&q->place);
	list_remove(&q->node);
	d->waiting--;
	mem_pool_put(d->questions, q);
}

static bool
candidate_fill(const struct candidate *c, struct route_candidate *out)
{
	memcpy(out->backend, c->backend, sizeof(out->backend));
	out->port = c->port;
	if (!c->name)
		return false;
	str_fmt(out->host, sizeof(out->host), "%s", name_host(c->name));
	out->n_addrs = name_addrs(c->name, c->port, out->addrs);
	return out->n_addrs > 0;
}

static void
question_answer(struct question *q, enum fail fail)
{
	struct directory *d = q->directory;
	directory_answer_fn *fn = q->fn;
	void *arg = q->arg;
	struct route_answer a = { .id = q->q.id, .tls = q->tls, .verify = q->verify };
	bool resolved = false;

	memcpy(a.user, q->user, sizeof(a.user));
	memcpy(a.key, q->key, sizeof(a.key));
	memcpy(a.route, q->target, sizeof(a.route));
	memcpy(a.reason, q->reason, sizeof(a.reason));
	if (fail == FAIL_NONE) {
		for (unsigned i = 0; i < q->n; i++)
			if (candidate_fill(&q->candidates[i], &a.candidates[i]))
				resolved = true;
		if (q->n == 0)
			fail = FAIL_NO_CANDIDATE;
		else if (!resolved)
			fail = FAIL_RESOLVE;
	}
	if (q->dry || q->n == 0 || q->candidates[0].backend[0] == '\0')
		q->placed = true; /* needs none */
	if (fail == FAIL_NONE && !q->placed) {
		deadline_clear(&q->patience);
		for (unsigned i = 0; i < q->n; i++)
			name_wait_cancel(&q->candidates[i].wait);
		if (!places_take(d->places, slice_of(a.candidates[0].backend), q->worker, q->q.id,
			&q->place))
			return; /* until on_place() */
	} else if (fail != FAIL_NONE && !q->dry) {
		places_give_back(d->places, q->worker, q->q.id);
	}
	a.fail = fail;
	if (fail == FAIL_NONE) {
		a.pinned = q->pinned;
		a.n_candidates = q->n;
		if (!q->dry)
			index_promise(&d->index, slice_of(a.candidates[0].backend));
	}
	question_free(q);
	fn(arg, &a);
}

static void
on_place(struct place_wait *w)
{
	struct question *q = container_of(w, struct question, place);

	q->placed = true;
	question_answer(q, FAIL_NONE); /* by what is known of addresses now */
}

/* --- addresses */

static bool
candidate_known(const struct candidate *c)
{
	struct addr addrs[RESOLVE_MAX];

	return c->name && name_addrs(c->name, 0, addrs) > 0;
}

/*
 * All are known, or have failed; or time is short, and the best of those that have not failed is known. A slow name of the
 * best store is waited for: its user would only have to move back.
 */
static bool
question_ready(const struct question *q)
{
	bool waiting = false;

	for (unsigned i = 0; i < q->n; i++) {
		const struct candidate *c = &q->candidates[i];

		if (q->impatient && candidate_known(c))
			return true;
		waiting |= c->waiting;
		if (q->impatient && c->waiting)
			return false;
	}
	return !waiting;
}

static void
on_name(struct name_wait *w)
{
	struct candidate *c = container_of(w, struct candidate, wait);
	struct question *q = c->question;

	c->waiting = false;
	if (question_ready(q))
		question_answer(q, FAIL_NONE);
}

static void
on_impatient(struct deadline *deadline, void *arg)
{
	struct question *q = container_of(deadline, struct question, patience);

	(void)arg;
	q->impatient = true;
	if (question_ready(q))
		question_answer(q, FAIL_NONE);
}

static void
question_resolve(struct question *q)
{
	struct directory *d = q->directory;

	for (unsigned i = 0; i < q->n; i++) {
		struct candidate *c = &q->candidates[i];

		c->waiting = c->name && !name_ask(d->names, c->name, &c->wait, on_name);
	}
	if (question_ready(q))
		question_answer(q, FAIL_NONE);
	else
		deadline_set(&d->patience, &q->patience);
}

/* --- the target */

PRINTF_LIKE(2, 3)
static void
reason_add(struct question *q, const char *fmt, ...)
{
	size_t len = strlen(q->reason);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(q->reason + len, sizeof(q->reason) - len, fmt, ap);
	va_end(ap);
}

static void
candidate_add(struct question *q, const char *backend, const char *host, uint16_t port)
{
	struct candidate *c = &q->candidates[q->n];

	if (!str_put(c->backend, sizeof(c->backend), slice_of(backend)))
		return;
	c->question = q;
	c->name = name_get(q->directory->names, host);
	c->port = port;
	q->n++;
}

static bool
accept_in_chain(void *arg, struct slice backend)
{
	const struct pool *const *pool = arg;

	return index_in_chain(*pool, backend) != NULL;
}

static bool
accept_same(void *arg, struct slice backend)
{
	const struct slice *target = arg;

	return slice_eq(*target, backend);
}

static void
reason_unusable(struct question *q, const struct backend *b)
{
	const struct health *h = index_health(&q->directory->index, b);

	if (h->admin == ADMIN_DISABLED || h->admin == ADMIN_MAINTENANCE)
		reason_add(q, " (%s)", health_admin_name(h->admin));
	else
		reason_add(q, " (%s)", health_state_name(h->state));
}

static void
question_pool(struct question *q, const struct pool *pool)
{
	struct directory *d = q->directory;
	struct slice key = slice_of(q->key);
	const struct backend *first = NULL, *order[ROUTE_CANDIDATES];
	const char *where;
	unsigned sessions, n = 1;
	double now = loop_now(d->loop);

	str_fmt(q->target, sizeof(q->target), "%s", pool->name);
	reason_add(q, " -> %s, %s", pool->name, balance_name(pool->balance));
	if (pool->affinity &&
	    affinity_find(d->affinity, key, accept_in_chain, &pool, &where, &sessions)) {
		first = index_in_chain(pool, slice_of(where));
		q->pinned = sessions > 0;
		if (q->pinned)
			reason_add(q, ", with %u open at %s", sessions, where);
		else
			reason_add(q, ", lately at %s", where);
	}
	index_promises_turn(&d->index, now);
	if (first && q->pinned) {
		order[0] = first;
		if (!index_usable(&d->index, first, now, true, q->dry)) {
			n = 0;
			reason_unusable(q, first);
		}
	} else {
		struct index_wish wish = {
			.pool = pool, .user = key, .first = first, .now = now, .dry = q->dry
		};

		n = index_candidates(&d->index, &wish, order);
		if (n == 0)
			reason_add(q, wish.maintenance ? ", the user's store is in maintenance"
						       : ", no store is up");
	}
	for (unsigned i = 0; i < n; i++)
		candidate_add(q, order[i]->name, order[i]->host, order[i]->port);
	question_resolve(q);
}

static void
question_lookup_failed(struct question *q, const char *source, const struct err *err)
{
	struct log_line l;

	log_begin(&l, LOG_ERROR, EV_LOOKUP_FAILED);
	log_user(&l, "user", q->key);
	log_cstr(&l, "lookup", source);
	log_cstr(&l, "error", err->text);
	log_end(&l);
	reason_add(q, "%s failed", source);
	question_answer(q, FAIL_LOOKUP);
}

/* @source said @answer. */
static void
question_target(struct question *q, const char *source, const struct lookup_answer *answer)
{
	struct slice target = slice_of(answer->target), host;
	char name[BACKEND_HOST_MAX], canonical[ROUTE_TARGET_MAX];
	const struct pool *pool;
	const char *where;
	unsigned sessions;
	struct err err = { .text = "" };
	uint16_t port = 0;

	reason_add(q, "%s", answer->matched[0] ? answer->matched : source);
	str_fmt(q->user, sizeof(q->user), "%s", answer->user[0] ? answer->user : q->key);
	q->tls = answer->tls;
	q->verify = answer->verify;
	if (!lookup_target_is_address(target)) {
		pool = index_pool(&q->directory->index, target);
		if (pool) {
			question_pool(q, pool);
			return;
		}
		err_set(&err, "no such pool or backend: '%s'", answer->target);
		question_lookup_failed(q, source, &err);
		return;
	}
	if (addr_split(target, false, &host, &port, &err) && !str_put(name, sizeof(name), host))
		err_set(&err, "host name too long: '%s'", answer->target);
	if (err.text[0]) {
		question_lookup_failed(q, source, &err);
		return;
	}
	target = slice_of(route_target_name(canonical, name, port));
	str_fmt(q->target, sizeof(q->target), "%s", canonical);
	reason_add(q, " -> %s", canonical);
	/* The one candidate that there is; but whether the user is there already is told. */
	if (affinity_find(
		q->directory->affinity, slice_of(q->key), accept_same, &target, &where, &sessions))
		q->pinned = sessions > 0;
	candidate_add(q, "", name, port);
	question_resolve(q);
}

/* --- lookups */

static void
on_lookup(void *arg, int result, const struct lookup_answer *answer, const struct err *err)
{
	struct question *q = arg;
	const char *source = q->asking->source;

	q->asking = NULL;
	if (result == 0) {
		question_next(q);
		return;
	}
	/* From here on nothing of the configuration is needed but what is used before this returns. */
	q->route = NULL;
	if (result > 0)
		question_target(q, source, answer);
	else
		question_lookup_failed(q, source, err);
}

/* Sources that answer at once come back here by on_lookup(): as deep as a route has lookups, which are few. */
static void
question_next(struct question *q)
{
	const struct route *route = q->route;

	if (q->step < route->n_lookups) {
		q->asking = route->lookups[q->step++];
		lookup_ask(q->asking, slice_of(q->key), on_lookup, q);
		return;
	}
	q->route = NULL;
	if (route->default_target) {
		reason_add(q, "default");
		str_fmt(q->user, sizeof(q->user), "%s", q->key);
		question_pool(q, route->default_target);
		return;
	}
	reason_add(q, "known to no lookup, and there is no default");
	question_answer(q, FAIL_UNKNOWN_USER);
}

static void
question_begin(struct question *q)
{
	const struct directory_config *c = &q->directory->index.config;

	q->step = 0;
	q->reason[0] = '\0';
	q->tls = q->verify = -1;
	q->pinned = false;
	q->route = route_choose(c->routes, c->n_routes, &q->q);
	if (!q->route) {
		str_fmt(q->reason, sizeof(q->reason), "no route for this listener and server name");
		question_answer(q, FAIL_UNKNOWN_USER);
		return;
	}
	if (q->route->name[0])
		reason_add(q, "route %s: ", q->route->name);
	if (!route_username(q->route, slice_of(q->q.user), q->key, sizeof(q->key))) {
		reason_add(q, "not a usable name");
		question_answer(q, FAIL_BAD_NAME);
		return;
	}
	question_next(q);
}

unsigned
directory_waiting(const struct directory *d)
{
	return d->waiting;
}

static void
ask(struct directory *d, unsigned worker, const struct route_question *asked, bool dry,
    directory_answer_fn *fn, void *arg)
{
	struct question *q = NULL;

	if (d->waiting < DIRECTORY_QUESTIONS_MAX)
		q = mem_pool_get(d->questions);
	if (!q) {
		struct route_answer a = { .id = asked->id,
			.fail = d->waiting < DIRECTORY_QUESTIONS_MAX ? FAIL_MEMORY : FAIL_DIRECTORY,
			.reason = "too many questions are waiting",
			.tls = -1,
			.verify = -1 };

		if (a.fail == FAIL_MEMORY)
			str_fmt(a.reason, sizeof(a.reason), "out of memory");
		fn(arg, &a);
		return;
	}
	q->directory = d;
	q->worker = worker;
	q->dry = dry;
	q->fn = fn;
	q->arg = arg;
	q->q = *asked;
	list_append(&d->asked, &q->node);
	d->waiting++;
	question_begin(q);
}

void
directory_ask(struct directory *d, unsigned worker, const struct route_question *asked,
    directory_answer_fn *fn, void *arg)
{
	ask(d, worker, asked, false, fn, arg);
}

void
directory_explain(struct directory *d, unsigned worker, const struct route_question *asked,
    directory_answer_fn *fn, void *arg)
{
	ask(d, worker, asked, true, fn, arg);
}

/* --- what operators see and say */

bool
directory_backend_at(const struct directory *d, unsigned i, struct directory_backend *b)
{
	const struct directory_config *c = &d->index.config;

	if (i >= c->n_backends)
		return false;
	b->backend = &c->backends[i];
	b->health = index_health_of(&d->index, b->backend);
	b->sessions = affinity_sessions(d->affinity, slice_of(b->backend->name));
	return true;
}

const struct directory_config *
directory_config(const struct directory *d)
{
	return &d->index.config;
}

bool
directory_admin(struct directory *d, struct slice backend, enum health_admin admin)
{
	const struct backend *b = index_backend(&d->index, backend);

	if (!b)
		return false;
	index_health(&d->index, b)->admin = admin;
	return true;
}

bool
directory_places(const struct directory *d, struct slice user, directory_place_fn *fn, void *arg)
{
	return affinity_places(d->affinity, user, fn, arg);
}

const char *
directory_user_at(const struct directory *d, struct slice backend)
{
	return affinity_user_at(d->affinity, backend);
}

void
directory_on_learnt(struct directory *d, directory_learnt_fn *fn, void *arg)
{
	checks_on_learnt(d->checks, fn, arg);
}

size_t
directory_users(const struct directory *d)
{
	return affinity_users(d->affinity);
}

/* --- reports */

static void
sessions_changed(struct directory *d, struct slice backend, bool opened)
{
	index_sessions(&d->index, backend, affinity_sessions(d->affinity, backend), opened);
}

void
directory_session_open(
    struct directory *d, unsigned worker, struct slice user, struct slice backend)
{
	double seconds = index_affinity_time(&d->index, backend);

	/* Not remembered (full, no memory): counted there, and no harm to the session. */
	(void)!affinity_open(d->affinity, worker, user, backend, seconds);
	sessions_changed(d, backend, true);
}

void
directory_session_close(
    struct directory *d, unsigned worker, struct slice user, struct slice backend)
{
	affinity_close(d->affinity, worker, user, backend);
	sessions_changed(d, backend, false);
}

void
directory_login(struct directory *d, unsigned worker, const struct login_outcome *outcome)
{
	places_give_back(d->places, worker, outcome->question);
	checks_login(d->checks, outcome);
}

static void
drop_questions(struct list *questions, unsigned worker)
{
	list_foreach_safe (node, questions) {
		struct question *q = list_entry(node, struct question, node);

		if (q->worker == worker)
			question_free(q);
	}
}

void
directory_worker_gone(struct directory *d, unsigned worker)
{
	drop_questions(&d->asked, worker);
	drop_questions(&d->restarting, worker);
	places_worker_gone(d->places, worker);
	affinity_worker_gone(d->affinity, worker);
	for (unsigned i = 0; i < d->index.config.n_backends; i++)
		sessions_changed(d, slice_of(d->index.config.backends[i].name), false);
}

/* --- configuration */

static void
on_restart(struct loop_task *t)
{
	struct directory *d = container_of(t, struct directory, restart);

	for (unsigned i = 0; i < RESTARTS_A_TURN && !list_empty(&d->restarting); i++) {
		struct question *q = list_entry(d->restarting.next, struct question, node);

		list_remove(&q->node);
		list_append(&d->asked, &q->node);
		question_begin(q);
	}
	if (!list_empty(&d->restarting))
		loop_defer(d->loop, t, on_restart);
}

/* So that the first login need not wait, and a name that is wrong is in the log at once. */
static void
resolve_ahead(struct directory *d)
{
	for (unsigned i = 0; i < d->index.config.n_backends; i++) {
		struct name *name = name_get(d->names, d->index.config.backends[i].host);

		if (!name)
			return;
		name_ask(d->names, name, NULL, NULL);
		name_put(d->names, &name);
	}
}

int
directory_configure(struct directory *d, const struct directory_config *config, struct err *err)
{
	struct index fresh;

	if (!index_build(&fresh, config, &d->index, d->affinity, loop_now(d->loop)))
		return err_set(err, "out of memory");
	if (!places_configure(d->places, config->backends, config->n_backends)) {
		index_free(&fresh);
		return err_set(err, "out of memory");
	}
	list_foreach_safe (node, &d->asked) {
		struct question *q = list_entry(node, struct question, node);

		if (!q->asking)
			continue;
		lookup_cancel(q->asking, q);
		q->asking = NULL;
		q->route = NULL;
		list_remove(&q->node);
		list_append(&d->restarting, &q->node);
	}
	index_free(&d->index);
	d->index = fresh; /* its nodes are in arrays of their own: the tables may move */
	if (!list_empty(&d->restarting))
		loop_defer(d->loop, &d->restart, on_restart);
	resolve_ahead(d);
	checks_configure(d->checks, &d->index);
	return 0;
}

struct directory *
directory_new(struct loop *loop, struct err *err)
{
	struct directory *d = mem_zalloc(sizeof(*d));

	if (!d) {
		err_set(err, "out of memory");
		return NULL;
	}
	d->loop = loop;
	list_init(&d->asked);
	list_init(&d->restarting);
	deadline_list_init(loop, &d->patience, IMPATIENT_SECONDS, on_impatient, d);
	d->names = names_new(loop, err);
	if (!d->names) {
		directory_free(&d);
		return NULL;
	}
	d->affinity = affinity_new(loop);
	d->questions = mem_pool_new("questions", sizeof(struct question));
	d->checks = checks_new(loop, d->names);
	d->places = places_new(loop, on_place);
	if (!d->places || !d->affinity || !d->questions || !d->checks) {
		err_set(err, "out of memory");
		directory_free(&d);
		return NULL;
	}
	return d;
}

void
directory_free(struct directory **dp)
{
	struct directory *d = *dp;

	if (!d)
		return;
	list_foreach_safe (node, &d->asked)
		question_free(list_entry(node, struct question, node));
	list_foreach_safe (other, &d->restarting)
		question_free(list_entry(other, struct question, node));
	deadline_list_stop(&d->patience);
	loop_defer_cancel(&d->restart);
	if (d->questions)
		mem_pool_free(&d->questions);
	places_free(&d->places);
	affinity_free(&d->affinity);
	checks_free(&d->checks);
	names_free(&d->names);
	index_free(&d->index);
	mem_free(d);
	*dp = NULL;
}
