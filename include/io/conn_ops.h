/*
 * io/conn_ops.h - what is behind a conn: the part that differs from one carrier to the next, and the struct.
 *
 * For files of io/ and for the memory connection of tests, nobody else. conn.c has the watcher, the spill and the
 * closing, the same for all carriers with a socket; an ops table has the bytes: plain (conn_plain.c), libssl (tls_conn.c), later
 * our record layer and kernel TLS, which replace libssl's on the same conn by a change of `ops` and `carrier`.
 * A carrier without a socket (fd -1) does all in its ops and tells its owner through conn_wake().
 */
#ifndef IO_CONN_OPS_H
#define IO_CONN_OPS_H

#include <errno.h>

#include "io/conn.h"

enum conn_state {
	CONN_CONNECTING, /* conn_dial() */
	CONN_SHAKING,    /* TLS handshake */
	CONN_OPEN,
	CONN_DEAD, /* closed, freed at the end of the turn */
};

/* Bytes that wait. Allocated when there are some, freed when there are none. */
struct conn_chunk {
	uint32_t start, end, cap;
	char data[];
};

/* Those marked with * may be NULL. None is called on a dead conn, none may free the conn. */
struct conn_ops {
	/* The handshake, in CONN_SHAKING only: 1: done; 0: not yet; -1: failed. * */
	int (*establish)(struct conn *c, struct err *err);
	/* As conn_read(); sets c->eof. */
	int (*read)(struct conn *c, void *p, size_t size, size_t *len_r, struct err *err);
	/* As conn_write(); @len is the sum of the parts. Bounds have been checked. */
	int (*write)(struct conn *c, const struct iovec *parts, int n, size_t len, struct err *err);
	/* Whether read() would give something without asking the socket. * */
	bool (*more)(const struct conn *c);
	/* Without a socket: conn_has_input(). * */
	bool (*has_input)(struct conn *c);
	/* Ends our direction in the carrier's own way, before the FIN (close_notify). * */
	void (*goodbye)(struct conn *c);
	/* Fills what concerns the carrier. * */
	void (*facts)(const struct conn *c, struct conn_facts *facts_r);
	/* Frees c->carrier; the last call. Without a socket it is the close itself. * */
	void (*release)(struct conn *c, enum conn_close_how how);
};

struct conn {
	const struct conn_ops *ops;
	struct conn_env *env;
	conn_fn *fn; /* NULL: nobody is told */
	void *arg;
	struct loop_io io;
	struct list node;         /* on env's list of those to be woken, or of the dead */
	void *carrier;            /* the ops' own: TLS state, memory */
	struct conn_chunk *spill; /* what the socket did not take (ciphertext, where TLS) */
	struct conn_chunk
	    *raw; /* records read from the socket and not yet opened, or part of one */
	uint64_t bytes_in, bytes_out;
	int fd; /* -1: no socket */
	enum conn_state state;
	uint8_t wake; /* set of enum conn_event to be told next turn, or once there is a handler */
	uint8_t read_error;  /* errno values; 0: none */
	uint8_t write_error; /* sending is over: reset, out of memory */
	bool want_read : 1;
	bool eof : 1;       /* the peer's direction has ended */
	bool eof_told : 1;  /* and conn_read() has said so */
	bool truncated : 1; /* it ended without close_notify */
	bool shut : 1;      /* conn_shutdown() was called */
	bool fin_sent : 1;
	bool failed : 1; /* the owner has been told and should close: nothing wakes it any more */
};

/* A TLS record at its longest: header, 2^14 bytes, and what RFC 5246 section 6.2.3 allows ciphertext to be longer. */
#define CONN_RECORD_MAX ((size_t)5 + 16384 + 2048)

/* Room of the scratch buffers: input (a record's part and a good read), output (CONN_WRITE_MAX and its framing). */
#define CONN_RAW_SIZE  ((size_t)65536 + CONN_RECORD_MAX)
#define CONN_SEAL_SIZE (CONN_WRITE_MAX + 4096)
/* The most that ever waits: beyond it the connection is broken (a peer that makes us answer and does not read). */
#define CONN_SPILL_MAX ((size_t)256 * 1024)

/* One a loop. The scratch buffers are valid within one call into an op. */
struct conn_env {
	struct loop *loop;
	struct mem_pool *pool;
	struct loop_task task;
	struct list woken, dead;
	struct linger_list *lingers;
	unsigned open; /* without lingering ones */
	char *raw;     /* CONN_RAW_SIZE */
	char *seal;    /* CONN_SEAL_SIZE */
	char *gather;  /* 16 KiB: small parts become one record */
	/* What libssl is fed from, and what it wrote, during one call (tls_bio.c). */
	struct {
		char *p;
		size_t start, end, limit;
		bool wrong_header; /* no more than the header of a record that is none */
	} in;
	size_t sealed;
};

/* A conn without a socket yet, state OPEN, one more open. NULL when out of memory. */
struct conn *conn_alloc(struct conn_env *env, const struct conn_ops *ops) MUST_CHECK;

/* Tells the owner of @events next turn. */
void conn_wake(struct conn *c, int events);

/* Calls the handler, or keeps @events until there is one. It may close @c. */
void conn_tell(struct conn *c, int events);

/* Frees it at the end of the turn. */
void conn_bury(struct conn *c);

/* The carrier of every conn at first: the bare socket (conn_plain.c). */
extern const struct conn_ops conn_plain_ops;

/* Sets the watcher to what state, owner and spill make it. Called after any change of these. */
void conn_rearm(struct conn *c);

/*
 * Sends @len bytes, or keeps what the socket does not take. A failure is in c->write_error afterwards, and
 * what waited is dropped. False when there is one.
 */
bool conn_push(struct conn *c, const char *p, size_t len);

/* The same without trying the socket. */
void conn_keep(struct conn *c, const char *p, size_t len);

/* Sending is over, for errno value @error. */
void conn_broken(struct conn *c, int error);

/* Appends to *@k, allocating it. False when out of memory; nothing is appended then. */
bool conn_chunk_append(struct conn_chunk **k, const char *p, size_t len) MUST_CHECK;
void conn_chunk_free(struct conn_chunk **k);
static inline size_t
conn_chunk_len(const struct conn_chunk *k)
{
	return k ? k->end - k->start : 0;
}

/* Of errno: nothing is wrong, only not now. */
static inline bool
conn_would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* --- io/linger.c: closing so that a last message arrives */

struct linger_list;

struct linger_list *linger_list_new(struct conn_env *env) MUST_CHECK;
void linger_list_free(struct linger_list **l); /* cuts those that linger */
unsigned linger_count(const struct linger_list *l);

/*
 * Takes over @fd and *@spill: sends it, then FIN (unless @fin_sent), reads until the peer's end or a bound, closes. Closes at
 * once when too many linger or memory is out.
 */
void linger_add(struct linger_list *l, int fd, struct conn_chunk **spill, bool fin_sent);

#endif
