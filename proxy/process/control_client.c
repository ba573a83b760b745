/*
 * process/control_client.c - one request to the running proxy, and its answer on standard output.
 *
 * What the verbs are is the other side's to know: all words but -s and -c are passed on. Tables of answers for people come with
 * a TAB between their cells and are aligned here, a bounded number of lines at a time. `explain` without a running proxy is answered
 * from the configuration, by the same code in this process.
 */
#include "process/control_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/snapshot.h"
#include "process/control.h"
#include "process/verbs.h"

#define TABLE_LINES 2000
#define TABLE_CELLS 24

struct call {
	const char *verb;
	const char *socket, *config; /* -s, -c; NULL: not given */
	bool json;
	char request[CONTROL_REQUEST_MAX];
	size_t len;
	unsigned n;
	const char *words[CONTROL_WORDS_MAX]; /* behind the verb; NULL behind the last */
	char path[CONTROL_PATH_MAX];          /* of the socket, out of the configuration */
};

static int
complain(const struct call *c, const char *text)
{
	(void)fprintf(stderr, "sallyport %s: %s\n", c->verb, text);
	return 1;
}

/* --- the words */

static bool
add_word(struct call *c, const char *word)
{
	size_t len = strlen(word) + 1;

	if (len > sizeof(c->request) - 1 - c->len || len == 1) {
		(void)fprintf(stderr, "sallyport %s: %s\n", c->verb,
		    len == 1 ? "an empty word" : "too many words");
		return false;
	}
	memcpy(c->request + c->len, word, len);
	c->len += len;
	return true;
}

/* 0, or the exit status. */
static int
take_words(struct call *c, int argc, char **argv)
{
	c->verb = argv[0];
	if (!add_word(c, argv[0]))
		return 2;
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], **to = NULL;

		if (strcmp(word, "-s") == 0 || strcmp(word, "--socket") == 0)
			to = &c->socket;
		else if (strcmp(word, "-c") == 0 || strcmp(word, "--config") == 0)
			to = &c->config;
		if (to) {
			if (i + 1 == argc) {
				(void)fprintf(
				    stderr, "sallyport %s: %s wants a value\n", c->verb, word);
				return 2;
			}
			*to = argv[++i];
			continue;
		}
		if (strcmp(word, "--json") == 0)
			c->json = true;
		if (!add_word(c, word) || c->n + 2 > CONTROL_WORDS_MAX)
			return 2;
		c->words[c->n++] = word;
	}
	c->request[c->len++] = '\0'; /* the empty word */
	return 0;
}

/* --- where the proxy is */

static void
on_mistake(void *arg, bool warning, const char *file, int line, const char *text)
{
	(void)arg;
	if (!warning)
		(void)fprintf(stderr, "%s:%d: %s\n", file, line, text);
}

static struct snapshot *
read_config(const char *config, unsigned parts)
{
	struct config_files *files = config_files_new(true);
	struct snapshot *s = NULL;

	if (files)
		s = snapshot_build(files, config, parts, NULL, on_mistake, NULL);
	config_files_free(&files);
	return s;
}

/* The socket's path into c->path; empty: the configuration has none. False: it could not be read. */
static bool
find_socket(struct call *c)
{
	const char *config = c->config ? c->config : CONTROL_CONFIG;
	struct snapshot *s;

	if (c->socket) {
		if (str_put(c->path, sizeof(c->path), slice_of(c->socket)))
			return true;
		complain(c, "the socket's name is too long");
		return false;
	}
	s = read_config(config, 0);
	if (!s) {
		complain(c, "where is the control socket? -s PATH, or -c FILE");
		return false;
	}
	if (!s->proxy.control || !str_put(c->path, sizeof(c->path), slice_of(s->proxy.control)))
		c->path[0] = '\0';
	snapshot_unref(&s);
	return true;
}

/* --- tables */

struct table {
	char *lines[TABLE_LINES];
	unsigned n;
};

static unsigned
cut_cells(char *line, char *cells[TABLE_CELLS])
{
	unsigned n = 0;

	for (char *p = line; n < TABLE_CELLS; n++) {
		char *tab = n + 1 < TABLE_CELLS ? strchr(p, '\t') : NULL;

		cells[n] = p;
		if (!tab)
			return n + 1;
		*tab = '\0';
		p = tab + 1;
	}
	return n;
}

static void
table_show(struct table *t)
{
	size_t widths[TABLE_CELLS] = { 0 };
	char *cells[TABLE_CELLS];

	for (unsigned i = 0; i < t->n; i++) {
		const char *p = t->lines[i];

		for (unsigned j = 0; j < TABLE_CELLS && p; j++) {
			const char *tab = strchr(p, '\t');
			size_t len = tab ? (size_t)(tab - p) : strlen(p);

			if (len > widths[j])
				widths[j] = len;
			p = tab ? tab + 1 : NULL;
		}
	}
	for (unsigned i = 0; i < t->n; i++) {
		unsigned n = cut_cells(t->lines[i], cells);

		for (unsigned j = 0; j + 1 < n; j++)
			(void)printf("%-*s  ", (int)widths[j], cells[j]);
		(void)printf("%s\n", cells[n - 1]);
		free(t->lines[i]);
	}
	t->n = 0;
}

/* A line of the body, its end cut off; taken over. */
static void
table_line(struct table *t, char *line)
{
	if (strchr(line, '\t')) {
		t->lines[t->n++] = line;
		if (t->n == TABLE_LINES)
			table_show(t);
		return;
	}
	table_show(t);
	(void)printf("%s\n", line);
	(void)fflush(stdout); /* a trace is watched */
	free(line);
}

/* --- the answer */

