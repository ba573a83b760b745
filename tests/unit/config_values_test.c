/* Values as text: what they mean, and what is said of those that mean nothing. */
#include "test.h"

#include "config/values.h"

static const struct config_key duration = { .type = TYPE_DURATION, .min = 0, .max = 86400 };
static const struct config_key size = { .type = TYPE_SIZE, .min = 64, .max = 1 << 30 };
static const struct config_key number = {
	.type = TYPE_NUMBER, .min = 1, .max = 64, .words = "auto"
};

struct row {
	const struct config_key *key;
	const char *text;
	double value; /* -1: wrong */
	const char *said;
};

TEST(numbers)
{
	static const struct row table[] = {
		{ &duration, "0", 0, NULL },
		{ &duration, "500ms", 0.5, NULL },
		{ &duration, "30s", 30, NULL },
		{ &duration, "5m", 300, NULL },
		{ &duration, "24h", 86400, NULL },
		{ &duration, "1d", 86400, NULL },
		{ &duration, "0s", 0, NULL },
		{ &duration, "007s", 7, NULL },
		{ &duration, "2d", -1, "expected a time from 0 to 1d, found \"2d\"" },
		{ &duration, "30", -1,
		    "expected a time from 0 to 1d (with ms, s, m, h or d behind it), found "
		    "\"30\"" },
		{ &duration, "30S", -1, NULL },
		{ &duration, "30 s", -1, NULL },
		{ &duration, "1.5s", -1, NULL },
		{ &duration, "1h30m", -1, NULL },
		{ &duration, "-1s", -1, NULL },
		{ &duration, "+1s", -1, NULL },
		{ &duration, "s", -1, NULL },
		{ &duration, "", -1, NULL },
		{ &duration, "1e3s", -1, NULL },
		{ &duration, "99999999999999999999s", -1, NULL },
		{ &size, "64", 64, NULL },
		{ &size, "8K", 8192, NULL },
		{ &size, "8k", 8192, NULL },
		{ &size, "1M", 1048576, NULL },
		{ &size, "1m", 1048576, NULL },
		{ &size, "1G", 1073741824, NULL },
		{ &size, "63", -1, "expected a size from 64 to 1G, found \"63\"" },
		{ &size, "2G", -1, "expected a size from 64 to 1G, found \"2G\"" },
		{ &size, "1KB", -1,
		    "expected a size from 64 to 1G (bytes, or with K, M or G behind it), found "
		    "\"1KB\"" },
		{ &size, "1s", -1, NULL },
		{ &number, "1", 1, NULL },
		{ &number, "64", 64, NULL },
		{ &number, "0", -1, "expected auto or a whole number from 1 to 64, found \"0\"" },
		{ &number, "65", -1, NULL },
		{ &number, "1K", -1, NULL },
		{ &number, "Auto", -1, NULL },
		{ &number, "\"2\"", -1,
		    "expected auto or a whole number from 1 to 64, found \"\\x222\\x22\"" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct row *r = &table[i];
		struct err err = { "" };
		test_note("%s", r->text);
		CHECK_INT(value_check(r->key, r->text, &err), r->value < 0 ? -1 : 0);
		if (r->value >= 0)
			CHECK(value_number(r->key->type, r->text) == r->value);
		if (r->said)
			CHECK_STR(err.text, r->said);
	}
	CHECK_INT(value_check(&number, "auto", NULL), 0);
}

TEST(every_default_of_the_table_is_a_value)
{
	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *k = &config_keys[i];
		struct err err = { "" };
		test_note("%s", k->name);
		CHECK(config_key_find(k->section, k->name) == k); /* none is there twice */
		CHECK(k->help && k->help[0]);
		CHECK_INT(k->help[strlen(k->help) - 1], '.');
		if (k->preset && value_check(k, k->preset, &err) < 0)
			FAIL("%s", err.text);
		CHECK(!k->preset || !k->required);
		CHECK(k->planned || k->type != TYPE_WORD || k->words);
	}
}

