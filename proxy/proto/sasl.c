/*
 * proto/sasl.c - base64, and the messages of SASL mechanisms that the proxy reads or writes itself.
 *
 * It does not run exchanges (who speaks next is the session's and the upstream's business), does
 * not check passwords, and wipes nothing: what it reads and writes is the caller's memory, secret
 * or not.
 *
 * base64 is strict, so that a message has exactly one encoding: what one side takes, the other side
 * reads the same.
 */
#include "proto/sasl.h"

#include <stdint.h>

enum sasl_mechanism
sasl_mechanism(struct slice name)
{
	if (slice_eq_case(name, SLICE("PLAIN")))
		return SASL_PLAIN;
	if (slice_eq_case(name, SLICE("LOGIN")))
		return SASL_LOGIN;
	return SASL_UNKNOWN;
}

/* The six bits of a character, or -1. */
static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

bool
base64_decode(struct slice text, char *dst, size_t size, size_t *len_r)
{
	size_t len = 0, pad = 0;

	if (text.len % 4)
		return false;
	while (pad < 2 && pad < text.len && text.p[text.len - 1 - pad] == '=')
		pad++;
	if (text.len / 4 * 3 - pad > size)
		return false;

	for (size_t i = 0; i < text.len; i += 4) {
		size_t chars = i + 4 == text.len ? 4 - pad : 4;
		uint32_t bits = 0;

		for (size_t k = 0; k < 4; k++) {
			int six = k < chars ? sextet(text.p[i + k]) : 0;

			if (six < 0)
				return false;
			bits = bits << 6 | (uint32_t)six;
		}
		/* What the padding leaves over must be zero: RFC 4648, section 3.5. */
		if ((chars == 3 && (bits & 0xff)) || (chars == 2 && (bits & 0xffff)))
			return false;
		for (size_t k = 0; k + 1 < chars; k++)
			dst[len++] = (char)(bits >> (16 - 8 * k));
	}
	*len_r = len;
	return true;
}

size_t
base64_encode(struct slice s, char *dst, size_t size)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t at = 0;

	if (s.len > SIZE_MAX / 4 * 3 - 3 || BASE64_LEN(s.len) > size)
		return 0;
	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < n ? (uint8_t)s.p[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			dst[at++] = k <= n ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
	}
	return at;
}

bool
sasl_plain_parse(struct slice message, struct sasl_plain *plain_r)
{
	struct slice *parts[] = { &plain_r->authzid, &plain_r->authcid, &plain_r->password };
	size_t part = 0, start = 0;

	*plain_r = (struct sasl_plain){ .authzid.len = 0 };
	if (!message.len)
		return false;
	for (size_t i = 0; i <= message.len; i++) {
		if (i < message.len && message.p[i] != '\0')
			continue;
		if (part == ARRAY_SIZE(parts))
			return false;
		*parts[part++] = (struct slice){ message.p + start, i - start };
		start = i + 1;
	}
	return part == ARRAY_SIZE(parts) && plain_r->authcid.len > 0;
}

size_t
sasl_plain_put(const struct sasl_plain *plain, char *dst, size_t size)
{
	const struct slice parts[] = { plain->authzid, plain->authcid, plain->password };
	size_t at = 0;

	if (!plain->authcid.len)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t nul = i > 0;

		if (parts[i].len && memchr(parts[i].p, '\0', parts[i].len))
			return 0;
		if (size - at < nul || size - at - nul < parts[i].len)
			return 0;
		if (nul)
			dst[at++] = '\0';
		if (parts[i].len)
			memcpy(dst + at, parts[i].p, parts[i].len);
		at += parts[i].len;
	}
	return at;
}
