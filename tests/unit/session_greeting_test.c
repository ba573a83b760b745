/*
 * What a client is told before its login, and the commands that need none (RFC 9051 sections 6.1 and 6.2).
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c tests/unit/script.c
 * links: tests/unit/script_text.c tests/unit/session_world.c
 */
#include "test.h"

#include "session_world.h"

#define script_ops session_world

/* --- greetings and announced capabilities */

SCRIPT(greeting_without_tls, PLAIN)
SCRIPT(greeting_logins_forbidden,
    "listen strict\n"
    "c< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID LOGINDISABLED] mail.test sallyport ready.\n")
SCRIPT(greeting_starttls,
    "listen imap\n"
    "c< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID STARTTLS LOGINDISABLED] mail.test sallyport "
    "ready.\n")
SCRIPT(greeting_starttls_or_plaintext,
    "listen mixed\n"
    "c< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID STARTTLS AUTH=PLAIN AUTH=LOGIN] mail.test "
    "sallyport ready.\n")
SCRIPT(greeting_implicit_tls_comes_after_the_handshake, "listen imaps\n"
							"wait 1\n"
							"tls client ok\n" GREETING "c> a NOOP\n"
							"c< a OK NOOP completed.\n")
SCRIPT(handshake_that_fails,
    "listen imaps\n"
    "tls client fail\n"
    "log event=tls_failed listener=imaps client=192.0.2.7:40000 reason=\"TLS handshake: bad "
    "certificate\"\n"
    "ended closed_by=client reason=tls-handshake state=tls\n"
    "count 0\n")
SCRIPT(handshake_that_never_ends, "listen imaps\n"
				  "wait 59.9\n"
				  "open client\n"
				  "wait 0.2\n"
				  "ended closed_by=proxy reason=login-timeout state=tls\n")

SCRIPT(capability_before_anything_is_learnt, PLAIN "c> x1 CAPABILITY\n"
						   "c< * CAPABILITY " CAPS "\n"
						   "c< x1 OK Capability completed.\n")
SCRIPT(capability_follows_the_stores,
    "set stores=2\n"
    "learn store1 IMAP4rev1 IMAP4rev2 IDLE LITERAL+ STARTTLS AUTH=PLAIN XLIST\n"
    "listen plain\n" GREETING
    /* one store is not known yet: nothing is promised */
    "learn store2 IMAP4rev2 IMAP4rev1 IDLE LITERAL+ ID QUOTA\n"
    "log event=store_differs backend=store2 other=store1\n"
    "c> a CAPABILITY\n"
    "c< * CAPABILITY IMAP4rev1 IMAP4rev2 IDLE SASL-IR LITERAL+ ID AUTH=PLAIN AUTH=LOGIN\n"
    "c< a OK Capability completed.\n")
SCRIPT(literal_minus_where_one_store_has_no_literal_plus,
    "set stores=2\n"
    "learn store1 IMAP4rev1 LITERAL+ LOGIN-REFERRALS UNAUTHENTICATE\n"
    "learn store2 IMAP4rev1 LOGIN-REFERRALS UNAUTHENTICATE\n"
    "listen plain\n" GREETING)
SCRIPT(what_a_login_shows_of_a_store_is_announced,
    PLAIN "c> a LOGIN alice s3same\n"
	  "question alice\nanswer store1\ndial store1\nconnect\n"
	  "s< * OK [CAPABILITY IMAP4rev1 IDLE SASL-IR AUTH=PLAIN] hi\n"
	  "hook learnt store1 IMAP4rev1 IDLE SASL-IR AUTH=PLAIN\n" STORE_LOGIN("alice", "s3same")
	      LOGGED_IN "client 1\n"
			"c< * OK [CAPABILITY IMAP4rev1 IDLE SASL-IR LITERAL- ID "
			"AUTH=PLAIN AUTH=LOGIN] mail.test sallyport ready.\n")
