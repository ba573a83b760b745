/*
 * The bytes of a login, for each kind of store and of credentials (RFC 9051 sections 6.2.2 and 6.2.3, RFC 4959, RFC 7888).
 */
#include "test.h"

#include "base/mem.h"
#include "store/login_command.h"

/* The parts with " | " between them; or why there are none. */
static void
check(const char *before, const char *user, const char *authzid, struct slice password,
    const char *parts, const char *file, int line)
{
	struct capability_list list = { "" };
	struct secret secret = { NULL, 0 };
	struct login_command c = { .n = 0 };
	enum fail why = FAIL_INTERNAL;
	char got[4096];
	size_t n = 0;

	if (before[0] != '\0' && !capability_parse(&list, slice_of(before)))
		test_fail_at(file, line, "no list: %s", before);
	if (!secret_set(&secret, password))
		test_fail_at(file, line, "out of memory");
	struct upstream_credentials credentials = { slice_of(user), slice_of(authzid), &secret };
	if (login_command_build(&c, &list, "t", &credentials, &why) == 1) {
		if (why != FAIL_NONE || !login_command_more(&c))
			test_fail_at(file, line, "built, and %s", fail_name(why));
		while (login_command_more(&c)) {
			struct slice part = login_command_next(&c);
			size_t gap = n > 0 ? 3 : 0;

			if (part.len == 0 || n + part.len + gap > sizeof(got))
				test_fail_at(file, line, "a part of %zu bytes", part.len);
			memcpy(got + n, " | ", gap);
			memcpy(got + n + gap, part.p, part.len);
			n += gap + part.len;
		}
	} else {
		(void)str_fmt(got, sizeof(got), "%s", fail_name(why));
		n = strlen(got);
		if (buf_len(&c.bytes) != 0 || login_command_more(&c))
			test_fail_at(file, line, "failed, and something is left");
	}
	login_command_clear(&c);
	if (c.bytes.data || login_command_more(&c))
		test_fail_at(file, line, "cleared, and something is left");
	login_command_clear(&c);
	secret_clear(&secret);
	test_check_bytes(got, n, parts, strlen(parts), before, file, line);
}
#define BUILT(before, user, authzid, password, parts)                                              \
	check(before, user, authzid, SLICE(password), parts, __FILE__, __LINE__)

TEST(plain)
{
	BUILT("IMAP4rev1 SASL-IR AUTH=PLAIN", "alice", "", "secret",
	    "t AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n");
	BUILT("sasl-ir auth=plain", "alice", "bob", "secret",
	    "t AUTHENTICATE PLAIN Ym9iAGFsaWNlAHNlY3JldA==\r\n");
	BUILT("AUTH=PLAIN", "alice", "", "secret",
	    "t AUTHENTICATE PLAIN\r\n | AGFsaWNlAHNlY3JldA==\r\n");
	BUILT("AUTH=PLAIN SASL-IR", "alice", "", "", "t AUTHENTICATE PLAIN AGFsaWNlAA==\r\n");
	BUILT("AUTH=PLAIN SASL-IR", "al\"\xff\r\n", "", "\x01",
	    "t AUTHENTICATE PLAIN AGFsIv8NCgAB\r\n");
	/* AUTH=LOGIN and the others are nothing that is used */
	BUILT(
	    "AUTH=LOGIN AUTH=PLAIN-CLIENTTOKEN", "alice", "", "pw", "t LOGIN \"alice\" \"pw\"\r\n");
}

TEST(login)
{
	BUILT("", "alice", "", "secret", "t LOGIN \"alice\" \"secret\"\r\n");
	BUILT("IMAP4rev1", "alice", "", "", "t LOGIN \"alice\" \"\"\r\n");
	BUILT("IMAP4rev1", "a\"b\\c", "", "d\"\\", "t LOGIN \"a\\\"b\\\\c\" \"d\\\"\\\\\"\r\n");
	BUILT("IMAP4rev1", "a b", "", "%*]", "t LOGIN \"a b\" \"%*]\"\r\n");
}

TEST(login_with_literals)
{
	BUILT("IMAP4rev1", "\xe9", "", "pw", "t LOGIN {1}\r\n | \xe9 \"pw\"\r\n");
	BUILT("IMAP4rev1", "alice", "", "\xe9", "t LOGIN \"alice\" {1}\r\n | \xe9\r\n");
	BUILT("IMAP4rev1", "\r\n", "", "\xe9\xe9", "t LOGIN {2}\r\n | \r\n {2}\r\n | \xe9\xe9\r\n");
	BUILT("LITERAL+", "\xe9", "", "\xe9", "t LOGIN {1+}\r\n\xe9 {1+}\r\n\xe9\r\n");
	BUILT("LITERAL-", "\xe9", "", "\xe9", "t LOGIN {1+}\r\n\xe9 {1+}\r\n\xe9\r\n");
}

