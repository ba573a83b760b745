/*
 * process/directory.c - the role that answers: questions of workers to directory/, reports of workers, what one worker learnt to
 * the others.
 *
 * What a worker reported vanishes with its channel. Ends when it was told to, or the master is gone, and the last worker has closed its
 * channel: workers that end still have logins under way.
 */
#include "directory/directory.h"

#include <unistd.h>

#include "base/mem.h"
#include "process/child.h"
#include "process/learnt.h"
#include "process/verbs.h"

struct worker_end {
	struct directory_role *role;
	struct ipc *ipc; /* NULL: no such worker now */
	unsigned number; /* from 1 */
};

struct directory_role {
	struct child *child;
	struct directory *directory;
	struct learnt *learnt;
	struct verbs *verbs; /* NULL: no control socket */
	int control;         /* came before begin(); -1: none */
	struct control_start control_start;
	struct list admins;         /* struct admin_kept, until begin() */
	struct worker_end *workers; /* inherit.workers of them */
	unsigned n_open;
	bool ending; /* with the last worker */
};

static void
worker_gone(struct worker_end *w, const char *reason)
{
	struct directory_role *d = w->role;

	if (!w->ipc)
		return;
	ipc_close(&w->ipc);
	log_msg(LOG_DEBUG, EV_PROCESS_EXIT, "worker %u: %s", w->number, reason);
	directory_worker_gone(d->directory, w->number);
	if (d->verbs)
		verbs_worker_gone(d->verbs, w->number);
	if (--d->n_open == 0 && d->ending)
		child_end(d->child);
}

/* --- questions, reports, what was learnt */

static void
on_answer(void *arg, const struct route_answer *answer)
{
	static char memory[32768];
	struct worker_end *w = arg;
	struct pack k;

	if (!w->ipc)
		return;
	pack_init(&k, memory, sizeof(memory));
	route_answer_pack(&k, answer);
	/* An answer that is lost would leave its login waiting; a closed channel tells all of them. */
	if (message_send(w->ipc, MSG_ANSWER, &k) < 0)
		worker_gone(w, "it does not take answers");
}

static bool
take_question(struct worker_end *w, struct slice payload)
{
	struct route_question q;
	struct unpack u;

	unpack_init(&u, payload);
	if (!route_question_unpack(&u, &q) || !unpack_ok(&u))
		return false;
	directory_ask(w->role->directory, w->number, &q, on_answer, w);
	return true;
}

static bool
take_reports(struct worker_end *w, struct slice payload)
{
	struct report r;
	struct unpack u;
	int more;

	unpack_init(&u, payload);
	while ((more = report_unpack(&u, &r)) > 0) {
		if (r.open)
			directory_session_open(w->role->directory, w->number, r.user, r.backend);
		else
			directory_session_close(w->role->directory, w->number, r.user, r.backend);
	}
	return more == 0;
}

static bool
take_outcomes(struct worker_end *w, struct slice payload)
{
	struct login_outcome o;
	struct unpack u;
	int more;

	unpack_init(&u, payload);
	while ((more = outcome_unpack(&u, &o)) > 0)
		directory_login(w->role->directory, w->number, &o);
	return more == 0;
}

/* To all workers but the one that @from is; NULL: to all. */
static void
spread(struct directory_role *d, const struct worker_end *from, struct slice backend,
    struct slice text)
{
	if (!learnt_set(d->learnt, backend, text))
		return;
	for (unsigned i = 0; i < d->child->inherit.workers; i++) {
		struct worker_end *w = &d->workers[i];

		if (w != from && w->ipc && message_send_learnt(w->ipc, backend, text) < 0)
			worker_gone(w, "it does not take what was learnt");
	}
}

static void
on_learnt(void *arg, struct slice backend, struct slice text)
{
	spread(arg, NULL, backend, text);
}

static bool
take_learnt(struct worker_end *from, struct slice payload)
{
	struct slice backend, text;

	if (!learnt_unpack(payload, &backend, &text))
		return false;
	spread(from->role, from, backend, text);
	return true;
}

