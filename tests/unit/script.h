/*
 * tests/unit/script.h - dialogues as text, played over fake_conn and fake_loop.
 *
 *      c> a NOOP               the client sends (consecutive lines are one chunk)
 *      c< a OK NOOP completed. the client has got exactly this
 *      s> $T LOGIN "a" "b"     the store has got
 *      s< $T OK                the store sends
 *
 * Arrows point from client (left) to store (right). CRLF is added. In the text: ~0 NUL, ~r, ~n, ~| CRLF, ~_ space,
 * ~xHH, ~~, and ~. at the end: no CRLF; $T our tag at the store (taken from the first s> after the last one, then the same),
 * $B{text} in base64, $R{n,text} n times. Before each input and at the end nothing that was sent to a peer may be left over.
 *
 *      wait 2.5                      time passes
 *      dial store2 [from 10.9.0.1]   a connection was begun (10.0.0.2:143; store2.1: its second address 10.0.1.2); it is the store now
 *      nodial                        none was begun that no step has named
 *      connect | refuse              it comes to something
 *      tls client|store ok|fail      a handshake was begun, and ends
 *      end client|store, reset …     a peer's side ends
 *      takes client|store N|all      it takes so many bytes more
 *      fin client|store              the proxy has ended its side, the peer has got all
 *      nofin …                       it has not
 *      closed client|store [how]     the proxy has closed: close, linger
 *      open client|store             it has not
 *      log a=b c="d e"               a line with these was logged, after the last one found so; nolog …: never so far
 *      client N                      the next steps are of client N, its store with it
 *
 * All other words belong to the world that plays the script (struct script_world). Each script is played whole, then
 * byte by byte, then with each input chunk cut in two at every point; `nosplit` as a step of its own: only whole.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "fake_conn.h"
#include "fake_loop.h"

#define SCRIPT_CLIENTS 64
#define SCRIPT_GROUPS  64

struct script {
	struct loop *loop;
	struct conn_env *conns;
	struct fake_peer *client, *store; /* the present ones; NULL: none */
	struct fake_peer *clients[SCRIPT_CLIENTS], *stores[SCRIPT_CLIENTS];
	unsigned who; /* index of the present one */
	void *world;

	/* the engine's */
	const struct script_world *ops;
	char tag[32];
	struct fake_peer *tag_of; /* the tag is of this store's present command */
	int log_fd;
	size_t log_seen;
	bool bytes; /* how input is cut */
	int cut_group;
	size_t cut_at;
	int group;
	size_t group_len[SCRIPT_GROUPS];
	bool nosplit;
	bool failed;
	char why[2048];
};

struct script_world {
	bool (*open)(
	    struct script *s); /* loop and conns are there; false: script_fail() was called */
	struct fake_peer *(*accept)(struct script *s); /* `client N` is new; NULL: there are none */
	/* A step. False: no such word. What is wrong is told to script_fail(). */
	bool (*step)(struct script *s, struct slice word, struct slice rest);
	void (*settle)(struct script *s); /* the script is over, before close; NULL: nothing */
	void (*close)(struct script *s);
};

/* NULL: as the script says; else why not (static). */
const char *script_play(const struct script_world *ops, const char *text);

/* Playing once, without an end: for tests that look inside. Steps may be added with script_run(). */
struct script *script_begin(const struct script_world *ops);
const char *script_run(struct script *s, const char *text); /* NULL: fine */
const char *script_finish(struct script **s);

void script_client(struct script *s, struct fake_peer *p); /* is the present one from now on */
void script_fail(struct script *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool script_expand(
    struct script *s, struct slice text, bool line_end, struct buf *out); /* put behind */
/* The log so far, NUL-terminated; free() it. */
char *script_log(struct script *s);

/* TEST() over a whole script: include test.h and name a struct script_world `script_ops`. */
#define SCRIPT(name, text)                                                                         \
	TEST(name)                                                                                 \
	{                                                                                          \
		const char *why = script_play(&script_ops, text);                                  \
		if (why)                                                                           \
			FAIL("%s", why);                                                           \
	}

#endif
