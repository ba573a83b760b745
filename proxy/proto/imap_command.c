/*
 * proto/imap_command.c - parses what a client may say before it is logged in.
 *
 * Knows the arguments of the commands that are served before login, and of all others only whether
 * they exist: to a client that is the difference between "log in first" and "no such command". It
 * does not decide what may be said when (LOGIN before TLS, AUTHENTICATE with a mechanism nobody
 * has), and it copies nothing.
 *
 * Invariant: more bytes never turn a verdict around. What is 1 or -1 for a prefix is that for all
 * that begins with it (as long as it is one command), so that a session may refuse at a literal's
 * announcement, before it asks for the bytes.
 */
#include "proto/imap_command.h"

static const struct {
	const char *name;
	enum imap_verb verb;
} served[] = {
	{ "CAPABILITY", IMAP_CAPABILITY },
	{ "NOOP", IMAP_NOOP },
	{ "LOGOUT", IMAP_LOGOUT },
	{ "ID", IMAP_ID },
	{ "ENABLE", IMAP_ENABLE },
	{ "STARTTLS", IMAP_STARTTLS },
	{ "LOGIN", IMAP_LOGIN },
	{ "AUTHENTICATE", IMAP_AUTHENTICATE },
};

/* Of RFC 3501, RFC 9051 and the extensions in use: what has its place behind a login. */
static const char *const needs_login[] = {
	/* RFC 3501, RFC 9051 */
	"SELECT", "EXAMINE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "LIST",
	"LSUB", "STATUS", "APPEND", "CHECK", "CLOSE", "UNSELECT", "EXPUNGE", "SEARCH", "FETCH",
	"STORE", "COPY", "MOVE", "UID", "IDLE", "NAMESPACE",
	/* searching and listing: RFC 5256, 5267, 7377, 2193, 10022, Gmail's */
	"SORT", "THREAD", "CANCELUPDATE", "ESEARCH", "RLIST", "RLSUB", "UIDBATCHES", "XLIST",
	/* quota and access: RFC 9208, 4314 */
	"GETQUOTA", "GETQUOTAROOT", "SETQUOTA", "GETACL", "SETACL", "DELETEACL", "LISTRIGHTS",
	"MYRIGHTS",
	/* annotations: RFC 5464 and its drafts */
	"GETMETADATA", "SETMETADATA", "GETANNOTATION", "SETANNOTATION",
	/* the session and its language: RFC 5465, 4978, 8437, 5255, 9698 */
	"NOTIFY", "COMPRESS", "UNAUTHENTICATE", "LANGUAGE", "COMPARATOR", "GETJMAPACCESS",
	/* messages: RFC 8508, 4467, 5259 */
	"REPLACE", "RESETKEY", "GENURLAUTH", "URLFETCH", "CONVERT", "CONVERSIONS"
};

static enum imap_verb
verb(struct slice name)
{
	for (size_t i = 0; i < ARRAY_SIZE(served); i++)
		if (slice_eq_case(name, slice_of(served[i].name)))
			return served[i].verb;
	for (size_t i = 0; i < ARRAY_SIZE(needs_login); i++)
		if (slice_eq_case(name, slice_of(needs_login[i])))
			return IMAP_NEEDS_LOGIN;
	return IMAP_UNKNOWN;
}

/* Hands the result of a lex function on, with the reason when it is a refusal. */
static int
expect(int r, const char *why, const char **why_r)
{
	if (r < 0)
		*why_r = why;
	return r;
}

/* The end of the line; spaces before it are tolerated, as clients are known to leave some. */
static int
last(struct lex *x)
{
	int r;

	while ((r = lex_space(x)) == 1)
		;
	return r == 0 ? 0 : lex_eol(x);
}

static int
parse_login(struct lex *x, struct imap_command *c, const char **why_r)
{
	static const char usage[] = "LOGIN takes a name and a password";
	struct imap_string *parts[] = { &c->login.user, &c->login.password };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if ((r = expect(lex_space(x), usage, why_r)) != 1)
			return r;
		if ((r = expect(lex_astring(x, parts[i]), usage, why_r)) != 1)
			return r;
		if (parts[i]->len && memchr(parts[i]->p, '\0', parts[i]->len)) {
			*why_r = "NUL in a name or password";
			return -1;
		}
	}
	return expect(last(x), "Too many arguments to LOGIN", why_r);
}

/* The characters of base64 and no more: whether it decodes is for the mechanism to see. */
static int
base64_word(struct lex *x, struct slice *word_r)
{
	const char *p = x->p;

	while (p < x->end && ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
				 (*p >= '0' && *p <= '9') || *p == '+' || *p == '/' || *p == '='))
		p++;
	if (p == x->end)
		return 0;
	if (p == x->p)
		return -1;
	*word_r = (struct slice){ x->p, (size_t)(p - x->p) };
	x->p = p;
	return 1;
}

