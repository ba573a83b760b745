/*
 * What crosses between processes for the control verbs: whole, cut anywhere, and with values that may not be.
 */
#include "test.h"

#include "process/messages.h"

static char memory[4096];
static struct pack k;

static struct slice
cut(size_t len)
{
	return (struct slice){ memory, len };
}

TEST(a_kick_of_everybody_is_none)
{
	struct kick_ask a = { .id = 7 }, got;

	pack_init(&k, memory, sizeof(memory));
	kick_ask_pack(&k, &a);
	CHECK(!kick_ask_unpack(pack_done(&k), &got));
	a.filter.user = SLICE("alice");
	pack_init(&k, memory, sizeof(memory));
	kick_ask_pack(&k, &a);
	CHECK(kick_ask_unpack(pack_done(&k), &got));
	CHECK_U64(got.id, 7);
	CHECK_SLICE(got.filter.user, "alice");
	for (size_t i = 0; i < k.len; i++)
		CHECK(!kick_ask_unpack(cut(i), &got));
}

TEST(rows_come_one_after_the_other)
{
	struct session_info info = { .id = 5,
		.state = "relay",
		.user = "alice",
		.listener = "imaps",
		.tls = "TLSv1.3",
		.backend = "one",
		.age = 1.5,
		.client_bytes = 9 };
	struct unpack u;
	struct row row;

	CHECK(addr_parse_ip(&info.client, SLICE("192.0.2.1"), 1143));
	pack_init(&k, memory, sizeof(memory));
	row_pack(&k, &info);
	row_pack(&k, &info);
	unpack_init(&u, pack_done(&k));
	for (unsigned i = 0; i < 2; i++) {
		CHECK_INT(row_unpack(&u, &row), 1);
		CHECK_U64(row.id, 5);
		CHECK_SLICE(row.user, "alice");
		CHECK_SLICE(row.client, "192.0.2.1:1143");
		CHECK_U64(row.route.len, 0);
		CHECK(row.age > 1.4 && row.age < 1.6);
	}
	CHECK_INT(row_unpack(&u, &row), 0);
	unpack_init(&u, cut(k.len - 1));
	CHECK_INT(row_unpack(&u, &row), 1);
	CHECK_INT(row_unpack(&u, &row), -1);
}

TEST(words_that_are_none)
{
	struct admin_said a = { .backend = SLICE("one"), .admin = ADMIN_MAINTENANCE }, said;
	struct order_said o = { .id = 1, .order = ORDER_RELOAD }, order;
	struct list_ask l = { .id = 1, .step = LIST_END }, list;

	pack_init(&k, memory, sizeof(memory));
	admin_pack(&k, &a);
	CHECK(admin_unpack(pack_done(&k), &said));
	CHECK_INT(said.admin, ADMIN_MAINTENANCE);
	memory[k.len - 1]++;
	CHECK(!admin_unpack(pack_done(&k), &said));
	pack_init(&k, memory, sizeof(memory));
	order_pack(&k, &o);
	CHECK(order_unpack(pack_done(&k), &order));
	memory[4] = ORDER_COUNT;
	CHECK(!order_unpack(pack_done(&k), &order));
	pack_init(&k, memory, sizeof(memory));
	list_ask_pack(&k, &l);
	CHECK(list_ask_unpack(pack_done(&k), &list));
	memory[4] = LIST_STEPS;
	CHECK(!list_ask_unpack(pack_done(&k), &list));
}
