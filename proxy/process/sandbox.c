/*
 * process/sandbox.c - putting a process behind its fences, in the right order, and one line in the log that says which.
 */
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#if SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

static bool root_is_empty;

/* A descriptor of a new directory that has lost its name again: nobody can put anything into it. -1 and errno. */
static int
nameless_directory(void)
{
	static const char *const places[] = { "/run", "/tmp", "/dev/shm", "/var/tmp" };
	char path[64];
	int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(places) && fd < 0; i++) {
		str_fmt(path, sizeof(path), "%s/sallyport.XXXXXX", places[i]);
		if (!mkdtemp(path))
			continue;
		fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (rmdir(path) != 0 && fd >= 0) {
			(void)close(fd);
			fd = -1;
		}
	}
	return fd;
}

int
sandbox_empty_root(struct err *err)
{
	int fd, entered;

	if (SANITIZED) /* which read the program to name the places in a report */
		return err_set(err, "a build with sanitizers"), 0;
	fd = nameless_directory();
	if (fd < 0)
		return err_errno(err, errno, "no place for an empty directory"), 0;
	entered = fchdir(fd);
	(void)close(fd);
	if (entered != 0)
		return err_errno(err, errno, "fchdir");
	if (chroot(".") != 0) {
		err_errno(err, errno, "chroot");
		return chdir("/") == 0 ? 0 : -1;
	}
	if (chdir("/") != 0)
		return err_errno(err, errno, "chdir");
	root_is_empty = true;
	return 1;
}

int
sandbox_enter(enum role role, struct err *err)
{
	struct err no_landlock = { "" }, no_seccomp = { "" };
	struct log_line l;
	int landlock, seccomp;

#if SANITIZED
	__sanitizer_sandbox_on_notify(NULL);
	/* A report is worth more than the name of its file, which cannot be opened any more. */
	__sanitizer_set_report_fd((void *)(uintptr_t)STDERR_FILENO);
#endif
	landlock = sandbox_files(role, &no_landlock);
	if (landlock < 0)
		return err_set(err, "sandbox: %s", no_landlock.text);
	seccomp = sandbox_syscalls(role, &no_seccomp);
	if (seccomp < 0)
		return err_set(err, "sandbox: %s", no_seccomp.text);
	log_begin(&l, seccomp ? LOG_INFO : LOG_WARN, EV_SANDBOX);
	log_cstr(&l, "root", root_is_empty ? "empty" : "shared");
	log_u64(&l, "landlock", (uint64_t)landlock);
	log_cstr(&l, "seccomp", seccomp ? "yes" : "no");
	if (!landlock)
		log_fmt(&l, "no_landlock", "%s", no_landlock.text);
	if (!seccomp)
		log_fmt(&l, "no_seccomp", "%s", no_seccomp.text);
	log_end(&l);
	return 1;
}

int
sandbox_master(struct err *err)
{
	struct err why = { "" };
	int seccomp;

	if (!SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_errno(err, errno, "sandbox: not dumpable");
	seccomp = sandbox_syscalls_master(&why);
	if (seccomp < 0)
		return err_set(err, "sandbox: %s", why.text);
	if (seccomp == 0)
		log_msg(LOG_WARN, EV_SANDBOX, "%s", why.text);
	return 1;
}
