/*
 * Plain connections over real sockets: reading, spill and backpressure, half-closes, the kinds of closing.
 */
#include <sys/resource.h>

#include "base/stat.h"
#include "io/conn_ops.h"
#include "io_world.h"

TEST(what_is_written_arrives_and_is_counted)
{
	struct owner a = { .c = NULL }, b = { .close_how = CONN_CLOSE };
	struct iovec parts[3] = { { (void *)(uintptr_t) "one ", 4 }, { NULL, 0 },
		{ (void *)(uintptr_t) "two", 3 } };
	struct conn_facts facts;
	struct err err = { "" };
	int fds[2];

	world_open();
	tcp_pair(fds, 0);
	owner_open(&a, fds[0]);
	owner_open(&b, fds[1]);
	CHECK_U64(conn_env_open(world.env), 2);
	CHECK_INT(conn_establish(a.c, &err), 1);
	CHECK_INT(conn_write(a.c, parts, 3, &err), 1);
	CHECK_U64(conn_pending(a.c), 0);
	conn_shutdown(a.c);
	RUN_UNTIL(is_ended, &b);
	CHECK_BYTES(b.got, b.len, "one two", 7);
	conn_facts(a.c, &facts);
	CHECK_U64(facts.bytes_out, 7);
	CHECK(!facts.tls && !facts.version && !facts.truncated);
	conn_facts(b.c, &facts);
	CHECK_U64(facts.bytes_in, 7);
	owner_close(&a);
	owner_close(&b);
	CHECK_U64(conn_env_open(world.env), 0);
	world_close();
}

TEST(the_end_is_told_again_and_again)
{
	struct owner b = { .c = NULL };
	char byte;
	size_t len = 9;
	int fds[2];

	world_open();
	tcp_pair(fds, 0);
	owner_open(&b, fds[1]);
	CHECK_INT(conn_read(b.c, &byte, 1, &len, &b.err), 0);
	CHECK_U64(len, 0);
	close(fds[0]);
	RUN_UNTIL(is_ended, &b);
	CHECK(b.ended && !b.failed);
	for (int i = 0; i < 3; i++) {
		len = 9;
		CHECK_INT(conn_read(b.c, &byte, 1, &len, &b.err), 1);
		CHECK_U64(len, 0);
	}
	run_turns(5); /* and does not wake anybody any more */
	CHECK_U64(b.ins, 1);
	owner_close(&b);
	world_close();
}

TEST(a_slow_reader_makes_a_spill_and_conn_out)
{
	struct owner a = { .to_write = 4 << 20, .up = true }, b = { .lazy = true };
	int fds[2];

	world_open();
	tcp_pair(fds, 8192);
	owner_open(&a, fds[0]);
	owner_open(&b, fds[1]);
	conn_want_read(b.c, false);
	owner_write(&a);
	CHECK(conn_pending(a.c) > 0);
	CHECK(conn_pending(a.c) <= CONN_WRITE_MAX);
	CHECK(a.written < a.to_write);
	run_turns(10);
	CHECK_U64(b.ins, 0);
	CHECK(conn_pending(a.c) > 0);

	/* Now it reads, 1000 bytes at a time; the writer goes on with each CONN_OUT and ends. */
	b.lazy = false;
	b.piece = 1000;
	b.reads = 3;
	conn_want_read(b.c, true);
	while (a.written < a.to_write)
		run_turns(1);
	CHECK(a.outs > 1);
	conn_shutdown(a.c);
	conn_shutdown(a.c);
	RUN_UNTIL(is_ended, &b);
	owner_check_pattern(&b, a.to_write);
	CHECK_U64(conn_pending(a.c), 0);
	owner_close(&a);
	owner_close(&b);
	world_close();
}

