/*
 * The sandbox: each role tries what it must not, and what it must still be able to. Every act is a process of its own, put
 * behind its fences as the daemon does it, as root (then it becomes nobody) and as an ordinary user.
 */
#include "io_world.h"
#include "tls_certs.h"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/stat.h"
#include "io/ipc.h"
#include "io/tls_ctx.h"
#include "process/rights.h"
#include "process/sandbox.h"

/* --- the world that the acts find: made before any of them */

static struct {
	char users[64];    /* a file that anybody may read */
	char folder[64];   /* one that anybody may write into */
	int users_fd, log; /* open */
	int listener; /* of the worker, with a connection in its queue for each act that accepts */
	struct addr store; /* where a store listens */
	int counters;
	int passing[2]; /* a pair, with a message that holds a descriptor */
	pid_t parent;
	int landlock; /* version of the kernel's */
} w;

static struct test_cert ca, leaf;

__attribute__((destructor)) static void
clean(void)
{
	test_cert_free(&ca);
	test_cert_free(&leaf);
	if (w.parent == getpid()) {
		(void)unlink(w.users);
		(void)rmdir(w.folder);
	}
}

static void
prepare(void)
{
	struct err err = { "" };
	struct addr any;

	if (w.parent)
		return;
	w.parent = getpid();
	CHECK_INT(tls_init(&err), 1);
	ca = test_cert_new((struct test_cert_params){ .cn = "Test CA", .ca = true });
	leaf = test_cert_new((struct test_cert_params){
	    .cn = "mail.example", .san = "DNS:mail.example", .issuer = &ca });
	(void)str_fmt(w.users, sizeof(w.users), "/tmp/sandbox-users-XXXXXX");
	(void)str_fmt(w.folder, sizeof(w.folder), "/tmp/sandbox-folder-XXXXXX");
	w.users_fd = mkstemp(w.users);
	CHECK(w.users_fd >= 0 && mkdtemp(w.folder));
	CHECK_INT(fchmod(w.users_fd, 0666), 0);
	CHECK_INT(chmod(w.folder, 0777), 0);
	CHECK_INT(write(w.users_fd, "alice store\n", 12), 12);
	w.log = memfd_create("log", MFD_CLOEXEC);
	CHECK(w.log >= 0);
	CHECK(addr_parse_ip(&any, SLICE("127.0.0.1"), 0));
	w.listener = sock_listen(&any, &w.store, &err);
	CHECK(w.listener >= 0);
	w.counters = stat_create(2, &err);
	CHECK(w.counters >= 0);
	w.landlock = (int)syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, 1u);
}

/* The machine under the program is not the kernel: its own calls would be filtered, too. */
static bool
under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* --- acts: 0 when it could be done, else errno */

static int
result(long r)
{
	if (r >= 0)
		return 0;
	return errno ? errno : 127;
}

#define ACT(name) static int act_##name(void)
#define SIMPLE(name, call)                                                                         \
	ACT(name)                                                                                  \
	{                                                                                          \
		return result((long)(call));                                                       \
	}

SIMPLE(read_passwd, open("/etc/passwd", O_RDONLY))
SIMPLE(read_hosts, open("/etc/hosts", O_RDONLY))
SIMPLE(read_users_file, open(w.users, O_RDONLY))
SIMPLE(read_root, open("/", O_RDONLY | O_DIRECTORY))
SIMPLE(path_root, open("/", O_PATH))
SIMPLE(read_again_by_proc, open("/proc/self/exe", O_RDONLY))
SIMPLE(read_memory_of_master, open("/proc/1/mem", O_RDONLY))
SIMPLE(open_null, open("/dev/null", O_RDWR))
SIMPLE(open_how,
    syscall(SYS_openat2, AT_FDCWD, "/etc/hosts", &(uint64_t[3]){ 0 }, sizeof(uint64_t[3])))
