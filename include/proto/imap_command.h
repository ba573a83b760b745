/*
 * proto/imap_command.h - a client's command before login (RFC 9051 section 6.1 to 6.3, RFC 2971,
 * RFC 4959).
 */
#ifndef PROTO_IMAP_COMMAND_H
#define PROTO_IMAP_COMMAND_H

#include "proto/imap_lex.h"

/* Verbs: what is served before login, what needs one, and the rest. */
enum imap_verb {
	IMAP_CAPABILITY,
	IMAP_NOOP,
	IMAP_LOGOUT,
	IMAP_ID,
	IMAP_ENABLE,
	IMAP_STARTTLS,
	IMAP_LOGIN,
	IMAP_AUTHENTICATE,
	IMAP_NEEDS_LOGIN, /* a known command that needs a login (SELECT, FETCH, UID, IDLE, …) */
	IMAP_UNKNOWN,
};

#define IMAP_ID_PAIRS 30   /* RFC 2971 */
#define IMAP_ID_KEY   30   /* bytes of a key */
#define IMAP_ID_VALUE 1024 /* bytes of a value */

struct imap_command {
	struct slice tag;
	enum imap_verb verb;
	struct slice name; /* the verb as sent, for messages */
	union {
		struct {
			struct imap_string user, password;
		} login;
		struct {
			struct slice mechanism; /* as sent */
			struct slice initial;   /* base64 as sent; "=" is an empty response */
			bool has_initial;
		} authenticate;
		struct {
			unsigned pairs; /* 0 for NIL or () */
			struct {
				struct imap_string key, value;
			} pair[IMAP_ID_PAIRS];
		} id;
	};
};

/*
 * Parses the @len bytes at @p: a complete command, or all of it up to the end of a literal's
 * announcement. Returns 1: complete; 0: fine so far (ends behind `{n}` CRLF: go on collecting); -1:
 * wrong, and *why_r (a literal, never NULL then) says what, to be sent as `tag BAD why`. More bytes
 * never turn 1 or -1 around. The tag is set in *cmd_r as soon as there is one (len 0: none; then
 * the answer is `* BAD why`). Slices point into @p.
 *
 * Never 0 for what the frame called done. IMAP_NEEDS_LOGIN and IMAP_UNKNOWN are 1 as soon as the
 * name is read, at a literal's announcement too: nothing behind the name is looked at. Of a command
 * that is served, no string holds a NUL. Spaces before the line end are tolerated.
 */
int imap_command_parse(
    const char *p, size_t len, struct imap_command *cmd_r, const char **why_r) MUST_CHECK;

#endif
