/*
 * config/document.c - sections and keys as they are written, each checked by itself against the
 * table of keys.
 *
 *      ini -> on_section, on_key -> sections by kind, each with its keys -> the parts of snapshot.c
 *
 * What is wrong is reported here once: unknown kinds and keys with a near word, what stands twice
 * with the line of the first, what is planned, values of a wrong type, what is required and not
 * there. A key that was reported counts as absent afterwards, so that one mistake is one message.
 * Does not know what the keys mean together.
 *
 * All memory is the arena's.
 */
#include "config/document.h"

#include <stdarg.h>

#include "config/ini.h"
#include "config/values.h"

/* --- sections */

/* The kind that @name is nearly; SECTION_COUNT: none. */
static enum config_section
near_kind(struct slice name)
{
	enum config_section near = SECTION_COUNT;
	unsigned best = 4; /* "frontend" is far from all, "listner" and "backends" are not */
	for (unsigned i = 0; i < SECTION_COUNT; i++) {
		struct slice kind = slice_of(config_section_name((enum config_section)i));
		unsigned far = str_distance(name, kind, 3);
		if (far < best && far * 2 <= kind.len) {
			best = far;
			near = (enum config_section)i;
		}
	}
	return near;
}

static void
all_kinds(char *dst, size_t size)
{
	size_t len = 0;
	dst[0] = '\0';
	for (unsigned i = 0; i < SECTION_COUNT; i++) {
		enum config_section kind = (enum config_section)i;
		if (config_section_planned(kind))
			continue;
		if (!str_fmt(dst + len, size - len, "%s[%s%s]", i == 0 ? "" : ", ",
			config_section_name(kind),
			config_section_naming(kind) == NAMING_ALWAYS ? " NAME" : ""))
			break;
		len += strlen(dst + len);
	}
}

/*
 * SECTION_COUNT: none, reported. One that is nearly a kind is reported and taken for it, so that
 * its keys are checked.
 */
static enum config_section
find_kind(struct document *d, const char *file, int line, struct slice word)
{
	char shown[64], kinds[160];
	for (unsigned i = 0; i < SECTION_COUNT; i++)
		if (slice_eq_cstr(word, config_section_name((enum config_section)i)))
			return (enum config_section)i;
	str_printable(shown, sizeof(shown), word);
	enum config_section near = near_kind(word);
	if (near != SECTION_COUNT) {
		mistake(d->mistakes, file, line, "unknown section [%s]; did you mean [%s]?", shown,
		    config_section_name(near));
		return near;
	}
	all_kinds(kinds, sizeof(kinds));
	mistake(d->mistakes, file, line, "unknown section [%s]; there are %s", shown, kinds);
	d->incomplete = true;
	return SECTION_COUNT;
}

/* Whether the name is as this kind has it. */
static bool
check_naming(
    struct document *d, enum config_section kind, const char *file, int line, struct slice name)
{
	const char *word = config_section_name(kind);
	struct err err;
	switch (config_section_naming(kind)) {
	case NAMING_NEVER:
		if (name.len == 0)
			return true;
		mistake(d->mistakes, file, line, "[%s] takes no name, found \"" SLICE_FMT "\"",
		    word, SLICE_ARG(name));
		return false;
	case NAMING_ALWAYS:
		if (name.len == 0) {
			mistake(
			    d->mistakes, file, line, "[%s] needs a name: [%s NAME]", word, word);
			return false;
		}
		break;
	case NAMING_EITHER:
		if (name.len == 0)
			return true;
		break;
	}
	if (value_name(name, &err) == 0)
		return true;
	mistake(d->mistakes, file, line, "[%s NAME]: %s", word, err.text);
	return false;
}

static struct document_section *
section_new(
    struct document *d, enum config_section kind, const char *file, int line, struct slice name)
{
	char full[128];
	struct document_section *s = arena_alloc(d->arena, sizeof(*s));
	(void)str_fmt(
	    full, sizeof(full), "%s " SLICE_FMT, config_section_name(kind), SLICE_ARG(name));
	char *key = arena_str(d->arena, slice_of(full));
	char *copy = arena_str(d->arena, name);
	char *path = arena_str(d->arena, slice_of(file));
	if (!s || !key || !copy || !path) {
		d->no_memory = true;
		return NULL;
	}
	s->kind = kind;
	s->name = copy;
	s->file = path;
	s->line = line;
	s->last = &s->keys;
	s->node.key = slice_of(key);
	return s;
}

static const char *
title(char *dst, size_t size, const struct document_section *s)
{
	(void)str_fmt(
	    dst, size, "[%s%s%s]", config_section_name(s->kind), s->name[0] ? " " : "", s->name);
	return dst;
}

