/*
 * TLS connections over real sockets, the handshake: names, resumption, what is refused and what is said about it.
 */
#include "tls_world.h"

TEST(full_and_resumed_over_two_servers_with_one_ticket_key)
{
	struct tls_server *servers[2];
	struct tls_client *client;
	struct conn_facts facts;

	make_certs();
	world_open();
	servers[0] = server_with(&leaf, TLS_1_2);
	servers[1] = server_with(&leaf, TLS_1_2);
	client = client_with(&ca, true);
	for (int i = 0; i < 4; i++) {
		struct ends e = { .a = { .c = NULL } };

		test_note("connection %d", i);
		shake_hands(&e, client, "mail.example", servers[i % 2], 0);
		exchange(&e);
		conn_facts(e.b.c, &facts);
		CHECK(facts.tls);
		CHECK_INT(facts.resumed, i > 0);
		CHECK_STR(facts.version, "TLSv1.3");
		CHECK_STR(facts.cipher, "TLS_AES_128_GCM_SHA256");
		CHECK_STR(facts.sni, "mail.example");
		CHECK_U64(facts.bytes_in, 2);
		CHECK_U64(facts.bytes_out, 2);
		conn_facts(e.a.c, &facts);
		CHECK_INT(facts.resumed, i > 0);
		close_ends(&e);
	}
	tls_client_unref(&client);
	tls_server_unref(&servers[0]);
	tls_server_unref(&servers[1]);
	world_close();
}

TEST(the_contexts_live_as_long_as_their_connections)
{
	struct tls_server *server;
	struct tls_client *client;
	struct ends e = { .a = { .c = NULL } };

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	client = client_with(&ca, true);
	begin(&e, client, "mail.example", server, 0);
	tls_client_unref(&client);
	tls_server_unref(&server);
	RUN_UNTIL(both_settled, &e);
	exchange(&e);
	close_ends(&e);
	world_close();
}

TEST(who_one_client_trusts_another_trusts_like_it)
{
	struct tls_client_params p = { .verify = true, .min = TLS_1_2 };
	struct err err = { "" };
	struct tls_server *server;
	struct tls_client *first;
	struct ends e = { .a = { .c = NULL } };

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	for (int trusted = 0; trusted < 2; trusted++) {
		struct tls_client *client;

		test_note(trusted ? "of the CA" : "of nobody");
		first = client_with(trusted ? &ca : NULL, true);
		p.like = first;
		client = tls_client_new(&p, &err);
		CHECK(client);
		tls_client_unref(&first);
		begin(&e, client, "mail.example", server, 0);
		RUN_UNTIL(both_settled, &e);
		CHECK_INT(e.a.up, trusted);
		close_ends(&e);
		tls_client_unref(&client);
	}
	tls_server_unref(&server);
	world_close();
}

TEST(a_session_is_not_offered_under_another_name)
{
	struct tls_server *server;
	struct tls_client *client;
	static const char *const names[] = { "mail.example", "a.wild.example", "a.wild.example" };
	struct conn_facts facts;

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	client = client_with(&ca, true);
	for (int i = 0; i < 3; i++) {
		struct ends e = { .a = { .c = NULL } };

		test_note("connection %d", i);
		shake_hands(&e, client, names[i], server, 0);
		exchange(&e);
		conn_facts(e.b.c, &facts);
		CHECK_INT(facts.resumed, i == 2);
		close_ends(&e);
	}
	tls_client_unref(&client);
	tls_server_unref(&server);
	world_close();
}

static void
setup_rsa_only(struct raw_peer *p)
{
	CHECK(SSL_CTX_set1_sigalgs_list(p->ctx, (char[]){ "RSA-PSS+SHA256:RSA+SHA256" }));
}

