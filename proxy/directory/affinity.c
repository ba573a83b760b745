/*
 * directory/affinity.c - users, their open sessions by worker and store, and users that lately had some.
 *
 *      user ---< place >--- worker        a place: the sessions of one user at one store, reported by one worker
 *                 |                       (a number, not an object a session)
 *                spot                     a store's name and all sessions there
 *
 *      user without places: waits in the linger list of its length, holding the spot of its last session
 *
 * A user is in the table as long as it has a place or lingers. Spots and workers live as long as something refers to
 * them. Does not know pools or what a backend is: names only, so that it outlives every configuration.
 */
#include "directory/affinity.h"

#include "base/htab.h"
#include "base/mem.h"

/* Different lengths of affinity_time in use at once; one more shares the nearest. */
#define LINGER_LISTS 16

struct spot {
	struct htab_node node;
	uint64_t sessions;
	size_t refs;  /* places and lingering users */
	unsigned sum; /* affinity_find only */
	struct list places;
	char name[];
};

struct worker {
	struct htab_node node; /* key: id's bytes */
	unsigned id;
	struct list places;
};

struct user {
	struct htab_node node;
	struct list places; /* in the order of their first report */
	struct spot *last;  /* lingering only */
	struct deadline linger;
	double seconds;
	char name[];
};

struct place {
	struct list of_user, of_worker, of_spot;
	struct user *user;
	struct spot *spot;
	struct worker *worker;
	unsigned sessions; /* never 0 */
};

struct affinity {
	struct loop *loop;
	struct htab users, spots, workers;
	size_t users_max;
	uint64_t refused;
	unsigned n_lists;
	struct deadline_list lists[LINGER_LISTS]; /* linked into: they must not move */
};

/* --- spots and workers: found or made, let go with the last that refers to them */

static struct spot *
spot_get(struct affinity *a, struct slice name)
{
	struct htab_node *node = htab_find(&a->spots, name);
	struct spot *s;

	if (node)
		return container_of(node, struct spot, node);
	s = mem_zalloc(sizeof(*s) + name.len + 1);
	if (!s)
		return NULL;
	list_init(&s->places);
	memcpy(s->name, name.p, name.len);
	s->node.key = (struct slice){ s->name, name.len };
	if (!htab_insert(&a->spots, &s->node)) {
		mem_free(s);
		return NULL;
	}
	return s;
}

static void
spot_drop(struct affinity *a, struct spot *s)
{
	if (!s || s->refs > 0)
		return;
	htab_remove(&a->spots, &s->node);
	mem_free(s);
}

static void
spot_unref(struct affinity *a, struct spot *s)
{
	s->refs--;
	spot_drop(a, s);
}

static struct worker *
worker_find(struct affinity *a, unsigned id)
{
	struct slice key = { (const char *)&id, sizeof(id) };
	struct htab_node *node = htab_find(&a->workers, key);

	return node ? container_of(node, struct worker, node) : NULL;
}

static struct worker *
worker_get(struct affinity *a, unsigned id)
{
	struct worker *w = worker_find(a, id);

	if (w)
		return w;
	w = mem_zalloc(sizeof(*w));
	if (!w)
		return NULL;
	w->id = id;
	w->node.key = (struct slice){ (const char *)&w->id, sizeof(w->id) };
	list_init(&w->places);
	if (!htab_insert(&a->workers, &w->node)) {
		mem_free(w);
		return NULL;
	}
	return w;
}

static void
worker_drop(struct affinity *a, struct worker *w)
{
	if (!w || !list_empty(&w->places))
		return;
	htab_remove(&a->workers, &w->node);
	mem_free(w);
}

/* --- users */

static struct user *
user_find(struct affinity *a, struct slice name)
{
	struct htab_node *node = htab_find(&a->users, name);

	return node ? container_of(node, struct user, node) : NULL;
}

/* Has no place any more. */
static void
user_drop(struct affinity *a, struct user *u)
{
	deadline_clear(&u->linger);
	if (u->last)
		spot_unref(a, u->last);
	htab_remove(&a->users, &u->node);
	mem_free(u);
}

static void
user_expired(struct deadline *d, void *arg)
{
	user_drop(arg, container_of(d, struct user, linger));
}

