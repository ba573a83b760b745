/*
 * base/hash.c - SipHash-2-4 by OpenSSL, two keys a process.
 *
 * The context is given its key anew for each hash: without one, OpenSSL before 3.0.3 goes on from where the last hash
 * ended (its issue 17811), and setting up a SipHash key is four exclusive ors.
 */
#include "base/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/secret.h"

#define KEY 16

struct keyed {
	unsigned char key[KEY + 1]; /* of a literal, the NUL too */
	EVP_MAC_CTX *ctx;           /* NULL until the first use */
};

static void
open_context(struct keyed *k)
{
	unsigned size = 8;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	k->ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	ASSERT(k->ctx && EVP_MAC_CTX_set_params(k->ctx, params) == 1);
	EVP_MAC_free(mac);
}

static uint64_t
hash(struct keyed *k, struct slice a, struct slice b)
{
	unsigned char out[8];
	size_t len = 0;
	ASSERT(EVP_MAC_init(k->ctx, k->key, KEY, NULL) == 1);
	ASSERT(EVP_MAC_update(k->ctx, (const unsigned char *)(a.p ? a.p : ""), a.len) == 1);
	if (b.p) {
		ASSERT(EVP_MAC_update(k->ctx, (const unsigned char *)"", 1) == 1);
		ASSERT(EVP_MAC_update(k->ctx, (const unsigned char *)b.p, b.len) == 1);
	}
	ASSERT(EVP_MAC_final(k->ctx, out, &len, sizeof(out)) == 1 && len == 8);
	uint64_t h = 0;
	for (unsigned i = 0; i < 8; i++)
		h |= (uint64_t)out[i] << (8 * i);
	return h;
}

uint64_t
hash_table(struct slice bytes)
{
	static struct keyed table;
	if (!table.ctx) {
		ASSERT(secret_random(table.key, KEY));
		open_context(&table);
	}
	return hash(&table, bytes, (struct slice){ NULL, 0 });
}

uint64_t
hash_placement(struct slice a, struct slice b)
{
	/* Fixed for ever: placement must not depend on version or machine. */
	static struct keyed placement = { .key = "sallyport/place1" };
	if (!placement.ctx)
		open_context(&placement);
	return hash(&placement, a, b.p ? b : SLICE(""));
}
