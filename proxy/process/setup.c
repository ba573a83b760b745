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

struct again {
	snapshot_mistake_fn *fn;
	void *arg;
};

/* What was told when it was built whole is not told a second time, but for what has gone wrong since. */
static void
on_mistake_again(void *arg, bool warning, const char *file, int line, const char *text)
{
	const struct again *a = arg;

	if (!warning)
		a->fn(a->arg, warning, file, line, text);
}

static bool
check_whole(struct config_files *files, const char *config, snapshot_mistake_fn *fn, void *arg)
{
	struct snapshot *s = snapshot_build(files, config, SNAPSHOT_CHECK, NULL, fn, arg);

	if (!s)
		return false;
	snapshot_free(s); /* nobody else has it; and this may not be the loop's thread */
	return true;
}

bool
setup_check(struct config_files *files, const char *config)
{
	return check_whole(files, config, on_mistake, NULL);
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
setup_read(struct setup *s, const char *config, snapshot_mistake_fn *fn, void *arg, struct err *err)
{
	struct again again = { fn, arg };

	*s = (struct setup){ .config = config, .log_fd = STDERR_FILENO };
	if (strlen(config) >= INHERIT_PATH_MAX)
		return err_set(err, "%s: name too long", config);
	s->files = config_files_new(true);
	if (!s->files)
		return err_set(err, "out of memory");
	if (!check_whole(s->files, config, fn, arg))
		return -1;
	s->snapshot = snapshot_build(s->files, config, 0, NULL, on_mistake_again, &again);
	return s->snapshot ? 1 : -1;
}

static bool
same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

int
setup_compare(
    struct setup *s, const struct setup *now, snapshot_mistake_fn *fn, void *arg, struct err *err)
{
	const struct proxy_settings *first = &now->started->proxy, *p = &s->snapshot->proxy;
	char text[128];
	struct {
		const char *key;
		bool same;
	} fixed[] = {
		{ "workers", p->workers == first->workers },
		{ "user", same(p->user, first->user) },
		{ "directory_user", same(p->directory_user, first->directory_user) },
		{ "control", same(p->control, first->control) },
		{ "control_group", same(p->control_group, first->control_group) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		(void)str_fmt(text, sizeof(text),
		    "%s: a reload does not change it, only a new start does", fixed[i].key);
		if (!fixed[i].same)
			fn(arg, true, s->config, 0, text);
	}
	memcpy(s->rights, now->rights, sizeof(s->rights));
	s->log_fd = -1;
	s->log_place = now->log_place;
	if (same(p->log, now->snapshot->proxy.log))
		return 1;
	s->log_fd = logging_open(p->log, &s->log_place, err);
	return s->log_fd < 0 ? -1 : 1;
}

int
setup_do(struct setup *s, const char *config, struct err *err)
{
	const struct proxy_settings *p;
	int fd;

	if (setup_read(s, config, on_mistake, NULL, err) < 0)
		return -1;
	s->started = snapshot_ref(s->snapshot);
	p = &s->snapshot->proxy;
	if (rights_resolve(p->user, &s->rights[ROLE_WORKER], err) < 0 ||
	    rights_resolve(p->directory_user ? p->directory_user : p->user,
		&s->rights[ROLE_DIRECTORY], err) < 0)
		return -1;
	fd = logging_open(p->log, &s->log_place, err);
	if (fd < 0)
		return -1;
	s->log_fd = fd;
	log_setup(s->log_fd, p->log_level, p->log_format, "master");
	log_style(logging_is_syslog(p->log), p->log_hash_users);
	if (p->user && !s->rights[ROLE_WORKER].drop)
		log_msg(
		    LOG_INFO, EV_START, "not started as root: user = %s has no effect", p->user);
	check_limits(p);
	return 1;
}

void
setup_free(struct setup *s)
{
	if (s->log_fd > STDERR_FILENO)
		(void)close(s->log_fd);
	s->log_fd = STDERR_FILENO;
	snapshot_unref(&s->snapshot);
	snapshot_unref(&s->started);
	config_files_free(&s->files);
}
