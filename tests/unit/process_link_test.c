/*
 * A worker's channel to the directory: reports in batches and in order, loss and return; and what was learnt.
 */
#include "test.h"

#include <fcntl.h>

#include "process/learnt.h"
#include "process/link.h"

static struct loop *loop;
static struct link *link_;
static struct ipc *directory; /* its end, without a loop */
static unsigned answers, learnts, losses, wants;

static void
on_answer(void *arg, const struct route_answer *answer)
{
	(void)arg;
	CHECK_U64(answer->id, 77);
	answers++;
	loop_stop(loop);
}

static void
on_learnt(void *arg, struct slice backend, struct slice text)
{
	(void)arg;
	CHECK_SLICE(backend, "store1");
	CHECK_SLICE(text, "IMAP4rev1");
	learnts++;
	loop_stop(loop);
}

static void
on_lost(void *arg)
{
	(void)arg;
	losses++;
	loop_stop(loop);
}

static void
on_want(void *arg)
{
	(void)arg;
	wants++;
	loop_stop(loop);
}

static bool
on_other(void *arg, struct ipc_message *m)
{
	(void)arg;
	(void)m;
	return false;
}

static const struct link_ops ops = { .answer = on_answer,
	.learnt = on_learnt,
	.message = on_other,
	.lost = on_lost,
	.want = on_want };

static void
open_channel(void)
{
	struct err err;
	int fds[2];

	CHECK(ipc_pair(fds, &err) > 0);
	ipc_close(&directory);
	CHECK(link_open(link_, fds[0]));
	directory = ipc_new(NULL, fds[1], NULL, NULL, NULL);
	CHECK(directory != NULL);
}

static void
begin(void)
{
	answers = learnts = losses = wants = 0;
	log_setup(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_INFO, LOG_LOGFMT, "test");
	loop = loop_new();
	link_ = link_new(loop, &ops, NULL);
	CHECK(loop && link_);
	open_channel();
}

static void
end(void)
{
	link_free(&link_);
	ipc_close(&directory);
	loop_free(&loop);
}

static void
on_time(struct loop_timer *t)
{
	loop_stop(t->loop);
}

/* Turns of the loop until a callback stops it, or for @seconds. */
static void
run_for(double seconds)
{
	struct loop_timer t = { .loop = NULL };

	loop_timer_init(loop, &t, on_time);
	loop_timer_set(&t, seconds);
	loop_run(loop);
	loop_timer_stop(&t);
}

static struct ipc_message
received(enum message_type type)
{
	struct ipc_message m;
	struct err err = { "" };

	CHECK_INT(ipc_receive(directory, &m, 5, &err), 1);
	CHECK_U64(m.type, type);
	return m;
}

TEST(reports_go_together_at_the_end_of_the_turn)
{
	struct ipc_message m;
	struct report r;
	struct unpack u;
	struct err err;

	begin();
	link_report(link_, true, SLICE("alice"), SLICE("store1"));
	link_report(link_, false, SLICE("bob"), SLICE("store2"));
	CHECK_INT(ipc_receive(directory, &m, 0, &err), 0); /* not yet */
	run_for(0);
	m = received(MSG_REPORTS);
	unpack_init(&u, m.payload);
	CHECK_INT(report_unpack(&u, &r), 1);
	CHECK(r.open && slice_eq(r.user, SLICE("alice")));
	CHECK_INT(report_unpack(&u, &r), 1);
	CHECK(!r.open && slice_eq(r.backend, SLICE("store2")));
	CHECK_INT(report_unpack(&u, &r), 0);
	end();
}

TEST(outcomes_go_together_and_before_a_question)
{
	const struct route_question q = { .id = 77, .user = "alice", .listener = "imap" };
	char words[1000];
	struct login_outcome o = { .question = 99,
		.backend = SLICE("store1"),
		.fail = FAIL_LOGIN_GONE,
		.user = 0x123456789abcdef0u,
		.stage = SLICE("login"),
		.reason = { words, sizeof(words) } };
	struct ipc_message m;
	struct unpack u;

	memset(words, 'x', sizeof(words));
	begin();
	link_outcome(link_, &o);
	o.given_up = true;
	link_outcome(link_, &o);
	CHECK(link_ask(link_, &q));
	m = received(MSG_OUTCOMES);
	unpack_init(&u, m.payload);
	memset(&o, 0, sizeof(o));
	CHECK_INT(outcome_unpack(&u, &o), 1);
	CHECK(!o.given_up && o.fail == FAIL_LOGIN_GONE && o.user == 0x123456789abcdef0u);
	CHECK_U64(o.question, 99);
	CHECK_SLICE(o.backend, "store1");
	CHECK_SLICE(o.stage, "login");
	CHECK_U64(o.reason.len, OUTCOME_REASON_MAX);
	CHECK_INT(outcome_unpack(&u, &o), 1);
	CHECK(o.given_up);
	CHECK_INT(outcome_unpack(&u, &o), 0);
	unpack_init(&u, (struct slice){ m.payload.p, m.payload.len - 1 });
	CHECK_INT(outcome_unpack(&u, &o), 1);
	CHECK_INT(outcome_unpack(&u, &o), -1);
	received(MSG_QUESTION);
	for (unsigned i = 0; i < 1000; i++) /* more than one batch */
		link_outcome(link_, &o);
	CHECK(link_ipc(link_) != NULL);
	end();
}

