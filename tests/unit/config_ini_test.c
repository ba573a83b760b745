/* What our line reader lets inih see, and what it says of the rest. The wrong ones are also files in tests/config. */
#include "config_world.h"

#include "config/ini.h"

/* Writes what comes as text: [section] at a header, then key=value, !line: text for mistakes. */
static void *
on_section(void *arg, const char *file, int line, const char *section)
{
	(void)file;
	world_say(arg, "%d[%s] ", line, section);
	return arg;
}

static void
on_key(void *arg, const char *file, int line, void *section, const char *key, const char *value)
{
	(void)file;
	CHECK(section == arg);
	world_say(arg, "%d<%s=%s> ", line, key, value);
}

static void
on_mistake(void *arg, const char *file, int line, void *section, bool lost, const char *text)
{
	(void)file;
	(void)section;
	world_say(arg, "%d!%s%.12s ", line, lost ? "!" : "", text);
}

static void
check_read(const char *bytes, size_t len, const char *expected)
{
	struct config_files *f = config_files_new(false);
	struct world_said said = { "", 0 };
	CHECK(f);
	world_file(f, CONFIG_FILE_TEXT, "main", bytes, len);
	bool right = ini_read(f, "main", on_section, on_key, on_mistake, &said);
	config_files_free(&f);
	if (said.len > 0)
		said.text[said.len - 1] = '\0';
	CHECK_STR(said.text, expected);
	CHECK_INT(right, !strchr(expected, '!'));
}

TEST(lines)
{
	static const struct {
		const char *text, *read;
	} table[] = {
		{ "", "" },
		{ "\n\n  \n\t\n", "" },
		{ "[a]\nk=v\n", "1[a] 2<k=v>" },
		{ "[a]\nk=v", "1[a] 2<k=v>" },
		{ "[a]\r\nk = v\r\n", "1[a] 2<k=v>" },
		{ "\xef\xbb\xbf[a]\nk = v\n", "1[a] 2<k=v>" },
		{ "; c\n# c\n  ; c\n\t# c\n[a]\n", "5[a]" },
		{ "[ a  b\tc ]\n", "1[a b c]" },
		{ "[a] ; comment\n", "1[a]" },
		{ "[a]\nk = v w\n", "1[a] 2<k=v w>" },
		{ "[a]\nk = v ; c ; d\n", "1[a] 2<k=v>" },
		{ "[a]\nk = v\t; c\n", "1[a] 2<k=v>" },
		{ "[a]\nk = v;w\n", "1[a] 2<k=v;w>" },
		{ "[a]\nk = v=w\n", "1[a] 2<k=v=w>" },
		{ "[a]\nk = a:b\n", "1[a] 2<k=a:b>" },
		{ "[a]\nk =\n", "1[a] 2<k=>" },
		{ "[a]\nk = ; c\n", "1[a] 2<k=>" },
		{ "[a]\nk = a#b\n", "1[a] 2<k=a#b>" },
		{ "[a]\nk = \"a\"\n", "1[a] 2<k=\"a\">" },
		{ "[a]\nk = [b]\n", "1[a] 2<k=[b]>" },
		{ "[a]\nk = 1\nk = 2\n", "1[a] 2<k=1> 3<k=2>" },
		{ "[a]\n[b]\nk = \xc3\xa4\n", "1[a] 2[b] 3<k=\xc3\xa4>" },
		/* what inih would misread */
		{ "[a]\nk = 1\n more\nl = 2\n", "1[a] 2<k=1> 3!line begins  4<l=2>" },
		{ "[a]\n k = 1\n", "1[a] 2!line begins " },
		{ "[a]\nk: 1\n", "1[a] 2!expected \"ke" },
		{ "[a]\nk\n", "1[a] 2!expected \"ke" },
		{ "[a]\n= 1\n", "1[a] 2!expected \"ke" },
		{ "[a]\nk =; c\n", "1[a] 2!a value cann" },
		{ "[a]\nk = 1 # c\n", "1[a] 2!a comment be" },
		{ "[a]\n[b\nk = 1\n[c]\nl = 2\n", "1[a] 2!!expected a ] 4[c] 5<l=2>" },
		{ "[a]\n[b] c\nk = 1\n", "1[a] 2!!expected not" },
		{ "[a]\n[ ]\nk = 1\n", "1[a] 2!!expected the" },
		{ "[a]\nk = 1\rl = 2\n", "1[a] 2!control byte" },
		{ "[a]\nk = \x1b[0m\n", "1[a] 2!control byte" },
		{ "k = 1\n[a]\n", "1!k: key befor 2[a]" },
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		test_note("%s", table[i].text);
		check_read(table[i].text, strlen(table[i].text), table[i].read);
	}
}

