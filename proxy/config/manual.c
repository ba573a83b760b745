/*
 * config/manual.c - the reference of all keys as mdoc: sections in order, keys in the order of
 * the table, what is planned at the end of each.
 *
 * The manual that is kept in etc/man holds this text between two marks; scripts/check-config-docs
 * sees that it does.
 */
#include "config/manual.h"

#include "config/keys.h"
#include "config/values.h"

#define WIDTH 78

/* A word of running text; `code` goes in bold. What roff would take for itself is escaped. */
static void
put_word(FILE *out, struct slice word, bool begins, bool *code)
{
	if (begins && word.len > 0 && (word.p[0] == '.' || word.p[0] == '\''))
		(void)fputs("\\&", out);
	for (size_t i = 0; i < word.len; i++) {
		if (word.p[i] == '`') {
			*code = !*code;
			(void)fputs(*code ? "\\fB" : "\\fR", out);
		} else if (word.p[i] == '\\') {
			(void)fputs("\\e", out);
		} else if (word.p[i] == '-' && *code) {
			(void)fputs("\\-", out);
		} else {
			(void)fputc(word.p[i], out);
		}
	}
}

/* Lines of text; a sentence begins a line, as roff wants it for the space between two. */
static void
put_text(FILE *out, const char *text)
{
	struct slice rest = slice_of(text), word;
	size_t column = 0;
	bool code = false;
	while ((word = slice_word(&rest)).len > 0) {
		if (column > 0 && column + 1 + word.len > WIDTH) {
			(void)fputc('\n', out);
			column = 0;
		}
		if (column > 0)
			(void)fputc(' ', out);
		column += (column > 0) + word.len;
		put_word(out, word, column == word.len, &code);
		if (word.p[word.len - 1] == '.' && !code) {
			(void)fputc('\n', out);
			column = 0;
		}
	}
	if (column > 0)
		(void)fputc('\n', out);
}

/* What stands behind the "=". */
static const char *
form(const struct config_key *key)
{
	if (key->form)
		return key->form;
	switch (key->type) {
	case TYPE_BOOL:
		return "yes | no";
	case TYPE_NUMBER:
		return "NUMBER";
	case TYPE_SIZE:
		return "SIZE";
	case TYPE_DURATION:
		return "TIME";
	case TYPE_WORD:
		return key->words;
	case TYPE_TEXT:
	case TYPE_NAME:
		return "NAME";
	case TYPE_PATH:
		return "PATH";
	case TYPE_LIST:
		return "ITEM, ...";
	}
	return "";
}

static void
put_bounds(FILE *out, const struct config_key *key)
{
	char low[32], high[32];
	switch (key->type) {
	case TYPE_NUMBER:
	case TYPE_SIZE:
	case TYPE_DURATION:
		(void)fprintf(out, "From %s to %s.\n",
		    value_format(low, sizeof(low), key->type, key->min),
		    value_format(high, sizeof(high), key->type, key->max));
		break;
	case TYPE_BOOL:
	case TYPE_WORD:
	case TYPE_TEXT:
	case TYPE_NAME:
	case TYPE_PATH:
	case TYPE_LIST:
		break;
	}
}

static void
put_key(FILE *out, const struct config_key *key)
{
	(void)fprintf(out, ".It Ic %s No = ", key->name);
	if (key->words && key->type != TYPE_WORD)
		(void)fprintf(out, "%s | ", key->words);
	(void)fprintf(out, "%s\n", form(key));
	put_text(out, key->help);
	put_bounds(out, key);
	if (key->required)
		(void)fputs("Required.\n", out);
	if (key->preset)
		(void)fprintf(out, "Default: %s.\n", key->preset);
	if (key->planned_words) {
		char words[160];
		(void)fprintf(out, "Planned, and refused by this version: %s.\n",
		    value_words(words, sizeof(words), key->planned_words));
	}
}

static void
put_planned(FILE *out, enum config_section section)
{
	bool any = false;
	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (key->section != section || !key->planned)
			continue;
		if (!any)
			(void)fputs(".Pp\nPlanned, and refused by this version:\n", out);
		else
			(void)fputs(" ,\n", out);
		(void)fprintf(out, ".Ic %s", key->name);
		any = true;
	}
	if (any)
		(void)fputs(" .\n", out);
}

void
manual_keys(FILE *out)
{
	for (unsigned i = 0; i < SECTION_COUNT; i++) {
		enum config_section s = (enum config_section)i;
		const char *name = config_section_name(s);
		switch (config_section_naming(s)) {
		case NAMING_NEVER:
			(void)fprintf(out, ".Ss [%s]\n", name);
			break;
		case NAMING_ALWAYS:
			(void)fprintf(out, ".Ss [%s NAME]\n", name);
			break;
		case NAMING_EITHER:
			(void)fprintf(out, ".Ss [%s], [%s NAME]\n", name, name);
			break;
		}
		put_text(out, config_section_help(s));
		if (config_section_planned(s)) {
			(void)fputs("The section is planned, and refused by this version.\n", out);
			continue;
		}
		(void)fputs(".Bl -tag -width Ds\n", out);
		for (size_t k = 0; k < config_keys_count; k++)
			if (config_keys[k].section == s && !config_keys[k].planned)
				put_key(out, &config_keys[k]);
		(void)fputs(".El\n", out);
		put_planned(out, s);
	}
}
