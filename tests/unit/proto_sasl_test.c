/*
 * tests/unit/proto_sasl_test.c - base64 and SASL PLAIN.
 */
#include "test.h"

#include "proto/sasl.h"

TEST(mechanisms)
{
	CHECK(sasl_mechanism(SLICE("PLAIN")) == SASL_PLAIN);
	CHECK(sasl_mechanism(SLICE("plain")) == SASL_PLAIN);
	CHECK(sasl_mechanism(SLICE("Login")) == SASL_LOGIN);
	CHECK(sasl_mechanism(SLICE("PLAINX")) == SASL_UNKNOWN);
	CHECK(sasl_mechanism(SLICE("PLAI")) == SASL_UNKNOWN);
	CHECK(sasl_mechanism(SLICE("")) == SASL_UNKNOWN);
	CHECK(sasl_mechanism(SLICE("SCRAM-SHA-256-PLUS")) == SASL_UNKNOWN);
}

/* The vectors of RFC 4648, section 10, and some that need all of the alphabet. */
TEST(base64_pairs)
{
	static const struct {
		struct slice plain;
		const char *text;
	} rows[] = {
		{ BYTES(""), "" },
		{ BYTES("f"), "Zg==" },
		{ BYTES("fo"), "Zm8=" },
		{ BYTES("foo"), "Zm9v" },
		{ BYTES("foob"), "Zm9vYg==" },
		{ BYTES("fooba"), "Zm9vYmE=" },
		{ BYTES("foobar"), "Zm9vYmFy" },
		{ BYTES("\0"), "AA==" },
		{ BYTES("\0\0\0"), "AAAA" },
		{ BYTES("\xff"), "/w==" },
		{ BYTES("\xff\xff\xff"), "////" },
		{ BYTES("\xfb\xef\xbe"), "++++" },
		{ BYTES("\xfb\xff\xbf"), "+/+/" },
		{ BYTES("\0alice\0pw"), "AGFsaWNlAHB3" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = strlen(rows[i].text), len = 99;
		char out[32], *text = malloc(n + 1);

		test_note("row %zu", i);
		CHECK_U64(BASE64_LEN(rows[i].plain.len), n);
		CHECK_U64(base64_encode(rows[i].plain, out, n), n);
		CHECK_BYTES(out, n, rows[i].text, n);
		if (n)
			CHECK_U64(base64_encode(rows[i].plain, out, n - 1), 0);

		memcpy(text, rows[i].text, n);
		CHECK(base64_decode((struct slice){ text, n }, out, rows[i].plain.len, &len));
		CHECK_BYTES(out, len, rows[i].plain.p, rows[i].plain.len);
		if (n)
			CHECK(!base64_decode(
			    (struct slice){ text, n }, out, rows[i].plain.len - 1, &len));
		/* In place. */
		CHECK(base64_decode((struct slice){ text, n }, text, n, &len));
		CHECK_BYTES(text, len, rows[i].plain.p, rows[i].plain.len);
		free(text);
	}
}

TEST(base64_refused)
{
	static const struct slice rows[] = {
		BYTES("="),
		BYTES("=="),
		BYTES("==="),
		BYTES("===="),
		BYTES("Z"),
		BYTES("Zg"),
		BYTES("Zg="),
		BYTES("Zg==="),
		BYTES("Zm8"),
		BYTES("Zm9vZ"),
		BYTES("Z==="),
		BYTES("Zg=g"),
		BYTES("=Zg="),
		BYTES("Zg==Zg=="), /* padding in the middle */
		BYTES("Zm8=Zm9v"),
		BYTES("Zh=="), /* unused bits */
		BYTES("Zm9="),
		BYTES("Zm9 "),
		BYTES("Zm\n9v"),
		BYTES("Zm9v\r\n"),
		BYTES(" Zm9"),
		BYTES("Zm9-"), /* the other alphabet */
		BYTES("Zm9_"),
		BYTES("Zm9\0"),
		BYTES("Zm9\x80"),
		BYTES("\xc1m9v"),
		BYTES("Zm9v*"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char out[32];
		size_t len;

		test_note("row %zu", i);
		CHECK(!base64_decode(rows[i], out, sizeof(out), &len));
	}
}

/* Every byte in every place, there and back. */
TEST(base64_all_bytes)
{
	for (unsigned c = 0; c < 256; c++) {
		for (size_t n = 1; n <= 4; n++) {
			char in[4], text[8], out[4];
			size_t len;

			test_note("byte %u, %zu", c, n);
			memset(in, 'a', sizeof(in));
			in[n - 1] = (char)c;
			CHECK_U64(base64_encode((struct slice){ in, n }, text, sizeof(text)),
			    BASE64_LEN(n));
			CHECK(base64_decode((struct slice){ text, BASE64_LEN(n) }, out, n, &len));
			CHECK_BYTES(out, len, in, n);
		}
	}
}

TEST(plain_parse)
{
	static const struct {
		struct slice in;
		bool ok;
		const char *authzid, *authcid, *password;
	} rows[] = {
		{ BYTES("\0alice\0pw"), true, "", "alice", "pw" },
		{ BYTES("bob\0alice\0pw"), true, "bob", "alice", "pw" },
		{ BYTES("\0alice\0"), true, "", "alice", "" },
		{ BYTES("\0a\0 p w "), true, "", "a", " p w " },
		{ BYTES("\0\xc3\xa4\0\xc3\xb6\r\n"), true, "", "\xc3\xa4", "\xc3\xb6\r\n" },
		{ BYTES(""), false, NULL, NULL, NULL },
		{ BYTES("\0"), false, NULL, NULL, NULL },
		{ BYTES("\0\0"), false, NULL, NULL, NULL },
		{ BYTES("\0\0pw"), false, NULL, NULL, NULL },
		{ BYTES("bob\0\0pw"), false, NULL, NULL, NULL },
		{ BYTES("alice"), false, NULL, NULL, NULL },
		{ BYTES("alice\0pw"), false, NULL, NULL, NULL },
		{ BYTES("\0alice"), false, NULL, NULL, NULL },
		{ BYTES("\0alice\0pw\0"), false, NULL, NULL, NULL },
		{ BYTES("\0alice\0p\0w"), false, NULL, NULL, NULL },
		{ BYTES("\0\0\0"), false, NULL, NULL, NULL },
		{ BYTES("\0a\0\0"), false, NULL, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *copy = malloc(rows[i].in.len + 1), out[64];
		struct slice in = { copy, rows[i].in.len };
		struct sasl_plain plain;
		size_t n;

		test_note("row %zu", i);
		memcpy(copy, rows[i].in.p, in.len);
		CHECK(sasl_plain_parse(in, &plain) == rows[i].ok);
		if (rows[i].ok) {
			CHECK_SLICE(plain.authzid, rows[i].authzid);
			CHECK_SLICE(plain.authcid, rows[i].authcid);
			CHECK_SLICE(plain.password, rows[i].password);
			n = sasl_plain_put(&plain, out, in.len);
			CHECK_BYTES(out, n, in.p, in.len);
			CHECK_U64(sasl_plain_put(&plain, out, in.len - 1), 0);
			CHECK_U64(sasl_plain_put(&plain, out, 0), 0);
		}
		free(copy);
	}
}

TEST(plain_put_refuses)
{
	char out[64];
	const struct sasl_plain rows[] = {
		{ BYTES("a\0b"), BYTES("c"), BYTES("d") },
		{ BYTES(""), BYTES("a\0b"), BYTES("d") },
		{ BYTES(""), BYTES("a"), BYTES("d\0") },
		{ BYTES(""), BYTES(""), BYTES("d") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		test_note("row %zu", i);
		CHECK_U64(sasl_plain_put(&rows[i], out, sizeof(out)), 0);
	}
}
