/*
 * process/prepare.c - query, commit and roll back, on the child's side.
 *
 * The snapshot is built in a thread, so that no session waits for a large configuration; only what it found is told by the loop.
 * At the commit the role swaps its pointers in one turn. What fails there ends the process: the next one starts with the
 * configuration that is then in force.
 */
#include "process/prepare.h"

#include "base/mem.h"
#include "base/secret.h"
#include "io/job.h"
#include "process/bundle.h"
#include "process/child.h"
#include "process/told.h"

#define WHY_MAX 8192

enum prepare_state { REST, RECEIVING, BUILDING, PREPARED, REFUSED };

struct prepare {
	struct child *child;
	enum prepare_state state;
	uint32_t generation;
	double began; /* loop time */
	struct loop_task tell;
	bool counted; /* the turn that told is over */
	unsigned char ticket_key[TLS_TICKET_KEY];
	struct job job;
	/* The thread's while it runs. */
	struct config_files *files;
	struct snapshot *snapshot;
	struct told told;
};

struct prepare *
prepare_new(struct child *c)
{
	struct prepare *p = mem_zalloc(sizeof(*p));

	if (p)
		p->child = c;
	return p;
}

/* Everything of it goes; the thread must have ended. */
static void
forget(struct prepare *p)
{
	config_files_free(&p->files);
	snapshot_unref(&p->snapshot);
	told_free(&p->told);
	secret_wipe(p->ticket_key, sizeof(p->ticket_key));
	p->state = REST;
}

void
prepare_free(struct prepare **pp)
{
	struct prepare *p = *pp;

	if (!p)
		return;
	*pp = NULL;
	job_finish(&p->job);
	loop_defer_cancel(&p->tell);
	forget(p);
	mem_free(p);
}

bool
prepare_takes(const struct prepare *p)
{
	return p->state == RECEIVING;
}

/* --- building */

static void
build(void *arg)
{
	struct prepare *p = arg;
	const struct child *c = p->child;

	p->snapshot = snapshot_build(p->files, c->inherit.config, c->ops->parts,
	    c->ops->role == ROLE_WORKER ? p->ticket_key : NULL, told_add, &p->told);
	secret_wipe(p->ticket_key, sizeof(p->ticket_key));
	config_files_free(&p->files);
}

static void
refuse(struct prepare *p, struct slice why)
{
	char memory[WHY_MAX + 64];
	struct pack k;

	p->state = REFUSED;
	pack_init(&k, memory, sizeof(memory));
	pack_u32(&k, p->generation);
	pack_slice(&k, why);
	/* A master that does not take this is gone, and says so by itself. */
	if (p->child->master && message_send(p->child->master, MSG_REFUSED, &k) < 0)
		return;
}

static void
on_built(void *arg)
{
	struct prepare *p = arg;
	struct child *c = p->child;
	struct err err = { "" };
	struct buf why;

	told_log(&p->told, LOG_DEBUG); /* warnings are the master's */
	if (!p->snapshot) {
		buf_init(&why, WHY_MAX, false);
		told_text(&p->told, &why);
		refuse(p, buf_slice(&why));
		buf_free(&why);
		return;
	}
	if (c->ops->check(c, p->snapshot, &err) < 0) {
		refuse(p, slice_of(err.text));
		return;
	}
	p->state = PREPARED;
	if (c->master && message_send_number(c->master, MSG_PREPARED, p->generation, NULL) < 0)
		return;
}

/* --- messages */

static int
take_reload(struct prepare *p, struct ipc_message *m, struct err *err)
{
	struct child *c = p->child;
	struct unpack u;
	struct slice key;

	if (p->state != REST)
		return err_set(err, "a reload within a reload");
	unpack_init(&u, m->payload);
	p->generation = unpack_u32(&u);
	key = unpack_slice(&u);
	if (!unpack_ok(&u) || key.len != sizeof(p->ticket_key))
		return err_set(err, "malformed reload");
	memcpy(p->ticket_key, key.p, key.len);
	p->files = config_files_new(false);
	if (!p->files)
		return err_set(err, "out of memory");
	c->n_files = c->n_listeners = 0;
	p->began = loop_now(c->loop);
	(void)loop_longest(c->loop);
	p->state = RECEIVING;
	return 1;
}

static int
take_prepare(struct prepare *p, struct ipc_message *m, struct err *err)
{
	struct child *c = p->child;
	struct begin b;

	if (p->state != RECEIVING || !begin_unpack(m->payload, &b) || b.files != c->n_files ||
	    b.listeners != c->n_listeners)
		return err_set(err, "%u files and %u listeners came, not those that were sent",
		    c->n_files, c->n_listeners);
	p->state = BUILDING;
	job_start(&p->job, c->loop, build, on_built, p);
	return 1;
}

/* After the turn of the commit itself. */
static void
tell_turn(struct loop_task *t)
{
	struct prepare *p = container_of(t, struct prepare, tell);
	struct log_line l;

	if (!p->counted) {
		p->counted = true;
		loop_defer(p->child->loop, t, tell_turn);
		return;
	}
	p->counted = false;
	log_begin(&l, LOG_DEBUG, EV_RELOAD);
	log_u64(&l, "generation", p->generation);
	log_seconds(&l, "took", loop_now(p->child->loop) - p->began);
	log_seconds(&l, "longest_turn", loop_longest(p->child->loop));
	log_end(&l);
}

static int
take_commit(struct prepare *p, struct err *err)
{
	struct child *c = p->child;

	if (p->state != PREPARED)
		return err_set(err, "a commit of what is not prepared");
	if (c->ops->configure(c, p->snapshot, err) < 0)
		return -1;
	snapshot_unref(&c->snapshot);
	c->snapshot = p->snapshot;
	p->snapshot = NULL;
	forget(p);
	loop_defer(c->loop, &p->tell, tell_turn);
	if (message_send_number(c->master, MSG_COMMITTED, p->generation, NULL) < 0)
		return err_set(err, "the master does not listen");
	return 1;
}

static int
take_rollback(struct prepare *p, struct err *err)
{
	if (p->state == BUILDING)
		return err_set(err, "a reload is called off before it was answered");
	if (p->state != REST)
		p->child->ops->drop(p->child);
	forget(p);
	return 1;
}

int
prepare_message(struct prepare *p, struct ipc_message *m, struct err *err)
{
	uint32_t generation;
	int n;

	switch (m->type) {
	case MSG_RELOAD:
		return take_reload(p, m, err);
	case MSG_FILES:
		n = bundle_take(p->files, p->child->ops->role, m, err);
		if (n > 0)
			p->child->n_files += (unsigned)n;
		return n;
	case MSG_PREPARE:
		return take_prepare(p, m, err);
	default:
		break;
	}
	if (!number_unpack(m->payload, UINT32_MAX, &generation) || generation != p->generation)
		return err_set(err, "malformed end of a reload");
	return m->type == MSG_COMMIT ? take_commit(p, err) : take_rollback(p, err);
}