static void
setup_1_1(struct raw_peer *p)
{
	SSL_CTX_set_security_level(p->ctx, 0);
	SSL_CTX_set_min_proto_version(p->ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(p->ctx, TLS1_1_VERSION);
}

static void
setup_cbc(struct raw_peer *p)
{
	setup_1_2(p);
	CHECK(SSL_CTX_set_cipher_list(p->ctx, "ECDHE+AES+SHA:ECDHE+AES+SHA384"));
}

static void
setup_alpn_http(struct raw_peer *p)
{
	SSL_CTX_set_alpn_protos(p->ctx, (const unsigned char *)"\2h2\10http/1.1", 12);
}

static void
setup_alpn_imap(struct raw_peer *p)
{
	SSL_CTX_set_alpn_protos(p->ctx, (const unsigned char *)"\2h2\4imap", 8);
}

static const char *wanted_name;

static void
setup_name(struct raw_peer *p)
{
	raw_start(p);
	if (wanted_name)
		CHECK(SSL_set_tlsext_host_name(p->ssl, (char *)(uintptr_t)wanted_name));
}

static void
setup_name_1_2(struct raw_peer *p)
{
	setup_1_2(p);
	setup_name(p);
}

static void
setup_p384(struct raw_peer *p)
{
	CHECK(SSL_CTX_set1_groups_list(p->ctx, (char[]){ "P-521:P-384" }));
}

TEST(rsa_and_ecdsa_side_by_side)
{
	struct tls_pair pairs[2];
	struct tls_server *server;
	struct err err = { "" };
	size_t bad;

	make_certs();
	world_open();
	pairs[0] = test_pair(&leaf);
	pairs[1] = test_pair(&leaf_rsa);
	server = tls_server_new(ticket_key, &err);
	CHECK_INT(tls_server_add(server, NULL, 0, pairs, 2, TLS_1_2, &bad, &err), 1);
	for (int rsa = 0; rsa < 2; rsa++) {
		struct owner b = { .c = NULL };
		struct raw_peer p;
		X509 *cert;

		raw_handshake(&p, &b, server, rsa ? setup_rsa_only : NULL, 0);
		CHECK(p.up && b.up);
		cert = SSL_get0_peer_certificate(p.ssl);
		CHECK(X509_cmp(cert, rsa ? leaf_rsa.x509 : leaf.x509) == 0);
		owner_close(&b);
		raw_close(&p);
	}
	tls_server_unref(&server);
	world_close();
}

TEST(the_certificate_follows_the_name)
{
	static const struct {
		const char *name;
		const struct test_cert *cert;
	} rows[] = { { "mail.example", &leaf }, { "MAIL.Example.", &leaf },
		{ "a.wild.example", &other }, { "A.WILD.example", &other },
		{ "exact.wild.example", &leaf }, { "a.b.wild.example", &lonely },
		{ "wild.example", &lonely }, { "elsewhere.example", &lonely }, { NULL, &lonely },
		{ "localhost", &lonely } };
	struct slice names[2] = { SLICE("Mail.example"), SLICE("exact.wild.example.") },
		     wild = SLICE("*.wild.example");
	struct tls_pair pair;
	struct tls_server *server;
	struct err err = { "" };
	size_t bad;

	make_certs();
	world_open();
	server = tls_server_new(ticket_key, &err);
	pair = test_pair(&lonely);
	CHECK(!tls_server_has_default(server));
	CHECK_INT(tls_server_add(server, NULL, 0, &pair, 1, TLS_1_2, &bad, &err), 1);
	CHECK(tls_server_has_default(server));
	pair = test_pair(&leaf);
	CHECK_INT(tls_server_add(server, names, 2, &pair, 1, TLS_1_2, &bad, &err), 1);
	pair = test_pair(&other);
	CHECK_INT(tls_server_add(server, &wild, 1, &pair, 1, TLS_1_2, &bad, &err), 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows) * 2; i++) {
		struct owner b = { .c = NULL };
		struct raw_peer p;

		wanted_name = rows[i / 2].name;
		test_note("%s, TLS 1.%d", wanted_name ? wanted_name : "no name", 3 - (int)(i % 2));
		raw_handshake(&p, &b, server, i % 2 ? setup_name_1_2 : setup_name, 0);
		CHECK(p.up && b.up);
		CHECK(X509_cmp(SSL_get0_peer_certificate(p.ssl), rows[i / 2].cert->x509) == 0);
		owner_close(&b);
		raw_close(&p);
	}
	tls_server_unref(&server);
	world_close();
}