SIMPLE(write_users_file, open(w.users, O_WRONLY))
SIMPLE(append_hosts, open("/etc/hosts", O_WRONLY | O_APPEND))
SIMPLE(stat_users_file, syscall(SYS_newfstatat, AT_FDCWD, w.users, &(struct stat){ 0 }, 0))
SIMPLE(truncate_users_file, truncate(w.users, 0))
SIMPLE(unlink_users_file, unlink(w.users))
SIMPLE(rename_users_file, rename(w.users, "/tmp/sandbox-renamed"))
SIMPLE(chmod_users_file, chmod(w.users, 0777))
SIMPLE(fchmod_users_file, fchmod(w.users_fd, 0777))
SIMPLE(chown_users_file, chown(w.users, 0, 0))
SIMPLE(link_users_file, link(w.users, "/tmp/sandbox-linked"))
SIMPLE(chdir_root, chdir("/"))
SIMPLE(watch_files, syscall(SYS_inotify_init1, 0))

ACT(create_file)
{
	char path[96];

	(void)str_fmt(path, sizeof(path), "%s/new", w.folder);
	return result(open(path, O_WRONLY | O_CREAT, 0600));
}

ACT(create_folder)
{
	char path[96];

	(void)str_fmt(path, sizeof(path), "%s/new", w.folder);
	return result(mkdir(path, 0700));
}

ACT(create_nameless_file)
{
	return result(open(w.folder, O_TMPFILE | O_RDWR, 0600));
}

ACT(exec)
{
	char name[] = "true", *argv[] = { name, NULL };

	return result(execv("/bin/true", argv));
}

ACT(exec_descriptor)
{
	char name[] = "true", *argv[] = { name, NULL };

	return result(syscall(SYS_execveat, w.users_fd, "", argv, NULL, AT_EMPTY_PATH));
}

/* The child of it ends at once. */
static pid_t
forked(pid_t pid)
{
	if (pid == 0)
		_exit(0);
	return pid;
}

SIMPLE(none, 0)
SIMPLE(fork, forked(fork()))
SIMPLE(raw_fork, forked((pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)))
ACT(clone3)
{
	uint64_t args[8] = { [4] = SIGCHLD };

	return result(forked((pid_t)syscall(SYS_clone3, args, sizeof(args))));
}

SIMPLE(unix_socket, socket(AF_UNIX, SOCK_STREAM, 0))
SIMPLE(netlink_socket, socket(AF_NETLINK, SOCK_RAW, 0))
SIMPLE(packet_socket, socket(AF_PACKET, SOCK_DGRAM, 0))
SIMPLE(algorithm_socket, socket(AF_ALG, SOCK_SEQPACKET, 0))
SIMPLE(vsock_socket, socket(AF_VSOCK, SOCK_STREAM, 0))
SIMPLE(raw_socket, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP))
SIMPLE(sctp_socket, socket(AF_INET, SOCK_STREAM, 132))
SIMPLE(datagram_socket, socket(AF_INET, SOCK_DGRAM, 0))
SIMPLE(icmp_socket, socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP))
SIMPLE(socket_pair, socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0, 0 }))

static int
bound(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct addr a;

	if (fd < 0 || !addr_parse_ip(&a, SLICE("127.0.0.1"), port))
		_exit(99);
	return bind(fd, &a.sa, addr_len(&a)) == 0 ? fd : -1;
}

/* What `source =` needs, and no more. */
SIMPLE(bind_port, bound(20143))
SIMPLE(bind_any_port, bound(0))
SIMPLE(listen, listen(bound(0), 1))
SIMPLE(attach_filter, setsockopt(w.listener, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF,
			  &(struct sock_fprog){ 1, &(struct sock_filter){ BPF_RET, 0, 0, 0 } },
			  sizeof(struct sock_fprog)))
SIMPLE(type_into_terminal, ioctl(STDERR_FILENO, TIOCSTI, "x"))
SIMPLE(signals_on_input, fcntl(w.listener, F_SETOWN, w.parent))

