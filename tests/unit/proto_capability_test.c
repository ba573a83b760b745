/*
 * tests/unit/proto_capability_test.c - capability lists.
 */
#include "test.h"

#include "proto/capability.h"

TEST(parse)
{
	static const struct {
		struct slice in;
		const char *out; /* NULL: refused */
	} rows[] = {
		{ BYTES("IMAP4rev1"), "IMAP4rev1" },
		{ BYTES("IMAP4rev1 IDLE AUTH=PLAIN LITERAL+"),
		    "IMAP4rev1 IDLE AUTH=PLAIN LITERAL+" },
		{ BYTES("  IMAP4rev1   IDLE  "), "IMAP4rev1 IDLE" },
		{ BYTES("A B a b A"), "A B" },
		{ BYTES("AUTH=PLAIN auth=plain"), "AUTH=PLAIN" },
		{ BYTES("X-A.b:c/d_e I18NLEVEL=1 RIGHTS=texk URLAUTH=BINARY"),
		    "X-A.b:c/d_e I18NLEVEL=1 RIGHTS=texk URLAUTH=BINARY" },
		{ BYTES(""), NULL },
		{ BYTES("   "), NULL },
		{ BYTES("A\tB"), NULL },
		{ BYTES("A B\r\n"), NULL },
		{ BYTES("A (B)"), NULL },
		{ BYTES("A B]"), NULL },
		{ BYTES("A {3}"), NULL },
		{ BYTES("A \"B\""), NULL },
		{ BYTES("A *"), NULL },
		{ BYTES("A\0B"), NULL },
		{ BYTES("A \xc3\xa4"), NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct capability_list list;
		char *copy = malloc(rows[i].in.len + 1);

		memset(&list, 'x', sizeof(list));
		memcpy(copy, rows[i].in.p, rows[i].in.len);
		test_note("row %zu", i);
		CHECK(capability_parse(&list, (struct slice){ copy, rows[i].in.len }) ==
		      (rows[i].out != NULL));
		CHECK_STR(list.text, rows[i].out ? rows[i].out : "");
		free(copy);
	}
}

/* A list of @n different words that is @len bytes long in all. */
static void
fill(char *text, unsigned n, size_t len)
{
	size_t at = 0;

	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, 16, "%sW%03u", i ? " " : "", i);
	CHECK(at <= len);
	memset(text + at, 'x', len - at);
	text[len] = '\0';
}

TEST(bounds)
{
	static char text[CAPABILITY_MAX + 8];
	struct capability_list list;

	fill(text, 3, CAPABILITY_MAX - 2);
	CHECK(capability_parse(&list, slice_of(text)));
	CHECK_STR(list.text, text);
	CHECK(!capability_add(&list, SLICE("Y")));
	CHECK(capability_add(&list, SLICE("w001"))); /* is there already */
	CHECK_STR(list.text, text);

	fill(text, 3, CAPABILITY_MAX - 1);
	CHECK(capability_parse(&list, slice_of(text)));
	fill(text, 3, CAPABILITY_MAX);
	CHECK(!capability_parse(&list, slice_of(text)));
	CHECK_STR(list.text, "");
	fill(text, 1, CAPABILITY_MAX - 1);
	CHECK(capability_parse(&list, slice_of(text)));
	fill(text, 1, CAPABILITY_MAX);
	CHECK(!capability_parse(&list, slice_of(text)));

	fill(text, CAPABILITY_WORDS - 1, (CAPABILITY_WORDS - 1) * 5 - 1);
	CHECK(capability_parse(&list, slice_of(text)));
	CHECK(capability_add(&list, SLICE("LAST")));
	CHECK(!capability_add(&list, SLICE("MORE")));
	CHECK(capability_has(&list, SLICE("LAST")));
	CHECK(!capability_has(&list, SLICE("MORE")));
	fill(text, CAPABILITY_WORDS, CAPABILITY_WORDS * 5 - 1);
	CHECK(capability_parse(&list, slice_of(text)));
	fill(text, CAPABILITY_WORDS + 1, (CAPABILITY_WORDS + 1) * 5 - 1);
	CHECK(!capability_parse(&list, slice_of(text)));

	/* What is said twice counts once. */
	fill(text, CAPABILITY_WORDS, CAPABILITY_WORDS * 5 - 1);
	memcpy(text + strlen(text), " W000", 6);
	CHECK(capability_parse(&list, slice_of(text)));
}

