/*
 * tests/unit/proto_imap_response_test.c - responses of stores, taken apart.
 *
 * Every case is framed first (whole and byte by byte) as the upstream does it, and parsed from
 * memory of exactly its size. What is wrong, or tolerated, has a row of its own.
 */
#include "test.h"

#include "proto/imap_response.h"

static const struct frame_limits wide = { 1000, 1000, 10000, 10 };

struct row {
	struct slice in;
	enum imap_response_kind kind;
	enum imap_status status;
	const char *tag, *code, *code_name, *code_args, *text, *name, *data; /* NULL: empty */
};

static void
check_framed(struct slice in)
{
	struct frame f;
	enum frame_result r;

	frame_init(&f, FRAME_STORE);
	while ((r = frame_next(&f, in.p, in.len, &wide)) == FRAME_LITERAL)
		;
	CHECK(r == FRAME_DONE);
	CHECK_U64(f.len, in.len);
	frame_init(&f, FRAME_STORE);
	for (size_t n = 0; n < in.len; n++)
		while ((r = frame_next(&f, in.p, n, &wide)) != FRAME_MORE)
			CHECK(r == FRAME_LITERAL);
}

static void
check_part(struct slice part, const char *expected, struct slice in)
{
	CHECK_SLICE(part, expected ? expected : "");
	if (part.len)
		CHECK(part.p >= in.p && part.p + part.len <= in.p + in.len);
}

