/*
 * process/child.c - the start of a child.
 *
 *      INHERIT: rights dropped, log -> FILES, LISTENERS, CHANNEL -> BEGIN: snapshot, role's begin(), sandbox -> READY
 *
 * Nothing but the first message is looked at before the rights are dropped. Whatever is wrong on this way ends the process with
 * status 1 and one line in the log; the master decides what follows.
 */
#include "process/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/stat.h"
#include "process/bundle.h"
#include "process/logging.h"
#include "process/prepare.h"
#include "process/reaper.h"
#include "process/rights.h"
#include "process/sandbox.h"
#include "process/supervise.h"

void
child_end(struct child *c)
{
	loop_stop(c->loop);
}

static void
fail(struct child *c, const struct err *err)
{
	log_msg(LOG_ERROR, EV_STOP, "%s", err->text);
	c->failed = true;
	loop_stop(c->loop);
}

static void
on_mistake(void *arg, bool warning, const char *file, int line, const char *text)
{
	struct log_line l;

	(void)arg;
	log_begin(&l, warning ? LOG_DEBUG : LOG_ERROR, EV_CONFIG); /* warnings are the master's */
	log_cstr(&l, "file", file);
	log_u64(&l, "line", (uint64_t)line);
	log_cstr(&l, "msg", text);
	log_end(&l);
}

/* A worker of a master that is root gets an empty root, too; where it cannot, the other fences stand. */
static int
give_up_rights(const struct inherit *i, struct err *err)
{
	struct err why = { "" };

	if (i->role == ROLE_WORKER && i->rights.drop) {
		int r = sandbox_empty_root(&why);

		if (r < 0)
			return err_set(err, "empty root: %s", why.text);
		if (r == 0)
			log_msg(LOG_INFO, EV_SANDBOX, "no empty root: %s", why.text);
	}
	if (rights_drop(&i->rights, err) < 0 || rights_lock(err) < 0)
		return -1;
	return 1;
}

static int
take_inherit(struct child *c, struct ipc_message *m, struct err *err)
{
	struct inherit *i = &c->inherit;
	struct log_line l;
	int counters;

	if (c->inherited || !inherit_unpack(m->payload, i) || i->role != c->ops->role)
		return err_set(err, "malformed inheritance");
	if (m->n_fds != (i->log_fd ? 2u : 1u))
		return err_set(err, "inheritance with %u descriptors", m->n_fds);
	c->log_fd = i->log_fd ? message_take_fd(m, 1) : -1;
	log_setup(c->log_fd >= 0 ? c->log_fd : STDERR_FILENO, i->log_level, i->log_format,
	    role_name(i->role));
	log_style(i->log_syslog, i->log_hash_users);
	counters = message_take_fd(m, 0);
	if (give_up_rights(i, err) < 0) {
		(void)close(counters);
		return err_prefix(err, "rights");
	}
	if (stat_attach(counters, i->number, err) < 0 ||
	    (i->role == ROLE_DIRECTORY && !(c->counters = stat_view_open(counters, err)))) {
		(void)close(counters);
		return -1;
	}
	stat_set(STAT_PID, (uint64_t)getpid());
	stat_set(STAT_STARTED, (uint64_t)time(NULL));
	(void)close(counters);
	log_begin(&l, LOG_INFO, EV_START);
	log_cstr(&l, "version", SALLYPORT_VERSION);
	log_u64(&l, "number", i->number);
	log_u64(&l, "uid", geteuid());
	log_end(&l);
	c->inherited = true;
	return 1;
}

static int
take_begin(struct child *c, struct ipc_message *m, struct err *err)
{
	struct begin b;

	if (!begin_unpack(m->payload, &b) || b.files != c->n_files || b.listeners != c->n_listeners)
		return err_set(err, "%u files and %u listeners came, not those that were sent",
		    c->n_files, c->n_listeners);
	c->snapshot = snapshot_build(c->files, c->inherit.config, c->ops->parts,
	    c->ops->role == ROLE_WORKER ? c->inherit.ticket_key : NULL, on_mistake, NULL);
	secret_wipe(c->inherit.ticket_key, sizeof(c->inherit.ticket_key));
	config_files_free(&c->files);
	if (!c->snapshot)
		return err_set(err, "the configuration that the master sent is not usable");
	if (c->ops->begin(c, err) < 0 || sandbox_enter(c->ops->role, err) < 0)
		return -1;
	c->begun = true;
	if (message_send(c->master, MSG_READY, NULL) < 0)
		return err_set(err, "the master does not listen");
	return 1;
}

static int
take_stop(struct child *c, struct ipc_message *m, struct err *err)
{
	uint32_t milliseconds;

	if (!number_unpack(m->payload, UINT32_MAX, &milliseconds))
		return err_set(err, "malformed stop");
	c->stopping = true;
	log_msg(LOG_INFO, EV_STOP, "told by the master");
	if (c->begun)
		c->ops->stop(c, (double)milliseconds / 1000);
	else
		child_end(c);
	return 1;
}

static int
take_ping(struct child *c, struct ipc_message *m, struct err *err)
{
	uint32_t number;

	if (!number_unpack(m->payload, UINT32_MAX, &number))
		return err_set(err, "malformed ping");
	return message_send_number(c->master, MSG_PONG, number, NULL);
}

