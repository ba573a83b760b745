/*
 * config/build_tls.c - [tls NAME]: names, certificates and keys; and what backends need to speak
 * TLS.
 *
 * The text is checked in every process; files are read and contexts built only in those that have
 * a part for them. A key is in memory from reading its file to the end of the section, in buffers
 * that are wiped.
 */
#include "config/build.h"

#include <time.h>

#include "base/mem.h"
#include "config/values.h"

_Static_assert(TLS_1_2 == 0 && TLS_1_3 == 1, "min_version");

#define EXPIRY_DAYS 7

/* --- names */

struct served {
	struct htab_node node; /* key: the name, lowered */
	const struct document_key *key;
};

struct names {
	struct htab served;
	const struct document_section *rest; /* serves the others: has no names */
};

static struct slice
lowered(struct build *b, struct slice text)
{
	char *copy = arena_str(b->temp, text);
	if (!copy) {
		b->doc.no_memory = true;
		return SLICE("");
	}
	for (char *p = copy; *p; p++)
		*p = ascii_lower(*p);
	return (struct slice){ copy, text.len };
}

static void
check_name(struct build *b, struct names *names, const struct document_item *item)
{
	struct err err;
	if (value_host(item->text, true, &err) < 0) {
		document_mistake(&b->doc, item->key, "%s", err.text);
		return;
	}
	struct served *s = arena_alloc(b->temp, sizeof(*s));
	if (!s) {
		b->doc.no_memory = true;
		return;
	}
	s->node.key = lowered(b, item->text);
	s->key = item->key;
	struct htab_node *node = htab_find(&names->served, s->node.key);
	if (node) {
		const struct served *first = container_of(node, struct served, node);
		document_mistake(&b->doc, item->key, "\"" SLICE_FMT "\" is there already, at %s:%d",
		    SLICE_ARG(item->text), first->key->file, first->key->line);
		return;
	}
	if (!htab_insert(&names->served, &s->node))
		b->doc.no_memory = true;
}

/* --- certificates */

/* The files of one section, in memory as long as its context is being built. */
struct pems {
	struct buf *bufs; /* chain, key, chain, key, … */
	struct tls_pair *pairs;
	size_t n; /* pairs */
};

static void
pems_free(struct pems *p)
{
	for (size_t i = 0; p->bufs && i < p->n * 2; i++)
		buf_free(&p->bufs[i]);
	mem_free(p->bufs);
	mem_free(p->pairs);
}

static bool
pems_read(struct build *b, struct pems *p, const struct document_item *chains,
    const struct document_item *keys, size_t n)
{
	bool right = true;
	p->bufs = mem_zalloc(n * 2 * sizeof(*p->bufs));
	p->pairs = mem_zalloc(n * sizeof(*p->pairs));
	if (!p->bufs || !p->pairs) {
		b->doc.no_memory = true;
		return false;
	}
	p->n = n;
	for (size_t i = 0; i < n; i++) {
		struct buf *chain = &p->bufs[i * 2], *key = &p->bufs[i * 2 + 1];
		bool both =
		    build_file(b, chains[i].key, CONFIG_FILE_TLS_KEY, chains[i].text, chain);
		both = build_file(b, keys[i].key, CONFIG_FILE_TLS_KEY, keys[i].text, key) && both;
		p->pairs[i] = (struct tls_pair){ buf_slice(chain), buf_slice(key) };
		right = right && both;
	}
	return right;
}

static bool
check_paths(struct build *b, const struct document_item *items, size_t n)
{
	char shown[VALUE_SHOWN];
	bool right = true;
	for (size_t i = 0; i < n; i++) {
		if (items[i].text.p[0] == '/')
			continue;
		document_mistake(&b->doc, items[i].key, "expected an absolute path, found \"%s\"",
		    str_printable(shown, sizeof(shown), items[i].text));
		right = false;
	}
	return right;
}

/* Says when the certificates just added end the first of all, and soon. */
static void
check_expiry(struct build *b, const struct document_section *s, int64_t before, int64_t expires)
{
	int64_t now = (int64_t)time(NULL);
	int line = document_line(s, "certificate");
	if (!(b->parts & SNAPSHOT_CHECK) || expires == 0 || expires == before)
		return;
	long long days = (long long)((expires < now ? now - expires : expires - now) / 86400);
	if (expires < now)
		mistake_warning(b->mistakes, s->file, line, "certificate: expired %lld day%s ago",
		    days, days == 1 ? "" : "s");
	else if (days < EXPIRY_DAYS)
		mistake_warning(b->mistakes, s->file, line, "certificate: expires in %lld day%s",
		    days, days == 1 ? "" : "s");
}