TEST(more_than_the_bound_is_refused_and_nothing_of_it_sent)
{
	static char block[CONN_WRITE_MAX + 1];
	struct owner a = { .to_write = 1 << 20 }, b = { .lazy = true };
	struct err err = { "" };
	size_t room, before;
	int fds[2];

	world_open();
	tcp_pair(fds, 8192);
	owner_open(&a, fds[0]);
	CHECK_INT(conn_write_slice(a.c, (struct slice){ block, sizeof(block) }, &err), -1);
	owner_open(&b, fds[1]);
	owner_write(&a);
	before = conn_pending(a.c);
	CHECK(before > 0);
	room = CONN_WRITE_MAX - before;
	CHECK_INT(conn_write_slice(a.c, (struct slice){ block, room + 1 }, &err), -1);
	CHECK(strstr(err.text, "wait already"));
	CHECK_U64(conn_pending(a.c), before);
	CHECK_INT(conn_write_slice(a.c, (struct slice){ block, room }, &err), 1);
	CHECK_U64(conn_pending(a.c), CONN_WRITE_MAX);
	CHECK_INT(conn_write_slice(a.c, SLICE("x"), &err), -1);
	owner_close(&a);
	owner_close(&b);
	world_close();
}

TEST(half_closes_go_both_ways)
{
	struct owner a = { .c = NULL }, b = { .c = NULL };
	struct err err = { "" };
	int fds[2];

	world_open();
	tcp_pair(fds, 0);
	owner_open(&a, fds[0]);
	owner_open(&b, fds[1]);
	owner_say(&a, "question");
	conn_shutdown(a.c);
	CHECK_INT(conn_write_slice(a.c, SLICE("x"), &err), -1);
	RUN_UNTIL(is_ended, &b);
	CHECK_BYTES(b.got, b.len, "question", 8);
	CHECK(!a.ended);
	owner_say(&b, "answer");
	conn_shutdown(b.c);
	RUN_UNTIL(is_ended, &a);
	CHECK_BYTES(a.got, a.len, "answer", 6);
	owner_close(&a);
	owner_close(&b);
	world_close();
}

TEST(a_shutdown_waits_for_what_is_pending)
{
	struct owner a = { .to_write = 200000 }, b = { .lazy = true };
	int fds[2];

	world_open();
	tcp_pair(fds, 8192);
	owner_open(&a, fds[0]);
	owner_open(&b, fds[1]);
	owner_write(&a);
	CHECK(conn_pending(a.c) > 0);
	conn_shutdown(a.c);
	b.lazy = false;
	RUN_UNTIL(is_ended, &b);
	owner_check_pattern(&b, a.written);
	owner_close(&a);
	owner_close(&b);
	world_close();
}

TEST(nothing_is_told_while_nobody_wants_to_read)
{
	struct owner a = { .c = NULL }, b = { .c = NULL };
	int fds[2];

	world_open();
	tcp_pair(fds, 0);
	owner_open(&a, fds[0]);
	owner_open(&b, fds[1]);
	conn_want_read(b.c, false);
	owner_say(&a, "x");
	run_turns(5);
	CHECK_U64(b.ins, 0);
	CHECK(conn_has_input(b.c));
	CHECK(!conn_has_input(a.c));
	conn_want_read(b.c, true);
	run_turns(2);
	CHECK_U64(b.len, 1);
	owner_close(&a);
	owner_close(&b);
	world_close();
}

TEST(a_kick_brings_conn_in_next_turn)
{
	struct owner a = { .c = NULL }, b = { .piece = 1, .reads = 1 };
	int fds[2];

	world_open();
	tcp_pair(fds, 0);
	owner_open(&a, fds[0]);
	owner_open(&b, fds[1]);
	owner_say(&a, "12345");
	conn_shutdown(a.c);
	RUN_UNTIL(is_ended, &b);
	CHECK_BYTES(b.got, b.len, "12345", 5);
	CHECK(b.ins >= 6);
	owner_close(&a);
	owner_close(&b);
	world_close();
}

