/*
 * process/sandbox_syscalls.c - seccomp: which system calls a role may make, and with what.
 *
 *      children:  named below -> allowed; `fatal` -> the process is killed (SIGSYS); the rest -> EPERM
 *      master:    `fatal` and `unused` are refused, the rest is allowed
 *
 * EPERM is for what a library may try without harm, to go on when it is refused; killed is who does what nobody honest
 * does. Children inherit the master's filter through fork and exec, so that it can only refuse what none of them needs: not
 * accept or connect.
 *
 * Where arguments count, all that is not named is refused. Pointers are not followed by seccomp: names of files are
 * Landlock's (sandbox_files.c), addresses are nobody's.
 *
 * A new need of a role is one line here. Which call it was that got EPERM: strace -f -e trace-fds, or in the kernel's audit log when
 * it was fatal.
 */
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define WORKER    (1u << ROLE_WORKER)
#define DIRECTORY (1u << ROLE_DIRECTORY)
#define BOTH      (WORKER | DIRECTORY)

/* --- calls whose arguments do not matter */

static const int for_both[] = {
	/* bytes through descriptors */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev),
	SCMP_SYS(pwritev2), /* the log, when it is a pipe */
	SCMP_SYS(recv), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(send), SCMP_SYS(sendto),
	SCMP_SYS(sendmsg), SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(lseek), SCMP_SYS(_llseek),
	SCMP_SYS(fstat), SCMP_SYS(fstat64),
	/* sockets; which ones is in the rules. No listen, no socketpair */
	SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(shutdown),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt),
	/* the loop */
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
	SCMP_SYS(eventfd2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(ppoll_time64),
	/* memory; mmap and mprotect are in the rules */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* threads of this process; clone is in the rules */
	SCMP_SYS(futex), SCMP_SYS(futex_time64), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
	SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(gettid), SCMP_SYS(exit),
	/* signals to itself; tgkill is in the rules */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(exit_group),
	/* time, where the vDSO has it not */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64), SCMP_SYS(clock_getres),
	SCMP_SYS(clock_getres_time64), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_nanosleep_time64),
	/* who and where we are */
	SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(getuid32),
	SCMP_SYS(geteuid), SCMP_SYS(geteuid32), SCMP_SYS(getgid), SCMP_SYS(getgid32),
	SCMP_SYS(getegid), SCMP_SYS(getegid32), SCMP_SYS(getcpu), SCMP_SYS(getrandom),
	SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrusage), SCMP_SYS(getrlimit),
	SCMP_SYS(ugetrlimit)
};

static const int for_worker[] = {
	SCMP_SYS(pipe2), SCMP_SYS(splice), /* the relay */
};

static const int for_directory[] = {
	/* files by name: Landlock says which; open is in the rules, reading only */
	SCMP_SYS(stat), SCMP_SYS(stat64), SCMP_SYS(lstat), SCMP_SYS(lstat64), SCMP_SYS(newfstatat),
	SCMP_SYS(fstatat64), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
	SCMP_SYS(getcwd),
	/* resolvers */
	SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(recvmmsg_time64)
};

#if SANITIZED /* the search for leaks at the end, which traces its own threads; names in reports */
static const int for_sanitizers[] = { SCMP_SYS(ptrace), SCMP_SYS(wait4), SCMP_SYS(prctl),
	SCMP_SYS(kill), SCMP_SYS(readlink), SCMP_SYS(getdents), SCMP_SYS(getdents64),
	SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(dup2) };
#endif

static const int fatal[] = { SCMP_SYS(execve), SCMP_SYS(execveat),
#if !SANITIZED
	SCMP_SYS(ptrace),
#endif
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2),
	SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(mount_setattr), SCMP_SYS(fsopen),
	SCMP_SYS(fsmount), SCMP_SYS(fsconfig), SCMP_SYS(fspick), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(create_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(bpf),
	SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open), SCMP_SYS(reboot), SCMP_SYS(swapon),
	SCMP_SYS(swapoff), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(modify_ldt) };

/* The master starts children that begin with these. */
static const int not_for_master[] = { SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(chroot) };

