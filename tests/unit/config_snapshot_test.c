/* What a right configuration becomes, part by part. What is said of wrong ones is in tests/config. */
#include "config_world.h"
#include "tls_certs.h"

#include "base/arena.h"
#include "config/snapshot.h"
#include "directory/lookup.h"

static const unsigned char ticket_key[TLS_TICKET_KEY] = "ticket";

static struct snapshot *
build(struct config_files *f, unsigned parts, struct world_said *said)
{
	said->len = 0;
	said->text[0] = '\0';
	return snapshot_build(f, "/etc/s.conf", parts, ticket_key, world_mistake, said);
}

/* Builds @text by itself, as text only; it must be right. */
static struct snapshot *
build_text(const char *text)
{
	struct config_files *f = config_files_new(false);
	struct world_said said;
	CHECK(f);
	world_text(f, "/etc/s.conf", text);
	struct snapshot *s = build(f, 0, &said);
	config_files_free(&f);
	if (!s)
		FAIL("%s", said.text);
	CHECK_STR(said.text, "");
	return s;
}

#define STORE  "[backend store]\naddress = 127.0.0.1:143\ntls = none\n"
#define LISTEN "[listen l]\naddress = 127.0.0.1:0\ntls = none\nplaintext_login = yes\n"
#define ROUTE  "[route]\ndefault = store\n"

TEST(defaults)
{
	struct snapshot *s = build_text(LISTEN STORE ROUTE);
	const struct proxy_settings *p = &s->proxy;
	CHECK(!p->user && !p->directory_user && !p->capability);
	CHECK(p->workers >= 1 && p->workers <= 64);
	CHECK(p->hostname[0]);
	CHECK_STR(p->log, "stderr");
	CHECK_INT(p->log_format, LOG_LOGFMT);
	CHECK_INT(p->log_level, LOG_INFO);
	CHECK(p->login_timeout == 60 && p->idle_timeout == 0 && p->stop_timeout == 30);
	CHECK(p->auth_failure_delay == 2);
	CHECK_U64(p->max_sessions, 100000);
	CHECK_U64(p->max_line, 8192);
	CHECK_U64(p->max_auth_line, 65536);
	CHECK_U64(p->max_literal, 4096);
	CHECK_U64(p->max_command, 65536);
	CHECK_U64(p->max_bad_commands, 10);
	CHECK_U64(p->max_failed_logins, 3);
	const struct backend *b = snapshot_backend(s, "store");
	CHECK(b && b->verify && b->weight == 100 && !b->sources && !b->client);
	CHECK(b->connect_timeout == 5 && b->reply_timeout == 30 && b->max_logging_in == 200);
	struct backend defaults;
	snapshot_backend_defaults(&defaults);
	CHECK_INT(defaults.tls, TLS_MODE_STARTTLS);
	CHECK(defaults.verify && defaults.weight == 100 && defaults.connect_timeout == 5);
	snapshot_unref(&s);
}

TEST(settings)
{
	struct snapshot *s =
	    build_text("[proxy]\nworkers = 3\nhostname = imap.example.org\n"
		       "capability = IMAP4rev1 IDLE\nlog = /var/log/x\n"
		       "log_format = json\nlog_level = debug\nidle_timeout = 1d\n"
		       "login_timeout = 90s\nstop_timeout = 500ms\n"
		       "auth_failure_delay = 0\nmax_sessions = 7\nmax_line = 1024\n"
		       "max_auth_line = 2K\nmax_literal = 64\nmax_command = 1m\n"
		       "user = nobody\ndirectory_user = daemon\n" LISTEN STORE ROUTE);
	const struct proxy_settings *p = &s->proxy;
	CHECK_U64(p->workers, 3);
	CHECK_STR(p->hostname, "imap.example.org");
	CHECK_STR(p->capability, "IMAP4rev1 IDLE");
	CHECK_STR(p->log, "/var/log/x");
	CHECK_INT(p->log_format, LOG_JSON);
	CHECK_INT(p->log_level, LOG_DEBUG);
	CHECK(p->idle_timeout == 86400 && p->login_timeout == 90 && p->stop_timeout == 0.5);
	CHECK(p->auth_failure_delay == 0);
	CHECK_U64(p->max_sessions, 7);
	CHECK_U64(p->max_line, 1024);
	CHECK_U64(p->max_auth_line, 2048);
	CHECK_U64(p->max_literal, 64);
	CHECK_U64(p->max_command, 1 << 20);
	CHECK_STR(p->user, "nobody");
	CHECK_STR(p->directory_user, "daemon");
	snapshot_unref(&s);
}

