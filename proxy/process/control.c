/*
 * process/control.c - clients of the control socket: who they are, their request, the way of the answer.
 *
 *      on_accept -> allowed() -> on_client: request whole -> ops->request ... control_flush -> control_end -> last byte -> closed
 *
 * A client is bounded in everything: how many there are, bytes and time of the request, bytes of the answer that wait, time
 * without taking any. While it waits for its answer nothing is expected of it: an end of its side is its end.
 */
#include "process/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct control_client {
	struct list node; /* of control->clients */
	struct control *control;
	struct loop_io io;
	struct loop_timer timer; /* until the request is there; then while output waits */
	struct loop_task flush;
	int fd;
	bool asked;    /* the request was passed on */
	bool answered; /* the first line is out */
	bool ended;    /* closed with the last byte */
	struct buf out;
	struct buf lines; /* what will stand behind the line of an error */
	void *data;
	size_t n;
	char request[CONTROL_REQUEST_MAX];
};

struct control {
	struct loop *loop;
	struct loop_io io;
	struct loop_timer pause; /* no descriptor left: accepting rests */
	int fd;
	uint32_t owner;
	bool group;
	const struct control_ops *ops;
	void *arg;
	struct list clients;
	unsigned n;
};

static void
client_free(struct control_client *c)
{
	struct control *k = c->control;

	loop_io_stop(&c->io);
	loop_timer_stop(&c->timer);
	loop_defer_cancel(&c->flush);
	(void)close(c->fd);
	buf_free(&c->out);
	buf_free(&c->lines);
	list_remove(&c->node);
	mem_free(c);
	if (k->n-- == CONTROL_CLIENTS_MAX)
		loop_io_set(&k->io, LOOP_READ);
}

static void
client_gone(struct control_client *c)
{
	if (c->asked && !c->ended)
		c->control->ops->gone(c, c->control->arg);
	client_free(c);
}

/* As much as the socket takes. Frees a client that has gone, or that has ended and has it all. */
static void
send_out(struct control_client *c)
{
	struct slice s;
	ssize_t n;

	while ((s = buf_slice(&c->out)).len > 0) {
		n = send(c->fd, s.p, s.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (!loop_timer_active(&c->timer))
				loop_timer_set(&c->timer, CONTROL_STALL_SECONDS);
			loop_io_set(&c->io, LOOP_READ | LOOP_WRITE);
			return;
		}
		if (n < 0) {
			client_gone(c);
			return;
		}
		buf_consume(&c->out, (size_t)n);
		loop_timer_stop(&c->timer);
	}
	buf_free(&c->out);
	loop_io_set(&c->io, LOOP_READ);
	if (c->ended)
		client_free(c);
	else if (c->answered)
		c->control->ops->room(c, c->control->arg);
}

static void
on_flush(struct loop_task *t)
{
	send_out(container_of(t, struct control_client, flush));
}

void
control_flush(struct control_client *c)
{
	loop_defer(c->control->loop, &c->flush, on_flush);
}

static void
say(struct control_client *c, const char *text)
{
	if (buf_put_slice(&c->out, slice_of(text)))
		control_flush(c);
}

void
control_ok(struct control_client *c)
{
	if (!c->answered)
		say(c, "ok\n");
	c->answered = true;
}

void
control_end(struct control_client *c)
{
	control_ok(c);
	c->ended = true;
	loop_timer_set(&c->timer, CONTROL_STALL_SECONDS);
	control_flush(c);
}

void
control_fail(struct control_client *c, const char *fmt, ...)
{
	char text[512], line[2200];
	size_t at = 6;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!c->answered) {
		memcpy(line, "error ", 6);
		(void)str_printable(line + at, sizeof(line) - at - 2, slice_of(text));
		at += strlen(line + at);
		memcpy(line + at, "\n", 2);
		say(c, line);
		if (buf_len(&c->lines) > 0)
			(void)!buf_put_slice(&c->out, buf_slice(&c->lines));
	}
	c->answered = true;
	control_end(c);
}

void
control_lines(struct control_client *c, struct slice lines)
{
	struct buf *to = c->answered ? &c->out : &c->lines;

	for (size_t i = 0; i < lines.len; i++) {
		char b = lines.p[i];

		if ((unsigned char)b < ' ' && b != '\n')
			b = '?';
		if (!buf_put(to, &b, 1))
			return;
	}
	if (lines.len > 0 && lines.p[lines.len - 1] != '\n')
		(void)!buf_put(to, "\n", 1);
}

struct buf *
control_out(struct control_client *c)
{
	return &c->out;
}

bool
control_full(const struct control_client *c)
{
	return buf_len(&c->out) >= CONTROL_OUT_HIGH;
}

void
control_set_data(struct control_client *c, void *data)
{
	c->data = data;
}

void *
control_data(const struct control_client *c)
{
	return c->data;
}

/* --- the request */

