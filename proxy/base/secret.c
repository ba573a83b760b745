/*
 * base/secret.c - wiping and random bytes, by OpenSSL.
 */
#include "base/secret.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/mem.h"

void
secret_wipe(void *p, size_t len)
{
	OPENSSL_cleanse(p, len);
}

bool
secret_set(struct secret *s, struct slice bytes)
{
	/* Copied before the old value goes, of which it may be a part. An empty password is a value too:
	 * data is not NULL. */
	char *data = mem_alloc(bytes.len + 1);
	if (data && bytes.len > 0)
		memcpy(data, bytes.p, bytes.len);
	secret_clear(s);
	if (!data)
		return false;
	s->data = data;
	s->len = bytes.len;
	return true;
}

void
secret_clear(struct secret *s)
{
	if (s->data) {
		secret_wipe(s->data, s->len);
		mem_free(s->data);
	}
	s->data = NULL;
	s->len = 0;
}

bool
secret_random(void *dst, size_t len)
{
	return len <= INT_MAX && RAND_bytes(dst, (int)len) == 1;
}
