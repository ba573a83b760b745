/*
 * tests/unit/session_world.h - the session machine as a world for scripts (script.h).
 *
 *      set KEY=VALUE …          before `listen`: what is configured; see session_world.c. Again later: a reload
 *      listen NAME              a client comes to the listener NAME: plain (no TLS, logins allowed), strict (no TLS, no logins),
 *                               imap (STARTTLS), mixed (STARTTLS, plaintext logins allowed), imaps (implicit TLS)
 *      question USER            the directory is asked for this user; noquestion: nobody was asked
 *      answer store1 store2 …   it answers the client's question; store1+2: two addresses, store3+0: none, "host=a.test:1143";
 *                               also pinned, user=U, key=K, tls=MODE, verify=0|1, fail=NAME (as in the log)
 *      directory none|lost|back
 *      hook WHAT …              what the worker was told next: opened USER STORE, closed …, learnt STORE WORDS, trace ID WHO: TEXT,
 *                               empty; a * at the end is any rest
 *      outcome WHAT             the last outcome told: STORE FAIL STAGE or STORE given-up; nothing: none was since the last such step
 *      kick user=U|backend=B    an operator ends sessions
 *      trace USER               logins of the user are traced, as 1
 *      walk N                   a walk over all sessions meets so many; walkstart N: its first N steps, walkrest N: what is left
 *      learn STORE WORDS        another worker has learnt
 *      stop SECONDS
 *      count N                  sessions there are
 *      ended KEY=VALUE …        a session_end line with these, and the client's connection is closed
 *
 * Stores are store1 to store3, 10.0.0.1:143 to 10.0.0.3:143.
 */
#ifndef SESSION_WORLD_H
#define SESSION_WORLD_H

#include "script.h"

#include "session/internal.h"

extern const struct script_world session_world;

struct session_env *session_world_env(struct script *s);

/* Parts of dialogues. Capabilities before anything was learnt, of a listener that takes logins. */
#define CAPS       "IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN AUTH=LOGIN"
#define GREETING   "c< * OK [CAPABILITY " CAPS "] mail.test sallyport ready.\n"
#define PLAIN      "listen plain\n" GREETING
#define STORE_CAPS "IMAP4rev1 SASL-IR AUTH=PLAIN"
/* alice is asked for and sent to store1, which greets. */
#define TO_STORE(user)                                                                             \
	"question " user "\nanswer store1\ndial store1\nconnect\n"                                 \
	"s< * OK [CAPABILITY " STORE_CAPS "] hi\n"
#define STORE_LOGIN(user, password) "s> $T AUTHENTICATE PLAIN $B{~0" user "~0" password "}\n"
#define LOGGED_IN                                                                                  \
	"s< $T OK [CAPABILITY IMAP4rev1 IDLE] Welcome.\n"                                          \
	"c< a OK [CAPABILITY IMAP4rev1 IDLE] Welcome.\n"
/* All of it, from connecting to the relay. */
#define RELAY                                                                                      \
	PLAIN "c> a LOGIN alice s3same\n" TO_STORE("alice") STORE_LOGIN("alice", "s3same") LOGGED_IN

#endif
