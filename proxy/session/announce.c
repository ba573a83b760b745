/*
 * session/announce.c - the capabilities a client is told before its login: what the proxy does itself, and of the rest what every
 * configured store announces before login (design, section 3).
 *
 * Known of a store is what real logins have shown, here and (through the directory) at the other workers. Until every store is known,
 * only our own minimum is promised.
 */
#include "session/internal.h"

#include "base/arena.h"
#include "base/mem.h"

struct known {
	char name[BACKEND_NAME_MAX];
	bool seen;
	struct capability_list
	    list; /* as the store told it, words that are the proxy's affair taken out */
	bool literal_plus;
	bool reported; /* that it differs */
};

struct announce {
	struct known *stores;
	unsigned n;
	bool literal_plus;
	struct capability_list common; /* of all stores; only IMAP4rev1 while one is unknown */
};

struct announce *
announce_new(void)
{
	return mem_zalloc(sizeof(struct announce));
}

void
announce_free(struct announce **a)
{
	if (*a)
		mem_free((*a)->stores);
	mem_free(*a);
	*a = NULL;
}

static void
minimum(struct announce *a)
{
	a->literal_plus = false;
	a->common.text[0] = '\0';
	(void)capability_add(&a->common, SLICE("IMAP4rev1"));
}

static void
recompute(struct announce *a)
{
	minimum(a);
	if (a->n == 0)
		return;
	for (unsigned i = 0; i < a->n; i++)
		if (!a->stores[i].seen)
			return;
	a->common = a->stores[0].list;
	a->literal_plus = true;
	for (unsigned i = 0; i < a->n; i++) {
		capability_intersect(&a->common, &a->stores[i].list);
		a->literal_plus = a->literal_plus && a->stores[i].literal_plus;
	}
}

static struct known *
find(struct known *stores, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (slice_eq_cstr(slice_of(stores[i].name), name))
			return &stores[i];
	return NULL;
}

void
announce_configure(struct announce *a, const struct snapshot *snapshot)
{
	struct known *stores = mem_zalloc((snapshot->n_backends + 1) * sizeof(*stores));
	if (!stores) { /* nothing is promised that is not known */
		a->n = 0;
		minimum(a);
		return;
	}
	for (unsigned i = 0; i < snapshot->n_backends; i++) {
		const char *name = snapshot->backends[i].name;
		/* As a rule it is where it was: a thousand stores are not compared with each other. */
		struct known *old = i < a->n && strcmp(a->stores[i].name, name) == 0
					? &a->stores[i]
					: find(a->stores, a->n, name);
		if (old)
			stores[i] = *old;
		(void)str_fmt(
		    stores[i].name, sizeof(stores[i].name), "%s", snapshot->backends[i].name);
	}
	mem_free(a->stores);
	a->stores = stores;
	a->n = snapshot->n_backends;
	recompute(a);
}

static void
report_difference(struct announce *a, struct known *k)
{
	for (unsigned i = 0; i < a->n && !k->reported; i++) {
		struct known *other = &a->stores[i];
		if (other == k || !other->seen || capability_equal(&other->list, &k->list))
			continue;
		struct log_line l;
		k->reported = true;
		log_begin(&l, LOG_WARN, EV_STORE_DIFFERS);
		log_cstr(&l, "backend", k->name);
		log_cstr(&l, "capabilities", k->list.text);
		log_cstr(&l, "other", other->name);
		log_cstr(&l, "other_capabilities", other->list.text);
		log_cstr(&l, "msg", "what not every store announces is not announced before login");
		log_end(&l);
	}
}

bool
announce_learn(struct announce *a, const char *backend, const struct capability_list *before)
{
	struct known *k = find(a->stores, a->n, backend);
	struct capability_list list = *before;
	bool plus = capability_has(before, SLICE("LITERAL+"));
	if (!k)
		return false; /* a target that is no [backend] counts for nothing */
	capability_strip_before_login(&list);
	if (k->seen && k->literal_plus == plus && capability_equal(&k->list, &list))
		return false;
	k->seen = true;
	k->literal_plus = plus;
	k->list = list;
	recompute(a);
	report_difference(a, k);
	return true;
}

void
announce_list(const struct announce *a, const struct snapshot *snapshot, bool starttls, bool login,
    struct capability_list *list_r)
{
	bool plus = a->literal_plus;
	*list_r = a->common;
	if (snapshot->proxy.capability) {
		struct capability_list own;
		if (capability_parse(&own, slice_of(snapshot->proxy.capability))) {
			plus = capability_has(&own, SLICE("LITERAL+"));
			capability_strip_before_login(&own);
			*list_r = own;
		}
	}
	(void)capability_add(list_r, SLICE("IMAP4rev1"));
	(void)capability_add(list_r, SLICE("SASL-IR"));
	/* LITERAL- promises 4096 bytes (RFC 7888 section 5), LITERAL+ more than that. */
	if (snapshot->proxy.max_literal >= 4096)
		(void)capability_add(list_r, plus ? SLICE("LITERAL+") : SLICE("LITERAL-"));
	(void)capability_add(list_r, SLICE("ID"));
	if (starttls)
		(void)capability_add(list_r, SLICE("STARTTLS"));
	if (login) {
		(void)capability_add(list_r, SLICE("AUTH=PLAIN"));
		(void)capability_add(list_r, SLICE("AUTH=LOGIN"));
	} else {
		(void)capability_add(list_r, SLICE("LOGINDISABLED"));
	}
}
