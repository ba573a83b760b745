/*
 * process/verbs.c - requests of operators: parsing, what they wait for, their end.
 *
 *      control (socket) -> request_begin -> kind->run -> [worker, master, directory answer] -> request_end
 *
 * A request lives until it is answered, its client goes, or its patience ends. Answers of others carry its id, never a pointer; one
 * that the directory is still asked for stays as memory until then.
 */
#include "process/verbs.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "process/verbs_internal.h"

static void verb_stop(struct request *r);
static void verb_reload(struct request *r);

static const struct verb_kind kinds[] = {
	{ "status", 0, 0, 0, verb_status, NULL, NULL },
	{ "sessions", OPTION_USER | OPTION_BACKEND, 0, 0, verb_sessions, verb_sessions_room,
	    verb_sessions_worker },
	{ "kick", OPTION_SESSION | OPTION_BACKEND, 0, 1, verb_kick, NULL, verb_kick_worker },
	{ "reload", 0, 0, 0, verb_reload, NULL, NULL },
	{ "stop", 0, 0, 0, verb_stop, NULL, NULL },
	{ "pool", 0, 1, 1, verb_pool, NULL, NULL },
	{ "backend", OPTION_RATE, 2, 2, verb_backend, NULL, NULL },
	{ "trace", 0, 1, 1, verb_trace, NULL, NULL },
	{ "explain", OPTION_FROM | OPTION_LISTENER | OPTION_SERVER_NAME, 1, 1, verb_explain, NULL,
	    NULL },
	{ "user", 0, 2, 2, verb_user, NULL, NULL },
};

/* --- life of a request */

static void
request_free(struct request *r)
{
	loop_timer_stop(&r->timer);
	if (r->asking)
		return; /* on_explained() */
	list_remove(&r->node);
	mem_free(r);
}

static void
request_over(struct request *r)
{
	if (r->kind->run == verb_trace)
		trace_end(r);
	if (r->kind->run == verb_sessions)
		sessions_end(r);
	r->client = NULL;
	request_free(r);
}

void
request_end(struct request *r)
{
	struct control_client *c = r->client;

	if (r->sheet.failed) {
		request_fail(r, "the answer is too long");
		return;
	}
	request_over(r);
	if (c)
		control_end(c);
}

void
request_fail(struct request *r, const char *fmt, ...)
{
	struct control_client *c = r->client;
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	request_over(r);
	if (c)
		control_fail(c, "%s", text);
}

bool
request_flush(struct request *r)
{
	if (r->sheet.failed) {
		request_fail(r, "the answer is too long");
		return false;
	}
	control_flush(r->client);
	return true;
}

struct request *
request_find(struct verbs *v, uint32_t id)
{
	list_foreach (node, &v->requests) {
		struct request *r = list_entry(node, struct request, node);

		if (r->id == id && r->client)
			return r;
	}
	return NULL;
}

static void
on_patience(struct loop_timer *t)
{
	struct request *r = container_of(t, struct request, timer);

	request_fail(r, "no answer from %s in %u seconds",
	    r->waiting ? "all workers" : "the process that was asked", VERBS_PATIENCE);
}

uint32_t
verbs_new_id(struct verbs *v)
{
	if (++v->next_id == 0)
		v->next_id = 1;
	return v->next_id;
}

/* --- parsing */

static bool
parse_rate(const char *text, double *rate_r)
{
	uint64_t n;

	if (!str_u64(slice_of(text), 100000, &n) || n == 0)
		return false;
	*rate_r = (double)n;
	return true;
}

static bool
parse_session(const char *text, uint64_t *id_r)
{
	uint64_t id = 0;
	size_t len = strlen(text);

	if (len == 0 || len > 16)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = ascii_lower(text[i]);

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		id = id << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*id_r = id;
	return id != 0;
}