SCRIPT(learning_of_an_unknown_store_changes_nothing, "learn store9 IMAP4rev1 IDLE\n"
						     "learn store1 not( a list\n"
						     "listen plain\n" GREETING)
SCRIPT(configured_capabilities_replace_the_learnt,
    "set capability=IMAP4rev1 NAMESPACE LITERAL+ AUTH=GSSAPI\n"
    "learn store1 IMAP4rev1 IDLE\n"
    "listen plain\n"
    "c< * OK [CAPABILITY IMAP4rev1 NAMESPACE SASL-IR LITERAL+ ID AUTH=PLAIN AUTH=LOGIN] mail.test "
    "sallyport ready.\n")

/* --- commands without a login */

SCRIPT(noop, PLAIN "c> tag.1 noop\nc< tag.1 OK NOOP completed.\n")
SCRIPT(bare_lf_ends_a_line, PLAIN "c> a NOOP~nb NOOP~n~.\nc< a OK NOOP completed.\nc< b OK NOOP "
				  "completed.\n")
SCRIPT(bare_cr_is_an_error, PLAIN "c> a NOOP~rb NOOP\nc> c NOOP\n"
				  "c< a BAD Invalid characters in command.\n"
				  "c< c OK NOOP completed.\n")
SCRIPT(nul_is_an_error, PLAIN "c> a NO~0OP\nc> c NOOP\n"
			      "c< a BAD Invalid characters in command.\n"
			      "c< c OK NOOP completed.\n")
SCRIPT(logout, PLAIN "c> a LOGOUT\n"
		     "c< * BYE Logging out.\n"
		     "c< a OK Logout completed.\n"
		     "ended closed_by=client reason=logout state=command listener=plain tls=none "
		     "client=192.0.2.7:40000 client_bytes=0 store_bytes=0\n"
		     "closed client linger\n"
		     "count 0\n")
SCRIPT(nothing_after_logout_is_looked_at, PLAIN "c> a LOGOUT~|b NOOP\n"
						"c< * BYE Logging out.\n"
						"c< a OK Logout completed.\n"
						"ended reason=logout\n")
SCRIPT(id, PLAIN "c> a ID NIL\n"
		 "c< * ID (\"name\" \"sallyport\")\n"
		 "c< a OK ID completed.\n"
		 "c> b ID (\"name\" \"x\" \"version\" NIL)\n"
		 "c< * ID (\"name\" \"sallyport\")\n"
		 "c< b OK ID completed.\n"
		 "c> c ID (\"name\" {2+}~|ab {4+}~|vend {2+}~|me)\n"
		 "c< * ID (\"name\" \"sallyport\")\n"
		 "c< c OK ID completed.\n"
		 "c> d ID (\"name\" {2}\n"
		 "c< + OK\n"
		 "c> ab)\n"
		 "c< * ID (\"name\" \"sallyport\")\n"
		 "c< d OK ID completed.\n"
		 "c> e ID nonsense\n"
		 "c< e BAD ID takes a list or NIL\n")
SCRIPT(enable, PLAIN "c> a ENABLE CONDSTORE\n"
		     "c< * ENABLED\n"
		     "c< a OK Nothing enabled before login.\n")
SCRIPT(unknown_command, PLAIN "c> a XYZZY\nc< a BAD Unknown command.\n")
SCRIPT(needs_a_login, PLAIN "c> a SELECT INBOX\nc< a BAD Log in first.\n"
			    "c> b IDLE\nc< b BAD Log in first.\n")
SCRIPT(no_tag, PLAIN "c> ~.\nc> ~n~.\nc< * BAD Missing or invalid tag\n")
SCRIPT(tag_that_is_none, PLAIN "c> + NOOP\nc< * BAD Missing or invalid tag\n"
			       "c> $R{65,t} NOOP\nc< * BAD Missing or invalid tag\n"
			       "c> $R{64,t} NOOP\nc< $R{64,t} OK NOOP completed.\n")
