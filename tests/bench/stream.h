/*
 * A non-blocking byte stream over a connected socket, with or without TLS, for the bench tools alone.
 * The proxy has its own (io/conn); the tools that measure it must share no code with it.
 *
 * The stream owns its socket and its SSL object; stream_close gives both back.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum {
	STREAM_WANT_READ = -1,
	STREAM_WANT_WRITE = -2,
	STREAM_FAILED = -3,
};

struct stream {
	int fd;
	SSL *ssl; /* NULL: plaintext */
};

/* What a call on an SSL object that returned ret asks for: one of the codes above, or 0 at the end. */
static inline int
stream_tls_result(struct stream *s, int ret)
{
	switch (SSL_get_error(s->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return STREAM_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return STREAM_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		return STREAM_FAILED;
	}
}

/* 1 once the handshake is over (for plaintext at once), else a negative code. */
static inline int
stream_handshake(struct stream *s)
{
	int ret;

	if (!s->ssl)
		return 1;
	ERR_clear_error();
	ret = SSL_do_handshake(s->ssl);
	if (ret == 1)
		return 1;
	ret = stream_tls_result(s, ret);
	return ret == 0 ? STREAM_FAILED : ret;
}

/* Bytes read, 0 at the end of the stream, or a negative code. */
static inline ssize_t
stream_read(struct stream *s, void *buf, size_t len)
{
	ssize_t n;

	if (s->ssl) {
		ERR_clear_error();
		n = SSL_read(s->ssl, buf, len > 1 << 30 ? 1 << 30 : (int)len);
		return n > 0 ? n : stream_tls_result(s, (int)n);
	}
	do
		n = recv(s->fd, buf, len, 0);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN ? STREAM_WANT_READ : STREAM_FAILED;
}

/* A piece of output. An iovec has no const; what it points to is only read. */
static inline struct iovec
stream_piece(const void *bytes, size_t len)
{
	return (struct iovec){ (void *)(uintptr_t)bytes, len };
}

/*
 * Bytes written, or a negative code. Over TLS small pieces are gathered into one record; after
 * STREAM_WANT_WRITE the caller must come back with the same bytes.
 */
static inline ssize_t
stream_writev(struct stream *s, struct iovec *iov, int count)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)count };
	static unsigned char gathered[16384];
	const void *from = iov[0].iov_base;
	size_t len = iov[0].iov_len;
	ssize_t n;

	if (s->ssl) {
		if (count > 1 && len < sizeof(gathered)) {
			len = 0;
			for (int i = 0; i < count && len < sizeof(gathered); i++) {
				size_t part = iov[i].iov_len;

				if (part > sizeof(gathered) - len)
					part = sizeof(gathered) - len;
				memcpy(gathered + len, iov[i].iov_base, part);
				len += part;
			}
			from = gathered;
		}
		ERR_clear_error();
		n = SSL_write(s->ssl, from, len > 1 << 30 ? 1 << 30 : (int)len);
		if (n > 0)
			return n;
		n = stream_tls_result(s, (int)n);
		return n == 0 ? STREAM_FAILED : n;
	}
	do
		n = sendmsg(s->fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN ? STREAM_WANT_WRITE : STREAM_FAILED;
}

/* Says goodbye on the TLS layer when polite, then closes. */
static inline void
stream_close(struct stream *s, bool polite)
{
	if (s->ssl) {
		if (polite) {
			ERR_clear_error();
			SSL_shutdown(s->ssl);
		}
		SSL_free(s->ssl);
		s->ssl = NULL;
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

#endif
