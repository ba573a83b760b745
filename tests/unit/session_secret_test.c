/*
 * After a login, however it ended, its password is nowhere in the memory of the process.
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c tests/unit/script.c
 * links: tests/unit/script_text.c tests/unit/session_world.c
 *
 * The password is made up when the test runs, and only its parts stand in this program: all that is writable is searched for
 * it, as it is and in base64, through /proc/self/mem. That of the peers in the test is theirs and wiped before.
 */
#include "test.h"

#include <fcntl.h>

#include "base/mem.h"
#include "base/secret.h"
#include "proto/sasl.h"
#include "session_world.h"

#define LEN                                                                                        \
	24 /* a multiple of three: its base64 is the same at the end of any message at alignment 0 */

/* What is looked for, bit-inverted, so that it is not found here. */
static unsigned char inverted[4][48];
static size_t lens[4];
static unsigned n_forms;

static void
look_for(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		inverted[n_forms][i] = (unsigned char)~p[i];
	lens[n_forms++] = len;
}

/* Where the bytes are of which @form is the inversion; 0: nowhere in the @len bytes at @p. */
static const unsigned char *
find(const unsigned char *p, size_t len, unsigned form)
{
	const unsigned char *end = p + len, *at = p;
	int first = (unsigned char)~inverted[form][0];

	while ((size_t)(end - at) >= lens[form] && (at = memchr(at, first, (size_t)(end - at)))) {
		size_t k = 1;

		if ((size_t)(end - at) < lens[form])
			break;
		while (k < lens[form] && at[k] == (unsigned char)~inverted[form][k])
			k++;
		if (k == lens[form])
			return at;
		at++;
	}
	return NULL;
}

#define CHUNK  ((size_t)1 << 20)
#define SHADOW ((unsigned long)64 << 20)

/* How often it is in writable memory; *where_r: the mapping of the last one. */
static unsigned
count(char *where_r, size_t size)
{
	static unsigned char buf[CHUNK + 64];
	FILE *maps = fopen("/proc/self/maps", "r");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned found = 0;
	char line[512];

	if (!maps || mem < 0)
		FAIL("cannot read /proc/self");
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from, to;
		char rights[8];

		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[1] != 'w')
			continue;
		/* A sanitizer's shadow, that holds no bytes of the program's. This test maps nothing as large. */
		if (SANITIZED && to - from > SHADOW)
			continue;
		for (unsigned long at = from; at < to; at += CHUNK) {
			size_t want = to - at < CHUNK + 64 ? to - at : CHUNK + 64;
			ssize_t n = pread(mem, buf, want, (off_t)at);

			for (unsigned f = 0; f < n_forms && n > 0; f++) {
				if (!find(buf, (size_t)n, f))
					continue;
				found++;
				(void)str_fmt(where_r, size, "%s form %u", line, f);
			}
			secret_wipe(buf, sizeof(buf));
		}
	}
	fclose(maps);
	close(mem);
	return found;
}

/* Sends what stands before and behind the password, and the password (or, with @base64, all of it in base64). */
static void
send_login(struct script *s, const char *before, struct slice plain, const char *password)
{
	char line[512], message[128];
	size_t n = strlen(before);

	memcpy(line, before, n);
	if (plain.len > 0) {
		memcpy(message, plain.p, plain.len);
		memcpy(message + plain.len, password, LEN);
		n += base64_encode(
		    (struct slice){ message, plain.len + LEN }, line + n, sizeof(line) - n);
	} else {
		memcpy(line + n, password, LEN);
		n += LEN;
	}
	memcpy(line + n, "\r\n", 2);
	fake_peer_send(s->client, line, n + 2);
	secret_wipe(line, sizeof(line));
	secret_wipe(message, sizeof(message));
	fake_loop_run_pending(s->loop);
}

static void
forget_sent(struct fake_peer *p)
{
	buf_consume(&p->out, buf_len(&p->out));
	buf_free(&p->out);
}

/* @before and @plain as above; @then: the script from the login at the store on. */
static void
search(const char *before, struct slice plain, const char *store, const char *then)
{
	struct script *s = script_begin(&session_world);
	char password[LEN], base64[48], where[600] = "";
	const char *why;

	CHECK(secret_random(password, LEN));
	for (size_t i = 0; i < LEN; i++)
		password[i] = (char)('a' + ((unsigned char)password[i] & 15));
	n_forms = 0;
	look_for(password, LEN);
	for (size_t align = 0; align < 3; align++) { /* as it stands in any message */
		char text[LEN + 3] = "zz";
		size_t n;

		memcpy(text + align, password, LEN);
		n = base64_encode((struct slice){ text, align + LEN }, base64, sizeof(base64));
		/* without what depends on its neighbours */
		look_for(base64 + (align ? 4 : 0), n - 8);
		secret_wipe(text, sizeof(text));
	}
	secret_wipe(base64, sizeof(base64));

	why = script_run(s, PLAIN);
	send_login(s, before, plain, password);
	secret_wipe(password, sizeof(password));
	why = why ? why : script_run(s, "question alice\nanswer store1\ndial store1\nconnect\n");
	CHECK(why != NULL || count(where, sizeof(where)) > 0); /* it is there while it is needed */
	why = why ? why : script_run(s, store);
	if (why)
		FAIL("%s", why);
	/* the store has it now */
	struct slice got = buf_slice(&s->store->out);
	const char *space = got.len ? memchr(got.p, ' ', got.len) : NULL;
	CHECK(space &&
	      str_put(s->tag, sizeof(s->tag), (struct slice){ got.p, (size_t)(space - got.p) }));
	forget_sent(s->store);
	why = script_run(s, then);
	if (why)
		FAIL("%s", why);
	if (count(where, sizeof(where)) > 0)
		FAIL("the password is in memory: %s", where);
	why = script_finish(&s);
	if (why)
		FAIL("%s", why);
}

#define HELLO "s< * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n"
#define OLD   "s< * OK [CAPABILITY IMAP4rev1] hi\n"
#define NONE  ((struct slice){ NULL, 0 })

TEST(login_to_plain)
{
	search("a LOGIN alice ", NONE, HELLO, LOGGED_IN);
}
TEST(login_to_login)
{
	search("a LOGIN alice ", NONE, OLD, LOGGED_IN);
}
TEST(literal_to_login)
{
	search("a LOGIN {5+}\r\nalice {24+}\r\n", NONE, OLD, LOGGED_IN);
}
TEST(plain_to_plain)
{
	search("a AUTHENTICATE PLAIN ", SLICE("\0alice\0"), HELLO, LOGGED_IN);
}
TEST(plain_to_login)
{
	search("a AUTHENTICATE PLAIN ", SLICE("\0alice\0"), OLD, LOGGED_IN);
}
TEST(refused)
{
	search("a LOGIN alice ", NONE, HELLO,
	    "s< $T NO no\nwait 2\nc< a NO [AUTHENTICATIONFAILED] Authentication failed.\n");
}
TEST(refused_and_still_in_the_delay)
{
	search("a LOGIN alice ", NONE, HELLO, "s< $T NO no\n");
}
TEST(store_gone)
{
	search("a AUTHENTICATE PLAIN ", SLICE("\0alice\0"), HELLO,
	    "end store\nc< a NO [UNAVAILABLE] The mail store is temporarily unavailable.\n");
}
TEST(login_timeout)
{
	search("a LOGIN alice ", NONE, HELLO,
	    "wait 30\nc< a NO [UNAVAILABLE] The mail store is temporarily unavailable.\n"
	    "wait 30\nc< * BYE [UNAVAILABLE] Too long without a login.\n");
}
