/*
 * base/sheet.c - see the header; knows nothing of what it writes.
 */
#include "base/sheet.h"

#include <math.h>

void
sheet_init(struct sheet *s, struct buf *out, bool json)
{
	*s = (struct sheet){ .out = out, .json = json };
}

static void
put(struct sheet *s, const char *p, size_t len)
{
	if (!s->failed && !buf_put(s->out, p, len))
		s->failed = true;
}

static void
put_text(struct sheet *s, const char *text)
{
	put(s, text, strlen(text));
}

static void
put_escaped(struct sheet *s, struct slice v)
{
	char seq[STR_ESCAPE_MAX];

	for (size_t i = 0; i < v.len; i++)
		put(s, seq, str_escape(seq, v.p[i]));
}

void
sheet_begin(struct sheet *s)
{
	s->comma = false;
	if (s->json)
		put_text(s, "{");
}

void
sheet_end(struct sheet *s)
{
	if (s->json)
		put_text(s, "}\n");
}

static void
put_key(struct sheet *s, const char *key)
{
	if (s->json) {
		put_text(s, s->comma ? ",\"" : "\"");
		put_text(s, key);
		put_text(s, "\":");
	} else if (s->row) {
		put_text(s, s->comma ? "\t" : "");
	} else {
		put_text(s, key);
		put_text(s, "\t");
	}
	s->comma = true;
}

static void
put_end(struct sheet *s)
{
	if (!s->json && !s->row)
		put_text(s, "\n");
}

void
sheet_table(struct sheet *s, const char *key, const char *columns)
{
	s->list = !key;
	if (s->json) {
		if (key) {
			put_key(s, key);
			put_text(s, "[");
		}
		return;
	}
	if (key)
		put_text(s, "\n");
	for (const char *p = columns; *p; p++)
		put(s, *p == ' ' ? "\t" : p, 1);
	put_text(s, "\n");
}

void
sheet_table_end(struct sheet *s)
{
	if (s->json && !s->list)
		put_text(s, "]");
	s->comma = true;
}

void
sheet_row(struct sheet *s, bool first)
{
	s->row = true;
	s->comma = false;
	if (s->json)
		put_text(s, first || s->list ? "{" : ",{");
}

void
sheet_row_end(struct sheet *s)
{
	s->row = false;
	put_text(s, !s->json ? "\n" : s->list ? "}\n" : "}");
}

void
sheet_str(struct sheet *s, const char *key, struct slice value)
{
	put_key(s, key);
	if (s->json)
		put_text(s, "\"");
	else if (value.len == 0)
		put_text(s, "-");
	put_escaped(s, value);
	if (s->json)
		put_text(s, "\"");
	put_end(s);
}

void
sheet_cstr(struct sheet *s, const char *key, const char *value)
{
	sheet_str(s, key, slice_of(value));
}

static void
put_raw(struct sheet *s, const char *key, const char *text)
{
	put_key(s, key);
	put_text(s, text);
	put_end(s);
}

void
sheet_u64(struct sheet *s, const char *key, uint64_t value)
{
	char text[24];

	str_fmt(text, sizeof(text), "%llu", (unsigned long long)value);
	put_raw(s, key, text);
}

void
sheet_bool(struct sheet *s, const char *key, bool value)
{
	put_raw(s, key, s->json ? (value ? "true" : "false") : value ? "yes" : "no");
}

void
sheet_addr(struct sheet *s, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT];

	sheet_cstr(s, key, addr_format(text, a));
}

void
sheet_span(struct sheet *s, const char *key, double seconds)
{
	static const struct {
		const char *name, *less;
		unsigned long of, less_of;
	} units[] = {
		{ "d", "h", 86400, 3600 },
		{ "h", "m", 3600, 60 },
		{ "m", "s", 60, 1 },
	};
	char text[48];

	if (!(fabs(seconds) < 1e12)) /* JSON has no infinity */
		seconds = 0;
	if (s->json || seconds < 60) {
		str_fmt(text, sizeof(text), s->json ? "%.3f" : "%.1fs", seconds);
	} else {
		unsigned long t = (unsigned long)seconds;
		unsigned i = t >= 86400 ? 0 : t >= 3600 ? 1 : 2;

		str_fmt(text, sizeof(text), "%lu%s%lu%s", t / units[i].of, units[i].name,
		    t % units[i].of / units[i].less_of, units[i].less);
	}
	put_raw(s, key, text);
}

void
sheet_bytes(struct sheet *s, const char *key, uint64_t bytes)
{
	static const char unit[] = "KMGTPE";
	double n = (double)bytes;
	char text[32];
	unsigned i = 0;

	if (s->json || bytes < 1024) {
		sheet_u64(s, key, bytes);
		return;
	}
	for (n /= 1024; n >= 1024 && i < 5; i++)
		n /= 1024;
	str_fmt(text, sizeof(text), n < 10 ? "%.1f%c" : "%.0f%c", n, unit[i]);
	put_raw(s, key, text);
}