SIMPLE(ptrace_parent, ptrace(PTRACE_ATTACH, w.parent, NULL, NULL))
SIMPLE(be_traced, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
ACT(read_parent)
{
	char c;
	struct iovec mine = { &c, 1 }, theirs = { &w, 1 };

	return result(process_vm_readv(w.parent, &mine, 1, &theirs, 1, 0));
}

SIMPLE(ask_for_parent, kill(w.parent, 0))
SIMPLE(kill_init, kill(1, SIGTERM))
SIMPLE(kill_group, kill(0, SIGURG))
SIMPLE(signal_thread_of_parent, syscall(SYS_tgkill, w.parent, w.parent, SIGURG))
SIMPLE(pidfd_parent, syscall(SYS_pidfd_open, w.parent, 0))
SIMPLE(renice_parent, setpriority(PRIO_PROCESS, (id_t)w.parent, 5))

SIMPLE(setuid_root, syscall(SYS_setuid, 0))
SIMPLE(setgid_root, syscall(SYS_setgid, 0))
SIMPLE(setgroups, syscall(SYS_setgroups, 0, NULL))
SIMPLE(setresuid, syscall(SYS_setresuid, 0, 0, 0))
SIMPLE(raise_limit, setrlimit(RLIMIT_CORE, &(struct rlimit){ 1, 1 }))
SIMPLE(be_dumpable, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
SIMPLE(new_filter, syscall(SYS_seccomp, 0, 0, NULL))

SIMPLE(chroot, chroot("/"))
SIMPLE(unshare, unshare(CLONE_NEWUSER))
SIMPLE(setns, setns(w.users_fd, 0))
SIMPLE(mount, mount("none", "/tmp", "tmpfs", 0, NULL))
SIMPLE(load_module, syscall(SYS_init_module, NULL, 0, ""))
SIMPLE(bpf, syscall(SYS_bpf, 0, NULL, 0))
SIMPLE(perf, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))
SIMPLE(userfault, syscall(SYS_userfaultfd, 0))
SIMPLE(open_handle, syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0))
SIMPLE(uring, syscall(SYS_io_uring_setup, 1, NULL))
SIMPLE(keyring, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
SIMPLE(set_clock, syscall(SYS_clock_settime, CLOCK_REALTIME, NULL))

ACT(map_code)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

ACT(make_code)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? 99 : result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

SIMPLE(memory_file, memfd_create("x", 0))

/* --- acts that must go on */

ACT(accept)
{
	struct addr peer, local;
	struct err err = { "" };

	return sock_accept(w.listener, &peer, &local, &err) >= 0 ? 0 : 98;
}

ACT(connect)
{
	struct err err = { "" };

	return sock_connect(&w.store, NULL, &err) >= 0 ? 0 : 98;
}

ACT(connect_from_source)
{
	struct err err = { "" };
	struct addr source;

	if (!addr_parse_ip(&source, SLICE("127.0.0.2"), 0))
		return 97;
	return sock_connect(&w.store, &source, &err) >= 0 ? 0 : 98;
}

static bool
both_up(void *arg)
{
	struct owner *o = arg;

	return (o[0].up || o[0].failed) && (o[1].up || o[1].failed);
}
static bool
has_two(void *arg)
{
	return ((struct owner *)arg)->len >= 2;
}

ACT(handshake)
{
	static const unsigned char ticket_key[TLS_TICKET_KEY] = "not secret";
	struct tls_client_params p = { .ca = slice_of(ca.cert_pem), .verify = true };
	struct tls_pair pair = test_pair(&leaf);
	struct owner ends[2];
	struct err err = { "" };
	struct tls_server *server = tls_server_new(ticket_key, &err);
	struct tls_client *client = tls_client_new(&p, &err);
	struct addr peer, local;
	size_t bad;
	int fd;

	memset(ends, 0, sizeof(ends));
	CHECK(server && client);
	CHECK_INT(tls_server_add(server, NULL, 0, &pair, 1, TLS_1_2, &bad, &err), 1);
	CHECK(sock_accept(w.listener, &peer, &local, &err) >= 0); /* another's */
	fd = sock_connect(&w.store, NULL, &err);
	CHECK(fd >= 0);
	owner_open(&ends[0], fd);
	while ((fd = sock_accept(w.listener, &peer, &local, &err)) == -1)
		continue;
	CHECK(fd >= 0);
	owner_open(&ends[1], fd);
	CHECK_INT(conn_start_tls_client(ends[0].c, client, "mail.example", &err), 1);
	CHECK_INT(conn_start_tls_server(ends[1].c, server, &err), 1);
	ends[0].up = ends[1].up = false;
	RUN_UNTIL(both_up, ends);
	CHECK(!ends[0].failed && !ends[1].failed);
	owner_say(&ends[0], "hi");
	RUN_UNTIL(has_two, &ends[1]);
	return 0;
}

ACT(receive_descriptor)
{
	struct err err = { "" };
	struct ipc_message m;
	struct ipc *ipc = ipc_new(NULL, w.passing[1], NULL, NULL, NULL);
	char text[5];

	if (!ipc || ipc_receive(ipc, &m, 10, &err) != 1 || m.n_fds != 1)
		return 98;
	return pread(m.fds[0], text, 5, 0) == 5 && memcmp(text, "alice", 5) == 0 ? 0 : 97;
}

ACT(counters)
{
	struct err err = { "" };

	return stat_attach(w.counters, 1, &err) == 1 ? 0 : 98;
}

ACT(memory)
{
	char *p[64];

	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = mem_zalloc((size_t)1 << (10 + i % 12));
		if (!p[i])
			return 98;
	}
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		mem_free(p[i]);
	mem_trim();
	return 0;
}