static void
on_message(struct ipc *ipc, struct ipc_message *m, void *arg)
{
	struct worker_end *w = arg;
	bool ok = false;

	(void)ipc;
	if (m->n_fds == 0 && m->type == MSG_QUESTION)
		ok = take_question(w, m->payload);
	else if (m->n_fds == 0 && m->type == MSG_REPORTS)
		ok = take_reports(w, m->payload);
	else if (m->n_fds == 0 && m->type == MSG_OUTCOMES)
		ok = take_outcomes(w, m->payload);
	else if (m->n_fds == 0 && m->type == MSG_LEARNT)
		ok = take_learnt(w, m->payload);
	else if (m->n_fds == 0 && w->role->verbs)
		ok = verbs_worker_message(w->role->verbs, w->number, m);
	if (ok)
		return;
	log_msg(LOG_ERROR, EV_PROCESS_EXIT, "malformed message of type %u from worker %u", m->type,
	    w->number);
	worker_gone(w, "malformed message");
}

static void
on_gone(struct ipc *ipc, const struct err *err, void *arg)
{
	(void)ipc;
	worker_gone(arg, err->text);
}

/* --- the role */

static void *
directory_create(struct child *c)
{
	struct directory_role *d = mem_zalloc(sizeof(*d));

	if (d) {
		d->child = c;
		d->control = -1;
		list_init(&d->admins);
	}
	return d;
}

/* --- control */

struct admin_kept {
	struct list node;
	enum health_admin admin;
	char backend[BACKEND_NAME_MAX];
};

static int
keep_admin(struct directory_role *d, struct slice payload, struct err *err)
{
	struct admin_kept *a = mem_zalloc(sizeof(*a));
	struct admin_said said;

	if (!a)
		return err_set(err, "out of memory");
	list_append(&d->admins, &a->node);
	if (!admin_unpack(payload, &said) || !str_put(a->backend, sizeof(a->backend), said.backend))
		return err_set(err, "malformed state of a backend");
	a->admin = said.admin;
	return 1;
}

/* Those of backends that are no more are left out. */
static void
use_admins(struct directory_role *d)
{
	list_foreach_safe (node, &d->admins) {
		struct admin_kept *a = list_entry(node, struct admin_kept, node);

		if (d->directory)
			(void)directory_admin(d->directory, slice_of(a->backend), a->admin);
		list_remove(node);
		mem_free(a);
	}
}

static struct ipc *
channel_of(void *arg, unsigned number)
{
	struct directory_role *d = arg;

	return number > 0 ? d->workers[number - 1].ipc : d->child->master;
}

static void
broken_channel(void *arg, unsigned number)
{
	struct directory_role *d = arg;

	worker_gone(&d->workers[number - 1], "it does not take requests of operators");
}

static int
begin_verbs(struct directory_role *d, struct err *err)
{
	const struct verbs_env env = {
		.loop = d->child->loop,
		.directory = d->directory,
		.counters = d->child->counters,
		.workers = d->child->inherit.workers,
		.channel = channel_of,
		.broken = broken_channel,
		.arg = d,
	};

	d->verbs = verbs_new(&env, d->control, &d->control_start);
	d->control = -1;
	return d->verbs ? 1 : err_set(err, "control: out of memory");
}

static int
configure(struct directory_role *d, const struct snapshot *s, struct err *err)
{
	const struct directory_config config = {
		.routes = s->routes,
		.n_routes = s->n_routes,
		.pools = s->pools,
		.n_pools = s->n_pools,
		.backends = s->backends,
		.n_backends = s->n_backends,
	};

	return directory_configure(d->directory, &config, err) < 0 ? -1 : 1;
}

