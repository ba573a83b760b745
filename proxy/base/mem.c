/*
 * base/mem.c - allocation and pools of equal objects.
 *
 *      pool -> slabs (each on the list of slabs with room, or on that of full ones)
 *              slab: header | object | object | …     free objects are linked through their first word
 *
 * An object finds its slab by address: slabs are aligned to their size. Objects are zeroed when they come back,
 * so that what is handed out is zero and nothing of a session outlives it.
 */
#include "base/mem.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/list.h"
#include "base/secret.h"

#define PLAIN_OBJECTS SANITIZED /* each object from malloc, so that the sanitizer sees its life */

#define SLAB_SIZE  ((size_t)65536)
#define SLAB_MAGIC 0x51ab51abu

struct slab {
	struct list node;
	struct mem_pool *pool;
	void *free; /* first free object */
	unsigned used;
	unsigned magic;
};

struct mem_pool {
	const char *name;
	size_t object; /* bytes, rounded up to 16 */
	unsigned per_slab;
	struct list room, full;
	unsigned empty; /* slabs without a used object, all on `room` */
	size_t used;
};

#define SLAB_HEADER ((sizeof(struct slab) + 15) & ~(size_t)15)

void *
mem_alloc(size_t size)
{
	return malloc(size ? size : 1);
}

void *
mem_zalloc(size_t size)
{
	return calloc(1, size ? size : 1);
}

void *
mem_realloc(void *p, size_t size)
{
	return realloc(p, size ? size : 1);
}

void *
mem_array(void *p, size_t n, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return mem_realloc(p, total);
}

void
mem_free(void *p)
{
	free(p);
}

void
mem_setup(void)
{
	(void)mallopt(M_ARENA_MAX, 2);
	(void)mallopt(M_MMAP_THRESHOLD, 128 * 1024); /* set, so that it does not grow by itself */
}

void
mem_trim(void)
{
	(void)malloc_trim(0);
}

struct mem_pool *
mem_pool_new(const char *name, size_t object_size)
{
	struct mem_pool *pool = mem_zalloc(sizeof(*pool));
	if (!pool)
		return NULL;
	pool->name = name;
	pool->object = (object_size + 15) & ~(size_t)15;
	ASSERT(pool->object >= 16 && pool->object <= SLAB_SIZE - SLAB_HEADER);
	pool->per_slab = (unsigned)((SLAB_SIZE - SLAB_HEADER) / pool->object);
	list_init(&pool->room);
	list_init(&pool->full);
	return pool;
}

static struct slab *
slab_of(void *object)
{
	return (struct slab *)((uintptr_t)object & ~(uintptr_t)(SLAB_SIZE - 1));
}

static char *
map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

/*
 * Zeroed and aligned to its size. Straight from the system and back to it: from malloc, alignment would cost as much
 * again, and what is freed inside the heap stays there. Below an aligned slab there is mostly room for the next.
 */
static void *
slab_map(void)
{
	char *p = map(SLAB_SIZE);
	size_t over = (uintptr_t)p % SLAB_SIZE;
	if (!p || over == 0)
		return p;
	(void)munmap(p, SLAB_SIZE);
	p = map(2 * SLAB_SIZE);
	if (!p)
		return NULL;
	size_t before = (SLAB_SIZE - (uintptr_t)p % SLAB_SIZE) % SLAB_SIZE;
	if (before > 0)
		(void)munmap(p, before);
	(void)munmap(p + before + SLAB_SIZE, SLAB_SIZE - before);
	return p + before;
}

static void
slab_free(struct slab *s)
{
	(void)munmap(s, SLAB_SIZE);
}

static struct slab *
slab_new(struct mem_pool *pool)
{
	struct slab *s = slab_map();
	if (!s)
		return NULL;
	s->pool = pool;
	s->magic = SLAB_MAGIC;
	char *object = (char *)s + SLAB_HEADER + (size_t)pool->per_slab * pool->object;
	for (unsigned i = 0; i < pool->per_slab; i++) {
		object -= pool->object;
		*(void **)(void *)object = s->free;
		s->free = object;
	}
	list_append(&pool->room, &s->node);
	pool->empty++;
	return s;
}

void *
mem_pool_get(struct mem_pool *pool)
{
	struct slab *s;
	if (PLAIN_OBJECTS) {
		void *plain = mem_zalloc(pool->object);
		pool->used += plain != NULL;
		return plain;
	}
	if (list_empty(&pool->room)) {
		s = slab_new(pool);
		if (!s)
			return NULL;
	} else {
		s = list_entry(pool->room.next, struct slab, node);
	}
	if (s->used == 0)
		pool->empty--;
	void *object = s->free;
	s->free = *(void **)object;
	*(void **)object = NULL;
	s->used++;
	pool->used++;
	if (!s->free) {
		list_remove(&s->node);
		list_append(&pool->full, &s->node);
	}
	return object;
}

void
mem_pool_put(struct mem_pool *pool, void *object)
{
	if (!object)
		return;
	if (PLAIN_OBJECTS) {
		ASSERT(pool->used > 0);
		secret_wipe(object, pool->object);
		pool->used--;
		mem_free(object);
		return;
	}
	struct slab *s = slab_of(object);
	ASSERT(s->magic == SLAB_MAGIC && s->pool == pool && s->used > 0);
	secret_wipe(object, pool->object);
	bool was_full = !s->free;
	*(void **)object = s->free;
	s->free = object;
	s->used--;
	pool->used--;
	if (was_full) {
		list_remove(&s->node);
		list_append(&pool->room, &s->node);
	}
	if (s->used > 0)
		return;
	if (pool->empty > 0) { /* one empty slab is kept: no churn at the edge */
		list_remove(&s->node);
		slab_free(s);
		return;
	}
	pool->empty = 1;
}

size_t
mem_pool_used(const struct mem_pool *pool)
{
	return pool->used;
}

void
mem_pool_free(struct mem_pool **pool)
{
	if (!*pool)
		return;
	ASSERT((*pool)->used == 0);
	list_foreach_safe (n, &(*pool)->room) {
		list_remove(n);
		slab_free(list_entry(n, struct slab, node));
	}
	mem_free(*pool);
	*pool = NULL;
}
