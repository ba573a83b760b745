/*
 * base/str.c - slices and small string operations. No locale, no allocation but in str_dup().
 */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
slice_eq_case(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool
slice_eq_cstr(struct slice a, const char *b)
{
	return slice_eq(a, slice_of(b));
}

bool
slice_starts_case(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq_case((struct slice){ s.p, prefix.len }, prefix);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct slice
slice_word(struct slice *s)
{
	while (s->len > 0 && s->p[0] == ' ') {
		s->p++;
		s->len--;
	}
	struct slice word = { s->p, 0 };
	while (word.len < s->len && s->p[word.len] != ' ')
		word.len++;
	s->p = s->p ? s->p + word.len : NULL;
	s->len -= word.len;
	return word;
}

bool
slice_cut(struct slice *s, char sep, struct slice *part_r)
{
	if (s->len == 0)
		return false;
	const char *at = memchr(s->p, sep, s->len);
	size_t len = at ? (size_t)(at - s->p) : s->len;
	*part_r = (struct slice){ s->p, len };
	size_t used = at ? len + 1 : len;
	s->p += used;
	s->len -= used;
	return true;
}

bool
str_put(char *dst, size_t size, struct slice s)
{
	if (size == 0)
		return false;
	dst[0] = '\0';
	if (s.len >= size || (s.len > 0 && memchr(s.p, '\0', s.len)))
		return false;
	if (s.len > 0)
		memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
	return true;
}

char *
str_dup(struct slice s)
{
	char *p = mem_alloc(s.len + 1);
	if (p && !str_put(p, s.len + 1, s)) {
		mem_free(p);
		p = NULL;
	}
	return p;
}

bool
str_fmt(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(dst, size, fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < size;
}

bool
str_u64(struct slice s, uint64_t max, uint64_t *n_r)
{
	uint64_t n = 0;
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(s.p[i] - '0');
		if (n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
		if (n > max)
			return false;
	}
	*n_r = n;
	return true;
}

char *
str_printable(char *dst, size_t size, struct slice s)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0,
	       keep = 0; /* keep: the last end of a character with room for "..." behind it */
	if (size == 0)
		return dst;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
		if (n + (plain ? 1 : 4) >= size) {
			n = keep;
			for (unsigned dots = 0; dots < 3 && n + 1 < size; dots++)
				dst[n++] = '.';
			break;
		}
		if (plain) {
			dst[n++] = (char)c;
		} else {
			dst[n++] = '\\';
			dst[n++] = 'x';
			dst[n++] = hex[c >> 4];
			dst[n++] = hex[c & 15];
		}
		if (n + 4 <= size)
			keep = n;
	}
	dst[n] = '\0';
	return dst;
}

unsigned
str_distance(struct slice a, struct slice b, unsigned max)
{
	enum { LONGEST = 64 };
	if (a.len > LONGEST || b.len > LONGEST)
		return max + 1;
	unsigned row[LONGEST + 1];
	for (size_t j = 0; j <= b.len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned best =
			    diagonal + (ascii_lower(a.p[i - 1]) != ascii_lower(b.p[j - 1]));
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[b.len] > max ? max + 1 : row[b.len];
}

size_t
str_escape(char seq[STR_ESCAPE_MAX], char c)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char u = (unsigned char)c;

	if (u >= 0x20 && u < 0x7f && c != '"' && c != '\\') {
		seq[0] = c;
		return 1;
	}
	seq[0] = '\\';
	if (u >= 0x20 && u < 0x7f) {
		seq[1] = c;
		return 2;
	}
	memcpy(seq + 1, "u00", 3);
	seq[4] = hex[u >> 4];
	seq[5] = hex[u & 15];
	return STR_ESCAPE_MAX;
}
