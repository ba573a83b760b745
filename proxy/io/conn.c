/*
 * io/conn.c - byte streams: what is common to all carriers.
 *
 *      owner -> conn_write -> ops->write -> conn_push -> socket
 *                                              \-> spill -> (writable) conn_flush -> socket, CONN_OUT
 *      owner <- conn_read  <- ops->read  <- [raw] <- socket <- (readable) CONN_IN
 *
 * The watcher is derived: conn_rearm() computes it from state, owner's wish, spill, end and error, and is called after
 * whatever changes one of these. Events that no descriptor reports (input that is inside already, a broken spill, a kick)
 * go over env's list of the woken, which conn_env.c serves once a turn.
 */
#include "io/conn.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/conn_ops.h"
#include "io/sock.h"

void
conn_set_handler(struct conn *c, conn_fn *fn, void *arg)
{
	c->fn = fn;
	c->arg = arg;
	if (fn && (c->wake || (c->want_read && conn_more(c))))
		conn_wake(c, c->want_read && conn_more(c) ? CONN_IN : 0);
	conn_rearm(c);
}

void
conn_rearm(struct conn *c)
{
	bool awake = c->fn && !c->failed;
	int events = 0;

	if (c->fd < 0)
		return;
	switch (c->state) {
	case CONN_CONNECTING:
		events = awake ? LOOP_WRITE : 0;
		break;
	case CONN_SHAKING:
		events = awake ? LOOP_READ : 0;
		break;
	case CONN_OPEN:
		if (awake && c->want_read && !c->eof)
			events = LOOP_READ;
		break;
	case CONN_DEAD:
		return;
	}
	if (c->spill)
		events |= LOOP_WRITE;
	loop_io_set(&c->io, events);
}

/* --- sending */

void
conn_broken(struct conn *c, int error)
{
	c->write_error = (uint8_t)error;
	conn_chunk_free(&c->spill);
}

static void
send_fin(struct conn *c)
{
	if (c->fin_sent || c->fd < 0)
		return;
	c->fin_sent = true;
	if (shutdown(c->fd, SHUT_WR) < 0 && !c->write_error)
		c->write_error = (uint8_t)errno;
}

static void
conn_flush(struct conn *c)
{
	struct conn_chunk *k = c->spill;
	ssize_t n;

	if (k) {
		n = send(c->fd, k->data + k->start, k->end - k->start, MSG_NOSIGNAL);
		if (n < 0 && !conn_would_block(errno))
			conn_broken(c, errno);
		else if (n > 0)
			k->start += (uint32_t)n;
		if (c->spill && k->start == k->end)
			conn_chunk_free(&c->spill);
	}
	if (!c->spill && c->shut)
		send_fin(c);
}

void
conn_keep(struct conn *c, const char *p, size_t len)
{
	if (conn_chunk_len(c->spill) + len > CONN_SPILL_MAX)
		conn_broken(c, ENOBUFS);
	else if (!conn_chunk_append(&c->spill, p, len))
		conn_broken(c, ENOMEM);
}

bool
conn_push(struct conn *c, const char *p, size_t len)
{
	ssize_t n = 0;

	if (c->write_error)
		return false;
	if (len > 0 && !c->spill) {
		n = send(c->fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && !conn_would_block(errno)) {
			conn_broken(c, errno);
			return false;
		}
		n = n < 0 ? 0 : n;
	}
	if ((size_t)n < len)
		conn_keep(c, p + n, len - (size_t)n);
	conn_rearm(c);
	return !c->write_error;
}

/* --- what the owner calls */

int
conn_read(struct conn *c, void *p, size_t size, size_t *len_r, struct err *err)
{
	int r;

	*len_r = 0;
	if (c->state != CONN_OPEN)
		return 0;
	if (c->eof_told)
		return 1;
	if (c->read_error)
		return err_errno(err, c->read_error, "cannot read");
	if (size == 0)
		return 0;
	r = c->ops->read(c, p, size, len_r, err);
	if (r == 1 && *len_r > 0) {
		c->bytes_in += *len_r;
		return 1;
	}
	/* After a reset that a write has met, the end that the kernel reports here was none. */
	if (r >= 0 && c->write_error) {
		c->read_error = c->write_error;
		r = err_errno(err, c->read_error, "connection broken");
	}
	if (r == 1)
		c->eof_told = true;
	c->failed = r < 0;
	conn_rearm(c);
	return r;
}

int
conn_write(struct conn *c, const struct iovec *parts, int n, struct err *err)
{
	size_t len = 0, waiting = conn_chunk_len(c->spill);
	int r;

	for (int i = 0; i < n; i++)
		len += parts[i].iov_len;
	if (c->state != CONN_OPEN)
		return err_set(err, "cannot write: not connected");
	if (c->shut)
		return err_set(err, "cannot write: this side has ended");
	if (c->write_error)
		return err_errno(err, c->write_error, "cannot write");
	if (len > CONN_WRITE_MAX || (waiting > 0 && waiting + len > CONN_WRITE_MAX))
		return err_set(err, "cannot write %zu bytes: %zu wait already", len, waiting);
	if (len == 0)
		return 1;
	r = c->ops->write(c, parts, n, len, err);
	if (r == 1)
		c->bytes_out += len;
	return r;
}

int
conn_write_slice(struct conn *c, struct slice s, struct err *err)
{
	struct iovec part = { (void *)(uintptr_t)s.p, s.len };

	return conn_write(c, &part, 1, err);
}

size_t
conn_pending(const struct conn *c)
{
	size_t n = conn_chunk_len(c->spill);

	return n == 0 && (c->state == CONN_CONNECTING || c->state == CONN_SHAKING) ? 1 : n;
}

