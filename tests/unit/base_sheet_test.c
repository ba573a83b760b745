/*
 * Values and tables as JSON and as text: whole, escaped, and where there is no room.
 */
#include "test.h"

#include "base/sheet.h"

static char *
written(bool json, void (*fill)(struct sheet *s))
{
	static char text[4096];
	struct buf out;
	struct sheet s;

	buf_init(&out, sizeof(text) - 1, false);
	sheet_init(&s, &out, json);
	fill(&s);
	CHECK(!s.failed);
	CHECK(str_put(text, sizeof(text), buf_slice(&out)));
	buf_free(&out);
	return text;
}

static void
an_object(struct sheet *s)
{
	sheet_begin(s);
	sheet_cstr(s, "name", "a\tb\"c");
	sheet_u64(s, "count", 7);
	sheet_table(s, "rows", "key value");
	sheet_row(s, true);
	sheet_cstr(s, "key", "one");
	sheet_bool(s, "value", true);
	sheet_row_end(s);
	sheet_row(s, false);
	sheet_cstr(s, "key", NULL);
	sheet_bool(s, "value", false);
	sheet_row_end(s);
	sheet_table_end(s);
	sheet_span(s, "age", 90);
	sheet_end(s);
}

TEST(an_object_with_a_table)
{
	CHECK_STR(written(true, an_object),
	    "{\"name\":\"a\\u0009b\\\"c\",\"count\":7,"
	    "\"rows\":[{\"key\":\"one\",\"value\":true},{\"key\":\"\",\"value\":false}],"
	    "\"age\":90.000}\n");
	CHECK_STR(written(false, an_object), "name\ta\\u0009b\\\"c\ncount\t7\n"
					     "\nkey\tvalue\none\tyes\n-\tno\n"
					     "age\t1m30s\n");
}

static void
a_list(struct sheet *s)
{
	sheet_table(s, NULL, "id bytes");
	for (unsigned i = 0; i < 2; i++) {
		sheet_row(s, i == 0);
		sheet_u64(s, "id", i);
		sheet_bytes(s, "bytes", i * UINT64_C(1536));
		sheet_row_end(s);
	}
	sheet_table_end(s);
}

TEST(a_list_is_an_object_a_line)
{
	CHECK_STR(written(true, a_list), "{\"id\":0,\"bytes\":0}\n{\"id\":1,\"bytes\":1536}\n");
	CHECK_STR(written(false, a_list), "id\tbytes\n0\t0\n1\t1.5K\n");
}

static double span;
static void
a_span(struct sheet *s)
{
	sheet_span(s, "t", span);
}

TEST(spans_as_people_say_them)
{
	static const struct {
		double seconds;
		const char *text;
	} table[] = { { 0, "t\t0.0s\n" }, { 59.94, "t\t59.9s\n" }, { 61, "t\t1m1s\n" },
		{ 3600, "t\t1h0m\n" }, { 90061, "t\t1d1h\n" }, { 1e300, "t\t0.0s\n" } };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		span = table[i].seconds;
		CHECK_STR(written(false, a_span), table[i].text);
	}
}

TEST(no_room_is_noticed)
{
	struct buf out;
	struct sheet s;

	buf_init(&out, 8, false);
	sheet_init(&s, &out, true);
	an_object(&s);
	CHECK(s.failed);
	buf_free(&out);
}
