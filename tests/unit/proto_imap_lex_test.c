/*
 * tests/unit/proto_imap_lex_test.c - tokens and strings.
 *
 * Every case runs from memory of exactly its size, and with every prefix: what is refused for a
 * prefix must be refused for the whole.
 */
#include "test.h"

#include "proto/imap_lex.h"

enum token { T_ATOM, T_TAG, T_ASTRING, T_NSTRING, T_EOL };

static int
take(enum token t, struct lex *x, struct imap_string *s)
{
	struct slice a = { NULL, 0 };
	int r = -1;

	*s = (struct imap_string){ .p = NULL };
	switch (t) {
	case T_ATOM:
		r = lex_atom(x, &a);
		break;
	case T_TAG:
		r = lex_tag(x, &a);
		break;
	case T_ASTRING:
		return lex_astring(x, s);
	case T_NSTRING:
		return lex_nstring(x, s);
	case T_EOL:
		return lex_eol(x);
	}
	s->p = a.p;
	s->len = a.len;
	return r;
}

#define A64 "1234567890123456789012345678901234567890123456789012345678901234"

TEST(tokens)
{
	static const struct {
		enum token token;
		struct slice in;
		int r;
		struct slice out; /* decoded */
		size_t left;      /* bytes behind the token */
		bool nil;
	} rows[] = {
		{ T_ATOM, BYTES("abc "), 1, BYTES("abc"), 1, false },
		{ T_ATOM, BYTES("a+-./:=[<>~!#$&',;?@^_`|}\r"), 1,
		    BYTES("a+-./:=[<>~!#$&',;?@^_`|}"), 1, false },
		{ T_ATOM, BYTES("abc"), 0, BYTES(""), 0, false },
		{ T_ATOM, BYTES(""), 0, BYTES(""), 0, false },
		{ T_ATOM, BYTES(" "), -1, BYTES(""), 0, false },
		{ T_ATOM, BYTES("("), -1, BYTES(""), 0, false },
		{ T_ATOM, BYTES("a]"), 1, BYTES("a"), 1, false },
		{ T_ATOM, BYTES("a%"), 1, BYTES("a"), 1, false },
		{ T_ATOM, BYTES("a*"), 1, BYTES("a"), 1, false },
		{ T_ATOM, BYTES("a\\"), 1, BYTES("a"), 1, false },
		{ T_ATOM, BYTES("a\""), 1, BYTES("a"), 1, false },
		{ T_ATOM, BYTES("a{"), 1, BYTES("a"), 1, false },
		{ T_ATOM, BYTES("a\x7f"), 1, BYTES("a"), 1, false },
		{ T_ATOM, BYTES("a\x80"), 1, BYTES("a"), 1, false },
		{ T_ATOM, BYTES("\xff"), -1, BYTES(""), 0, false },
		{ T_ATOM, BYTES("\0"), -1, BYTES(""), 0, false },
		{ T_TAG, BYTES("a.1]x "), 1, BYTES("a.1]x"), 1, false },
		{ T_TAG, BYTES("a+b "), 1, BYTES("a"), 3, false },
		{ T_TAG, BYTES("+ "), -1, BYTES(""), 0, false },
		{ T_TAG, BYTES("* "), -1, BYTES(""), 0, false },
		{ T_TAG, BYTES("\r\n"), -1, BYTES(""), 0, false },
		{ T_TAG, BYTES(A64 " "), 1, BYTES(A64), 1, false },
		{ T_TAG, BYTES(A64), 0, BYTES(""), 0, false },
		{ T_TAG, BYTES(A64 "5"), -1, BYTES(""), 0, false },
		{ T_TAG, BYTES(A64 "5 "), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("abc "), 1, BYTES("abc"), 1, false },
		{ T_ASTRING, BYTES("a]b%c*d\\e\r\n"), 1, BYTES("a]b%c*d\\e"), 2, false },
		{ T_ASTRING, BYTES("NIL "), 1, BYTES("NIL"), 1, false },
		{ T_ASTRING, BYTES("a\"b\" "), 1, BYTES("a"), 4, false },
		{ T_ASTRING, BYTES("a\xe4"), 1, BYTES("a"), 1, false },
		{ T_ASTRING, BYTES("\xe4"), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES(""), 0, BYTES(""), 0, false },
		{ T_ASTRING, BYTES(" a"), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("(a"), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("\"\""), 1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("\"a b\\\"c\\\\d\"x"), 1, BYTES("a b\"c\\d"), 1, false },
		{ T_ASTRING, BYTES("\"\xc3\xa4\t\x01\""), 1, BYTES("\xc3\xa4\t\x01"), 0, false },
		{ T_ASTRING, BYTES("\"a"), 0, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("\"a\\"), 0, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("\"a\\\""), 0, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("\"a\\b\""), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("\"a\r\n\""), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("\"a\n\""), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("\"a\0\""), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{3}\r\nabcd"), 1, BYTES("abc"), 1, false },
		{ T_ASTRING, BYTES("{3+}\r\nabcd"), 1, BYTES("abc"), 1, false },
		{ T_ASTRING, BYTES("{3}\nabcd"), 1, BYTES("abc"), 1, false },
		{ T_ASTRING, BYTES("{0}\r\n"), 1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{3}\r\n\"\\\""), 1, BYTES("\"\\\""), 0, false },
		{ T_ASTRING, BYTES("{0003}\r\nabc"), 1, BYTES("abc"), 0, false },
		{ T_ASTRING, BYTES("{3}\r\nab"), 0, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{4294967295}\r\nab"), 0, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{4294967296}\r\nab"), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{99999999999999999999"), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{"), 0, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{3"), 0, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{3+"), 0, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{3}"), 0, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{3}\r"), 0, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{}"), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{+}"), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{3-}"), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{3}x"), -1, BYTES(""), 0, false },
		{ T_ASTRING, BYTES("{3}\rx"), -1, BYTES(""), 0, false },
		{ T_NSTRING, BYTES("NIL)"), 1, BYTES(""), 1, true },
		{ T_NSTRING, BYTES("nil)"), 1, BYTES(""), 1, true },
		{ T_NSTRING, BYTES("NIL"), 0, BYTES(""), 0, false },
		{ T_NSTRING, BYTES("NILS)"), -1, BYTES(""), 0, false },
		{ T_NSTRING, BYTES("NI)"), -1, BYTES(""), 0, false },
		{ T_NSTRING, BYTES("abc "), -1, BYTES(""), 0, false },
		{ T_NSTRING, BYTES("\"NIL\""), 1, BYTES("NIL"), 0, false },
		{ T_NSTRING, BYTES("{3}\r\nNIL"), 1, BYTES("NIL"), 0, false },
		{ T_NSTRING, BYTES(")"), -1, BYTES(""), 0, false },
		{ T_NSTRING, BYTES(""), 0, BYTES(""), 0, false },
		{ T_EOL, BYTES("\r\n"), 1, BYTES(""), 0, false },
		{ T_EOL, BYTES("\n"), 1, BYTES(""), 0, false },
		{ T_EOL, BYTES("\r"), 0, BYTES(""), 0, false },
		{ T_EOL, BYTES(""), 0, BYTES(""), 0, false },
		{ T_EOL, BYTES("\r\nx"), -1, BYTES(""), 0, false },
		{ T_EOL, BYTES("\r\r\n"), -1, BYTES(""), 0, false },
		{ T_EOL, BYTES(" \r\n"), -1, BYTES(""), 0, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* Exactly as much memory as there are bytes. */
		char *copy = malloc(rows[i].in.len ? rows[i].in.len : 1), out[100];
		struct lex x = { copy, copy + rows[i].in.len };
		struct imap_string s;
		size_t len;

		test_note("row %zu: %.*s", i, (int)rows[i].in.len, rows[i].in.p);
		if (rows[i].in.len)
			memcpy(copy, rows[i].in.p, rows[i].in.len);
		CHECK_INT(take(rows[i].token, &x, &s), rows[i].r);
		if (rows[i].r == 1) {
			CHECK(s.nil == rows[i].nil);
			CHECK(s.quoted == (*copy == '"' && memchr(copy, '\\', rows[i].in.len)));
			CHECK(imap_string_copy(&s, out, sizeof(out), &len));
			CHECK_BYTES(out, len, rows[i].out.p, rows[i].out.len);
			CHECK_U64(imap_string_len(&s), len);
			CHECK_U64(x.end - x.p, rows[i].left);
		} else {
			CHECK(x.p == copy);
		}
		/* A prefix is refused only if the whole is; then all that is longer is refused. */
		for (size_t n = 0; n < rows[i].in.len; n++) {
			x = (struct lex){ copy, copy + n };
			if (take(rows[i].token, &x, &s) < 0)
				CHECK_INT(rows[i].r, -1);
		}
		free(copy);
	}
}

