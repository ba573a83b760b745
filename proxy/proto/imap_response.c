/*
 * proto/imap_response.c - takes one framed response of a store apart.
 *
 * Names the parts that the login needs: kind, tag, status, response code, text, and of untagged
 * data the first word. It does not look into the data (a capability list is proto/capability's, an
 * ID answer nobody's), and it does not know which tag is ours: that is for the caller to compare.
 *
 * Everything here is said by a peer that may be hostile, and some of it is passed on to a client.
 * So a response that consists of one line (status, continuation) has, when this says 1, no CR, LF
 * or NUL in it but its own end; and what the frame takes for a line without literals is exactly
 * what is a status response here, since both ask imap_status_word().
 */
#include "proto/imap_response.h"

enum imap_status
imap_status_word(struct slice word)
{
	static const struct {
		struct slice word;
		enum imap_status status;
	} words[] = {
		{ { "OK", 2 }, IMAP_STATUS_OK },
		{ { "NO", 2 }, IMAP_STATUS_NO },
		{ { "BAD", 3 }, IMAP_STATUS_BAD },
		{ { "BYE", 3 }, IMAP_STATUS_BYE },
		{ { "PREAUTH", 7 }, IMAP_STATUS_PREAUTH },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (slice_eq_case(word, words[i].word))
			return words[i].status;
	return IMAP_STATUS_NONE;
}

static bool
one_line(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n')
			return false;
	return true;
}

static struct slice
behind(struct slice s, size_t n)
{
	return (struct slice){ s.p + n, s.len - n };
}

static struct slice
without_space(struct slice s)
{
	return s.len && *s.p == ' ' ? behind(s, 1) : s;
}

/* Cuts what is before the first space off the front of *@s, and the space with it. */
static struct slice
first_word(struct slice *s)
{
	const char *space = s->len ? memchr(s->p, ' ', s->len) : NULL;
	struct slice word = { s->p, space ? (size_t)(space - s->p) : s->len };

	*s = without_space(behind(*s, word.len));
	return word;
}

/* resp-text, with or without a code; "[" that is never closed is text. */
static void
resp_text(struct slice s, struct imap_response *r)
{
	const char *close = s.len && *s.p == '[' ? memchr(s.p, ']', s.len) : NULL;

	if (close) {
		struct slice args;

		r->code = args = (struct slice){ s.p + 1, (size_t)(close - s.p) - 1 };
		r->code_name = first_word(&args);
		r->code_args = args;
		s = without_space(behind(s, r->code.len + 2));
	}
	r->text = s;
}

static int
parse_untagged(struct slice s, struct imap_response *r, const char **why_r)
{
	r->kind = IMAP_RESP_UNTAGGED;
	if (!s.len || *s.p != ' ') {
		*why_r = "no space behind \"*\"";
		return -1;
	}
	s = behind(s, 1);
	r->name = first_word(&s);
	if (!imap_is_atom(r->name)) {
		*why_r = "untagged response without a name";
		return -1;
	}
	r->status = imap_status_word(r->name);
	if (r->status == IMAP_STATUS_NONE) {
		r->data = s;
		return 1;
	}
	r->name = (struct slice){ NULL, 0 };
	resp_text(s, r);
	return 1;
}

static int
parse_tagged(struct slice s, struct imap_response *r, const char **why_r)
{
	struct lex x = { s.p, s.p + s.len };
	struct slice word;

	r->kind = IMAP_RESP_TAGGED;
	if (lex_tag(&x, &r->tag) != 1 || lex_space(&x) != 1) {
		r->tag = (struct slice){ NULL, 0 };
		*why_r = "not an IMAP response";
		return -1;
	}
	s = behind(s, r->tag.len + 1);
	word = first_word(&s);
	r->status = imap_status_word(word);
	switch (r->status) {
	case IMAP_STATUS_OK:
	case IMAP_STATUS_NO:
	case IMAP_STATUS_BAD:
		resp_text(s, r);
		return 1;
	case IMAP_STATUS_NONE:
	case IMAP_STATUS_BYE:
	case IMAP_STATUS_PREAUTH:
		break;
	}
	*why_r = "tagged response that is not OK, NO or BAD";
	return -1;
}

int
imap_response_parse(const char *p, size_t len, struct imap_response *r_r, const char **why_r)
{
	struct slice s = { p, len };
	int r;

	*r_r = (struct imap_response){ .kind = IMAP_RESP_TAGGED };
	*why_r = NULL;
	if (!s.len || s.p[s.len - 1] != '\n') {
		*why_r = "response without a line end";
		return -1;
	}
	s.len--;
	if (s.len && s.p[s.len - 1] == '\r')
		s.len--;
	if (!s.len) {
		*why_r = "empty line";
		return -1;
	}

	switch (*s.p) {
	case '*':
		r = parse_untagged(behind(s, 1), r_r, why_r);
		break;
	case '+':
		r_r->kind = IMAP_RESP_CONTINUATION;
		r_r->text = without_space(behind(s, 1));
		r = 1;
		break;
	default:
		r = parse_tagged(s, r_r, why_r);
	}
	if (r == 1 && (r_r->kind != IMAP_RESP_UNTAGGED || r_r->status != IMAP_STATUS_NONE) &&
	    !one_line(s)) {
		*why_r = "control characters in a response";
		r = -1;
	}
	return r;
}