TEST(a_handler_set_late_learns_what_happened)
{
	struct owner a = { .to_write = 1 << 20 }, b = { .c = NULL };
	int fds[2];

	world_open();
	tcp_pair(fds, 8192);
	owner_open(&a, fds[0]);
	owner_open(&b, fds[1]);
	owner_write(&a);
	a.to_write = a.written;
	CHECK(conn_pending(a.c) > 0);
	conn_set_handler(a.c, NULL, NULL);
	while (b.len < a.written)
		run_turns(1);
	run_turns(3);
	CHECK_U64(conn_pending(a.c), 0);
	CHECK_U64(a.outs, 0);
	conn_set_handler(a.c, owner_event, &a);
	run_turns(2);
	CHECK_U64(a.outs, 1);
	owner_close(&a);
	owner_close(&b);
	world_close();
}

TEST(a_handler_may_close_its_own_connection)
{
	struct owner b = { .close_when_ended = true, .close_how = CONN_CLOSE };
	int fds[2];

	world_open();
	tcp_pair(fds, 0);
	owner_open(&b, fds[1]);
	close(fds[0]);
	RUN_UNTIL(is_ended, &b);
	CHECK(!b.c);
	CHECK_U64(conn_env_open(world.env), 0);
	owner_close(&b);
	world_close();
}

struct closer {
	struct owner *victim;
	struct owner self;
};

static void
close_other(struct conn *c, int events, void *arg)
{
	struct closer *closer = arg;

	(void)events;
	CHECK(c == closer->self.c);
	conn_close(&closer->victim->c, CONN_CLOSE);
	conn_close(&closer->self.c, CONN_CLOSE);
	loop_stop(world.loop);
}

TEST(a_handler_may_close_another_connection_that_is_ready_too)
{
	struct owner b[2] = { { .c = NULL }, { .c = NULL } };
	struct closer closers[2] = { { .victim = &b[1] }, { .victim = &b[0] } };
	int fds[2][2];

	/* Whichever is told first closes the other, which is pending in the same turn. */
	world_open();
	for (int i = 0; i < 2; i++) {
		tcp_pair(fds[i], 0);
		owner_open(&b[i], fds[i][1]);
	}
	for (int i = 0; i < 2; i++) {
		closers[i].self = b[i];
		closers[i].victim = &closers[1 - i].self;
		conn_set_handler(b[i].c, close_other, &closers[i]);
		close(fds[i][0]);
	}
	loop_run(world.loop);
	CHECK(!closers[0].self.c && !closers[1].self.c);
	CHECK_U64(conn_env_open(world.env), 0);
	world_close();
}

TEST(abort_is_a_reset_and_has_a_reason)
{
	struct owner a = { .c = NULL }, b = { .c = NULL };
	char byte;
	size_t len;
	int fds[2];

	world_open();
	tcp_pair(fds, 0);
	owner_open(&a, fds[0]);
	owner_open(&b, fds[1]);
	conn_close(&a.c, CONN_ABORT);
	RUN_UNTIL(is_ended, &b);
	CHECK(b.failed);
	CHECK(strstr(b.err.text, "reset"));
	CHECK_INT(conn_read(b.c, &byte, 1, &len, &b.err), -1);
	CHECK_INT(conn_write_slice(b.c, SLICE("x"), &b.err), -1);
	owner_close(&a);
	owner_close(&b);
	world_close();
}

TEST(a_broken_spill_is_told_to_an_owner_that_does_not_read)
{
	struct owner a = { .to_write = 1 << 20 };
	int fds[2];

	world_open();
	tcp_pair(fds, 8192);
	owner_open(&a, fds[0]);
	conn_want_read(a.c, false);
	owner_write(&a);
	a.to_write = a.written;
	CHECK(conn_pending(a.c) > 0);
	close(fds[1]); /* with unread input: a reset */
	RUN_UNTIL(is_ended, &a);
	CHECK(a.failed);
	CHECK(a.err.text[0]);
	CHECK_U64(conn_pending(a.c), 0);
	owner_close(&a);
	world_close();
}

