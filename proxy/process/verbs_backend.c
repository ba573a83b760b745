/*
 * process/verbs_backend.c - what an operator says of a store; and draining at a rate.
 *
 * A store that is drained gets no new users, and those with sessions there stay until these end. With a rate they are asked to move:
 * all sessions of one user at a time, since the next login goes elsewhere only when none is left here.
 */
#include "process/verbs_internal.h"

static void
drain_stop(struct verbs *v, const char *backend)
{
	for (unsigned i = 0; i < DRAINS_MAX; i++)
		if (strcmp(v->drains[i].backend, backend) == 0)
			v->drains[i] = (struct drain){ .rate = 0 };
}

static bool
drain_start(struct verbs *v, const char *backend, double rate)
{
	for (unsigned i = 0; i < DRAINS_MAX; i++) {
		struct drain *d = &v->drains[i];

		if (d->backend[0])
			continue;
		(void)!str_put(d->backend, sizeof(d->backend), slice_of(backend));
		d->rate = rate;
		if (!loop_timer_active(&v->drain))
			loop_timer_set(&v->drain, 0);
		return true;
	}
	return false;
}

/* The next user goes, if there is credit and one. */
static void
drain_next(struct verbs *v, struct drain *d)
{
	const char *user = directory_user_at(v->env.directory, slice_of(d->backend));
	char memory[ROUTE_USER_MAX + BACKEND_NAME_MAX + 1024];
	struct pack k;

	if (!user || d->credit < 1)
		return;
	d->id = verbs_new_id(v);
	const struct kick_ask a = { .id = d->id,
		.filter = { .user = slice_of(user), .backend = slice_of(d->backend) } };
	pack_init(&k, memory, sizeof(memory));
	kick_ask_pack(&k, &a);
	d->waiting = verbs_send_all(v, MSG_KICK, &k);
	if (d->waiting == 0)
		d->id = 0;
}

void
on_drain(struct loop_timer *t)
{
	struct verbs *v = container_of(t, struct verbs, drain);
	bool any = false;

	for (unsigned i = 0; i < DRAINS_MAX; i++) {
		struct drain *d = &v->drains[i];

		if (!d->backend[0])
			continue;
		any = true;
		/* What was not used does not add up: a second's worth at most. */
		d->credit += d->rate * DRAIN_TICK;
		if (d->credit > d->rate)
			d->credit = d->rate;
		if (d->id == 0)
			drain_next(v, d);
	}
	if (any)
		loop_timer_set(t, DRAIN_TICK);
}

static void
drain_over(struct verbs *v, struct drain *d)
{
	if (d->waiting)
		return;
	d->id = 0;
	drain_next(v, d);
}

bool
drain_kicked(struct verbs *v, unsigned worker, const struct kicked *k)
{
	uint64_t bit = UINT64_C(1) << (worker - 1);

	for (unsigned i = 0; i < DRAINS_MAX; i++) {
		struct drain *d = &v->drains[i];

		if (d->id != k->id || d->id == 0 || !(d->waiting & bit))
			continue;
		d->waiting &= ~bit;
		d->credit -= (double)k->count;
		if (k->count == 0)
			d->credit -= 0.1; /* the report of their end is still on its way */
		drain_over(v, d);
		return true;
	}
	return false;
}

void
drain_worker_gone(struct verbs *v, unsigned worker)
{
	uint64_t bit = UINT64_C(1) << (worker - 1);

	for (unsigned i = 0; i < DRAINS_MAX; i++) {
		struct drain *d = &v->drains[i];

		if (d->id == 0 || !(d->waiting & bit))
			continue;
		d->waiting &= ~bit;
		drain_over(v, d);
	}
}

static bool
tell_master(struct verbs *v, const struct admin_said *a)
{
	char memory[BACKEND_NAME_MAX + 64];
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	admin_pack(&k, a);
	return verbs_send(v, 0, MSG_ADMIN, &k);
}

void
verb_backend(struct request *r)
{
	static const struct {
		const char *word;
		enum health_admin admin;
	} words[] = {
		{ "enable", ADMIN_ENABLED },
		{ "drain", ADMIN_DRAIN },
		{ "disable", ADMIN_DISABLED },
		{ "maintenance", ADMIN_MAINTENANCE },
	};
	struct verbs *v = r->verbs;
	struct admin_said a = { .backend = slice_of(r->words[0]) };
	struct log_line l;
	size_t i = 0;

	while (i < ARRAY_SIZE(words) && strcmp(words[i].word, r->words[1]) != 0)
		i++;
	if (i == ARRAY_SIZE(words)) {
		request_fail(
		    r, "backend: what is %s? enable, drain, disable or maintenance", r->words[1]);
		return;
	}
	a.admin = words[i].admin;
	if (r->rate > 0 && a.admin != ADMIN_DRAIN) {
		request_fail(r, "backend: --rate is for drain");
		return;
	}
	if (!directory_admin(v->env.directory, a.backend, a.admin)) {
		request_fail(r, "there is no backend %s", r->words[0]);
		return;
	}
	drain_stop(v, r->words[0]);
	if (r->rate > 0 && !drain_start(v, r->words[0], r->rate)) {
		request_fail(r, "%u backends are drained at a rate already", DRAINS_MAX);
		return;
	}
	log_begin(&l, LOG_WARN, EV_CONTROL);
	log_cstr(&l, "msg", "backend");
	log_cstr(&l, "backend", r->words[0]);
	log_cstr(&l, "admin", health_admin_name(a.admin));
	log_end(&l);
	(void)tell_master(v, &a); /* it is gone: then nobody starts another directory either */
	control_ok(r->client);
	sheet_begin(&r->sheet);
	sheet_cstr(&r->sheet, "backend", r->words[0]);
	sheet_cstr(&r->sheet, "admin", health_admin_name(a.admin));
	sheet_end(&r->sheet);
	request_end(r);
}
