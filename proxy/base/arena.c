/*
 * base/arena.c - memory in chunks, given back all at once.
 *
 *      arena -> chunk (newest, being filled) -> chunk -> …
 *
 * A chunk is twice as large as the one before, up to CHUNK_MAX; what is larger than a chunk gets
 * one of its own. Nothing is ever given back singly. Every byte is wiped in the end: a snapshot
 * names files, users and hosts.
 */
#include "base/arena.h"

#include "base/mem.h"
#include "base/secret.h"

#define CHUNK_FIRST ((size_t)4096)
#define CHUNK_MAX   ((size_t)262144)

struct chunk {
	struct chunk *next;
	size_t size, used; /* bytes, header included */
};

#define HEADER ((sizeof(struct chunk) + 15) & ~(size_t)15)

struct arena {
	struct chunk *chunks;
	size_t next_size;
	size_t total;
};

struct arena *
arena_new(void)
{
	struct arena *a = mem_zalloc(sizeof(*a));
	if (a)
		a->next_size = CHUNK_FIRST;
	return a;
}

void
arena_free(struct arena **a)
{
	if (!*a)
		return;
	struct chunk *c = (*a)->chunks;
	while (c) {
		struct chunk *next = c->next;
		secret_wipe(c, c->size);
		mem_free(c);
		c = next;
	}
	mem_free(*a);
	*a = NULL;
}

static struct chunk *
chunk_new(struct arena *a, size_t size)
{
	struct chunk *c = mem_zalloc(size);
	if (!c)
		return NULL;
	c->size = size;
	c->used = HEADER;
	a->total += size;
	return c;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size = size ? (size + 15) & ~(size_t)15 : 16;
	struct chunk *c = a->chunks;
	if (!c || c->size - c->used < size) {
		bool own = size > a->next_size - HEADER;
		c = chunk_new(a, own ? HEADER + size : a->next_size);
		if (!c)
			return NULL;
		if (own && a->chunks) { /* the one being filled stays first */
			c->next = a->chunks->next;
			a->chunks->next = c;
		} else {
			c->next = a->chunks;
			a->chunks = c;
		}
		if (!own && a->next_size < CHUNK_MAX)
			a->next_size *= 2;
	}
	void *p = (char *)c + c->used;
	c->used += size;
	return p;
}

char *
arena_str(struct arena *a, struct slice s)
{
	char *p = arena_alloc(a, s.len + 1);
	if (p && s.len > 0)
		memcpy(p, s.p, s.len);
	return p;
}

size_t
arena_size(const struct arena *a)
{
	return a->total;
}
