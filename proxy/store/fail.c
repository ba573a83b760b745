/*
 * store/fail.c - the table of failures of fail.h, by its columns. Knows nothing but the table.
 */
#include "store/fail.h"

#include "base/compiler.h"

struct fail_row {
	const char *name;
	bool retry;
	const char *response;
};

static const struct fail_row fails[] = {
#define X(id, name, retry, text) [FAIL_##id] = { name, retry, text },
	FAILURES(X)
#undef X
};

_Static_assert(ARRAY_SIZE(fails) == FAIL_COUNT, "a row for each failure");

/* A value that is none (it came over a socket pair, say) is answered like a fault of our own. */
static const struct fail_row *
fail_row(enum fail f)
{
	return &fails[(unsigned)f < FAIL_COUNT ? f : FAIL_INTERNAL];
}

const char *
fail_name(enum fail f)
{
	return fail_row(f)->name;
}

bool
fail_retry(enum fail f)
{
	return fail_row(f)->retry;
}

const char *
fail_response(enum fail f)
{
	return fail_row(f)->response;
}
