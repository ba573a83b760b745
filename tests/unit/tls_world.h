/*
 * tests/unit/tls_world.h - what the tests of TLS share: certificates, contexts, two ends of ours, and a client that is plain libssl
 * over memory BIOs, for what our own does not do.
 */
#ifndef TLS_WORLD_H
#define TLS_WORLD_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "io/conn_ops.h"
#include "io/tls_ctx.h"
#include "io_world.h"
#include "tls_certs.h"

static const unsigned char ticket_key[TLS_TICKET_KEY] = "not secret";

static struct test_cert ca, leaf, leaf_rsa, other, expired, lonely;

static inline void
make_certs(void)
{
	struct err err = { "" };

	if (ca.x509)
		return;
	if (tls_init(&err) != 1)
		FAIL("%s", err.text);
	ca = test_cert_new((struct test_cert_params){ .cn = "Test CA", .ca = true });
	leaf = test_cert_new((struct test_cert_params){ .cn = "mail.example",
	    .san = "DNS:mail.example,DNS:*.wild.example,IP:127.0.0.1",
	    .issuer = &ca });
	leaf_rsa = test_cert_new((struct test_cert_params){
	    .cn = "mail.example", .san = "DNS:mail.example", .issuer = &ca, .rsa = true });
	other = test_cert_new((struct test_cert_params){
	    .cn = "other.example", .san = "DNS:other.example,DNS:more.example", .issuer = &ca });
	expired = test_cert_new((struct test_cert_params){ .cn = "mail.example",
	    .san = "DNS:mail.example",
	    .issuer = &ca,
	    .from = -7200,
	    .until = -3600 });
	lonely = test_cert_new(
	    (struct test_cert_params){ .cn = "mail.example", .san = "DNS:mail.example" });
}

__attribute__((destructor)) static inline void
free_certs(void)
{
	test_cert_free(&ca);
	test_cert_free(&leaf);
	test_cert_free(&leaf_rsa);
	test_cert_free(&other);
	test_cert_free(&expired);
	test_cert_free(&lonely);
}

/* A server with one default section. */
static inline struct tls_server *
server_with(const struct test_cert *c, enum tls_version min)
{
	struct err err = { "" };
	struct tls_server *t = tls_server_new(ticket_key, &err);
	struct tls_pair pair = test_pair(c);
	size_t bad;

	CHECK(t);
	if (tls_server_add(t, NULL, 0, &pair, 1, min, &bad, &err) != 1)
		FAIL("%s", err.text);
	return t;
}

static inline struct tls_client *
client_with(const struct test_cert *anchor, bool verify)
{
	struct tls_client_params p = { .verify = verify, .min = TLS_1_2 };
	struct err err = { "" };
	struct tls_client *t;

	if (anchor)
		p.ca = slice_of(anchor->cert_pem);
	t = tls_client_new(&p, &err);
	if (!t)
		FAIL("%s", err.text);
	return t;
}

/* Two ends of our own. */
struct ends {
	struct owner a, b; /* client, server */
};

static inline bool
both_settled(void *arg)
{
	struct ends *e = arg;

	return (e->a.up || e->a.failed) && (e->b.up || e->b.failed);
}

static inline void
begin(struct ends *e, struct tls_client *client, const char *name, struct tls_server *server,
    int buffer)
{
	struct err err = { "" };
	int fds[2];

	tcp_pair(fds, buffer);
	owner_open(&e->a, fds[0]);
	owner_open(&e->b, fds[1]);
	e->a.up = e->b.up = false;
	if (conn_start_tls_client(e->a.c, client, name, &err) != 1)
		FAIL("%s", err.text);
	if (conn_start_tls_server(e->b.c, server, &err) != 1)
		FAIL("%s", err.text);
	CHECK_U64(conn_pending(e->a.c), 1);
}

static inline void
shake_hands(struct ends *e, struct tls_client *client, const char *name, struct tls_server *server,
    int buffer)
{
	begin(e, client, name, server, buffer);
	RUN_UNTIL(both_settled, e);
	if (e->a.failed)
		FAIL("client: %s", e->a.err.text);
	if (e->b.failed)
		FAIL("server: %s", e->b.err.text);
}