/* A peer that goes on sending and reads only afterwards; @how decides whether the last words end in order. */
static size_t
last_words(enum conn_close_how how, bool *reset_r)
{
	static char junk[60000], got[300000];
	struct owner b = { .lazy = true, .to_write = 100000 };
	size_t len = 0;
	int fds[2];
	ssize_t n;

	world_open();
	tcp_pair(fds, 0);
	owner_open(&b, fds[1]);
	CHECK(send(fds[0], junk, sizeof(junk), 0) == (ssize_t)sizeof(junk));
	while (!conn_has_input(b.c))
		run_turns(1);
	owner_write(&b);
	CHECK_U64(b.written, b.to_write);
	conn_close(&b.c, how);
	run_turns(3);
	if (how == CONN_LINGER)
		CHECK_U64(conn_env_open(world.env), 1);
	*reset_r = send(fds[0], junk, sizeof(junk), MSG_NOSIGNAL) < 0;
	for (;;) {
		n = recv(fds[0], got + len, sizeof(got) - len, 0);
		if (n > 0)
			len += (size_t)n;
		else if (n == 0 || errno != EAGAIN)
			break;
		else
			run_turns(1);
	}
	for (size_t i = 0; i < len; i++)
		CHECK((unsigned char)got[i] == pattern(i));
	*reset_r |= n < 0;
	close(fds[0]);
	while (conn_env_open(world.env) > 0)
		run_turns(1);
	world_close();
	return len;
}

TEST(linger_delivers_the_last_message_though_unread_input_exists)
{
	uint64_t before = stat_get(STAT_LINGERS);

	bool reset;

	CHECK_U64(last_words(CONN_LINGER, &reset), 100000);
	CHECK(!reset);
	CHECK_U64(stat_get(STAT_LINGERS), before + 1);
}

TEST(without_linger_unread_input_makes_it_a_reset)
{
	bool reset;

	last_words(CONN_CLOSE, &reset);
	CHECK(reset);
}

static bool
none_open(void *arg)
{
	(void)arg;
	return conn_env_open(world.env) == 0;
}

TEST(linger_delivers_a_spill)
{
	static char got[65536];
	struct owner b = { .lazy = true, .to_write = 3 << 16 };
	size_t len = 0;
	int fds[2];
	ssize_t n;

	world_open();
	tcp_pair(fds, 8192);
	owner_open(&b, fds[1]);
	owner_write(&b);
	CHECK(conn_pending(b.c) > 0);
	conn_close(&b.c, CONN_LINGER);
	CHECK_U64(conn_env_open(world.env), 1);
	for (;;) {
		n = recv(fds[0], got, sizeof(got), 0);
		if (n == 0)
			break;
		if (n < 0) {
			CHECK(errno == EAGAIN);
			run_turns(1);
			continue;
		}
		for (ssize_t i = 0; i < n; i++)
			CHECK((unsigned char)got[i] == pattern(len + (size_t)i));
		len += (size_t)n;
	}
	CHECK_U64(len, b.written);
	close(fds[0]);
	RUN_UNTIL(none_open, NULL);
	world_close();
}

TEST(lingering_is_bounded_in_time)
{
	struct owner b = { .lazy = true };
	double before;
	int fds[2];

	world_open();
	tcp_pair(fds, 0);
	owner_open(&b, fds[1]);
	before = loop_now(world.loop);
	conn_close(&b.c, CONN_LINGER);
	RUN_UNTIL(none_open, NULL); /* the peer never closes */
	CHECK(loop_now(world.loop) - before > 1.9);
	close(fds[0]);
	world_close();
}

