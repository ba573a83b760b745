/*
 * base/arena.h - memory that is let go all at once: what an immutable snapshot is made of.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena;

struct arena *arena_new(void) MUST_CHECK;
void arena_free(struct arena **a); /* all that came from it, wiped first */
void *arena_alloc(
    struct arena *a, size_t size) MUST_CHECK; /* zeroed, aligned to 16; NULL when out of memory */
char *arena_str(struct arena *a,
    struct slice s) MUST_CHECK;           /* a NUL-terminated copy; NULL when out of memory */
size_t arena_size(const struct arena *a); /* bytes taken from the system */

#endif
