/*
 * base/stat.c - counters in a shared memory file, one page-aligned slot a process, written by its owner alone.
 *
 * Plain 64-bit stores: a reader may see a counter a moment late, never torn.
 */
#include "base/stat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/compiler.h"

#define SLOT 4096
_Static_assert(STAT_COUNT * sizeof(uint64_t) <= SLOT, "a slot holds all counters");

static _Atomic uint64_t own[STAT_COUNT];
static _Atomic uint64_t *slot = own;

static const char *const names[] = {
#define X(id, name, help) name,
	STAT_COUNTERS(X) STAT_GAUGES(X)
#undef X
};

/* Only the owner writes: load and store need not be one step. */
static void
change(enum stat_id id, uint64_t by)
{
	uint64_t v = atomic_load_explicit(&slot[id], memory_order_relaxed);
	atomic_store_explicit(&slot[id], v + by, memory_order_relaxed);
}

void
stat_add(enum stat_id id, uint64_t n)
{
	change(id, n);
}

void
stat_dec(enum stat_id id)
{
	change(id, UINT64_MAX);
}

uint64_t
stat_get(enum stat_id id)
{
	return atomic_load_explicit(&slot[id], memory_order_relaxed);
}

const char *
stat_name(enum stat_id id)
{
	return names[id];
}

int
stat_create(unsigned slots, struct err *err)
{
	int fd = memfd_create("sallyport-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_errno(err, errno, "counters");
	if (ftruncate(fd, (off_t)slots * SLOT) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
		err_errno(err, errno, "counters");
		(void)close(fd);
		return -1;
	}
	return fd;
}

int
stat_attach(int fd, unsigned number, struct err *err)
{
	void *p = mmap(NULL, SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)number * SLOT);
	if (p == MAP_FAILED)
		return err_errno(err, errno, "counters");
	_Atomic uint64_t *new = p;
	for (unsigned i = 0; i < STAT_COUNT; i++)
		atomic_store_explicit(&new[i], new[i] + slot[i], memory_order_relaxed);
	slot = new;
	return 1;
}

uint64_t
stat_sum(int fd, unsigned slots, enum stat_id id)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < slots; i++) {
		uint64_t v = 0;
		if (pread(fd, &v, sizeof(v), (off_t)i * SLOT + (off_t)(id * sizeof(v))) ==
		    sizeof(v))
			sum += v;
	}
	return sum;
}
