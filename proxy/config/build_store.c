/*
 * config/build_store.c - [backend NAME] and [pool NAME].
 *
 *      pools:  the named ones in order of the file | one of one for each backend, under its name
 *
 * Routes, fallbacks and lookups point at a pool by name and need not know which kind it is. Every
 * name is entered before any is looked up, so that the order of the file does not matter.
 */
#include "config/build.h"

#include "config/values.h"

_Static_assert(
    BALANCE_HASH == 0 && BALANCE_LEAST == 1 && BALANCE_RANDOM == 2 && BALANCE_ROUND_ROBIN == 3,
    "balance");

/* --- [backend NAME] */

void
snapshot_backend_defaults(struct backend *backend)
{
	*backend = (struct backend){
		.tls = (enum tls_mode)document_word(SECTION_BACKEND, NULL, "tls"),
		.verify = document_bool(SECTION_BACKEND, NULL, "verify"),
		.weight = (unsigned)document_number(SECTION_BACKEND, NULL, "weight"),
		.max_logging_in =
		    (unsigned)document_number(SECTION_BACKEND, NULL, "max_logging_in"),
		.connect_timeout = document_number(SECTION_BACKEND, NULL, "connect_timeout"),
		.reply_timeout = document_number(SECTION_BACKEND, NULL, "reply_timeout"),
	};
}

static void
backend_address(struct build *b, const struct document_section *s, struct backend *backend)
{
	const struct document_key *k = document_key(s, "address");
	struct slice host;
	struct addr ip;
	struct err err;
	backend->host = "";
	if (!k)
		return;
	if (!addr_split(slice_of(k->value), false, &host, &backend->port, &err) ||
	    (!addr_parse_ip(&ip, host, 0) && value_host(host, false, &err) < 0)) {
		document_mistake(&b->doc, k, "%s", err.text);
		return;
	}
	backend->host = build_str(b, host);
}

static void
backend_sources(struct build *b, const struct document_section *s, struct backend *backend)
{
	const struct document_item *items;
	char shown[VALUE_SHOWN];
	size_t n = document_items(&b->doc, s, "source", &items);
	if (n == 0)
		return;
	struct addr *sources = build_alloc(b, n, sizeof(*sources));
	if (!sources)
		return;
	backend->sources = sources;
	struct addr to;
	bool literal = addr_parse_ip(&to, slice_of(backend->host), 0);
	for (size_t i = 0; i < n; i++) {
		struct addr *a = &sources[backend->n_sources];
		if (!addr_parse_ip(a, items[i].text, 0))
			document_mistake(&b->doc, items[i].key,
			    "expected an address without a port, such as 192.0.2.1, found \"%s\"",
			    str_printable(shown, sizeof(shown), items[i].text));
		else if (literal && a->sa.sa_family != to.sa.sa_family)
			document_mistake(&b->doc, items[i].key,
			    SLICE_FMT " cannot connect to %s: one is IPv4, the other IPv6",
			    SLICE_ARG(items[i].text), backend->host);
		else
			backend->n_sources++;
	}
}

static void
backend_warnings(struct build *b, const struct document_section *s, const struct backend *backend)
{
	const struct document_key *ca = document_key(s, "ca"), *verify = document_key(s, "verify");
	if (backend->tls != TLS_MODE_NONE && !backend->verify)
		mistake_warning(b->mistakes, verify->file, verify->line,
		    "verify = no: whoever is between here and the store can read passwords and "
		    "mail");
	if (backend->tls == TLS_MODE_NONE && ca)
		mistake_warning(
		    b->mistakes, ca->file, ca->line, "ca has no effect with tls = none");
	else if (!backend->verify && ca)
		mistake_warning(
		    b->mistakes, ca->file, ca->line, "ca has no effect with verify = no");
	if (backend->tls == TLS_MODE_NONE && verify && backend->verify)
		mistake_warning(b->mistakes, verify->file, verify->line,
		    "verify has no effect with tls = none");
}

/* Whoever may read the file of a password may log in with it. */
static void
warn_open_secret(struct build *b, const struct document_key *k)
{
	enum config_file_kind kind;
	const char *path;
	struct stat st;
	int fd;

	for (size_t i = 0; (path = config_files_at(b->files, i, &kind, &fd)); i++) {
		if (kind != CONFIG_FILE_SECRET || strcmp(path, k->value) != 0 ||
		    !config_files_stat(b->files, i, &st) || !(st.st_mode & S_IROTH))
			continue;
		mistake_warning(b->mistakes, k->file, k->line,
		    "%s: %s can be read by everybody on this machine (chmod o-r)", k->key->name,
		    path);
		return;
	}
}

