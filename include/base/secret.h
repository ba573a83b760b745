/*
 * base/secret.h - passwords, tokens and keys: wiped when let go, impossible to print by mistake.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>

#include "base/str.h"

struct secret {
	char *data; /* owned; not NUL-terminated; NULL when none */
	size_t len;
};

/* Overwrites memory in a way the compiler keeps (OPENSSL_cleanse). */
void secret_wipe(void *p, size_t len);

/* Replaces what @s held (wiped first) by a copy of @bytes. False when out of memory (@s is empty then). */
bool secret_set(struct secret *s, struct slice bytes) MUST_CHECK;

/* Wipes and frees; @s is empty afterwards. */
void secret_clear(struct secret *s);

static inline struct slice
secret_slice(const struct secret *s)
{
	return (struct slice){ s->data, s->len };
}

/* Fills @dst with random bytes from OpenSSL's generator. False when it has none (then do not go on). */
bool secret_random(void *dst, size_t len) MUST_CHECK;

#endif
