/*
 * tests/unit/script_text.c - what stands in a line of a script: escapes with "~", macros with "$"; see script.h.
 */
#include "script.h"

#include "base/mem.h"
#include "proto/sasl.h"

static bool
put(struct buf *out, const char *p, size_t len)
{
	return buf_put(out, p, len);
}

static bool expand(struct script *s, struct slice text, struct buf *out);

/* "{…}" at the front of *@text: what is between; braces inside pair up. */
static bool
braces(struct slice *text, struct slice *inner_r)
{
	size_t depth = 0;

	for (size_t i = 0; i < text->len; i++) {
		depth += text->p[i] == '{';
		if (text->p[i] == '}' && --depth == 0) {
			*inner_r = (struct slice){ text->p + 1, i - 1 };
			*text = (struct slice){ text->p + i + 1, text->len - i - 1 };
			return true;
		}
	}
	return false;
}

static bool
put_macro(struct script *s, struct slice *text, struct buf *out)
{
	char what = text->p[1];
	struct slice inner, count;
	struct buf b;
	uint64_t n;
	size_t room = 0;
	bool ok = true;

	*text = (struct slice){ text->p + 2, text->len - 2 };
	if (what == '$')
		return put(out, "$", 1);
	if (what == 'T')
		return put(out, s->tag, strlen(s->tag));
	if ((what != 'B' && what != 'R') || text->len == 0 || !braces(text, &inner))
		return false;
	buf_init(&b, (size_t)1 << 22, false);
	if (what == 'B') {
		char *at;

		ok = expand(s, inner, &b) &&
		     (at = buf_room(out, BASE64_LEN(buf_len(&b)) + 1, &room)) != NULL;
		if (ok)
			buf_added(out, base64_encode(buf_slice(&b), at, room));
	} else if (slice_cut(&inner, ',', &count) && str_u64(count, 1000000, &n)) {
		ok = expand(s, inner, &b);
		char *at = ok ? buf_room(out, n * buf_len(&b) + 1, &room) : NULL;

		for (uint64_t i = 0; i < n && at; i++)
			memcpy(at + i * buf_len(&b), b.data + b.start, buf_len(&b));
		if (at)
			buf_added(out, n * buf_len(&b));
		ok = at != NULL;
	} else {
		ok = false;
	}
	buf_free(&b);
	return ok;
}

static bool
put_escape(struct slice *text, struct buf *out)
{
	static const char hex[] = "0123456789abcdef";
	char what = text->p[1];

	*text = (struct slice){ text->p + 2, text->len - 2 };
	switch (what) {
	case '0':
		return put(out, "", 1);
	case 'r':
		return put(out, "\r", 1);
	case 'n':
		return put(out, "\n", 1);
	case '|':
		return put(out, "\r\n", 2);
	case '_':
		return put(out, " ", 1);
	case '~':
		return put(out, "~", 1);
	case 'x': {
		const char *h = text->len >= 2 ? strchr(hex, text->p[0]) : NULL;
		const char *l = h ? strchr(hex, text->p[1]) : NULL;
		char c;

		if (!l)
			return false;
		c = (char)((h - hex) << 4 | (l - hex));
		*text = (struct slice){ text->p + 2, text->len - 2 };
		return put(out, &c, 1);
	}
	}
	return false;
}

static bool
expand(struct script *s, struct slice text, struct buf *out)
{
	while (text.len > 0) {
		bool ok;

		if (text.p[0] == '$' && text.len > 1) {
			ok = put_macro(s, &text, out);
		} else if (text.p[0] == '~' && text.len > 1) {
			ok = put_escape(&text, out);
		} else {
			ok = put(out, text.p, 1);
			text = (struct slice){ text.p + 1, text.len - 1 };
		}
		if (!ok)
			return false;
	}
	return true;
}

bool
script_expand(struct script *s, struct slice text, bool line_end, struct buf *out)
{
	if (line_end && text.len >= 2 && memcmp(text.p + text.len - 2, "~.", 2) == 0) {
		line_end = false;
		text.len -= 2;
	}
	if (expand(s, text, out) && (!line_end || put(out, "\r\n", 2)))
		return true;
	script_fail(s, "cannot read \"" SLICE_FMT "\"", SLICE_ARG(text));
	return false;
}
