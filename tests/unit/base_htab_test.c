/*
 * tests/unit/base_htab_test.c - the hash table against a plain array.
 */
#include "test.h"

#include "base/hash.h"
#include "base/htab.h"

struct item {
	struct htab_node node;
	char name[16];
	unsigned seen;
	bool in;
};

static uint64_t seed = 88172645463325252u;

static uint64_t
next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static struct item *
items_new(size_t n)
{
	struct item *items = calloc(n, sizeof(*items));

	CHECK(items);
	for (size_t i = 0; i < n; i++) {
		/* Keys of all lengths, with NULs, the empty one among them. */
		uint64_t text = (uint64_t)i * 0x9e3779b97f4a7c15u;
		size_t len = i == 0 ? 0 : 4 + i % 5;

		memcpy(items[i].name, &i, 4);
		memcpy(items[i].name + 4, &text, 4);
		items[i].node.key = (struct slice){ items[i].name, len };
	}
	return items;
}

/* The invariants of linear hashing, and that every node is on the chain on which it will be sought. */
static void
check_table(const struct htab *t)
{
	size_t count = 0, used = t->level + t->split;

	CHECK(used <= t->size);
	CHECK((t->size & (t->size - 1)) == 0 && (t->level & (t->level - 1)) == 0);
	CHECK(t->split < t->level || t->level == 0);
	for (size_t c = 0; c < used; c++)
		for (const struct htab_node *n = t->chains[c]; n; n = n->next) {
			size_t home = n->hash & (t->level - 1);

			if (home < t->split)
				home = n->hash & (t->level * 2 - 1);
			CHECK_U64(home, c);
			CHECK_U64(n->hash, hash_table(n->key));
			count++;
		}
	CHECK_U64(t->count, count);
	CHECK(count <= used);
}

static bool
never(struct htab_node *node, void *arg)
{
	(void)node;
	(void)arg;
	FAIL("walked over an element");
}

TEST(an_empty_table_finds_nothing_and_holds_no_memory)
{
	struct htab t;

	htab_init(&t);
	CHECK(!htab_find(&t, SLICE("")));
	CHECK(!htab_find(&t, SLICE("a")));
	htab_walk(&t, never, NULL);
	CHECK(!t.chains);
	htab_free(&t);

	struct item one = { .node.key = SLICE("a") };
	CHECK(htab_insert(&t, &one.node));
	CHECK(htab_find(&t, SLICE("a")) == &one.node);
	htab_remove(&t, &one.node);
	CHECK(!htab_find(&t, SLICE("a")));
	htab_walk(&t, never, NULL);
	htab_free(&t);
	CHECK(!t.chains);
	CHECK(htab_insert(&t, &one.node)); /* and again after that */
	htab_free(&t);
}

TEST(a_hundred_thousand_keys_come_and_go)
{
	enum { N = 100000 };
	struct item *items = items_new(N);
	struct htab t;
	size_t in = 0;

	htab_init(&t);
	for (size_t i = 0; i < N; i++) {
		CHECK(!htab_find(&t, items[i].node.key));
		CHECK(htab_insert(&t, &items[i].node));
		items[i].in = true;
		CHECK_U64(t.count, ++in);
		if ((i & (i - 1)) == 0 || i % 9973 == 0)
			check_table(&t);
	}
	check_table(&t);
	for (size_t step = 0; step < 4 * N; step++) {
		struct item *it = &items[next_random() % N];
		struct htab_node *found = htab_find(&t, it->node.key);

		CHECK(found == (it->in ? &it->node : NULL));
		if (it->in) {
			htab_remove(&t, &it->node);
			CHECK(!it->node.next);
			in--;
		} else {
			CHECK(htab_insert(&t, &it->node));
			in++;
		}
		it->in = !it->in;
		CHECK_U64(t.count, in);
	}
	check_table(&t);
	for (size_t i = 0; i < N; i++) {
		CHECK((htab_find(&t, items[i].node.key) != NULL) == items[i].in);
		if (items[i].in)
			htab_remove(&t, &items[i].node);
		CHECK(!htab_find(&t, items[i].node.key));
	}
	CHECK_U64(t.count, 0);
	htab_walk(&t, never, NULL);
	htab_free(&t);
	free(items);
}

/* At every size up to a few doublings: all that is in is found, nothing else is. */
TEST(growth_loses_nothing_at_any_size)
{
	enum { N = 700 };
	struct item *items = items_new(N);
	struct htab t;

	htab_init(&t);
	for (size_t n = 0; n < N; n++) {
		CHECK(htab_insert(&t, &items[n].node));
		check_table(&t);
		for (size_t i = 0; i < N; i++)
			CHECK((htab_find(&t, items[i].node.key) != NULL) == (i <= n));
	}
	htab_free(&t);
	free(items);
}

struct walk {
	struct htab *table;
	size_t seen, stop;
	unsigned remove; /* one in so many; 0: none */
};

static bool
visit(struct htab_node *node, void *arg)
{
	struct walk *w = arg;
	struct item *it = container_of(node, struct item, node);

	it->seen++;
	w->seen++;
	if (w->remove > 0 && w->seen % w->remove == 0) {
		htab_remove(w->table, node);
		it->in = false;
		memset(node, 0x5a, sizeof(*node)); /* as if freed */
	}
	return w->seen != w->stop;
}

TEST(a_walk_sees_each_once_and_may_remove_what_it_sees)
{
	enum { N = 1000 };

	for (unsigned remove = 0; remove <= 3; remove++) {
		struct item *items = items_new(N);
		struct htab t;

		test_note("removing one in %u", remove);
		htab_init(&t);
		for (size_t i = 0; i < N; i++) {
			CHECK(htab_insert(&t, &items[i].node));
			items[i].in = true;
		}
		struct walk w = { &t, 0, SIZE_MAX, remove };
		htab_walk(&t, visit, &w);
		CHECK_U64(w.seen, N);
		for (size_t i = 0; i < N; i++)
			CHECK_U64(items[i].seen, 1);
		CHECK_U64(t.count, remove ? N - N / remove : N);
		check_table(&t);
		size_t left = 0;
		for (size_t i = 0; i < N; i++)
			left += items[i].in && htab_find(&t, items[i].node.key) == &items[i].node;
		CHECK_U64(left, t.count);
		htab_free(&t);
		free(items);
	}
}

TEST(a_walk_stops_when_told)
{
	struct item *items = items_new(100);
	struct htab t;

	htab_init(&t);
	for (size_t i = 0; i < 100; i++)
		CHECK(htab_insert(&t, &items[i].node));
	struct walk w = { &t, 0, 7, 0 };
	htab_walk(&t, visit, &w);
	CHECK_U64(w.seen, 7);
	htab_free(&t);
	free(items);
}

TEST(keys_are_bytes_and_case_counts)
{
	struct item items[] = { { .node.key = SLICE("user") }, { .node.key = SLICE("User") },
		{ .node.key = SLICE("user\0") }, { .node.key = SLICE("") } };
	struct htab t;

	htab_init(&t);
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		CHECK(htab_insert(&t, &items[i].node));
	CHECK(htab_find(&t, SLICE("user")) == &items[0].node);
	CHECK(htab_find(&t, SLICE("User")) == &items[1].node);
	CHECK(htab_find(&t, SLICE("user\0")) == &items[2].node);
	CHECK(htab_find(&t, (struct slice){ NULL, 0 }) == &items[3].node);
	CHECK(!htab_find(&t, SLICE("use")));
	htab_free(&t);
}
