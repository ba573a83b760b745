/*
 * base/addr.c - addresses as values: parse, format, compare. No resolving.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

socklen_t
addr_len(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in4);
}

uint16_t
addr_port(const struct addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in4.sin_port);
}

void
addr_set_port(struct addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
	else
		a->in4.sin_port = htons(port);
}

/* The bytes of the IP address and how many. */
static const unsigned char *
bytes(const struct addr *a, size_t *len_r)
{
	if (a->sa.sa_family == AF_INET6) {
		*len_r = 16;
		return a->in6.sin6_addr.s6_addr;
	}
	*len_r = 4;
	return (const unsigned char *)&a->in4.sin_addr;
}

static bool
same_ip(const struct addr *a, const struct addr *b)
{
	size_t la, lb;
	const unsigned char *pa = bytes(a, &la), *pb = bytes(b, &lb);
	return la == lb && memcmp(pa, pb, la) == 0;
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	return a->sa.sa_family == b->sa.sa_family && addr_port(a) == addr_port(b) && same_ip(a, b);
}

void
addr_unmap(struct addr *a)
{
	if (a->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = a->in6.sin6_port };
	memcpy(&in4.sin_addr, a->in6.sin6_addr.s6_addr + 12, 4);
	memset(a, 0, sizeof(*a));
	a->in4 = in4;
}

char *
addr_format_ip(char dst[ADDR_TEXT], const struct addr *a)
{
	struct addr plain = *a;
	addr_unmap(&plain);
	dst[0] = '\0';
	const void *ip = plain.sa.sa_family == AF_INET6 ? (const void *)&plain.in6.sin6_addr
							: (const void *)&plain.in4.sin_addr;
	if (!addr_is_set(&plain) || !inet_ntop(plain.sa.sa_family, ip, dst, ADDR_TEXT))
		memcpy(dst, "-", 2);
	return dst;
}

char *
addr_format(char dst[ADDR_TEXT], const struct addr *a)
{
	char ip[ADDR_TEXT];
	if (!addr_is_set(a)) {
		memcpy(dst, "-", 2);
		return dst;
	}
	addr_format_ip(ip, a);
	bool v6 = strchr(ip, ':') != NULL;
	(void)str_fmt(dst, ADDR_TEXT, v6 ? "[%.45s]:%u" : "%.45s:%u", ip, addr_port(a));
	return dst;
}

bool
addr_parse_ip(struct addr *a, struct slice text, uint16_t port)
{
	char ip[INET6_ADDRSTRLEN];
	memset(a, 0, sizeof(*a));
	if (!str_put(ip, sizeof(ip), text))
		return false;
	if (inet_pton(AF_INET, ip, &a->in4.sin_addr) == 1) {
		a->in4.sin_family = AF_INET;
		a->in4.sin_port = htons(port);
		return true;
	}
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET6, ip, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(port);
		return true;
	}
	memset(a, 0, sizeof(*a));
	return false;
}

bool
addr_split(struct slice text, bool zero_ok, struct slice *host_r, uint16_t *port_r, struct err *err)
{
	struct slice host, port;
	char shown[128];
	str_printable(shown, sizeof(shown), text);
	if (text.len > 0 && text.p[0] == '[') {
		const char *close = memchr(text.p, ']', text.len);
		if (!close || close + 1 >= text.p + text.len || close[1] != ':') {
			err_set(err, "expected [address]:port, found \"%s\"", shown);
			return false;
		}
		host = (struct slice){ text.p + 1, (size_t)(close - text.p) - 1 };
		port = (struct slice){ close + 2, text.len - host.len - 3 };
		struct addr ip;
		if (!addr_parse_ip(&ip, host, 0) || ip.sa.sa_family != AF_INET6) {
			err_set(
			    err, "expected an IPv6 address between [ and ], found \"%s\"", shown);
			return false;
		}
	} else {
		const char *colon = memrchr(text.p ? text.p : "", ':', text.len);
		if (!colon || colon == text.p) {
			err_set(err, "expected host:port, found \"%s\"", shown);
			return false;
		}
		host = (struct slice){ text.p, (size_t)(colon - text.p) };
		port = (struct slice){ colon + 1, text.len - host.len - 1 };
		if (memchr(host.p, ':', host.len)) {
			err_set(err,
			    "an IPv6 address is written in brackets, [address]:port; found \"%s\"",
			    shown);
			return false;
		}
	}
	uint64_t n;
	if (!str_u64(port, 65535, &n) || (n == 0 && !zero_ok)) {
		err_set(err, "expected a port from %d to 65535 behind the colon, found \"%s\"",
		    zero_ok ? 0 : 1, shown);
		return false;
	}
	*host_r = host;
	*port_r = (uint16_t)n;
	return true;
}

bool
addr_net_parse(struct addr_net *n, struct slice text, struct err *err)
{
	struct slice rest = text, ip = text;
	char shown[128];
	(void)slice_cut(&rest, '/', &ip);
	if (!addr_parse_ip(&n->base, ip, 0)) {
		err_set(err, "expected an address or a network like 10.0.0.0/8, found \"%s\"",
		    str_printable(shown, sizeof(shown), text));
		return false;
	}
	uint64_t widest = n->base.sa.sa_family == AF_INET6 ? 128 : 32, bits = widest;
	if (ip.len < text.len && !str_u64(rest, widest, &bits)) {
		err_set(err, "expected a prefix length from 0 to %u, found \"%s\"",
		    (unsigned)widest, str_printable(shown, sizeof(shown), text));
		return false;
	}
	if (widest == 128 && bits >= 96) { /* of IPv4 in disguise: compared as what it is */
		addr_unmap(&n->base);
		if (n->base.sa.sa_family == AF_INET)
			bits -= 96;
	}
	n->bits = (uint8_t)bits;
	return true;
}

bool
addr_net_has(const struct addr_net *n, const struct addr *a)
{
	struct addr plain = *a;
	size_t ln, la;
	if (!addr_is_set(a))
		return false;
	addr_unmap(&plain);
	const unsigned char *pn = bytes(&n->base, &ln), *pa = bytes(&plain, &la);
	if (ln != la)
		return false;
	size_t whole = n->bits / 8;
	unsigned rest = n->bits % 8;
	if (memcmp(pn, pa, whole) != 0)
		return false;
	return rest == 0 || ((pn[whole] ^ pa[whole]) >> (8 - rest)) == 0;
}
