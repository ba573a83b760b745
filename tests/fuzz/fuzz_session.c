/*
 * tests/fuzz/fuzz_session.c - whole sessions: clients, stores, directory, clock, all driven by the input.
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c
 *
 * The first three bytes choose listener, TLS towards the store, and limits. Then each step is a byte for what, a byte for which or how much,
 * and for raw bytes these. Oracles, beyond crashes and asserts:
 *
 *   - before the relay no store gets what a client sends behind its login (commands with CANARY);
 *   - in the relay each side gets what the other sent, from the byte behind the login on, once, in order, and nothing else;
 *   - no password is in the log (names are: a client may send anything as one);
 *   - bytes that come one by one have the same effect as in one piece;
 *   - when both sides end and time passes, every session ends, and nothing of it is left.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/tls_ctx.h"
#include "session/internal.h"
#include "session/list.h"
#include "unit/fake_conn.h"
#include "unit/fake_loop.h"

#define CLIENTS 3
#define STORES  24
#define ASKED   64

static const char *const client_says[] = {
	"a LOGIN alice s3same\r\n",
	"a LOGIN \"al\\\"ice\" {6+}\r\ns3same\r\n",
	"b AUTHENTICATE PLAIN AGFsaWNlAHMzc2FtZQ==\r\n",
	"b AUTHENTICATE PLAIN\r\n",
	"AGFsaWNlAHMzc2FtZQ==\r\n",
	"c AUTHENTICATE LOGIN YWxpY2U=\r\nczNzYW1l\r\n",
	"d CAPABILITY\r\n",
	"e NOOP CANARY\r\n",
	"f SELECT CANARY\r\n",
	"g STARTTLS\r\n",
	"h LOGOUT\r\n",
	"i ID (\"name\" {3}\r\n",
	"abc \"x\")\r\n",
	"j APPEND x {6+}\r\nCANARY\r\n",
	"k LOGIN bob {6}\r\n",
	"*\r\n",
	"\r\n",
	"l XYZZY CANARY {7+}\r\n",
	"GET / HTTP/1.1\r\n",
	"\x16\x03\x01",
	"d CAPABILITY\r\na LOGIN alice s3same\r\nf SELECT CANARY\r\ne NOOP CANARY\r\n",
	"b AUTHENTICATE PLAIN\r\nAGFsaWNlAHMzc2FtZQ==\r\nf SELECT CANARY\r\n",
};
/* %T: the tag of our last command there. */
static const char *const store_says[] = {
	"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN STARTTLS] hi\r\n",
	"* OK hello\r\n",
	"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
	"* CAPABILITY IMAP4rev1 LITERAL- IDLE\r\n",
	"* PREAUTH hi\r\n",
	"* BYE no\r\n",
	"%T OK done\r\n",
	"%T OK [CAPABILITY IMAP4rev1 IDLE UNAUTHENTICATE] Welcome\r\n",
	"%T NO no\r\n",
	"%T NO [LIMIT] too many\r\n",
	"%T NO [REFERRAL imap://x/] there\r\n",
	"%T BAD what\r\n",
	"+ go on\r\n",
	"+\r\n",
	"* 3 EXISTS\r\n",
	"* ID (\"x\" {25}\r\n%T OK in\r\n)\r\n",
	"* OK [ALERT] full\r\n",
	"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] no\r\n",
	"* OK [CAPABILITY IMAP4rev1] LOGIN only\r\n",
	"a001 OK hi\r\n",
};

/* One side of a relay: what was sent to @to from its mark on is what @from sent from its own on. */
struct direction {
	struct fake_peer *from, *to;
	size_t sent_from, stream_from;
};

struct sent { /* all that a peer sent, ever */
	struct fake_peer *peer;
	struct buf bytes;
};

struct world {
	struct loop *loop;
	struct conn_env *conns;
	struct session_env *env;
	struct snapshot snapshot;
	struct listen listen;
	struct backend backends[2];
	struct sent sent[CLIENTS + STORES];
	unsigned n_sent;
	struct fake_peer *client; /* the present ones */
	struct fake_peer *store;
	unsigned clients;
	struct direction relays[2 * CLIENTS];
	unsigned n_relays;
	struct session_cursor cursor;
	uint64_t asked[ASKED];
	char users[ASKED][ROUTE_USER_MAX];
	unsigned n_asked, answered;
	bool no_directory, stopped;
	bool
	    lossy; /* a reset, or a peer that takes nothing: what is lost then depends on how it came */
	bool bytewise;
};