TEST(a_question_goes_behind_the_reports_before_it)
{
	struct route_question q = { .id = 77, .user = "alice", .listener = "imap" }, got;
	struct unpack u;

	begin();
	link_report(link_, true, SLICE("alice"), SLICE("store1"));
	CHECK(link_ask(link_, &q));
	(void)received(MSG_REPORTS);
	unpack_init(&u, received(MSG_QUESTION).payload);
	CHECK(route_question_unpack(&u, &got) && unpack_ok(&u));
	CHECK_U64(got.id, 77);
	CHECK_STR(got.user, "alice");
	end();
}

TEST(fifty_thousand_sessions_are_a_few_messages)
{
	unsigned messages = 0, sessions = 0;
	struct ipc_message m;
	struct report r;
	struct unpack u;
	struct err err;
	char user[64];

	begin();
	for (int i = 0; i < 50000; i++) {
		str_fmt(user, sizeof(user), "user%d@example.org", i);
		link_report(link_, true, slice_of(user), SLICE("store1"));
	}
	for (int quiet = 0; quiet < 2;) {
		run_for(0.01);
		for (quiet++; ipc_receive(directory, &m, 0, &err) == 1; quiet = 0) {
			messages++;
			unpack_init(&u, m.payload);
			while (report_unpack(&u, &r) == 1)
				sessions++;
		}
	}
	CHECK_U64(sessions, 50000);
	test_note("%u messages", messages);
	CHECK(messages < 50);
	CHECK_U64(losses, 0);
	end();
}

TEST(answers_and_what_was_learnt_come_through)
{
	static char memory[32768];
	static struct route_answer a;
	struct pack k;

	begin();
	a = (struct route_answer){ .id = 77, .fail = FAIL_UNKNOWN_USER, .tls = -1, .verify = -1 };
	pack_init(&k, memory, sizeof(memory));
	route_answer_pack(&k, &a);
	CHECK(message_send(directory, MSG_ANSWER, &k) > 0);
	run_for(5);
	CHECK_U64(answers, 1);
	CHECK(message_send_learnt(directory, SLICE("store1"), SLICE("IMAP4rev1")) > 0);
	run_for(5);
	CHECK_U64(learnts, 1);
	end();
}

TEST(malformed_messages_lose_the_channel)
{
	static const enum message_type types[] = { MSG_ANSWER, MSG_LEARNT, MSG_QUESTION };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		test_note("type %d", types[i]);
		begin();
		CHECK(ipc_send(directory, (uint16_t)types[i], SLICE("no"), NULL, 0) > 0);
		run_for(5);
		CHECK_U64(losses, 1);
		CHECK(link_ipc(link_) == NULL);
		end();
	}
}

TEST(a_lost_directory_is_asked_for_until_it_is_back)
{
	struct route_question q = { .id = 1 };

	begin();
	ipc_close(&directory);
	run_for(5);
	CHECK_U64(losses, 1);
	CHECK(!link_ask(link_, &q));
	link_report(link_, true, SLICE("alice"), SLICE("store1")); /* nobody to tell: forgotten */
	run_for(5);
	run_for(5);
	CHECK_U64(wants, 2);
	open_channel();
	CHECK(link_ask(link_, &q));
	(void)received(MSG_QUESTION);
	run_for(0.7);
	CHECK_U64(wants, 2);
	CHECK_U64(losses, 1);
	end();
}

TEST(a_loss_within_a_call_is_told_later_but_before_the_next)
{
	static const struct err err = { "broken" };

	begin();
	link_broken(link_, &err);
	CHECK_U64(losses, 0);
	open_channel();
	CHECK_U64(losses, 1);
	run_for(0);
	CHECK_U64(losses, 1);
	end();
}

/* --- what was learnt */

static const struct backend backends[] = { { .name = "store1", .index = 0 },
	{ .name = "store2", .index = 1 } };
static struct snapshot snapshot = { .refs = 1, .backends = backends, .n_backends = 2 };

TEST(only_news_of_known_backends_are_kept)
{
	static char large[LEARNT_TEXT_MAX + 1];
	struct learnt *l = learnt_new(&snapshot);

	CHECK(l != NULL);
	CHECK(learnt_set(l, SLICE("store1"), SLICE("IMAP4rev1")));
	CHECK(!learnt_set(l, SLICE("store1"), SLICE("IMAP4rev1")));
	CHECK(learnt_set(l, SLICE("store1"), SLICE("IMAP4rev1 IDLE")));
	CHECK_SLICE(learnt_get(l, SLICE("store1")), "IMAP4rev1 IDLE");
	CHECK(!learnt_set(l, SLICE("10.0.0.1:143"), SLICE("IMAP4rev1")));
	memset(large, 'x', sizeof(large));
	CHECK(!learnt_set(l, SLICE("store1"), (struct slice){ large, sizeof(large) }));
	CHECK_SLICE(learnt_get(l, SLICE("store1")), "IMAP4rev1 IDLE");
	CHECK_U64(learnt_get(l, SLICE("store2")).len, 0);
	learnt_free(&l);
	CHECK_U64(snapshot.refs, 1);
}

TEST(a_new_channel_is_told_all_that_was_learnt)
{
	struct learnt *l = learnt_new(&snapshot);
	struct slice backend, text;
	struct ipc_message m;
	struct err err;

	begin();
	CHECK(learnt_set(l, SLICE("store2"), SLICE("IMAP4rev1 ID")));
	CHECK(learnt_send(l, link_ipc(link_)) > 0);
	m = received(MSG_LEARNT);
	CHECK(learnt_unpack(m.payload, &backend, &text));
	CHECK_SLICE(backend, "store2");
	CHECK_SLICE(text, "IMAP4rev1 ID");
	CHECK_INT(ipc_receive(directory, &m, 0, &err), 0);
	learnt_free(&l);
	end();
}
