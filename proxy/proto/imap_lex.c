/*
 * proto/imap_lex.c - where commands and responses end, and the tokens they are made of.
 *
 * Two halves. The frame walks forward over bytes as they arrive and finds line ends and literals;
 * it knows no grammar but that. The lex functions take tokens from bytes that the frame has
 * bounded. Neither decides what a command means, and neither keeps a byte: the caller's buffer is
 * the only memory.
 *
 * What announces a literal is decided at the end of a line and in one place, announcement(): `{n}`
 * or `{n+}`, outside quotes, where an argument may begin (behind SP or "(", a "~" between allowed).
 * A brace anywhere else is text, which no grammar of ours allows, so the parser refuses that line
 * and nobody waits for bytes that were never promised. A brace where an argument begins, with
 * something else than a number in it, is FRAME_BAD: the peer meant a literal, and what it sends
 * next is data that must not be taken for commands by accident; with a "+" in it that data is
 * already coming, which `sync` tells.
 *
 * Invariants: pos <= len; line_start <= pos; on an error pos is on the byte that did it, so the
 * rest of the line begins there, and asking again gives the same answer.
 */
#include "proto/imap_lex.h"

#include "proto/imap_response.h"

#define TAG_MAX    64
#define NUMBER_MAX UINT32_MAX /* a literal's length before login: RFC 3501's number is enough */

bool
imap_is_atom_char(char c)
{
	switch (c) {
	case '(':
	case ')':
	case '{':
	case '%':
	case '*':
	case '"':
	case '\\':
	case ']':
		return false;
	}
	return c > ' ' && c < 0x7f; /* 8-bit bytes are negative or above, as the machine has it */
}

bool
imap_is_atom(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!imap_is_atom_char(s.p[i]))
			return false;
	return s.len > 0;
}

/*
 * What a name or password may be made of without quotes: RFC 9051's ASTRING-CHAR, and, as the
 * trusted servers do, "%", "*" and "\", which people type and which can mean nothing else here.
 */
static bool
is_astring_char(char c)
{
	return imap_is_atom_char(c) || c == ']' || c == '%' || c == '*' || c == '\\';
}

/*
 * Reads the digits of [@p, @end) as a number; anything above NUMBER_MAX is NUMBER_MAX + 1, so that
 * a thousand digits cannot overflow. False when there is no digit or something else.
 */
static bool
number(const char *p, const char *end, uint64_t *n_r)
{
	uint64_t n = 0;

	if (p == end)
		return false;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		n = n * 10 + (uint64_t)(*p - '0');
		if (n > NUMBER_MAX)
			n = (uint64_t)NUMBER_MAX + 1;
	}
	*n_r = n;
	return true;
}

void
frame_init(struct frame *f, enum frame_side side)
{
	*f = (struct frame){ .side = side, .sync = true };
}

/* Whether the response whose first line is [@p, @p + @len) may hold literals at all. */
static bool
response_has_literals(const char *p, size_t len)
{
	struct lex x = { p, p + len };
	struct slice name;

	return lex_char(&x, '*') == 1 && lex_space(&x) == 1 && lex_atom(&x, &name) == 1 &&
	       lex_space(&x) == 1 && imap_status_word(name) == IMAP_STATUS_NONE;
}

/* Whether the byte before @at, in the current line, is one behind which an argument may begin. */
static bool
argument_begins(const struct frame *f, const char *p, size_t at)
{
	return at > f->line_start && (p[at - 1] == ' ' || p[at - 1] == '(');
}

/*
 * Whether the current line, which ends at @end (its CRLF not counted), announces a literal: 1 yes,
 * 0 no, -1 it means to but gives no number. Looks back at the last word of the line only.
 */
static int
announcement(struct frame *f, const char *p, size_t end)
{
	size_t open, last = end - 1; /* of the braces */
	bool plus;

	if (f->sasl || f->in_quotes || end == f->line_start || p[last] != '}')
		return 0;
	if (f->side == FRAME_STORE && f->literals == 0 && !response_has_literals(p, end))
		return 0;

	for (open = last; p[open] != '{'; open--)
		if (open == f->line_start || p[open] == ' ' || p[open] == '"')
			return 0;
	if (!argument_begins(f, p, open) &&
	    !(open > f->line_start && p[open - 1] == '~' && argument_begins(f, p, open - 1)))
		return 0;

	plus = p[last - 1] == '+';
	f->sync = !plus;
	if (plus && f->side == FRAME_STORE)
		return -1; /* RFC 7888: clients only */
	return number(p + open + 1, p + last - plus, &f->literal) ? 1 : -1;
}

