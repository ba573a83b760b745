/*
 * STARTTLS towards clients (RFC 9051 section 6.2.1): what was said in plaintext counts for nothing.
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c tests/unit/script.c
 * links: tests/unit/script_text.c tests/unit/session_world.c
 */
#include "test.h"

#include "session_world.h"

#define script_ops session_world

#define IMAP                                                                                       \
	"listen imap\n"                                                                            \
	"c< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID STARTTLS LOGINDISABLED] mail.test "     \
	"sallyport ready.\n"
#define STARTED "c< s OK Begin TLS negotiation now.\n"

SCRIPT(starttls, IMAP
    "c> a LOGIN alice s3same\n"
    "c< a NO [PRIVACYREQUIRED] Plaintext authentication is not allowed, use TLS.\n"
    "c> s STARTTLS\n" STARTED "tls client ok\n"
    "nolog event=starttls_injection\n"
    /* no second greeting; capabilities are others now */
    "c> b CAPABILITY\n"
    "c< * CAPABILITY " CAPS "\n"
    "c< b OK Capability completed.\n"
    "c> c STARTTLS\n"
    "c< c BAD TLS is active already.\n"
    "c> d AUTHENTICATE PLAIN $B{~0alice~0s3same}\n" TO_STORE("alice") STORE_LOGIN("alice",
	"s3same") "s< $T OK [CAPABILITY IMAP4rev1] Welcome.\n"
		  "c< * CAPABILITY IMAP4rev1\n"
		  "c< d OK Welcome.\n"
		  "log event=login tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256 mechanism=PLAIN\n")
SCRIPT(what_was_asked_before_tls_does_not_count,
    IMAP "c> a CAPABILITY\n"
	 "c< * CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID STARTTLS LOGINDISABLED\n"
	 "c< a OK Capability completed.\n"
	 "c> s STARTTLS\n" STARTED "tls client ok\n"
	 "c> a LOGIN alice s3same\n" TO_STORE("alice") STORE_LOGIN("alice", "s3same") LOGGED_IN)
SCRIPT(handshake_fails, IMAP "c> s STARTTLS\n" STARTED "tls client fail\n"
			     "log event=tls_failed listener=imap\n"
			     "ended closed_by=client reason=tls-handshake state=tls\n")
SCRIPT(handshake_never_ends, IMAP "wait 30\nc> s STARTTLS\n" STARTED "wait 29.9\nwait 0.2\n"
				  "ended closed_by=proxy reason=login-timeout state=tls\n")
SCRIPT(client_ends_in_the_handshake, IMAP "c> s STARTTLS\n" STARTED "reset client\n"
					  "ended closed_by=client reason=tls-handshake\n")
SCRIPT(injected_in_the_same_chunk,
    "nosplit\n" IMAP "c> s STARTTLS\nc> x LOGIN mallory s3same\nc> y NOOP\n" STARTED
    "log event=starttls_injection client=192.0.2.7:40000 listener=imap\n"
    "tls client ok\n"
    "noquestion\n"
    "c> b NOOP\n"
    "c< b OK NOOP completed.\n")
SCRIPT(injected_part_of_a_command,
    "nosplit\n" IMAP "c> s STARTTLS\nc> x LOGIN mal~.\n" STARTED "log event=starttls_injection\n"
    "tls client ok\n"
    "c> b NOOP\n"
    "c< b OK NOOP completed.\n")
SCRIPT(starttls_where_it_is_not_served, PLAIN "c> a STARTTLS\n"
					      "c< a BAD STARTTLS is not available.\n"
					      "c> b STARTTLS now\n"
					      "c< b BAD This command takes no arguments\n")
SCRIPT(starttls_on_a_tls_port,
    "listen imaps\ntls client ok\n" GREETING "c> a STARTTLS\nc< a BAD TLS is active already.\n")
SCRIPT(starttls_over_a_client_that_takes_nothing,
    IMAP "takes client 0\n"
	 "c> s STARTTLS\n"
	 "ended closed_by=client reason=connection-error\n")
SCRIPT(client_hello_after_starttls_is_the_handshake,
    "nosplit\n" IMAP "c> s STARTTLS\n" STARTED "c> ~x16~x03~x01~.\n"
    "tls client ok\n"
    "open client\n")
SCRIPT(client_hello_instead_of_starttls,
    IMAP "c> ~x16~x03~x01~.\nended closed_by=proxy reason=not-imap\n")
SCRIPT(http_inside_tls, "listen imaps\ntls client ok\n" GREETING "c> GET / HTTP/1.1\n"
			"ended closed_by=proxy reason=not-imap\n")
SCRIPT(no_bye_into_a_handshake, IMAP "c> s STARTTLS\n" STARTED "stop 1\n"
				     "ended closed_by=proxy reason=shutdown\n")
/* A store that was kept for another try is no store of what comes after TLS. */
SCRIPT(kept_store_is_let_go,
    "listen mixed\n"
    "c< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID STARTTLS AUTH=PLAIN AUTH=LOGIN] mail.test "
    "sallyport ready.\n"
    "c> a LOGIN alice s3same\n" TO_STORE("alice")
	STORE_LOGIN("alice", "s3same") "s< $T NO no\nwait 2\n"
				       "c< a NO [AUTHENTICATIONFAILED] Authentication failed.\n"
				       "open store\n"
				       "c> s STARTTLS\n" STARTED "closed store\n"
				       "tls client ok\n"
				       "c> b LOGIN alice s3same\n"
				       "question alice\n")

/* A chunk more that was waiting in the socket when STARTTLS was read. */
TEST(injected_in_the_next_chunk)
{
	struct script *s = script_begin(&session_world);
	const char *why = script_run(s, IMAP);

	if (!why) {
		fake_peer_send(s->client, "s STARTTLS\r\n", 12);
		fake_peer_send(s->client, "x LOGIN mallory s3same\r\n", 24);
		fake_peer_send(s->client, "y NO", 4);
		why = script_run(s, "count 1\n" STARTED "log event=starttls_injection\n"
				    "tls client ok\nnoquestion\n"
				    "c> b NOOP\nc< b OK NOOP completed.\n");
	}
	if (why)
		FAIL("%s", why);
	why = script_finish(&s);
	if (why)
		FAIL("%s", why);
}
