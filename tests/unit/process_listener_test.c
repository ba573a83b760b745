/*
 * Listening sockets from the master's opening to a worker's accepting.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "io/sock.h"
#include "process/acceptor.h"
#include "process/listener.h"

static struct addr any[2];
static struct listen listens[2];
static struct snapshot snapshot;

static const struct snapshot *
two_listeners(void)
{
	CHECK(addr_parse_ip(&any[0], SLICE("127.0.0.1"), 0));
	CHECK(addr_parse_ip(&any[1], SLICE("127.0.0.1"), 0));
	listens[0] = (struct listen){ .name = "imap", .addrs = any, .n_addrs = 2 };
	listens[1] = (struct listen){ .name = "imaps", .addrs = &any[1], .n_addrs = 1 };
	snapshot = (struct snapshot){ .refs = 1, .listens = listens, .n_listens = 2 };
	return &snapshot;
}

static int
connect_to(const struct addr *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK_INT(connect(fd, &a->sa, addr_len(a)), 0);
	return fd;
}

TEST(every_address_has_a_port_of_its_own)
{
	struct err err = { "" };
	struct listener_set *set = listener_set_open(two_listeners(), 3, &err);
	const struct addr *a, *b, *c;

	test_note("%s", err.text);
	CHECK(set != NULL);
	CHECK_STR(listener_set_at(set, 0, &a), "imap");
	CHECK_STR(listener_set_at(set, 1, &b), "imap");
	CHECK_STR(listener_set_at(set, 2, &c), "imaps");
	CHECK(listener_set_at(set, 3, &c) == NULL);
	CHECK(addr_port(a) > 0 && addr_port(b) > 0 && addr_port(a) != addr_port(b));
	listener_set_close(&set);
	CHECK(set == NULL);
	listener_set_close(&set);
}

TEST(an_address_in_use_is_told)
{
	struct err err = { "" };
	struct listener_set *first = listener_set_open(two_listeners(), 1, &err), *second;
	const struct addr *bound;
	char text[128], addr[ADDR_TEXT];

	CHECK(first != NULL);
	(void)listener_set_at(first, 0, &bound);
	any[0] = *bound;
	second = listener_set_open(&snapshot, 2, &err); /* as another instance would */
	CHECK(second == NULL);
	str_fmt(text, sizeof(text), "[listen imap] %s: bind: Address already in use",
	    addr_format(addr, bound));
	CHECK_STR(err.text, text);
	listener_set_close(&first);
	second = listener_set_open(&snapshot, 2, &err);
	CHECK(second != NULL);
	listener_set_close(&second);
}

TEST(the_address_file_is_whole)
{
	char dir[] = "/tmp/process-listener-XXXXXX", path[64], line[128], want[128],
	     addr[ADDR_TEXT];
	struct err err = { "" };
	struct listener_set *set = listener_set_open(two_listeners(), 2, &err);
	const struct addr *bound;
	const char *name;
	struct stat st;
	FILE *f;

	CHECK(set && mkdtemp(dir));
	str_fmt(path, sizeof(path), "%s/address", dir);
	CHECK_INT(listener_set_write(set, path, &err), 1);
	f = fopen(path, "re");
	CHECK(f != NULL);
	for (size_t i = 0; (name = listener_set_at(set, i, &bound)); i++) {
		CHECK(fgets(line, sizeof(line), f) != NULL);
		str_fmt(want, sizeof(want), "%s %s\n", name, addr_format(addr, bound));
		CHECK_STR(line, want);
	}
	CHECK(fgets(line, sizeof(line), f) == NULL);
	fclose(f);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(rmdir(dir), 0); /* nothing else was left there */
	CHECK_INT(listener_set_write(set, path, &err), -1);
	CHECK(stat(path, &st) != 0);
	listener_set_close(&set);
}

/* --- a worker */

static struct loop *loop;
static struct acceptor *acceptor;
static struct ipc *near, *far;
static struct listener_set *set;
static unsigned accepted, stop_at;
static char last_name[64];
static struct snapshot *last_of;
static bool free_in_handler;