/* What a child gets EPERM for anyway; the master and what its children do before their own filter. */
static const int unused[] = { SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
	SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(clock_settime64),
	SCMP_SYS(clock_adjtime), SCMP_SYS(clock_adjtime64), SCMP_SYS(adjtimex), SCMP_SYS(stime),
	SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(acct), SCMP_SYS(quotactl),
	SCMP_SYS(syslog), SCMP_SYS(vhangup), SCMP_SYS(nfsservctl), SCMP_SYS(lookup_dcookie),
	SCMP_SYS(kcmp), SCMP_SYS(name_to_handle_at), SCMP_SYS(fanotify_init),
	SCMP_SYS(migrate_pages), SCMP_SYS(move_pages), SCMP_SYS(mbind), SCMP_SYS(uselib),
	SCMP_SYS(ustat), SCMP_SYS(sysfs), SCMP_SYS(_sysctl) };

/* --- calls whose arguments matter: allowed when all of a row fit, and a call may have many rows */

struct rule {
	unsigned roles;
	int call;
	unsigned n;
	struct scmp_arg_cmp args[3];
};

#define EQ(arg, value)                                                                             \
	{                                                                                          \
		(arg), SCMP_CMP_EQ, (scmp_datum_t)(value), 0                                       \
	}
/* Of an int argument the kernel looks at 32 bits. */
#define BITS(arg, mask, value)                                                                     \
	{                                                                                          \
		(arg), SCMP_CMP_MASKED_EQ, (scmp_datum_t)(unsigned)(mask), (scmp_datum_t)(value)   \
	}
#define R1(roles_, name, a)                                                                        \
	{                                                                                          \
		.roles = (roles_), .call = SCMP_SYS(name), .n = 1, .args = { a }                   \
	}
#define R2(roles_, name, a, b)                                                                     \
	{                                                                                          \
		.roles = (roles_), .call = SCMP_SYS(name), .n = 2, .args = { a, b }                \
	}
#define R3(roles_, name, a, b, c)                                                                  \
	{                                                                                          \
		.roles = (roles_), .call = SCMP_SYS(name), .n = 3, .args = { a, b, c }             \
	}

#define SOCKET(roles, family, type, protocol)                                                      \
	R3(roles, socket, EQ(0, family), BITS(1, ~(SOCK_NONBLOCK | SOCK_CLOEXEC), type),           \
	    EQ(2, protocol))
#define OPTION(level, name) R2(BOTH, setsockopt, EQ(1, level), EQ(2, name))
#define FCNTL(command)      R1(BOTH, fcntl, EQ(1, command)), R1(BOTH, fcntl64, EQ(1, command))

#define READING(roles, call, flags)                                                                \
	R1(roles, call, BITS(flags, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY))

#if defined(__s390__)
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif
#define CLONE_NEW_ANY                                                                              \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	    CLONE_NEWPID | CLONE_NEWNET)
#define CLONE_THREAD_ANY (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