/* The value of an option. NULL, or what is wrong with it. */
static const char *
take_option(struct request *r, enum option o, const char *value)
{
	switch (o) {
	case OPTION_USER:
		r->user = slice_of(value);
		return *value ? NULL : "empty user";
	case OPTION_SESSION:
		return parse_session(value, &r->session) ? NULL : "not a session id";
	case OPTION_BACKEND:
		r->backend = value;
		return *value ? NULL : "empty backend";
	case OPTION_RATE:
		return parse_rate(value, &r->rate) ? NULL
						   : "a rate is 1 to 100000 sessions a second";
	case OPTION_FROM:
		r->from = value;
		return NULL;
	case OPTION_LISTENER:
		r->listener = value;
		return NULL;
	case OPTION_SERVER_NAME:
		r->server_name = value;
		return NULL;
	}
	return NULL;
}

static const struct {
	const char *word;
	enum option option;
} options[] = {
	{ "--user", OPTION_USER },
	{ "--session", OPTION_SESSION },
	{ "--backend", OPTION_BACKEND },
	{ "--rate", OPTION_RATE },
	{ "--from", OPTION_FROM },
	{ "--listener", OPTION_LISTENER },
	{ "--server-name", OPTION_SERVER_NAME },
};

/* Words into @r. False: the request has failed. */
static bool
parse_words(struct request *r, char **words)
{
	for (; *words; words++) {
		const char *why;
		size_t i = 0;

		if (strcmp(*words, "--json") == 0) {
			r->json = true;
			continue;
		}
		if (strncmp(*words, "--", 2) != 0) {
			if (r->n == r->kind->most) {
				request_fail(r, "%s: what is %s?", r->kind->name, *words);
				return false;
			}
			r->words[r->n++] = *words;
			continue;
		}
		while (i < ARRAY_SIZE(options) && strcmp(options[i].word, *words) != 0)
			i++;
		if (i == ARRAY_SIZE(options) || !(r->kind->options & options[i].option)) {
			request_fail(r, "%s: unknown option %s", r->kind->name, *words);
			return false;
		}
		if (!words[1]) {
			request_fail(r, "%s: %s wants a value", r->kind->name, *words);
			return false;
		}
		why = take_option(r, options[i].option, *++words);
		if (why) {
			request_fail(r, "%s: %s: %s", r->kind->name, *words, why);
			return false;
		}
	}
	if (r->n >= r->kind->least)
		return true;
	request_fail(r, "%s: a word is missing", r->kind->name);
	return false;
}

static void
on_request(struct control_client *c, char **words, unsigned n, void *arg)
{
	struct verbs *v = arg;
	struct request *r = NULL;
	char *copy[CONTROL_WORDS_MAX + 1] = { NULL };
	size_t i = 0, at = 0;

	while (i < ARRAY_SIZE(kinds) && strcmp(kinds[i].name, words[0]) != 0)
		i++;
	if (i == ARRAY_SIZE(kinds)) {
		control_fail(c, "there is no verb %s", words[0]);
		return;
	}
	r = mem_zalloc(sizeof(*r));
	if (!r) {
		control_fail(c, "out of memory");
		return;
	}
	r->verbs = v;
	r->client = c;
	r->kind = &kinds[i];
	r->id = verbs_new_id(v);
	loop_timer_init(v->env.loop, &r->timer, on_patience);
	list_append(&v->requests, &r->node);
	control_set_data(c, r);
	for (unsigned w = 0; w < n; w++) {
		size_t len = strlen(words[w]) + 1;

		memcpy(r->text + at, words[w], len);
		copy[w] = r->text + at;
		at += len;
	}
	copy[n] = NULL;
	if (!parse_words(r, copy + 1))
		return;
	sheet_init(&r->sheet, control_out(c), r->json);
	loop_timer_set(&r->timer, VERBS_PATIENCE);
	r->kind->run(r);
}

static void
on_room(struct control_client *c, void *arg)
{
	struct request *r = control_data(c);

	(void)arg;
	if (r && r->client && r->kind->room)
		r->kind->room(r);
}

static void
on_client_gone(struct control_client *c, void *arg)
{
	(void)arg;
	request_over(control_data(c));
}