static void
on_accept(void *arg, struct snapshot *of, const char *name, int fd, const struct addr *peer,
    const struct addr *local)
{
	last_of = of;
	CHECK(arg == &accepted);
	CHECK(addr_is_set(peer) && addr_is_set(local));
	CHECK(str_put(last_name, sizeof(last_name), slice_of(name)));
	close(fd);
	if (++accepted == stop_at)
		loop_stop(loop);
	if (free_in_handler)
		acceptor_free(&acceptor);
}

/* Worker 2 of 2 has its sockets. */
static void
begin(void)
{
	struct err err = { "" };
	struct ipc_message m;
	int fds[2];

	accepted = stop_at = 0;
	free_in_handler = false;
	set = listener_set_open(two_listeners(), 2, &err);
	CHECK(set && ipc_pair(fds, &err) > 0);
	near = ipc_new(NULL, fds[0], NULL, NULL, NULL);
	far = ipc_new(NULL, fds[1], NULL, NULL, NULL);
	loop = loop_new();
	CHECK(near && far && loop);
	acceptor = acceptor_new(loop, on_accept, &accepted);
	CHECK(acceptor != NULL);
	CHECK_INT(listener_set_send(set, near, 2), 3);
	CHECK_INT(ipc_receive(far, &m, 5, &err), 1);
	CHECK_U64(m.type, MSG_LISTENERS);
	CHECK_INT(acceptor_take(acceptor, &m, &err), 3);
	CHECK_STR(acceptor_at(acceptor, 0), "imap");
	CHECK_STR(acceptor_at(acceptor, 2), "imaps");
	CHECK(acceptor_at(acceptor, 3) == NULL);
}

static void
end(void)
{
	acceptor_free(&acceptor);
	loop_free(&loop);
	ipc_close(&near);
	ipc_close(&far);
	listener_set_close(&set);
}

/*
 * Connects until worker 2 has @n in its queues: the kernel spreads over the sockets of both. Those of worker 1 stay in the
 * queue that the master holds, until its set is closed.
 */
static void
connect_many(size_t listener, unsigned n, int *fds)
{
	const struct addr *bound;

	(void)listener_set_at(set, listener, &bound);
	for (unsigned i = 0; i < n; i++)
		fds[i] = connect_to(bound);
}

static void
on_time(struct loop_timer *t)
{
	loop_stop(t->loop);
}

static void
run_for(double seconds)
{
	struct loop_timer t = { .loop = NULL };

	loop_timer_init(loop, &t, on_time);
	loop_timer_set(&t, seconds);
	loop_run(loop);
	loop_timer_stop(&t);
}

TEST(a_worker_accepts_from_its_sockets)
{
	int fds[64];

	begin();
	acceptor_start(acceptor);
	connect_many(2, ARRAY_SIZE(fds), fds);
	stop_at = 8; /* of 64, half of which are expected here */
	run_for(10);
	CHECK(accepted >= stop_at);
	CHECK_STR(last_name, "imaps");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	end();
}

TEST(an_acceptor_may_be_freed_by_what_it_calls)
{
	int fds[64];

	begin();
	acceptor_start(acceptor);
	connect_many(0, ARRAY_SIZE(fds), fds);
	stop_at = 1;
	free_in_handler = true;
	run_for(10);
	CHECK_U64(accepted, 1);
	CHECK(acceptor == NULL);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	end();
}

TEST(without_descriptors_it_rests_and_goes_on)
{
	struct rlimit limit, few;
	int fds[64], full;

	begin();
	log_setup(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_INFO, LOG_LOGFMT, "test");
	connect_many(0, ARRAY_SIZE(fds), fds);
	CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
	full = dup(STDIN_FILENO); /* the lowest free one: nothing above it */
	CHECK(full >= 0);
	few = (struct rlimit){ (rlim_t)full + 1, limit.rlim_max };
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
	acceptor_start(acceptor);
	stop_at = 1;
	run_for(ACCEPT_PAUSE * 2.5);
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_U64(accepted, 0);
	run_for(10);
	CHECK(accepted >= 1);
	close(full);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	end();
}

TEST(malformed_listeners_are_refused)
{
	struct err err = { "" };
	struct ipc_message m;
	char memory[128];
	struct pack k;
	int fd = STDIN_FILENO;

	begin();
	pack_init(&k, memory, sizeof(memory));
	pack_cstr(&k, "imap");
	pack_slice(&k, SLICE("no address"));
	CHECK(ipc_send(near, MSG_LISTENERS, pack_done(&k), &fd, 1) > 0);
	CHECK_INT(ipc_receive(far, &m, 5, &err), 1);
	CHECK_INT(acceptor_take(acceptor, &m, &err), -1);
	CHECK_STR(err.text, "malformed list of listeners");
	close(m.fds[0]);
	end();
}

