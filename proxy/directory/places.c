/*
 * directory/places.c - a count and a queue for each store, and a record for each place that is taken.
 *
 *      places_take --free--> struct place, with a deadline --places_give_back, worker gone, too old--> freed
 *           '-----full--> queue of the store ----------------------------------------------------------'  on_turn: fn
 *
 * Whoever has waited gets its turn from the loop, so that giving back never calls into the directory. Stores are known by name:
 * those of an old configuration stay while places there are taken, without a bound.
 */
#include "directory/places.h"

#include "base/htab.h"
#include "base/mem.h"

struct store {
	struct htab_node node;
	struct list all;
	struct list ready; /* of places->ready: somebody waits and there may be room */
	struct list waiting;
	unsigned max, taken; /* max 0: no bound */
	bool keep;           /* while configuring */
	char name[BACKEND_NAME_MAX];
};

struct place_key {
	uint64_t worker, id;
};

struct place {
	struct htab_node node;
	struct list all;
	struct deadline until;
	struct store *store;
	struct place_key key;
};

struct places {
	struct loop *loop;
	place_turn_fn *fn;
	struct htab by_name, by_key;
	struct list stores, taken, ready;
	struct deadline_list ages;
	struct loop_task turn;
	struct mem_pool *pool;
};

static bool
has_room(const struct store *s)
{
	return s->max == 0 || s->taken < s->max;
}

static struct store *
store_find(const struct places *p, struct slice name)
{
	struct htab_node *node = htab_find(&p->by_name, name);

	return node ? container_of(node, struct store, node) : NULL;
}

static struct place *
place_find(const struct places *p, const struct place_key *key)
{
	struct htab_node *node =
	    htab_find(&p->by_key, (struct slice){ (const char *)key, sizeof(*key) });

	return node ? container_of(node, struct place, node) : NULL;
}

static void on_turn(struct loop_task *t);

static void
look(struct places *p, struct store *s)
{
	if (list_empty(&s->waiting) || !has_room(s) || list_linked(&s->ready))
		return;
	list_append(&p->ready, &s->ready);
	loop_defer(p->loop, &p->turn, on_turn);
}

static void
place_free(struct places *p, struct place *place)
{
	struct store *s = place->store;

	htab_remove(&p->by_key, &place->node);
	list_remove(&place->all);
	deadline_clear(&place->until);
	mem_pool_put(p->pool, place);
	s->taken--;
	look(p, s);
}

/* Memory that is short bounds nothing. */
static void
take(struct places *p, struct store *s, unsigned worker, uint64_t id)
{
	const struct place_key key = { worker, id };
	struct place *place = place_find(p, &key);

	if (place) /* of a question asked twice */
		place_free(p, place);
	place = s->max > 0 ? mem_pool_get(p->pool) : NULL;
	if (!place)
		return;
	place->key = key;
	place->node.key = (struct slice){ (const char *)&place->key, sizeof(place->key) };
	if (!htab_insert(&p->by_key, &place->node)) {
		mem_pool_put(p->pool, place);
		return;
	}
	place->store = s;
	list_append(&p->taken, &place->all);
	deadline_set(&p->ages, &place->until);
	s->taken++;
}

static void
on_turn(struct loop_task *t)
{
	struct places *p = container_of(t, struct places, turn);

	for (unsigned i = 0; i < PLACES_A_TURN && !list_empty(&p->ready); i++) {
		struct store *s = list_entry(p->ready.next, struct store, ready);
		struct place_wait *w;

		list_remove(&s->ready);
		if (list_empty(&s->waiting) || !has_room(s))
			continue;
		w = list_entry(s->waiting.next, struct place_wait, node);
		list_remove(&w->node);
		take(p, s, w->worker, w->id);
		look(p, s); /* behind the other stores */
		p->fn(w);
	}
	if (!list_empty(&p->ready))
		loop_defer(p->loop, &p->turn, on_turn);
}

static void
on_old(struct deadline *d, void *arg)
{
	place_free(arg, container_of(d, struct place, until));
}

bool
places_take(
    struct places *p, struct slice backend, unsigned worker, uint64_t id, struct place_wait *w)
{
	struct store *s = store_find(p, backend);

	if (!s)
		return true;
	if (has_room(s) && list_empty(&s->waiting)) {
		take(p, s, worker, id);
		return true;
	}
	w->worker = worker;
	w->id = id;
	list_append(&s->waiting, &w->node);
	look(p, s);
	return false;
}

void
place_wait_cancel(struct place_wait *w)
{
	list_remove(&w->node);
}

void
places_give_back(struct places *p, unsigned worker, uint64_t id)
{
	const struct place_key key = { worker, id };
	struct place *place = place_find(p, &key);

	if (place)
		place_free(p, place);
}

void
places_worker_gone(struct places *p, unsigned worker)
{
	list_foreach_safe (node, &p->taken) {
		struct place *place = list_entry(node, struct place, all);

		if (place->key.worker == worker)
			place_free(p, place);
	}
}

unsigned
places_taken(const struct places *p, struct slice backend)
{
	const struct store *s = store_find(p, backend);

	return s ? s->taken : 0;
}

static void
store_free(struct places *p, struct store *s)
{
	htab_remove(&p->by_name, &s->node);
	list_remove(&s->all);
	list_remove(&s->ready);
	mem_free(s);
}

static struct store *
store_new(struct places *p, const char *name)
{
	struct store *s = mem_zalloc(sizeof(*s));

	if (!s)
		return NULL;
	list_init(&s->waiting);
	(void)str_fmt(s->name, sizeof(s->name), "%s", name);
	s->node.key = slice_of(s->name);
	if (!htab_insert(&p->by_name, &s->node)) {
		mem_free(s);
		return NULL;
	}
	list_append(&p->stores, &s->all);
	return s;
}

bool
places_configure(struct places *p, const struct backend *backends, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!store_find(p, slice_of(backends[i].name)) && !store_new(p, backends[i].name))
			return false; /* those that are new have no bound yet */
	for (unsigned i = 0; i < n; i++) {
		struct store *s = store_find(p, slice_of(backends[i].name));

		s->keep = true;
		s->max = backends[i].max_logging_in;
	}
	list_foreach_safe (node, &p->stores) {
		struct store *s = list_entry(node, struct store, all);

		if (!s->keep)
			s->max = 0;
		if (!s->keep && s->taken == 0 && list_empty(&s->waiting)) {
			store_free(p, s);
			continue;
		}
		s->keep = false;
		look(p, s);
	}
	return true;
}

struct places *
places_new(struct loop *loop, place_turn_fn *fn)
{
	struct places *p = mem_zalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->loop = loop;
	p->fn = fn;
	htab_init(&p->by_name);
	htab_init(&p->by_key);
	list_init(&p->stores);
	list_init(&p->taken);
	list_init(&p->ready);
	deadline_list_init(loop, &p->ages, PLACES_SECONDS, on_old, p);
	p->pool = mem_pool_new("places", sizeof(struct place));
	if (!p->pool)
		places_free(&p);
	return p;
}

void
places_free(struct places **pp)
{
	struct places *p = *pp;

	if (!p)
		return;
	list_foreach_safe (node, &p->taken)
		place_free(p, list_entry(node, struct place, all));
	list_foreach_safe (other, &p->stores)
		store_free(p, list_entry(other, struct store, all));
	loop_defer_cancel(&p->turn);
	deadline_list_stop(&p->ages);
	if (p->pool)
		mem_pool_free(&p->pool);
	htab_free(&p->by_name);
	htab_free(&p->by_key);
	mem_free(p);
	*pp = NULL;
}
