/*
 * process/verbs_session.c - verbs about sessions: sessions, kick, trace.
 *
 *      sessions: one worker after the other is asked for rows, the next batch when the client has taken the last
 *      kick:     all workers at once, their counts added up
 *      trace:    all workers, also those that start later, until the client goes
 */
#include "process/verbs_internal.h"

/* --- sessions */

static uint64_t
bit_of(unsigned worker)
{
	return UINT64_C(1) << (worker - 1);
}

static bool
ask_list(struct request *r, enum list_step step)
{
	const struct list_ask l = { .id = r->id,
		.step = step,
		.filter = { .user = r->user, .backend = slice_of(r->backend) } };
	char memory[CONTROL_REQUEST_MAX + 64];
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	list_ask_pack(&k, &l);
	return verbs_send(r->verbs, r->worker, MSG_LIST, &k);
}

/* The next worker that is there; or the end. */
static void
next_worker(struct request *r)
{
	loop_timer_set(&r->timer, VERBS_PATIENCE);
	while (++r->worker <= r->verbs->env.workers) {
		if (ask_list(r, LIST_BEGIN)) {
			r->waiting = bit_of(r->worker);
			return;
		}
	}
	r->worker = 0;
	sheet_table_end(&r->sheet);
	request_end(r);
}

void
verb_sessions(struct request *r)
{
	control_ok(r->client);
	sheet_table(&r->sheet, NULL,
	    "session user client listener tls state backend age idle client_bytes store_bytes");
	if (!r->sheet.failed)
		control_flush(r->client);
	next_worker(r);
}

static void
write_row(struct request *r, const struct row *row)
{
	struct sheet *s = &r->sheet;
	char id[17];

	(void)str_fmt(id, sizeof(id), "%016llx", (unsigned long long)row->id);
	sheet_row(s, true);
	sheet_cstr(s, "session", id);
	sheet_str(s, "user", row->user);
	sheet_str(s, "client", row->client);
	sheet_str(s, "listener", row->listener);
	sheet_str(s, "tls", row->tls);
	sheet_str(s, "state", row->state);
	sheet_str(s, "backend", row->backend);
	sheet_span(s, "age", row->age);
	sheet_span(s, "idle", row->idle);
	sheet_bytes(s, "client_bytes", row->client_bytes);
	sheet_bytes(s, "store_bytes", row->store_bytes);
	sheet_row_end(s);
}

bool
sessions_rows(struct verbs *v, unsigned worker, struct slice payload)
{
	struct request *r;
	struct unpack u;
	struct row row;
	uint32_t id;
	uint8_t last;
	int more;

	unpack_init(&u, payload);
	id = unpack_u32(&u);
	last = unpack_u8(&u);
	if (u.bad || last > 1)
		return false;
	r = request_find(v, id);
	if (r && r->worker != worker)
		r = NULL;
	while ((more = row_unpack(&u, &row)) > 0)
		if (r)
			write_row(r, &row);
	if (more < 0)
		return false;
	if (!r || !request_flush(r))
		return true;
	r->waiting = 0;
	r->paused = !last;
	loop_timer_stop(&r->timer); /* the client's time now, which control bounds */
	if (last)
		next_worker(r);
	else if (!control_full(r->client))
		verb_sessions_room(r);
	return true;
}

void
verb_sessions_room(struct request *r)
{
	if (!r->paused)
		return;
	r->paused = false;
	loop_timer_set(&r->timer, VERBS_PATIENCE);
	if (ask_list(r, LIST_MORE))
		r->waiting = bit_of(r->worker);
	else
		next_worker(r);
}

/* The worker is gone, and its sessions with it. */
void
verb_sessions_worker(struct request *r)
{
	next_worker(r);
}

void
sessions_end(struct request *r)
{
	if (r->worker > 0 && r->worker <= r->verbs->env.workers)
		(void)ask_list(r, LIST_END);
}

/* --- kick */