static int
directory_begin(struct child *c, struct err *err)
{
	struct directory_role *d = c->role;

	d->workers = mem_array(NULL, c->inherit.workers + 1u, sizeof(*d->workers));
	d->learnt = learnt_new(c->snapshot);
	if (!d->workers || !d->learnt)
		return err_set(err, "out of memory");
	for (unsigned i = 0; i < c->inherit.workers; i++)
		d->workers[i] = (struct worker_end){ .role = d, .number = i + 1 };
	d->directory = directory_new(c->loop, err);
	if (!d->directory || configure(d, c->snapshot, err) < 0)
		return -1;
	directory_on_learnt(d->directory, on_learnt, d);
	use_admins(d);
	return d->control >= 0 ? begin_verbs(d, err) : 1;
}

/* Before the start: what operators have said and the control socket; later: what became of an order. */
static int
take_control(struct directory_role *d, struct ipc_message *m, struct err *err)
{
	struct ordered o;

	if (d->child->begun) {
		if (m->type != MSG_ORDERED || !ordered_unpack(m->payload, &o))
			return err_set(err, "unexpected message of type %u", m->type);
		if (d->verbs)
			verbs_ordered(d->verbs, &o);
		return 1;
	}
	if (m->type == MSG_ADMIN)
		return keep_admin(d, m->payload, err);
	if (m->type != MSG_CONTROL || d->control >= 0 || m->n_fds != 1 ||
	    !control_start_unpack(m->payload, &d->control_start))
		return err_set(err, "malformed control");
	d->control = message_take_fd(m, 0);
	return 1;
}

static int
directory_check(struct child *c, const struct snapshot *fresh, struct err *err)
{
	(void)c;
	(void)fresh;
	(void)err;
	return 1;
}

static int
directory_reload(struct child *c, struct snapshot *fresh, struct err *err)
{
	struct directory_role *d = c->role;

	learnt_renew(&d->learnt, fresh);
	return configure(d, fresh, err);
}

static void
directory_drop(struct child *c)
{
	(void)c;
}

static int
directory_message(struct child *c, struct ipc_message *m, struct err *err)
{
	struct directory_role *d = c->role;
	struct worker_end *w;
	uint32_t number;

	if (m->type == MSG_CONTROL || m->type == MSG_ADMIN || m->type == MSG_ORDERED)
		return take_control(d, m, err);
	if (m->type != MSG_CHANNEL || !c->begun)
		return err_set(err, "unexpected message of type %u", m->type);
	if (!number_unpack(m->payload, c->inherit.workers, &number) || number == 0 || m->n_fds != 1)
		return err_set(err, "malformed channel");
	w = &d->workers[number - 1];
	d->n_open++; /* counted first: the old one's end must not look like the last */
	worker_gone(w, "replaced");
	w->ipc = ipc_new(c->loop, message_take_fd(m, 0), on_message, on_gone, w);
	if (!w->ipc) {
		d->n_open--;
		return err_set(err, "channel of worker %u: out of memory", number);
	}
	if (learnt_send(d->learnt, w->ipc) < 0)
		worker_gone(w, "it does not take what was learnt");
	else if (d->verbs)
		verbs_worker_here(d->verbs, number);
	return 1;
}

static void
end_with_last(struct child *c)
{
	struct directory_role *d = c->role;

	d->ending = true;
	if (d->n_open == 0)
		child_end(c);
}

static void
directory_stop(struct child *c, double seconds)
{
	(void)seconds;
	end_with_last(c);
}

static void
directory_destroy(struct child *c)
{
	struct directory_role *d = c->role;

	verbs_free(&d->verbs);
	if (d->control >= 0)
		(void)close(d->control);
	if (d->workers)
		for (unsigned i = 0; i < c->inherit.workers; i++)
			ipc_close(&d->workers[i].ipc);
	directory_free(&d->directory);
	use_admins(d);
	learnt_free(&d->learnt);
	mem_free(d->workers);
	mem_free(d);
}

const struct child_ops directory_role = {
	.role = ROLE_DIRECTORY,
	.parts = SNAPSHOT_DIRECTORY | SNAPSHOT_SECRETS,
	.create = directory_create,
	.begin = directory_begin,
	.message = directory_message,
	.check = directory_check,
	.configure = directory_reload,
	.drop = directory_drop,
	.stop = directory_stop,
	.orphaned = end_with_last,
	.destroy = directory_destroy,
};