/* The byte at pos is a LF. */
static enum frame_result
line_end(struct frame *f, const char *p, const struct frame_limits *limits)
{
	size_t end = f->pos;

	if (end > f->line_start && p[end - 1] == '\r')
		end--;
	switch (announcement(f, p, end)) {
	case 0:
		f->len = ++f->pos;
		return FRAME_DONE;
	case -1:
		return FRAME_BAD;
	}

	if (f->literal > limits->literal || f->literal > NUMBER_MAX)
		return FRAME_LITERAL_BIG;
	/* One byte more than the literal must fit, for the end of the line behind it. */
	if (f->literals >= limits->literals || f->literal >= limits->total - (f->pos + 1))
		return FRAME_TOTAL_BIG;
	f->literals++;
	f->literal_left = f->literal;
	f->line_start = ++f->pos;
	return FRAME_LITERAL;
}

static void
track_quotes(struct frame *f, char c)
{
	if (!f->in_quotes) {
		f->in_quotes = c == '"';
	} else if (f->escaped) {
		f->escaped = false;
	} else if (c == '\\') {
		f->escaped = true;
	} else if (c == '"') {
		f->in_quotes = false;
	}
}

enum frame_result
frame_next(struct frame *f, const char *p, size_t len, const struct frame_limits *limits)
{
	if (f->len)
		return FRAME_DONE;
	if (f->literal_left) {
		size_t n = len - f->pos;

		if (n > f->literal_left)
			n = (size_t)f->literal_left;
		f->pos += n;
		f->literal_left -= n;
		f->line_start = f->pos;
		if (f->literal_left)
			return FRAME_MORE;
	}
	for (;;) {
		char c;

		/* As soon as the bound is reached: a buffer of that size never waits for room. */
		if (f->pos - f->line_start >= limits->line) {
			f->sync = true;
			return FRAME_LINE_LONG;
		}
		if (f->pos >= limits->total) {
			f->sync = true;
			return FRAME_TOTAL_BIG;
		}
		if (f->pos >= len)
			return FRAME_MORE;

		c = p[f->pos];
		if (c == '\n')
			return line_end(f, p, limits);
		if (c == '\0' || (f->pos > f->line_start && p[f->pos - 1] == '\r')) {
			f->sync = true;
			return FRAME_BAD;
		}
		track_quotes(f, c);
		f->pos++;
	}
}

size_t
frame_skip_line(const char *p, size_t len, bool *done_r)
{
	const char *lf = len ? memchr(p, '\n', len) : NULL;

	*done_r = lf != NULL;
	return lf ? (size_t)(lf - p) + 1 : len;
}

bool
imap_is_authenticate(const char *p, size_t len)
{
	struct lex x = { p, p + len };
	struct slice tag, name;

	return lex_tag(&x, &tag) == 1 && lex_space(&x) == 1 && lex_atom(&x, &name) == 1 &&
	       lex_space(&x) == 1 && slice_eq_case(name, SLICE("AUTHENTICATE"));
}

int
lex_char(struct lex *x, char c)
{
	if (x->p == x->end)
		return 0;
	if (*x->p != c)
		return -1;
	x->p++;
	return 1;
}

int
lex_space(struct lex *x)
{
	return lex_char(x, ' ');
}

/* Takes what @is takes, at least one byte of it, at most @max. */
static int
run(struct lex *x, bool (*is)(char c), size_t max, struct slice *run_r)
{
	const char *p = x->p;

	while (p < x->end && is(*p)) {
		if ((size_t)(p - x->p) == max)
			return -1;
		p++;
	}
	if (p == x->end)
		return 0;
	if (p == x->p)
		return -1;
	*run_r = (struct slice){ x->p, (size_t)(p - x->p) };
	x->p = p;
	return 1;
}

int
lex_atom(struct lex *x, struct slice *atom_r)
{
	return run(x, imap_is_atom_char, SIZE_MAX, atom_r);
}

static bool
is_tag_char(char c)
{
	return (imap_is_atom_char(c) || c == ']') && c != '+';
}

int
lex_tag(struct lex *x, struct slice *tag_r)
{
	return run(x, is_tag_char, TAG_MAX, tag_r);
}

/* x->p is on the opening quote. */
static int
quoted(struct lex *x, struct imap_string *s_r)
{
	const char *start = x->p + 1;
	bool escapes = false;

	for (const char *p = start; p < x->end; p++) {
		if (*p == '"') {
			*s_r = (struct imap_string){
				.p = start,
				.len = (size_t)(p - start),
				.quoted = escapes,
			};
			x->p = p + 1;
			return 1;
		}
		if (*p == '\r' || *p == '\n' || *p == '\0')
			return -1;
		if (*p == '\\') {
			escapes = true;
			if (++p == x->end)
				return 0;
			if (*p != '"' && *p != '\\')
				return -1;
		}
	}
	return 0;
}

