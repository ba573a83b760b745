/*
 * config/build_route.c - [route] and [route NAME]: for whom, what is done to the name, where it
 * is looked up.
 *
 * Lookups are built in the directory and for checks; a source that two routes name is built once.
 * Owned by the snapshot.
 */
#include "config/build.h"

#include "base/mem.h"
#include "config/values.h"
#include "directory/lookup.h"

static const char *
title(char *dst, size_t size, const struct document_section *s)
{
	(void)str_fmt(dst, size, "[route%s%s]", s->name[0] ? " " : "", s->name);
	return dst;
}

/* --- for whom */

static const char *
near_listen(const struct build *b, struct slice name)
{
	const char *near = NULL;
	unsigned best = 3;
	for (unsigned i = 0; i < b->s->n_listens; i++) {
		unsigned far = str_distance(slice_of(b->s->listens[i].name), name, 2);
		if (far < best && far * 2 < strlen(b->s->listens[i].name)) {
			best = far;
			near = b->s->listens[i].name;
		}
	}
	return near;
}

static void
route_listens(struct build *b, const struct document_section *s, struct route *r)
{
	const struct document_item *items;
	char shown[VALUE_SHOWN];
	size_t n = document_items(&b->doc, s, "listen", &items);
	if (n == 0)
		return;
	const char **names = build_alloc(b, n, sizeof(*names));
	if (!names)
		return;
	r->listens = names;
	for (size_t i = 0; i < n; i++) {
		names[r->n_listens] = build_str(b, items[i].text);
		if (snapshot_listen(b->s, names[r->n_listens])) {
			r->n_listens++;
			continue;
		}
		const char *near = near_listen(b, items[i].text);
		str_printable(shown, sizeof(shown), items[i].text);
		if (near)
			document_mistake(&b->doc, items[i].key,
			    "there is no [listen %s]; did you mean \"%s\"?", shown, near);
		else if (!b->doc.incomplete)
			document_mistake(&b->doc, items[i].key, "there is no [listen %s]", shown);
	}
}

static void
route_server_names(struct build *b, const struct document_section *s, struct route *r)
{
	const struct document_item *items;
	struct err err;
	size_t n = document_items(&b->doc, s, "server_name", &items);
	if (n == 0)
		return;
	const char **names = build_alloc(b, n, sizeof(*names));
	if (!names)
		return;
	r->server_names = names;
	for (size_t i = 0; i < n; i++) {
		if (value_host(items[i].text, false, &err) < 0)
			document_mistake(&b->doc, items[i].key, "%s", err.text);
		else
			names[r->n_server_names++] = build_str(b, items[i].text);
	}
}

/* --- the name */

static const char steps_text[] = "lowercase | strip-domain | default-domain";

static bool
username_step(struct build *b, const struct document_item *item, struct username_step *step)
{
	char shown[VALUE_SHOWN], first[64];
	struct slice rest = item->text, word = slice_word(&rest), near;
	struct err err;
	rest = slice_trim(rest);
	str_printable(shown, sizeof(shown), item->text);
	str_printable(first, sizeof(first), word);
	if (slice_eq_cstr(word, "lowercase") || slice_eq_cstr(word, "strip-domain")) {
		if (rest.len > 0) {
			document_mistake(&b->doc, item->key,
			    "expected a comma or nothing behind %s, found \"%s\"", first, shown);
			return false;
		}
		step->kind = word.p[0] == 'l' ? USERNAME_LOWERCASE : USERNAME_STRIP_DOMAIN;
		return true;
	}
	if (slice_eq_cstr(word, "default-domain")) {
		if (value_host(rest, false, &err) < 0) {
			document_mistake(&b->doc, item->key,
			    "expected default-domain and a domain, such as \"default-domain "
			    "example.org\", found \"%s\"",
			    shown);
			return false;
		}
		step->kind = USERNAME_DEFAULT_DOMAIN;
		step->domain = build_str(b, rest);
		return true;
	}
	if (value_near_word(steps_text, first, &near))
		document_mistake(&b->doc, item->key,
		    "unknown step \"%s\"; did you mean \"" SLICE_FMT "\"?", first, SLICE_ARG(near));
	else
		document_mistake(&b->doc, item->key,
		    "expected lowercase, default-domain DOMAIN or strip-domain, found \"%s\"",
		    shown);
	return false;
}

