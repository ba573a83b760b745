/*
 * Packing and unpacking of what processes say to each other: whole, cut anywhere, and with values that may not be.
 */
#include "test.h"

#include "process/messages.h"

static struct inherit
an_inheritance(void)
{
	struct inherit i = {
		.role = ROLE_WORKER,
		.number = 3,
		.workers = 4,
		.config = "/etc/sallyport/sallyport.conf",
		.log_level = LOG_DEBUG,
		.log_format = LOG_JSON,
		.log_fd = true,
		.rights = { .drop = true,
		    .uid = 101,
		    .gid = 102,
		    .n_groups = 2,
		    .groups = { 102, 7 } },
	};

	memset(i.ticket_key, 0x5a, sizeof(i.ticket_key));
	return i;
}

TEST(inheritance_survives_the_way)
{
	char memory[INHERIT_PACKED_MAX];
	struct inherit i = an_inheritance(), got;
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	inherit_pack(&k, &i);
	CHECK(!k.overflow);
	CHECK(inherit_unpack(pack_done(&k), &got));
	CHECK_INT(got.role, ROLE_WORKER);
	CHECK_U64(got.number, 3);
	CHECK_U64(got.workers, 4);
	CHECK_STR(got.config, i.config);
	CHECK_INT(got.log_level, LOG_DEBUG);
	CHECK_INT(got.log_format, LOG_JSON);
	CHECK(got.log_fd);
	CHECK(got.rights.drop);
	CHECK_U64(got.rights.uid, 101);
	CHECK_U64(got.rights.gid, 102);
	CHECK_U64(got.rights.n_groups, 2);
	CHECK_U64(got.rights.groups[1], 7);
	CHECK(memcmp(got.ticket_key, i.ticket_key, sizeof(got.ticket_key)) == 0);
}

TEST(the_largest_inheritance_fits)
{
	static char memory[INHERIT_PACKED_MAX];
	static struct inherit i, got;
	struct pack k;

	i = an_inheritance();
	memset(i.config, 'x', sizeof(i.config) - 1);
	i.rights.n_groups = INHERIT_GROUPS_MAX;
	pack_init(&k, memory, sizeof(memory));
	inherit_pack(&k, &i);
	CHECK(!k.overflow);
	CHECK(inherit_unpack(pack_done(&k), &got));
	CHECK_STR(got.config, i.config);
}

TEST(an_inheritance_cut_anywhere_is_refused)
{
	char memory[INHERIT_PACKED_MAX];
	struct inherit i = an_inheritance(), got;
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	inherit_pack(&k, &i);
	for (size_t len = 0; len < k.len; len++) {
		test_note("%zu bytes", len);
		CHECK(!inherit_unpack((struct slice){ memory, len }, &got));
	}
	test_note("one more");
	memory[k.len] = 0;
	CHECK(!inherit_unpack((struct slice){ memory, k.len + 1 }, &got));
}

TEST(impossible_inheritances_are_refused)
{
	struct inherit wrong[] = { an_inheritance(), an_inheritance(), an_inheritance(),
		an_inheritance(), an_inheritance() };

	wrong[0].role = ROLE_COUNT;
	wrong[1].role = ROLE_DIRECTORY; /* has no number */
	wrong[2].number = 5;            /* of 4 */
	wrong[3].log_level = (enum log_level)(LOG_DEBUG + 1);
	wrong[4].number = 0; /* workers count from 1 */
	for (size_t w = 0; w < ARRAY_SIZE(wrong); w++) {
		char memory[INHERIT_PACKED_MAX];
		struct inherit got;
		struct pack k;

		test_note("case %zu", w);
		pack_init(&k, memory, sizeof(memory));
		inherit_pack(&k, &wrong[w]);
		CHECK(!inherit_unpack(pack_done(&k), &got));
	}
}

TEST(reports_come_one_by_one)
{
	const struct report sent[] = {
		{ true, SLICE("alice@example.org"), SLICE("store1") },
		{ false, SLICE("bob"), SLICE("10.0.0.1:143") },
		{ true, SLICE(""), SLICE("") },
	};
	char memory[256];
	struct report r;
	struct unpack u;
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	for (size_t i = 0; i < ARRAY_SIZE(sent); i++)
		report_pack(&k, &sent[i]);
	unpack_init(&u, pack_done(&k));
	for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
		CHECK_INT(report_unpack(&u, &r), 1);
		CHECK_INT(r.open, sent[i].open);
		CHECK(slice_eq(r.user, sent[i].user));
		CHECK(slice_eq(r.backend, sent[i].backend));
	}
	CHECK_INT(report_unpack(&u, &r), 0);

	unpack_init(&u, (struct slice){ memory, k.len - 1 });
	CHECK_INT(report_unpack(&u, &r), 1);
	CHECK_INT(report_unpack(&u, &r), 1);
	CHECK_INT(report_unpack(&u, &r), -1);
	memory[0] = 2; /* neither open nor close */
	unpack_init(&u, pack_done(&k));
	CHECK_INT(report_unpack(&u, &r), -1);
}

TEST(numbers_have_a_bound_and_a_length)
{
	const uint32_t seven = 7;
	struct slice s = { (const char *)&seven, sizeof(seven) };
	uint32_t n;

	CHECK(number_unpack(s, 7, &n));
	CHECK_U64(n, 7);
	CHECK(!number_unpack(s, 6, &n));
	s.len--;
	CHECK(!number_unpack(s, 7, &n));
	CHECK(!number_unpack((struct slice){ NULL, 0 }, 7, &n));
}

TEST(messages_carry_numbers_texts_and_descriptors)
{
	struct err err = { "" };
	struct ipc *a, *b;
	struct ipc_message m;
	struct slice backend, text;
	uint32_t n;
	int fds[2], fd;

	CHECK(ipc_pair(fds, &err) > 0);
	a = ipc_new(NULL, fds[0], NULL, NULL, NULL);
	b = ipc_new(NULL, fds[1], NULL, NULL, NULL);
	CHECK(a && b);

	fd = STDIN_FILENO;
	CHECK(message_send_number(a, MSG_CHANNEL, 2, &fd) > 0);
	CHECK_INT(ipc_receive(b, &m, 5, &err), 1);
	CHECK_U64(m.type, MSG_CHANNEL);
	CHECK(number_unpack(m.payload, 2, &n) && n == 2);
	CHECK_INT(message_take_fd(&m, 1), -1);
	fd = message_take_fd(&m, 0);
	CHECK(fd > 2);
	CHECK_INT(m.fds[0], -1);
	CHECK_INT(close(fd), 0);

	CHECK(message_send_learnt(a, SLICE("store1"), SLICE("IMAP4rev1 IDLE")) > 0);
	CHECK_INT(ipc_receive(b, &m, 5, &err), 1);
	CHECK(learnt_unpack(m.payload, &backend, &text));
	CHECK_SLICE(backend, "store1");
	CHECK_SLICE(text, "IMAP4rev1 IDLE");
	CHECK(!learnt_unpack((struct slice){ m.payload.p, m.payload.len - 1 }, &backend, &text));

	CHECK(message_send(a, MSG_READY, NULL) > 0);
	CHECK_INT(ipc_receive(b, &m, 5, &err), 1);
	CHECK_U64(m.payload.len, 0);
	ipc_close(&a);
	ipc_close(&b);
}

TEST(what_does_not_fit_is_not_sent)
{
	char memory[4];
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	pack_u64(&k, 1);
	CHECK_INT(message_send(NULL, MSG_READY, &k), -1); /* the channel is not even looked at */
}
