/*
 * store/check.c - one check of a store, by the dialogue that logins have, without the login.
 */
#include "store/check.h"

#include "base/mem.h"

struct check {
	struct upstream *upstream;
	check_fn *fn;
	void *arg;
};

static void
done(struct check *c, enum fail fail, const char *stage, const struct err *err,
    struct slice capabilities)
{
	check_fn *fn = c->fn;
	void *arg = c->arg;

	mem_free(c);
	fn(arg, fail, stage, err, capabilities);
}

static void
on_secure(void *arg)
{
	static const struct err none = { "" };
	struct check *c = arg;
	char text[sizeof(((struct capability_list *)NULL)->text)];

	(void)str_fmt(text, sizeof(text), "%s", upstream_before(c->upstream)->text);
	upstream_logout(&c->upstream);
	done(c, FAIL_NONE, "done", &none, slice_of(text));
}

static void
on_failed(void *arg, enum fail why, const struct err *err)
{
	struct check *c = arg;
	bool no_starttls = why == FAIL_NO_STARTTLS; /* seen before it was asked for */

	done(c, why, no_starttls ? "starttls" : upstream_state_name(c->upstream), err,
	    (struct slice){ NULL, 0 });
}

/* No login is sent: none of these can come. */
static void
on_untagged(void *arg, struct slice response)
{
	(void)arg;
	(void)response;
}

static void
on_ready(void *arg)
{
	(void)arg;
}

static void
on_refused(void *arg, enum fail why, struct slice text)
{
	(void)arg;
	(void)why;
	(void)text;
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
