/*
 * tests/fuzz/fuzz_capability.c - lists of capabilities.
 *
 * Input: a list as a store may send it. Beyond crashes it checks that a list keeps its form through
 * everything that is done with it, and that what is taken out is out, and nothing else.
 */
#include "fuzz.h"

#include "proto/capability.h"
#include "proto/imap_lex.h"

/* The form a list always has: written and read again it is the same. */
static void
check_list(const struct capability_list *list)
{
	struct slice rest = slice_of(list->text), word;
	struct capability_list again;
	unsigned words = 0;

	FUZZ_CHECK(rest.len < CAPABILITY_MAX);
	FUZZ_CHECK(capability_parse(&again, rest) == (rest.len > 0));
	FUZZ_CHECK(strcmp(again.text, list->text) == 0);
	while ((word = slice_word(&rest)).len) {
		FUZZ_CHECK(imap_is_atom(word) && capability_has(list, word));
		words++;
	}
	FUZZ_CHECK(words <= CAPABILITY_WORDS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct capability_list list, after, before, both;
	struct slice rest, word;

	if (!capability_parse(&list, text)) {
		FUZZ_CHECK(!list.text[0]);
		return 0;
	}
	check_list(&list);
	after = before = both = list;
	capability_strip_after_login(&after);
	check_list(&after);
	FUZZ_CHECK(!capability_has(&after, SLICE("UNAUTHENTICATE")));
	FUZZ_CHECK(!capability_has(&after, SLICE("AUTH=PLAIN")));
	capability_strip_before_login(&before);
	check_list(&before);
	FUZZ_CHECK(!capability_has(&before, SLICE("ID")));
	/* Before login less is shown than after it. */
	capability_intersect(&both, &after);
	FUZZ_CHECK(capability_equal(&both, &after));
	capability_intersect(&both, &before);
	FUZZ_CHECK(capability_equal(&both, &before));
	check_list(&both);

	rest = slice_of(list.text);
	word = slice_word(&rest);
	both = list;
	capability_remove(&both, word);
	check_list(&both);
	FUZZ_CHECK(!capability_has(&both, word) && !capability_equal(&both, &list));
	FUZZ_CHECK(capability_add(&both, word));
	FUZZ_CHECK(capability_equal(&both, &list));
	return 0;
}