static const struct control_ops control_ops = {
	.request = on_request,
	.room = on_room,
	.gone = on_client_gone,
};

/* --- to and from other processes */

bool
verbs_send(struct verbs *v, unsigned number, enum message_type type, const struct pack *k)
{
	struct ipc *ipc = v->env.channel(v->env.arg, number);

	if (!ipc)
		return false;
	if (message_send(ipc, type, k) >= 0)
		return true;
	if (number > 0)
		v->env.broken(v->env.arg, number);
	return false;
}

uint64_t
verbs_send_all(struct verbs *v, enum message_type type, const struct pack *k)
{
	uint64_t sent = 0;

	for (unsigned i = 1; i <= v->env.workers; i++)
		if (verbs_send(v, i, type, k))
			sent |= UINT64_C(1) << (i - 1);
	return sent;
}

bool
verbs_worker_message(struct verbs *v, unsigned worker, struct ipc_message *m)
{
	switch (m->type) {
	case MSG_ROWS:
		return sessions_rows(v, worker, m->payload);
	case MSG_KICKED:
		return kick_kicked(v, worker, m->payload);
	case MSG_TRACED:
		return trace_traced(v, m->payload);
	default:
		return false;
	}
}

void
verbs_worker_here(struct verbs *v, unsigned worker)
{
	trace_here(v, worker);
}

void
verbs_worker_gone(struct verbs *v, unsigned worker)
{
	uint64_t bit = UINT64_C(1) << (worker - 1);

	drain_worker_gone(v, worker);
	list_foreach_safe (node, &v->requests) {
		struct request *r = list_entry(node, struct request, node);

		if (!(r->waiting & bit) || !r->client)
			continue;
		r->waiting &= ~bit;
		r->kind->worker(r);
	}
}

static void
order(struct request *r, enum order what)
{
	const struct order_said o = { .id = r->id, .order = what };
	char memory[16];
	struct pack k;

	log_msg(LOG_INFO, EV_CONTROL, "%s", r->kind->name);
	pack_init(&k, memory, sizeof(memory));
	order_pack(&k, &o);
	if (!verbs_send(r->verbs, 0, MSG_ORDER, &k))
		request_fail(r, "the master process is gone");
}

static void
verb_stop(struct request *r)
{
	order(r, ORDER_STOP);
}

static void
verb_reload(struct request *r)
{
	order(r, ORDER_RELOAD);
}

void
verbs_ordered(struct verbs *v, const struct ordered *o)
{
	struct request *r = request_find(v, o->id);

	if (!r)
		return;
	if (!o->ok) {
		control_lines(r->client, o->text);
		request_fail(r, "not done");
		return;
	}
	control_ok(r->client);
	if (r->json) {
		sheet_begin(&r->sheet);
		sheet_str(&r->sheet, "said", o->text);
		sheet_end(&r->sheet);
	} else {
		control_lines(r->client, o->text);
	}
	request_end(r);
}

/* --- the whole */

struct verbs *
verbs_new(const struct verbs_env *env, int fd, const struct control_start *start)
{
	struct verbs *v = mem_zalloc(sizeof(*v));

	if (!v) {
		(void)close(fd);
		return NULL;
	}
	ASSERT(env->workers <= 64); /* sets of workers are bits of a word */
	v->env = *env;
	list_init(&v->requests);
	loop_timer_init(env->loop, &v->drain, on_drain);
	v->control = control_new(env->loop, fd, start->owner, start->group, &control_ops, v);
	if (!v->control) {
		mem_free(v);
		return NULL;
	}
	return v;
}

void
verbs_free(struct verbs **vp)
{
	struct verbs *v = *vp;

	if (!v)
		return;
	*vp = NULL;
	control_free(&v->control); /* ends the requests with their clients */
	list_foreach_safe (node, &v->requests) {
		struct request *r = list_entry(node, struct request, node);

		r->asking = false; /* the directory is freed and calls nobody */
		request_free(r);
	}
	loop_timer_stop(&v->drain);
	mem_free(v);
}