static void *
thread(void *arg)
{
	*(void **)arg = mem_zalloc(100000);
	mem_free(*(void **)arg);
	return NULL;
}
ACT(thread)
{
	pthread_t id;
	void *p = NULL;

	if (pthread_create(&id, NULL, thread, &p) != 0 || pthread_join(id, NULL) != 0)
		return 98;
	return p ? 0 : 97;
}

static bool
fifth_time(void *arg)
{
	return ++*(int *)arg == 5;
}
static volatile sig_atomic_t signalled;
static void
on_term(int signum, void *arg)
{
	(void)signum;
	(void)arg;
	signalled = 1;
}
static bool
was_signalled(void *arg)
{
	(void)arg;
	return signalled;
}
ACT(loop)
{
	int n = 0;

	loop_signal(world.loop, SIGTERM, on_term, NULL);
	RUN_UNTIL(fifth_time, &n);
	(void)raise(SIGTERM);
	RUN_UNTIL(was_signalled, NULL);
	return 0;
}

ACT(splice)
{
	int pipe[2];

	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0 || fcntl(pipe[1], F_SETPIPE_SZ, 65536) < 0)
		return 98;
	return splice(w.users_fd, &(loff_t){ 0 }, pipe[1], NULL, 5, 0) == 5 ? 0 : 97;
}

ACT(log)
{
	log_msg(LOG_INFO, EV_START, "still %s", "heard");
	return 0;
}

ACT(assert)
{
	ASSERT(w.parent == 1);
	return 0;
}

ACT(crash)
{
	(void)signal(SIGSEGV, SIG_DFL); /* a sanitizer's */
	return raise(SIGSEGV);
}

ACT(system_facts)
{
	char c[16];

	return getpid() > 0 && sysconf(_SC_NPROCESSORS_ONLN) > 0 && gethostname(c, 16) >= -1 &&
		       time(NULL) > 0 && getrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, 0 }) == 0
		   ? 0
		   : 98;
}

