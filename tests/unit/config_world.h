/*
 * tests/unit/config_world.h - files of a configuration without a disk: descriptors of memory, and what is said of them.
 */
#ifndef CONFIG_WORLD_H
#define CONFIG_WORLD_H

#include <sys/mman.h>

#include "config/files.h"
#include "test.h"

/* A file in memory that is at @path. */
static inline void
world_file(struct config_files *f, enum config_file_kind kind, const char *path, const void *bytes,
    size_t len)
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_INT(write(fd, bytes, len), (ssize_t)len);
	CHECK(config_files_add(f, kind, path, fd));
}

static inline void
world_text(struct config_files *f, const char *path, const char *text)
{
	world_file(f, CONFIG_FILE_TEXT, path, text, strlen(text));
}

/* What was said, a line each. */
struct world_said {
	char text[16384];
	size_t len;
};

PRINTF_LIKE(2, 3)
static inline void
world_say(struct world_said *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(s->text + s->len, sizeof(s->text) - s->len, fmt, ap);
	va_end(ap);
	CHECK(n >= 0 && (size_t)n < sizeof(s->text) - s->len);
	s->len += (size_t)n;
}

/* A snapshot_mistake_fn. */
static inline void
world_mistake(void *arg, bool warning, const char *file, int line, const char *text)
{
	world_say(arg, "%s:%d: %s%s\n", file, line, warning ? "warning: " : "", text);
}

#endif
