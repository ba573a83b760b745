/*
 * base/list.h - intrusive doubly linked lists.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>

#include "base/compiler.h"

struct list {
	struct list *next,
	    *prev; /* a head links to itself when empty; a node off every list has NULLs */
};

static inline void
list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool
list_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool
list_linked(const struct list *node)
{
	return node->next != NULL;
}

static inline void
list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Takes @node off its list; nothing happens when it is on none. */
static inline void
list_remove(struct list *node)
{
	if (!node->next)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = NULL;
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_foreach(node, head)                                                                   \
	for (struct list *node = (head)->next; node != (head); node = node->next)
/* The current node may be removed. */
#define list_foreach_safe(node, head)                                                              \
	for (struct list *node = (head)->next, *node##_next = node->next; node != (head);          \
	     node = node##_next, node##_next = node->next)

#endif
