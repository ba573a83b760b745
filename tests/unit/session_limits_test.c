/*
 * Every bound of the dialogue before the login: at it, below it, above it.
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c tests/unit/script.c
 * links: tests/unit/script_text.c tests/unit/session_world.c
 */
#include "test.h"

#include "session_world.h"

#define script_ops session_world

#define NOOP_OK "c> z NOOP\nc< z OK NOOP completed.\n"
/* Literals as small as this are not announced. */
#define NO_LITERALS                                                                                \
	"listen plain\n"                                                                           \
	"c< * OK [CAPABILITY IMAP4rev1 SASL-IR ID AUTH=PLAIN AUTH=LOGIN] mail.test sallyport "     \
	"ready.\n"
#define TOO_BIG "c< * BYE [TOOBIG] Literal or command too big.\n"

/* --- the line: its end counts */

SCRIPT(
    line_below, "set max_line=100\n" PLAIN "c> a XYZ $R{91,x}\nc< a BAD Unknown command.\n" NOOP_OK)
SCRIPT(line_at, "set max_line=100\n" PLAIN "c> a XYZ $R{92,x}\nc< a BAD Unknown command.\n" NOOP_OK)
SCRIPT(line_above,
    "set max_line=100\n" PLAIN "c> a XYZ $R{93,x}\nc< a BAD [TOOBIG] Line too long.\n" NOOP_OK)
SCRIPT(line_far_above, "set max_line=100\n" PLAIN "c> a XYZ $R{500,x y z }\nc> z NOOP\n"
		       "c< a BAD [TOOBIG] Line too long.\n"
		       "c< z OK NOOP completed.\n")
SCRIPT(line_of_the_default, PLAIN "c> a XYZ $R{8184,x}\nc< a BAD Unknown command.\n"
				  "c> a XYZ $R{8185,x}\nc< a BAD [TOOBIG] Line too long.\n" NOOP_OK)
SCRIPT(line_endless, PLAIN "c> a XYZ $R{200000,x}~.\n"
			   "c< a BAD [TOOBIG] Line too long.\n"
			   "c> ~|~.\n" NOOP_OK)
SCRIPT(line_without_a_tag, "set max_line=100\n" PLAIN "c> $R{200,x}\n"
			   "c< * BAD [TOOBIG] Line too long.\n" NOOP_OK)
SCRIPT(line_above_with_a_tag_that_ends_behind_it,
    "set max_line=40\n" PLAIN "c> $R{50,t} NOOP\nc< * BAD [TOOBIG] Line too long.\n" NOOP_OK)
/* Behind a line over the bound, what its end announces must not be taken for commands. */
SCRIPT(line_above_with_data_behind,
    "set max_line=100\n" PLAIN "c> a LOGIN $R{200,x} {10+}~|b LOGOUT~|\n"
    "c< a BAD [TOOBIG] Line too long.\n" TOO_BIG "ended closed_by=proxy reason=too-big\n")
SCRIPT(line_above_with_a_literal_that_waits,
    "set max_line=100\n" PLAIN "c> a LOGIN $R{200,x} {10}\n"
    "c< a BAD [TOOBIG] Line too long.\n" NOOP_OK)

/* --- AUTHENTICATE with its initial response, and lines of the exchange */

SCRIPT(auth_line_at, "set max_line=64 max_auth_line=200\n" PLAIN
		     "c> a AUTHENTICATE PLAIN $B{~0alice~0s3same$R{119,p}}\n" TO_STORE("alice")
			 STORE_LOGIN("alice", "s3same$R{119,p}") LOGGED_IN)
SCRIPT(auth_line_above, "set max_line=64 max_auth_line=200\n" PLAIN
			"c> a AUTHENTICATE PLAIN $B{~0alice~0s3same$R{122,p}}\n"
			"c< a BAD [TOOBIG] Line too long.\n" NOOP_OK)
SCRIPT(sasl_line_at,
    "set max_line=64 max_auth_line=200\n" PLAIN "c> a AUTHENTICATE PLAIN\nc< + ~|~.\n"
    "c> $B{~0alice~0s3same$R{134,p}}~n~.\n" TO_STORE("alice")
	STORE_LOGIN("alice", "s3same$R{134,p}") LOGGED_IN)
SCRIPT(sasl_line_above,
    "set max_line=64 max_auth_line=200\n" PLAIN "c> a AUTHENTICATE PLAIN\nc< + ~|~.\n"
    "c> $B{~0alice~0s3same$R{137,p}}\n"
    "c< a BAD [TOOBIG] Line too long.\n" NOOP_OK)
