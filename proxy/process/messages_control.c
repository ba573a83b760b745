/*
 * process/messages_control.c - packing and unpacking of what the control verbs need; see messages.h.
 */
#include "process/messages.h"

static bool
unpack_bool(struct unpack *u)
{
	uint8_t v = unpack_u8(u);

	if (v > 1)
		u->bad = true;
	return v == 1;
}

static unsigned
unpack_enum(struct unpack *u, unsigned count)
{
	uint8_t v = unpack_u8(u);

	if (v >= count)
		u->bad = true;
	return u->bad ? 0 : v;
}

void
control_start_pack(struct pack *k, const struct control_start *c)
{
	pack_u32(k, c->owner);
	pack_u8(k, c->group);
}

bool
control_start_unpack(struct slice payload, struct control_start *c)
{
	struct unpack u;

	unpack_init(&u, payload);
	c->owner = unpack_u32(&u);
	c->group = unpack_bool(&u);
	return unpack_ok(&u);
}

void
admin_pack(struct pack *k, const struct admin_said *a)
{
	pack_slice(k, a->backend);
	pack_u8(k, (uint8_t)a->admin);
}

bool
admin_unpack(struct slice payload, struct admin_said *a)
{
	struct unpack u;

	unpack_init(&u, payload);
	a->backend = unpack_slice(&u);
	a->admin = (enum health_admin)unpack_enum(&u, ADMIN_MAINTENANCE + 1);
	return unpack_ok(&u);
}

void
order_pack(struct pack *k, const struct order_said *o)
{
	pack_u32(k, o->id);
	pack_u8(k, (uint8_t)o->order);
}

bool
order_unpack(struct slice payload, struct order_said *o)
{
	struct unpack u;

	unpack_init(&u, payload);
	o->id = unpack_u32(&u);
	o->order = (enum order)unpack_enum(&u, ORDER_COUNT);
	return unpack_ok(&u);
}

void
ordered_pack(struct pack *k, const struct ordered *o)
{
	pack_u32(k, o->id);
	pack_u8(k, o->ok);
	pack_slice(k, o->text);
}

bool
ordered_unpack(struct slice payload, struct ordered *o)
{
	struct unpack u;

	unpack_init(&u, payload);
	o->id = unpack_u32(&u);
	o->ok = unpack_bool(&u);
	o->text = unpack_slice(&u);
	return unpack_ok(&u);
}

static void
filter_pack(struct pack *k, const struct session_filter *f)
{
	pack_slice(k, f->user);
	pack_slice(k, f->backend);
	pack_u64(k, f->id);
}

static void
filter_unpack(struct unpack *u, struct session_filter *f)
{
	f->user = unpack_slice(u);
	f->backend = unpack_slice(u);
	f->id = unpack_u64(u);
}

void
list_ask_pack(struct pack *k, const struct list_ask *l)
{
	pack_u32(k, l->id);
	pack_u8(k, (uint8_t)l->step);
	filter_pack(k, &l->filter);
}

bool
list_ask_unpack(struct slice payload, struct list_ask *l)
{
	struct unpack u;

	unpack_init(&u, payload);
	l->id = unpack_u32(&u);
	l->step = (enum list_step)unpack_enum(&u, LIST_STEPS);
	filter_unpack(&u, &l->filter);
	return unpack_ok(&u);
}

static uint64_t
milliseconds(double seconds)
{
	return seconds > 0 ? (uint64_t)(seconds * 1000) : 0;
}

void
row_pack(struct pack *k, const struct session_info *i)
{
	char client[ADDR_TEXT];

	pack_u64(k, i->id);
	pack_u64(k, i->client_bytes);
	pack_u64(k, i->store_bytes);
	pack_cstr(k, i->state);
	pack_cstr(k, i->user);
	pack_cstr(k, i->listener);
	pack_cstr(k, i->tls);
	pack_cstr(k, i->route);
	pack_cstr(k, i->backend);
	pack_cstr(k, addr_format(client, &i->client));
	pack_u64(k, milliseconds(i->age));
	pack_u64(k, milliseconds(i->idle));
}

int
row_unpack(struct unpack *u, struct row *r)
{
	if (u->left == 0)
		return u->bad ? -1 : 0;
	r->id = unpack_u64(u);
	r->client_bytes = unpack_u64(u);
	r->store_bytes = unpack_u64(u);
	r->state = unpack_slice(u);
	r->user = unpack_slice(u);
	r->listener = unpack_slice(u);
	r->tls = unpack_slice(u);
	r->route = unpack_slice(u);
	r->backend = unpack_slice(u);
	r->client = unpack_slice(u);
	r->age = (double)unpack_u64(u) / 1000;
	r->idle = (double)unpack_u64(u) / 1000;
	return u->bad ? -1 : 1;
}

void
kick_ask_pack(struct pack *k, const struct kick_ask *a)
{
	pack_u32(k, a->id);
	filter_pack(k, &a->filter);
}

bool
kick_ask_unpack(struct slice payload, struct kick_ask *a)
{
	struct unpack u;

	unpack_init(&u, payload);
	a->id = unpack_u32(&u);
	filter_unpack(&u, &a->filter);
	/* What fits all is a mistake of somebody: nobody ends every session by it. */
	return unpack_ok(&u) &&
	       (a->filter.user.len > 0 || a->filter.backend.len > 0 || a->filter.id != 0);
}

void
kicked_pack(struct pack *k, const struct kicked *a)
{
	pack_u32(k, a->id);
	pack_u64(k, a->count);
}

bool
kicked_unpack(struct slice payload, struct kicked *a)
{
	struct unpack u;

	unpack_init(&u, payload);
	a->id = unpack_u32(&u);
	a->count = unpack_u64(&u);
	return unpack_ok(&u);
}

void
trace_ask_pack(struct pack *k, const struct trace_ask *t)
{
	pack_u32(k, t->id);
	pack_u8(k, t->on);
	pack_slice(k, t->user);
}

bool
trace_ask_unpack(struct slice payload, struct trace_ask *t)
{
	struct unpack u;

	unpack_init(&u, payload);
	t->id = unpack_u32(&u);
	t->on = unpack_bool(&u);
	t->user = unpack_slice(&u);
	return unpack_ok(&u);
}

void
traced_pack(struct pack *k, const struct traced *t)
{
	pack_u32(k, t->id);
	pack_u64(k, t->session);
	pack_slice(k, t->who);
	pack_slice(k, t->text);
}

bool
traced_unpack(struct slice payload, struct traced *t)
{
	struct unpack u;

	unpack_init(&u, payload);
	t->id = unpack_u32(&u);
	t->session = unpack_u64(&u);
	t->who = unpack_slice(&u);
	t->text = unpack_slice(&u);
	return unpack_ok(&u);
}