/* The first line of the file that @k names. */
static void
read_secret(struct build *b, const struct document_key *k, struct secret *secret)
{
	struct buf bytes;

	if (build_file(b, k, CONFIG_FILE_SECRET, slice_of(k->value), &bytes)) {
		struct slice line = buf_slice(&bytes);
		const char *nl = line.len ? memchr(line.p, '\n', line.len) : NULL;

		if (nl)
			line.len = (size_t)(nl - line.p);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (line.len == 0)
			document_mistake(
			    &b->doc, k, "%s has no password in its first line", k->value);
		else if (memchr(line.p, '\0', line.len))
			document_mistake(&b->doc, k, "%s has a NUL in its first line", k->value);
		else if (!secret_set(secret, line))
			b->doc.no_memory = true;
		warn_open_secret(b, k);
	}
	buf_free(&bytes);
}

/* Something stands there that was reported already. */
static bool
was_wrong(const struct document_section *s, const char *name)
{
	for (const struct document_key *k = s->keys; k; k = k->next)
		if (k->bad && strcmp(k->key->name, name) == 0)
			return true;
	return s->incomplete;
}

static void
backend_probe(struct build *b, const struct document_section *s, struct backend *backend)
{
	const struct document_key *user = document_key(s, "probe_user"),
				  *file = document_key(s, "probe_password_file");

	if (!user && !file)
		return;
	if (!user || !file) {
		const char *other = user ? "probe_password_file" : "probe_user";
		if (!was_wrong(s, other))
			document_mistake(&b->doc, user ? user : file, "needs %s beside it", other);
		return;
	}
	backend->probe_user = build_str(b, slice_of(user->value));
	if (b->parts & (SNAPSHOT_CHECK | SNAPSHOT_SECRETS))
		read_secret(b, file, &backend->probe_password);
	if (!(b->parts & SNAPSHOT_SECRETS)) /* it was only to be looked at */
		secret_clear(&backend->probe_password);
}

void
build_backends(struct build *b)
{
	unsigned n = b->doc.count[SECTION_BACKEND];
	b->backends = build_alloc(b, n, sizeof(*b->backends));
	if (!b->backends)
		return;
	b->s->backends = b->backends;
	b->s->n_backends = n;
	for (const struct document_section *s = b->doc.first[SECTION_BACKEND]; s; s = s->next) {
		struct backend *backend = &b->backends[s->index];
		snapshot_backend_defaults(backend);
		backend->name = build_str(b, slice_of(s->name));
		backend->line = s->line;
		backend->index = s->index;
		backend->tls = (enum tls_mode)document_word(SECTION_BACKEND, s, "tls");
		backend->verify = document_bool(SECTION_BACKEND, s, "verify");
		backend->weight = (unsigned)document_number(SECTION_BACKEND, s, "weight");
		backend->max_logging_in =
		    (unsigned)document_number(SECTION_BACKEND, s, "max_logging_in");
		backend->connect_timeout = document_number(SECTION_BACKEND, s, "connect_timeout");
		backend->reply_timeout = document_number(SECTION_BACKEND, s, "reply_timeout");
		backend_address(b, s, backend);
		backend_sources(b, s, backend);
		backend_probe(b, s, backend);
		backend_warnings(b, s, backend);
	}
}

/* --- names that routes point at */

static void
add_target(struct build *b, const struct document_section *s, unsigned pool)
{
	struct build_target *t = arena_alloc(b->temp, sizeof(*t));
	if (!t) {
		b->doc.no_memory = true;
		return;
	}
	*t = (struct build_target){ .node.key = slice_of(s->name), .pool = pool, .section = s };
	struct htab_node *node = htab_find(&b->targets, t->node.key);
	if (!node) {
		if (!htab_insert(&b->targets, &t->node))
			b->doc.no_memory = true;
		return;
	}
	const struct document_section *first =
	    container_of(node, struct build_target, node)->section;
	mistake(b->mistakes, s->file, s->line,
	    "[%s %s]: there is a [%s %s] at %s:%d, and a pool and a backend cannot share a name",
	    config_section_name(s->kind), s->name, config_section_name(first->kind), first->name,
	    first->file, first->line);
}

static const char *
near_target(struct build *b, struct slice name, bool backends_only)
{
	const char *near = NULL;
	unsigned best = 3;
	const enum config_section kinds[] = { SECTION_POOL, SECTION_BACKEND };
	for (unsigned i = backends_only ? 1 : 0; i < ARRAY_SIZE(kinds); i++) {
		for (const struct document_section *s = b->doc.first[kinds[i]]; s; s = s->next) {
			unsigned far = str_distance(slice_of(s->name), name, 2);
			if (far < best && far * 2 < strlen(s->name)) {
				best = far;
				near = s->name;
			}
		}
	}
	return near;
}

const struct build_target *
build_target(struct build *b, const struct document_key *k, struct slice name, bool backends_only)
{
	char shown[VALUE_SHOWN];
	struct htab_node *node = htab_find(&b->targets, name);
	const struct build_target *t = node ? container_of(node, struct build_target, node) : NULL;
	const char *what = backends_only ? "backend" : "pool or backend";
	if (t && (!backends_only || t->section->kind == SECTION_BACKEND))
		return t;
	str_printable(shown, sizeof(shown), name);
	const char *near = near_target(b, name, backends_only);
	if (t)
		document_mistake(&b->doc, k, "\"%s\" is a pool; expected a backend", shown);
	else if (near)
		document_mistake(
		    &b->doc, k, "there is no %s \"%s\"; did you mean \"%s\"?", what, shown, near);
	else if (!b->doc.incomplete)
		document_mistake(&b->doc, k, "there is no %s \"%s\"", what, shown);
	return NULL;
}

