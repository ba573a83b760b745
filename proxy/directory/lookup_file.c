/*
 * directory/lookup_file.c - a users file: exact names, @domains and patterns, all in memory, answered at once.
 *
 *      bytes     one copy of the file; names are lowered in place, each line's answer ends in a NUL put there
 *                  alice@example.org\0 stores tls=none \0 ...
 *                  ^ node.key              ^ the rest, found behind the key
 *      entries   one array, an element a line: 40 bytes
 *      names     hash table over all of them: finds exact names and domains, and what is there twice
 *      patterns  the entries that have * or ?, in the order of the file
 *
 * The text of an answer is checked when the file is read and parsed again when it is asked for: names are many, and
 * few are asked at a time. Does not open files, and does not know what a pool is: target() does.
 */
#include "directory/lookup.h"

#include <stdarg.h>

#include "base/htab.h"
#include "base/mem.h"

struct entry {
	struct htab_node node; /* key: the name, lowered */
	int line;
};

struct lookup_file {
	struct lookup base;
	char *source;
	char *bytes;
	size_t len;
	struct entry *entries;
	size_t n_entries;
	struct entry **patterns;
	size_t n_patterns;
	struct htab names;
};

/* --- asking */

static void
file_answer(struct lookup_file *f, const struct entry *e, lookup_fn *fn, void *arg)
{
	struct lookup_answer answer;
	struct err err;
	const char *rest = e->node.key.p + e->node.key.len + 1;

	if (lookup_answer_parse(slice_of(rest), &answer, &err) < 0) {
		/* It was right when it was read: then this is our own fault, and no verdict on the user. */
		err_prefix(&err, "line %d", e->line);
		fn(arg, -1, NULL, &err);
		return;
	}
	str_fmt(answer.matched, sizeof(answer.matched), "%s:%d (" SLICE_FMT ")", f->source, e->line,
	    SLICE_ARG(e->node.key));
	fn(arg, 1, &answer, NULL);
}

static const struct entry *
file_find(const struct lookup_file *f, struct slice name)
{
	const char *at = name.len > 0 ? memrchr(name.p, '@', name.len) : NULL;
	struct slice domain = { at ? at : "", at ? name.len - (size_t)(at - name.p) : 0 };
	struct htab_node *node = NULL;

	/* Patterns are in the table too; a name that looks like one must not find it there, out of its turn. */
	if (!memchr(name.p, '*', name.len) && !memchr(name.p, '?', name.len)) {
		node = htab_find(&f->names, name);
		if (!node && domain.len > 1)
			node = htab_find(&f->names, domain);
	}
	if (node)
		return container_of(node, struct entry, node);
	for (size_t i = 0; i < f->n_patterns; i++) {
		struct slice pattern = f->patterns[i]->node.key;

		if (lookup_pattern_fits(pattern, pattern.p[0] == '@' ? domain : name))
			return f->patterns[i];
	}
	return NULL;
}

static void
file_ask(struct lookup *l, struct slice user, lookup_fn *fn, void *arg)
{
	struct lookup_file *f = container_of(l, struct lookup_file, base);
	const struct entry *e = NULL;
	char name[ROUTE_USER_MAX];

	if (user.len > 0 && user.len < sizeof(name)) {
		for (size_t i = 0; i < user.len; i++)
			name[i] = ascii_lower(user.p[i]);
		e = file_find(f, (struct slice){ name, user.len });
	}
	if (e)
		file_answer(f, e, fn, arg);
	else
		fn(arg, 0, NULL, NULL);
}

static void
file_free(struct lookup *l)
{
	struct lookup_file *f = container_of(l, struct lookup_file, base);

	htab_free(&f->names);
	mem_free(f->patterns);
	mem_free(f->entries);
	mem_free(f->bytes);
	mem_free(f->source);
	mem_free(f);
}

static const struct lookup_ops file_ops = {
	.scheme = "file",
	.ask = file_ask,
	.free = file_free,
};

/* --- reading */

struct reader {
	struct lookup_file *file;
	lookup_target_fn *target;
	lookup_mistake_fn *mistake;
	void *arg;
	int line;
	unsigned mistakes;
	bool stop; /* out of memory, or enough mistakes */
};

PRINTF_LIKE(2, 3)
static void
reader_mistake(struct reader *r, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->mistake(r->arg, r->line, text);
	if (++r->mistakes < LOOKUP_FILE_MISTAKES_MAX)
		return;
	r->mistake(r->arg, r->line, "too many mistakes: the rest of the file was not read");
	r->stop = true;
}

static void
reader_memory(struct reader *r)
{
	r->line = 0;
	reader_mistake(r, "out of memory");
	r->stop = true;
}

