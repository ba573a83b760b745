/*
 * What the directory answers, what stores answer, and what of it the client is told and when.
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c tests/unit/script.c
 * links: tests/unit/script_text.c tests/unit/session_world.c
 */
#include "test.h"

#include "session_world.h"

#define script_ops session_world

#define ALICE       PLAIN "c> a LOGIN alice s3same\n"
#define AT_STORE    ALICE TO_STORE("alice") STORE_LOGIN("alice", "s3same")
#define WRONG       "c< a NO [AUTHENTICATIONFAILED] Authentication failed.\n"
#define UNAVAILABLE "c< a NO [UNAVAILABLE] The mail store is temporarily unavailable.\n"
#define NOOP_OK     "c> z NOOP\nc< z OK NOOP completed.\n"
/* Exactly two seconds after the login was asked for, however long it took. */
#define IN_TWO_SECONDS "wait 1.99\nwait 0.01\n"

/* --- the directory */

SCRIPT(unknown_user,
    ALICE "question alice\nanswer fail=unknown-user\n" IN_TWO_SECONDS WRONG
	  "log event=login_failed level=info user=alice reason=unknown-user\n" NOOP_OK)
SCRIPT(unknown_user_and_a_slow_directory, ALICE "question alice\n"
						"wait 1.5\n"
						"answer fail=unknown-user\n"
						"wait 0.49\n"
						"wait 0.01\n" WRONG)
SCRIPT(unknown_user_and_a_very_slow_directory, ALICE "question alice\n"
						     "wait 3\n"
						     "answer fail=unknown-user\n" WRONG)
SCRIPT(no_delay_when_none_is_set,
    "set auth_failure_delay=0\n" ALICE "question alice\nanswer fail=unknown-user\n" WRONG NOOP_OK)
SCRIPT(a_reload_takes_the_delay_away, ALICE "question alice\nanswer fail=unknown-user\nwait 1\n"
					    "set auth_failure_delay=0\n" WRONG NOOP_OK)
SCRIPT(lookup_failed, ALICE "question alice\nanswer fail=lookup\n" UNAVAILABLE
			    "log event=login_failed level=warn user=alice reason=lookup\n" NOOP_OK)
SCRIPT(directory_failed, ALICE "question alice\nanswer fail=directory\n" UNAVAILABLE)
SCRIPT(no_candidates,
    ALICE "question alice\nanswer\n" UNAVAILABLE "log event=login_failed reason=no-store-left\n")
SCRIPT(candidates_without_addresses, ALICE "question alice\nanswer store1+0\nnodial\n" UNAVAILABLE)
SCRIPT(candidate_of_another_snapshot, ALICE "question alice\nanswer store9\nnodial\n" UNAVAILABLE)
SCRIPT(no_directory, "directory none\n" ALICE "noquestion\n" UNAVAILABLE
		     "log event=login_failed reason=directory\n" NOOP_OK)
SCRIPT(directory_lost_while_waiting,
    ALICE "question alice\ndirectory lost\n" UNAVAILABLE "log event=login_failed reason=directory\n"
	  "answer store1\n" /* it never answers, but if */
	  "nodial\n" NOOP_OK "directory back\n"
	  "c> a LOGIN alice s3same\n" TO_STORE("alice") STORE_LOGIN("alice", "s3same") LOGGED_IN)
SCRIPT(directory_lost_with_many_waiting_and_pipelining,
    "set max_failed_logins=5\n"
    "listen plain\n" GREETING "c> a LOGIN alice s3same\nc> b LOGIN alice s3same\nc> c NOOP\n"
    "question alice\n"
    "client 1\n" GREETING "c> a LOGIN bob s3same\nc> b LOGIN bob s3same\n"
    "question bob\n"
    "client 2\n" GREETING "c> a LOGIN carol s3same\n"
    "question carol\n"
    "directory lost\n" UNAVAILABLE "client 1\n" UNAVAILABLE
    "c< b NO [UNAVAILABLE] The mail store is temporarily unavailable.\n"
    "client 0\n" UNAVAILABLE "c< b NO [UNAVAILABLE] The mail store is temporarily unavailable.\n"
    "c< c OK NOOP completed.\n")
SCRIPT(answer_when_the_client_is_gone,
    ALICE "question alice\nreset client\n" /* not read now: nobody sees it */
	  "answer store1\ndial store1\nconnect\n"
	  "s< * OK [CAPABILITY " STORE_CAPS
	  "] hi\n" STORE_LOGIN("alice", "s3same") "s< $T OK [CAPABILITY IMAP4rev1] Welcome.\n"
						  "ended closed_by=client reason=connection-error\n"
						  "closed store\n")
SCRIPT(refusal_when_the_client_is_gone,
    ALICE "question alice\nreset client\nanswer fail=lookup\n"
	  "ended closed_by=client reason=connection-error state=delay\n")
SCRIPT(store_refuses_when_the_client_is_gone,
    AT_STORE "reset client\ns< $T NO no\nwait 2\n"
	     "ended closed_by=client reason=connection-error state=delay\nclosed store\n")