static void
route_username_steps(struct build *b, const struct document_section *s, struct route *r)
{
	const struct document_item *items;
	size_t n = document_items(&b->doc, s, "username", &items);
	if (n == 0)
		return;
	struct username_step *steps = build_alloc(b, n, sizeof(*steps));
	if (!steps)
		return;
	r->steps = steps;
	for (size_t i = 0; i < n; i++) {
		struct username_step *step = &steps[r->n_steps];
		if (!username_step(b, &items[i], step))
			continue;
		for (unsigned j = 0; j < r->n_steps; j++)
			if (steps[j].kind == step->kind)
				document_mistake(&b->doc, items[i].key,
				    "\"" SLICE_FMT "\": this step is there twice",
				    SLICE_ARG(items[i].text));
		r->n_steps++;
	}
}

/* --- lookups */

struct reading {
	struct build *b;
	const char *path;
};

static bool
on_target(void *arg, struct slice name)
{
	const struct reading *r = arg;
	/* With a section that could not be understood nobody knows what there is. */
	return r->b->doc.incomplete || htab_find(&r->b->targets, name);
}

static void
on_mistake(void *arg, int line, const char *text)
{
	const struct reading *r = arg;
	mistake(r->b->mistakes, r->path, line, "%s", text);
}

static struct lookup *
lookup_file(struct build *b, const struct document_key *k, const char *source, struct slice path)
{
	struct reading reading = { b, build_str(b, path) };
	struct lookup *lookup = NULL;
	struct buf bytes;
	if (build_file(b, k, CONFIG_FILE_LOOKUP, path, &bytes))
		lookup =
		    lookup_file_new(source, buf_slice(&bytes), on_target, on_mistake, &reading);
	buf_free(&bytes);
	return lookup;
}

/* The one that another route has built already. */
static struct lookup *
find_lookup(const struct build *b, struct slice source)
{
	for (unsigned i = 0; i < b->s->n_lookups; i++)
		if (slice_eq_cstr(source, b->s->lookups[i]->source))
			return b->s->lookups[i];
	return NULL;
}

static bool
keep_lookup(struct build *b, struct lookup *lookup)
{
	struct snapshot *s = b->s;
	struct lookup **all = mem_array(s->lookups, s->n_lookups + 1, sizeof(*all));
	if (!all) {
		b->doc.no_memory = true;
		lookup_free(&lookup);
		return false;
	}
	s->lookups = all;
	s->lookups[s->n_lookups++] = lookup;
	return true;
}

/* Whether it is a source that we have. */
static bool
check_source(struct build *b, const struct document_item *item, struct slice *path_r)
{
	char shown[VALUE_SHOWN], word[32];
	struct slice rest = item->text, scheme = rest, near;
	bool colon = memchr(rest.p, ':', rest.len) != NULL;
	(void)slice_cut(&rest, ':', &scheme);
	str_printable(shown, sizeof(shown), item->text);
	str_printable(word, sizeof(word), scheme);
	*path_r = rest;
	if (colon && slice_eq_cstr(scheme, "file")) {
		if (rest.len > 0 && rest.p[0] == '/')
			return true;
		document_mistake(
		    &b->doc, item->key, "expected file: and an absolute path, found \"%s\"", shown);
		return false;
	}
	if (value_word(item->key->key->planned_words, word) >= 0)
		document_mistake(&b->doc, item->key,
		    "%s: is planned, but this version does not have it yet", word);
	else if (colon && value_near_word("file", word, &near))
		document_mistake(
		    &b->doc, item->key, "unknown source \"%s:\"; did you mean \"file:\"?", word);
	else
		document_mistake(&b->doc, item->key,
		    "expected a source such as file:/etc/sallyport/users, found \"%s\"", shown);
	return false;
}

