/*
 * Which store is tried, and when another: candidates, addresses, what a store does before it is logged in to.
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c tests/unit/script.c
 * links: tests/unit/script_text.c tests/unit/session_world.c
 */
#include "test.h"

#include "session_world.h"

#define script_ops session_world

#define UNAVAILABLE "c< a NO [UNAVAILABLE] The mail store is temporarily unavailable.\n"
#define NOOP_OK     "c> z NOOP\nc< z OK NOOP completed.\n"
/* alice asks, and store1 and store2 may be tried. */
#define TWO                                                                                        \
	"set stores=3\n" PLAIN "c> a LOGIN alice s3same\nquestion alice\nanswer store1 store2\n"   \
	"dial store1\n"
#define HELLO  "s< * OK [CAPABILITY " STORE_CAPS "] hi\n"
#define AT_TWO "dial store2\nconnect\n" HELLO STORE_LOGIN("alice", "s3same") LOGGED_IN "nodial\n"
#define TRIED(r)                                                                                   \
	"log event=store_failed user=alice backend=store1 store=10.0.0.1:143 reason=" r "\n"

/* --- before credentials were sent: the next one */

SCRIPT(connect_refused,
    TWO "refuse\n" AT_TWO TRIED("connect") "log event=login backend=store2 store=10.0.0.2:143\n")
SCRIPT(connect_times_out, TWO "wait 4.9\nnodial\nwait 0.2\n" TRIED("connect-timeout") AT_TWO)
SCRIPT(connection_reset, TWO "connect\nreset store\n" TRIED("store-gone") AT_TWO)
SCRIPT(no_greeting, TWO "connect\nwait 29.9\nnodial\nwait 0.2\n" TRIED("store-timeout") AT_TWO)
SCRIPT(greeting_bye, TWO "connect\ns< * BYE [UNAVAILABLE] Not now.\n" TRIED("store-bye") AT_TWO)
SCRIPT(greeting_preauth,
    TWO "connect\ns< * PREAUTH [CAPABILITY IMAP4rev1] hello root\n" TRIED("store-preauth") AT_TWO)
SCRIPT(greeting_garbage, TWO "connect\ns< 220 mail.test ESMTP\n" TRIED("store-protocol") AT_TWO)
SCRIPT(greeting_bad, TWO "connect\ns< * BAD hello\n" TRIED("store-protocol") AT_TWO)
SCRIPT(greeting_endless, TWO "connect\ns< * OK $R{9000,x}~.\n" TRIED("store-limit") AT_TWO)
SCRIPT(store_ends_in_the_greeting, TWO "connect\ns< * O~.\nend store\n" TRIED("store-gone") AT_TWO)
SCRIPT(logindisabled, TWO
    "connect\ns< * OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\n" TRIED("store-no-mechanism") AT_TWO)
SCRIPT(all_addresses_of_a_store_then_the_next,
    "set stores=3\n" PLAIN "c> a LOGIN alice s3same\nquestion alice\nanswer store1+3 store2\n"
    "dial store1\nrefuse\ndial store1.1\nrefuse\ndial store1.2\nrefuse\n" AT_TWO)
SCRIPT(second_address_answers,
    PLAIN "c> a LOGIN alice s3same\nquestion alice\nanswer store1+2\n"
	  "dial store1\nrefuse\ndial store1.1\nconnect\n" HELLO STORE_LOGIN("alice", "s3same")
	      LOGGED_IN "log event=login store=10.0.1.1:143\n")
SCRIPT(none_is_left,
    TWO "refuse\ndial store2\nrefuse\n" UNAVAILABLE
	"log event=store_failed backend=store2 reason=connect\n"
	"log event=login_failed level=warn reason=connect detail=\"no store is left "
	"to try\"\n" NOOP_OK)
SCRIPT(candidates_that_do_not_resolve_are_left_out,
    "set stores=3\n" PLAIN
    "c> a LOGIN alice s3same\nquestion alice\nanswer store1+0 store9 store2\n" AT_TWO)
SCRIPT(no_more_than_eight_addresses,
    "set stores=3\n" PLAIN
    "c> a LOGIN alice s3same\nquestion alice\nanswer store1+4 store2+4 store3+4\n"
    "dial store1\nrefuse\ndial store1.1\nrefuse\ndial store1.2\nrefuse\ndial store1.3\nrefuse\n"
    "dial store2\nrefuse\ndial store2.1\nrefuse\ndial store2.2\nrefuse\ndial store2.3\nrefuse\n"
    "nodial\n" UNAVAILABLE)
SCRIPT(from_a_configured_address,
    "set source=10.9.0.1\n" PLAIN "c> a LOGIN alice s3same\nquestion alice\nanswer store1\n"
    "dial store1 from 10.9.0.1\n")

