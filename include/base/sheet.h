/*
 * base/sheet.h - named values and tables, written as JSON for programs or as lines for people.
 *
 *      JSON: an object on one line, tables as arrays of objects within it; or, for a list, one object a line
 *      text: `key TAB value` a line, a table as a line of column names and lines of cells, TAB between; whoever shows it aligns the
 *            columns (a blank line ends a table)
 *
 * All values are escaped here: no TAB, line end or control byte of theirs gets through.
 */
#ifndef BASE_SHEET_H
#define BASE_SHEET_H

#include "base/addr.h"
#include "base/buf.h"

struct sheet {
	struct buf *out; /* the caller's */
	bool json;
	bool failed; /* something did not fit, or memory ran out: what is in @out is not whole */
	bool comma;  /* a value stands before this one in its object */
	bool row;    /* within a row of a table */
	bool list;   /* rows are objects of their own, a line each */
};

void sheet_init(struct sheet *s, struct buf *out, bool json);

/* An object with values and tables; or a list: rows alone, for what is long. */
void sheet_begin(struct sheet *s);
void sheet_end(struct sheet *s);

/* A table of the object named @key, or, outside of an object and with @key NULL, a list. @columns: names with spaces between. */
void sheet_table(struct sheet *s, const char *key, const char *columns);
void sheet_table_end(struct sheet *s);
void sheet_row(struct sheet *s, bool first);
void sheet_row_end(struct sheet *s);

/* Values: of the object, or of the row. In rows of text only the order counts, and an empty value is "-". */
void sheet_str(struct sheet *s, const char *key, struct slice value);
void sheet_cstr(struct sheet *s, const char *key, const char *value); /* NULL: as empty */
void sheet_u64(struct sheet *s, const char *key, uint64_t value);
void sheet_bool(struct sheet *s, const char *key, bool value); /* text: yes, no */
void sheet_addr(struct sheet *s, const char *key, const struct addr *a);
/* A span: JSON in seconds with three decimals, text as 1d2h, 3h4m, 5m6s, 7.8s. */
void sheet_span(struct sheet *s, const char *key, double seconds);
/* Bytes: JSON as they are, text as 1.5G. */
void sheet_bytes(struct sheet *s, const char *key, uint64_t bytes);

#endif
