/*
 * config/ini.c - INI files to sections and keys: inih behind our own line reader.
 *
 *      bytes of a file -> line (NUL? control byte? comment cut off) -> kind of line, and whether
 *      inih would misread it -> inih -> key and value -> the caller, with the reader's line
 *
 * inih 55 cuts long lines and goes on with the cut value, cuts names of sections, takes an
 * indented line for more of the value before, takes ':' for '=', ignores what is behind a ']',
 * goes on in the old section after a bad header, and tells its handler no line. So every line is
 * looked at here first; one that would be misread is reported, and inih gets an empty one in its
 * place. This file alone includes ini.h.
 *
 * Owns nothing but the bytes of the file at hand.
 */
#include "config/ini.h"

#include <ini.h>
#include <stdarg.h>

#define INCLUDES_MAX 1000u

/* What all files of a run have in common. */
struct run {
	struct config_files *files;
	ini_section_fn *section;
	ini_key_fn *key;
	ini_mistake_fn *mistake;
	void *arg;
	unsigned includes;
	unsigned mistakes;
};

/* One file being read; includes make a stack of them. */
struct source {
	struct run *run;
	const struct source *parent; /* who includes it */
	const char *path;
	unsigned depth;
	struct slice rest; /* not read yet */
	int line;
	bool skip;     /* below a bad header: keys belong nowhere */
	bool pending;  /* inih was given a key and has not handed it back */
	bool begun;    /* a section header was seen */
	void *section; /* the caller's */
};

static void read_source(struct run *run, const struct source *parent, int line, const char *path);

PRINTF_LIKE(3, 0)
static void
report(struct source *s, bool lost, const char *fmt, va_list ap)
{
	char text[512];
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	s->run->mistakes++;
	s->run->mistake(s->run->arg, s->path, s->line, s->section, lost, text);
}

/* A line is lost. */
PRINTF_LIKE(2, 3)
static void
source_mistake(struct source *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	report(s, false, fmt, ap);
	va_end(ap);
}

/* A header or a file is lost, and what would be in it. */
PRINTF_LIKE(2, 3)
static void
source_loss(struct source *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	report(s, true, fmt, ap);
	va_end(ap);
}

/* --- one line */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Without a comment, as inih sees it: a ; that begins the line or has a space before it. */
static struct slice
without_comment(struct slice line)
{
	for (size_t i = 1; i < line.len; i++)
		if (line.p[i] == ';' && is_space(line.p[i - 1]))
			line.len = i;
	while (line.len > 0 && is_space(line.p[line.len - 1]))
		line.len--;
	return line;
}

/* "kind name" out of "[kind  name]", spaces squeezed, into @name. False: reported. */
static bool
read_header(struct source *s, struct slice line, char name[INI_SECTION_MAX + 1])
{
	char shown[96];
	const char *close = memchr(line.p, ']', line.len);
	str_printable(shown, sizeof(shown), line);
	if (!close) {
		source_loss(
		    s, "expected a ] at the end of the section header, found \"%s\"", shown);
		return false;
	}
	if (close + 1 < line.p + line.len) {
		source_loss(
		    s, "expected nothing behind the ] of a section header, found \"%s\"", shown);
		return false;
	}
	struct slice inside = { line.p + 1, (size_t)(close - line.p) - 1 };
	if (inside.len > INI_SECTION_MAX) {
		source_loss(s, "section header of %zu bytes between the brackets; %d is the limit",
		    inside.len, INI_SECTION_MAX);
		return false;
	}
	size_t len = 0;
	for (size_t i = 0; i < inside.len; i++) {
		if (!is_space(inside.p[i]))
			name[len++] = inside.p[i];
		else if (len > 0 && name[len - 1] != ' ')
			name[len++] = ' ';
	}
	while (len > 0 && name[len - 1] == ' ')
		len--;
	name[len] = '\0';
	if (len > 0)
		return true;
	source_loss(s, "expected the name of a section between the brackets, found \"%s\"", shown);
	return false;
}

/* Whether inih will read the line `key = value` as we do. */
static bool
key_is_clear(struct source *s, struct slice line)
{
	char shown[96];
	str_printable(shown, sizeof(shown), line);
	if (is_space(line.p[0])) {
		source_mistake(s,
		    "line begins with a space: a key stands at the beginning of its line, and "
		    "values are not continued on the next; found \"%s\"",
		    shown);
		return false;
	}
	const char *equals = memchr(line.p, '=', line.len), *colon = memchr(line.p, ':', line.len);
	if (!equals || equals == line.p || (colon && colon < equals)) {
		source_mistake(s, "expected \"key = value\" or \"[section]\", found \"%s\"", shown);
		return false;
	}
	struct slice value =
	    slice_trim((struct slice){ equals + 1, line.len - (size_t)(equals - line.p) - 1 });
	if (value.len > 0 && value.p[0] == ';') {
		source_mistake(s,
		    "a value cannot begin with \";\" (a comment has a space before it), found "
		    "\"%s\"",
		    shown);
		return false;
	}
	for (size_t i = 0; i + 1 < value.len; i++) {
		if (is_space(value.p[i]) && value.p[i + 1] == '#') {
			source_mistake(s,
			    "a comment behind a value begins with \";\", not with \"#\"; found "
			    "\"%s\"",
			    shown);
			return false;
		}
	}
	return true;
}

/* A control byte, which no value may have; -1: none. */
static int
control_byte(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return c;
	}
	return -1;
}

/* The next line without its end; false: none is left. */
static bool
next_line(struct source *s, struct slice *line_r)
{
	if (!slice_cut(&s->rest, '\n', line_r))
		return false;
	s->line++;
	if (line_r->len > 0 && line_r->p[line_r->len - 1] == '\r')
		line_r->len--;
	return true;
}

