/*
 * process/setup.c - checks and opens what the master needs before it starts anything.
 *
 * The configuration is built twice: once whole, to find every mistake, and that is let go at once, keys and all; then as text,
 * for the settings. So the master holds files, but nothing of what is in them.
 */
#include "process/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "process/rights.h"

#define DESCRIPTORS_A_SESSION 2.2 /* client, store, and now and then a pipe */
#define DESCRIPTORS_BESIDES   64.0

static void
on_mistake(void *arg, bool warning, const char *file, int line, const char *text)
{
	(void)arg;
	if (line > 0)
		(void)fprintf(
		    stderr, "%s:%d: %s%s\n", file, line, warning ? "warning: " : "", text);
	else
		(void)fprintf(stderr, "%s: %s%s\n", file, warning ? "warning: " : "", text);
}

static void
on_mistake_again(void *arg, bool warning, const char *file, int line, const char *text)
{
	if (!warning)
		on_mistake(arg, warning, file, line, text);
}

bool
setup_check(struct config_files *files, const char *config)
{
	struct snapshot *s = snapshot_build(files, config, SNAPSHOT_CHECK, NULL, on_mistake, NULL);
	bool ok = s != NULL;

	snapshot_unref(&s);
	return ok;
}

static int
open_log(struct setup *s, struct err *err)
{
	const struct proxy_settings *p = &s->snapshot->proxy;

	if (strcmp(p->log, "stderr") != 0) {
		s->log_fd = open(p->log,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
		if (s->log_fd < 0) {
			s->log_fd = STDERR_FILENO;
			return err_errno(err, errno, "log: %s", p->log);
		}
	}
	log_setup(s->log_fd, p->log_level, p->log_format, "master");
	return 1;
}

static void
check_limits(const struct proxy_settings *p)
{
	uint64_t have = rights_raise_files();
	double need = p->max_sessions * DESCRIPTORS_A_SESSION / p->workers + DESCRIPTORS_BESIDES;

	if ((double)have < need)
		log_msg(LOG_WARN, EV_START,
		    "%llu descriptors a process is the limit (RLIMIT_NOFILE): max_sessions = %u "
		    "over "
		    "%u workers needs about %.0f",
		    (unsigned long long)have, p->max_sessions, p->workers, need);
}

int
setup_do(struct setup *s, const char *config, struct err *err)
{
	const struct proxy_settings *p;

	*s = (struct setup){ .config = config, .log_fd = STDERR_FILENO };
	if (strlen(config) >= INHERIT_PATH_MAX)
		return err_set(err, "%s: name too long", config);
	s->files = config_files_new(true);
	if (!s->files)
		return err_set(err, "out of memory");
	if (!setup_check(s->files, config))
		return -1;
	s->snapshot = snapshot_build(s->files, config, 0, NULL, on_mistake_again, NULL);
	if (!s->snapshot)
		return -1;
	p = &s->snapshot->proxy;
	if (rights_resolve(p->user, &s->rights[ROLE_WORKER], err) < 0 ||
	    rights_resolve(p->directory_user ? p->directory_user : p->user,
		&s->rights[ROLE_DIRECTORY], err) < 0)
		return -1;
	if (open_log(s, err) < 0)
		return -1;
	if (p->user && !s->rights[ROLE_WORKER].drop)
		log_msg(
		    LOG_INFO, EV_START, "not started as root: user = %s has no effect", p->user);
	check_limits(p);
	return 1;
}

void
setup_free(struct setup *s)
{
	if (s->log_fd > STDERR_FILENO) {
		if (s->snapshot)
			log_setup(STDERR_FILENO, s->snapshot->proxy.log_level,
			    s->snapshot->proxy.log_format, "master");
		(void)close(s->log_fd);
		s->log_fd = STDERR_FILENO;
	}
	snapshot_unref(&s->snapshot);
	config_files_free(&s->files);
}