/* --- pinned: the user has sessions there */

#define PINNED                                                                                     \
	"set stores=3\n" PLAIN                                                                     \
	"c> a LOGIN alice s3same\nquestion alice\nanswer store1+2 store2 pinned\ndial store1\n"
SCRIPT(pinned_and_no_other, PINNED "refuse\ndial store1.1\nrefuse\nnodial\n" UNAVAILABLE
				   "log event=login_failed detail=\"the user's sessions are at a "
				   "store that does not answer\"\n")
SCRIPT(pinned_and_there, PINNED "connect\n" HELLO STORE_LOGIN("alice", "s3same") LOGGED_IN)

/* --- after credentials were sent: no other one */

#define SENT TWO "connect\n" HELLO STORE_LOGIN("alice", "s3same")
SCRIPT(store_ends_in_the_login,
    SENT "end store\n" TRIED("store-gone-in-login") "nodial\n" UNAVAILABLE NOOP_OK)
SCRIPT(store_resets_in_the_login,
    SENT "reset store\n" TRIED("store-gone-in-login") "nodial\n" UNAVAILABLE)
SCRIPT(bye_in_the_login,
    SENT "s< * BYE Too many.\n" TRIED("store-gone-in-login") "nodial\n" UNAVAILABLE)
SCRIPT(no_answer_to_the_login,
    SENT "wait 29.9\nnodial\nwait 0.2\n" TRIED("store-login-timeout") "nodial\n" UNAVAILABLE)
SCRIPT(
    garbage_in_the_login, SENT "s< what?\n" TRIED("store-protocol-in-login") "nodial\n" UNAVAILABLE)
SCRIPT(endless_answer_to_the_login,
    SENT "s< * OK $R{9000,x}~.\n" TRIED("store-protocol-in-login") "nodial\n" UNAVAILABLE)
SCRIPT(refused_and_no_other, SENT "s< $T NO no\nnodial\nwait 2\n"
				  "c< a NO [AUTHENTICATIONFAILED] Authentication failed.\n")
/* A store that echoes what it gets must not bring the password into the log. */
SCRIPT(echo_in_the_login, SENT
    "s< $T AUTHENTICATE PLAIN $B{~0alice~0s3same}\n" TRIED("store-protocol-in-login") UNAVAILABLE)
SCRIPT(echo_in_a_bye, SENT "s< * BYE s3same\n" TRIED("store-gone-in-login") UNAVAILABLE)
SCRIPT(echo_in_a_refusal, SENT "s< $T NO [LIMIT] alice s3same\n"
			       "c< a NO [LIMIT] alice s3same\n"
			       "log event=login_failed reason=store-refused\n")

/* --- TLS towards the store */

#define TLS(mode)                                                                                  \
	"set stores=3 tls=" mode "\n" PLAIN                                                        \
	"c> a LOGIN alice s3same\nquestion alice\nanswer store1 store2\ndial store1\nconnect\n"
#define TLS_HELLO "s< * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\n"
SCRIPT(implicit_tls, TLS("implicit") "tls store ok\n" HELLO STORE_LOGIN("alice", "s3same") LOGGED_IN
    "log event=login store_tls=TLSv1.3\n")
SCRIPT(implicit_tls_fails,
    TLS("implicit") "tls store fail\n" TRIED(
	"store-tls") "dial store2\nconnect\ntls store ok\n" HELLO STORE_LOGIN("alice", "s3same")
	LOGGED_IN)
SCRIPT(
    implicit_tls_times_out, TLS("implicit") "wait 5.1\n" TRIED("connect-timeout") "dial store2\n")
SCRIPT(starttls, TLS("starttls") TLS_HELLO
    "s> $T STARTTLS\n"
    "s< $T OK go\n"
    "tls store ok\n"
    "s> $T CAPABILITY\n"
    "s< * CAPABILITY " STORE_CAPS "\ns< $T OK done\n" STORE_LOGIN("alice", "s3same") LOGGED_IN)
SCRIPT(starttls_with_a_greeting_that_tells_nothing,
    TLS("starttls") "s< * OK hi\ns> $T STARTTLS\n"
		    "s< $T OK go\n"
		    "tls store ok\n"
		    "s> $T CAPABILITY\n"
		    "s< * CAPABILITY " STORE_CAPS "\ns< $T OK done\n" STORE_LOGIN("alice", "s3same")
			LOGGED_IN)
SCRIPT(starttls_refused, TLS("starttls") TLS_HELLO
    "s> $T STARTTLS\ns< $T NO not today\n" TRIED("store-no-starttls") "dial store2\n")
SCRIPT(
    starttls_not_announced, TLS("starttls") "s< * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\n" TRIED(
				"store-no-starttls") "dial store2\n")
