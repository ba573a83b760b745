/*
 * process/worker_control.c - lists, kicks and traces, for the directory's verbs.
 *
 * Everything is done a bounded piece at a time: a list goes on when the directory asks for more, since it knows whether its client reads;
 * kicks go on in the next turn. Answers that cannot be sent break the link, as all else: the directory is told so by its end.
 */
#include "process/worker_control.h"

#include "base/mem.h"

#define WALK_STEP    16u   /* sessions between two looks at the room left */
#define WALK_MESSAGE 2048u /* sessions looked at for a message */
#define KICK_TURN    256u  /* sessions looked at a turn */
#define ROWS_BYTES   ((size_t)61440)
_Static_assert(ROWS_BYTES <= IPC_PAYLOAD_MAX, "rows are one message");
_Static_assert(ROWS_BYTES > 2 * WALK_STEP * (size_t)1024, "rows have room");

/* A list or a kick under way. */
struct job {
	struct list node; /* of lists or kicks */
	struct worker_control *control;
	uint32_t id;
	struct session_cursor cursor;
	struct session_filter filter; /* into memory behind it */
	uint64_t count;
	char names[];
};

struct worker_control {
	struct loop *loop;
	struct session_env *sessions;
	struct link *link;
	struct list lists, kicks;
	unsigned n_lists;
	struct loop_task kick;
};

struct worker_control *
worker_control_new(struct loop *loop, struct session_env *sessions, struct link *link)
{
	struct worker_control *c = mem_zalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->loop = loop;
	c->sessions = sessions;
	c->link = link;
	list_init(&c->lists);
	list_init(&c->kicks);
	return c;
}

static void
send_packed(struct worker_control *c, enum message_type type, const struct pack *k)
{
	static const struct err full = { "it does not take answers to operators" };

	if (link_ipc(c->link) && message_send(link_ipc(c->link), type, k) < 0)
		link_broken(c->link, &full);
}

static struct job *
job_new(struct worker_control *c, uint32_t id, const struct session_filter *f)
{
	struct job *j = mem_zalloc(sizeof(*j) + f->user.len + f->backend.len + 1);

	if (!j)
		return NULL;
	j->control = c;
	j->id = id;
	if (f->user.len > 0)
		memcpy(j->names, f->user.p, f->user.len);
	if (f->backend.len > 0)
		memcpy(j->names + f->user.len, f->backend.p, f->backend.len);
	j->filter = (struct session_filter){ .user = { j->names, f->user.len },
		.backend = { j->names + f->user.len, f->backend.len },
		.id = f->id };
	session_walk_begin(c->sessions, &j->cursor);
	return j;
}

static void
job_free(struct job *j)
{
	session_walk_end(&j->cursor);
	list_remove(&j->node);
	mem_free(j);
}

/* --- lists */

static void
on_row(void *arg, const struct session_info *info)
{
	row_pack(arg, info);
}

static void
list_end(struct worker_control *c, struct job *j)
{
	c->n_lists--;
	job_free(j);
}

static void
list_send(struct worker_control *c, struct job *j)
{
	static char memory[ROWS_BYTES];
	bool more = true;
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	pack_u32(&k, j->id);
	pack_u8(&k, 0);
	for (unsigned n = 0; more && n < WALK_MESSAGE; n += WALK_STEP) {
		if (k.size - k.len < WALK_STEP * (size_t)ROW_PACKED_MAX)
			break;
		more = session_walk(&j->cursor, &j->filter, WALK_STEP, on_row, &k);
	}
	memory[4] = more ? 0 : 1;
	if (!more)
		list_end(c, j);
	send_packed(c, MSG_ROWS, &k);
}

static void
list_none(struct worker_control *c, uint32_t id)
{
	char memory[8];
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	pack_u32(&k, id);
	pack_u8(&k, 1);
	send_packed(c, MSG_ROWS, &k);
}