static const struct rule rules[] = {
	/* clients and stores; for the directory stores (checks) and name servers */
	SOCKET(BOTH, AF_INET, SOCK_STREAM, 0),
	SOCKET(BOTH, AF_INET, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(BOTH, AF_INET6, SOCK_STREAM, 0),
	SOCKET(BOTH, AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(DIRECTORY, AF_INET, SOCK_DGRAM, 0),
	SOCKET(DIRECTORY, AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(DIRECTORY, AF_INET6, SOCK_DGRAM, 0),
	SOCKET(DIRECTORY, AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	/* no filters on sockets, no devices, no credentials */
	R1(BOTH, setsockopt, EQ(1, IPPROTO_TCP)),
	R1(BOTH, setsockopt, EQ(1, SOL_TLS)),
	OPTION(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
	OPTION(IPPROTO_IP, IP_TOS),
	OPTION(IPPROTO_IPV6, IPV6_V6ONLY),
	OPTION(IPPROTO_IPV6, IPV6_TCLASS),
	OPTION(SOL_SOCKET, SO_REUSEADDR),
	OPTION(SOL_SOCKET, SO_KEEPALIVE),
	OPTION(SOL_SOCKET, SO_LINGER),
	OPTION(SOL_SOCKET, SO_SNDBUF),
	OPTION(SOL_SOCKET, SO_RCVBUF),
	OPTION(SOL_SOCKET, SO_RCVLOWAT),
	OPTION(SOL_SOCKET, SO_PRIORITY),
	OPTION(SOL_SOCKET, SO_BUSY_POLL),
	/* no leases, no signals on input */
	FCNTL(F_GETFD),
	FCNTL(F_SETFD),
	FCNTL(F_GETFL),
	FCNTL(F_SETFL),
	FCNTL(F_DUPFD),
	FCNTL(F_DUPFD_CLOEXEC),
	FCNTL(F_GETPIPE_SZ),
	FCNTL(F_SETPIPE_SZ),
	FCNTL(F_GET_SEALS),
	/* standard error may be the operator's terminal: nothing can be typed into it */
	R1(BOTH, ioctl, EQ(1, FIONREAD)),
	R1(BOTH, ioctl, EQ(1, FIONBIO)),
	R1(BOTH, ioctl, EQ(1, SIOCOUTQ)),
	/* memory that is not code */
	R1(BOTH, mmap, BITS(2, PROT_EXEC, 0)),
	R1(BOTH, mmap2, BITS(2, PROT_EXEC, 0)),
	R1(BOTH, mprotect, BITS(2, PROT_EXEC, 0)),
	/* threads, not processes */
	R1(BOTH, clone,
	    BITS(CLONE_FLAGS, CLONE_THREAD_ANY | CLONE_NEW_ANY | CLONE_VFORK | CLONE_PTRACE,
		CLONE_THREAD_ANY)),
	R1(BOTH, prctl, EQ(0, PR_SET_NAME)),
	/* its own limits, to be read */
	R2(BOTH, prlimit64, EQ(0, 0), EQ(2, 0)),
	/* what a libc makes of fstat() */
	R1(WORKER, newfstatat, BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH)),
	R1(WORKER, statx, BITS(2, AT_EMPTY_PATH, AT_EMPTY_PATH)),
	READING(DIRECTORY, open, 1),
	READING(DIRECTORY, openat, 2),
#if SANITIZED
	R1(BOTH, clone, BITS(CLONE_FLAGS, -1, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED)),
	READING(WORKER, open, 1),
	READING(WORKER, openat, 2),
#endif
};

/* --- making and loading it */

/* 1; 0 and a reason: not in this kernel. */
static int
available(struct err *err)
{
	/* The kernel that has it finds the filter missing. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) != 0 && errno == EFAULT)
		return 1;
	return err_errno(err, errno, "the kernel has no seccomp filters"), 0;
}

/* Calls that this machine does not have are no matter. */
static int
add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = seccomp_rule_add(filter, action, calls[i], 0);
	return r;
}

static int
add_to_self(scmp_filter_ctx filter)
{
	struct scmp_arg_cmp self = EQ(0, getpid());

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self);
}

static int
add_rules(scmp_filter_ctx filter, enum role role)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rules) && r == 0; i++)
		if (rules[i].roles & 1u << role)
			r = seccomp_rule_add_array(
			    filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].n, rules[i].args);
	return r;
}

#define ADD(filter, action, table) add(filter, action, table, ARRAY_SIZE(table))

static int
add_child(scmp_filter_ctx filter, enum role role)
{
	int r = add_rules(filter, role);

	if (r == 0)
		r = add_to_self(filter);
	if (r == 0)
		r = ADD(filter, SCMP_ACT_ALLOW, for_both);
	if (r == 0 && role == ROLE_WORKER)
		r = ADD(filter, SCMP_ACT_ALLOW, for_worker);
	if (r == 0 && role == ROLE_DIRECTORY)
		r = ADD(filter, SCMP_ACT_ALLOW, for_directory);
#if SANITIZED
	if (r == 0)
		r = ADD(filter, SCMP_ACT_ALLOW, for_sanitizers);
#endif
	if (r == 0) /* the C library then takes clone, whose flags can be seen */
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r == 0)
		r = ADD(filter, SCMP_ACT_KILL_PROCESS, fatal);
	return r;
}

static int
add_master(scmp_filter_ctx filter)
{
	int r = ADD(filter, SCMP_ACT_ERRNO(EPERM), unused);

	for (size_t i = 0; i < ARRAY_SIZE(fatal) && r == 0; i++) {
		bool needed = false;

		for (size_t j = 0; j < ARRAY_SIZE(not_for_master); j++)
			needed = needed || fatal[i] == not_for_master[j];
		if (!needed)
			r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, fatal[i], 0);
	}
	return r;
}

/* A filter that is whole goes to the kernel, for all threads. @r: what adding to it returned. */
static int
load(scmp_filter_ctx filter, int r, struct err *err)
{
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r == 0 ? 1 : err_errno(err, -r, "seccomp");
}

int
sandbox_syscalls(enum role role, struct err *err)
{
	scmp_filter_ctx filter;

	if (!available(err))
		return 0;
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return err_set(err, "seccomp: out of memory");
	return load(filter, add_child(filter, role), err);
}

int
sandbox_syscalls_master(struct err *err)
{
	scmp_filter_ctx filter;

	if (!available(err))
		return 0;
	filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!filter)
		return err_set(err, "seccomp: out of memory");
	return load(filter, add_master(filter), err);
}
