/*
 * tests/unit/fake_conn.h - io/conn.h in memory: a stream whose far end is in the test's hands. Named in the
 * `links:` comment of a test it takes the place of io/conn.c and io/tls_conn.c.
 *
 * Each conn has a struct fake_peer, its far end, which lives as long as the env: what happened to the conn can
 * be read from it after the owner has closed. Events are told from the loop, a turn later, and as long as there is
 * something to read and the owner wants it, as with sockets. TLS is a handshake that the test decides, and no bytes.
 * What the header forbids (TLS over buffered bytes, say) aborts.
 */
#ifndef FAKE_CONN_H
#define FAKE_CONN_H

#include "base/buf.h"
#include "io/conn.h"

struct fake_peer {
	struct fake_peer *next; /* of all of the env, in order of birth */
	struct conn *conn;      /* NULL: the owner has closed */
	bool dialled;
	struct addr to, source; /* of a dialled one; a source that is not set: none */

	struct buf in;      /* sent by the peer, not yet read; wiped when read */
	struct buf out;     /* what the peer got; the test consumes it */
	struct buf pending; /* what it has not taken */
	size_t takes;       /* bytes that it will take yet; SIZE_MAX: whatever comes */
	bool ended;         /* the peer's side has ended */
	bool reset;         /* by the peer */
	bool got_fin;       /* the owner's side has ended, and the peer has got all before that */
	bool closed;        /* by the owner, and in which way */
	enum conn_close_how how;

	bool tls;             /* a handshake was begun */
	bool tls_up;          /* and is done */
	char tls_name[256];   /* the name expected */
	const void *tls_with; /* the context */
};

/* A connection that somebody else has begun. Up. */
struct conn *fake_conn_new(struct conn_env *env) MUST_CHECK;

struct fake_peer *fake_conn_peer(struct conn *c);
struct fake_peer *fake_conn_peers(struct conn_env *env); /* the first */
struct conn_env *fake_conn_env(void); /* the one that was made last, when its owner hides it */

/* The next conn_dial() fails at once. */
void fake_conn_fail_dial(struct conn_env *env);

/* What a dialled one comes to; and a handshake. */
void fake_peer_connect(struct fake_peer *p);
void fake_peer_refuse(struct fake_peer *p);
void fake_peer_tls(struct fake_peer *p, bool good);

void fake_peer_send(struct fake_peer *p, const void *bytes, size_t len);
void fake_peer_end(struct fake_peer *p);   /* behind what it has sent */
void fake_peer_reset(struct fake_peer *p); /* what it sent and was not read is lost */

/* How many bytes more it takes: 0 blocks, SIZE_MAX unblocks; what waits goes as far as that. */
void fake_peer_takes(struct fake_peer *p, size_t n);

#endif
