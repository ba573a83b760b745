/*
 * The dialogue with a store by itself: what its owner is told, and what a hostile store may do.
 * links: tests/unit/fake_loop.c tests/unit/fake_conn.c tests/unit/fake_tls.c tests/unit/script.c
 * links: tests/unit/script_text.c
 *
 *      start [tls=MODE]        a dialogue with store1 begins
 *      login USER PASSWORD [AUTHZID]   credentials are given, "-" for an empty password; text as in script.h
 *      told WHAT …             what the owner was told next: secure WORDS, untagged TEXT, ready WORDS|TEXT|REST, refused FAIL TEXT,
 *                              failed FAIL
 *      quiet                   it was told nothing more
 *      state NAME              what the dialogue is at
 *      free                    the owner lets it go; `free in WHAT`: the next time it is told WHAT
 *      name HOST               whom the TLS handshake is for
 */
#include "test.h"

#include "base/mem.h"
#include "io/tls_ctx.h"
#include "script.h"
#include "store/upstream.h"

struct told {
	char what[16];
	char *text;
	size_t len;
};

struct world {
	struct upstream_env env;
	struct upstream *up;
	struct backend backend;
	struct told told[200];
	unsigned n, looked;
	char free_in[16];
};

static void tell(struct world *w, const char *what, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void
note(struct world *w, const char *what, struct slice text)
{
	struct told *t = &w->told[w->n];

	if (w->n == ARRAY_SIZE(w->told))
		return;
	w->n++;
	(void)str_fmt(t->what, sizeof(t->what), "%s", what);
	t->text = malloc(text.len + 1);
	if (!t->text)
		abort();
	if (text.len > 0)
		memcpy(t->text, text.p, text.len);
	t->len = text.len;
	if (strcmp(what, w->free_in) == 0)
		upstream_free(&w->up);
}

static void
tell(struct world *w, const char *what, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	note(w, what, slice_of(text));
}

static void
on_secure(void *arg)
{
	struct world *w = arg;

	tell(w, "secure", "%s", upstream_before(w->up)->text);
}

static void
on_untagged(void *arg, struct slice response)
{
	note(arg, "untagged", response);
}

static void
on_ready(void *arg)
{
	struct world *w = arg;
	struct upstream_result r;

	upstream_take(&w->up, &r);
	tell(w, "ready", "%s|%s|" SLICE_FMT, r.after.text, r.text, SLICE_ARG(buf_slice(&r.rest)));
	buf_free(&r.rest);
	conn_close(&r.conn, CONN_CLOSE);
}

static void
on_refused(void *arg, enum fail why, struct slice text)
{
	tell(
	    arg, "refused", "%s%s" SLICE_FMT, fail_name(why), text.len ? " " : "", SLICE_ARG(text));
}

static void
on_failed(void *arg, enum fail why, const struct err *err)
{
	struct world *w = arg;

	w->up = NULL;
	if (err->text[0] == '\0')
		tell(w, "failed", "%s for no reason", fail_name(why));
	else
		tell(w, "failed", "%s", fail_name(why));
}

static const struct upstream_ops ops = { .secure = on_secure,
	.untagged = on_untagged,
	.ready = on_ready,
	.refused = on_refused,
	.failed = on_failed };

static bool
open_world(struct script *s)
{
	struct world *w = calloc(1, sizeof(*w));
	struct tls_client_params params = { .min = TLS_1_2 };
	struct err err;

	if (!w || upstream_env_init(&w->env, s->loop, s->conns) != 1)
		abort();
	s->world = w;
	w->backend = (struct backend){ .name = "store1",
		.host = "imap.store1.test",
		.port = 143,
		.client = tls_client_new(&params, &err),
		.connect_timeout = 5,
		.reply_timeout = 30 };
	return true;
}

static void
close_world(struct script *s)
{
	struct world *w = s->world;

	upstream_free(&w->up);
	fake_loop_run_pending(s->loop);
	if (mem_pool_used(w->env.pool) != 0)
		script_fail(s, "a dialogue is left");
	upstream_env_free(&w->env);
	tls_client_unref(&w->backend.client);
	for (unsigned i = 0; i < w->n; i++)
		free(w->told[i].text);
	free(w);
}

static void
step_start(struct script *s, struct slice rest)
{
	struct world *w = s->world;
	struct addr to;

	w->backend.tls = slice_eq_cstr(rest, "tls=starttls")   ? TLS_MODE_STARTTLS
			 : slice_eq_cstr(rest, "tls=implicit") ? TLS_MODE_IMPLICIT
							       : TLS_MODE_NONE;
	if (!addr_parse_ip(&to, SLICE("10.0.0.1"), 143))
		abort();
	if (slice_starts_case(rest, SLICE("undialled")))
		fake_conn_fail_dial(s->conns);
	w->up = upstream_start(&w->env, &w->backend, &to, &ops, w);
	if (slice_eq_cstr(rest, "undialled freed"))
		upstream_free(&w->up);
	if (w->n > 0)
		script_fail(s, "the owner was told from upstream_start()");
}

static void
step_login(struct script *s, struct slice rest)
{
	struct world *w = s->world;
	struct secret password = { NULL, 0 };
	struct buf user, word, authzid;
	struct slice text[3] = { slice_word(&rest), slice_word(&rest), slice_word(&rest) };

	buf_init(&user, 1 << 20, false);
	buf_init(&word, 1 << 20, false);
	buf_init(&authzid, 1 << 20, false);
	if (slice_eq_cstr(text[1], "-"))
		text[1].len = 0;
	if (!w->up)
		script_fail(s, "there is no dialogue");
	else if (script_expand(s, text[0], false, &user) &&
		 script_expand(s, text[1], false, &word) &&
		 script_expand(s, text[2], false, &authzid) &&
		 secret_set(&password, buf_slice(&word))) {
		struct upstream_credentials c = { buf_slice(&user), buf_slice(&authzid),
			&password };

		upstream_login(w->up, &c);
	}
	secret_clear(&password);
	buf_free(&user);
	buf_free(&word);
	buf_free(&authzid);
}

static void
step_told(struct script *s, struct slice rest)
{
	struct world *w = s->world;
	struct told *t = &w->told[w->looked];
	struct slice what = slice_word(&rest);
	char got[600];
	struct buf want;

	if (w->looked++ >= w->n) {
		script_fail(s, "the owner was told nothing");
		return;
	}
	if (rest.len > 0)
		rest = (struct slice){ rest.p + 1, rest.len - 1 };
	buf_init(&want, 1 << 20, false);
	if (!script_expand(s, rest, slice_eq_cstr(what, "untagged"), &want))
		return;
	if (!slice_eq_cstr(what, t->what) ||
	    !slice_eq(buf_slice(&want), (struct slice){ t->text, t->len }))
		script_fail(s, "the owner was told: %s %s", t->what,
		    str_printable(got, sizeof(got), (struct slice){ t->text, t->len }));
	buf_free(&want);
}

static bool
step(struct script *s, struct slice word, struct slice rest)
{
	struct world *w = s->world;

	if (slice_eq_cstr(word, "start"))
		step_start(s, rest);
	else if (slice_eq_cstr(word, "login"))
		step_login(s, rest);
	else if (slice_eq_cstr(word, "told"))
		step_told(s, rest);
	else if (slice_eq_cstr(word, "quiet")) {
		if (w->looked < w->n)
			script_fail(s, "the owner was told: %s", w->told[w->looked].what);
	} else if (slice_eq_cstr(word, "state")) {
		if (!w->up || !slice_eq_cstr(rest, upstream_state_name(w->up)))
			script_fail(
			    s, "it is at %s", w->up ? upstream_state_name(w->up) : "nothing");
	} else if (slice_eq_cstr(word, "name")) {
		if (!slice_eq_cstr(rest, s->store->tls_name))
			script_fail(s, "it is for %s", s->store->tls_name);
	} else if (slice_eq_cstr(word, "free") && rest.len == 0) {
		upstream_free(&w->up);
	} else if (slice_eq_cstr(word, "free")) {
		(void)!str_put(
		    w->free_in, sizeof(w->free_in), (struct slice){ rest.p + 3, rest.len - 3 });
	} else {
		return false;
	}
	fake_loop_run_pending(s->loop);
	return true;
}

static void
settle(struct script *s)
{
	(void)step(s, SLICE("quiet"), SLICE(""));
}

static const struct script_world script_ops = {
	.open = open_world,
	.step = step,
	.settle = settle,
	.close = close_world,
};

#define CAPS   "IMAP4rev1 SASL-IR AUTH=PLAIN"
#define UP     "start\ndial store1\nstate connect\nconnect\nstate greeting\n"
#define SECURE UP "s< * OK [CAPABILITY " CAPS "] hi\ntold secure " CAPS "\nstate secure\n"
#define SENT                                                                                       \
	SECURE "login alice s3same\n"                                                              \
	       "s> $T AUTHENTICATE PLAIN $B{~0alice~0s3same}\n"                                    \
	       "state login\n"
#define FAILED(why) "told failed " why "\nclosed store\n"

/* --- connecting and greeting */

SCRIPT(connect, SECURE)
SCRIPT(cannot_even_begin, "start undialled\ntold failed connect\n")
SCRIPT(refused, "start\ndial store1\nrefuse\n" FAILED("connect"))
SCRIPT(no_connection, "start\ndial store1\nwait 4.9\nquiet\nwait 0.2\n" FAILED("connect-timeout"))
SCRIPT(freed_while_connecting, "start\ndial store1\nfree\nclosed store\nwait 10\n")
SCRIPT(freed_before_it_failed_to_begin, "start undialled freed\nquiet\n")
SCRIPT(greeting_without_capabilities, UP "s< * OK ready\n"
					 "s> $T CAPABILITY\n"
					 "state capability\n"
					 "s< * CAPABILITY " CAPS "\ns< $T OK done\n"
					 "told secure " CAPS "\n")
SCRIPT(greeting_without_text, UP "s< * OK\ns> $T CAPABILITY\n")
SCRIPT(capabilities_in_the_code_of_the_answer, UP "s< * OK ready\n"
						  "s> $T CAPABILITY\n"
						  "s< $T OK [CAPABILITY " CAPS "] done\n"
						  "told secure " CAPS "\n")
SCRIPT(greeting_preauth, UP "s< * PREAUTH hi\n" FAILED("store-preauth"))
SCRIPT(greeting_bye, UP "s< * BYE no\n" FAILED("store-bye"))
SCRIPT(greeting_no, UP "s< * NO hi\n" FAILED("store-protocol"))
SCRIPT(greeting_untagged_data, UP "s< * CAPABILITY " CAPS "\n" FAILED("store-protocol"))
SCRIPT(greeting_tagged, UP "s< a OK hi\n" FAILED("store-protocol"))
SCRIPT(greeting_continuation, UP "s< + hi\n" FAILED("store-protocol"))
SCRIPT(greeting_smtp, UP "s< 220 hi\n" FAILED("store-protocol"))
SCRIPT(greeting_empty_line, UP "s< ~.\ns< ~|~.\n" FAILED("store-protocol"))
SCRIPT(greeting_nul, UP "s< * OK ~0\n" FAILED("store-protocol"))
SCRIPT(greeting_long, UP "s< * OK [CAPABILITY " CAPS "] $R{8000,x}\ntold secure " CAPS "\n")
SCRIPT(greeting_too_long, UP "s< * OK $R{8200,x}\n" FAILED("store-limit"))
SCRIPT(greeting_never, UP "wait 29.9\nquiet\nwait 0.2\n" FAILED("store-timeout"))
SCRIPT(greeting_drips, UP "s< * OK hel~.\nwait 20\ns< lo~.\nwait 10.1\n" FAILED("store-timeout"))
SCRIPT(end_instead_of_a_greeting, UP "end store\n" FAILED("store-gone"))
SCRIPT(reset_instead_of_a_greeting, UP "reset store\n" FAILED("store-gone"))
SCRIPT(no_capabilities_at_all,
    UP "s< * OK hi\ns> $T CAPABILITY\ns< $T OK done\n" FAILED("store-protocol"))
SCRIPT(capability_refused,
    UP "s< * OK hi\ns> $T CAPABILITY\ns< $T BAD what\n" FAILED("store-protocol"))
SCRIPT(capability_of_nonsense,
    UP "s< * OK hi\ns> $T CAPABILITY\ns< * CAPABILITY (x\ns< $T OK done\n" FAILED("store-protocol"))
SCRIPT(capability_too_long,
    UP "s< * OK hi\ns> $T CAPABILITY\ns< * CAPABILITY IMAP4rev1 $R{2100,A}\n"
       "s< $T OK done\n" FAILED("store-protocol"))
SCRIPT(answer_before_the_question,
    UP "s< * OK hi\ns> $T CAPABILITY\ns< a001 OK done\n" FAILED("store-protocol"))
SCRIPT(continuation_nobody_asked_for,
    UP "s< * OK hi\ns> $T CAPABILITY\ns< + go on\n" FAILED("store-protocol"))
SCRIPT(bye_instead_of_capabilities,
    UP "s< * OK hi\ns> $T CAPABILITY\ns< * BYE no\n" FAILED("store-bye"))
SCRIPT(preauth_later, UP "s< * OK hi\ns> $T CAPABILITY\ns< * PREAUTH ha\n" FAILED("store-preauth"))
SCRIPT(literal_that_holds_a_tagged_line, UP "s< * OK hi\ns> $T CAPABILITY\n"
					    "s< * ID (\"x\" {43}~|~|$T OK [CAPABILITY XEVIL]~|)~.\n"
					    "quiet\n"
					    "s< ~|~.\ns< * CAPABILITY " CAPS "\ns< $T OK done\n"
					    "told secure " CAPS "\n")
SCRIPT(text_that_looks_like_a_literal,
    UP "s< * OK [CAPABILITY " CAPS "] hi {3}\ntold secure " CAPS "\n")
SCRIPT(literal_too_big, UP "s< * OK hi\ns> $T CAPABILITY\ns< * X {16385}\n" FAILED("store-limit"))
SCRIPT(literal_huge,
    UP "s< * OK hi\ns> $T CAPABILITY\ns< * X {99999999999999999999}\n" FAILED("store-limit"))
SCRIPT(
    literal_nonsync, UP "s< * OK hi\ns> $T CAPABILITY\ns< * X {3+}~|abc\n" FAILED("store-protocol"))
SCRIPT(
    literals_many, UP "s< * OK hi\ns> $T CAPABILITY\ns< * X $R{17, {1}~|x}\n" FAILED("store-limit"))
SCRIPT(responses_up_to_the_bound, UP "s< * OK hi\ns> $T CAPABILITY\n"
				     "s< * CAPABILITY " CAPS "\ns< $R{125,* X~|}~.\ns< $T OK done\n"
				     "told secure " CAPS "\n")
SCRIPT(responses_above_the_bound,
    UP "s< * OK hi\ns> $T CAPABILITY\ns< $R{128,* X~|}~.\n" FAILED("store-limit"))

/* --- TLS */

#define STARTTLS                                                                                   \
	"start tls=starttls\ndial store1\nconnect\n"                                               \
	"s< * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\n"                               \
	"s> $T STARTTLS\n"                                                                         \
	"state starttls\n"
SCRIPT(starttls, STARTTLS "s< $T OK go\n"
			  "state tls\n"
			  "name imap.store1.test\n"
			  "tls store ok\n"
			  "s> $T CAPABILITY\n"
			  "s< * CAPABILITY " CAPS "\ns< $T OK\n"
			  "told secure " CAPS "\n")
SCRIPT(starttls_announces_itself_again, /* nothing of it counts twice */
    STARTTLS "s< $T OK go\ntls store ok\n"
	     "s> $T CAPABILITY\n"
	     "s< * CAPABILITY IMAP4rev1 STARTTLS\ns< $T OK\n"
	     "told secure IMAP4rev1 STARTTLS\n")
SCRIPT(starttls_no, STARTTLS "s< $T NO no\n" FAILED("store-no-starttls"))
SCRIPT(starttls_bad, STARTTLS "s< $T BAD no\n" FAILED("store-no-starttls"))
SCRIPT(starttls_not_announced, "start tls=starttls\ndial store1\nconnect\n"
			       "s< * OK [CAPABILITY " CAPS "] hi\n" FAILED("store-no-starttls"))
SCRIPT(starttls_bye, STARTTLS "s< * BYE no\n" FAILED("store-bye"))
SCRIPT(starttls_bytes_behind_the_answer,
    "nosplit\n" STARTTLS "s< $T OK go~|x~.\n" FAILED("store-starttls-injection"))
SCRIPT(starttls_and_nothing, STARTTLS "wait 30.1\n" FAILED("store-timeout"))
SCRIPT(handshake_fails, STARTTLS "s< $T OK go\ntls store fail\n" FAILED("store-tls"))
SCRIPT(handshake_never_ends,
    STARTTLS "s< $T OK go\nwait 4.9\nquiet\nwait 0.2\n" FAILED("connect-timeout"))
SCRIPT(handshake_reset, STARTTLS "s< $T OK go\nreset store\n" FAILED("store-tls"))
SCRIPT(implicit, "start tls=implicit\ndial store1\nconnect\nname imap.store1.test\ntls store ok\n"
		 "state greeting\n"
		 "s< * OK [CAPABILITY " CAPS "] hi\n"
		 "told secure " CAPS "\n")
SCRIPT(implicit_fails,
    "start tls=implicit\ndial store1\nconnect\ntls store fail\n" FAILED("store-tls"))

/* --- login */

SCRIPT(login, SENT "s< $T OK [CAPABILITY IMAP4rev1 IDLE] Hello.\n"
		   "told ready IMAP4rev1 IDLE|Hello.|\n")
SCRIPT(
    login_without_text, SENT "s< $T OK [CAPABILITY IMAP4rev1]\ntold ready IMAP4rev1|Logged in.|\n")
SCRIPT(login_asks_for_capabilities, SENT "s< $T OK Hello.\n"
					 "s> $T CAPABILITY\n"
					 "state capability-after-login\n"
					 "s< * 3 EXISTS\n"
					 "told untagged * 3 EXISTS\n"
					 "s< * CAPABILITY IMAP4rev1 IDLE\ns< $T OK done\n"
					 "told ready IMAP4rev1 IDLE|Hello.|\n")
SCRIPT(login_and_no_capabilities, SENT "s< $T OK Hello.\ns> $T CAPABILITY\ns< $T NO\n"
				       "told ready " CAPS "|Hello.|\n")
SCRIPT(login_and_nonsense_for_capabilities,
    SENT "s< * CAPABILITY ((\ns< $T OK Hello.\ns> $T CAPABILITY\ns< * CAPABILITY ((\ns< $T OK\n"
	 "told ready " CAPS "|Hello.|\n")
SCRIPT(login_then_never_capabilities,
    SENT "s< $T OK Hello.\ns> $T CAPABILITY\nwait 30.1\n" FAILED("store-login-timeout"))
SCRIPT(rest_behind_the_answer,
    "nosplit\n" SENT "s< $T OK [CAPABILITY IMAP4rev1] Hi~|* 1 EXISTS~|* x~.\n"
    "told ready IMAP4rev1|Hi|* 1 EXISTS~|* x\n")
SCRIPT(login_with_an_authzid, SECURE "login alice s3same bob\n"
				     "s> $T AUTHENTICATE PLAIN $B{bob~0alice~0s3same}\n")
SCRIPT(login_empty_password, SECURE "login alice -\ns> $T AUTHENTICATE PLAIN $B{~0alice~0}\n")
#define WITH(caps) UP "s< * OK [CAPABILITY " caps "] hi\ntold secure " caps "\n"
SCRIPT(plain_without_sasl_ir,
    WITH("IMAP4rev1 AUTH=PLAIN") "login alice s3same\n"
				 "s> $T AUTHENTICATE PLAIN\n"
				 "s< + ~.\ns< ~|~.\n"
				 "s> $B{~0alice~0s3same}\n"
				 "s< $T OK [CAPABILITY X] Hi\ntold ready X|Hi|\n")
SCRIPT(plain_without_sasl_ir_bare_plus, WITH("IMAP4rev1 AUTH=PLAIN") "login alice s3same\n"
								     "s> $T AUTHENTICATE PLAIN\n"
								     "s< +\n"
								     "s> $B{~0alice~0s3same}\n")
SCRIPT(plain_refused_before_the_password, /* nothing secret was sent; the next try is another */
    WITH("IMAP4rev1 AUTH=PLAIN") "login alice s3same\n"
				 "s> $T AUTHENTICATE PLAIN\n"
				 "s< $T NO no\n"
				 "told refused credentials\n"
				 "login alice again\n"
				 "s> $T AUTHENTICATE PLAIN\n"
				 "s< + ~|~.\n"
				 "s> $B{~0alice~0again}\n")
SCRIPT(gone_before_the_password,
    WITH("IMAP4rev1 AUTH=PLAIN") "login alice s3same\n"
				 "s> $T AUTHENTICATE PLAIN\nend store\n" FAILED("store-gone"))
SCRIPT(ok_before_the_password,
    WITH("IMAP4rev1 AUTH=PLAIN") "login alice s3same\n"
				 "s> $T AUTHENTICATE PLAIN\ns< $T OK hi\n" FAILED(
				     "store-protocol-in-login"))
SCRIPT(challenge_that_plain_does_not_have, SENT "s< + more\n"
						"s> *\n"
						"s< $T BAD aborted\n"
						"told refused store-refused\n")
SCRIPT(challenges_without_end,
    SENT "s< $R{128,+ ~|}~.\ns> $R{128,*~|}~.\ns< + ~|~.\n" FAILED("store-protocol-in-login"))
SCRIPT(login_quoted, WITH("IMAP4rev1") "login al\"ice s3s\\ame\n"
				       "s> $T LOGIN \"al\\\"ice\" \"s3s\\\\ame\"\n")
SCRIPT(login_literals, WITH("IMAP4rev1") "login ~xe9va s3~xe9~n\n"
					 "s> $T LOGIN {3}\n"
					 "s< + ok\n"
					 "s> ~xe9va {4}\n"
					 "s< +\n"
					 "s> s3~xe9~n\n"
					 "s< $T OK [CAPABILITY X] hi\ntold ready X|hi|\n")
SCRIPT(login_literal_refused, WITH("IMAP4rev1") "login ~xe9va s3~xe9\n"
						"s> $T LOGIN {3}\n"
						"s< $T NO [LIMIT] no\n"
						"told refused store-refused [LIMIT] no\n")
SCRIPT(login_literals_nonsync, WITH("IMAP4rev1 LITERAL+") "login ~xe9va s3~xe9\n"
							  "s> $T LOGIN {3+}~|~xe9va {3+}~|s3~xe9\n")
SCRIPT(login_literal_minus,
    WITH("IMAP4rev1 LITERAL-") "login alice s$R{4095,~xe9}\n"
			       "s> $T LOGIN \"alice\" {4096+}~|s$R{4095,~xe9}\n")
SCRIPT(login_literal_over_literal_minus, WITH("IMAP4rev1 LITERAL-") "login alice s$R{4096,~xe9}\n"
								    "s> $T LOGIN \"alice\" {4097}\n"
								    "s< +\n"
								    "s> s$R{4096,~xe9}\n")
SCRIPT(logindisabled,
    WITH("IMAP4rev1 AUTH=PLAIN LOGINDISABLED") "login alice s3same\n" FAILED("store-no-mechanism"))
SCRIPT(authzid_without_plain,
    WITH("IMAP4rev1") "login alice s3same bob\n" FAILED("store-no-mechanism"))
SCRIPT(too_long, WITH("IMAP4rev1") "login alice $R{70000,x}\n" FAILED("memory"))

SCRIPT(no_without_a_code,
    SENT "s< $T NO wrong password for alice\ntold refused credentials\nstate secure\n")
SCRIPT(
    no_authenticationfailed, SENT "s< $T NO [authenticationfailed] no\ntold refused credentials\n")
SCRIPT(no_other_code,
    SENT "s< $T NO [LIMIT] Too many.\ntold refused store-refused [LIMIT] Too many.\n")
SCRIPT(no_code_with_arguments, SENT "s< $T NO [BADCHARSET (UTF-8)] x\n"
				    "told refused store-refused [BADCHARSET (UTF-8)] x\n")
SCRIPT(no_referral, SENT "s< $T NO [REFERRAL imap://x/] x\ntold refused store-refused\n")
SCRIPT(no_empty_code, SENT "s< $T NO [] x\ntold refused credentials\n")
SCRIPT(bad, SENT "s< $T BAD [LIMIT] x\ntold refused store-refused\n")
SCRIPT(again_after_a_refusal, SENT "s< $T NO no\ntold refused credentials\n"
				   "login alice s3same2\n"
				   "s> $T AUTHENTICATE PLAIN $B{~0alice~0s3same2}\n"
				   "s< * CAPABILITY IMAP4rev1\ns< $T OK hi\n"
				   "told ready IMAP4rev1|hi|\n")
SCRIPT(capabilities_of_a_refused_login_do_not_count,
    SENT "s< * CAPABILITY XOLD\ns< $T NO no\n"
	 "told refused credentials\n"
	 "login alice s3same2\n"
	 "s> $T AUTHENTICATE PLAIN $B{~0alice~0s3same2}\n"
	 "s< $T OK hi\n"
	 "s> $T CAPABILITY\n"
	 "s< * CAPABILITY XNEW\ns< $T OK\n"
	 "told ready XNEW|hi|\n")
SCRIPT(gone_after_a_refusal,
    SENT "s< $T NO no\ntold refused credentials\nwait 1000\nend store\n" FAILED("store-gone"))
SCRIPT(chatter_after_a_refusal, SENT "s< $T NO no\ntold refused credentials\n"
				     "s< * OK still here\nstate secure\n"
				     "s< $T OK no, you are in\n" FAILED("store-protocol"))
SCRIPT(wrong_tag, SENT "s< a001 OK you are in\n" FAILED("store-protocol-in-login"))
SCRIPT(tag_in_another_case, SENT "s< s$T OK\n" FAILED("store-protocol-in-login"))
SCRIPT(tag_inside_a_literal, SENT "s< * X {30}~|$T OK in~|~|~|\n"
				  "told untagged * X {30}~|$T OK in~|~|~|\n"
				  "state login\n"
				  "s< $T NO no\n"
				  "told refused credentials\n")
SCRIPT(untagged_in_order,
    SENT "s< * OK [ALERT] a\ns< * NO b\ns< * CAPABILITY X\ns< * ENABLED Y\n"
	 "s< * OK [CAPABILITY Z] c\ns< * OK [REFERRAL imap://x/] d\ns< $T OK hi\n"
	 "told untagged * OK [ALERT] a\n"
	 "told untagged * NO b\n"
	 "told untagged * ENABLED Y\n"
	 "told ready Z|hi|\n")
SCRIPT(untagged_too_much,
    SENT "s< $R{5,* X $R{8000,x}~|}~.\n"
	 "told untagged * X $R{8000,x}\ntold untagged * X $R{8000,x}\n"
	 "told untagged * X $R{8000,x}\ntold untagged * X $R{8000,x}\n" FAILED(
	     "store-protocol-in-login"))
SCRIPT(login_bye, SENT "s< * BYE no\n" FAILED("store-gone-in-login"))
SCRIPT(login_preauth, SENT "s< * PREAUTH no\n" FAILED("store-protocol-in-login"))
SCRIPT(login_gone, SENT "end store\n" FAILED("store-gone-in-login"))
SCRIPT(login_never, SENT "wait 29.9\nquiet\nwait 0.2\n" FAILED("store-login-timeout"))
SCRIPT(login_drips, SENT "wait 20\ns< * OK wait~.\nwait 10.1\n" FAILED("store-login-timeout"))

/* --- an owner that lets go in the middle */

SCRIPT(freed_in_secure, UP "free in secure\ns< * OK [CAPABILITY " CAPS
			   "] hi~|* X\ntold secure " CAPS "\nclosed store\n")
SCRIPT(freed_in_untagged,
    SENT "free in untagged\ns< * 1 EXISTS~|* 2 EXISTS\ntold untagged * 1 EXISTS\nclosed store\n")
SCRIPT(freed_in_refused,
    SENT "free in refused\ns< $T NO no~|* X\ntold refused credentials\nclosed store\n")
SCRIPT(freed_when_secure, SECURE "free\nclosed store\n")
SCRIPT(freed_in_login, SENT "free\nclosed store\nwait 100\n")
