/*
 * directory/checks.c - when which store is checked, and what follows from the outcome.
 *
 *      timer -> name_ask -> check_start (one address, in turn) -> on_checked: health_check, log line, capabilities -> timer
 *      report of a worker -> checks_login: health_login, log line
 */
#include "directory/checks.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "io/conn.h"
#include "store/check.h"

struct checked {
	struct checks *checks;
	const struct backend *backend;
	double interval;
	struct loop_timer timer;
	struct name *name;
	struct name_wait wait;
	struct check *check;
	unsigned turn; /* of the addresses */
	bool refused;  /* its probe user was not let in, and that has been told */
};

struct checks {
	struct loop *loop;
	struct names *names;
	struct conn_env *conns;
	struct upstream_env upstreams;
	struct index *index;
	struct checked *checked;
	unsigned n;
	checks_learnt_fn *learnt;
	void *arg;
};

static void
schedule(struct checked *k, double seconds)
{
	uint32_t random = 0;

	(void)!secret_random(&random, sizeof(random));
	loop_timer_set(&k->timer,
	    seconds * (1 - CHECKS_JITTER + 2 * CHECKS_JITTER * (double)random / UINT32_MAX));
}

static void
log_change(const struct backend *b, const struct health *h, const char *by)
{
	bool up = h->state == HEALTH_UP;
	struct log_line l;

	log_begin(&l, up ? LOG_WARN : LOG_ERROR, up ? EV_BACKEND_UP : EV_BACKEND_DOWN);
	log_cstr(&l, "backend", b->name);
	log_cstr(&l, "by", by);
	if (!up) {
		log_cstr(&l, "stage", h->last_stage);
		log_cstr(&l, "reason", fail_name(h->last_fail));
		log_cstr(&l, "detail", h->last_reason.text);
	}
	log_end(&l);
}

/* That a store does not let our user in is no reason to take it out: somebody has to know, once. */
static void
log_probe(struct checked *k, const struct check_result *r)
{
	bool refused = r->fail == FAIL_CREDENTIALS || r->fail == FAIL_STORE_REFUSED;
	struct log_line l;

	if (!k->backend->probe_user || refused == k->refused ||
	    (!refused && r->fail != FAIL_NONE)) /* not got so far: nothing is known */
		return;
	k->refused = refused;
	log_begin(&l, LOG_WARN, refused ? EV_PROBE_REFUSED : EV_PROBE_ACCEPTED);
	log_cstr(&l, "backend", k->backend->name);
	log_cstr(&l, "user", k->backend->probe_user);
	if (refused) {
		log_cstr(&l, "stage", r->stage);
		log_cstr(&l, "reason", fail_name(r->fail));
		log_cstr(&l, "detail", r->err->text);
	}
	log_end(&l);
}

static void
on_checked(void *arg, const struct check_result *r)
{
	struct checked *k = arg;
	struct checks *c = k->checks;
	struct health *h = index_health(c->index, k->backend);

	k->check = NULL;
	if (health_check(h, loop_now(c->loop), r->fail, r->stage, r->err))
		log_change(k->backend, h, "check");
	log_probe(k, r);
	schedule(k, k->interval);
	if (!fail_is_stores(r->fail) && r->before.len > 0 && c->learnt)
		c->learnt(c->arg, slice_of(k->backend->name), r->before);
}

static void
begin(struct checked *k)
{
	struct addr addrs[RESOLVE_MAX];
	struct err err = { "" };
	unsigned n = name_addrs(k->name, k->backend->port, addrs);

	if (n == 0) {
		err_set(&err, "%s cannot be resolved", k->backend->host);
		on_checked(k, &(struct check_result){
				  .fail = FAIL_RESOLVE, .stage = "resolve", .err = &err });
		return;
	}
	k->check =
	    check_start(&k->checks->upstreams, k->backend, &addrs[k->turn++ % n], on_checked, k);
	if (!k->check) /* memory is short: nothing is known of the store */
		schedule(k, k->interval);
}

