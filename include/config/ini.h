/*
 * config/ini.h - an INI file (with includes) to section, key, value and where each stands: inih
 * behind our own line reader.
 */
#ifndef CONFIG_INI_H
#define CONFIG_INI_H

#include "config/files.h"

#define INI_LINE_MAX      190 /* bytes inih takes without cutting */
#define INI_SECTION_MAX   48
#define INI_INCLUDE_DEPTH 8

/*
 * A section header; @section is "kind" or "kind name" as written, spaces squeezed. What it returns
 * is handed on with the section's keys and mistakes: an include in between, with sections of its
 * own, changes nothing.
 */
typedef void *ini_section_fn(void *arg, const char *file, int line, const char *section);
/* A key; pointers are valid while called. */
typedef void ini_key_fn(
    void *arg, const char *file, int line, void *section, const char *key, const char *value);
/*
 * @section: where the line stands; NULL: in none, or in one whose header was wrong. @lost: a header
 * or a whole file is lost with it, and not only a line.
 */
typedef void ini_mistake_fn(
    void *arg, const char *file, int line, void *section, bool lost, const char *text);

/*
 * Reads @path and what it includes (`include = PATH` before the first section or in any; relative
 * to the including file). Everything that inih 55 would cut or misread is a mistake with its
 * line, not a wrong value. Goes on after mistakes. False when there was any.
 */
bool ini_read(struct config_files *files, const char *path, ini_section_fn *section,
    ini_key_fn *key, ini_mistake_fn *mistake, void *arg) MUST_CHECK;

#endif
