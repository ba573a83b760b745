/*
 * Walks, kicks and traces of sessions.
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c tests/unit/script.c
 * links: tests/unit/script_text.c tests/unit/session_world.c
 */
#include "test.h"

#include "session_world.h"

#define script_ops session_world

#define BEGIN                                                                                      \
	"learn store1 " STORE_CAPS "\n"                                                            \
	"nosplit\n"
#define SESSION(n, user)                                                                           \
	"client " n "\n" GREETING "c> a LOGIN " user " s3same\n" TO_STORE(user)                    \
	    STORE_LOGIN(user, "s3same") LOGGED_IN "hook opened " user " store1\n"

SCRIPT(kick_of_a_user_leaves_the_others,
    BEGIN SESSION("0", "alice") SESSION("1", "bob")
	SESSION("2", "alice") "kick user=alice\ncount 1\n"
			      "hook closed alice store1\nhook closed alice store1\n"
			      "ended user=alice closed_by=proxy reason=kicked\n")
SCRIPT(kick_before_the_relay_says_bye,
    PLAIN "c> a LOGIN alice s3same\nquestion alice\n"
	  "kick user=ALICE\n"
	  "c< * BYE [UNAVAILABLE] Ended by the administrator.\nclosed client linger\ncount 0\n")
SCRIPT(kick_of_a_backend,
    BEGIN SESSION("0", "alice") "client 1\n" GREETING "kick backend=store1\ncount 1\n"
				"kick backend=store2\ncount 1\n")
SCRIPT(a_walk_meets_all_and_survives_ends,
    BEGIN SESSION("0", "alice") SESSION("1", "bob")
	SESSION("2", "carol") "client 3\n" GREETING "walk 4\n"
			      "walkstart 2\n" /* the one that logs in, and alice */
			      "client 1\nreset client\nhook closed bob store1\n"
			      "walkrest 1\n")
SCRIPT(a_trace_shows_the_dialogue_and_no_secret,
    "trace alice\n"
    "nosplit\n" PLAIN "c> a LOGIN alice s3same\n" TO_STORE("alice") STORE_LOGIN("alice", "s3same")
	LOGGED_IN "hook trace 1 client: a LOGIN alice (secret not shown)\n"
		  "hook trace 1 directory: goes to: *\n"
		  "hook trace 1 proxy: connects to store1, 10.0.0.1:143\n"
		  "hook trace 1 store: (connected)\n"
		  "hook trace 1 store: * OK [CAPABILITY " STORE_CAPS "] hi\n"
		  "hook learnt *\n"
		  "hook trace 1 proxy to store: (login: credentials not shown)\n"
		  "hook trace 1 store: *\n"
		  "hook trace 1 proxy to client: a OK (logged in, the relay begins)\n")
SCRIPT(a_trace_of_somebody_else_shows_nothing,
    "trace bob\n" RELAY "hook learnt *\nhook opened alice store1\n")
