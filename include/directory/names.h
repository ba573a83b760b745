/*
 * directory/names.h - a small, bounded cache of resolved host names.
 *
 * An answer is used for its TTL, at least NAMES_TTL_MIN and at most NAMES_TTL_MAX. While the name cannot be resolved the last answer
 * goes on being used, however old; a name that never was resolved has no addresses. IP literals need no resolver.
 */
#ifndef DIRECTORY_NAMES_H
#define DIRECTORY_NAMES_H

#include "io/resolve.h"

#define NAMES_MAX       4096
#define NAMES_TTL_MIN   1 /* seconds */
#define NAMES_TTL_MAX   300
#define NAMES_RETRY     2  /* seconds after a failure in which the name is not asked for again */
#define NAMES_LOG_EVERY 60 /* seconds between two lines about one name */

struct names;
struct name;

/* Lives in the object that waits. */
struct name_wait;
typedef void name_fn(struct name_wait *w);
struct name_wait {
	struct list node;
	name_fn *fn;
};

/* Makes its own resolver on @loop. NULL and a reason. */
struct names *names_new(struct loop *loop, struct err *err) MUST_CHECK;
/* With another bound, for tests. */
struct names *names_new_bounded(struct loop *loop, size_t max, struct err *err) MUST_CHECK;
void names_free(struct names **n); /* all names must have been put back */

/*
 * The entry of @host (ASCII case ignored), held until name_put(). NULL: out of memory, or all of the cache is held or being
 * asked for, or @host is too long.
 */
struct name *name_get(struct names *n, const char *host) MUST_CHECK;
void name_put(struct names *n, struct name **name);

/*
 * Makes sure that what is known of @name is as fresh as can be. True: it is known now (maybe not at all: no addresses); false: asked
 * for, and @w is told, never before this returns, when it is. @w may be NULL: nobody waits. name_wait_cancel() takes @w back.
 */
bool name_ask(struct names *n, struct name *name, struct name_wait *w, name_fn *fn);
void name_wait_cancel(struct name_wait *w);

/* Up to RESOLVE_MAX addresses with @port, in the resolver's order; how many. 0: none known. */
unsigned name_addrs(const struct name *name, uint16_t port, struct addr addrs[RESOLVE_MAX]);
const char *name_host(const struct name *name);

size_t names_count(const struct names *n); /* entries in the cache */

#endif
