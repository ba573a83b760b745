/*
 * tests/unit/base_secret_test.c - secrets, and the wiping of everything that may have held one.
 *
 * The allocator of base/mem is played by this file: it looks at all memory that is given back, and has none to
 * give when told so.
 */
#include "test.h"

#include <malloc.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"

static const char password[] = "correct horse battery staple";
static unsigned allocations, frees, dirty, fail_after;

static bool
holds(const void *p, size_t len)
{
	for (size_t i = 0; i + 4 < sizeof(password); i++)
		if (memmem(p, len, password + i, 4))
			return true;
	return false;
}

void *
mem_alloc(size_t size)
{
	allocations++;
	if (fail_after > 0 && --fail_after == 0)
		return NULL;
	return size > PTRDIFF_MAX ? NULL : calloc(1, size);
}

void *
mem_zalloc(size_t size)
{
	return mem_alloc(size);
}

void
mem_free(void *p)
{
	if (!p)
		return;
	frees++;
	dirty += holds(p, malloc_usable_size(p));
	free(p);
}

/* Whether what was freed since the last call held the password. */
static bool
clean(unsigned want_frees)
{
	bool ok = frees == want_frees && dirty == 0;

	frees = dirty = 0;
	return ok;
}

TEST(a_secret_is_a_copy)
{
	struct secret s = { NULL, 0 };
	char text[] = "hunter2";

	CHECK(secret_set(&s, slice_of(text)));
	memset(text, 'x', 7);
	CHECK_SLICE(secret_slice(&s), "hunter2");
	secret_clear(&s);
	CHECK(!s.data);
	CHECK_U64(s.len, 0);
	secret_clear(&s); /* twice is fine */
	CHECK_U64(secret_slice(&s).len, 0);
	clean(0);
}

TEST(an_empty_secret_is_a_value_too)
{
	struct secret s = { NULL, 0 };

	CHECK(secret_set(&s, SLICE("")));
	CHECK(s.data);
	CHECK_U64(s.len, 0);
	CHECK(secret_set(&s, (struct slice){ NULL, 0 }));
	CHECK(s.data);
	CHECK_U64(s.len, 0);
	secret_clear(&s);
	CHECK(!s.data);
	clean(0);
}

TEST(a_secret_may_hold_any_byte)
{
	struct secret s = { NULL, 0 };
	char all[256];

	for (unsigned i = 0; i < 256; i++)
		all[i] = (char)i;
	CHECK(secret_set(&s, (struct slice){ all, 256 }));
	CHECK_BYTES(s.data, s.len, all, 256);
	secret_clear(&s);
	clean(0);
}

TEST(a_secret_is_wiped_when_cleared_and_when_replaced)
{
	struct secret s = { NULL, 0 };

	clean(0);
	CHECK(secret_set(&s, slice_of(password)));
	CHECK(holds(s.data, s.len));
	CHECK(secret_set(&s, SLICE("x")));
	CHECK_SLICE(secret_slice(&s), "x");
	CHECK(clean(1));
	CHECK(secret_set(&s, slice_of(password)));
	secret_clear(&s);
	CHECK(clean(2));
}

TEST(a_secret_may_be_replaced_by_a_part_of_itself)
{
	struct secret s = { NULL, 0 };

	CHECK(secret_set(&s, slice_of(password)));
	CHECK(secret_set(&s, (struct slice){ s.data + 8, 5 }));
	CHECK_SLICE(secret_slice(&s), "horse");
	CHECK(secret_set(&s, secret_slice(&s)));
	CHECK_SLICE(secret_slice(&s), "horse");
	secret_clear(&s);
	CHECK(clean(3));
}

TEST(without_memory_a_secret_is_empty_and_the_old_one_gone)
{
	struct secret s = { NULL, 0 };

	CHECK(secret_set(&s, slice_of(password)));
	fail_after = 1;
	CHECK(!secret_set(&s, SLICE("new")));
	CHECK(!s.data);
	CHECK_U64(s.len, 0);
	CHECK(clean(1));
}

TEST(wiping_overwrites_exactly_what_it_is_told)
{
	char text[16] = "0123456789abcde";

	secret_wipe(text + 4, 8);
	CHECK_BYTES(text, 16, "0123\0\0\0\0\0\0\0\0cde", 16);
	secret_wipe(text, 0);
	CHECK_INT(text[0], '0');
	secret_wipe(NULL, 0);
}

