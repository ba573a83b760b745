/*
 * After the login: bytes both ways, ends, resets, backpressure, time-outs; and the line that says why it ended.
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c tests/unit/script.c
 * links: tests/unit/script_text.c tests/unit/session_world.c
 */
#include "test.h"

#include "session_world.h"

#define script_ops session_world

#define ENDED "closed store\ncount 0\n"
/* What is not read any more from a peer shows as bytes that do not move. */

SCRIPT(both_ways, RELAY "c> b SELECT INBOX\n"
			"s> b SELECT INBOX\n"
			"s< * 1 EXISTS~|b OK done\n"
			"c< * 1 EXISTS~|b OK done\n"
			"c> ~0~xff~r~n~.\n"
			"s> ~0~xff~r~n~.\n")
SCRIPT(bulk_to_the_client, RELAY "s< $R{200000,x}~.\nc< $R{200000,x}~.\n")
SCRIPT(bulk_to_the_store, RELAY "c> $R{200000,x}~.\ns> $R{200000,x}~.\n")

/* --- ends */

SCRIPT(client_ends_first,
    RELAY "end client\n"
	  "fin store\n"
	  "open client\n"
	  "s< * BYE~|b OK\n"
	  "c< * BYE~|b OK\n"
	  "end store\n"
	  "ended closed_by=client reason=closed state=relay user=alice "
	  "route=stores backend=store1 store_tls=none listener=plain "
	  "client_bytes=0 store_bytes=13 duration=0.000 login_time=0.000\n" ENDED
	  "hook learnt store1 " STORE_CAPS "\nhook opened alice store1\nhook closed alice store1\n")
SCRIPT(store_ends_first, RELAY "end store\n"
			       "fin client\n"
			       "open store\n"
			       "c> x LOGOUT\n"
			       "s> x LOGOUT\n"
			       "end client\n"
			       "ended closed_by=store reason=closed client_bytes=10\n" ENDED)
SCRIPT(bytes_before_an_end_arrive, RELAY "c> bye~.\ns> bye~.\nend client\nfin store\n"
					 "s< bye~.\nc< bye~.\nend store\nended closed_by=client\n")
SCRIPT(client_resets, RELAY "reset client\n"
			    "ended closed_by=client reason=connection-error\n" ENDED)
SCRIPT(store_resets, RELAY "reset store\n"
			   "ended closed_by=store reason=connection-error\n" ENDED)
SCRIPT(store_resets_after_the_client_ended, RELAY "end client\nreset store\n"
						  "ended closed_by=client reason=closed\n" ENDED)
SCRIPT(client_resets_under_pending_bytes,
    RELAY "takes client 0\n"
	  "s< * 1 EXISTS\n"
	  "reset client\n"
	  "ended closed_by=client reason=connection-error\n" ENDED)
SCRIPT(nothing_is_said_into_a_relay, RELAY "s< half a lin~.\nc< half a lin~.\nstop 10\nwait 10\n"
					   "ended closed_by=proxy reason=shutdown\n" ENDED)

/* --- an end that is only half */

SCRIPT(half_closed_by_the_client, RELAY "end client\n"
					"wait 59.9\nopen client\nopen store\nwait 0.2\n"
					"ended closed_by=proxy reason=half-closed\n" ENDED)
SCRIPT(half_closed_by_the_store, RELAY "end store\n"
				       "wait 59.9\nopen client\nopen store\nwait 0.2\n"
				       "ended closed_by=proxy reason=half-closed\n" ENDED)
SCRIPT(half_closed_and_active,
    RELAY "end client\nwait 50\ns< x~.\nc< x~.\nwait 50\ns< x~.\nc< x~.\n"
	  "wait 59\nopen store\nwait 2\n"
	  "ended closed_by=proxy reason=half-closed store_bytes=2\n")

/* --- backpressure */

SCRIPT(client_takes_nothing, RELAY "takes client 0\n"
				   "s< $R{65536,x}~.\ns< $R{200000,y}~.\n"
				   "takes client 10\n"
				   "c< $R{10,x}~.\n"
				   "takes client all\n"
				   "c< $R{65526,x}~.\nc< $R{200000,y}~.\n")
SCRIPT(store_takes_nothing, RELAY "takes store 0\n"
				  "c> $R{65536,x}~.\nc> $R{200000,y}~.\n"
				  "takes store all\n"
				  "s> $R{65536,x}~.\ns> $R{200000,y}~.\n")