static int log_fd = -1;

/* --- what was sent */

static struct slice
stream_part(const struct buf *b, size_t from)
{
	size_t len = buf_len(b);

	return from < len ? (struct slice){ b->data + b->start + from, len - from }
			  : (struct slice){ NULL, 0 };
}

static size_t
stream_len(const struct fake_peer *p)
{
	return buf_len(&p->out) + buf_len(&p->pending);
}

static struct sent *
sent_of(struct world *w, struct fake_peer *p)
{
	for (unsigned i = 0; i < w->n_sent; i++)
		if (w->sent[i].peer == p)
			return &w->sent[i];
	if (w->n_sent == ARRAY_SIZE(w->sent))
		return NULL;
	struct sent *s = &w->sent[w->n_sent++];
	s->peer = p;
	buf_init(&s->bytes, 1 << 24, false);
	return s;
}

static void
settle(struct world *w)
{
	fake_loop_run_pending(w->loop);
}

static void
send_one(struct world *w, struct sent *s, const char *bytes, size_t len)
{
	if (!s->peer->conn || s->peer->ended || s->peer->reset)
		return;
	FUZZ_CHECK(buf_put(&s->bytes, bytes, len));
	fake_peer_send(s->peer, bytes, len);
	settle(w);
}

static void
send_all(struct world *w, struct fake_peer *p, const char *bytes, size_t len)
{
	struct sent *s = p ? sent_of(w, p) : NULL;

	if (!s || len == 0)
		return;
	for (size_t i = 0; i < len && w->bytewise; i++)
		send_one(w, s, bytes + i, 1);
	if (!w->bytewise)
		send_one(w, s, bytes, len);
}

/* --- oracles */

static bool
starts(struct slice whole, struct slice part)
{
	return part.len <= whole.len && (part.len == 0 || memcmp(whole.p, part.p, part.len) == 0);
}

static void
check_direction(struct world *w, const struct direction *d)
{
	struct slice sent = stream_part(&sent_of(w, d->from)->bytes, d->sent_from);
	struct slice out = stream_part(&d->to->out, d->stream_from);
	size_t skip =
	    d->stream_from > buf_len(&d->to->out) ? d->stream_from - buf_len(&d->to->out) : 0;
	struct slice pending = stream_part(&d->to->pending, skip);

	FUZZ_CHECK(starts(sent, out));
	if (pending.len > 0) /* what is lost with a connection is no more there */
		FUZZ_CHECK(starts((struct slice){ sent.p + out.len, sent.len - out.len }, pending));
}

/*
 * A command that stood behind a login: a line of its own. (A client may well have such words for its password; then they stand
 * within a command of ours.)
 */
static bool
has_canary(struct slice got)
{
	static const char *const lines[] = { "e NOOP CANARY", "f SELECT CANARY" };

	for (size_t k = 0; k < ARRAY_SIZE(lines); k++) {
		const char *at =
		    got.len ? memmem(got.p, got.len, lines[k], strlen(lines[k])) : NULL;

		if (at && (at == got.p || at[-1] == '\n'))
			return true;
	}
	return false;
}

static bool
relayed(const struct world *w, const struct fake_peer *store)
{
	for (unsigned i = 0; i < w->n_relays; i++)
		if (w->relays[i].to == store)
			return true;
	return false;
}

static void
check(struct world *w)
{
	for (unsigned i = 0; i < w->n_relays; i++)
		check_direction(w, &w->relays[i]);
	for (struct fake_peer *p = fake_conn_peers(w->conns); p; p = p->next) {
		struct slice got = buf_slice(&p->out);

		if (p->dialled && !relayed(w, p))
			FUZZ_CHECK(!has_canary(got));
	}
}

/* "s3same" and its base64 at each alignment, inverted: the fuzzer shall not learn them from comparisons. */
static const char *const secrets[] = { "\x8c\xcc\x8c\x9e\x92\x9a",
	"\x9c\x85\xb1\x85\xa6\xa8\xce\x93", "\xb2\x85\x9c\xcd\xb9\x8b\xa5",
	"\x85\xb2\xcc\xb1\x97\x9d\xa8" };

