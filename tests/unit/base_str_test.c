/*
 * tests/unit/base_str_test.c - slices, words, numbers, and text for people.
 */
#include "test.h"

#include "base/mem.h"

TEST(slices_are_compared_by_bytes_and_length)
{
	static const struct {
		struct slice a, b;
		bool same, same_case;
	} rows[] = {
		{ BYTES(""), BYTES(""), true, true },
		{ { NULL, 0 }, BYTES(""), true, true },
		{ { NULL, 0 }, { NULL, 0 }, true, true },
		{ { NULL, 0 }, BYTES("a"), false, false },
		{ BYTES("a"), BYTES("a"), true, true },
		{ BYTES("a"), BYTES("A"), false, true },
		{ BYTES("Az09[`"), BYTES("aZ09[`"), false, true },
		{ BYTES("@"), BYTES("`"), false, false },
		{ BYTES("["), BYTES("{"), false, false },
		{ BYTES("\xc4"), BYTES("\xe4"), false, false }, /* ASCII alone is folded */
		{ BYTES("ab"), BYTES("abc"), false, false },
		{ BYTES("a\0b"), BYTES("a\0b"), true, true },
		{ BYTES("a\0b"), BYTES("a\0c"), false, false },
		{ BYTES("a\0b"), BYTES("A\0B"), false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		test_note("row %zu", i);
		CHECK(slice_eq(rows[i].a, rows[i].b) == rows[i].same);
		CHECK(slice_eq(rows[i].b, rows[i].a) == rows[i].same);
		CHECK(slice_eq_case(rows[i].a, rows[i].b) == rows[i].same_case);
		CHECK(slice_eq_case(rows[i].b, rows[i].a) == rows[i].same_case);
	}
	CHECK(slice_eq_cstr(SLICE("abc"), "abc"));
	CHECK(!slice_eq_cstr(SLICE("abc\0"), "abc"));
	CHECK(slice_eq_cstr(SLICE(""), NULL));
	CHECK_U64(slice_of(NULL).len, 0);
	CHECK_U64(SLICE("a\0b").len, 3);
}

TEST(every_byte_folds_as_ascii)
{
	for (unsigned c = 0; c < 256; c++) {
		char lower = (char)c, upper = (char)c;

		if (c >= 'A' && c <= 'Z')
			lower = (char)(c + 32);
		if (c >= 'a' && c <= 'z')
			upper = (char)(c - 32);
		test_note("byte %u", c);
		CHECK_INT(ascii_lower((char)c), lower);
		CHECK_INT(ascii_upper((char)c), upper);
	}
}

TEST(a_prefix_is_found_in_any_case)
{
	CHECK(slice_starts_case(SLICE("AUTH=PLAIN"), SLICE("auth=")));
	CHECK(slice_starts_case(SLICE("auth="), SLICE("AUTH=")));
	CHECK(slice_starts_case(SLICE("x"), SLICE("")));
	CHECK(slice_starts_case((struct slice){ NULL, 0 }, SLICE("")));
	CHECK(!slice_starts_case(SLICE("auth"), SLICE("AUTH=")));
	CHECK(!slice_starts_case(SLICE(""), SLICE("a")));
}

TEST(spaces_and_tabs_are_trimmed_at_both_ends)
{
	static const char *const rows[][2] = { { "", "" }, { " ", "" }, { " \t \t", "" },
		{ "a", "a" }, { " a", "a" }, { "a\t", "a" }, { "\t a b \t", "a b" },
		{ "\na\r", "\na\r" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		test_note("%s", rows[i][0]);
		CHECK_SLICE(slice_trim(slice_of(rows[i][0])), rows[i][1]);
	}
	CHECK_U64(slice_trim((struct slice){ NULL, 0 }).len, 0);
}

TEST(words_are_cut_at_spaces)
{
	static const struct {
		const char *text, *words[4];
	} rows[] = {
		{ "", { NULL } },
		{ "   ", { NULL } },
		{ "a", { "a" } },
		{ " a ", { "a" } },
		{ "a b", { "a", "b" } },
		{ "  one   two\tx  three ", { "one", "two\tx", "three" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice s = slice_of(rows[i].text);

		test_note("%s", rows[i].text);
		for (size_t j = 0; rows[i].words[j]; j++)
			CHECK_SLICE(slice_word(&s), rows[i].words[j]);
		CHECK_U64(slice_word(&s).len, 0);
		CHECK_U64(s.len, 0);
		CHECK_U64(slice_word(&s).len, 0);
	}

	struct slice rest = SLICE("a  b c");
	CHECK_SLICE(slice_word(&rest), "a");
	CHECK_SLICE(rest, "  b c"); /* what is behind a word stays as it is */
	struct slice none = { NULL, 0 };
	CHECK_U64(slice_word(&none).len, 0);
	struct slice nul = SLICE("a\0b c");
	CHECK_BYTES(slice_word(&nul).p, 3, "a\0b", 3);
}

TEST(parts_are_cut_at_separators)
{
	static const struct {
		const char *text, *parts[4];
	} rows[] = {
		{ "", { NULL } },
		{ "a", { "a" } },
		{ ",", { "" } },
		{ "a,", { "a" } },
		{ ",a", { "", "a" } },
		{ "a,b", { "a", "b" } },
		{ "a,,b", { "a", "", "b" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice s = slice_of(rows[i].text), part = SLICE("untouched");

		test_note("%s", rows[i].text);
		for (size_t j = 0; rows[i].parts[j]; j++) {
			CHECK(slice_cut(&s, ',', &part));
			CHECK_SLICE(part, rows[i].parts[j]);
		}
		part = SLICE("untouched");
		CHECK(!slice_cut(&s, ',', &part));
		CHECK_SLICE(part, "untouched");
	}

	struct slice nul = SLICE("a\0b"), part;
	CHECK(slice_cut(&nul, '\0', &part));
	CHECK_SLICE(part, "a");
	CHECK_SLICE(nul, "b");
	struct slice none = { NULL, 0 };
	CHECK(!slice_cut(&none, ',', &part));
}

TEST(put_copies_what_fits_and_holds_no_nul)
{
	char dst[8];

	for (size_t len = 0; len <= 7; len++)
		for (size_t size = 0; size <= sizeof(dst); size++) {
			memset(dst, 'x', sizeof(dst));
			test_note("%zu bytes into %zu", len, size);
			bool fits = str_put(dst, size, (struct slice){ "abcdefg", len });
			CHECK(fits == (len < size));
			if (fits)
				CHECK_BYTES(dst, strlen(dst), "abcdefg", len);
			else if (size > 0)
				CHECK_STR(dst, "");
			for (size_t i = size; i < sizeof(dst); i++)
				CHECK_INT(dst[i], 'x');
		}
	memset(dst, 'x', sizeof(dst));
	CHECK(!str_put(dst, sizeof(dst), SLICE("a\0b")));
	CHECK_STR(dst, "");
	CHECK(!str_put(dst, sizeof(dst), SLICE("a\0")));
	CHECK(str_put(dst, sizeof(dst), (struct slice){ NULL, 0 }));
	CHECK_STR(dst, "");
}

TEST(dup_gives_a_copy_of_its_own)
{
	char text[] = "hello";
	char *copy = str_dup(slice_of(text));

	text[0] = 'j';
	CHECK_STR(copy, "hello");
	mem_free(copy);
	copy = str_dup((struct slice){ NULL, 0 });
	CHECK_STR(copy, "");
	mem_free(copy);
	CHECK(!str_dup(SLICE("a\0b")));
}

TEST(fmt_says_whether_all_fitted)
{
	char dst[6];

	CHECK(str_fmt(dst, sizeof(dst), "%d", 12345));
	CHECK_STR(dst, "12345");
	CHECK(!str_fmt(dst, sizeof(dst), "%d", 123456));
	CHECK_STR(dst, "12345");
	CHECK(str_fmt(dst, 1, "%s", ""));
	CHECK(!str_fmt(dst, 1, "a"));
	CHECK_STR(dst, "");
	CHECK(!str_fmt(NULL, 0, "a"));
	CHECK(str_fmt(dst, sizeof(dst), SLICE_FMT, SLICE_ARG(((struct slice){ NULL, 0 }))));
	CHECK_STR(dst, "");
	CHECK(str_fmt(dst, sizeof(dst), SLICE_FMT, SLICE_ARG(((struct slice){ "abcd", 2 }))));
	CHECK_STR(dst, "ab");
}

TEST(numbers_are_digits_up_to_the_bound)
{
	static const struct {
		struct slice text;
		uint64_t max;
		bool ok;
		uint64_t n;
	} rows[] = {
		{ BYTES("0"), 0, true, 0 },
		{ BYTES("1"), 0, false, 0 },
		{ BYTES("000000000000000000000000007"), 7, true, 7 },
		{ BYTES("65535"), 65535, true, 65535 },
		{ BYTES("65536"), 65535, false, 0 },
		{ BYTES("655350"), 65535, false, 0 },
		{ BYTES("4294967295"), UINT32_MAX, true, UINT32_MAX },
		{ BYTES("4294967296"), UINT32_MAX, false, 0 },
		{ BYTES("18446744073709551615"), UINT64_MAX, true, UINT64_MAX },
		{ BYTES("18446744073709551616"), UINT64_MAX, false, 0 },
		{ BYTES("18446744073709551619"), UINT64_MAX, false, 0 },
		{ BYTES("18446744073709551625"), UINT64_MAX, false, 0 },
		{ BYTES("99999999999999999999"), UINT64_MAX, false, 0 },
		{ BYTES("184467440737095516150"), UINT64_MAX, false, 0 },
		{ BYTES(""), 9, false, 0 },
		{ { NULL, 0 }, 9, false, 0 },
		{ BYTES("+1"), 9, false, 0 },
		{ BYTES("-1"), 9, false, 0 },
		{ BYTES("-0"), 9, false, 0 },
		{ BYTES(" 1"), 9, false, 0 },
		{ BYTES("1 "), 9, false, 0 },
		{ BYTES("1\0"), 9, false, 0 },
		{ BYTES("0x1"), 99, false, 0 },
		{ BYTES("1."), 99, false, 0 },
		{ BYTES("/"), 99, false, 0 },
		{ BYTES(":"), 99, false, 0 },
		{ BYTES("\xb2"), 99, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t n = 4711;

		test_note("%s", rows[i].text.p ? rows[i].text.p : "NULL");
		CHECK(str_u64(rows[i].text, rows[i].max, &n) == rows[i].ok);
		CHECK_U64(n, rows[i].ok ? rows[i].n : 4711);
	}
}

TEST(printable_escapes_every_byte_that_is_not)
{
	for (unsigned c = 0; c < 256; c++) {
		char byte = (char)c, dst[8], want[8];

		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			snprintf(want, sizeof(want), "\\x%02x", c);
		else
			snprintf(want, sizeof(want), "%c", (int)c);
		test_note("byte %u", c);
		CHECK(str_printable(dst, sizeof(dst), (struct slice){ &byte, 1 }) == dst);
		CHECK_STR(dst, want);
	}

	char dst[4];
	CHECK_STR(str_printable(dst, sizeof(dst), (struct slice){ NULL, 0 }), "");
}

/* Every text of up to six parts, some plain and some escaped, into every size: whole where it fits, else a
 * prefix of whole characters and as much of "..." as there is room for, and never longer than it must be cut. */
TEST(printable_cuts_only_what_does_not_fit)
{
	for (unsigned pattern = 0; pattern < 64; pattern++)
		for (size_t len = 0; len <= 6; len++) {
			char text[6], whole[32];
			size_t ends[7] = { 0 }, at = 0;

			for (size_t i = 0; i < len; i++) {
				bool plain = pattern >> i & 1;

				text[i] = plain ? 'a' : '\n';
				memcpy(whole + at, plain ? "a" : "\\x0a", plain ? 1 : 4);
				at += plain ? 1 : 4;
				ends[i + 1] = at;
			}
			whole[at] = '\0';
			for (size_t size = 0; size <= at + 3; size++) {
				char dst[40];

				memset(dst, '#', sizeof(dst));
				test_note("%s into %zu", whole, size);
				str_printable(dst, size, (struct slice){ text, len });
				for (size_t i = size; i < sizeof(dst); i++)
					CHECK_INT(dst[i], '#');
				if (size == 0)
					continue;
				if (at < size) {
					CHECK_STR(dst, whole);
					continue;
				}
				size_t keep = 0;
				for (size_t i = 0; i <= len; i++)
					if (ends[i] + 4 <= size)
						keep = ends[i];
				size_t dots = size - 1 - keep < 3 ? size - 1 - keep : 3;
				char want[40];
				snprintf(want, sizeof(want), "%.*s%.*s", (int)keep, whole,
				    (int)dots, "...");
				CHECK_STR(dst, want);
			}
		}
}

TEST(distance_counts_edits)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} rows[] = {
		{ "", "", 0 },
		{ "a", "", 1 },
		{ "a", "b", 1 },
		{ "a", "A", 0 },
		{ "listen", "listen", 0 },
		{ "listen", "lisen", 1 },
		{ "listen", "listten", 1 },
		{ "listen", "lixten", 1 },
		{ "listen", "lisetn", 2 },
		{ "kitten", "sitting", 3 },
		{ "saturday", "sunday", 3 },
		{ "abc", "xyz", 3 },
		{ "abcd", "", 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice a = slice_of(rows[i].a), b = slice_of(rows[i].b);

		test_note("%s, %s", rows[i].a, rows[i].b);
		for (unsigned max = 0; max < 6; max++) {
			unsigned want = rows[i].distance > max ? max + 1 : rows[i].distance;

			CHECK_U64(str_distance(a, b, max), want);
			CHECK_U64(str_distance(b, a, max), want);
		}
	}

	char words[2][65];
	memset(words, 'a', sizeof(words));
	CHECK_U64(
	    str_distance((struct slice){ words[0], 64 }, (struct slice){ words[1], 64 }, 2), 0);
	CHECK_U64(
	    str_distance((struct slice){ words[0], 65 }, (struct slice){ words[1], 65 }, 2), 3);
	CHECK_U64(
	    str_distance((struct slice){ words[0], 64 }, (struct slice){ words[1], 65 }, 2), 3);
	CHECK_U64(str_distance((struct slice){ NULL, 0 }, SLICE("ab"), 5), 2);
}