TEST(has_add_remove)
{
	struct capability_list list = { "" };

	CHECK(!capability_has(&list, SLICE("IDLE")));
	CHECK(!capability_has(&list, SLICE("")));
	CHECK(capability_add(&list, SLICE("IMAP4rev1")));
	CHECK(capability_add(&list, SLICE("IDLE")));
	CHECK(capability_add(&list, SLICE("AUTH=PLAIN")));
	CHECK(capability_add(&list, SLICE("idle")));
	CHECK_STR(list.text, "IMAP4rev1 IDLE AUTH=PLAIN");
	CHECK(!capability_add(&list, SLICE("")));
	CHECK(!capability_add(&list, SLICE("A B")));
	CHECK(!capability_add(&list, SLICE("A\r\nB")));
	CHECK(capability_has(&list, SLICE("idle")));
	CHECK(!capability_has(&list, SLICE("IDL")));
	CHECK(!capability_has(&list, SLICE("IDLE2")));
	CHECK(!capability_has(&list, SLICE("AUTH")));
	CHECK(!capability_has(&list, SLICE("IDLE AUTH=PLAIN")));

	capability_remove(&list, SLICE("Idle"));
	CHECK_STR(list.text, "IMAP4rev1 AUTH=PLAIN");
	capability_remove(&list, SLICE("IMAP4rev1"));
	CHECK_STR(list.text, "AUTH=PLAIN");
	capability_remove(&list, SLICE("X"));
	capability_remove(&list, SLICE("AUTH=PLAIN"));
	CHECK_STR(list.text, "");
	capability_remove(&list, SLICE("X"));
	CHECK_STR(list.text, "");
}

TEST(intersect_and_equal)
{
	static const struct {
		const char *a, *b, *both;
		bool equal;
	} rows[] = {
		{ "A B C", "C A", "A C", false },
		{ "A B C", "c b a", "A B C", true },
		{ "A", "B", "", false },
		{ "A B", "A C", "A", false },
		{ "A", "A B", "A", false },
		{ "", "A", "", false },
		{ "A", "", "", false },
		{ "", "", "", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct capability_list a, b;

		test_note("row %zu", i);
		CHECK(capability_parse(&a, slice_of(rows[i].a)) == (*rows[i].a != '\0'));
		CHECK(capability_parse(&b, slice_of(rows[i].b)) == (*rows[i].b != '\0'));
		CHECK(capability_equal(&a, &b) == rows[i].equal);
		CHECK(capability_equal(&b, &a) == rows[i].equal);
		capability_intersect(&a, &b);
		CHECK_STR(a.text, rows[i].both);
	}
}

TEST(strip)
{
	static const struct {
		const char *in, *after, *before;
	} rows[] = {
		{ "IMAP4rev1 IDLE", "IMAP4rev1 IDLE", "IMAP4rev1 IDLE" },
		{ "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS "
		  "LOGINDISABLED",
		    "IMAP4rev1 ID ENABLE IDLE LITERAL+", "IMAP4rev1 ENABLE IDLE" },
		{ "imap4rev1 auth=plain Auth=XOAUTH2 literal- unauthenticate starttls sasl-ir id",
		    "imap4rev1 literal- id", "imap4rev1" },
		{ "AUTH=PLAIN", "", "" },
		{ "IDLE2 AUTHX SASL-IRX XID", "IDLE2 AUTHX SASL-IRX XID",
		    "IDLE2 AUTHX SASL-IRX XID" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct capability_list list;

		test_note("row %zu", i);
		CHECK(capability_parse(&list, slice_of(rows[i].in)));
		capability_strip_after_login(&list);
		CHECK_STR(list.text, rows[i].after);
		CHECK(capability_parse(&list, slice_of(rows[i].in)));
		capability_strip_before_login(&list);
		CHECK_STR(list.text, rows[i].before);
	}
}
