/*
 * tests/unit/base_stat_test.c - counters: private first, then in a slot of shared memory.
 *
 * A process has one slot for good, so every case works in children of its own.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/stat.h"

/* Runs @fn in a child; true when it says so. */
static bool
in_child(bool (*fn)(int fd), int fd)
{
	int status;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		exit(fn(fd) ? 0 : 1); /* not _exit(): coverage is written there */
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static int
create(unsigned slots)
{
	struct err err = { "" };
	int fd = stat_create(slots, &err);

	if (fd < 0)
		FAIL("%s", err.text);
	return fd;
}

TEST(each_has_a_name_of_its_own)
{
	for (unsigned i = 0; i < STAT_COUNT; i++) {
		const char *name = stat_name((enum stat_id)i);

		CHECK(name && *name && strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
		for (unsigned j = 0; j < i; j++)
			CHECK(strcmp(name, stat_name((enum stat_id)j)) != 0);
	}
	CHECK_STR(stat_name(STAT_CONNECTIONS), "connections");
	CHECK_STR(stat_name(STAT_RELAYS_NOW), "relays_now");
}

static bool
count_alone(int fd)
{
	(void)fd;
	if (stat_get(STAT_LOGINS) != 0)
		return false;
	stat_inc(STAT_LOGINS);
	stat_add(STAT_LOGINS, 5000000000);
	stat_inc(STAT_CLIENTS_NOW);
	stat_inc(STAT_CLIENTS_NOW);
	stat_dec(STAT_CLIENTS_NOW);
	return stat_get(STAT_LOGINS) == 5000000001 && stat_get(STAT_CLIENTS_NOW) == 1 &&
	       stat_get(STAT_SESSIONS) == 0;
}

TEST(counting_works_before_there_is_a_slot)
{
	CHECK(in_child(count_alone, -1));
}

TEST(the_memory_cannot_be_resized)
{
	int fd = create(3);
	struct stat st;

	CHECK(fstat(fd, &st) == 0 && st.st_size > 0);
	CHECK(ftruncate(fd, 0) != 0);
	CHECK(ftruncate(fd, st.st_size * 2) != 0);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) != 0); /* nor the seals changed */
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	/* A slot begins a page wherever pages are, 4 KiB or 64. */
	CHECK_U64(st.st_size % (3 * 65536), 0);
	close(fd);
}

static bool
slot_zero(int fd)
{
	stat_add(STAT_LOGINS, 10); /* before */
	if (stat_attach(fd, 0, NULL) != 1 || stat_get(STAT_LOGINS) != 10)
		return false;
	close(fd); /* not kept */
	stat_add(STAT_LOGINS, 5);
	stat_inc(STAT_RELAYS_NOW);
	return stat_get(STAT_LOGINS) == 15;
}

static bool
slot_two(int fd)
{
	if (stat_attach(fd, 2, NULL) != 1)
		return false;
	stat_add(STAT_LOGINS, 100);
	stat_inc(STAT_RELAYS_NOW);
	stat_inc(STAT_RELAYS_NOW);
	stat_inc(STAT_LOG_LOST);
	return true;
}

TEST(the_sum_is_over_all_processes)
{
	int fd = create(3);

	for (unsigned i = 0; i < STAT_COUNT; i++)
		CHECK_U64(stat_sum(fd, 3, (enum stat_id)i), 0);
	CHECK(in_child(slot_zero, fd));
	CHECK(in_child(slot_two, fd));
	CHECK_U64(stat_sum(fd, 3, STAT_LOGINS), 115);
	CHECK_U64(stat_sum(fd, 2, STAT_LOGINS), 15);
	CHECK_U64(stat_sum(fd, 3, STAT_RELAYS_NOW), 3);
	CHECK_U64(stat_sum(fd, 3, STAT_LOG_LOST), 1);
	CHECK_U64(stat_sum(fd, 3, STAT_SESSIONS), 0);
	close(fd);
}

TEST(a_successor_keeps_the_counters_and_not_the_gauges)
{
	int fd = create(3);

	/* The process that had these relays is gone, and they with it. */
	CHECK(in_child(slot_two, fd));
	CHECK(in_child(slot_two, fd));
	CHECK(in_child(slot_two, fd));
	CHECK_U64(stat_sum(fd, 3, STAT_LOGINS), 300);
	CHECK_U64(stat_sum(fd, 3, STAT_LOG_LOST), 3);
	CHECK_U64(stat_sum(fd, 3, STAT_RELAYS_NOW), 2);
	close(fd);
}

