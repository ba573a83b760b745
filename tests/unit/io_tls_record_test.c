/*
 * TLS connections over real sockets, behind the handshake: records in all sizes and pieces, endings, damage.
 */
#include "tls_world.h"

static bool
wrote_all(const struct raw_peer *p)
{
	return BIO_pending(p->out) == 0;
}

TEST(records_that_come_byte_by_byte)
{
	struct tls_server *server;

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	for (int v = 0; v < 2; v++) {
		struct owner b = { .c = NULL };
		struct raw_peer p;

		test_note("TLS 1.%d", 3 - v);
		raw_handshake(&p, &b, server, v ? setup_1_2 : NULL, 1);
		CHECK(p.up && b.up);
		for (int i = 0; i < 20; i++)
			CHECK(SSL_write(p.ssl, "hello", 5) == 5);
		while (b.len < 100 && !b.failed) {
			CHECK(!wrote_all(&p) || b.len > 0);
			raw_step(&p, 1);
			run_turns(1);
			CHECK(b.len <= 100);
		}
		CHECK(!b.failed);
		CHECK(!b.c->raw);
		owner_close(&b);
		raw_close(&p);
	}
	tls_server_unref(&server);
	world_close();
}

TEST(coalesced_records_with_small_read_buffers)
{
	struct owner b = { .piece = 7, .reads = 2 };
	struct tls_server *server;
	struct raw_peer p;
	char line[64];

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	raw_handshake(&p, &b, server, NULL, 0);
	for (int i = 0; i < 200; i++) {
		snprintf(line, sizeof(line), "line %03d\r\n", i);
		CHECK(SSL_write(p.ssl, line, 10) == 10);
	}
	SSL_shutdown(p.ssl);
	raw_step(&p, 0);
	/* Reading stops in the midst; what is inside is told when it goes on. */
	while (b.len < 500)
		run_turns(1);
	conn_want_read(b.c, false);
	run_turns(5);
	CHECK(b.len < 600);
	CHECK(b.c->raw);
	CHECK(conn_has_input(b.c));
	CHECK(conn_more(b.c));
	conn_want_read(b.c, true);
	RUN_UNTIL(is_ended, &b);
	CHECK(!b.failed);
	CHECK_U64(b.len, 2000);
	for (int i = 0; i < 200; i++) {
		snprintf(line, sizeof(line), "line %03d\r\n", i);
		CHECK_BYTES(b.got + 10 * i, 10, line, 10);
	}
	CHECK(!b.c->raw && !b.c->truncated);
	owner_close(&b);
	raw_close(&p);
	tls_server_unref(&server);
	world_close();
}

TEST(data_right_behind_the_handshake_is_not_lost)
{
	struct owner b = { .c = NULL };
	struct tls_server *server;
	struct err err = { "" };
	struct raw_peer p;
	int fds[2];

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	tcp_pair(fds, 0);
	raw_open(&p, fds[0]);
	raw_start(&p);
	b.c = conn_new(world.env, fds[1]);
	CHECK(b.c);
	CHECK_INT(conn_start_tls_server(b.c, server, &err), 1);
	conn_set_handler(b.c, owner_event, &b);
	while (!p.up) {
		/* The client's Finished and its first command go in one piece. */
		char block[4096];
		ssize_t n;

		while ((n = recv(p.fd, block, sizeof(block), MSG_DONTWAIT)) > 0)
			BIO_write(p.in, block, (int)n);
		if (SSL_do_handshake(p.ssl) == 1) {
			p.up = true;
			CHECK(SSL_write(p.ssl, "a LOGIN", 7) == 7);
		}
		n = BIO_read(p.out, block, sizeof(block));
		if (n > 0)
			CHECK(send(p.fd, block, (size_t)n, 0) == n);
		run_turns(1);
	}
	RUN_UNTIL(is_set, &b.up);
	run_turns(3);
	CHECK_U64(b.ins, 0); /* not wanted yet */
	conn_want_read(b.c, true);
	while (b.len < 7)
		run_turns(1);
	CHECK_BYTES(b.got, b.len, "a LOGIN", 7);
	owner_close(&b);
	raw_close(&p);
	tls_server_unref(&server);
	world_close();
}