/* The list whose members wait @seconds, or, when all lists are in use for others, the nearest. */
static struct deadline_list *
linger_list(struct affinity *a, double seconds)
{
	struct deadline_list *free_list = NULL, *near = NULL;
	double best = 0;

	for (unsigned i = 0; i < a->n_lists; i++) {
		struct deadline_list *l = &a->lists[i];
		double off = l->seconds > seconds ? l->seconds - seconds : seconds - l->seconds;

		if (off <= 0)
			return l;
		if (list_empty(&l->members))
			free_list = l;
		if (!near || off < best) {
			near = l;
			best = off;
		}
	}
	if (free_list) {
		deadline_list_stop(free_list);
		free_list->seconds = seconds;
		return free_list;
	}
	if (a->n_lists == LINGER_LISTS)
		return near;
	deadline_list_init(a->loop, &a->lists[a->n_lists], seconds, user_expired, a);
	return &a->lists[a->n_lists++];
}

/* Makes room by forgetting the user that has been idle for longest. False: all have sessions. */
static bool
user_evict(struct affinity *a)
{
	struct user *oldest = NULL;
	double since = 0;

	for (unsigned i = 0; i < a->n_lists; i++) {
		struct deadline_list *l = &a->lists[i];
		struct deadline *d;

		if (list_empty(&l->members))
			continue;
		d = list_entry(l->members.next, struct deadline, node);
		if (!oldest || d->at - l->seconds < since) {
			oldest = container_of(d, struct user, linger);
			since = d->at - l->seconds;
		}
	}
	if (!oldest)
		return false;
	user_drop(a, oldest);
	return true;
}

static struct user *
user_get(struct affinity *a, struct slice name)
{
	struct user *u = user_find(a, name);

	if (u)
		return u;
	if (a->users.count >= a->users_max && !user_evict(a))
		return NULL;
	u = mem_zalloc(sizeof(*u) + name.len + 1);
	if (!u)
		return NULL;
	list_init(&u->places);
	memcpy(u->name, name.p, name.len);
	u->node.key = (struct slice){ u->name, name.len };
	if (!htab_insert(&a->users, &u->node)) {
		mem_free(u);
		return NULL;
	}
	return u;
}

/* --- places */

static struct place *
place_find(struct user *u, unsigned worker, struct slice backend)
{
	list_foreach (node, &u->places) {
		struct place *p = list_entry(node, struct place, of_user);

		if (p->worker->id == worker && slice_eq(p->spot->node.key, backend))
			return p;
	}
	return NULL;
}

static struct place *
place_new(struct affinity *a, struct user *u, unsigned worker, struct slice backend)
{
	struct place *p = mem_zalloc(sizeof(*p));
	struct worker *w = worker_get(a, worker);
	struct spot *s = spot_get(a, backend);

	if (!p || !w || !s) {
		worker_drop(a, w);
		spot_drop(a, s);
		mem_free(p);
		return NULL;
	}
	p->user = u;
	p->worker = w;
	p->spot = s;
	s->refs++;
	list_append(&u->places, &p->of_user);
	list_append(&w->places, &p->of_worker);
	list_append(&s->places, &p->of_spot);
	return p;
}

/* The last session of @p has ended; was it the user's last, then it begins to linger. */
static void
place_end(struct affinity *a, struct place *p)
{
	struct user *u = p->user;

	list_remove(&p->of_user);
	list_remove(&p->of_worker);
	list_remove(&p->of_spot);
	worker_drop(a, p->worker);
	if (!list_empty(&u->places)) {
		spot_unref(a, p->spot);
	} else if (u->seconds > 0) {
		u->last = p->spot; /* the reference goes along */
		deadline_set(linger_list(a, u->seconds), &u->linger);
	} else {
		spot_unref(a, p->spot);
		user_drop(a, u);
	}
	mem_free(p);
}

/* --- reports */

bool
affinity_open(
    struct affinity *a, unsigned worker, struct slice user, struct slice backend, double seconds)
{
	struct user *u = NULL;
	struct place *p = NULL;

	if (user.len > 0 && user.len <= AFFINITY_NAME_MAX && backend.len > 0 &&
	    backend.len <= AFFINITY_NAME_MAX)
		u = user_get(a, user);
	if (u)
		p = place_find(u, worker, backend);
	if (u && !p)
		p = place_new(a, u, worker, backend);
	if (!p) {
		a->refused++;
		if (u && list_empty(&u->places) && !u->last)
			user_drop(a, u);
		return false;
	}
	deadline_clear(&u->linger);
	if (u->last) {
		spot_unref(a, u->last);
		u->last = NULL;
	}
	u->seconds = seconds;
	p->sessions++;
	p->spot->sessions++;
	return true;
}