static SSL_SESSION *kept;

static void
setup_kept(struct raw_peer *p)
{
	setup_name(p);
	if (kept)
		CHECK(SSL_set_session(p->ssl, kept));
}

static void
setup_kept_1_2(struct raw_peer *p)
{
	setup_1_2(p);
	setup_kept(p);
}

TEST(a_session_is_resumed_by_another_worker_under_another_name)
{
	struct slice name = SLICE("other.example");
	struct tls_pair pair;
	struct err err = { "" };
	size_t bad;

	make_certs();
	world_open();
	pair = test_pair(&other);
	for (int v = 0; v < 2; v++) {
		test_note("TLS 1.%d", 3 - v);
		for (int i = 0; i < 3; i++) {
			struct tls_server *server = server_with(&leaf, TLS_1_2);
			struct owner b = { .c = NULL };
			struct conn_facts facts;
			struct raw_peer p;

			CHECK_INT(
			    tls_server_add(server, &name, 1, &pair, 1, TLS_1_2, &bad, &err), 1);
			wanted_name = i % 2 ? "other.example" : "mail.example";
			raw_handshake(&p, &b, server, v ? setup_kept_1_2 : setup_kept, 0);
			CHECK(p.up && b.up);
			CHECK_INT(SSL_session_reused(p.ssl), i > 0);
			while (!SSL_SESSION_is_resumable(SSL_get0_session(p.ssl)))
				raw_step(&p, 0);
			conn_facts(b.c, &facts);
			CHECK_STR(facts.sni, wanted_name);
			CHECK_INT(facts.resumed, i > 0);
			SSL_SESSION_free(kept);
			kept = SSL_get1_session(p.ssl);
			SSL_set_shutdown(p.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
			owner_close(&b);
			raw_close(&p);
			tls_server_unref(&server);
		}
		SSL_SESSION_free(kept);
		kept = NULL;
	}
	world_close();
}

/* A handshake that must fail; what the operator reads, and the alert that the client got (0: none). */
static void
refused(struct tls_server *server, void (*setup)(struct raw_peer *p), const char *reason, int alert)
{
	struct owner b = { .c = NULL };
	struct raw_peer p;

	raw_handshake(&p, &b, server, setup, 0);
	CHECK(b.failed);
	CHECK_STR(b.err.text, reason);
	CHECK_INT(conn_establish(b.c, &b.err), -1);
	while (!p.failed) {
		raw_step(&p, 0);
		run_turns(1);
	}
	CHECK_INT(ERR_GET_REASON(p.error), SSL_AD_REASON_OFFSET + alert);
	owner_close(&b);
	raw_close(&p);
}

TEST(refused_handshakes_say_why_and_send_the_alert)
{
	struct tls_server *server, *named, *modern;
	struct slice name = SLICE("mail.example");
	struct tls_pair pair;
	struct err err = { "" };
	size_t bad;

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	modern = server_with(&leaf, TLS_1_3);
	named = tls_server_new(ticket_key, &err);
	pair = test_pair(&leaf);
	CHECK_INT(tls_server_add(named, &name, 1, &pair, 1, TLS_1_2, &bad, &err), 1);

	refused(server, setup_1_1, "unsupported protocol", SSL_AD_PROTOCOL_VERSION);
	refused(modern, setup_1_2, "unsupported protocol", SSL_AD_PROTOCOL_VERSION);
	refused(server, setup_cbc, "no shared cipher", SSL_AD_HANDSHAKE_FAILURE);
	refused(
	    server, setup_rsa_only, "no suitable signature algorithm", SSL_AD_HANDSHAKE_FAILURE);
	refused(server, setup_alpn_http, "the client offers other protocols (ALPN) and not imap",
	    SSL_AD_NO_APPLICATION_PROTOCOL);
	wanted_name = "elsewhere.example";
	refused(named, setup_name, "no certificate for the name \"elsewhere.example\"",
	    SSL_AD_UNRECOGNIZED_NAME);
	refused(
	    named, NULL, "no certificate for clients that send no name", SSL_AD_UNRECOGNIZED_NAME);
	tls_server_unref(&server);
	tls_server_unref(&modern);
	tls_server_unref(&named);
	world_close();
}

TEST(a_section_has_its_own_lowest_version)
{
	struct slice name = SLICE("modern.example");
	struct tls_server *server;
	struct tls_pair pair;
	struct err err = { "" };
	struct owner b = { .c = NULL };
	struct raw_peer p;
	size_t bad;

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	pair = test_pair(&other);
	CHECK_INT(tls_server_add(server, &name, 1, &pair, 1, TLS_1_3, &bad, &err), 1);
	wanted_name = "modern.example";
	refused(server, setup_name_1_2, "unsupported protocol", SSL_AD_PROTOCOL_VERSION);
	wanted_name = "mail.example";
	raw_handshake(&p, &b, server, setup_name_1_2, 0);
	CHECK(p.up && b.up);
	CHECK_STR(SSL_get_version(p.ssl), "TLSv1.2");
	owner_close(&b);
	raw_close(&p);
	tls_server_unref(&server);
	world_close();
}

TEST(alpn_imap_other_groups_and_1_2_are_fine)
{
	struct tls_server *server;
	static void (*const setups[])(
	    struct raw_peer *) = { setup_alpn_imap, setup_p384, setup_1_2 };

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	for (size_t i = 0; i < ARRAY_SIZE(setups); i++) {
		struct owner b = { .c = NULL };
		const unsigned char *proto;
		struct raw_peer p;
		unsigned len;

		test_note("setup %zu", i);
		raw_handshake(&p, &b, server, setups[i], 0);
		CHECK(p.up && b.up);
		SSL_get0_alpn_selected(p.ssl, &proto, &len);
		CHECK_BYTES((const char *)proto, len, "imap", i == 0 ? 4u : 0u);
		owner_close(&b);
		raw_close(&p);
	}
	tls_server_unref(&server);
	world_close();
}

TEST(plaintext_where_tls_was_expected)
{
	static const struct {
		const char *text;
		const char *reason;
	} rows[] = {
		{ "GET / HTTP/1.0\r\n\r\n",
		    "plaintext (\"GET / HTTP/1.0\") where TLS was expected" },
		{ "a1 CAPABILITY\r\n", "plaintext (\"a1 CAPABILITY\") where TLS was expected" },
		{ "a", "plaintext (\"a\") where TLS was expected" },
		{ "\r\n", "plaintext (\"\") where TLS was expected" },
		{ "0123456789012345678901234567890123456789012345678901234567890",
		    "plaintext (\"0123456789012345678901234567890123456789\"...) where TLS was "
		    "expected" },
		{ "\200\56\1\3\1", "no TLS (\"\\x80.\\x01\\x03\\x01\") where TLS was expected" },
		{ "\26\2\3\1\0\5", "no TLS (\"\\x16\\x02\\x03\\x01\") where TLS was expected" },
	};
	struct tls_server *server;

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct owner b = { .c = NULL };
		struct err err = { "" };
		char byte;
		int fds[2];

		test_note("row %zu", i);
		tcp_pair(fds, 0);
		owner_open(&b, fds[1]);
		b.up = false;
		CHECK_INT(conn_start_tls_server(b.c, server, &err), 1);
		CHECK(send(fds[0], rows[i].text, strlen(rows[i].text), 0) > 0);
		RUN_UNTIL(is_ended, &b);
		CHECK_STR(b.err.text, rows[i].reason);
		owner_close(&b);
		while (recv(fds[0], &byte, 1, 0) < 0 && errno == EAGAIN)
			run_turns(1); /* the close, without bytes of TLS */
		close(fds[0]);
	}
	tls_server_unref(&server);
	world_close();
}

