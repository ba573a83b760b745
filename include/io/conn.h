/*
 * io/conn.h - one byte stream to a peer, whatever carries it: plain TCP, TLS, memory in tests.
 *
 * The owner reads when it is told that there may be something, writes whenever it likes, and stops reading the
 * other side while conn_pending() is not 0. Which readiness the socket is watched for follows from what the owner wants
 * (conn_want_read) and from what waits inside; nobody switches watchers by hand.
 *
 *      conn_read  <- [whole records not yet read, or part of one] <- socket       (TLS only)
 *      conn_write -> [spill: what the socket did not take]        -> socket
 *
 * An idle connection holds no buffer. All that is common to the loop's connections (scratch buffers) belongs to
 * struct conn_env, one a loop.
 */
#ifndef IO_CONN_H
#define IO_CONN_H

#include <stdbool.h>
#include <sys/uio.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

struct conn;
struct conn_env;
struct tls_server;
struct tls_client;

enum conn_event {
	CONN_UP = 1,  /* conn_establish() is worth calling */
	CONN_IN = 2,  /* conn_read() is worth calling */
	CONN_OUT = 4, /* conn_pending() has become 0 (after conn_establish() has said 1) */
};

/*
 * @events: a set of enum conn_event. It may close @c (conn_close) and return. A connection that breaks while it sends what
 * was kept says CONN_IN and CONN_OUT whatever the owner wants: conn_read() then gives what is still there, and the reason.
 */
typedef void conn_fn(struct conn *c, int events, void *arg);

/* What conn_write() may be given at once, and so the bound of a spill (TLS adds its framing). */
#define CONN_WRITE_MAX ((size_t)65536)

struct conn_env *conn_env_new(struct loop *loop) MUST_CHECK;
void conn_env_free(
    struct conn_env **env); /* all connections must be closed, lingering ones are cut */
unsigned conn_env_open(const struct conn_env *env); /* connections open, lingering ones included */

/* Takes over a connected socket (closed on failure too). NULL when out of memory. */
struct conn *conn_new(struct conn_env *env, int fd) MUST_CHECK;

/*
 * Begins to connect to @to, from @source when not NULL. Up once conn_establish() says 1. NULL and a reason on failure at once.
 */
struct conn *conn_dial(struct conn_env *env, const struct addr *to, const struct addr *source,
    struct err *err) MUST_CHECK;

/* Who is told; NULL: nobody (what happens is then kept until somebody is). */
void conn_set_handler(struct conn *c, conn_fn *fn, void *arg);

/*
 * Drives connecting and the TLS handshake: 1: up, 0: not yet (CONN_UP will come), -1: failed, with the reason.
 */
int conn_establish(struct conn *c, struct err *err) MUST_CHECK;

/*
 * Makes TLS of it from the next byte on. Only when established, with nothing pending and nothing buffered; then
 * conn_establish() drives the handshake. The contexts are counted: the connection holds a reference.
 * @name: the host name expected (SNI and verification); may be NULL for none.
 * 1, or -1 and a reason (out of memory).
 */
int conn_start_tls_server(struct conn *c, struct tls_server *tls, struct err *err) MUST_CHECK;
int conn_start_tls_client(
    struct conn *c, struct tls_client *tls, const char *name, struct err *err) MUST_CHECK;

/*
 * Reads up to @size bytes. 1: *len_r bytes (0: the peer has ended its side in order; for TLS close_notify or, noted in conn_facts, a bare
 * FIN); 0: nothing now; -1: failed, with the reason. With TLS there may be more inside: read until 0, or conn_kick().
 */
int conn_read(struct conn *c, void *p, size_t size, size_t *len_r, struct err *err) MUST_CHECK;

/*
 * Writes all of @n parts, at most CONN_WRITE_MAX bytes in sum: what the socket does not take is kept and sent later
 * (CONN_OUT). Only while conn_pending() is 0, except for small messages before the relay: in all never more than the bound,
 * beyond it the call fails. 1, or -1: the connection is broken, with the reason.
 */
int conn_write(struct conn *c, const struct iovec *parts, int n, struct err *err) MUST_CHECK;
int conn_write_slice(struct conn *c, struct slice s, struct err *err) MUST_CHECK;

/* Bytes kept that the socket has not taken. Connecting and handshaking count as at least 1. */
size_t conn_pending(const struct conn *c);

/* Whether the owner wants CONN_IN. Off at first. Switching it on tells at once (next turn) if something is inside already. */
void conn_want_read(struct conn *c, bool want);

/* Whether plaintext-side input is buffered inside or, for a plain socket, waiting: asked right before STARTTLS. */
bool conn_has_input(struct conn *c);

/* Whether conn_read() would give something without asking the socket: worth knowing before one more call of it. */
bool conn_more(const struct conn *c);

/* For an owner that stops before conn_read() says 0 (its budget is used up): CONN_IN comes again next turn. */
void conn_kick(struct conn *c);

/* Ends our side after what is pending: close_notify where TLS, and FIN. The other direction goes on. */
void conn_shutdown(struct conn *c);

enum conn_close_how {
	CONN_CLOSE, /* close_notify and FIN; what is pending is lost when the socket does not take it now */
	CONN_LINGER, /* what is pending goes out, then FIN, then input is drained for a bounded while, so that a last message arrives */
	CONN_ABORT,  /* reset: the peer must not take it for an ordered end */
};

/* Closes and frees; *c becomes NULL. Safe inside the handler. NULL is fine. */
void conn_close(struct conn **c, enum conn_close_how how);

/* What is known of it, for logs. Pointers are valid until the connection is closed. */
struct conn_facts {
	bool tls;
	bool resumed;
	bool truncated;               /* the peer ended without close_notify */
	const char *version;          /* "TLSv1.3"; NULL without TLS */
	const char *cipher;           /* "TLS_AES_128_GCM_SHA256" */
	const char *sni;              /* server name the peer asked for; NULL: none */
	uint64_t bytes_in, bytes_out; /* payload, TLS off */
};
void conn_facts(const struct conn *c, struct conn_facts *facts_r);

#endif