static bool
take_list(struct worker_control *c, struct slice payload)
{
	struct job *found = NULL;
	struct list_ask l;

	if (!list_ask_unpack(payload, &l))
		return false;
	list_foreach (node, &c->lists) {
		struct job *j = list_entry(node, struct job, node);

		if (j->id == l.id)
			found = j;
	}
	if (l.step == LIST_BEGIN && !found) {
		if (c->n_lists < WORKER_LISTS_MAX)
			found = job_new(c, l.id, &l.filter);
		if (!found) {
			list_none(c, l.id);
			return true;
		}
		list_append(&c->lists, &found->node);
		c->n_lists++;
	}
	if (found && l.step == LIST_END)
		list_end(c, found);
	else if (found)
		list_send(c, found);
	return true;
}

/* --- kicks */

static void
on_kick(struct loop_task *t)
{
	struct worker_control *c = container_of(t, struct worker_control, kick);
	struct job *j = list_entry(c->kicks.next, struct job, node);
	char memory[16];
	struct pack k;

	if (!session_kick(&j->cursor, &j->filter, KICK_TURN, &j->count)) {
		const struct kicked done = { .id = j->id, .count = j->count };

		pack_init(&k, memory, sizeof(memory));
		kicked_pack(&k, &done);
		job_free(j);
		link_flush(c->link); /* whoever hears of it knows that they have ended */
		send_packed(c, MSG_KICKED, &k);
	}
	if (!list_empty(&c->kicks))
		loop_defer(c->loop, &c->kick, on_kick);
}

static bool
take_kick(struct worker_control *c, struct slice payload)
{
	struct kick_ask a;
	struct job *j;

	if (!kick_ask_unpack(payload, &a))
		return false;
	j = job_new(c, a.id, &a.filter);
	if (!j)
		return true; /* the directory's patience ends it */
	list_append(&c->kicks, &j->node);
	loop_defer(c->loop, &c->kick, on_kick);
	return true;
}

/* --- traces */

void
worker_control_trace(
    struct worker_control *c, uint32_t id, uint64_t session, const char *who, const char *text)
{
	const struct traced t = {
		.id = id, .session = session, .who = slice_of(who), .text = slice_of(text)
	};
	char memory[2048];
	struct pack k;

	/* What nobody takes is dropped, before it is in the way of questions. */
	if (!link_ipc(c->link) || ipc_queued(link_ipc(c->link)) > 64)
		return;
	pack_init(&k, memory, sizeof(memory));
	traced_pack(&k, &t);
	send_packed(c, MSG_TRACED, &k);
}

static bool
take_trace(struct worker_control *c, struct slice payload)
{
	struct trace_ask t;

	if (!trace_ask_unpack(payload, &t))
		return false;
	session_trace_end(c->sessions, t.id);
	if (t.on && !session_trace_begin(c->sessions, t.id, t.user))
		worker_control_trace(c, t.id, 0, "proxy", "too many traces at once");
	return true;
}

/* --- the whole */

bool
worker_control_message(struct worker_control *c, struct ipc_message *m)
{
	if (m->n_fds > 0)
		return false;
	switch (m->type) {
	case MSG_LIST:
		return take_list(c, m->payload);
	case MSG_KICK:
		return take_kick(c, m->payload);
	case MSG_TRACE:
		return take_trace(c, m->payload);
	default:
		return false;
	}
}

void
worker_control_lost(struct worker_control *c)
{
	list_foreach_safe (node, &c->lists)
		list_end(c, list_entry(node, struct job, node));
	list_foreach_safe (other, &c->kicks)
		job_free(list_entry(other, struct job, node));
	loop_defer_cancel(&c->kick);
	session_trace_end_all(c->sessions);
}

void
worker_control_free(struct worker_control **cp)
{
	if (!*cp)
		return;
	worker_control_lost(*cp);
	mem_free(*cp);
	*cp = NULL;
}
