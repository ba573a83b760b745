/*
 * process/reload.c - a new configuration for the processes that run: query, commit, roll back; the master's side.
 *
 *      REST -> CHECKING: a thread reads and checks all of it
 *           -> PREPARING: new sockets opened, the bundle sent; each child builds, and says PREPARED or REFUSED
 *           -> COMMITTING: when all are prepared; from here on the new one is in force, whoever dies -> REST
 *
 * Until the commit nothing has changed: a mistake, a refusal, a death or a silence leaves the old configuration whole. A decision is
 * made when all have answered, so that nobody is asked again while it still builds. While it is open no process is started: it
 * would begin with the wrong one. One reload runs at a time; what is asked for meanwhile is one more after it.
 *
 * Who waits is told once, by the loop: how it ended, and every mistake and warning as `check` has it.
 */
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/stat.h"
#include "base/secret.h"
#include "io/job.h"
#include "process/bundle.h"
#include "process/master_int.h"
#include "process/notify.h"
#include "process/told.h"
#include "process/watch.h"

#define PREPARE_SECONDS 120.0 /* for reading and building; a child that takes longer hangs */
#define COMMIT_SECONDS  10.0
#define TEXT_MAX        65536

enum reload_state { REST, CHECKING, PREPARING, COMMITTING };

struct waiting {
	struct list node;
	master_reload_fn *fn;
	void *arg;
};

struct reload {
	struct master *m;
	enum reload_state state;
	uint32_t generation;
	bool again;                /* asked for while one ran */
	struct list waiting, next; /* struct waiting: for this one, for the one after it */
	double began;
	struct loop_timer timer;
	bool *asked; /* of each process: its answer is outstanding */
	struct listener_set *listeners;
	struct job job;
	/* The thread's while it runs. */
	struct setup setup;
	struct told told;
	struct err err;
};

static void begin(struct reload *r);

/* --- the end */

static void
tell(struct reload *r, bool done, const char *why)
{
	struct log_line l;
	struct list now;
	struct buf text;
	bool whole;

	log_begin(&l, done ? LOG_INFO : LOG_ERROR, EV_RELOAD);
	log_u64(&l, "generation", r->generation);
	log_cstr(&l, "result", done ? "done" : "refused");
	log_cstr(&l, "reason", *why ? why : NULL);
	log_seconds(&l, "took", loop_now(r->m->loop) - r->began);
	log_end(&l);
	buf_init(&text, TEXT_MAX + 512, false);
	told_text(&r->told, &text);
	whole = (!*why || buf_printf(&text, "%s\n", why)) && buf_put(&text, "", 1);
	list_init(&now);
	while (!list_empty(&r->waiting)) {
		struct list *node = r->waiting.next;

		list_remove(node);
		list_append(&now, node);
	}
	while (!list_empty(&now)) {
		struct waiting *w = list_entry(now.next, struct waiting, node);

		list_remove(&w->node);
		w->fn(w->arg, done, whole ? buf_slice(&text).p : why);
		mem_free(w);
	}
	buf_free(&text);
}

static void
finish(struct reload *r, bool done, const char *why)
{
	loop_timer_stop(&r->timer);
	listener_set_close(&r->listeners);
	setup_free(&r->setup);
	r->state = REST;
	if (!r->m->stopping)
		master_notify_ready(r->m);
	tell(r, done, why);
	told_free(&r->told);
	if (r->again && !r->m->stopping && r->state == REST)
		begin(r);
}

/* --- commit and roll back */

static bool
any_asked(const struct reload *r)
{
	for (unsigned i = 0; i < r->m->n; i++)
		if (r->asked[i])
			return true;
	return false;
}

static void
roll_back(struct reload *r, const char *why)
{
	struct master *m = r->m;

	for (unsigned i = 0; i < m->n; i++) {
		struct process *p = &m->processes[i];

		/* Who has not answered by now hangs, and would not take a word. */
		if (r->asked[i] ||
		    (p->ready && p->ipc &&
			message_send_number(p->ipc, MSG_ROLLBACK, r->generation, NULL) < 0))
			process_kill(p);
		r->asked[i] = false;
	}
	finish(r, false, why);
}

static bool
log_differs(const struct proxy_settings *x, const struct proxy_settings *y)
{
	return x->log_level != y->log_level || x->log_format != y->log_format ||
	       x->log_hash_users != y->log_hash_users || strcmp(x->log, y->log) != 0;
}

