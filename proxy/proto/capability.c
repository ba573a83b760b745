/*
 * proto/capability.c - lists of capabilities, as text.
 *
 * A list is the text that goes over the wire; nothing is indexed, since lists are short, are read a
 * few times a login at most, and the text is what everybody wants in the end. What a capability
 * means is for others, but for the two lists of what must not be shown to a client.
 *
 * Invariant of a struct capability_list: words are atoms, single spaces between them, no word twice
 * (case ignored), no more than CAPABILITY_WORDS of them, NUL-terminated. An all-zero one is the
 * empty list.
 */
#include "proto/capability.h"

#include "proto/imap_lex.h"

static struct slice
words(const struct capability_list *list)
{
	return (struct slice){ list->text, strnlen(list->text, CAPABILITY_MAX) };
}

static unsigned
count(const struct capability_list *list)
{
	struct slice rest = words(list);
	unsigned n = 0;

	while (slice_word(&rest).len)
		n++;
	return n;
}

bool
capability_has(const struct capability_list *list, struct slice word)
{
	struct slice rest = words(list), w;

	while ((w = slice_word(&rest)).len)
		if (slice_eq_case(w, word))
			return true;
	return false;
}

bool
capability_add(struct capability_list *list, struct slice word)
{
	size_t len = words(list).len;
	size_t gap = len > 0;

	if (!imap_is_atom(word))
		return false;
	if (capability_has(list, word))
		return true;
	if (word.len >= CAPABILITY_MAX || len + gap + word.len >= CAPABILITY_MAX ||
	    count(list) == CAPABILITY_WORDS)
		return false;
	if (gap)
		list->text[len] = ' ';
	memcpy(list->text + len + gap, word.p, word.len);
	list->text[len + gap + word.len] = '\0';
	return true;
}

bool
capability_parse(struct capability_list *list_r, struct slice text)
{
	struct slice w;

	list_r->text[0] = '\0';
	while ((w = slice_word(&text)).len) {
		if (!capability_add(list_r, w)) {
			list_r->text[0] = '\0';
			return false;
		}
	}
	return list_r->text[0] != '\0';
}

/* Rewrites the list in place with the words that @keep wants. */
static void
filter(
    struct capability_list *list, bool (*keep)(struct slice word, const void *arg), const void *arg)
{
	struct slice rest = words(list), w;
	size_t len = 0;

	while ((w = slice_word(&rest)).len) {
		if (!keep(w, arg))
			continue;
		if (len)
			list->text[len++] = ' ';
		memmove(list->text + len, w.p, w.len); /* never further right than it stood */
		len += w.len;
	}
	list->text[len] = '\0';
}

static bool
is_other(struct slice word, const void *arg)
{
	return !slice_eq_case(word, *(const struct slice *)arg);
}

void
capability_remove(struct capability_list *list, struct slice word)
{
	filter(list, is_other, &word);
}

static bool
is_in(struct slice word, const void *arg)
{
	return capability_has(arg, word);
}

void
capability_intersect(struct capability_list *list, const struct capability_list *other)
{
	filter(list, is_in, other);
}

bool
capability_equal(const struct capability_list *a, const struct capability_list *b)
{
	struct slice rest = words(a), w;

	if (count(a) != count(b))
		return false;
	while ((w = slice_word(&rest)).len)
		if (!capability_has(b, w))
			return false;
	return true;
}

/* Counts only before login, or leads around the proxy: RFC 8437, RFC 2221. */
static const char *const hidden[] = { "STARTTLS", "LOGINDISABLED", "SASL-IR", "UNAUTHENTICATE",
	"LOGIN-REFERRALS" };
/* Before login the proxy itself keeps or breaks these. */
static const char *const own[] = { "ID", "LITERAL+", "LITERAL-" };

static bool
is_one_of(struct slice word, const char *const *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq_case(word, slice_of(table[i])))
			return true;
	return false;
}

static bool
shown_after_login(struct slice word, const void *arg UNUSED)
{
	return !slice_starts_case(word, SLICE("AUTH=")) &&
	       !is_one_of(word, hidden, ARRAY_SIZE(hidden));
}

static bool
shown_before_login(struct slice word, const void *arg)
{
	return shown_after_login(word, arg) && !is_one_of(word, own, ARRAY_SIZE(own));
}

void
capability_strip_after_login(struct capability_list *list)
{
	filter(list, shown_after_login, NULL);
}

void
capability_strip_before_login(struct capability_list *list)
{
	filter(list, shown_before_login, NULL);
}