static bool
attach_twice(int fd)
{
	stat_add(STAT_LOGINS, 7);
	stat_inc(STAT_CLIENTS_NOW);
	for (unsigned i = 0; i < 3; i++)
		if (stat_attach(fd, 1, NULL) != 1 || stat_get(STAT_LOGINS) != 7 ||
		    stat_get(STAT_CLIENTS_NOW) != 1)
			return false;
	return true;
}

TEST(taking_the_same_slot_again_changes_nothing)
{
	int fd = create(2);

	CHECK(in_child(attach_twice, fd));
	CHECK_U64(stat_sum(fd, 2, STAT_LOGINS), 7);
	close(fd);
}

static bool
move_about(int fd)
{
	stat_add(STAT_LOGINS, 7);
	stat_inc(STAT_CLIENTS_NOW);
	if (stat_attach(fd, 1, NULL) != 1 || stat_attach(fd, 0, NULL) != 1)
		return false;
	if (stat_get(STAT_LOGINS) != 7 || stat_get(STAT_CLIENTS_NOW) != 1)
		return false;
	stat_inc(STAT_LOGINS);

	int other = stat_create(1, NULL); /* replaced by another table */
	if (other < 0 || stat_attach(other, 0, NULL) != 1)
		return false;
	stat_inc(STAT_LOGINS);
	return stat_get(STAT_LOGINS) == 9 && stat_sum(other, 1, STAT_LOGINS) == 9 &&
	       stat_sum(other, 1, STAT_CLIENTS_NOW) == 1;
}

TEST(what_was_counted_moves_along_and_counts_once)
{
	int fd = create(2);

	CHECK(in_child(move_about, fd));
	CHECK_U64(stat_sum(fd, 2, STAT_LOGINS), 8); /* the old table stays as it was left */
	CHECK_U64(stat_sum(fd, 1, STAT_LOGINS), 8);
	CHECK_U64(stat_sum(fd, 2, STAT_CLIENTS_NOW), 1);
	close(fd);
}

static bool
attach_out_of_range(int fd)
{
	struct err err = { "" };

	stat_inc(STAT_LOGINS);
	if (stat_attach(fd, 2, &err) != -1 || strcmp(err.text, "counters: there is no slot 2") != 0)
		return false;
	if (stat_attach(fd, UINT32_MAX, NULL) != -1)
		return false;
	if (stat_attach(-1, 0, &err) != -1 ||
	    strcmp(err.text, "counters: Bad file descriptor") != 0)
		return false;
	stat_inc(STAT_LOGINS); /* still private, still counting */
	return stat_get(STAT_LOGINS) == 2;
}

TEST(a_slot_that_is_not_there_is_refused)
{
	int fd = create(2);

	CHECK(in_child(attach_out_of_range, fd));
	close(fd);
}

TEST(what_cannot_be_read_sums_to_nothing)
{
	int fd = create(2), pipes[2];

	CHECK(in_child(slot_zero, fd));
	CHECK_U64(stat_sum(fd, 2000, STAT_LOGINS), 15); /* more than there are */
	CHECK_U64(stat_sum(fd, 0, STAT_LOGINS), 0);
	CHECK_U64(stat_sum(-1, 2, STAT_LOGINS), 0);
	CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	CHECK_U64(stat_sum(pipes[0], 2, STAT_LOGINS), 0);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

/* One counts up by whole words of ones and zeros, the other looks: never half of one. */
static bool
flip(int fd)
{
	if (stat_attach(fd, 0, NULL) != 1)
		return false;
	for (unsigned i = 0; i < 200000; i++)
		stat_add(STAT_BYTES_FROM_STORES, i % 2 ? 1 : UINT64_MAX);
	return true;
}

TEST(a_reader_never_sees_half_a_counter)
{
	int fd = create(1), status;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(flip(fd) ? 0 : 1);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		uint64_t n = stat_sum(fd, 1, STAT_BYTES_FROM_STORES);

		CHECK(n == 0 || n == UINT64_MAX);
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(fd);
}

static bool
create_without(int resource)
{
	struct rlimit was, none;
	struct err err = { "" };

	signal(SIGXFSZ, SIG_IGN);
	if (getrlimit(resource, &was) != 0)
		return false;
	none = was;
	none.rlim_cur = 0;
	if (setrlimit(resource, &none) != 0)
		return false;
	int fd = stat_create(2, &err);
	return setrlimit(resource, &was) == 0 && fd == -1 &&
	       strncmp(err.text, "counters: ", 10) == 0;
}

TEST(without_descriptors_or_memory_there_is_a_reason)
{
	CHECK(in_child(create_without, RLIMIT_NOFILE));
	CHECK(in_child(create_without, RLIMIT_FSIZE));
}