TEST(a_nul_is_a_mistake_and_not_an_end)
{
	static const char text[] = "[a]\nk = 1\0"
				   "2\nl = 3\n";
	check_read(text, sizeof(text) - 1, "1[a] 2!NUL byte in  3<l=3>");
}

TEST(long_lines_are_never_cut)
{
	char text[512];
	for (int len = 1; len < 300; len++) {
		char expected[512];
		test_note("value of %d bytes", len);
		snprintf(text, sizeof(text), "[a]\nk=%0*d\nl=1\n", len, 7);
		if (len + 2 <= INI_LINE_MAX)
			snprintf(expected, sizeof(expected), "1[a] 2<k=%0*d> 3<l=1>", len, 7);
		else
			snprintf(expected, sizeof(expected), "1[a] 2!line of %-4d 3<l=1>", len + 2);
		check_read(text, strlen(text), expected);
	}
}

TEST(a_long_comment_is_none_of_our_business)
{
	char text[2048];
	for (int len = 150; len < 900; len++) {
		snprintf(text, sizeof(text), "; %0*d\n[a]\nk = 1 ; %0*d\n", len, 7, len, 7);
		check_read(text, strlen(text), "2[a] 3<k=1>");
	}
}

TEST(section_names_are_never_cut)
{
	char text[512];
	for (int len = 1; len < 250; len++) {
		char expected[512];
		snprintf(text, sizeof(text), "[%0*d]\nl=1\n", len, 7);
		if (len <= INI_SECTION_MAX)
			snprintf(expected, sizeof(expected), "1[%0*d] 2<l=1>", len, 7);
		else if (len + 2 <= INI_LINE_MAX)
			snprintf(expected, sizeof(expected), "1!!section head");
		else
			snprintf(expected, sizeof(expected), "1!!line of %-4d", len + 2);
		test_note("name of %d bytes", len);
		check_read(text, strlen(text), expected);
	}
}

TEST(includes_are_read_where_they_stand)
{
	struct config_files *f = config_files_new(false);
	struct world_said said = { "", 0 };
	CHECK(f);
	world_text(f, "/etc/x/main", "include = sub/a\n[m]\nk=1\ninclude = /etc/y\nl=2\n");
	world_text(f, "/etc/x/sub/a", "[a]\ninclude = b\n");
	world_text(f, "/etc/x/sub/b", "[b]\nbk=1\n");
	world_text(f, "/etc/y", "\n[y]\n");
	CHECK(ini_read(f, "/etc/x/main", on_section, on_key, on_mistake, &said));
	CHECK_STR(said.text, "1[a] 1[b] 2<bk=1> 2[m] 3<k=1> 2[y] 5<l=2> ");
	config_files_free(&f);
}

TEST(an_include_that_includes_itself_is_found)
{
	struct config_files *f = config_files_new(false);
	struct world_said said = { "", 0 };
	CHECK(f);
	world_text(f, "a", "include = b\n[a]\n");
	world_text(f, "b", "include = c\n[b]\n");
	world_text(f, "c", "include = a\ninclude = b\ninclude = c\n[c]\n");
	CHECK(!ini_read(f, "a", on_section, on_key, on_mistake, &said));
	CHECK_STR(said.text, "1!!include: a i 2!!include: b i 3!!include: c i 4[c] 2[b] 2[a] ");
	config_files_free(&f);
}

TEST(the_number_of_includes_is_bounded)
{
	struct config_files *f = config_files_new(false);
	struct world_said said = { "", 0 };
	char text[16000];
	size_t len = 0;
	CHECK(f);
	for (int i = 0; i < 1001; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "include = b\n");
	world_text(f, "a", text);
	world_text(f, "b", "");
	CHECK(!ini_read(f, "a", on_section, on_key, on_mistake, &said));
	CHECK_STR(said.text, "1001!!include: mor ");
	config_files_free(&f);
}
