/*
 * tests/unit/store_check_test.c - one check of a store: how each way to fail is told, and that it leaves politely.
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c
 */
#include "test.h"

#include "base/mem.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "io/tls_ctx.h"
#include "store/check.h"

#define CONNECT_TIMEOUT 5
#define REPLY_TIMEOUT   30
#define GREETING        "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"

static struct loop *loop;
static struct conn_env *conns;
static struct upstream_env env;
static struct backend backend;
static struct check *check;
static const char *probe_password; /* of the next check; NULL: it does not log in */
static struct fake_peer *peer;
static unsigned told;
static enum fail told_fail;
static char told_stage[32], told_reason[256], told_caps[512], told_after[512];

static void
on_check(void *arg, const struct check_result *r)
{
	CHECK(arg == &backend);
	told++;
	told_fail = r->fail;
	(void)str_fmt(told_stage, sizeof(told_stage), "%s", r->stage);
	(void)str_fmt(told_reason, sizeof(told_reason), "%s", r->err->text);
	(void)str_fmt(told_caps, sizeof(told_caps), SLICE_FMT, SLICE_ARG(r->before));
	(void)str_fmt(told_after, sizeof(told_after), SLICE_FMT, SLICE_ARG(r->after));
	check = NULL;
}

static void
start(enum tls_mode tls)
{
	struct tls_client_params params = { .min = TLS_1_2 };
	struct addr to;
	struct err err;

	loop = loop_new();
	conns = conn_env_new(loop);
	CHECK(loop && conns && upstream_env_init(&env, loop, conns) == 1);
	backend = (struct backend){ .name = "store1",
		.host = "imap.store1.test",
		.port = 143,
		.tls = tls,
		.client = tls == TLS_MODE_NONE ? NULL : tls_client_new(&params, &err),
		.connect_timeout = CONNECT_TIMEOUT,
		.reply_timeout = REPLY_TIMEOUT };
	if (probe_password) {
		backend.probe_user = "probe";
		CHECK(secret_set(&backend.probe_password, slice_of(probe_password)));
	}
	told = 0;
	CHECK(addr_parse_ip(&to, SLICE("10.0.0.1"), 143));
	check = check_start(&env, &backend, &to, on_check, &backend);
	CHECK(check != NULL);
	CHECK_U64(told, 0); /* never from within */
	peer = fake_conn_peers(conns);
}

static void
end(void)
{
	check_free(&check);
	fake_loop_run_pending(loop);
	CHECK_U64(fake_loop_timers(loop), 0);
	CHECK_U64(mem_pool_used(env.pool), 0);
	upstream_env_free(&env);
	tls_client_unref(&backend.client);
	secret_clear(&backend.probe_password);
	probe_password = NULL;
	conn_env_free(&conns);
	loop_free(&loop);
}

static void
run(void)
{
	fake_loop_run_pending(loop);
}

static void
says(const char *text)
{
	fake_peer_send(peer, text, strlen(text));
	run();
}

/* What the store was sent since the last call, in words: tags are left out. */
static const char *
sent(void)
{
	static char text[256];
	struct slice all = buf_slice(&peer->out);
	size_t n = 0;

	while (all.len > 0) {
		const char *space = memchr(all.p, ' ', all.len), *nl = memchr(all.p, '\n', all.len);

		CHECK(space && nl && space < nl && nl[-1] == '\r');
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", n ? "|" : "",
		    (int)(nl - 1 - space - 1), space + 1);
		all.len -= (size_t)(nl + 1 - all.p);
		all.p = nl + 1;
	}
	text[n] = '\0';
	buf_consume(&peer->out, buf_len(&peer->out));
	return text;
}

/* Answers the last command with its own tag. */
static void
answers(const char *verb, const char *untagged, const char *status)
{
	struct slice all = buf_slice(&peer->out);
	const char *space = memchr(all.p, ' ', all.len);
	char text[512];

	CHECK(space != NULL);
	(void)str_fmt(
	    text, sizeof(text), "%s%.*s %s\r\n", untagged, (int)(space - all.p), all.p, status);
	CHECK_STR(sent(), verb);
	says(text);
}

