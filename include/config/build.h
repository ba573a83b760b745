/*
 * config/build.h - what the parts of snapshot.c share while a snapshot is built. Nobody else's.
 */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "config/document.h"
#include "config/snapshot.h"

/* A name that pools, routes and lookups may point at. */
struct build_target {
	struct htab_node node;
	unsigned pool; /* in the snapshot's array */
	const struct document_section *section;
};

struct build {
	struct document doc;
	struct mistakes *mistakes;
	struct config_files *files;
	struct snapshot *s;
	struct arena *temp; /* let go when the snapshot is there */
	unsigned parts;
	const unsigned char *ticket_key;
	struct htab targets; /* struct build_target by name */
	struct pool *pools;  /* the snapshot's, while they may be written */
	struct backend *backends;
};

/* Each reports mistakes and goes on; only memory ends it: d->no_memory. In this order. */
void build_proxy(struct build *b);
void build_listens(struct build *b);
void build_tls(struct build *b);
void build_backends(struct build *b);
void build_tls_clients(struct build *b);
void build_pools(struct build *b);
void build_routes(struct build *b);

/* From the snapshot's arena; NULL sets no_memory. */
void *build_alloc(struct build *b, size_t n, size_t size) MUST_CHECK;
const char *build_str(struct build *b, struct slice text); /* "" when out of memory */

/* A pool or backend by name; reported with a near word when there is none, and NULL. */
const struct build_target *build_target(
    struct build *b, const struct document_key *k, struct slice name, bool backends_only);

/* The file that @k names. False: reported. @out is the caller's to free in either case. */
bool build_file(struct build *b, const struct document_key *k, enum config_file_kind kind,
    struct slice path, struct buf *out) MUST_CHECK;

#endif