static void
on_name(struct name_wait *w)
{
	begin(container_of(w, struct checked, wait));
}

static void
on_timer(struct loop_timer *t)
{
	struct checked *k = container_of(t, struct checked, timer);

	if (!k->name)
		k->name = name_get(k->checks->names, k->backend->host);
	if (!k->name)
		schedule(k, k->interval);
	else if (name_ask(k->checks->names, k->name, &k->wait, on_name))
		begin(k);
}

static void
forget(struct checks *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct checked *k = &c->checked[i];

		loop_timer_stop(&k->timer);
		name_wait_cancel(&k->wait);
		name_put(c->names, &k->name);
		check_free(&k->check);
	}
	mem_free(c->checked);
	c->checked = NULL;
	c->n = 0;
}

/* The shortest of the pools that it is in, and that pool's rise and fall. 0: none checks it. */
static double
interval_of(const struct directory_config *config, const struct backend *b, struct health_config *h)
{
	double interval = 0;

	*h = (struct health_config){ .rise = 2, .fall = 3 };
	for (unsigned i = 0; i < config->n_pools; i++) {
		const struct pool *p = &config->pools[i];

		for (unsigned j = 0; j < p->n; j++) {
			if (p->backends[j] != b || p->check_interval <= 0 ||
			    (interval > 0 && interval <= p->check_interval))
				continue;
			interval = p->check_interval;
			*h = (struct health_config){
				.rise = p->check_rise, .fall = p->check_fall, .checked = true
			};
		}
	}
	return interval;
}

void
checks_configure(struct checks *c, struct index *index)
{
	const struct directory_config *config = &index->config;

	forget(c);
	c->index = index;
	c->checked = mem_zalloc((config->n_backends + (size_t)1) * sizeof(*c->checked));
	if (!c->checked)
		log_msg(LOG_ERROR, EV_BACKEND_DOWN, "out of memory: stores are not checked");
	for (unsigned i = 0; c->checked && i < config->n_backends; i++) {
		const struct backend *b = &config->backends[i];
		struct checked *k = &c->checked[c->n];
		struct health_config h;

		k->interval = interval_of(config, b, &h);
		health_configure(index_health(index, b), &h);
		if (k->interval <= 0)
			continue;
		k->checks = c;
		k->backend = b;
		loop_timer_init(c->loop, &k->timer, on_timer);
		schedule(k, k->interval < 1 ? k->interval : 1);
		c->n++;
	}
}

void
checks_login(struct checks *c, const struct login_outcome *o)
{
	const struct backend *b = index_backend(c->index, o->backend);
	char stage[sizeof(((struct health *)NULL)->last_stage)];
	struct health *h;
	struct err reason;

	if (!b) /* a store without a [backend], or one that is no more */
		return;
	h = index_health(c->index, b);
	if (o->given_up) {
		health_given_up(h);
		return;
	}
	(void)str_fmt(stage, sizeof(stage), SLICE_FMT, SLICE_ARG(o->stage));
	err_set(&reason, SLICE_FMT, SLICE_ARG(o->reason));
	if (health_login(h, loop_now(c->loop), o->fail, o->user, stage, &reason))
		log_change(b, h, "logins");
}

void
checks_on_learnt(struct checks *c, checks_learnt_fn *fn, void *arg)
{
	c->learnt = fn;
	c->arg = arg;
}

struct checks *
checks_new(struct loop *loop, struct names *names)
{
	struct checks *c = mem_zalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->loop = loop;
	c->names = names;
	c->conns = conn_env_new(loop);
	if (!c->conns || upstream_env_init(&c->upstreams, loop, c->conns) != 1) {
		conn_env_free(&c->conns);
		mem_free(c);
		return NULL;
	}
	return c;
}

void
checks_free(struct checks **cp)
{
	struct checks *c = *cp;

	if (!c)
		return;
	forget(c);
	upstream_env_free(&c->upstreams);
	conn_env_free(&c->conns);
	mem_free(c);
	*cp = NULL;
}