static void
check_told(enum fail fail, const char *stage)
{
	CHECK_U64(told, 1);
	CHECK_STR(fail_name(told_fail), fail_name(fail));
	CHECK_STR(told_stage, stage);
	CHECK(check == NULL);
	if (fail == FAIL_NONE)
		return;
	CHECK(told_reason[0] != '\0');
	CHECK_STR(told_after, "");
	CHECK(!strstr(told_reason, "pa55word")); /* of probe users, which a store may repeat */
	CHECK(peer->closed);
}

static void
check_polite(void)
{
	CHECK_STR(sent(), "LOGOUT");
	CHECK(peer->closed);
	CHECK(peer->how == CONN_LINGER); /* the store reads it before the end comes */
}

TEST(a_store_that_is_well_is_left_politely)
{
	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	says(GREETING);
	check_told(FAIL_NONE, "done");
	CHECK_STR(told_caps, "IMAP4rev1 IDLE");
	CHECK_STR(told_reason, "");
	check_polite();
	end();
}

TEST(capabilities_are_asked_for_where_the_greeting_has_none)
{
	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	says("* OK ready\r\n");
	answers("CAPABILITY", "* CAPABILITY IMAP4rev1 ID\r\n", "OK done");
	check_told(FAIL_NONE, "done");
	CHECK_STR(told_caps, "IMAP4rev1 ID");
	check_polite();
	end();
}

TEST(tls_is_looked_through)
{
	start(TLS_MODE_IMPLICIT);
	fake_peer_connect(peer);
	run();
	CHECK(peer->tls);
	CHECK_STR(peer->tls_name, "imap.store1.test");
	fake_peer_tls(peer, true);
	says(GREETING);
	check_told(FAIL_NONE, "done");
	check_polite();
	end();

	start(TLS_MODE_STARTTLS);
	fake_peer_connect(peer);
	says("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n");
	answers("STARTTLS", "", "OK begin");
	CHECK(peer->tls);
	fake_peer_tls(peer, true);
	run();
	answers("CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", "OK done");
	check_told(FAIL_NONE, "done");
	CHECK_STR(told_caps, "IMAP4rev1 AUTH=PLAIN"); /* what was said before TLS is forgotten */
	check_polite();
	end();
}

TEST(connecting_fails)
{
	start(TLS_MODE_NONE);
	fake_peer_refuse(peer);
	run();
	check_told(FAIL_CONNECT, "connect");
	end();

	start(TLS_MODE_NONE);
	fake_loop_advance(loop, CONNECT_TIMEOUT - 0.1);
	CHECK_U64(told, 0);
	fake_loop_advance(loop, 0.2);
	check_told(FAIL_CONNECT_TIMEOUT, "connect");
	end();
}

TEST(a_connection_that_cannot_be_begun)
{
	struct addr to;

	start(TLS_MODE_NONE);
	check_free(&check);
	run();
	fake_conn_fail_dial(conns);
	CHECK(addr_parse_ip(&to, SLICE("10.0.0.1"), 143));
	check = check_start(&env, &backend, &to, on_check, &backend);
	CHECK(check != NULL);
	CHECK_U64(told, 0);
	run();
	check_told(FAIL_CONNECT, "connect");
	end();
}

TEST(tls_fails)
{
	start(TLS_MODE_IMPLICIT);
	fake_peer_connect(peer);
	run();
	fake_peer_tls(peer, false);
	run();
	check_told(FAIL_TLS, "tls");
	end();

	start(TLS_MODE_STARTTLS);
	fake_peer_connect(peer);
	says("* OK ready\r\n");
	answers("STARTTLS", "", "OK begin");
	fake_peer_tls(peer, false);
	run();
	check_told(FAIL_TLS, "tls");
	end();
}

TEST(a_handshake_that_hangs_is_not_a_connect_that_hangs)
{
	start(TLS_MODE_IMPLICIT);
	fake_peer_connect(peer);
	run();
	fake_loop_advance(loop, CONNECT_TIMEOUT + 0.1);
	check_told(FAIL_CONNECT_TIMEOUT, "tls");
	end();

	start(TLS_MODE_STARTTLS);
	fake_peer_connect(peer);
	says("* OK ready\r\n");
	answers("STARTTLS", "", "OK begin");
	fake_loop_advance(loop, CONNECT_TIMEOUT + 0.1);
	check_told(FAIL_CONNECT_TIMEOUT, "tls");
	end();
}