TEST(a_store_that_greets_in_plaintext)
{
	struct owner a = { .c = NULL };
	struct tls_client *client;
	struct err err = { "" };
	int fds[2];

	make_certs();
	world_open();
	client = client_with(&ca, true);
	tcp_pair(fds, 0);
	owner_open(&a, fds[0]);
	a.up = false;
	CHECK_INT(conn_start_tls_client(a.c, client, "mail.example", &err), 1);
	CHECK(send(fds[1], "* OK ready\r\n", 12, 0) == 12);
	RUN_UNTIL(is_ended, &a);
	CHECK_STR(a.err.text, "plaintext (\"* OK ready\") where TLS was expected");
	owner_close(&a);
	close(fds[1]);
	tls_client_unref(&client);
	world_close();
}

TEST(a_peer_that_leaves_during_the_handshake)
{
	struct owner b = { .c = NULL };
	struct tls_server *server;
	struct err err = { "" };
	int fds[2];

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	tcp_pair(fds, 0);
	owner_open(&b, fds[1]);
	b.up = false;
	CHECK_INT(conn_start_tls_server(b.c, server, &err), 1);
	CHECK(send(fds[0], "\26\3\1", 3, 0) == 3);
	close(fds[0]);
	RUN_UNTIL(is_ended, &b);
	CHECK_STR(b.err.text, "the other side closed the connection during the TLS handshake");
	owner_close(&b);
	tls_server_unref(&server);
	world_close();
}

