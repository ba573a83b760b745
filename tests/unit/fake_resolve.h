/*
 * tests/unit/fake_resolve.h - io/resolve.h answered from a table that the test fills. Answers come from a task put off,
 * never before resolver_ask() returned, as with the real one.
 *
 * The table is of the program, not of a resolver: fake_resolve_reset() empties it.
 */
#ifndef FAKE_RESOLVE_H
#define FAKE_RESOLVE_H

#include "io/resolve.h"

void fake_resolve_reset(void);

/* From now on @host has these addresses ("10.0.0.1 ::1", blank between), good for @ttl seconds. */
void fake_resolve_set(const char *host, const char *addrs, unsigned ttl);

/* From now on @host cannot be resolved. Hosts never mentioned cannot either. */
void fake_resolve_fail(const char *host);

/* Questions for @host wait until fake_resolve_release(), and are answered then as set at that time. */
void fake_resolve_hold(const char *host);
void fake_resolve_release(const char *host);

/* How often @host has been asked for since the reset; NULL: all hosts together. */
unsigned fake_resolve_asked(const char *host);

/* Whether resolver_ask() fails at once. */
void fake_resolve_refuse(bool refuse);

#endif
