/*
 * io/tls_server.c - certificates for clients, chosen by the name they ask for.
 *
 *      ClientHello -> on_hello: exact name, *.rest, default -> that section's SSL_CTX and lowest version
 *
 * Each SSL is born of one base context, whose ticket key and options all connections share, so that any worker
 * resumes and a session goes over from one name to another. The section's context gives the certificates. The
 * choice is made in the ClientHello callback, before OpenSSL decides on the version: in the server name callback
 * it would be too late for a section's lowest version.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <limits.h>
#include <stdatomic.h>
#include <time.h>

#include "base/htab.h"
#include "base/mem.h"
#include "base/secret.h"
#include "io/tls_ctx.h"
#include "io/tls_int.h"

#define NAME_MAX_LEN 253
#define SESSION_LIFE 7200 /* seconds a ticket is good for */

struct section {
	struct section *next;
	SSL_CTX *ctx;
	int min;
};

struct name {
	struct htab_node
	    node; /* key: lower case, as configured: "mail.example.net", "*.example.net" */
	struct section *section;
	char text[];
};

struct tls_server {
	_Atomic unsigned refs; /* a snapshot is let go by another thread than the connections' */
	SSL_CTX *base;
	struct section *sections, *fallback;
	struct htab names;
	int64_t expires;
	unsigned char ticket_key[TLS_TICKET_KEY];
};

static const unsigned char session_context[] = "sallyport";

/* --- callbacks; SSL's app data is the connection's struct tls_hello, the context's is the tls_server */

/* ASCII lower case, without a trailing dot. False: not a host name that could be ours. */
static bool
normal_name(char dst[NAME_MAX_LEN + 1], struct slice s)
{
	if (s.len > 0 && s.p[s.len - 1] == '.')
		s.len--;
	if (s.len == 0 || s.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
		dst[i] = ascii_lower(s.p[i]);
	}
	dst[s.len] = '\0';
	return true;
}

/* RFC 6066 section 3: list length, type 0, name length, name. One name; anything else counts as none. */
static bool
hello_name(SSL *ssl, char dst[NAME_MAX_LEN + 1])
{
	const unsigned char *p;
	size_t len, n;

	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &len))
		return false;
	if (len < 5 || p[2] != TLSEXT_NAMETYPE_host_name)
		return false;
	n = (size_t)p[3] << 8 | p[4];
	return n == len - 5 && normal_name(dst, (struct slice){ (const char *)p + 5, n });
}

static struct section *
find_section(const struct tls_server *t, const char *name)
{
	struct htab_node *node = htab_find(&t->names, slice_of(name));
	const char *dot = strchr(name, '.');
	char wild[NAME_MAX_LEN + 2];

	if (!node && dot && dot > name && str_fmt(wild, sizeof(wild), "*%s", dot))
		node = htab_find(&t->names, slice_of(wild));
	return node ? container_of(node, struct name, node)->section : t->fallback;
}