/* Of the master: start a child that becomes somebody else and runs a program. */
ACT(start_child)
{
	char name[] = "true", *argv[] = { name, NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (geteuid() == 0 && ((chroot("/") != 0 && errno != EPERM) || setgid(65534) != 0 ||
					  setuid(65534) != 0))
			_exit(97);
		(void)execv("/bin/true", argv);
		_exit(96);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 98;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 95;
}

/* --- the table */

enum { MASTER = ROLE_COUNT }; /* beside the roles, here only */
#define W (1u << ROLE_WORKER)
#define D (1u << ROLE_DIRECTORY)
#define M (1u << MASTER)

enum outcome { DONE, DENIED, FATAL, NONE, ABORTED, CRASHED };
static const char *const outcomes[] = { "done", "refused", "fatal", "not there", "aborted",
	"crashed" };

struct act {
	const char *name;
	int (*run)(void);
	enum outcome expected;
	unsigned roles;
	unsigned not_in; /* what lets it through */
};
enum { SANITIZER = 1, LANDLOCK_4 = 2, LANDLOCK_1 = 4 };

#define ROW(name, expected, roles)                                                                 \
	{                                                                                          \
#name, act_##name, expected, roles, 0                                              \
	}
#define ROW_BUT(name, expected, roles, but)                                                        \
	{                                                                                          \
#name, act_##name, expected, roles, but                                            \
	}

static const struct act acts[] = {
	/* files */
	ROW(read_passwd, DENIED, W),
	ROW(read_hosts, DENIED, W),
	ROW(read_hosts, DONE, D | M),
	ROW_BUT(read_users_file, DENIED, W, 0),
	ROW_BUT(read_users_file, DENIED, D, LANDLOCK_1),
	ROW(read_users_file, DONE, M),
	ROW_BUT(read_root, DENIED, W | D, LANDLOCK_1),
	ROW_BUT(path_root, DENIED, W, SANITIZER),
	ROW_BUT(read_again_by_proc, DENIED, W | D, SANITIZER | LANDLOCK_1),
	ROW(read_memory_of_master, DENIED, W | D),
	ROW(open_null, DENIED, W | D),
	ROW(open_how, DENIED, W | D),
	ROW(write_users_file, DENIED, W | D),
	ROW(append_hosts, DENIED, W | D),
	ROW_BUT(stat_users_file, DENIED, W, SANITIZER),
	ROW(truncate_users_file, DENIED, W | D),
	ROW(unlink_users_file, DENIED, W | D),
	ROW(rename_users_file, DENIED, W | D),
	ROW(chmod_users_file, DENIED, W | D),
	ROW(fchmod_users_file, DENIED, W | D),
	ROW(chown_users_file, DENIED, W | D),
	ROW(link_users_file, DENIED, W | D),
	ROW(create_file, DENIED, W | D),
	ROW(create_folder, DENIED, W | D),
	ROW(create_nameless_file, DENIED, W | D),
	ROW(chdir_root, DENIED, W | D),
	ROW(watch_files, DENIED, W | D),
	/* programs and processes */
	ROW(exec, FATAL, W | D),
	ROW(exec_descriptor, FATAL, W | D),
	ROW(fork, DENIED, W | D),
	ROW(raw_fork, DENIED, W | D),
	ROW(clone3, NONE, W | D),
	ROW(start_child, DONE, M),
	/* the network */
	ROW(unix_socket, DENIED, W | D),
	ROW(netlink_socket, DENIED, W | D),
	ROW(packet_socket, DENIED, W | D),
	ROW(algorithm_socket, DENIED, W | D),
	ROW(vsock_socket, DENIED, W | D),
	ROW(raw_socket, DENIED, W | D),
	ROW(sctp_socket, DENIED, W | D),
	ROW(icmp_socket, DENIED, W | D),
	ROW(datagram_socket, DENIED, W),
	ROW(datagram_socket, DONE, D),
	ROW(socket_pair, DENIED, W | D),
	ROW_BUT(bind_port, DENIED, W | D, LANDLOCK_4),
	ROW(bind_any_port, DONE, W | D),
	ROW(listen, DENIED, W | D),
	ROW(listen, DONE, M),
	ROW(attach_filter, DENIED, W | D),
	ROW(type_into_terminal, DENIED, W | D),
	ROW(signals_on_input, DENIED, W | D),
	/* others */
	ROW_BUT(ptrace_parent, FATAL, W | D | M, SANITIZER),
	ROW_BUT(be_traced, FATAL, W | D | M, SANITIZER),
	ROW(read_parent, FATAL, W | D | M),
	ROW_BUT(ask_for_parent, DENIED, W | D, SANITIZER),
	ROW_BUT(kill_init, DENIED, W | D, SANITIZER),
	ROW_BUT(kill_group, DENIED, W | D, SANITIZER),
	ROW(signal_thread_of_parent, DENIED, W | D),
	ROW(pidfd_parent, DENIED, W | D),
	ROW(renice_parent, DENIED, W | D),
	/* rights */
	ROW(setuid_root, DENIED, W | D),
	ROW(setgid_root, DENIED, W | D),
	ROW(setgroups, DENIED, W | D),
	ROW(setresuid, DENIED, W | D),
	ROW(raise_limit, DENIED, W | D),
	ROW_BUT(be_dumpable, DENIED, W | D, SANITIZER),
	ROW(new_filter, DENIED, W | D),
	/* the system */
	ROW(chroot, FATAL, W | D),
	ROW(unshare, FATAL, W | D | M),
	ROW(setns, FATAL, W | D | M),
	ROW(mount, FATAL, W | D | M),
	ROW(load_module, FATAL, W | D | M),
	ROW(bpf, FATAL, W | D | M),
	ROW(perf, FATAL, W | D | M),
	ROW(userfault, FATAL, W | D | M),
	ROW(open_handle, FATAL, W | D | M),
	ROW(uring, DENIED, W | D | M),
	ROW(keyring, DENIED, W | D | M),
	ROW(set_clock, DENIED, W | D | M),
	/* code */
	ROW(map_code, DENIED, W | D),
	ROW(make_code, DENIED, W | D),
	ROW(memory_file, DENIED, W | D),
	/* what they live by */
	ROW(none, DONE, W | D | M),
	ROW(accept, DONE, W | D),
	ROW(connect, DONE, W | D),
	ROW(connect_from_source, DONE, W | D),
	ROW(handshake, DONE, W | D),
	ROW(receive_descriptor, DONE, W | D),
	ROW(counters, DONE, W | D),
	ROW(memory, DONE, W | D),
	ROW(thread, DONE, W | D),
	ROW(loop, DONE, W | D),
	ROW(splice, DONE, W),
	ROW(log, DONE, W | D | M),
	ROW(system_facts, DONE, W | D),
	ROW(assert, ABORTED, W | D),
	ROW(crash, CRASHED, W | D),
};

/* --- running one */

static int
enter(unsigned role, struct err *err)
{
	struct rights r;

	if (role == MASTER)
		return sandbox_master(err);
	if (rights_resolve("nobody", &r, err) < 0)
		return -1;
	if (r.drop && role == ROLE_WORKER && sandbox_empty_root(err) < 0)
		return -1;
	if (rights_drop(&r, err) < 0 || rights_lock(err) < 0)
		return -1;
	return sandbox_enter((enum role)role, err);
}

NORETURN static void
child(unsigned role, int (*run)(void))
{
	struct err err = { "" };

	(void)signal(SIGABRT, SIG_DFL);
	log_setup(w.log, LOG_INFO, LOG_LOGFMT, "test");
	if (setjmp(test_out))
		_exit(126);
	world_open(); /* as the daemon's loop is older than its sandbox */
	if (enter(role, &err) < 0) {
		printf("# %s\n", err.text);
		(void)fflush(stdout);
		_exit(125);
	}
	errno = 0;
	_exit(run());
}

/* A connection in the listener's queue and a message in the pair, for whoever wants them. */
static void
refill(int *connection)
{
	struct err err = { "" };
	struct addr peer, local;
	struct ipc *ipc;
	int fd;

	while ((fd = sock_accept(w.listener, &peer, &local, &err)) >= 0)
		(void)close(fd);
	*connection = sock_connect(&w.store, NULL, &err);
	CHECK(*connection >= 0);
	CHECK_INT(ipc_pair(w.passing, &err), 1);
	ipc = ipc_new(NULL, dup(w.passing[0]), NULL, NULL, NULL);
	CHECK(ipc && ipc_send(ipc, 1, SLICE("x"), &w.users_fd, 1) == 1);
	ipc_close(&ipc);
}

static bool
fits(enum outcome expected, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	switch (expected) {
	case DONE:
		return code == 0;
	case DENIED:
		return code == EPERM || code == EACCES;
	case FATAL:
		return sig == SIGSYS;
	case NONE:
		return code == ENOSYS;
	case ABORTED:
		return sig == SIGABRT;
	case CRASHED:
		return sig == SIGSEGV;
	}
	return false;
}

static void
check_act(unsigned role, const struct act *act)
{
	int status, connection;
	pid_t pid;

	test_note("%s", act->name);
	refill(&connection);
	(void)fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		child(role, act->run);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	(void)close(connection);
	(void)close(w.passing[0]);
	(void)close(w.passing[1]);
	if (fits(act->expected, status))
		return;
	if (WIFSIGNALED(status))
		FAIL("signal %s, not %s", sigabbrev_np(WTERMSIG(status)), outcomes[act->expected]);
	FAIL("%d (%s), not %s", WEXITSTATUS(status), strerror(WEXITSTATUS(status)),
	    outcomes[act->expected]);
}

static void
check_role(unsigned role)
{
	unsigned but = (SANITIZED ? SANITIZER : 0) | (w.landlock < 1 ? LANDLOCK_1 : 0) |
		       (w.landlock < 4 ? LANDLOCK_4 : 0);

	for (size_t i = 0; i < ARRAY_SIZE(acts); i++)
		if ((acts[i].roles & 1u << role) && !(acts[i].not_in & but))
			check_act(role, &acts[i]);
}

TEST(worker)
{
	if (under_valgrind())
		return;
	prepare();
	check_role(ROLE_WORKER);
}

TEST(directory)
{
	if (under_valgrind())
		return;
	prepare();
	check_role(ROLE_DIRECTORY);
}

TEST(master)
{
	if (under_valgrind())
		return;
	prepare();
	check_role(MASTER);
}

/* What was said behind the fences has arrived. */
TEST(the_log_goes_on)
{
	char text[65536];
	ssize_t n;

	if (under_valgrind())
		return;
	prepare();
	check_role(MASTER);
	check_act(ROLE_WORKER, &(struct act){ "log", act_log, DONE, 0, 0 });
	check_act(ROLE_WORKER, &(struct act){ "assert", act_assert, ABORTED, 0, 0 });
	n = pread(w.log, text, sizeof(text) - 1, 0);
	CHECK(n > 0);
	text[n] = '\0';
	CHECK(strstr(text, "event=sandbox root="));
	CHECK(strstr(text, "msg=\"still heard\""));
	CHECK(strstr(text, "event=assert msg="));
}

/* --- each fence by itself: what holds when the kernel has not the others */

static int
files_alone(void)
{
	struct err err = { "" };

	if (rights_lock(&err) < 0 || sandbox_files(ROLE_WORKER, &err) < 1)
		return 1;
	if (open(w.users, O_RDONLY) >= 0 || errno != EACCES)
		return 2;
	if (act_create_file() != EACCES || act_create_folder() != EACCES)
		return 3;
	if (act_unlink_users_file() != EACCES ||
	    (w.landlock >= 3 && act_truncate_users_file() != EACCES))
		return 4;
	if (w.landlock >= 4 && (act_bind_port() != EACCES || act_bind_any_port() != 0))
		return 5;
	if (w.landlock >= 6 && kill(w.parent, 0) == 0)
		return 6;
	if (act_exec() != EACCES)
		return 7;
	return 0;
}

static int
empty_root_alone(void)
{
	struct err err = { "" };

	int entered = sandbox_empty_root(&err);

	if (entered != 1) /* root may be without the right to */
		return strstr(err.text, "chroot: Operation not permitted") ? 0 : 1;
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != ENOENT)
		return 2;
	if (open("../../etc/passwd", O_RDONLY) >= 0 || errno != ENOENT)
		return 3;
	if (mkdir("/new", 0700) == 0 || errno != ENOENT)
		return 4;
	if (open("/new", O_CREAT | O_WRONLY, 0600) >= 0 || errno != ENOENT)
		return 5;
	return 0;
}

static void
check_alone(int (*fn)(void))
{
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(fn());
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status >> 8, 0);
	CHECK_INT(status, 0);
}

TEST(landlock_alone)
{
	if (under_valgrind())
		return;
	prepare();
	if (w.landlock >= 1 && !SANITIZED)
		check_alone(files_alone);
}

TEST(empty_root_alone)
{
	if (geteuid() == 0 && !SANITIZED)
		check_alone(empty_root_alone);
}
