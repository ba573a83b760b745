/*
 * process/learnt.c - a text for each backend.
 */
#include "process/learnt.h"

#include "base/mem.h"
#include "process/messages.h"

struct learnt {
	struct snapshot *snapshot;
	char *texts[]; /* by index of the backend; NULL: none yet */
};

struct learnt *
learnt_new(struct snapshot *s)
{
	struct learnt *l = mem_zalloc(sizeof(*l) + s->n_backends * sizeof(l->texts[0]));

	if (l)
		l->snapshot = snapshot_ref(s);
	return l;
}

void
learnt_free(struct learnt **lp)
{
	struct learnt *l = *lp;

	if (!l)
		return;
	*lp = NULL;
	for (unsigned i = 0; i < l->snapshot->n_backends; i++)
		mem_free(l->texts[i]);
	snapshot_unref(&l->snapshot);
	mem_free(l);
}

void
learnt_renew(struct learnt **lp, struct snapshot *snapshot)
{
	struct learnt *old = *lp, *l = learnt_new(snapshot);

	if (!l)
		return;
	for (unsigned i = 0; i < old->snapshot->n_backends; i++) {
		const char *name = old->snapshot->backends[i].name;
		const struct backend *b = NULL;

		/* As a rule it is where it was: a thousand stores are not compared with each other. */
		if (i < snapshot->n_backends && old->texts[i] &&
		    strcmp(snapshot->backends[i].name, name) == 0)
			b = &snapshot->backends[i];
		else if (old->texts[i])
			b = snapshot_backend(snapshot, name);
		if (b) {
			l->texts[b->index] = old->texts[i];
			old->texts[i] = NULL;
		}
	}
	learnt_free(&old);
	*lp = l;
}

static const struct backend *
find(const struct learnt *l, struct slice name)
{
	char text[BACKEND_NAME_MAX];

	return str_put(text, sizeof(text), name) ? snapshot_backend(l->snapshot, text) : NULL;
}

bool
learnt_set(struct learnt *l, struct slice backend, struct slice text)
{
	const struct backend *b = find(l, backend);
	char *copy;

	if (!b || text.len > LEARNT_TEXT_MAX)
		return false;
	if (l->texts[b->index] && slice_eq_cstr(text, l->texts[b->index]))
		return false;
	copy = str_dup(text);
	if (!copy)
		return false;
	mem_free(l->texts[b->index]);
	l->texts[b->index] = copy;
	return true;
}

struct slice
learnt_get(const struct learnt *l, struct slice backend)
{
	const struct backend *b = find(l, backend);

	return slice_of(b ? l->texts[b->index] : NULL);
}

int
learnt_send(const struct learnt *l, struct ipc *ipc)
{
	for (unsigned i = 0; i < l->snapshot->n_backends; i++)
		if (l->texts[i] && message_send_learnt(ipc, slice_of(l->snapshot->backends[i].name),
				       slice_of(l->texts[i])) < 0)
			return -1;
	return 1;
}
