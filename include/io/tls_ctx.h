/*
 * io/tls_ctx.h - TLS contexts: certificates chosen by name for clients, trust for stores. No file is opened here:
 * PEM comes as bytes.
 */
#ifndef IO_TLS_CTX_H
#define IO_TLS_CTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct tls_server;
struct tls_client;

enum tls_version { TLS_1_2, TLS_1_3 };

#define TLS_TICKET_KEY 80 /* bytes: name, HMAC and AES key, as OpenSSL takes them */

/* Once a process, before anything else of TLS. -1 and a reason when OpenSSL lacks something we need. */
int tls_init(struct err *err) MUST_CHECK;

/* --- towards clients */

/*
 * A set of certificates chosen by server name. @ticket_key is shared by all workers, so that any of them resumes; copied.
 * NULL and a reason on failure. Begins with one reference.
 */
struct tls_server *tls_server_new(
    const unsigned char ticket_key[TLS_TICKET_KEY], struct err *err) MUST_CHECK;
struct tls_server *tls_server_ref(struct tls_server *t);
void tls_server_unref(struct tls_server **t);

struct tls_pair {
	struct slice chain; /* PEM: leaf first */
	struct slice key;   /* PEM */
};

/*
 * Adds one section: @n pairs (RSA and ECDSA side by side), served for @names ("mail.example.net", "*.example.net": one
 * label), or, with no names, for every other name and for none. Exact names win over wildcards. A certificate that does not
 * fit its key, an unreadable PEM, a second default or a name given twice is an error. *bad_pair_r tells which pair was wrong (or SIZE_MAX).
 */
int tls_server_add(struct tls_server *t, const struct slice *names, size_t n_names,
    const struct tls_pair *pairs, size_t n, enum tls_version min, size_t *bad_pair_r,
    struct err *err) MUST_CHECK;

bool tls_server_has_default(const struct tls_server *t);

/* The end of the first certificate to expire, seconds since 1970; 0 when there is none. */
int64_t tls_server_expires(const struct tls_server *t);

/* --- towards stores */

struct tls_client_params {
	struct slice ca; /* PEM bundle; empty: nobody is trusted */
	const struct tls_client
	    *like;   /* not NULL: who it trusts is trusted, without a copy; @ca is empty */
	bool verify; /* chain and name */
	enum tls_version min;
};

struct tls_client *tls_client_new(const struct tls_client_params *p, struct err *err) MUST_CHECK;
struct tls_client *tls_client_ref(struct tls_client *t);
void tls_client_unref(struct tls_client **t);

#endif