static int
parse_authenticate(struct lex *x, struct imap_command *c, const char **why_r)
{
	static const char usage[] = "AUTHENTICATE takes a mechanism";
	struct lex y;
	int r;

	if ((r = expect(lex_space(x), usage, why_r)) != 1)
		return r;
	if ((r = expect(lex_atom(x, &c->authenticate.mechanism), usage, why_r)) != 1)
		return r;
	y = *x;
	if ((r = last(&y)) >= 0)
		return r;

	if ((r = expect(lex_space(x), usage, why_r)) != 1)
		return r;
	r = expect(
	    base64_word(x, &c->authenticate.initial), "Initial response is not base64", why_r);
	if (r != 1)
		return r;
	c->authenticate.has_initial = true;
	return expect(last(x), "Initial response is not base64", why_r);
}

static int
id_pair(struct lex *x, struct imap_command *c, const char **why_r)
{
	static const char usage[] = "ID takes a list of names and values";
	struct imap_string key, value;
	int r;

	if ((r = expect(lex_nstring(x, &key), usage, why_r)) != 1)
		return r;
	if (key.nil)
		return expect(-1, "NIL is no name in ID", why_r);
	if (imap_string_len(&key) > IMAP_ID_KEY)
		return expect(-1, "Name in ID is too long", why_r);
	if ((r = expect(lex_space(x), usage, why_r)) != 1)
		return r;
	if ((r = expect(lex_nstring(x, &value), usage, why_r)) != 1)
		return r;
	if (imap_string_len(&value) > IMAP_ID_VALUE)
		return expect(-1, "Value in ID is too long", why_r);
	if ((key.len && memchr(key.p, '\0', key.len)) ||
	    (value.len && memchr(value.p, '\0', value.len)))
		return expect(-1, "NUL in ID", why_r);
	if (c->id.pairs == IMAP_ID_PAIRS)
		return expect(-1, "Too many fields in ID", why_r);
	c->id.pair[c->id.pairs].key = key;
	c->id.pair[c->id.pairs++].value = value;
	return 1;
}

static int
parse_id(struct lex *x, struct imap_command *c, const char **why_r)
{
	static const char usage[] = "ID takes a list or NIL";
	struct slice nil;
	int r;

	if ((r = expect(lex_space(x), usage, why_r)) != 1)
		return r;
	if ((r = lex_char(x, '(')) < 0) {
		if ((r = expect(lex_atom(x, &nil), usage, why_r)) != 1)
			return r;
		r = slice_eq_case(nil, SLICE("NIL")) ? last(x) : -1;
		return expect(r, usage, why_r);
	}
	if (r == 0)
		return 0;
	if ((r = lex_char(x, ')')) < 0) {
		do {
			if ((r = id_pair(x, c, why_r)) != 1)
				return r;
		} while ((r = lex_space(x)) == 1);
		if (r < 0)
			r = lex_char(x, ')');
	}
	if (r == 1)
		r = last(x);
	return expect(r, usage, why_r);
}

static int
parse_enable(struct lex *x, const char **why_r)
{
	static const char usage[] = "ENABLE takes names of capabilities";
	struct slice word;
	struct lex y;
	int r;

	do {
		if ((r = expect(lex_space(x), usage, why_r)) != 1)
			return r;
		if ((r = expect(lex_atom(x, &word), usage, why_r)) != 1)
			return r;
		y = *x;
	} while ((r = last(&y)) < 0);
	return r;
}

int
imap_command_parse(const char *p, size_t len, struct imap_command *cmd_r, const char **why_r)
{
	struct lex x = { p, p + len };
	int r;

	*cmd_r = (struct imap_command){ .verb = IMAP_UNKNOWN };
	*why_r = NULL;
	if ((r = expect(lex_tag(&x, &cmd_r->tag), "Missing or invalid tag", why_r)) != 1)
		return r;
	if ((r = expect(lex_space(&x), "Missing command", why_r)) != 1)
		return r;
	if ((r = expect(lex_atom(&x, &cmd_r->name), "Missing command", why_r)) != 1)
		return r;
	if (*x.p != ' ' && *x.p != '\r' && *x.p != '\n')
		return expect(-1, "Invalid command name", why_r);

	cmd_r->verb = verb(cmd_r->name);
	switch (cmd_r->verb) {
	case IMAP_LOGIN:
		return parse_login(&x, cmd_r, why_r);
	case IMAP_AUTHENTICATE:
		return parse_authenticate(&x, cmd_r, why_r);
	case IMAP_ID:
		return parse_id(&x, cmd_r, why_r);
	case IMAP_ENABLE:
		return parse_enable(&x, why_r);
	case IMAP_CAPABILITY:
	case IMAP_NOOP:
	case IMAP_LOGOUT:
	case IMAP_STARTTLS:
		return expect(last(&x), "This command takes no arguments", why_r);
	case IMAP_NEEDS_LOGIN:
	case IMAP_UNKNOWN:
		break;
	}
	return 1;
}
