/*
 * config/files.h - the files that a configuration names, as descriptors: opened by name in the
 * master and by `check`, received in the other processes, which never open a file by name.
 */
#ifndef CONFIG_FILES_H
#define CONFIG_FILES_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"

/* Which processes get a file follows from its kind. */
enum config_file_kind {
	CONFIG_FILE_TEXT,     /* the configuration and what it includes: everybody */
	CONFIG_FILE_TLS_KEY,  /* certificates and keys: workers (never the directory) */
	CONFIG_FILE_STORE_CA, /* trust for stores: workers and directory */
	CONFIG_FILE_LOOKUP,   /* users files: directory */
	CONFIG_FILE_SECRET,   /* passwords of ours for stores: directory */
};

#define CONFIG_FILE_MAX   ((size_t)1 << 30) /* bytes of a users file … */
#define CONFIG_SECRET_MAX ((size_t)4096)    /* … of a password's; 1 MiB for every other kind */
#define CONFIG_FILES_MAX  4096

struct config_files;

/*
 * @disk: open by name what is asked for (and remember it); otherwise only what config_files_add()
 * brought.
 */
struct config_files *config_files_new(bool disk) MUST_CHECK;
void config_files_free(struct config_files **f);

/* A received descriptor; taken over, closed on failure too. False: too many or out of memory. */
bool config_files_add(
    struct config_files *f, enum config_file_kind kind, const char *path, int fd) MUST_CHECK;

/*
 * The whole content of @path into @out (which the caller frees; marked secret for keys and
 * passwords). Relative
 * names are refused but for CONFIG_FILE_TEXT. -1 and a reason: no such file, not readable, not a
 * regular file, too large.
 */
int config_files_read(struct config_files *f, enum config_file_kind kind, const char *path,
    struct buf *out, struct err *err) MUST_CHECK;

/*
 * What was opened or received, in order; for sending it on. NULL past the end. The descriptor
 * stays f's.
 */
const char *config_files_at(
    const struct config_files *f, size_t i, enum config_file_kind *kind_r, int *fd_r);

/*
 * What the file was like when it was opened by name, before it was read. False: it was received. (The descriptor may tell of a later
 * time: files are also written in place.)
 */
bool config_files_stat(const struct config_files *f, size_t i, struct stat *st_r) MUST_CHECK;

#endif
