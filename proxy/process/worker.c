/*
 * process/worker.c - the role that serves clients: accepts and hands over to session/, with the directory behind a link.
 *
 *      acceptor -> conn_new -> session_accept          session hooks -> link -> directory
 *
 * The session layer knows no process; this file is what joins the two. Ends: told to stop (sessions are let go spread over the
 * time, then what lingers has a moment); or, when the master is gone, by itself with its last session.
 */
#include <unistd.h>

#include "base/mem.h"
#include "process/acceptor.h"
#include "process/child.h"
#include "process/learnt.h"
#include "process/link.h"
#include "process/prepare.h"
#include "process/worker_control.h"
#include "session/session.h"

#define EMPTY_CHECK    0.05 /* seconds between two looks whether all is gone */
#define ORPHAN_CHECK   1.0
#define LINGER_SECONDS 1.0 /* for last words on their way, at the end */

struct worker {
	struct child *child;
	struct conn_env *conns;
	struct session_env *sessions;
	struct acceptor *acceptor;
	struct link *link;
	struct learnt *learnt;
	struct worker_control *control;
	int first_channel;       /* came before begin(); -1: none */
	struct loop_timer empty; /* looks whether all is gone */
	double empty_since;      /* loop time; 0: there are sessions */
	bool stopping;
};

/* --- what sessions need */

static bool
hook_ask(void *ctx, const struct route_question *q)
{
	struct worker *w = ctx;

	return link_ask(w->link, q);
}

static void
hook_opened(void *ctx, struct slice user, struct slice backend)
{
	struct worker *w = ctx;

	link_report(w->link, true, user, backend);
}

static void
hook_closed(void *ctx, struct slice user, struct slice backend)
{
	struct worker *w = ctx;

	link_report(w->link, false, user, backend);
}

static void
hook_outcome(void *ctx, const struct login_outcome *outcome)
{
	struct worker *w = ctx;

	link_outcome(w->link, outcome);
}

static void
hook_learnt(void *ctx, struct slice backend, struct slice text)
{
	struct worker *w = ctx;

	if (learnt_set(w->learnt, backend, text))
		link_learnt(w->link, backend, text);
}

static void
hook_trace(void *ctx, uint32_t id, uint64_t session, const char *who, const char *text)
{
	struct worker *w = ctx;

	worker_control_trace(w->control, id, session, who, text);
}

static void
hook_empty(void *ctx)
{
	struct worker *w = ctx;

	loop_timer_set(&w->empty, 0);
}

static const struct session_hooks hooks = {
	.ask = hook_ask,
	.opened = hook_opened,
	.closed = hook_closed,
	.outcome = hook_outcome,
	.learnt = hook_learnt,
	.trace = hook_trace,
	.empty = hook_empty,
};

/* --- what the directory says */

static void
on_answer(void *arg, const struct route_answer *answer)
{
	struct worker *w = arg;

	session_answer(w->sessions, answer);
}

static void
on_learnt(void *arg, struct slice backend, struct slice text)
{
	struct worker *w = arg;

	(void)learnt_set(w->learnt, backend, text);
	session_learn(w->sessions, backend, text);
}

static void
on_lost(void *arg)
{
	struct worker *w = arg;

	session_directory_lost(w->sessions);
	worker_control_lost(w->control);
}

static bool
on_link_message(void *arg, struct ipc_message *m)
{
	struct worker *w = arg;

	return worker_control_message(w->control, m);
}

static void
on_want(void *arg)
{
	struct worker *w = arg;

	/* When even this does not go the master is gone, and says so itself. */
	if (w->child->master && message_send(w->child->master, MSG_WANT_CHANNEL, NULL) < 0)
		return;
}

static const struct link_ops link_ops = {
	.answer = on_answer,
	.learnt = on_learnt,
	.message = on_link_message,
	.lost = on_lost,
	.want = on_want,
};

static int
open_link(struct worker *w, int fd, struct err *err)
{
	static const struct err full = { "it does not take what was learnt" };

	if (!link_open(w->link, fd))
		return err_set(err, "channel to the directory: out of memory");
	if (learnt_send(w->learnt, link_ipc(w->link)) < 0)
		link_broken(w->link, &full);
	else
		session_report(w->sessions);
	return 1;
}

/* --- clients */

static void
on_accept(void *arg, struct snapshot *of, const char *name, int fd, const struct addr *peer,
    const struct addr *local)
{
	struct worker *w = arg;
	struct snapshot *snapshot = of ? of : w->child->snapshot;
	const struct listen *listen = snapshot_listen(snapshot, name);
	struct conn *conn = conn_new(w->conns, fd);

	if (!conn)
		return;
	if (listen)
		session_accept_under(w->sessions, snapshot, listen, &conn, peer, local);
	else
		conn_close(&conn, CONN_CLOSE);
}

/* --- the end */

static void
on_empty(struct loop_timer *t)
{
	struct worker *w = container_of(t, struct worker, empty);
	double now = loop_now(w->child->loop);

	if (session_count(w->sessions) > 0) {
		w->empty_since = 0;
	} else {
		if (w->empty_since == 0)
			w->empty_since = now;
		if (conn_env_open(w->conns) == 0 || now - w->empty_since >= LINGER_SECONDS) {
			child_end(w->child);
			return;
		}
	}
	loop_timer_set(t, w->stopping || w->empty_since > 0 ? EMPTY_CHECK : ORPHAN_CHECK);
}

