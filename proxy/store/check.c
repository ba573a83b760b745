/*
 * store/check.c - one check of a store, by the dialogue that logins have: up to where one would be sent, or with a login of its own.
 *
 *      secure --no probe user--> LOGOUT, done
 *         '--probe user--> login --ready--> LOGOUT, done
 *                             '--refused--> LOGOUT, done: a mistake of the configuration, which is the owner's to judge
 */
#include "store/check.h"

#include "base/mem.h"

struct check {
	struct upstream *upstream;
	const struct backend *backend;
	check_fn *fn;
	void *arg;
	struct capability_list before; /* kept when the upstream has gone */
};

static const struct err no_error = { "" };

/* Owns nothing of the store any more. */
static void
done(struct check *c, struct check_result *result)
{
	result->before = slice_of(c->before.text);
	c->fn(c->arg, result);
	mem_free(c);
}

static void
on_secure(void *arg)
{
	struct check *c = arg;
	const struct backend *b = c->backend;

	c->before = *upstream_before(c->upstream);
	if (b->probe_user && b->probe_password.data) {
		const struct upstream_credentials credentials = { .user = slice_of(b->probe_user),
			.password = &b->probe_password };

		upstream_login(c->upstream, &credentials);
		return;
	}
	upstream_logout(&c->upstream);
	done(c, &(struct check_result){ .fail = FAIL_NONE, .stage = "done", .err = &no_error });
}

static void
on_failed(void *arg, enum fail why, const struct err *err)
{
	struct check *c = arg;
	/* Seen in the greeting, before it was asked for. */
	const char *stage = why == FAIL_NO_STARTTLS ? "starttls" : upstream_state_name(c->upstream);
	/* No mechanism that the store and we have, or none at all: the login was not sent. */
	if (why == FAIL_NO_MECHANISM)
		stage = "login";

	done(c, &(struct check_result){ .fail = why, .stage = stage, .err = err });
}

/* What belongs to the probe user's login is nobody's. */
static void
on_untagged(void *arg, struct slice response)
{
	(void)arg;
	(void)response;
}

static void
on_ready(void *arg)
{
	static const char logout[] = "S LOGOUT\r\n";
	struct check *c = arg;
	struct upstream_result r;
	struct err err;

	upstream_take(&c->upstream, &r);
	buf_free(&r.rest);
	if (conn_write_slice(r.conn, (struct slice){ logout, sizeof(logout) - 1 }, &err) == 1)
		conn_close(&r.conn, CONN_LINGER);
	conn_close(&r.conn, CONN_CLOSE);
	done(c, &(struct check_result){ .fail = FAIL_NONE,
		    .stage = "done",
		    .err = &no_error,
		    .after = slice_of(r.after.text) });
}

/* The store's words are left out: it may repeat what it was sent. */
static void
on_refused(void *arg, enum fail why, struct slice text)
{
	struct check *c = arg;
	struct err err;

	(void)text;
	err_set(&err, "the store does not let the probe user in");
	upstream_logout(&c->upstream);
	done(c, &(struct check_result){ .fail = why, .stage = "login", .err = &err });
}

static const struct upstream_ops ops = {
	.secure = on_secure,
	.untagged = on_untagged,
	.ready = on_ready,
	.refused = on_refused,
	.failed = on_failed,
};

struct check *
check_start(struct upstream_env *env, const struct backend *backend, const struct addr *to,
    check_fn *fn, void *arg)
{
	struct check *c = mem_zalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->backend = backend;
	c->fn = fn;
	c->arg = arg;
	c->upstream = upstream_start(env, backend, to, &ops, c);
	if (!c->upstream) {
		mem_free(c);
		return NULL;
	}
	return c;
}

void
check_free(struct check **c)
{
	if (!*c)
		return;
	upstream_free(&(*c)->upstream);
	mem_free(*c);
	*c = NULL;
}