static int
on_hello(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *t = arg;
	struct tls_hello *hello = SSL_get_app_data(ssl);
	struct section *section = t->fallback;
	char name[NAME_MAX_LEN + 1];

	if (!hello->sni && hello_name(ssl, name)) { /* a second ClientHello has the same name */
		hello->sni = str_dup(slice_of(name));
		if (!hello->sni) {
			*alert = SSL_AD_INTERNAL_ERROR;
			return SSL_CLIENT_HELLO_ERROR;
		}
	}
	if (hello->sni)
		section = find_section(t, hello->sni);
	if (!section) {
		hello->no_match = true;
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (!SSL_set_SSL_CTX(ssl, section->ctx) || !SSL_set_min_proto_version(ssl, section->min)) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* The choice has been made; this acknowledges the name to the client. */
static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_hello *hello = SSL_get_app_data(ssl);

	(void)alert;
	(void)arg;
	return hello->sni ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* RFC 7301; the protocol's name is from RFC 8314's registry. Called only when the client offers something. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	struct tls_hello *hello = SSL_get_app_data(ssl);

	(void)arg;
	for (unsigned i = 0; i < in_len && in[i] < in_len - i; i += 1u + in[i]) {
		if (in[i] == 4 && memcmp(in + i + 1, "imap", 4) == 0) {
			*out = in + i + 1;
			*out_len = 4;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	hello->no_protocol = true;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- the set */

static bool
set_common(struct tls_server *t, SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, SESSION_LIFE);
	SSL_CTX_set_client_hello_cb(ctx, on_hello, t);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, t);
	return SSL_CTX_set_num_tickets(ctx, 1) &&
	       SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1) &&
	       SSL_CTX_set_tlsext_ticket_keys(ctx, t->ticket_key, TLS_TICKET_KEY);
}

struct tls_server *
tls_server_new(const unsigned char ticket_key[TLS_TICKET_KEY], struct err *err)
{
	struct tls_server *t = mem_zalloc(sizeof(*t));

	if (!t) {
		err_set(err, "out of memory");
		return NULL;
	}
	t->refs = 1;
	htab_init(&t->names);
	memcpy(t->ticket_key, ticket_key, TLS_TICKET_KEY);
	/* The lowest version any section may have; each sets its own. */
	t->base = tls_ctx_new(true, TLS_1_2, err);
	if (t->base && !set_common(t, t->base)) {
		tls_err(err, "cannot set up TLS");
		tls_server_unref(&t);
		return NULL;
	}
	if (!t->base)
		tls_server_unref(&t);
	return t;
}

struct tls_server *
tls_server_ref(struct tls_server *t)
{
	t->refs++;
	return t;
}

static bool
free_name(struct htab_node *node, void *arg)
{
	struct tls_server *t = arg;

	htab_remove(&t->names, node);
	mem_free(container_of(node, struct name, node));
	return true;
}

static void
free_section(struct section *s)
{
	SSL_CTX_free(s->ctx);
	mem_free(s);
}

void
tls_server_unref(struct tls_server **tp)
{
	struct tls_server *t = *tp;

	*tp = NULL;
	if (!t || --t->refs > 0)
		return;
	htab_walk(&t->names, free_name, t);
	htab_free(&t->names);
	while (t->sections) {
		struct section *s = t->sections;

		t->sections = s->next;
		free_section(s);
	}
	SSL_CTX_free(t->base);
	secret_wipe(t->ticket_key, sizeof(t->ticket_key));
	mem_free(t);
}

/* A password would be asked from the terminal: there is none. */
static int
no_password(char *buf, int size, int writing, void *arg)
{
	bool *asked = arg;

	(void)buf;
	(void)size;
	(void)writing;
	*asked = true;
	return 0;
}

static EVP_PKEY *
read_key(struct slice pem, struct err *err)
{
	EVP_PKEY *key = NULL;
	bool asked = false;
	BIO *bio;

	ERR_clear_error();
	if (pem.len == 0 || pem.len > INT_MAX) {
		err_set(err, "cannot read the private key: it is empty");
		return NULL;
	}
	bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &asked);
	if (!key && asked)
		err_set(err, "the private key is protected by a password");
	else if (!key)
		tls_err(err, "cannot read the private key");
	ERR_clear_error();
	BIO_free(bio);
	return key;
}

static void
note_end(int64_t *expires, const X509 *cert)
{
	int64_t end = tls_cert_end(cert);

	if (end != 0 && (*expires == 0 || end < *expires))
		*expires = end;
}

static int
add_pair(SSL_CTX *ctx, const struct tls_pair *pair, int64_t *expires, struct err *err)
{
	struct slice pem = pair->chain;
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *leaf = NULL, *cert;
	EVP_PKEY *key = NULL;
	int r;

	if (!chain) {
		tls_err(err, "cannot read the certificate");
		goto fail;
	}
	r = tls_next_cert(&pem, &leaf, err);
	if (r == 0)
		err_set(err, "there is no certificate");
	if (r <= 0)
		goto fail;
	note_end(expires, leaf);
	while ((r = tls_next_cert(&pem, &cert, err)) == 1) {
		note_end(expires, cert);
		if (!sk_X509_push(chain, cert)) {
			X509_free(cert);
			tls_err(err, "cannot read the certificate");
			goto fail;
		}
	}
	if (r < 0)
		goto fail;
	key = read_key(pair->key, err);
	if (!key)
		goto fail;
	ERR_clear_error();
	if (X509_check_private_key(leaf, key) != 1) {
		tls_err(err, "the certificate does not fit its key");
		goto fail;
	}
	if (SSL_CTX_use_cert_and_key(ctx, leaf, key, chain, 0) != 1) {
		tls_err(err, "the certificate cannot be used");
		goto fail;
	}
	r = 1;
	goto out;
fail:
	r = -1;
out:
	sk_X509_pop_free(chain, X509_free);
	X509_free(leaf);
	EVP_PKEY_free(key);
	return r;
}

