/*
 * process/rights.c - users, limits and flags of processes.
 *
 * Names are looked up in the master, before anything else runs: children need no name service, and get numbers.
 */
#include "process/rights.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

int
rights_resolve(const char *user, struct rights *r, struct err *err)
{
	gid_t groups[INHERIT_GROUPS_MAX];
	int n = INHERIT_GROUPS_MAX;
	struct passwd *pw;

	*r = (struct rights){ .drop = false, .uid = geteuid(), .gid = getegid() };
	if (geteuid() != 0)
		return 1;
	if (!user)
		return err_set(err, "started as root: set user = … in [proxy], "
				    "the user that the processes facing the network run as");
	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		return errno ? err_errno(err, errno, "user %s", user)
			     : err_set(err, "there is no user %s", user);
	if (pw->pw_uid == 0)
		return err_set(
		    err, "user %s is root: the processes facing the network must not be", user);
	if (getgrouplist(user, pw->pw_gid, groups, &n) < 0)
		return err_set(err, "user %s is in more than %d groups", user, INHERIT_GROUPS_MAX);
	r->drop = true;
	r->uid = pw->pw_uid;
	r->gid = pw->pw_gid;
	r->n_groups = (uint32_t)n;
	for (int i = 0; i < n; i++)
		r->groups[i] = groups[i];
	return 1;
}

int
rights_drop(const struct rights *r, struct err *err)
{
	gid_t groups[INHERIT_GROUPS_MAX];
	uid_t u[3];
	gid_t g[3];

	if (!r->drop)
		return geteuid() == 0 ? err_set(err, "still root") : 1;
	for (uint32_t i = 0; i < r->n_groups; i++)
		groups[i] = r->groups[i];
	if (setgroups(r->n_groups, groups) != 0)
		return err_errno(err, errno, "setgroups");
	if (setresgid(r->gid, r->gid, r->gid) != 0)
		return err_errno(err, errno, "setresgid");
	if (setresuid(r->uid, r->uid, r->uid) != 0)
		return err_errno(err, errno, "setresuid");
	if (getresuid(&u[0], &u[1], &u[2]) != 0 || getresgid(&g[0], &g[1], &g[2]) != 0)
		return err_errno(err, errno, "getresuid");
	for (int i = 0; i < 3; i++)
		if (u[i] != r->uid || g[i] != r->gid)
			return err_set(err, "still user %u group %u", u[i], g[i]);
	if (r->uid == 0 || setuid(0) == 0)
		return err_set(err, "still able to become root");
	return 1;
}

int
rights_lock(enum role role, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(err, errno, "no new privileges");
	if (role != ROLE_WORKER)
		return 1;
	if (setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }) != 0)
		return err_errno(err, errno, "no core");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_errno(err, errno, "not dumpable");
	return 1;
}

uint64_t
rights_raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return 1024;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) != 0 && getrlimit(RLIMIT_NOFILE, &l) != 0)
		return 1024;
	return l.rlim_cur == RLIM_INFINITY ? UINT64_MAX : l.rlim_cur;
}
