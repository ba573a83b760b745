/*
 * config/build_proxy.c - [proxy] and [listen NAME]: from the document to struct proxy_settings
 * and struct listen.
 *
 * The order of words in the table of keys is that of the enums, so a word's number is its value.
 */
#include "config/build.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <unistd.h>

#include "config/values.h"
#include "proto/capability.h"

_Static_assert(LOG_ERROR == 0 && LOG_WARN == 1 && LOG_INFO == 2 && LOG_DEBUG == 3, "log_level");
_Static_assert(LOG_LOGFMT == 0 && LOG_JSON == 1, "log_format");
_Static_assert(TLS_MODE_NONE == 0 && TLS_MODE_STARTTLS == 1 && TLS_MODE_IMPLICIT == 2, "tls");

#define WORKERS_MAX    64
#define CONTROL_LENGTH 107u        /* what the kernel has room for in the name of a socket */
#define IDLE_SAFE      (31 * 60.0) /* clients in IDLE come back within 29 minutes */

/* --- [proxy] */

static unsigned
processors(void)
{
	cpu_set_t set;
	long n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
							      : sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

static const char *
user_setting(struct build *b, const struct document_section *s, const char *name)
{
	const struct document_key *k = document_key(s, name);
	char shown[VALUE_SHOWN];
	if (!k)
		return NULL;
	errno = 0;
	/* Where nothing is built, nobody may look users up either: the sandbox. */
	if ((b->parts & SNAPSHOT_CHECK) && !getpwnam(k->value))
		document_mistake(&b->doc, k, "there is no user \"%s\" on this machine",
		    str_printable(shown, sizeof(shown), slice_of(k->value)));
	return build_str(b, slice_of(k->value));
}

static void
control_settings(struct build *b, const struct document_section *s, struct proxy_settings *p)
{
	const struct document_key *path = document_key(s, "control"),
				  *group = document_key(s, "control_group");
	char shown[VALUE_SHOWN];

	if (path) {
		p->control = build_str(b, slice_of(path->value));
		if (strlen(path->value) > CONTROL_LENGTH)
			document_mistake(&b->doc, path,
			    "a socket's name has at most %u bytes, this one %zu", CONTROL_LENGTH,
			    strlen(path->value));
	}
	if (!group)
		return;
	p->control_group = build_str(b, slice_of(group->value));
	str_printable(shown, sizeof(shown), slice_of(group->value));
	if ((b->parts & SNAPSHOT_CHECK) && !getgrnam(group->value))
		document_mistake(&b->doc, group, "there is no group \"%s\" on this machine", shown);
	if (!path)
		mistake_warning(b->mistakes, group->file, group->line,
		    "control_group has no effect without control");
}

static const char *
hostname_setting(struct build *b, const struct document_section *s)
{
	const struct document_key *k = document_key(s, "hostname");
	char name[BACKEND_HOST_MAX] = "";
	struct err err;
	if (k) {
		if (value_host(slice_of(k->value), false, &err) < 0)
			document_mistake(&b->doc, k, "%s", err.text);
		return build_str(b, slice_of(k->value));
	}
	/* What the machine calls itself goes to every client: only a proper name does. */
	if (gethostname(name, sizeof(name) - 1) < 0 || value_host(slice_of(name), false, &err) < 0)
		return build_str(b, SLICE("localhost"));
	return build_str(b, slice_of(name));
}

static const char *
capability_setting(struct build *b, const struct document_section *s)
{
	const struct document_key *k = document_key(s, "capability");
	struct capability_list list;
	if (!k)
		return NULL;
	struct slice text = slice_of(k->value);
	if (!capability_parse(&list, text))
		document_mistake(&b->doc, k, "expected capabilities with a space between them");
	else if (!capability_has(&list, SLICE("IMAP4rev1")) &&
		 !capability_has(&list, SLICE("IMAP4rev2")))
		document_mistake(&b->doc, k, "expected IMAP4rev1 or IMAP4rev2 among them");
	return build_str(b, text);
}

static void
check_sizes(struct build *b, const struct document_section *s, const struct proxy_settings *p)
{
	const struct {
		const char *name;
		unsigned value;
	} parts[] = { { "max_line", p->max_line }, { "max_auth_line", p->max_auth_line },
		{ "max_literal", p->max_literal } };
	char part[32], whole[32];
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].value <= p->max_command)
			continue;
		/* Where one of the two was written: one of them is no default. */
		const struct document_key *k = document_key(s, parts[i].name);
		k = k ? k : document_key(s, "max_command");
		mistake(b->mistakes, k ? k->file : s->file, k ? k->line : s->line,
		    "%s (%s) is larger than max_command (%s), the whole of it", parts[i].name,
		    value_format(part, sizeof(part), TYPE_SIZE, parts[i].value),
		    value_format(whole, sizeof(whole), TYPE_SIZE, p->max_command));
	}
}

