/*
 * io/tls_conn.c - the carrier that libssl is: handshake, and records until the keys are taken out.
 *
 *      socket -> tls_bio.c -> one whole record -> libssl -> the caller's buffer
 *      the caller's bytes -> libssl -> tls_bio.c -> conn_push -> socket, c->spill
 *
 * libssl never has the socket, so that nothing is ever inside it but plaintext of a record that the caller's buffer
 * had no room for (SSL_pending). A record's length is checked before its body is waited for: of a bad header
 * libssl is given those five bytes and finds the words (and the alert) for it.
 *
 * An alert that libssl writes while it fails is sent before the failure is told. After a failure libssl is not
 * called any more but to be freed.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "base/secret.h"
#include "io/conn_ops.h"
#include "io/tls_int.h"

#define PIECE     16384 /* plaintext of a record, RFC 8446 section 5.1 */
#define SHOWN     40    /* bytes of plaintext shown to the operator */
#define ALERT     21
#define HANDSHAKE 22

struct tls {
	SSL *ssl;
	struct tls_server *server; /* one of the two */
	struct tls_client *client;
	struct tls_hello hello;       /* of a client */
	struct tls_expected expected; /* of a store */
	char *failed; /* why a read failed after it had given data: for the next one */
	bool begun;   /* the first record was looked at */
	bool dead;    /* failed: no more calls */
	bool up;
};

static const struct conn_ops tls_ops;

/* --- the handshake */

/* The first bytes are of no TLS record: says what they are. */
static int
refuse_plaintext(struct conn *c, struct err *err)
{
	const char *p = c->env->in.p + c->env->in.start;
	size_t len = c->env->in.end - c->env->in.start, n = 0;
	char text[4 * SHOWN + 1];

	while (n < len && n < SHOWN && p[n] != '\r' && p[n] != '\n')
		n++;
	str_printable(text, sizeof(text), (struct slice){ p, n });
	if (p[0] == '\r' || p[0] == '\n' || (p[0] >= ' ' && p[0] <= '~'))
		return err_set(err, "plaintext (\"%s\"%s) where TLS was expected", text,
		    n == SHOWN ? "..." : "");
	return err_set(err, "no TLS (\"%s\") where TLS was expected", text);
}

static bool
is_tls(const struct conn *c, const struct tls *t)
{
	const unsigned char *p = (const unsigned char *)c->env->in.p + c->env->in.start;
	size_t len = c->env->in.end - c->env->in.start;

	if (p[0] != HANDSHAKE && (t->server || p[0] != ALERT))
		return false;
	return len < 2 || p[1] == 3;
}

/* Why libssl's handshake failed, in the operator's words. */
static int
handshake_reason(struct tls *t, struct err *err)
{
	if (t->client && tls_client_explain(t->ssl, err)) {
		ERR_clear_error();
		return -1;
	}
	if (t->hello.no_match) {
		ERR_clear_error();
		return t->hello.sni
			   ? err_set(err, "no certificate for the name \"%s\"", t->hello.sni)
			   : err_set(err, "no certificate for clients that send no name");
	}
	if (t->hello.no_protocol) {
		ERR_clear_error();
		return err_set(err, "the client offers other protocols (ALPN) and not imap");
	}
	return tls_err(err, NULL);
}

static int
shake(struct conn *c, struct tls *t, struct err *err)
{
	bool received = false;

	for (;;) {
		int r;

		if (c->env->in.end > c->env->in.start && !t->begun) {
			if (!is_tls(c, t))
				return refuse_plaintext(c, err);
			t->begun = c->env->in.end - c->env->in.start >= 2;
		}
		ERR_clear_error();
		r = SSL_do_handshake(t->ssl);
		if (r == 1)
			return 1;
		if (SSL_get_error(t->ssl, r) != SSL_ERROR_WANT_READ)
			return handshake_reason(t, err);
		if (tls_in_malformed(c))
			return err_set(err, "malformed TLS record");
		while (!tls_in_next(c)) {
			if (received)
				return 0; /* one recv() a call: the socket will be readable still */
			r = tls_in_receive(c, CONN_RECORD_MAX, err);
			if (r <= 0)
				return r;
			if (c->eof)
				return err_set(err, "the other side closed the connection "
						    "during the TLS handshake");
			received = true;
			if (!t->begun)
				break; /* look at it first */
		}
	}
}

