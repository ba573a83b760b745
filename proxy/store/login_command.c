/*
 * store/login_command.c - builds the bytes of a login (RFC 9051 sections 6.2.2 and 6.2.3, RFC 4959, RFC 7888).
 *
 *      S LOGIN {5}            | alice {6}              | secret            three parts
 *      S LOGIN "alice" "pw"                                                 one
 *
 * Pure: bytes in, bytes out. Sending, waiting for continuations and what follows is store/upstream.c.
 */
#include "store/login_command.h"

#include "base/mem.h"
#include "proto/imap_lex.h"
#include "proto/sasl.h"

static void
end_part(struct login_command *c)
{
	ASSERT(c->n < LOGIN_COMMAND_PARTS);
	c->end[c->n++] = buf_len(&c->bytes);
}

static bool
put_string(struct login_command *c, const struct capability_list *before, struct slice s)
{
	size_t split = 0, room = 0;
	bool nonsync = capability_has(before, SLICE("LITERAL+")) ||
		       (capability_has(before, SLICE("LITERAL-")) && s.len <= 4096);
	size_t n = imap_string_put(NULL, 0, s, nonsync, &split);
	char *at = n > 0 ? buf_room(&c->bytes, n, &room) : NULL;
	if (!at || imap_string_put(at, room, s, nonsync, &split) != n)
		return false;
	if (split > 0) {
		buf_added(&c->bytes, split);
		end_part(c);
	}
	buf_added(&c->bytes, n - split);
	return true;
}

static bool
build_plain(struct login_command *c, const struct capability_list *before, const char *tag,
    const struct upstream_credentials *credentials)
{
	struct sasl_plain plain = { credentials->authzid, credentials->user,
		secret_slice(credentials->password) };
	size_t size = plain.authzid.len + plain.authcid.len + plain.password.len + 2, room;
	bool initial = capability_has(before, SLICE("SASL-IR")), ok = false;
	char *message = mem_alloc(size);
	if (!message)
		return false;
	size_t len = sasl_plain_put(&plain, message, size);
	if (len == 0 ||
	    !buf_printf(&c->bytes, "%s AUTHENTICATE PLAIN%s", tag, initial ? " " : "\r\n"))
		goto out;
	if (!initial)
		end_part(c);
	char *at = buf_room(&c->bytes, BASE64_LEN(len) + 2, &room);
	if (!at)
		goto out;
	buf_added(&c->bytes, base64_encode((struct slice){ message, len }, at, room));
	ok = buf_put(&c->bytes, "\r\n", 2);
out:
	secret_wipe(message, size);
	mem_free(message);
	return ok;
}

static bool
build_login(struct login_command *c, const struct capability_list *before, const char *tag,
    const struct upstream_credentials *credentials)
{
	return buf_printf(&c->bytes, "%s LOGIN ", tag) &&
	       put_string(c, before, credentials->user) && buf_put(&c->bytes, " ", 1) &&
	       put_string(c, before, secret_slice(credentials->password)) &&
	       buf_put(&c->bytes, "\r\n", 2);
}

int
login_command_build(struct login_command *c, const struct capability_list *before, const char *tag,
    const struct upstream_credentials *credentials, enum fail *fail_r)
{
	bool plain = capability_has(before, SLICE("AUTH=PLAIN"));
	login_command_clear(c);
	*fail_r = FAIL_NO_MECHANISM;
	if (capability_has(before, SLICE("LOGINDISABLED")))
		return -1; /* nothing secret goes to such a store, whatever else it announces */
	if (credentials->authzid.len > 0 && !plain)
		return -1;
	*fail_r = FAIL_MEMORY;
	if (!(plain ? build_plain : build_login)(c, before, tag, credentials)) {
		login_command_clear(c);
		return -1;
	}
	end_part(c);
	*fail_r = FAIL_NONE;
	return 1;
}

bool
login_command_more(const struct login_command *c)
{
	return c->sent < c->n;
}

struct slice
login_command_next(struct login_command *c)
{
	ASSERT(login_command_more(c));
	size_t from = c->sent > 0 ? c->end[c->sent - 1] : 0;
	size_t to = c->end[c->sent++];
	return (struct slice){ c->bytes.data + c->bytes.start + from, to - from };
}

void
login_command_clear(struct login_command *c)
{
	buf_free(&c->bytes);
	buf_init(&c->bytes, LOGIN_COMMAND_MAX, true);
	c->n = c->sent = 0;
}