SCRIPT(auth_line_of_forty_thousand,
    PLAIN "c> a AUTHENTICATE PLAIN $B{~0alice~0s3same$R{30000,p}}\n" TO_STORE("alice")
	STORE_LOGIN("alice", "s3same$R{30000,p}") LOGGED_IN)
SCRIPT(
    longest_auth_line, /* what the store is told of it is longer than a connection takes at once */
    PLAIN "c> a AUTHENTICATE PLAIN\nc< + ~|~.\n"
	  "c> $B{~0alice~0s3same$R{49136,p}}\n"
	  "question alice\nanswer store1\ndial store1\nconnect\n"
	  "s< * OK [CAPABILITY " STORE_CAPS "] hi\n"
	  "log event=login_failed reason=memory\n"
	  "c< a NO [UNAVAILABLE] Out of resources, try again later.\n")
SCRIPT(auth_line_set_to_a_megabyte, "set max_auth_line=1000000 max_command=1000000\n" PLAIN
				    "c> a AUTHENTICATE PLAIN $R{200000,QUFB}\n"
				    "c< a BAD Invalid PLAIN message.\n" NOOP_OK)

/* --- literals */

SCRIPT(literal_sync_at,
    "set max_literal=64\n" NO_LITERALS "c> a LOGIN alice {64}\n"
    "c< + OK\n"
    "c> s3same$R{58,p}\n" TO_STORE("alice") STORE_LOGIN("alice", "s3same$R{58,p}") LOGGED_IN)
SCRIPT(literal_sync_above, "set max_literal=64\n" NO_LITERALS "c> a LOGIN alice {65}\n"
			   "c< a BAD [TOOBIG] Literal or command too big.\n" NOOP_OK)
SCRIPT(literal_nonsync_at,
    "set max_literal=64\n" NO_LITERALS "c> a LOGIN alice {64+}~|s3same$R{58,p}\n" TO_STORE("alice")
	STORE_LOGIN("alice", "s3same$R{58,p}") LOGGED_IN)
SCRIPT(literal_nonsync_above,
    "set max_literal=64\n" NO_LITERALS "c> a LOGIN alice {65+}~|b LOGOUT~|\n" TOO_BIG
    "ended closed_by=proxy reason=too-big state=command\n"
    "closed client linger\n")
SCRIPT(literal_default, PLAIN "c> a LOGIN alice {4096+}~|s3same$R{4090,p}\n" TO_STORE("alice")
			    STORE_LOGIN("alice", "s3same$R{4090,p}") LOGGED_IN)
SCRIPT(literal_huge,
    PLAIN "c> a LOGIN alice {99999999999999999999}\n"
	  "c< a BAD [TOOBIG] Literal or command too big.\n"
	  "c> b LOGIN alice {99999999999999999999+}\n" TOO_BIG "ended reason=too-big\n")
SCRIPT(literal_without_a_length,
    PLAIN "c> a LOGIN {x}\nc< a BAD Invalid characters in command.\n" NOOP_OK)
SCRIPT(literal_without_a_length_nonsync, PLAIN "c> a LOGIN {x+}~|b LOGOUT\n"
					       "c< * BYE Invalid characters in command.\n"
					       "ended reason=too-big\n")
SCRIPT(literal_set_to_half_a_megabyte, "set max_literal=500000 max_command=1000000\n" PLAIN
				       "c> a XYZ {500000+}~|$R{500000,x}~|z NOOP\n"
				       "c< a BAD Unknown command.\nc< z OK NOOP completed.\n")

/* --- the whole command */

SCRIPT(command_at, "set max_line=300 max_auth_line=300 max_command=300\n" PLAIN
		   "c> a ID ({4+}~|name {200+}~|$R{200,v} \"b\" {60+}~|$R{60,v})\n"
		   "c< * ID (\"name\" \"sallyport\")\n"
		   "c< a OK ID completed.\n" NOOP_OK)
SCRIPT(command_above_by_a_literal_nonsync,
    "set max_line=300 max_auth_line=300 max_command=300\n" PLAIN
    "c> a ID ({4+}~|name {200+}~|$R{200,v} b {80+}~|$R{80,v})\n" TOO_BIG "ended reason=too-big\n")
SCRIPT(command_above_by_a_literal_sync, "set max_line=300 max_auth_line=300 max_command=300\n" PLAIN
					"c> a ID ({4+}~|name {200+}~|$R{200,v} b {80}\n"
					"c< a BAD [TOOBIG] Literal or command too big.\n" NOOP_OK)
SCRIPT(command_above_by_a_line, "set max_line=300 max_auth_line=300 max_command=300\n" PLAIN
				"c> a ID ({4+}~|name {200+}~|$R{200,v} b \"$R{200,v} z LOGOUT\n"
				"c< a BAD [TOOBIG] Literal or command too big.\n" NOOP_OK)
