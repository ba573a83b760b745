/*
 * tests/unit/tls_certs.h - certificates made at run time: a CA, and leaves of it or of nobody.
 */
#ifndef TLS_CERTS_H
#define TLS_CERTS_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "io/tls_ctx.h"
#include "test.h"

struct test_cert {
	X509 *x509;
	EVP_PKEY *key;
	char *cert_pem, *key_pem;
};

struct test_cert_params {
	const char *cn;
	const char *san;                /* "DNS:a.example,IP:127.0.0.1"; NULL: none */
	const struct test_cert *issuer; /* NULL: signs itself */
	bool rsa, ca;
	long from, until; /* seconds from now; 0, 0: an hour around now */
	const char *password;
};

static inline char *
test_pem(BIO *bio)
{
	char *p, *copy;
	long len = BIO_get_mem_data(bio, &p);

	copy = malloc((size_t)len + 1);
	CHECK(copy);
	memcpy(copy, p, (size_t)len);
	copy[len] = '\0';
	BIO_free(bio);
	return copy;
}

static inline void
test_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	CHECK(e && X509_add_ext(x, e, -1));
	X509_EXTENSION_free(e);
}

static inline struct test_cert
test_cert_new(struct test_cert_params p)
{
	static long serial;
	struct test_cert c;
	X509_NAME *name;
	BIO *bio;

	c.key = p.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	c.x509 = X509_new();
	CHECK(c.key && c.x509);
	X509_set_version(c.x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x509), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(c.x509), p.from || p.until ? p.from : -3600);
	X509_gmtime_adj(X509_getm_notAfter(c.x509), p.from || p.until ? p.until : 3600);
	X509_set_pubkey(c.x509, c.key);
	name = X509_get_subject_name(c.x509);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)p.cn, -1, -1, 0);
	X509_set_issuer_name(c.x509, p.issuer ? X509_get_subject_name(p.issuer->x509) : name);
	test_extension(c.x509, p.issuer ? p.issuer->x509 : c.x509, NID_basic_constraints,
	    p.ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (p.san)
		test_extension(c.x509, c.x509, NID_subject_alt_name, p.san);
	CHECK(X509_sign(c.x509, p.issuer ? p.issuer->key : c.key, EVP_sha256()));

	bio = BIO_new(BIO_s_mem());
	CHECK(bio && PEM_write_bio_X509(bio, c.x509));
	c.cert_pem = test_pem(bio);
	bio = BIO_new(BIO_s_mem());
	CHECK(
	    bio && PEM_write_bio_PKCS8PrivateKey(bio, c.key, p.password ? EVP_aes_256_cbc() : NULL,
		       p.password, p.password ? (int)strlen(p.password) : 0, NULL, NULL));
	c.key_pem = test_pem(bio);
	return c;
}

static inline void
test_cert_free(struct test_cert *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	free(c->cert_pem);
	free(c->key_pem);
	memset(c, 0, sizeof(*c));
}

static inline struct tls_pair
test_pair(const struct test_cert *c)
{
	return (struct tls_pair){ slice_of(c->cert_pem), slice_of(c->key_pem) };
}

#endif
