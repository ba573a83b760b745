/*
 * base/addr.h - socket addresses: IPv4, IPv6, as values.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	};
};

#define ADDR_TEXT 56 /* room for "[v6 address]:port" and a NUL */

static inline bool
addr_is_set(const struct addr *a)
{
	return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

socklen_t addr_len(const struct addr *a);
uint16_t addr_port(const struct addr *a); /* host byte order */
void addr_set_port(struct addr *a, uint16_t port);
bool addr_eq(const struct addr *a, const struct addr *b); /* port included */

/* "1.2.3.4:143" or "[::1]:143"; a v4-mapped IPv6 address is written as IPv4. Returns @dst. */
char *addr_format(char dst[ADDR_TEXT], const struct addr *a);
/* The same without port and brackets. */
char *addr_format_ip(char dst[ADDR_TEXT], const struct addr *a);

/* An IP literal without brackets; @port goes in as it is. False when it is none. */
bool addr_parse_ip(struct addr *a, struct slice text, uint16_t port) MUST_CHECK;

/* v4-mapped IPv6 becomes IPv4, anything else stays. */
void addr_unmap(struct addr *a);

/*
 * "host:port", "1.2.3.4:port", "[v6]:port": cuts the two apart without resolving. False and a reason in @err when
 * it is none of these or the port is not 1 to 65535 (0 allowed where @zero_ok).
 */
bool addr_split(struct slice text, bool zero_ok, struct slice *host_r, uint16_t *port_r,
    struct err *err) MUST_CHECK;

/*
 * A network, "10.0.0.0/8" or a single address. A v4-mapped IPv6 address or network counts as the IPv4 one, here
 * and in what is looked for; ::/0 holds no IPv4. Bits of @base behind the prefix say nothing.
 */
struct addr_net {
	struct addr base;
	uint8_t bits;
};
bool addr_net_parse(struct addr_net *n, struct slice text, struct err *err) MUST_CHECK;
bool addr_net_has(const struct addr_net *n, const struct addr *a);

#endif