SCRIPT(literals_without_end, PLAIN "c> a ID ($R{65,{1+}~|x }\n" TOO_BIG "ended reason=too-big\n")

/* --- how often */

#define BAD(tag) "c> " tag " XYZZY\nc< " tag " BAD Unknown command.\n"
SCRIPT(bad_commands_in_a_row, "set max_bad_commands=3\n" PLAIN BAD("a")
				  BAD("b") "c> c XYZZY\n"
					   "c< c BAD Unknown command.\n"
					   "c< * BYE Too many bad commands.\n"
					   "ended closed_by=proxy reason=too-many-bad-commands\n"
					   "closed client linger\n")
SCRIPT(bad_commands_with_good_ones_between,
    "set max_bad_commands=3\n" PLAIN BAD("a") BAD("b") NOOP_OK BAD("c") BAD("d") NOOP_OK)
#define LAST_BAD(sends, told)                                                                      \
	"set max_bad_commands=2 max_line=100 max_auth_line=100 max_literal=64 "                    \
	"max_command=200\n" NO_LITERALS BAD("a") "c> b " sends "\nc< " told                        \
						 "\nc< * BYE Too many bad commands.\n"             \
						 "ended reason=too-many-bad-commands\n"
SCRIPT(last_bad_by_a_long_line, LAST_BAD("$R{200,x}", "b BAD [TOOBIG] Line too long."))
SCRIPT(last_bad_by_a_literal,
    LAST_BAD("LOGIN alice {65}", "b BAD [TOOBIG] Literal or command too big."))
SCRIPT(last_bad_at_a_literal, LAST_BAD("LOGIN ( {5}", "b BAD LOGIN takes a name and a password"))
SCRIPT(last_bad_by_sasl,
    "set max_bad_commands=2\n" PLAIN BAD("a") "c> b AUTHENTICATE PLAIN\n"
					      "c< + ~|~.\nc> *\nc< b BAD AUTHENTICATE aborted.\n"
					      "c< * BYE Too many bad commands.\n"
					      "ended reason=too-many-bad-commands\n")

#define WRONG "c< a NO [AUTHENTICATIONFAILED] Authentication failed.\n"
SCRIPT(failed_logins,
    "set max_failed_logins=2\n" PLAIN "c> a LOGIN alice one\n" TO_STORE("alice") STORE_LOGIN(
	"alice", "one") "s< $T NO no\nwait 2\n" WRONG "c> a LOGIN alice two\n" STORE_LOGIN("alice",
	"two") "s< $T NO no\nwait 1.9\nwait 0.2\n" WRONG "c< * BYE Too many failed logins.\n"
	       "ended closed_by=proxy reason=too-many-failed-logins\n"
	       "closed client linger\n"
	       "closed store\n")

#define OUTAGE                                                                                     \
	"c> a LOGIN alice one\nquestion alice\nanswer fail=lookup\n"                               \
	"c< a NO [UNAVAILABLE] The mail store is temporarily unavailable.\n"
SCRIPT(outages_are_no_failed_logins, "set max_failed_logins=2\n" PLAIN OUTAGE OUTAGE OUTAGE NOOP_OK)

/* --- how long */

#define LATE                                                                                       \
	"c< * BYE [UNAVAILABLE] Too long without a login.\n"                                       \
	"ended closed_by=proxy reason=login-timeout\n"                                             \
	"closed client linger\n"
SCRIPT(login_timeout, PLAIN "wait 59.9\nopen client\nwait 0.1\n" LATE)
SCRIPT(login_timeout_in_spite_of_activity,
    PLAIN "wait 30\n" NOOP_OK "wait 29\n" NOOP_OK "wait 1\n" LATE)
SCRIPT(login_timeout_within_a_command, PLAIN "c> a LOGIN al~.\nwait 60\n" LATE)
SCRIPT(login_timeout_in_sasl, PLAIN "c> a AUTHENTICATE PLAIN\nc< + ~|~.\nwait 60\n" LATE)
SCRIPT(login_timeout_while_the_directory_thinks,
    PLAIN "c> a LOGIN alice s3same\nquestion alice\nwait 60\n" LATE "answer store1\nnodial\n")
SCRIPT(login_timeout_while_the_store_thinks,
    "set login_timeout=10\n" PLAIN "c> a LOGIN alice s3same\n" TO_STORE("alice")
	STORE_LOGIN("alice", "s3same") "wait 10\n" LATE "closed store\n")
SCRIPT(login_timeout_in_the_delay,
    "set login_timeout=10 auth_failure_delay=20\n" PLAIN "c> a LOGIN \"\" s3same\nwait 10\n" LATE)
SCRIPT(login_timeout_ends_with_the_login, RELAY "wait 3600\nopen client\n")
