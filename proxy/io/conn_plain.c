/*
 * io/conn_plain.c - the carrier that is the bare socket.
 */
#include <errno.h>
#include <sys/socket.h>

#include "io/conn_ops.h"

static int
plain_read(struct conn *c, void *p, size_t size, size_t *len_r, struct err *err)
{
	ssize_t n;

	do
		n = recv(c->fd, p, size, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		*len_r = (size_t)n;
		return 1;
	}
	if (n < 0 && !conn_would_block(errno)) {
		c->read_error = (uint8_t)errno;
		return err_errno(err, errno, "cannot read");
	}
	if (n < 0)
		return 0;
	c->eof = true;
	return 1;
}

static int
plain_write(struct conn *c, const struct iovec *parts, int n_parts, size_t len, struct err *err)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)parts,
		.msg_iovlen = (size_t)n_parts };
	size_t sent = 0;
	ssize_t n;

	(void)len;
	if (!c->spill) {
		n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
		if (n < 0 && !conn_would_block(errno))
			conn_broken(c, errno);
		sent = n > 0 ? (size_t)n : 0;
	}
	for (int i = 0; i < n_parts && !c->write_error; i++) {
		size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;

		sent -= skip;
		if (skip < parts[i].iov_len)
			conn_keep(
			    c, (const char *)parts[i].iov_base + skip, parts[i].iov_len - skip);
	}
	conn_rearm(c);
	return c->write_error ? err_errno(err, c->write_error, "cannot write") : 1;
}

const struct conn_ops conn_plain_ops = {
	.read = plain_read,
	.write = plain_write,
};
