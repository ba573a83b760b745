/*
 * base/str.h - slices of bytes, and the few string operations everybody needs.
 *
 * A slice is a pointer and a length into memory that somebody else owns; it is not NUL-terminated and may
 * hold NULs. All case folding is ASCII, whatever the locale.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

struct slice {
	const char *p; /* may be NULL when len is 0 */
	size_t len;
};

#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
#define SLICE_FMT      "%.*s"
#define SLICE_ARG(s)   ((int)(s).len), ((s).p ? (s).p : "")

static inline struct slice
slice_of(const char *cstr)
{
	return (struct slice){ cstr, cstr ? strlen(cstr) : 0 };
}

bool slice_eq(struct slice a, struct slice b);
bool slice_eq_case(struct slice a, struct slice b); /* ASCII case ignored */
bool slice_eq_cstr(struct slice a, const char *b);
bool slice_starts_case(struct slice s, struct slice prefix);
struct slice slice_trim(struct slice s); /* without spaces and tabs at both ends */

/*
 * Cuts the next word off the front of *@s, words being separated by one or more spaces; an empty slice when
 * none is left.
 */
struct slice slice_word(struct slice *s);

/* Cuts up to the next @sep off the front of *@s (the separator goes too). False when *@s was empty. */
bool slice_cut(struct slice *s, char sep, struct slice *part_r);

/*
 * Copies @s and a NUL into @dst of @size bytes. False, and an empty @dst, when it does not fit or @s holds a NUL.
 */
bool str_put(char *dst, size_t size, struct slice s) MUST_CHECK;

/* Allocates a NUL-terminated copy (mem_free it); NULL when out of memory or @s holds a NUL. */
char *str_dup(struct slice s) MUST_CHECK;

/* Formats into @dst of @size bytes. False (and a cut text) when it did not fit. */
bool str_fmt(char *dst, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Decimal digits only, whole slice, no sign; false on anything else or above @max. */
bool str_u64(struct slice s, uint64_t max, uint64_t *n_r) MUST_CHECK;

/*
 * Writes @s into @dst with everything outside printable ASCII, and `"` and `\`, as \xHH, for people to read.
 * Cut with "..." when it does not fit; always NUL-terminated. Returns @dst.
 */
char *str_printable(char *dst, size_t size, struct slice s);

/*
 * Writes byte @c as a string of JSON has it: itself, \" or \\, or \u00XX for all that is not printable ASCII, so that the text
 * is valid whatever the bytes are. Log lines and answers to operators are escaped alike. How many bytes it takes.
 */
#define STR_ESCAPE_MAX 6
size_t str_escape(char seq[STR_ESCAPE_MAX], char c);

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

/*
 * The edit distance between two words up to @max (more is reported as @max + 1): finds the near word for an
 * unknown key. Words longer than 64 are never near.
 */
unsigned str_distance(struct slice a, struct slice b, unsigned max);

#endif
