/*
 * base/hash.h - OpenSSL's SipHash-2-4, keyed: for tables (a random key a process, so that nobody outside can make
 * names collide) and for placement (a fixed key, so that every proxy of a fleet computes the same).
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#include "base/str.h"

/* Under this process's random key. Never fails: without OpenSSL's SipHash the process does not start. */
uint64_t hash_table(struct slice bytes);

/* Under a key that is the same everywhere and for ever; over @a, a NUL, and @b. */
uint64_t hash_placement(struct slice a, struct slice b);

/* A thread that hashed is about to end: lets go what it needed for that. */
void hash_end_thread(void);

#endif