TEST(random_bytes_differ)
{
	unsigned char a[32] = { 0 }, b[32] = { 0 };
	unsigned same = 0;

	CHECK(secret_random(a, sizeof(a)));
	CHECK(secret_random(b, sizeof(b)));
	for (size_t i = 0; i < sizeof(a); i++)
		same += a[i] == b[i];
	CHECK(same < 16);
	CHECK(secret_random(a, 0));
	CHECK(!secret_random(NULL, (size_t)1 << 40)); /* more than the generator can count */
}

/* A secret buffer is filled, grown, moved, consumed and freed: no memory given back holds the password. */
TEST(a_secret_buffer_gives_nothing_back_unwiped)
{
	struct buf b;
	size_t room;

	clean(0);
	buf_init(&b, 8192, true);
	CHECK(buf_put_slice(&b, slice_of(password)));
	for (unsigned i = 0; i < 200; i++)
		CHECK(buf_put_slice(&b, slice_of(password))); /* grows to 2, 4 and 8 KiB */
	CHECK(b.cap > 4096);
	CHECK(clean(3));
	buf_free(&b);
	CHECK(clean(1));

	CHECK(buf_put_slice(&b, slice_of(password)));
	buf_consume(&b, 10);
	CHECK(!memmem(b.data, b.end, password, 10));
	buf_consume(&b, buf_len(&b));
	CHECK(!holds(b.data, b.cap));
	buf_free(&b);
	CHECK(clean(1));

	/* What is written into the room and not claimed goes too. */
	char *at = buf_room(&b, 100, &room);
	CHECK(at && room >= sizeof(password));
	memcpy(at, password, sizeof(password));
	buf_free(&b);
	CHECK(clean(1));
}

TEST(a_secret_buffer_leaves_nothing_behind_where_it_was_moved)
{
	struct buf b;
	size_t room;

	buf_init(&b, 1024, true);
	char *at = buf_room(&b, 1000, &room);
	CHECK(at);
	memset(at, '.', 990);
	buf_added(&b, 990);
	CHECK(buf_put_slice(&b, slice_of(password)));
	buf_consume(&b, 990);
	CHECK(buf_room(&b, 500, &room)); /* to the front */
	CHECK_U64(b.start, 0);
	CHECK_SLICE(buf_slice(&b), password);
	CHECK(!holds(b.data + b.end, b.cap - b.end));
	buf_free(&b);

	/* Overlapping itself: moved by less than its own length. */
	at = buf_room(&b, 1024, &room);
	CHECK(at);
	memset(at, '.', 1024 - sizeof(password));
	memcpy(at + 1024 - sizeof(password), password, sizeof(password));
	buf_added(&b, 1024);
	buf_consume(&b, 10);
	CHECK(buf_room(&b, 10, &room));
	CHECK_U64(b.end, 1014);
	for (size_t i = b.end; i < b.cap; i++)
		CHECK_INT(b.data[i], 0);
	buf_free(&b);
	clean(0);
}

TEST(long_text_is_printed_into_a_secret_buffer_without_a_trace)
{
	struct buf b;

	clean(0);
	buf_init(&b, 8192, true);
	CHECK(buf_printf(&b, "%3000s%s", "", password));
	CHECK_U64(buf_len(&b), 3000 + sizeof(password) - 1);
	buf_consume(&b, 3000);
	CHECK_SLICE(buf_slice(&b), password);
	buf_free(&b);
	CHECK(frees > 0 && dirty == 0);
	clean(0);
}

TEST(without_memory_a_buffer_keeps_what_it_has)
{
	struct buf b;

	buf_init(&b, 8192, false);
	fail_after = 1;
	CHECK(!buf_put(&b, "x", 1));
	CHECK(!b.data);
	CHECK(buf_put(&b, "abc", 3));
	for (unsigned i = 1; i <= 2; i++) {
		fail_after = i;
		bool ok = buf_printf(&b, "%3000s", "");
		CHECK(!ok || fail_after > 0);
		if (!ok)
			CHECK_SLICE(buf_slice(&b), "abc");
	}
	fail_after = 0;
	buf_free(&b);

	size_t room;
	buf_init(&b, SIZE_MAX, false);
	CHECK(buf_put(&b, "abc", 3));
	CHECK(!buf_room(&b, SIZE_MAX - 3, &room)); /* and not an endless doubling */
	CHECK(!buf_room(&b, SIZE_MAX / 2 + 1, &room));
	CHECK_SLICE(buf_slice(&b), "abc");
	buf_free(&b);

	fail_after = 1;
	CHECK(!str_dup(SLICE("x")));
	fail_after = 0;
	clean(0);
}
