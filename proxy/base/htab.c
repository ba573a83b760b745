/*
 * base/htab.c - linear hashing over chains: the table grows by splitting one chain an insertion.
 *
 *      chains:  0 … split-1 (already split) | split … level-1 | level … level+split-1 (their other halves)
 */
#include "base/htab.h"

#include "base/hash.h"
#include "base/mem.h"

#define FIRST ((size_t)64)

void
htab_init(struct htab *t)
{
	memset(t, 0, sizeof(*t));
}

void
htab_free(struct htab *t)
{
	mem_free(t->chains);
	htab_init(t);
}

static size_t
chain_of(const struct htab *t, uint64_t hash)
{
	size_t c = (size_t)hash & (t->level - 1);
	if (c < t->split)
		c = (size_t)hash & (t->level * 2 - 1);
	return c;
}

struct htab_node *
htab_find(const struct htab *t, struct slice key)
{
	if (t->count == 0)
		return NULL;
	uint64_t h = hash_table(key);
	for (struct htab_node *n = t->chains[chain_of(t, h)]; n; n = n->next)
		if (n->hash == h && slice_eq(n->key, key))
			return n;
	return NULL;
}

static bool
grow(struct htab *t)
{
	if (t->level + t->split == t->size) {
		size_t size = t->size ? t->size * 2 : FIRST;
		struct htab_node **chains = mem_array(t->chains, size, sizeof(struct htab_node *));
		if (!chains)
			return false;
		t->chains = chains;
		t->size = size;
		if (t->level == 0) {
			t->level = size;
			memset(chains, 0, size * sizeof(struct htab_node *));
			return true;
		}
	}
	struct htab_node *old = t->chains[t->split], **low = &t->chains[t->split],
			 **high = &t->chains[t->level + t->split];
	/* The first write to *high: to zero all of a new half at once takes milliseconds. */
	*low = *high = NULL;
	while (old) {
		struct htab_node *next = old->next;
		bool up = ((size_t)old->hash & (t->level * 2 - 1)) != t->split;
		struct htab_node **to = up ? high : low;
		old->next = *to;
		*to = old;
		old = next;
	}
	if (++t->split == t->level) {
		t->level *= 2;
		t->split = 0;
	}
	return true;
}

bool
htab_insert(struct htab *t, struct htab_node *node)
{
	if (t->count >= t->level + t->split && !grow(t))
		return false;
	node->hash = hash_table(node->key);
	struct htab_node **chain = &t->chains[chain_of(t, node->hash)];
	node->next = *chain;
	*chain = node;
	t->count++;
	return true;
}

void
htab_remove(struct htab *t, struct htab_node *node)
{
	struct htab_node **at = &t->chains[chain_of(t, node->hash)];
	while (*at != node) {
		ASSERT(*at);
		at = &(*at)->next;
	}
	*at = node->next;
	node->next = NULL;
	t->count--;
}

void
htab_walk(struct htab *t, bool (*fn)(struct htab_node *node, void *arg), void *arg)
{
	for (size_t c = 0; c < t->level + t->split; c++) {
		struct htab_node *next;
		for (struct htab_node *n = t->chains[c]; n; n = next) {
			next = n->next;
			if (!fn(n, arg))
				return;
		}
	}
}