TEST(numbers_are_written_as_one_would)
{
	static const struct {
		enum config_type type;
		double n;
		const char *text;
	} table[] = { { TYPE_DURATION, 0, "0" }, { TYPE_DURATION, 0.1, "100ms" },
		{ TYPE_DURATION, 90, "90s" }, { TYPE_DURATION, 3600, "1h" },
		{ TYPE_DURATION, 86400 * 30.0, "30d" }, { TYPE_SIZE, 1000, "1000" },
		{ TYPE_SIZE, 65536, "64K" }, { TYPE_SIZE, 1536 * 1024, "1536K" },
		{ TYPE_NUMBER, 10000000, "10000000" } };
	char text[32];
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		CHECK_STR(
		    value_format(text, sizeof(text), table[i].type, table[i].n), table[i].text);
}

TEST(words)
{
	static const struct config_key key = {
		.type = TYPE_WORD, .words = "none | starttls | implicit", .planned_words = "later"
	};
	struct err err;
	CHECK_INT(value_word(key.words, "none"), 0);
	CHECK_INT(value_word(key.words, "implicit"), 2);
	CHECK_INT(value_word(key.words, "None"), -1);
	CHECK_INT(value_word(key.words, ""), -1);
	CHECK_INT(value_word(key.words, "none | starttls"), -1);
	CHECK_INT(value_check(&key, "starttls", &err), 0);
	CHECK_INT(value_check(&key, "STARTTLS", &err), -1);
	CHECK_STR(err.text, "expected none, starttls or implicit, found \"STARTTLS\"; did you mean "
			    "\"starttls\"?");
	CHECK_INT(value_check(&key, "ssl", &err), -1);
	CHECK_STR(err.text, "expected none, starttls or implicit, found \"ssl\"");
	CHECK_INT(value_check(&key, "later", &err), -1);
	CHECK_STR(err.text, "\"later\" is planned, but this version does not have it yet");
}

TEST(yes_and_no)
{
	static const struct config_key key = { .type = TYPE_BOOL };
	static const struct {
		const char *text, *near;
	} table[] = { { "true", "yes" }, { "On", "yes" }, { "YES", "yes" }, { "0", "no" },
		{ "off", "no" }, { "No", "no" }, { "maybe", NULL }, { "", NULL } };
	struct err err;
	CHECK_INT(value_check(&key, "yes", &err), 0);
	CHECK_INT(value_check(&key, "no", &err), 0);
	CHECK(value_bool("yes") && !value_bool("no"));
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char said[128], near[64] = "";
		test_note("%s", table[i].text);
		CHECK_INT(value_check(&key, table[i].text, &err), -1);
		if (table[i].near)
			snprintf(near, sizeof(near), "; did you mean \"%s\"?", table[i].near);
		snprintf(
		    said, sizeof(said), "expected yes or no, found \"%s\"%s", table[i].text, near);
		CHECK_STR(err.text, said);
	}
}

TEST(lists)
{
	static const struct {
		const char *text, *items; /* '|' behind each, ! where one is missing */
	} table[] = { { "", "" }, { "a", "a|" }, { "a,b", "a|b|" }, { " a , b c ,d", "a|b c|d|" },
		{ "a,", "!" }, { ",a", "!a|" }, { "a,,b", "a|!b|" }, { ",", "!" }, { " ", "!" } };
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct slice rest = slice_of(table[i].text), item;
		char said[64] = "";
		size_t len = 0;
		int rc;
		while ((rc = value_item(&rest, &item)) != 0)
			len += (size_t)snprintf(said + len, sizeof(said) - len, "%.*s%s",
			    rc > 0 ? (int)item.len : 0, item.p, rc > 0 ? "|" : "!");
		test_note("\"%s\"", table[i].text);
		CHECK_STR(said, table[i].items);
	}
}

