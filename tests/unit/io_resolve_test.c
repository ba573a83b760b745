/*
 * The resolver against /etc/hosts and a name server of our own on a UDP socket of loopback.
 */
#include <arpa/inet.h>

#include "io/resolve.h"
#include "io_world.h"

struct answer {
	unsigned calls, n, ttl;
	struct addr addrs[RESOLVE_MAX];
	struct err err;
	struct resolver **free_it, *ask_again;
	bool in_ask;
};

static bool asking;

static void
on_answer(void *arg, const struct addr *addrs, unsigned n, unsigned ttl, const struct err *err)
{
	struct answer *a = arg;

	a->calls++;
	a->in_ask = asking;
	a->n = n;
	a->ttl = ttl;
	CHECK(n <= RESOLVE_MAX);
	memcpy(a->addrs, addrs, n * sizeof(*addrs));
	a->err = *err;
	if (a->ask_again) {
		CHECK_INT(resolver_ask(a->ask_again, "10.0.0.1", 1, on_answer, a), 1);
		a->ask_again = NULL;
	}
	if (a->free_it)
		resolver_free(a->free_it);
}

static void
ask(struct resolver *r, const char *host, struct answer *a)
{
	asking = true;
	CHECK_INT(resolver_ask(r, host, 143, on_answer, a), 1);
	asking = false;
	CHECK_U64(a->calls, 0);
}

static bool
is_answered(void *arg)
{
	struct answer *a = arg;

	return a->calls > 0;
}

static bool
has_addr(const struct answer *a, const char *text)
{
	char buf[ADDR_TEXT];

	for (unsigned i = 0; i < a->n; i++)
		if (strcmp(addr_format(buf, &a->addrs[i]), text) == 0)
			return true;
	return false;
}

/* --- the name server */

struct stub {
	struct loop_io io;
	int fd;
	char address[ADDR_TEXT];
	unsigned questions;
	bool silent;
	unsigned drop; /* so many questions are not answered */
};