/* --- a reload */

/* Sends worker 2 what it has of @fresh. */
static void
offer(const struct listener_set *fresh, int n)
{
	struct err err = { "" };
	struct ipc_message m;

	CHECK_INT(listener_set_send(fresh, near, 2), n);
	CHECK_INT(ipc_receive(far, &m, 5, &err), 1);
	CHECK_INT(acceptor_offer(acceptor, &m, &err), n);
}

TEST(addresses_that_stay_keep_their_sockets)
{
	struct err err = { "" };
	struct listener_set *fresh;
	const struct addr *a, *b;
	int fds[16];

	begin();
	acceptor_start(acceptor);
	connect_many(2, ARRAY_SIZE(fds), fds);
	fresh = listener_set_renew(set, two_listeners(), &err);
	test_note("%s", err.text);
	CHECK(fresh && !listener_set_differs(set, fresh));
	for (size_t i = 0; i < 3; i++) {
		(void)listener_set_at(set, i, &a);
		(void)listener_set_at(fresh, i, &b);
		CHECK(addr_eq(a, b));
	}
	offer(fresh, 3);
	acceptor_commit(acceptor, &snapshot);
	CHECK(acceptor_at(acceptor, 3) == NULL);
	CHECK(acceptor_offered_at(acceptor, 0) == NULL);
	listener_set_close(&set);
	set = fresh;
	run_for(0.2);
	CHECK(accepted > 0);
	CHECK(last_of == NULL);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	end();
}

TEST(what_waits_at_a_listener_that_goes_is_accepted_under_its_configuration)
{
	struct snapshot old = { .refs = 1 }, one;
	struct listener_set *fresh;
	struct err err = { "" };
	const struct addr *bound;
	struct addr gone;
	int fds[64];

	begin();
	acceptor_start(acceptor);
	connect_many(2, ARRAY_SIZE(fds), fds);
	(void)listener_set_at(set, 2, &bound);
	gone = *bound;
	one = *two_listeners();
	one.n_listens = 1;
	fresh = listener_set_renew(set, &one, &err);
	CHECK(fresh && listener_set_differs(set, fresh));
	offer(fresh, 2);
	acceptor_commit(acceptor, &old);
	CHECK_U64(old.refs, 2);
	listener_set_close(&set);
	set = fresh;
	run_for(0.2);
	CHECK(accepted > 0);
	CHECK(last_of == &old);
	CHECK_STR(last_name, "imaps");
	CHECK(acceptor_at(acceptor, 2) == NULL); /* closed */
	CHECK_U64(old.refs, 1);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(fds[0], &gone.sa, addr_len(&gone)) < 0);
	close(fds[0]);
	end();
}

TEST(a_reload_that_is_dropped_changes_nothing)
{
	struct err err = { "" };
	struct listener_set *fresh;

	begin();
	fresh = listener_set_renew(set, two_listeners(), &err);
	CHECK(fresh != NULL);
	offer(fresh, 3);
	CHECK_STR(acceptor_offered_at(acceptor, 2), "imaps");
	acceptor_drop(acceptor);
	CHECK(acceptor_offered_at(acceptor, 0) == NULL);
	CHECK_STR(acceptor_at(acceptor, 2), "imaps");
	listener_set_close(&fresh);
	end();
}

TEST(an_address_beside_one_of_ours_can_be_had)
{
	struct err err = { "" };
	struct listener_set *fresh;
	const struct addr *bound;
	struct addr wide;
	struct listen listen = { .name = "wide", .addrs = &wide, .n_addrs = 1 };
	struct snapshot s = { .refs = 1, .listens = &listen, .n_listens = 1 };

	begin();
	(void)listener_set_at(set, 0, &bound);
	CHECK(addr_parse_ip(&wide, SLICE("0.0.0.0"), addr_port(bound)));
	fresh = listener_set_renew(set, &s, &err);
	test_note("%s", err.text);
	CHECK(fresh != NULL);
	listener_set_close(&fresh);
	end();
}
