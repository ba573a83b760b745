/*
 * io/tls_client.c - trust in stores: chain and name, sessions kept for the next connection, and words for what failed.
 *
 * One session is kept a context, the newest, for the name it was made with: a backend has one context and its
 * addresses share a name. It is used as often as the store accepts it.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

#include "base/addr.h"
#include "base/mem.h"
#include "io/tls_ctx.h"
#include "io/tls_int.h"

struct tls_client {
	_Atomic unsigned refs; /* a snapshot is let go by another thread than the connections' */
	bool verify;
	SSL_CTX *ctx;
	SSL_SESSION *session; /* NULL: none yet */
	char *session_name;
};

void
tls_client_forget(struct tls_client *t)
{
	SSL_SESSION_free(t->session);
	t->session = NULL;
	mem_free(t->session_name);
	t->session_name = NULL;
}

/* "" where there is none. */
static const char *
expected_name(const SSL *ssl)
{
	const struct tls_expected *expected = SSL_get_app_data(ssl);

	return expected->name ? expected->name : "";
}

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_client *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *name = expected_name(ssl);
	char *copy;

	if (!t->session_name || strcmp(t->session_name, name) != 0) {
		copy = str_dup(slice_of(name));
		if (!copy)
			return 0;
		mem_free(t->session_name);
		t->session_name = copy;
	}
	SSL_SESSION_free(t->session);
	t->session = session;
	return 1; /* the reference is ours now */
}

/* The names in @cert, as many as fit: what an operator needs to see that it is the wrong one. */
static void
cert_names(X509 *cert, char *dst, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t len = 0;

	dst[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		char text[128];

		if (name->type != GEN_DNS)
			continue;
		str_printable(text, sizeof(text),
		    (struct slice){ (const char *)ASN1_STRING_get0_data(name->d.dNSName),
			(size_t)ASN1_STRING_length(name->d.dNSName) });
		if (!str_fmt(dst + len, size - len, "%s%s", len ? ", " : "", text)) {
			dst[len] = '\0';
			break;
		}
		len += strlen(dst + len);
	}
	GENERAL_NAMES_free(names);
	if (len == 0) {
		char text[128];

		if (X509_NAME_get_text_by_NID(
			X509_get_subject_name(cert), NID_commonName, text, sizeof(text)) <= 0 ||
		    !*text)
			str_fmt(text, sizeof(text), "nobody");
		str_printable(dst, size, slice_of(text));
	}
}

/* libssl lets go of the certificate before the handshake's failure is told: this is the time to look at it. */
static int
on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_expected *expected = SSL_get_app_data(ssl);
	int error = X509_STORE_CTX_get_error(store);
	char names[160];

	if (!ok && !expected->cert_names &&
	    (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH)) {
		cert_names(X509_STORE_CTX_get0_cert(store), names, sizeof(names));
		expected->cert_names = str_dup(slice_of(names));
	}
	return ok;
}

static int
add_ca(SSL_CTX *ctx, struct slice pem, struct err *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	unsigned n = 0;
	X509 *cert;
	int r;

	while ((r = tls_next_cert(&pem, &cert, err)) == 1) {
		r = X509_STORE_add_cert(store, cert);
		X509_free(cert);
		if (r != 1)
			return tls_err(err, "cannot use a CA certificate");
		n++;
	}
	if (r < 0)
		return -1;
	if (n == 0)
		return err_set(err, "there is no CA certificate");
	/* Whoever names an intermediate, or the store's own certificate, trusts that one. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	return 1;
}

struct tls_client *
tls_client_new(const struct tls_client_params *p, struct err *err)
{
	struct tls_client *t = mem_zalloc(sizeof(*t));

	if (!t) {
		err_set(err, "out of memory");
		return NULL;
	}
	t->refs = 1;
	t->verify = p->verify;
	t->ctx = tls_ctx_new(false, p->min, err);
	if (!t->ctx)
		goto fail;
	SSL_CTX_set_app_data(t->ctx, t);
	SSL_CTX_set_session_cache_mode(
	    t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(t->ctx, on_session);
	SSL_CTX_set_verify(t->ctx, p->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, on_verify);
	if (p->ca.len > 0) {
		if (add_ca(t->ctx, p->ca, err) < 0)
			goto fail;
	} else if (p->like) {
		SSL_CTX_set1_cert_store(t->ctx, SSL_CTX_get_cert_store(p->like->ctx));
	}
	return t;
fail:
	tls_client_unref(&t);
	return NULL;
}

struct tls_client *
tls_client_ref(struct tls_client *t)
{
	t->refs++;
	return t;
}

void
tls_client_unref(struct tls_client **tp)
{
	struct tls_client *t = *tp;

	*tp = NULL;
	if (!t || --t->refs > 0)
		return;
	tls_client_forget(t);
	SSL_CTX_free(t->ctx);
	mem_free(t);
}

/* Who the other side must be; and SNI, which is for names only (RFC 6066 section 3). */
static bool
expect(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	struct addr ip;

	if (addr_parse_ip(&ip, slice_of(name), 0))
		return X509_VERIFY_PARAM_set1_ip_asc(param, name);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, name, 0) &&
	       SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
		   (void *)(uintptr_t)name); /* the macro casts const away */
}

SSL *
tls_client_ssl(struct tls_client *t, struct tls_expected *expected, struct err *err)
{
	const char *name = expected->name;
	SSL *ssl;

	if (t->verify && (!name || !*name)) {
		err_set(err, "there is no name to verify the certificate against");
		return NULL;
	}
	ERR_clear_error();
	ssl = SSL_new(t->ctx);
	if (!ssl || !SSL_set_app_data(ssl, expected) || (name && *name && !expect(ssl, name))) {
		tls_err(err, "cannot begin TLS");
		SSL_free(ssl);
		return NULL;
	}
	if (t->session && strcmp(t->session_name, expected_name(ssl)) == 0 &&
	    !SSL_set_session(ssl, t->session))
		ERR_clear_error(); /* a full handshake then */
	SSL_set_connect_state(ssl);
	return ssl;
}

bool
tls_client_explain(SSL *ssl, struct err *err)
{
	const struct tls_expected *expected = SSL_get_app_data(ssl);
	long result = SSL_get_verify_result(ssl);

	if (result == X509_V_OK || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)
		return false;
	if (expected->cert_names)
		err_set(
		    err, "certificate is for %s, not %s", expected->cert_names, expected_name(ssl));
	else
		err_set(err, "certificate not trusted: %s", X509_verify_cert_error_string(result));
	return true;
}
