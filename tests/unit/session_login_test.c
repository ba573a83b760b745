/*
 * LOGIN and AUTHENTICATE in every form, up to what the store is told (RFC 9051 sections 6.2.2 and 6.2.3, RFC 4959).
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c tests/unit/script.c
 * links: tests/unit/script_text.c tests/unit/session_world.c
 */
#include "test.h"

#include "session_world.h"

#define script_ops session_world

/* Logs in with what the client sends; @login is what it says, with tag a. */
#define LOGIN(login, user, password)                                                               \
	PLAIN login TO_STORE(user) STORE_LOGIN(user, password) LOGGED_IN

/* --- LOGIN */

SCRIPT(login_atoms, LOGIN("c> a LOGIN alice s3same\n", "alice", "s3same"))
SCRIPT(login_case, LOGIN("c> a lOGin alice s3same\n", "alice", "s3same"))
SCRIPT(login_quoted, LOGIN("c> a LOGIN \"alice\" \"s3same\"\n", "alice", "s3same"))
SCRIPT(login_escapes,
    LOGIN("c> a LOGIN \"al\\\\ice\" \"s3same\\\" \\\\\"\n", "al\\ice", "s3same\" \\"))
SCRIPT(login_atom_with_wildcards, LOGIN("c> a LOGIN alice s3same%*]\\\n", "alice", "s3same%*]\\"))
SCRIPT(login_trailing_space, LOGIN("c> a LOGIN alice s3same ~.\nc> ~|~.\n", "alice", "s3same"))
SCRIPT(login_literals, LOGIN("c> a LOGIN {5}\n"
			     "c< + OK\n"
			     "c> alice {6}\n"
			     "c< + OK\n"
			     "c> s3same\n",
			   "alice", "s3same"))
SCRIPT(login_literal_nonsync, LOGIN("c> a LOGIN {5+}~|alice {6+}~|s3same\n", "alice", "s3same"))
SCRIPT(login_mixed, LOGIN("c> a LOGIN alice {6+}~|s3same\n", "alice", "s3same"))
SCRIPT(login_literal_of_anything,
    LOGIN("c> a LOGIN {5+}~|al\"ce {9+}~|s~|3same~n\n", "al\"ce", "s~|3same~n"))
SCRIPT(login_8bit, LOGIN("c> a LOGIN \"~xc3~xa9va\" \"s3same~xff\"\n", "~xc3~xa9va", "s3same~xff"))
SCRIPT(login_empty_password, LOGIN("c> a LOGIN alice \"\"\n", "alice", ""))
SCRIPT(login_empty_password_literal, LOGIN("c> a LOGIN alice {0+}~|\n", "alice", ""))
SCRIPT(login_empty_user, PLAIN "c> a LOGIN \"\" s3same\n"
			       "noquestion\n"
			       "wait 1.9\n"
			       "wait 0.2\n"
			       "c< a NO [AUTHENTICATIONFAILED] Authentication failed.\n"
			       "log event=login_failed reason=bad-name mechanism=LOGIN attempt=1\n")
SCRIPT(login_longest_user, LOGIN("c> a LOGIN $R{511,u} s3same\n", "$R{511,u}", "s3same"))
SCRIPT(login_user_too_long, PLAIN "c> a LOGIN $R{512,u} s3same\n"
				  "noquestion\n"
				  "wait 2\n"
				  "c< a NO [AUTHENTICATIONFAILED] Authentication failed.\n"
				  "log event=login_failed reason=bad-name\n")
SCRIPT(login_nul_in_user, PLAIN "c> a LOGIN {6+}~|ali~0ce {6+}~|s3same\n"
				"noquestion\n"
				"c< a BAD NUL in a name or password\n")
SCRIPT(login_nul_in_password, PLAIN "c> a LOGIN {5+}~|alice {7+}~|s3s~0ame\n"
				    "noquestion\n"
				    "c< a BAD NUL in a name or password\n"
				    "c> b NOOP\n"
				    "c< b OK NOOP completed.\n")
SCRIPT(login_nul_in_a_sync_literal, PLAIN "c> a LOGIN {6}\n"
					  "c< + OK\n"
					  "c> ali~0ce {6}\n"
					  "c< a BAD NUL in a name or password\n"
					  "c> b NOOP\n"
					  "c< b OK NOOP completed.\n")
