/*
 * tests/unit/proto_imap_frame_test.c - where commands and responses end.
 *
 * Every case runs whole, byte by byte, and split at every point, each time from memory of exactly
 * the size that was "received", so that a sanitizer sees a read beyond it; the results must be the
 * same.
 */
#include "test.h"

#include "proto/imap_lex.h"

static const struct frame_limits wide = { 1000, 1000, 10000, 10 };

/*
 * What the frame said, as text: "L5" literal, "L5+" without waiting, "D" done, "M" more, and the
 * errors; all but "L" with the number of bytes left behind pos, unless it is 0. BIG has the
 * literal's size instead.
 */
struct transcript {
	char text[256];
	size_t len;
};

static void
said(struct transcript *t, const char *what, uint64_t n, const char *mark)
{
	char number[24] = "";

	if (n || strcmp(what, "L") == 0)
		snprintf(number, sizeof(number), "%" PRIu64, n);
	t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "%s%s%s%s",
	    t->len ? " " : "", what, number, mark);
	CHECK(t->len < sizeof(t->text));
}

/* Calls until the frame wants more or is through; false then. */
static bool
feed(struct frame *f, struct slice in, size_t len, const struct frame_limits *limits,
    struct transcript *t)
{
	char *copy = malloc(len ? len : 1);
	enum frame_result r;

	if (len)
		memcpy(copy, in.p, len);
	while ((r = frame_next(f, copy, len, limits)) == FRAME_LITERAL)
		said(t, "L", f->literal, f->sync ? "" : "+");
	CHECK(f->pos <= len);
	CHECK(f->line_start <= f->pos);
	CHECK(f->pos <= limits->total);
	switch (r) {
	case FRAME_MORE:
		break;
	case FRAME_LITERAL:
		break;
	case FRAME_DONE:
		CHECK_U64(f->len, f->pos);
		said(t, "D", in.len - f->len, "");
		break;
	case FRAME_LINE_LONG:
		said(t, "LONG", in.len - f->pos, f->sync ? "" : "+");
		break;
	case FRAME_LITERAL_BIG:
		said(t, "BIG", f->literal, f->sync ? "" : "+");
		break;
	case FRAME_TOTAL_BIG:
		said(t, "TOTAL", in.len - f->pos, f->sync ? "" : "+");
		break;
	case FRAME_BAD:
		said(t, "BAD", in.len - f->pos, f->sync ? "" : "+");
		break;
	}
	if (r != FRAME_MORE)
		CHECK(frame_next(f, copy, len, limits) == r); /* asked again it says the same */
	free(copy);
	return r == FRAME_MORE;
}

static void
check_frame(enum frame_side side, bool sasl, struct slice in, const struct frame_limits *limits,
    const char *expected)
{
	size_t len = in.len;

	/* split == len: whole; split == len + 1: byte by byte */
	for (size_t split = 0; split <= len + 1; split++) {
		struct transcript t = { .len = 0 };
		struct frame f;
		bool more = true;

		test_note("%.*s%s at %zu of %zu", (int)(len > 60 ? 60 : len), in.p,
		    len > 60 ? "..." : "", split, len);
		frame_init(&f, side);
		f.sasl = sasl;
		if (split == len + 1) {
			for (size_t i = 0; more && i <= len; i++)
				more = feed(&f, in, i, limits, &t);
		} else {
			more = feed(&f, in, split, limits, &t) && feed(&f, in, len, limits, &t);
		}
		if (more)
			said(&t, "M", len - f.pos, "");
		CHECK_STR(t.text, expected);
	}
	test_note("%s", "");
}