static bool
secret_at(const char *p, size_t len)
{
	for (size_t k = 0; k < ARRAY_SIZE(secrets); k++) {
		size_t m = 0;

		while (secrets[k][m] && m < len && (char)~secrets[k][m] == p[m])
			m++;
		if (!secrets[k][m])
			return true;
	}
	return false;
}

static bool
has_secret(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (secret_at(p + i, len - i))
			return true;
	return false;
}

static void
check_log(void)
{
	static char text[1 << 20];
	ssize_t n = pread(log_fd, text, sizeof(text), 0);
	size_t len = n > 0 ? (size_t)n : 0;

	for (size_t i = 0; i < len; i++) {
		if (i + 5 < len && memcmp(text + i, "user=", 5) == 0) /* up to the next key */
			for (i += 5; i + 9 < len && memcmp(text + i, " client=", 8) != 0 &&
				     memcmp(text + i, " backend=", 9) != 0;)
				i++;
		FUZZ_CHECK(!secret_at(text + i, len - i));
	}
}

/* --- the worker's side */

static bool
on_ask(void *ctx, const struct route_question *q)
{
	struct world *w = ctx;

	if (w->no_directory || w->n_asked == ASKED)
		return false;
	memcpy(w->users[w->n_asked], q->user, sizeof(w->users[0]));
	w->asked[w->n_asked++] = q->id;
	return true;
}

/* A relay has begun: what stood behind the login has just been sent, and nothing else may follow it. */
static void
on_opened(void *ctx, struct slice user, struct slice backend)
{
	struct world *w = ctx;
	struct session *s = list_entry(w->env->relays.prev, struct session, node);
	struct fake_peer *c = fake_conn_peer(s->client), *t = fake_conn_peer(s->store);

	(void)user;
	(void)backend;
	if (relayed(w, t) || w->n_relays + 2 > ARRAY_SIZE(w->relays))
		return; /* a report */
	size_t c_sent = buf_len(&sent_of(w, c)->bytes) - buf_len(&c->in);
	size_t t_sent = buf_len(&sent_of(w, t)->bytes) - buf_len(&t->in);
	/* nothing of what was behind the login was there before */
	struct slice before = stream_part(&t->out, 0);
	size_t mark = stream_len(t) - s->client_bytes;
	if (before.len > mark)
		before.len = mark;
	FUZZ_CHECK(!has_canary(before));
	w->relays[w->n_relays++] =
	    (struct direction){ c, t, c_sent - s->client_bytes, stream_len(t) - s->client_bytes };
	w->relays[w->n_relays++] =
	    (struct direction){ t, c, t_sent - s->store_bytes, stream_len(c) - s->store_bytes };
}

static void
on_closed(void *ctx, struct slice user, struct slice backend)
{
	(void)ctx;
	(void)user;
	(void)backend;
}

static void
on_empty(void *ctx)
{
	struct world *w = ctx;

	FUZZ_CHECK(w->stopped && session_count(w->env) == 0);
}

static void
on_outcome(void *ctx, const struct login_outcome *o)
{
	(void)ctx;
	FUZZ_CHECK(o->backend.len > 0 && !has_secret(o->reason.p, o->reason.len));
}

/* Traces show what the log does not, but no password. */
static void
on_trace(void *ctx, uint32_t id, uint64_t session, const char *who, const char *text)
{
	(void)ctx;
	(void)id;
	(void)session;
	FUZZ_CHECK(who[0] && !has_secret(text, strlen(text)));
}

static const struct session_hooks hooks = { .ask = on_ask,
	.opened = on_opened,
	.closed = on_closed,
	.outcome = on_outcome,
	.learnt = on_closed,
	.trace = on_trace,
	.empty = on_empty };

static void
new_client(struct world *w)
{
	struct conn *c;
	struct addr peer;

	if (w->clients == CLIENTS)
		return;
	w->clients++;
	c = fake_conn_new(w->conns);
	w->client = fake_conn_peer(c);
	(void)sent_of(w, w->client);
	FUZZ_CHECK(addr_parse_ip(&peer, SLICE("192.0.2.1"), 1));
	session_accept(w->env, &w->listen, &c, &peer, &peer);
}

