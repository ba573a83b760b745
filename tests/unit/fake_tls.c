/*
 * tests/unit/fake_tls.c - io/tls_ctx.h without TLS: contexts that are only counted. Goes with fake_conn.c; session_env_new()
 * needs no certificates then, and takes no time.
 */
#include "io/tls_ctx.h"

#include "base/mem.h"

struct tls_server {
	unsigned refs;
};
struct tls_client {
	unsigned refs;
};

int
tls_init(struct err *err)
{
	(void)err;
	return 1;
}

struct tls_server *
tls_server_new(const unsigned char ticket_key[TLS_TICKET_KEY], struct err *err)
{
	struct tls_server *t = mem_zalloc(sizeof(*t));

	(void)ticket_key;
	(void)err;
	if (t)
		t->refs = 1;
	return t;
}

struct tls_server *
tls_server_ref(struct tls_server *t)
{
	t->refs++;
	return t;
}

void
tls_server_unref(struct tls_server **t)
{
	if (*t && --(*t)->refs == 0)
		mem_free(*t);
	*t = NULL;
}

int
tls_server_add(struct tls_server *t, const struct slice *names, size_t n_names,
    const struct tls_pair *pairs, size_t n, enum tls_version min, size_t *bad_pair_r,
    struct err *err)
{
	(void)t;
	(void)names;
	(void)n_names;
	(void)pairs;
	(void)n;
	(void)min;
	(void)err;
	*bad_pair_r = SIZE_MAX;
	return 1;
}

bool
tls_server_has_default(const struct tls_server *t)
{
	return t != NULL;
}

int64_t
tls_server_expires(const struct tls_server *t)
{
	(void)t;
	return 0;
}

struct tls_client *
tls_client_new(const struct tls_client_params *p, struct err *err)
{
	struct tls_client *t = mem_zalloc(sizeof(*t));

	(void)p;
	(void)err;
	if (t)
		t->refs = 1;
	return t;
}

struct tls_client *
tls_client_ref(struct tls_client *t)
{
	t->refs++;
	return t;
}

void
tls_client_unref(struct tls_client **t)
{
	if (*t && --(*t)->refs == 0)
		mem_free(*t);
	*t = NULL;
}