static void
put16(unsigned char *p, unsigned v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

/* Knows *.known.example (A 10.0.0.1, ttl 60; 10.0.0.2, ttl 30; AAAA 2001:db8::1, ttl 90); many.example; nothing else. */
static size_t
stub_answer(unsigned char *m, size_t len, size_t question_end, unsigned type)
{
	bool known = memmem(m, len, "\5known", 6), many = memmem(m, len, "\4many", 5);
	unsigned n = 0, wanted = type == 1 ? (many ? 12 : 2) : 1;
	size_t end = question_end;

	m[2] = 0x84;
	m[3] = 0;
	put16(m + 8, 0);
	put16(m + 10, 0);
	if (!known && !many) {
		m[3] = 3; /* NXDOMAIN */
		put16(m + 6, 0);
		return end;
	}
	if ((type != 1 && type != 28) || (many && type == 28))
		wanted = 0;
	for (; n < wanted; n++) {
		unsigned char *p = m + end;
		size_t rdlen = type == 1 ? 4 : 16;

		put16(p, 0xc00c);
		put16(p + 2, type);
		put16(p + 4, 1);
		put16(p + 6, 0);
		put16(p + 8, type == 28 ? 90 : n == 0 ? 60 : 30);
		put16(p + 10, (unsigned)rdlen);
		memset(p + 12, 0, rdlen);
		if (type == 1) {
			p[12] = 10;
			p[15] = (unsigned char)(n + 1);
		} else {
			memcpy(p + 12, "\x20\x01\x0d\xb8", 4);
			p[27] = 1;
		}
		end += 12 + rdlen;
	}
	put16(m + 6, n);
	return end;
}

static void
on_stub(struct loop_io *w, int events)
{
	struct stub *s = container_of(w, struct stub, io);
	unsigned char m[1024];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(s->fd, m, 512, 0, (struct sockaddr *)&from, &from_len);
	size_t p = 12;

	(void)events;
	if (n < 17)
		return;
	s->questions++;
	if (s->silent || s->drop > 0) {
		s->drop -= s->drop > 0;
		return;
	}
	while (p < (size_t)n && m[p])
		p += 1u + m[p];
	p += 5;
	CHECK(p <= (size_t)n);
	n = (ssize_t)stub_answer(m, (size_t)n, p, (unsigned)m[p - 4] << 8 | m[p - 3]);
	CHECK(sendto(s->fd, m, (size_t)n, 0, (struct sockaddr *)&from, from_len) == n);
}

static void
stub_open(struct stub *s)
{
	struct addr a;
	socklen_t len = sizeof(a);

	memset(s, 0, sizeof(*s));
	CHECK(addr_parse_ip(&a, SLICE("127.0.0.1"), 0));
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CHECK(s->fd >= 0 && bind(s->fd, &a.sa, addr_len(&a)) == 0);
	CHECK(getsockname(s->fd, &a.sa, &len) == 0);
	addr_format(s->address, &a);
	loop_io_init(world.loop, &s->io, s->fd, on_stub);
	loop_io_set(&s->io, LOOP_READ);
}

static void
stub_close(struct stub *s)
{
	loop_io_stop(&s->io);
	close(s->fd);
}

static struct resolver *
resolver_at(const struct stub *s)
{
	struct err err = { "" };
	struct resolver *r = resolver_new(world.loop, &err);

	if (!r)
		FAIL("%s", err.text);
	if (s && resolver_set_servers(r, s->address, &err) != 1)
		FAIL("%s", err.text);
	return r;
}

TEST(etc_hosts_counts_and_answers_later)
{
	struct answer a = { .n = 0 };
	struct resolver *r;
	struct stub stub;

	world_open();
	stub_open(&stub);
	r = resolver_at(&stub);
	ask(r, "localhost", &a);
	RUN_UNTIL(is_answered, &a);
	CHECK(!a.in_ask);
	CHECK(has_addr(&a, "127.0.0.1:143"));
	CHECK_U64(stub.questions, 0);
	resolver_free(&r);
	stub_close(&stub);
	world_close();
}

TEST(literals_are_answered_by_the_same_way)
{
	struct answer a = { .n = 0 }, b = { .n = 0 };
	struct resolver *r;

	world_open();
	r = resolver_at(NULL);
	ask(r, "192.0.2.7", &a);
	ask(r, "2001:db8::7", &b);
	RUN_UNTIL(is_answered, &b);
	CHECK_U64(a.calls, 1);
	CHECK_U64(a.n, 1);
	CHECK(has_addr(&a, "192.0.2.7:143"));
	CHECK(has_addr(&b, "[2001:db8::7]:143"));
	resolver_free(&r);
	world_close();
}

TEST(a_name_server_is_asked_for_both_families)
{
	struct answer a = { .n = 0 }, many = { .n = 0 };
	struct resolver *r;
	struct stub stub;

	world_open();
	stub_open(&stub);
	r = resolver_at(&stub);
	ask(r, "store1.known.example", &a);
	RUN_UNTIL(is_answered, &a);
	if (a.n == 0)
		FAIL("%s", a.err.text);
	CHECK_U64(a.n, 3);
	CHECK(has_addr(&a, "10.0.0.1:143"));
	CHECK(has_addr(&a, "10.0.0.2:143"));
	CHECK(has_addr(&a, "[2001:db8::1]:143"));
	CHECK_U64(a.ttl, 30);
	ask(r, "many.example", &many);
	RUN_UNTIL(is_answered, &many);
	CHECK_U64(many.n, RESOLVE_MAX);
	resolver_free(&r);
	stub_close(&stub);
	world_close();
}

TEST(a_lost_question_is_asked_again)
{
	struct answer a = { .n = 0 };
	struct resolver *r;
	struct stub stub;

	world_open();
	stub_open(&stub);
	stub.drop = 1;
	r = resolver_at(&stub);
	ask(r, "x.known.example", &a);
	RUN_UNTIL(is_answered, &a);
	CHECK_U64(a.n, 3);
	CHECK(stub.questions >= 3);
	resolver_free(&r);
	stub_close(&stub);
	world_close();
}

TEST(unknown_and_unfit_names_have_a_reason)
{
	struct answer a = { .n = 0 }, b = { .n = 0 }, c = { .n = 0 };
	struct resolver *r;
	struct stub stub;
	char longest[300];

	world_open();
	stub_open(&stub);
	r = resolver_at(&stub);
	ask(r, "nobody.example.", &a);
	RUN_UNTIL(is_answered, &a);
	CHECK_U64(a.n, 0);
	CHECK_STR(a.err.text, "cannot resolve nobody.example.: Domain name not found");
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	ask(r, longest, &b);
	RUN_UNTIL(is_answered, &b);
	CHECK_U64(b.n, 0);
	CHECK(b.err.text[0]);
	ask(r, "", &c);
	RUN_UNTIL(is_answered, &c);
	CHECK_U64(c.n, 0);
	CHECK(c.err.text[0]);
	resolver_free(&r);
	stub_close(&stub);
	world_close();
}

TEST(a_silent_name_server_costs_no_more_than_the_budget)
{
	struct answer a = { .n = 0 };
	struct resolver *r;
	struct stub stub;
	double before;

	world_open();
	stub_open(&stub);
	stub.silent = true;
	r = resolver_at(&stub);
	before = loop_now(world.loop);
	ask(r, "x.known.example", &a);
	RUN_UNTIL(is_answered, &a);
	CHECK_U64(a.n, 0);
	CHECK(strstr(a.err.text, "cannot resolve x.known.example: "));
	CHECK(loop_now(world.loop) - before < RESOLVE_SECONDS + 0.5);
	resolver_free(&r);
	stub_close(&stub);
	world_close();
}

TEST(three_silent_name_servers_do_not_either)
{
	struct answer a = { .n = 0 }, b = { .n = 0 };
	char servers[3 * ADDR_TEXT];
	struct err err = { "" };
	struct resolver *r;
	struct stub stub[3];
	double before;

	world_open();
	for (int i = 0; i < 3; i++) {
		stub_open(&stub[i]);
		stub[i].silent = true;
	}
	snprintf(servers, sizeof(servers), "%s,%s,%s", stub[0].address, stub[1].address,
	    stub[2].address);
	r = resolver_at(NULL);
	CHECK_INT(resolver_set_servers(r, servers, &err), 1);
	before = loop_now(world.loop);
	ask(r, "x.known.example", &a);
	ask(r, "y.known.example", &b);
	b.free_it = &r; /* c-ares has both still */
	RUN_UNTIL(is_answered, &b);
	CHECK_STR(a.err.text, "cannot resolve x.known.example: no answer in 5 s");
	CHECK(loop_now(world.loop) - before < RESOLVE_SECONDS + 0.5);
	run_turns(5);
	CHECK_U64(a.calls, 1);
	CHECK(!r);
	CHECK_U64(a.calls, 1);
	for (int i = 0; i < 3; i++)
		stub_close(&stub[i]);
	world_close();
}

TEST(open_questions_are_bounded)
{
	struct answer a = { .n = 0 };
	struct resolver *r;
	struct stub stub;
	unsigned n = 0;

	world_open();
	stub_open(&stub);
	stub.silent = true;
	r = resolver_at(&stub);
	while (resolver_ask(r, "10.0.0.1", 1, on_answer, &a) == 1)
		n++;
	CHECK_U64(n, 4096);
	while (a.calls < n)
		run_turns(1);
	CHECK_INT(resolver_ask(r, "10.0.0.1", 1, on_answer, &a), 1);
	while (a.calls < n + 1)
		run_turns(1);
	resolver_free(&r);
	stub_close(&stub);
	world_close();
}

TEST(freeing_drops_what_is_open_and_what_is_due)
{
	unsigned before = open_fds();
	struct answer a = { .n = 0 }, b = { .n = 0 };
	struct resolver *r;
	struct stub stub;

	world_open();
	stub_open(&stub);
	stub.silent = true;
	r = resolver_at(&stub);
	ask(r, "x.known.example", &a);
	run_turns(5);
	CHECK(stub.questions > 0);
	ask(r, "localhost", &b);
	resolver_free(&r);
	CHECK(!r);
	run_turns(5);
	CHECK_U64(a.calls + b.calls, 0);
	resolver_free(&r);
	stub_close(&stub);
	world_close();
	CHECK_U64(open_fds(), before);
}

TEST(an_asker_may_ask_again_and_free_the_resolver)
{
	struct answer a = { .n = 0 }, b = { .n = 0 }, c = { .n = 0 };
	struct resolver *r;

	world_open();
	r = resolver_at(NULL);
	a.ask_again = r;
	ask(r, "localhost", &a);
	while (a.calls < 2)
		run_turns(1);
	CHECK(has_addr(&a, "10.0.0.1:1"));

	b.free_it = &r;
	ask(r, "127.0.0.1", &b);
	ask(r, "127.0.0.2", &c); /* due in the same turn */
	RUN_UNTIL(is_answered, &b);
	CHECK(!r);
	run_turns(3);
	CHECK_U64(c.calls, 0);
	world_close();
}

TEST(name_servers_that_are_none_are_refused)
{
	struct err err = { "" };
	struct resolver *r;

	world_open();
	r = resolver_at(NULL);
	CHECK_INT(resolver_set_servers(r, "not an address", &err), -1);
	CHECK(strstr(err.text, "cannot use the name servers \"not an address\": "));
	resolver_free(&r);
	world_close();
}