static void
answer(struct world *w, uint8_t how)
{
	struct route_answer a = { .tls = -1, .verify = -1 };

	if (w->answered == w->n_asked)
		return;
	a.id = w->asked[w->answered];
	memcpy(a.user, w->users[w->answered], sizeof(a.user));
	memcpy(a.key, w->users[w->answered], sizeof(a.key));
	w->answered++;
	a.fail = how >= 240 ? (enum fail)(how % FAIL_COUNT) : FAIL_NONE;
	a.pinned = (how & 8) != 0;
	a.n_candidates = a.fail == FAIL_NONE ? (how & 3) : 0;
	for (unsigned i = 0; i < a.n_candidates; i++) {
		struct route_candidate *c = &a.candidates[i];

		if (i == 2)
			(void)str_fmt(c->host, sizeof(c->host), "other.test"),
			    a.tls = (int8_t)w->backends[0].tls;
		else
			(void)str_fmt(c->backend, sizeof(c->backend), "store%u", i + 1);
		c->port = 143;
		c->n_addrs = 1 + ((how >> 4) & 1);
		for (unsigned k = 0; k < c->n_addrs; k++)
			FUZZ_CHECK(addr_parse_ip(&c->addrs[k], SLICE("10.0.0.1"), 143));
	}
	session_answer(w->env, &a);
}

/* The newest dialled one that is open. */
static struct fake_peer *
newest_store(struct world *w)
{
	struct fake_peer *newest = NULL;

	for (struct fake_peer *p = fake_conn_peers(w->conns); p; p = p->next)
		if (p->dialled && p->conn)
			newest = p;
	return newest;
}

static void
store_talks(struct world *w, const char *text)
{
	struct slice got = w->store ? buf_slice(&w->store->out) : (struct slice){ NULL, 0 };
	char tag[18] = "x", line[300];
	size_t n = 0;

	for (size_t i = got.len; i >= 18; i--) /* the last line that begins with a tag of ours */
		if (got.p[i - 18] == 'S' && got.p[i - 1] == ' ' &&
		    (i == 18 || got.p[i - 19] == '\n')) {
			memcpy(tag, got.p + i - 18, 17);
			tag[17] = '\0';
			break;
		}
	for (const char *p = text; *p; p++)
		if (p[0] == '%' && p[1] == 'T') {
			memcpy(line + n, tag, strlen(tag));
			n += strlen(tag);
			p++;
		} else {
			line[n++] = *p;
		}
	send_all(w, w->store, line, n);
}

/* --- steps */

static void
peer_step(struct world *w, uint8_t how)
{
	struct fake_peer *p = how & 1 ? w->store : w->client;

	if (!p)
		return;
	switch ((how >> 1) & 7) {
	case 0:
		fake_peer_end(p);
		break;
	case 1:
		w->lossy = true;
		fake_peer_reset(p);
		break;
	case 2:
	case 3:
		w->lossy = true;
		fake_peer_takes(p, how >> 4);
		break;
	case 4:
		fake_peer_takes(p, SIZE_MAX);
		break;
	case 5:
		fake_peer_refuse(p);
		break;
	case 6:
		fake_peer_tls(p, how & 16);
		break;
	case 7:
		fake_conn_fail_dial(w->conns);
		break;
	}
}

static void
on_row(void *arg, const struct session_info *info)
{
	unsigned *rows = arg;

	FUZZ_CHECK(info->id != 0 && info->state[0] && info->age >= 0 && info->idle >= 0);
	++*rows;
}

/* What operators do: they learn, trace, kick, and walk over the sessions while these come and go. */
static void
look(struct world *w, uint8_t how)
{
	struct session_filter all = { .id = 0 }, alice = { .user = SLICE("alice") };
	unsigned rows = 0;
	uint64_t ended = 0;

	switch (how & 7) {
	case 0:
		session_learn(w->env, SLICE("store1"), SLICE("IMAP4rev1 IDLE LITERAL+"));
		break;
	case 1:
		(void)!session_trace_begin(w->env, how, SLICE("alice"));
		break;
	case 2:
		session_trace_end(w->env, how);
		break;
	case 3:
		session_walk_end(&w->cursor);
		session_walk_begin(w->env, &w->cursor);
		break;
	case 4:
	case 5:
		if (w->cursor.env)
			(void)session_walk(&w->cursor, &all, 1, on_row, &rows);
		break;
	case 6:
		if (w->cursor.env)
			(void)session_kick(&w->cursor, &alice, 1, &ended);
		break;
	case 7:
		session_trace_end_all(w->env);
		break;
	}
	FUZZ_CHECK(rows + ended <= 1);
}

