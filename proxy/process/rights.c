/*
 * process/rights.c - users, limits and flags of processes.
 *
 * Names are looked up in the master, before anything else runs: children need no name service, and get numbers.
 */
#include "process/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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

/* --- capabilities */

static int
capabilities(bool set, struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return (int)syscall(set ? SYS_capset : SYS_capget, &header, data);
}

/*
 * While still root. Who lacks the right to (an ordinary user, a service without CAP_SETPCAP) keeps the set, which
 * means nothing to a process that gets no new privileges.
 */
static int
empty_bounding_set(struct err *err)
{
	for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) != 0 && errno != EPERM)
			return err_errno(err, errno, "capability %lu", c);
	return 1;
}

/* The ambient set empties with the others. */
static int
drop_capabilities(struct err *err)
{
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof(data));
	if (capabilities(true, data) != 0)
		return err_errno(err, errno, "capset");
	if (capabilities(false, data) != 0)
		return err_errno(err, errno, "capget");
	for (int i = 0; i < 2; i++)
		if (data[i].effective || data[i].permitted || data[i].inheritable)
			return err_set(err, "still capable of something");
	return 1;
}

/* --- users */

static int
change_user(const struct rights *r, struct err *err)
{
	gid_t groups[INHERIT_GROUPS_MAX];
	uid_t u[3];
	gid_t g[3];

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
rights_drop(const struct rights *r, struct err *err)
{
	if (!r->drop && geteuid() == 0)
		return err_set(err, "still root");
	if (empty_bounding_set(err) < 0 || (r->drop && change_user(r, err) < 0))
		return -1;
	return drop_capabilities(err);
}

int
rights_lock(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(err, errno, "no new privileges");
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
