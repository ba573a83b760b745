/*
 * tests/unit/io_world.h - what the tests of io/ share: a loop with a guard, connected sockets, and an owner of a
 * conn that writes down what it is told.
 */
#ifndef IO_WORLD_H
#define IO_WORLD_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "io/conn.h"
#include "io/loop.h"
#include "io/sock.h"
#include "test.h"

#define GUARD_SECONDS 60.0 /* a hang becomes a failure; nothing waits for it */

struct world {
	struct loop *loop;
	struct conn_env *env;
	struct loop_timer guard, poll;
	bool late;
	bool (*until)(void *arg);
	void *arg;
	struct loop_task later;
};

static struct world world;

static inline void
world_on_guard(struct loop_timer *w)
{
	(void)w;
	world.late = true;
	loop_stop(world.loop);
}

static inline void
world_on_poll(struct loop_timer *w)
{
	if (world.until(world.arg))
		loop_stop(world.loop);
	else
		loop_timer_set(w, 0.0005);
}

/* Runs the loop until @until says true. */
static inline void
run_until_at(bool (*until)(void *arg), void *arg, const char *file, int line)
{
	world.until = until;
	world.arg = arg;
	world.late = false;
	loop_timer_set(&world.guard, GUARD_SECONDS);
	loop_timer_set(&world.poll, 0);
	loop_run(world.loop);
	loop_timer_stop(&world.guard);
	loop_timer_stop(&world.poll);
	if (world.late)
		test_fail_at(file, line, "nothing happened in %g s", GUARD_SECONDS);
}
#define RUN_UNTIL(until, arg) run_until_at(until, arg, __FILE__, __LINE__)

static inline void
world_stop_task(struct loop_task *t)
{
	(void)t;
	loop_stop(world.loop);
}

/* A few turns: whatever is ready happens. */
static inline void
run_turns(int n)
{
	loop_timer_set(&world.poll, 10); /* something that the loop could wait for */
	world.until = NULL;
	while (n-- > 0) {
		loop_defer(world.loop, &world.later, world_stop_task);
		loop_run(world.loop);
	}
	loop_timer_stop(&world.poll);
}

static inline void
world_open(void)
{
	memset(&world, 0, sizeof(world));
	world.loop = loop_new();
	CHECK(world.loop);
	loop_timer_init(world.loop, &world.guard, world_on_guard);
	loop_timer_init(world.loop, &world.poll, world_on_poll);
	world.env = conn_env_new(world.loop);
	CHECK(world.env);
}

static inline void
world_close(void)
{
	conn_env_free(&world.env);
	loop_free(&world.loop);
}

static inline unsigned
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Two ends of a TCP connection over loopback, non-blocking; @buffer: bytes of the kernel's send and receive buffers, 0: its choice. */
static inline void
tcp_pair(int fds_r[2], int buffer)
{
	struct addr any, bound, peer, local;
	struct err err = { "" };
	int listener;

	CHECK(addr_parse_ip(&any, SLICE("127.0.0.1"), 0));
	listener = sock_listen(&any, &bound, &err);
	if (listener < 0)
		FAIL("%s", err.text);
	if (buffer)
		setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	fds_r[0] = sock_connect(&bound, NULL, &err);
	if (fds_r[0] < 0)
		FAIL("%s", err.text);
	while ((fds_r[1] = sock_accept(listener, &peer, &local, &err)) == -1)
		continue;
	CHECK(fds_r[1] >= 0);
	if (buffer)
		for (int i = 0; i < 2; i++)
			setsockopt(fds_r[i], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	close(listener);
}

/* An owner of a conn. */
struct owner {
	struct conn *c;
	unsigned ups, ins, outs; /* how often it was told */
	bool up, ended, failed;
	bool lazy;      /* does not read when told */
	size_t piece;   /* bytes a conn_read(); 0: 64 KiB */
	unsigned reads; /* per event, then conn_kick(); 0: until it says 0 */
	char *got;
	size_t len, size;
	struct err err;
	/* a source of bytes, written as CONN_OUT allows */
	size_t to_write, written;
	enum conn_close_how close_how;
	bool close_when_ended;
};

static inline unsigned char
pattern(size_t i)
{
	return (unsigned char)((i * 2654435761u) >> 13);
}

static inline void
owner_read(struct owner *o)
{
	unsigned n = 0;

	while (o->c && !o->ended && !o->failed) {
		size_t piece = o->piece ? o->piece : 65536, len;
		int r;

		if (o->reads && n++ == o->reads) {
			conn_kick(o->c);
			return;
		}
		if (o->size - o->len < piece) {
			o->size = o->size * 2 + piece;
			o->got = realloc(o->got, o->size);
			CHECK(o->got);
		}
		r = conn_read(o->c, o->got + o->len, piece, &len, &o->err);
		if (r == 0)
			return;
		if (r < 0)
			o->failed = true;
		else if (len == 0)
			o->ended = true;
		else
			o->len += len;
	}
}

static inline void
owner_write(struct owner *o)
{
	static char block[32768];

	while (o->c && o->up && o->written < o->to_write && conn_pending(o->c) == 0) {
		size_t n = o->to_write - o->written;

		if (n > sizeof(block))
			n = sizeof(block);
		for (size_t i = 0; i < n; i++)
			block[i] = (char)pattern(o->written + i);
		if (conn_write_slice(o->c, (struct slice){ block, n }, &o->err) < 0) {
			o->failed = true;
			return;
		}
		o->written += n;
	}
}

static inline void
owner_establish(struct owner *o)
{
	int r = conn_establish(o->c, &o->err);

	if (r < 0)
		o->failed = true;
	if (r == 1)
		o->up = true;
	if (o->up)
		owner_write(o);
}

static inline void
owner_event(struct conn *c, int events, void *arg)
{
	struct owner *o = arg;

	CHECK(o->c == c);
	if (events & CONN_UP) {
		o->ups++;
		if (!o->up && !o->failed)
			owner_establish(o);
	}
	if (events & CONN_OUT) {
		o->outs++;
		owner_write(o);
	}
	if (events & CONN_IN) {
		o->ins++;
		if (!o->lazy)
			owner_read(o);
	}
	if (o->close_when_ended && (o->ended || o->failed))
		conn_close(&o->c, o->close_how);
}

/* Over a descriptor, plain and up. */
static inline void
owner_open(struct owner *o, int fd)
{
	o->c = conn_new(world.env, fd);
	CHECK(o->c);
	o->up = true;
	conn_set_handler(o->c, owner_event, o);
	conn_want_read(o->c, true);
}

static inline void
owner_close(struct owner *o)
{
	conn_close(&o->c, CONN_CLOSE);
	free(o->got);
	memset(o, 0, sizeof(*o));
}

static inline void
owner_say(struct owner *o, const char *text)
{
	struct err err = { "" };

	if (conn_write_slice(o->c, slice_of(text), &err) != 1)
		FAIL("cannot write: %s", err.text);
}

/* What came is the pattern, from its beginning. */
static inline void
owner_check_pattern(const struct owner *o, size_t len)
{
	CHECK_U64(o->len, len);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)o->got[i] != pattern(i))
			FAIL("byte %zu of %zu is wrong", i, len);
}

static inline bool
is_ended(void *arg)
{
	struct owner *o = arg;

	return o->ended || o->failed;
}

static inline bool
is_set(void *arg)
{
	return *(bool *)arg;
}

#endif
