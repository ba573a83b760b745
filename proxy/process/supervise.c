/*
 * process/supervise.c - starting, killing and reaping one child.
 *
 *      does not run --process_start--> runs --exit--> [ended] --process_restart_in--> does not run, timer set
 *
 * The program executed is /proc/self/exe: the very file that this process runs, also when another has taken its name since.
 */
#include "process/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define TITLE         "sallyport: "
#define GONE_PATIENCE 5.0 /* seconds that a child which has closed its channel may take to end */

double
backoff_next(struct backoff *b, double lived)
{
	if (lived >= BACKOFF_RESET || b->delay == 0)
		b->delay = BACKOFF_FIRST;
	else if (b->delay * 2 < BACKOFF_MAX)
		b->delay *= 2;
	else
		b->delay = BACKOFF_MAX;
	return b->delay;
}

void
process_title(char *dst, size_t size, enum role role, unsigned number)
{
	if (role == ROLE_WORKER)
		str_fmt(dst, size, TITLE "%s %u", role_name(role), number);
	else
		str_fmt(dst, size, TITLE "%s", role_name(role));
}

bool
process_title_parse(const char *argv0, enum role *role)
{
	struct slice s = slice_of(argv0), word;

	if (!argv0 || !slice_starts_case(s, SLICE(TITLE)))
		return false;
	s.p += sizeof(TITLE) - 1;
	s.len -= sizeof(TITLE) - 1;
	word = slice_word(&s);
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (slice_eq_cstr(word, role_name((enum role)r))) {
			*role = (enum role)r;
			return true;
		}
	}
	return false;
}

static void
on_message(struct ipc *ipc, struct ipc_message *m, void *arg)
{
	struct process *p = arg;

	(void)ipc;
	p->ops->message(p, m);
}

/* As a rule SIGCHLD follows, or has come before. */
static void
on_gone(struct ipc *ipc, const struct err *err, void *arg)
{
	struct process *p = arg;

	(void)ipc;
	log_msg(LOG_DEBUG, EV_PROCESS_EXIT, "%s %u: %s", role_name(p->role), p->number, err->text);
	ipc_close(&p->ipc);
	if (p->pid > 0)
		loop_timer_set(&p->timer, GONE_PATIENCE);
}

static void
on_timer(struct loop_timer *w)
{
	struct process *p = container_of(w, struct process, timer);

	if (p->pid > 0)
		process_kill(p);
	else
		p->ops->restart(p);
}

void
process_init(struct process *p, struct loop *loop, enum role role, unsigned number,
    const struct process_ops *ops)
{
	*p = (struct process){ .ops = ops, .loop = loop, .role = role, .number = number };
	loop_timer_init(loop, &p->timer, on_timer);
}

/*
 * In the child, between fork and exec. Signals that come before it has handlers of its own are for the master to
 * act on: an ignored signal stays ignored over exec.
 */
NORETURN static void
exec_self(int channel, char *title)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE };
	char *argv[] = { title, NULL };
	sigset_t none;
	int null;

	for (int s = 1; s < NSIG; s++)
		if (s != SIGKILL && s != SIGSTOP)
			(void)signal(s, SIG_DFL);
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		_exit(126);
	if (channel == CHANNEL_FD ? fcntl(channel, F_SETFD, 0) != 0 : dup2(channel, CHANNEL_FD) < 0)
		_exit(126);
	if (close_range(CHANNEL_FD + 1, ~0U, 0) != 0)
		_exit(126);
	(void)execv("/proc/self/exe", argv);
	_exit(127);
}

int
process_start(struct process *p, struct err *err)
{
	char title[32];
	int fds[2];

	ASSERT(p->pid == 0);
	loop_timer_stop(&p->timer);
	process_title(title, sizeof(title), p->role, p->number);
	if (ipc_pair(fds, err) < 0)
		return err_prefix(err, "%s", title);
	p->ipc = ipc_new(p->loop, fds[0], on_message, on_gone, p);
	if (!p->ipc) {
		(void)close(fds[1]);
		return err_set(err, "%s: out of memory", title);
	}
	p->pid = fork();
	if (p->pid == 0)
		exec_self(fds[1], title);
	(void)close(fds[1]);
	if (p->pid < 0) {
		p->pid = 0;
		ipc_close(&p->ipc);
		return err_errno(err, errno, "%s: fork", title);
	}
	p->ready = false;
	p->started = loop_now(p->loop);
	return 1;
}

void
process_restart_in(struct process *p, double seconds)
{
	ASSERT(p->pid == 0);
	loop_timer_set(&p->timer, seconds);
}

void
process_kill(struct process *p)
{
	if (p->pid > 0)
		(void)kill(p->pid, SIGKILL);
}

void
process_reap(struct process *p)
{
	pid_t r, pid = p->pid;
	int status = 0;

	if (p->pid == 0)
		return;
	do
		r = waitpid(pid, &status, WNOHANG);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return;
	loop_timer_stop(&p->timer);
	ipc_close(&p->ipc);
	p->pid = 0;
	p->ready = false;
	p->ops->ended(p, pid, status, loop_now(p->loop) - p->started);
}

void
process_free(struct process *p)
{
	ASSERT(p->pid == 0);
	loop_timer_stop(&p->timer);
	ipc_close(&p->ipc);
}
