/*
 * base/pack.c - message payloads: plain values in host order, every read checked.
 */
#include "base/pack.h"

void
pack_init(struct pack *k, void *memory, size_t size)
{
	*k = (struct pack){ .p = memory, .size = size };
}

static void
put(struct pack *k, const void *p, size_t len)
{
	if (k->overflow || len > k->size - k->len) {
		k->overflow = true;
		return;
	}
	if (len > 0)
		memcpy(k->p + k->len, p, len);
	k->len += len;
}

void
pack_u8(struct pack *k, uint8_t v)
{
	put(k, &v, sizeof(v));
}

void
pack_u16(struct pack *k, uint16_t v)
{
	put(k, &v, sizeof(v));
}

void
pack_u32(struct pack *k, uint32_t v)
{
	put(k, &v, sizeof(v));
}

void
pack_u64(struct pack *k, uint64_t v)
{
	put(k, &v, sizeof(v));
}

void
pack_slice(struct pack *k, struct slice s)
{
	if (s.len > UINT32_MAX) {
		k->overflow = true;
		return;
	}
	pack_u32(k, (uint32_t)s.len);
	put(k, s.p, s.len);
}

void
unpack_init(struct unpack *u, struct slice payload)
{
	*u = (struct unpack){ .p = payload.p, .left = payload.len };
}

static bool
get(struct unpack *u, void *p, size_t len)
{
	if (u->bad || len > u->left) {
		u->bad = true;
		memset(p, 0, len);
		return false;
	}
	memcpy(p, u->p, len);
	u->p += len;
	u->left -= len;
	return true;
}

uint8_t
unpack_u8(struct unpack *u)
{
	uint8_t v;
	get(u, &v, sizeof(v));
	return v;
}

uint16_t
unpack_u16(struct unpack *u)
{
	uint16_t v;
	get(u, &v, sizeof(v));
	return v;
}

uint32_t
unpack_u32(struct unpack *u)
{
	uint32_t v;
	get(u, &v, sizeof(v));
	return v;
}

uint64_t
unpack_u64(struct unpack *u)
{
	uint64_t v;
	get(u, &v, sizeof(v));
	return v;
}

struct slice
unpack_slice(struct unpack *u)
{
	uint32_t len = unpack_u32(u);
	if (u->bad || len > u->left) {
		u->bad = true;
		return (struct slice){ NULL, 0 };
	}
	struct slice s = { u->p, len };
	u->p += len;
	u->left -= len;
	return s;
}

void
unpack_cstr(struct unpack *u, char *dst, size_t size)
{
	struct slice s = unpack_slice(u);
	if (!str_put(dst, size, s))
		u->bad = true;
}

bool
unpack_ok(const struct unpack *u)
{
	return !u->bad && u->left == 0;
}
