/*
 * config/manual.h - the reference of all keys, for the manual: from the table that the parser uses.
 */
#ifndef CONFIG_MANUAL_H
#define CONFIG_MANUAL_H

#include <stdio.h>

/* Writes the part of sallyport.conf(5) that lists sections and keys, in mdoc. */
void manual_keys(FILE *out);

#endif
