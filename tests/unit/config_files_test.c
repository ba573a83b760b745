/* Files as descriptors: by name from a disk, or as received. */
#include "config_world.h"

#include <fcntl.h>
#include <sys/stat.h>

static char folder[64];

static const char *
on_disk(const char *name, const char *bytes, size_t len)
{
	static char path[128];
	if (!folder[0]) {
		snprintf(folder, sizeof(folder), "/tmp/config_files_XXXXXX");
		CHECK(mkdtemp(folder));
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK_INT(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	return path;
}

static void
forget(const char *path)
{
	unlink(path);
	rmdir(folder);
	folder[0] = '\0';
}

TEST(a_file_is_opened_once_and_read_from_its_start)
{
	struct config_files *f = config_files_new(true);
	struct buf a, b;
	struct err err;
	enum config_file_kind kind;
	int fd;
	CHECK(f);
	const char *path = on_disk("a", "hello", 5);
	CHECK_INT(config_files_read(f, CONFIG_FILE_LOOKUP, path, &a, &err), 0);
	unlink(path);
	CHECK_INT(config_files_read(f, CONFIG_FILE_LOOKUP, path, &b, &err), 0);
	CHECK_SLICE(buf_slice(&a), "hello");
	CHECK_SLICE(buf_slice(&b), "hello");
	CHECK_STR(config_files_at(f, 0, &kind, &fd), path);
	CHECK_INT(kind, CONFIG_FILE_LOOKUP);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK(!config_files_at(f, 1, &kind, &fd));
	buf_free(&a);
	buf_free(&b);
	config_files_free(&f);
	CHECK(fcntl(fd, F_GETFD) < 0);
	forget(path);
}

TEST(kinds_are_kept_apart_and_keys_are_secret)
{
	struct config_files *f = config_files_new(true);
	struct buf b;
	struct err err;
	enum config_file_kind kind;
	int fd;
	CHECK(f);
	const char *path = on_disk("pem", "-----", 5);
	CHECK_INT(config_files_read(f, CONFIG_FILE_STORE_CA, path, &b, &err), 0);
	CHECK(!b.secret);
	buf_free(&b);
	CHECK_INT(config_files_read(f, CONFIG_FILE_TLS_KEY, path, &b, &err), 0);
	CHECK(b.secret);
	buf_free(&b);
	CHECK_INT(config_files_read(f, CONFIG_FILE_SECRET, path, &b, &err), 0);
	CHECK(b.secret);
	buf_free(&b);
	CHECK(config_files_at(f, 1, &kind, &fd));
	CHECK_INT(kind, CONFIG_FILE_TLS_KEY);
	config_files_free(&f);
	forget(path);
}

TEST(what_cannot_be_read_has_a_reason)
{
	struct config_files *f = config_files_new(true);
	struct buf b;
	struct err err;
	CHECK(f);
	CHECK_INT(config_files_read(f, CONFIG_FILE_TEXT, "/no/such", &b, &err), -1);
	CHECK_STR(err.text, "cannot open /no/such: No such file or directory");
	CHECK_INT(config_files_read(f, CONFIG_FILE_TEXT, "/tmp", &b, &err), -1);
	CHECK_STR(err.text, "/tmp is not a regular file");
	CHECK_INT(config_files_read(f, CONFIG_FILE_TEXT, "/dev/null", &b, &err), -1);
	CHECK_STR(err.text, "/dev/null is not a regular file");
	CHECK_INT(config_files_read(f, CONFIG_FILE_TLS_KEY, "key.pem", &b, &err), -1);
	CHECK_STR(err.text, "key.pem is not an absolute path");
	config_files_free(&f);
}

TEST(a_fifo_does_not_stop_us)
{
	struct config_files *f = config_files_new(true);
	struct buf b;
	struct err err;
	CHECK(f);
	const char *path = on_disk("fifo", "", 0);
	unlink(path);
	CHECK_INT(mkfifo(path, 0600), 0);
	CHECK_INT(config_files_read(f, CONFIG_FILE_TEXT, path, &b, &err), -1);
	CHECK(strstr(err.text, "is not a regular file"));
	config_files_free(&f);
	forget(path);
}

TEST(a_large_file_is_read_whole_or_refused)
{
	static char bytes[(1 << 20) + 1];
	struct config_files *f = config_files_new(false);
	struct buf b;
	struct err err;
	CHECK(f);
	memset(bytes, 'x', sizeof(bytes));
	world_file(f, CONFIG_FILE_TEXT, "most", bytes, sizeof(bytes) - 1);
	world_file(f, CONFIG_FILE_TEXT, "more", bytes, sizeof(bytes));
	world_file(f, CONFIG_FILE_LOOKUP, "/users", bytes, sizeof(bytes));
	world_file(f, CONFIG_FILE_TEXT, "none", bytes, 0);
	CHECK_INT(config_files_read(f, CONFIG_FILE_TEXT, "most", &b, &err), 0);
	CHECK_U64(buf_len(&b), sizeof(bytes) - 1);
	buf_free(&b);
	CHECK_INT(config_files_read(f, CONFIG_FILE_TEXT, "more", &b, &err), -1);
	CHECK_STR(err.text, "more is too large (1 MiB at most)");
	world_file(f, CONFIG_FILE_SECRET, "/password", bytes, CONFIG_SECRET_MAX);
	world_file(f, CONFIG_FILE_SECRET, "/long", bytes, CONFIG_SECRET_MAX + 1);
	CHECK_INT(config_files_read(f, CONFIG_FILE_SECRET, "/password", &b, &err), 0);
	CHECK_U64(buf_len(&b), CONFIG_SECRET_MAX);
	buf_free(&b);
	CHECK_INT(config_files_read(f, CONFIG_FILE_SECRET, "/long", &b, &err), -1);
	CHECK_STR(err.text, "/long is too large (4 KiB at most)");
	CHECK_INT(config_files_read(f, CONFIG_FILE_LOOKUP, "/users", &b, &err), 0);
	CHECK_U64(buf_len(&b), sizeof(bytes));
	buf_free(&b);
	CHECK_INT(config_files_read(f, CONFIG_FILE_TEXT, "none", &b, &err), 0);
	CHECK_U64(buf_len(&b), 0);
	buf_free(&b);
	config_files_free(&f);
}

TEST(without_a_disk_nothing_is_opened)
{
	struct config_files *f = config_files_new(false);
	struct buf b;
	struct err err;
	CHECK(f);
	const char *path = on_disk("b", "x", 1);
	CHECK_INT(config_files_read(f, CONFIG_FILE_TEXT, path, &b, &err), -1);
	CHECK(strstr(err.text, "was not handed to this process"));
	config_files_free(&f);
	forget(path);
}

TEST(too_many_files_are_refused_and_closed)
{
	struct config_files *f = config_files_new(false);
	char path[16];
	int fd = -1;
	CHECK(f);
	for (int i = 0; i < CONFIG_FILES_MAX; i++) {
		fd = -2 - i; /* never looked at, and closing it fails quietly */
		snprintf(path, sizeof(path), "%d", i);
		CHECK(config_files_add(f, CONFIG_FILE_TEXT, path, fd));
	}
	fd = memfd_create("x", MFD_CLOEXEC);
	CHECK(fd >= 0);
	CHECK(!config_files_add(f, CONFIG_FILE_TEXT, "more", fd));
	CHECK(fcntl(fd, F_GETFD) < 0);
	config_files_free(&f);
}
