/*
 * process/messages.h - what our processes say to each other: types, structs, and their packing.
 *
 * Every unpack function checks all of the payload: false means that the sender is broken or of another binary, and the
 * channel is to be closed.
 */
#ifndef PROCESS_MESSAGES_H
#define PROCESS_MESSAGES_H

#include "base/log.h"
#include "base/pack.h"
#include "config/files.h"
#include "io/ipc.h"
#include "io/tls_ctx.h"
#include "session/list.h"
#include "store/health.h"

enum role { ROLE_DIRECTORY, ROLE_WORKER, ROLE_COUNT };

const char *role_name(enum role r); /* "directory", "worker": literals */

/*
 * Direction, payload, [descriptors].
 *
 * A child is started with INHERIT, FILES …, LISTENERS …, [CHANNEL], BEGIN, in this order; it answers READY. A reload is RELOAD,
 * FILES …, LISTENERS …, PREPARE, answered by PREPARED or REFUSED, and then COMMIT, answered by COMMITTED, or ROLLBACK.
 */
enum message_type {
	MSG_INHERIT = 1,  /* master to child: struct inherit [counters, log unless it is stderr] */
	MSG_FILES,        /* master to child: (kind, path) … [one each] */
	MSG_LISTENERS,    /* master to worker: (name, address) … [one each] */
	MSG_BEGIN,        /* master to child: how many files and listeners went before */
	MSG_CHANNEL,      /* master to both: number of the worker [one end of a new pair] */
	MSG_STOP,         /* master to child: milliseconds */
	MSG_READY,        /* child to master */
	MSG_WANT_CHANNEL, /* worker to master: the channel to the directory is lost */
	MSG_QUESTION,     /* worker to directory: struct route_question */
	MSG_ANSWER,       /* directory to worker: struct route_answer */
	MSG_REPORTS,      /* worker to directory: (open or close, user, backend) … */
	MSG_OUTCOMES,     /* worker to directory: struct login_outcome … */
	MSG_LEARNT,       /* both ways: what a backend announces before login */
	MSG_RELOAD,       /* master to child: generation, ticket key (workers; else zeros) */
	MSG_PREPARE,      /* master to child: how many files and listeners went since RELOAD */
	MSG_PREPARED,     /* child to master: generation */
	MSG_REFUSED,      /* child to master: generation, why */
	MSG_COMMIT,       /* master to child: generation */
	MSG_COMMITTED,    /* child to master: generation */
	MSG_ROLLBACK,     /* master to child: generation */
	MSG_PING,         /* master to child: number */
	MSG_PONG,         /* child to master: the same number */
	MSG_LOG,          /* master to child: struct log_setting [log unless it is stderr] */
	MSG_CONTROL,      /* master to directory: struct control_start [listening] */
	MSG_ADMIN,        /* both ways, master and directory: what an operator said of a backend */
	MSG_ORDER,        /* directory to master: id, enum order */
	MSG_ORDERED,      /* master to directory: id, whether it was done, why not */
	MSG_LIST,         /* directory to worker: struct list_ask */
	MSG_ROWS, /* worker to directory: id, whether these are the last, struct session_info … */
	MSG_KICK, /* directory to worker: struct kick_ask */
	MSG_KICKED, /* worker to directory: id, how many */
	MSG_TRACE,  /* directory to worker: struct trace_ask */
	MSG_TRACED, /* worker to directory: struct traced */
};

#define INHERIT_PATH_MAX   4096
#define INHERIT_GROUPS_MAX 256

/* Who a child is to be. */
struct rights {
	bool drop; /* false: it stays who it is */
	uint32_t uid, gid;
	uint32_t n_groups;
	uint32_t groups[INHERIT_GROUPS_MAX];
};

/* Everything that a child inherits, but for the files, listeners and channels in the messages behind it. */
struct inherit {
	enum role role;
	uint32_t
	    number; /* of the worker, from 1; the directory is 0. Also its slot in the counters */
	uint32_t workers;              /* how many there are */
	char config[INHERIT_PATH_MAX]; /* path of the configuration, as the files are keyed by it */
	enum log_level log_level;
	enum log_format log_format;
	bool log_fd; /* the log is the second descriptor, not stderr */
	bool log_syslog, log_hash_users;
	struct rights rights;
	unsigned char ticket_key[TLS_TICKET_KEY]; /* workers; zeros for others */
};

/* How to log from now on. */
struct log_setting {
	enum log_level level;
	enum log_format format;
	bool fd; /* to the descriptor that comes along, not stderr */
	bool syslog, hash_users;
};
void log_setting_pack(struct pack *k, const struct log_setting *s);
bool log_setting_unpack(struct slice payload, struct log_setting *s_r) MUST_CHECK;

#define INHERIT_PACKED_MAX (INHERIT_PATH_MAX + 4 * INHERIT_GROUPS_MAX + TLS_TICKET_KEY + 128)

