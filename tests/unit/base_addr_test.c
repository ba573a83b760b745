/*
 * tests/unit/base_addr_test.c - addresses and networks as text and back.
 */
#include "test.h"

#include "base/addr.h"

static struct addr
ip(const char *text, uint16_t port)
{
	struct addr a;

	if (!addr_parse_ip(&a, slice_of(text), port))
		FAIL("%s is no address", text);
	return a;
}

TEST(addresses_are_read_and_written)
{
	static const struct {
		const char *text, *plain, *full; /* NULL: no address */
	} rows[] = {
		{ "1.2.3.4", "1.2.3.4", "1.2.3.4:143" },
		{ "0.0.0.0", "0.0.0.0", "0.0.0.0:143" },
		{ "255.255.255.255", "255.255.255.255", "255.255.255.255:143" },
		{ "::", "::", "[::]:143" },
		{ "::1", "::1", "[::1]:143" },
		{ "2001:DB8::A", "2001:db8::a", "[2001:db8::a]:143" },
		{ "2001:db8:0:0:0:0:0:a", "2001:db8::a", "[2001:db8::a]:143" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:143" },
		{ "fe80:1111:2222:3333:4444:5555:255.255.255.255",
		    "fe80:1111:2222:3333:4444:5555:ffff:ffff",
		    "[fe80:1111:2222:3333:4444:5555:ffff:ffff]:143" },
		{ "::ffff:1.2.3.4", "1.2.3.4", "1.2.3.4:143" },
		{ "::ffff:102:304", "1.2.3.4", "1.2.3.4:143" },
		{ "::fffe:1.2.3.4", "::fffe:102:304", "[::fffe:102:304]:143" },
		{ "", NULL, NULL },
		{ "1.2.3", NULL, NULL },
		{ "1.2.3.4.5", NULL, NULL },
		{ "1.2.3.256", NULL, NULL },
		{ "1.2.3.04", NULL, NULL },
		{ "0x1.2.3.4", NULL, NULL },
		{ "1.2.3.4 ", NULL, NULL },
		{ " 1.2.3.4", NULL, NULL },
		{ "1.2.3.4:143", NULL, NULL },
		{ "[::1]", NULL, NULL },
		{ ":", NULL, NULL },
		{ ":::", NULL, NULL },
		{ "::1%lo", NULL, NULL },
		{ "1::2::3", NULL, NULL },
		{ "12345::", NULL, NULL },
		{ "localhost", NULL, NULL },
		{ "aaaa:bbbb:cccc:dddd:eeee:ffff:1111:2222:3333:4444:5555", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr a;
		char text[ADDR_TEXT];

		test_note("%s", rows[i].text);
		memset(&a, 0x5a, sizeof(a));
		CHECK(addr_parse_ip(&a, slice_of(rows[i].text), 143) == (rows[i].plain != NULL));
		CHECK(addr_is_set(&a) == (rows[i].plain != NULL));
		if (!rows[i].plain)
			continue;
		CHECK(addr_format_ip(text, &a) == text);
		CHECK_STR(text, rows[i].plain);
		CHECK(addr_format(text, &a) == text);
		CHECK_STR(text, rows[i].full);
		CHECK_U64(addr_port(&a), 143);
	}

	struct addr a;
	CHECK(!addr_parse_ip(&a, SLICE("1.2.3.4\0"), 1));
	CHECK(!addr_parse_ip(&a, SLICE("1.2\0.3.4"), 1));
	CHECK(!addr_parse_ip(&a, (struct slice){ NULL, 0 }, 1));
}

TEST(what_is_no_address_is_written_as_a_dash)
{
	struct addr none = { 0 };
	char text[ADDR_TEXT];

	none.sa.sa_family = AF_UNIX;
	CHECK_STR(addr_format(text, &none), "-");
	CHECK_STR(addr_format_ip(text, &none), "-");
	none.sa.sa_family = AF_UNSPEC;
	CHECK_STR(addr_format(text, &none), "-");
	CHECK_STR(addr_format_ip(text, &none), "-");
	CHECK(!addr_is_set(&none));
}

TEST(the_longest_address_fits)
{
	struct addr a = ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
	char text[ADDR_TEXT];

	CHECK_STR(addr_format(text, &a), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

TEST(ports_are_in_host_order)
{
	static const char *const texts[] = { "1.2.3.4", "::1", "::ffff:1.2.3.4" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct addr a = ip(texts[i], 0x1234);

		test_note("%s", texts[i]);
		CHECK_U64(addr_port(&a), 0x1234);
		CHECK_U64(
		    a.sa.sa_family == AF_INET ? a.in4.sin_port : a.in6.sin6_port, htons(0x1234));
		addr_set_port(&a, 65535);
		CHECK_U64(addr_port(&a), 65535);
		CHECK_U64(addr_len(&a),
		    i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	}
}

TEST(addresses_are_equal_with_family_address_and_port)
{
	struct addr a = ip("1.2.3.4", 1), b = ip("1.2.3.4", 1), mapped = ip("::ffff:1.2.3.4", 1);
	struct addr c = ip("::1", 1), d = ip("::1", 1);

	memset(b.in4.sin_zero, 'x', sizeof(b.in4.sin_zero)); /* says nothing */
	d.in6.sin6_flowinfo = 7;
	CHECK(addr_eq(&a, &b));
	CHECK(addr_eq(&c, &d));
	CHECK(!addr_eq(&a, &c));
	CHECK(!addr_eq(&a, &mapped));
	addr_unmap(&mapped);
	CHECK(addr_eq(&a, &mapped));
	addr_set_port(&b, 2);
	CHECK(!addr_eq(&a, &b));
	d = ip("::2", 1);
	CHECK(!addr_eq(&c, &d));
}

TEST(only_mapped_addresses_are_unmapped)
{
	static const struct {
		const char *text, *plain;
		int family;
	} rows[] = {
		{ "::ffff:10.1.2.3", "10.1.2.3", AF_INET },
		{ "::ffff:0.0.0.0", "0.0.0.0", AF_INET },
		{ "::10.1.2.3", "::10.1.2.3", AF_INET6 },
		{ "64:ff9b::10.1.2.3", "64:ff9b::a01:203", AF_INET6 },
		{ "::1", "::1", AF_INET6 },
		{ "10.1.2.3", "10.1.2.3", AF_INET },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr a = ip(rows[i].text, 77);
		char text[ADDR_TEXT];

		test_note("%s", rows[i].text);
		addr_unmap(&a);
		CHECK_INT(a.sa.sa_family, rows[i].family);
		CHECK_U64(addr_port(&a), 77);
		CHECK_STR(addr_format_ip(text, &a), rows[i].plain);
	}
}

#define NO_HOST(text)  "expected host:port, found \"" text "\""
#define NO_END(text)   "expected [address]:port, found \"" text "\""
#define NO_V6(text)    "expected an IPv6 address between [ and ], found \"" text "\""
#define BARE_V6(text)  "an IPv6 address is written in brackets, [address]:port; found \"" text "\""
#define NO_PORT(text)  "expected a port from 1 to 65535 behind the colon, found \"" text "\""
#define NO_PORT0(text) "expected a port from 0 to 65535 behind the colon, found \"" text "\""

TEST(host_and_port_are_split_or_it_is_said_why_not)
{
	static const struct {
		struct slice text;
		bool zero_ok;
		const char *host;
		unsigned port;
		const char *err; /* NULL: it is right */
	} rows[] = {
		{ BYTES("store1:143"), false, "store1", 143, NULL },
		{ BYTES("1.2.3.4:1"), false, "1.2.3.4", 1, NULL },
		{ BYTES("*:65535"), false, "*", 65535, NULL },
		{ BYTES("[::1]:993"), false, "::1", 993, NULL },
		{ BYTES("[::ffff:1.2.3.4]:993"), false, "::ffff:1.2.3.4", 993, NULL },
		{ BYTES("a:0"), true, "a", 0, NULL },
		{ BYTES("[::]:0"), true, "::", 0, NULL },
		{ BYTES("a:0143"), false, "a", 143, NULL },
		{ BYTES("a:0"), false, NULL, 0, NO_PORT("a:0") },
		{ BYTES("a:"), false, NULL, 0, NO_PORT("a:") },
		{ BYTES("a:65536"), false, NULL, 0, NO_PORT("a:65536") },
		{ BYTES("a:65536"), true, NULL, 0, NO_PORT0("a:65536") },
		{ BYTES("a:imap"), false, NULL, 0, NO_PORT("a:imap") },
		{ BYTES("a:143 "), false, NULL, 0, NO_PORT("a:143 ") },
		{ BYTES("a:-1"), false, NULL, 0, NO_PORT("a:-1") },
		{ BYTES("[::1]:"), false, NULL, 0, NO_PORT("[::1]:") },
		{ BYTES("[::1]:x"), false, NULL, 0, NO_PORT("[::1]:x") },
		{ BYTES(""), false, NULL, 0, NO_HOST("") },
		{ { NULL, 0 }, false, NULL, 0, NO_HOST("") },
		{ BYTES("store1"), false, NULL, 0, NO_HOST("store1") },
		{ BYTES(":143"), false, NULL, 0, NO_HOST(":143") },
		{ BYTES("::1:143"), false, NULL, 0, BARE_V6("::1:143") },
		{ BYTES("::1"), false, NULL, 0, BARE_V6("::1") },
		{ BYTES("a:b:143"), false, NULL, 0, BARE_V6("a:b:143") },
		{ BYTES("["), false, NULL, 0, NO_END("[") },
		{ BYTES("[::1"), false, NULL, 0, NO_END("[::1") },
		{ BYTES("[::1]"), false, NULL, 0, NO_END("[::1]") },
		{ BYTES("[::1]143"), false, NULL, 0, NO_END("[::1]143") },
		{ BYTES("[::1]]:143"), false, NULL, 0, NO_END("[::1]]:143") },
		{ BYTES("[]:143"), false, NULL, 0, NO_V6("[]:143") },
		{ BYTES("[1.2.3.4]:143"), false, NULL, 0, NO_V6("[1.2.3.4]:143") },
		{ BYTES("[store1]:143"), false, NULL, 0, NO_V6("[store1]:143") },
		{ BYTES("[fe80::1%eth0]:143"), false, NULL, 0, NO_V6("[fe80::1%eth0]:143") },
		{ BYTES("a\"b"), false, NULL, 0, NO_HOST("a\\x22b") },
		{ BYTES("a:1\0"), false, NULL, 0, NO_PORT("a:1\\x00") },
		{ BYTES("[::1\0]:143"), false, NULL, 0, NO_V6("[::1\\x00]:143") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* In memory of its own, so that a sanitizer sees its end. */
		char *copy = rows[i].text.p ? malloc(rows[i].text.len + 1) : NULL;
		struct slice text = { copy ? copy + 1 : NULL, rows[i].text.len };
		struct slice host = SLICE("untouched");
		uint16_t port = 4711;
		struct err err = { "" };

		if (copy)
			memcpy(copy + 1, rows[i].text.p, text.len);
		test_note("%s", rows[i].text.p ? rows[i].text.p : "NULL");
		bool ok = addr_split(text, rows[i].zero_ok, &host, &port, &err);
		CHECK_STR(ok ? NULL : err.text, rows[i].err);
		if (ok) {
			CHECK_SLICE(host, rows[i].host);
			CHECK_U64(port, rows[i].port);
		} else {
			CHECK_SLICE(host, "untouched");
			CHECK_U64(port, 4711);
			CHECK(!addr_split(text, rows[i].zero_ok, &host, &port, NULL));
		}
		free(copy);
	}
}

TEST(long_nonsense_is_shown_in_part)
{
	char text[1000];
	struct slice host;
	uint16_t port;
	struct err err;

	memset(text, 'x', sizeof(text));
	CHECK(!addr_split((struct slice){ text, sizeof(text) }, false, &host, &port, &err));
	CHECK(strlen(err.text) < 200);
	CHECK(strstr(err.text, "xxx...\""));
	struct addr_net n;
	CHECK(!addr_net_parse(&n, (struct slice){ text, sizeof(text) }, &err));
	CHECK(strlen(err.text) < 250);
	CHECK(strstr(err.text, "xxx...\""));
}

#define NO_NET(text)        "expected an address or a network like 10.0.0.0/8, found \"" text "\""
#define NO_BITS(most, text) "expected a prefix length from 0 to " most ", found \"" text "\""

TEST(networks_are_read_or_it_is_said_why_not)
{
	static const struct {
		const char *text;
		unsigned bits;
		const char *err;
	} rows[] = {
		{ "10.0.0.0/8", 8, NULL },
		{ "10.0.0.0/0", 0, NULL },
		{ "10.0.0.0/32", 32, NULL },
		{ "10.0.0.1", 32, NULL },
		{ "::/0", 0, NULL },
		{ "2001:db8::/32", 32, NULL },
		{ "::1/128", 128, NULL },
		{ "::1", 128, NULL },
		{ "", 0, NO_NET("") },
		{ "/", 0, NO_NET("/") },
		{ "/8", 0, NO_NET("/8") },
		{ "10/8", 0, NO_NET("10/8") },
		{ "10.0.0/8", 0, NO_NET("10.0.0/8") },
		{ "localhost", 0, NO_NET("localhost") },
		{ "[::1]/128", 0, NO_NET("[::1]/128") },
		{ "10.0.0.0/", 0, NO_BITS("32", "10.0.0.0/") },
		{ "10.0.0.0/33", 0, NO_BITS("32", "10.0.0.0/33") },
		{ "10.0.0.0/-1", 0, NO_BITS("32", "10.0.0.0/-1") },
		{ "10.0.0.0/8/8", 0, NO_BITS("32", "10.0.0.0/8/8") },
		{ "10.0.0.0/255.0.0.0", 0, NO_BITS("32", "10.0.0.0/255.0.0.0") },
		{ "10.0.0.0/18446744073709551624", 0,
		    NO_BITS("32", "10.0.0.0/18446744073709551624") },
		{ "::1/129", 0, NO_BITS("128", "::1/129") },
		{ "::1/", 0, NO_BITS("128", "::1/") },
		{ "::ffff:10.0.0.0/104", 8, NULL },
		{ "::ffff:10.0.0.1", 32, NULL },
		{ "::ffff:0.0.0.0/96", 0, NULL },
		{ "::ffff:10.0.0.0/129", 0, NO_BITS("128", "::ffff:10.0.0.0/129") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr_net n;
		struct err err = { "" };

		test_note("%s", rows[i].text);
		bool ok = addr_net_parse(&n, slice_of(rows[i].text), &err);
		CHECK_STR(ok ? NULL : err.text, rows[i].err);
		if (ok)
			CHECK_U64(n.bits, rows[i].bits);
		else
			CHECK(!addr_net_parse(&n, slice_of(rows[i].text), NULL));
	}
}

TEST(networks_hold_their_addresses)
{
	static const struct {
		const char *net, *in[4], *out[5];
	} rows[] = {
		{ "10.0.0.0/8", { "10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3" },
		    { "9.255.255.255", "11.0.0.0", "::ffff:11.0.0.0", "::10.1.2.3", "::1" } },
		{ "10.1.2.3/8", { "10.9.9.9" }, { "11.1.2.3" } }, /* host bits say nothing */
		{ "10.0.0.0/9", { "10.0.0.0", "10.127.255.255" }, { "10.128.0.0", "11.0.0.0" } },
		{ "10.0.0.4/31", { "10.0.0.4", "10.0.0.5" }, { "10.0.0.3", "10.0.0.6" } },
		{ "10.0.0.5/32", { "10.0.0.5" }, { "10.0.0.4", "::10.0.0.5" } },
		{ "10.0.0.5", { "10.0.0.5", "::ffff:10.0.0.5" }, { "10.0.0.4" } },
		{ "0.0.0.0/0", { "0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4" },
		    { "::1", "::1.2.3.4" } },
		{ "128.0.0.0/1", { "128.0.0.0", "255.0.0.1" }, { "127.255.255.255", "0.0.0.0" } },
		{ "::/0", { "::", "::1", "ffff::" }, { "1.2.3.4", "::ffff:1.2.3.4" } },
		{ "2001:db8::/32", { "2001:db8::", "2001:db8:ffff::1" },
		    { "2001:db7::", "2001:db9::", "32.1.13.184" } },
		{ "2001:db8::/33", { "2001:db8:7fff::1" }, { "2001:db8:8000::" } },
		{ "fe80::/10", { "fe80::1", "febf::1" }, { "fec0::", "fe7f::" } },
		{ "::2/127", { "::2", "::3" }, { "::1", "::4" } },
		{ "::1", { "::1" }, { "::2", "::", "0.0.0.1" } },
		{ "::ffff:10.0.0.0/104", { "10.1.2.3", "::ffff:10.1.2.3" },
		    { "11.0.0.0", "::ffff:11.0.0.0", "::1" } },
		{ "::ffff:0:0/96", { "1.2.3.4", "::ffff:1.2.3.4" }, { "::1" } },
		{ "::ffff:10.0.0.5", { "10.0.0.5", "::ffff:10.0.0.5" }, { "10.0.0.6" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr_net n;

		CHECK(addr_net_parse(&n, slice_of(rows[i].net), NULL));
		for (size_t j = 0; j < ARRAY_SIZE(rows[i].in) && rows[i].in[j]; j++) {
			struct addr a = ip(rows[i].in[j], 99);

			test_note("%s in %s", rows[i].in[j], rows[i].net);
			CHECK(addr_net_has(&n, &a));
		}
		for (size_t j = 0; j < ARRAY_SIZE(rows[i].out) && rows[i].out[j]; j++) {
			struct addr a = ip(rows[i].out[j], 99);

			test_note("%s out of %s", rows[i].out[j], rows[i].net);
			CHECK(!addr_net_has(&n, &a));
		}
	}
}

/* Every prefix length, with each single bit turned: outside when the bit is of the prefix. */
TEST(every_bit_of_every_prefix_counts)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct addr base =
		    ip(v6 ? "2001:db8:5555:aaaa:1234:5678:9abc:def0" : "172.16.85.170", 0);
		unsigned widest = v6 ? 128 : 32;

		for (unsigned bits = 0; bits <= widest; bits++)
			for (unsigned turned = 0; turned < widest; turned++) {
				char text[ADDR_TEXT + 8], address[ADDR_TEXT];
				struct addr_net n;
				struct addr a = base;
				unsigned char *p =
				    v6 ? a.in6.sin6_addr.s6_addr : (unsigned char *)&a.in4.sin_addr;

				snprintf(text, sizeof(text), "%s/%u",
				    addr_format_ip(address, &base), bits);
				test_note("%s, bit %u", text, turned);
				CHECK(addr_net_parse(&n, slice_of(text), NULL));
				CHECK(addr_net_has(&n, &base));
				p[turned / 8] ^= (unsigned char)(0x80 >> turned % 8);
				CHECK(addr_net_has(&n, &a) == (turned >= bits));
			}
	}
}

TEST(what_is_no_address_is_in_no_network)
{
	struct addr none = { 0 };
	struct addr_net n;

	CHECK(addr_net_parse(&n, SLICE("0.0.0.0/0"), NULL));
	CHECK(!addr_net_has(&n, &none));
	none.sa.sa_family = AF_UNIX;
	CHECK(!addr_net_has(&n, &none));
	CHECK(addr_net_parse(&n, SLICE("::/0"), NULL));
	CHECK(!addr_net_has(&n, &none));
}
