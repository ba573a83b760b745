/*
 * main.c - the command line: verbs, their options, and the hidden roles of children.
 *
 * A child of the master is this program with an argv[0] of "sallyport: worker 1" and no arguments. Exit status: 0; 1: it failed;
 * 2: it was called wrongly.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/manual.h"
#include "process/child.h"
#include "process/control_client.h"
#include "process/master.h"
#include "process/setup.h"
#include "process/supervise.h"

struct verb {
	const char *name;
	const char *usage; /* behind the name */
	const char *summary;
	const char *help;
	int (*run)(const struct verb *v, int argc, char **argv); /* argv[0] is the verb */
};

static const struct verb *verb_find(const char *name);
static void usage(FILE *out);

static int
wrong(const struct verb *v)
{
	(void)fprintf(stderr, "usage: sallyport %s %s\n", v->name, v->usage);
	return 2;
}

/* Options of run and check. 0, or the exit status when they are wrong. */
static int
options(const struct verb *v, int argc, char **argv, struct master_options *o)
{
	static const struct option both[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "address-file", required_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	bool run = strcmp(v->name, "run") == 0;
	int c;

	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, "+:c:", both, NULL)) != -1) {
		if (c == 'c') {
			o->config = optarg;
		} else if (c == 'a' && run) {
			o->address_file = optarg;
		} else {
			if (c == ':')
				(void)fprintf(stderr, "sallyport %s: %s wants a value\n", v->name,
				    argv[optind - 1]);
			else
				(void)fprintf(stderr, "sallyport %s: unknown option %s\n", v->name,
				    argv[optind - 1]);
			return wrong(v);
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "sallyport %s: what is %s?\n", v->name, argv[optind]);
		return wrong(v);
	}
	if (!o->config) {
		(void)fprintf(stderr, "sallyport %s: which configuration? -c FILE\n", v->name);
		return wrong(v);
	}
	return 0;
}

static int
run_run(const struct verb *v, int argc, char **argv)
{
	struct master_options o = { 0 };
	int status = options(v, argc, argv, &o);

	return status ? status : master_run(&o);
}

static int
run_check(const struct verb *v, int argc, char **argv)
{
	struct master_options o = { 0 };
	int status = options(v, argc, argv, &o);
	struct config_files *files;

	if (status)
		return status;
	files = config_files_new(true);
	if (!files) {
		(void)fprintf(stderr, "sallyport: out of memory\n");
		return 1;
	}
	status = setup_check(files, o.config) ? 0 : 1;
	config_files_free(&files);
	if (status == 0)
		(void)printf("%s: ok\n", o.config);
	return status;
}

static int
run_control(const struct verb *v, int argc, char **argv)
{
	(void)v;
	return control_client(argc, argv);
}

#define CONTROL_OPTIONS                                                                            \
	"\n"                                                                                       \
	"  -s, --socket PATH    the control socket of the running proxy\n"                         \
	"  -c, --config FILE    or: the configuration that names it (default " CONTROL_CONFIG      \
	")\n"                                                                                      \
	"      --json           for programs\n"

static int
run_version(const struct verb *v, int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return wrong(v);
	(void)printf("sallyport %s\n", SALLYPORT_VERSION);
	return 0;
}

static int
run_help(const struct verb *v, int argc, char **argv)
{
	const struct verb *about;

	if (argc > 2)
		return wrong(v);
	if (argc == 1) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--manual-keys") == 0) {
		manual_keys(stdout);
		return 0;
	}
	about = verb_find(argv[1]);
	if (!about) {
		(void)fprintf(stderr, "sallyport help: there is no verb %s\n", argv[1]);
		usage(stderr);
		return 2;
	}
	(void)printf("usage: sallyport %s %s\n\n%s", about->name, about->usage, about->help);
	return 0;
}

