/*
 * The bytes that the bench tools send in their literals, so that the other end can tell whether the
 * proxy between them changed, lost or moved any.
 *
 * Byte i of every literal is 1 + i % 251: no NUL, which IMAP literals may not hold, but CR, LF, braces
 * and parentheses; the period is a prime, so that a block swapped with another, or sent twice, shows.
 */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PATTERN_PERIOD 251

/* Fills len bytes as if they stood at offset 0 of a literal. */
static inline void
pattern_fill(unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(1 + i % PATTERN_PERIOD);
}

/*
 * Whether len received bytes are what belongs at this offset of a literal. reference was filled by
 * pattern_fill and holds at least len + PATTERN_PERIOD bytes.
 */
static inline bool
pattern_matches(const unsigned char *reference, uint64_t offset, const void *bytes, size_t len)
{
	return memcmp(reference + offset % PATTERN_PERIOD, bytes, len) == 0;
}

#endif
