/*
 * config/keys.c - what can be configured: the one table that parser, messages and manual are made
 * from.
 *
 * The order of words is that of the enum they stand for (enum tls_mode, log_level, log_format,
 * balance, tls_version). Help texts are for the manual: whole sentences, plain words, `code`
 * between backticks.
 */
#include "config/keys.h"

#include "base/str.h"

#define MINUTE 60.0
#define HOUR   3600.0
#define DAY    86400.0
#define YEAR   (366 * DAY)
#define K      1024.0
#define M      (1024.0 * K)

/* A key that is known by name only: nothing of it is here yet. */
#define PLANNED(in, key, kind, text)                                                               \
	{                                                                                          \
		.section = (in), .name = (key), .type = (kind), .planned = true, .help = (text)    \
	}

const struct config_key config_keys[] = {
	/* --- [proxy] */
	{ .section = SECTION_PROXY,
	    .name = "user",
	    .type = TYPE_TEXT,
	    .help = "The system user that the worker processes become, when the program is "
		    "started as root. Without it they stay who started them." },
	{ .section = SECTION_PROXY,
	    .name = "directory_user",
	    .type = TYPE_TEXT,
	    .help = "The same for the directory process, which does lookups and name resolution "
		    "and never sees mail or a TLS key. Without it: as `user`." },
	{ .section = SECTION_PROXY,
	    .name = "workers",
	    .type = TYPE_NUMBER,
	    .words = "auto",
	    .preset = "auto",
	    .min = 1,
	    .max = 64,
	    .help = "How many worker processes there are; `auto` is one for each processor that "
		    "the program may use." },
	{ .section = SECTION_PROXY,
	    .name = "hostname",
	    .type = TYPE_TEXT,
	    .form = "HOST",
	    .help =
		"The name in the greeting that clients see. Without it: the name of the machine." },
	{ .section = SECTION_PROXY,
	    .name = "capability",
	    .type = TYPE_TEXT,
	    .form = "CAPABILITY ...",
	    .help = "Replaces the list of capabilities that is announced before login, "
		    "`IMAP4rev1` among them, without `STARTTLS`, `LOGINDISABLED` and `AUTH=`, "
		    "which depend on the connection and are added. Without it: what the proxy "
		    "itself does, and what every store was seen to announce." },
	{ .section = SECTION_PROXY,
	    .name = "log",
	    .type = TYPE_PATH,
	    .words = "stderr | syslog",
	    .preset = "stderr",
	    .help = "Where the log goes: standard error; the syslog daemon behind `/dev/log`, as "
		    "facility mail; or a file, which is opened by the master, appended to, and "
		    "opened anew on SIGUSR1." },
	{ .section = SECTION_PROXY,
	    .name = "log_format",
	    .type = TYPE_WORD,
	    .words = "logfmt | json",
	    .preset = "logfmt",
	    .help = "The form of a line: `key=value` pairs, or one JSON object." },
	{ .section = SECTION_PROXY,
	    .name = "log_level",
	    .type = TYPE_WORD,
	    .words = "error | warn | info | debug",
	    .preset = "info",
	    .help = "The least important lines that are written. Logins and ends of sessions are "
		    "`info`." },
	{ .section = SECTION_PROXY,
	    .name = "log_users",
	    .type = TYPE_WORD,
	    .words = "full | hash",
	    .preset = "full",
	    .help = "User names in the log: as they are, or as `h:` and 16 hexadecimal digits, the "
		    "same for the same name in every line, run and machine. That keeps names out "
		    "of sight; whoever has a list of names can still find out which is which." },
	{ .section = SECTION_PROXY,
	    .name = "certificate_check_interval",
	    .type = TYPE_DURATION,
	    .preset = "0",
	    .min = 0,
	    .max = DAY,
	    .help = "How often the master looks whether a certificate or key in use has changed on "
		    "disk; then the whole configuration is read again, as on SIGHUP. 0 is never: "
		    "who renews certificates sends SIGHUP." },
	{ .section = SECTION_PROXY,
	    .name = "control",
	    .type = TYPE_PATH,
	    .help = "The socket over which `sallyport status`, `kick` and the other verbs speak to "
		    "the running program. Its folder is made when it is not there. Root and the "
		    "user who started the program may use it. Without it there is none." },
	{ .section = SECTION_PROXY,
	    .name = "control_group",
	    .type = TYPE_TEXT,
	    .help = "A group of the system whose members may use the control socket too." },
	{ .section = SECTION_PROXY,
	    .name = "login_timeout",
	    .type = TYPE_DURATION,
	    .preset = "60s",
	    .min = 1,
	    .max = HOUR,
	    .help = "How long a client may take from connecting to its login, the handshake of "
		    "TLS included." },
	{ .section = SECTION_PROXY,
	    .name = "idle_timeout",
	    .type = TYPE_DURATION,
	    .preset = "0",
	    .min = 0,
	    .max = YEAR,
	    .help = "A session that moves no byte in either direction for so long is closed; 0 is "
		    "never. Clients in IDLE may be silent for 29 minutes by RFC 9051, so less than "
		    "31m gets a warning." },
	{ .section = SECTION_PROXY,
	    .name = "stop_timeout",
	    .type = TYPE_DURATION,
	    .preset = "30s",
	    .min = 0,
	    .max = DAY,
	    .help = "When the program is told to stop, sessions are let go spread over this "
		    "time, so that their clients do not all come back at once; what is left then "
		    "is closed." },
	{ .section = SECTION_PROXY,
	    .name = "auth_failure_delay",
	    .type = TYPE_DURATION,
	    .preset = "2s",
	    .min = 0,
	    .max = MINUTE,
	    .help = "How long after the attempt a failed login is answered, whether the password "
		    "was wrong or the user is not known." },
	{ .section = SECTION_PROXY,
	    .name = "max_sessions",
	    .type = TYPE_NUMBER,
	    .preset = "100000",
	    .min = 1,
	    .max = 10000000,
	    .help = "Connections of clients at a time, over all workers, logged in or not. One "
		    "more is told so and closed." },
	{ .section = SECTION_PROXY,
	    .name = "max_line",
	    .type = TYPE_SIZE,
	    .preset = "8K",
	    .min = 1 * K,
	    .max = 1 * M,
	    .help = "Bytes of a line that a client may send before login." },
	{ .section = SECTION_PROXY,
	    .name = "max_auth_line",
	    .type = TYPE_SIZE,
	    .preset = "64K",
	    .min = 1 * K,
	    .max = 1 * M,
	    .help = "The same for AUTHENTICATE with its initial response and for lines of its "
		    "exchange: tokens are long." },
	{ .section = SECTION_PROXY,
	    .name = "max_literal",
	    .type = TYPE_SIZE,
	    .preset = "4K",
	    .min = 64,
	    .max = 1 * M,
	    .help = "Bytes of a literal that a client may send before login. From 4K on LITERAL- "
		    "is honoured in full." },
	{ .section = SECTION_PROXY,
	    .name = "max_command",
	    .type = TYPE_SIZE,
	    .preset = "64K",
	    .min = 1 * K,
	    .max = 16 * M,
	    .help = "Bytes of a whole command before login, lines and literals together. None of "
		    "the three above may be larger." },
	{ .section = SECTION_PROXY,
	    .name = "max_bad_commands",
	    .type = TYPE_NUMBER,
	    .preset = "10",
	    .min = 1,
	    .max = 1000,
	    .help = "Commands in a row that are no IMAP, or not for now, before the client is "
		    "sent away." },
	{ .section = SECTION_PROXY,
	    .name = "max_failed_logins",
	    .type = TYPE_NUMBER,
	    .preset = "3",
	    .min = 1,
	    .max = 1000,
	    .help =
		"Failed logins on one connection before the client is sent away. Logins that an "
		"outage ended do not count." },
	PLANNED(SECTION_PROXY, "http", TYPE_TEXT, "Where metrics and status are served."),
	PLANNED(SECTION_PROXY, "drain_timeout", TYPE_DURATION,
	    "After an upgrade, for sessions that could not be handed over."),
	PLANNED(SECTION_PROXY, "max_sessions_per_user", TYPE_NUMBER, "Sessions of one user."),
	PLANNED(
	    SECTION_PROXY, "max_sessions_per_address", TYPE_NUMBER, "Sessions from one address."),
	PLANNED(SECTION_PROXY, "max_logins_per_address", TYPE_NUMBER,
	    "Connections from one address that are not logged in."),
	PLANNED(SECTION_PROXY, "kernel_tls", TYPE_WORD, "TLS in the kernel."),
	PLANNED(SECTION_PROXY, "record_layer", TYPE_WORD, "Which code moves TLS records."),

	/* --- [listen NAME] */
	{ .section = SECTION_LISTEN,
	    .name = "address",
	    .type = TYPE_LIST,
	    .required = true,
	    .form = "ADDRESS:PORT, ...",
	    .help = "Where to listen: IPv4 (`192.0.2.1:143`), IPv6 in brackets (`[::1]:143`), or "
		    "`*:143` for every address of both. Port 0 lets the system choose one." },
	{ .section = SECTION_LISTEN,
	    .name = "tls",
	    .type = TYPE_WORD,
	    .words = "none | starttls | implicit",
	    .preset = "starttls",
	    .help = "No TLS, TLS from the command STARTTLS on (port 143), or from the first byte "
		    "(port 993)." },
	{ .section = SECTION_LISTEN,
	    .name = "plaintext_login",
	    .type = TYPE_BOOL,
	    .preset = "no",
	    .help =
		"Whether passwords are taken on a connection without TLS. With `no` such a "
		"login is refused before the password counts, and LOGINDISABLED is announced." },
	PLANNED(SECTION_LISTEN, "proxy_protocol", TYPE_WORD,
	    "PROXY headers of load balancers in front."),
	PLANNED(SECTION_LISTEN, "trusted_proxy", TYPE_LIST, "Who may send PROXY headers."),
	PLANNED(SECTION_LISTEN, "trusted_id", TYPE_LIST, "Who may say with ID for whom it speaks."),
	PLANNED(SECTION_LISTEN, "deny", TYPE_LIST, "Networks that are turned away."),

	/* --- [tls NAME] */
	{ .section = SECTION_TLS,
	    .name = "names",
	    .type = TYPE_LIST,
	    .form = "HOST, ...",
	    .help =
		"The names that clients ask for and get these certificates: `mail.example.net`, "
		"or `*.example.net` for any one label in its place; an exact name wins. One "
		"section has no names: it serves all others, and clients that ask for none." },
	{ .section = SECTION_TLS,
	    .name = "certificate",
	    .type = TYPE_LIST,
	    .required = true,
	    .form = "PATH, ...",
	    .help =
		"Files in PEM form, each a certificate and behind it the chain up to, without, "
		"the root. Several are for several kinds of key, RSA and ECDSA: the client gets "
		"what it understands." },
	{ .section = SECTION_TLS,
	    .name = "key",
	    .type = TYPE_LIST,
	    .required = true,
	    .form = "PATH, ...",
	    .help = "The private keys, in PEM form without a passphrase, as many and in the same "
		    "order." },
	{ .section = SECTION_TLS,
	    .name = "min_version",
	    .type = TYPE_WORD,
	    .words = "1.2 | 1.3",
	    .preset = "1.2",
	    .help = "The oldest version of TLS that clients may speak." },
	PLANNED(SECTION_TLS, "client_ca", TYPE_PATH, "Who signs certificates of clients."),
	PLANNED(SECTION_TLS, "client_verify", TYPE_WORD, "Whether clients show a certificate."),
	PLANNED(SECTION_TLS, "client_name", TYPE_WORD, "Where the user name stands in it."),

	/* --- [backend NAME] */
	{ .section = SECTION_BACKEND,
	    .name = "address",
	    .type = TYPE_TEXT,
	    .required = true,
	    .form = "HOST:PORT",
	    .help = "Where the store is: a name, resolved again as its records expire, or an "
		    "address (IPv6 in brackets), and a port. Its certificate must be for this "
		    "name or address." },
	{ .section = SECTION_BACKEND,
	    .name = "source",
	    .type = TYPE_LIST,
	    .form = "ADDRESS, ...",
	    .help = "Local addresses to connect from, in turn: one address has room for some "
		    "28,000 connections to a store. Without it: the system chooses." },
	{ .section = SECTION_BACKEND,
	    .name = "tls",
	    .type = TYPE_WORD,
	    .words = "none | starttls | implicit",
	    .preset = "starttls",
	    .help = "How to speak with the store. A store that does not offer STARTTLS where it "
		    "is wanted gets no login." },
	{ .section = SECTION_BACKEND,
	    .name = "ca",
	    .type = TYPE_PATH,
	    .help = "A file in PEM form of the authorities that may sign the store's "
		    "certificate, or of that certificate itself. Without it: the authorities "
		    "that the system trusts." },
	{ .section = SECTION_BACKEND,
	    .name = "verify",
	    .type = TYPE_BOOL,
	    .preset = "yes",
	    .help = "Whether the store's certificate must be valid and for its name. With `no` "
		    "anybody between proxy and store can read passwords and mail, so it gets a "
		    "warning." },
	{ .section = SECTION_BACKEND,
	    .name = "weight",
	    .type = TYPE_NUMBER,
	    .preset = "100",
	    .min = 0,
	    .max = 1000000,
	    .help = "The store's share of the users of its pools, in proportion to the others. "
		    "0: only when no other is left." },
	{ .section = SECTION_BACKEND,
	    .name = "max_logging_in",
	    .type = TYPE_NUMBER,
	    .preset = "200",
	    .min = 1,
	    .max = 1000000,
	    .help = "So many logins at a time are sent to this store, by all workers together. "
		    "The others wait their turn, in the order in which they came; their clients "
		    "notice a delay. A login that is tried here because another store did not "
		    "answer does not wait." },
	{ .section = SECTION_BACKEND,
	    .name = "connect_timeout",
	    .type = TYPE_DURATION,
	    .preset = "5s",
	    .min = 0.1,
	    .max = 5 * MINUTE,
	    .help = "How long connecting may take, the handshake of TLS included, before the "
		    "next store is tried." },
	{ .section = SECTION_BACKEND,
	    .name = "reply_timeout",
	    .type = TYPE_DURATION,
	    .preset = "30s",
	    .min = 0.1,
	    .max = HOUR,
	    .help = "How long its greeting and each of its answers may take, up to the login." },
	{ .section = SECTION_BACKEND,
	    .name = "probe_user",
	    .type = TYPE_TEXT,
	    .help = "Whom checks log in as, so that they see more than a greeting; they say LOGOUT "
		    "at once. An account of its own, without mail, is best. When the store refuses "
		    "it, that is taken for a mistake made here: it is logged and shown by `pool "
		    "status`, and the store stays in use. Checks run where a pool has a "
		    "`check_interval`." },
	{ .section = SECTION_BACKEND,
	    .name = "probe_password_file",
	    .type = TYPE_PATH,
	    .help =
		"The file whose first line is the password of `probe_user`, at most 4 KiB. It is "
		"read at start and at each reload, by who starts the program: nobody else need "
		"be allowed to." },
	PLANNED(SECTION_BACKEND, "pin", TYPE_LIST, "The store's public key."),
	PLANNED(SECTION_BACKEND, "proxy_protocol", TYPE_WORD, "Who is calling, as a PROXY header."),
	PLANNED(SECTION_BACKEND, "id", TYPE_BOOL, "Who is calling, as ID fields."),
	PLANNED(
	    SECTION_BACKEND, "auth", TYPE_WORD, "Log in as the user, or with a master password."),
	PLANNED(SECTION_BACKEND, "master_user", TYPE_TEXT, "The master user."),
	PLANNED(SECTION_BACKEND, "master_password_file", TYPE_PATH, "The master user's password."),
	PLANNED(SECTION_BACKEND, "authzid", TYPE_BOOL, "Pass authorisation identities on."),
	PLANNED(SECTION_BACKEND, "max_sessions", TYPE_NUMBER, "Sessions at this store."),

	/* --- [pool NAME] */
	{ .section = SECTION_POOL,
	    .name = "backends",
	    .type = TYPE_LIST,
	    .required = true,
	    .form = "BACKEND, ...",
	    .help = "The stores of the pool, by the names of their sections." },
	{ .section = SECTION_POOL,
	    .name = "balance",
	    .type = TYPE_WORD,
	    .words = "hash | least | random | round-robin",
	    .preset = "hash",
	    .help = "Which store a user gets. `hash`: each user always the same, on every proxy, "
		    "and a change of the pool moves only the users of what changed. `least`: the "
		    "one with the fewest sessions. `random` and `round-robin`: any, or each in "
		    "turn. All by weight." },
	{ .section = SECTION_POOL,
	    .name = "affinity_time",
	    .type = TYPE_DURATION,
	    .preset = "15m",
	    .min = 0,
	    .max = 30 * DAY,
	    .help = "A user with open sessions, or who had one up to so long ago, goes where "
		    "they are. 0: not so, every login is placed by itself." },
	{ .section = SECTION_POOL,
	    .name = "fallback",
	    .type = TYPE_NAME,
	    .form = "POOL | BACKEND",
	    .help = "What is tried when no store of the pool answers." },
	{ .section = SECTION_POOL,
	    .name = "check_interval",
	    .type = TYPE_DURATION,
	    .preset = "0",
	    .min = 0,
	    .max = HOUR,
	    .help =
		"How often each store of the pool is checked, by one process for all workers: it "
		"connects, with TLS as logins do, reads greeting and capabilities, and says "
		"LOGOUT. 0: not at all. Stores that are down get no logins. What logins show "
		"counts as well: five failures that are the store's, of three users at least, "
		"within 30 seconds, and more than the logins it answered, take it out; "
		"without checks one login at a time then tries it, at first after a second." },
	{ .section = SECTION_POOL,
	    .name = "check_rise",
	    .type = TYPE_NUMBER,
	    .preset = "2",
	    .min = 1,
	    .max = 100,
	    .help = "So many good checks in a row bring a store back." },
	{ .section = SECTION_POOL,
	    .name = "check_fall",
	    .type = TYPE_NUMBER,
	    .preset = "3",
	    .min = 1,
	    .max = 100,
	    .help = "So many failed checks in a row take a store out." },

	/* --- [route], [route NAME] */
	{ .section = SECTION_ROUTE,
	    .name = "listen",
	    .type = TYPE_LIST,
	    .form = "LISTENER, ...",
	    .help = "The route is for clients of these listeners, by the names of their "
		    "sections. Without it: of all." },
	{ .section = SECTION_ROUTE,
	    .name = "server_name",
	    .type = TYPE_LIST,
	    .form = "HOST, ...",
	    .help = "The route is for clients that asked for one of these names in TLS. Without "
		    "it: for all." },
	{ .section = SECTION_ROUTE,
	    .name = "username",
	    .type = TYPE_LIST,
	    .form = "STEP, ...",
	    .help = "What is done to the user name before it is looked up, and before the store "
		    "sees it, in this order: `lowercase`; `default-domain example.org`, which "
		    "adds the domain to a name that has none; `strip-domain`, which cuts it off." },
	{ .section = SECTION_ROUTE,
	    .name = "lookup",
	    .type = TYPE_LIST,
	    .form = "SOURCE, ...",
	    .planned_words = "lmdb | redis | http | ldap | pgsql",
	    .help = "Where users are looked up, in this order; the first that knows the user "
		    "decides. `file:/etc/sallyport/users` is a file of users, described below." },
	{ .section = SECTION_ROUTE,
	    .name = "default",
	    .type = TYPE_NAME,
	    .form = "POOL | BACKEND",
	    .help = "Where users go that no lookup knows. Without it they are refused, in the "
		    "words of a wrong password." },
	PLANNED(SECTION_ROUTE, "cache", TYPE_DURATION, "How long answers of lookups are kept."),
	PLANNED(SECTION_ROUTE, "stale", TYPE_DURATION, "How long while a source is down."),
	PLANNED(
	    SECTION_ROUTE, "hold_time", TYPE_DURATION, "How long logins wait for a user on hold."),

	/* --- [fleet] */
	PLANNED(
	    SECTION_FLEET, "redis", TYPE_TEXT, "What the proxies of a fleet share their state by."),
};

