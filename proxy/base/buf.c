/*
 * base/buf.c - the bounded byte buffer of base/buf.h.
 *
 * Growth doubles from 1 KiB, so that appending costs O(1) a byte; a secret buffer never leaves a copy behind.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/secret.h"

#define FIRST ((size_t)1024)

void
buf_init(struct buf *b, size_t max, bool secret)
{
	*b = (struct buf){ .max = max, .secret = secret };
}

void
buf_free(struct buf *b)
{
	if (b->data && b->secret)
		secret_wipe(b->data, b->cap);
	mem_free(b->data);
	buf_init(b, b->max, b->secret);
}

static bool
move(struct buf *b, size_t cap)
{
	size_t len = buf_len(b);
	char *data = mem_alloc(cap);
	if (!data)
		return false;
	if (len > 0)
		memcpy(data, b->data + b->start, len);
	if (b->data && b->secret)
		secret_wipe(b->data, b->cap);
	mem_free(b->data);
	b->data = data;
	b->cap = cap;
	b->start = 0;
	b->end = len;
	return true;
}

char *
buf_room(struct buf *b, size_t want, size_t *room_r)
{
	size_t len = buf_len(b);
	if (want > b->max || len > b->max - want)
		return NULL;
	if (b->cap - b->end < want || !b->data) {
		if (b->data && b->cap - len >= want) {
			memmove(b->data, b->data + b->start, len);
			if (b->secret)
				secret_wipe(b->data + len, b->end - len);
			b->start = 0;
			b->end = len;
		} else {
			size_t cap = b->cap ? b->cap : FIRST;
			while (cap < len + want && cap <= b->max / 2)
				cap *= 2;
			if (cap < len + want || cap > b->max)
				cap = b->max;
			if (cap == 0 || !move(b, cap))
				return NULL;
		}
	}
	*room_r = b->cap - b->end;
	return b->data + b->end;
}

void
buf_added(struct buf *b, size_t len)
{
	ASSERT(len <= b->cap - b->end);
	b->end += len;
}

bool
buf_put(struct buf *b, const void *p, size_t len)
{
	size_t room;
	if (len == 0)
		return true;
	char *at = buf_room(b, len, &room);
	if (!at)
		return false;
	memcpy(at, p, len);
	b->end += len;
	return true;
}

bool
buf_put_slice(struct buf *b, struct slice s)
{
	return buf_put(b, s.p, s.len);
}

bool
buf_printf(struct buf *b, const char *fmt, ...)
{
	char text[2048], *all = text;
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	bool ok = n >= 0 && (size_t)n <= b->max - buf_len(b);
	if (ok && (size_t)n >= sizeof(text)) {
		all = mem_alloc((size_t)n + 1);
		ok = all && vsnprintf(all, (size_t)n + 1, fmt, again) == n;
	}
	va_end(again);
	va_end(ap);
	ok = ok && buf_put(b, all, (size_t)n);
	if (b->secret) {
		secret_wipe(text, sizeof(text));
		if (all && all != text)
			secret_wipe(all, (size_t)n + 1);
	}
	if (all != text)
		mem_free(all);
	return ok;
}

void
buf_consume(struct buf *b, size_t len)
{
	ASSERT(len <= buf_len(b));
	if (b->secret && len > 0)
		secret_wipe(b->data + b->start, len);
	b->start += len;
	if (b->start == b->end)
		b->start = b->end = 0;
}