static int
tls_establish(struct conn *c, struct err *err)
{
	struct tls *t = c->carrier;
	int r;

	if (t->dead)
		return err_set(err, "the TLS handshake has failed");
	if (c->write_error)
		return err_errno(err, c->write_error, "cannot write");
	tls_in_begin(c);
	r = shake(c, t, err);
	tls_push(c); /* the flight, or the alert */
	if (!tls_in_end(c))
		r = err_set(err, "out of memory");
	if (r >= 0 && c->write_error)
		r = err_errno(err, c->write_error, "cannot write");
	t->dead = r < 0;
	t->up = r == 1;
	if (r < 0 && t->client)
		tls_client_forget(t->client);
	return r;
}

/* --- data */

static bool
tls_more(const struct conn *c)
{
	const struct tls *t = c->carrier;

	if (t->failed)
		return true;
	if (t->dead)
		return false;
	return SSL_pending(t->ssl) > 0 || tls_in_kept(c);
}

/* The peer's end, after which libssl and socket are not read any more. */
static void
ended(struct conn *c, bool truncated)
{
	c->eof = true;
	c->truncated = truncated;
	c->env->in.start = c->env->in.limit = c->env->in.end; /* nothing behind it counts */
}

/* Fills @p as far as whole records go. @got_r may be > 0 with any result. */
static int
read_records(struct conn *c, struct tls *t, char *p, size_t size, size_t *got_r, struct err *err)
{
	bool received = false;
	size_t n;
	int r;

	while (*got_r < size) {
		if (SSL_pending(t->ssl) == 0 && !tls_in_next(c)) {
			if (*got_r > 0 || received)
				return 0;
			r = tls_in_receive(c, size, err);
			if (r <= 0)
				return r;
			received = true;
			if (c->eof) {
				ended(c, true);
				return 1;
			}
			continue;
		}
		ERR_clear_error();
		if (SSL_read_ex(t->ssl, p + *got_r, size - *got_r, &n)) {
			*got_r += n;
			continue;
		}
		r = SSL_get_error(t->ssl, 0);
		if (r == SSL_ERROR_ZERO_RETURN) {
			ended(c, false);
			return 1;
		}
		if (r != SSL_ERROR_WANT_READ)
			return tls_err(err, "TLS");
		if (tls_in_malformed(c))
			return err_set(err, "TLS: malformed record");
	}
	return 1;
}

static int
tls_read(struct conn *c, void *p, size_t size, size_t *len_r, struct err *err)
{
	struct tls *t = c->carrier;
	struct err why = { "" };
	size_t got = 0;
	int r;

	if (c->eof)
		return 1;
	if (t->dead)
		return err_set(err, "%s", t->failed ? t->failed : "TLS has failed");
	tls_in_begin(c);
	r = read_records(c, t, p, size, &got, &why);
	tls_push(c); /* an alert, or an answer */
	if (!tls_in_end(c)) {
		t->dead = true;
		r = err_set(&why, "out of memory");
	}
	*len_r = got;
	if (r < 0) {
		t->dead = true;
		t->failed = str_dup(slice_of(why.text));
		if (got == 0)
			return err_set(err, "%s", why.text);
	}
	return got > 0 ? 1 : r;
}

static int
seal(struct tls *t, const char *p, size_t len, struct err *err)
{
	while (len > 0) {
		size_t piece = len < PIECE ? len : PIECE, n;

		ERR_clear_error();
		if (!SSL_write_ex(t->ssl, p, piece, &n)) {
			t->dead = true;
			return tls_err(err, "TLS");
		}
		p += n;
		len -= n;
	}
	return 1;
}

/*
 * Parts that are small become one record together: a record costs more than a copy. One of them may be a password, so
 * what was gathered is wiped.
 */
