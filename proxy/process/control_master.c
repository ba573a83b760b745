/*
 * process/control_master.c - see the header. The master listens and never reads: the directory has the socket.
 */
#include "process/control_master.h"

#include <unistd.h>

#include "base/mem.h"
#include "process/control.h"

struct admin_entry {
	struct list node;
	enum health_admin admin;
	char backend[BACKEND_NAME_MAX];
};

void
control_master_init(struct control_master *c)
{
	*c = (struct control_master){ .fd = -1 };
	list_init(&c->admins);
}

int
control_master_open(struct control_master *c, const struct proxy_settings *s, struct err *err)
{
	if (!s->control)
		return 1;
	c->fd = control_listen(s->control, s->control_group, err);
	if (c->fd < 0)
		return -1;
	c->path = s->control;
	c->group = s->control_group != NULL;
	return 1;
}

int
control_master_send(const struct control_master *c, struct ipc *ipc)
{
	const struct control_start start = { .owner = (uint32_t)geteuid(), .group = c->group };
	char memory[BACKEND_NAME_MAX + 16];
	struct pack k;

	list_foreach (node, &c->admins) {
		const struct admin_entry *e = list_entry(node, struct admin_entry, node);
		const struct admin_said said = { slice_of(e->backend), e->admin };

		pack_init(&k, memory, sizeof(memory));
		admin_pack(&k, &said);
		if (message_send(ipc, MSG_ADMIN, &k) < 0)
			return -1;
	}
	if (c->fd < 0)
		return 1;
	pack_init(&k, memory, sizeof(memory));
	control_start_pack(&k, &start);
	return ipc_send(ipc, MSG_CONTROL, pack_done(&k), &c->fd, 1);
}

static void
entry_free(struct control_master *c, struct admin_entry *e)
{
	list_remove(&e->node);
	c->n_admins--;
	mem_free(e);
}

bool
control_master_take(struct control_master *c, struct slice payload)
{
	struct admin_entry *e = NULL;
	struct admin_said said;

	if (!admin_unpack(payload, &said) || said.backend.len == 0 ||
	    said.backend.len >= BACKEND_NAME_MAX)
		return false;
	list_foreach (node, &c->admins) {
		struct admin_entry *one = list_entry(node, struct admin_entry, node);

		if (slice_eq_cstr(said.backend, one->backend))
			e = one;
	}
	if (said.admin == ADMIN_ENABLED) { /* the state of one that nobody spoke of */
		if (e)
			entry_free(c, e);
		return true;
	}
	if (!e && c->n_admins < CONTROL_ADMINS_MAX && (e = mem_zalloc(sizeof(*e)))) {
		if (!str_put(e->backend, sizeof(e->backend), said.backend)) {
			mem_free(e);
			return false;
		}
		list_append(&c->admins, &e->node);
		c->n_admins++;
	}
	if (e)
		e->admin = said.admin;
	else
		log_msg(LOG_ERROR, EV_CONTROL, "no memory for what was said of a backend");
	return true;
}

void
control_master_close(struct control_master *c)
{
	list_foreach_safe (node, &c->admins)
		entry_free(c, list_entry(node, struct admin_entry, node));
	if (c->fd < 0)
		return;
	(void)unlink(c->path);
	(void)close(c->fd);
	c->fd = -1;
}
