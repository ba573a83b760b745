/*
 * tests/fuzz/fuzz_frames.h - a stream of commands or responses through proto/imap_lex's frame, cut
 * in every way.
 *
 * Does with the frame what a session does: whole commands are handed on, an error ends the line,
 * and one whose bytes are coming already ends the stream. What is seen is written down, and must be
 * the same for every cut.
 */
#ifndef FUZZ_FRAMES_H
#define FUZZ_FRAMES_H

#include "fuzz.h"

#include "proto/imap_lex.h"

struct fuzz_event {
	enum frame_result result;
	size_t at; /* in the stream: behind what was looked at */
	uint64_t literal;
	bool sync;
	uint64_t said; /* by the target, of what was framed */
};

/* @bytes: a literal's announcement (@f->len == 0), or all of a command; the result is compared. */
typedef uint64_t fuzz_framed_fn(const struct frame *f, struct slice bytes);

struct fuzz_frames {
	enum frame_side side;
	bool sasl;
	struct frame_limits limits;
	fuzz_framed_fn *framed;
};

static inline void
fuzz_frame_bounds(const struct frame *f, size_t len, const struct frame_limits *limits)
{
	FUZZ_CHECK(f->pos <= len);
	FUZZ_CHECK(f->line_start <= f->pos);
	FUZZ_CHECK(f->pos <= limits->total);
	FUZZ_CHECK(f->pos - f->line_start <= limits->line);
	FUZZ_CHECK(f->literals <= limits->literals);
	FUZZ_CHECK(!f->literal_left || f->literal <= limits->literal);
	FUZZ_CHECK(!f->literal_left || f->pos + f->literal_left < limits->total);
	FUZZ_CHECK(!f->sasl || f->literals == 0);
}

/* Returns the number of events; @events has room for one a byte. */
static inline size_t
fuzz_frames_run(
    const struct fuzz_frames *what, struct slice bytes, enum cut cut, struct fuzz_event *events)
{
	struct fuzz_stream s;
	struct frame f;
	size_t start = 0, n = 0;
	bool skipping = false, more = true;

	fuzz_stream_start(&s, bytes, cut);
	frame_init(&f, what->side);
	f.sasl = what->sasl;
	while (more) {
		const char *p = s.p + start;
		size_t len = s.here - start;
		struct fuzz_event *e = &events[n];
		enum frame_result r;

		if (skipping) {
			bool done;

			start += frame_skip_line(p, len, &done);
			skipping = !done;
			if (!done)
				more = fuzz_stream_more(&s);
			continue;
		}
		r = frame_next(&f, p, len, &what->limits);
		fuzz_frame_bounds(&f, len, &what->limits);
		if (r == FRAME_MORE) {
			/* A full buffer never waits. */
			FUZZ_CHECK(len < what->limits.total);
			FUZZ_CHECK(f.pos == len);
			more = fuzz_stream_more(&s);
			continue;
		}
		FUZZ_CHECK(n <= s.here);
		*e = (struct fuzz_event){ r, start + f.pos, f.literal, f.sync, 0 };
		n++;
		if (r == FRAME_LITERAL) {
			FUZZ_CHECK(p[f.pos - 1] == '\n');
			e->said = what->framed(&f, (struct slice){ p, f.pos });
			continue;
		}
		/* Asked again it says the same. */
		FUZZ_CHECK(frame_next(&f, p, len, &what->limits) == r && start + f.pos == e->at);
		if (r == FRAME_DONE) {
			FUZZ_CHECK(f.len == f.pos && p[f.len - 1] == '\n');
			e->said = what->framed(&f, (struct slice){ p, f.len });
		} else if (!f.sync) {
			break;
		} else {
			skipping = true;
		}
		start += f.pos;
		frame_init(&f, what->side);
		f.sasl = what->sasl;
	}
	fuzz_stream_end(&s);
	return n;
}

static inline void
fuzz_frames_all_cuts(const struct fuzz_frames *what, struct slice bytes)
{
	struct fuzz_event *first = calloc(bytes.len + 1, sizeof(*first));
	struct fuzz_event *other = calloc(bytes.len + 1, sizeof(*other));
	size_t n;

	if (!first || !other)
		abort();
	n = fuzz_frames_run(what, bytes, CUT_WHOLE, first);
	for (enum cut cut = CUT_BYTES; cut < CUT_WAYS; cut++) {
		FUZZ_CHECK(fuzz_frames_run(what, bytes, cut, other) == n);
		for (size_t i = 0; i < n; i++) {
			FUZZ_CHECK(first[i].result == other[i].result);
			FUZZ_CHECK(first[i].at == other[i].at);
			FUZZ_CHECK(first[i].literal == other[i].literal);
			FUZZ_CHECK(first[i].sync == other[i].sync);
			FUZZ_CHECK(first[i].said == other[i].said);
		}
	}
	free(first);
	free(other);
}

/*
 * The first byte of an input chooses limits, so that a corpus can be written by hand: "0" wide, "1"
 * as in production but smaller, "2" tight, "3" hardly any. Everything else counts modulo 4.
 */
static inline struct frame_limits
fuzz_limits(uint8_t choice)
{
	static const struct frame_limits sets[] = {
		{ 1 << 16, 1 << 16, 1 << 20, 100 },
		{ 512, 256, 2048, 8 },
		{ 40, 10, 64, 2 },
		{ 9, 0, 9, 0 },
	};

	return sets[choice % 4];
}

#endif