/* NULL: reported, and its keys belong nowhere. */
static void *
on_section(void *arg, const char *file, int line, const char *text)
{
	struct document *d = arg;
	struct slice name = slice_of(text), word = slice_word(&name);
	char shown[128];

	mistakes_file(d->mistakes, file);
	name = slice_trim(name);
	enum config_section kind = find_kind(d, file, line, word);
	if (kind == SECTION_COUNT)
		return NULL;
	if (config_section_planned(kind)) {
		mistake(d->mistakes, file, line,
		    "[%s] is planned, but this version does not have it yet",
		    config_section_name(kind));
		return NULL;
	}
	if (!check_naming(d, kind, file, line, name)) {
		d->incomplete = true;
		return NULL;
	}
	struct document_section *s = section_new(d, kind, file, line, name);
	if (!s)
		return NULL;
	struct htab_node *node = htab_find(&d->names, s->node.key);
	if (node) {
		const struct document_section *first =
		    container_of(node, struct document_section, node);
		mistake(d->mistakes, file, line, "%s stands already at %s:%d",
		    title(shown, sizeof(shown), s), first->file, first->line);
		return s; /* not linked, but each of its keys is checked by itself */
	}
	if (!htab_insert(&d->names, &s->node)) {
		d->no_memory = true;
		return NULL;
	}
	s->index = d->count[kind]++;
	*d->last[kind] = s;
	d->last[kind] = &s->next;
	return s;
}

/* --- keys */

static void
unknown_key(
    struct document *d, struct document_section *s, const char *file, int line, const char *name)
{
	char shown[64], where[128];
	enum config_section kind = s->kind;
	const char *near = config_key_near(kind, name);

	s->incomplete = true;
	str_printable(shown, sizeof(shown), slice_of(name));
	title(where, sizeof(where), s);
	for (unsigned i = 0; i < SECTION_COUNT; i++) {
		enum config_section other = (enum config_section)i;
		if (config_section_planned(other) || !config_key_find(other, name))
			continue;
		mistake(d->mistakes, file, line, "unknown key \"%s\" in %s; it belongs to [%s%s]",
		    shown, where, config_section_name(other),
		    config_section_naming(other) == NAMING_ALWAYS ? " NAME" : "");
		return;
	}
	if (near)
		mistake(d->mistakes, file, line, "unknown key \"%s\" in %s; did you mean \"%s\"?",
		    shown, where, near);
	else
		mistake(d->mistakes, file, line, "unknown key \"%s\" in %s", shown, where);
}

static const struct document_key *
key_before(const struct document_section *s, const struct config_key *key)
{
	for (const struct document_key *k = s->keys; k; k = k->next)
		if (k->key == key)
			return k;
	return NULL;
}

/* Whether the key is taken as it stands. */
static bool
check_key(struct document *d, const struct document_section *s, const char *file, int line,
    const struct config_key *key, const char *value)
{
	struct err err;
	const struct document_key *before = key_before(s, key);

	if (key->planned) {
		mistake(d->mistakes, file, line,
		    "%s is planned, but this version does not have it yet", key->name);
		return false;
	}
	if (before && key->type != TYPE_LIST) {
		mistake(d->mistakes, file, line, "%s stands already at %s:%d", key->name,
		    before->file, before->line);
		return false;
	}
	if (!value[0] && (key->required || key->preset)) {
		char why[96] = "";
		if (key->preset)
			(void)str_fmt(
			    why, sizeof(why), " (leave it out for the default, %s)", key->preset);
		mistake(d->mistakes, file, line, "%s: expected a value%s", key->name, why);
		return false;
	}
	if (value[0] && value_check(key, value, &err) < 0) {
		mistake(d->mistakes, file, line, "%s: %s", key->name, err.text);
		return false;
	}
	return true;
}

static void
on_key(void *arg, const char *file, int line, void *section, const char *name, const char *value)
{
	struct document *d = arg;
	struct document_section *s = section;
	if (!s)
		return;
	const struct config_key *key = config_key_find(s->kind, name);
	if (!key) {
		unknown_key(d, s, file, line, name);
		return;
	}
	struct document_key *k = arena_alloc(d->arena, sizeof(*k));
	char *copy = arena_str(d->arena, slice_of(value));
	if (!k || !copy) {
		d->no_memory = true;
		return;
	}
	/* A section never goes on in another file. */
	*k = (struct document_key){ .key = key, .value = copy, .file = s->file, .line = line };
	k->bad = !check_key(d, s, file, line, key, value);
	*s->last = k;
	s->last = &k->next;
}