static void
commit(struct reload *r)
{
	struct master *m = r->m;
	struct setup old = m->setup;
	bool moved = listener_set_differs(m->listeners, r->listeners);
	struct listener_set *listeners = m->listeners;
	struct err err = { "" };

	r->state = COMMITTING;
	stat_inc(STAT_GENERATION);
	if (r->setup.log_fd < 0) {
		r->setup.log_fd = old.log_fd;
		old.log_fd = STDERR_FILENO;
	}
	r->setup.started = old.started;
	old.started = NULL;
	m->setup = r->setup;
	m->listeners = r->listeners;
	r->setup = (struct setup){ .log_fd = STDERR_FILENO };
	r->listeners = NULL;
	if (log_differs(&m->setup.snapshot->proxy, &old.snapshot->proxy))
		master_send_log(m);
	for (unsigned i = 0; i < m->n; i++) {
		struct process *p = &m->processes[i];

		if (!p->ready || !p->ipc)
			continue;
		if (message_send_number(p->ipc, MSG_COMMIT, r->generation, NULL) < 0)
			process_kill(p); /* the next one begins with the new configuration */
		else
			r->asked[i] = true;
	}
	setup_free(&old);
	listener_set_close(
	    &listeners); /* descriptors: workers hold theirs until the queues are empty */
	watch_configure(m->watch);
	if (moved) {
		master_log_listeners(m);
		if (m->options->address_file &&
		    listener_set_write(m->listeners, m->options->address_file, &err) < 0)
			log_msg(LOG_ERROR, EV_RELOAD, "%s", err.text);
	}
	if (any_asked(r))
		loop_timer_set(&r->timer, COMMIT_SECONDS);
	else
		finish(r, true, "");
}

/* --- query */

static const char *
process_text(const struct process *p, char text[32])
{
	if (p->role == ROLE_WORKER)
		(void)str_fmt(text, 32, "worker %u", p->number);
	else
		(void)str_fmt(text, 32, "%s", role_name(p->role));
	return text;
}

/* The first reason counts; the others are in the log. */
static void
refused(struct reload *r, const struct process *p, const char *why)
{
	if (r->err.text[0] == '\0') {
		char who[32];

		err_set(&r->err, "%s: %s", process_text(p, who), why);
	}
}

static void
decide(struct reload *r)
{
	if (r->state == COMMITTING)
		finish(r, true, "");
	else if (r->err.text[0])
		roll_back(r, r->err.text);
	else
		commit(r);
}

static void
answered(struct reload *r, const struct process *p)
{
	r->asked[p - r->m->processes] = false;
	if (!any_asked(r))
		decide(r);
}

static int
send_bundle(struct reload *r, struct process *p)
{
	const unsigned char none[TLS_TICKET_KEY] = { 0 };
	const struct master *m = r->m;
	const unsigned char *key = p->role == ROLE_WORKER ? m->ticket_key : none;
	char memory[TLS_TICKET_KEY + 64];
	struct begin b = { 0 };
	struct pack k;
	int n;

	pack_init(&k, memory, sizeof(memory));
	pack_u32(&k, r->generation);
	pack_slice(&k, (struct slice){ (const char *)key, TLS_TICKET_KEY });
	n = message_send(p->ipc, MSG_RELOAD, &k);
	secret_wipe(memory, sizeof(memory));
	if (n < 0 || (n = bundle_send(p->ipc, p->role, r->setup.files)) < 0)
		return -1;
	b.files = (uint32_t)n;
	if (p->role == ROLE_WORKER) {
		n = listener_set_send(r->listeners, p->ipc, p->number);
		if (n < 0)
			return -1;
		b.listeners = (uint32_t)n;
	}
	pack_init(&k, memory, sizeof(memory));
	begin_pack(&k, &b);
	return message_send(p->ipc, MSG_PREPARE, &k);
}

static void
prepare(struct reload *r)
{
	struct master *m = r->m;

	r->state = PREPARING;
	loop_timer_set(&r->timer, PREPARE_SECONDS);
	for (unsigned i = 0; i < m->n; i++) {
		struct process *p = &m->processes[i];

		if (!p->ready || !p->ipc)
			continue;
		r->asked[i] = send_bundle(r, p) > 0;
		if (!r->asked[i]) {
			refused(r, p, "it does not take the new configuration");
			process_kill(p);
		}
	}
	if (!any_asked(r)) /* all of them are dead at present */
		decide(r);
}

/* Every process is either up or waits to be started: one in between would miss the new configuration. */
static bool
all_settled(const struct master *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->processes[i].pid > 0 && !m->processes[i].ready)
			return false;
	return true;
}

static void
prepare_when_settled(struct reload *r)
{
	if (all_settled(r->m))
		prepare(r);
	else
		loop_timer_set(&r->timer, 0.1);
}

static void
on_timer(struct loop_timer *t)
{
	struct reload *r = container_of(t, struct reload, timer);

	switch (r->state) {
	case REST:
		break;
	case CHECKING: /* checked, and somebody is being started */
		prepare_when_settled(r);
		break;
	case PREPARING:
		roll_back(r, "not all processes have answered in time");
		break;
	case COMMITTING:
		for (unsigned i = 0; i < r->m->n; i++) {
			if (r->asked[i])
				process_kill(&r->m->processes[i]);
			r->asked[i] = false;
		}
		finish(r, true, "not all processes have followed in time: they are replaced");
		break;
	}
}

/* --- check */