SCRIPT(
    login_without_password, PLAIN "c> a LOGIN alice\nc< a BAD LOGIN takes a name and a password\n")
SCRIPT(login_three_arguments,
    PLAIN "c> a LOGIN alice s3same x\nc< a BAD Too many arguments to LOGIN\n")
SCRIPT(login_unclosed_quote, PLAIN "c> a LOGIN \"alice s3same\n"
				   "c< a BAD LOGIN takes a name and a password\n")
SCRIPT(login_list, PLAIN "c> a LOGIN (alice {6+}~|s3same)\n"
			 "c< a BAD LOGIN takes a name and a password\n"
			 "noquestion\n")

/* --- AUTHENTICATE PLAIN */

SCRIPT(plain_with_initial_response,
    LOGIN("c> a AUTHENTICATE PLAIN $B{~0alice~0s3same}\n", "alice", "s3same"))
SCRIPT(plain_without_initial_response, LOGIN("c> a authenticate plain\n"
					     "c< + ~.\nc< ~.\nc< ~|~.\n"
					     "c> $B{~0alice~0s3same}\n",
					   "alice", "s3same"))
SCRIPT(plain_in_one_chunk, /* a client that does not wait for the continuation */
    PLAIN "c> a AUTHENTICATE PLAIN\nc> $B{~0alice~0s3same}\nc< + ~|~.\n" TO_STORE("alice")
	STORE_LOGIN("alice", "s3same") LOGGED_IN)
SCRIPT(plain_same_authzid,
    LOGIN("c> a AUTHENTICATE PLAIN $B{alice~0alice~0s3same}\n", "alice", "s3same"))
SCRIPT(plain_empty_password, LOGIN("c> a AUTHENTICATE PLAIN $B{~0alice~0}\n", "alice", ""))
SCRIPT(plain_other_authzid,
    PLAIN "c> a AUTHENTICATE PLAIN $B{bob~0alice~0s3same}\n"
	  "noquestion\n"
	  "log event=login_failed user=alice mechanism=PLAIN reason=authorisation-identity\n"
	  "wait 1.9\n"
	  "wait 0.1\n"
	  "c< a NO [AUTHORIZATIONFAILED] Another authorisation identity is not accepted.\n")
SCRIPT(plain_empty_initial_response, /* "=" is an empty message, RFC 4959 section 3 */
    PLAIN "c> a AUTHENTICATE PLAIN =\nc< a BAD Invalid PLAIN message.\n"
	  "c> b NOOP\nc< b OK NOOP completed.\n")
SCRIPT(plain_empty_line, PLAIN "c> a AUTHENTICATE PLAIN\nc< + ~|~.\nc> ~.\nc> ~|~.\n"
			       "c< a BAD Invalid PLAIN message.\n"
			       "c> b NOOP\nc< b OK NOOP completed.\n")
SCRIPT(plain_aborted, PLAIN "c> a AUTHENTICATE PLAIN\nc< + ~|~.\nc> *\n"
			    "c< a BAD AUTHENTICATE aborted.\n"
			    "c> b NOOP\nc< b OK NOOP completed.\n")
SCRIPT(plain_bad_base64, PLAIN "c> a AUTHENTICATE PLAIN\nc< + ~|~.\nc> AGF!\n"
			       "c< a BAD Invalid base64.\n"
			       "c> b AUTHENTICATE PLAIN AGFsaWNl=\n"
			       "c< b BAD Invalid base64.\n"
			       "c> c AUTHENTICATE PLAIN A\"\n"
			       "c< c BAD Initial response is not base64\n")
SCRIPT(plain_nul_in_password, PLAIN "c> a AUTHENTICATE PLAIN $B{~0alice~0s3s~0ame}\n"
				    "c< a BAD Invalid PLAIN message.\n"
				    "noquestion\n")
SCRIPT(plain_without_user, PLAIN "c> a AUTHENTICATE PLAIN $B{~0~0s3same}\n"
				 "c< a BAD Invalid PLAIN message.\n")
SCRIPT(plain_then_ends, PLAIN "c> a AUTHENTICATE PLAIN\nc< + ~|~.\nend client\n"
			      "ended reason=closed state=sasl\n")