static void
route_lookups(struct build *b, const struct document_section *s, struct route *r)
{
	const struct document_item *items;
	size_t n = document_items(&b->doc, s, "lookup", &items);
	if (n == 0)
		return;
	struct lookup **lookups = build_alloc(b, n, sizeof(struct lookup *));
	if (!lookups)
		return;
	r->lookups = lookups;
	for (size_t i = 0; i < n; i++) {
		struct slice path;
		bool twice = false;
		for (size_t j = 0; j < i; j++)
			twice = twice || slice_eq(items[j].text, items[i].text);
		if (twice) {
			document_mistake(&b->doc, items[i].key, "\"" SLICE_FMT "\" is there twice",
			    SLICE_ARG(items[i].text));
			continue;
		}
		if (!check_source(b, &items[i], &path) ||
		    !(b->parts & (SNAPSHOT_CHECK | SNAPSHOT_DIRECTORY)))
			continue;
		struct lookup *lookup = find_lookup(b, items[i].text);
		if (!lookup) {
			lookup = lookup_file(b, items[i].key, build_str(b, items[i].text), path);
			if (!lookup || !keep_lookup(b, lookup))
				continue;
		}
		lookups[r->n_lookups++] = lookup;
	}
}

/* --- all of it */

/* Also one that was wrong, or may be in a line that was. */
static bool
has_key(const struct document_section *s, const char *name)
{
	for (const struct document_key *k = s->keys; k; k = k->next)
		if (strcmp(k->key->name, name) == 0 && (k->bad || k->value[0]))
			return true;
	return s->incomplete;
}

/* Routes that say neither listener nor server name serve everybody: there can be one. */
static void
check_reach(struct build *b)
{
	const struct document_section *all = NULL;
	char shown[96], first[96];
	for (const struct document_section *s = b->doc.first[SECTION_ROUTE]; s; s = s->next) {
		if (has_key(s, "listen") || has_key(s, "server_name"))
			continue;
		if (all)
			mistake(b->mistakes, s->file, s->line,
			    "%s needs the key \"listen\" or \"server_name\": %s at %s:%d serves "
			    "everybody already",
			    title(shown, sizeof(shown), s), title(first, sizeof(first), all),
			    all->file, all->line);
		else
			all = s;
	}
	if (all || b->s->n_routes == 0 || b->doc.incomplete)
		return;
	for (const struct document_section *l = b->doc.first[SECTION_LISTEN]; l; l = l->next) {
		bool reached = false;
		for (unsigned i = 0; i < b->s->n_routes && !reached; i++) {
			const struct route *r = &b->s->routes[i];
			reached = !r->listens;
			for (unsigned j = 0; j < r->n_listens; j++)
				reached = reached || strcmp(r->listens[j], l->name) == 0;
		}
		if (!reached)
			mistake_warning(b->mistakes, l->file, l->line,
			    "no route is for [listen %s]: every login there is refused", l->name);
	}
}

void
build_routes(struct build *b)
{
	unsigned n = b->doc.count[SECTION_ROUTE];
	char shown[96];
	struct route *routes = build_alloc(b, n, sizeof(*routes));
	if (!routes)
		return;
	b->s->routes = routes;
	b->s->n_routes = n;
	for (const struct document_section *s = b->doc.first[SECTION_ROUTE]; s; s = s->next) {
		struct route *r = &routes[s->index];
		r->name = build_str(b, slice_of(s->name));
		r->line = s->line;
		route_listens(b, s, r);
		route_server_names(b, s, r);
		route_username_steps(b, s, r);
		route_lookups(b, s, r);
		const struct document_key *k = document_key(s, "default");
		const struct build_target *t =
		    k ? build_target(b, k, slice_of(k->value), false) : NULL;
		if (t)
			r->default_target = &b->pools[t->pool];
		if (!has_key(s, "lookup") && !has_key(s, "default"))
			mistake(b->mistakes, s->file, s->line,
			    "%s needs the key \"lookup\" or \"default\": it would route nobody",
			    title(shown, sizeof(shown), s));
	}
	check_reach(b);
	if (n == 0 && !b->doc.incomplete)
		mistake(b->mistakes, b->doc.path, 0, "no [route] section: no user could log in");
}
