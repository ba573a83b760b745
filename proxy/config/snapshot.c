/*
 * config/snapshot.c - a configuration, checked and built: immutable and counted.
 *
 *      files -> document (sections and keys, each right by itself)
 *                 -> build_proxy, _listens, _tls, _backends, _tls_clients, _pools, _routes
 *                      -> snapshot, when there was no mistake
 *
 * Everything is built even when something was wrong already, so that one run finds every mistake.
 * All of a snapshot is in its arena but TLS contexts and lookups, which it lets go by themselves.
 * The count is the loop's thread's, and not atomic; building, and letting go what nobody refers to, may be another's.
 */
#include "config/snapshot.h"

#include "base/mem.h"
#include "config/build.h"
#include "directory/lookup.h"

void *
build_alloc(struct build *b, size_t n, size_t size)
{
	size_t total;
	void *p = __builtin_mul_overflow(n, size, &total) ? NULL : arena_alloc(b->s->arena, total);
	if (!p)
		b->doc.no_memory = true;
	return p;
}

const char *
build_str(struct build *b, struct slice text)
{
	const char *p = arena_str(b->s->arena, text);
	if (p)
		return p;
	b->doc.no_memory = true;
	return "";
}

bool
build_file(struct build *b, const struct document_key *k, enum config_file_kind kind,
    struct slice path, struct buf *out)
{
	char name[4096];
	struct err err;
	buf_init(out, 0, false);
	if (!str_put(name, sizeof(name), path))
		document_mistake(&b->doc, k, "path too long");
	else if (config_files_read(b->files, kind, name, out, &err) < 0)
		document_mistake(&b->doc, k, "%s", err.text);
	else
		return true;
	return false;
}

static struct snapshot *
snapshot_new(void)
{
	struct snapshot *s = mem_zalloc(sizeof(*s));
	struct arena *arena = arena_new();
	if (!s || !arena) {
		mem_free(s);
		arena_free(&arena);
		return NULL;
	}
	s->refs = 1;
	s->arena = arena;
	return s;
}

static void
build_all(struct build *b, const char *path)
{
	if (!document_read(&b->doc, b->temp, b->files, path, b->mistakes))
		return;
	build_proxy(b);
	build_listens(b);
	if (!b->doc.no_memory)
		build_tls(b);
	build_backends(b);
	build_tls_clients(b);
	if (!b->doc.no_memory)
		build_pools(b);
	if (!b->doc.no_memory)
		build_routes(b);
}

static void
drop(struct build *b)
{
	if (b->s)
		snapshot_free(b->s);
	b->s = NULL;
}

struct snapshot *
snapshot_build(struct config_files *files, const char *path, unsigned parts,
    const unsigned char *ticket_key, snapshot_mistake_fn *mistake_fn, void *arg)
{
	struct build b = { .files = files, .parts = parts, .ticket_key = ticket_key };

	ASSERT(ticket_key || (parts & SNAPSHOT_CHECK) || !(parts & SNAPSHOT_WORKER));
	htab_init(&b.targets);
	htab_init(&b.doc.names);
	b.s = snapshot_new();
	b.temp = arena_new();
	b.mistakes = mistakes_new();
	if (!b.s || !b.temp || !b.mistakes) {
		mistake_fn(arg, false, path, 0, "out of memory");
		drop(&b);
		goto out;
	}
	build_all(&b, path);
	if (b.doc.no_memory)
		mistake(b.mistakes, path, 0, "out of memory");
	mistakes_report(b.mistakes, mistake_fn, arg);
	if (mistakes_count(b.mistakes) > 0)
		drop(&b);
out:
	document_free(&b.doc);
	htab_free(&b.targets);
	mistakes_free(&b.mistakes);
	arena_free(&b.temp);
	return b.s;
}

struct snapshot *
snapshot_ref(struct snapshot *s)
{
	s->refs++;
	return s;
}

static snapshot_last_fn *on_last = snapshot_free;

void
snapshot_set_last(snapshot_last_fn *fn)
{
	on_last = fn ? fn : snapshot_free;
}

void
snapshot_unref(struct snapshot **sp)
{
	struct snapshot *s = *sp;
	*sp = NULL;
	if (s && --s->refs == 0)
		on_last(s);
}

void
snapshot_free(struct snapshot *s)
{
	for (unsigned i = 0; i < s->n_backends; i++) {
		struct tls_client *client = s->backends[i].client;
		struct secret probe = s->backends[i].probe_password;
		tls_client_unref(&client);
		secret_clear(&probe);
	}
	for (unsigned i = 0; i < s->n_lookups; i++)
		lookup_free(&s->lookups[i]);
	mem_free(s->lookups);
	tls_client_unref(&s->targets[0]);
	tls_client_unref(&s->targets[1]);
	tls_server_unref(&s->tls);
	arena_free(&s->arena);
	mem_free(s);
}

const struct backend *
snapshot_backend(const struct snapshot *s, const char *name)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		if (strcmp(s->backends[i].name, name) == 0)
			return &s->backends[i];
	return NULL;
}

const struct listen *
snapshot_listen(const struct snapshot *s, const char *name)
{
	for (unsigned i = 0; i < s->n_listens; i++)
		if (strcmp(s->listens[i].name, name) == 0)
			return &s->listens[i];
	return NULL;
}