TEST(responses)
{
#define T IMAP_RESP_TAGGED
#define U IMAP_RESP_UNTAGGED
#define C IMAP_RESP_CONTINUATION
	static const struct row rows[] = {
		/* status responses */
		{ BYTES("* OK ready\r\n"), U, IMAP_STATUS_OK, .text = "ready" },
		{ BYTES("* OK ready\n"), U, IMAP_STATUS_OK, .text = "ready" },
		{ BYTES("* ok ready\r\n"), U, IMAP_STATUS_OK, .text = "ready" },
		{ BYTES("* OK\r\n"), U, IMAP_STATUS_OK, .text = NULL },
		{ BYTES("* OK \r\n"), U, IMAP_STATUS_OK, .text = NULL },
		{ BYTES("* OK  two\r\n"), U, IMAP_STATUS_OK, .text = " two" },
		{ BYTES("* OK ready \r\n"), U, IMAP_STATUS_OK, .text = "ready " },
		{ BYTES("* NO no\r\n"), U, IMAP_STATUS_NO, .text = "no" },
		{ BYTES("* BAD bad\r\n"), U, IMAP_STATUS_BAD, .text = "bad" },
		{ BYTES("* BYE bye\r\n"), U, IMAP_STATUS_BYE, .text = "bye" },
		{ BYTES("* PREAUTH hi\r\n"), U, IMAP_STATUS_PREAUTH, .text = "hi" },
		{ BYTES("* OK text {5}\r\n"), U, IMAP_STATUS_OK, .text = "text {5}" },
		{ BYTES("* OK \xc3\xa4\t\r\n"), U, IMAP_STATUS_OK, .text = "\xc3\xa4\t" },
		/* codes */
		{ BYTES("* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"), U, IMAP_STATUS_OK,
		    .code = "CAPABILITY IMAP4rev1 IDLE", .code_name = "CAPABILITY",
		    .code_args = "IMAP4rev1 IDLE", .text = "ready" },
		{ BYTES("* OK [ALERT] x\r\n"), U, IMAP_STATUS_OK, .code = "ALERT",
		    .code_name = "ALERT", .text = "x" },
		{ BYTES("* OK [ALERT]x\r\n"), U, IMAP_STATUS_OK, .code = "ALERT",
		    .code_name = "ALERT", .text = "x" },
		{ BYTES("* OK [ALERT]\r\n"), U, IMAP_STATUS_OK, .code = "ALERT",
		    .code_name = "ALERT" },
		{ BYTES("* OK [X ]\r\n"), U, IMAP_STATUS_OK, .code = "X ", .code_name = "X" },
		{ BYTES("* OK [X  y]\r\n"), U, IMAP_STATUS_OK, .code = "X  y", .code_name = "X",
		    .code_args = " y" },
		{ BYTES("* OK [ X]\r\n"), U, IMAP_STATUS_OK, .code = " X", .code_args = "X" },
		{ BYTES("* OK [X] [Y] z\r\n"), U, IMAP_STATUS_OK, .code = "X", .code_name = "X",
		    .text = "[Y] z" },
		{ BYTES("* OK [] x\r\n"), U, IMAP_STATUS_OK, .text = "x" },
		{ BYTES("* OK [ALERT x\r\n"), U, IMAP_STATUS_OK, .text = "[ALERT x" },
		{ BYTES("* OK a [ALERT] x\r\n"), U, IMAP_STATUS_OK, .text = "a [ALERT] x" },
		/* tagged */
		{ BYTES("a1 OK done\r\n"), T, IMAP_STATUS_OK, .tag = "a1", .text = "done" },
		{ BYTES("a1 OK\r\n"), T, IMAP_STATUS_OK, .tag = "a1" },
		{ BYTES("a1 OK \r\n"), T, IMAP_STATUS_OK, .tag = "a1" },
		{ BYTES("a1 no [AUTHENTICATIONFAILED] sorry\r\n"), T, IMAP_STATUS_NO, .tag = "a1",
		    .code = "AUTHENTICATIONFAILED", .code_name = "AUTHENTICATIONFAILED",
		    .text = "sorry" },
		{ BYTES("a1 NO [REFERRAL imap://x/] y\r\n"), T, IMAP_STATUS_NO, .tag = "a1",
		    .code = "REFERRAL imap://x/", .code_name = "REFERRAL", .code_args = "imap://x/",
		    .text = "y" },
		{ BYTES("a1 BAD what {5}\r\n"), T, IMAP_STATUS_BAD, .tag = "a1",
		    .text = "what {5}" },
		{ BYTES("OK OK x\r\n"), T, IMAP_STATUS_OK, .tag = "OK", .text = "x" },
		/* continuations */
		{ BYTES("+ go on\r\n"), C, IMAP_STATUS_NONE, .text = "go on" },
		{ BYTES("+ \r\n"), C, IMAP_STATUS_NONE, .text = NULL },
		{ BYTES("+\r\n"), C, IMAP_STATUS_NONE, .text = NULL },
		{ BYTES("+\n"), C, IMAP_STATUS_NONE, .text = NULL },
		{ BYTES("+OK\r\n"), C, IMAP_STATUS_NONE, .text = "OK" },
		{ BYTES("+  x\r\n"), C, IMAP_STATUS_NONE, .text = " x" },
		{ BYTES("+ {5}\r\n"), C, IMAP_STATUS_NONE, .text = "{5}" },
		/* data */
		{ BYTES("* CAPABILITY IMAP4rev1 IDLE\r\n"), U, IMAP_STATUS_NONE,
		    .name = "CAPABILITY", .data = "IMAP4rev1 IDLE" },
		{ BYTES("* CAPABILITY IMAP4rev1 \r\n"), U, IMAP_STATUS_NONE, .name = "CAPABILITY",
		    .data = "IMAP4rev1 " },
		{ BYTES("* 23 EXISTS\r\n"), U, IMAP_STATUS_NONE, .name = "23", .data = "EXISTS" },
		{ BYTES("* SEARCH\r\n"), U, IMAP_STATUS_NONE, .name = "SEARCH" },
		{ BYTES("* SEARCH \r\n"), U, IMAP_STATUS_NONE, .name = "SEARCH" },
		{ BYTES("* ID NIL\r\n"), U, IMAP_STATUS_NONE, .name = "ID", .data = "NIL" },
		{ BYTES("* ID ({4}\r\nname \"x\")\r\n"), U, IMAP_STATUS_NONE, .name = "ID",
		    .data = "({4}\r\nname \"x\")" },
		{ BYTES("* OKAY x\r\n"), U, IMAP_STATUS_NONE, .name = "OKAY", .data = "x" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		char *copy = malloc(row->in.len);
		struct slice in = { copy, row->in.len };
		struct imap_response r;
		const char *why = "";

		test_note("%s", row->in.p);
		memcpy(copy, row->in.p, in.len);
		check_framed(in);
		CHECK_INT(imap_response_parse(in.p, in.len, &r, &why), 1);
		CHECK_STR(why, NULL);
		CHECK_INT(r.kind, row->kind);
		CHECK_INT(r.status, row->status);
		check_part(r.tag, row->tag, in);
		check_part(r.code, row->code, in);
		check_part(r.code_name, row->code_name, in);
		check_part(r.code_args, row->code_args, in);
		check_part(r.text, row->text, in);
		check_part(r.name, row->name, in);
		check_part(r.data, row->data, in);
		free(copy);
	}
}

/* A literal may hold anything, a tagged response of ours too: it stays inside the data. */
TEST(literal_is_data)
{
	static const struct slice in = BYTES("* ID (\"x\" {14}\r\na1 OK \0 done\r\n)\r\n");
	struct imap_response r;
	const char *why;

	check_framed(in);
	CHECK_INT(imap_response_parse(in.p, in.len, &r, &why), 1);
	CHECK(r.kind == IMAP_RESP_UNTAGGED);
	CHECK_SLICE(r.name, "ID");
	CHECK_U64(r.data.len, in.len - 2 - 5);
}

TEST(refused)
{
	static const struct {
		struct slice in;
		const char *why;
	} rows[] = {
		{ BYTES(""), "response without a line end" },
		{ BYTES("* OK"), "response without a line end" },
		{ BYTES("* OK\r"), "response without a line end" },
		{ BYTES("\r\n"), "empty line" },
		{ BYTES("\n"), "empty line" },
		{ BYTES("*\r\n"), "no space behind \"*\"" },
		{ BYTES("*OK x\r\n"), "no space behind \"*\"" },
		{ BYTES("** OK x\r\n"), "no space behind \"*\"" },
		{ BYTES("* \r\n"), "untagged response without a name" },
		{ BYTES("*  OK x\r\n"), "untagged response without a name" },
		{ BYTES("* (x)\r\n"), "untagged response without a name" },
		{ BYTES("* OK\tx\r\n"), "untagged response without a name" },
		{ BYTES("* {5}\r\n"), "untagged response without a name" },
		{ BYTES(" * OK\r\n"), "not an IMAP response" },
		{ BYTES("hello\r\n"), "not an IMAP response" },
		{ BYTES("220-smtp.example.org ESMTP\r\n"),
		    "tagged response that is not OK, NO or BAD" },
		{ BYTES("\x16\x03\x01\n"), "not an IMAP response" },
		{ BYTES("\"a\" OK\r\n"), "not an IMAP response" },
		{ BYTES("a1  OK\r\n"), "tagged response that is not OK, NO or BAD" },
		{ BYTES("a1 BYE x\r\n"), "tagged response that is not OK, NO or BAD" },
		{ BYTES("a1 PREAUTH x\r\n"), "tagged response that is not OK, NO or BAD" },
		{ BYTES("a1 OK\tx\r\n"), "tagged response that is not OK, NO or BAD" },
		{ BYTES("a1 \r\n"), "tagged response that is not OK, NO or BAD" },
		{ BYTES("a1\r\n"), "not an IMAP response" },
		/* never framed so, but nobody should have to rely on that */
		{ BYTES("a1 OK x\r\na2 OK y\r\n"), "control characters in a response" },
		{ BYTES("* NO x\ry\r\n"), "control characters in a response" },
		{ BYTES("* BYE x\0\r\n"), "control characters in a response" },
		{ BYTES("+ x\n\n"), "control characters in a response" },
		{ BYTES("* OK [X\r\nY] z\r\n"), "control characters in a response" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *copy = calloc(1, rows[i].in.len ? rows[i].in.len : 1);
		struct imap_response r;
		const char *why = NULL;

		test_note("row %zu: %.*s", i, (int)rows[i].in.len, rows[i].in.p);
		memcpy(copy, rows[i].in.p, rows[i].in.len);
		CHECK_INT(imap_response_parse(copy, rows[i].in.len, &r, &why), -1);
		CHECK_STR(why, rows[i].why);
		free(copy);
	}
}

TEST(status_words)
{
	CHECK(imap_status_word(SLICE("OK")) == IMAP_STATUS_OK);
	CHECK(imap_status_word(SLICE("no")) == IMAP_STATUS_NO);
	CHECK(imap_status_word(SLICE("Bad")) == IMAP_STATUS_BAD);
	CHECK(imap_status_word(SLICE("BYE")) == IMAP_STATUS_BYE);
	CHECK(imap_status_word(SLICE("PREAUTH")) == IMAP_STATUS_PREAUTH);
	CHECK(imap_status_word(SLICE("")) == IMAP_STATUS_NONE);
	CHECK(imap_status_word(SLICE("O")) == IMAP_STATUS_NONE);
	CHECK(imap_status_word(SLICE("OKK")) == IMAP_STATUS_NONE);
	CHECK(imap_status_word(SLICE("OK ")) == IMAP_STATUS_NONE);
}
