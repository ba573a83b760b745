/*
 * proto/imap_response.h - a store's response before and around the login (RFC 9051 section 7).
 *
 * Hostile input: framed by proto/imap_lex first (bounded), then taken apart here.
 */
#ifndef PROTO_IMAP_RESPONSE_H
#define PROTO_IMAP_RESPONSE_H

#include "proto/imap_lex.h"

enum imap_response_kind {
	IMAP_RESP_TAGGED,       /* tag OK|NO|BAD */
	IMAP_RESP_UNTAGGED,     /* "* " … */
	IMAP_RESP_CONTINUATION, /* "+" with or without space and text */
};

enum imap_status {
	IMAP_STATUS_NONE, /* untagged data, or a continuation */
	IMAP_STATUS_OK,
	IMAP_STATUS_NO,
	IMAP_STATUS_BAD,
	IMAP_STATUS_BYE,     /* untagged only */
	IMAP_STATUS_PREAUTH, /* untagged only */
};

struct imap_response {
	enum imap_response_kind kind;
	enum imap_status status;
	struct slice tag;       /* tagged only */
	struct slice code;      /* inside […], e.g. "CAPABILITY IMAP4rev1 IDLE"; len 0: none */
	struct slice code_name; /* its first word */
	struct slice code_args; /* what is behind that word and one space */
	struct slice text;      /* human text; of a continuation: what is behind "+ " */
	struct slice name;      /* untagged data: its first word, e.g. "CAPABILITY", "ID", "23" */
	struct slice data;      /* untagged data: what is behind name and one space, line end off */
};

/* OK, NO, BAD, BYE, PREAUTH, case ignored; anything else is IMAP_STATUS_NONE. */
enum imap_status imap_status_word(struct slice word);

/*
 * Takes the complete response of @len bytes at @p (as framed) apart. Returns 1, or -1 with *why_r
 * (a literal) when it is none. Slices point into @p. Tolerated, because stores in use send it: "+"
 * without a space, a status without text, trailing spaces (they stay in text and data). A status or
 * continuation that is accepted has no CR, LF or NUL before its end, so its parts may be passed on
 * in a line of our own.
 */
int imap_response_parse(
    const char *p, size_t len, struct imap_response *r_r, const char **why_r) MUST_CHECK;

#endif
