/*
 * base/buf.h - a bounded, growing run of bytes with a read end and a write end.
 *
 *      data        data+start         data+end        data+cap   (max: cap never grows past it)
 *      |  consumed  |  what is there   |  room          |
 *
 * An empty buffer holds no memory until something is put in; buf_free() gives it back and leaves an empty
 * buffer with the same bound.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>

#include "base/str.h"

struct buf {
	char *data;
	size_t start, end, cap;
	size_t max;  /* bytes it may ever hold; 0 counts as nothing allowed */
	bool secret; /* what is consumed, moved or freed is wiped */
};

void buf_init(struct buf *b, size_t max, bool secret);
void buf_free(struct buf *b);

static inline size_t
buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline struct slice
buf_slice(const struct buf *b)
{
	return (struct slice){ b->data ? b->data + b->start : NULL, b->end - b->start };
}

/*
 * Makes room for at least @want more bytes (moving what is there, growing up to max). Returns where to write
 * and, in *@room_r, how much room there is (>= @want); NULL when the bound or memory does not allow it.
 * What was written is then claimed with buf_added().
 */
char *buf_room(struct buf *b, size_t want, size_t *room_r) MUST_CHECK;
void buf_added(struct buf *b, size_t len);

/* Appends; false when it does not fit (nothing is appended then). */
bool buf_put(struct buf *b, const void *p, size_t len) MUST_CHECK;
bool buf_put_slice(struct buf *b, struct slice s) MUST_CHECK;
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* Drops @len bytes from the front. */
void buf_consume(struct buf *b, size_t len);

#endif