static void
worker_stop(struct child *c, double seconds)
{
	struct worker *w = c->role;

	acceptor_free(&w->acceptor);
	if (w->stopping)
		return;
	w->stopping = true;
	session_stop(w->sessions, seconds); /* on_empty() follows */
}

static void
worker_orphaned(struct child *c)
{
	struct worker *w = c->role;

	acceptor_free(&w->acceptor);
	if (!w->stopping)
		loop_timer_set(&w->empty, 0);
}

/* --- the start */

static void *
worker_create(struct child *c)
{
	struct worker *w = mem_zalloc(sizeof(*w));

	if (!w)
		return NULL;
	w->child = c;
	w->first_channel = -1;
	w->acceptor = acceptor_new(c->loop, on_accept, w);
	if (!w->acceptor) {
		mem_free(w);
		return NULL;
	}
	loop_timer_init(c->loop, &w->empty, on_empty);
	return w;
}

/* Every listener that came is one of the configuration that came with it. */
static int
listeners_fit(const struct snapshot *s, const struct acceptor *a,
    const char *at(const struct acceptor *, unsigned), struct err *err)
{
	const char *name;

	for (unsigned i = 0; (name = at(a, i)); i++)
		if (!snapshot_listen(s, name))
			return err_set(err, "there is no [listen %s]", name);
	return 1;
}

static int
worker_begin(struct child *c, struct err *err)
{
	struct worker *w = c->role;

	if (listeners_fit(c->snapshot, w->acceptor, acceptor_at, err) < 0)
		return -1;
	w->conns = conn_env_new(c->loop);
	if (w->conns)
		w->sessions = session_env_new(c->loop, w->conns, &hooks, w, c->inherit.workers);
	w->link = link_new(c->loop, &link_ops, w);
	w->learnt = learnt_new(c->snapshot);
	if (w->sessions && w->link)
		w->control = worker_control_new(c->loop, w->sessions, w->link);
	if (!w->conns || !w->sessions || !w->link || !w->learnt || !w->control)
		return err_set(err, "out of memory");
	session_configure(w->sessions, c->snapshot);
	if (w->first_channel >= 0) {
		int fd = w->first_channel;

		w->first_channel = -1;
		if (open_link(w, fd, err) < 0)
			return -1;
	}
	acceptor_start(w->acceptor);
	return 1;
}

static int
worker_check(struct child *c, const struct snapshot *fresh, struct err *err)
{
	const struct worker *w = c->role;

	if (!w->acceptor) /* it accepts no more */
		return 1;
	return listeners_fit(fresh, w->acceptor, acceptor_offered_at, err);
}

static int
worker_configure(struct child *c, struct snapshot *fresh, struct err *err)
{
	struct worker *w = c->role;

	(void)err;
	session_configure(w->sessions, fresh);
	learnt_renew(&w->learnt, fresh);
	if (w->acceptor)
		acceptor_commit(w->acceptor, c->snapshot);
	return 1;
}

static void
worker_drop(struct child *c)
{
	struct worker *w = c->role;

	if (w->acceptor)
		acceptor_drop(w->acceptor);
}

static int
take_channel(struct worker *w, struct ipc_message *m, struct err *err)
{
	uint32_t number;
	int fd;

	if (!number_unpack(m->payload, UINT32_MAX, &number) || m->n_fds != 1)
		return err_set(err, "malformed channel");
	fd = message_take_fd(m, 0);
	if (w->link)
		return open_link(w, fd, err);
	if (w->first_channel >= 0)
		(void)close(w->first_channel);
	w->first_channel = fd;
	return 1;
}

static int
worker_message(struct child *c, struct ipc_message *m, struct err *err)
{
	struct worker *w = c->role;
	int n;

	if (m->type == MSG_CHANNEL)
		return take_channel(w, m, err);
	if (m->type != MSG_LISTENERS || (c->begun && !prepare_takes(c->prepare)))
		return err_set(err, "unexpected message of type %u", m->type);
	if (!w->acceptor)
		n = (int)m->n_fds; /* it accepts no more */
	else
		n = c->begun ? acceptor_offer(w->acceptor, m, err)
			     : acceptor_take(w->acceptor, m, err);
	if (n > 0)
		c->n_listeners += (unsigned)n;
	return n;
}

static void
worker_destroy(struct child *c)
{
	struct worker *w = c->role;

	loop_timer_stop(&w->empty);
	acceptor_free(&w->acceptor);
	worker_control_free(&w->control);
	session_env_free(&w->sessions);
	conn_env_free(&w->conns);
	link_free(&w->link);
	learnt_free(&w->learnt);
	if (w->first_channel >= 0)
		(void)close(w->first_channel);
	mem_free(w);
}

const struct child_ops worker_role = {
	.role = ROLE_WORKER,
	.parts = SNAPSHOT_WORKER,
	.create = worker_create,
	.begin = worker_begin,
	.message = worker_message,
	.check = worker_check,
	.configure = worker_configure,
	.drop = worker_drop,
	.stop = worker_stop,
	.orphaned = worker_orphaned,
	.destroy = worker_destroy,
};
