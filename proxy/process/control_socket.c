/*
 * process/control_socket.c - the file of the control socket: made by the master, found by who asks.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "process/control.h"

static int
address(struct sockaddr_un *a, const char *path, struct err *err)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!str_put(a->sun_path, sizeof(a->sun_path), slice_of(path)))
		return err_set(err, "%s: name too long for a socket", path);
	return 1;
}

int
control_connect(const char *path, bool *nobody_r, struct err *err)
{
	struct sockaddr_un a;
	int fd, e;

	*nobody_r = false;
	if (address(&a, path, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	e = errno;
	(void)close(fd);
	*nobody_r = e == ENOENT || e == ECONNREFUSED;
	return err_errno(err, e, "%s", path);
}

/* The folder, when it is not there: the last part of its name alone. */
static int
make_folder(const char *path, struct err *err)
{
	char folder[CONTROL_PATH_MAX];
	char *slash;

	if (!str_put(folder, sizeof(folder), slice_of(path)))
		return err_set(err, "%s: name too long for a socket", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 1;
	*slash = '\0';
	if (mkdir(folder, 0755) != 0 && errno != EEXIST)
		return err_errno(err, errno, "control: %s", folder);
	return 1;
}

/* What a proxy that ended badly has left there goes. */
static int
clear_stale(const char *path, struct err *err)
{
	struct stat st;
	bool nobody;
	struct err why;
	int fd;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 1 : err_errno(err, errno, "control: %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, "control: %s is there, and is no socket", path);
	fd = control_connect(path, &nobody, &why);
	if (fd >= 0) {
		(void)close(fd);
		return err_set(err, "control: another proxy answers at %s", path);
	}
	if (!nobody)
		return err_set(err, "control: %s", why.text);
	if (unlink(path) != 0 && errno != ENOENT)
		return err_errno(err, errno, "control: %s", path);
	return 1;
}

int
control_listen(const char *path, const char *group, struct err *err)
{
	struct sockaddr_un a;
	const struct group *g = NULL;
	mode_t mask;
	int fd, r;

	if (address(&a, path, err) < 0 || make_folder(path, err) < 0 || clear_stale(path, err) < 0)
		return -1;
	if (group && !(g = getgrnam(group)))
		return err_set(err, "control_group: there is no group %s", group);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, errno, "control: socket");
	mask = umask(0177);
	r = bind(fd, (const struct sockaddr *)&a, sizeof(a));
	(void)umask(mask);
	if (r != 0) {
		err_errno(err, errno, "control: %s", path);
		(void)close(fd);
		return -1;
	}
	if ((g && (chown(path, (uid_t)-1, g->gr_gid) != 0 || chmod(path, 0660) != 0)) ||
	    listen(fd, CONTROL_CLIENTS_MAX) != 0) {
		err_errno(err, errno, "control: %s", path);
		(void)unlink(path);
		(void)close(fd);
		return -1;
	}
	return fd;
}