SCRIPT(untagged_when_the_client_is_gone,
    AT_STORE "reset client\ns< * 1 EXISTS\ns< $T OK hi\n"
	     "ended closed_by=client reason=connection-error state=store\nclosed store\n")
SCRIPT(answer_after_the_login_timeout,
    ALICE "question alice\n"
	  "wait 60\n"
	  "c< * BYE [UNAVAILABLE] Too long without a login.\n"
	  "answer store1\nnodial\ncount 0\noutcome store1 given-up*\n")
SCRIPT(name_as_the_store_sees_it, PLAIN
    "c> a LOGIN Alice s3same\n"
    "question Alice\n"
    "answer store1 user=alice@example.org key=alice\n"
    "dial store1\nconnect\n"
    "s< * OK [CAPABILITY " STORE_CAPS "] hi\n" STORE_LOGIN("alice@example.org", "s3same") LOGGED_IN
    "hook learnt store1 " STORE_CAPS "\n"
    "hook opened alice store1\n"
    "log event=login user=alice route=stores backend=store1 store=10.0.0.1:143 store_tls=none "
    "why=default\n")
SCRIPT(target_without_a_section,
    ALICE "question alice\nanswer host=mail.other.test:1143 tls=none\ndial store1\nconnect\n"
	  "s< * OK [CAPABILITY " STORE_CAPS "] hi\n" STORE_LOGIN("alice", "s3same") LOGGED_IN
    "hook opened alice mail.other.test:1143\n"
    "log event=login backend=mail.other.test:1143\n")

/* --- what a refused login looks like */

SCRIPT(no_without_a_code, AT_STORE "s< $T NO wrong\n" IN_TWO_SECONDS WRONG
				   "log event=login_failed level=info reason=credentials "
				   "backend=store1 attempt=1\n" NOOP_OK)
SCRIPT(no_and_a_slow_store, AT_STORE "wait 1.5\ns< $T NO wrong\nwait 0.49\nwait 0.01\n" WRONG)
SCRIPT(no_and_a_very_slow_store, AT_STORE "wait 2.5\ns< $T NO wrong\n" WRONG)
SCRIPT(authenticationfailed,
    AT_STORE "s< $T NO [AUTHENTICATIONFAILED] Secret details.\n" IN_TWO_SECONDS WRONG)
SCRIPT(limit, AT_STORE "s< $T NO [LIMIT] Too many.\n"
		       "c< a NO [LIMIT] Too many.\n"
		       "log event=login_failed reason=store-refused\n" NOOP_OK)
SCRIPT(unavailable, AT_STORE "s< $T NO [UNAVAILABLE] Later.\nc< a NO [UNAVAILABLE] Later.\n")
SCRIPT(code_without_text, AT_STORE "s< $T NO [INUSE]\nc< a NO [INUSE]\n")
SCRIPT(referral, AT_STORE "s< $T NO [REFERRAL imap://bob@elsewhere.test/] Go there.\n" UNAVAILABLE)
SCRIPT(bad, AT_STORE "s< $T BAD What?\n" UNAVAILABLE "open store\n")
SCRIPT(words_too_long_to_pass_on, AT_STORE "s< $T NO [LIMIT] $R{600,x}\n" UNAVAILABLE)

/* --- capabilities after the login */

#define ASKED                                                                                      \
	PLAIN "c> q CAPABILITY\n"                                                                  \
	      "c< * CAPABILITY " CAPS "\n"                                                         \
	      "c< q OK Capability completed.\n"                                                    \
	      "c> a LOGIN alice s3same\n" TO_STORE("alice") STORE_LOGIN("alice", "s3same")

SCRIPT(told_in_the_code, AT_STORE LOGGED_IN)
SCRIPT(told_in_the_code_wanted_untagged, ASKED "s< $T OK [CAPABILITY IMAP4rev1 IDLE] Welcome.\n"
					       "c< * CAPABILITY IMAP4rev1 IDLE\n"
					       "c< a OK Welcome.\n")
SCRIPT(told_untagged, AT_STORE "s< * CAPABILITY IMAP4rev1 IDLE\ns< $T OK Welcome.\n"
			       "c< a OK [CAPABILITY IMAP4rev1 IDLE] Welcome.\n")
SCRIPT(told_untagged_wanted_untagged, ASKED "s< * CAPABILITY IMAP4rev1 IDLE\ns< $T OK Welcome.\n"
					    "c< * CAPABILITY IMAP4rev1 IDLE\n"
					    "c< a OK Welcome.\n")
SCRIPT(told_in_an_untagged_code,
    AT_STORE "s< * OK [CAPABILITY IMAP4rev1 IDLE] here\ns< $T OK Welcome.\n"
	     "c< a OK [CAPABILITY IMAP4rev1 IDLE] Welcome.\n")
SCRIPT(told_when_asked, AT_STORE "s< $T OK Welcome.\n"
				 "s> $T CAPABILITY\n"
				 "s< * CAPABILITY IMAP4rev1 IDLE\ns< $T OK done\n"
				 "c< a OK [CAPABILITY IMAP4rev1 IDLE] Welcome.\n")
