/*
 * process/listener.c - opens and holds listening sockets.
 *
 *      sockets[address * workers + worker - 1]
 */
#include "process/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/sock.h"
#include "process/activation.h"
#include "store/backend.h"

#define BATCH_BYTES 4096

struct address {
	char name[BACKEND_NAME_MAX];
	struct addr wanted, bound; /* they differ in the port, where the kernel has picked it */
};

struct listener_set {
	struct address *addresses;
	size_t n, workers;
	int *sockets; /* -1: not yet open */
};

/*
 * SO_REUSEPORT lets a second instance of the same user bind the same port and take half of the connections without
 * a word. A socket without it does not bind where anybody listens.
 */
static int
check_free(const struct addr *addr, struct err *err)
{
	int one = 1, r = 1;
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_errno(err, errno, "socket");
	if (addr->sa.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &addr->sa, addr_len(addr)) != 0)
		r = err_errno(err, errno, "bind");
	(void)close(fd);
	return r;
}

/* @old has @wanted under any name; or, where any port will do, another port for the same @name that is not among @taken. */
static bool
is_same(const struct listener_set *old, size_t i, const char *name, const struct addr *wanted,
    const struct listener_set *taken, size_t n_taken)
{
	const struct address *a = &old->addresses[i];

	if (!addr_eq(&a->wanted, wanted))
		return false;
	if (addr_port(wanted) != 0)
		return true;
	if (strcmp(a->name, name) != 0)
		return false;
	for (size_t t = 0; t < n_taken; t++)
		if (addr_eq(&taken->addresses[t].bound, &a->bound))
			return false;
	return true;
}

/* The sockets of address @i of @set as those of @old have it. 1; 0: it has none; -1 and a reason. */
static int
share_address(struct listener_set *set, size_t i, const struct listener_set *old, struct err *err)
{
	struct address *a = &set->addresses[i];
	size_t o = 0;

	while (o < old->n && !is_same(old, o, a->name, &a->wanted, set, i))
		o++;
	if (o == old->n)
		return 0;
	a->bound = old->addresses[o].bound;
	for (size_t w = 0; w < set->workers; w++) {
		int fd = fcntl(old->sockets[o * old->workers + w], F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return err_errno(err, errno, "[listen %s]", a->name);
		set->sockets[i * set->workers + w] = fd;
	}
	return 1;
}

/* An address of @old is on the same port: our own socket may be what keeps @wanted from being free. */
static bool
is_beside(const struct listener_set *old, const struct addr *wanted)
{
	for (size_t i = 0; old && i < old->n; i++)
		if (old->addresses[i].bound.sa.sa_family == wanted->sa.sa_family &&
		    addr_port(&old->addresses[i].bound) == addr_port(wanted))
			return true;
	return false;
}

static int
open_address(struct listener_set *set, size_t i, const struct listener_set *old, struct err *err)
{
	const struct addr *wanted = &set->addresses[i].wanted;
	struct addr *bound = &set->addresses[i].bound;
	char text[ADDR_TEXT];
	int given;

	given = activation_take(wanted, set->workers > 1, err);
	if (given < -1)
		goto failed;
	if (given < 0 && addr_port(wanted) != 0 && !is_beside(old, wanted) &&
	    check_free(wanted, err) < 0)
		goto failed;
	*bound = *wanted;
	for (size_t w = 0; w < set->workers; w++) {
		struct addr to = *bound;
		int fd = w == 0 && given >= 0 ? given : sock_listen(&to, bound, err);

		if (fd < 0)
			goto failed;
		set->sockets[i * set->workers + w] = fd;
	}
	return 1;
failed:
	return err_prefix(err, "[listen %s] %s", set->addresses[i].name, addr_format(text, wanted));
}

static struct listener_set *
set_new(const struct snapshot *s, unsigned workers, const struct listener_set *old, struct err *err)
{
	struct listener_set *set = mem_zalloc(sizeof(*set));
	size_t n = 0, i = 0;
	int shared;

	for (unsigned l = 0; l < s->n_listens; l++)
		n += s->listens[l].n_addrs;
	if (set) {
		set->addresses = mem_array(NULL, n > 0 ? n : 1, sizeof(*set->addresses));
		set->sockets = mem_array(NULL, n > 0 ? n * workers : 1, sizeof(*set->sockets));
	}
	if (!set || !set->addresses || !set->sockets) {
		err_set(err, "listeners: out of memory");
		goto failed;
	}
	set->workers = workers;
	set->n = n;
	memset(set->addresses, 0, n * sizeof(*set->addresses));
	for (size_t f = 0; f < n * workers; f++)
		set->sockets[f] = -1;
	for (unsigned l = 0; l < s->n_listens; l++) {
		for (unsigned a = 0; a < s->listens[l].n_addrs; a++, i++) {
			struct slice name = slice_of(s->listens[l].name);

			if (!str_put(set->addresses[i].name, BACKEND_NAME_MAX, name)) {
				err_set(
				    err, "[listen %s]: the name is too long", s->listens[l].name);
				goto failed;
			}
			set->addresses[i].wanted = s->listens[l].addrs[a];
			shared = old ? share_address(set, i, old, err) : 0;
			if (shared < 0 || (shared == 0 && open_address(set, i, old, err) < 0))
				goto failed;
		}
	}
	return set;
failed:
	listener_set_close(&set);
	return NULL;
}

struct listener_set *
listener_set_open(const struct snapshot *s, unsigned workers, struct err *err)
{
	return set_new(s, workers, NULL, err);
}

struct listener_set *
listener_set_renew(const struct listener_set *old, const struct snapshot *s, struct err *err)
{
	return set_new(s, (unsigned)old->workers, old, err);
}

bool
listener_set_differs(const struct listener_set *a, const struct listener_set *b)
{
	if (a->n != b->n)
		return true;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->addresses[i].name, b->addresses[i].name) != 0 ||
		    !addr_eq(&a->addresses[i].bound, &b->addresses[i].bound))
			return true;
	return false;
}

