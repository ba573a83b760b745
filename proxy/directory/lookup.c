/*
 * directory/lookup.c - what all sources of routes have in common: the calls through their table of operations, and
 * the text that each of them answers with.
 *
 * Knows no source. Owns nothing: the lookup is its creator's, the answer the caller's.
 */
#include "directory/lookup.h"

void
lookup_ask(struct lookup *l, struct slice user, lookup_fn *fn, void *arg)
{
	l->ops->ask(l, user, fn, arg);
}

void
lookup_cancel(struct lookup *l, void *arg)
{
	if (l->ops->cancel)
		l->ops->cancel(l, arg);
}

void
lookup_free(struct lookup **l)
{
	if (!*l)
		return;
	(*l)->ops->free(*l);
	*l = NULL;
}

struct slice
lookup_word(struct slice *s)
{
	struct slice word;

	while (s->len > 0 && (s->p[0] == ' ' || s->p[0] == '\t')) {
		s->p++;
		s->len--;
	}
	word = (struct slice){ s->p, 0 };
	while (word.len < s->len && s->p[word.len] != ' ' && s->p[word.len] != '\t')
		word.len++;
	s->p += word.len;
	s->len -= word.len;
	return word;
}

/* --- the answer as text */

/* For messages: what was found, bounded and readable. */
#define SHOWN 80

static int
parse_target(struct slice target, struct lookup_answer *a, struct err *err)
{
	char shown[SHOWN];
	struct slice host;
	struct err why;
	uint16_t port;

	if (target.len == 0)
		return err_set(err, "no target: a pool, a backend or host:port must follow");
	if (lookup_target_is_address(target)) {
		if (!addr_split(target, false, &host, &port, &why))
			return err_set(err, "target '%s': %s",
			    str_printable(shown, sizeof(shown), target), why.text);
		if (host.len == 0 || host.len >= BACKEND_HOST_MAX)
			return err_set(err, "target '%s': a host has 1 to %d bytes",
			    str_printable(shown, sizeof(shown), target), BACKEND_HOST_MAX - 1);
	} else if (target.len >= BACKEND_NAME_MAX) {
		return err_set(err, "target '%s': a name has at most %d bytes",
		    str_printable(shown, sizeof(shown), target), BACKEND_NAME_MAX - 1);
	}
	for (size_t i = 0; i < target.len; i++)
		if ((unsigned char)target.p[i] < 0x21 || (unsigned char)target.p[i] == 0x7f)
			return err_set(err, "target '%s': a control byte is in it",
			    str_printable(shown, sizeof(shown), target));
	if (!str_put(a->target, sizeof(a->target), target))
		return err_set(
		    err, "target '%s': too long", str_printable(shown, sizeof(shown), target));
	return 0;
}

static int
set_user(struct lookup_answer *a, struct slice value, struct err *err)
{
	char shown[SHOWN];

	if (a->user[0])
		return err_set(err, "user= is there twice");
	if (value.len == 0)
		return err_set(err, "user= names nobody");
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.p[i] < 0x20 || (unsigned char)value.p[i] == 0x7f)
			return err_set(err, "user=%s: a control byte is in it",
			    str_printable(shown, sizeof(shown), value));
	if (!str_put(a->user, sizeof(a->user), value))
		return err_set(err, "user=: a name has at most %d bytes", (int)sizeof(a->user) - 1);
	return 0;
}

static int
set_tls(struct lookup_answer *a, struct slice value, struct err *err)
{
	static const char *const modes[] = {
		[TLS_MODE_NONE] = "none",
		[TLS_MODE_STARTTLS] = "starttls",
		[TLS_MODE_IMPLICIT] = "implicit",
	};
	char shown[SHOWN];

	if (a->tls >= 0)
		return err_set(err, "tls= is there twice");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (slice_eq_cstr(value, modes[i]))
			a->tls = (int8_t)i;
	if (a->tls < 0)
		return err_set(err, "tls=%s: expected none, starttls or implicit",
		    str_printable(shown, sizeof(shown), value));
	return 0;
}