/* Cuts a comment off: from a # that begins a word on. */
static struct slice
without_comment(struct slice line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.p[i] == '#' && (i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
			line.len = i;
	return slice_trim(line);
}

static bool
name_check(struct reader *r, struct slice name)
{
	char shown[80];

	str_printable(shown, sizeof(shown), name);
	if (name.len >= ROUTE_USER_MAX) {
		reader_mistake(
		    r, "user '%s': a name has at most %d bytes", shown, ROUTE_USER_MAX - 1);
		return false;
	}
	if (slice_eq_cstr(name, "@")) {
		reader_mistake(r, "user '@': a domain must follow the @");
		return false;
	}
	for (size_t i = 0; i < name.len; i++) {
		if ((unsigned char)name.p[i] >= 0x20 && (unsigned char)name.p[i] != 0x7f)
			continue;
		reader_mistake(r, "user '%s': a control byte is in it", shown);
		return false;
	}
	return true;
}

static bool
pattern_add(struct reader *r, struct entry *e)
{
	struct lookup_file *f = r->file;

	if (f->n_patterns == LOOKUP_FILE_PATTERNS_MAX) {
		reader_mistake(r, "more than %d patterns", LOOKUP_FILE_PATTERNS_MAX);
		r->stop = true;
		return false;
	}
	if ((f->n_patterns & (f->n_patterns - 1)) == 0) { /* 0, 1, 2, 4 …: full */
		size_t room = f->n_patterns ? f->n_patterns * 2 : 1;
		struct entry **patterns = mem_array(f->patterns, room, sizeof(struct entry *));

		if (!patterns) {
			reader_memory(r);
			return false;
		}
		f->patterns = patterns;
	}
	f->patterns[f->n_patterns++] = e;
	return true;
}

/* @name is within the file's own bytes, as @rest is, which ends in a NUL. */
static void
entry_add(struct reader *r, struct slice name)
{
	struct lookup_file *f = r->file;
	char *bytes = f->bytes + (name.p - f->bytes);
	struct entry *e = &f->entries[f->n_entries];
	struct htab_node *first;
	char shown[80];

	for (size_t i = 0; i < name.len; i++)
		bytes[i] = ascii_lower(bytes[i]);
	first = htab_find(&f->names, name);
	if (first) {
		reader_mistake(r, "'%s' is there already, on line %d",
		    str_printable(shown, sizeof(shown), name),
		    container_of(first, struct entry, node)->line);
		return;
	}
	e->node.key = name;
	e->line = r->line;
	if (!htab_insert(&f->names, &e->node)) {
		reader_memory(r);
		return;
	}
	f->n_entries++;
	if (memchr(name.p, '*', name.len) || memchr(name.p, '?', name.len))
		pattern_add(r, e);
}

static void
read_line(struct reader *r, struct slice line)
{
	struct lookup_answer answer;
	struct slice name, rest;
	struct err err;
	char shown[80];

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (line.len > LOOKUP_FILE_LINE_MAX) {
		reader_mistake(r, "line of %zu bytes: at most %d", line.len, LOOKUP_FILE_LINE_MAX);
		return;
	}
	if (line.len > 0 && memchr(line.p, '\0', line.len)) {
		reader_mistake(r, "a NUL byte is in it");
		return;
	}
	rest = without_comment(line);
	if (rest.len == 0)
		return;
	r->file->bytes[(rest.p - r->file->bytes) + (ptrdiff_t)rest.len] = '\0';
	name = lookup_word(&rest);
	if (!name_check(r, name))
		return;
	if (lookup_answer_parse(rest, &answer, &err) < 0) {
		reader_mistake(r, "%s", err.text);
		return;
	}
	if (!lookup_target_is_address(slice_of(answer.target)) && r->target &&
	    !r->target(r->arg, slice_of(answer.target))) {
		reader_mistake(r, "target '%s': no such pool or backend",
		    str_printable(shown, sizeof(shown), slice_of(answer.target)));
		return;
	}
	entry_add(r, name);
}

/* Lines that may become an entry, for one exact allocation. False: too many. */
static bool
count_lines(struct reader *r, size_t *entries_r)
{
	const char *p = r->file->bytes, *end = p + r->file->len;
	size_t lines = 0, entries = 0;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		lines++;
		if (*p != '#' && *p != '\n' && *p != '\r')
			entries++;
		p = nl ? nl + 1 : end;
	}
	*entries_r = entries;
	if (lines <= LOOKUP_FILE_LINES_MAX)
		return true;
	reader_mistake(r, "more than %d lines", LOOKUP_FILE_LINES_MAX);
	return false;
}

static void
read_lines(struct reader *r)
{
	struct lookup_file *f = r->file;
	const char *p = f->bytes, *end = p + f->len;
	size_t entries;

	if (!count_lines(r, &entries))
		return;
	f->entries = mem_array(NULL, entries + 1, sizeof(struct entry));
	if (!f->entries) {
		reader_memory(r);
		return;
	}
	if (f->len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	while (p < end && !r->stop) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		r->line++;
		read_line(r, (struct slice){ p, (size_t)((nl ? nl : end) - p) });
		p = nl ? nl + 1 : end;
	}
}

struct lookup *
lookup_file_new(const char *source, struct slice bytes, lookup_target_fn *target,
    lookup_mistake_fn *mistake, void *arg)
{
	struct lookup_file *f = mem_zalloc(sizeof(*f));
	struct reader r = { .file = f, .target = target, .mistake = mistake, .arg = arg };

	if (!f) {
		mistake(arg, 0, "out of memory");
		return NULL;
	}
	htab_init(&f->names);
	f->base.ops = &file_ops;
	f->base.source = f->source = str_dup(slice_of(source));
	f->bytes = mem_alloc(bytes.len + 1);
	if (!f->source || !f->bytes) {
		reader_memory(&r);
		goto fail;
	}
	if (bytes.len > 0)
		memcpy(f->bytes, bytes.p, bytes.len);
	f->bytes[bytes.len] = '\0';
	f->len = bytes.len;
	read_lines(&r);
	if (r.mistakes > 0)
		goto fail;
	return &f->base;
fail:
	file_free(&f->base);
	return NULL;
}
