/*
 * Messages between processes: order, limits, what a damaged peer may send, and that no descriptor is ever left open.
 */
#include <sys/resource.h>

#include "io/ipc.h"
#include "io_world.h"

struct side {
	struct ipc *ipc;
	unsigned messages, gone, keep; /* keep: take so many descriptors of each message */
	uint16_t last_type;
	uint64_t sum;
	int kept[64];
	unsigned n_kept;
	bool close_at_once, close_when_gone;
	struct err err;
	char payload[64];
	size_t payload_len;
};

static void
on_message(struct ipc *ipc, struct ipc_message *m, void *arg)
{
	struct side *s = arg;

	CHECK(ipc == s->ipc);
	if (s->messages > 0 && s->last_type + 1 != m->type && m->type != 0)
		FAIL("message %u came behind %u", m->type, s->last_type);
	s->messages++;
	s->last_type = m->type;
	s->payload_len = m->payload.len;
	if (m->payload.len > 0 && m->payload.len <= sizeof(s->payload))
		memcpy(s->payload, m->payload.p, m->payload.len);
	for (size_t i = 0; i < m->payload.len; i++)
		s->sum += (unsigned char)m->payload.p[i];
	for (unsigned i = 0; i < m->n_fds && i < s->keep && s->n_kept < ARRAY_SIZE(s->kept); i++) {
		s->kept[s->n_kept++] = m->fds[i];
		m->fds[i] = -1;
	}
	if (s->close_at_once)
		ipc_close(&s->ipc);
}

static void
on_gone(struct ipc *ipc, const struct err *err, void *arg)
{
	struct side *s = arg;

	CHECK(ipc == s->ipc);
	s->gone++;
	s->err = *err;
	if (s->close_when_gone)
		ipc_close(&s->ipc);
}

