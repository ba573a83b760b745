/*
 * config/keys.h - the table of all keys: section, type, default, range and help text. Parser,
 * messages, sample file check and the manual's reference all come from it.
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum config_section {
	SECTION_PROXY,
	SECTION_LISTEN,
	SECTION_TLS,
	SECTION_BACKEND,
	SECTION_POOL,
	SECTION_ROUTE,
	SECTION_FLEET, /* planned */
	SECTION_COUNT
};

enum config_type {
	TYPE_BOOL,     /* yes | no */
	TYPE_NUMBER,   /* whole, within min and max */
	TYPE_SIZE,     /* bytes: 8192, 8K, 1M */
	TYPE_DURATION, /* 500ms, 30s, 5m, 1h, 2d; 0 */
	TYPE_WORD,     /* one of a fixed set */
	TYPE_TEXT,     /* one line */
	TYPE_NAME,     /* of a section */
	TYPE_PATH,     /* absolute */
	/*
	 * Comma separated, and over several lines with the same key; the help says what the items
	 * are.
	 */
	TYPE_LIST,
};

struct config_key {
	enum config_section section;
	const char *name;
	enum config_type type;
	/* TYPE_WORD: "none | starttls | implicit"; other types: words that are taken besides. */
	const char *words;
	/* Known words, or kinds of lookup, that this version does not have. */
	const char *planned_words;
	/* What one writes, for the manual, where the type does not say enough: "HOST:PORT". */
	const char *form;
	const char *preset; /* default, as one would write it; NULL: none */
	double min, max;    /* numbers, sizes, durations in seconds */
	bool required;
	/*
	 * Known, but its part does not exist in this version: using it is a mistake that says so.
	 */
	bool planned;
	const char *help; /* for the manual: whole sentences */
};

extern const struct config_key config_keys[];
extern const size_t config_keys_count;

const char *config_section_name(enum config_section s); /* "proxy", "listen", … */
const char *config_section_help(enum config_section s);
bool config_section_planned(enum config_section s);

/* Whether its sections have a name: [listen NAME] always, [proxy] never, [route] as one likes. */
enum config_naming { NAMING_NEVER, NAMING_ALWAYS, NAMING_EITHER };
enum config_naming config_section_naming(enum config_section s);

const struct config_key *config_key_find(enum config_section s, const char *name);
/* A near word among the keys of @s for an unknown one; NULL when nothing is near. */
const char *config_key_near(enum config_section s, const char *name);

#endif
