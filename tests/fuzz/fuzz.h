/*
 * tests/fuzz/fuzz.h - what the fuzz targets share: the entry point, checks that abort, memory of
 * exact size, and a way to hand bytes out bit by bit.
 *
 * A target must say the same of the same bytes however they arrive, so it runs its input several
 * times, each time cut in another way (enum cut), and compares what was said. Bytes that have not
 * "arrived" are poisoned where AddressSanitizer is there.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(cond)                                                                           \
	((cond) ? (void)0 : fuzz_failed(#cond, __FILE__, __LINE__)) /* an oracle's word */

NORETURN static inline void
fuzz_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, cond);
	abort();
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define FUZZ_ASAN 1
#endif
#ifdef FUZZ_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

/* A copy that ends where its memory ends; free() it. */
static inline char *
fuzz_copy(struct slice s)
{
	char *copy = calloc(1, s.len ? s.len : 1);

	if (!copy)
		abort();
	if (s.len)
		memcpy(copy, s.p, s.len);
	return copy;
}

static inline bool
fuzz_inside(struct slice part, struct slice all)
{
	return part.len == 0 || (part.p >= all.p && part.p + part.len <= all.p + all.len);
}

enum cut { CUT_WHOLE, CUT_BYTES, CUT_CHUNKS, CUT_WAYS };

/* Bytes on their way: those in [0, here) have arrived, the others must not be looked at. */
struct fuzz_stream {
	char *p;
	size_t len, here;
	enum cut cut;
	uint32_t random;
};

static inline void
fuzz_stream_start(struct fuzz_stream *f, struct slice bytes, enum cut cut)
{
	*f = (struct fuzz_stream){ fuzz_copy(bytes), bytes.len, 0, cut, 2166136261u };
	for (size_t i = 0; i < bytes.len; i++)
		f->random = (f->random ^ (uint8_t)bytes.p[i]) * 16777619u;
	ASAN_POISON_MEMORY_REGION(f->p, f->len);
}

/* Lets more arrive; false when all has. */
static inline bool
fuzz_stream_more(struct fuzz_stream *f)
{
	size_t n = f->len - f->here;

	if (n == 0)
		return false;
	switch (f->cut) {
	case CUT_WHOLE:
	case CUT_WAYS:
		break;
	case CUT_BYTES:
		n = 1;
		break;
	case CUT_CHUNKS:
		f->random = f->random * 1664525u + 1013904223u;
		if (n > 1 + (f->random >> 16) % 23)
			n = 1 + (f->random >> 16) % 23;
		break;
	}
	ASAN_UNPOISON_MEMORY_REGION(f->p + f->here, n);
	f->here += n;
	return true;
}

static inline void
fuzz_stream_end(struct fuzz_stream *f)
{
	ASAN_UNPOISON_MEMORY_REGION(f->p, f->len);
	free(f->p);
}

#endif
