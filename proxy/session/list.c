/*
 * session/list.c - walks over the sessions of a worker, and traces of their logins.
 *
 * A cursor stands before the session that comes next. A session that leaves its list (it ends, or its relay begins) moves the
 * cursors before it on; there is no other cost for anybody while nobody walks.
 */
#include "session/list.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "session/internal.h"

/* --- walks */

void
session_list_leave(struct session *s)
{
	list_foreach (node, &s->env->cursors) {
		struct session_cursor *c = list_entry(node, struct session_cursor, node);

		if (c->at == &s->node)
			c->at = c->at->next;
	}
	list_remove(&s->node);
}

void
session_walk_begin(struct session_env *env, struct session_cursor *c)
{
	*c = (struct session_cursor){ .env = env, .at = env->logins.next };
	list_append(&env->cursors, &c->node);
}

void
session_walk_end(struct session_cursor *c)
{
	list_remove(&c->node);
}

/* The next session; NULL: there is none. */
static struct session *
step(struct session_cursor *c)
{
	struct list *at;

	if (!c->relays && c->at == &c->env->logins) {
		c->relays = true;
		c->at = c->env->relays.next;
	}
	if (c->relays && c->at == &c->env->relays)
		return NULL;
	at = c->at;
	c->at = at->next;
	return list_entry(at, struct session, node);
}

static const char *
user_of(const struct session *s)
{
	if (s->user)
		return s->user;
	return s->login && s->login->user[0] ? s->login->user : NULL;
}

static bool
fits(const struct session *s, const struct session_filter *f)
{
	if (f->id != 0 && s->id != f->id)
		return false;
	if (f->backend.len > 0 && !(s->backend && slice_eq_cstr(f->backend, s->backend)))
		return false;
	if (f->user.len > 0 && !slice_eq_case(f->user, slice_of(user_of(s))) &&
	    !(s->login && s->login->answer &&
		slice_eq_case(f->user, slice_of(s->login->answer->key))))
		return false;
	return true;
}

static void
describe(const struct session *s, struct session_info *i)
{
	double now = loop_now(s->env->loop);
	struct conn_facts facts = { 0 };

	if (s->client)
		conn_facts(s->client, &facts);
	*i = (struct session_info){
		.id = s->id,
		.state = session_state_name(s->state),
		.user = user_of(s),
		.listener = s->login ? s->login->listen->name : s->listener,
		.tls = !facts.tls      ? "none"
		       : facts.version ? facts.version
				       : "handshake",
		.route = s->route,
		.backend = s->backend,
		.client = s->peer,
		.age = now - s->began,
		.idle = now - (s->moved > s->relay_began ? s->moved
				  : s->relay_began > 0   ? s->relay_began
							 : s->began),
		.client_bytes = s->client_bytes,
		.store_bytes = s->store_bytes,
	};
}

bool
session_walk(struct session_cursor *c, const struct session_filter *filter, unsigned budget,
    session_row_fn *fn, void *arg)
{
	struct session_info info;

	for (unsigned i = 0; i < budget; i++) {
		const struct session *s = step(c);

		if (!s)
			return false;
		if (!fits(s, filter))
			continue;
		describe(s, &info);
		fn(arg, &info);
	}
	return true;
}

bool
session_kick(struct session_cursor *c, const struct session_filter *filter, unsigned budget,
    uint64_t *ended_r)
{
	for (unsigned i = 0; i < budget; i++) {
		struct session *s = step(c);

		if (!s)
			return false;
		if (!fits(s, filter))
			continue;
		session_bye(s, CLOSE_KICKED, "[UNAVAILABLE] Ended by the administrator.");
		++*ended_r;
	}
	return true;
}

/* --- traces */

struct session_trace {
	struct list node; /* of env->traces */
	uint32_t id;
	struct slice user;
	char name[];
};

bool
session_trace_begin(struct session_env *env, uint32_t id, struct slice user)
{
	struct session_trace *t;

	if (env->n_traces >= SESSION_TRACES_MAX)
		return false;
	t = mem_zalloc(sizeof(*t) + user.len);
	if (!t)
		return false;
	t->id = id;
	memcpy(t->name, user.p, user.len);
	t->user = (struct slice){ t->name, user.len };
	list_append(&env->traces, &t->node);
	env->n_traces++;
	return true;
}

static void
trace_free(struct session_env *env, struct session_trace *t)
{
	list_remove(&t->node);
	env->n_traces--;
	mem_free(t);
}

void
session_trace_end(struct session_env *env, uint32_t id)
{
	list_foreach_safe (node, &env->traces) {
		struct session_trace *t = list_entry(node, struct session_trace, node);

		if (t->id == id)
			trace_free(env, t);
	}
}

void
session_trace_end_all(struct session_env *env)
{
	list_foreach_safe (node, &env->traces)
		trace_free(env, list_entry(node, struct session_trace, node));
}

bool
session_traced(const struct session *s)
{
	list_foreach (node, &s->env->traces) {
		const struct session_filter f = {
			.user = list_entry(node, struct session_trace, node)->user
		};

		if (fits(s, &f))
			return true;
	}
	return false;
}

void
session_trace(struct session *s, const char *who, const char *fmt, ...)
{
	char text[512], shown[1024];
	va_list ap;

	if (list_empty(&s->env->traces) || !session_traced(s))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)str_printable(shown, sizeof(shown), slice_of(text));
	list_foreach (node, &s->env->traces) {
		const struct session_trace *t = list_entry(node, struct session_trace, node);
		const struct session_filter f = { .user = t->user };

		if (fits(s, &f))
			s->env->hooks->trace(s->env->ctx, t->id, s->id, who, shown);
	}
}
