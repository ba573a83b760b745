/*
 * process/pulse.c - asks every process four times within the watchdog's time, and tells the manager when all have answered.
 *
 * A process that has missed two answers hangs: it is killed, and replaced, before the manager would end all of them. One that
 * is being started counts as alive: it has the start's own end.
 */
#include "process/pulse.h"

#include "base/mem.h"
#include "process/notify.h"

#define BEATS  4 /* within the watchdog's time */
#define MISSES 2

struct beat {
	pid_t pid;
	unsigned missed; /* since the last answer */
};

struct pulse {
	struct master *m;
	double every;
	uint32_t number;
	struct loop_timer timer;
	struct beat beats[]; /* of each process */
};

static void
on_timer(struct loop_timer *t)
{
	struct pulse *p = container_of(t, struct pulse, timer);
	struct master *m = p->m;
	bool all = true;

	p->number++;
	for (unsigned i = 0; i < m->n; i++) {
		struct process *process = &m->processes[i];
		struct beat *b = &p->beats[i];

		if (!process->ready || !process->ipc)
			continue;
		if (b->pid != process->pid)
			*b = (struct beat){ .pid = process->pid };
		if (b->missed > 0)
			all = false;
		if (b->missed == MISSES) {
			log_msg(LOG_ERROR, EV_PROCESS_EXIT, "%s %u does not answer: killed",
			    role_name(process->role), process->number);
			process_kill(process);
		}
		b->missed++;
		if (message_send_number(process->ipc, MSG_PING, p->number, NULL) < 0)
			process_kill(process);
	}
	if (all)
		notify("WATCHDOG=1");
	loop_timer_set(t, p->every);
}

struct pulse *
pulse_new(struct master *m, double seconds)
{
	struct pulse *p = mem_zalloc(sizeof(*p) + m->n * sizeof(p->beats[0]));

	if (!p)
		return NULL;
	p->m = m;
	p->every = seconds / BEATS;
	loop_timer_init(m->loop, &p->timer, on_timer);
	return p;
}

void
pulse_free(struct pulse **pp)
{
	struct pulse *p = *pp;

	if (!p)
		return;
	*pp = NULL;
	loop_timer_stop(&p->timer);
	mem_free(p);
}

void
pulse_start(struct pulse *p)
{
	if (p->every > 0)
		loop_timer_set(&p->timer, 0);
}

bool
pulse_message(struct pulse *p, const struct process *from, const struct ipc_message *m)
{
	uint32_t number;

	if (!number_unpack(m->payload, UINT32_MAX, &number))
		return false;
	if (number == p->number)
		p->beats[from - p->m->processes].missed = 0;
	return true;
}