static void
open_sides(struct side *a, struct side *b)
{
	struct err err = { "" };
	int fds[2];

	if (ipc_pair(fds, &err) != 1)
		FAIL("%s", err.text);
	CHECK(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	a->ipc = ipc_new(world.loop, fds[0], on_message, on_gone, a);
	b->ipc = ipc_new(world.loop, fds[1], on_message, on_gone, b);
	CHECK(a->ipc && b->ipc);
}

/* Our side, and a bare socket to misbehave with. */
static int
open_bare(struct side *a)
{
	struct err err = { "" };
	int fds[2];

	CHECK(ipc_pair(fds, &err) == 1);
	a->ipc = ipc_new(world.loop, fds[0], on_message, on_gone, a);
	CHECK(a->ipc);
	return fds[1];
}

static bool
has_message(void *arg)
{
	struct side *s = arg;

	return s->messages > 0 || s->gone > 0;
}

static bool
is_gone(void *arg)
{
	struct side *s = arg;

	return s->gone > 0;
}

TEST(a_message_arrives_with_its_descriptors)
{
	struct side a = { .gone = 0 }, b = { .keep = 1 };
	unsigned before = open_fds();
	int pipes[2], two[2];
	char byte;

	world_open();
	open_sides(&a, &b);
	CHECK(pipe(pipes) == 0);
	two[0] = pipes[1];
	two[1] = pipes[0];
	CHECK_INT(ipc_send(a.ipc, 7, SLICE("hello"), two, 2), 1);
	RUN_UNTIL(has_message, &b);
	CHECK_U64(b.last_type, 7);
	CHECK_BYTES(b.payload, b.payload_len, "hello", 5);
	CHECK_U64(b.n_kept, 1);
	CHECK(fcntl(b.kept[0], F_GETFD) & FD_CLOEXEC);
	CHECK(write(b.kept[0], "x", 1) == 1);
	CHECK(read(pipes[0], &byte, 1) == 1 && byte == 'x');
	close(b.kept[0]);
	close(pipes[0]);
	close(pipes[1]);
	CHECK_INT(ipc_send(b.ipc, 8, SLICE(""), NULL, 0), 1);
	RUN_UNTIL(has_message, &a);
	CHECK_U64(a.payload_len, 0);
	ipc_close(&a.ipc);
	ipc_close(&b.ipc);
	world_close();
	CHECK_U64(open_fds(), before);
}

TEST(the_longest_message_passes_and_nothing_longer)
{
	static char block[IPC_PAYLOAD_MAX + 1];
	struct side a = { .gone = 0 }, b = { .gone = 0 };
	int fds[IPC_FDS_MAX + 1];

	world_open();
	open_sides(&a, &b);
	memset(block, 1, sizeof(block));
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = STDOUT_FILENO;
	CHECK_INT(ipc_send(a.ipc, 1, (struct slice){ block, sizeof(block) }, NULL, 0), -1);
	CHECK_INT(ipc_send(a.ipc, 1, SLICE("x"), fds, IPC_FDS_MAX + 1), -1);
	CHECK_INT(
	    ipc_send(a.ipc, 1, (struct slice){ block, IPC_PAYLOAD_MAX }, fds, IPC_FDS_MAX), 1);
	RUN_UNTIL(has_message, &b);
	CHECK_U64(b.sum, IPC_PAYLOAD_MAX);
	ipc_close(&a.ipc);
	ipc_close(&b.ipc);
	world_close();
}

static unsigned wanted;

static bool
has_wanted(void *arg)
{
	struct side *s = arg;

	return s->messages >= wanted || s->gone > 0;
}

TEST(what_does_not_fit_waits_in_order_with_its_descriptors)
{
	static char block[8192];
	struct side a = { .gone = 0 }, b = { .gone = 0 };
	unsigned before = open_fds();
	int fd = STDOUT_FILENO;

	world_open();
	open_sides(&a, &b);
	memset(block, 1, sizeof(block));
	for (unsigned i = 0; i < 3000; i++)
		CHECK_INT(ipc_send(a.ipc, (uint16_t)i, (struct slice){ block, sizeof(block) }, &fd,
			      i % 100 == 0),
		    1);
	CHECK(ipc_queued(a.ipc) > 0);
	wanted = 3000;
	RUN_UNTIL(has_wanted, &b);
	CHECK_U64(b.messages, 3000);
	CHECK_U64(b.sum, 3000 * sizeof(block));
	CHECK_U64(ipc_queued(a.ipc), 0);
	ipc_close(&a.ipc);
	ipc_close(&b.ipc);
	world_close();
	CHECK_U64(open_fds(), before);
}

TEST(the_queue_is_bounded_in_messages_and_bytes)
{
	static char block[IPC_PAYLOAD_MAX];
	unsigned before = open_fds();

	for (int large = 0; large < 2; large++) {
		struct side a = { .gone = 0 }, b = { .gone = 0 };
		size_t len = large ? sizeof(block) : 1;
		unsigned n = 0;
		int fd = STDOUT_FILENO;

		world_open();
		open_sides(&a, &b);
		while (ipc_send(a.ipc, (uint16_t)n, (struct slice){ block, len }, &fd,
			   n % 64 == 0) == 1) {
			n++;
			CHECK(ipc_queued(a.ipc) <= IPC_QUEUE_MAX);
		}
		CHECK_U64(ipc_queued(a.ipc), large ? IPC_QUEUE_BYTES_MAX / len : IPC_QUEUE_MAX);
		wanted = n;
		RUN_UNTIL(has_wanted, &b); /* what was accepted arrives */
		CHECK_INT(ipc_send(a.ipc, (uint16_t)n, SLICE("x"), NULL, 0), 1);
		ipc_close(&a.ipc);
		ipc_close(&b.ipc);
		world_close();
	}
	CHECK_U64(open_fds(), before);
}

TEST(a_queue_that_is_dropped_closes_its_descriptors)
{
	static char block[8192];
	struct side a = { .gone = 0 }, b = { .gone = 0 };
	unsigned before = open_fds();
	int fds[2] = { STDOUT_FILENO, STDERR_FILENO };

	world_open();
	open_sides(&a, &b);
	while (ipc_queued(a.ipc) < 20)
		CHECK_INT(ipc_send(a.ipc, 0, (struct slice){ block, sizeof(block) }, fds, 2), 1);
	CHECK(open_fds() > before + 20);
	ipc_close(&b.ipc);
	run_turns(5); /* a finds out while it sends */
	CHECK_U64(ipc_queued(a.ipc), 0);
	CHECK_U64(a.gone, 1);
	CHECK_INT(ipc_send(a.ipc, 0, SLICE("x"), fds, 2), -1);
	ipc_close(&a.ipc);
	world_close();
	CHECK_U64(open_fds(), before);
}

TEST(messages_sent_before_the_end_arrive_before_it)
{
	struct side a = { .gone = 0 }, b = { .close_when_gone = true };

	world_open();
	open_sides(&a, &b);
	for (uint16_t i = 0; i < 100; i++)
		CHECK_INT(ipc_send(a.ipc, i, SLICE("x"), NULL, 0), 1);
	ipc_close(&a.ipc);
	RUN_UNTIL(is_gone, &b);
	CHECK_U64(b.messages, 100);
	CHECK_STR(b.err.text, "the other side has closed the channel");
	CHECK(!b.ipc);
	world_close();
}

TEST(a_channel_may_be_closed_by_its_own_message)
{
	struct side a = { .gone = 0 }, b = { .close_at_once = true };
	unsigned before = open_fds();
	int fd = STDOUT_FILENO;

	world_open();
	open_sides(&a, &b);
	CHECK_INT(ipc_send(a.ipc, 1, SLICE("x"), &fd, 1), 1);
	CHECK_INT(ipc_send(a.ipc, 2, SLICE("y"), &fd, 1), 1);
	RUN_UNTIL(has_message, &b);
	CHECK_U64(b.messages, 1);
	RUN_UNTIL(is_gone, &a);
	ipc_close(&a.ipc);
	ipc_close(&a.ipc);
	world_close();
	CHECK_U64(open_fds(), before);
}

/* As ipc.c has it. */
struct header {
	uint32_t magic;
	uint16_t version;
	uint16_t type;
	uint32_t length;
	uint16_t n_fds;
	uint16_t reserved;
};

static void
send_bare(int fd, const void *p, size_t len, int passed, unsigned n)
{
	struct iovec part = { (void *)(uintptr_t)p, len };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * 64)];
	} control;
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (n > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		for (unsigned i = 0; i < n; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &passed, sizeof(int));
	}
	CHECK(sendmsg(fd, &m, 0) == (ssize_t)len);
}

