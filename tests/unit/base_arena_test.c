/* Memory that is let go all at once. */
#include "test.h"

#include "base/arena.h"

TEST(what_it_gives_is_zeroed_and_aligned)
{
	struct arena *a = arena_new();
	CHECK(a);
	for (size_t size = 0; size < 3000; size += 7) {
		char *p = arena_alloc(a, size);
		CHECK(p);
		CHECK_U64((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			CHECK_INT(p[i], 0);
		memset(p, 'x', size);
	}
	arena_free(&a);
	CHECK(!a);
	arena_free(&a);
}

TEST(pieces_do_not_overlap)
{
	struct arena *a = arena_new();
	unsigned char *pieces[500];
	CHECK(a);
	for (unsigned i = 0; i < 500; i++) {
		size_t size = i % 50 == 0 ? 100000 : 1 + i % 97; /* some larger than a chunk */
		pieces[i] = arena_alloc(a, size);
		CHECK(pieces[i]);
		memset(pieces[i], (int)(i & 0xff), size);
	}
	for (unsigned i = 0; i < 500; i++) {
		size_t size = i % 50 == 0 ? 100000 : 1 + i % 97;
		for (size_t j = 0; j < size; j++)
			CHECK_U64(pieces[i][j], i & 0xff);
	}
	arena_free(&a);
}

TEST(a_large_piece_does_not_waste_the_chunk_being_filled)
{
	struct arena *a = arena_new();
	CHECK(a && arena_alloc(a, 16));
	size_t before = arena_size(a);
	CHECK(arena_alloc(a, 100000));
	CHECK(arena_size(a) < before + 100000 + 256);
	size_t with = arena_size(a);
	CHECK(arena_alloc(a, 1000));
	CHECK_U64(arena_size(a), with);
	arena_free(&a);
}

TEST(strings_are_copied_with_a_nul)
{
	struct arena *a = arena_new();
	char text[] = "abcdef";
	CHECK(a);
	char *copy = arena_str(a, (struct slice){ text, 3 });
	text[0] = 'x';
	CHECK_STR(copy, "abc");
	CHECK_STR(arena_str(a, (struct slice){ NULL, 0 }), "");
	arena_free(&a);
}

TEST(more_than_there_is_is_refused)
{
	struct arena *a = arena_new();
	CHECK(a);
	CHECK(!arena_alloc(a, SIZE_MAX));
	CHECK(!arena_alloc(a, SIZE_MAX - 16));
	CHECK(arena_alloc(a, 1));
	arena_free(&a);
}
