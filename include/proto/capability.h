/*
 * proto/capability.h - capability lists: words separated by single spaces, names without case (RFC
 * 9051 section 7.2.2).
 *
 * Lists are plain text (`IMAP4rev1 IDLE AUTH=PLAIN`); all functions take and write text, bounded by
 * CAPABILITY_MAX.
 */
#ifndef PROTO_CAPABILITY_H
#define PROTO_CAPABILITY_H

#include <stdbool.h>

#include "base/str.h"

#define CAPABILITY_MAX   2048 /* bytes of a list, with a NUL; longer lists of stores are refused */
#define CAPABILITY_WORDS 128  /* words in a list */

struct capability_list {
	char text[CAPABILITY_MAX]; /* single spaces, no leading or trailing one, NUL-terminated */
};

/*
 * Takes a list as a peer sent it: spaces squeezed, duplicates dropped, words that are no atoms
 * refused. False when it is empty, over a bound, or holds what no capability may (then @list_r is
 * empty).
 */
bool capability_parse(struct capability_list *list_r, struct slice text) MUST_CHECK;

bool capability_has(const struct capability_list *list, struct slice word);

/* Appends a word if it is not there; false when it does not fit or is no atom. */
bool capability_add(struct capability_list *list, struct slice word);
void capability_remove(struct capability_list *list, struct slice word);

/* Keeps in @list what is in @other too. */
void capability_intersect(struct capability_list *list, const struct capability_list *other);

bool capability_equal(
    const struct capability_list *a, const struct capability_list *b); /* order ignored */

/*
 * What only counts before login: STARTTLS, LOGINDISABLED, AUTH=…, SASL-IR; and what would lead
 * around the proxy: UNAUTHENTICATE, LOGIN-REFERRALS. Removes these, as is right for a list shown
 * after login.
 */
void capability_strip_after_login(struct capability_list *list);

/*
 * What of a store's list from before its login may be announced by the proxy before login: all but
 * what the proxy itself decides (STARTTLS, LOGINDISABLED, AUTH=…, SASL-IR, ID, LITERAL+, LITERAL-)
 * and what it hides (UNAUTHENTICATE, LOGIN-REFERRALS).
 */
void capability_strip_before_login(struct capability_list *list);

#endif
