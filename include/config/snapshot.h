/*
 * config/snapshot.h - a configuration, checked and built: immutable and counted.
 */
#ifndef CONFIG_SNAPSHOT_H
#define CONFIG_SNAPSHOT_H

#include "base/log.h"
#include "config/files.h"
#include "directory/route.h"
#include "io/tls_ctx.h"
#include "store/pool.h"

struct arena;

/* What of it this process needs: the rest is checked as text only. */
enum snapshot_part {
	SNAPSHOT_CHECK = 1,     /* everything is built, to find every mistake (master, check) */
	SNAPSHOT_WORKER = 2,    /* TLS contexts of both sides */
	SNAPSHOT_DIRECTORY = 4, /* lookups */
	SNAPSHOT_SECRETS = 8,   /* passwords of ours for stores */
};

struct listen {
	const char *name;
	const struct addr *addrs; /* `*` and names of all addresses are already IPv4 and IPv6 any */
	unsigned n_addrs;
	enum tls_mode tls;
	bool plaintext_login;
	int line;
};

struct proxy_settings {
	const char *user;           /* NULL when not set: stay who we are */
	const char *directory_user; /* NULL: like user */
	unsigned workers;           /* auto is resolved: one a processor */
	const char *hostname;       /* for the greeting; never NULL */
	const char *capability;     /* `capability =`: replaces the announced list; NULL: learnt */
	const char *log;            /* "stderr", "syslog" or a path */
	const char *control;        /* path of the control socket; NULL: none */
	const char *control_group;  /* who may use it besides; NULL: nobody */
	enum log_format log_format;
	enum log_level log_level;
	bool log_hash_users;
	double certificate_check_interval; /* 0: never */
	double login_timeout;              /* seconds, as all times */
	double idle_timeout;               /* 0: none */
	double stop_timeout;
	double auth_failure_delay;
	unsigned max_sessions;                                      /* over all workers */
	unsigned max_line, max_auth_line, max_literal, max_command; /* bytes, before login */
	unsigned max_bad_commands;                                  /* in a row */
	unsigned max_failed_logins;                                 /* on one connection */
};

struct snapshot {
	unsigned refs;
	struct snapshot *next; /* free for who got it by snapshot_set_last() */
	struct arena *arena;
	struct proxy_settings proxy;
	const struct listen *listens;
	unsigned n_listens;
	struct tls_server *tls;         /* NULL: no listener needs it, or not our part */
	struct tls_client *targets[2];  /* for targets without a [backend]: [verify]; as tls */
	const struct backend *backends; /* backends[i].index == i */
	unsigned n_backends;
	const struct pool
	    *pools; /* the named ones, then one of one for each backend, of the same name */
	unsigned n_pools, n_named_pools;
	const struct route *routes;
	unsigned n_routes;
	struct lookup *
	    *lookups; /* those of the routes, each once: what is freed with the snapshot */
	unsigned n_lookups;
};

/*
 * One mistake or warning: "FILE:LINE: text", the line 0 when there is none. Called for all of a
 * run, in order of file and line.
 */
typedef void snapshot_mistake_fn(
    void *arg, bool warning, const char *file, int line, const char *text);

/*
 * Reads @path (and its includes) from @files and builds the @parts (set of enum snapshot_part).
 * May be called by another thread than the loop's, which is then the one that calls @mistake.
 * @ticket_key: TLS_TICKET_KEY bytes for the server contexts; NULL with SNAPSHOT_CHECK.
 * NULL: there were mistakes, all of them reported. Begins with one reference.
 */
struct snapshot *snapshot_build(struct config_files *files, const char *path, unsigned parts,
    const unsigned char *ticket_key, snapshot_mistake_fn *mistake, void *arg) MUST_CHECK;
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot **s);

/*
 * What the last snapshot_unref() does with a snapshot, in place of snapshot_free(): a process whose loop must not wait for
 * millions of routes to be freed gives it to another thread, which then calls snapshot_free(). NULL: snapshot_free().
 */
typedef void snapshot_last_fn(struct snapshot *s);
void snapshot_set_last(snapshot_last_fn *fn);
void snapshot_free(struct snapshot *s);

const struct backend *snapshot_backend(const struct snapshot *s, const char *name); /* NULL: none */
const struct listen *snapshot_listen(const struct snapshot *s, const char *name);   /* NULL: none */

/* What a host:port target is when its lookup says no more: the defaults of a [backend]. */
void snapshot_backend_defaults(struct backend *b);

#endif