TEST(large_writes_against_a_slow_reader)
{
	struct ends e = { .a = { .piece = 5000, .reads = 2 }, .b = { .to_write = 3 << 20 } };
	struct tls_server *server;
	struct tls_client *client;

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	client = client_with(&ca, true);
	shake_hands(&e, client, "mail.example", server, 8192);
	conn_want_read(e.a.c, false);
	run_turns(10);
	CHECK(conn_pending(e.b.c) > 0);
	CHECK(e.b.written < e.b.to_write);
	conn_want_read(e.a.c, true);
	while (e.b.written < e.b.to_write && !e.b.failed)
		run_turns(1);
	conn_shutdown(e.b.c);
	RUN_UNTIL(is_ended, &e.a);
	CHECK(!e.a.failed);
	owner_check_pattern(&e.a, e.b.to_write);
	CHECK(!e.a.c->truncated);
	CHECK(e.b.outs > 1);
	CHECK(!e.b.c->spill);
	close_ends(&e);
	tls_client_unref(&client);
	tls_server_unref(&server);
	world_close();
}

TEST(parts_become_few_records)
{
	static char block[40000];
	struct iovec parts[4] = { { (char[]){ "one " }, 4 }, { block, sizeof(block) }, { NULL, 0 },
		{ (char[]){ "end" }, 3 } };
	struct ends e = { .a = { .c = NULL } };
	struct tls_server *server;
	struct tls_client *client;
	struct err err = { "" };

	make_certs();
	world_open();
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)pattern(i);
	server = server_with(&leaf, TLS_1_2);
	client = client_with(&ca, true);
	shake_hands(&e, client, "mail.example", server, 0);
	CHECK_INT(conn_write(e.a.c, parts, 4, &err), 1);
	conn_shutdown(e.a.c);
	CHECK_INT(conn_write(e.a.c, parts, 4, &err), -1);
	RUN_UNTIL(is_ended, &e.b);
	CHECK_U64(e.b.len, sizeof(block) + 7);
	CHECK(memcmp(e.b.got, "one ", 4) == 0);
	CHECK(memcmp(e.b.got + 4, block, sizeof(block)) == 0);
	CHECK(memcmp(e.b.got + 4 + sizeof(block), "end", 3) == 0);
	close_ends(&e);
	tls_client_unref(&client);
	tls_server_unref(&server);
	world_close();
}

TEST(close_notify_half_closes_in_both_versions)
{
	struct tls_server *server;

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	for (int v = 0; v < 2; v++) {
		struct owner b = { .c = NULL };
		struct raw_peer p;

		test_note("TLS 1.%d", 3 - v);
		raw_handshake(&p, &b, server, v ? setup_1_2 : NULL, 0);
		CHECK(SSL_write(p.ssl, "bye", 3) == 3);
		SSL_shutdown(p.ssl);
		raw_step(&p, 0);
		RUN_UNTIL(is_ended, &b);
		CHECK(!b.failed && !b.c->truncated);
		CHECK_BYTES(b.got, b.len, "bye", 3);
		/* The other direction goes on. */
		owner_say(&b, "later");
		conn_shutdown(b.c);
		while (!(SSL_get_shutdown(p.ssl) & SSL_RECEIVED_SHUTDOWN))
			raw_step(&p, 0);
		CHECK_BYTES(p.got, p.len, "later", 5);
		owner_close(&b);
		raw_close(&p);
	}
	tls_server_unref(&server);
	world_close();
}

TEST(an_end_without_close_notify_is_an_end_and_noted)
{
	struct tls_server *server;

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	for (int part = 0; part < 2; part++) {
		struct owner b = { .c = NULL };
		struct conn_facts facts;
		struct raw_peer p;

		raw_handshake(&p, &b, server, NULL, 0);
		CHECK(SSL_write(p.ssl, "hello", 5) == 5);
		raw_step(&p, 0);
		if (part)
			CHECK(send(p.fd, "\27\3\3\0\100abc", 8, 0) == 8);
		shutdown(p.fd, SHUT_WR);
		RUN_UNTIL(is_ended, &b);
		CHECK(!b.failed);
		CHECK_BYTES(b.got, b.len, "hello", 5);
		conn_facts(b.c, &facts);
		CHECK(facts.truncated);
		CHECK(!b.c->raw);
		owner_close(&b);
		raw_close(&p);
	}
	tls_server_unref(&server);
	world_close();
}