void
build_proxy(struct build *b)
{
	const struct document_section *s = b->doc.first[SECTION_PROXY];
	struct proxy_settings *p = &b->s->proxy;

	p->user = user_setting(b, s, "user");
	p->directory_user = user_setting(b, s, "directory_user");
	const char *workers = document_text(SECTION_PROXY, s, "workers");
	p->workers = strcmp(workers, "auto") == 0 ? processors()
						  : (unsigned)value_number(TYPE_NUMBER, workers);
	p->hostname = hostname_setting(b, s);
	p->capability = capability_setting(b, s);
	p->log = build_str(b, slice_of(document_text(SECTION_PROXY, s, "log")));
	control_settings(b, s, p);
	p->log_format = (enum log_format)document_word(SECTION_PROXY, s, "log_format");
	p->log_level = (enum log_level)document_word(SECTION_PROXY, s, "log_level");
	p->log_hash_users = document_word(SECTION_PROXY, s, "log_users") == 1;
	p->certificate_check_interval =
	    document_number(SECTION_PROXY, s, "certificate_check_interval");
	p->login_timeout = document_number(SECTION_PROXY, s, "login_timeout");
	p->idle_timeout = document_number(SECTION_PROXY, s, "idle_timeout");
	p->stop_timeout = document_number(SECTION_PROXY, s, "stop_timeout");
	p->auth_failure_delay = document_number(SECTION_PROXY, s, "auth_failure_delay");
	p->max_sessions = (unsigned)document_number(SECTION_PROXY, s, "max_sessions");
	p->max_line = (unsigned)document_number(SECTION_PROXY, s, "max_line");
	p->max_auth_line = (unsigned)document_number(SECTION_PROXY, s, "max_auth_line");
	p->max_literal = (unsigned)document_number(SECTION_PROXY, s, "max_literal");
	p->max_command = (unsigned)document_number(SECTION_PROXY, s, "max_command");
	p->max_bad_commands = (unsigned)document_number(SECTION_PROXY, s, "max_bad_commands");
	p->max_failed_logins = (unsigned)document_number(SECTION_PROXY, s, "max_failed_logins");
	check_sizes(b, s, p);

	const struct document_key *idle = document_key(s, "idle_timeout");
	if (idle && p->idle_timeout > 0 && p->idle_timeout < IDLE_SAFE)
		mistake_warning(b->mistakes, idle->file, idle->line,
		    "idle_timeout: below 31m clients in IDLE are cut off");
}

/* --- [listen NAME] */

static struct addr
any6(uint16_t port)
{
	struct addr a = { .in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT } };
	addr_set_port(&a, port);
	return a;
}

/* Port 0 is a new one every time. */
static bool
is_taken(const struct addr *addrs, unsigned n, const struct addr *a)
{
	for (unsigned i = 0; i < n; i++)
		if (addr_port(a) != 0 && addr_eq(&addrs[i], a))
			return true;
	return false;
}