static void
on_mistake(void *arg, const char *file, int line, void *section, bool lost, const char *text)
{
	struct document *d = arg;
	struct document_section *s = section;
	if (lost)
		d->incomplete = true;
	else if (s)
		s->incomplete = true;
	mistake(d->mistakes, file, line, "%s", text);
}

/* --- all of it */

static void
check_required(struct document *d, const struct document_section *s)
{
	char shown[128];
	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (key->section == s->kind && key->required && !s->incomplete &&
		    !key_before(s, key))
			mistake(d->mistakes, s->file, s->line, "%s needs the key \"%s\"",
			    title(shown, sizeof(shown), s), key->name);
	}
}

bool
document_read(struct document *d, struct arena *arena, struct config_files *files, const char *path,
    struct mistakes *mistakes)
{
	*d = (struct document){ .arena = arena, .mistakes = mistakes, .path = path };
	htab_init(&d->names);
	for (unsigned i = 0; i < SECTION_COUNT; i++)
		d->last[i] = &d->first[i];
	mistakes_file(mistakes, path);
	/* What it found is reported already. */
	(void)!ini_read(files, path, on_section, on_key, on_mistake, d);
	for (unsigned i = 0; i < SECTION_COUNT; i++)
		for (const struct document_section *s = d->first[i]; s; s = s->next)
			check_required(d, s);
	return !d->no_memory;
}

void
document_free(struct document *d)
{
	htab_free(&d->names);
}

struct document_section *
document_section(const struct document *d, enum config_section kind, const char *name)
{
	char full[128];
	if (!str_fmt(full, sizeof(full), "%s %s", config_section_name(kind), name))
		return NULL;
	struct htab_node *node = htab_find(&d->names, slice_of(full));
	return node ? container_of(node, struct document_section, node) : NULL;
}

const struct document_key *
document_key(const struct document_section *s, const char *name)
{
	for (const struct document_key *k = s ? s->keys : NULL; k; k = k->next)
		if (!k->bad && k->value[0] && strcmp(k->key->name, name) == 0)
			return k;
	return NULL;
}

int
document_line(const struct document_section *s, const char *name)
{
	const struct document_key *k = document_key(s, name);
	return k ? k->line : s->line;
}

const char *
document_text(enum config_section kind, const struct document_section *s, const char *name)
{
	const struct document_key *k = document_key(s, name);
	if (k)
		return k->value;
	const struct config_key *key = config_key_find(kind, name);
	ASSERT(key && !key->planned);
	return key->preset;
}

bool
document_bool(enum config_section kind, const struct document_section *s, const char *name)
{
	return value_bool(document_text(kind, s, name));
}

double
document_number(enum config_section kind, const struct document_section *s, const char *name)
{
	return value_number(config_key_find(kind, name)->type, document_text(kind, s, name));
}

unsigned
document_word(enum config_section kind, const struct document_section *s, const char *name)
{
	int i = value_word(config_key_find(kind, name)->words, document_text(kind, s, name));
	ASSERT(i >= 0);
	return (unsigned)i;
}

/* The items of one line onto the array, which has room for them. */
static size_t
split_items(struct document *d, const struct document_key *k, struct document_item *items)
{
	struct slice rest = slice_of(k->value), item;
	size_t n = 0;
	int rc;
	while ((rc = value_item(&rest, &item)) != 0) {
		if (rc < 0)
			document_mistake(d, k, "nothing between two commas, or behind the last");
		if (item.len > 0)
			items[n++] = (struct document_item){ k, item };
		if (rc < 0)
			break;
	}
	return n;
}

size_t
document_items(struct document *d, const struct document_section *s, const char *name,
    const struct document_item **items_r)
{
	size_t most = 0, n = 0;
	*items_r = NULL;
	for (const struct document_key *k = document_key(s, name); k; k = k->next) {
		if (k->bad || strcmp(k->key->name, name) != 0)
			continue;
		most++;
		for (const char *p = k->value; *p; p++)
			most += *p == ',';
	}
	if (most == 0)
		return 0;
	struct document_item *items = arena_alloc(d->arena, most * sizeof(*items));
	if (!items) {
		d->no_memory = true;
		return 0;
	}
	for (const struct document_key *k = document_key(s, name); k; k = k->next)
		if (!k->bad && k->value[0] && strcmp(k->key->name, name) == 0)
			n += split_items(d, k, items + n);
	*items_r = items;
	return n;
}

void
document_mistake(struct document *d, const struct document_key *k, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	mistake(d->mistakes, k->file, k->line, "%s: %s", k->key->name, text);
}