SCRIPT(starttls_handshake_fails, TLS("starttls") TLS_HELLO
    "s> $T STARTTLS\ns< $T OK go\ntls store fail\n" TRIED("store-tls") "dial store2\n")
SCRIPT(starttls_injection, "nosplit\n" TLS("starttls") TLS_HELLO
    "s> $T STARTTLS\n"
    "s< $T OK go\ns< * CAPABILITY IMAP4rev1 AUTH=PLAIN\n" TRIED(
	"store-starttls-injection") "dial store2\n")
SCRIPT(what_came_before_tls_is_not_believed, TLS("starttls") TLS_HELLO
    "s> $T STARTTLS\n"
    "s< * CAPABILITY IMAP4rev1 AUTH=PLAIN XEVIL\ns< * OK [ALERT] Evil.\ns< $T OK [CAPABILITY "
    "XEVIL] go\n"
    "tls store ok\n"
    "s> $T CAPABILITY\n"
    "s< * CAPABILITY " STORE_CAPS "\ns< $T OK done\n"
    "hook learnt store1 " STORE_CAPS
    "\n" STORE_LOGIN("alice", "s3same") "s< $T OK hi\n"
					"s> $T CAPABILITY\n"
					"s< $T NO\n"
					"c< a OK [CAPABILITY IMAP4rev1] hi\n")
SCRIPT(tls_by_the_lookup,
    "set stores=3\n" PLAIN
    "c> a LOGIN alice s3same\nquestion alice\nanswer store1 tls=implicit verify=0\ndial store1\n"
    "connect\ntls store ok\n" HELLO STORE_LOGIN("alice", "s3same") LOGGED_IN)

SCRIPT(target_without_a_section_has_the_defaults,
    PLAIN "c> a LOGIN alice s3same\nquestion alice\nanswer host=mail.other.test:143\ndial store1\n"
	  "connect\n" TLS_HELLO "s> $T STARTTLS\ns< $T OK go\ntls store ok\n"
	  "s> $T CAPABILITY\n"
	  "s< * CAPABILITY " STORE_CAPS "\ns< $T OK done\n" STORE_LOGIN("alice", "s3same") LOGGED_IN
    "hook opened alice mail.other.test:143\n")

/* --- slow stores */

SCRIPT(time_for_each_answer_is_its_own,
    TLS("starttls") "wait 20\n" TLS_HELLO "s> $T STARTTLS\n"
		    "wait 4\ns< $T OK go\nwait 4\ntls store ok\n"
		    "s> $T CAPABILITY\nwait 20\n"
		    "s< * CAPABILITY " STORE_CAPS "\ns< $T OK done\n" STORE_LOGIN("alice", "s3same")
			LOGGED_IN)
SCRIPT(responses_without_end, TWO "connect\ns< * OK hi\ns> $T CAPABILITY\n"
				  "s< $R{200,* OK still here~|}\n" TRIED("store-limit") AT_TWO)

/* --- what the directory hears of it */

#define BEGUN "c> a LOGIN alice s3same\nquestion alice\nanswer store1 store2\ndial store1\n"

SCRIPT(outcome_of_a_login,
    PLAIN BEGUN "outcome \nconnect\n" HELLO STORE_LOGIN("alice",
	"s3same") "outcome \n" LOGGED_IN "outcome store1 none *\noutcome \nend client\noutcome \n")
SCRIPT(outcome_of_a_refusal_and_of_the_next_try,
    PLAIN BEGUN "connect\n" HELLO STORE_LOGIN(
	"alice", "s3same") "s< $T NO no\noutcome store1 credentials login\nwait 3\nc< a NO "
			   "[AUTHENTICATIONFAILED] Authentication failed.\n"
			   "end store\noutcome \n")
SCRIPT(outcomes_of_stores_that_fail,
    "set stores=3\n" PLAIN BEGUN
    "refuse\noutcome store1 connect connect\ndial store2\nconnect\nend store\n"
    "outcome store2 store-gone greeting\nc< a NO [UNAVAILABLE] The mail store is temporarily "
    "unavailable.\n")
SCRIPT(outcome_of_a_login_without_an_answer,
    PLAIN BEGUN "connect\n" HELLO STORE_LOGIN(
	"alice", "s3same") "end store\noutcome store1 store-gone-in-login login\nc< a NO "
			   "[UNAVAILABLE] The mail store is temporarily unavailable.\n")
SCRIPT(outcome_of_a_login_that_was_given_up,
    PLAIN "wait 40\n" BEGUN "connect\nwait 20\noutcome store1 given-up*\n"
	  "c< * BYE [UNAVAILABLE] Too long without a login.\nended reason=login-timeout\n")
