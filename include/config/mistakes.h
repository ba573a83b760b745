/*
 * config/mistakes.h - what is wrong with a configuration, collected in any order and reported in
 * order of file and line.
 */
#ifndef CONFIG_MISTAKES_H
#define CONFIG_MISTAKES_H

#include <stdbool.h>

#include "base/compiler.h"

#define MISTAKES_MAX 100 /* reported in a run, warnings included; what is beyond is counted */

struct mistakes;

/* One mistake or warning, without a line end; @line 0 when there is none. */
typedef void mistakes_fn(void *arg, bool warning, const char *file, int line, const char *text);

struct mistakes *mistakes_new(void) MUST_CHECK;
void mistakes_free(struct mistakes **m);

/* @file is copied. Files are ordered as they were first named: here or in mistakes_file(). */
void mistake(struct mistakes *m, const char *file, int line, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void mistake_warning(struct mistakes *m, const char *file, int line, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void mistakes_file(struct mistakes *m, const char *file);

/* Mistakes without warnings; also those that could not be kept. */
unsigned mistakes_count(const struct mistakes *m);

void mistakes_report(struct mistakes *m, mistakes_fn *fn, void *arg);

#endif