static void
world_step(struct world *w, uint8_t how)
{
	switch (how & 7) {
	case 0:
	case 1:
		new_client(w);
		break;
	case 2:
		w->no_directory = true;
		session_directory_lost(w->env);
		break;
	case 3:
		w->no_directory = false;
		session_report(w->env);
		break;
	case 4:
		w->stopped = true;
		session_stop(w->env, how >> 3);
		break;
	case 5:
		w->snapshot.proxy.auth_failure_delay = how >> 6;
		w->snapshot.proxy.idle_timeout = (how & 32) ? 100 : 0;
		session_configure(w->env, &w->snapshot);
		break;
	case 6:
		look(w, how >> 3);
		break;
	case 7:
		for (struct fake_peer *p = fake_conn_peers(w->conns); p; p = p->next)
			if (!p->dialled && (!w->client->conn || p != w->client))
				w->client = p;
		break;
	}
}

static size_t
one_step(struct world *w, const uint8_t *data, size_t size)
{
	size_t n = 0;

	switch (data[0] & 7) {
	case 0: /* raw bytes of the client, of the store */
	case 1:
		n = data[1] < size - 2 ? data[1] : size - 2;
		if (has_secret((const char *)data + 2, n))
			break; /* a password is one where the client says so, above */
		send_all(w, data[0] & 1 ? w->store : w->client, (const char *)data + 2, n);
		break;
	case 2:
		send_all(w, w->client, client_says[data[1] % ARRAY_SIZE(client_says)],
		    strlen(client_says[data[1] % ARRAY_SIZE(client_says)]));
		break;
	case 3:
		store_talks(w, store_says[data[1] % ARRAY_SIZE(store_says)]);
		break;
	case 4:
		answer(w, data[1]);
		break;
	case 5: /* what most often comes next: the store that was dialled is there */
		if (data[1] & 128) {
			fake_loop_advance(w->loop, (data[1] & 127) * 0.7);
			break;
		}
		w->store = newest_store(w);
		if (w->store && sent_of(w, w->store)) {
			fake_peer_connect(w->store);
			fake_peer_tls(w->store, true);
		}
		break;
	case 6:
		peer_step(w, data[1]);
		break;
	case 7:
		world_step(w, data[1]);
		break;
	}
	settle(w);
	check(w);
	return n + 2;
}

/* --- a run */

static void
begin(struct world *w, const uint8_t *data)
{
	struct tls_client_params params = { .min = TLS_1_2 };
	bool small = data[2] & 1;
	struct err err;

	w->loop = loop_new();
	w->conns = conn_env_new(w->loop);
	FUZZ_CHECK(w->loop && w->conns);
	w->listen = (struct listen){ .name = "imap",
		.tls = (enum tls_mode)(data[0] % 3),
		.plaintext_login = (data[0] & 4) == 0 };
	for (unsigned i = 0; i < 2; i++)
		w->backends[i] = (struct backend){ .name = i ? "store2" : "store1",
			.host = "store.test",
			.port = 143,
			.tls = (enum tls_mode)(data[1] % 3),
			.client = tls_client_new(&params, &err),
			.connect_timeout = 5,
			.reply_timeout = 30,
			.index = i };
	w->snapshot = (struct snapshot){ .refs = 1000,
		.proxy = { .hostname = "h",
		    .login_timeout = 60,
		    .auth_failure_delay = 2,
		    .max_sessions = data[2] & 2 ? 2 : 100,
		    .max_line = small ? 100 : 8192,
		    .max_auth_line = small ? 130 : 65536,
		    .max_literal = small ? 20 : 4096,
		    .max_command = small ? 200 : 65536,
		    .max_bad_commands = 4,
		    .max_failed_logins = 3 },
		.targets = { tls_client_new(&params, &err), tls_client_new(&params, &err) },
		.listens = &w->listen,
		.n_listens = 1,
		.tls = tls_server_new(NULL, &err),
		.backends = w->backends,
		.n_backends = 2 };
	w->env = session_env_new(w->loop, w->conns, &hooks, w, 1);
	FUZZ_CHECK(w->env);
	session_configure(w->env, &w->snapshot);
	new_client(w);
	settle(w);
}