static void
check(void *arg)
{
	struct reload *r = arg;

	if (setup_read(&r->setup, r->m->setup.config, told_add, &r->told, &r->err) > 0)
		(void)!setup_compare(&r->setup, &r->m->setup, told_add, &r->told, &r->err);
}

static void
on_checked(void *arg)
{
	struct reload *r = arg;

	told_log(&r->told, LOG_WARN);
	if (r->m->stopping) {
		finish(r, false, "the proxy is being stopped");
		return;
	}
	if (!r->setup.snapshot || r->err.text[0]) {
		finish(r, false, r->err.text[0] ? r->err.text : "the configuration has mistakes");
		return;
	}
	r->listeners = listener_set_renew(r->m->listeners, r->setup.snapshot, &r->err);
	if (!r->listeners) {
		finish(r, false, r->err.text);
		return;
	}
	prepare_when_settled(r);
}

static void
begin(struct reload *r)
{
	struct timespec now;

	r->again = false;
	while (!list_empty(&r->next)) {
		struct list *node = r->next.next;

		list_remove(node);
		list_append(&r->waiting, node);
	}
	r->state = CHECKING;
	r->generation++;
	r->began = loop_now(r->m->loop);
	r->err.text[0] = '\0';
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	notify("RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=The configuration is read again.",
	    (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
	job_start(&r->job, r->m->loop, check, on_checked, r);
}

/* --- from outside */

struct reload *
reload_new(struct master *m)
{
	struct reload *r = mem_zalloc(sizeof(*r));

	if (!r)
		return NULL;
	r->m = m;
	r->asked = mem_zalloc(m->n * sizeof(*r->asked));
	r->setup.log_fd = STDERR_FILENO;
	list_init(&r->waiting);
	list_init(&r->next);
	loop_timer_init(m->loop, &r->timer, on_timer);
	if (!r->asked) {
		mem_free(r);
		return NULL;
	}
	return r;
}

static void
waiting_free(struct list *waiting)
{
	list_foreach_safe (node, waiting) {
		list_remove(node);
		mem_free(list_entry(node, struct waiting, node));
	}
}

void
reload_free(struct reload **rp)
{
	struct reload *r = *rp;

	if (!r)
		return;
	*rp = NULL;
	job_finish(&r->job);
	loop_timer_stop(&r->timer);
	listener_set_close(&r->listeners);
	setup_free(&r->setup);
	told_free(&r->told);
	waiting_free(&r->waiting);
	waiting_free(&r->next);
	mem_free(r->asked);
	mem_free(r);
}

bool
master_reload(struct master *m, master_reload_fn *fn, void *arg)
{
	struct reload *r = m->reload;
	struct waiting *w = NULL;

	if (m->stopping)
		return false;
	if (fn) {
		w = mem_zalloc(sizeof(*w));
		if (!w)
			return false;
		w->fn = fn;
		w->arg = arg;
		list_append(&r->next, &w->node);
	}
	if (m->running && r->state == REST)
		begin(r);
	else
		r->again = true;
	return true;
}

void
reload_ready(struct reload *r)
{
	if (r->again && r->state == REST)
		begin(r);
}

void
reload_stop(struct reload *r)
{
	while (!list_empty(&r->next)) {
		struct list *node = r->next.next;

		list_remove(node);
		list_append(&r->waiting, node);
	}
	r->again = false;
	/* Children that are told to stop do not come to an end of it; a thread that runs does. */
	if (r->state == PREPARING || r->state == COMMITTING ||
	    (r->state == CHECKING && !r->job.running))
		finish(r, r->state == COMMITTING, "the proxy is being stopped");
	else if (r->state == REST && !list_empty(&r->waiting))
		tell(r, false, "the proxy is being stopped");
}

bool
reload_undecided(const struct reload *r)
{
	return r->state == PREPARING || (r->state == CHECKING && loop_timer_active(&r->timer));
}

bool
reload_message(struct reload *r, struct process *p, const struct ipc_message *m)
{
	bool asked = r->asked[p - r->m->processes];
	struct unpack u;
	uint32_t generation;

	if (r->m->stopping)
		return true; /* it came too late */
	unpack_init(&u, m->payload);
	generation = unpack_u32(&u);
	if (m->type == MSG_REFUSED) {
		struct slice text = unpack_slice(&u);
		char why[sizeof(r->err.text)];

		if (!unpack_ok(&u) || !asked || generation != r->generation ||
		    r->state != PREPARING)
			return false;
		while (text.len > 0 && text.p[text.len - 1] == '\n')
			text.len--;
		refused(r, p, str_printable(why, sizeof(why), text));
	} else {
		if (!unpack_ok(&u) || !asked || generation != r->generation ||
		    r->state != (m->type == MSG_PREPARED ? PREPARING : COMMITTING))
			return false;
	}
	answered(r, p);
	return true;
}

void
reload_ended(struct reload *r, const struct process *p)
{
	if (!r->asked[p - r->m->processes] || r->m->stopping)
		return;
	if (r->state == PREPARING)
		refused(r, p, "it ended while it was to prepare the new configuration");
	answered(r, p);
}
