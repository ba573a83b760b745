/*
 * directory/route.c - question and answer as bytes, the choice of a rule, and the normalised user name.
 *
 * Pure functions over their arguments: no lookup is asked here, no clock, no memory of their own. Both ends of the
 * socket pair are ours, but what is unpacked is checked like any other input: a process that went wrong must not
 * take its neighbour along.
 */
#include "directory/route.h"

/* --- addresses */

enum { WIRE_NONE = 0, WIRE_IPV4 = 4, WIRE_IPV6 = 6 };

static void
addr_pack(struct pack *k, const struct addr *a)
{
	if (a->sa.sa_family == AF_INET) {
		pack_u8(k, WIRE_IPV4);
		pack_u16(k, addr_port(a));
		pack_slice(
		    k, (struct slice){ (const char *)&a->in4.sin_addr, sizeof(a->in4.sin_addr) });
	} else if (a->sa.sa_family == AF_INET6) {
		pack_u8(k, WIRE_IPV6);
		pack_u16(k, addr_port(a));
		pack_u32(k, a->in6.sin6_scope_id);
		pack_slice(
		    k, (struct slice){ (const char *)&a->in6.sin6_addr, sizeof(a->in6.sin6_addr) });
	} else {
		pack_u8(k, WIRE_NONE);
	}
}

static bool
addr_unpack(struct unpack *u, struct addr *a)
{
	struct slice bytes;
	uint16_t port;

	memset(a, 0, sizeof(*a));
	switch (unpack_u8(u)) {
	case WIRE_NONE:
		return true;
	case WIRE_IPV4:
		port = unpack_u16(u);
		bytes = unpack_slice(u);
		if (bytes.len != sizeof(a->in4.sin_addr))
			return false;
		a->in4.sin_family = AF_INET;
		memcpy(&a->in4.sin_addr, bytes.p, bytes.len);
		addr_set_port(a, port);
		return true;
	case WIRE_IPV6:
		port = unpack_u16(u);
		a->in6.sin6_scope_id = unpack_u32(u);
		bytes = unpack_slice(u);
		if (bytes.len != sizeof(a->in6.sin6_addr))
			return false;
		a->in6.sin6_family = AF_INET6;
		memcpy(&a->in6.sin6_addr, bytes.p, bytes.len);
		addr_set_port(a, port);
		return true;
	default:
		return false;
	}
}

/* --- question */

void
route_question_pack(struct pack *k, const struct route_question *q)
{
	pack_u64(k, q->id);
	pack_cstr(k, q->user);
	pack_cstr(k, q->listener);
	pack_cstr(k, q->server_name);
	addr_pack(k, &q->client);
}

bool
route_question_unpack(struct unpack *u, struct route_question *q_r)
{
	memset(q_r, 0, sizeof(*q_r));
	q_r->id = unpack_u64(u);
	unpack_cstr(u, q_r->user, sizeof(q_r->user));
	unpack_cstr(u, q_r->listener, sizeof(q_r->listener));
	unpack_cstr(u, q_r->server_name, sizeof(q_r->server_name));
	return addr_unpack(u, &q_r->client) && unpack_ok(u);
}

/* --- answer */

static void
candidate_pack(struct pack *k, const struct route_candidate *c)
{
	pack_cstr(k, c->backend);
	pack_cstr(k, c->host);
	pack_u16(k, c->port);
	pack_u8(k, (uint8_t)c->n_addrs);
	for (unsigned i = 0; i < c->n_addrs; i++)
		addr_pack(k, &c->addrs[i]);
}

static bool
candidate_unpack(struct unpack *u, struct route_candidate *c)
{
	unpack_cstr(u, c->backend, sizeof(c->backend));
	unpack_cstr(u, c->host, sizeof(c->host));
	c->port = unpack_u16(u);
	c->n_addrs = unpack_u8(u);
	if (c->n_addrs > RESOLVE_MAX)
		return false;
	for (unsigned i = 0; i < c->n_addrs; i++)
		if (!addr_unpack(u, &c->addrs[i]) || !addr_is_set(&c->addrs[i]))
			return false;
	return true;
}

void
route_answer_pack(struct pack *k, const struct route_answer *a)
{
	pack_u64(k, a->id);
	pack_u16(k, (uint16_t)a->fail);
	pack_cstr(k, a->user);
	pack_cstr(k, a->key);
	pack_cstr(k, a->route);
	pack_cstr(k, a->reason);
	pack_u8(k, a->pinned);
	/* -1 to 2 and -1 to 1 go one up, to stay unsigned. */
	pack_u8(k, (uint8_t)(a->tls + 1));
	pack_u8(k, (uint8_t)(a->verify + 1));
	pack_u8(k, (uint8_t)a->n_candidates);
	for (unsigned i = 0; i < a->n_candidates; i++)
		candidate_pack(k, &a->candidates[i]);
}