TEST(addresses_to_listen_on)
{
	static const struct {
		const char *text, *addr; /* NULL: wrong */
		bool any;
	} table[] = { { "127.0.0.1:143", "127.0.0.1:143", false },
		{ "[::1]:993", "[::1]:993", false }, { "*:143", "0.0.0.0:143", true },
		{ "*:0", "0.0.0.0:0", true }, { "[::]:0", "[::]:0", false },
		{ "127.0.0.1:65535", "127.0.0.1:65535", false }, { "127.0.0.1:65536", NULL, false },
		{ "127.0.0.1", NULL, false }, { "143", NULL, false }, { ":143", NULL, false },
		{ "::1:143", NULL, false }, { "localhost:143", NULL, false },
		{ "[*]:143", NULL, false }, { "[::ffff:1.2.3.4]:1", NULL, false },
		{ "", NULL, false } };
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct addr a;
		struct err err = { "" };
		char text[ADDR_TEXT];
		bool any = false;
		test_note("%s", table[i].text);
		int rc = value_listen(slice_of(table[i].text), &a, &any, &err);
		CHECK_INT(rc, table[i].addr ? 0 : -1);
		if (rc == 0)
			CHECK_STR(addr_format(text, &a), table[i].addr);
		else
			CHECK(err.text[0]);
		CHECK(rc < 0 || any == table[i].any);
	}
}

TEST(hosts_and_names)
{
	static const char *const hosts[] = { "a", "mail.example.org", "a-b.c", "1.example",
		"x_y.z" };
	static const char *const no_hosts[] = { "", ".", "a.", ".a", "a..b", "-a", "a-", "a b", "*",
		"*.a", "a/b", "a:1", "\xc3\xa4.de" };
	char label[70], long_host[300];
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		CHECK_INT(value_host(slice_of(hosts[i]), false, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(no_hosts); i++) {
		test_note("%s", no_hosts[i]);
		CHECK_INT(value_host(slice_of(no_hosts[i]), false, NULL), -1);
	}
	CHECK_INT(value_host(SLICE("*.a.example"), true, NULL), 0);
	CHECK_INT(value_host(SLICE("*."), true, NULL), -1);
	CHECK_INT(value_host(SLICE("*"), true, NULL), -1);
	CHECK_INT(value_host(SLICE("a.*.b"), true, NULL), -1);
	CHECK_INT(value_host(SLICE("*a.b"), true, NULL), -1);
	memset(label, 'a', sizeof(label));
	CHECK_INT(value_host((struct slice){ label, 63 }, false, NULL), 0);
	CHECK_INT(value_host((struct slice){ label, 64 }, false, NULL), -1);
	for (size_t i = 0; i < sizeof(long_host); i++)
		long_host[i] = i % 2 ? '.' : 'a';
	CHECK_INT(value_host((struct slice){ long_host, 253 }, false, NULL), 0);
	CHECK_INT(value_host((struct slice){ long_host, 255 }, false, NULL), -1);

	CHECK_INT(value_name(SLICE("Store_1.b-c"), NULL), 0);
	CHECK_INT(value_name(SLICE(""), NULL), -1);
	CHECK_INT(value_name(SLICE("a b"), NULL), -1);
	CHECK_INT(value_name(SLICE("a:b"), NULL), -1);
	CHECK_INT(value_name((struct slice){ label, 63 }, NULL), 0);
	CHECK_INT(value_name((struct slice){ label, 64 }, NULL), -1);
}

TEST(near_keys)
{
	CHECK_STR(config_key_near(SECTION_PROXY, "worker"), "workers");
	CHECK_STR(config_key_near(SECTION_PROXY, "login_timeot"), "login_timeout");
	CHECK_STR(config_key_near(SECTION_LISTEN, "adress"), "address");
	CHECK(!config_key_near(SECTION_LISTEN, "zzz"));
	CHECK(!config_key_near(SECTION_TLS, "kex_algorithm"));
}
