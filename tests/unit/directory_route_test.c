/*
 * tests/unit/directory_route_test.c - questions and answers as bytes, user names, the choice of a rule.
 */
#include "test.h"

#include "directory/route.h"

/* --- user names */

#define STEPS(...)                                                                                 \
	(const struct username_step[]){ __VA_ARGS__ },                                             \
	    sizeof((const struct username_step[]){ __VA_ARGS__ }) / sizeof(struct username_step)
#define LOWER                                                                                      \
	{                                                                                          \
		USERNAME_LOWERCASE, NULL                                                           \
	}
#define DOMAIN(domain)                                                                             \
	{                                                                                          \
		USERNAME_DEFAULT_DOMAIN, domain                                                    \
	}
#define STRIP                                                                                      \
	{                                                                                          \
		USERNAME_STRIP_DOMAIN, NULL                                                        \
	}

TEST(names_are_normalised_step_by_step)
{
	static const struct username_step none[1];
	const struct {
		const struct username_step *steps;
		size_t n;
		struct slice name;
		const char *want; /* NULL: refused */
	} rows[] = {
		{ none, 0, SLICE("Alice"), "Alice" },
		{ none, 0, SLICE(""), NULL },
		{ none, 0, SLICE("a\0b"), NULL },
		{ none, 0, SLICE("a\rb"), NULL },
		{ none, 0, SLICE("a\x7f"), NULL },
		{ none, 0, SLICE("\x1f"), NULL },
		{ none, 0, SLICE(" a b "), " a b " },
		{ STEPS(LOWER), SLICE("ALICE@Example.ORG"), "alice@example.org" },
		/* ASCII only: bytes of UTF-8 stay what they are */
		{ STEPS(LOWER), SLICE("J\xc3\x9cRGEN"), "j\xc3\x9crgen" },
		{ STEPS(DOMAIN("example.org")), SLICE("alice"), "alice@example.org" },
		{ STEPS(DOMAIN("example.org")), SLICE("alice@b"), "alice@b" },
		{ STEPS(DOMAIN("example.org")), SLICE("alice@"), "alice@" },
		{ STEPS(STRIP), SLICE("alice@example.org"), "alice" },
		{ STEPS(STRIP), SLICE("a@b@c"), "a@b" },
		{ STEPS(STRIP), SLICE("alice"), "alice" },
		{ STEPS(STRIP), SLICE("@example.org"), NULL },
		{ STEPS(STRIP, DOMAIN("x.org")), SLICE("alice@example.org"), "alice@x.org" },
		{ STEPS(DOMAIN("x.org"), STRIP), SLICE("alice"), "alice" },
		/* empty on the way is refused, not repaired by the next step */
		{ STEPS(STRIP, DOMAIN("x.org")), SLICE("@example.org"), NULL },
		{ STEPS(LOWER, DOMAIN("Example.org")), SLICE("Bob"), "bob@Example.org" },
		{ STEPS(DOMAIN("Example.org"), LOWER), SLICE("Bob"), "bob@example.org" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct route r = {
			.name = "", .steps = rows[i].steps, .n_steps = (unsigned)rows[i].n
		};
		char dst[ROUTE_USER_MAX];

		test_note("row %zu", i);
		CHECK(route_username(&r, rows[i].name, dst, sizeof(dst)) == (rows[i].want != NULL));
		CHECK_STR(dst, rows[i].want ? rows[i].want : "");
	}
}

TEST(names_are_bounded)
{
	static const struct username_step step[] = { DOMAIN("example.org") };
	struct route plain = { .name = "" };
	struct route domain = { .name = "", .steps = step, .n_steps = 1 };
	char name[ROUTE_USER_MAX + 1], dst[ROUTE_USER_MAX], small[8];

	memset(name, 'a', sizeof(name));
	CHECK(route_username(&plain, (struct slice){ name, ROUTE_USER_MAX - 1 }, dst, sizeof(dst)));
	CHECK_U64(strlen(dst), ROUTE_USER_MAX - 1);
	CHECK(!route_username(&plain, (struct slice){ name, ROUTE_USER_MAX }, dst, sizeof(dst)));
	CHECK_STR(dst, "");
	/* "@example.org" is 12 bytes */
	CHECK(
	    route_username(&domain, (struct slice){ name, ROUTE_USER_MAX - 13 }, dst, sizeof(dst)));
	CHECK_U64(strlen(dst), ROUTE_USER_MAX - 1);
	CHECK(!route_username(
	    &domain, (struct slice){ name, ROUTE_USER_MAX - 12 }, dst, sizeof(dst)));
	CHECK(
	    !route_username(&domain, (struct slice){ name, ROUTE_USER_MAX - 1 }, dst, sizeof(dst)));
	CHECK(route_username(&plain, (struct slice){ name, 7 }, small, sizeof(small)));
	CHECK(!route_username(&plain, (struct slice){ name, 8 }, small, sizeof(small)));
}

TEST(targets_have_one_name)
{
	char dst[ROUTE_TARGET_MAX], host[BACKEND_HOST_MAX];

	CHECK_STR(route_target_name(dst, "Mail.Example.org", 143), "mail.example.org:143");
	CHECK_STR(route_target_name(dst, "192.0.2.1", 65535), "192.0.2.1:65535");
	CHECK_STR(route_target_name(dst, "2001:DB8::1", 993), "[2001:db8::1]:993");
	memset(host, ':', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	CHECK_U64(strlen(route_target_name(dst, host, 65535)), ROUTE_TARGET_MAX - 1);
}

/* --- rules */

static const char *
chosen(const struct route *routes, unsigned n, const char *listener, const char *server_name)
{
	struct route_question q = { .id = 1 };
	const struct route *r;

	CHECK(str_put(q.listener, sizeof(q.listener), slice_of(listener)));
	CHECK(str_put(q.server_name, sizeof(q.server_name), slice_of(server_name)));
	r = route_choose(routes, n, &q);
	return r ? r->name : NULL;
}

TEST(rules_that_name_something_win)
{
	const char *imaps[] = { "imaps", "inside" }, *hosts[] = { "mail.a.org", "*.b.org" };
	const char *one[] = { "imap" };
	const struct route routes[] = {
		{ .name = "" },
		{ .name = "listen", .listens = imaps, .n_listens = 2 },
		{ .name = "name", .server_names = hosts, .n_server_names = 2 },
		{ .name = "both",
		    .listens = one,
		    .n_listens = 1,
		    .server_names = hosts,
		    .n_server_names = 1 },
		{ .name = "second general" },
	};

	CHECK_STR(chosen(routes, 5, "imap", ""), "");
	CHECK_STR(chosen(routes, 5, "imaps", ""), "listen");
	CHECK_STR(chosen(routes, 5, "inside", "mail.a.org"), "listen");
	CHECK_STR(chosen(routes, 5, "imap", "mail.a.org"), "name");
	CHECK_STR(chosen(routes, 5, "imap", "MAIL.A.ORG"), "name");
	CHECK_STR(chosen(routes, 5, "imap", "mail.a.org.evil"), "");
	CHECK_STR(chosen(routes, 5, "imap", "x.b.org"), "name");
	CHECK_STR(chosen(routes, 5, "imap", "x.y.b.org"), ""); /* one label, as certificates */
	CHECK_STR(chosen(routes, 5, "imap", ".b.org"), "");
	CHECK_STR(chosen(routes, 5, "imap", "b.org"), "");
	CHECK_STR(chosen(routes + 3, 1, "imap", "mail.a.org"), "both");
	CHECK_STR(chosen(routes + 3, 1, "imaps", "mail.a.org"), NULL);
	CHECK_STR(chosen(routes + 3, 1, "imap", ""), NULL);
	CHECK_STR(chosen(routes, 0, "imap", ""), NULL);
}

/* --- bytes */

static struct route_answer
full_answer(void)
{
	struct route_answer a = { .id = 0x1122334455667788,
		.fail = FAIL_NONE,
		.user = "Bob",
		.key = "bob@example.org",
		.route = "stores",
		.reason = "file:/users:1 (bob@example.org) -> stores, hash",
		.pinned = true,
		.tls = TLS_MODE_IMPLICIT,
		.verify = 0,
		.n_candidates = ROUTE_CANDIDATES };

	for (unsigned i = 0; i < ROUTE_CANDIDATES; i++) {
		struct route_candidate *c = &a.candidates[i];

		snprintf(c->backend, sizeof(c->backend), "store%u", i);
		snprintf(c->host, sizeof(c->host), "store%u.example.org", i);
		c->port = (uint16_t)(143 + i);
		c->n_addrs = i;
		for (unsigned j = 0; j < i; j++)
			CHECK(addr_parse_ip(&c->addrs[j],
			    j % 2 ? SLICE("10.0.0.1") : SLICE("fe80::1"), (uint16_t)(j + 1)));
		for (unsigned j = 0; j < i; j += 2)
			c->addrs[j].in6.sin6_scope_id = 7;
	}
	return a;
}

static void
check_same_answer(const struct route_answer *a, const struct route_answer *b)
{
	CHECK_U64(a->id, b->id);
	CHECK_INT(a->fail, b->fail);
	CHECK_STR(a->user, b->user);
	CHECK_STR(a->key, b->key);
	CHECK_STR(a->route, b->route);
	CHECK_STR(a->reason, b->reason);
	CHECK_INT(a->pinned, b->pinned);
	CHECK_INT(a->tls, b->tls);
	CHECK_INT(a->verify, b->verify);
	CHECK_U64(a->n_candidates, b->n_candidates);
	for (unsigned i = 0; i < a->n_candidates; i++) {
		const struct route_candidate *x = &a->candidates[i], *y = &b->candidates[i];

		CHECK_STR(x->backend, y->backend);
		CHECK_STR(x->host, y->host);
		CHECK_U64(x->port, y->port);
		CHECK_U64(x->n_addrs, y->n_addrs);
		for (unsigned j = 0; j < x->n_addrs; j++) {
			CHECK(addr_eq(&x->addrs[j], &y->addrs[j]));
			if (x->addrs[j].sa.sa_family == AF_INET6)
				CHECK_U64(
				    x->addrs[j].in6.sin6_scope_id, y->addrs[j].in6.sin6_scope_id);
		}
	}
}

static struct slice
pack_answer(const struct route_answer *a, char *memory, size_t size)
{
	struct pack k;

	pack_init(&k, memory, size);
	route_answer_pack(&k, a);
	CHECK(!k.overflow);
	return pack_done(&k);
}

static bool
unpack_answer(struct slice bytes, struct route_answer *a)
{
	struct unpack u;

	unpack_init(&u, bytes);
	return route_answer_unpack(&u, a);
}

TEST(answers_come_out_as_they_went_in)
{
	struct route_answer a = full_answer(), b;
	char memory[8192];

	CHECK(unpack_answer(pack_answer(&a, memory, sizeof(memory)), &b));
	check_same_answer(&a, &b);

	a = (struct route_answer){ .id = 5, .fail = FAIL_LOOKUP, .tls = -1, .verify = -1 };
	CHECK(unpack_answer(pack_answer(&a, memory, sizeof(memory)), &b));
	check_same_answer(&a, &b);
}

TEST(answers_cut_or_too_long_are_refused)
{
	struct route_answer a = full_answer(), b;
	char memory[8192];
	struct slice bytes = pack_answer(&a, memory, sizeof(memory));

	for (size_t len = 0; len < bytes.len; len++) {
		test_note("cut at %zu", len);
		CHECK(!unpack_answer((struct slice){ bytes.p, len }, &b));
	}
	memory[bytes.len] = 0;
	test_note("a byte too many");
	CHECK(!unpack_answer((struct slice){ bytes.p, bytes.len + 1 }, &b));
}

/* Whatever a neighbour sends is refused or within every bound. */
TEST(answers_that_are_damaged_stay_within_bounds)
{
	struct route_answer a = full_answer(), b;
	char memory[8192];
	struct slice bytes = pack_answer(&a, memory, sizeof(memory));

	for (size_t i = 0; i < bytes.len; i++) {
		char was = memory[i];

		for (unsigned v = 0; v < 256; v += 17) {
			memory[i] = (char)v;
			if (!unpack_answer(bytes, &b))
				continue;
			test_note("byte %zu is %u", i, v);
			CHECK(b.fail < FAIL_COUNT && b.n_candidates <= ROUTE_CANDIDATES);
			CHECK(b.tls >= -1 && b.tls <= TLS_MODE_IMPLICIT);
			CHECK(b.verify >= -1 && b.verify <= 1);
			CHECK(strlen(b.user) < sizeof(b.user));
			for (unsigned j = 0; j < b.n_candidates; j++)
				CHECK(b.candidates[j].n_addrs <= RESOLVE_MAX);
		}
		memory[i] = was;
	}
}

TEST(an_answer_without_failure_has_candidates)
{
	struct route_answer a = { .fail = FAIL_NONE, .tls = -1, .verify = -1 }, b;
	char memory[256];

	CHECK(!unpack_answer(pack_answer(&a, memory, sizeof(memory)), &b));
}

TEST(questions_come_out_as_they_went_in)
{
	struct route_question a = { .id = 77,
		.user = "Al\"ice\xff",
		.listener = "imaps",
		.server_name = "mail.example.org" },
			      b;
	const char *clients[] = { "192.0.2.1", "2001:db8::1", NULL };
	char memory[2048];

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		struct pack k;
		struct unpack u;
		struct slice bytes;

		memset(&a.client, 0, sizeof(a.client));
		if (clients[i])
			CHECK(addr_parse_ip(&a.client, slice_of(clients[i]), 4711));
		pack_init(&k, memory, sizeof(memory));
		route_question_pack(&k, &a);
		CHECK(!k.overflow);
		bytes = pack_done(&k);
		unpack_init(&u, bytes);
		CHECK(route_question_unpack(&u, &b));
		CHECK_U64(b.id, 77);
		CHECK_STR(b.user, a.user);
		CHECK_STR(b.listener, a.listener);
		CHECK_STR(b.server_name, a.server_name);
		CHECK(addr_is_set(&b.client) == (clients[i] != NULL));
		if (clients[i])
			CHECK(addr_eq(&a.client, &b.client));
		for (size_t len = 0; len < bytes.len; len++) {
			test_note("cut at %zu", len);
			unpack_init(&u, (struct slice){ bytes.p, len });
			CHECK(!route_question_unpack(&u, &b));
		}
	}
}

TEST(a_question_with_a_name_too_long_is_refused)
{
	struct route_question q;
	char memory[2048], name[ROUTE_USER_MAX];
	struct pack k;
	struct unpack u;

	memset(name, 'a', sizeof(name));
	pack_init(&k, memory, sizeof(memory));
	pack_u64(&k, 1);
	pack_slice(&k, (struct slice){ name, sizeof(name) });
	pack_cstr(&k, "imap");
	pack_cstr(&k, "");
	pack_u8(&k, 0);
	unpack_init(&u, pack_done(&k));
	CHECK(!route_question_unpack(&u, &q));
}
