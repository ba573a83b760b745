/*
 * base/hash.c - SipHash-2-4 by OpenSSL, two keys a process, a context for each in every thread that hashes.
 *
 * The context is given its key anew for each hash: without one, OpenSSL before 3.0.3 goes on from where the last hash
 * ended (its issue 17811), and setting up a SipHash key is four exclusive ors.
 */
#include "base/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

#include "base/secret.h"

#define KEY 16

static unsigned char table_key[KEY];
static _Thread_local EVP_MAC_CTX *table, *placement; /* NULL until the first use */

static EVP_MAC_CTX *
open_context(void)
{
	EVP_MAC_CTX *ctx;
	unsigned size = 8;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	ASSERT(ctx && EVP_MAC_CTX_set_params(ctx, params) == 1);
	EVP_MAC_free(mac);
	return ctx;
}

static uint64_t
hash(EVP_MAC_CTX *ctx, const void *key, struct slice a, struct slice b)
{
	unsigned char out[8];
	size_t len = 0;
	ASSERT(EVP_MAC_init(ctx, key, KEY, NULL) == 1);
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

static void
draw_key(void)
{
	ASSERT(secret_random(table_key, KEY));
}

uint64_t
hash_table(struct slice bytes)
{
	static pthread_once_t drawn = PTHREAD_ONCE_INIT;

	(void)pthread_once(&drawn, draw_key);
	if (!table)
		table = open_context();
	return hash(table, table_key, bytes, (struct slice){ NULL, 0 });
}

uint64_t
hash_placement(struct slice a, struct slice b)
{
	if (!placement)
		placement = open_context();
	/* Fixed for ever: placement must not depend on version or machine. */
	return hash(placement, "sallyport/place1", a, b.p ? b : SLICE(""));
}

void
hash_end_thread(void)
{
	EVP_MAC_CTX_free(table);
	EVP_MAC_CTX_free(placement);
	table = placement = NULL;
}
