/*
 * What load is asked to do: its command line. To be included by load.c alone.
 */
#ifndef BENCH_LOAD_OPTIONS_H
#define BENCH_LOAD_OPTIONS_H

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mode { MODE_LOGIN, MODE_DOWNLOAD, MODE_UPLOAD, MODE_ROUNDTRIP, MODE_IDLE };
enum tls { TLS_OFF, TLS_FULL, TLS_RESUMED };
enum auth { AUTH_LOGIN, AUTH_LITERAL, AUTH_PLAIN };

static const char *const mode_names[] = { "login", "download", "upload", "roundtrip", "idle",
	NULL };
static const char *const tls_names[] = { "off", "full", "resumed", NULL };
static const char *const auth_names[] = { "login", "literal", "plain", NULL };
static const char *const version_names[] = { "1.2", "1.3", NULL };

static struct {
	enum mode mode;
	enum tls tls;
	enum auth auth;
	struct sockaddr_in address;
	unsigned connections;
	uint64_t count; /* of logins, messages or round trips; 0: not given */
	double seconds; /* begin nothing new after so long; 0: not given */
	uint64_t size;  /* of a message */
	uint64_t bytes; /* in all; 0: not given */
	uint64_t batch; /* messages a download command asks for */
	unsigned users;
	const char *password;
	double stall; /* seconds without any progress that count as a hang */
	bool logout, sync, verify;
	unsigned tls_version;       /* as in version_names */
	const char *suite, *groups; /* NULL: what suits the version */
} asked = {
	.auth = AUTH_LOGIN,
	.connections = 16,
	.size = 65536,
	.batch = 1,
	.users = 1000,
	.password = "secret",
	.stall = 15,
	.verify = true,
	.tls_version = 1,
};

__attribute__((noreturn, format(printf, 1, 2))) static void
die(const char *format, ...)
{
	va_list ap;

	fputs("load: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

__attribute__((noreturn)) static void
usage(int status)
{
	fputs("usage: load login|download|upload|roundtrip|idle --port N [option ...]\n"
	      "  --host ADDRESS           an IPv4 address (127.0.0.1)\n"
	      "  --tls off|full|resumed   (off)\n"
	      "  --tls-version 1.2|1.3    (1.3)\n"
	      "  --suite NAME             (TLS_AES_128_GCM_SHA256)\n"
	      "  --groups LIST            (X25519)\n"
	      "  --auth login|literal|plain  LOGIN with quoted strings or literals, or SASL PLAIN\n"
	      "  --connections N          at once (16)\n"
	      "  --count N                logins, messages or round trips in all\n"
	      "  --seconds S              begin nothing new after so long\n"
	      "  --size BYTES             of a message (65536)\n"
	      "  --bytes TOTAL            download and upload: in place of --count\n"
	      "  --batch N                messages a download command asks for (1)\n"
	      "  --logout                 login: LOGOUT before the close\n"
	      "  --users N --password WORD   user0 to userN-1 in turn (1000, secret)\n"
	      "  --no-verify              do not compare the bytes of literals\n"
	      "  --stall S                give up when nothing moves for so long (15)\n"
	      "  --sync                   say \"ready\" before the work and wait for a line; when\n"
	      "                           the JSON is out, hold the sessions until stdin closes\n",
	    status ? stderr : stdout);
	exit(status);
}

/* The index of word in names, which end with NULL. */
static unsigned
word_index(const char *word, const char *const *names)
{
	for (unsigned i = 0; names[i]; i++)
		if (strcmp(word, names[i]) == 0)
			return i;
	fprintf(stderr, "load: what is \"%s\"?\n", word);
	usage(2);
}

static uint64_t
number(const char *word, uint64_t max)
{
	char *end;
	unsigned long long value = strtoull(word, &end, 10);

	if (end == word || *end != '\0' || word[0] == '-' || value > max)
		die("%s is not a number from 0 to %ju", word, (uintmax_t)max);
	return value;
}

/* Where a value goes: exactly one of the pointers is set. */
struct option_target {
	const char *name;
	uint64_t *number;
	unsigned *small; /* at least 1, or with names an index of these */
	const char *const *names;
	double *real;
	const char **text;
	bool *flag;
	bool flag_value;
};

static unsigned option_tls, option_auth, option_port;
static const char *option_host = "127.0.0.1";

static const struct option_target targets[] = {
	{ "host", .text = &option_host },
	{ "port", .small = &option_port },
	{ "tls", .small = &option_tls, .names = tls_names },
	{ "tls-version", .small = &asked.tls_version, .names = version_names },
	{ "suite", .text = &asked.suite },
	{ "groups", .text = &asked.groups },
	{ "auth", .small = &option_auth, .names = auth_names },
	{ "connections", .small = &asked.connections },
	{ "count", .number = &asked.count },
	{ "seconds", .real = &asked.seconds },
	{ "size", .number = &asked.size },
	{ "bytes", .number = &asked.bytes },
	{ "batch", .number = &asked.batch },
	{ "logout", .flag = &asked.logout, .flag_value = true },
	{ "users", .small = &asked.users },
	{ "password", .text = &asked.password },
	{ "no-verify", .flag = &asked.verify, .flag_value = false },
	{ "stall", .real = &asked.stall },
	{ "sync", .flag = &asked.sync, .flag_value = true },
};

#define TARGETS (sizeof(targets) / sizeof(targets[0]))

static void
option_take(const struct option_target *t, const char *value)
{
	if (t->number)
		*t->number = number(value, UINT64_MAX / 2);
	else if (t->small && t->names)
		*t->small = word_index(value, t->names);
	else if (t->small)
		*t->small = (unsigned)number(value, 1000000);
	else if (t->real)
		*t->real = strtod(value, NULL);
	else if (t->text)
		*t->text = value;
	else
		*t->flag = t->flag_value;
}

/* Fills asked, or ends the program. */
static void
options_parse(int argc, char **argv)
{
	struct option options[TARGETS + 2] = { { .name = NULL } };
	int index = 0, option;

	for (size_t i = 0; i < TARGETS; i++) {
		options[i].name = targets[i].name;
		options[i].has_arg = targets[i].flag ? no_argument : required_argument;
		options[i].val = 1;
	}
	options[TARGETS] = (struct option){ "help", no_argument, NULL, 2 };
	while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (option != 1)
			usage(option == 2 ? 0 : 2);
		option_take(&targets[index], optarg);
	}
	if (optind + 1 != argc || option_port == 0)
		usage(2);
	asked.mode = (enum mode)word_index(argv[optind], mode_names);
	asked.tls = (enum tls)option_tls;
	asked.auth = (enum auth)option_auth;
	asked.address.sin_family = AF_INET;
	asked.address.sin_port = htons((uint16_t)option_port);
	if (option_port > 65535 || inet_pton(AF_INET, option_host, &asked.address.sin_addr) != 1)
		die("%s port %u is no IPv4 address and port", option_host, option_port);
	if (strlen(asked.password) > 100)
		die("the password is too long");
	if (asked.size > 64u << 20)
		die("messages have at most 64 MiB");
	if (asked.connections == 0 || asked.users == 0 || asked.batch == 0 || asked.batch > 1000000)
		die("--connections, --users and --batch are at least 1 and at most 1000000");
}

#endif
