/*
 * Users: who a child is to be, and that it is that for good. As root all of it, as an ordinary user what there is.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "process/rights.h"

TEST(an_ordinary_user_stays)
{
	struct err err = { "" };
	struct rights r;

	if (geteuid() == 0)
		return;
	CHECK_INT(rights_resolve("nobody", &r, &err), 1);
	CHECK(!r.drop);
	CHECK_INT(rights_drop(&r, &err), 1);
}

TEST(root_must_name_somebody_else)
{
	struct err err = { "" };
	struct rights r;

	if (geteuid() != 0)
		return;
	CHECK_INT(rights_resolve(NULL, &r, &err), -1);
	CHECK(strstr(err.text, "started as root: set user = "));
	CHECK_INT(rights_resolve("root", &r, &err), -1);
	CHECK_INT(rights_resolve("no-such-user", &r, &err), -1);
	CHECK_STR(err.text, "there is no user no-such-user");
	CHECK_INT(rights_resolve("nobody", &r, &err), 1);
	CHECK(r.drop && r.uid != 0 && r.gid != 0 && r.n_groups >= 1);
}

TEST(root_without_dropping_is_refused)
{
	const struct rights r = { .drop = false };
	struct err err = { "" };

	if (geteuid() != 0)
		return;
	CHECK_INT(rights_drop(&r, &err), -1);
}

/* In a process of its own: 0 when all is as it should be, else the number of the step. */
static int
dropped(const struct rights *r)
{
	struct err err = { "" };
	struct rlimit core;

	if (rights_drop(r, &err) < 0)
		return 1;
	if (r->drop && (getuid() != r->uid || getegid() != r->gid))
		return 2;
	if (r->drop && (setuid(0) == 0 || setgid(0) == 0 || open("/etc/shadow", O_RDONLY) >= 0))
		return 3;
	if (rights_lock(&err) < 0)
		return 4;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 5;
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0)
		return 6;
	return 0;
}

TEST(dropped_rights_do_not_come_back)
{
	struct err err = { "" };
	struct rights r;
	int status;
	pid_t pid;

	CHECK_INT(rights_resolve("nobody", &r, &err), 1);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(dropped(&r));
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
}

TEST(descriptors_are_raised_to_the_hard_limit)
{
	struct rlimit l;
	uint64_t n = rights_raise_files();

	CHECK_INT(getrlimit(RLIMIT_NOFILE, &l), 0);
	CHECK(l.rlim_cur == l.rlim_max);
	CHECK(l.rlim_cur == RLIM_INFINITY || n == l.rlim_cur);
}
