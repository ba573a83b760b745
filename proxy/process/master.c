/*
 * process/master.c - starts the directory and the workers, watches them, ends them.
 *
 *      setup -> listeners, counters, ticket key -> START: processes -> all READY -> RUN -> stop -> all reaped
 *
 * Whoever ends in START ends the start; in RUN it is replaced, after a while that grows. The master reads nothing but the
 * files of the configuration and the few messages of its children: numbers, the reason of a refused reload, and from the
 * directory what operators said (MSG_ADMIN, MSG_ORDER).
 */
#include "process/master_int.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/stat.h"
#include "process/bundle.h"
#include "process/activation.h"
#include "process/notify.h"
#include "process/pulse.h"
#include "process/reaper.h"
#include "process/sandbox.h"
#include "process/watch.h"

#define KILL_SECONDS 2.0 /* past the time that children have to end */

static struct master the_master = { .counters = -1,
	.setup.log_fd = STDERR_FILENO }; /* one a process: callbacks of processes find it here */

/* --- stopping */

static bool
any_left(const struct master *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->processes[i].pid > 0)
			return true;
	return false;
}

static void
kill_all(struct master *m)
{
	for (unsigned i = 0; i < m->n; i++)
		process_kill(&m->processes[i]);
}

static void
on_kill(struct loop_timer *t)
{
	struct master *m = container_of(t, struct master, kill);

	log_msg(LOG_WARN, EV_STOP, "processes that did not end in time are killed");
	kill_all(m);
}

static void
stop(struct master *m, double seconds, int status)
{
	if (m->stopping)
		return;
	m->stopping = true;
	m->status = status;
	notify("STOPPING=1\nSTATUS=Sessions are let go.");
	listener_set_close(&m->listeners);
	reload_stop(m->reload);
	for (unsigned i = 0; i < m->n; i++) {
		struct process *p = &m->processes[i];

		if (p->pid == 0)
			loop_timer_stop(&p->timer);
		else if (!p->ipc || message_send_number(
					p->ipc, MSG_STOP, (uint32_t)(seconds * 1000), NULL) < 0)
			process_kill(p);
	}
	loop_timer_set(&m->kill, seconds + KILL_SECONDS);
	if (!any_left(m))
		loop_stop(m->loop);
}

/* An error of the start: to the operator who waits for it, and to the log when that is elsewhere. */
static void
start_failed(struct master *m, const char *text)
{
	if (!*text)
		return;
	(void)fprintf(stderr, "sallyport: %s\n", text);
	if (m->setup.log_fd != STDERR_FILENO)
		log_msg(LOG_ERROR, EV_STOP, "%s", text);
}

/* --- starting one process */

static struct process *
directory(struct master *m)
{
	return &m->processes[0];
}

