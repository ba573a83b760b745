/*
 * base/pack.h - values in and out of the payload of a message between our own processes.
 *
 * Same machine, same binary or the next one: host byte order. The reader checks every length; after the first
 * value that does not fit, all further reads yield zeros and unpack_ok() is false.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct pack {
	char *p; /* the caller's memory */
	size_t len, size;
	bool overflow; /* something did not fit */
};

struct unpack {
	const char *p;
	size_t left;
	bool bad;
};

void pack_init(struct pack *k, void *memory, size_t size);
void pack_u8(struct pack *k, uint8_t v);
void pack_u16(struct pack *k, uint16_t v);
void pack_u32(struct pack *k, uint32_t v);
void pack_u64(struct pack *k, uint64_t v);
void pack_slice(struct pack *k, struct slice s); /* u32 length, bytes */
static inline void
pack_cstr(struct pack *k, const char *s)
{
	pack_slice(k, slice_of(s));
}
static inline struct slice
pack_done(const struct pack *k)
{
	return (struct slice){ k->p, k->len };
}

void unpack_init(struct unpack *u, struct slice payload);
uint8_t unpack_u8(struct unpack *u);
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
struct slice unpack_slice(struct unpack *u); /* points into the payload */
/* Into @dst as a NUL-terminated string; too long or with a NUL inside counts as bad. */
void unpack_cstr(struct unpack *u, char *dst, size_t size);
/* True when all was well and nothing is left over. */
bool unpack_ok(const struct unpack *u);

#endif