SCRIPT(told_when_asked_wanted_untagged, ASKED "s< $T OK Welcome.\n"
					      "s> $T CAPABILITY\n"
					      "s< * CAPABILITY IMAP4rev1 IDLE\ns< $T OK done\n"
					      "c< * CAPABILITY IMAP4rev1 IDLE\n"
					      "c< a OK Welcome.\n")
SCRIPT(told_not_even_when_asked, /* the best that is known is what it said before */
    AT_STORE "s< $T OK Welcome.\n"
	     "s> $T CAPABILITY\n"
	     "s< $T BAD what?\n"
	     "c< a OK [CAPABILITY IMAP4rev1] Welcome.\n")
SCRIPT(what_counts_only_before_login_is_taken_out,
    AT_STORE "s< $T OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED SASL-IR AUTH=PLAIN IDLE "
	     "UNAUTHENTICATE LOGIN-REFERRALS LITERAL+ ID] Welcome.\n"
	     "c< a OK [CAPABILITY IMAP4rev1 IDLE LITERAL+ ID] Welcome.\n")
SCRIPT(ok_without_text, AT_STORE "s< $T OK [CAPABILITY IMAP4rev1]\n"
				 "c< a OK [CAPABILITY IMAP4rev1] Logged in.\n")
SCRIPT(ok_with_another_code, AT_STORE "s< * CAPABILITY IMAP4rev1\ns< $T OK [READ-WRITE] Hello.\n"
				      "c< a OK [CAPABILITY IMAP4rev1] Hello.\n")

/* --- untagged responses in a login */

SCRIPT(untagged_are_passed_on_in_order, AT_STORE "s< * OK [ALERT] Your mailbox is nearly full.\n"
						 "s< * ID (\"name\" {6}~|a~|~0~|)\n"
						 "s< * 3 EXISTS\n"
						 "s< $T OK [CAPABILITY IMAP4rev1] Welcome.\n"
						 "c< * OK [ALERT] Your mailbox is nearly full.\n"
						 "c< * ID (\"name\" {6}~|a~|~0~|)\n"
						 "c< * 3 EXISTS\n"
						 "c< a OK [CAPABILITY IMAP4rev1] Welcome.\n")
SCRIPT(untagged_referral_is_not, AT_STORE "s< * OK [REFERRAL imap://x/] Elsewhere.\n"
					  "s< * NO [ALERT] But this.\n"
					  "s< $T NO no\n"
					  "c< * NO [ALERT] But this.\n" IN_TWO_SECONDS WRONG)
SCRIPT(untagged_before_the_login_are_not_passed_on, ALICE
    "question alice\nanswer store1\ndial store1\nconnect\n"
    "s< * OK hello\n"
    "s> $T CAPABILITY\n"
    "s< * OK [ALERT] Believe me.\n"
    "s< * CAPABILITY " STORE_CAPS "\ns< $T OK done\n" STORE_LOGIN("alice", "s3same") LOGGED_IN)

/* --- another try on the same connection */

SCRIPT(same_user_again_at_the_kept_store,
    AT_STORE "s< $T NO no\n" IN_TWO_SECONDS WRONG "c> a LOGIN alice s3same\n"
	     "noquestion\n"
	     "nodial\n" STORE_LOGIN("alice", "s3same") LOGGED_IN "hook learnt store1 " STORE_CAPS
								 "\nhook opened alice store1\n")
SCRIPT(other_user_after_a_refusal,
    AT_STORE "s< $T NO no\n" IN_TWO_SECONDS WRONG "c> a LOGIN bob s3same\n"
	     "closed store\n" TO_STORE("bob") STORE_LOGIN("bob", "s3same") LOGGED_IN)
SCRIPT(the_kept_store_did_not_wait,
    AT_STORE "s< $T NO no\n" IN_TWO_SECONDS WRONG "s< * BYE Idle for too long.\n"
	     "closed store\n"
	     "nolog event=store_failed\n"
	     "c> a LOGIN alice s3same\n" TO_STORE("alice") STORE_LOGIN("alice", "s3same") LOGGED_IN)
SCRIPT(the_kept_store_goes_within_the_delay,
    AT_STORE "s< $T NO no\nwait 1\nend store\nwait 0.99\nwait 0.01\n" WRONG
	     "c> a LOGIN alice s3same\n" TO_STORE("alice") STORE_LOGIN("alice", "s3same"))
SCRIPT(the_kept_store_goes_when_it_is_asked_again,
    AT_STORE "s< $T NO no\n" IN_TWO_SECONDS WRONG "c> a LOGIN alice s3same\n" STORE_LOGIN(
	"alice", "s3same") "end store\n" UNAVAILABLE /* it may have seen the password */
			   "log event=store_failed reason=store-gone-in-login\n" NOOP_OK)
SCRIPT(a_bad_name_after_a_refusal_is_not_of_that_store,
    AT_STORE "s< $T NO no\n" IN_TWO_SECONDS WRONG "c> a LOGIN \"\" s3same\n" IN_TWO_SECONDS WRONG
	     "nolog event=login_failed reason=bad-name backend=store1\n")
