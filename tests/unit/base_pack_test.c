/*
 * tests/unit/base_pack_test.c - messages between processes: there and back, and every kind of damage.
 */
#include "test.h"

#include "base/pack.h"

enum { MESSAGE = 1 + 2 + 4 + 8 + (4 + 5) + (4 + 0) + (4 + 4) + (4 + 3) };

/* One value of each kind. */
static void
write_all(struct pack *k)
{
	pack_u8(k, 0xfe);
	pack_u16(k, 0xfedc);
	pack_u32(k, 0xfedcba98);
	pack_u64(k, 0xfedcba9876543210);
	pack_slice(k, SLICE("a\0b\xff"
			    "c"));
	pack_slice(k, (struct slice){ NULL, 0 });
	pack_cstr(k, "text");
	pack_cstr(k, "end");
}

static bool
read_all(struct unpack *u)
{
	char text[5], end[4];

	bool same = unpack_u8(u) == 0xfe;
	same &= unpack_u16(u) == 0xfedc;
	same &= unpack_u32(u) == 0xfedcba98;
	same &= unpack_u64(u) == 0xfedcba9876543210;
	same &= slice_eq(unpack_slice(u), SLICE("a\0b\xff"
						"c"));
	same &= unpack_slice(u).len == 0;
	unpack_cstr(u, text, sizeof(text));
	same &= strcmp(text, "text") == 0;
	unpack_cstr(u, end, sizeof(end));
	same &= strcmp(end, "end") == 0;
	return same;
}

TEST(what_is_packed_comes_out_again)
{
	char memory[MESSAGE];
	struct pack k;
	struct unpack u;

	pack_init(&k, memory, sizeof(memory));
	write_all(&k);
	CHECK(!k.overflow);
	CHECK_U64(pack_done(&k).len, MESSAGE);
	CHECK(pack_done(&k).p == memory);
	unpack_init(&u, pack_done(&k));
	CHECK(read_all(&u));
	CHECK(unpack_ok(&u));
}

TEST(too_little_memory_is_noticed_at_every_size)
{
	for (size_t size = 0; size <= MESSAGE; size++) {
		char *memory = malloc(size + 8);
		struct pack k;

		memset(memory, '#', size + 8);
		pack_init(&k, memory, size);
		write_all(&k);
		test_note("%zu bytes", size);
		CHECK(k.overflow == (size < MESSAGE));
		CHECK(pack_done(&k).len <= size);
		CHECK_BYTES(memory + size, 8, "########", 8);
		size_t len = k.len;
		if (k.overflow) {
			pack_u8(&k, 1); /* nothing more goes in, even where it would fit */
			CHECK_U64(k.len, len);
			pack_slice(&k, (struct slice){ NULL, 0 });
			CHECK_U64(k.len, len);
			CHECK(k.overflow);
		}
		free(memory);
	}

	struct pack none;
	pack_init(&none, NULL, 0);
	CHECK(!none.overflow);
	pack_u8(&none, 1);
	CHECK(none.overflow);
}

TEST(a_slice_of_more_than_32_bits_does_not_fit)
{
	char memory[64];
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	pack_slice(&k, (struct slice){ memory, (size_t)UINT32_MAX + 1 });
	CHECK(k.overflow);
	CHECK_U64(k.len, 0);
}

TEST(every_truncation_is_noticed)
{
	char memory[MESSAGE];
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	write_all(&k);
	for (size_t len = 0; len < MESSAGE; len++) {
		char *cut =
		    malloc(len ? len : 1); /* of its own, so that a sanitizer sees its end */
		struct unpack u;

		memcpy(cut, memory, len);
		unpack_init(&u, (struct slice){ len ? cut : NULL, len });
		test_note("%zu bytes", len);
		CHECK(!read_all(&u));
		CHECK(!unpack_ok(&u));
		CHECK(u.bad);
		free(cut);
	}
}

TEST(after_a_bad_value_only_zeros_come)
{
	struct unpack u;
	char text[8] = "old";

	unpack_init(&u, SLICE("\x01\x02\x03"));
	CHECK_U64(unpack_u32(&u), 0);
	CHECK(u.bad);
	CHECK_U64(unpack_u8(&u), 0); /* although a byte is there */
	CHECK_U64(unpack_u16(&u), 0);
	CHECK_U64(unpack_u32(&u), 0);
	CHECK_U64(unpack_u64(&u), 0);
	struct slice s = unpack_slice(&u);
	CHECK(!s.p && s.len == 0);
	unpack_cstr(&u, text, sizeof(text));
	CHECK_STR(text, "");
	CHECK(!unpack_ok(&u));
}

TEST(what_is_left_over_is_noticed)
{
	struct unpack u;

	unpack_init(&u, SLICE("ab"));
	CHECK_U64(unpack_u8(&u), 'a');
	CHECK(!unpack_ok(&u));
	CHECK_U64(unpack_u8(&u), 'b');
	CHECK(unpack_ok(&u));
	unpack_init(&u, (struct slice){ NULL, 0 });
	CHECK(unpack_ok(&u));
	CHECK_U64(unpack_u8(&u), 0);
	CHECK(!unpack_ok(&u));
}

TEST(lengths_that_lie_are_noticed)
{
	static const uint32_t lengths[] = { 4, 5, 255, 0x7fffffff, 0x80000000, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		char memory[16];
		struct pack k;
		struct unpack u;

		pack_init(&k, memory, sizeof(memory));
		pack_u32(&k, lengths[i]);
		pack_u8(&k, 'x');
		pack_u16(&k, 0);
		unpack_init(&u, pack_done(&k));
		test_note("%u", lengths[i]);
		struct slice s = unpack_slice(&u);
		CHECK(!s.p && s.len == 0);
		CHECK(!unpack_ok(&u));
	}
}

TEST(a_cstr_has_no_nul_inside_and_fits)
{
	static const struct {
		struct slice s;
		bool ok;
	} rows[] = {
		{ BYTES(""), true },
		{ BYTES("abc"), true },
		{ BYTES("abcd"), false },
		{ BYTES("abcdefgh"), false },
		{ BYTES("\0"), false },
		{ BYTES("a\0"), false },
		{ BYTES("a\0b"), false },
		{ BYTES("ab\xff"), true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char memory[32], text[8] = "#######";
		struct pack k;
		struct unpack u;

		pack_init(&k, memory, sizeof(memory));
		pack_slice(&k, rows[i].s);
		pack_u8(&k, 7);
		unpack_init(&u, pack_done(&k));
		test_note("row %zu", i);
		unpack_cstr(&u, text, 4);
		CHECK_STR(text, rows[i].ok ? rows[i].s.p : "");
		CHECK_STR(text + 4, "###");
		CHECK_U64(unpack_u8(&u), rows[i].ok ? 7 : 0);
		CHECK(unpack_ok(&u) == rows[i].ok);
	}

	struct unpack u;
	unpack_init(&u, SLICE("\0\0\0\0"));
	unpack_cstr(&u, NULL, 0); /* no room even for the NUL */
	CHECK(!unpack_ok(&u));
}