/* What was sent and not lost arrives; then both sides end, and time passes. */
static void
finish(struct world *w)
{
	for (struct fake_peer *p = fake_conn_peers(w->conns); p; p = p->next)
		fake_peer_takes(p, SIZE_MAX);
	settle(w);
	check(w);
	for (unsigned i = 0; i < w->n_relays; i++) {
		const struct direction *d = &w->relays[i];

		if (d->from->conn && d->to->conn)
			FUZZ_CHECK(stream_part(&sent_of(w, d->from)->bytes, d->sent_from).len ==
				   stream_part(&d->to->out, d->stream_from).len);
	}
	for (struct fake_peer *p = fake_conn_peers(w->conns); p; p = p->next)
		fake_peer_end(p);
	settle(w);
	fake_loop_advance(w->loop, 1000);
	settle(w);
	check(w);
	FUZZ_CHECK(session_count(w->env) == 0);
	FUZZ_CHECK(conn_env_open(w->conns) == 0);
	FUZZ_CHECK(mem_pool_used(w->env->sessions) == 0 && mem_pool_used(w->env->login_pool) == 0);
	FUZZ_CHECK(mem_pool_used(w->env->upstreams.pool) == 0);
}

static void
end(struct world *w)
{
	session_walk_end(&w->cursor);
	session_trace_end_all(w->env);
	session_env_free(&w->env);
	FUZZ_CHECK(w->snapshot.refs == 1000);
	settle(w);
	FUZZ_CHECK(fake_loop_timers(w->loop) == 0);
	for (unsigned i = 0; i < w->n_sent; i++)
		buf_free(&w->sent[i].bytes);
	for (unsigned i = 0; i < 2; i++) {
		tls_client_unref(&w->backends[i].client);
		tls_client_unref(&w->snapshot.targets[i]);
	}
	tls_server_unref(&w->snapshot.tls);
	conn_env_free(&w->conns);
	loop_free(&w->loop);
}

/* What the clients got, as far as it can be compared: our tags differ in each run, but not their lengths. */
struct result {
	size_t got[CLIENTS];
	unsigned clients;
	bool lossy;
};

/* FUZZ_SHOW=1 with a crash: who got what. */
static void
show(const struct fake_peer *p)
{
	char text[16384];

	if (getenv("FUZZ_SHOW"))
		fprintf(stderr, "%s got: %s\n", p->dialled ? "store" : "client",
		    str_printable(text, sizeof(text), buf_slice(&p->out)));
}

static struct result
run(const uint8_t *data, size_t size, bool bytewise)
{
	static struct world w;
	struct result r = { .clients = 0 };

	memset(&w, 0, sizeof(w));
	w.bytewise = bytewise;
	FUZZ_CHECK(ftruncate(log_fd, 0) == 0 && lseek(log_fd, 0, SEEK_SET) == 0);
	begin(&w, data);
	for (size_t at = 3; at + 2 <= size;)
		at += one_step(&w, data + at, size - at);
	finish(&w);
	for (struct fake_peer *p = fake_conn_peers(w.conns); p; p = p->next) {
		show(p);
		if (!p->dialled && r.clients < CLIENTS)
			r.got[r.clients++] = buf_len(&p->out);
	}
	r.lossy = w.lossy;
	end(&w);
	check_log();
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (log_fd < 0) {
		log_fd = memfd_create("log", MFD_CLOEXEC);
		FUZZ_CHECK(log_fd >= 0);
		log_setup(log_fd, LOG_DEBUG, LOG_LOGFMT, "fuzz");
	}
	if (size < 3 || size > 4096)
		return 0;
	struct result whole = run(data, size, false);
	struct result bytes = run(data, size, true);
	/* Where TLS begins within a stream it matters what had come before. */
	bool comparable =
	    data[0] % 3 != TLS_MODE_STARTTLS && data[1] % 3 != TLS_MODE_STARTTLS && !whole.lossy;
	FUZZ_CHECK(whole.clients == bytes.clients);
	for (unsigned i = 0; i < whole.clients && comparable; i++)
		FUZZ_CHECK(whole.got[i] == bytes.got[i]);
	return 0;
}