void inherit_pack(struct pack *k, const struct inherit *i);
bool inherit_unpack(struct slice payload, struct inherit *i_r) MUST_CHECK;

struct begin {
	uint32_t files, listeners;
};
void begin_pack(struct pack *k, const struct begin *b);
bool begin_unpack(struct slice payload, struct begin *b_r) MUST_CHECK;

/* One session of a worker began or ended. Slices point into the payload. */
struct report {
	bool open;
	struct slice user, backend;
};
void report_pack(struct pack *k, const struct report *r);
/* The next of a payload: 1; 0: that was the last; -1: malformed. */
int report_unpack(struct unpack *u, struct report *r_r) MUST_CHECK;

/* At most so many bytes of a stage and of a reason are packed. */
#define OUTCOME_STAGE_MAX  31
#define OUTCOME_REASON_MAX 200
#define OUTCOME_PACKED_MAX (64 + BACKEND_NAME_MAX + OUTCOME_STAGE_MAX + OUTCOME_REASON_MAX)
void outcome_pack(struct pack *k, const struct login_outcome *o);
/* As report_unpack(). */
int outcome_unpack(struct unpack *u, struct login_outcome *o_r) MUST_CHECK;

/* Two slices that point into the payload. */
bool learnt_unpack(struct slice payload, struct slice *backend_r, struct slice *text_r) MUST_CHECK;

/* --- control: ids are the directory's, of its requests; slices point into the payload */

struct control_start {
	uint32_t owner; /* uid */
	bool group;
};
void control_start_pack(struct pack *k, const struct control_start *c);
bool control_start_unpack(struct slice payload, struct control_start *c_r) MUST_CHECK;

struct admin_said {
	struct slice backend;
	enum health_admin admin;
};
void admin_pack(struct pack *k, const struct admin_said *a);
bool admin_unpack(struct slice payload, struct admin_said *a_r) MUST_CHECK;

enum order { ORDER_STOP, ORDER_RELOAD, ORDER_COUNT };
struct order_said {
	uint32_t id;
	enum order order;
};
void order_pack(struct pack *k, const struct order_said *o);
bool order_unpack(struct slice payload, struct order_said *o_r) MUST_CHECK;

struct ordered {
	uint32_t id;
	bool ok;
	struct slice text; /* why not, or what followed */
};
void ordered_pack(struct pack *k, const struct ordered *o);
bool ordered_unpack(struct slice payload, struct ordered *o_r) MUST_CHECK;

enum list_step { LIST_BEGIN, LIST_MORE, LIST_END, LIST_STEPS };
struct list_ask {
	uint32_t id;
	enum list_step step;
	struct session_filter filter; /* LIST_BEGIN */
};
void list_ask_pack(struct pack *k, const struct list_ask *l);
bool list_ask_unpack(struct slice payload, struct list_ask *l_r) MUST_CHECK;

/* A row of MSG_ROWS; the strings are as long as they may be. */
#define ROW_PACKED_MAX 2048
struct row {
	uint64_t id, client_bytes, store_bytes;
	struct slice state, user, listener, tls, route, backend, client;
	double age, idle;
};
void row_pack(struct pack *k, const struct session_info *i);
int row_unpack(struct unpack *u, struct row *r_r) MUST_CHECK; /* 1; 0: that was the last; -1 */

struct kick_ask {
	uint32_t id;
	struct session_filter filter;
};
void kick_ask_pack(struct pack *k, const struct kick_ask *a);
bool kick_ask_unpack(struct slice payload, struct kick_ask *a_r) MUST_CHECK;

struct kicked {
	uint32_t id;
	uint64_t count;
};
void kicked_pack(struct pack *k, const struct kicked *a);
bool kicked_unpack(struct slice payload, struct kicked *a_r) MUST_CHECK;

struct trace_ask {
	uint32_t id;
	bool on;
	struct slice user;
};
void trace_ask_pack(struct pack *k, const struct trace_ask *t);
bool trace_ask_unpack(struct slice payload, struct trace_ask *t_r) MUST_CHECK;

struct traced {
	uint32_t id;
	uint64_t session;
	struct slice who, text;
};
void traced_pack(struct pack *k, const struct traced *t);
bool traced_unpack(struct slice payload, struct traced *t_r) MUST_CHECK;

bool number_unpack(struct slice payload, uint32_t max, uint32_t *n_r) MUST_CHECK;

/* ipc_send() of what was packed; -1 also when it did not fit. @k may be NULL: no payload. */
int message_send(struct ipc *ipc, enum message_type type, const struct pack *k) MUST_CHECK;
int message_send_number(
    struct ipc *ipc, enum message_type type, uint32_t n, const int *fd) MUST_CHECK;
int message_send_learnt(struct ipc *ipc, struct slice backend, struct slice text) MUST_CHECK;

/* Takes descriptor @i out of @m: the caller's from now on. -1: there is none. */
int message_take_fd(struct ipc_message *m, unsigned i) MUST_CHECK;

#endif
