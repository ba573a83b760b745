/*
 * io/tls_int.h - between the files io/tls_*.c: contexts on one side, connections on the other.
 *
 * OpenSSL's types are named by their tags, so that no header of ours includes one of theirs.
 */
#ifndef IO_TLS_INT_H
#define IO_TLS_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "io/tls_ctx.h"

struct ssl_st;
struct ssl_ctx_st;
struct x509_st;
struct bio_st;

/* What a ClientHello asked for; in the connection, found through the SSL's app data by the callbacks. */
struct tls_hello {
	char *sni;        /* mem_alloc'ed, lower case, no trailing dot; NULL: none, or no host name at all */
	bool no_match;    /* refused: no certificate for that name */
	bool no_protocol; /* refused: ALPN without imap */
};

/* --- tls_ctx.c: common to both sides */

/*
 * A context with what holds for every one: our versions, groups and suites, no renegotiation, no compression, no early data,
 * no read-ahead, buffers released. NULL and a reason.
 */
struct ssl_ctx_st *tls_ctx_new(bool server, enum tls_version min, struct err *err) MUST_CHECK;

/* The oldest reason in OpenSSL's queue, which is emptied; "@what: reason", or just the reason when @what is NULL. Returns -1. */
int tls_err(struct err *err, const char *what);

/*
 * The next certificate of @pem: 1: *cert_r is the caller's, *pem is cut; 0: there is none left; -1: unreadable, with the reason.
 */
int tls_next_cert(struct slice *pem, struct x509_st **cert_r, struct err *err) MUST_CHECK;

/* When it ends, seconds since 1970. */
int64_t tls_cert_end(const struct x509_st *cert);

/* --- tls_server.c, tls_client.c: an SSL ready for its handshake but for the BIOs. NULL and a reason. */

/* @hello outlives the SSL. */
struct ssl_st *tls_server_ssl(struct tls_server *t, struct tls_hello *hello, struct err *err) MUST_CHECK;
struct ssl_st *tls_client_ssl(struct tls_client *t, const char *name, struct err *err) MUST_CHECK;

/* Says what was wrong with the store's certificate. False when nothing was: the reason is another one. */
bool tls_client_explain(struct ssl_st *ssl, const char *name, struct err *err);

/* A handshake with a kept session has failed: the next one starts from nothing. */
void tls_client_forget(struct tls_client *t);

#endif
