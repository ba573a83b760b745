/*
 * Files of a configuration on their way to a child: who gets which, how many, and what a child refuses.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "process/bundle.h"

static struct ipc *near, *far;
static struct config_files *files;

static void
add(enum config_file_kind kind, const char *path)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(dprintf(fd, "text of %s", path) > 0);
	CHECK(config_files_add(files, kind, path, fd));
}

static void
begin(void)
{
	struct err err;
	int fds[2];

	CHECK(ipc_pair(fds, &err) > 0);
	near = ipc_new(NULL, fds[0], NULL, NULL, NULL);
	far = ipc_new(NULL, fds[1], NULL, NULL, NULL);
	files = config_files_new(false);
	CHECK(near && far && files);
}

static void
end(void)
{
	ipc_close(&near);
	ipc_close(&far);
	config_files_free(&files);
}

/* Receives @n files into what is returned; the last result of bundle_take() goes to *r. */
static struct config_files *
receive(enum role role, int n, int *r, struct err *err)
{
	struct config_files *got = config_files_new(false);
	struct ipc_message m;

	CHECK(got != NULL);
	for (*r = 0; n > 0 && *r >= 0; n -= *r) {
		CHECK_INT(ipc_receive(far, &m, 5, err), 1);
		CHECK_U64(m.type, MSG_FILES);
		*r = bundle_take(got, role, &m, err);
		for (unsigned i = 0; i < m.n_fds; i++)
			if (m.fds[i] >= 0)
				close(m.fds[i]);
	}
	return got;
}

TEST(keys_go_to_workers_and_users_to_the_directory)
{
	CHECK(bundle_wants(ROLE_WORKER, CONFIG_FILE_TEXT));
	CHECK(bundle_wants(ROLE_DIRECTORY, CONFIG_FILE_TEXT));
	CHECK(bundle_wants(ROLE_WORKER, CONFIG_FILE_TLS_KEY));
	CHECK(!bundle_wants(ROLE_DIRECTORY, CONFIG_FILE_TLS_KEY));
	CHECK(!bundle_wants(ROLE_WORKER, CONFIG_FILE_LOOKUP));
	CHECK(bundle_wants(ROLE_DIRECTORY, CONFIG_FILE_LOOKUP));
	CHECK(!bundle_wants(ROLE_WORKER, CONFIG_FILE_SECRET));
	CHECK(bundle_wants(ROLE_DIRECTORY, CONFIG_FILE_SECRET));
}

TEST(each_role_gets_its_own)
{
	static const struct {
		enum role role;
		const char *paths[4];
	} cases[] = {
		{ ROLE_WORKER, { "/conf", "/key", "/ca", NULL } },
		{ ROLE_DIRECTORY, { "/conf", "/ca", "/users", NULL } },
	};

	begin();
	add(CONFIG_FILE_TEXT, "/conf");
	add(CONFIG_FILE_TLS_KEY, "/key");
	add(CONFIG_FILE_STORE_CA, "/ca");
	add(CONFIG_FILE_LOOKUP, "/users");
	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		enum config_file_kind kind;
		struct config_files *got;
		struct err err = { "" };
		int r, fd;

		CHECK_INT(bundle_send(near, cases[c].role, files), 3);
		got = receive(cases[c].role, 3, &r, &err);
		for (size_t i = 0; i < 4; i++) {
			char text[64] = "", want[64];

			CHECK_STR(config_files_at(got, i, &kind, &fd), cases[c].paths[i]);
			if (!cases[c].paths[i])
				break;
			CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
			str_fmt(want, sizeof(want), "text of %s", cases[c].paths[i]);
			CHECK_STR(text, want);
			CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		}
		config_files_free(&got);
	}
	end();
}

TEST(many_files_go_in_several_messages)
{
	enum config_file_kind kind;
	struct config_files *got;
	struct err err = { "" };
	char path[64];
	int r, fd;

	begin();
	for (int i = 0; i < 100; i++) {
		str_fmt(path, sizeof(path), "/certificate-%d", i);
		add(CONFIG_FILE_TLS_KEY, path);
	}
	CHECK_INT(bundle_send(near, ROLE_WORKER, files), 100);
	got = receive(ROLE_WORKER, 100, &r, &err);
	CHECK_STR(config_files_at(got, 99, &kind, &fd), "/certificate-99");
	CHECK(config_files_at(got, 100, &kind, &fd) == NULL);
	config_files_free(&got);
	CHECK_INT(bundle_send(near, ROLE_DIRECTORY, files), 0);
	end();
}

TEST(the_directory_refuses_a_key)
{
	struct config_files *got;
	struct err err = { "" };
	int r;

	begin();
	add(CONFIG_FILE_TLS_KEY, "/key");
	CHECK_INT(bundle_send(near, ROLE_WORKER, files), 1);
	got = receive(ROLE_DIRECTORY, 1, &r, &err);
	CHECK_INT(r, -1);
	CHECK_STR(err.text, "/key: no file for a directory");
	config_files_free(&got);
	end();
}

TEST(lists_that_do_not_fit_their_descriptors_are_refused)
{
	char memory[64];
	struct pack k;

	begin();
	pack_init(&k, memory, sizeof(memory));
	pack_u8(&k, CONFIG_FILE_TEXT);
	pack_cstr(&k, "/conf");
	for (unsigned n = 0; n <= 2; n++) {
		const int fds[2] = { STDIN_FILENO, STDIN_FILENO };
		struct config_files *got;
		struct err err = { "" };
		int r;

		test_note("%u descriptors", n);
		CHECK(ipc_send(near, MSG_FILES, pack_done(&k), fds, n) > 0);
		got = receive(ROLE_WORKER, 1, &r, &err);
		CHECK_INT(r, n == 1 ? 1 : -1);
		config_files_free(&got);
	}
	end();
}