#define GOOD 0x79617073u

TEST(malformed_messages_close_the_channel_and_leak_nothing)
{
	static const struct {
		struct header h;
		size_t cut;   /* bytes of the header sent */
		size_t extra; /* bytes behind it */
		unsigned fds;
		const char *reason;
	} rows[] = {
		{ { GOOD, 1, 5, 3, 0, 0 }, 16, 3, 0, NULL },
		{ { GOOD, 1, 5, 3, 2, 0 }, 16, 3, 2, NULL },
		{ { GOOD, 1, 5, 0, 0, 0 }, 15, 0, 1, "message of 15 bytes without a header" },
		{ { GOOD, 1, 5, 0, 0, 0 }, 1, 0, 0, "message of 1 bytes without a header" },
		{ { 0x1234, 1, 5, 0, 0, 0 }, 16, 0, 1, "message with magic number 0x1234" },
		{ { GOOD, 2, 5, 0, 0, 0 }, 16, 0, 1, "message of version 2, not 1" },
		{ { GOOD, 1, 5, 4, 0, 0 }, 16, 3, 1, "message of type 5 with 3 bytes, not 4" },
		{ { GOOD, 1, 5, 2, 0, 0 }, 16, 3, 0, "message of type 5 with 3 bytes, not 2" },
		{ { GOOD, 1, 5, 65537, 0, 0 }, 16, 65537, 1, "message of type 5 is too long" },
		{ { GOOD, 1, 5, 65536, 0, 0 }, 16, 65537, 1, "message of type 5 is too long" },
		{ { GOOD, 1, 5, 0, 0, 0 }, 16, 0, 1,
		    "message of type 5 with 1 descriptors, not 0" },
		{ { GOOD, 1, 5, 0, 2, 0 }, 16, 0, 1,
		    "message of type 5 with 1 descriptors, not 2" },
		{ { GOOD, 1, 5, 0, 16, 0 }, 16, 0, 40,
		    "message of type 5 lost descriptors on its way" },
	};
	static char block[16 + 65537];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned before = open_fds();
		struct side a = { .gone = 0 };
		int fd;

		test_note("row %zu", i);
		world_open();
		fd = open_bare(&a);
		memcpy(block, &rows[i].h, sizeof(struct header));
		send_bare(fd, block, rows[i].cut + rows[i].extra, fd, rows[i].fds);
		RUN_UNTIL(has_message, &a);
		CHECK_U64(a.messages, rows[i].reason == NULL);
		if (rows[i].reason)
			CHECK_STR(a.err.text, rows[i].reason);
		run_turns(3);
		CHECK_U64(a.gone, rows[i].reason != NULL); /* told once */
		ipc_close(&a.ipc);
		close(fd);
		world_close();
		CHECK_U64(open_fds(), before);
	}
}

