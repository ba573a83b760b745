/*
 * io/resolve.h - host names to addresses without blocking (c-ares, on our loop). The directory's.
 */
#ifndef IO_RESOLVE_H
#define IO_RESOLVE_H

#include "base/addr.h"
#include "base/err.h"
#include "io/loop.h"

struct resolver;

#define RESOLVE_MAX     8 /* addresses of a name */
#define RESOLVE_SECONDS 5 /* a question, all tries included */

/*
 * @n addresses (0: failed, @err says why), with the port asked for; IPv4 and IPv6 mixed as the system's preference has them.
 * @ttl: seconds for which the shortest-lived of them is good; 0 for what came from /etc/hosts or was a literal. It may ask again,
 * and free the resolver.
 */
typedef void resolve_fn(
    void *arg, const struct addr *addrs, unsigned n, unsigned ttl, const struct err *err);

/* Reads /etc/resolv.conf, once: a resolver that is to see changes is made anew. */
struct resolver *resolver_new(struct loop *loop, struct err *err) MUST_CHECK;
/* Pending questions are dropped without an answer. */
void resolver_free(struct resolver **r);

/*
 * Asks. An IP literal is answered too (by the same way: never before this returns). -1: too many questions open (4096) or no memory.
 * /etc/hosts counts.
 */
int resolver_ask(
    struct resolver *r, const char *host, uint16_t port, resolve_fn *fn, void *arg) MUST_CHECK;

/* Asks these instead of the system's: "127.0.0.1:5353,[::1]:53". -1 and a reason. */
int resolver_set_servers(struct resolver *r, const char *servers, struct err *err) MUST_CHECK;

#endif
