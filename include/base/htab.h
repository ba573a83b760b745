/*
 * base/htab.h - an intrusive hash table keyed by bytes.
 *
 * The element embeds a struct htab_node and owns its key; the table owns only its array of chains, which grows
 * a few chains an insertion, so that no single insertion is slow.
 */
#ifndef BASE_HTAB_H
#define BASE_HTAB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct htab_node {
	struct htab_node *next;
	uint64_t hash;
	struct slice key; /* owned by the element, unchanged while it is in the table */
};

struct htab {
	struct htab_node **chains; /* NULL until the first insertion */
	size_t size;               /* chains allocated, a power of two */
	size_t split;              /* linear hashing: chains below it are already split */
	size_t level;              /* chains in use = level + split */
	size_t count;
};

void htab_init(struct htab *t);
void htab_free(struct htab *t); /* the array only: elements are the caller's */
struct htab_node *htab_find(const struct htab *t, struct slice key);

/* @node->key must be set and not be in the table. False when out of memory. */
bool htab_insert(struct htab *t, struct htab_node *node) MUST_CHECK;
void htab_remove(struct htab *t, struct htab_node *node);

/*
 * Walks all elements; @fn may remove the one it is given. Stops when @fn returns false. Not for per-session
 * paths: it is a scan.
 */
void htab_walk(struct htab *t, bool (*fn)(struct htab_node *node, void *arg), void *arg);

#endif
