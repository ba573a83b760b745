/*
 * proto/imap_lex.h - where IMAP commands and responses end: framing by lines and literals.
 *
 * Pure and restartable: the caller keeps all bytes of the current command in one buffer and tells
 * how many there are; each byte is looked at once, however they arrive.
 *
 *      a LOGIN {5}\r\n     FRAME_LITERAL   client side: is the prefix fine? then "+ ", else refuse
 *      alice "pw"\r\n      FRAME_DONE      len: the whole command
 */
#ifndef PROTO_IMAP_LEX_H
#define PROTO_IMAP_LEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum frame_side {
	/* Commands. Literals {n} and {n+}, also LITERAL8's ~{n}, wherever an argument may begin. */
	FRAME_CLIENT,
	/*
	 * Responses. Literals ({n} and ~{n}) only in untagged responses that are not status
	 * responses: a text that ends in {n} behind OK, NO, BAD, BYE, PREAUTH, a tag or "+" is only
	 * a text.
	 */
	FRAME_STORE,
};

struct frame_limits {
	size_t line;       /* bytes of one line, its end included */
	size_t literal;    /* bytes of one literal; above 2^32-1 it is always too big */
	size_t total;      /* bytes of the whole command or response */
	unsigned literals; /* literals in one command or response */
};

enum frame_result {
	FRAME_MORE,        /* not complete: more bytes are needed */
	FRAME_LITERAL,     /* one was announced, once each: `literal`, `sync` are set; go on */
	FRAME_DONE,        /* complete: the first `len` bytes, line end included */
	FRAME_LINE_LONG,   /* limits.line bytes and no line end among them */
	FRAME_LITERAL_BIG, /* over limits.literal; `literal`, `sync` are set */
	FRAME_TOTAL_BIG,   /* over limits.total or limits.literals, by a line or a literal */
	FRAME_BAD,         /* NUL outside a literal, bare CR, a literal without a proper length */
};

/*
 * After an error the frame stays where it is, and the rest of the line begins at `pos`
 * (frame_skip_line finds its end; frame_init begins anew). `sync` false after an error: the peer
 * announced a literal and does not wait, so that what follows is data and must never be read as a
 * command; a client gets BYE and a close. `sync` true: nothing is on its way but the rest of the
 * line.
 */
struct frame {
	enum frame_side side;
	bool sasl;             /* set by the caller: a SASL response, no quotes or literals in it */
	size_t pos;            /* bytes looked at */
	size_t line_start;     /* where the current line began */
	uint64_t literal;      /* size of the last literal announced; 2^32 stands for all above */
	uint64_t literal_left; /* of it, not yet seen */
	bool sync;             /* it needs a continuation */
	bool in_quotes;        /* inside a quoted string of the current line */
	bool escaped;          /* after a backslash in it */
	unsigned literals;     /* so far */
	size_t len;            /* FRAME_DONE: length of all of it; otherwise 0 */
};

void frame_init(struct frame *f, enum frame_side side);

/*
 * Looks on in the @len bytes at @p, which begin with the first byte of the command (the same bytes
 * as last time, and perhaps more). A line ends with CRLF or a bare LF; a bare CR is an error.
 * Quotes are tracked: what stands between them, or behind one that is never closed, announces
 * nothing. A buffer of limits.total bytes is always enough. Lines of AUTHENTICATE with an initial
 * response have a limit of their own: the caller passes the limits that fit (see
 * imap_is_authenticate).
 */
enum frame_result frame_next(
    struct frame *f, const char *p, size_t len, const struct frame_limits *limits) MUST_CHECK;

/*
 * What a refused line leaves behind: how many of the @len bytes at @p belong to the rest of the
 * current line, its end included; *done_r tells whether that end was among them. For skipping an
 * overlong line without keeping it.
 */
size_t frame_skip_line(const char *p, size_t len, bool *done_r);

/* Whether the bytes begin `tag SP AUTHENTICATE SP`, case ignored: such a line may be longer. */
bool imap_is_authenticate(const char *p, size_t len);

/* ATOM-CHAR, and 1*ATOM-CHAR, of RFC 9051. */
bool imap_is_atom_char(char c);
bool imap_is_atom(struct slice s);

/*
 * A cursor over one complete (or complete so far) command or response, for the parsers. Every
 * function returns 1: taken, 0: the bytes end here and more might make it right (right behind a
 * literal's announcement, or at the end), -1: something else is there. The cursor moves with 1
 * only.
 */
struct lex {
	const char *p, *end;
};

/* A string as it stands in the bytes: decode with imap_string_copy. */
struct imap_string {
	const char *p;
	size_t len;
	bool quoted; /* has backslash escapes to be undone */
	bool nil;    /* NIL where an nstring is allowed; len is 0 */
};

int lex_char(struct lex *x, char c);
int lex_space(struct lex *x);                      /* exactly one SP */
int lex_atom(struct lex *x, struct slice *atom_r); /* 1*ATOM-CHAR, RFC 9051 */
int lex_tag(
    struct lex *x, struct slice *tag_r); /* 1*<any ASTRING-CHAR except "+">, at most 64 bytes */
/*
 * Atom, quoted, literal, non-synchronising literal. Without quotes "]" is allowed, as in the
 * grammar, and "%", "*" and "\", as by the trusted servers. Quoted strings may hold 8-bit bytes,
 * literals anything.
 */
int lex_astring(struct lex *x, struct imap_string *s_r);
int lex_nstring(struct lex *x, struct imap_string *s_r); /* string or NIL */
int lex_eol(struct lex *x);                              /* CRLF or LF, and nothing behind it */

/* Bytes of @s when its quoting is undone. */
size_t imap_string_len(const struct imap_string *s);

/*
 * Undoes quoting into @dst. False when @size is too small or the string holds a NUL (RFC 9051:
 * never allowed, and never the end of a name). *len_r: bytes written; no NUL is added.
 */
bool imap_string_copy(
    const struct imap_string *s, char *dst, size_t size, size_t *len_r) MUST_CHECK;

/*
 * Writes @s as the grammar's string, for a store: quoted when it holds only printable ASCII (quotes
 * and backslashes escaped), else as a literal. @nonsync says the store takes {n+} of this size
 * (LITERAL-: up to 4096 bytes). Returns the bytes needed, 0 when @s holds a NUL; writes only when
 * they fit @size. With a synchronising literal *split_r is the offset behind "{n}\r\n", where the
 * writer must wait for the continuation; otherwise 0.
 */
size_t imap_string_put(char *dst, size_t size, struct slice s, bool nonsync, size_t *split_r);

#endif
