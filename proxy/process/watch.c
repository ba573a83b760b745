/*
 * process/watch.c - two timers, each at rest when the configuration does not ask for it.
 *
 * A certificate counts as changed when its name leads to another file, or another time or size, than when it was read.
 * Whoever renews certificates may write chain and key one after the other: a reload that comes in between is refused, changes nothing,
 * and is tried again when the files have changed again.
 */
#include "process/watch.h"

#include <sys/stat.h>

#include "base/hash.h"
#include "base/mem.h"

#define SYSLOG_SECONDS 1.0

struct watch {
	struct master *m;
	struct loop_timer certificates, syslog;
	uint64_t tried; /* what the files were like at the last reload from here; 0: none */
};

static bool
differ(const struct stat *a, const struct stat *b)
{
	return a->st_dev != b->st_dev || a->st_ino != b->st_ino || a->st_size != b->st_size ||
	       a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

/* 0: nothing has changed, or a file is away just now. */
static uint64_t
change(const struct config_files *files)
{
	enum config_file_kind kind;
	bool changed = false;
	uint64_t sum = 1;
	const char *path;
	int fd;

	for (size_t i = 0; (path = config_files_at(files, i, &kind, &fd)); i++) {
		struct stat now, read;

		if (kind != CONFIG_FILE_TLS_KEY)
			continue;
		if (!config_files_stat(files, i, &read) || stat(path, &now) != 0)
			return 0;
		if (!differ(&now, &read))
			continue;
		const uint64_t facts[] = { sum, i, now.st_dev, now.st_ino, (uint64_t)now.st_size,
			(uint64_t)now.st_mtim.tv_sec, (uint64_t)now.st_mtim.tv_nsec };

		sum = hash_table((struct slice){ (const char *)facts, sizeof(facts) });
		changed = true;
	}
	return changed ? sum : 0;
}

static void
on_certificates(struct loop_timer *t)
{
	struct watch *w = container_of(t, struct watch, certificates);
	const struct setup *setup = &w->m->setup;
	uint64_t now = change(setup->files);

	if (now != 0 && now != w->tried) {
		log_msg(LOG_INFO, EV_RELOAD, "a certificate or key has changed on disk");
		if (master_reload(w->m, NULL, NULL))
			w->tried = now;
	}
	loop_timer_set(t, setup->snapshot->proxy.certificate_check_interval);
}

static void
on_syslog(struct loop_timer *t)
{
	struct watch *w = container_of(t, struct watch, syslog);

	if (logging_reconnect(w->m->setup.log_fd, &w->m->setup.log_place))
		log_msg(LOG_INFO, EV_START, "the syslog daemon was started anew");
	loop_timer_set(t, SYSLOG_SECONDS);
}

void
watch_configure(struct watch *w)
{
	const struct proxy_settings *p = &w->m->setup.snapshot->proxy;

	if (p->certificate_check_interval > 0)
		loop_timer_set(&w->certificates, p->certificate_check_interval);
	else
		loop_timer_stop(&w->certificates);
	if (logging_is_syslog(p->log))
		loop_timer_set(&w->syslog, SYSLOG_SECONDS);
	else
		loop_timer_stop(&w->syslog);
}

struct watch *
watch_new(struct master *m)
{
	struct watch *w = mem_zalloc(sizeof(*w));

	if (!w)
		return NULL;
	w->m = m;
	loop_timer_init(m->loop, &w->certificates, on_certificates);
	loop_timer_init(m->loop, &w->syslog, on_syslog);
	return w;
}

void
watch_free(struct watch **wp)
{
	struct watch *w = *wp;

	if (!w)
		return;
	*wp = NULL;
	loop_timer_stop(&w->certificates);
	loop_timer_stop(&w->syslog);
	mem_free(w);
}
