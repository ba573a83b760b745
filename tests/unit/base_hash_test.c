/*
 * tests/unit/base_hash_test.c - SipHash-2-4, and the placement that must never change.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "base/hash.h"

/* First in this file: the key is drawn at the first use, here in each child. */
TEST(a_table_hash_differs_between_processes)
{
	uint64_t hash[2] = { 0, 0 };

	for (unsigned i = 0; i < 2; i++) {
		int fds[2];

		CHECK(pipe2(fds, O_CLOEXEC) == 0);
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) {
			hash[i] = hash_table(SLICE("a"));
			_exit(write(fds[1], &hash[i], sizeof(hash[i])) != sizeof(hash[i]));
		}
		CHECK_INT(read(fds[0], &hash[i], sizeof(hash[i])), sizeof(hash[i]));
		CHECK(waitpid(pid, NULL, 0) == pid);
		close(fds[0]);
		close(fds[1]);
	}
	CHECK(hash[0] != hash[1]);
}

/* SipHash-2-4 once more, from the paper (Aumasson, Bernstein: SipHash, a fast short-input PRF). */
static uint64_t
rotl(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static void
rounds(uint64_t v[4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] = rotl(v[2], 32);
	}
}

static uint64_t
little_endian(const unsigned char *p, size_t len)
{
	uint64_t n = 0;

	while (len-- > 0)
		n = n << 8 | p[len];
	return n;
}

static uint64_t
siphash(const unsigned char key[16], const unsigned char *p, size_t len)
{
	uint64_t k0 = little_endian(key, 8), k1 = little_endian(key + 8, 8), m;
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573 };
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		m = little_endian(p + i, 8);
		v[3] ^= m;
		rounds(v, 2);
		v[0] ^= m;
	}
	m = little_endian(p + i, len - i) | (uint64_t)len << 56;
	v[3] ^= m;
	rounds(v, 2);
	v[0] ^= m;
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

TEST(the_yardstick_is_true)
{
	/* The vector of the paper's appendix A. */
	unsigned char key[16], text[15];

	for (unsigned char i = 0; i < 16; i++)
		key[i] = i;
	for (unsigned char i = 0; i < 15; i++)
		text[i] = i;
	CHECK_U64(siphash(key, text, 15), 0xa129ca6149be45e5);
}

/* These numbers say on which store a user's mail is. Whoever changes them moves every user of every fleet. */
TEST(placement_never_changes)
{
	static const struct {
		struct slice a, b;
		uint64_t hash;
	} rows[] = {
		{ BYTES(""), BYTES(""), 0xb50441816d8a0968 },
		{ BYTES("user"), BYTES("store1"), 0xf3841b6304131cf3 },
		{ BYTES("alice@example.org"), BYTES("store1"), 0xd5dd5da63a381a3b },
		{ BYTES("alice@example.org"), BYTES("store2"), 0xbc9b443e622ebfee },
		{ BYTES("\xc3\xa4@example.org"), BYTES("a store with a long name"),
		    0xaf88e35bd11c32b6 },
	};

	for (unsigned twice = 0; twice < 2; twice++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			test_note("row %zu", i);
			CHECK_U64(hash_placement(rows[i].a, rows[i].b), rows[i].hash);
		}
}

TEST(placement_is_siphash_of_both_with_a_nul_between)
{
	unsigned char text[80];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)(i * 37 + 1);
	for (size_t len = 0; len < sizeof(text); len++)
		for (size_t at = 0; at < len; at++) {
			unsigned char was = text[at];
			const char *p = (const char *)text;

			text[at] = 0;
			test_note("%zu of %zu", at, len);
			CHECK_U64(hash_placement((struct slice){ p, at },
				      (struct slice){ p + at + 1, len - at - 1 }),
			    siphash((const unsigned char *)"sallyport/place1", text, len));
			text[at] = was;
		}
}

TEST(no_bytes_are_no_bytes_however_written)
{
	struct slice none = { NULL, 0 };

	CHECK_U64(hash_placement(none, none), hash_placement(SLICE(""), SLICE("")));
	CHECK_U64(hash_placement(SLICE("a"), none), hash_placement(SLICE("a"), SLICE("")));
	CHECK_U64(hash_placement(none, SLICE("a")), hash_placement(SLICE(""), SLICE("a")));
	CHECK_U64(hash_table(none), hash_table(SLICE("")));
}

TEST(the_order_and_the_border_count)
{
	CHECK(hash_placement(SLICE("a"), SLICE("b")) != hash_placement(SLICE("b"), SLICE("a")));
	CHECK(hash_placement(SLICE("ab"), SLICE("c")) != hash_placement(SLICE("a"), SLICE("bc")));
	CHECK(hash_placement(SLICE("a"), SLICE("")) != hash_placement(SLICE(""), SLICE("a")));
}

/* Also when the two kinds are mixed: a context used again starts from its key. */
TEST(a_table_hash_is_the_same_within_a_process)
{
	uint64_t a = hash_table(SLICE("a")), b = hash_table(SLICE("b"));

	CHECK(a != b);
	for (unsigned i = 0; i < 100; i++) {
		(void)hash_placement(SLICE("a"), SLICE("b"));
		CHECK_U64(hash_table(SLICE("b")), b);
		CHECK_U64(hash_table(SLICE("a")), a);
	}
	CHECK(hash_placement(SLICE("a"), SLICE("")) != a);
}