/* What inih is to see of it: nothing when it is empty, a comment, or a mistake. */
static struct slice
check_line(struct source *s, struct slice line)
{
	const struct slice nothing = { "", 0 };
	int control = control_byte(line);
	if (control >= 0) {
		if (control == 0)
			source_mistake(s, "NUL byte in the line");
		else
			source_mistake(s, "control byte 0x%02x in the line", (unsigned)control);
		return nothing;
	}
	struct slice bare = slice_trim(line);
	if (bare.len == 0 || bare.p[0] == ';' || bare.p[0] == '#')
		return nothing;
	line = without_comment(line);
	bool header = line.p[0] == '[';
	if (line.len > INI_LINE_MAX && header) {
		s->begun = s->skip = true;
		s->section = NULL;
		source_loss(s, "line of %zu bytes; %d is the limit", line.len, INI_LINE_MAX);
		return nothing;
	}
	if (line.len > INI_LINE_MAX) {
		source_mistake(s,
		    "line of %zu bytes; %d is the limit (a list may go on in a further line with "
		    "the "
		    "same key)",
		    line.len, INI_LINE_MAX);
		return nothing;
	}
	if (!header)
		return key_is_clear(s, line) ? line : nothing;
	char name[INI_SECTION_MAX + 1];
	s->begun = true;
	s->section = NULL;
	s->skip = !read_header(s, line, name);
	if (s->skip)
		return nothing;
	s->section = s->run->section(s->run->arg, s->path, s->line, name);
	return line;
}

/* --- inih */

/* An ini_reader: a line and its end into @dst. */
static char *
feed(char *dst, int size, void *arg)
{
	struct source *s = arg;
	struct slice line;
	if (s->pending)
		source_mistake(
		    s, "line was not understood"); /* we and inih differ: never silently */
	s->pending = false;
	if (!next_line(s, &line))
		return NULL;
	line = check_line(s, line);
	s->pending = line.len > 0 && line.p[0] != '[';
	ASSERT(size > 0 && line.len + 2 <= (size_t)size);
	if (line.len > 0)
		memcpy(dst, line.p, line.len);
	dst[line.len] = '\n';
	dst[line.len + 1] = '\0';
	return dst;
}

/* @path as seen from the including file, which may be relative itself. False: too long. */
static bool
resolve(const char *from, const char *path, char *dst, size_t size)
{
	const char *slash = strrchr(from, '/');
	if (path[0] == '/' || !slash)
		return str_fmt(dst, size, "%s", path);
	return str_fmt(dst, size, "%.*s%s", (int)(slash - from) + 1, from, path);
}

static void
include(struct source *s, const char *value)
{
	char path[4096];
	if (!value[0]) {
		source_loss(s, "include: expected a path");
		return;
	}
	if (strpbrk(value, "*?")) {
		source_loss(s, "include: one file a line, without wildcards; found \"%s\"", value);
		return;
	}
	if (!resolve(s->path, value, path, sizeof(path))) {
		source_loss(s, "include: path too long");
		return;
	}
	for (const struct source *up = s; up; up = up->parent) {
		if (strcmp(up->path, path) == 0) {
			source_loss(s, "include: %s includes itself", path);
			return;
		}
	}
	if (s->depth + 1 > INI_INCLUDE_DEPTH) {
		source_loss(
		    s, "include: files include one another more than %d deep", INI_INCLUDE_DEPTH);
		return;
	}
	if (s->run->includes == INCLUDES_MAX) {
		source_loss(s, "include: more than %u files", INCLUDES_MAX);
		return;
	}
	s->run->includes++;
	read_source(s->run, s, s->line, path);
}

/* An ini_handler. */
static int
handle(void *arg, const char *section, const char *key, const char *value)
{
	struct source *s = arg;
	(void)section; /* the caller gave us his own */
	s->pending = false;
	if (s->skip)
		return 1;
	if (strcmp(key, "include") == 0)
		include(s, value);
	else if (!s->begun)
		source_mistake(s, "%s: key before the first section header of this file", key);
	else
		s->run->key(s->run->arg, s->path, s->line, s->section, key, value);
	return 1;
}

/* @line: of the include; 0 for the first file. */
static void
read_source(struct run *run, const struct source *parent, int line, const char *path)
{
	struct buf bytes;
	struct err err;
	if (config_files_read(run->files, CONFIG_FILE_TEXT, path, &bytes, &err) < 0) {
		char text[400];
		(void)str_fmt(text, sizeof(text), "%s%s", parent ? "include: " : "", err.text);
		run->mistakes++;
		run->mistake(run->arg, parent ? parent->path : path, line,
		    parent ? parent->section : NULL, true, text);
		buf_free(&bytes);
		return;
	}
	struct source s = { .run = run, .parent = parent, .path = path, .rest = buf_slice(&bytes) };
	s.depth = parent ? parent->depth + 1 : 0;
	if (s.rest.len >= 3 && memcmp(s.rest.p, "\xef\xbb\xbf", 3) == 0) {
		s.rest.p += 3;
		s.rest.len -= 3;
	}
	unsigned before = run->mistakes;
	int rc = ini_parse_stream(feed, &s, handle, &s);
	if (rc != 0 && run->mistakes == before) { /* again: never silently */
		s.line = rc > 0 ? rc : 0;
		source_loss(&s, rc > 0 ? "line was not understood" : "out of memory");
	}
	buf_free(&bytes);
}

bool
ini_read(struct config_files *files, const char *path, ini_section_fn *section, ini_key_fn *key,
    ini_mistake_fn *mistake_fn, void *arg)
{
	struct run run = { files, section, key, mistake_fn, arg, 0, 0 };
	read_source(&run, NULL, 0, path);
	return run.mistakes == 0;
}
