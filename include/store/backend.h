/*
 * store/backend.h - a mail store as configured: immutable, part of a snapshot.
 */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/secret.h"

struct tls_client;

enum tls_mode { TLS_MODE_NONE, TLS_MODE_STARTTLS, TLS_MODE_IMPLICIT };

#define BACKEND_NAME_MAX 64  /* with its NUL */
#define BACKEND_HOST_MAX 256 /* with its NUL */

struct backend {
	const char *name; /* [backend NAME]; for a host:port target of a lookup: that text */
	const char *
	    host; /* a name or an IP literal without brackets; also what its certificate must be for */
	uint16_t port;
	const struct addr
	    *sources; /* local addresses to connect from, in turn; NULL: the kernel's choice */
	unsigned n_sources;
	enum tls_mode tls;
	bool verify;
	struct tls_client *client;    /* workers and the directory; NULL when tls is none */
	unsigned max_logging_in;      /* logins under way at once; 0: no bound */
	unsigned weight;              /* 0 to 1000000; 0: only when no other is left */
	const char *probe_user;       /* whom checks log in as; NULL: they do not */
	struct secret probe_password; /* the directory's alone; the snapshot's */
	double connect_timeout;       /* seconds: TCP and TLS */
	double reply_timeout;         /* seconds: greeting and every answer */
	int line;                     /* of its section, for messages */
	unsigned index;               /* in the snapshot's array */
};

#endif