TEST(password_always_in_the_last_part)
{
	static const char *const befores[] = { "IMAP4rev1", "AUTH=PLAIN", "AUTH=PLAIN SASL-IR",
		"LITERAL+" };
	static const char *const users[] = { "alice", "\xe9" };
	struct secret secret = { NULL, 0 };
	CHECK(secret_set(&secret, SLICE("pass\xe9word")));
	for (size_t i = 0; i < ARRAY_SIZE(befores); i++)
		for (size_t k = 0; k < ARRAY_SIZE(users); k++) {
			struct capability_list list;
			struct login_command c = { .n = 0 };
			struct upstream_credentials credentials = { slice_of(users[k]), { NULL, 0 },
				&secret };
			enum fail why;

			test_note("%s %zu", befores[i], k);
			CHECK(capability_parse(&list, slice_of(befores[i])));
			CHECK_INT(login_command_build(&c, &list, "t", &credentials, &why), 1);
			while (login_command_more(&c)) {
				struct slice part = login_command_next(&c);
				/* "pass" in plain, and what of it is the same in base64 wherever it stands */
				bool has = memmem(part.p, part.len, "pass\xe9word", 9) ||
					   memmem(part.p, part.len, "cGFzc", 5) ||
					   memmem(part.p, part.len, "wYXNz", 5) ||
					   memmem(part.p, part.len, "BhYXN", 5) ||
					   memmem(part.p, part.len, "BwYXNz", 6) ||
					   memmem(part.p, part.len, "HBhc3", 5);
				CHECK(has == !login_command_more(&c));
			}
			login_command_clear(&c);
		}
	secret_clear(&secret);
}

TEST(not_possible)
{
	BUILT("AUTH=PLAIN LOGINDISABLED", "alice", "", "pw", "store-no-mechanism");
	BUILT("logindisabled", "alice", "", "pw", "store-no-mechanism");
	BUILT("IMAP4rev1", "alice", "bob", "pw",
	    "store-no-mechanism"); /* LOGIN has no place for it */
	BUILT("IMAP4rev1", "alice", "", "p\0w", "memory");
	BUILT("AUTH=PLAIN", "alice", "", "p\0w", "memory");
	BUILT("AUTH=PLAIN", "", "", "pw", "memory"); /* PLAIN has no empty name */
}

TEST(bounds)
{
	char *long_one = malloc(LOGIN_COMMAND_MAX + 1);
	struct capability_list list;
	struct login_command c = { .n = 0 };
	struct secret secret = { NULL, 0 };
	struct upstream_credentials credentials = { SLICE("u"), { NULL, 0 }, &secret };
	enum fail why;

	if (!long_one)
		abort();
	memset(long_one, 'x', LOGIN_COMMAND_MAX + 1);
	CHECK(capability_parse(&list, SLICE("IMAP4rev1")));
	/* t LOGIN "u" "…"\r\n is 16 bytes and the password */
	CHECK(secret_set(&secret, (struct slice){ long_one, LOGIN_COMMAND_MAX - 16 }));
	CHECK_INT(login_command_build(&c, &list, "t", &credentials, &why), 1);
	CHECK_U64(login_command_next(&c).len, LOGIN_COMMAND_MAX);
	CHECK(secret_set(&secret, (struct slice){ long_one, LOGIN_COMMAND_MAX - 15 }));
	CHECK_INT(login_command_build(&c, &list, "t", &credentials, &why), -1);
	CHECK_STR(fail_name(why), "memory");
	CHECK(!login_command_more(&c));
	/* LITERAL- is for 4096 bytes at most */
	long_one[0] = '\xe9';
	CHECK(capability_parse(&list, SLICE("LITERAL-")));
	CHECK(secret_set(&secret, (struct slice){ long_one, 4096 }));
	CHECK_INT(login_command_build(&c, &list, "t", &credentials, &why), 1);
	CHECK_U64(c.n, 1);
	CHECK(secret_set(&secret, (struct slice){ long_one, 4097 }));
	CHECK_INT(login_command_build(&c, &list, "t", &credentials, &why), 1);
	CHECK_U64(c.n, 2);
	login_command_clear(&c);
	secret_clear(&secret);
	free(long_one);
}
