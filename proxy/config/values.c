/*
 * config/values.c - values as text: numbers with units, words, lists, addresses, names.
 *
 * Pure: text in, value or message out. Ranges and words come from the table of keys.
 */
#include "config/values.h"

#include <math.h>

#include "store/backend.h"

#define HOST_MAX 253 /* RFC 1035, as text */

/* --- words */

/* The next word of "a | b | c". */
static bool
next_word(struct slice *words, struct slice *word_r)
{
	if (!slice_cut(words, '|', word_r))
		return false;
	*word_r = slice_trim(*word_r);
	return true;
}

int
value_word(const char *words, const char *text)
{
	struct slice rest = slice_of(words), word;
	for (int i = 0; next_word(&rest, &word); i++)
		if (slice_eq_cstr(word, text))
			return i;
	return -1;
}

bool
value_near_word(const char *words, const char *text, struct slice *word_r)
{
	struct slice rest = slice_of(words), word;
	unsigned best = 3;
	while (next_word(&rest, &word)) {
		unsigned far = str_distance(word, slice_of(text), 2);
		/* Of a word of two letters two changes leave nothing. */
		if (far < best && far * 2 <= word.len) {
			best = far;
			*word_r = word;
		}
	}
	return best < 3;
}

char *
value_words(char *dst, size_t size, const char *words)
{
	struct slice rest = slice_of(words), word;
	size_t len = 0;
	dst[0] = '\0';
	for (bool first = true; next_word(&rest, &word); first = false) {
		const char *glue = first ? "" : rest.len > 0 ? ", " : " or ";
		if (!str_fmt(dst + len, size - len, "%s" SLICE_FMT, glue, SLICE_ARG(word)))
			break;
		len += strlen(dst + len);
	}
	return dst;
}

/* --- numbers */

struct unit {
	const char *name;
	double factor;
};

static const struct unit sizes[] = { { "", 1 }, { "K", 1024 }, { "M", 1048576 },
	{ "G", 1073741824 } };
static const struct unit times[] = { { "ms", 0.001 }, { "s", 1 }, { "m", 60 }, { "h", 3600 },
	{ "d", 86400 } };
static const struct unit plain[] = { { "", 1 } };

static const struct unit *
units(enum config_type type, size_t *n_r)
{
	if (type == TYPE_SIZE) {
		*n_r = ARRAY_SIZE(sizes);
		return sizes;
	}
	if (type == TYPE_DURATION) {
		*n_r = ARRAY_SIZE(times);
		return times;
	}
	*n_r = ARRAY_SIZE(plain);
	return plain;
}

static bool
parse_number(enum config_type type, struct slice text, double *n_r)
{
	struct slice digits = { text.p, 0 };
	while (digits.len < text.len && text.p[digits.len] >= '0' && text.p[digits.len] <= '9')
		digits.len++;
	struct slice unit = { text.p + digits.len, text.len - digits.len };
	uint64_t n;
	if (!str_u64(digits, (uint64_t)1 << 53, &n))
		return false;
	size_t count;
	const struct unit *u = units(type, &count);
	for (size_t i = 0; i < count; i++) {
		bool same = type == TYPE_SIZE ? slice_eq_case(unit, slice_of(u[i].name))
					      : slice_eq_cstr(unit, u[i].name);
		if (same) {
			*n_r = (double)n * u[i].factor;
			return true;
		}
	}
	*n_r = 0;
	return type == TYPE_DURATION && unit.len == 0 && n == 0;
}

double
value_number(enum config_type type, const char *text)
{
	double n;
	return parse_number(type, slice_of(text), &n) ? n : 0;
}

char *
value_format(char *dst, size_t size, enum config_type type, double n)
{
	size_t count;
	const struct unit *u = units(type, &count), *best = &u[0];
	if (n == 0) {
		str_fmt(dst, size, "0");
		return dst;
	}
	for (size_t i = 1; i < count; i++)
		if (n >= u[i].factor && fmod(n, u[i].factor) == 0)
			best = &u[i];
	str_fmt(dst, size, "%.0f%s", n / best->factor, best->name);
	return dst;
}

