/*
 * tests/unit/base_mem_test.c - allocations that may fail, and pools of equal objects.
 *
 * Under ASan a pool takes each object from malloc, so that the sanitizer sees its life; what is said of slabs is
 * checked without it.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/mem.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SLABS 0
#else
#define SLABS 1
#endif

static uint64_t seed = 88172645463325252u;

static uint64_t
next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static bool
all_zero(const void *p, size_t len)
{
	const char *c = p;

	for (size_t i = 0; i < len; i++)
		if (c[i] != 0)
			return false;
	return true;
}

TEST(nothing_is_something)
{
	void *p = mem_alloc(0), *z = mem_zalloc(0);

	CHECK(p && z && p != z);
	p = mem_realloc(p, 0);
	CHECK(p);
	mem_free(p);
	mem_free(z);
	mem_free(NULL);
	mem_trim();
}

TEST(zalloc_is_zeroed_and_realloc_keeps)
{
	char *p = mem_alloc(5000);

	CHECK(p);
	memset(p, 'x', 5000);
	mem_free(p);
	p = mem_zalloc(5000);
	CHECK(p && all_zero(p, 5000));
	memcpy(p, "hello", 5);
	p = mem_realloc(p, 50000);
	CHECK(p && memcmp(p, "hello", 5) == 0);
	mem_free(p);
}

TEST(an_array_that_overflows_is_refused)
{
	static const size_t rows[][2] = { { SIZE_MAX, 2 }, { 2, SIZE_MAX },
		{ (size_t)1 << 32, (size_t)1 << 32 }, { SIZE_MAX / 8 + 1, 8 } };
	uint32_t *p = mem_array(NULL, 3, sizeof(*p));

	CHECK(p);
	p[2] = 7;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK(!mem_array(p, rows[i][0], rows[i][1]));
		CHECK_U64(p[2], 7); /* still valid */
	}
	uint32_t *more = mem_array(p, 1000, sizeof(*p));
	CHECK(more);
	CHECK_U64(more[2], 7);
	mem_free(more);
}

TEST(objects_are_zero_aligned_and_apart)
{
	static const size_t sizes[] = { 1, 8, 15, 16, 17, 100, 1000, 4096, 20000, 40000, 65000 };

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		enum { N = 50 };
		size_t size = sizes[s];
		struct mem_pool *pool = mem_pool_new("test", size);
		unsigned char *o[N];

		test_note("size %zu", size);
		CHECK(pool);
		for (unsigned round = 0; round < 3; round++) {
			for (unsigned i = 0; i < N; i++) {
				o[i] = mem_pool_get(pool);
				CHECK(o[i] && (uintptr_t)o[i] % 16 == 0);
				CHECK(all_zero(o[i], size));
				memset(o[i], (int)i + 1, size);
				CHECK_U64(mem_pool_used(pool), i + 1);
			}
			for (unsigned i = 0; i < N; i++)
				for (size_t j = 0; j < size; j++)
					if (o[i][j] != i + 1)
						FAIL("object %u is not alone", i);
			for (unsigned i = 0; i < N; i++) /* in, out, and from the middle */
				mem_pool_put(pool, o[(i * 7 + round) % N]);
			CHECK_U64(mem_pool_used(pool), 0);
		}
		mem_pool_put(pool, NULL);
		mem_pool_free(&pool);
		CHECK(!pool);
		mem_pool_free(&pool);
	}
}

TEST(thousands_come_and_go_at_random)
{
	enum { N = 3000, STEPS = 200000, SIZE = 200 };
	struct mem_pool *pool = mem_pool_new("test", SIZE);
	static unsigned *o[N];
	size_t used = 0;

	CHECK(pool);
	for (unsigned step = 0; step < STEPS; step++) {
		/* Waves: mostly in, then mostly out. */
		unsigned i = (unsigned)(next_random() % N);
		bool want = next_random() % 10 < (step / 20000 % 2 ? 2 : 8);

		if (!o[i] && want) {
			o[i] = mem_pool_get(pool);
			CHECK(o[i] && all_zero(o[i], SIZE));
			o[i][0] = o[i][SIZE / 4 - 1] = i + 1;
			used++;
		} else if (o[i] && !want) {
			CHECK(o[i][0] == i + 1 && o[i][SIZE / 4 - 1] == i + 1);
			mem_pool_put(pool, o[i]);
			o[i] = NULL;
			used--;
		}
		CHECK_U64(mem_pool_used(pool), used);
	}
	for (unsigned i = 0; i < N; i++) {
		CHECK(!o[i] || (o[i][0] == i + 1 && o[i][SIZE / 4 - 1] == i + 1));
		mem_pool_put(pool, o[i]);
		o[i] = NULL;
	}
	CHECK_U64(mem_pool_used(pool), 0);
	mem_pool_free(&pool);
}

