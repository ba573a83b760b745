/*
 * tests/unit/proto_imap_command_test.c - commands of clients before login.
 *
 * Every row is parsed from memory of exactly its size, and so is every prefix of it: what a prefix
 * is found to be, the whole must be too.
 */
#include "test.h"

#include "proto/imap_command.h"

/* The whole, from memory of its own: free(*copy_r). Also all prefixes. */
static int
parse(struct slice in, struct imap_command *c, const char **why_r, char **copy_r)
{
	char *copy = calloc(1, in.len ? in.len : 1), *part;
	const char *why;
	int whole, r;

	if (in.len)
		memcpy(copy, in.p, in.len);
	whole = imap_command_parse(copy, in.len, c, why_r);
	CHECK((whole == -1) == (*why_r != NULL));
	for (size_t n = 0; n < in.len; n++) {
		struct imap_command d;

		part = calloc(1, n ? n : 1);
		memcpy(part, in.p, n);
		r = imap_command_parse(part, n, &d, &why);
		if (r != 0 && r != whole)
			FAIL("%d for the first %zu bytes, %d for all", r, n, whole);
		CHECK((r == -1) == (why != NULL));
		if (d.tag.len)
			CHECK_BYTES(d.tag.p, d.tag.len, c->tag.p, c->tag.len);
		free(part);
	}
	*copy_r = copy;
	return whole;
}

/* The arguments as text, for comparison. */
static void
arguments(const struct imap_command *c, char *out, size_t size)
{
	const struct imap_string *s[2 * IMAP_ID_PAIRS];
	size_t n = 0, at = 0, len;

	out[0] = '\0';
	switch (c->verb) {
	case IMAP_LOGIN:
		s[n++] = &c->login.user;
		s[n++] = &c->login.password;
		break;
	case IMAP_ID:
		for (unsigned i = 0; i < c->id.pairs; i++) {
			s[n++] = &c->id.pair[i].key;
			s[n++] = &c->id.pair[i].value;
		}
		break;
	case IMAP_AUTHENTICATE:
		snprintf(out, size, "%.*s%s%.*s", (int)c->authenticate.mechanism.len,
		    c->authenticate.mechanism.p, c->authenticate.has_initial ? "|" : "",
		    (int)c->authenticate.initial.len,
		    c->authenticate.initial.p ? c->authenticate.initial.p : "");
		return;
	case IMAP_CAPABILITY:
	case IMAP_NOOP:
	case IMAP_LOGOUT:
	case IMAP_ENABLE:
	case IMAP_STARTTLS:
	case IMAP_NEEDS_LOGIN:
	case IMAP_UNKNOWN:
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (i)
			out[at++] = '|';
		if (s[i]->nil)
			at += (size_t)snprintf(out + at, size - at, "<nil>");
		CHECK(imap_string_copy(s[i], out + at, size - at - 2, &len));
		at += len;
		out[at] = '\0';
	}
}

TEST(commands)
{
	static const struct {
		struct slice in;
		const char *tag;
		enum imap_verb verb;
		const char *name, *args;
	} rows[] = {
		{ BYTES("a NOOP\r\n"), "a", IMAP_NOOP, "NOOP", "" },
		{ BYTES("a NOOP\n"), "a", IMAP_NOOP, "NOOP", "" },
		{ BYTES("a noop \r\n"), "a", IMAP_NOOP, "noop", "" },
		{ BYTES("A.1]~ Capability\r\n"), "A.1]~", IMAP_CAPABILITY, "Capability", "" },
		{ BYTES("a LOGOUT\r\n"), "a", IMAP_LOGOUT, "LOGOUT", "" },
		{ BYTES("a STARTTLS\r\n"), "a", IMAP_STARTTLS, "STARTTLS", "" },
		{ BYTES("a ENABLE CONDSTORE\r\n"), "a", IMAP_ENABLE, "ENABLE", "" },
		{ BYTES("a ENABLE CONDSTORE UTF8=ACCEPT \r\n"), "a", IMAP_ENABLE, "ENABLE", "" },

		{ BYTES("a LOGIN alice pw\r\n"), "a", IMAP_LOGIN, "LOGIN", "alice|pw" },
		{ BYTES("a login alice pw  \r\n"), "a", IMAP_LOGIN, "login", "alice|pw" },
		{ BYTES("a LOGIN \"alice\" \"p\\\"w\\\\\"\r\n"), "a", IMAP_LOGIN, "LOGIN",
		    "alice|p\"w\\" },
		{ BYTES("a LOGIN \"\" \"\"\r\n"), "a", IMAP_LOGIN, "LOGIN", "|" },
		{ BYTES("a LOGIN D\\alice p%*]w\r\n"), "a", IMAP_LOGIN, "LOGIN", "D\\alice|p%*]w" },
		{ BYTES("a LOGIN {5}\r\nalice {2}\r\npw\r\n"), "a", IMAP_LOGIN, "LOGIN",
		    "alice|pw" },
		{ BYTES("a LOGIN {5+}\r\nalice {2+}\r\npw\r\n"), "a", IMAP_LOGIN, "LOGIN",
		    "alice|pw" },
		{ BYTES("a LOGIN alice {0}\r\n\r\n"), "a", IMAP_LOGIN, "LOGIN", "alice|" },
		{ BYTES("a LOGIN {7}\r\na\r\n\"b{5 {4}\r\n\\\"\r\n\r\n"), "a", IMAP_LOGIN, "LOGIN",
		    "a\r\n\"b{5|\\\"\r\n" },
		{ BYTES("a LOGIN \"al ice\" {2}\n\xff\x01\n"), "a", IMAP_LOGIN, "LOGIN",
		    "al ice|\xff\x01" },
		{ BYTES("a LOGIN NIL nil\r\n"), "a", IMAP_LOGIN, "LOGIN", "NIL|nil" },

		{ BYTES("a AUTHENTICATE PLAIN\r\n"), "a", IMAP_AUTHENTICATE, "AUTHENTICATE",
		    "PLAIN" },
		{ BYTES("a AUTHENTICATE PLAIN \r\n"), "a", IMAP_AUTHENTICATE, "AUTHENTICATE",
		    "PLAIN" },
		{ BYTES("a authenticate plain AGEAYg==\r\n"), "a", IMAP_AUTHENTICATE,
		    "authenticate", "plain|AGEAYg==" },
		{ BYTES("a AUTHENTICATE PLAIN AGEAYg== \r\n"), "a", IMAP_AUTHENTICATE,
		    "AUTHENTICATE", "PLAIN|AGEAYg==" },
		{ BYTES("a AUTHENTICATE EXTERNAL =\n"), "a", IMAP_AUTHENTICATE, "AUTHENTICATE",
		    "EXTERNAL|=" },
		{ BYTES("a AUTHENTICATE X AZaz09+/=\r\n"), "a", IMAP_AUTHENTICATE, "AUTHENTICATE",
		    "X|AZaz09+/=" },

		{ BYTES("a ID NIL\r\n"), "a", IMAP_ID, "ID", "" },
		{ BYTES("a id nil\r\n"), "a", IMAP_ID, "id", "" },
		{ BYTES("a ID ()\r\n"), "a", IMAP_ID, "ID", "" },
		{ BYTES("a ID (\"name\" \"x\")\r\n"), "a", IMAP_ID, "ID", "name|x" },
		{ BYTES("a ID (\"name\" NIL \"v\" \"\")\r\n"), "a", IMAP_ID, "ID",
		    "name|<nil>|v|" },
		{ BYTES("a ID ({4}\r\nname {3+}\r\nx\r\n \"v\" {0}\r\n)\r\n"), "a", IMAP_ID, "ID",
		    "name|x\r\n|v|" },

		{ BYTES("a SELECT INBOX\r\n"), "a", IMAP_NEEDS_LOGIN, "SELECT", "" },
		{ BYTES("a select\r\n"), "a", IMAP_NEEDS_LOGIN, "select", "" },
		{ BYTES("a UID FETCH 1 (BODY[])\r\n"), "a", IMAP_NEEDS_LOGIN, "UID", "" },
		{ BYTES("a APPEND x {3}\r\nabc\r\n"), "a", IMAP_NEEDS_LOGIN, "APPEND", "" },
		{ BYTES("a IDLE\r\n"), "a", IMAP_NEEDS_LOGIN, "IDLE", "" },
		{ BYTES("a UNAUTHENTICATE\r\n"), "a", IMAP_NEEDS_LOGIN, "UNAUTHENTICATE", "" },
		{ BYTES("a FROBNICATE\r\n"), "a", IMAP_UNKNOWN, "FROBNICATE", "" },
		{ BYTES("a NOOPX ({\" \xff\r\n"), "a", IMAP_UNKNOWN, "NOOPX", "" },
		{ BYTES("GET / HTTP/1.0\r\n"), "GET", IMAP_UNKNOWN, "/", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct imap_command c;
		const char *why;
		char *copy, text[256];

		test_note("row %zu: %.*s", i, (int)rows[i].in.len, rows[i].in.p);
		CHECK_INT(parse(rows[i].in, &c, &why, &copy), 1);
		CHECK_SLICE(c.tag, rows[i].tag);
		CHECK_INT(c.verb, rows[i].verb);
		CHECK_SLICE(c.name, rows[i].name);
		arguments(&c, text, sizeof(text));
		CHECK_STR(text, rows[i].args);
		free(copy);
	}
}

TEST(refused)
{
	static const char login[] = "LOGIN takes a name and a password",
			  id[] = "ID takes a list or NIL",
			  noarg[] = "This command takes no arguments",
			  pair[] = "ID takes a list of names and values",
			  base64[] = "Initial response is not base64",
			  mechanism[] = "AUTHENTICATE takes a mechanism",
			  enable[] = "ENABLE takes names of capabilities";
	static const struct {
		struct slice in;
		const char *tag, *why;
	} rows[] = {
		{ BYTES("\r\n"), "", "Missing or invalid tag" },
		{ BYTES(" a NOOP\r\n"), "", "Missing or invalid tag" },
		{ BYTES("+ NOOP\r\n"), "", "Missing or invalid tag" },
		{ BYTES("* NOOP\r\n"), "", "Missing or invalid tag" },
		{ BYTES("(a NOOP\r\n"), "", "Missing or invalid tag" },
		{ BYTES("\"a\" NOOP\r\n"), "", "Missing or invalid tag" },
		{ BYTES("{1}\r\n"), "", "Missing or invalid tag" },
		{ BYTES("\xff NOOP\r\n"), "", "Missing or invalid tag" },
		{ BYTES("\x16\x03\x01\r\n"), "", "Missing or invalid tag" },
		{ BYTES("a+b NOOP\r\n"), "a", "Missing command" },
		{ BYTES("a\r\n"), "a", "Missing command" },
		{ BYTES("a\tNOOP\r\n"), "a", "Missing command" },
		{ BYTES("a \r\n"), "a", "Missing command" },
		{ BYTES("a  NOOP\r\n"), "a", "Missing command" },
		{ BYTES("a \"NOOP\"\r\n"), "a", "Missing command" },
		{ BYTES("a {4}\r\nNOOP\r\n"), "a", "Missing command" },
		{ BYTES("a NOOP(\r\n"), "a", "Invalid command name" },
		{ BYTES("a NOOP\tx\r\n"), "a", "Invalid command name" },
		{ BYTES("a SELECT\"x\"\r\n"), "a", "Invalid command name" },

		{ BYTES("a NOOP x\r\n"), "a", noarg },
		{ BYTES("a CAPABILITY x\r\n"), "a", noarg },
		{ BYTES("a LOGOUT x\r\n"), "a", noarg },
		{ BYTES("a STARTTLS x\r\n"), "a", noarg },
		{ BYTES("a STARTTLS {1}\r\nx\r\n"), "a", noarg },

		{ BYTES("a ENABLE\r\n"), "a", enable },
		{ BYTES("a ENABLE \r\n"), "a", enable },
		{ BYTES("a ENABLE  X\r\n"), "a", enable },
		{ BYTES("a ENABLE X  Y\r\n"), "a", enable },
		{ BYTES("a ENABLE \"X\"\r\n"), "a", enable },
		{ BYTES("a ENABLE X (\r\n"), "a", enable },

		{ BYTES("a LOGIN\r\n"), "a", login },
		{ BYTES("a LOGIN \r\n"), "a", login },
		{ BYTES("a LOGIN alice\r\n"), "a", login },
		{ BYTES("a LOGIN alice \r\n"), "a", login },
		{ BYTES("a LOGIN  alice pw\r\n"), "a", login },
		{ BYTES("a LOGIN alice  pw\r\n"), "a", login },
		{ BYTES("a LOGIN (alice) pw\r\n"), "a", login },
		{ BYTES("a LOGIN alice\"x\" pw\r\n"), "a", login },
		{ BYTES("a LOGIN \"alice\"x pw\r\n"), "a", login },
		{ BYTES("a LOGIN \"alice pw\r\n"), "a", login },
		{ BYTES("a LOGIN \"alice\" \"pw\r\n"), "a", login },
		{ BYTES("a LOGIN \"al\\ice\" pw\r\n"), "a", login },
		{ BYTES("a LOGIN alice p\xff\r\n"), "a", "Too many arguments to LOGIN" },
		{ BYTES("a LOGIN alice \xffp\r\n"), "a", login },
		{ BYTES("a LOGIN alice{2}\r\npw\r\n"), "a", login },
		{ BYTES("a LOGIN {5}\r\nalicepw\r\n"), "a", login },
		{ BYTES("a LOGIN {5}\r\nalice{2}\r\npw\r\n"), "a", login },
		{ BYTES("a LOGIN {}\r\n"), "a", login },
		{ BYTES("a LOGIN ~{5}\r\nalice pw\r\n"), "a", login },
		{ BYTES("a LOGIN alice pw x\r\n"), "a", "Too many arguments to LOGIN" },
		{ BYTES("a LOGIN alice {2}\r\npwx\r\n"), "a", "Too many arguments to LOGIN" },
		{ BYTES("a LOGIN alice pw(\r\n"), "a", "Too many arguments to LOGIN" },
		{ BYTES("a LOGIN {3}\r\na\0b pw\r\n"), "a", "NUL in a name or password" },
		{ BYTES("a LOGIN a {3+}\r\npw\0\r\n"), "a", "NUL in a name or password" },

		{ BYTES("a AUTHENTICATE\r\n"), "a", mechanism },
		{ BYTES("a AUTHENTICATE \r\n"), "a", mechanism },
		{ BYTES("a AUTHENTICATE \"PLAIN\"\r\n"), "a", mechanism },
		{ BYTES("a AUTHENTICATE {5}\r\nPLAIN\r\n"), "a", mechanism },
		{ BYTES("a AUTHENTICATE PLAIN(\r\n"), "a", mechanism },
		{ BYTES("a AUTHENTICATE PLAIN  AGEAYg==\r\n"), "a", base64 },
		{ BYTES("a AUTHENTICATE PLAIN AGEAYg== x\r\n"), "a", base64 },
		{ BYTES("a AUTHENTICATE PLAIN A*\r\n"), "a", base64 },
		{ BYTES("a AUTHENTICATE PLAIN \"\"\r\n"), "a", base64 },
		{ BYTES("a AUTHENTICATE PLAIN {4}\r\nAAAA\r\n"), "a", base64 },

		{ BYTES("a ID\r\n"), "a", id },
		{ BYTES("a ID \r\n"), "a", id },
		{ BYTES("a ID x\r\n"), "a", id },
		{ BYTES("a ID \"x\"\r\n"), "a", id },
		{ BYTES("a ID NIL NIL\r\n"), "a", id },
		{ BYTES("a ID NIL()\r\n"), "a", id },
		{ BYTES("a ID () x\r\n"), "a", id },
		{ BYTES("a ID (\"a\" \"b\"\r\n"), "a", id },
		{ BYTES("a ID (\"a\" \"b\"))\r\n"), "a", id },
		{ BYTES("a ID (\"a\" \"b\"\"c\")\r\n"), "a", id },
		{ BYTES("a ID (\r\n"), "a", pair },
		{ BYTES("a ID (\"a\" \"b\" )\r\n"), "a", pair },
		{ BYTES("a ID ( \"a\" \"b\")\r\n"), "a", pair },
		{ BYTES("a ID (\"a\")\r\n"), "a", pair },
		{ BYTES("a ID (\"a\" )\r\n"), "a", pair },
		{ BYTES("a ID (\"a\" (\"b\" \"c\"))\r\n"), "a", pair },
		{ BYTES("a ID ((\"a\" \"b\"))\r\n"), "a", pair },
		{ BYTES("a ID (a \"b\")\r\n"), "a", pair },
		{ BYTES("a ID (\"a\" b)\r\n"), "a", pair },
		{ BYTES("a ID (NIL \"b\")\r\n"), "a", "NIL is no name in ID" },
		{ BYTES("a ID ({1}\r\n\0 \"b\")\r\n"), "a", "NUL in ID" },
		{ BYTES("a ID (\"a\" {1}\r\n\0)\r\n"), "a", "NUL in ID" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct imap_command c;
		const char *why;
		char *copy;

		test_note("row %zu: %.*s", i, (int)rows[i].in.len, rows[i].in.p);
		CHECK_INT(parse(rows[i].in, &c, &why, &copy), -1);
		CHECK_STR(why, rows[i].why);
		CHECK_SLICE(c.tag, rows[i].tag);
		free(copy);
	}
}

/* At a literal's announcement: go on, or not. */
TEST(announcements)
{
	static const struct {
		const char *in;
		int r;
		enum imap_verb verb;
	} rows[] = {
		{ "", 0, IMAP_UNKNOWN },
		{ "a LOGIN {5}\r\n", 0, IMAP_LOGIN },
		{ "a LOGIN {5+}\r\n", 0, IMAP_LOGIN },
		{ "a LOGIN alice {2}\r\n", 0, IMAP_LOGIN },
		{ "a LOGIN {5}\r\nalice {2}\r\n", 0, IMAP_LOGIN },
		{ "a LOGIN alice pw {2}\r\n", -1, IMAP_LOGIN },
		{ "a ID ({4}\r\n", 0, IMAP_ID },
		{ "a ID (\"name\" {4}\r\n", 0, IMAP_ID },
		{ "a ID {4}\r\n", -1, IMAP_ID },
		{ "a NOOP {4}\r\n", -1, IMAP_NOOP },
		{ "a AUTHENTICATE {5}\r\n", -1, IMAP_AUTHENTICATE },
		{ "a AUTHENTICATE PLAIN {5}\r\n", -1, IMAP_AUTHENTICATE },
		{ "a ENABLE {5}\r\n", -1, IMAP_ENABLE },
		{ "a {4}\r\n", -1, IMAP_UNKNOWN },
		{ "a SELECT {5}\r\n", 1, IMAP_NEEDS_LOGIN },
		{ "a X {5}\r\n", 1, IMAP_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct imap_command c;
		const char *why;
		char *copy;

		test_note("row %zu: %s", i, rows[i].in);
		CHECK_INT(parse(slice_of(rows[i].in), &c, &why, &copy), rows[i].r);
		CHECK_INT(c.verb, rows[i].verb);
		free(copy);
	}
}

TEST(all_that_need_a_login)
{
	static const char all[] = "SELECT EXAMINE CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE LIST "
				  "LSUB XLIST STATUS APPEND "
				  "CHECK CLOSE UNSELECT EXPUNGE SEARCH FETCH STORE COPY MOVE UID "
				  "IDLE NAMESPACE SORT THREAD "
				  "GETQUOTA GETQUOTAROOT SETQUOTA GETACL SETACL DELETEACL "
				  "LISTRIGHTS MYRIGHTS GETMETADATA "
				  "SETMETADATA NOTIFY COMPRESS UNAUTHENTICATE REPLACE RESETKEY "
				  "GENURLAUTH URLFETCH ESEARCH "
				  "CANCELUPDATE";
	struct slice rest = slice_of(all), word;

	while ((word = slice_word(&rest)).len) {
		struct imap_command c;
		const char *why;
		char line[64];

		test_note("%.*s", (int)word.len, word.p);
		CHECK(str_fmt(line, sizeof(line), "t %.*s\r\n", (int)word.len, word.p));
		CHECK_INT(imap_command_parse(line, strlen(line), &c, &why), 1);
		CHECK_INT(c.verb, IMAP_NEEDS_LOGIN);
	}
}

/* "a ID (" pairs of a key of @key and a value of @value bytes ")". */
static size_t
id_command(char *out, size_t size, unsigned pairs, size_t key, size_t value)
{
	size_t at = (size_t)snprintf(out, size, "a ID (");

	for (unsigned i = 0; i < pairs; i++) {
		at += (size_t)snprintf(out + at, size - at, "%s\"", i ? " " : "");
		memset(out + at, 'k', key);
		at += key;
		at += (size_t)snprintf(out + at, size - at, "\" \"");
		memset(out + at, 'v', value);
		at += value;
		at += (size_t)snprintf(out + at, size - at, "\"");
	}
	return at + (size_t)snprintf(out + at, size - at, ")\r\n");
}

TEST(limits)
{
	static const struct {
		unsigned pairs;
		size_t key, value;
		const char *why;
	} rows[] = {
		{ IMAP_ID_PAIRS - 1, 1, 1, NULL },
		{ IMAP_ID_PAIRS, 1, 1, NULL },
		{ IMAP_ID_PAIRS + 1, 1, 1, "Too many fields in ID" },
		{ 1, 0, 0, NULL },
		{ 1, IMAP_ID_KEY - 1, 1, NULL },
		{ 1, IMAP_ID_KEY, 1, NULL },
		{ 1, IMAP_ID_KEY + 1, 1, "Name in ID is too long" },
		{ 1, 1, IMAP_ID_VALUE - 1, NULL },
		{ 1, 1, IMAP_ID_VALUE, NULL },
		{ 1, 1, IMAP_ID_VALUE + 1, "Value in ID is too long" },
	};
	static char text[4096];
	struct imap_command c;
	const char *why;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len =
		    id_command(text, sizeof(text), rows[i].pairs, rows[i].key, rows[i].value);
		char *copy;

		test_note("row %zu", i);
		CHECK_INT(
		    parse((struct slice){ text, len }, &c, &why, &copy), rows[i].why ? -1 : 1);
		CHECK_STR(why, rows[i].why);
		if (!why)
			CHECK_U64(c.id.pairs, rows[i].pairs);
		free(copy);
	}
	/* Counted as they are, not as they are written. */
	CHECK_INT(imap_command_parse(text,
		      (size_t)snprintf(text, sizeof(text), "a ID (\"%s%s\" NIL)\r\n",
			  "\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"",
			  "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\"),
		      &c, &why),
	    1);
	CHECK_U64(imap_string_len(&c.id.pair[0].key), IMAP_ID_KEY);

	for (size_t tag = 63; tag <= 65; tag++) {
		char *copy;
		size_t len;

		test_note("tag of %zu", tag);
		memset(text, 't', tag);
		len = tag + (size_t)snprintf(text + tag, sizeof(text) - tag, " NOOP\r\n");
		CHECK_INT(parse((struct slice){ text, len }, &c, &why, &copy), tag <= 64 ? 1 : -1);
		CHECK_U64(c.tag.len, tag <= 64 ? tag : 0);
		free(copy);
	}
}