/* A new pair between the directory and worker @p. What cannot be sent now is asked for again by the worker. */
static void
connect_worker(struct master *m, struct process *p)
{
	struct err err = { "" };
	int ends[2];

	if (!directory(m)->ipc || !p->ipc)
		return;
	if (ipc_pair(ends, &err) < 0) {
		log_msg(LOG_ERROR, EV_DIRECTORY_LOST, "%s", err.text);
		return;
	}
	if (message_send_number(directory(m)->ipc, MSG_CHANNEL, p->number, &ends[0]) < 0 ||
	    message_send_number(p->ipc, MSG_CHANNEL, p->number, &ends[1]) < 0)
		log_msg(LOG_ERROR, EV_DIRECTORY_LOST, "no channel for worker %u", p->number);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static int
send_inherit(struct master *m, struct process *p)
{
	const struct proxy_settings *s = &m->setup.snapshot->proxy;
	char memory[INHERIT_PACKED_MAX];
	int fds[2] = { m->counters, m->setup.log_fd };
	struct inherit i = {
		.role = p->role,
		.number = p->number,
		.workers = m->n - 1,
		.log_level = s->log_level,
		.log_format = s->log_format,
		.log_fd = m->setup.log_fd != STDERR_FILENO,
		.log_syslog = logging_is_syslog(s->log),
		.log_hash_users = s->log_hash_users,
		.rights = m->setup.rights[p->role],
	};
	struct pack k;
	int r = -1;

	if (p->role == ROLE_WORKER)
		memcpy(i.ticket_key, m->ticket_key, sizeof(i.ticket_key));
	pack_init(&k, memory, sizeof(memory));
	if (str_put(i.config, sizeof(i.config), slice_of(m->setup.config)))
		inherit_pack(&k, &i);
	if (k.len > 0 && !k.overflow)
		r = ipc_send(p->ipc, MSG_INHERIT, pack_done(&k), fds, i.log_fd ? 2 : 1);
	secret_wipe(&i, sizeof(i));
	secret_wipe(memory, sizeof(memory));
	return r;
}

static int
send_start(struct master *m, struct process *p)
{
	char memory[16];
	struct begin b = { 0 };
	struct pack k;
	int n;

	if (send_inherit(m, p) < 0 || (n = bundle_send(p->ipc, p->role, m->setup.files)) < 0)
		return -1;
	b.files = (uint32_t)n;
	if (p->role == ROLE_WORKER) {
		n = listener_set_send(m->listeners, p->ipc, p->number);
		if (n < 0)
			return -1;
		b.listeners = (uint32_t)n;
		connect_worker(m, p);
	}
	if (p->role == ROLE_DIRECTORY && control_master_send(&m->control, p->ipc) < 0)
		return -1;
	pack_init(&k, memory, sizeof(memory));
	begin_pack(&k, &b);
	return message_send(p->ipc, MSG_BEGIN, &k);
}

static int
start_process(struct master *m, struct process *p, struct err *err)
{
	struct log_line l;

	if (process_start(p, err) < 0)
		return -1;
	log_begin(&l, LOG_INFO, EV_PROCESS_START);
	log_cstr(&l, "process", role_name(p->role));
	if (p->role == ROLE_WORKER)
		log_u64(&l, "number", p->number);
	log_u64(&l, "process_pid", (uint64_t)p->pid);
	log_end(&l);
	if (send_start(m, p) < 0)
		process_kill(p); /* and so on as with any that dies early */
	if (p->role == ROLE_DIRECTORY)
		for (unsigned i = 1; i < m->n; i++)
			connect_worker(m, &m->processes[i]);
	return 1;
}

/* --- what becomes of them */

static void
all_ready(struct master *m)
{
	struct err err = { "" };

	if (m->options->address_file &&
	    listener_set_write(m->listeners, m->options->address_file, &err) < 0) {
		start_failed(m, err.text);
		stop(m, 0, 1);
		return;
	}
	m->running = true;
	log_msg(LOG_INFO, EV_READY, "%u workers and the directory", m->n - 1);
	master_notify_ready(m);
	watch_configure(m->watch);
	pulse_start(m->pulse);
	reload_ready(m->reload);
}

static void
answer_order(struct master *m, uint32_t id, bool ok, const char *text)
{
	static char memory[32768];
	struct ordered o = { .id = id, .ok = ok, .text = slice_of(text) };
	struct pack k;

	if (o.text.len > sizeof(memory) - 64)
		o.text.len = sizeof(memory) - 64; /* the log has them all */
	pack_init(&k, memory, sizeof(memory));
	ordered_pack(&k, &o);
	/* A directory that is gone, or takes no more, has no client that waits either. */
	if (directory(m)->ipc && message_send(directory(m)->ipc, MSG_ORDERED, &k) < 0)
		return;
}

struct reload_order {
	struct master *m;
	uint32_t id;
};

static void
on_reloaded(void *arg, bool done, const char *text)
{
	struct reload_order *o = arg;

	answer_order(o->m, o->id, done, text);
	mem_free(o);
}

static void
order_reload(struct master *m, uint32_t id)
{
	struct reload_order *o = mem_alloc(sizeof(*o));

	if (o) {
		*o = (struct reload_order){ .m = m, .id = id };
		if (master_reload(m, on_reloaded, o))
			return;
	}
	mem_free(o);
	answer_order(m, id, false, "the proxy is being stopped, or out of memory");
}

static bool
take_order(struct master *m, struct slice payload)
{
	struct order_said o;

	if (!order_unpack(payload, &o))
		return false;
	switch (o.order) {
	case ORDER_STOP:
		log_msg(LOG_INFO, EV_STOP, "an operator said so");
		answer_order(m, o.id, true, "");
		stop(m, m->setup.snapshot->proxy.stop_timeout, 0);
		break;
	case ORDER_RELOAD:
		order_reload(m, o.id);
		break;
	case ORDER_COUNT:
		return false;
	}
	return true;
}

static void
on_message(struct process *p, struct ipc_message *msg)
{
	struct master *m = &the_master;

	if (p->role == ROLE_DIRECTORY && msg->n_fds == 0 &&
	    ((msg->type == MSG_ADMIN && control_master_take(&m->control, msg->payload)) ||
		(msg->type == MSG_ORDER && take_order(m, msg->payload))))
		return;
	if (msg->n_fds == 0 &&
	    (msg->type == MSG_PREPARED || msg->type == MSG_REFUSED || msg->type == MSG_COMMITTED)) {
		if (reload_message(m->reload, p, msg))
			return;
	} else if (msg->n_fds == 0 && msg->type == MSG_PONG) {
		if (pulse_message(m->pulse, p, msg))
			return;
	} else if (msg->payload.len > 0 || msg->n_fds > 0) {
		/* falls through to the complaint */
	} else if (msg->type == MSG_READY && !p->ready) {
		p->ready = true;
		for (unsigned i = 0; i < m->n; i++)
			if (!m->processes[i].ready)
				return;
		if (!m->running && !m->stopping)
			all_ready(m);
		return;
	} else if (msg->type == MSG_WANT_CHANNEL && p->role == ROLE_WORKER) {
		connect_worker(m, p);
		return;
	}
	log_msg(LOG_ERROR, EV_PROCESS_EXIT, "%s %u sent a message of type %u: killed",
	    role_name(p->role), p->number, msg->type);
	process_kill(p);
}

static void
log_exit(const struct process *p, enum log_level level, pid_t pid, int status, double lived,
    double delay)
{
	struct log_line l;

	log_begin(&l, level, EV_PROCESS_EXIT);
	log_cstr(&l, "process", role_name(p->role));
	if (p->role == ROLE_WORKER)
		log_u64(&l, "number", p->number);
	log_u64(&l, "process_pid", (uint64_t)pid);
	if (WIFSIGNALED(status)) {
		log_u64(&l, "signal", (uint64_t)WTERMSIG(status));
		log_cstr(&l, "signal_name", sigabbrev_np(WTERMSIG(status)));
	} else {
		log_u64(&l, "status", (uint64_t)WEXITSTATUS(status));
	}
	log_seconds(&l, "lived", lived);
	if (delay > 0)
		log_seconds(&l, "restart_in", delay);
	log_end(&l);
}

static void
on_ended(struct process *p, pid_t pid, int status, double lived)
{
	struct master *m = &the_master;
	double delay;

	if (m->stopping) {
		log_exit(p, status == 0 ? LOG_INFO : LOG_WARN, pid, status, lived, 0);
		if (!any_left(m))
			loop_stop(m->loop);
	} else if (!m->running) {
		char text[128];

		log_exit(p, LOG_ERROR, pid, status, lived, 0);
		str_fmt(
		    text, sizeof(text), "the %s could not start: see the log", role_name(p->role));
		start_failed(m, text);
		stop(m, 0, 1);
	} else {
		delay = backoff_next(&p->backoff, lived);
		log_exit(p, LOG_ERROR, pid, status, lived, delay);
		process_restart_in(p, delay);
		reload_ended(m->reload, p);
	}
}

static void
on_restart(struct process *p)
{
	struct err err = { "" };

	if (reload_undecided(the_master.reload)) {
		process_restart_in(p, BACKOFF_FIRST);
		return;
	}
	if (start_process(&the_master, p, &err) < 0) {
		log_msg(LOG_ERROR, EV_PROCESS_START, "%s", err.text);
		process_restart_in(p, backoff_next(&p->backoff, 0));
	}
}

static const struct process_ops process_ops = {
	.message = on_message,
	.ended = on_ended,
	.restart = on_restart,
};

/* A file that was moved away, as rotation does, gets its name again. */
static void
reopen_log(struct master *m)
{
	const char *log = m->setup.snapshot->proxy.log;
	struct logging_place place;
	struct err err = { "" };
	int old = m->setup.log_fd;
	int fd = logging_open(log, &place, &err);

	if (fd < 0) {
		log_msg(LOG_ERROR, EV_CONFIG, "%s: the old one goes on", err.text);
		return;
	}
	if (fd == STDERR_FILENO)
		return;
	m->setup.log_fd = fd;
	m->setup.log_place = place;
	master_send_log(m);
	(void)close(old);
	log_msg(LOG_INFO, EV_START, "the log was opened anew");
}

static void
on_signal(int signum, void *arg)
{
	struct master *m = arg;

	switch (signum) {
	case SIGCHLD:
		for (unsigned i = 0; i < m->n; i++)
			process_reap(&m->processes[i]);
		break;
	case SIGTERM:
	case SIGINT:
		log_msg(LOG_INFO, EV_STOP, "signal %s%s", sigabbrev_np(signum),
		    m->stopping ? " again: at once" : "");
		if (m->stopping)
			kill_all(m);
		else
			stop(m, m->setup.snapshot->proxy.stop_timeout, 0);
		break;
	case SIGHUP:
		if (!master_reload(m, NULL, NULL))
			log_msg(LOG_WARN, EV_RELOAD, "no reload while the proxy is being stopped");
		break;
	case SIGUSR1:
		reopen_log(m);
		break;
	default:
		log_msg(LOG_WARN, EV_CONFIG, "signal %s has no meaning in this version: ignored",
		    sigabbrev_np(signum));
	}
}

void
master_notify_ready(const struct master *m)
{
	unsigned listeners = 0;
	const struct addr *bound;

	while (listener_set_at(m->listeners, listeners, &bound))
		listeners++;
	notify("READY=1\nSTATUS=Serving: %u addresses, %u workers.", listeners, m->n - 1);
}

/* --- the log */

void
master_log_listeners(const struct master *m)
{
	const struct addr *bound;
	const char *name;
	struct log_line l;

	for (size_t i = 0; (name = listener_set_at(m->listeners, i, &bound)); i++) {
		log_begin(&l, LOG_INFO, EV_LISTEN);
		log_cstr(&l, "listener", name);
		log_addr(&l, "address", bound);
		log_end(&l);
	}
}

void
master_send_log(struct master *m)
{
	const struct proxy_settings *s = &m->setup.snapshot->proxy;
	int fd = m->setup.log_fd;
	struct log_setting setting = {
		.level = s->log_level,
		.format = s->log_format,
		.fd = fd != STDERR_FILENO,
		.syslog = logging_is_syslog(s->log),
		.hash_users = s->log_hash_users,
	};
	char memory[16];
	struct pack k;

	log_setup(fd, s->log_level, s->log_format, "master");
	log_style(setting.syslog, setting.hash_users);
	pack_init(&k, memory, sizeof(memory));
	log_setting_pack(&k, &setting);
	for (unsigned i = 0; i < m->n; i++) {
		struct process *p = &m->processes[i];

		/* Who is being started has the inheritance before this. */
		if (p->ipc && ipc_send(p->ipc, MSG_LOG, pack_done(&k), &fd, setting.fd ? 1 : 0) < 0)
			process_kill(p);
	}
}

/* --- the whole */

static int
open_all(struct master *m, struct err *err)
{
	const struct proxy_settings *s = &m->setup.snapshot->proxy;
	struct log_line l;

	log_begin(&l, LOG_INFO, EV_START);
	log_cstr(&l, "version", SALLYPORT_VERSION);
	log_cstr(&l, "config", m->setup.config);
	log_u64(&l, "workers", s->workers);
	log_end(&l);
	m->listeners = listener_set_open(m->setup.snapshot, s->workers, err);
	activation_end();
	if (!m->listeners)
		return -1;
	master_log_listeners(m);
	if (!secret_random(m->ticket_key, sizeof(m->ticket_key)))
		return err_set(err, "no random bytes for the ticket key");
	m->counters = stat_create(s->workers + 2, err); /* directory, workers, master */
	if (m->counters < 0 || stat_attach(m->counters, s->workers + 1, err) < 0)
		return -1;
	stat_set(STAT_PID, (uint64_t)getpid());
	stat_set(STAT_STARTED, (uint64_t)time(NULL));
	stat_set(STAT_GENERATION, 1);
	if (control_master_open(&m->control, s, err) < 0)
		return -1;
	m->processes = mem_array(NULL, s->workers + 1u, sizeof(*m->processes));
	m->loop = loop_new();
	if (!m->processes || !m->loop)
		return err_set(err, "out of memory");
	m->n = s->workers + 1;
	for (unsigned i = 0; i < m->n; i++)
		process_init(&m->processes[i], m->loop, i == 0 ? ROLE_DIRECTORY : ROLE_WORKER, i,
		    &process_ops);
	m->reload = reload_new(m);
	m->watch = watch_new(m);
	m->pulse = pulse_new(m, notify_watchdog());
	if (!m->reload || !m->watch || !m->pulse)
		return err_set(err, "out of memory");
	reaper_start(m->loop);
	logging_start(m->loop);
	return 1;
}

static void
start_all(struct master *m)
{
	static const int signals[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
	struct err err = { "" };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		loop_signal(m->loop, signals[i], on_signal, m);
	loop_timer_init(m->loop, &m->kill, on_kill);
	for (unsigned i = 0; i < m->n; i++) {
		if (start_process(m, &m->processes[i], &err) < 0) {
			start_failed(m, err.text);
			stop(m, 0, 1);
			return;
		}
	}
}

int
master_run(const struct master_options *o)
{
	struct master *m = &the_master;
	struct err err = { "" };

	m->options = o;
	m->status = 1;
	control_master_init(&m->control);
	(void)signal(SIGPIPE, SIG_IGN);
	notify_begin();
	if (activation_begin(&err) < 0 || setup_do(&m->setup, o->config, &err) < 0 ||
	    open_all(m, &err) < 0 || sandbox_master(&err) < 0) {
		start_failed(m, err.text);
		goto out;
	}
	start_all(m);
	if (!m->stopping || any_left(m))
		loop_run(m->loop);
	loop_timer_stop(&m->kill);
	log_msg(LOG_INFO, EV_STOP, "all processes have ended");
out:
	reload_free(&m->reload);
	watch_free(&m->watch);
	pulse_free(&m->pulse);
	for (unsigned i = 0; i < m->n; i++)
		process_free(&m->processes[i]);
	mem_free(m->processes);
	reaper_stop();
	logging_stop();
	loop_free(&m->loop);
	listener_set_close(&m->listeners);
	control_master_close(&m->control);
	if (m->counters >= 0)
		(void)close(m->counters);
	secret_wipe(m->ticket_key, sizeof(m->ticket_key));
	log_style(false, false);
	if (m->setup.snapshot)
		log_setup(STDERR_FILENO, m->setup.snapshot->proxy.log_level,
		    m->setup.snapshot->proxy.log_format, "master");
	setup_free(&m->setup);
	return m->status;
}