TEST(char_and_space)
{
	struct lex x = { "( a", NULL };

	x.end = x.p + 3;
	CHECK_INT(lex_space(&x), -1);
	CHECK_INT(lex_char(&x, '('), 1);
	CHECK_INT(lex_char(&x, '('), -1);
	CHECK_INT(lex_space(&x), 1);
	CHECK_INT(lex_space(&x), -1);
	CHECK_INT(lex_char(&x, 'a'), 1);
	CHECK_INT(lex_char(&x, 'a'), 0);
	CHECK_INT(lex_space(&x), 0);
}

TEST(atoms)
{
	CHECK(imap_is_atom(SLICE("AUTH=SCRAM-SHA-256-PLUS")));
	CHECK(imap_is_atom(SLICE("LITERAL+")));
	CHECK(!imap_is_atom(SLICE("")));
	CHECK(!imap_is_atom(SLICE("a b")));
	CHECK(!imap_is_atom(SLICE("a]")));
	CHECK(!imap_is_atom(SLICE("a\xc3\xa4")));
	for (int c = -128; c < 256; c++)
		if (imap_is_atom_char((char)c))
			CHECK((char)c > 32 && (char)c < 127);
}

TEST(string_copy)
{
	const struct imap_string plain = { .p = "abc", .len = 3 };
	const struct imap_string escaped = { .p = "a\\\"\\\\", .len = 5, .quoted = true };
	const struct imap_string backslash = { .p = "a\\b", .len = 3 };
	const struct imap_string nul = { .p = "a\0b", .len = 3 };
	const struct imap_string nul_last = { .p = "ab\0", .len = 3 };
	const struct imap_string nil = { .p = "NIL", .len = 0, .nil = true };
	const struct imap_string cut = { .p = "a\\", .len = 2, .quoted = true };
	char out[8];
	size_t len = 99;

	CHECK(imap_string_copy(&plain, out, 3, &len));
	CHECK_BYTES(out, len, "abc", 3);
	CHECK(imap_string_copy(&plain, out, 4, &len));
	CHECK(!imap_string_copy(&plain, out, 2, &len));
	CHECK(imap_string_copy(&escaped, out, 3, &len));
	CHECK_BYTES(out, len, "a\"\\", 3);
	CHECK(!imap_string_copy(&escaped, out, 2, &len));
	CHECK(imap_string_copy(&backslash, out, 3, &len));
	CHECK_BYTES(out, len, "a\\b", 3);
	CHECK(!imap_string_copy(&nul, out, sizeof(out), &len));
	CHECK(!imap_string_copy(&nul_last, out, sizeof(out), &len));
	CHECK(imap_string_copy(&nil, out, 0, &len));
	CHECK_U64(len, 0);
	CHECK(!imap_string_copy(&cut, out, sizeof(out), &len));
}

