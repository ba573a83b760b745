/*
 * config/mistakes.c - collects what is wrong, so that one run reports everything, sorted as
 * somebody with an editor wants it.
 *
 * Bounded: KEPT are kept, MISTAKES_MAX reported, the rest counted. Out of memory costs texts,
 * never the count.
 */
#include "config/mistakes.h"

#include <stdarg.h>

#include "base/mem.h"
#include "base/str.h"

#define KEPT     4096u
#define TEXT_MAX 640

struct entry {
	unsigned file; /* in files[] */
	int line;
	unsigned order; /* of arrival */
	bool warning;
	char *text;
};

struct mistakes {
	struct entry *entries;
	unsigned n, room;
	char **files;
	unsigned n_files;
	unsigned count; /* mistakes, warnings not counted */
	unsigned lost;  /* not kept */
};

struct mistakes *
mistakes_new(void)
{
	return mem_zalloc(sizeof(struct mistakes));
}

void
mistakes_free(struct mistakes **m)
{
	if (!*m)
		return;
	for (unsigned i = 0; i < (*m)->n; i++)
		mem_free((*m)->entries[i].text);
	for (unsigned i = 0; i < (*m)->n_files; i++)
		mem_free((*m)->files[i]);
	mem_free((*m)->entries);
	mem_free((*m)->files);
	mem_free(*m);
	*m = NULL;
}

/* Files are few: the configuration, its includes and users files. -1: out of memory. */
static int
file_index(struct mistakes *m, const char *file)
{
	for (unsigned i = m->n_files; i-- > 0;)
		if (strcmp(m->files[i], file) == 0)
			return (int)i;
	char **files = mem_array(m->files, m->n_files + 1, sizeof(char *));
	if (!files)
		return -1;
	m->files = files;
	m->files[m->n_files] = str_dup(slice_of(file));
	if (!m->files[m->n_files])
		return -1;
	return (int)m->n_files++;
}

void
mistakes_file(struct mistakes *m, const char *file)
{
	(void)file_index(m, file);
}

static struct entry *
entry_new(struct mistakes *m)
{
	if (m->n == KEPT)
		return NULL;
	if (m->n == m->room) {
		unsigned room = m->room ? m->room * 2 : 16;
		struct entry *more = mem_array(m->entries, room, sizeof(*more));
		if (!more)
			return NULL;
		m->entries = more;
		m->room = room;
	}
	return &m->entries[m->n];
}

PRINTF_LIKE(5, 0)
static void
add(struct mistakes *m, bool warning, const char *file, int line, const char *fmt, va_list ap)
{
	char text[TEXT_MAX];
	if (!warning)
		m->count++;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p; p++) /* one line, whatever the file held */
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = *p == '\t' ? ' ' : '?';
	int index = file_index(m, file);
	struct entry *e = entry_new(m);
	char *copy = e && index >= 0 ? str_dup(slice_of(text)) : NULL;
	if (!copy) {
		m->lost++;
		return;
	}
	*e = (struct entry){ (unsigned)index, line, m->n, warning, copy };
	m->n++;
}

void
mistake(struct mistakes *m, const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(m, false, file, line, fmt, ap);
	va_end(ap);
}

void
mistake_warning(struct mistakes *m, const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(m, true, file, line, fmt, ap);
	va_end(ap);
}

unsigned
mistakes_count(const struct mistakes *m)
{
	return m->count;
}

static int
compare(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

void
mistakes_report(struct mistakes *m, mistakes_fn *fn, void *arg)
{
	char text[64];
	unsigned shown = m->n < MISTAKES_MAX ? m->n : MISTAKES_MAX;
	if (m->n > 0)
		qsort(m->entries, m->n, sizeof(*m->entries), compare);
	for (unsigned i = 0; i < shown; i++) {
		const struct entry *e = &m->entries[i];
		fn(arg, e->warning, m->files[e->file], e->line, e->text);
	}
	unsigned rest = m->n - shown + m->lost;
	if (rest == 0)
		return;
	str_fmt(text, sizeof(text), "%u more not shown", rest);
	fn(arg, m->count == 0, m->n_files > 0 ? m->files[0] : "-", 0, text);
}