TEST(stores_are_verified_and_the_reason_is_said)
{
	static const struct {
		const struct test_cert *cert, *anchor;
		const char *name, *reason;
	} rows[] = {
		{ &leaf, &ca, "mail.example", NULL },
		{ &leaf, &ca, "MAIL.example", NULL },
		{ &leaf, &ca, "x.wild.example", NULL },
		{ &leaf, &ca, "127.0.0.1", NULL },
		{ &leaf, &leaf, "mail.example", NULL }, /* the certificate itself is trusted */
		{ &lonely, &lonely, "mail.example", NULL },
		{ &other, &ca, "store1.example",
		    "certificate is for other.example, more.example, not store1.example" },
		{ &leaf, &ca, "127.0.0.2",
		    "certificate is for mail.example, *.wild.example, not 127.0.0.2" },
		{ &leaf, &ca, "x.y.wild.example",
		    "certificate is for mail.example, *.wild.example, not x.y.wild.example" },
		{ &lonely, &ca, "mail.example",
		    "certificate not trusted: self-signed certificate" },
		{ &leaf, &lonely, "mail.example",
		    "certificate not trusted: unable to get local issuer certificate" },
		{ &expired, &ca, "mail.example",
		    "certificate not trusted: certificate has expired" },
		{ &leaf, NULL, "mail.example",
		    "certificate not trusted: unable to get local issuer certificate" },
	};

	make_certs();
	world_open();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tls_server *server = server_with(rows[i].cert, TLS_1_2);
		struct tls_client *client = client_with(rows[i].anchor, true);
		struct ends e = { .a = { .c = NULL } };
		char none[1];
		size_t len;

		test_note("row %zu", i);
		begin(&e, client, rows[i].name, server, 0);
		while (!e.a.up && !e.a.failed)
			run_turns(1);
		CHECK_INT(e.a.failed, rows[i].reason != NULL);
		if (rows[i].reason) {
			CHECK_STR(e.a.err.text, rows[i].reason);
			/* The alert reaches the store, whose own end is reported with its name. */
			RUN_UNTIL(is_ended, &e.b);
			CHECK(strstr(e.b.err.text, "alert"));
			CHECK_INT(conn_read(e.a.c, none, 1, &len, &e.a.err), 0);
		}
		close_ends(&e);
		tls_client_unref(&client);
		tls_server_unref(&server);
	}
	world_close();
}