TEST(starttls_fails)
{
	start(TLS_MODE_STARTTLS);
	fake_peer_connect(peer);
	says(GREETING);
	check_told(FAIL_NO_STARTTLS, "starttls");
	end();

	start(TLS_MODE_STARTTLS);
	fake_peer_connect(peer);
	says("* OK ready\r\n");
	answers("STARTTLS", "", "NO not today");
	check_told(FAIL_NO_STARTTLS, "starttls");
	end();

	start(TLS_MODE_STARTTLS);
	fake_peer_connect(peer);
	says("* OK ready\r\n");
	answers("STARTTLS", "", "OK begin\r\n* CAPABILITY IMAP4rev1");
	check_told(FAIL_INJECTION, "starttls");
	end();

	start(TLS_MODE_STARTTLS);
	fake_peer_connect(peer);
	says("* OK ready\r\n");
	fake_loop_advance(loop, REPLY_TIMEOUT + 0.1);
	check_told(FAIL_GREETING_TIMEOUT, "starttls");
	end();
}

TEST(greetings_that_are_none)
{
	static const struct {
		const char *text;
		enum fail fail;
	} cases[] = {
		{ "220 mail.example.org ESMTP\r\n", FAIL_PROTOCOL },
		{ "+OK POP3 ready\r\n", FAIL_PROTOCOL },
		{ "\x16\x03\x01\r\n", FAIL_PROTOCOL },
		{ "* 3 EXISTS\r\n", FAIL_PROTOCOL },
		{ "* NO\r\n", FAIL_PROTOCOL },
		{ "a OK under a tag\r\n", FAIL_PROTOCOL },
		{ "* BYE too many connections\r\n", FAIL_BYE },
		{ "* PREAUTH welcome\r\n", FAIL_PREAUTH },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		test_note("%s", cases[i].text);
		start(TLS_MODE_NONE);
		fake_peer_connect(peer);
		says(cases[i].text);
		check_told(cases[i].fail, "greeting");
		CHECK_STR(sent(), "");
		end();
	}
}

TEST(a_greeting_that_never_ends)
{
	char line[1024];

	memset(line, 'x', sizeof(line));
	memcpy(line, "* OK ", 5);
	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	for (unsigned i = 0; i < 16 && told == 0; i++) {
		fake_peer_send(peer, line, sizeof(line));
		run();
	}
	check_told(FAIL_STORE_LIMIT, "greeting");
	end();
}

TEST(a_greeting_that_never_comes)
{
	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	run();
	fake_loop_advance(loop, REPLY_TIMEOUT - 0.1);
	CHECK_U64(told, 0);
	says("* OK"); /* a part of it buys no time */
	fake_loop_advance(loop, 0.2);
	check_told(FAIL_GREETING_TIMEOUT, "greeting");
	end();
}

TEST(an_early_end)
{
	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	run();
	fake_peer_end(peer);
	run();
	check_told(FAIL_GONE, "greeting");
	end();

	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	run();
	fake_peer_reset(peer);
	run();
	check_told(FAIL_GONE, "greeting");
	end();

	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	says("* OK ready\r\n");
	fake_peer_end(peer);
	run();
	check_told(FAIL_GONE, "capability");
	end();
}