TEST(listeners)
{
	struct snapshot *s =
	    build_text("[listen a]\naddress = *:143, 127.0.0.1:1143\naddress = [::1]:1143\n"
		       "[listen b]\naddress = [::]:993\ntls = implicit\n"
		       "[tls t]\ncertificate = /c\nkey = /k\n" STORE ROUTE);
	char text[ADDR_TEXT];
	CHECK_U64(s->n_listens, 2);
	const struct listen *l = snapshot_listen(s, "a");
	CHECK(l == &s->listens[0]);
	CHECK_INT(l->tls, TLS_MODE_STARTTLS);
	CHECK(!l->plaintext_login);
	CHECK_INT(l->line, 1);
	CHECK_U64(l->n_addrs, 4);
	CHECK_STR(addr_format(text, &l->addrs[0]), "0.0.0.0:143");
	CHECK_STR(addr_format(text, &l->addrs[1]), "[::]:143");
	CHECK_STR(addr_format(text, &l->addrs[2]), "127.0.0.1:1143");
	CHECK_STR(addr_format(text, &l->addrs[3]), "[::1]:1143");
	l = snapshot_listen(s, "b");
	CHECK(l == &s->listens[1]);
	CHECK_INT(l->tls, TLS_MODE_IMPLICIT);
	CHECK(!snapshot_listen(s, "c"));
	CHECK(!s->tls); /* no part of this process: its files were not looked for */
	snapshot_unref(&s);
}

TEST(pools_are_the_named_ones_and_then_one_a_backend)
{
	struct snapshot *s = build_text(
	    LISTEN "[pool p]\nbackends = b, a\nbalance = least\naffinity_time = 0\nfallback = q\n"
		   "[backend a]\naddress = a.example:143\ntls = none\nweight = 0\n"
		   "source = 10.0.0.1, ::1\n"
		   "[pool q]\nbackends = c\nbackends = a\nbalance = round-robin\nfallback = b\n"
		   "[backend b]\naddress = [2001:db8::1]:993\ntls = implicit\nverify = yes\n"
		   "connect_timeout = 1s\nreply_timeout = 2s\n"
		   "[backend c]\naddress = 192.0.2.1:143\n[route]\ndefault = p\n"
		   "[route x]\nlisten = l\ndefault = c\n");
	CHECK_U64(s->n_backends, 3);
	for (unsigned i = 0; i < s->n_backends; i++)
		CHECK_U64(s->backends[i].index, i);
	const struct backend *a = snapshot_backend(s, "a"), *b = snapshot_backend(s, "b");
	const struct backend *c = snapshot_backend(s, "c");
	CHECK(a == &s->backends[0] && b == &s->backends[1] && c == &s->backends[2]);
	CHECK_STR(a->host, "a.example");
	CHECK_U64(a->port, 143);
	CHECK_U64(a->n_sources, 2);
	CHECK_U64(a->weight, 0);
	CHECK_STR(b->host, "2001:db8::1");
	CHECK_INT(b->tls, TLS_MODE_IMPLICIT);
	CHECK(b->connect_timeout == 1 && b->reply_timeout == 2);

	CHECK_U64(s->n_pools, 5);
	CHECK_U64(s->n_named_pools, 2);
	const struct pool *p = &s->pools[0], *q = &s->pools[1];
	CHECK_STR(p->name, "p");
	CHECK_U64(p->n, 2);
	CHECK(p->backends[0] == b && p->backends[1] == a);
	CHECK_INT(p->balance, BALANCE_LEAST);
	CHECK(!p->affinity && p->fallback == q);
	CHECK(q->n == 2 && q->backends[0] == c && q->backends[1] == a);
	CHECK_INT(q->balance, BALANCE_ROUND_ROBIN);
	CHECK(q->affinity && q->affinity_time == 900);
	CHECK(q->fallback == &s->pools[3]);
	CHECK_STR(s->pools[3].name, "b");
	CHECK(s->pools[3].n == 1 && s->pools[3].backends[0] == b && !s->pools[3].fallback);
	CHECK(s->routes[0].default_target == p);
	CHECK(s->routes[1].default_target == &s->pools[4]);
	snapshot_unref(&s);
}