TEST(lingering_is_bounded_in_bytes)
{
	static char junk[65536];
	struct owner b = { .lazy = true };
	size_t sent = 0;
	int fds[2];

	world_open();
	tcp_pair(fds, 0);
	owner_open(&b, fds[1]);
	conn_close(&b.c, CONN_LINGER);
	while (conn_env_open(world.env) > 0) {
		ssize_t n = send(fds[0], junk, sizeof(junk), MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		run_turns(1);
	}
	CHECK(sent >= 256 * 1024);
	close(fds[0]);
	world_close();
}

TEST(lingering_is_bounded_in_number)
{
	struct rlimit limit, high;
	static int peers[1030];

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	high = limit;
	high.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
	CHECK(setrlimit(RLIMIT_NOFILE, &high) == 0);
	if (high.rlim_cur < 2 * ARRAY_SIZE(peers) + 50) {
		puts("# too few descriptors here");
		return;
	}
	world_open();
	for (unsigned i = 0; i < ARRAY_SIZE(peers); i++) {
		struct conn *c;
		int fds[2];

		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
		peers[i] = fds[0];
		c = conn_new(world.env, fds[1]);
		CHECK(c);
		conn_close(&c, CONN_LINGER);
	}
	CHECK_U64(conn_env_open(world.env), 1024);
	for (unsigned i = 0; i < ARRAY_SIZE(peers); i++)
		close(peers[i]);
	RUN_UNTIL(none_open, NULL);
	setrlimit(RLIMIT_NOFILE, &limit);
	world_close();
}

TEST(an_environment_that_ends_cuts_what_lingers)
{
	unsigned before = open_fds();
	struct owner b = { .lazy = true };
	int fds[2];

	world_open();
	tcp_pair(fds, 0);
	owner_open(&b, fds[1]);
	conn_close(&b.c, CONN_LINGER);
	world_close();
	close(fds[0]);
	CHECK_U64(open_fds(), before);
}

TEST(dialling_reaches_a_listener)
{
	struct addr any, bound, source, peer, local, name;
	struct owner a = { .c = NULL };
	struct err err = { "" };
	socklen_t name_len = sizeof(name);
	int listener, leg = -1, on;
	socklen_t len = sizeof(on);

	world_open();
	CHECK(addr_parse_ip(&any, SLICE("127.0.0.1"), 0));
	CHECK(addr_parse_ip(&source, SLICE("127.0.0.9"), 0));
	listener = sock_listen(&any, &bound, &err);
	CHECK(listener >= 0);
	CHECK(addr_port(&bound) > 0);
	CHECK_INT(sock_accept(listener, &peer, &local, &err), -1);
	a.c = conn_dial(world.env, &bound, &source, &err);
	CHECK(a.c);
	CHECK_U64(conn_pending(a.c), 1);
	CHECK_INT(conn_write_slice(a.c, SLICE("x"), &err), -1);
	conn_set_handler(a.c, owner_event, &a);
	RUN_UNTIL(is_set, &a.up);
	CHECK_U64(conn_pending(a.c), 0);
	leg = sock_accept(listener, &peer, &local, &err);
	CHECK(leg >= 0);
	CHECK(addr_eq(&local, &bound));
	CHECK_U64(peer.in4.sin_addr.s_addr, source.in4.sin_addr.s_addr);
	CHECK(getsockname(a.c->fd, &name.sa, &name_len) == 0 && addr_eq(&name, &peer));
	CHECK(fcntl(leg, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(leg, F_GETFD) & FD_CLOEXEC);
	CHECK(getsockopt(leg, SOL_SOCKET, SO_KEEPALIVE, &on, &len) == 0 && on);
	close(leg);
	close(listener);
	owner_close(&a);
	world_close();
}

TEST(dialling_a_closed_port_fails_with_the_reason)
{
	struct addr any, bound;
	struct owner a = { .c = NULL };
	struct err err = { "" };
	int listener;

	world_open();
	CHECK(addr_parse_ip(&any, SLICE("127.0.0.1"), 0));
	listener = sock_listen(&any, &bound, &err);
	CHECK(listener >= 0);
	close(listener);
	a.c = conn_dial(world.env, &bound, NULL, &err);
	if (a.c) { /* loopback may say so at once, or later */
		conn_set_handler(a.c, owner_event, &a);
		RUN_UNTIL(is_ended, &a);
		CHECK(a.failed);
		CHECK_STR(a.err.text, "cannot connect: Connection refused");
		CHECK_INT(conn_establish(a.c, &err), -1);
	}
	CHECK_STR(err.text, "cannot connect: Connection refused");
	owner_close(&a);

	CHECK(addr_parse_ip(&any, SLICE("192.0.2.1"), 0)); /* not ours */
	a.c = conn_dial(world.env, &bound, &any, &err);
	CHECK(!a.c);
	CHECK(strstr(err.text, "cannot connect from 192.0.2.1: "));
	CHECK_INT(sock_listen(&any, NULL, &err), -1);
	CHECK(strstr(err.text, "cannot listen on 192.0.2.1:0: "));
	CHECK_U64(conn_env_open(world.env), 0);
	world_close();
}

TEST(accepting_without_descriptors_says_so)
{
	struct addr any, bound, peer, local;
	struct rlimit limit, low = { 64, 0 };
	struct err err = { "" };
	int listener, client, fds[64], n = 0, leg;

	CHECK(addr_parse_ip(&any, SLICE("::1"), 0));
	listener = sock_listen(&any, &bound, &err);
	if (listener < 0)
		return; /* no IPv6 here */
	client = sock_connect(&bound, NULL, &err);
	CHECK(client >= 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	low.rlim_max = limit.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
	for (n = 0; n < (int)ARRAY_SIZE(fds); n++)
		if ((fds[n] = fcntl(client, F_DUPFD, 0)) < 0)
			break;
	do
		leg = sock_accept(listener, &peer, &local, &err);
	while (leg == -1);
	setrlimit(RLIMIT_NOFILE, &limit);
	CHECK_INT(leg, -2);
	CHECK(strstr(err.text, "cannot accept: "));
	while (n > 0)
		close(fds[--n]);
	fds[0] = sock_connect(&bound, NULL, &err);
	CHECK(fds[0] >= 0);
	do
		leg = sock_accept(listener, &peer, &local, &err);
	while (leg == -1);
	CHECK(leg >= 0);
	close(fds[0]);
	close(leg);
	close(client);
	close(listener);
}

/* --- a carrier in memory, as the tests of the session have it */

struct memory {
	char in[64], out[64];
	size_t in_len, out_len;
	bool released;
};

static int
memory_read(struct conn *c, void *p, size_t size, size_t *len_r, struct err *err)
{
	struct memory *m = c->carrier;

	(void)err;
	*len_r = m->in_len < size ? m->in_len : size;
	memcpy(p, m->in, *len_r);
	memmove(m->in, m->in + *len_r, m->in_len - *len_r);
	m->in_len -= *len_r;
	return *len_r > 0;
}

static int
memory_write(struct conn *c, const struct iovec *parts, int n, size_t len, struct err *err)
{
	struct memory *m = c->carrier;

	if (m->out_len + len > sizeof(m->out))
		return err_set(err, "full");
	for (int i = 0; i < n; i++) {
		memcpy(m->out + m->out_len, parts[i].iov_base, parts[i].iov_len);
		m->out_len += parts[i].iov_len;
	}
	return 1;
}

static bool
memory_more(const struct conn *c)
{
	const struct memory *m = c->carrier;

	return m->in_len > 0;
}

static bool
memory_has_input(struct conn *c)
{
	return memory_more(c);
}

static void
memory_release(struct conn *c, enum conn_close_how how)
{
	struct memory *m = c->carrier;

	(void)how;
	m->released = true;
}

static const struct conn_ops memory_ops = {
	.read = memory_read,
	.write = memory_write,
	.more = memory_more,
	.has_input = memory_has_input,
	.release = memory_release,
};

TEST(another_carrier_needs_no_socket)
{
	struct memory m = { .in = "hello", .in_len = 5 };
	struct owner o = { .up = true };

	world_open();
	o.c = conn_alloc(world.env, &memory_ops);
	CHECK(o.c);
	o.c->carrier = &m;
	conn_set_handler(o.c, owner_event, &o);
	CHECK(conn_has_input(o.c));
	conn_want_read(o.c, true);
	CHECK_U64(o.len, 0);
	run_turns(1);
	CHECK_BYTES(o.got, o.len, "hello", 5);
	owner_say(&o, "there");
	CHECK_BYTES(m.out, m.out_len, "there", 5);
	conn_shutdown(o.c);
	owner_close(&o);
	CHECK(m.released);
	world_close();
}

TEST(a_conn_is_small)
{
	printf("# struct conn: %zu bytes\n", sizeof(struct conn));
	CHECK(sizeof(struct conn) <= 192);
}
