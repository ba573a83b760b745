/*
 * io/tls_bio.c - what libssl reads from and writes to in place of the socket.
 *
 *      in:   c->raw, or env->raw with what recv() gave behind it     [start .. limit .. end)
 *            libssl sees one whole record, up to limit; what is left afterwards goes to c->raw
 *      out:  env->seal, sent or spilled by tls_push()
 *
 * The window and the scratch buffers belong to env and are good for one call: tls_in_begin() to tls_in_end().
 */
#include <errno.h>
#include <openssl/bio.h>
#include <sys/socket.h>

#include "io/conn_ops.h"
#include "io/tls_int.h"

#define HEADER 5

static int
bio_read(BIO *bio, char *p, size_t size, size_t *len_r)
{
	struct conn *c = BIO_get_data(bio);
	size_t left = c->env->in.limit - c->env->in.start;

	BIO_clear_retry_flags(bio);
	*len_r = left < size ? left : size;
	if (*len_r == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(p, c->env->in.p + c->env->in.start, *len_r);
	c->env->in.start += *len_r;
	return 1;
}

/* Sends what libssl has written so far. */
void
tls_push(struct conn *c)
{
	size_t len = c->env->sealed;

	c->env->sealed = 0;
	if (len > 0)
		conn_push(c, c->env->seal, len);
}

/* Takes everything: what cannot be sent or kept is noted in the conn, and the next call finds it. */
static int
bio_write(BIO *bio, const char *p, size_t len, size_t *written_r)
{
	struct conn *c = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*written_r = len;
	if (c->env->sealed + len > CONN_SEAL_SIZE)
		tls_push(c);
	if (len > CONN_SEAL_SIZE) {
		conn_push(c, p, len);
		return 1;
	}
	memcpy(c->env->seal + c->env->sealed, p, len);
	c->env->sealed += len;
	return 1;
}

static long
bio_ctrl(BIO *bio, int command, long larg, void *parg)
{
	(void)bio;
	(void)larg;
	(void)parg;
	return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static BIO_METHOD *
bio_method(void)
{
	static BIO_METHOD *method;

	if (method)
		return method;
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "conn");
	if (method &&
	    (!BIO_meth_set_read_ex(method, bio_read) || !BIO_meth_set_write_ex(method, bio_write) ||
		!BIO_meth_set_ctrl(method, bio_ctrl))) {
		BIO_meth_free(method);
		method = NULL;
	}
	return method;
}

/* --- what libssl is fed from: c->raw, or env->raw with what recv() gave */

void
tls_in_begin(struct conn *c)
{
	c->env->in.p = c->raw ? c->raw->data : c->env->raw;
	c->env->in.start = c->raw ? c->raw->start : 0;
	c->env->in.end = c->raw ? c->raw->end : 0;
	c->env->in.limit = c->env->in.start;
	c->env->in.wrong_header = false;
}

/* Keeps what is left. False when out of memory. */
bool
tls_in_end(struct conn *c)
{
	size_t start = c->env->in.start, end = c->env->in.end;
	bool ok = true;

	if (c->raw) {
		c->raw->start = (uint32_t)start;
		if (start == end)
			conn_chunk_free(&c->raw);
	} else if (start < end) {
		ok = conn_chunk_append(&c->raw, c->env->raw + start, end - start);
	}
	c->env->in.start = c->env->in.end = c->env->in.limit = 0;
	return ok;
}

/*
 * How many bytes to hand to libssl next, of @have at @p: a whole record, or the header alone where it is wrong, since
 * its body is not to be waited for. 0: not there yet.
 */
static size_t
record_length(const char *p, size_t have, bool *wrong_r)
{
	const unsigned char *h = (const unsigned char *)p;
	size_t len;

	if (have < HEADER)
		return 0;
	len = HEADER + ((size_t)h[3] << 8 | h[4]);
	*wrong_r = len > CONN_RECORD_MAX || h[1] != 3;
	if (*wrong_r)
		return HEADER;
	return have < len ? 0 : len;
}

/* Opens the window on the next record. False: it is not there yet. */
bool
tls_in_next(struct conn *c)
{
	size_t len = record_length(c->env->in.p + c->env->in.start,
	    c->env->in.end - c->env->in.start, &c->env->in.wrong_header);

	c->env->in.limit = c->env->in.start + len;
	return len > 0;
}

/* libssl wants more although it was given what it is to take: only after a header that it should have refused. */
bool
tls_in_malformed(const struct conn *c)
{
	return c->env->in.wrong_header || c->env->in.start < c->env->in.limit;
}

/* One recv() behind what is there. 1: something, or the end (c->eof); 0: nothing now; -1: failed. */
int
tls_in_receive(struct conn *c, size_t want, struct err *err)
{
	size_t have = c->env->in.end - c->env->in.start, room;
	ssize_t n;

	if (have > 0)
		memmove(c->env->raw, c->env->in.p + c->env->in.start, have);
	c->env->in.p = c->env->raw;
	c->env->in.start = c->env->in.limit = 0;
	c->env->in.end = have;
	conn_chunk_free(&c->raw);
	/* No more than the caller can take, so that little is left to be kept. */
	room = CONN_RAW_SIZE - have;
	if (want < CONN_RECORD_MAX)
		want = CONN_RECORD_MAX;
	n = recv(c->fd, c->env->raw + have, want < room ? want : room, 0);
	if (n < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
			return 0;
		c->read_error = (uint8_t)errno;
		return err_errno(err, errno, "cannot read");
	}
	c->env->in.end += (size_t)n;
	c->eof = n == 0;
	return 1;
}

BIO *
tls_bio_new(struct conn *c)
{
	BIO *bio = bio_method() ? BIO_new(bio_method()) : NULL;

	if (bio) {
		BIO_set_data(bio, c);
		BIO_set_init(bio, 1);
	}
	return bio;
}

bool
tls_in_kept(const struct conn *c)
{
	const struct conn_chunk *k = c->raw;
	bool wrong;

	return k && record_length(k->data + k->start, k->end - k->start, &wrong) > 0;
}
