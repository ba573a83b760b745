/*
 * tests/unit/directory_names_test.c - resolved names: how long they are good for, and what happens while DNS is down.
 * links: tests/unit/fake_loop.c tests/unit/fake_resolve.c
 */
#include "test.h"

#include "base/log.h"
#include "directory/names.h"
#include "fake_loop.h"
#include "fake_resolve.h"

static struct loop *loop;
static struct names *names;
static unsigned told;
static int log_pipe[2];

static void
begin(size_t max)
{
	struct err err;

	fake_resolve_reset();
	CHECK(pipe(log_pipe) == 0);
	log_setup(log_pipe[1], LOG_INFO, LOG_LOGFMT, "test");
	loop = loop_new();
	names = names_new_bounded(loop, max, &err);
	CHECK(names != NULL);
	told = 0;
}

static void
end(void)
{
	names_free(&names);
	loop_free(&loop);
	log_setup(STDERR_FILENO, LOG_ERROR, LOG_LOGFMT, "test");
	close(log_pipe[0]);
	close(log_pipe[1]);
}

/* Lines of the log that have @text, since the last call. */
static unsigned
logged(const char *text)
{
	static char all[65536];
	ssize_t len;
	unsigned n = 0;

	if (write(log_pipe[1], "", 1) != 1)
		return 0;
	len = read(log_pipe[0], all, sizeof(all) - 1);
	CHECK(len > 0);
	all[len] = '\0';
	for (char *p = all; (p = strstr(p, text)); p++)
		n++;
	return n;
}

static void
on_told(struct name_wait *w)
{
	(void)w;
	told++;
}

/* Asks as a question does, all turns run: the addresses, "-" for none, "?" while it waits. */
static const char *
ask(const char *host)
{
	static char text[256];
	struct addr addrs[RESOLVE_MAX];
	struct name_wait w = { .fn = NULL };
	struct name *name = name_get(names, host);
	unsigned n;

	if (!name)
		return "full";
	text[0] = '\0';
	if (!name_ask(names, name, &w, on_told)) {
		unsigned before = told;

		fake_loop_run_pending(loop);
		if (told == before)
			str_fmt(text, sizeof(text), "?");
	}
	name_wait_cancel(&w);
	n = name_addrs(name, 143, addrs);
	for (unsigned i = 0; i < n; i++) {
		char one[ADDR_TEXT];
		size_t len = strlen(text);

		str_fmt(text + len, sizeof(text) - len, "%s%s", len ? " " : "",
		    addr_format(one, &addrs[i]));
	}
	if (!text[0])
		str_fmt(text, sizeof(text), "-");
	name_put(names, &name);
	CHECK(name == NULL);
	return text;
}

TEST(names_are_kept_for_their_ttl)
{
	begin(10);
	fake_resolve_set("store1", "10.0.0.1 2001:db8::1", 60);
	CHECK_STR(ask("store1"), "10.0.0.1:143 [2001:db8::1]:143");
	fake_resolve_set("store1", "10.0.0.2", 60);
	fake_loop_advance(loop, 59);
	CHECK_STR(ask("STORE1"), "10.0.0.1:143 [2001:db8::1]:143");
	CHECK_U64(fake_resolve_asked("store1"), 1);
	fake_loop_advance(loop, 1);
	CHECK_STR(ask("store1"), "10.0.0.2:143");
	CHECK_U64(fake_resolve_asked("store1"), 2);
	CHECK_U64(names_count(names), 1);
	end();
}

TEST(ttl_is_bounded_on_both_sides)
{
	begin(10);
	fake_resolve_set("a", "10.0.0.1", 0);
	fake_resolve_set("b", "10.0.0.2", 86400);
	CHECK_STR(ask("a"), "10.0.0.1:143");
	CHECK_STR(ask("b"), "10.0.0.2:143");
	fake_loop_advance(loop, 0.9);
	ask("a");
	CHECK_U64(fake_resolve_asked("a"), 1);
	fake_loop_advance(loop, 0.2);
	ask("a");
	CHECK_U64(fake_resolve_asked("a"), 2);
	fake_loop_advance(loop, NAMES_TTL_MAX - 3);
	ask("b");
	CHECK_U64(fake_resolve_asked("b"), 1);
	fake_loop_advance(loop, 3);
	ask("b");
	CHECK_U64(fake_resolve_asked("b"), 2);
	end();
}

TEST(literals_need_no_resolver)
{
	begin(10);
	CHECK_STR(ask("192.0.2.7"), "192.0.2.7:143");
	CHECK_STR(ask("2001:db8::7"), "[2001:db8::7]:143");
	CHECK_U64(told, 0); /* known at once */
	CHECK_U64(fake_resolve_asked(NULL), 0);
	end();
}