static int
seal_parts(struct conn *c, struct tls *t, const struct iovec *parts, int n, struct err *err)
{
	char *gather = c->env->gather;
	size_t len = 0, most = 0;
	int r = 1;

	if (n == 1)
		return seal(t, parts[0].iov_base, parts[0].iov_len, err);
	for (int i = 0; i < n; i++) {
		const char *p = parts[i].iov_base;
		size_t left = parts[i].iov_len;

		while (left > 0 && r == 1) {
			size_t piece = PIECE - len < left ? PIECE - len : left;

			memcpy(gather + len, p, piece);
			p += piece;
			left -= piece;
			len += piece;
			most = len > most ? len : most;
			if (len == PIECE) {
				r = seal(t, gather, len, err);
				len = 0;
			}
		}
	}
	if (r == 1)
		r = seal(t, gather, len, err);
	secret_wipe(gather, most);
	return r;
}

static int
tls_write(struct conn *c, const struct iovec *parts, int n, size_t len, struct err *err)
{
	struct tls *t = c->carrier;
	int r;

	(void)len;
	if (t->dead)
		return err_set(err, "TLS has failed");
	r = seal_parts(c, t, parts, n, err);
	tls_push(c);
	if (r == 1 && c->write_error)
		r = err_errno(err, c->write_error, "cannot write");
	return r;
}

static void
tls_goodbye(struct conn *c)
{
	struct tls *t = c->carrier;

	if (t->dead || !t->up || c->write_error)
		return;
	ERR_clear_error();
	if (SSL_shutdown(t->ssl) < 0)
		ERR_clear_error(); /* then it ends without */
	tls_push(c);
}

static void
tls_facts(const struct conn *c, struct conn_facts *facts_r)
{
	const struct tls *t = c->carrier;

	facts_r->tls = true;
	facts_r->sni = t->server ? t->hello.sni : NULL;
	if (t->up) {
		facts_r->resumed = SSL_session_reused(t->ssl);
		facts_r->version = SSL_get_version(t->ssl);
		facts_r->cipher = SSL_get_cipher_name(t->ssl);
	}
}

static void
free_tls(struct tls *t)
{
	if (t->ssl) {
		/* Otherwise the session would count as broken off, and not be resumed. */
		if (t->up)
			SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(t->ssl);
		ERR_clear_error();
	}
	tls_server_unref(&t->server);
	tls_client_unref(&t->client);
	mem_free(t->hello.sni);
	mem_free(t->expected.name);
	mem_free(t->expected.cert_names);
	mem_free(t->failed);
	mem_free(t);
}

static void
tls_release(struct conn *c, enum conn_close_how how)
{
	(void)how;
	free_tls(c->carrier);
}

static const struct conn_ops tls_ops = {
	.establish = tls_establish,
	.read = tls_read,
	.write = tls_write,
	.more = tls_more,
	.goodbye = tls_goodbye,
	.facts = tls_facts,
	.release = tls_release,
};

/* --- beginning */

/* @t has its context; takes it over. */
static int
start(struct conn *c, struct tls *t, struct err *err)
{
	BIO *bio;

	if (c->state != CONN_OPEN || c->carrier || c->spill) {
		free_tls(t);
		return err_set(err, "TLS cannot begin in the midst of something else");
	}
	if (t->server)
		t->ssl = tls_server_ssl(t->server, &t->hello, err);
	else
		t->ssl = tls_client_ssl(t->client, &t->expected, err);
	if (!t->ssl) {
		free_tls(t);
		return -1;
	}
	bio = tls_bio_new(c);
	if (!bio) {
		free_tls(t);
		return tls_err(err, "cannot begin TLS");
	}
	SSL_set_bio(t->ssl, bio, bio);
	c->carrier = t;
	c->ops = &tls_ops;
	c->state = CONN_SHAKING;
	conn_wake(c, CONN_UP);
	conn_rearm(c);
	return 1;
}

int
conn_start_tls_server(struct conn *c, struct tls_server *server, struct err *err)
{
	struct tls *t = mem_zalloc(sizeof(*t));

	if (!t)
		return err_set(err, "out of memory");
	t->server = tls_server_ref(server);
	return start(c, t, err);
}

int
conn_start_tls_client(struct conn *c, struct tls_client *client, const char *name, struct err *err)
{
	struct tls *t = mem_zalloc(sizeof(*t));

	if (!t)
		return err_set(err, "out of memory");
	t->client = tls_client_ref(client);
	if (name) {
		t->expected.name = str_dup(slice_of(name));
		if (!t->expected.name) {
			free_tls(t);
			return err_set(err, "out of memory");
		}
	}
	return start(c, t, err);
}