TEST(damaged_records_fail_with_an_alert_behind_the_good_data)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *reason;
		int alert;
	} rows[] = {
		{ "\27\3\3\0\31abcdefghijklmnopqrstuvwxy", 30,
		    "TLS: decryption failed or bad record mac", SSL_AD_BAD_RECORD_MAC },
		{ "\27\3\3\377\377", 5, "TLS: packet length too long", SSL_AD_RECORD_OVERFLOW },
		{ "GET / HTTP/1.0\r\n", 16, "TLS: wrong version number", SSL_AD_PROTOCOL_VERSION },
		{ "\26\3\3\0\4abcd", 9, "TLS: bad record type", SSL_AD_UNEXPECTED_MESSAGE },
	};
	struct tls_server *server;

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct owner b = { .lazy = true };
		struct raw_peer p;
		char buf[100];
		size_t len;

		test_note("row %zu", i);
		raw_handshake(&p, &b, server, NULL, 0);
		raw_step(&p, 0);
		CHECK(SSL_write(p.ssl, "good", 4) == 4);
		raw_step(&p, 0);
		CHECK(send(p.fd, rows[i].bytes, rows[i].len, 0) == (ssize_t)rows[i].len);
		while (b.ins == 0)
			run_turns(1);
		CHECK_INT(conn_read(b.c, buf, sizeof(buf), &len, &b.err), 1);
		CHECK_BYTES(buf, len, "good", 4);
		b.lazy = false;
		conn_kick(b.c);
		RUN_UNTIL(is_ended, &b);
		CHECK(b.failed);
		CHECK_STR(b.err.text, rows[i].reason);
		CHECK_INT(conn_write_slice(b.c, SLICE("x"), &b.err), -1);
		while (!SSL_get_shutdown(p.ssl)) {
			raw_step(&p, 0);
			if (SSL_get_shutdown(p.ssl))
				CHECK_INT(ERR_GET_REASON(ERR_peek_error()),
				    SSL_AD_REASON_OFFSET + rows[i].alert);
		}
		owner_close(&b);
		raw_close(&p);
	}
	tls_server_unref(&server);
	world_close();
}

TEST(renegotiation_is_refused)
{
	struct owner b = { .c = NULL };
	struct tls_server *server;
	struct raw_peer p;

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	raw_handshake(&p, &b, server, setup_1_2, 0);
	CHECK(SSL_renegotiate(p.ssl) == 1);
	ERR_clear_error();
	SSL_do_handshake(p.ssl);
	raw_step(&p, 0);
	while (!p.failed) {
		run_turns(1);
		raw_step(&p, 0);
		p.failed = ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION ||
			   SSL_get_shutdown(p.ssl) || BIO_pending(p.in) == 0;
	}
	CHECK(!b.failed);
	owner_close(&b);
	raw_close(&p);
	tls_server_unref(&server);
	world_close();
}

TEST(tls_linger_sends_the_last_message_and_close_notify)
{
	struct owner b = { .lazy = true };
	struct tls_server *server;
	struct raw_peer p;

	make_certs();
	world_open();
	server = server_with(&leaf, TLS_1_2);
	raw_handshake(&p, &b, server, NULL, 0);
	CHECK(SSL_write(p.ssl, "unread", 6) == 6);
	raw_step(&p, 0);
	while (!conn_has_input(b.c))
		run_turns(1);
	owner_say(&b, "* BYE");
	conn_close(&b.c, CONN_LINGER);
	CHECK_U64(conn_env_open(world.env), 1);
	CHECK(SSL_write(p.ssl, "more", 4) == 4);
	while (!(SSL_get_shutdown(p.ssl) & SSL_RECEIVED_SHUTDOWN)) {
		raw_step(&p, 0);
		run_turns(1);
	}
	CHECK_BYTES(p.got, p.len, "* BYE", 5);
	raw_close(&p);
	while (conn_env_open(world.env) > 0)
		run_turns(1);
	tls_server_unref(&server);
	world_close();
}