static int
take_log(struct child *c, struct ipc_message *m, struct err *err)
{
	struct log_setting s;
	int old = c->log_fd;

	if (!log_setting_unpack(m->payload, &s) || m->n_fds != (s.fd ? 1u : 0u))
		return err_set(err, "malformed log setting");
	c->log_fd = s.fd ? message_take_fd(m, 0) : -1;
	log_setup(c->log_fd >= 0 ? c->log_fd : STDERR_FILENO, s.level, s.format,
	    role_name(c->inherit.role));
	log_style(s.syslog, s.hash_users);
	if (old >= 0)
		(void)close(old);
	return 1;
}

static int
dispatch(struct child *c, struct ipc_message *m, struct err *err)
{
	int n;

	if (m->type == MSG_INHERIT)
		return take_inherit(c, m, err);
	if (!c->inherited)
		return err_set(err, "message of type %u before the inheritance", m->type);
	switch ((enum message_type)m->type) {
	case MSG_RELOAD:
	case MSG_PREPARE:
	case MSG_COMMIT:
	case MSG_ROLLBACK:
		return c->begun ? prepare_message(c->prepare, m, err)
				: err_set(err, "a reload before the start");
	case MSG_PING:
		return take_ping(c, m, err);
	case MSG_LOG:
		return take_log(c, m, err);
	case MSG_FILES:
		if (c->begun && prepare_takes(c->prepare))
			return prepare_message(c->prepare, m, err);
		if (c->begun)
			return err_set(err, "files after the start");
		n = bundle_take(c->files, c->ops->role, m, err);
		if (n > 0)
			c->n_files += (unsigned)n;
		return n;
	case MSG_BEGIN:
		return c->begun ? err_set(err, "a second start") : take_begin(c, m, err);
	case MSG_STOP:
		return take_stop(c, m, err);
	default: /* the rest, and what is no type at all, is the role's */
		return c->ops->message(c, m, err);
	}
}

static void
on_message(struct ipc *ipc, struct ipc_message *m, void *arg)
{
	struct child *c = arg;
	struct err err = { "" };

	(void)ipc;
	if (c->failed)
		return;
	if (dispatch(c, m, &err) < 0) {
		err_prefix(&err, "from the master");
		fail(c, &err);
	}
}

static void
on_gone(struct ipc *ipc, const struct err *err, void *arg)
{
	struct child *c = arg;
	struct log_line l;

	(void)ipc;
	ipc_close(&c->master);
	if (!c->begun || c->failed) {
		child_end(c);
		return;
	}
	log_begin(&l, LOG_ERROR, EV_STOP);
	log_cstr(&l, "msg", "the master is gone: no new work, what there is goes on to its end");
	log_cstr(&l, "reason", err->text);
	log_end(&l);
	c->ops->orphaned(c);
}

/* Whoever signals the whole group (a terminal, a service manager) has signalled the master too, and it decides. */
static void
on_terminate(int signum, void *arg)
{
	struct child *c = arg;

	(void)signum;
	if (c->master || !c->begun || c->stopping)
		return;
	c->stopping = true;
	log_msg(LOG_INFO, EV_STOP, "signal, and no master");
	c->ops->stop(c, c->snapshot->proxy.stop_timeout);
}

/* The channel is there and nothing else: otherwise somebody has started this by hand. */
static bool
started_by_master(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(CHANNEL_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET && fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC) == 0;
}

int
child_main(const struct child_ops *ops)
{
	struct child c = { .ops = ops, .log_fd = -1 };
	struct err err = { "" };
	int status = 1;

	if (!started_by_master()) {
		(void)fprintf(
		    stderr, "sallyport: only `sallyport run` starts a %s\n", role_name(ops->role));
		return 2;
	}
	(void)prctl(PR_SET_NAME, "sallyport", 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	log_setup(STDERR_FILENO, LOG_INFO, LOG_LOGFMT, role_name(ops->role));
	c.loop = loop_new();
	c.files = config_files_new(false);
	if (c.loop)
		c.master = ipc_new(c.loop, CHANNEL_FD, on_message, on_gone, &c);
	c.role = c.master ? ops->create(&c) : NULL;
	c.prepare = prepare_new(&c);
	if (!c.loop || !c.files || !c.master || !c.role || !c.prepare) {
		log_msg(LOG_ERROR, EV_STOP, "out of memory");
		goto out;
	}
	if (tls_init(&err) < 0) {
		log_msg(LOG_ERROR, EV_STOP, "%s", err.text);
		goto out;
	}
	loop_signal(c.loop, SIGTERM, on_terminate, &c);
	reaper_start(c.loop);
	logging_start(c.loop);
	loop_run(c.loop);
	status = c.failed ? 1 : 0;
out:
	if (c.role)
		ops->destroy(&c);
	prepare_free(&c.prepare);
	stat_view_close(&c.counters);
	snapshot_unref(&c.snapshot);
	reaper_stop();
	logging_stop();
	config_files_free(&c.files);
	ipc_close(&c.master);
	loop_free(&c.loop);
	return status;
}
