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
	char *
	    sni; /* mem_alloc'ed, lower case, no trailing dot; NULL: none, or no host name at all */
	bool no_match;    /* refused: no certificate for that name */
	bool no_protocol; /* refused: ALPN without imap */
};

/* Who a store must be, and what its certificate said instead; found in the same way. */
struct tls_expected {
	char *name;       /* mem_alloc'ed; NULL: anybody */
	char *cert_names; /* mem_alloc'ed; set when the certificate is for others */
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

/* --- tls_bio.c: between libssl and the conn; from tls_in_begin() to tls_in_end() env's scratch buffers are in use */

struct conn;

/* Reads from the window, writes to env->seal. NULL when out of memory. */
struct bio_st *tls_bio_new(struct conn *c) MUST_CHECK;
void tls_push(
    struct conn *c); /* sends or spills what libssl has written; c->write_error says how it went */
void tls_in_begin(struct conn *c);
bool tls_in_end(struct conn *c) MUST_CHECK; /* keeps what is left; false: out of memory */
bool tls_in_next(
    struct conn *c) MUST_CHECK; /* shows libssl the next record; false: it is not there yet */
/* libssl wants more although it has been given what it is to take: only after a header that it should have refused. */
bool tls_in_malformed(const struct conn *c);
/* One recv(), of about @want. 1: something came, or the end (c->eof); 0: nothing now; -1: failed. */
int tls_in_receive(struct conn *c, size_t want, struct err *err) MUST_CHECK;
bool tls_in_kept(const struct conn *c); /* between calls: a whole record waits in c->raw */

/* --- tls_server.c, tls_client.c: an SSL ready for its handshake but for the BIOs. NULL and a reason. */

/* @hello and @expected outlive the SSL. */
struct ssl_st *tls_server_ssl(
    struct tls_server *t, struct tls_hello *hello, struct err *err) MUST_CHECK;
struct ssl_st *tls_client_ssl(
    struct tls_client *t, struct tls_expected *expected, struct err *err) MUST_CHECK;

/* Says what was wrong with the store's certificate. False when nothing was: the reason is another one. */
bool tls_client_explain(struct ssl_st *ssl, struct err *err);

/* A handshake with a kept session has failed: the next one starts from nothing. */
void tls_client_forget(struct tls_client *t);

#endif