static inline void
close_ends(struct ends *e)
{
	owner_close(&e->a);
	owner_close(&e->b);
}

static inline bool
has_two(void *arg)
{
	struct owner *o = arg;

	return o->len >= 2 || o->failed;
}

/* A line each way, so that tickets have been seen. */
static inline void
exchange(struct ends *e)
{
	owner_say(&e->a, "hi");
	RUN_UNTIL(has_two, &e->b);
	CHECK_BYTES(e->b.got, e->b.len, "hi", 2);
	owner_say(&e->b, "ho");
	RUN_UNTIL(has_two, &e->a);
	CHECK_BYTES(e->a.got, e->a.len, "ho", 2);
}

/* --- a peer that is plain libssl over a memory BIO pair, for what our own client does not do */

struct raw_peer {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
	int fd;
	bool up, failed;
	unsigned long error;
	char got[256];
	size_t len;
};

static inline void
raw_open(struct raw_peer *p, int fd)
{
	memset(p, 0, sizeof(*p));
	p->fd = fd;
	p->ctx = SSL_CTX_new(TLS_client_method());
	CHECK(p->ctx);
}

static inline void
raw_start(struct raw_peer *p)
{
	p->ssl = SSL_new(p->ctx);
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	CHECK(p->ssl && p->in && p->out);
	BIO_set_mem_eof_return(p->in, -1);
	SSL_set_bio(p->ssl, p->in, p->out);
	SSL_set_connect_state(p->ssl);
}

/* Moves what there is, @drip bytes at a time when not 0. */
static inline void
raw_step(struct raw_peer *p, size_t drip)
{
	char block[4096];
	ssize_t n;
	int r;

	while ((n = recv(p->fd, block, sizeof(block), MSG_DONTWAIT)) > 0)
		BIO_write(p->in, block, (int)n);
	if (!p->up && !p->failed) {
		ERR_clear_error();
		r = SSL_do_handshake(p->ssl);
		p->up = r == 1;
		if (r != 1 && SSL_get_error(p->ssl, r) != SSL_ERROR_WANT_READ) {
			p->failed = true;
			p->error = ERR_peek_error();
		}
	}
	if (p->up && p->len < sizeof(p->got)) {
		ERR_clear_error();
		r = SSL_read(p->ssl, p->got + p->len, (int)(sizeof(p->got) - p->len));
		if (r > 0)
			p->len += (size_t)r;
	}
	if (drip) {
		if ((r = BIO_read(p->out, block, (int)drip)) > 0)
			CHECK(send(p->fd, block, (size_t)r, MSG_NOSIGNAL) == r);
		return;
	}
	while ((r = BIO_read(p->out, block, sizeof(block))) > 0)
		CHECK(send(p->fd, block, (size_t)r, MSG_NOSIGNAL) == r);
}

static inline void
raw_close(struct raw_peer *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	if (p->fd >= 0)
		close(p->fd);
	ERR_clear_error();
}

/* Our server, @setup'ed libssl as its client; runs until both have settled, or the server has failed. */
static inline void
raw_handshake(struct raw_peer *p, struct owner *b, struct tls_server *server,
    void (*setup)(struct raw_peer *p), size_t drip)
{
	struct err err = { "" };
	int fds[2];

	tcp_pair(fds, 0);
	raw_open(p, fds[0]);
	if (setup)
		setup(p);
	if (!p->ssl)
		raw_start(p);
	owner_open(b, fds[1]);
	b->up = false;
	CHECK_INT(conn_start_tls_server(b->c, server, &err), 1);
	while (!b->failed && !(b->up && (p->up || p->failed))) {
		raw_step(p, drip);
		run_turns(1);
	}
}

static inline void
setup_1_2(struct raw_peer *p)
{
	SSL_CTX_set_max_proto_version(p->ctx, TLS1_2_VERSION);
}

#endif