TEST(descriptors_beyond_the_limit_close_the_channel_and_leak_nothing)
{
	unsigned before = open_fds();
	struct side a = { .gone = 0 }, b = { .gone = 0 };
	struct rlimit limit, low;
	int fds[8];

	world_open();
	open_sides(&a, &b);
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = STDOUT_FILENO;
	CHECK_INT(ipc_send(a.ipc, 1, SLICE("x"), fds, 8), 1);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	low = limit;
	low.rlim_cur = before + 6;
	CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
	run_turns(3);
	setrlimit(RLIMIT_NOFILE, &limit);
	CHECK_U64(b.gone + b.messages, 1);
	if (b.messages > 0)
		puts("# the limit is not enforced here (valgrind)");
	else
		CHECK_STR(b.err.text, "message of type 1 lost descriptors on its way");
	ipc_close(&a.ipc);
	ipc_close(&b.ipc);
	world_close();
	CHECK_U64(open_fds(), before);
}

TEST(a_flood_leaves_the_loop_its_turns)
{
	struct side a = { .gone = 0 }, b = { .gone = 0 };

	world_open();
	open_sides(&a, &b);
	for (uint16_t i = 0; i < 200; i++)
		CHECK_INT(ipc_send(a.ipc, i, SLICE("x"), NULL, 0), 1);
	run_turns(1);
	CHECK(b.messages > 0);
	CHECK(b.messages <= 64);
	wanted = 200;
	RUN_UNTIL(has_wanted, &b);
	ipc_close(&a.ipc);
	ipc_close(&b.ipc);
	world_close();
}

TEST(without_a_loop_messages_are_waited_for)
{
	struct err err = { "" };
	struct ipc *a, *b;
	struct ipc_message m;
	int fds[2], fd = STDOUT_FILENO;

	CHECK(ipc_pair(fds, &err) == 1);
	a = ipc_new(NULL, fds[0], NULL, NULL, NULL);
	b = ipc_new(NULL, fds[1], NULL, NULL, NULL);
	CHECK(a && b);
	CHECK_INT(ipc_receive(b, &m, 0.01, &err), 0);
	CHECK_INT(ipc_send(a, 3, SLICE("hello"), &fd, 1), 1);
	CHECK_INT(ipc_receive(b, &m, 10, &err), 1);
	CHECK_U64(m.type, 3);
	CHECK_SLICE(m.payload, "hello");
	CHECK_U64(m.n_fds, 1);
	close(m.fds[0]);
	CHECK_INT(ipc_send(a, 4, SLICE("last"), NULL, 0), 1);
	ipc_close(&a);
	CHECK_INT(ipc_receive(b, &m, 10, &err), 1);
	CHECK_INT(ipc_receive(b, &m, 10, &err), -1);
	CHECK_STR(err.text, "the other side has closed the channel");
	CHECK_INT(ipc_receive(b, &m, 10, &err), -1);
	CHECK_INT(ipc_send(b, 5, SLICE("x"), NULL, 0), -1);
	ipc_close(&b);
}
