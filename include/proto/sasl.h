/*
 * proto/sasl.h - the SASL messages that the proxy reads and writes itself: base64 (RFC 4648), PLAIN
 * (RFC 4616), LOGIN.
 */
#ifndef PROTO_SASL_H
#define PROTO_SASL_H

#include <stdbool.h>

#include "base/str.h"

enum sasl_mechanism {
	SASL_PLAIN,
	SASL_LOGIN,
	SASL_UNKNOWN,
};

enum sasl_mechanism sasl_mechanism(struct slice name); /* case ignored */

/*
 * Strict base64: full quanta, padding only at the end, its unused bits zero, nothing else. An empty
 * text is an empty message. False on anything else or when @size is too small. *len_r: bytes
 * written. @dst may be where the text stands.
 */
bool base64_decode(struct slice text, char *dst, size_t size, size_t *len_r) MUST_CHECK;

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)
/* Writes BASE64_LEN(s.len) bytes, no NUL; 0 when @size is too small (or @s is empty). */
size_t base64_encode(struct slice s, char *dst, size_t size);

struct sasl_plain {
	struct slice authzid;  /* may be empty */
	struct slice authcid;  /* never empty */
	struct slice password; /* may be empty: the store decides */
};

/*
 * [authzid] NUL authcid NUL passwd, RFC 4616: exactly two NULs. False on anything else, and when
 * authcid is empty. Slices into @message.
 */
bool sasl_plain_parse(struct slice message, struct sasl_plain *plain_r) MUST_CHECK;

/*
 * Writes the message. Its length, or 0 when it does not fit, a part holds a NUL, or authcid is
 * empty.
 */
size_t sasl_plain_put(const struct sasl_plain *plain, char *dst, size_t size);

#endif