/*
 * @served: they go into the contexts that clients see. Not when a name is wrong: then a set for
 * this section alone finds out what is wrong with its files.
 */
static void
add_certificates(struct build *b, const struct document_section *s, bool served,
    const struct slice *names, size_t n_names, const struct document_item *chains,
    const struct document_item *keys, size_t n)
{
	static const unsigned char no_key[TLS_TICKET_KEY];
	struct pems pems = { NULL, NULL, 0 };
	struct err err = { "" };
	size_t bad = SIZE_MAX;
	enum tls_version min = (enum tls_version)document_word(SECTION_TLS, s, "min_version");
	struct tls_server *tls = served ? tls_server_ref(b->s->tls) : tls_server_new(no_key, &err);

	if (!tls) {
		mistake(b->mistakes, s->file, s->line, "[tls %s]: %s", s->name, err.text);
		return;
	}
	if (!pems_read(b, &pems, chains, keys, n))
		goto out;
	int64_t before = tls_server_expires(tls);
	if (tls_server_add(tls, names, served ? n_names : 0, pems.pairs, n, min, &bad, &err) >= 0)
		check_expiry(b, s, before, tls_server_expires(tls));
	else if (bad < n)
		document_mistake(&b->doc, chains[bad].key, SLICE_FMT " with key " SLICE_FMT ": %s",
		    SLICE_ARG(chains[bad].text), SLICE_ARG(keys[bad].text), err.text);
	else
		mistake(b->mistakes, s->file, s->line, "[tls %s]: %s", s->name, err.text);
out:
	pems_free(&pems);
	tls_server_unref(&tls);
}

static void
build_section(struct build *b, const struct document_section *s, struct names *names)
{
	const struct document_item *items, *chains, *keys;
	unsigned before = mistakes_count(b->mistakes);

	size_t n_names = document_items(&b->doc, s, "names", &items);
	for (size_t i = 0; i < n_names; i++)
		check_name(b, names, &items[i]);
	/* Names that were written wrongly are names all the same. */
	bool serves_rest = !s->incomplete;
	for (const struct document_key *k = s->keys; k; k = k->next)
		serves_rest = serves_rest && (strcmp(k->key->name, "names") != 0 || !k->value[0]);
	if (serves_rest && names->rest)
		mistake(b->mistakes, s->file, s->line,
		    "[tls %s] needs the key \"names\": [tls %s] at %s:%d has none already and "
		    "serves the others",
		    s->name, names->rest->name, names->rest->file, names->rest->line);
	else if (serves_rest)
		names->rest = s;

	size_t n = document_items(&b->doc, s, "certificate", &chains);
	size_t n_keys = document_items(&b->doc, s, "key", &keys);
	bool right = check_paths(b, chains, n);
	right = check_paths(b, keys, n_keys) && right;
	if (n > 0 && n_keys > 0 && n != n_keys)
		mistake(b->mistakes, s->file, document_line(s, "key"),
		    "key: expected as many as there are certificates, %zu, found %zu", n, n_keys);
	else if (right && n > 0 && n_keys > 0 && b->s->tls) {
		struct slice *texts = arena_alloc(b->temp, n_names * sizeof(*texts));
		if (!texts) {
			b->doc.no_memory = true;
			return;
		}
		for (size_t i = 0; i < n_names; i++)
			texts[i] = items[i].text;
		bool served = mistakes_count(b->mistakes) == before;
		add_certificates(b, s, served, texts, n_names, chains, keys, n);
	}
}