bool
route_answer_unpack(struct unpack *u, struct route_answer *a_r)
{
	unsigned fail, pinned, tls, verify;

	memset(a_r, 0, sizeof(*a_r));
	a_r->id = unpack_u64(u);
	fail = unpack_u16(u);
	unpack_cstr(u, a_r->user, sizeof(a_r->user));
	unpack_cstr(u, a_r->key, sizeof(a_r->key));
	unpack_cstr(u, a_r->route, sizeof(a_r->route));
	unpack_cstr(u, a_r->reason, sizeof(a_r->reason));
	pinned = unpack_u8(u);
	tls = unpack_u8(u);
	verify = unpack_u8(u);
	a_r->n_candidates = unpack_u8(u);
	if (fail >= FAIL_COUNT || pinned > 1 || tls > TLS_MODE_IMPLICIT + 1 || verify > 2 ||
	    a_r->n_candidates > ROUTE_CANDIDATES)
		return false;
	if (fail == FAIL_NONE && a_r->n_candidates == 0)
		return false;
	a_r->fail = (enum fail)fail;
	a_r->pinned = pinned;
	a_r->tls = (int8_t)((int)tls - 1);
	a_r->verify = (int8_t)((int)verify - 1);
	for (unsigned i = 0; i < a_r->n_candidates; i++)
		if (!candidate_unpack(u, &a_r->candidates[i]))
			return false;
	return unpack_ok(u);
}

/* --- names */

char *
route_target_name(char dst[ROUTE_TARGET_MAX], const char *host, uint16_t port)
{
	str_fmt(dst, ROUTE_TARGET_MAX, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	for (char *p = dst; *p; p++)
		*p = ascii_lower(*p);
	return dst;
}

/* Anything but control bytes: UTF-8 goes through as it is. */
static bool
name_usable(struct slice name)
{
	if (name.len == 0)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

bool
route_username(const struct route *route, struct slice name, char *dst, size_t size)
{
	size_t max = (size < ROUTE_USER_MAX ? size : ROUTE_USER_MAX) - 1;
	size_t len = name.len;
	const char *at;

	ASSERT(size > 0);
	dst[0] = '\0';
	if (len > max || !name_usable(name))
		return false;
	memcpy(dst, name.p, len);
	for (unsigned i = 0; i < route->n_steps; i++) {
		const struct username_step *step = &route->steps[i];

		switch (step->kind) {
		case USERNAME_LOWERCASE:
			for (size_t j = 0; j < len; j++)
				dst[j] = ascii_lower(dst[j]);
			break;
		case USERNAME_DEFAULT_DOMAIN: {
			size_t domain = strlen(step->domain);

			if (memchr(dst, '@', len))
				break;
			if (domain >= max - len) /* the @ counts */
				goto refuse;
			dst[len++] = '@';
			memcpy(dst + len, step->domain, domain);
			len += domain;
			break;
		}
		case USERNAME_STRIP_DOMAIN:
			at = memrchr(dst, '@', len);
			if (at)
				len = (size_t)(at - dst);
			break;
		}
		if (len == 0)
			goto refuse;
	}
	dst[len] = '\0';
	return true;
refuse:
	dst[0] = '\0';
	return false;
}

/* --- the rule */

/* As certificates have it: a leading "*." stands for one label. */
static bool
server_name_fits(const char *rule, const char *name)
{
	const char *dot;

	if (rule[0] != '*' || rule[1] != '.')
		return slice_eq_case(slice_of(rule), slice_of(name));
	dot = strchr(name, '.');
	return dot && dot != name && slice_eq_case(slice_of(rule + 1), slice_of(dot));
}

static bool
route_fits(const struct route *r, const struct route_question *q)
{
	bool fits = r->n_listens == 0;

	for (unsigned i = 0; i < r->n_listens && !fits; i++)
		fits = strcmp(r->listens[i], q->listener) == 0;
	if (!fits)
		return false;
	fits = r->n_server_names == 0;
	for (unsigned i = 0; i < r->n_server_names && !fits; i++)
		fits = server_name_fits(r->server_names[i], q->server_name);
	return fits;
}

const struct route *
route_choose(const struct route *routes, unsigned n, const struct route_question *q)
{
	const struct route *general = NULL;

	for (unsigned i = 0; i < n; i++) {
		const struct route *r = &routes[i];

		if (r->n_listens == 0 && r->n_server_names == 0) {
			if (!general)
				general = r;
		} else if (route_fits(r, q)) {
			return r;
		}
	}
	return general;
}
