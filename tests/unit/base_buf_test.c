/*
 * tests/unit/base_buf_test.c - the bounded buffer: growth, bound, both ends, and what is left behind.
 */
#include "test.h"

#include <pthread.h>
#include <sys/mman.h>

#include "base/buf.h"

/* Bytes that differ by position, so that any move shows. */
static char
byte_at(size_t i)
{
	return (char)(i * 7 + i / 256);
}

static void
check_bytes(const struct buf *b, size_t from, size_t to)
{
	struct slice s = buf_slice(b);

	CHECK_U64(s.len, to - from);
	CHECK_U64(buf_len(b), to - from);
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != byte_at(from + i))
			FAIL("byte %zu is wrong", i);
}

TEST(an_empty_buffer_holds_no_memory)
{
	struct buf b;

	buf_init(&b, 100, false);
	CHECK(!b.data);
	CHECK_U64(buf_len(&b), 0);
	CHECK(!buf_slice(&b).p);
	CHECK(buf_put(&b, NULL, 0));
	CHECK(buf_put(&b, "", 0));
	CHECK(buf_put_slice(&b, (struct slice){ NULL, 0 }));
	buf_consume(&b, 0);
	buf_added(&b, 0);
	CHECK(!b.data);
	buf_free(&b);
	CHECK(buf_put(&b, "a", 1));
	buf_free(&b);
	CHECK(!b.data);
	CHECK_U64(b.cap, 0);
	CHECK_U64(b.max, 100); /* the same bound */
	CHECK(buf_put(&b, "b", 1));
	CHECK_SLICE(buf_slice(&b), "b");
	buf_free(&b);
}

TEST(a_bound_of_nothing_allows_nothing)
{
	struct buf b;
	size_t room = 4711;

	buf_init(&b, 0, false);
	CHECK(buf_put(&b, "", 0));
	CHECK(!buf_put(&b, "a", 1));
	CHECK(!buf_room(&b, 0, &room));
	CHECK(!buf_room(&b, 1, &room));
	CHECK(!buf_printf(&b, "%d", 1));
	CHECK(!b.data);
}

TEST(a_buffer_grows_up_to_its_bound_and_never_past_it)
{
	static const size_t bounds[] = { 1, 2, 1023, 1024, 1025, 3000, 4096, 100000 };

	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		struct buf b;

		test_note("max %zu", bounds[i]);
		buf_init(&b, bounds[i], false);
		for (size_t n = 0; n < bounds[i]; n++) {
			char c = byte_at(n);
			CHECK(buf_put(&b, &c, 1));
			CHECK(b.cap <= bounds[i]);
		}
		CHECK(!buf_put(&b, "x", 1));
		check_bytes(&b, 0, bounds[i]);
		buf_consume(&b, 1);
		char c = byte_at(bounds[i]);
		CHECK(buf_put(&b, &c, 1));
		CHECK(!buf_put(&b, "x", 1));
		check_bytes(&b, 1, bounds[i] + 1);
		CHECK_U64(b.cap, bounds[i]);
		buf_free(&b);
	}
}

TEST(what_does_not_fit_is_not_put_in_part)
{
	struct buf b;

	buf_init(&b, 5, false);
	CHECK(buf_put(&b, "abc", 3));
	CHECK(!buf_put(&b, "def", 3));
	CHECK(!buf_put_slice(&b, SLICE("defghi")));
	CHECK(!buf_printf(&b, "%s", "def"));
	CHECK_SLICE(buf_slice(&b), "abc");
	CHECK(buf_put(&b, "de", 2));
	CHECK_SLICE(buf_slice(&b), "abcde");
	buf_free(&b);
}

TEST(an_absurd_wish_for_room_is_refused)
{
	struct buf b;
	size_t room;

	buf_init(&b, SIZE_MAX, false);
	CHECK(buf_put(&b, "abc", 3));
	CHECK(!buf_room(&b, SIZE_MAX, &room));
	CHECK(!buf_room(&b, SIZE_MAX - 2, &room));
	CHECK_SLICE(buf_slice(&b), "abc");
	buf_free(&b);
}

TEST(room_is_at_least_what_was_asked_for)
{
	struct buf b;
	size_t room, max = 5000;

	for (size_t used = 0; used <= max; used += 250)
		for (size_t gone = 0; gone <= used; gone += 125)
			for (size_t want = 0; want <= max + 1; want += 334) {
				buf_init(&b, max, false);
				test_note("used %zu, consumed %zu, want %zu", used, gone, want);
				for (size_t n = 0; n < used; n++) {
					char c = byte_at(n);
					CHECK(buf_put(&b, &c, 1));
				}
				buf_consume(&b, gone);
				room = 0;
				char *at = buf_room(&b, want, &room);
				CHECK((at != NULL) == (used - gone + want <= max));
				check_bytes(&b, gone, used); /* moved or not */
				if (at) {
					CHECK(room >= want);
					CHECK(at == b.data + b.end);
					CHECK(b.end + room == b.cap && b.cap <= max);
					for (size_t n = 0; n < room; n++)
						at[n] = byte_at(used + n);
					buf_added(&b, room);
					check_bytes(&b, gone, used + room);
				}
				buf_free(&b);
			}
}