TEST(routes)
{
	struct snapshot *s =
	    build_text(LISTEN STORE "[route]\ndefault = store\n"
				    "[route r]\nlisten = l\nserver_name = a.example, b.example\n"
				    "username = strip-domain, lowercase, default-domain c.example\n"
				    "lookup = file:/not/read/here\n");
	CHECK_U64(s->n_routes, 2);
	const struct route *all = &s->routes[0], *r = &s->routes[1];
	CHECK_STR(all->name, "");
	CHECK(!all->listens && !all->server_names && all->n_steps == 0 && all->n_lookups == 0);
	CHECK_STR(r->name, "r");
	CHECK_U64(r->n_listens, 1);
	CHECK_STR(r->listens[0], "l");
	CHECK_U64(r->n_server_names, 2);
	CHECK_STR(r->server_names[1], "b.example");
	CHECK_U64(r->n_steps, 3);
	CHECK_INT(r->steps[0].kind, USERNAME_STRIP_DOMAIN);
	CHECK_INT(r->steps[1].kind, USERNAME_LOWERCASE);
	CHECK_INT(r->steps[2].kind, USERNAME_DEFAULT_DOMAIN);
	CHECK_STR(r->steps[2].domain, "c.example");
	CHECK(!r->default_target);
	CHECK_U64(r->n_lookups, 0); /* the directory's part */
	snapshot_unref(&s);
}

/* --- parts, with the files that each process gets */

static const char parted[] =
    "[listen l]\naddress = 127.0.0.1:0\n"
    "[tls t]\ncertificate = /ec.pem, /rsa.pem\nkey = /ec.key, /rsa.key\n"
    "[tls u]\nnames = u.example\ncertificate = /ec.pem\nkey = /ec.key\nmin_version = 1.3\n"
    "[backend store]\naddress = 127.0.0.1:143\nca = /ca.pem\n"
    "[backend other]\naddress = 127.0.0.1:143\ntls = none\n"
    "[route]\nlookup = file:/users, file:/more\n"
    "[route r]\nlisten = l\nlookup = file:/users\n";

/* @workers, @directory: files of these processes. */
static struct config_files *
parted_files(bool workers, bool directory)
{
	static struct test_cert ec, rsa;
	struct config_files *f = config_files_new(false);
	CHECK(f);
	if (!ec.x509) {
		ec = test_cert_new((struct test_cert_params){
		    .cn = "a", .ca = true, .from = -60, .until = 8640000 });
		rsa = test_cert_new((struct test_cert_params){
		    .cn = "a", .rsa = true, .from = -60, .until = 8640000 });
	}
	world_text(f, "/etc/s.conf", parted);
	world_file(f, CONFIG_FILE_STORE_CA, "/ca.pem", ec.cert_pem, strlen(ec.cert_pem));
	if (workers) {
		const enum config_file_kind kind = CONFIG_FILE_TLS_KEY;
		world_file(f, kind, "/ec.pem", ec.cert_pem, strlen(ec.cert_pem));
		world_file(f, kind, "/ec.key", ec.key_pem, strlen(ec.key_pem));
		world_file(f, kind, "/rsa.pem", rsa.cert_pem, strlen(rsa.cert_pem));
		world_file(f, kind, "/rsa.key", rsa.key_pem, strlen(rsa.key_pem));
	}
	if (directory) {
		world_file(f, CONFIG_FILE_LOOKUP, "/users", "a store\nb other\n", 16);
		world_file(f, CONFIG_FILE_LOOKUP, "/more", "c store\n", 8);
	}
	return f;
}