TEST(client_frames)
{
	static const struct {
		struct slice in;
		const char *expected;
	} rows[] = {
		/* lines */
		{ BYTES(""), "M" },
		{ BYTES("a NOOP"), "M" },
		{ BYTES("a NOOP\r"), "M" },
		{ BYTES("a NOOP\r\n"), "D" },
		{ BYTES("a NOOP\n"), "D" },
		{ BYTES("\r\n"), "D" },
		{ BYTES("\n"), "D" },
		{ BYTES("a NOOP\r\nb NOOP\r\n"), "D8" },
		{ BYTES("\xc3\xa4\xff \t\x7f\n"), "D" },
		/* bare CR, NUL */
		{ BYTES("a NO\rOP\r\n"), "BAD4" },
		{ BYTES("a NOOP\r\r\n"), "BAD2" },
		{ BYTES("\ra\n"), "BAD2" },
		{ BYTES("a \0 NOOP\r\n"), "BAD8" },
		{ BYTES("\0"), "BAD1" },
		{ BYTES("a \"x\ry\"\r\n"), "BAD4" },
		{ BYTES("a \"x\0y\"\r\n"), "BAD5" },
		/* literals */
		{ BYTES("a LOGIN {5}\r\nalice {2}\r\npw\r\n"), "L5 L2 D" },
		{ BYTES("a LOGIN {5}\nalice {2}\npw\n"), "L5 L2 D" },
		{ BYTES("a LOGIN {5+}\r\nalice {2+}\r\npw\r\n"), "L5+ L2+ D" },
		{ BYTES("a LOGIN {5}\r\nal"), "L5 M" },
		{ BYTES("a LOGIN {0}\r\n \"\"\r\n"), "L0 D" },
		{ BYTES("a LOGIN {0+}\r\n\r\n"), "L0+ D" },
		{ BYTES("a LOGIN {005}\r\nalice x\r\n"), "L5 D" },
		{ BYTES("a ID ({4}\r\nname NIL)\r\n"), "L4 D" },
		{ BYTES("a X ~{3}\r\n\0\1\2\r\n"), "L3 D" },
		{ BYTES("a X (~{3+}\r\nabc)\r\n"), "L3+ D" },
		/* anything may be in a literal */
		{ BYTES("a X {7}\r\n\r\n\0\"{9}\r\n"), "L7 D" },
		{ BYTES("a X {2}\r\n\r\n\r\n"), "L2 D" },
		{ BYTES("a X {1}\r\n\r\n"), "L1 D" }, /* the CR is the literal, the LF a line end */
		{ BYTES("a X {1}\r\n\rb\r\n"), "L1 D" }, /* and no bare CR */
		/* a literal's last bytes are not the beginning of an argument */
		{ BYTES("a X {2}\r\na {3}\r\n"), "L2 D" },
		{ BYTES("a X {2}\r\na({3}\r\n"), "L2 D" },
		{ BYTES("a X {2}\r\n ~{3}\r\n"), "L2 D" },
		{ BYTES("a X {2}\r\nab{3}\r\n"), "L2 D" },
		{ BYTES("a X {5}\r\n {1}\r\n"), "L5 D" },  /* the CR is the literal's last byte */
		{ BYTES("a X {1}\r\n\"{3}\r\n"), "L1 D" }, /* nor is its quote one */
		/* quotes */
		{ BYTES("a LOGIN \"{5}\r\nalice"), "D5" },
		{ BYTES("a LOGIN \"x {5}\r\nalice"), "D5" },
		{ BYTES("a LOGIN \"x\" {5}\r\nalice"), "L5 M" },
		{ BYTES("a LOGIN \"\\\" {5}\r\nalice"), "D5" },
		{ BYTES("a LOGIN \"\\\\\" {5}\r\nalice"), "L5 M" },
		{ BYTES("a LOGIN \"x\\\r\n"), "D" },
		{ BYTES("a LOGIN \"{x}\" {x}y\r\n"), "D" },
		{ BYTES("a LOGIN \" {x\" y}\r\n"), "D" },
		{ BYTES("a LOGIN \"\"\" {5}\r\n"), "D" },
		/* where no argument begins a brace is text, for the parser to refuse */
		{ BYTES("a LOGIN foo{5}\r\n"), "D" },
		{ BYTES("a LOGIN foo{5+}\r\n"), "D" },
		{ BYTES("a LOGIN \"foo\"{5}\r\n"), "D" },
		{ BYTES("a LOGIN x~{5}\r\n"), "D" },
		{ BYTES("a LOGIN ~~{5}\r\n"), "D" },
		{ BYTES("a LOGIN foo{x}\r\n"), "D" },
		{ BYTES("{5}\r\n"), "D" },
		{ BYTES("~{5}\r\n"), "D" },
		{ BYTES("}\r\n"), "D" },
		{ BYTES("a X }\r\n"), "D" },
		{ BYTES("a X {5} \r\n"), "D" },
		{ BYTES("a X {5}x\r\n"), "D" },
		{ BYTES("a X {5\r\n"), "D" },
		{ BYTES("a X { 5}\r\n"), "D" },
		{ BYTES("a X {5 }\r\n"), "D" },
		{ BYTES("a X {5\"}\r\n"), "D" },
		{ BYTES("a X {5\"\"}\r\n"), "D" },
		/* where one does, it must be a number */
		{ BYTES("a X {}\r\n"), "BAD1" },
		{ BYTES("a X {}\n"), "BAD1" },
		{ BYTES("a X {+}\r\n"), "BAD1+" },
		{ BYTES("a X {x}\r\n"), "BAD1" },
		{ BYTES("a X {-1}\r\n"), "BAD1" },
		{ BYTES("a X {+5}\r\n"), "BAD1" },
		{ BYTES("a X {5++}\r\n"), "BAD1+" },
		{ BYTES("a X {5x+}\r\n"), "BAD1+" },
		{ BYTES("a X {5-}\r\n"), "BAD1" },
		{ BYTES("a X ({0x5}\r\n"), "BAD1" },
		{ BYTES("a X ~{}\r\n"), "BAD1" },
		{ BYTES("a X {5}}\r\n"), "BAD1" },
		{ BYTES("a X {{5}\r\n"), "D" }, /* the inner one is not where an argument begins */
		{ BYTES("a X {2}\r\nab {x+}\r\n"), "L2 BAD1+" },
		/* big numbers do not wrap */
		{ BYTES("a X {1001}\r\n"), "BIG1001" },
		{ BYTES("a X {4294967295}\r\n"), "BIG4294967295" },
		{ BYTES("a X {4294967296+}\r\n"), "BIG4294967296+" },
		{ BYTES("a X {4294967301}\r\n"), "BIG4294967296" },
		{ BYTES("a X {18446744073709551617}\r\n"), "BIG4294967296" },
		{ BYTES("a X {99999999999999999999999999999999999999999999+}\r\n"),
		    "BIG4294967296+" },
		{ BYTES("a X {0000000000000000000000000000000000000003}\r\n"), "L3 M" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_frame(FRAME_CLIENT, false, rows[i].in, &wide, rows[i].expected);
}

TEST(sasl_frames)
{
	static const struct {
		struct slice in;
		const char *expected;
	} rows[] = {
		{ BYTES("AGEAYg==\r\n"), "D" },
		{ BYTES("AGEAYg==\n"), "D" },
		{ BYTES("\r\n"), "D" },
		{ BYTES("*\r\n"), "D" },
		{ BYTES("x {5}\r\n"), "D" },
		{ BYTES("x {x+}\r\n"), "D" },
		{ BYTES("AG\0=\r\n"), "BAD4" },
		{ BYTES("AG\r=\r\n"), "BAD3" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_frame(FRAME_CLIENT, true, rows[i].in, &wide, rows[i].expected);
}

TEST(store_frames)
{
	static const struct {
		struct slice in;
		const char *expected;
	} rows[] = {
		{ BYTES("* OK ready\r\n"), "D" },
		{ BYTES("* OK ready\n"), "D" },
		{ BYTES("* CAPABILITY IMAP4rev1\r\n* x"), "D3" },
		{ BYTES("* ID ({4}\r\nname {3}\r\nfoo)\r\n"), "L4 L3 D" },
		{ BYTES("* LIST () NIL ~{4}\r\nname\r\n"), "L4 D" },
		{ BYTES("* 1 FETCH (BODY[] {3}\r\n\0\r\n)\r\n"), "L3 D" },
		{ BYTES("* ID (\"x {3}\r\n"), "D" },
		{ BYTES("* OKAY {3}\r\nabc\r\n"), "L3 D" },
		/* text that ends like a literal is text */
		{ BYTES("* OK text {5}\r\n"), "D" },
		{ BYTES("* ok [ALERT] {5}\r\n"), "D" },
		{ BYTES("* NO {5}\r\n"), "D" },
		{ BYTES("* BAD {5}\r\n"), "D" },
		{ BYTES("* BYE {5}\r\n"), "D" },
		{ BYTES("* PREAUTH {5}\r\n"), "D" },
		{ BYTES("* OK {x}\r\n"), "D" },
		{ BYTES("* OK {99999999999999999999}\r\n"), "D" },
		{ BYTES("+ {5}\r\n"), "D" },
		{ BYTES("+{5}\r\n"), "D" },
		{ BYTES("a1 OK {5}\r\n"), "D" },
		{ BYTES("a1 NO [X {5}\r\n"), "D" },
		{ BYTES("a1 FOO {5}\r\n"), "D" },
		/* and so is what no response is */
		{ BYTES("*  OK {5}\r\n"), "D" },
		{ BYTES("*\tID {5}\r\n"), "D" },
		{ BYTES(" * ID {5}\r\n"), "D" },
		{ BYTES("* {5}\r\n"), "D" },
		{ BYTES("** {5}\r\n"), "D" },
		{ BYTES("* OK\t{5}\r\n"), "D" },
		{ BYTES("* ID( {5}\r\n"), "D" },
		{ BYTES("hello {5}\r\n"), "D" },
		/* a second line goes by the first one */
		{ BYTES("* ID ({2}\r\nab {1}\r\n\n)\r\n"), "L2 L1 D" },
		{ BYTES("* ID ({2}\r\nOK {1}\r\nab\r\n"), "L2 L1 D" },
		/* no server may send a non-synchronising one */
		{ BYTES("* ID {5+}\r\n"), "BAD1+" },
		{ BYTES("* ID {5x}\r\n"), "BAD1" },
		{ BYTES("* ID {}\r\n"), "BAD1" },
		{ BYTES("* ID {1001}\r\n"), "BIG1001" },
		{ BYTES("* O\0K\r\n"), "BAD4" },
		{ BYTES("* OK a\rb\r\n"), "BAD3" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_frame(FRAME_STORE, false, rows[i].in, &wide, rows[i].expected);
}

/* Each limit at, below and above it. */
TEST(frame_limits)
{
	static const struct {
		struct slice in;
		struct frame_limits limits;
		const char *expected;
	} rows[] = {
		/* line: its end counts */
		{ BYTES("a NOOP\r\n"), { 9, 9, 99, 9 }, "D" },
		{ BYTES("a NOOP\r\n"), { 8, 9, 99, 9 }, "D" },
		{ BYTES("a NOOP\r\n"), { 7, 9, 99, 9 }, "LONG1" },
		{ BYTES("a NOOP\n"), { 7, 9, 99, 9 }, "D" },
		{ BYTES("a NOOP"), { 7, 9, 99, 9 }, "M" },
		{ BYTES("a NOOP"), { 6, 9, 99, 9 }, "LONG" },
		{ BYTES("a NOOP"), { 1, 9, 99, 9 }, "LONG5" },
		/* each line for itself, the literal not among it */
		{ BYTES("a {12}\r\n123456789012 x\r\n"), { 8, 12, 99, 9 }, "L12 D" },
		{ BYTES("a {12}\r\n123456789012 x\r\n"), { 7, 12, 99, 9 }, "LONG17" },
		{ BYTES("a {2}\r\n12 345678\r\n"), { 9, 12, 99, 9 }, "L2 D" },
		{ BYTES("a {2}\r\n12 345678\r\n"), { 8, 12, 99, 9 }, "L2 LONG1" },
		/* what came without waiting before it is no reason to end */
		{ BYTES("a {2+}\r\n12 345678\r\n"), { 8, 12, 99, 9 }, "L2+ LONG1" },
		{ BYTES("a {2+}\r\n12 34\r\n"), { 99, 12, 14, 9 }, "L2+ TOTAL1" },
		{ BYTES("a {2+}\r\n12 \0\r\n"), { 99, 12, 99, 9 }, "L2+ BAD3" },
		{ BYTES("a {2+}\r\n12 {x}\r\n"), { 99, 12, 99, 9 }, "L2+ BAD1" },
		{ BYTES("a {2+}\r\n12 {13}\r\n"), { 99, 12, 99, 9 }, "L2+ BIG13" },
		/* literal */
		{ BYTES("a {4}\r\n1234\r\n"), { 9, 4, 99, 9 }, "L4 D" },
		{ BYTES("a {4}\r\n1234\r\n"), { 9, 5, 99, 9 }, "L4 D" },
		{ BYTES("a {4}\r\n1234\r\n"), { 9, 3, 99, 9 }, "BIG4" },
		{ BYTES("a {4+}\r\n1234\r\n"), { 9, 3, 99, 9 }, "BIG4+" },
		{ BYTES("a {0}\r\n\r\n"), { 9, 0, 99, 9 }, "L0 D" },
		{ BYTES("a {1}\r\nx\r\n"), { 9, 0, 99, 9 }, "BIG1" },
		/* literals */
		{ BYTES("a {1}\r\nx {1}\r\ny\r\n"), { 9, 9, 99, 2 }, "L1 L1 D" },
		{ BYTES("a {1}\r\nx {1}\r\ny\r\n"), { 9, 9, 99, 3 }, "L1 L1 D" },
		{ BYTES("a {1}\r\nx {1}\r\ny\r\n"), { 9, 9, 99, 1 }, "L1 TOTAL4" },
		{ BYTES("a {1}\r\nx {1+}\r\ny\r\n"), { 9, 9, 99, 1 }, "L1 TOTAL4+" },
		{ BYTES("a {0}\r\n\r\n"), { 9, 9, 99, 0 }, "TOTAL3" },
		/* total */
		{ BYTES("a NOOP\r\n"), { 99, 9, 8, 9 }, "D" },
		{ BYTES("a NOOP\r\n"), { 99, 9, 9, 9 }, "D" },
		{ BYTES("a NOOP\r\n"), { 99, 9, 7, 9 }, "TOTAL1" },
		{ BYTES("a NOOP"), { 99, 9, 7, 9 }, "M" },
		{ BYTES("a NOOP"), { 99, 9, 6, 9 }, "TOTAL" },
		{ BYTES("a {4}\r\n1234\n"), { 99, 9, 12, 9 }, "L4 D" },
		{ BYTES("a {4}\r\n1234\r\n"), { 99, 9, 13, 9 }, "L4 D" },
		{ BYTES("a {4}\r\n1234\r\n"), { 99, 9, 12, 9 }, "L4 TOTAL1" },
		{ BYTES("a {4}\r\n1234\r\n"), { 99, 9, 11, 9 }, "TOTAL7" },
		{ BYTES("a {4+}\r\n1234\r\n"), { 99, 9, 11, 9 }, "TOTAL7+" },
		{ BYTES("a {4}\r\n1234\r\n"), { 99, 9, 7, 9 }, "TOTAL7" },
		{ BYTES("a {4}\r\n1234\r\n"), { 99, 9, 6, 9 }, "TOTAL7" },
		/* both at once */
		{ BYTES("a NOOP\r\n"), { 6, 9, 6, 9 }, "LONG2" },
		{ BYTES("a {40}\r\n"), { 99, 9, 9, 9 }, "BIG40" },
		/* no limit at all does not overflow */
		{ BYTES("a {4294967295}\r\nx"), { SIZE_MAX, SIZE_MAX, SIZE_MAX, 9 },
		    "L4294967295 M" },
		{ BYTES("a {4294967296}\r\nx"), { SIZE_MAX, SIZE_MAX, SIZE_MAX, 9 },
		    "BIG4294967296" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_frame(FRAME_CLIENT, false, rows[i].in, &rows[i].limits, rows[i].expected);
}

/* The caller may raise the limits once it sees what kind of line it is. */
TEST(frame_goes_on_with_wider_limits)
{
	static const char in[] = "a AUTHENTICATE PLAIN AGEAYg==\r\n";
	struct frame_limits limits = { 20, 9, 99, 9 };
	struct frame f;

	frame_init(&f, FRAME_CLIENT);
	CHECK(frame_next(&f, in, sizeof(in) - 1, &limits) == FRAME_LINE_LONG);
	CHECK_U64(f.pos, 20);
	limits.line = 99;
	CHECK(frame_next(&f, in, sizeof(in) - 1, &limits) == FRAME_DONE);
	CHECK_U64(f.len, sizeof(in) - 1);
}

TEST(skip_line)
{
	bool done;

	CHECK_U64(frame_skip_line(NULL, 0, &done), 0);
	CHECK(!done);
	CHECK_U64(frame_skip_line("abc", 3, &done), 3);
	CHECK(!done);
	CHECK_U64(frame_skip_line("abc\r\nx\n", 7, &done), 5);
	CHECK(done);
	CHECK_U64(frame_skip_line("\n", 1, &done), 1);
	CHECK(done);
	CHECK_U64(frame_skip_line("a\0b\n", 4, &done), 4);
	CHECK(done);
}

/* After any error the rest of the line, and no more, is what skip_line takes from pos on. */
TEST(skip_line_after_errors)
{
	static const struct slice rows[] = {
		BYTES("a \0 NOOP\r\nb"),
		BYTES("a NO\rOP\r\nb"),
		BYTES("a NOOP\r\r\nb"),
		BYTES("a X {x}\r\nb"),
		BYTES("a X {}\nb"),
		BYTES("a X {5000}\r\nb"),
		BYTES("a this line is longer than thirty bytes\r\nb"),
	};
	static const struct frame_limits limits = { 30, 1000, 1000, 9 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct frame f;
		bool done;
		size_t n;

		test_note("row %zu", i);
		frame_init(&f, FRAME_CLIENT);
		switch (frame_next(&f, rows[i].p, rows[i].len, &limits)) {
		case FRAME_BAD:
		case FRAME_LITERAL_BIG:
		case FRAME_LINE_LONG:
			break;
		case FRAME_MORE:
		case FRAME_LITERAL:
		case FRAME_DONE:
		case FRAME_TOTAL_BIG:
			FAIL("no error");
		}
		n = frame_skip_line(rows[i].p + f.pos, rows[i].len - f.pos, &done);
		CHECK(done);
		CHECK_U64(f.pos + n, rows[i].len - 1);
	}
}

TEST(is_authenticate)
{
	static const struct {
		const char *in;
		bool is;
	} rows[] = {
		{ "a AUTHENTICATE ", true },
		{ "a authenticate PLAIN", true },
		{ "a.1 AuThEnTiCaTe PLAIN x\r\n", true },
		{ "a AUTHENTICATE", false },
		{ "a AUTHENTICATE\r\n", false },
		{ "a AUTHENTICATEX ", false },
		{ "a AUTHENTICAT ", false },
		{ "AUTHENTICATE ", false },
		{ " AUTHENTICATE ", false },
		{ "a  AUTHENTICATE ", false },
		{ "+ AUTHENTICATE ", false },
		{ "a LOGIN AUTHENTICATE ", false },
		{ "", false },
		{ "a", false },
		{ "a ", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		test_note("%s", rows[i].in);
		CHECK(imap_is_authenticate(rows[i].in, strlen(rows[i].in)) == rows[i].is);
		/* true for a prefix is true for the whole */
		for (size_t n = 0; n < strlen(rows[i].in); n++)
			CHECK(!imap_is_authenticate(rows[i].in, n) || rows[i].is);
	}
}
