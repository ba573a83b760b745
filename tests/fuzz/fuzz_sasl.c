/*
 * tests/fuzz/fuzz_sasl.c - base64, PLAIN, and strings written for a store.
 *
 * The input is taken as each of these in turn. Beyond crashes it checks that there and back again
 * is the same: a text that decodes is the one text of its message; a message that parses is written
 * back byte for byte; a string that is put is lexed and copied to the same bytes; and that each
 * wants exactly the memory it says.
 */
#include "fuzz.h"

#include "proto/imap_lex.h"
#include "proto/sasl.h"

static char *
room_for(size_t n)
{
	char *p = calloc(1, n ? n : 1);

	if (!p)
		abort();
	return p;
}

static void
base64_text(struct slice in)
{
	size_t most = in.len / 4 * 3 + 1, len = 0, len2 = 0;
	char *out = room_for(most), *place, *again;

	if (base64_decode(in, out, most, &len)) {
		FUZZ_CHECK(BASE64_LEN(len) == in.len);
		again = room_for(in.len);
		FUZZ_CHECK(base64_encode((struct slice){ out, len }, again, in.len) == in.len);
		FUZZ_CHECK(memcmp(again, in.p, in.len) == 0);
		FUZZ_CHECK(len == 0 || !base64_decode(in, out, len - 1, &len2));
		FUZZ_CHECK(base64_decode(in, again, len, &len2) && len2 == len);
		place = fuzz_copy(in);
		FUZZ_CHECK(base64_decode((struct slice){ place, in.len }, place, in.len, &len2));
		FUZZ_CHECK(len2 == len && memcmp(place, again, len) == 0);
		free(place);
		free(again);
	}
	free(out);
}

static void
base64_bytes(struct slice in)
{
	size_t size = BASE64_LEN(in.len), len = 0;
	char *text = room_for(size), *out = room_for(in.len);

	FUZZ_CHECK(base64_encode(in, text, size) == size);
	FUZZ_CHECK(size == 0 || base64_encode(in, text, size - 1) == 0);
	FUZZ_CHECK(base64_decode((struct slice){ text, size }, out, in.len, &len));
	FUZZ_CHECK(slice_eq((struct slice){ out, len }, in));
	free(text);
	free(out);
}

static bool
has_nul(struct slice s)
{
	return s.len && memchr(s.p, '\0', s.len);
}

static void
plain_message(struct slice in)
{
	struct sasl_plain plain, again;
	char *out = room_for(in.len + 2);
	size_t n;

	if (sasl_plain_parse(in, &plain)) {
		FUZZ_CHECK(plain.authcid.len > 0);
		FUZZ_CHECK(
		    plain.authzid.len + plain.authcid.len + plain.password.len + 2 == in.len);
		FUZZ_CHECK(!has_nul(plain.authzid) && !has_nul(plain.authcid));
		FUZZ_CHECK(!has_nul(plain.password));
		FUZZ_CHECK(fuzz_inside(plain.authzid, in) && fuzz_inside(plain.authcid, in));
		FUZZ_CHECK(fuzz_inside(plain.password, in));
		n = sasl_plain_put(&plain, out, in.len);
		FUZZ_CHECK(slice_eq((struct slice){ out, n }, in));
		FUZZ_CHECK(sasl_plain_put(&plain, out, in.len - 1) == 0);
	}
	/* Three parts of any bytes: written, they are read as the same three, or not written. */
	plain = (struct sasl_plain){
		.authzid = { in.p, in.len / 4 },
		.authcid = { in.p + in.len / 4, in.len / 2 - in.len / 4 },
		.password = { in.p + in.len / 2, in.len - in.len / 2 },
	};
	n = sasl_plain_put(&plain, out, in.len + 2);
	FUZZ_CHECK((n == 0) == (plain.authcid.len == 0 || has_nul(in)));
	if (n) {
		FUZZ_CHECK(n == in.len + 2);
		FUZZ_CHECK(sasl_plain_parse((struct slice){ out, n }, &again));
		FUZZ_CHECK(slice_eq(again.authzid, plain.authzid));
		FUZZ_CHECK(slice_eq(again.authcid, plain.authcid));
		FUZZ_CHECK(slice_eq(again.password, plain.password));
	}
	free(out);
}

static void
string(struct slice in, bool nonsync)
{
	size_t split = 1, need = imap_string_put(NULL, 0, in, nonsync, &split), len = 0;
	char *out, *back;
	struct imap_string s;
	struct lex x;

	FUZZ_CHECK((need == 0) == has_nul(in));
	if (!need)
		return;
	out = room_for(need);
	back = room_for(in.len);
	FUZZ_CHECK(imap_string_put(out, need, in, nonsync, &split) == need);
	x = (struct lex){ out, out + need };
	FUZZ_CHECK(lex_astring(&x, &s) == 1 && x.p == x.end);
	FUZZ_CHECK(imap_string_len(&s) == in.len);
	FUZZ_CHECK(imap_string_copy(&s, back, in.len, &len));
	FUZZ_CHECK(slice_eq((struct slice){ back, len }, in));
	FUZZ_CHECK(split == 0 || (!nonsync && split == need - in.len && out[0] == '{'));
	x = (struct lex){ out, out + need };
	FUZZ_CHECK(lex_nstring(&x, &s) == 1 && !s.nil && x.p == x.end);
	free(out);
	free(back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	char *copy;

	if (size > 1 << 14)
		return 0;
	copy = fuzz_copy(in);
	in.p = copy;
	base64_text(in);
	base64_bytes(in);
	plain_message(in);
	string(in, true);
	string(in, false);
	(void)sasl_mechanism(in);
	free(copy);
	return 0;
}