TEST(workers_have_tls_and_no_lookups)
{
	struct config_files *f = parted_files(true, false);
	struct world_said said;
	struct snapshot *s = build(f, SNAPSHOT_WORKER, &said);
	config_files_free(&f); /* nothing of it is needed any more */
	CHECK_STR(said.text, "");
	CHECK(s && s->tls);
	CHECK(tls_server_has_default(s->tls));
	CHECK(snapshot_backend(s, "store")->client);
	CHECK(!snapshot_backend(s, "other")->client);
	CHECK(s->targets[0] && s->targets[1]);
	CHECK_U64(s->n_lookups, 0);
	CHECK_U64(s->routes[0].n_lookups, 0);
	snapshot_unref(&s);
}

/* A file that is broken shows that it was read: by whoever may need it, by nobody else. */
TEST(the_systems_authorities_come_as_a_file_where_they_may_be_needed)
{
	static const struct {
		const char *text;
		bool read;
	} cases[] = {
		{ LISTEN STORE ROUTE, false },
		{ LISTEN STORE "[route]\nlookup = file:/users\ndefault = store\n", true },
		{ LISTEN "[backend store]\naddress = a:143\n" ROUTE, true },
		{ LISTEN "[backend store]\naddress = a:143\nverify = no\n" ROUTE, false },
		{ LISTEN "[backend store]\naddress = a:143\nca = /ca.pem\n" ROUTE, false },
	};
	static struct test_cert cert;
	const char *path = "/etc/pki/tls/certs/ca-bundle.crt";
	struct world_said said;
	cert = test_cert_new((struct test_cert_params){ .cn = "a", .ca = true, .until = 8640000 });
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_files *f = config_files_new(false);
		CHECK(f);
		test_note("%s", cases[i].text);
		world_text(f, "/etc/s.conf", cases[i].text);
		world_file(
		    f, CONFIG_FILE_STORE_CA, "/ca.pem", cert.cert_pem, strlen(cert.cert_pem));
		world_file(f, CONFIG_FILE_STORE_CA, path, "none", 4);
		struct snapshot *s = build(f, SNAPSHOT_WORKER, &said);
		config_files_free(&f);
		CHECK_INT(s == NULL, cases[i].read);
		if (cases[i].read)
			CHECK(strstr(said.text, path));
		snapshot_unref(&s);
	}
}

TEST(the_directory_has_lookups_and_no_keys)
{
	struct config_files *f = parted_files(false, true);
	struct world_said said;
	struct snapshot *s = build(f, SNAPSHOT_DIRECTORY, &said);
	config_files_free(&f);
	CHECK_STR(said.text, "");
	CHECK(s && !s->tls && snapshot_backend(s, "store")->client);
	CHECK_U64(s->n_lookups, 2); /* three are named, one of them twice */
	CHECK_U64(s->routes[0].n_lookups, 2);
	CHECK_U64(s->routes[1].n_lookups, 1);
	CHECK(s->routes[0].lookups[0] == s->routes[1].lookups[0]);
	CHECK_STR(s->routes[0].lookups[1]->source, "file:/more");
	snapshot_unref(&s);
}

