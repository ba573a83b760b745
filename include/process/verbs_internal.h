/*
 * process/verbs_internal.h - what the files of the verbs share; nobody else includes it.
 */
#ifndef PROCESS_VERBS_INTERNAL_H
#define PROCESS_VERBS_INTERNAL_H

#include "process/control.h"
#include "process/verbs.h"

#define VERBS_PATIENCE 30 /* seconds for workers and master to answer */
#define DRAIN_TICK     0.2
#define DRAINS_MAX     64

/* Options of requests. */
enum option {
	OPTION_USER = 1,
	OPTION_SESSION = 2,
	OPTION_BACKEND = 4,
	OPTION_RATE = 8,
	OPTION_FROM = 16,
	OPTION_LISTENER = 32,
	OPTION_SERVER_NAME = 64,
};

struct request;

struct verb_kind {
	const char *name;
	unsigned options;     /* set of enum option that it takes */
	unsigned least, most; /* words behind the name */
	void (*run)(struct request *r);
	/* Optional. The client has taken what was put; a worker has answered or is gone (its bit in r->waiting is cleared already). */
	void (*room)(struct request *r);
	void (*worker)(struct request *r);
};

struct request {
	struct list node; /* of verbs->requests */
	struct verbs *verbs;
	struct control_client *client; /* NULL: gone, or answered */
	const struct verb_kind *kind;
	uint32_t id;
	struct loop_timer timer;
	struct sheet sheet; /* into the client's output */
	bool json;
	unsigned n;
	const char *words[4]; /* behind the verb; into `text` */
	const char *backend, *from, *listener, *server_name;
	struct slice user;
	uint64_t session;
	double rate;
	struct route_question question;
	bool asking;      /* the directory has the question: memory stays until it answers */
	unsigned worker;  /* sessions: who is being asked */
	bool paused;      /* sessions: until the client has taken some */
	uint64_t waiting; /* set of workers, bit number - 1 */
	uint64_t count;
	char text[CONTROL_REQUEST_MAX];
};

/* A store that is being emptied at a rate. */
struct drain {
	char backend[BACKEND_NAME_MAX]; /* "": free */
	double rate, credit;            /* sessions a second; how many may go now */
	uint32_t id;                    /* of the kick under way; 0: none */
	uint64_t waiting;
};

struct verbs {
	struct verbs_env env;
	struct control *control;
	struct list requests;
	uint32_t next_id;
	unsigned n_traces;
	struct drain drains[DRAINS_MAX];
	struct loop_timer drain;
};

/* The answer is complete, or an error; @r is freed. */
void request_end(struct request *r);
void request_fail(struct request *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* What is in r->sheet goes out. False: it was too much, @r has failed. */
bool request_flush(struct request *r);
struct request *request_find(struct verbs *v, uint32_t id); /* NULL: gone */

/* False: the channel is not there, or was closed for not taking it. */
bool verbs_send(struct verbs *v, unsigned number, enum message_type type, const struct pack *k);
/* To all workers that are there: the set of them. */
uint64_t verbs_send_all(struct verbs *v, enum message_type type, const struct pack *k);
uint32_t verbs_new_id(struct verbs *v);

/* --- verbs_show.c */
void verb_status(struct request *r);
void verb_pool(struct request *r);
void verb_explain(struct request *r);
void verb_user(struct request *r);

/* --- verbs_session.c */
void verb_sessions(struct request *r);
void verb_sessions_room(struct request *r);
void verb_sessions_worker(struct request *r);
bool sessions_rows(struct verbs *v, unsigned worker, struct slice payload);
void verb_kick(struct request *r);
void verb_kick_worker(struct request *r);
bool kick_kicked(struct verbs *v, unsigned worker, struct slice payload);
void verb_trace(struct request *r);
void trace_here(struct verbs *v, unsigned worker);
bool trace_traced(struct verbs *v, struct slice payload);
void trace_end(struct request *r);
void sessions_end(struct request *r);

/* --- verbs_backend.c */
void verb_backend(struct request *r);
bool drain_kicked(struct verbs *v, unsigned worker, const struct kicked *k);
void drain_worker_gone(struct verbs *v, unsigned worker);
void on_drain(struct loop_timer *t);

#endif
