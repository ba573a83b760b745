/*
 * base/mem.h - memory: plain allocations that may fail, and pools of objects of one size.
 *
 * Out of memory is a refusal, never an abort: every caller checks.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/compiler.h"

void *mem_alloc(size_t size) MUST_CHECK;            /* not zeroed; NULL when out of memory */
void *mem_zalloc(size_t size) MUST_CHECK;           /* zeroed; NULL when out of memory */
void *mem_realloc(void *p, size_t size) MUST_CHECK; /* NULL: out of memory, @p is still valid */
void *mem_array(
    void *p, size_t n, size_t size) MUST_CHECK; /* realloc of n * size, overflow checked */
void mem_free(void *p);                         /* NULL is fine */

/*
 * How the allocator is to behave in a process that lives for years: one heap for the loop and one for helper threads, and
 * what is large is the system's own and goes back to it. First in main().
 */
void mem_setup(void);

/* Gives what the allocator holds free back to the system; called after a burst, never per session. */
void mem_trim(void);

/*
 * A pool of zeroed objects of one size, taken from slabs. Freed objects are zeroed at once (nothing of a
 * session outlives it) and reused; a slab all of whose objects are free goes back to the system, but for one.
 */
struct mem_pool;

struct mem_pool *mem_pool_new(
    const char *name, size_t object_size) MUST_CHECK; /* @name: a literal */
void mem_pool_free(struct mem_pool **pool);           /* every object must have been returned */
void *mem_pool_get(
    struct mem_pool *pool) MUST_CHECK; /* zeroed, aligned to 16; NULL when out of memory */
void mem_pool_put(struct mem_pool *pool, void *object); /* NULL is fine */
size_t mem_pool_used(const struct mem_pool *pool);      /* objects handed out now */

#endif