TEST(without_verification_any_certificate_does)
{
	struct tls_server *server;
	struct tls_client *client;
	struct ends e = { .a = { .c = NULL } };

	make_certs();
	world_open();
	server = server_with(&expired, TLS_1_2);
	client = client_with(NULL, false);
	shake_hands(&e, client, NULL, server, 0);
	exchange(&e);
	close_ends(&e);
	tls_client_unref(&client);
	tls_server_unref(&server);
	world_close();
}

TEST(verification_needs_a_name)
{
	struct owner a = { .c = NULL };
	struct tls_client *client;
	struct err err = { "" };
	int fds[2];

	make_certs();
	world_open();
	client = client_with(&ca, true);
	tcp_pair(fds, 0);
	owner_open(&a, fds[0]);
	CHECK_INT(conn_start_tls_client(a.c, client, NULL, &err), -1);
	CHECK_STR(err.text, "there is no name to verify the certificate against");
	owner_close(&a);
	close(fds[1]);
	tls_client_unref(&client);
	world_close();
}

/* --- configuration */

TEST(bad_certificates_and_names_are_refused_with_the_reason)
{
	struct tls_server *server;
	struct tls_client_params params = { .verify = true };
	struct test_cert locked;
	struct err err = { "" };
	struct tls_pair pairs[2];
	struct slice names[2];
	size_t bad;

	make_certs();
	locked = test_cert_new((struct test_cert_params){ .cn = "locked", .password = "sesame" });
	server = tls_server_new(ticket_key, &err);
	CHECK(server);
	CHECK_INT(tls_server_expires(server), 0);

	pairs[0] = test_pair(&leaf);
	pairs[1] = (struct tls_pair){ slice_of(other.cert_pem), slice_of(leaf.key_pem) };
	CHECK_INT(tls_server_add(server, NULL, 0, pairs, 2, TLS_1_2, &bad, &err), -1);
	CHECK_U64(bad, 1);
	CHECK_STR(err.text, "the certificate does not fit its key: key values mismatch");

	pairs[1] = test_pair(&other); /* two ECDSA pairs: only one could be served */
	CHECK_INT(tls_server_add(server, NULL, 0, pairs, 2, TLS_1_2, &bad, &err), -1);
	CHECK_U64(bad, 1);
	CHECK_STR(err.text, "the certificate cannot be used: not replacing certificate");

	pairs[0] = (struct tls_pair){ SLICE("hello"), slice_of(leaf.key_pem) };
	CHECK_INT(tls_server_add(server, NULL, 0, pairs, 1, TLS_1_2, &bad, &err), -1);
	CHECK_U64(bad, 0);
	CHECK_STR(err.text, "there is no certificate");
	pairs[0].chain = SLICE("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
	CHECK_INT(tls_server_add(server, NULL, 0, pairs, 1, TLS_1_2, &bad, &err), -1);
	CHECK_STR(err.text, "cannot read a certificate: bad base64 decode");

	pairs[0] = (struct tls_pair){ slice_of(leaf.cert_pem), SLICE("") };
	CHECK_INT(tls_server_add(server, NULL, 0, pairs, 1, TLS_1_2, &bad, &err), -1);
	CHECK_STR(err.text, "cannot read the private key: it is empty");
	pairs[0].key = slice_of(leaf.cert_pem);
	CHECK_INT(tls_server_add(server, NULL, 0, pairs, 1, TLS_1_2, &bad, &err), -1);
	CHECK(strncmp(err.text, "cannot read the private key: ", 29) == 0);
	pairs[0] = test_pair(&locked);
	CHECK_INT(tls_server_add(server, NULL, 0, pairs, 1, TLS_1_2, &bad, &err), -1);
	CHECK_STR(err.text, "the private key is protected by a password");
	CHECK_INT(tls_server_add(server, NULL, 0, pairs, 0, TLS_1_2, &bad, &err), -1);
	CHECK_STR(err.text, "there is no certificate");
	CHECK_INT(tls_server_expires(server), 0);

	pairs[0] = test_pair(&leaf);
	CHECK_INT(tls_server_add(server, NULL, 0, pairs, 1, TLS_1_2, &bad, &err), 1);
	CHECK_INT(tls_server_add(server, NULL, 0, pairs, 1, TLS_1_2, &bad, &err), -1);
	CHECK_U64(bad, SIZE_MAX);
	CHECK_STR(err.text, "there is a default certificate already");
	CHECK(tls_server_expires(server) > time(NULL) + 3500);
	CHECK(tls_server_expires(server) <= time(NULL) + 3600);

	names[0] = SLICE("a.example");
	names[1] = SLICE("A.example.");
	CHECK_INT(tls_server_add(server, names, 2, pairs, 1, TLS_1_2, &bad, &err), -1);
	CHECK_U64(bad, SIZE_MAX);
	CHECK_STR(err.text, "the name \"a.example\" is given twice");
	CHECK_INT(tls_server_add(server, names, 1, pairs, 1, TLS_1_2, &bad, &err), 1);
	CHECK_INT(tls_server_add(server, names, 1, pairs, 1, TLS_1_2, &bad, &err), -1);
	names[0] = SLICE("*a.example");
	CHECK_INT(tls_server_add(server, names, 1, pairs, 1, TLS_1_2, &bad, &err), -1);
	CHECK_STR(err.text, "\"*a.example\": * stands for the whole first label only");
	names[0] = SLICE("a.*.example");
	CHECK_INT(tls_server_add(server, names, 1, pairs, 1, TLS_1_2, &bad, &err), -1);
	names[0] = SLICE("*.");
	CHECK_INT(tls_server_add(server, names, 1, pairs, 1, TLS_1_2, &bad, &err), -1);
	names[0] = SLICE("");
	CHECK_INT(tls_server_add(server, names, 1, pairs, 1, TLS_1_2, &bad, &err), -1);
	CHECK_STR(err.text, "\"\" is no host name");

	pairs[0] = test_pair(&expired); /* served all the same; the operator is told */
	names[0] = SLICE("old.example");
	CHECK_INT(tls_server_add(server, names, 1, pairs, 1, TLS_1_2, &bad, &err), 1);
	CHECK(tls_server_expires(server) < time(NULL));
	tls_server_unref(&server);
	test_cert_free(&locked);

	params.ca = SLICE("# nothing here\n");
	CHECK(!tls_client_new(&params, &err));
	CHECK_STR(err.text, "there is no CA certificate");
	params.ca = SLICE("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
	CHECK(!tls_client_new(&params, &err));
	CHECK_STR(err.text, "cannot read a certificate: bad base64 decode");
	CHECK_U64(ERR_peek_error(), 0);
}

TEST(a_chain_is_served_whole)
{
	struct test_cert middle, end;
	struct tls_server *server;
	struct tls_client *client;
	struct ends e = { .a = { .c = NULL } };
	struct tls_pair pair;
	struct err err = { "" };
	char chain[8192];
	size_t bad;

	make_certs();
	world_open();
	middle = test_cert_new(
	    (struct test_cert_params){ .cn = "Middle CA", .issuer = &ca, .ca = true });
	end = test_cert_new((struct test_cert_params){
	    .cn = "end.example", .san = "DNS:end.example", .issuer = &middle });
	snprintf(chain, sizeof(chain), "%s%s", end.cert_pem, middle.cert_pem);
	pair = (struct tls_pair){ slice_of(chain), slice_of(end.key_pem) };
	server = tls_server_new(ticket_key, &err);
	CHECK_INT(tls_server_add(server, NULL, 0, &pair, 1, TLS_1_2, &bad, &err), 1);
	client = client_with(&ca, true);
	shake_hands(&e, client, "end.example", server, 0);
	exchange(&e);
	close_ends(&e);
	tls_client_unref(&client);
	tls_server_unref(&server);
	test_cert_free(&middle);
	test_cert_free(&end);
	world_close();
}