TEST(a_process_that_lacks_its_files_says_so)
{
	struct config_files *f = parted_files(false, false);
	struct world_said said;
	CHECK(!build(f, SNAPSHOT_WORKER, &said));
	CHECK(strstr(
	    said.text, "/etc/s.conf:4: certificate: /ec.pem was not handed to this process\n"));
	CHECK(!build(f, SNAPSHOT_DIRECTORY, &said));
	CHECK(strstr(said.text, "/etc/s.conf:18: lookup: /users was not handed to this process\n"));
	struct snapshot *s = build(f, 0, &said);
	CHECK(s);
	snapshot_unref(&s);
	config_files_free(&f);
}

TEST(it_lives_as_long_as_it_is_counted)
{
	struct config_files *f = parted_files(true, true);
	struct world_said said;
	struct snapshot *s = build(f, SNAPSHOT_CHECK, &said);
	CHECK_STR(said.text, "");
	CHECK(s && s->tls && s->n_lookups == 2);
	struct snapshot *again = snapshot_ref(s);
	snapshot_unref(&s);
	CHECK(!s);
	CHECK_STR(again->backends[0].name, "store");
	snapshot_unref(&again);
	snapshot_unref(&again);
	config_files_free(&f);
}

TEST(mistakes_come_in_order_of_file_and_line_and_are_bounded)
{
	struct config_files *f = config_files_new(false);
	struct world_said said;
	char text[8192] = "include = a\n[proxy]\n";
	CHECK(f);
	for (int i = 0; i < 200; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "k%d = 1\n", i);
	snprintf(
	    text + strlen(text), sizeof(text) - strlen(text), "[listen l]\n[route]\ndefault = b\n");
	world_text(f, "/etc/s.conf", text);
	world_text(f, "/etc/a", "[backend b]\naddress = x\n");
	CHECK(!build(f, 0, &said));
	config_files_free(&f);
	unsigned lines = 0;
	for (const char *p = said.text; *p; p = strchr(p, '\n') + 1) {
		char expected[32];
		snprintf(expected, sizeof(expected), "/etc/s.conf:%u: ", lines + 3);
		if (lines < 100)
			CHECK_BYTES(p, strlen(expected), expected, strlen(expected));
		else
			CHECK_STR(p, "/etc/s.conf:0: 103 more not shown\n");
		lines++;
	}
	CHECK_U64(lines, 101);
}

TEST(probe_passwords_are_read_where_checks_are_made)
{
	static const struct {
		const char *bytes, *password;
	} cases[] = {
		{ "pa55 word\nits note\n", "pa55 word" },
		{ "pa55word", "pa55word" },
		{ "pa55word\r\n", "pa55word" },
		{ " \n", " " },
	};
	static const char text[] =
	    LISTEN "[backend store]\naddress = 10.0.0.1:143\ntls = none\nprobe_user = probe\n"
		   "probe_password_file = /probe\n" ROUTE;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_files *f = config_files_new(false);
		struct world_said said = { .len = 0 };
		struct snapshot *s;

		test_note("%s", cases[i].bytes);
		CHECK(f);
		world_text(f, "/etc/s.conf", text);
		/* A worker gets neither the file nor what is in it; nor who only wants to know a route. */
		s = build(f, SNAPSHOT_WORKER, &said);
		CHECK_STR(said.text, "");
		CHECK(s && s->backends[0].probe_user && !s->backends[0].probe_password.data);
		snapshot_unref(&s);
		s = build(f, SNAPSHOT_DIRECTORY, &said);
		CHECK_STR(said.text, "");
		CHECK(s && !s->backends[0].probe_password.data);
		snapshot_unref(&s);
		world_file(f, CONFIG_FILE_SECRET, "/probe", cases[i].bytes, strlen(cases[i].bytes));
		s = build(f, SNAPSHOT_DIRECTORY | SNAPSHOT_SECRETS, &said);
		config_files_free(&f);
		CHECK_STR(said.text, "");
		CHECK(s);
		CHECK_STR(s->backends[0].probe_user, "probe");
		CHECK_SLICE(secret_slice(&s->backends[0].probe_password), cases[i].password);
		snapshot_unref(&s);
	}
}