static int
add_name(struct tls_server *t, struct section *section, struct slice text, struct err *err)
{
	char normal[NAME_MAX_LEN + 1];
	struct name *name;
	const char *rest;
	size_t len;

	if (!normal_name(normal, text))
		return err_set(err, "\"" SLICE_FMT "\" is no host name", SLICE_ARG(text));
	rest = normal[0] == '*' ? normal + 1 : normal;
	if (strchr(rest, '*') || (rest != normal && (rest[0] != '.' || rest[1] == '\0')))
		return err_set(err, "\"%s\": * stands for the whole first label only", normal);
	if (htab_find(&t->names, slice_of(normal)))
		return err_set(err, "the name \"%s\" is given twice", normal);
	len = strlen(normal);
	name = mem_zalloc(sizeof(*name) + len + 1);
	if (!name)
		return err_set(err, "out of memory");
	memcpy(name->text, normal, len + 1);
	name->node.key = (struct slice){ name->text, len };
	name->section = section;
	if (!htab_insert(&t->names, &name->node)) {
		mem_free(name);
		return err_set(err, "out of memory");
	}
	return 1;
}

static void
remove_name(struct tls_server *t, struct slice text)
{
	char normal[NAME_MAX_LEN + 1];
	struct htab_node *node =
	    normal_name(normal, text) ? htab_find(&t->names, slice_of(normal)) : NULL;

	if (node)
		free_name(node, t);
}

int
tls_server_add(struct tls_server *t, const struct slice *names, size_t n_names,
    const struct tls_pair *pairs, size_t n, enum tls_version min, size_t *bad_pair_r,
    struct err *err)
{
	int64_t expires = t->expires;
	struct section *s;
	size_t added = 0;

	*bad_pair_r = SIZE_MAX;
	if (n == 0)
		return err_set(err, "there is no certificate");
	if (n_names == 0 && t->fallback)
		return err_set(err, "there is a default certificate already");
	s = mem_zalloc(sizeof(*s));
	if (!s)
		return err_set(err, "out of memory");
	s->ctx = tls_ctx_new(true, min, err);
	if (!s->ctx)
		goto fail;
	if (!set_common(t, s->ctx)) {
		tls_err(err, "cannot set up TLS");
		goto fail;
	}
	s->min = (int)SSL_CTX_get_min_proto_version(s->ctx);
	for (size_t i = 0; i < n; i++) {
		if (add_pair(s->ctx, &pairs[i], &expires, err) < 0) {
			*bad_pair_r = i;
			goto fail;
		}
	}
	for (added = 0; added < n_names; added++)
		if (add_name(t, s, names[added], err) < 0)
			goto fail;
	if (n_names == 0)
		t->fallback = s;
	s->next = t->sections;
	t->sections = s;
	t->expires = expires;
	return 1;
fail:
	while (added > 0)
		remove_name(t, names[--added]);
	free_section(s);
	return -1;
}

bool
tls_server_has_default(const struct tls_server *t)
{
	return t->fallback != NULL;
}

int64_t
tls_server_expires(const struct tls_server *t)
{
	return t->expires;
}

SSL *
tls_server_ssl(struct tls_server *t, struct tls_hello *hello, struct err *err)
{
	SSL *ssl;

	ERR_clear_error();
	ssl = SSL_new(t->base);
	if (!ssl || !SSL_set_app_data(ssl, hello)) {
		tls_err(err, "cannot begin TLS");
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_accept_state(ssl);
	return ssl;
}
