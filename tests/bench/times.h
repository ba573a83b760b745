/*
 * The times that things took, every single one, for medians and quantiles.
 */
#ifndef BENCH_TIMES_H
#define BENCH_TIMES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* In microseconds; what took more than an hour counts as UINT32_MAX. */
struct times {
	uint32_t *us;
	size_t count, room;
};

static inline void
times_add(struct times *t, uint64_t ns)
{
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 4096;
		t->us = realloc(t->us, t->room * sizeof(*t->us));
		if (!t->us) {
			perror("realloc");
			exit(2);
		}
	}
	t->us[t->count++] = ns / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 1000);
}

static inline int
times_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static inline void
times_sort(struct times *t)
{
	if (t->count > 1)
		qsort(t->us, t->count, sizeof(*t->us), times_compare);
}

/* q from 0 to 1; sorted before. 0 when there is none. */
static inline uint32_t
times_quantile(const struct times *t, double q)
{
	return t->count ? t->us[(size_t)(q * (double)(t->count - 1))] : 0;
}

#endif