void
verb_kick(struct request *r)
{
	struct kick_ask a = { .id = r->id,
		.filter = { .user = slice_of(r->words[0]),
		    .backend = slice_of(r->backend),
		    .id = r->session } };
	char memory[CONTROL_REQUEST_MAX + 64];
	struct log_line l;
	struct pack k;

	if ((r->words[0] && *r->words[0]) + (r->backend != NULL) + (r->session != 0) != 1) {
		request_fail(r, "kick: whom? A USER, or --session ID, or --backend NAME");
		return;
	}
	log_begin(&l, LOG_INFO, EV_CONTROL);
	log_cstr(&l, "msg", "kick");
	log_cstr(&l, "user", r->words[0]);
	log_cstr(&l, "backend", r->backend);
	log_end(&l);
	pack_init(&k, memory, sizeof(memory));
	kick_ask_pack(&k, &a);
	r->waiting = verbs_send_all(r->verbs, MSG_KICK, &k);
	if (r->waiting == 0)
		verb_kick_worker(r);
}

void
verb_kick_worker(struct request *r)
{
	if (r->waiting)
		return;
	control_ok(r->client);
	sheet_begin(&r->sheet);
	sheet_u64(&r->sheet, "kicked", r->count);
	sheet_end(&r->sheet);
	request_end(r);
}

bool
kick_kicked(struct verbs *v, unsigned worker, struct slice payload)
{
	struct request *r;
	struct kicked a;

	if (!kicked_unpack(payload, &a))
		return false;
	if (drain_kicked(v, worker, &a))
		return true;
	r = request_find(v, a.id);
	if (!r || !(r->waiting & bit_of(worker)))
		return true;
	r->waiting &= ~bit_of(worker);
	r->count += a.count;
	verb_kick_worker(r);
	return true;
}

/* --- trace */

static void
pack_trace(struct pack *k, const struct request *r, bool on)
{
	const struct trace_ask t = { .id = r->id, .on = on, .user = slice_of(r->words[0]) };

	trace_ask_pack(k, &t);
}

void
verb_trace(struct request *r)
{
	char memory[CONTROL_REQUEST_MAX + 64];
	struct pack k;

	if (r->verbs->n_traces == VERBS_TRACES_MAX) {
		request_fail(r, "trace: %u are running already", VERBS_TRACES_MAX);
		return;
	}
	if (!*r->words[0]) {
		request_fail(r, "trace: whom?");
		return;
	}
	r->verbs->n_traces++;
	r->worker = 1; /* counted */
	loop_timer_stop(&r->timer);
	pack_init(&k, memory, sizeof(memory));
	pack_trace(&k, r, true);
	(void)verbs_send_all(r->verbs, MSG_TRACE, &k);
	control_ok(r->client);
	control_flush(r->client);
}

void
trace_here(struct verbs *v, unsigned worker)
{
	char memory[CONTROL_REQUEST_MAX + 64];
	struct pack k;

	list_foreach (node, &v->requests) {
		const struct request *r = list_entry(node, struct request, node);

		if (!r->client || r->kind->run != verb_trace)
			continue;
		pack_init(&k, memory, sizeof(memory));
		pack_trace(&k, r, true);
		if (!verbs_send(v, worker, MSG_TRACE, &k))
			return;
	}
}

void
trace_end(struct request *r)
{
	char memory[CONTROL_REQUEST_MAX + 64];
	struct pack k;

	if (!r->worker)
		return;
	r->verbs->n_traces--;
	pack_init(&k, memory, sizeof(memory));
	pack_trace(&k, r, false);
	(void)verbs_send_all(r->verbs, MSG_TRACE, &k);
}

bool
trace_traced(struct verbs *v, struct slice payload)
{
	struct request *r;
	struct traced t;
	char text[1200];

	if (!traced_unpack(payload, &t))
		return false;
	r = request_find(v, t.id);
	if (!r || r->kind->run != verb_trace || control_full(r->client))
		return true; /* who does not read loses lines */
	if (r->json) {
		struct sheet *s = &r->sheet;

		(void)str_fmt(text, sizeof(text), "%016llx", (unsigned long long)t.session);
		sheet_begin(s);
		sheet_cstr(s, "session", text);
		sheet_str(s, "who", t.who);
		sheet_str(s, "text", t.text);
		sheet_end(s);
	} else {
		r->sheet.failed |=
		    !buf_printf(control_out(r->client), "%016llx " SLICE_FMT ": " SLICE_FMT "\n",
			(unsigned long long)t.session, SLICE_ARG(t.who), SLICE_ARG(t.text));
	}
	(void)request_flush(r);
	return true;
}