SCRIPT(tag_alone, PLAIN "c> a\nc< a BAD Missing command\n")
SCRIPT(too_many_arguments, PLAIN "c> a NOOP now\nc< a BAD This command takes no arguments\n")
/* A literal for what is refused anyway is not asked for. */
SCRIPT(literal_of_a_command_that_needs_a_login, PLAIN "c> a APPEND INBOX {310}\n"
						      "c< a BAD Log in first.\n"
						      "c> b NOOP\n"
						      "c< b OK NOOP completed.\n"
						      "c> c APPEND INBOX {6+}~|1 (~|~0\n"
						      "c< c BAD Log in first.\n"
						      "c> d NOOP\n"
						      "c< d OK NOOP completed.\n")
SCRIPT(literal_of_an_unknown_command, PLAIN "c> a XYZZY {310}\nc< a BAD Unknown command.\n"
					    "c> b NOOP\nc< b OK NOOP completed.\n")
SCRIPT(literal_of_a_login_that_is_not_allowed,
    "listen strict\n"
    "c< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID LOGINDISABLED] mail.test sallyport ready.\n"
    "c> a LOGIN {5}\n"
    "c< a NO [PRIVACYREQUIRED] Plaintext authentication is not allowed, use TLS.\n"
    "c> b NOOP\n"
    "c< b OK NOOP completed.\n"
    "c> c LOGIN {5+}~|alice {6+}~|s3same\n"
    "c< c NO [PRIVACYREQUIRED] Plaintext authentication is not allowed, use TLS.\n"
    "noquestion\n")
SCRIPT(
    client_ends, PLAIN "end client\nended closed_by=client reason=closed state=command\ncount 0\n")
SCRIPT(client_ends_within_a_command,
    PLAIN "c> a NO~.\nend client\nended closed_by=client reason=closed state=command\n")
SCRIPT(client_resets, PLAIN "reset client\nended closed_by=client reason=connection-error\n")
SCRIPT(commands_before_the_end_are_answered,
    PLAIN "c> a NOOP\nc< a OK NOOP completed.\nend client\nended reason=closed\n")

/* --- not IMAP at all */

SCRIPT(tls_on_a_plaintext_port,
    PLAIN "c> ~x16~x03~x01~x02~x00~x01~x00~.\n"
	  "log event=tls_failed reason=\"TLS where plaintext IMAP was expected\"\n"
	  "ended closed_by=proxy reason=not-imap\n")
SCRIPT(http_on_a_plaintext_port,
    PLAIN "c> GET / HTTP/1.1~|Host: x~|~|~.\n"
	  "log event=tls_failed reason=\"HTTP where IMAP was expected\"\n"
	  "ended closed_by=proxy reason=not-imap\n")
SCRIPT(http_post_of_commands,
    PLAIN "c> POST /x HTTP/1.0~|Content-Length: 23~|~|a LOGIN alice s3same~|~.\n"
	  "ended closed_by=proxy reason=not-imap\n"
	  "noquestion\n")
SCRIPT(tag_like_a_method, PLAIN "c> GET NOOP\nc< GET OK NOOP completed.\n")

/* --- a proxy that is full */

SCRIPT(too_many_sessions, "set max_sessions=1\n" PLAIN "client 1\n"
			  "c< * BYE [UNAVAILABLE] Too many connections, try again later.\n"
			  "closed client linger\n"
			  "log event=accept_failed reason=max_sessions\n"
			  "count 1\n"
			  "client 0\n"
			  "c> a LOGOUT\n"
			  "c< * BYE Logging out.\n"
			  "c< a OK Logout completed.\n"
			  "client 2\n" GREETING)
SCRIPT(too_many_sessions_with_tls, "set max_sessions=1\n" PLAIN "client 1\n"
				   "c< * BYE [UNAVAILABLE] Too many connections, try again later.\n"
				   "listen imaps\n"
				   "closed client close\n")