TEST(no_capabilities)
{
	static const struct {
		const char *untagged, *status;
	} cases[] = {
		{ "", "OK none" },
		{ "", "NO none" },
		{ "", "BAD what" },
		{ "* CAPABILITY IMAP4rev1\r\n", "NO after all" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		test_note("%s%s", cases[i].untagged, cases[i].status);
		start(TLS_MODE_NONE);
		fake_peer_connect(peer);
		says("* OK ready\r\n");
		answers("CAPABILITY", cases[i].untagged, cases[i].status);
		check_told(FAIL_PROTOCOL, "capability");
		end();
	}
	test_note("%s", "");

	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	says("* OK ready\r\n");
	says("x OK not your tag\r\n");
	check_told(FAIL_PROTOCOL, "capability");
	end();

	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	says("* OK ready\r\n");
	says("* BYE going down\r\n");
	check_told(FAIL_BYE, "capability");
	end();
}

/* Whatever it goes on saying, its time is that of one answer. */
TEST(a_store_that_talks_without_answering)
{
	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	says("* OK ready\r\n");
	for (unsigned i = 0; i < REPLY_TIMEOUT; i++) {
		CHECK_U64(told, 0);
		says("* OK still there\r\n");
		fake_loop_advance(loop, 1.01);
	}
	check_told(FAIL_GREETING_TIMEOUT, "capability");
	end();
}

TEST(one_that_is_given_up_says_nothing)
{
	start(TLS_MODE_NONE);
	check_free(&check);
	CHECK(check == NULL);
	fake_peer_connect(peer);
	run();
	CHECK(peer->closed);
	CHECK_U64(told, 0);
	end();

	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	says("* OK ready\r\n");
	check_free(&check);
	fake_loop_advance(loop, 2 * REPLY_TIMEOUT);
	CHECK(peer->closed);
	CHECK_U64(told, 0);
	end();
}

/* --- with a probe user */

#define PROBE "LOGIN \"probe\" \"pa55word\""

/* Up to where the login has been sent. */
static void
start_login(const char *greeting)
{
	probe_password = "pa55word";
	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	says(greeting);
	CHECK_U64(told, 0);
}

TEST(a_probe_user_logs_in_and_out)
{
	start_login(GREETING);
	answers(PROBE, "", "OK [CAPABILITY IMAP4rev1 IDLE QUOTA] welcome");
	check_told(FAIL_NONE, "done");
	CHECK_STR(told_caps, "IMAP4rev1 IDLE");
	CHECK_STR(told_after, "IMAP4rev1 IDLE QUOTA");
	check_polite();
	end();

	start_login(GREETING);
	answers(PROBE, "* 0 EXISTS\r\n", "OK [ALERT] welcome\r\n* 1 EXISTS");
	answers("CAPABILITY", "* CAPABILITY IMAP4rev1 SORT\r\n", "OK done");
	check_told(FAIL_NONE, "done");
	CHECK_STR(told_after, "IMAP4rev1 SORT");
	check_polite();
	end();
}

TEST(a_probe_user_in_plain_sasl)
{
	start_login("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n");
	answers("AUTHENTICATE PLAIN AHByb2JlAHBhNTV3b3Jk", "", "OK [CAPABILITY IMAP4rev1] hi");
	check_told(FAIL_NONE, "done");
	check_polite();
	end();
}

TEST(a_probe_user_who_is_refused)
{
	static const struct {
		const char *status;
		enum fail fail;
	} cases[] = {
		{ "NO pa55word is wrong", FAIL_CREDENTIALS },
		{ "NO [AUTHENTICATIONFAILED] pa55word is wrong", FAIL_CREDENTIALS },
		{ "NO [EXPIRED] pa55word is old", FAIL_STORE_REFUSED },
		{ "BAD pa55word?", FAIL_STORE_REFUSED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		test_note("%s", cases[i].status);
		start_login(GREETING);
		answers(PROBE, "", cases[i].status);
		check_told(cases[i].fail, "login");
		CHECK_STR(told_caps, "IMAP4rev1 IDLE"); /* that much is known */
		check_polite();
		end();
	}
}

TEST(a_login_that_is_the_stores_failure)
{
	probe_password = "pa55word";
	start(TLS_MODE_NONE);
	fake_peer_connect(peer);
	says("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n");
	check_told(FAIL_NO_MECHANISM, "login");
	CHECK_STR(sent(), "");
	end();

	start_login(GREETING);
	fake_loop_advance(loop, REPLY_TIMEOUT + 0.1);
	check_told(FAIL_LOGIN_TIMEOUT, "login");
	end();

	start_login(GREETING);
	fake_peer_end(peer);
	run();
	check_told(FAIL_LOGIN_GONE, "login");
	end();

	start_login(GREETING);
	says("* BYE pa55word\r\n");
	check_told(FAIL_LOGIN_GONE, "login");
	end();

	start_login(GREETING);
	says("pa55word\r\n");
	check_told(FAIL_LOGIN_PROTOCOL, "login");
	end();

	start_login(GREETING);
	answers(PROBE, "", "OK welcome");
	says("* BYE pa55word\r\n");
	check_told(FAIL_LOGIN_GONE, "capability-after-login");
	end();
}

TEST(a_login_that_is_given_up)
{
	start_login(GREETING);
	check_free(&check);
	CHECK(peer->closed);
	CHECK_U64(told, 0);
	end();
}
