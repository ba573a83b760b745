/*
 * config/document.h - the text of a configuration, read and checked against the table of keys,
 * before anything is built.
 */
#ifndef CONFIG_DOCUMENT_H
#define CONFIG_DOCUMENT_H

#include "base/arena.h"
#include "base/htab.h"
#include "config/files.h"
#include "config/keys.h"
#include "config/mistakes.h"

/* One `key = value`. */
struct document_key {
	struct document_key *next;
	const struct config_key *key;
	const char *value; /* may be empty: as if it were not there */
	const char *file;
	int line;
	bool bad; /* reported already: the default is taken in its place */
};

struct document_section {
	struct document_section *next; /* of its kind, in order */
	struct htab_node node;         /* key: "kind name" */
	enum config_section kind;
	const char *name; /* "" for none */
	const char *file;
	int line;
	struct document_key *keys, **last;
	/* A line of it could not be understood: what seems to be missing may be there. */
	bool incomplete;
	unsigned index; /* free for who builds: among those of its kind */
};

struct document {
	struct arena *arena;
	struct mistakes *mistakes;
	const char *path;
	struct document_section *first[SECTION_COUNT], **last[SECTION_COUNT];
	unsigned count[SECTION_COUNT];
	struct htab names; /* of sections */
	bool incomplete;   /* sections are lost: what seems to be missing may be there */
	bool no_memory;
};

/* Reads and checks. False: out of memory. Whether it was right, @mistakes know. */
bool document_read(struct document *d, struct arena *arena, struct config_files *files,
    const char *path, struct mistakes *mistakes) MUST_CHECK;
void document_free(struct document *d); /* the table; the rest is the arena's */

struct document_section *document_section(
    const struct document *d, enum config_section kind, const char *name); /* NULL: none */

/*
 * The key as written, with a value; NULL: not there, empty, or bad. @s may be NULL: a section
 * that is not there.
 */
const struct document_key *document_key(const struct document_section *s, const char *name);
/* The line of a key, or of its section when the key is not there. */
int document_line(const struct document_section *s, const char *name);

/* The value or, when there is none, the default of the table. @s may be NULL. */
bool document_bool(enum config_section kind, const struct document_section *s, const char *name);
double document_number(
    enum config_section kind, const struct document_section *s, const char *name);
unsigned document_word(
    enum config_section kind, const struct document_section *s, const char *name);
const char *document_text(
    enum config_section kind, const struct document_section *s, const char *name); /* NULL: none */

/*
 * The items of a list, whichever lines they stand in, never empty; what is wrong with the commas
 * is reported. How many.
 */
struct document_item {
	const struct document_key *key; /* where it stands */
	struct slice text;
};
size_t document_items(struct document *d, const struct document_section *s, const char *name,
    const struct document_item **items_r);

/* Reports "name: text" where the key stands. */
void document_mistake(struct document *d, const struct document_key *k, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
