/*
 * tests/fuzz/fuzz_imap_response.c - what a store may send before the relay.
 *
 * Input: one byte that chooses limits (fuzz_frames.h), then the store's bytes. Beyond crashes it
 * checks: the cut changes nothing; slices stay inside; literals are found in untagged data only;
 * whatever may be passed on in a line holds no line end; a status response written anew from its
 * parts is parsed to the same parts.
 */
#include "fuzz_frames.h"

#include "proto/imap_response.h"

static void
check_line(struct slice s, struct slice in)
{
	FUZZ_CHECK(fuzz_inside(s, in));
	for (size_t i = 0; i < s.len; i++)
		FUZZ_CHECK(s.p[i] != '\0' && s.p[i] != '\r' && s.p[i] != '\n');
}

static const char *
status_name(enum imap_status status)
{
	switch (status) {
	case IMAP_STATUS_NONE:
		break;
	case IMAP_STATUS_OK:
		return "OK";
	case IMAP_STATUS_NO:
		return "NO";
	case IMAP_STATUS_BAD:
		return "BAD";
	case IMAP_STATUS_BYE:
		return "BYE";
	case IMAP_STATUS_PREAUTH:
		return "PREAUTH";
	}
	return NULL;
}

static void
round_trip(const struct imap_response *r)
{
	size_t size = r->tag.len + r->code.len + r->text.len + 32, len;
	char *line = calloc(1, size);
	struct imap_response again;
	const char *why;

	if (!line)
		abort();
	len = (size_t)snprintf(line, size, "%.*s %s [", r->tag.len ? (int)r->tag.len : 1,
	    r->tag.len ? r->tag.p : "*", status_name(r->status));
	/* Without a code a text may look like one: then it is written behind an empty one. */
	if (r->code.len)
		memcpy(line + len, r->code.p, r->code.len);
	len += r->code.len;
	line[len++] = ']';
	line[len++] = ' ';
	if (r->text.len)
		memcpy(line + len, r->text.p, r->text.len);
	len += r->text.len;
	line[len++] = '\n';

	FUZZ_CHECK(len <= size);
	FUZZ_CHECK(imap_response_parse(line, len, &again, &why) == 1);
	FUZZ_CHECK(again.kind == r->kind && again.status == r->status);
	FUZZ_CHECK(slice_eq(again.tag, r->tag));
	FUZZ_CHECK(slice_eq(again.code, r->code));
	FUZZ_CHECK(slice_eq(again.code_name, r->code_name));
	FUZZ_CHECK(slice_eq(again.code_args, r->code_args));
	FUZZ_CHECK(slice_eq(again.text, r->text));
	free(line);
}

static void
check_response(const struct frame *f, const struct imap_response *r, struct slice in)
{
	FUZZ_CHECK(fuzz_inside(r->name, in) && fuzz_inside(r->data, in));
	check_line(r->tag, in);
	check_line(r->code, in);
	check_line(r->code_name, in);
	check_line(r->code_args, in);
	check_line(r->text, in);
	switch (r->kind) {
	case IMAP_RESP_TAGGED:
		FUZZ_CHECK(f->literals == 0 && r->tag.len > 0 && r->tag.len <= 64);
		FUZZ_CHECK(r->status == IMAP_STATUS_OK || r->status == IMAP_STATUS_NO ||
			   r->status == IMAP_STATUS_BAD);
		break;
	case IMAP_RESP_CONTINUATION:
		FUZZ_CHECK(f->literals == 0 && r->status == IMAP_STATUS_NONE);
		break;
	case IMAP_RESP_UNTAGGED:
		FUZZ_CHECK(r->tag.len == 0);
		FUZZ_CHECK(f->literals == 0 || r->status == IMAP_STATUS_NONE);
		FUZZ_CHECK((r->name.len > 0) == (r->status == IMAP_STATUS_NONE));
		break;
	}
	if (r->status != IMAP_STATUS_NONE)
		round_trip(r);
}

static uint64_t
framed(const struct frame *f, struct slice in)
{
	struct imap_response r;
	const char *why;
	char *copy;
	int got;

	if (!f->len) /* only announced */
		return 1;
	copy = fuzz_copy(in);
	got = imap_response_parse(copy, in.len, &r, &why);
	FUZZ_CHECK((got == 1 && !why) || (got == -1 && why));
	if (got == 1)
		check_response(f, &r, (struct slice){ copy, in.len });
	/* What the parser refuses had no literals, but for its own name's sake. */
	FUZZ_CHECK(got == 1 || f->literals == 0);
	free(copy);
	return (uint64_t)(got + 1) << 32 | (uint64_t)r.kind << 16 | (uint64_t)r.status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_frames what = { .side = FRAME_STORE, .framed = framed };

	if (size < 1 || size > 1 << 14)
		return 0;
	what.limits = fuzz_limits(data[0]);
	fuzz_frames_all_cuts(&what, (struct slice){ (const char *)data + 1, size - 1 });
	return 0;
}