/* 1: whole, cut into words; 0: more is to come; -1: it is none. */
static int
cut_words(struct control_client *c, char *words[CONTROL_WORDS_MAX + 1], unsigned *n_r)
{
	unsigned n = 0;

	for (size_t at = 0; at < c->n;) {
		char *word = c->request + at, *end = memchr(word, '\0', c->n - at);

		if (!end)
			return 0;
		at += (size_t)(end - word) + 1;
		if (end == word) {
			words[n] = NULL;
			*n_r = n;
			return n > 0 && at == c->n ? 1 : -1;
		}
		if (n == CONTROL_WORDS_MAX)
			return -1;
		words[n++] = word;
	}
	return 0;
}

static void
read_request(struct control_client *c)
{
	char *words[CONTROL_WORDS_MAX + 1];
	unsigned n;
	int whole;
	ssize_t got = recv(c->fd, c->request + c->n, sizeof(c->request) - c->n, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		client_gone(c);
		return;
	}
	c->n += (size_t)got;
	whole = cut_words(c, words, &n);
	if (whole == 0 && c->n < sizeof(c->request))
		return;
	loop_timer_stop(&c->timer);
	if (whole != 1) {
		control_fail(c, whole == 0 ? "request too long" : "malformed request");
		return;
	}
	c->asked = true;
	c->control->ops->request(c, words, n, c->control->arg);
}

/* Nothing is expected any more: the client's end, or bytes that nobody asked for. */
static void
read_nothing(struct control_client *c)
{
	char byte;
	ssize_t got = recv(c->fd, &byte, 1, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	client_gone(c);
}

static void
on_client(struct loop_io *w, int events)
{
	struct control_client *c = container_of(w, struct control_client, io);

	if (events & LOOP_WRITE)
		control_flush(c);
	if (!(events & LOOP_READ))
		return;
	if (c->asked || c->ended)
		read_nothing(c);
	else
		read_request(c);
}

static void
on_late(struct loop_timer *t)
{
	client_gone(container_of(t, struct control_client, timer));
}

/* --- accepting */

static bool
allowed(const struct control *k, int fd, struct ucred *who)
{
	socklen_t len = sizeof(*who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &len) != 0)
		return false;
	return who->uid == 0 || who->uid == k->owner || k->group;
}

static void
client_new(struct control *k, int fd)
{
	struct ucred who = { 0 };
	struct control_client *c = mem_zalloc(sizeof(*c));

	if (!c) {
		(void)close(fd);
		return;
	}
	c->control = k;
	c->fd = fd;
	buf_init(&c->out, CONTROL_OUT_MAX, false);
	buf_init(&c->lines, CONTROL_OUT_MAX, false);
	list_append(&k->clients, &c->node);
	loop_io_init(k->loop, &c->io, fd, on_client);
	loop_timer_init(k->loop, &c->timer, on_late);
	if (++k->n == CONTROL_CLIENTS_MAX)
		loop_io_set(&k->io, 0); /* the others wait in the queue of the socket */
	if (!allowed(k, fd, &who)) {
		log_msg(LOG_WARN, EV_CONTROL, "refused: user %u may not", (unsigned)who.uid);
		control_fail(c, "you may not: only root and the user the proxy was started as");
		return;
	}
	loop_timer_set(&c->timer, CONTROL_REQUEST_SECONDS);
	loop_io_set(&c->io, LOOP_READ);
}

static void
on_pause_over(struct loop_timer *t)
{
	struct control *k = container_of(t, struct control, pause);

	if (k->n < CONTROL_CLIENTS_MAX)
		loop_io_set(&k->io, LOOP_READ);
}

static void
on_accept(struct loop_io *w, int events)
{
	struct control *k = container_of(w, struct control, io);
	int fd = accept4(k->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0) {
		client_new(k, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		loop_io_set(&k->io, 0);
		loop_timer_set(&k->pause, 0.5);
	}
}

struct control *
control_new(
    struct loop *loop, int fd, uint32_t owner, bool group, const struct control_ops *ops, void *arg)
{
	struct control *k = mem_zalloc(sizeof(*k));

	if (!k) {
		(void)close(fd);
		return NULL;
	}
	k->loop = loop;
	k->fd = fd;
	k->owner = owner;
	k->group = group;
	k->ops = ops;
	k->arg = arg;
	list_init(&k->clients);
	loop_io_init(loop, &k->io, fd, on_accept);
	loop_timer_init(loop, &k->pause, on_pause_over);
	loop_io_set(&k->io, LOOP_READ);
	return k;
}

void
control_free(struct control **kp)
{
	struct control *k = *kp;

	if (!k)
		return;
	*kp = NULL;
	list_foreach_safe (node, &k->clients) {
		struct control_client *c = list_entry(node, struct control_client, node);

		/* The last words of those that have ended: what the socket takes now. */
		if (c->ended && buf_len(&c->out) > 0) {
			struct slice s = buf_slice(&c->out);
			ssize_t sent = send(c->fd, s.p, s.len, MSG_DONTWAIT | MSG_NOSIGNAL);

			(void)sent;
		}
		client_gone(c);
	}
	loop_io_stop(&k->io);
	loop_timer_stop(&k->pause);
	(void)close(k->fd);
	mem_free(k);
}