SCRIPT(sasl_line_with_lf, LOGIN("c> a AUTHENTICATE PLAIN~n~.\n"
				"c< + ~|~.\n"
				"c> $B{~0alice~0s3same}~n~.\n",
			      "alice", "s3same"))
SCRIPT(sasl_line_that_looks_like_a_literal,
    PLAIN "c> a AUTHENTICATE PLAIN\nc< + ~|~.\nc> {10+}~|b LOGOUT\n"
	  "c< a BAD Invalid base64.\n"
	  "c< * BYE Logging out.\nc< b OK Logout completed.\n")
SCRIPT(sasl_line_nul, PLAIN "c> a AUTHENTICATE PLAIN\nc< + ~|~.\nc> AG~0x\n"
			    "c< a BAD Invalid characters in command.\n"
			    "c> b NOOP\nc< b OK NOOP completed.\n")

/* --- AUTHENTICATE LOGIN */

#define USERNAME "c< + VXNlcm5hbWU6\n"
#define PASSWORD "c< + UGFzc3dvcmQ6\n"

SCRIPT(sasl_login,
    LOGIN("c> a AUTHENTICATE LOGIN\n" USERNAME "c> $B{alice}\n" PASSWORD "c> $B{s3same}\n", "alice",
	"s3same"))
SCRIPT(sasl_login_initial_response,
    LOGIN("c> a AUTHENTICATE LOGIN $B{alice}\n" PASSWORD "c> $B{s3same}\n", "alice", "s3same"))
SCRIPT(sasl_login_empty_password,
    LOGIN("c> a AUTHENTICATE LOGIN $B{alice}\n" PASSWORD "c> ~.\nc> ~|~.\n", "alice", ""))
SCRIPT(sasl_login_aborted_at_the_password,
    PLAIN "c> a AUTHENTICATE LOGIN $B{alice}\n" PASSWORD "c> *\n"
	  "c< a BAD AUTHENTICATE aborted.\n"
	  "noquestion\n"
	  "c> b AUTHENTICATE LOGIN\n" USERNAME) /* from the beginning again */
SCRIPT(sasl_login_bad_base64_at_the_password,
    PLAIN "c> a AUTHENTICATE LOGIN $B{alice}\n" PASSWORD "c> !\n"
	  "c< a BAD Invalid base64.\n")
SCRIPT(sasl_login_nul_in_the_password,
    PLAIN "c> a AUTHENTICATE LOGIN $B{alice}\n" PASSWORD "c> $B{s3s~0ame}\n"
	  "noquestion\n"
	  "c< a BAD A NUL is not allowed in names and passwords.\n")
SCRIPT(sasl_login_nul_in_the_name, PLAIN "c> a AUTHENTICATE LOGIN $B{ali~0ce}\n"
					 "c< a BAD A NUL is not allowed in names and passwords.\n")
SCRIPT(sasl_login_empty_name, PLAIN "c> a AUTHENTICATE LOGIN =\n"
				    "wait 2\n"
				    "c< a NO [AUTHENTICATIONFAILED] Authentication failed.\n"
				    "log event=login_failed reason=bad-name mechanism=SASL-LOGIN\n")
SCRIPT(sasl_login_delay_runs_from_the_password,
    "set auth_failure_delay=2\n" PLAIN "c> a AUTHENTICATE LOGIN $B{alice}\n" PASSWORD "wait 10\n"
    "c> $B{s3same}\n"
    "question alice\n"
    "answer fail=unknown-user\n"
    "wait 1.9\n"
    "wait 0.2\n"
    "c< a NO [AUTHENTICATIONFAILED] Authentication failed.\n")

/* --- other mechanisms, and plaintext */

SCRIPT(unsupported_mechanism, PLAIN "c> a AUTHENTICATE CRAM-MD5\n"
				    "c< a NO Unsupported authentication mechanism.\n"
				    "c> b AUTHENTICATE\n"
				    "c< b BAD AUTHENTICATE takes a mechanism\n")
#define STRICT                                                                                     \
	"listen strict\n"                                                                          \
	"c< * OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID LOGINDISABLED] mail.test sallyport "    \
	"ready.\n"
