/*
 * process/sandbox_files.c - Landlock: which files a role may open by name, and which ports it may bind.
 *
 * Everything that Landlock knows is forbidden, by the newest version both sides know, but for the paths of the role's table. What
 * was opened before stays usable. Landlock follows files, not names: one that is replaced by a new one (as editors and
 * package managers do it) is a stranger, so what is read again later is allowed by its directory.
 *
 * Ports: no TCP bind but to port 0, where the kernel picks, which is all that `source =` needs. Connecting is not fenced: stores
 * are wherever the next configuration says.
 */
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- who may read what; the place to add to for a library that reads files of its own */

struct readable {
	unsigned roles;   /* set of 1 << role */
	const char *path; /* with all below; one that does not exist is left out */
	bool resolved;    /* allow not this but the directory where its symbolic links end */
};

#define DIRECTORY (1u << ROLE_DIRECTORY)
#define WORKER    (1u << ROLE_WORKER)

/*
 * Names and addresses: resolv.conf, hosts, nsswitch.conf, services, gai.conf, host.conf. All are replaced, not rewritten,
 * in a machine's life. Files there that are not for all are kept from the directory by their modes: it is not root.
 */
static const struct readable readable[] = {
	{ DIRECTORY, "/etc", false },
	{ DIRECTORY, "/etc/resolv.conf",
	    true }, /* of systemd-resolved, NetworkManager, resolvconf: in /run */
	{ DIRECTORY, "/etc/hosts", true },
	{ DIRECTORY, "/etc/nsswitch.conf", true },
#if SANITIZED /* names for the addresses in reports */
	{ DIRECTORY | WORKER, "/proc", false },
	{ DIRECTORY | WORKER, "/usr", false },
	{ DIRECTORY | WORKER, "/proc/self/exe", true },
#endif
};

/* --- the kernel's interface, which is newer than the headers of many a distribution */

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#define FS_TRUNCATE    (1ULL << 14)
#define FS_IOCTL_DEV   (1ULL << 15)
#define NET_BIND_TCP   (1ULL << 0)
#define SCOPE_ABSTRACT (1ULL << 0) /* no abstract Unix sockets of others */
#define SCOPE_SIGNAL   (1ULL << 1) /* no signals to others */
#define RULE_NET_PORT  2

struct ruleset {        /* grows; each version of the kernel knows the first so many */
	uint64_t fs;    /* 1 */
	uint64_t net;   /* 4 */
	uint64_t scope; /* 6 */
};

struct port_rule {
	uint64_t allowed;
	uint64_t port;
};

static int
version(void)
{
	return (int)syscall(
	    SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
}

static int
create(int abi)
{
	/* all of version 1, EXECUTE to MAKE_SYM */
	struct ruleset r = { .fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 };
	size_t size = sizeof(r.fs);

	if (abi >= 2)
		r.fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		r.fs |= FS_TRUNCATE;
	if (abi >= 4) {
		r.net = NET_BIND_TCP;
		size = offsetof(struct ruleset, scope);
	}
	if (abi >= 5)
		r.fs |= FS_IOCTL_DEV;
	if (abi >= 6) {
		r.scope = SCOPE_ABSTRACT | SCOPE_SIGNAL;
		size = sizeof(r);
	}
	return (int)syscall(SYS_landlock_create_ruleset, &r, size, 0u);
}

/* The path to allow; NULL: none, or one that would allow too much. The caller frees it. */
static char *
real_path(const struct readable *r)
{
	char *path = realpath(r->path, NULL), *slash;

	if (!path || !r->resolved)
		return path;
	slash = strrchr(path, '/');
	if (slash && slash != path) {
		*slash = '\0';
		if (strchr(path + 1, '/') || strcmp(path, "/etc") == 0)
			return path;
		*slash =
		    '/'; /* of a directory like /run not all: then the file, as long as it is that file */
		return path;
	}
	free(path);
	return NULL;
}

static int
allow(int ruleset, const struct readable *r, struct err *err)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE };
	char *path = real_path(r);
	struct stat st;
	int done = 1;

	if (!path)
		return 1;
	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd >= 0) {
		if (fstat(rule.parent_fd, &st) == 0 && S_ISDIR(st.st_mode))
			rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
		if (syscall(
			SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0u) != 0)
			done = err_errno(err, errno, "Landlock: %s", path);
		(void)close(rule.parent_fd);
	}
	free(path);
	return done;
}

static int
allow_any_port(int ruleset, struct err *err)
{
	const struct port_rule rule = { .allowed = NET_BIND_TCP, .port = 0 };

	return syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0u) == 0
		   ? 1
		   : err_errno(err, errno, "Landlock: port 0");
}

int
sandbox_files(enum role role, struct err *err)
{
	int abi = version(), ruleset, done = 1;

	if (abi < 1) /* not built in, not switched on, or kept away from us by a container */
		return err_errno(err, errno, "the kernel has no Landlock"), 0;
	ruleset = create(abi);
	if (ruleset < 0)
		return err_errno(err, errno, "Landlock: rules of version %d", abi);
	for (size_t i = 0; i < ARRAY_SIZE(readable) && done == 1; i++)
		if (readable[i].roles & 1u << role)
			done = allow(ruleset, &readable[i], err);
	if (done == 1 && abi >= 4)
		done = allow_any_port(ruleset, err);
	if (done == 1 && syscall(SYS_landlock_restrict_self, ruleset, 0u) != 0)
		done = err_errno(err, errno, "Landlock: restrict");
	(void)close(ruleset);
	return done == 1 ? abi : -1;
}