void
affinity_close(struct affinity *a, unsigned worker, struct slice user, struct slice backend)
{
	struct user *u = user_find(a, user);
	struct place *p = u ? place_find(u, worker, backend) : NULL;

	if (!p)
		return;
	p->spot->sessions--;
	if (--p->sessions == 0)
		place_end(a, p);
}

void
affinity_worker_gone(struct affinity *a, unsigned worker)
{
	struct worker *w = worker_find(a, worker);
	bool last;

	if (!w)
		return;
	do { /* the worker goes with its last place */
		struct place *p = list_entry(w->places.next, struct place, of_worker);

		last = w->places.next == w->places.prev;
		p->spot->sessions -= p->sessions;
		place_end(a, p);
	} while (!last);
}

/* --- answers */

bool
affinity_find(struct affinity *a, struct slice user, affinity_accept_fn *accept, void *arg,
    const char **backend_r, unsigned *sessions_r)
{
	struct user *u = user_find(a, user);
	struct spot *best = NULL;

	*backend_r = NULL;
	*sessions_r = 0;
	if (!u)
		return false;
	if (u->last) {
		if (accept && !accept(arg, u->last->node.key))
			return false;
		*backend_r = u->last->name;
		return true;
	}
	list_foreach (node, &u->places)
		list_entry(node, struct place, of_user)->spot->sum = 0;
	list_foreach (node, &u->places) {
		struct place *p = list_entry(node, struct place, of_user);

		p->spot->sum += p->sessions;
	}
	list_foreach (node, &u->places) {
		struct spot *s = list_entry(node, struct place, of_user)->spot;

		if (best && s->sum <= best->sum)
			continue;
		if (!accept || accept(arg, s->node.key))
			best = s;
	}
	if (!best)
		return false;
	*backend_r = best->name;
	*sessions_r = best->sum;
	return true;
}

bool
affinity_places(const struct affinity *a, struct slice user, affinity_place_fn *fn, void *arg)
{
	struct htab_node *found = htab_find(&a->users, user);
	const struct user *u;

	if (!found)
		return false;
	u = container_of(found, struct user, node);
	if (u->last)
		fn(arg, 0, u->last->name, 0);
	list_foreach (node, &u->places) {
		const struct place *p = list_entry(node, struct place, of_user);

		fn(arg, p->worker->id, p->spot->name, p->sessions);
	}
	return true;
}

const char *
affinity_user_at(const struct affinity *a, struct slice backend)
{
	struct htab_node *node = htab_find(&a->spots, backend);
	const struct spot *s = node ? container_of(node, struct spot, node) : NULL;

	if (!s || list_empty(&s->places))
		return NULL;
	return list_entry(s->places.next, struct place, of_spot)->user->name;
}

size_t
affinity_users(const struct affinity *a)
{
	return a->users.count;
}

uint64_t
affinity_sessions(const struct affinity *a, struct slice backend)
{
	struct htab_node *node = htab_find(&a->spots, backend);

	return node ? container_of(node, struct spot, node)->sessions : 0;
}

uint64_t
affinity_refused(const struct affinity *a)
{
	return a->refused;
}

/* --- the whole */

struct affinity *
affinity_new_bounded(struct loop *loop, size_t users_max)
{
	struct affinity *a = mem_zalloc(sizeof(*a));

	if (!a)
		return NULL;
	a->loop = loop;
	a->users_max = users_max;
	htab_init(&a->users);
	htab_init(&a->spots);
	htab_init(&a->workers);
	return a;
}

struct affinity *
affinity_new(struct loop *loop)
{
	return affinity_new_bounded(loop, AFFINITY_USERS_MAX);
}

static bool
user_free(struct htab_node *node, void *arg)
{
	struct user *u = container_of(node, struct user, node);

	/* Ends the last place too, and with it the user: at once, not lingering. */
	u->seconds = 0;
	if (u->last)
		user_drop(arg, u);
	else
		for (bool last = false; !last;) {
			struct list *first = u->places.next;

			last = first == u->places.prev;
			place_end(arg, list_entry(first, struct place, of_user));
		}
	return true;
}

void
affinity_free(struct affinity **a)
{
	if (!*a)
		return;
	htab_walk(&(*a)->users, user_free, *a);
	ASSERT((*a)->spots.count == 0 && (*a)->workers.count == 0);
	for (unsigned i = 0; i < (*a)->n_lists; i++)
		deadline_list_stop(&(*a)->lists[i]);
	htab_free(&(*a)->users);
	htab_free(&(*a)->spots);
	htab_free(&(*a)->workers);
	mem_free(*a);
	*a = NULL;
}
