/*
 * process/told.c - a list of mistakes, in the order they were reported.
 */
#include "process/told.h"

#include "base/mem.h"

struct told_line {
	struct told_line *next;
	bool warning;
	int line;
	char *file, *text;
};

static void
line_free(struct told_line *l)
{
	mem_free(l->file);
	mem_free(l->text);
	mem_free(l);
}

void
told_add(void *told, bool warning, const char *file, int line, const char *text)
{
	struct told *t = told;
	struct told_line *l = mem_zalloc(sizeof(*l));

	if (!l)
		return;
	l->warning = warning;
	l->line = line;
	l->file = str_dup(slice_of(file));
	l->text = str_dup(slice_of(text));
	if (!l->file || !l->text) {
		line_free(l);
		return;
	}
	if (t->last)
		t->last->next = l;
	else
		t->first = l;
	t->last = l;
}

void
told_free(struct told *t)
{
	for (struct told_line *next, *l = t->first; l; l = next) {
		next = l->next;
		line_free(l);
	}
	t->first = t->last = NULL;
}

void
told_log(const struct told *t, enum log_level warnings)
{
	for (const struct told_line *l = t->first; l; l = l->next) {
		struct log_line line;

		log_begin(&line, l->warning ? warnings : LOG_ERROR, EV_CONFIG);
		log_cstr(&line, "file", l->file);
		if (l->line > 0)
			log_u64(&line, "line", (uint64_t)l->line);
		log_cstr(&line, "msg", l->text);
		log_end(&line);
	}
}

void
told_text(const struct told *t, struct buf *out)
{
	for (const struct told_line *l = t->first; l; l = l->next) {
		const char *kind = l->warning ? "warning: " : "";
		bool fits;

		if (l->line > 0)
			fits = buf_printf(out, "%s:%d: %s%s\n", l->file, l->line, kind, l->text);
		else
			fits = buf_printf(out, "%s: %s%s\n", l->file, kind, l->text);
		if (!fits)
			return;
	}
}