TEST(the_last_answer_serves_while_dns_fails)
{
	begin(10);
	fake_resolve_set("store1", "10.0.0.1", 10);
	ask("store1");
	fake_resolve_fail("store1");
	fake_loop_advance(loop, 11);
	CHECK_STR(ask("store1"), "10.0.0.1:143");
	CHECK_U64(fake_resolve_asked("store1"), 2);
	CHECK_U64(logged("event=resolve_failed"), 1);

	/* not asked for again at once, and then in the background: nobody waits for it */
	told = 0;
	CHECK_STR(ask("store1"), "10.0.0.1:143");
	CHECK_U64(fake_resolve_asked("store1"), 2);
	fake_loop_advance(loop, NAMES_RETRY);
	fake_resolve_hold("store1");
	CHECK_STR(ask("store1"), "10.0.0.1:143");
	CHECK_U64(fake_resolve_asked("store1"), 3);
	CHECK_U64(told, 0);

	fake_resolve_set("store1", "10.0.0.9", 10);
	fake_resolve_release("store1");
	fake_loop_run_pending(loop);
	CHECK_STR(ask("store1"), "10.0.0.9:143");
	CHECK_U64(fake_resolve_asked("store1"), 3);
	end();
}

TEST(a_failure_is_logged_once_a_minute)
{
	begin(10);
	for (unsigned i = 0; i < 59; i++) {
		CHECK_STR(ask("nowhere.example.org"), "-");
		CHECK_STR(ask("elsewhere.example.org"), "-");
		fake_loop_advance(loop, 1);
	}
	CHECK_U64(logged("host=nowhere.example.org"), 1);
	fake_loop_advance(loop, 5);
	ask("nowhere.example.org");
	CHECK_U64(logged("host=nowhere.example.org"), 1);
	/* at most every NAMES_RETRY seconds */
	CHECK(fake_resolve_asked("nowhere.example.org") <= 64 / NAMES_RETRY + 1);
	end();
}

TEST(a_resolver_that_is_full_is_a_failure)
{
	begin(10);
	fake_resolve_set("store1", "10.0.0.1", 10);
	fake_resolve_refuse(true);
	CHECK_STR(ask("store1"), "-");
	CHECK_U64(logged("event=resolve_failed"), 1);
	fake_resolve_refuse(false);
	CHECK_STR(ask("store1"), "-");
	fake_loop_advance(loop, NAMES_RETRY);
	CHECK_STR(ask("store1"), "10.0.0.1:143");
	end();
}

TEST(the_cache_is_bounded_and_the_longest_unused_goes_first)
{
	struct name *held;

	begin(3);
	fake_resolve_set("a", "10.0.0.1", 100);
	fake_resolve_set("b", "10.0.0.2", 100);
	fake_resolve_set("c", "10.0.0.3", 100);
	fake_resolve_set("d", "10.0.0.4", 100);
	ask("a");
	ask("b");
	ask("c");
	ask("a"); /* b is the oldest now */
	held = name_get(names, "b");
	CHECK_STR(ask("d"), "10.0.0.4:143"); /* c went: b is held */
	CHECK_U64(names_count(names), 3);
	ask("a");
	CHECK_U64(fake_resolve_asked("a"), 1);
	ask("c"); /* d went */
	CHECK_U64(fake_resolve_asked("c"), 2);
	CHECK_STR(name_host(held), "b");
	CHECK_STR(ask("a"), "10.0.0.1:143");
	name_put(names, &held);
	end();
}

TEST(what_is_held_or_asked_for_never_goes)
{
	struct name *held;

	begin(2);
	fake_resolve_set("slow", "10.0.0.1", 100);
	fake_resolve_hold("slow");
	CHECK_STR(ask("slow"), "?");
	held = name_get(names, "held");
	CHECK_STR(ask("third"), "full");
	fake_resolve_release("slow");
	fake_loop_run_pending(loop);
	CHECK_STR(ask("third"), "-"); /* slow has been answered, and rests */
	name_put(names, &held);
	end();
}

TEST(hosts_too_long_or_empty_are_refused)
{
	char host[300];

	begin(2);
	memset(host, 'a', sizeof(host));
	host[256] = '\0';
	CHECK(name_get(names, host) == NULL);
	CHECK(name_get(names, "") == NULL);
	host[255] = '\0';
	CHECK_STR(ask(host), "-");
	end();
}

/* --- many that wait */

static struct name_wait waits[3];
static struct name *asked;

static void
on_first(struct name_wait *w)
{
	struct name_wait *other = w == &waits[0] ? &waits[2] : &waits[0];

	told++;
	name_wait_cancel(other); /* one that was about to be told */
}

TEST(who_is_told_may_take_others_off)
{
	begin(10);
	fake_resolve_set("store1", "10.0.0.1", 100);
	asked = name_get(names, "store1");
	for (unsigned i = 0; i < 3; i++)
		CHECK(!name_ask(names, asked, &waits[i], on_first));
	CHECK_U64(fake_resolve_asked("store1"), 1);
	fake_loop_run_pending(loop);
	CHECK_U64(told, 2);
	name_put(names, &asked);
	end();
}

TEST(freed_while_the_resolver_is_asked)
{
	struct name_wait w = { .fn = NULL };
	struct name *name;

	begin(10);
	fake_resolve_hold("slow");
	name = name_get(names, "slow");
	CHECK(!name_ask(names, name, &w, on_told));
	CHECK(!name_ask(names, name, NULL, NULL));
	name_wait_cancel(&w);
	name_put(names, &name);
	end();
	CHECK_U64(told, 0);
}