static const char *
example(enum config_type type)
{
	switch (type) {
	case TYPE_SIZE:
		return " (bytes, or with K, M or G behind it)";
	case TYPE_DURATION:
		return " (with ms, s, m, h or d behind it)";
	case TYPE_BOOL:
	case TYPE_NUMBER:
	case TYPE_WORD:
	case TYPE_TEXT:
	case TYPE_NAME:
	case TYPE_PATH:
	case TYPE_LIST:
		break;
	}
	return "";
}

static int
check_number(const struct config_key *key, const char *text, struct err *err)
{
	char shown[VALUE_SHOWN], low[32], high[32], words[64];
	double n;
	const char *noun = key->type == TYPE_NUMBER ? "a whole number"
			   : key->type == TYPE_SIZE ? "a size"
						    : "a time";
	bool parsed = parse_number(key->type, slice_of(text), &n);
	if (parsed && n >= key->min && n <= key->max)
		return 0;
	return err_set(err, "expected %s%s%s from %s to %s%s, found \"%s\"",
	    key->words ? value_words(words, sizeof(words), key->words) : "",
	    key->words ? " or " : "", noun, value_format(low, sizeof(low), key->type, key->min),
	    value_format(high, sizeof(high), key->type, key->max), parsed ? "" : example(key->type),
	    str_printable(shown, sizeof(shown), slice_of(text)));
}

/* --- the rest */

bool
value_bool(const char *text)
{
	return strcmp(text, "yes") == 0;
}

