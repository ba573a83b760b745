/*
 * Many sessions: what the worker hears of them, a directory that comes anew, and the end of all.
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c tests/unit/script.c
 * links: tests/unit/script_text.c tests/unit/session_world.c
 */
#include "test.h"

#include "session_world.h"

#define script_ops session_world

/* A relay of a user, as client n; what others have learnt of the store is not new. */
#define SESSION(n, user)                                                                           \
	"client " n "\n" GREETING "c> a LOGIN " user " s3same\n" TO_STORE(user)                    \
	    STORE_LOGIN(user, "s3same") LOGGED_IN
#define BEGIN                                                                                      \
	"learn store1 " STORE_CAPS "\n"                                                            \
	"nosplit\n"
#define GOING_DOWN                                                                                 \
	"c< * BYE [UNAVAILABLE] The server is going down, try again.\n"                            \
	"closed client linger\n"

SCRIPT(the_worker_hears_of_each_relay,
    BEGIN SESSION("0", "alice") "hook opened alice store1\n" SESSION(
	"1", "bob") "hook opened bob store1\n"
		    "count 2\n"
		    "client 0\nreset client\nhook closed alice store1\n"
		    "count 1\n")
SCRIPT(a_directory_that_is_there_anew_is_told,
    BEGIN SESSION("0", "alice") "hook opened alice store1\n" SESSION(
	"1", "bob") "hook opened bob store1\n"
		    "client 2\n" GREETING "directory lost\n"
		    "directory back\n"
		    "hook opened alice store1\nhook opened bob store1\n")
SCRIPT(stop_without_sessions, "stop 30\nhook empty\n")
SCRIPT(stop_before_the_login, PLAIN "stop 30\n" GOING_DOWN "hook empty\n"
				    "ended closed_by=proxy reason=shutdown state=command\n")
SCRIPT(stop_in_each_state_before_the_relay,
    PLAIN "c> a LOGI~.\n"
	  "client 1\n" GREETING "c> a AUTHENTICATE PLAIN\nc< + ~|~.\n"
	  "client 2\n" GREETING "c> a LOGIN alice s3same\nquestion alice\n"
	  "client 3\n" GREETING "c> a LOGIN bob s3same\nquestion bob\nanswer store1\ndial store1\n"
	  "client 4\n" GREETING "c> a LOGIN \"\" s3same\n"
	  "stop 30\n"
	  "client 0\n" GOING_DOWN "client 1\n" GOING_DOWN "client 2\n" GOING_DOWN
	  "client 3\n" GOING_DOWN "closed store\nclient 4\n" GOING_DOWN "hook empty\n"
	  "client 2\nanswer store1\nnodial\n"
	  "count 0\n")
SCRIPT(stop_refuses_new_ones,
    RELAY "stop 30\n"
	  "client 1\nc< * BYE [UNAVAILABLE] Too many connections, try again later.\n"
	  "closed client linger\n"
	  "log event=accept_failed reason=stopping\n")
SCRIPT(the_last_to_go_by_itself_empties,
    BEGIN SESSION("0", "alice") "hook opened alice store1\n"
				"stop 30\n"
				"reset client\n"
				"hook closed alice store1\nhook empty\n")
SCRIPT(stop_now, BEGIN SESSION("0", "alice") SESSION("1", "bob") "stop 0\nwait 0.1\ncount 0\n")

/* Relays go evenly over the time that was given, all of them by its end. */
TEST(stop_is_spread)
{
	struct script *s = script_begin(&session_world);
	const char *why = script_run(s, BEGIN);
	unsigned last = 0;

	for (unsigned i = 0; i < 50 && !why; i++) {
		char text[1024];

		(void)str_fmt(text, sizeof(text), "client %u\n%s", i,
		    GREETING "c> a LOGIN alice s3same\n" TO_STORE("alice")
			STORE_LOGIN("alice", "s3same") LOGGED_IN);
		why = script_run(s, text);
	}
	if (!why)
		why = script_run(s, "stop 10\n");
	for (unsigned i = 1; i <= 10 && !why; i++) {
		why = script_run(s, "wait 1\n");
		unsigned now = session_count(session_world_env(s));
		test_note("second %u, %u left", i, now);
		if (i < 9)
			CHECK(now <= 50 - 5 * i && now + 5 * i + 2 >= 50);
		last = now;
	}
	CHECK_U64(last, 0);
	why = why ? why : script_finish(&s);
	if (why)
		FAIL("%s", why);
}
