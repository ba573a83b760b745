/*
 * tests/fuzz/fuzz_config.c - configurations, with includes and users files, to snapshots.
 *
 * The input is a main file, then others, each behind a line `@@ /path`; what is there is there under every kind. Beyond
 * crashes it checks that a snapshot comes exactly when there was no mistake; that mistakes are sorted, and lines of
 * printable text; that CRLF line ends and one more empty line change nothing; and that what comes out is
 * whole: each pool has backends, each fallback comes to an end, each route leads somewhere.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "config/snapshot.h"
#include "directory/lookup.h"

#define MAIN      "/main"
#define INPUT_MAX 16384

struct said {
	char text[131072];
	size_t len;
	char file[4200];
	int line;
	unsigned mistakes;
};

static void
on_mistake(void *arg, bool warning, const char *file, int line, const char *text)
{
	struct said *s = arg;

	FUZZ_CHECK(text[0] && line >= 0);
	for (const char *p = text; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
	/* The last may say how many more there are. */
	if (strcmp(file, s->file) == 0 && !strstr(text, "more not shown"))
		FUZZ_CHECK(line >= s->line);
	FUZZ_CHECK(str_fmt(s->file, sizeof(s->file), "%s", file));
	s->line = line;
	s->mistakes += !warning;
	FUZZ_CHECK(str_fmt(s->text + s->len, sizeof(s->text) - s->len, "%s:%d: %d %s\n", file, line,
	    warning, text));
	s->len += strlen(s->text + s->len);
}

static void
add_file(struct config_files *f, struct slice path, struct slice bytes)
{
	static const enum config_file_kind kinds[] = { CONFIG_FILE_TEXT, CONFIG_FILE_LOOKUP,
		CONFIG_FILE_SECRET };
	char name[256];

	if (!str_put(name, sizeof(name), path))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int fd = memfd_create("config", MFD_CLOEXEC);

		if (fd < 0 || write(fd, bytes.p, bytes.len) != (ssize_t)bytes.len ||
		    !config_files_add(f, kinds[i], name, fd))
			abort();
	}
}

static struct config_files *
split(struct slice input)
{
	static const char mark[] = "\n@@ ";
	struct config_files *f = config_files_new(false);
	struct slice path = SLICE(MAIN);

	if (!f)
		abort();
	for (unsigned files = 0; files < 32; files++) {
		const char *end = input.len ? memmem(input.p, input.len, mark, 4) : NULL;
		size_t len = end ? (size_t)(end - input.p) + 1 : input.len;

		add_file(f, path, (struct slice){ input.p, len });
		if (!end)
			break;
		input.p += len + 3;
		input.len -= len + 3;
		if (!slice_cut(&input, '\n', &path))
			break;
		if (path.len && path.p[path.len - 1] == '\r')
			path.len--;
	}
	return f;
}

static void
check_pool(const struct snapshot *s, const struct pool *p)
{
	unsigned steps = 0;

	FUZZ_CHECK(p >= s->pools && p < s->pools + s->n_pools);
	FUZZ_CHECK(p->n > 0 && p->n <= POOL_BACKENDS_MAX && p->name[0]);
	for (unsigned i = 0; i < p->n; i++) {
		FUZZ_CHECK(p->backends[i] == &s->backends[p->backends[i]->index]);
		for (unsigned j = 0; j < i; j++)
			FUZZ_CHECK(p->backends[i] != p->backends[j]);
	}
	for (const struct pool *q = p->fallback; q; q = q->fallback)
		FUZZ_CHECK(++steps <= s->n_pools);
}

static void
check_snapshot(const struct snapshot *s, bool lookups)
{
	const struct proxy_settings *p = &s->proxy;

	FUZZ_CHECK(p->workers >= 1 && p->workers <= 64 && p->hostname[0] && p->log[0]);
	FUZZ_CHECK(p->max_line <= p->max_command && p->max_literal <= p->max_command);
	FUZZ_CHECK(s->n_listens > 0 && s->n_routes > 0);
	FUZZ_CHECK(s->n_pools == s->n_named_pools + s->n_backends);
	for (unsigned i = 0; i < s->n_listens; i++) {
		FUZZ_CHECK(s->listens[i].n_addrs > 0);
		FUZZ_CHECK(snapshot_listen(s, s->listens[i].name) == &s->listens[i]);
	}
	for (unsigned i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];

		FUZZ_CHECK(b->index == i && b->host[0] && b->port && b->weight <= 1000000);
		FUZZ_CHECK(snapshot_backend(s, b->name) == b);
		FUZZ_CHECK(strcmp(s->pools[s->n_named_pools + i].name, b->name) == 0);
	}
	for (unsigned i = 0; i < s->n_pools; i++)
		check_pool(s, &s->pools[i]);
	for (unsigned i = 0; i < s->n_routes; i++) {
		const struct route *r = &s->routes[i];

		FUZZ_CHECK(!lookups || r->n_lookups || r->default_target);
		FUZZ_CHECK(lookups || !r->n_lookups);
		if (r->default_target)
			check_pool(s, r->default_target);
	}
}

/* What is said of the input; whether it was right. */
static bool
run(struct slice input, unsigned parts, struct said *said)
{
	struct config_files *f = split(input);
	struct snapshot *s;

	*said = (struct said){ .len = 0 };
	s = snapshot_build(f, MAIN, parts, NULL, on_mistake, said);
	FUZZ_CHECK(!s == (said->mistakes > 0));
	if (s)
		check_snapshot(s, parts != 0);
	config_files_free(&f);
	if (!s)
		return false;
	snapshot_unref(&s);
	return true;
}

/* The same with CRLF line ends and an empty line more at the end of the last file. */
static struct slice
as_crlf(struct slice in)
{
	size_t len = 0;
	char *out = calloc(1, in.len * 2 + 4);

	if (!out)
		abort();
	for (size_t i = 0; i < in.len; i++) {
		if (in.p[i] == '\n')
			out[len++] = '\r';
		out[len++] = in.p[i];
	}
	memcpy(out + len, "\r\n\r\n", 4);
	return (struct slice){ out, len + 4 };
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct said first, second;
	struct slice input = { (const char *)data, size };

	if (size > INPUT_MAX)
		return 0;
	bool text = run(input, 0, &first);
	bool whole = run(input, SNAPSHOT_DIRECTORY, &second);
	FUZZ_CHECK(text || !whole); /* more is looked at, so more can be wrong */
	if (size > 0 && memchr(data, '\r', size))
		return 0;
	struct slice crlf = as_crlf(input);
	bool again = run(crlf, SNAPSHOT_DIRECTORY, &first);
	FUZZ_CHECK(again == whole && strcmp(first.text, second.text) == 0);
	free((void *)(uintptr_t)crlf.p);
	return 0;
}