/* x->p is on the opening brace. */
static int
literal(struct lex *x, struct imap_string *s_r)
{
	struct lex y = { x->p + 1, x->end };
	const char *digits = y.p;
	uint64_t n = 0;
	int r;

	while (y.p < y.end && *y.p >= '0' && *y.p <= '9')
		y.p++;
	if (y.p > digits && (!number(digits, y.p, &n) || n > NUMBER_MAX))
		return -1;
	if (y.p == y.end)
		return 0;
	if (y.p == digits)
		return -1;
	if (*y.p == '+')
		y.p++;
	r = lex_char(&y, '}');
	if (r != 1)
		return r;
	if (y.p < y.end && *y.p == '\r')
		y.p++;
	r = lex_char(&y, '\n');
	if (r != 1)
		return r;
	if ((size_t)(y.end - y.p) < n)
		return 0;
	*s_r = (struct imap_string){ .p = y.p, .len = (size_t)n };
	x->p = y.p + n;
	return 1;
}

int
lex_astring(struct lex *x, struct imap_string *s_r)
{
	struct slice atom;
	int r;

	if (x->p == x->end)
		return 0;
	if (*x->p == '"')
		return quoted(x, s_r);
	if (*x->p == '{')
		return literal(x, s_r);
	r = run(x, is_astring_char, SIZE_MAX, &atom);
	if (r == 1)
		*s_r = (struct imap_string){ .p = atom.p, .len = atom.len };
	return r;
}

int
lex_nstring(struct lex *x, struct imap_string *s_r)
{
	struct lex y = *x;
	struct slice atom;
	int r;

	if (x->p == x->end)
		return 0;
	if (*x->p == '"')
		return quoted(x, s_r);
	if (*x->p == '{')
		return literal(x, s_r);
	r = lex_atom(&y, &atom);
	if (r != 1)
		return r;
	if (!slice_eq_case(atom, SLICE("NIL")))
		return -1;
	*s_r = (struct imap_string){ .p = atom.p, .nil = true };
	*x = y;
	return 1;
}

int
lex_eol(struct lex *x)
{
	struct lex y = *x;
	int r;

	if (y.p < y.end && *y.p == '\r')
		y.p++;
	r = lex_char(&y, '\n');
	if (r != 1)
		return r;
	if (y.p != y.end)
		return -1;
	*x = y;
	return 1;
}

size_t
imap_string_len(const struct imap_string *s)
{
	size_t len = 0;

	if (!s->quoted)
		return s->len;
	for (size_t i = 0; i < s->len; i++, len++)
		if (s->p[i] == '\\')
			i++;
	return len;
}

bool
imap_string_copy(const struct imap_string *s, char *dst, size_t size, size_t *len_r)
{
	size_t len = 0;

	for (size_t i = 0; i < s->len; i++) {
		if (s->quoted && s->p[i] == '\\' && ++i == s->len)
			return false;
		if (s->p[i] == '\0' || len == size)
			return false;
		dst[len++] = s->p[i];
	}
	*len_r = len;
	return true;
}

/* "{n}\r\n" or "{n+}\r\n" and the bytes. */
static size_t
literal_put(char *dst, size_t size, struct slice s, bool nonsync, size_t *split_r)
{
	char head[32];
	size_t head_len;

	if (!str_fmt(head, sizeof(head), "{%zu%s}\r\n", s.len, nonsync ? "+" : ""))
		return 0;
	head_len = strlen(head);
	if (!nonsync)
		*split_r = head_len;
	if (size >= head_len && size - head_len >= s.len) {
		memcpy(dst, head, head_len);
		memcpy(dst + head_len, s.p, s.len);
	}
	return head_len + s.len;
}

size_t
imap_string_put(char *dst, size_t size, struct slice s, bool nonsync, size_t *split_r)
{
	size_t need = s.len + 2, at = 0;
	bool plain = true;

	*split_r = 0;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '\0')
			return 0;
		if (c < ' ' || c > '~') /* 8-bit bytes too */
			plain = false;
		if (c == '"' || c == '\\')
			need++;
	}
	if (!plain)
		return literal_put(dst, size, s, nonsync, split_r);
	if (need > size)
		return need;

	dst[at++] = '"';
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			dst[at++] = '\\';
		dst[at++] = s.p[i];
	}
	dst[at++] = '"';
	return at;
}