static int
check_bool(const char *text, struct err *err)
{
	static const char *const others[][2] = { { "true", "yes" }, { "on", "yes" }, { "1", "yes" },
		{ "y", "yes" }, { "enabled", "yes" }, { "false", "no" }, { "off", "no" },
		{ "0", "no" }, { "n", "no" }, { "disabled", "no" }, { "none", "no" } };
	char shown[VALUE_SHOWN];
	struct slice near = { NULL, 0 };
	if (value_word("yes | no", text) >= 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (slice_eq_case(slice_of(text), slice_of(others[i][0])))
			near = slice_of(others[i][1]);
	if (slice_eq_case(slice_of(text), SLICE("yes")) ||
	    slice_eq_case(slice_of(text), SLICE("no")))
		near = text[0] == 'y' || text[0] == 'Y' ? SLICE("yes") : SLICE("no");
	str_printable(shown, sizeof(shown), slice_of(text));
	if (near.len > 0 || value_near_word("yes | no", text, &near))
		return err_set(err,
		    "expected yes or no, found \"%s\"; did you mean \"" SLICE_FMT "\"?", shown,
		    SLICE_ARG(near));
	return err_set(err, "expected yes or no, found \"%s\"", shown);
}

static int
check_word(const struct config_key *key, const char *text, struct err *err)
{
	char shown[VALUE_SHOWN], words[160];
	struct slice near;
	if (value_word(key->words, text) >= 0)
		return 0;
	value_words(words, sizeof(words), key->words);
	str_printable(shown, sizeof(shown), slice_of(text));
	if (value_near_word(key->words, text, &near))
		return err_set(err, "expected %s, found \"%s\"; did you mean \"" SLICE_FMT "\"?",
		    words, shown, SLICE_ARG(near));
	return err_set(err, "expected %s, found \"%s\"", words, shown);
}

static int
check_path(const struct config_key *key, const char *text, struct err *err)
{
	char shown[VALUE_SHOWN], words[64];
	if (text[0] == '/')
		return 0;
	return err_set(err, "expected %s%san absolute path, found \"%s\"",
	    key->words ? value_words(words, sizeof(words), key->words) : "",
	    key->words ? " or " : "", str_printable(shown, sizeof(shown), slice_of(text)));
}

int
value_check(const struct config_key *key, const char *text, struct err *err)
{
	if (key->planned_words && value_word(key->planned_words, text) >= 0)
		return err_set(
		    err, "\"%s\" is planned, but this version does not have it yet", text);
	if (key->words && value_word(key->words, text) >= 0)
		return 0;
	switch (key->type) {
	case TYPE_BOOL:
		return check_bool(text, err);
	case TYPE_NUMBER:
	case TYPE_SIZE:
	case TYPE_DURATION:
		return check_number(key, text, err);
	case TYPE_WORD:
		return check_word(key, text, err);
	case TYPE_PATH:
		return check_path(key, text, err);
	case TYPE_TEXT:
	case TYPE_NAME:
	case TYPE_LIST:
		break;
	}
	return 0;
}

int
value_item(struct slice *rest, struct slice *item_r)
{
	if (!slice_cut(rest, ',', item_r))
		return 0;
	/* "a," has an empty item behind its comma, which slice_cut() would not show. */
	bool comma_last = rest->len == 0 && rest->p > item_r->p + item_r->len;
	*item_r = slice_trim(*item_r);
	return item_r->len == 0 || comma_last ? -1 : 1;
}

int
value_listen(struct slice text, struct addr *addr, bool *any_r, struct err *err)
{
	char shown[VALUE_SHOWN];
	struct slice host;
	uint16_t port;
	*any_r = false;
	str_printable(shown, sizeof(shown), text);
	if (text.len > 0 && !memchr(text.p, ':', text.len))
		return err_set(err,
		    "expected an address and a port, such as *:143, 192.0.2.1:143 or [::1]:143, "
		    "found \"%s\"",
		    shown);
	if (!addr_split(text, true, &host, &port, err))
		return -1;
	if (slice_eq_cstr(host, "*")) {
		*any_r = true;
		if (addr_parse_ip(addr, SLICE("0.0.0.0"), port))
			return 0;
	}
	if (!addr_parse_ip(addr, host, port))
		return err_set(err,
		    "expected *, an IPv4 address or an IPv6 address in brackets before the port, "
		    "found \"%s\"",
		    shown);
	struct addr unmapped = *addr;
	addr_unmap(&unmapped);
	if (unmapped.sa.sa_family != addr->sa.sa_family)
		return err_set(
		    err, "an IPv4 address is written without ::ffff:, found \"%s\"", shown);
	return 0;
}

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

int
value_host(struct slice text, bool wildcard, struct err *err)
{
	char shown[VALUE_SHOWN];
	struct slice rest = text, label;
	str_printable(shown, sizeof(shown), text);
	if (wildcard && rest.len > 2 && rest.p[0] == '*' && rest.p[1] == '.') {
		rest.p += 2;
		rest.len -= 2;
	}
	bool right = rest.len > 0 && text.len <= HOST_MAX && rest.p[rest.len - 1] != '.';
	while (right && slice_cut(&rest, '.', &label)) {
		right = label.len > 0 && label.len < 64 && label.p[0] != '-' &&
			label.p[label.len - 1] != '-';
		for (size_t i = 0; i < label.len; i++)
			right = right &&
				(is_alnum(label.p[i]) || label.p[i] == '-' || label.p[i] == '_');
	}
	if (right)
		return 0;
	return err_set(err, "expected a host name%s, found \"%s\"",
	    wildcard ? ", perhaps with \"*.\" in front" : "", shown);
}

int
value_name(struct slice text, struct err *err)
{
	char shown[VALUE_SHOWN];
	bool right = text.len > 0 && text.len < BACKEND_NAME_MAX;
	for (size_t i = 0; right && i < text.len; i++)
		right = is_alnum(text.p[i]) || memchr(".-_", text.p[i], 3);
	if (right)
		return 0;
	return err_set(err,
	    "\"%s\" is no name: letters, digits, \".\", \"-\" and \"_\" make one, at most %d",
	    str_printable(shown, sizeof(shown), text), BACKEND_NAME_MAX - 1);
}