bool
conn_more(const struct conn *c)
{
	if (c->state != CONN_OPEN || c->eof_told)
		return false;
	return c->eof || c->read_error || (c->ops->more && c->ops->more(c));
}

void
conn_want_read(struct conn *c, bool want)
{
	if (c->want_read == want)
		return;
	c->want_read = want;
	if (want && conn_more(c))
		conn_wake(c, CONN_IN);
	conn_rearm(c);
}

bool
conn_has_input(struct conn *c)
{
	char byte;

	if (c->state != CONN_OPEN)
		return false;
	if (c->fd < 0)
		return c->ops->has_input && c->ops->has_input(c);
	return c->raw || (c->ops->more && c->ops->more(c)) ||
	       recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void
conn_kick(struct conn *c)
{
	conn_wake(c, CONN_IN);
}

void
conn_shutdown(struct conn *c)
{
	if (c->shut || c->state == CONN_DEAD)
		return;
	if (c->state == CONN_OPEN && c->ops->goodbye)
		c->ops->goodbye(c);
	c->shut = true;
	if (!c->spill && c->state != CONN_CONNECTING)
		send_fin(c);
	conn_rearm(c);
}

/* Connected, or failed to. poll, because SO_ERROR is 0 as long as nothing is known. */
static int
connected(struct conn *c, struct err *err)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };
	int error;

	if (poll(&p, 1, 0) <= 0)
		return 0;
	error = sock_error(c->fd);
	if (error) {
		c->write_error = c->read_error = (uint8_t)error;
		return err_errno(err, error, "cannot connect");
	}
	c->state = CONN_OPEN;
	return 1;
}

int
conn_establish(struct conn *c, struct err *err)
{
	int r = 1;

	switch (c->state) {
	case CONN_CONNECTING:
		r = c->write_error ? err_errno(err, c->write_error, "cannot connect")
				   : connected(c, err);
		break;
	case CONN_SHAKING:
		r = c->ops->establish(c, err);
		if (r == 1) {
			c->state = CONN_OPEN;
			if (c->want_read && conn_more(c))
				conn_wake(c, CONN_IN);
		}
		break;
	case CONN_OPEN:
		break;
	case CONN_DEAD:
		return err_set(err, "closed");
	}
	c->failed = r < 0;
	conn_rearm(c);
	return r;
}

static void
on_io(struct loop_io *w, int events)
{
	struct conn *c = container_of(w, struct conn, io);
	int say = 0;

	if ((events & LOOP_WRITE) && c->spill) {
		conn_flush(c);
		if (!c->spill)
			say |= CONN_OUT;
		if (c->write_error) /* nobody may be writing: let the reader find it */
			say |= CONN_IN;
	}
	if (c->state == CONN_CONNECTING ||
	    (c->state == CONN_SHAKING && ((events & LOOP_READ) || c->write_error)))
		say = CONN_UP;
	else if (c->state == CONN_SHAKING)
		say = 0;
	else if ((events & LOOP_READ) && c->want_read)
		say |= CONN_IN;
	conn_rearm(c);
	conn_tell(c, say);
}

void
conn_facts(const struct conn *c, struct conn_facts *facts_r)
{
	memset(facts_r, 0, sizeof(*facts_r));
	facts_r->truncated = c->truncated;
	facts_r->bytes_in = c->bytes_in;
	facts_r->bytes_out = c->bytes_out;
	if (c->ops->facts)
		c->ops->facts(c, facts_r);
}

/* --- birth and death */

struct conn *
conn_new(struct conn_env *env, int fd)
{
	struct conn *c = conn_alloc(env, &conn_plain_ops);

	if (!c) {
		close(fd);
		return NULL;
	}
	c->fd = fd;
	loop_io_init(env->loop, &c->io, fd, on_io);
	return c;
}

struct conn *
conn_dial(struct conn_env *env, const struct addr *to, const struct addr *source, struct err *err)
{
	int fd = sock_connect(to, source, err);
	struct conn *c;

	if (fd < 0)
		return NULL;
	c = conn_new(env, fd);
	if (!c) {
		err_set(err, "out of memory");
		return NULL;
	}
	c->state = CONN_CONNECTING;
	conn_rearm(c);
	return c;
}

static void
close_socket(struct conn *c, enum conn_close_how how)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	switch (how) {
	case CONN_LINGER:
		/* Unread input would make close() a reset, which takes the last message along. (The end of a
		 * TLS stream is not yet that of the socket.) */
		if (c->state != CONN_CONNECTING && !c->write_error && !c->read_error &&
		    !(c->eof && !c->spill && !c->carrier)) {
			linger_add(c->env->lingers, c->fd, &c->spill, c->fin_sent);
			return;
		}
		break;
	case CONN_CLOSE:
		break;
	case CONN_ABORT:
		if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0)
			errno = 0; /* not TCP: a plain close then */
		break;
	}
	close(c->fd);
}

void
conn_close(struct conn **cp, enum conn_close_how how)
{
	struct conn *c = *cp;

	if (!c)
		return;
	ASSERT(c->state != CONN_DEAD);
	*cp = NULL;
	loop_io_stop(&c->io);
	if (c->fd >= 0 && how != CONN_ABORT) {
		if (c->state == CONN_OPEN && !c->shut && c->ops->goodbye)
			c->ops->goodbye(c);
		if (c->spill)
			conn_flush(c);
		loop_io_stop(&c->io); /* sending has set it again */
	}
	if (c->fd >= 0)
		close_socket(c, how);
	c->fd = -1;
	if (c->ops->release)
		c->ops->release(c, how);
	c->carrier = NULL;
	conn_chunk_free(&c->spill);
	conn_chunk_free(&c->raw);
	c->state = CONN_DEAD;
	c->fn = NULL;
	conn_bury(c);
}