static int
read_body(FILE *in, bool json)
{
	static struct table table;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, in)) > 0) {
		if (json) {
			(void)fwrite(line, 1, (size_t)len, stdout);
			(void)fflush(stdout);
			continue;
		}
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		table_line(&table, line);
		line = NULL;
		size = 0;
	}
	table_show(&table);
	free(line);
	return 0;
}

static int
read_answer(struct call *c, int fd)
{
	FILE *in = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int status = 1;

	if (!in) {
		(void)close(fd);
		return complain(c, "out of memory");
	}
	len = getline(&line, &size, in);
	if (len > 0 && line[len - 1] == '\n')
		line[len - 1] = '\0';
	if (len <= 0)
		(void)complain(c, "no answer: is the proxy ending?");
	else if (strcmp(line, "ok") == 0)
		status = read_body(in, c->json);
	else
		(void)complain(c, strncmp(line, "error ", 6) == 0 ? line + 6 : line);
	while (status != 0 && len > 0 && (len = getline(&line, &size, in)) > 0)
		(void)fwrite(line, 1, (size_t)len, stderr); /* what goes with an error */
	free(line);
	(void)fclose(in);
	return status;
}

static int
ask(struct call *c, int fd)
{
	for (size_t at = 0; at < c->len;) {
		ssize_t n = send(fd, c->request + at, c->len - at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* it may have said why */
		at += (size_t)n;
	}
	return read_answer(c, fd);
}

/* --- explain without a proxy */

struct offline {
	struct call *call;
	struct loop *loop;
	struct route_question question;
	int status;
};

static void
on_explained(void *arg, const struct route_answer *a)
{
	struct offline *o = arg;
	struct table *table = mem_zalloc(sizeof(*table));
	struct sheet s;
	struct buf out;
	struct slice text, line;

	o->status = 0;
	buf_init(&out, CONTROL_OUT_MAX, false);
	sheet_init(&s, &out, o->call->json);
	sheet_begin(&s);
	verbs_explain_write(&s, &o->question, a);
	sheet_end(&s);
	text = buf_slice(&out);
	if (s.json || !table) {
		(void)printf(SLICE_FMT, SLICE_ARG(text));
	} else {
		while (slice_cut(&text, '\n', &line)) {
			char *copy = strndup(line.p ? line.p : "", line.len);

			if (copy)
				table_line(table, copy);
		}
		table_show(table);
	}
	mem_free(table);
	buf_free(&out);
	loop_stop(o->loop);
}

/* The question out of the words. 0, or the exit status. */
static int
offline_question(struct offline *o)
{
	struct call *c = o->call;
	struct route_question *q = &o->question;
	const char *user = NULL;

	for (unsigned i = 0; i < c->n; i++) {
		const char *word = c->words[i], *value = c->words[i + 1];
		bool ok = value != NULL;

		if (strcmp(word, "--json") == 0)
			continue;
		if (strncmp(word, "--", 2) != 0) {
			ok = !user;
			user = word;
		} else if (ok && strcmp(word, "--from") == 0) {
			ok = addr_parse_ip(&q->client, slice_of(value), 0);
			i++;
		} else if (ok && strcmp(word, "--listener") == 0) {
			ok = str_put(q->listener, sizeof(q->listener), slice_of(value));
			i++;
		} else if (ok && strcmp(word, "--server-name") == 0) {
			ok = str_put(q->server_name, sizeof(q->server_name), slice_of(value));
			i++;
		} else {
			ok = false;
		}
		if (!ok) {
			(void)fprintf(stderr,
			    "sallyport explain: what is %s? `sallyport help explain`\n", word);
			return 2;
		}
	}
	if (user && str_put(q->user, sizeof(q->user), slice_of(user)))
		return 0;
	(void)fprintf(stderr, "sallyport explain: which user?\n");
	return 2;
}

static int
explain_offline(struct call *c)
{
	const char *config = c->config ? c->config : CONTROL_CONFIG;
	struct offline o = { .call = c, .status = 1 };
	struct directory *d = NULL;
	struct snapshot *s = NULL;
	struct err err = { "" };
	int status = offline_question(&o);

	if (status)
		return status;
	s = read_config(config, SNAPSHOT_DIRECTORY);
	o.loop = loop_new();
	if (s && o.loop)
		d = directory_new(o.loop, &err);
	if (d) {
		const struct directory_config dc = {
			.routes = s->routes,
			.n_routes = s->n_routes,
			.pools = s->pools,
			.n_pools = s->n_pools,
			.backends = s->backends,
			.n_backends = s->n_backends,
		};

		if (directory_configure(d, &dc, &err) >= 0) {
			o.status = -1;
			directory_explain(d, 0, &o.question, on_explained, &o);
			if (o.status < 0)
				loop_run(o.loop);
		}
	}
	if (o.status != 0)
		o.status = complain(c, err.text[0] ? err.text : "the configuration is not usable");
	directory_free(&d);
	snapshot_unref(&s);
	loop_free(&o.loop);
	return o.status;
}

int
control_client(int argc, char **argv)
{
	static struct call c;
	struct err err = { "" };
	bool nobody = true, offline = false;
	int fd = -1, status = take_words(&c, argc, argv);

	if (status)
		return status;
	offline = strcmp(c.verb, "explain") == 0 && c.config;
	if (!find_socket(&c))
		return 1;
	if (c.path[0])
		fd = control_connect(c.path, &nobody, &err);
	else
		err_set(&err, "%s has no `control`: there is no socket to ask at",
		    c.config ? c.config : CONTROL_CONFIG);
	if (fd >= 0)
		return ask(&c, fd);
	if (!offline || !nobody)
		return complain(&c, err.text);
	(void)fprintf(
	    stderr, "sallyport explain: no proxy answers; this is what %s says\n", c.config);
	return explain_offline(&c);
}