#define PRIVACY " NO [PRIVACYREQUIRED] Plaintext authentication is not allowed, use TLS.\n"
SCRIPT(plaintext_is_refused, STRICT "c> a LOGIN alice s3same\n"
				    "c< a" PRIVACY "c> b AUTHENTICATE PLAIN $B{~0alice~0s3same}\n"
				    "c< b" PRIVACY "c> c AUTHENTICATE LOGIN\n"
				    "c< c" PRIVACY "c> d AUTHENTICATE XOAUTH2\n"
				    "c< d" PRIVACY "noquestion\n")

/* --- pipelining */

SCRIPT(pipelined_commands_reach_the_store_once_in_order,
    PLAIN "c> a1 CAPABILITY\nc> a LOGIN alice s3same\nc> b SELECT INBOX\nc> c FETCH 1 BODY[]\n"
	  "c< * CAPABILITY " CAPS "\n"
	  "c< a1 OK Capability completed.\n" TO_STORE("alice") STORE_LOGIN("alice", "s3same")
    /* nothing of it was sent before; now the store says OK */
    "s< $T OK [CAPABILITY IMAP4rev1 IDLE] Welcome.\n"
    "c< * CAPABILITY IMAP4rev1 IDLE\n"
    "c< a OK Welcome.\n"
    "s> b SELECT INBOX\n"
    "s> c FETCH 1 BODY[]\n"
    "s< * 1 EXISTS\n"
    "c< * 1 EXISTS\n")
SCRIPT(what_comes_while_the_login_runs_waits,
    PLAIN "c> a LOGIN alice s3same~|b SEL~.\n"
	  "question alice\n"
	  "c> ECT INBOX\n"
	  "answer store1\ndial store1\nconnect\n"
	  "c> c NOOP~|d NO~.\n"
	  "s< * OK [CAPABILITY " STORE_CAPS "] hi\n" STORE_LOGIN("alice", "s3same") LOGGED_IN
    "s> b SELECT INBOX\n"
    "s> c NOOP\n"
    "s> d NO~.\n"
    "c> OP\n"
    "s> OP\n")
SCRIPT(two_hundred_commands_behind_a_login,
    PLAIN "c> a LOGIN alice s3same\nc> $R{200,x NOOP~|}~.\n" TO_STORE("alice")
	STORE_LOGIN("alice", "s3same") LOGGED_IN "s> $R{200,x NOOP~|}~.\n"
						 "c> y LOGOUT\n"
						 "s> y LOGOUT\n")
SCRIPT(sixty_thousand_bytes_behind_a_login,
    PLAIN "c> a LOGIN alice s3same\nc> $R{8000,x NOOP~|}~.\n" TO_STORE("alice")
	STORE_LOGIN("alice", "s3same") LOGGED_IN "s> $R{8000,x NOOP~|}~.\n")
SCRIPT(much_behind_a_login,
    PLAIN "c> a LOGIN alice s3same\nc> $R{40000,x NOOP~|}~.\n" TO_STORE("alice")
	STORE_LOGIN("alice", "s3same") LOGGED_IN "s> $R{40000,x NOOP~|}~.\n")
SCRIPT(a_login_behind_a_refused_login,
    PLAIN "c> a LOGIN alice wrong\nc> a LOGIN alice s3same\nc> b SELECT INBOX\n" TO_STORE("alice")
	STORE_LOGIN(
	    "alice", "wrong") "s< $T NO no\n"
			      "wait 2\n"
			      "c< a NO [AUTHENTICATIONFAILED] Authentication failed.\n" STORE_LOGIN(
				  "alice", "s3same") LOGGED_IN "s> b SELECT INBOX\n")
SCRIPT(what_the_store_sends_behind_its_ok,
    PLAIN "c> a LOGIN alice s3same\n" TO_STORE("alice") STORE_LOGIN("alice",
	"s3same") "s< $T OK [CAPABILITY IMAP4rev1 IDLE] Welcome.\ns< * 3 EXISTS\ns< * half~.\n"
		  "c< a OK [CAPABILITY IMAP4rev1 IDLE] Welcome.\n"
		  "c< * 3 EXISTS\n"
		  "c< * half~.\n"
		  "s<  a line\n"
		  "c<  a line\n")