void
listener_set_close(struct listener_set **setp)
{
	struct listener_set *set = *setp;

	if (!set)
		return;
	*setp = NULL;
	for (size_t i = 0; set->sockets && i < set->n * set->workers; i++)
		if (set->sockets[i] >= 0)
			(void)close(set->sockets[i]);
	mem_free(set->sockets);
	mem_free(set->addresses);
	mem_free(set);
}

const char *
listener_set_at(const struct listener_set *set, size_t i, const struct addr **bound)
{
	if (i >= set->n)
		return NULL;
	*bound = &set->addresses[i].bound;
	return set->addresses[i].name;
}

int
listener_set_send(const struct listener_set *set, struct ipc *ipc, unsigned number)
{
	char memory[BATCH_BYTES];
	int fds[IPC_FDS_MAX];
	unsigned n = 0;
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	for (size_t i = 0; i < set->n; i++) {
		const struct addr *a = &set->addresses[i].bound;

		pack_cstr(&k, set->addresses[i].name);
		pack_slice(&k, (struct slice){ (const char *)a, sizeof(*a) });
		fds[n++] = set->sockets[i * set->workers + number - 1];
		if (n < IPC_FDS_MAX && i + 1 < set->n)
			continue;
		if (k.overflow || ipc_send(ipc, MSG_LISTENERS, pack_done(&k), fds, n) < 0)
			return -1;
		pack_init(&k, memory, sizeof(memory));
		n = 0;
	}
	return (int)set->n;
}
_Static_assert(IPC_FDS_MAX *(BACKEND_NAME_MAX + sizeof(struct addr) + 8) <= BATCH_BYTES,
    "a batch of listeners fits");

int
listener_set_write(const struct listener_set *set, const char *path, struct err *err)
{
	char new[INHERIT_PATH_MAX], text[ADDR_TEXT];
	bool ok = true;
	FILE *f;

	if (!str_fmt(new, sizeof(new), "%s.new", path))
		return err_set(err, "%s: name too long", path);
	f = fopen(new, "we");
	if (!f)
		return err_errno(err, errno, "%s", new);
	for (size_t i = 0; i < set->n && ok; i++)
		ok = fprintf(f, "%s %s\n", set->addresses[i].name,
			 addr_format(text, &set->addresses[i].bound)) > 0;
	ok = ok && fflush(f) == 0;
	if (fclose(f) != 0 || !ok || rename(new, path) != 0) {
		err_errno(err, errno, "%s", path);
		(void)unlink(new);
		return -1;
	}
	return 1;
}