TEST(string_put)
{
	static const struct {
		struct slice in;
		bool nonsync;
		struct slice out;
		size_t split;
	} rows[] = {
		{ BYTES(""), false, BYTES("\"\""), 0 },
		{ BYTES("alice"), false, BYTES("\"alice\""), 0 },
		{ BYTES("a\"b\\c"), false, BYTES("\"a\\\"b\\\\c\""), 0 },
		{ BYTES(" ~"), true, BYTES("\" ~\""), 0 },
		{ BYTES("a\nb"), false, BYTES("{3}\r\na\nb"), 5 },
		{ BYTES("a\nb"), true, BYTES("{3+}\r\na\nb"), 0 },
		{ BYTES("a\r"), false, BYTES("{2}\r\na\r"), 5 },
		{ BYTES("a\t"), false, BYTES("{2}\r\na\t"), 5 },
		{ BYTES("\x7f"), false, BYTES("{1}\r\n\x7f"), 5 },
		{ BYTES("\xc3\xa4"), true, BYTES("{2+}\r\n\xc3\xa4"), 0 },
		{ BYTES("\"\xff\\"), false, BYTES("{3}\r\n\"\xff\\"), 5 },
	};
	static const char twelve[] = "\xff"
				     "12345678901";

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char out[32], small[32];
		size_t split = 99, n;

		test_note("row %zu", i);
		n = imap_string_put(out, sizeof(out), rows[i].in, rows[i].nonsync, &split);
		CHECK_BYTES(out, n, rows[i].out.p, rows[i].out.len);
		CHECK_U64(split, rows[i].split);
		/* Exactly fitting, and one byte too few: nothing is written then. */
		CHECK_U64(imap_string_put(small, n, rows[i].in, rows[i].nonsync, &split), n);
		CHECK_BYTES(small, n, out, n);
		memset(small, 'x', sizeof(small));
		CHECK_U64(imap_string_put(small, n - 1, rows[i].in, rows[i].nonsync, &split), n);
		for (size_t k = 0; k < sizeof(small); k++)
			CHECK(small[k] == 'x');
		CHECK_U64(imap_string_put(NULL, 0, rows[i].in, rows[i].nonsync, &split), n);
	}
	{
		char out[32];
		size_t split = 99;

		CHECK_U64(imap_string_put(out, sizeof(out), SLICE("a\0b"), true, &split), 0);
		CHECK_U64(imap_string_put(out, sizeof(out), SLICE("\xff\0"), false, &split), 0);
		CHECK_U64(split, 0);
		CHECK_U64(imap_string_put(out, sizeof(out), slice_of(twelve), false, &split), 18);
		CHECK_U64(split, 6);
	}
}
