/*
 * config/values.h - from the text of a value to what it means, with messages that say what was
 * expected and what was found.
 *
 * Each returns 0, or -1 and the whole message but for the name of the key.
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "base/addr.h"
#include "config/keys.h"

#define VALUE_SHOWN 96 /* bytes of a value in a message */

/*
 * Whether @text is a value of @key: type, range, words. Lists, names and texts are looked at by
 * whoever uses them.
 */
int value_check(const struct config_key *key, const char *text, struct err *err) MUST_CHECK;

/* What value_check() found right. */
bool value_bool(const char *text);
double value_number(
    enum config_type type, const char *text); /* numbers; sizes in bytes; durations in seconds */
int value_word(const char *words,
    const char *text); /* the how manieth of "a | b | c", from 0; -1: none of them */

/* A number, size or duration as one would write it: "64K", "30s", "5m". */
char *value_format(char *dst, size_t size, enum config_type type, double n);

/* The word of "a | b | c" that is near @text; false: none. */
bool value_near_word(const char *words, const char *text, struct slice *word_r);
/* "a, b or c" from "a | b | c". */
char *value_words(char *dst, size_t size, const char *words);

/*
 * Cuts the next item of a comma separated list off *@rest, trimmed. 1; 0: none left; -1: an empty
 * item.
 */
int value_item(struct slice *rest, struct slice *item_r);

/*
 * "1.2.3.4:143", "[::1]:143", "*:143"; *@any_r: it was the star (then @addr is IPv4, and IPv6 is
 * meant too).
 */
int value_listen(struct slice text, struct addr *addr, bool *any_r, struct err *err) MUST_CHECK;

/* A host name as DNS has it; @wildcard: also with "*." in front. */
int value_host(struct slice text, bool wildcard, struct err *err) MUST_CHECK;

/* A name of a section: letters, digits, ".", "-" and "_", at most BACKEND_NAME_MAX - 1. */
int value_name(struct slice text, struct err *err) MUST_CHECK;

#endif
