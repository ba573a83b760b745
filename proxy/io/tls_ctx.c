/*
 * io/tls_ctx.c - what both kinds of TLS contexts have in common: OpenSSL's set-up, suites and options, reasons,
 * certificates out of PEM.
 *
 * The rules of every context, so that keys can be taken out of the connection later: no renegotiation in either
 * role, no read-ahead, no early data, no kernel TLS by libssl. PEM is read through a BIO over the caller's
 * memory and nothing is ever asked from a terminal.
 */
#include "io/tls_ctx.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <limits.h>
#include <time.h>

#include "io/tls_int.h"

/* AES-128 first: the cheapest, and nobody breaks it; clients that prefer ChaCha20 get it (PRIORITIZE_CHACHA). */
#define SUITES_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
/* Stores may be old: what else OpenSSL finds acceptable, behind the rest. */
#define SUITES_1_2_STORE SUITES_1_2 ":DEFAULT"

/* An array, because OpenSSL's macro casts const away. */
static char groups[] = "X25519:P-256:P-384";

int
tls_err(struct err *err, const char *what)
{
	unsigned long code = ERR_get_error();
	const char *reason = ERR_reason_error_string(code);

	if (!reason && ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
	ERR_clear_error();
	if (!reason)
		reason = "no reason given";
	return what ? err_set(err, "%s: %s", what, reason) : err_set(err, "%s", reason);
}

int
tls_init(struct err *err)
{
	static const char *const needed[] = { "AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305" };
	SSL_CTX *ctx;

	ERR_clear_error();
	if (OPENSSL_init_ssl(0, NULL) != 1)
		return tls_err(err, "OpenSSL does not start");
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, needed[i], NULL);

		if (!cipher) {
			ERR_clear_error();
			return err_set(err, "OpenSSL has no %s", needed[i]);
		}
		EVP_CIPHER_free(cipher);
	}
	ctx = tls_ctx_new(true, TLS_1_2, err);
	if (!ctx)
		return -1;
	SSL_CTX_free(ctx);
	return 1;
}

static int
min_version(enum tls_version v)
{
	switch (v) {
	case TLS_1_2:
		return TLS1_2_VERSION;
	case TLS_1_3:
		return TLS1_3_VERSION;
	}
	return TLS1_3_VERSION;
}

SSL_CTX *
tls_ctx_new(bool server, enum tls_version min, struct err *err)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!ctx)
		goto fail;
	/* Plaintext is wiped from libssl's buffer: as long as libssl does it, it may be a login. */
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_clear_options(ctx, SSL_OP_ENABLE_KTLS);
	if (server)
		SSL_CTX_set_options(
		    ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 0);
	if (!SSL_CTX_set_min_proto_version(ctx, min_version(min)) ||
	    !SSL_CTX_set_max_early_data(ctx, 0) || !SSL_CTX_set1_groups_list(ctx, groups) ||
	    !SSL_CTX_set_ciphersuites(ctx, SUITES_1_3) ||
	    !SSL_CTX_set_cipher_list(ctx, server ? SUITES_1_2 : SUITES_1_2_STORE))
		goto fail;
	return ctx;
fail:
	tls_err(err, "cannot set up TLS");
	SSL_CTX_free(ctx);
	return NULL;
}

int
tls_next_cert(struct slice *pem, X509 **cert_r, struct err *err)
{
	BIO *bio;
	unsigned long last;
	long left;
	int r = -1;

	*cert_r = NULL;
	ERR_clear_error();
	if (pem->len == 0)
		return 0;
	bio = pem->len <= INT_MAX ? BIO_new_mem_buf(pem->p, (int)pem->len) : NULL;
	if (!bio)
		return tls_err(err, "cannot read a certificate");
	*cert_r = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (*cert_r) {
		left = BIO_pending(bio);
		pem->p += pem->len - (size_t)left;
		pem->len = (size_t)left;
		r = 1;
		goto out;
	}
	last = ERR_peek_last_error();
	if (ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE) {
		pem->len = 0;
		r = 0;
		goto out;
	}
	tls_err(err, "cannot read a certificate");
out:
	ERR_clear_error();
	BIO_free(bio);
	return r;
}

int64_t
tls_cert_end(const X509 *cert)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm))
		return 0;
	return (int64_t)timegm(&tm);
}