static const struct verb verbs[] = {
	{ "run", "-c FILE [--address-file PATH]", "serve, in the foreground",
	    "Reads and checks FILE, opens the listeners, starts the processes and stays in the "
	    "foreground: what a\n"
	    "service manager starts. A mistake in FILE is reported as by `sallyport check`, with "
	    "status 1.\n"
	    "\n"
	    "  -c, --config FILE      the configuration\n"
	    "  --address-file PATH    when all is ready, write a line `NAME ADDRESS:PORT` for each "
	    "address listened on\n"
	    "                         (a port 0 in the configuration is picked by the kernel)\n"
	    "\n"
	    "SIGTERM and SIGINT end it: sessions are let go spread over stop_timeout. A second one "
	    "ends it at once. SIGHUP: FILE is read again, and in force when it is right.\n",
	    run_run },
	{ "check", "-c FILE", "check a configuration",
	    "Reads FILE with all that it names (certificates, keys, users files) as `run` would, "
	    "and reports every\n"
	    "mistake on standard error, one a line:\n"
	    "\n"
	    "  FILE:LINE: what is wrong, and what would be right\n"
	    "  FILE:LINE: warning: what is allowed, but hardly meant\n"
	    "\n"
	    "Status 0: `run` can serve with it. 1: there are mistakes.\n",
	    run_check },
	{ "status", "[--json]", "what the running proxy does",
	    "Version, how long it runs, the generation of its configuration (1, and one more with "
	    "each reload), its\n"
	    "processes, the sums of their counters, and the state of every "
	    "backend.\n" CONTROL_OPTIONS,
	    run_control },
	{ "sessions", "[--user USER] [--backend NAME] [--json]", "list sessions",
	    "One line a session, those logging in and those in the relay; with --json one object a "
	    "line.\n"
	    "\n"
	    "  --user USER          of this user only\n"
	    "  --backend NAME       at this backend only\n" CONTROL_OPTIONS,
	    run_control },
	{ "kick", "USER | --session ID | --backend NAME", "end sessions",
	    "Ends the sessions of USER, or one by its id (of `sallyport sessions` or the log), or "
	    "all at a backend,\n"
	    "and says how many. A relayed one is closed between two bytes, as by a network that "
	    "fails; its client may come\n"
	    "back at once.\n" CONTROL_OPTIONS,
	    run_control },
	{ "reload", "", "read the configuration anew",
	    "Checks the whole configuration; when anything is wrong the old one stays in force and "
	    "each mistake is shown.\n"
	    "Sessions notice nothing.\n" CONTROL_OPTIONS,
	    run_control },
	{ "stop", "", "end the proxy",
	    "As SIGTERM: sessions are let go spread over stop_timeout.\n" CONTROL_OPTIONS,
	    run_control },
	{ "pool", "status [--json]", "stores, their state and why",
	    "Each store of each pool: state (up, down, trial: about to be tried again), what an "
	    "operator has said of it,\n"
	    "sessions, logins, and the last failure: when, at which stage, and why; then failures "
	    "by cause.\n" CONTROL_OPTIONS,
	    run_control },
	{ "backend", "NAME drain [--rate N] | enable | disable | maintenance",
	    "take a store out or in",
	    "  drain                no new users; those who have sessions there go on, and may "
	    "open "
	    "more\n"
	    "  drain --rate N       and N sessions a second are ended, all of a user at once, so "
	    "that "
	    "they go elsewhere\n"
	    "  disable              no logins; sessions go on\n"
	    "  maintenance          users who belong there are told [UNAVAILABLE] and do not go "
	    "elsewhere\n"
	    "  enable               as before\n"
	    "\n"
	    "It holds until the proxy is stopped.\n" CONTROL_OPTIONS,
	    run_control },
	{ "trace", "USER [--json]", "watch logins of a user",
	    "Shows the dialogue before the relay of each login of USER, with client, directory and "
	    "store, from now until\n"
	    "interrupted. Passwords are never shown, nor what a store says after it was sent "
	    "one.\n" CONTROL_OPTIONS,
	    run_control },
	{ "explain", "USER [--from ADDRESS] [--listener NAME] [--server-name NAME]",
	    "where a user would go, and why",
	    "Asks the running proxy, without effect on it: rule, name, lookup, stores in the order "
	    "they would be tried.\n"
	    "With -c FILE, and when no proxy answers, FILE alone is asked.\n"
	    "\n"
	    "  --from ADDRESS       as if the client came from there\n"
	    "  --listener NAME      through [listen NAME]\n"
	    "  --server-name NAME   asking for this name in TLS\n" CONTROL_OPTIONS,
	    run_control },
	{ "user", "where USER [--json]", "where a user is",
	    "The stores where USER has sessions, by worker (0 sessions: had the last one there), "
	    "and where the next\n"
	    "login would go.\n" CONTROL_OPTIONS,
	    run_control },
	{ "help", "[VERB]", "what a verb does", "Without VERB: lists the verbs.\n", run_help },
	{ "version", "", "print the version", "Prints name and version.\n", run_version },
};

static const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static void
usage(FILE *out)
{
	(void)fprintf(out, "usage: sallyport VERB [OPTIONS]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		(void)fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].summary);
	(void)fprintf(out, "\n`sallyport help VERB` tells more.\n");
}

/* Descriptors 0 to 2 exist, so that no socket becomes one of them. */
static bool
standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
			return false;
	return true;
}

static int
dispatch(int argc, char **argv)
{
	const struct verb *v;
	const char *name;
	enum role role;

	if (argc == 1 && process_title_parse(argv[0], &role))
		return child_main(role == ROLE_WORKER ? &worker_role : &directory_role);
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	name = argv[1];
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	v = verb_find(name);
	if (!v) {
		(void)fprintf(stderr, "sallyport: there is no verb %s\n", name);
		usage(stderr);
		return 2;
	}
	return v->run(v, argc - 1, argv + 1);
}

int
main(int argc, char **argv)
{
	int status;

	mem_setup();
	if (!standard_descriptors())
		return 1;
	status = dispatch(argc, argv);
	if (fflush(stdout) != 0 && status == 0) {
		(void)fprintf(stderr, "sallyport: cannot write to standard output\n");
		status = 1;
	}
	return status;
}