/* --- [pool NAME] */

static bool
pool_has(const struct pool *pool, const struct backend *backend)
{
	for (unsigned i = 0; i < pool->n; i++)
		if (pool->backends[i] == backend)
			return true;
	return false;
}

static void
pool_backends(struct build *b, const struct document_section *s, struct pool *pool)
{
	const struct document_item *items;
	size_t n = document_items(&b->doc, s, "backends", &items);
	if (n > POOL_BACKENDS_MAX) {
		document_mistake(&b->doc, items[POOL_BACKENDS_MAX].key,
		    "%zu backends; %d is the limit", n, POOL_BACKENDS_MAX);
		return;
	}
	const struct backend **backends = build_alloc(b, n, sizeof(*backends));
	if (!backends)
		return;
	pool->backends = backends;
	for (size_t i = 0; i < n; i++) {
		const struct build_target *t = build_target(b, items[i].key, items[i].text, true);
		if (!t)
			continue;
		const struct backend *backend = &b->backends[t->section->index];
		if (pool_has(pool, backend))
			document_mistake(
			    &b->doc, items[i].key, "\"%s\" is there twice", backend->name);
		else
			backends[pool->n++] = backend;
	}
}

static void
pool_fallback(struct build *b, const struct document_section *s, struct pool *pool)
{
	const struct document_key *k = document_key(s, "fallback");
	if (!k)
		return;
	const struct build_target *t = build_target(b, k, slice_of(k->value), false);
	if (!t)
		return;
	pool->fallback = &b->pools[t->pool];
	if (t->section->kind == SECTION_BACKEND && pool_has(pool, &b->backends[t->section->index]))
		mistake_warning(b->mistakes, k->file, k->line,
		    "fallback: \"%s\" is in the pool already", k->value);
}

/* Follows the fallbacks from @pool on; at most one step a pool. */
static void
check_circle(struct build *b, const struct document_section *s, struct pool *pool)
{
	char way[256];
	unsigned steps = 0;
	size_t len = 0;
	const struct pool *p;
	for (p = pool->fallback; p && p != pool && steps < b->s->n_named_pools; p = p->fallback)
		steps++;
	if (p != pool)
		return;
	way[0] = '\0';
	for (p = pool;;) {
		if (!str_fmt(way + len, sizeof(way) - len, "%s -> ", p->name))
			break;
		len += strlen(way + len);
		p = p->fallback;
		if (p == pool)
			break;
	}
	const struct document_key *k = document_key(s, "fallback");
	document_mistake(&b->doc, k, "goes in a circle: %s%s", way, pool->name);
	pool->fallback = NULL; /* one report a circle */
}

static void
pool_of_one(struct build *b, struct pool *pool, const struct backend *backend)
{
	const struct backend **only = build_alloc(b, 1, sizeof(*only));
	if (!only)
		return;
	*only = backend;
	pool->name = backend->name;
	pool->backends = only;
	pool->n = 1;
	pool->balance = BALANCE_HASH;
	pool->affinity_time = document_number(SECTION_POOL, NULL, "affinity_time");
	pool->affinity = true;
	pool->line = backend->line;
}

void
build_pools(struct build *b)
{
	unsigned named = b->doc.count[SECTION_POOL], n = named + b->s->n_backends;
	b->pools = build_alloc(b, n, sizeof(*b->pools));
	if (!b->pools)
		return;
	b->s->pools = b->pools;
	b->s->n_pools = n;
	b->s->n_named_pools = named;
	for (const struct document_section *s = b->doc.first[SECTION_BACKEND]; s; s = s->next) {
		add_target(b, s, named + s->index);
		pool_of_one(b, &b->pools[named + s->index], &b->backends[s->index]);
	}
	for (const struct document_section *s = b->doc.first[SECTION_POOL]; s; s = s->next) {
		add_target(b, s, s->index);
		b->pools[s->index].name = build_str(b, slice_of(s->name));
	}
	for (const struct document_section *s = b->doc.first[SECTION_POOL]; s; s = s->next) {
		struct pool *pool = &b->pools[s->index];
		pool->line = s->line;
		pool->balance = (enum balance)document_word(SECTION_POOL, s, "balance");
		pool->affinity_time = document_number(SECTION_POOL, s, "affinity_time");
		pool->affinity = pool->affinity_time > 0;
		pool->check_interval = document_number(SECTION_POOL, s, "check_interval");
		pool->check_rise = (unsigned)document_number(SECTION_POOL, s, "check_rise");
		pool->check_fall = (unsigned)document_number(SECTION_POOL, s, "check_fall");
		pool_backends(b, s, pool);
		pool_fallback(b, s, pool);
	}
	for (const struct document_section *s = b->doc.first[SECTION_POOL]; s; s = s->next)
		check_circle(b, s, &b->pools[s->index]);
}