TEST(a_queue_of_any_rhythm_keeps_the_order)
{
	struct buf b;
	uint64_t seed = 12345;
	size_t in = 0, out = 0;

	buf_init(&b, 6000, false);
	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		size_t n = (size_t)(seed >> 33) % (i % 7 == 0 ? 3000 : 40);
		if (seed >> 63) {
			char text[3000];

			for (size_t j = 0; j < n; j++)
				text[j] = byte_at(in + j);
			CHECK(buf_put(&b, text, n) == (in - out + n <= b.max));
			if (in - out + n <= b.max)
				in += n;
		} else {
			n = n < in - out ? n : in - out;
			buf_consume(&b, n);
			out += n;
		}
		if (i % 64 == 0)
			check_bytes(&b, out, in);
		CHECK_U64(buf_len(&b), in - out);
	}
	check_bytes(&b, out, in);
	buf_consume(&b, in - out);
	CHECK_U64(b.start, 0);
	CHECK_U64(b.end, 0);
	buf_free(&b);
}

TEST(printf_puts_all_or_nothing)
{
	struct buf b;
	char want[5001];

	buf_init(&b, 5000, false);
	CHECK(buf_printf(&b, "a%d", 1));
	CHECK(buf_printf(&b, "%s", ""));
	CHECK(buf_printf(&b, " %s", "b"));
	CHECK_SLICE(buf_slice(&b), "a1 b");
	buf_consume(&b, 4);

	static const int lengths[] = { 2046, 2047, 2048, 2049, 4999, 5000 };
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		test_note("%d", lengths[i]);
		CHECK(buf_printf(&b, "%*d", lengths[i], 7));
		snprintf(want, sizeof(want), "%*d", lengths[i], 7);
		CHECK_SLICE(buf_slice(&b), want);
		buf_consume(&b, buf_len(&b));
	}
	CHECK(!buf_printf(&b, "%*d", 5001, 7));
	CHECK_U64(buf_len(&b), 0);
	buf_free(&b);
}

/* Is any four bytes in a row of the password there? */
static bool
holds(const void *p, size_t len, const char *what)
{
	for (size_t i = 0; i + 4 <= strlen(what); i++)
		if (memmem(p, len, what + i, 4))
			return true;
	return false;
}

TEST(a_secret_buffer_wipes_what_is_consumed)
{
	struct buf b;

	buf_init(&b, 4096, true);
	CHECK(buf_put(&b, "hunter2hunter2 tail", 19));
	buf_consume(&b, 14);
	CHECK(!holds(b.data, b.end, "hunter2"));
	CHECK_SLICE(buf_slice(&b), " tail");
	buf_consume(&b, 5);
	for (size_t i = 0; i < 19; i++)
		CHECK_INT(b.data[i], 0);
	buf_free(&b);
}

TEST(a_secret_buffer_wipes_what_was_moved_within)
{
	struct buf b;
	size_t room;

	buf_init(&b, 1024, true);
	memset(buf_room(&b, 1024, &room), 'x', 1000);
	buf_added(&b, 1000);
	CHECK(buf_put(&b, "hunter2", 7));
	buf_consume(&b, 1000);
	CHECK(buf_room(&b, 500, &room));
	CHECK_U64(b.start, 0);
	CHECK_SLICE(buf_slice(&b), "hunter2");
	CHECK(!holds(b.data + 7, 1007 - 7, "hunter2"));
	buf_free(&b);
}

TEST(a_plain_buffer_is_not_wiped)
{
	struct buf b;

	buf_init(&b, 100, false);
	CHECK(buf_put(&b, "ab", 2));
	buf_consume(&b, 1);
	CHECK_BYTES(b.data, 2, "ab", 2);
	buf_free(&b);
}

static void *
print_a_password(void *arg)
{
	CHECK(buf_printf(arg, "LOGIN %s", "hunter2-hunter2"));
	return NULL;
}

/* On a stack of its own, which is a file, so that it can be read when all is over. */
TEST(printing_leaves_no_copy_on_the_stack)
{
	enum { STACK = 1 << 20 };
	int fd = memfd_create("stack", MFD_CLOEXEC);
	struct buf b;
	pthread_attr_t attr;
	pthread_t thread;
	static char seen[STACK];

	CHECK(fd >= 0 && ftruncate(fd, STACK) == 0);
	void *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(stack != MAP_FAILED);
	buf_init(&b, 4096, true);
	CHECK(pthread_attr_init(&attr) == 0);
	CHECK(pthread_attr_setstack(&attr, stack, STACK) == 0);
	CHECK(pthread_create(&thread, &attr, print_a_password, &b) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK_SLICE(buf_slice(&b), "LOGIN hunter2-hunter2");
	CHECK_INT(pread(fd, seen, STACK, 0), STACK);
	CHECK(!holds(seen, STACK, "hunter2-hunter2"));
	buf_free(&b);
	pthread_attr_destroy(&attr);
	munmap(stack, STACK);
	close(fd);
}