const size_t config_keys_count = ARRAY_SIZE(config_keys);

static const struct section {
	const char *name;
	enum config_naming naming;
	bool planned;
	const char *help;
} sections[] = {
	[SECTION_PROXY] = { "proxy", NAMING_NEVER, false,
	    "The program as a whole. The section may be left out: everything has a default." },
	[SECTION_LISTEN] = { "listen", NAMING_ALWAYS, false,
	    "A listener: addresses that clients connect to. At least one is needed." },
	[SECTION_TLS] = { "tls", NAMING_ALWAYS, false,
	    "Certificates towards clients. At least one section is needed when a listener has "
	    "TLS; which of them a client gets depends on the server name that it asks for." },
	[SECTION_BACKEND] = { "backend", NAMING_ALWAYS, false, "A mail store." },
	[SECTION_POOL] = { "pool", NAMING_ALWAYS, false,
	    "Stores that serve the same users. A pool and a backend cannot share a name: routes "
	    "point at either." },
	[SECTION_ROUTE] = { "route", NAMING_EITHER, false,
	    "Which user goes where. For a login the first route counts whose `listen` and "
	    "`server_name` both fit; routes that say neither, of which there can be one, come "
	    "last." },
	[SECTION_FLEET] = { "fleet", NAMING_NEVER, true, "Several proxies that act as one." },
};

const char *
config_section_name(enum config_section s)
{
	return sections[s].name;
}

const char *
config_section_help(enum config_section s)
{
	return sections[s].help;
}

bool
config_section_planned(enum config_section s)
{
	return sections[s].planned;
}

enum config_naming
config_section_naming(enum config_section s)
{
	return sections[s].naming;
}

const struct config_key *
config_key_find(enum config_section s, const char *name)
{
	for (size_t i = 0; i < config_keys_count; i++)
		if (config_keys[i].section == s && strcmp(config_keys[i].name, name) == 0)
			return &config_keys[i];
	return NULL;
}

const char *
config_key_near(enum config_section s, const char *name)
{
	const char *near = NULL;
	unsigned best = 4;
	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (key->section != s || key->planned)
			continue;
		unsigned far = str_distance(slice_of(key->name), slice_of(name), 3);
		if (far < best && far * 2 < strlen(key->name)) {
			best = far;
			near = key->name;
		}
	}
	return near;
}
