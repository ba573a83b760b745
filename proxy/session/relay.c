/*
 * session/relay.c - after the login: bytes from one leg to the other, both ways, unread.
 *
 *      client --conn_read--> scratch --conn_write--> store        and the same the other way
 *
 * An idle relay owns no buffer. A leg is read only while the other has nothing pending: what that one's socket did not take
 * is the only thing kept (by conn, bounded by CONN_WRITE_MAX), and it is timed. An end of one side is passed on behind
 * the last byte, and the other direction goes on.
 *
 * Which legs are read follows from pending and from who has ended (rearm); nothing else switches it.
 */
#include "session/internal.h"

#include "base/stat.h"

/* Reads in one wakeup: one bulk transfer does not starve the others. */
#define BUDGET 4

struct leg {
	struct conn *from, *to;
	bool *eof;
	uint64_t *bytes;
	enum stat_id stat;
	enum close_reason closed, read_error, write_error;
};

static struct leg
leg_from(struct session *s, const struct conn *c)
{
	if (c == s->client)
		return (struct leg){ s->client, s->store, &s->client_eof, &s->client_bytes,
			STAT_BYTES_FROM_CLIENTS, CLOSE_CLIENT_CLOSED, CLOSE_CLIENT_ERROR,
			CLOSE_STORE_ERROR };
	return (struct leg){ s->store, s->client, &s->store_eof, &s->store_bytes,
		STAT_BYTES_FROM_STORES, CLOSE_STORE_CLOSED, CLOSE_STORE_ERROR, CLOSE_CLIENT_ERROR };
}

static void
want(struct conn *c, bool *now, bool wanted)
{
	if (*now != wanted)
		conn_want_read(c, wanted);
	*now = wanted;
}

static void
rearm(struct session *s)
{
	struct session_env *env = s->env;
	size_t to_client = conn_pending(s->client), to_store = conn_pending(s->store);
	want(s->client, &s->client_reads, !s->client_eof && to_store == 0);
	want(s->store, &s->store_reads, !s->store_eof && to_client == 0);

	/* One deadline at a time: what waits to be taken, else a half-closed end, else idleness. */
	if (to_client + to_store > 0) {
		if (s->stalled_at != to_client + to_store) { /* it moves */
			s->stalled_at = to_client + to_store;
			deadline_set(&env->stalls, &s->deadline);
		}
		return;
	}
	s->stalled_at = 0;
	if (s->client_eof || s->store_eof)
		deadline_set(&env->half_closed, &s->deadline);
	else if (env->idles.seconds > 0)
		deadline_set(&env->idles, &s->deadline);
	else
		deadline_clear(&s->deadline);
}

static void
pump(struct session *s, struct conn *from)
{
	struct leg leg = leg_from(s, from);
	struct err err;
	for (unsigned i = 0; i < BUDGET && !*leg.eof && conn_pending(leg.to) == 0; i++) {
		size_t n;
		int r = conn_read(leg.from, s->env->scratch, CONN_WRITE_MAX, &n, &err);
		if (r == 0)
			return;
		if (r < 0) {
			session_close(s, leg.read_error);
			return;
		}
		if (n == 0) {
			*leg.eof = true;
			if (!s->reason_set) {
				s->reason = leg.closed;
				s->reason_set = true;
			}
			conn_shutdown(leg.to);
			return;
		}
		*leg.bytes += n;
		s->moved = loop_now(s->env->loop);
		stat_add(leg.stat, n);
		if (conn_write_slice(leg.to, (struct slice){ s->env->scratch, n }, &err) != 1) {
			session_close(s, leg.write_error);
			return;
		}
	}
	if (!*leg.eof && conn_pending(leg.to) == 0)
		conn_kick(leg.from); /* the budget is used up, not the bytes */
}

static void
relay_event(struct conn *c, int events, void *arg)
{
	struct session *s = arg;
	ASSERT(s->magic == SESSION_MAGIC);
	if (s->state != SESSION_RELAY)
		return;
	if (events & CONN_IN)
		pump(s, c);
	if (s->state != SESSION_RELAY)
		return;
	if (s->client_eof && s->store_eof && conn_pending(s->client) == 0 &&
	    conn_pending(s->store) == 0) {
		session_close(s, s->reason);
		return;
	}
	rearm(s);
	session_check(s);
}

void
relay_begin(struct session *s)
{
	s->client_reads = s->store_reads = false;
	conn_want_read(s->client, false);
	conn_set_handler(s->client, relay_event, s);
	conn_set_handler(s->store, relay_event, s);
	rearm(s);
	session_check(s);
}

void
relay_expired(struct deadline *d, void *arg)
{
	(void)arg;
	session_close(container_of(d, struct session, deadline), CLOSE_IDLE);
}

void
relay_stalled(struct deadline *d, void *arg)
{
	struct session_env *env = arg;
	struct session *s = container_of(d, struct session, deadline);
	size_t to_client = conn_pending(s->client), to_store = conn_pending(s->store);
	if (to_client + to_store > 0 && to_client + to_store != s->stalled_at) {
		s->stalled_at = to_client + to_store;
		deadline_set(&env->stalls, &s->deadline);
		return;
	}
	session_close(s, to_client > 0 ? CLOSE_STALLED_CLIENT : CLOSE_STALLED_STORE);
}

void
relay_half_closed(struct deadline *d, void *arg)
{
	struct session *s = container_of(d, struct session, deadline);
	(void)arg;
	session_close(s, CLOSE_HALF_CLOSED);
}
