/*
 * process/messages.c - packing and unpacking, every value checked against what it may be.
 */
#include "process/messages.h"

#include "base/secret.h"

const char *
role_name(enum role r)
{
	switch (r) {
	case ROLE_DIRECTORY:
		return "directory";
	case ROLE_WORKER:
		return "worker";
	case ROLE_COUNT:
		break;
	}
	return "unknown";
}

void
inherit_pack(struct pack *k, const struct inherit *i)
{
	pack_u8(k, (uint8_t)i->role);
	pack_u32(k, i->number);
	pack_u32(k, i->workers);
	pack_cstr(k, i->config);
	pack_u8(k, (uint8_t)i->log_level);
	pack_u8(k, (uint8_t)i->log_format);
	pack_u8(k, i->log_fd);
	pack_u8(k, i->log_syslog);
	pack_u8(k, i->log_hash_users);
	pack_u8(k, i->rights.drop);
	pack_u32(k, i->rights.uid);
	pack_u32(k, i->rights.gid);
	pack_u32(k, i->rights.n_groups);
	for (uint32_t g = 0; g < i->rights.n_groups; g++)
		pack_u32(k, i->rights.groups[g]);
	pack_slice(k, (struct slice){ (const char *)i->ticket_key, sizeof(i->ticket_key) });
}

static bool
unpack_bool(struct unpack *u)
{
	uint8_t v = unpack_u8(u);

	if (v > 1)
		u->bad = true;
	return v == 1;
}

bool
inherit_unpack(struct slice payload, struct inherit *i)
{
	struct unpack u;
	struct slice key;
	uint8_t role, level, format;

	*i = (struct inherit){ 0 };
	unpack_init(&u, payload);
	role = unpack_u8(&u);
	i->number = unpack_u32(&u);
	i->workers = unpack_u32(&u);
	unpack_cstr(&u, i->config, sizeof(i->config));
	level = unpack_u8(&u);
	format = unpack_u8(&u);
	i->log_fd = unpack_bool(&u);
	i->log_syslog = unpack_bool(&u);
	i->log_hash_users = unpack_bool(&u);
	i->rights.drop = unpack_bool(&u);
	i->rights.uid = unpack_u32(&u);
	i->rights.gid = unpack_u32(&u);
	i->rights.n_groups = unpack_u32(&u);
	if (role >= ROLE_COUNT || level > LOG_DEBUG || format > LOG_JSON ||
	    i->rights.n_groups > INHERIT_GROUPS_MAX || i->number > i->workers)
		return false;
	for (uint32_t g = 0; g < i->rights.n_groups; g++)
		i->rights.groups[g] = unpack_u32(&u);
	key = unpack_slice(&u);
	if (!unpack_ok(&u) || key.len != sizeof(i->ticket_key))
		return false;
	memcpy(i->ticket_key, key.p, key.len);
	i->role = (enum role)role;
	i->log_level = (enum log_level)level;
	i->log_format = (enum log_format)format;
	return (i->role == ROLE_WORKER) == (i->number > 0);
}

void
log_setting_pack(struct pack *k, const struct log_setting *s)
{
	pack_u8(k, (uint8_t)s->level);
	pack_u8(k, (uint8_t)s->format);
	pack_u8(k, s->fd);
	pack_u8(k, s->syslog);
	pack_u8(k, s->hash_users);
}

bool
log_setting_unpack(struct slice payload, struct log_setting *s)
{
	struct unpack u;
	uint8_t level, format;

	unpack_init(&u, payload);
	level = unpack_u8(&u);
	format = unpack_u8(&u);
	s->fd = unpack_bool(&u);
	s->syslog = unpack_bool(&u);
	s->hash_users = unpack_bool(&u);
	if (!unpack_ok(&u) || level > LOG_DEBUG || format > LOG_JSON)
		return false;
	s->level = (enum log_level)level;
	s->format = (enum log_format)format;
	return true;
}

void
begin_pack(struct pack *k, const struct begin *b)
{
	pack_u32(k, b->files);
	pack_u32(k, b->listeners);
}

bool
begin_unpack(struct slice payload, struct begin *b)
{
	struct unpack u;

	unpack_init(&u, payload);
	b->files = unpack_u32(&u);
	b->listeners = unpack_u32(&u);
	return unpack_ok(&u);
}

void
report_pack(struct pack *k, const struct report *r)
{
	pack_u8(k, r->open);
	pack_slice(k, r->user);
	pack_slice(k, r->backend);
}

int
report_unpack(struct unpack *u, struct report *r)
{
	if (u->left == 0)
		return u->bad ? -1 : 0;
	r->open = unpack_bool(u);
	r->user = unpack_slice(u);
	r->backend = unpack_slice(u);
	return u->bad ? -1 : 1;
}

static struct slice
bounded(struct slice s, size_t max)
{
	return (struct slice){ s.p, s.len < max ? s.len : max };
}

void
outcome_pack(struct pack *k, const struct login_outcome *o)
{
	pack_u64(k, o->question);
	pack_slice(k, bounded(o->backend, BACKEND_NAME_MAX));
	pack_u8(k, o->given_up);
	pack_u8(k, (uint8_t)o->fail);
	pack_u64(k, o->user);
	pack_slice(k, bounded(o->stage, OUTCOME_STAGE_MAX));
	pack_slice(k, bounded(o->reason, OUTCOME_REASON_MAX));
}

int
outcome_unpack(struct unpack *u, struct login_outcome *o)
{
	uint8_t fail;

	if (u->left == 0)
		return u->bad ? -1 : 0;
	o->question = unpack_u64(u);
	o->backend = unpack_slice(u);
	o->given_up = unpack_bool(u);
	fail = unpack_u8(u);
	o->user = unpack_u64(u);
	o->stage = unpack_slice(u);
	o->reason = unpack_slice(u);
	if (u->bad || fail >= FAIL_COUNT)
		return -1;
	o->fail = (enum fail)fail;
	return 1;
}

bool
learnt_unpack(struct slice payload, struct slice *backend, struct slice *text)
{
	struct unpack u;

	unpack_init(&u, payload);
	*backend = unpack_slice(&u);
	*text = unpack_slice(&u);
	return unpack_ok(&u);
}

bool
number_unpack(struct slice payload, uint32_t max, uint32_t *n)
{
	struct unpack u;

	unpack_init(&u, payload);
	*n = unpack_u32(&u);
	return unpack_ok(&u) && *n <= max;
}

int
message_send(struct ipc *ipc, enum message_type type, const struct pack *k)
{
	if (k && k->overflow)
		return -1;
	return ipc_send(ipc, (uint16_t)type, k ? pack_done(k) : (struct slice){ NULL, 0 }, NULL, 0);
}

int
message_send_number(struct ipc *ipc, enum message_type type, uint32_t n, const int *fd)
{
	char memory[4];
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	pack_u32(&k, n);
	return ipc_send(ipc, (uint16_t)type, pack_done(&k), fd, fd ? 1 : 0);
}

int
message_send_learnt(struct ipc *ipc, struct slice backend, struct slice text)
{
	char memory[16384];
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	pack_slice(&k, backend);
	pack_slice(&k, text);
	return message_send(ipc, MSG_LEARNT, &k);
}

int
message_take_fd(struct ipc_message *m, unsigned i)
{
	int fd;

	if (i >= m->n_fds)
		return -1;
	fd = m->fds[i];
	m->fds[i] = -1;
	return fd;
}
