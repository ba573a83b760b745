/*
 * tests/fuzz/fuzz_imap_command.c - what a client may send before login.
 *
 * Input: one byte that chooses limits (fuzz_frames.h; from "@" on the lines are SASL's, without
 * literals), then the client's bytes. Beyond crashes it checks: the cut changes nothing; a command
 * the frame calls whole is never "incomplete" to the parser; what is found of a prefix is found of
 * the whole; slices stay inside; bounds hold; no string holds a NUL; a LOGIN written anew from its
 * decoded arguments is parsed to the same arguments.
 */
#include "fuzz_frames.h"

#include "proto/imap_command.h"

/* The decoded string, in memory of exactly its size: free() what is returned. */
static char *
decode(const struct imap_string *s, struct slice *text_r)
{
	size_t size = imap_string_len(s), len = 0;
	char *out = calloc(1, size ? size : 1);

	if (!out)
		abort();
	FUZZ_CHECK(imap_string_copy(s, out, size, &len));
	FUZZ_CHECK(len == size);
	FUZZ_CHECK(!memchr(out, '\0', len));
	*text_r = (struct slice){ out, len };
	return out;
}

static void
check_string(const struct imap_string *s, size_t max, struct slice in)
{
	struct slice text;
	char *memory = decode(s, &text), none[1];
	size_t len;

	FUZZ_CHECK(fuzz_inside((struct slice){ s->p, s->len }, in));
	FUZZ_CHECK(text.len <= max);
	FUZZ_CHECK(!s->nil || text.len == 0);
	FUZZ_CHECK(text.len == 0 || !imap_string_copy(s, none, 0, &len));
	free(memory);
}

static void
check_same(const struct imap_string *a, const struct imap_string *b)
{
	struct slice text_a, text_b;
	char *memory_a = decode(a, &text_a), *memory_b = decode(b, &text_b);

	FUZZ_CHECK(slice_eq(text_a, text_b));
	free(memory_a);
	free(memory_b);
}

static size_t
put(char *line, size_t at, size_t size, const struct imap_string *s, bool nonsync)
{
	struct slice text;
	char *memory = decode(s, &text);
	size_t split, n = imap_string_put(line + at, size - at, text, nonsync, &split);

	FUZZ_CHECK(n > 0 && n <= size - at);
	FUZZ_CHECK(!split || (!nonsync && line[at + split - 1] == '\n'));
	free(memory);
	return at + n;
}

/* Writes user and password anew, frames and parses that, and compares. */
static void
round_trip(const struct imap_command *c, bool nonsync)
{
	size_t size = 2 * (c->login.user.len + c->login.password.len) + 100, at;
	const struct frame_limits limits = { size, size, size, 2 };
	char *line = calloc(1, size);
	struct imap_command d;
	const char *why;
	struct frame f;
	enum frame_result r;

	if (!line)
		abort();
	at = (size_t)snprintf(line, size, "x LOGIN ");
	at = put(line, at, size, &c->login.user, nonsync);
	line[at++] = ' ';
	at = put(line, at, size, &c->login.password, nonsync);
	line[at++] = '\r';
	line[at++] = '\n';

	frame_init(&f, FRAME_CLIENT);
	while ((r = frame_next(&f, line, at, &limits)) == FRAME_LITERAL)
		FUZZ_CHECK(f.sync == !nonsync);
	FUZZ_CHECK(r == FRAME_DONE && f.len == at);
	FUZZ_CHECK(imap_command_parse(line, at, &d, &why) == 1 && d.verb == IMAP_LOGIN);
	check_same(&d.login.user, &c->login.user);
	check_same(&d.login.password, &c->login.password);
	free(line);
}

static void
check_command(const struct imap_command *c, struct slice in)
{
	FUZZ_CHECK(c->tag.len >= 1 && c->tag.len <= 64 && c->tag.p == in.p);
	FUZZ_CHECK(imap_is_atom(c->name) && fuzz_inside(c->name, in));
	switch (c->verb) {
	case IMAP_LOGIN:
		check_string(&c->login.user, in.len, in);
		check_string(&c->login.password, in.len, in);
		round_trip(c, true);
		round_trip(c, false);
		break;
	case IMAP_AUTHENTICATE:
		FUZZ_CHECK(imap_is_atom(c->authenticate.mechanism));
		FUZZ_CHECK(fuzz_inside(c->authenticate.mechanism, in));
		FUZZ_CHECK(fuzz_inside(c->authenticate.initial, in));
		FUZZ_CHECK(c->authenticate.has_initial == (c->authenticate.initial.len > 0));
		FUZZ_CHECK(imap_is_authenticate(in.p, in.len));
		break;
	case IMAP_ID:
		FUZZ_CHECK(c->id.pairs <= IMAP_ID_PAIRS);
		for (unsigned i = 0; i < c->id.pairs; i++) {
			FUZZ_CHECK(!c->id.pair[i].key.nil);
			check_string(&c->id.pair[i].key, IMAP_ID_KEY, in);
			check_string(&c->id.pair[i].value, IMAP_ID_VALUE, in);
		}
		break;
	case IMAP_CAPABILITY:
	case IMAP_NOOP:
	case IMAP_LOGOUT:
	case IMAP_ENABLE:
	case IMAP_STARTTLS:
	case IMAP_NEEDS_LOGIN:
	case IMAP_UNKNOWN:
		break;
	}
}

/* What is found of the first bytes is found of all. */
static void
check_prefixes(struct slice in, int whole)
{
	size_t step = in.len > 256 ? in.len / 64 : 1;
	struct imap_command c;
	const char *why;

	for (size_t n = 0; n < in.len; n += step) {
		int r = imap_command_parse(in.p, n, &c, &why);

		FUZZ_CHECK(r == 0 || r == whole);
		FUZZ_CHECK((r == -1) == (why != NULL));
	}
}

static uint64_t
framed(const struct frame *f, struct slice in)
{
	char *copy = fuzz_copy(in);
	struct slice exact = { copy, in.len };
	struct imap_command c;
	const char *why;
	int r = imap_command_parse(exact.p, exact.len, &c, &why);

	FUZZ_CHECK((r == -1) == (why != NULL));
	FUZZ_CHECK(fuzz_inside(c.tag, exact));
	if (f->len) {
		FUZZ_CHECK(r != 0 || f->sasl);
		check_prefixes(exact, r);
	} else if (r == 1) {
		FUZZ_CHECK(c.verb == IMAP_NEEDS_LOGIN || c.verb == IMAP_UNKNOWN);
	}
	if (r == 1)
		check_command(&c, exact);
	free(copy);
	return (uint64_t)(r + 1) << 32 | (uint64_t)c.verb << 16 | c.tag.len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_frames what = { .side = FRAME_CLIENT, .framed = framed };

	if (size < 1 || size > 1 << 14)
		return 0;
	what.limits = fuzz_limits(data[0]);
	what.sasl = data[0] >= '@';
	fuzz_frames_all_cuts(&what, (struct slice){ (const char *)data + 1, size - 1 });
	return 0;
}