SCRIPT(the_other_direction_goes_on, RELAY "takes client 0\n"
					  "s< to the client\n"
					  "c> to the store\n"
					  "s> to the store\n"
					  "takes client all\n"
					  "c< to the client\n")
SCRIPT(an_end_behind_pending_bytes,
    RELAY "takes client 0\n"
	  "s< to the client\n"
	  "end store\n"
	  "nofin client\n"
	  "end client\n"
	  "fin store\n"
	  "open client\n" /* it still has to take this */
	  "takes client all\n"
	  "c< to the client\n"
	  "fin client\n"
	  "ended closed_by=client reason=closed\n") /* the store's end was seen later */
SCRIPT(pending_from_before_the_relay,
    PLAIN "c> a LOGIN alice s3same\nc> b SELECT INBOX\n" TO_STORE("alice")
	STORE_LOGIN("alice", "s3same") "takes client 0\ntakes store 0\n"
				       "s< $T OK [CAPABILITY IMAP4rev1] hi~|* 1 EXISTS\n"
				       "takes client all\ntakes store all\n"
				       "c< a OK [CAPABILITY IMAP4rev1] hi~|* 1 EXISTS\n"
				       "s> b SELECT INBOX\n"
				       "s< * 2 EXISTS\n"
				       "c< * 2 EXISTS\n")

/* What is read from a peer that must wait is one buffer, no more. */
TEST(reading_stops_and_goes_on)
{
	struct script *s = script_begin(&session_world);
	const char *why =
	    script_run(s, RELAY "takes client 0\ns< $R{65536,x}~.\ns< $R{200000,y}~.\n");

	if (why)
		FAIL("%s", why);
	CHECK(buf_len(&s->client->pending) <= CONN_WRITE_MAX);
	CHECK_U64(buf_len(&s->client->pending) + buf_len(&s->store->in), 265536);
	why = script_run(s, "takes client all\nc< $R{65536,x}~.\nc< $R{200000,y}~.\n");
	if (why)
		FAIL("%s", why);
	CHECK_U64(buf_len(&s->store->in), 0);
	why = script_finish(&s);
	if (why)
		FAIL("%s", why);
}

/* --- stalls and idleness */

SCRIPT(client_stalls, RELAY "takes client 0\n"
			    "s< $R{1000,x}~.\n"
			    "wait 299\nopen client\nwait 2\n"
			    "ended closed_by=proxy reason=client-stalled\n" ENDED)
SCRIPT(store_stalls, RELAY "takes store 0\n"
			   "c> $R{1000,x}~.\n"
			   "wait 299\nopen client\nwait 2\n"
			   "ended closed_by=proxy reason=store-stalled\n" ENDED)
SCRIPT(slow_is_not_stalled, RELAY "takes client 0\n"
				  "s< $R{1000,x}~.\n"
				  "wait 200\n"
				  "takes client 10\nc< $R{10,x}~.\n"
				  "wait 200\n"
				  "takes client 10\nc< $R{10,x}~.\n"
				  "wait 299\n"
				  "open client\n"
				  "takes client all\nc< $R{980,x}~.\n"
				  "wait 3600\n"
				  "open client\n")
SCRIPT(stalled_while_the_other_direction_moves,
    RELAY "takes client 0\n"
	  "s< $R{1000,x}~.\n"
	  "wait 200\nc> x~.\ns> x~.\n"
	  "wait 99\nopen client\n"
	  "wait 2\n"
	  "ended closed_by=proxy reason=client-stalled\n")
SCRIPT(stalled_after_the_other_side_ended, RELAY "takes client 0\ns< x~.\nend store\nwait 301\n"
						 "ended closed_by=proxy reason=client-stalled\n")
SCRIPT(idle,
    "set idle_timeout=1800\n" RELAY "wait 1799\nc> x~.\ns> x~.\nwait 1799\ns< x~.\nc< x~.\n"
    "wait 1799.9\nopen client\nwait 0.2\n"
    "ended closed_by=proxy reason=idle-timeout duration=5398.000\n" ENDED)
SCRIPT(never_idle_when_none_is_set, RELAY "wait 1000000\nopen client\n")
SCRIPT(idle_set_by_a_reload, RELAY "set idle_timeout=1800\nwait 2000\nc> x~.\ns> x~.\nwait 1801\n"
				   "ended reason=idle-timeout\n")
