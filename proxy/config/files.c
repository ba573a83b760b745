/*
 * config/files.c - the files that a configuration names, each opened once and kept as a descriptor.
 *
 * With a disk (master, `check`) a name that is asked for is opened and remembered, so that all
 * that was read can be sent on; without one only what was added is there. Reading is by pread
 * from the start: descriptors that went through a socket share their offset with the sender's.
 *
 * Owns the descriptors. The same path under two kinds is two entries, since the kinds go to
 * different processes.
 */
#include "config/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define OTHER_MAX ((size_t)1 << 20)
#define READ_STEP ((size_t)65536)

struct entry {
	enum config_file_kind kind;
	char *path;
	int fd;
	bool opened; /* by name, when it was like @st */
	struct stat st;
};

struct config_files {
	bool disk;
	struct entry *entries;
	size_t n, room;
};

struct config_files *
config_files_new(bool disk)
{
	struct config_files *f = mem_zalloc(sizeof(*f));
	if (f)
		f->disk = disk;
	return f;
}

void
config_files_free(struct config_files **f)
{
	if (!*f)
		return;
	for (size_t i = 0; i < (*f)->n; i++) {
		close((*f)->entries[i].fd);
		mem_free((*f)->entries[i].path);
	}
	mem_free((*f)->entries);
	mem_free(*f);
	*f = NULL;
}

bool
config_files_add(struct config_files *f, enum config_file_kind kind, const char *path, int fd)
{
	char *copy = NULL;
	if (f->n >= CONFIG_FILES_MAX)
		goto refused;
	if (f->n == f->room) {
		size_t room = f->room ? f->room * 2 : 8;
		struct entry *more = mem_array(f->entries, room, sizeof(*more));
		if (!more)
			goto refused;
		f->entries = more;
		f->room = room;
	}
	copy = str_dup(slice_of(path));
	if (!copy)
		goto refused;
	f->entries[f->n++] = (struct entry){ .kind = kind, .path = copy, .fd = fd };
	return true;
refused:
	close(fd);
	return false;
}

static const struct entry *
entry_find(const struct config_files *f, enum config_file_kind kind, const char *path)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->entries[i].kind == kind && strcmp(f->entries[i].path, path) == 0)
			return &f->entries[i];
	return NULL;
}

/* The descriptor, or -1 and a reason. */
static int
entry_open(struct config_files *f, enum config_file_kind kind, const char *path, struct err *err)
{
	const struct entry *there = entry_find(f, kind, path);
	if (there)
		return there->fd;
	if (!f->disk)
		return err_set(err, "%s was not handed to this process", path);
	if (kind != CONFIG_FILE_TEXT && path[0] != '/')
		return err_set(err, "%s is not an absolute path", path);
	/* O_NONBLOCK: a FIFO must not stop us; what is not a regular file is refused below. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_errno(err, errno, "cannot open %s", path);
	struct stat st;
	if (fstat(fd, &st) < 0) {
		int saved = errno;
		close(fd);
		return err_errno(err, saved, "cannot open %s", path);
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, "%s is not a regular file", path);
	}
	if (!config_files_add(f, kind, path, fd))
		return err_set(err, "cannot open %s: too many files (%d at most) or out of memory",
		    path, CONFIG_FILES_MAX);
	f->entries[f->n - 1].opened = true;
	f->entries[f->n - 1].st = st;
	return fd;
}

int
config_files_read(struct config_files *f, enum config_file_kind kind, const char *path,
    struct buf *out, struct err *err)
{
	size_t max = kind == CONFIG_FILE_LOOKUP   ? CONFIG_FILE_MAX
		     : kind == CONFIG_FILE_SECRET ? CONFIG_SECRET_MAX
						  : OTHER_MAX;
	bool whole = max >= 1 << 20; /* MiB */
	buf_init(out, max + 1, kind == CONFIG_FILE_TLS_KEY || kind == CONFIG_FILE_SECRET);
	int fd = entry_open(f, kind, path, err);
	if (fd < 0)
		return -1;

	struct stat st;
	size_t step = READ_STEP; /* at once what there seems to be: no growing for a large file */
	if (fstat(fd, &st) == 0 && st.st_size > 0 && (size_t)st.st_size <= max)
		step = (size_t)st.st_size + 1;
	for (;;) {
		size_t len = buf_len(out), room;
		if (len > max) {
			buf_free(out);
			return err_set(err, "%s is too large (%zu %s at most)", path,
			    max >> (whole ? 20 : 10), whole ? "MiB" : "KiB");
		}
		size_t want = max + 1 - len < step ? max + 1 - len : step;
		char *at = buf_room(out, want, &room);
		if (!at) {
			buf_free(out);
			return err_set(err, "cannot read %s: out of memory", path);
		}
		ssize_t n = pread(fd, at, want, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int saved = errno;
			buf_free(out);
			return err_errno(err, saved, "cannot read %s", path);
		}
		if (n == 0)
			return 0;
		buf_added(out, (size_t)n);
		step = READ_STEP;
	}
}

const char *
config_files_at(const struct config_files *f, size_t i, enum config_file_kind *kind_r, int *fd_r)
{
	if (i >= f->n)
		return NULL;
	*kind_r = f->entries[i].kind;
	*fd_r = f->entries[i].fd;
	return f->entries[i].path;
}

bool
config_files_stat(const struct config_files *f, size_t i, struct stat *st)
{
	if (i >= f->n || !f->entries[i].opened)
		return false;
	*st = f->entries[i].st;
	return true;
}