#if SLABS
TEST(what_comes_back_is_zeroed_at_once)
{
	struct mem_pool *pool = mem_pool_new("test", 256);
	char *keep = mem_pool_get(pool), *o = mem_pool_get(pool);

	CHECK(keep && o);
	memset(o, 's', 256);
	mem_pool_put(pool, o);
	CHECK(all_zero(o + sizeof(void *), 256 - sizeof(void *))); /* the first word links */
	CHECK(mem_pool_get(pool) == o); /* and is the next to be handed out */
	CHECK(all_zero(o, 256));
	mem_pool_put(pool, o);
	mem_pool_put(pool, keep);
	mem_pool_free(&pool);
}

enum { VIRTUAL, RESIDENT };

static size_t
pages(int which)
{
	unsigned long n[2] = { 0, 0 };
	FILE *f = fopen("/proc/self/statm", "re");

	CHECK(f && fscanf(f, "%lu %lu", &n[0], &n[1]) == 2);
	fclose(f);
	return n[which] * (size_t)sysconf(_SC_PAGESIZE);
}

TEST(empty_slabs_go_back_to_the_system_but_for_one)
{
	enum { N = 16384, SIZE = 1000, ALL = N * 1008, SLACK = 1 << 20 };
	struct mem_pool *pool = mem_pool_new("test", SIZE);
	static void *o[N];
	const char *preload = getenv("LD_PRELOAD");

	CHECK(pool);
	if (preload && strstr(preload, "valgrind")) { /* its own memory is counted too */
		mem_pool_free(&pool);
		return;
	}
	void *wall = mem_alloc(1000); /* not a matter of luck with the end of the heap */
	size_t size = pages(VIRTUAL), resident = pages(RESIDENT);
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < N; i++)
			CHECK(o[i] = mem_pool_get(pool));
		test_note("%zu of %d bytes", pages(VIRTUAL) - size, ALL);
		CHECK(pages(VIRTUAL) < size + ALL + ALL / 50 + SLACK);
		CHECK(pages(RESIDENT) > resident + ALL - SLACK);
		void *later = mem_alloc(1000);
		for (unsigned i = 0; i < N; i++)
			mem_pool_put(pool, o[(i * 5) % N]);
		CHECK(pages(VIRTUAL) < size + SLACK);
		CHECK(pages(RESIDENT) < resident + SLACK);
		mem_free(later);
	}
	mem_free(wall);

	/* At the edge of a slab nothing is taken and given back to and fro: the one that is kept is used again. */
	o[0] = mem_pool_get(pool);
	for (unsigned i = 0; i < 100; i++) {
		void *was = o[0];

		mem_pool_put(pool, o[0]);
		o[0] = mem_pool_get(pool);
		CHECK(o[0] == was);
	}
	mem_pool_put(pool, o[0]);
	mem_pool_free(&pool);
}

TEST(slabs_are_aligned_wherever_the_system_puts_them)
{
	enum { N = 40 };
	struct mem_pool *pool = mem_pool_new("test", 60000); /* one a slab */
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *o[N];
	void *between[N];

	CHECK(pool);
	for (unsigned i = 0; i < N; i++) {
		between[i] =
		    mmap(NULL, page * (i % 5 + 1), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(between[i] != MAP_FAILED);
		o[i] = mem_pool_get(pool);
		CHECK(o[i] && all_zero(o[i], 60000));
		memset(o[i], 'x', 60000);
	}
	for (unsigned i = 0; i < N; i++)
		mem_pool_put(pool, o[(i * 3) % N]); /* each finds its slab */
	CHECK_U64(mem_pool_used(pool), 0);
	mem_pool_free(&pool);
	for (unsigned i = 0; i < N; i++)
		munmap(between[i], page * (i % 5 + 1));
}

/* In a child, which may not have much more than it has. */
static bool
runs_out_of_memory(void)
{
	struct mem_pool *pool = mem_pool_new("test", 60000);
	struct rlimit limit = { pages(VIRTUAL) + (8 << 20), RLIM_INFINITY };
	static void *o[1000];
	unsigned n = 0;

	if (!pool || setrlimit(RLIMIT_AS, &limit) != 0)
		return false;
	while (n < 1000 && (o[n] = mem_pool_get(pool)))
		n++;
	if (n < 50 || n == 1000 || mem_pool_used(pool) != n || mem_pool_get(pool))
		return false;
	if (mem_alloc(64 << 20) || mem_zalloc(64 << 20))
		return false;
	mem_pool_put(pool, o[--n]);
	mem_pool_put(pool, o[--n]);
	if (!mem_pool_get(pool)) /* there is room again */
		return false;
	return true;
}

TEST(out_of_memory_is_a_refusal)
{
	const char *preload = getenv("LD_PRELOAD");
	int status;

	if (preload && strstr(preload, "valgrind")) /* would not live on so little */
		return;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		exit(runs_out_of_memory() ? 0 : 1);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif
