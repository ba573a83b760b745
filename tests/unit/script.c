/*
 * tests/unit/script.c - plays the dialogues of script.h. Knows connections, time and the log; what a session or an
 * upstream is, the world above knows.
 */
#include "script.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

/* What passwords in scripts are: never in the log, as it is or in base64. */
#define MARKER "s3same"

void
script_fail(struct script *s, const char *fmt, ...)
{
	va_list ap;

	if (s->failed)
		return;
	s->failed = true;
	va_start(ap, fmt);
	(void)vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
}

/* --- the log */

char *
script_log(struct script *s)
{
	off_t size = lseek(s->log_fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	if (text && pread(s->log_fd, text, (size_t)size, 0) != (ssize_t)size)
		text[0] = '\0';
	return text;
}

/* The next `key=value` of *@text, quotes and all. */
static struct slice
pair(struct slice *text)
{
	size_t n = 0;
	bool quoted = false;

	while (text->len > 0 && text->p[0] == ' ')
		*text = (struct slice){ text->p + 1, text->len - 1 };
	while (n < text->len && (quoted || text->p[n] != ' '))
		quoted ^= text->p[n++] == '"';
	struct slice word = { text->p, n };
	*text = (struct slice){ text->p + n, text->len - n };
	return word;
}

static bool
line_has(struct slice line, struct slice wanted)
{
	for (struct slice w; (w = pair(&wanted)).len > 0;) {
		struct slice rest = line, have;

		do
			have = pair(&rest);
		while (have.len > 0 && !slice_eq(have, w));
		if (have.len == 0)
			return false;
	}
	return true;
}

static void
step_log(struct script *s, struct slice wanted, bool never)
{
	char *text = script_log(s);
	size_t at = never ? 0 : s->log_seen;
	struct slice rest = slice_of(text + at), line;

	while (slice_cut(&rest, '\n', &line)) {
		if (!line_has(line, wanted))
			continue;
		if (never)
			script_fail(s, "logged: " SLICE_FMT, SLICE_ARG(line));
		s->log_seen = (size_t)(line.p + line.len - text) + 1;
		free(text);
		return;
	}
	if (!never)
		script_fail(s, "not in the log: " SLICE_FMT "; it has: %s", SLICE_ARG(wanted),
		    text + s->log_seen);
	free(text);
}

static void
no_secrets(struct script *s)
{
	/* And in base64, at each of its three alignments, without what depends on neighbours. */
	static const char *const forms[] = { MARKER, "czNzYW1l", "Mzc2FtZ", "zM3NhbW" };
	char *text = script_log(s);

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (strstr(text, forms[i]))
			script_fail(s, "a password is in the log: %s", text);
	free(text);
}

/* --- steps */

static const char *
printable(struct slice s)
{
	static char text[2][700];
	static unsigned turn;

	return str_printable(text[++turn % 2], sizeof(text[0]), s);
}

static void
turn(struct script *s)
{
	fake_loop_run_pending(s->loop);
}

static void
nothing_left(struct script *s)
{
	for (struct fake_peer *p = fake_conn_peers(s->conns); p && !s->failed; p = p->next)
		if (buf_len(&p->out) > 0)
			script_fail(s, "%s was sent, and nobody said so: \"%s\"",
			    p->dialled ? "to a store" : "to a client",
			    printable(buf_slice(&p->out)));
}

/* Of a chunk that is longer than all limits the middle is not looked at so closely. */
#define EDGE      ((size_t)300)
#define BULK      ((size_t)10000)
#define BULK_STEP ((size_t)1009)

static bool
in_the_bulk(size_t at, size_t len)
{
	return len > BULK && at > EDGE && at + EDGE + BULK_STEP < len;
}

/* Sends a chunk in the way of this run. */
static void
send_chunk(struct script *s, struct fake_peer *p, struct slice bytes)
{
	int group = s->group++;

	nothing_left(s);
	if (!p) {
		script_fail(s, "nobody is there to send");
		return;
	}
	if (group < SCRIPT_GROUPS)
		s->group_len[group] = bytes.len;
	if (s->bytes) {
		for (size_t i = 0, n; i < bytes.len; i += n) {
			n = in_the_bulk(i, bytes.len) ? BULK_STEP : 1;
			fake_peer_send(p, bytes.p + i, n);
			turn(s);
		}
		return;
	}
	if (group == s->cut_group) {
		fake_peer_send(p, bytes.p, s->cut_at);
		turn(s);
		bytes = (struct slice){ bytes.p + s->cut_at, bytes.len - s->cut_at };
	}
	fake_peer_send(p, bytes.p, bytes.len);
	turn(s);
}

/* Our tag, where @expected has $T: taken from what was sent. */
static void
find_tag(struct script *s, struct fake_peer *p, struct slice expected)
{
	struct slice have = buf_slice(&p->out);
	const char *space;

	if (expected.len < 2 || memcmp(expected.p, "$T", 2) != 0)
		return;
	space = have.len ? memchr(have.p, ' ', have.len) : NULL;
	if (!space ||
	    !str_put(s->tag, sizeof(s->tag), (struct slice){ have.p, (size_t)(space - have.p) }))
		s->tag[0] = '\0';
	if (strlen(s->tag) != 17)
		script_fail(s, "no tag of ours: \"%s\"", printable(have));
}

static void
expect(struct script *s, struct fake_peer *p, struct slice text)
{
	struct buf want;

	if (!p) {
		script_fail(s, "there is no such peer");
		return;
	}
	find_tag(s, p, text);
	buf_init(&want, (size_t)1 << 22, false);
	if (!s->failed && script_expand(s, text, true, &want)) {
		struct slice w = buf_slice(&want), have = buf_slice(&p->out);

		if (have.len >= w.len && (w.len == 0 || memcmp(have.p, w.p, w.len) == 0))
			buf_consume(&p->out, w.len);
		else
			script_fail(s, "got \"%s\", not \"%s\"", printable(have), printable(w));
	}
	buf_free(&want);
}

static struct fake_peer *
peer(struct script *s, struct slice *rest)
{
	struct slice who = slice_word(rest);
	*rest = slice_trim(*rest);
	struct fake_peer *p = slice_eq_cstr(who, "client")  ? s->client
			      : slice_eq_cstr(who, "store") ? s->store
							    : NULL;

	if (!p)
		script_fail(s, "no such peer: " SLICE_FMT, SLICE_ARG(who));
	return p;
}

/* The oldest dialled one that no step has named. */
static struct fake_peer *
next_dialled(struct script *s)
{
	for (struct fake_peer *p = fake_conn_peers(s->conns); p; p = p->next) {
		bool known = !p->dialled;

		for (unsigned i = 0; i < SCRIPT_CLIENTS && !known; i++)
			known = s->stores[i] == p;
		/* Those before the latest named one were named too. */
		bool later = false;
		for (struct fake_peer *q = p->next; q && !later; q = q->next)
			for (unsigned i = 0; i < SCRIPT_CLIENTS && !later; i++)
				later = s->stores[i] == q;
		if (!known && !later)
			return p;
	}
	return NULL;
}

static void
step_dial(struct script *s, struct slice rest)
{
	struct fake_peer *p = next_dialled(s);
	struct slice store = slice_word(&rest), from = slice_word(&rest),
		     source = slice_word(&rest);
	char want[ADDR_TEXT], got[ADDR_TEXT];
	unsigned n = 0, address = 0;

	(void)from;
	if (!p) {
		script_fail(s, "nothing was dialled");
		return;
	}
	s->store = s->stores[s->who] = p;
	s->tag[0] = '\0';
	if (store.len < 6 || sscanf(store.p, "store%u.%u", &n, &address) < 1) {
		script_fail(s, "no such store");
		return;
	}
	(void)str_fmt(want, sizeof(want), "10.0.%u.%u:143", address, n);
	if (strcmp(addr_format(got, &p->to), want) != 0)
		script_fail(s, "%s was dialled, not %s", got, want);
	if (source.len > 0 && !slice_eq_cstr(source, addr_format_ip(got, &p->source)))
		script_fail(s, "dialled from %s", got);
}

static void
step_takes(struct script *s, struct slice rest)
{
	struct fake_peer *p = peer(s, &rest);
	uint64_t n = 0;

	if (!p)
		return;
	if (!slice_eq_cstr(rest, "all") && !str_u64(rest, 1 << 30, &n)) {
		script_fail(s, "how many bytes?");
		return;
	}
	fake_peer_takes(p, slice_eq_cstr(rest, "all") ? SIZE_MAX : (size_t)n);
	turn(s);
}

static void
step_closed(struct script *s, struct slice rest, bool closed)
{
	struct fake_peer *p = peer(s, &rest);

	if (!p)
		return;
	if (p->closed != closed)
		script_fail(s, "the connection is %s", p->closed ? "closed" : "open");
	else if (rest.len > 0 &&
		 p->how != (slice_eq_cstr(rest, "linger") ? CONN_LINGER : CONN_CLOSE))
		script_fail(s, "closed in another way");
}

static void
step_client(struct script *s, struct slice rest)
{
	uint64_t n;

	if (!str_u64(rest, SCRIPT_CLIENTS - 1, &n)) {
		script_fail(s, "which client?");
		return;
	}
	s->who = (unsigned)n;
	s->client = s->clients[n];
	s->store = s->stores[n];
	if (!s->client && s->ops->accept)
		script_client(s, s->ops->accept(s));
}

void
script_client(struct script *s, struct fake_peer *p)
{
	s->client = s->clients[s->who] = p;
	turn(s);
}

static double
seconds(struct slice text)
{
	char number[32];

	return str_put(number, sizeof(number), text) ? strtod(number, NULL) : 0;
}

static void
step_end(struct script *s, struct slice rest, bool reset)
{
	struct fake_peer *p = peer(s, &rest);

	nothing_left(s);
	if (!p)
		return;
	if (reset)
		fake_peer_reset(p);
	else
		fake_peer_end(p);
	turn(s);
}

static void
step_tls(struct script *s, struct slice rest)
{
	struct fake_peer *p = peer(s, &rest);

	if (!p)
		return;
	if (!p->tls || p->tls_up)
		script_fail(s, "no handshake is on its way");
	fake_peer_tls(p, slice_eq_cstr(rest, "ok"));
	turn(s);
}

static void
step(struct script *s, struct slice line)
{
	struct slice rest = line, word = slice_word(&rest);
	struct slice text = { rest.p + (rest.len > 0), rest.len - (rest.len > 0) };

	rest = slice_trim(rest);
	if (slice_eq_cstr(word, "c<")) {
		expect(s, s->client, text);
	} else if (slice_eq_cstr(word, "s>")) {
		expect(s, s->store, text);
	} else if (slice_eq_cstr(word, "wait")) {
		nothing_left(s);
		fake_loop_advance(s->loop, seconds(rest));
		turn(s);
	} else if (slice_eq_cstr(word, "dial")) {
		step_dial(s, rest);
	} else if (slice_eq_cstr(word, "nodial")) {
		if (next_dialled(s))
			script_fail(s, "something was dialled");
	} else if (slice_eq_cstr(word, "connect") || slice_eq_cstr(word, "refuse")) {
		if (!s->store)
			script_fail(s, "there is no store");
		else
			(word.p[0] == 'c' ? fake_peer_connect : fake_peer_refuse)(s->store);
		turn(s);
	} else if (slice_eq_cstr(word, "tls")) {
		step_tls(s, rest);
	} else if (slice_eq_cstr(word, "end") || slice_eq_cstr(word, "reset")) {
		step_end(s, rest, word.p[0] == 'r');
	} else if (slice_eq_cstr(word, "takes")) {
		step_takes(s, rest);
	} else if (slice_eq_cstr(word, "fin") || slice_eq_cstr(word, "nofin")) {
		struct fake_peer *p = peer(s, &rest);

		if (p && p->got_fin != (word.p[0] == 'f'))
			script_fail(s, "the peer has %s the end", p->got_fin ? "got" : "not got");
	} else if (slice_eq_cstr(word, "closed") || slice_eq_cstr(word, "open")) {
		step_closed(s, rest, word.p[0] == 'c');
	} else if (slice_eq_cstr(word, "log") || slice_eq_cstr(word, "nolog")) {
		step_log(s, rest, word.p[0] == 'n');
	} else if (slice_eq_cstr(word, "client")) {
		step_client(s, rest);
	} else if (slice_eq_cstr(word, "nosplit")) {
		s->nosplit = true;
	} else if (!s->ops->step(s, word, rest)) {
		script_fail(s, "no such step");
	}
}

/* --- playing */

static bool
is_input(struct slice line)
{
	return slice_starts_case(line, SLICE("c> ")) || slice_starts_case(line, SLICE("s< "));
}

const char *
script_run(struct script *s, const char *text)
{
	struct slice rest = slice_of(text), line;
	struct buf chunk;

	buf_init(&chunk, (size_t)1 << 22, true);
	while (!s->failed && slice_cut(&rest, '\n', &line)) {
		if (line.len == 0 || line.p[0] == '#')
			continue;
		if (is_input(line)) {
			if (!script_expand(
				s, (struct slice){ line.p + 3, line.len - 3 }, true, &chunk))
				break;
			/* The next line may belong to the same chunk. */
			if (rest.len < 3 || memcmp(rest.p, line.p, 3) != 0) {
				send_chunk(
				    s, line.p[0] == 'c' ? s->client : s->store, buf_slice(&chunk));
				buf_consume(&chunk, buf_len(&chunk));
			}
		} else {
			step(s, line);
		}
		if (s->failed) {
			char why[1600];

			(void)str_fmt(why, sizeof(why), "%s", s->why);
			(void)str_fmt(
			    s->why, sizeof(s->why), "\"%.120s\": %s", printable(line), why);
		}
	}
	buf_free(&chunk);
	return s->failed ? s->why : NULL;
}

struct script *
script_begin(const struct script_world *ops)
{
	struct script *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->ops = ops;
	s->cut_group = -1;
	s->log_fd = memfd_create("log", MFD_CLOEXEC);
	log_setup(s->log_fd, LOG_DEBUG, LOG_LOGFMT, "test");
	s->loop = loop_new();
	s->conns = s->loop ? conn_env_new(s->loop) : NULL;
	if (!s->conns)
		abort();
	(void)ops->open(s);
	turn(s);
	return s;
}

const char *
script_finish(struct script **sp)
{
	static char why[2048];
	struct script *s = *sp;
	bool failed;

	if (!s->failed)
		nothing_left(s);
	if (!s->failed && s->ops->settle)
		s->ops->settle(s);
	if (!s->failed)
		no_secrets(s);
	s->ops->close(s);
	turn(s);
	if (fake_loop_timers(s->loop) > 0)
		script_fail(s, "timers are set after the end");
	conn_env_free(&s->conns);
	loop_free(&s->loop);
	log_setup(STDERR_FILENO, LOG_INFO, LOG_LOGFMT, "test");
	close(s->log_fd);
	failed = s->failed;
	(void)str_fmt(why, sizeof(why), "%s", s->why);
	free(s);
	*sp = NULL;
	return failed ? why : NULL;
}

/* Plays once. @from: how it was cut; @lens_r: how long the chunks were. */
static const char *
play_once(const struct script_world *ops, const char *text, bool bytes, int cut_group,
    size_t cut_at, struct script *seen_r)
{
	struct script *s = script_begin(ops);

	s->bytes = bytes;
	s->cut_group = cut_group;
	s->cut_at = cut_at;
	(void)script_run(s, text);
	if (seen_r)
		*seen_r = *s;
	return script_finish(&s);
}

/* Long chunks are cut near both ends and here and there between. */
static size_t
next_cut(size_t at, size_t len)
{
	size_t edge = len > BULK ? 10 : 100;

	return at + (len > 400 && at > edge && at + edge < len ? (len - at) / 8 + 1 : 1);
}

const char *
script_play(const struct script_world *ops, const char *text)
{
	static char why[2300];
	struct script seen;
	const char *r = play_once(ops, text, false, -1, 0, &seen);

	if (r || seen.nosplit)
		return r;
	r = play_once(ops, text, true, -1, 0, NULL);
	if (r) {
		(void)str_fmt(why, sizeof(why), "byte by byte: %s", r);
		return why;
	}
	for (int g = 0; g < seen.group && g < SCRIPT_GROUPS; g++)
		for (size_t at = 1; at < seen.group_len[g]; at = next_cut(at, seen.group_len[g])) {
			r = play_once(ops, text, false, g, at, NULL);
			if (!r)
				continue;
			(void)str_fmt(why, sizeof(why), "chunk %d cut at %zu: %s", g, at, r);
			return why;
		}
	return NULL;
}
