/*
 * process/link.c - a worker's channel to the directory.
 *
 * A channel on which something cannot be sent (its queue is full: the directory hangs) is of no more use: reports on it
 * would have a hole. It is closed, both sides forget what went over it, and a new one begins with a full report.
 */
#include "process/link.h"

#include "base/mem.h"

#define REPORTS_BYTES  ((size_t)60000)
#define OUTCOMES_BYTES ((size_t)16384)
#define WANT_SECONDS   0.5
_Static_assert(REPORTS_BYTES <= IPC_PAYLOAD_MAX, "a batch is one message");

struct link {
	struct loop *loop;
	const struct link_ops *ops;
	void *arg;
	struct ipc *ipc; /* NULL: no directory */
	struct pack reports, outcomes;
	struct loop_task flush;
	struct loop_task tell; /* the owner, of the loss */
	struct loop_timer want;
	bool lost; /* said in the log; to be taken back */
	char memory[REPORTS_BYTES], outcome_memory[OUTCOMES_BYTES];
};

static void
on_tell(struct loop_task *t)
{
	struct link *l = container_of(t, struct link, tell);

	l->ops->lost(l->arg);
}

/* May be found out within a call of a session, which is not to be called back from there: told at the end of the turn. */
static void
lose(struct link *l, const struct err *err)
{
	struct log_line line;

	ipc_close(&l->ipc);
	loop_defer_cancel(&l->flush);
	l->reports.len = l->outcomes.len = 0;
	if (!l->lost) {
		log_begin(&line, LOG_ERROR, EV_DIRECTORY_LOST);
		log_cstr(&line, "reason", err->text);
		log_end(&line);
		l->lost = true;
	}
	loop_timer_set(&l->want, WANT_SECONDS);
	loop_defer(l->loop, &l->tell, on_tell);
}

void
link_broken(struct link *l, const struct err *err)
{
	if (l->ipc)
		lose(l, err);
}

static void
on_want(struct loop_timer *w)
{
	struct link *l = container_of(w, struct link, want);

	l->ops->want(l->arg);
	loop_timer_set(&l->want, WANT_SECONDS);
}

static void
on_message(struct ipc *ipc, struct ipc_message *m, void *arg)
{
	static struct route_answer answer; /* 6 KiB, valid during the call */
	struct link *l = arg;
	struct slice backend, text;
	struct unpack u;
	struct err err = { "" };

	(void)ipc;
	if (m->type == MSG_ANSWER && m->n_fds == 0) {
		unpack_init(&u, m->payload);
		if (route_answer_unpack(&u, &answer) && unpack_ok(&u)) {
			l->ops->answer(l->arg, &answer);
			return;
		}
	} else if (m->type == MSG_LEARNT && m->n_fds == 0 &&
		   learnt_unpack(m->payload, &backend, &text)) {
		l->ops->learnt(l->arg, backend, text);
		return;
	} else if (l->ops->message(l->arg, m)) {
		return;
	}
	err_set(&err, "malformed message of type %u from the directory", m->type);
	link_broken(l, &err);
}

static void
on_gone(struct ipc *ipc, const struct err *err, void *arg)
{
	(void)ipc;
	link_broken(arg, err);
}

struct link *
link_new(struct loop *loop, const struct link_ops *ops, void *arg)
{
	struct link *l = mem_zalloc(sizeof(*l));

	if (!l)
		return NULL;
	l->loop = loop;
	l->ops = ops;
	l->arg = arg;
	pack_init(&l->reports, l->memory, sizeof(l->memory));
	pack_init(&l->outcomes, l->outcome_memory, sizeof(l->outcome_memory));
	loop_timer_init(loop, &l->want, on_want);
	return l;
}

void
link_free(struct link **lp)
{
	struct link *l = *lp;

	if (!l)
		return;
	*lp = NULL;
	ipc_close(&l->ipc);
	loop_defer_cancel(&l->flush);
	loop_defer_cancel(&l->tell);
	loop_timer_stop(&l->want);
	mem_free(l);
}

bool
link_open(struct link *l, int fd)
{
	struct err err = { "" };

	err_set(&err, "replaced");
	link_broken(l, &err);
	if (list_linked(
		&l->tell
		     .node)) { /* what waits, waits for the old one: before anything is asked anew */
		loop_defer_cancel(&l->tell);
		l->ops->lost(l->arg);
	}
	l->ipc = ipc_new(l->loop, fd, on_message, on_gone, l);
	if (!l->ipc)
		return false;
	loop_timer_stop(&l->want);
	if (l->lost)
		log_msg(LOG_WARN, EV_DIRECTORY_BACK, "there is a new one");
	l->lost = false;
	return true;
}

static void
flush_batch(struct link *l, enum message_type type, struct pack *batch)
{
	struct err err = { "" };

	if (l->ipc && batch->len > 0 && message_send(l->ipc, type, batch) < 0) {
		err_set(&err, "it does not take reports");
		link_broken(l, &err);
	}
	batch->len = 0;
}

void
link_flush(struct link *l)
{
	loop_defer_cancel(&l->flush);
	flush_batch(l, MSG_REPORTS, &l->reports);
	flush_batch(l, MSG_OUTCOMES, &l->outcomes);
}

static void
on_flush(struct loop_task *t)
{
	link_flush(container_of(t, struct link, flush));
}

bool
link_ask(struct link *l, const struct route_question *q)
{
	char memory[2048];
	struct pack k;

	link_flush(l);
	if (!l->ipc)
		return false;
	pack_init(&k, memory, sizeof(memory));
	route_question_pack(&k, q);
	return message_send(l->ipc, MSG_QUESTION, &k) >= 0;
}

void
link_report(struct link *l, bool open, struct slice user, struct slice backend)
{
	struct report r = { .open = open, .user = user, .backend = backend };

	if (!l->ipc)
		return; /* the next one is told all that is open then */
	if (l->reports.size - l->reports.len < 9 + user.len + backend.len)
		link_flush(l);
	if (!l->ipc)
		return;
	report_pack(&l->reports, &r);
	loop_defer(l->loop, &l->flush, on_flush);
}

void
link_outcome(struct link *l, const struct login_outcome *outcome)
{
	if (l->ipc && l->outcomes.size - l->outcomes.len < OUTCOME_PACKED_MAX)
		link_flush(l);
	if (!l->ipc) /* what the next one does not hear, later logins show it */
		return;
	outcome_pack(&l->outcomes, outcome);
	loop_defer(l->loop, &l->flush, on_flush);
}

void
link_learnt(struct link *l, struct slice backend, struct slice text)
{
	struct err err = { "" };

	if (!l->ipc || message_send_learnt(l->ipc, backend, text) >= 0)
		return;
	err_set(&err, "it does not take what was learnt");
	link_broken(l, &err);
}

struct ipc *
link_ipc(struct link *l)
{
	return l->ipc;
}