static int
set_verify(struct lookup_answer *a, struct slice value, struct err *err)
{
	char shown[SHOWN];

	if (a->verify >= 0)
		return err_set(err, "verify= is there twice");
	if (slice_eq_cstr(value, "yes"))
		a->verify = 1;
	else if (slice_eq_cstr(value, "no"))
		a->verify = 0;
	else
		return err_set(err, "verify=%s: expected yes or no",
		    str_printable(shown, sizeof(shown), value));
	return 0;
}

static const struct override {
	const char *key;
	int (*set)(struct lookup_answer *a, struct slice value, struct err *err);
} overrides[] = {
	{ "user", set_user },
	{ "tls", set_tls },
	{ "verify", set_verify },
};

static int
parse_override(struct slice word, struct lookup_answer *a, struct err *err)
{
	const char *eq = memchr(word.p, '=', word.len), *near = NULL;
	struct slice key = { word.p, eq ? (size_t)(eq - word.p) : word.len };
	struct slice value = { NULL, 0 };
	unsigned best = 3;
	char shown[SHOWN];

	if (!eq)
		return err_set(err, "'%s': expected key=value (user=, tls= or verify=)",
		    str_printable(shown, sizeof(shown), word));
	value.p = eq + 1;
	value.len = word.len - key.len - 1;
	for (size_t i = 0; i < ARRAY_SIZE(overrides); i++) {
		unsigned distance;

		if (slice_eq_cstr(key, overrides[i].key))
			return overrides[i].set(a, value, err);
		distance = str_distance(key, slice_of(overrides[i].key), 2);
		if (distance < best) {
			best = distance;
			near = overrides[i].key;
		}
	}
	str_printable(shown, sizeof(shown), key);
	if (near)
		return err_set(err, "unknown key '%s': did you mean '%s'?", shown, near);
	return err_set(err, "unknown key '%s': expected user, tls or verify", shown);
}

int
lookup_answer_parse(struct slice text, struct lookup_answer *a, struct err *err)
{
	struct slice word;

	a->target[0] = a->user[0] = a->matched[0] = '\0';
	a->tls = a->verify = -1;
	if (parse_target(lookup_word(&text), a, err) < 0)
		return -1;
	while ((word = lookup_word(&text)).len > 0)
		if (parse_override(word, a, err) < 0)
			return -1;
	return 0;
}

bool
lookup_target_is_address(struct slice target)
{
	return target.len > 0 && memchr(target.p, ':', target.len);
}

/* --- patterns */

/* The literal and ? bytes of @part against the front of @s, which is at least as long. */
static bool
part_fits(struct slice part, const char *s)
{
	for (size_t i = 0; i < part.len; i++)
		if (part.p[i] != '?' && part.p[i] != s[i])
			return false;
	return true;
}

/*
 * Without stars the lengths must agree. With them: what is before the first star must be the front of the name, what is behind
 * the last one its end (and most patterns fail here), and each part between two stars is taken where it fits first: a later place
 * could only leave less for the parts behind it, so that nothing is ever tried again.
 */
bool
lookup_pattern_fits(struct slice pattern, struct slice name)
{
	const char *star = pattern.len > 0 ? memchr(pattern.p, '*', pattern.len) : NULL, *last;
	struct slice front, back;

	if (!star)
		return pattern.len == name.len && part_fits(pattern, name.p);
	last = memrchr(pattern.p, '*', pattern.len);
	front = (struct slice){ pattern.p, (size_t)(star - pattern.p) };
	back = (struct slice){ last + 1, pattern.len - (size_t)(last - pattern.p) - 1 };
	if (name.len < front.len + back.len)
		return false;
	if (!part_fits(front, name.p) || !part_fits(back, name.p + name.len - back.len))
		return false;
	name.p += front.len;
	name.len -= front.len + back.len;
	while (star < last) {
		struct slice part = { star + 1, 0 };

		while (part.p[part.len] != '*')
			part.len++;
		star = part.p + part.len;
		for (;; name.p++, name.len--) {
			if (name.len < part.len)
				return false;
			if (part_fits(part, name.p))
				break;
		}
		name.p += part.len;
		name.len -= part.len;
	}
	return true;
}