/* Reports an address that this listener or one before it has already. */
static bool
check_taken(struct build *b, const struct document_item *item, const struct listen *listens,
    const struct listen *l, const struct addr *a)
{
	char text[ADDR_TEXT];
	if (is_taken(l->addrs, l->n_addrs, a)) {
		document_mistake(&b->doc, item->key, "%s is there twice", addr_format(text, a));
		return false;
	}
	for (const struct listen *other = listens; other < l; other++) {
		if (!is_taken(other->addrs, other->n_addrs, a))
			continue;
		const struct document_section *s =
		    document_section(&b->doc, SECTION_LISTEN, other->name);
		document_mistake(&b->doc, item->key, "%s is taken by [listen %s] at %s:%d",
		    addr_format(text, a), other->name, s->file, document_line(s, "address"));
		return false;
	}
	return true;
}

static void
listen_addresses(struct build *b, const struct document_section *s, const struct listen *listens,
    struct listen *l)
{
	const struct document_item *items;
	size_t n = document_items(&b->doc, s, "address", &items);
	struct addr *addrs = build_alloc(b, n * 2, sizeof(*addrs));
	if (!addrs)
		return;
	l->addrs = addrs;
	for (size_t i = 0; i < n; i++) {
		struct addr a[2];
		bool any;
		struct err err;
		if (value_listen(items[i].text, &a[0], &any, &err) < 0) {
			document_mistake(&b->doc, items[i].key, "%s", err.text);
			continue;
		}
		if (any)
			a[1] = any6(addr_port(&a[0]));
		for (unsigned j = 0; j < (any ? 2u : 1u); j++) {
			if (!check_taken(b, &items[i], listens, l, &a[j]))
				break; /* of a star one half says it all */
			addrs[l->n_addrs++] = a[j];
		}
	}
}

/* What is allowed but will hardly be meant. */
static void
listen_warnings(struct build *b, const struct document_section *s, const struct listen *l)
{
	const struct document_key *plaintext = document_key(s, "plaintext_login");
	int line = document_line(s, "tls");
	if (l->tls == TLS_MODE_NONE && !l->plaintext_login)
		mistake_warning(b->mistakes, s->file, line,
		    "nobody can log in here: tls = none, and plaintext_login is not yes");
	if (l->tls == TLS_MODE_IMPLICIT && plaintext && l->plaintext_login)
		mistake_warning(b->mistakes, plaintext->file, plaintext->line,
		    "plaintext_login has no effect with tls = implicit");
	for (unsigned i = 0; i < l->n_addrs; i++) {
		if (addr_port(&l->addrs[i]) == 993 && l->tls != TLS_MODE_IMPLICIT) {
			mistake_warning(b->mistakes, s->file, line,
			    "clients expect tls = implicit on port 993");
			break;
		}
		if (addr_port(&l->addrs[i]) == 143 && l->tls == TLS_MODE_IMPLICIT) {
			mistake_warning(b->mistakes, s->file, line,
			    "clients expect tls = starttls or none on port 143");
			break;
		}
	}
}

void
build_listens(struct build *b)
{
	unsigned n = b->doc.count[SECTION_LISTEN];
	struct listen *listens = build_alloc(b, n, sizeof(*listens));
	if (!listens)
		return;
	b->s->listens = listens;
	b->s->n_listens = n;
	for (const struct document_section *s = b->doc.first[SECTION_LISTEN]; s; s = s->next) {
		struct listen *l = &listens[s->index];
		l->name = build_str(b, slice_of(s->name));
		l->line = s->line;
		l->tls = (enum tls_mode)document_word(SECTION_LISTEN, s, "tls");
		l->plaintext_login = document_bool(SECTION_LISTEN, s, "plaintext_login");
		listen_addresses(b, s, listens, l);
		listen_warnings(b, s, l);
	}
	if (n == 0 && !b->doc.incomplete)
		mistake(b->mistakes, b->doc.path, 0,
		    "no [listen NAME] section: there is nothing to listen on");
}
