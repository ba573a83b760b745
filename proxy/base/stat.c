/*
 * base/stat.c - counters in a shared memory file, one page-aligned slot a process, written by its
 * owner alone.
 *
 * Plain 64-bit loads and stores on both sides: a reader may see a counter a moment late, never torn.
 */
#include "base/stat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/mem.h"

#define SLOT 65536 /* the largest page there is; what is not touched costs nothing */
_Static_assert(STAT_COUNT * sizeof(uint64_t) <= SLOT, "a slot holds all counters");

static _Atomic uint64_t own[STAT_COUNT];
static _Atomic uint64_t *slot = own;
static struct {
	void *memory; /* NULL: the slot is `own` */
	dev_t device;
	ino_t inode;
	unsigned number;
} place; /* of the slot */

static const char *const names[] = {
#define X(id, name, help) name,
	STAT_COUNTERS(X) STAT_GAUGES(X)
#undef X
};

enum {
#define X(id, name, help) COUNTER_##id,
	STAT_COUNTERS(X)
#undef X
	    COUNTERS /* how many: gauges come after them */
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

void
stat_set(enum stat_id id, uint64_t n)
{
	atomic_store_explicit(&slot[id], n, memory_order_relaxed);
}

bool
stat_is_gauge(enum stat_id id)
{
	return (unsigned)id >= COUNTERS;
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
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_errno(err, errno, "counters");
	if ((off_t)number >= st.st_size / SLOT)
		return err_set(err, "counters: there is no slot %u", number);
	bool same_file = place.memory && st.st_dev == place.device && st.st_ino == place.inode;
	if (same_file && number == place.number)
		return 1;
	void *p = mmap(NULL, SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)number * SLOT);
	if (p == MAP_FAILED)
		return err_errno(err, errno, "counters");
	_Atomic uint64_t *new = p, *old = slot;
	for (unsigned i = 0; i < STAT_COUNT; i++) {
		uint64_t n = atomic_load_explicit(&old[i], memory_order_relaxed);
		if (i < COUNTERS)
			n += atomic_load_explicit(&new[i], memory_order_relaxed);
		if (same_file || !place.memory) /* else it would be counted twice */
			atomic_store_explicit(&old[i], 0, memory_order_relaxed);
		atomic_store_explicit(&new[i], n, memory_order_relaxed);
	}
	if (place.memory)
		(void)munmap(place.memory, SLOT);
	slot = new;
	place.memory = p;
	place.device = st.st_dev;
	place.inode = st.st_ino;
	place.number = number;
	return 1;
}

uint64_t
stat_sum(int fd, unsigned slots, enum stat_id id)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	if ((off_t)slots > st.st_size / SLOT)
		slots = (unsigned)(st.st_size / SLOT);
	if (slots == 0)
		return 0;
	char *p = mmap(NULL, (size_t)slots * SLOT, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return 0;
	uint64_t sum = 0;
	for (size_t i = 0; i < slots; i++) {
		_Atomic uint64_t *theirs = (void *)(p + i * SLOT);
		sum += atomic_load_explicit(&theirs[id], memory_order_relaxed);
	}
	(void)munmap(p, (size_t)slots * SLOT);
	return sum;
}

/* --- looking at all of them */

struct stat_view {
	const char *memory;
	size_t size;
};

struct stat_view *
stat_view_open(int fd, struct err *err)
{
	struct stat_view *v = mem_zalloc(sizeof(*v));
	struct stat st;
	void *p;

	if (!v) {
		err_set(err, "counters: out of memory");
		return NULL;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED) {
			v->memory = p;
			v->size = (size_t)st.st_size;
			return v;
		}
	}
	err_errno(err, errno, "counters");
	mem_free(v);
	return NULL;
}

void
stat_view_close(struct stat_view **vp)
{
	struct stat_view *v = *vp;

	if (!v)
		return;
	(void)munmap((void *)(uintptr_t)v->memory, v->size);
	mem_free(v);
	*vp = NULL;
}

uint64_t
stat_view_get(const struct stat_view *v, unsigned number, enum stat_id id)
{
	const _Atomic uint64_t *theirs;

	if (number >= v->size / SLOT)
		return 0;
	theirs = (const void *)(v->memory + (size_t)number * SLOT);
	return atomic_load_explicit(&theirs[id], memory_order_relaxed);
}

unsigned
stat_view_slots(const struct stat_view *v)
{
	return (unsigned)(v->size / SLOT);
}