void
build_tls(struct build *b)
{
	static const unsigned char no_key[TLS_TICKET_KEY];
	struct names names = { .rest = NULL };
	const struct document_section *first = b->doc.first[SECTION_TLS];
	const struct document_section *wants = NULL; /* the first listener with TLS */
	struct err err;

	htab_init(&names.served);
	for (const struct document_section *s = b->doc.first[SECTION_LISTEN]; s && !wants;
	     s = s->next)
		if (b->s->listens[s->index].tls != TLS_MODE_NONE)
			wants = s;
	if (wants && !first && !b->doc.incomplete)
		mistake(b->mistakes, wants->file, document_line(wants, "tls"),
		    "[listen %s] has TLS, but there is no [tls NAME] section with a certificate",
		    wants->name);
	bool build = (b->parts & SNAPSHOT_CHECK) || ((b->parts & SNAPSHOT_WORKER) && wants);
	if (first && build) {
		b->s->tls = tls_server_new(b->ticket_key ? b->ticket_key : no_key, &err);
		if (!b->s->tls)
			mistake(b->mistakes, first->file, first->line, "TLS: %s", err.text);
	}
	for (const struct document_section *s = first; s; s = s->next)
		build_section(b, s, &names);
	if (first && wants && !names.rest && !b->doc.incomplete)
		mistake_warning(b->mistakes, first->file, first->line,
		    "every [tls NAME] section has names: clients that ask for none, or for "
		    "another, get no certificate");
	if (!wants)
		tls_server_unref(&b->s->tls);
	htab_free(&names.served);
}

/* --- towards stores */

/*
 * The system's authorities as one file, by what distributions call it: a file can be handed on, OpenSSL's directory
 * of one file a certificate would be opened at each handshake, by processes that open nothing.
 */
static const char *const system_ca[] = {
	"/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch, Alpine */
	"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora and its relatives */
	"/etc/ssl/ca-bundle.pem",             /* SUSE */
};

static bool
trusts_system(const struct build *b, const struct document_section *s)
{
	const struct backend *backend = &b->backends[s->index];

	return backend->tls != TLS_MODE_NONE && backend->verify && !document_key(s, "ca");
}

/* Whether somebody may need the system's: backends without `ca`, and targets that only a lookup knows. */
static bool
needs_system(const struct build *b)
{
	for (const struct document_section *s = b->doc.first[SECTION_BACKEND]; s; s = s->next)
		if (trusts_system(b, s))
			return true;
	for (const struct document_section *s = b->doc.first[SECTION_ROUTE]; s; s = s->next)
		if (document_key(s, "lookup"))
			return true;
	return false;
}

/* Systems without any are no mistake: there, nobody is trusted. */
static void
build_targets(struct build *b)
{
	struct tls_client_params params = { .verify = true, .min = TLS_1_2 };
	const char *path = system_ca[0];
	struct buf pem;
	struct err err;
	bool found = false;

	buf_init(&pem, 0, false);
	for (size_t i = 0; i < ARRAY_SIZE(system_ca) && !found && needs_system(b); i++) {
		path = system_ca[i];
		found = config_files_read(b->files, CONFIG_FILE_STORE_CA, path, &pem, &err) >= 0;
	}
	params.ca = buf_slice(&pem);
	b->s->targets[1] = tls_client_new(&params, &err);
	params = (struct tls_client_params){ .min = TLS_1_2 };
	if (b->s->targets[1])
		b->s->targets[0] = tls_client_new(&params, &err);
	if (!b->s->targets[0])
		mistake(
		    b->mistakes, path, 0, "the authorities that the system trusts: %s", err.text);
	buf_free(&pem);
}

static void
build_client(struct build *b, const struct document_section *s, struct backend *backend)
{
	struct tls_client_params params = { .verify = backend->verify, .min = TLS_1_2 };
	const struct document_key *ca = document_key(s, "ca");
	struct buf pem;
	struct err err;

	buf_init(&pem, 0, false);
	if (ca && !build_file(b, ca, CONFIG_FILE_STORE_CA, slice_of(ca->value), &pem))
		goto out;
	params.ca = buf_slice(&pem);
	if (ca && params.ca.len == 0) {
		document_mistake(&b->doc, ca, "%s is empty", ca->value);
		goto out;
	}
	if (trusts_system(b, s))
		params.like = b->s->targets[1];
	backend->client = tls_client_new(&params, &err);
	if (!backend->client && ca)
		document_mistake(&b->doc, ca, "%s: %s", ca->value, err.text);
	else if (!backend->client)
		mistake(b->mistakes, s->file, s->line, "[backend %s]: %s", s->name, err.text);
out:
	buf_free(&pem);
}

void
build_tls_clients(struct build *b)
{
	if (!(b->parts & (SNAPSHOT_CHECK | SNAPSHOT_WORKER | SNAPSHOT_DIRECTORY)) ||
	    b->doc.no_memory)
		return;
	build_targets(b);
	for (const struct document_section *s = b->doc.first[SECTION_BACKEND]; s; s = s->next)
		if (b->backends[s->index].tls != TLS_MODE_NONE)
			build_client(b, s, &b->backends[s->index]);
}
