/*
 * base/hash.c - SipHash-2-4 by OpenSSL, two keyed contexts a process.
 *
 * A context is re-initialised with the key that it has (EVP_MAC_init without one), which costs no key setup.
 */
#include "base/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/secret.h"

#define KEY 16

static EVP_MAC_CTX *
context(const unsigned char key[KEY])
{
	unsigned size = 8;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	ASSERT(ctx && EVP_MAC_init(ctx, key, KEY, params) == 1);
	EVP_MAC_free(mac);
	return ctx;
}

static uint64_t
hash(EVP_MAC_CTX *ctx, struct slice a, struct slice b)
{
	unsigned char out[8];
	size_t len = 0;
	ASSERT(EVP_MAC_init(ctx, NULL, 0, NULL) == 1);
	ASSERT(EVP_MAC_update(ctx, (const unsigned char *)(a.p ? a.p : ""), a.len) == 1);
	if (b.p) {
		ASSERT(EVP_MAC_update(ctx, (const unsigned char *)"", 1) == 1);
		ASSERT(EVP_MAC_update(ctx, (const unsigned char *)b.p, b.len) == 1);
	}
	ASSERT(EVP_MAC_final(ctx, out, &len, sizeof(out)) == 1 && len == 8);
	uint64_t h = 0;
	for (unsigned i = 0; i < 8; i++)
		h |= (uint64_t)out[i] << (8 * i);
	return h;
}

uint64_t
hash_table(struct slice bytes)
{
	static EVP_MAC_CTX *ctx;
	if (!ctx) {
		unsigned char key[KEY];
		ASSERT(secret_random(key, sizeof(key)));
		ctx = context(key);
		secret_wipe(key, sizeof(key));
	}
	return hash(ctx, bytes, (struct slice){ NULL, 0 });
}

uint64_t
hash_placement(struct slice a, struct slice b)
{
	static EVP_MAC_CTX *ctx;
	if (!ctx) /* fixed for ever: placement must not depend on version or machine */
		ctx = context((const unsigned char *)"sallyport/place1");
	return hash(ctx, a, b.p ? b : SLICE(""));
}
