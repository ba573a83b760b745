/*
 * tests/unit/base_log_test.c - log lines: escaping, the bound of a line at every byte, and never blocking.
 *
 * Each line is read back by a parser of its own, strict logfmt or strict JSON, so that whatever was given
 * to the logger, a valid line with the same values must come out.
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/stat.h"

/* --- what a line says */

struct value {
	char key[64];
	char text[8192]; /* unescaped: one byte a \u00XX */
	size_t len;
	bool quoted;
};

static struct value values[64];
static size_t n_values;

static const struct value *
value_of(const char *key)
{
	for (size_t i = 0; i < n_values; i++)
		if (strcmp(values[i].key, key) == 0)
			return &values[i];
	return NULL;
}

#define CHECK_VALUE(key_, want)                                                                    \
	do {                                                                                       \
		const struct value *v_ = value_of(key_);                                           \
		CHECK_STR(v_ ? v_->text : NULL, want);                                             \
	} while (0)

static unsigned
hex(char c)
{
	return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
	       : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
				      : 16;
}

/* The inside of a quoted string, both kinds: moves *p behind the closing quote. */
static bool
parse_string(const char **p, const char *end, struct value *v)
{
	v->len = 0;
	v->quoted = true;
	for (; *p < end; (*p)++) {
		unsigned char c = (unsigned char)**p;

		if (c == '"') {
			(*p)++;
			v->text[v->len] = '\0';
			return true;
		}
		if (c < 0x20 || c >= 0x7f)
			return false;
		if (c == '\\') {
			if (end - *p >= 2 && ((*p)[1] == '"' || (*p)[1] == '\\')) {
				c = (unsigned char)*++*p;
			} else if (end - *p >= 6 && memcmp(*p, "\\u00", 4) == 0 &&
				   hex((*p)[4]) < 16 && hex((*p)[5]) < 16) {
				c = (unsigned char)(hex((*p)[4]) << 4 | hex((*p)[5]));
				*p += 5;
			} else {
				return false;
			}
		}
		v->text[v->len++] = (char)c;
	}
	return false;
}

/* A JSON number: no leading zeros, digits on both sides of the point. */
static bool
is_number(const struct value *v)
{
	const char *p = v->text;

	if (*p == '-')
		p++;
	size_t digits = strspn(p, "0123456789");
	if (digits == 0 || (*p == '0' && digits > 1))
		return false;
	p += digits;
	if (*p == '.') {
		digits = strspn(++p, "0123456789");
		if (digits == 0)
			return false;
		p += digits;
	}
	return *p == '\0';
}

static bool
parse_json(const char *p, const char *end)
{
	if (p == end || *p++ != '{')
		return false;
	for (;;) {
		struct value *v = &values[n_values];

		if (n_values == ARRAY_SIZE(values) || p == end || *p++ != '"' ||
		    !parse_string(&p, end, v) || v->len >= sizeof(v->key) || end - p < 2 ||
		    *p++ != ':')
			return false;
		memcpy(v->key, v->text, v->len + 1);
		if (*p == '"') {
			p++;
			if (!parse_string(&p, end, v))
				return false;
		} else {
			v->quoted = false;
			for (v->len = 0; p < end && *p != ',' && *p != '}'; p++)
				v->text[v->len++] = *p;
			v->text[v->len] = '\0';
			if (!is_number(v))
				return false;
		}
		n_values++;
		if (p == end)
			return false;
		if (*p == '}')
			return p + 1 == end;
		if (*p++ != ',')
			return false;
	}
}

static bool
parse_logfmt(const char *p, const char *end)
{
	for (;;) {
		struct value *v = &values[n_values];
		size_t n = 0;

		if (n_values == ARRAY_SIZE(values))
			return false;
		while (p < end && *p != '=' && n < sizeof(v->key) - 1)
			v->key[n++] = *p++;
		v->key[n] = '\0';
		if (n == 0 || strcspn(v->key, " \"\\") != n || p == end || *p++ != '=')
			return false;
		if (p < end && *p == '"') {
			p++;
			if (!parse_string(&p, end, v))
				return false;
		} else {
			v->quoted = false;
			for (v->len = 0; p < end && *p != ' '; p++) {
				if (*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || *p > '~')
					return false;
				v->text[v->len++] = *p;
			}
			v->text[v->len] = '\0';
			if (v->len == 0)
				return false; /* nothing is written as "" */
		}
		n_values++;
		if (p == end)
			return true;
		if (*p++ != ' ')
			return false;
	}
}

/* --- where the lines go */

static int pipes[2] = { -1, -1 };
static enum log_format format_now;
static char line[PIPE_BUF * 2];
static size_t line_len;

static void
log_to_pipe(enum log_level level, enum log_format format)
{
	if (pipes[0] >= 0) {
		close(pipes[0]);
		close(pipes[1]);
	}
	CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	CHECK(fcntl(pipes[0], F_SETFL, O_NONBLOCK) == 0);
	format_now = format;
	log_setup(pipes[1], level, format, "test");
}

static void
parse_line(const char *p, size_t len)
{
	n_values = 0;
	CHECK(len > 0 && len <= PIPE_BUF);
	CHECK_INT(p[len - 1], '\n');
	CHECK(!memchr(p, '\n', len - 1));
	if (!(format_now == LOG_JSON ? parse_json : parse_logfmt)(p, p + len - 1))
		FAIL("no valid line: ...%.*s", len > 100 ? 100 : (int)len - 1,
		    p + len - 1 - (len > 100 ? 100 : len - 1));
}

/* The one line that was written since the last call. */
static void
read_line(void)
{
	ssize_t n = read(pipes[0], line, sizeof(line));

	CHECK(n > 0);
	line_len = (size_t)n;
	parse_line(line, line_len);
}

static bool
nothing_written(void)
{
	return read(pipes[0], line, sizeof(line)) < 0 && errno == EAGAIN;
}

/* --- lines */

TEST(a_line_says_when_who_and_what)
{
	for (unsigned f = LOG_LOGFMT; f <= LOG_JSON; f++) {
		struct log_line l;
		char pid[24];

		log_to_pipe(LOG_INFO, (enum log_format)f);
		log_begin(&l, LOG_WARN, EV_LOGIN);
		log_cstr(&l, "user", "alice");
		log_u64(&l, "n", UINT64_MAX);
		log_end(&l);
		read_line();
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		CHECK_U64(n_values, 7);
		CHECK_STR(values[0].key, "ts");
		unsigned y, mo, d, h, mi, s, ms;
		int used = 0;
		CHECK_INT(sscanf(values[0].text, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ%n", &y, &mo, &d, &h,
			      &mi, &s, &ms, &used),
		    7);
		CHECK_INT(used, 24);
		CHECK_U64(values[0].len, 24);
		CHECK(y >= 2024 && mo >= 1 && mo <= 12 && d >= 1 && h < 24 && mi < 60 && s < 61);
		CHECK_STR(values[1].key, "level");
		CHECK_STR(values[1].text, "warn");
		CHECK_STR(values[2].key, "role");
		CHECK_STR(values[2].text, "test");
		CHECK_STR(values[3].key, "pid");
		CHECK_STR(values[3].text, pid);
		CHECK(!values[3].quoted);
		CHECK_STR(values[4].key, "event");
		CHECK_STR(values[4].text, "login");
		CHECK_VALUE("user", "alice");
		CHECK_VALUE("n", "18446744073709551615");
	}
}

TEST(the_forms_are_as_documented)
{
	struct log_line l;
	const char *at;

	log_to_pipe(LOG_INFO, LOG_LOGFMT);
	log_begin(&l, LOG_INFO, EV_SESSION_END);
	log_cstr(&l, "a", "x y");
	log_u64(&l, "b", 7);
	log_cstr(&l, "c", "z");
	log_end(&l);
	read_line();
	at = memmem(line, line_len, " event=", 7);
	CHECK(at);
	CHECK_BYTES(
	    at, line_len - (size_t)(at - line), " event=session_end a=\"x y\" b=7 c=z\n", 35);

	log_to_pipe(LOG_INFO, LOG_JSON);
	log_begin(&l, LOG_INFO, EV_SESSION_END);
	log_cstr(&l, "a", "x y");
	log_u64(&l, "b", 7);
	log_end(&l);
	read_line();
	CHECK_BYTES(line, 7, "{\"ts\":\"", 7);
	at = memmem(line, line_len, ",\"event\"", 8);
	CHECK(at);
	CHECK_BYTES(at, line_len - (size_t)(at - line),
	    ",\"event\":\"session_end\",\"a\":\"x y\",\"b\":7}\n", 40);
}

TEST(every_event_has_a_name)
{
	static const char *const names[] = {
#define X(id, text) text,
		LOG_EVENTS(X)
#undef X
	};

	log_to_pipe(LOG_INFO, LOG_LOGFMT);
	for (unsigned i = 0; i < EV_COUNT; i++) {
		struct log_line l;

		log_begin(&l, LOG_ERROR, (enum log_event)i);
		log_end(&l);
		read_line();
		CHECK_VALUE("event", names[i]);
		for (unsigned j = 0; j < i; j++)
			CHECK(strcmp(names[i], names[j]) != 0);
	}
}

TEST(values_of_each_kind)
{
	struct addr a;

	CHECK(addr_parse_ip(&a, SLICE("::1"), 993));
	for (unsigned f = LOG_LOGFMT; f <= LOG_JSON; f++) {
		struct log_line l;

		log_to_pipe(LOG_INFO, (enum log_format)f);
		log_begin(&l, LOG_INFO, EV_START);
		log_str(&l, "str", SLICE("a\0b"));
		log_str(&l, "none", (struct slice){ NULL, 0 });
		log_cstr(&l, "empty", "");
		log_cstr(&l, "null", NULL);
		log_fmt(&l, "fmt", "%s %d", "x", 7);
		log_u64(&l, "zero", 0);
		log_addr(&l, "addr", &a);
		log_seconds(&l, "seconds", 1.23456);
		log_seconds(&l, "nothing", 0);
		log_seconds(&l, "before", -0.5);
		log_end(&l);
		read_line();
		CHECK(value_of("str"));
		CHECK_BYTES(value_of("str")->text, value_of("str")->len, "a\0b", 3);
		CHECK_VALUE("none", "");
		CHECK_VALUE("empty", "");
		CHECK(!value_of("null"));
		CHECK_VALUE("fmt", "x 7");
		CHECK_VALUE("zero", "0");
		CHECK_VALUE("addr", "[::1]:993");
		CHECK_VALUE("seconds", "1.235");
		CHECK(!value_of("seconds")->quoted);
		CHECK_VALUE("nothing", "0.000");
		CHECK_VALUE("before", "-0.500");
	}
}

TEST(seconds_are_always_a_number)
{
	static const double odd[] = { NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e18, 1e12,
		123456789.0004 };

	for (unsigned f = LOG_LOGFMT; f <= LOG_JSON; f++)
		for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
			struct log_line l;

			log_to_pipe(LOG_INFO, (enum log_format)f);
			test_note("%g", odd[i]);
			log_begin(&l, LOG_INFO, EV_START);
			log_seconds(&l, "s", odd[i]);
			log_end(&l);
			read_line();
			CHECK(value_of("s") && is_number(value_of("s")));
			if (odd[i] > 0 && odd[i] < 1e10)
				CHECK_VALUE("s", "123456789.000");
		}
}

TEST(every_byte_comes_out_as_it_went_in)
{
	for (unsigned f = LOG_LOGFMT; f <= LOG_JSON; f++) {
		log_to_pipe(LOG_INFO, (enum log_format)f);
		for (unsigned c = 0; c < 256; c++) {
			struct log_line l;
			const char alone[1] = { (char)c }, within[3] = { 'a', (char)c, 'z' };

			test_note("byte %u", c);
			log_begin(&l, LOG_INFO, EV_START);
			log_str(&l, "alone", (struct slice){ alone, 1 });
			log_str(&l, "within", (struct slice){ within, 3 });
			log_end(&l);
			read_line();
			CHECK(value_of("alone") && value_of("within"));
			CHECK_BYTES(value_of("alone")->text, value_of("alone")->len, alone, 1);
			CHECK_BYTES(value_of("within")->text, value_of("within")->len, within, 3);
			if (f == LOG_LOGFMT) /* quoted only where it must be */
				CHECK(value_of("alone")->quoted ==
				      (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '='));
		}
	}
}

/* A value of @len bytes of which every one may be escaped, by @kind. */
static struct slice
filler(unsigned kind, size_t len)
{
	static const char *const patterns[] = { "x", "\"", "\\", "\n", "\xff", "x\"", "\"x", "x\n",
		"\nx\\", "x y", "\n\"" };
	static char text[8192];

	if (kind >= ARRAY_SIZE(patterns))
		return (struct slice){ NULL, 0 };
	for (size_t i = 0; i < len; i++)
		text[i] = patterns[kind][i % strlen(patterns[kind])];
	return (struct slice){ text, len };
}

static size_t
cost(char c, bool bare)
{
	if (bare)
		return 1;
	return c == '"' || c == '\\' ? 2 : (c < 0x20 || c == 0x7f ? 6 : 1);
}

/*
 * Plain text brings the line to each byte near its end; then comes a value of each kind that goes beyond, and more
 * pairs behind it. The line stays within PIPE_BUF, stays valid, holds a prefix of the value, and is not
 * cut while there would be room.
 */
TEST(a_line_is_cut_at_every_position_and_stays_valid)
{
	for (unsigned f = LOG_LOGFMT; f <= LOG_JSON; f++) {
		log_to_pipe(LOG_INFO, (enum log_format)f);
		for (unsigned kind = 0; filler(kind, 0).p; kind++)
			for (size_t plain = 3890; plain < 4020; plain++) {
				struct {
					struct log_line l;
					char guard[16];
				} m;
				static char text[4200];

				test_note("format %u, kind %u, %zu bytes before", f, kind, plain);
				memset(m.guard, 'g', sizeof(m.guard));
				memset(text, '.', plain);
				log_begin(&m.l, LOG_INFO, EV_START);
				log_str(&m.l, "plain", (struct slice){ text, plain });
				struct slice want = filler(kind, 300);
				log_str(&m.l, "value", want);
				log_u64(&m.l, "number", UINT64_MAX);
				log_str(&m.l, "after", want);
				log_cstr(&m.l, "k", "v");
				log_end(&m.l);
				CHECK_BYTES(m.guard, 16, "gggggggggggggggg", 16);
				read_line();
				CHECK(value_of("plain") && value_of("plain")->len > 3800);
				const struct value *v = value_of("value");
				size_t short_of = PIPE_BUF - line_len;
				if (v) {
					CHECK(v->len <= want.len);
					CHECK_BYTES(v->text, v->len, want.p, v->len);
					if (v->len <
					    want.len) /* no further character would have fitted */
						CHECK(short_of <
						      cost(want.p[v->len], !v->quoted) + 2);
				} else {
					CHECK(short_of < strlen("value") + 24 + 3);
				}
				v = value_of("number");
				if (v)
					CHECK_STR(v->text, "18446744073709551615");
			}
	}
}

/* Values of every length alone: the border between whole and cut. */
TEST(a_value_is_cut_only_where_the_line_ends)
{
	for (unsigned f = LOG_LOGFMT; f <= LOG_JSON; f++) {
		log_to_pipe(LOG_INFO, (enum log_format)f);
		for (unsigned kind = 0; filler(kind, 0).p; kind++)
			for (size_t len = 1, sum = 0; sum < PIPE_BUF; len++) {
				sum += cost(filler(kind, len).p[len - 1], kind == 0);
				if (sum < PIPE_BUF - 150)
					continue;
				struct log_line l;
				struct slice want = filler(kind, len);
				size_t whole = 0;

				test_note("format %u, kind %u, %zu bytes", f, kind, len);
				log_begin(&l, LOG_INFO, EV_START);
				size_t before = l.len;
				log_str(&l, "v", want);
				log_end(&l);
				read_line();
				const struct value *v = value_of("v");
				CHECK(v);
				CHECK_BYTES(v->text, v->len, want.p, v->len);
				for (size_t i = 0; i < len; i++)
					whole += cost(want.p[i], !v->quoted);
				/* The key and what is around it, and the end of the line. */
				whole += before + (f == LOG_JSON ? 4 : 3) + (v->quoted ? 2 : 0) +
					 (f == LOG_JSON ? 2 : 1);
				if (whole <= PIPE_BUF - 2)
					CHECK_U64(v->len, len);
				if (whole > PIPE_BUF)
					CHECK(v->len < len);
			}
	}
}

TEST(any_pairs_in_any_order_make_a_valid_line)
{
	uint64_t seed = 88172645463325252u;

	for (unsigned f = LOG_LOGFMT; f <= LOG_JSON; f++) {
		log_to_pipe(LOG_INFO, (enum log_format)f);
		for (unsigned i = 0; i < 1000; i++) {
			struct log_line l;

			log_begin(&l, LOG_INFO, EV_START);
			for (unsigned j = 0; j < 50; j++) {
				seed ^= seed << 13;
				seed ^= seed >> 7;
				seed ^= seed << 17;
				char key[8];
				size_t len = (size_t)(seed >> 40) % (i % 3 ? 60 : 600);

				snprintf(key, sizeof(key), "k%u", j);
				if (seed % 4 == 0)
					log_u64(&l, key, seed);
				else if (seed % 4 == 1)
					log_seconds(&l, key, (double)seed / 3);
				else
					log_str(&l, key, filler((unsigned)(seed >> 8) % 11, len));
			}
			log_end(&l);
			test_note("line %u", i);
			read_line();
		}
	}
}

TEST(long_formatted_text_is_cut)
{
	struct log_line l;

	log_to_pipe(LOG_INFO, LOG_JSON);
	log_begin(&l, LOG_INFO, EV_START);
	log_fmt(&l, "f", "%2000d", 7);
	log_end(&l);
	read_line();
	CHECK(value_of("f"));
	CHECK_U64(value_of("f")->len, 1023);
	log_msg(LOG_INFO, EV_START, "%2000d", 7);
	read_line();
	CHECK(value_of("msg"));
	CHECK_U64(value_of("msg")->len, 1023);
}

TEST(levels_that_are_not_wanted_cost_nothing)
{
	for (unsigned set = LOG_ERROR; set <= LOG_DEBUG; set++) {
		log_to_pipe((enum log_level)set, LOG_LOGFMT);
		for (unsigned level = LOG_ERROR; level <= LOG_DEBUG; level++) {
			struct log_line l;
			struct addr a = { 0 };

			test_note("%u of %u", level, set);
			CHECK(log_wants((enum log_level)level) == (level <= set));
			log_begin(&l, (enum log_level)level, EV_START);
			log_cstr(&l, "a", "b");
			log_fmt(&l, "c", "%d", 1);
			log_u64(&l, "d", 1);
			log_seconds(&l, "e", 1);
			log_addr(&l, "f", &a);
			log_end(&l);
			if (level <= set) {
				read_line();
				CHECK_VALUE("f", "-");
			} else {
				CHECK(nothing_written());
				CHECK_U64(l.len, 0);
			}
			log_msg((enum log_level)level, EV_START, "hello %d", 1);
			if (level <= set) {
				read_line();
				CHECK_VALUE("msg", "hello 1");
			} else {
				CHECK(nothing_written());
			}
		}
	}
}

TEST(levels_have_names)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	static const char *const none[] = { "", "Error", "err", "errors", "debug ", "4" };

	for (unsigned i = 0; i < 4; i++) {
		enum log_level level = LOG_ERROR;

		CHECK(log_level_parse(slice_of(names[i]), &level));
		CHECK_U64(level, i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		enum log_level level = LOG_INFO;

		CHECK(!log_level_parse(slice_of(none[i]), &level));
		CHECK_U64(level, LOG_INFO);
	}
	enum log_level level;
	CHECK(!log_level_parse((struct slice){ NULL, 0 }, &level));
}

/* --- never blocking, never silent about what was lost */

static void
emit(unsigned n)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, EV_START);
	log_u64(&l, "n", n);
	log_end(&l);
}

/* Reads and parses line after line of what is in @fd now. */
static size_t pending_len;
static char pending[1 << 20];

static void
drain(int fd)
{
	ssize_t n;

	pending_len = 0;
	while (pending_len < sizeof(pending) &&
	       (n = read(fd, pending + pending_len, sizeof(pending) - pending_len)) > 0)
		pending_len += (size_t)n;
}

/* Takes the first line off what was drained. */
static bool
next_line(void)
{
	char *end = memchr(pending, '\n', pending_len);

	if (!end)
		return false;
	size_t len = (size_t)(end - pending) + 1;
	parse_line(pending, len);
	memmove(pending, pending + len, pending_len -= len);
	return true;
}

static void
check_lost_once(int reader)
{
	uint64_t lost_before = stat_get(STAT_LOG_LOST);
	unsigned sent = 0;

	while (stat_get(STAT_LOG_LOST) == lost_before)
		emit(sent++);
	for (unsigned i = 0; i < 41; i++)
		emit(sent++);
	CHECK_U64(stat_get(STAT_LOG_LOST) - lost_before, 42);
	drain(reader);
	for (unsigned i = 0; i < sent - 42; i++) {
		char n[16];

		CHECK(next_line());
		snprintf(n, sizeof(n), "%u", i);
		CHECK_VALUE("n", n);
	}
	CHECK_U64(pending_len, 0); /* whole lines only */
	emit(777);
	emit(778);
	drain(reader);
	CHECK(next_line());
	CHECK_VALUE("event", "log_lost");
	CHECK_VALUE("level", "error");
	CHECK_VALUE("lines", "42");
	CHECK(next_line());
	CHECK_VALUE("n", "777");
	CHECK(next_line());
	CHECK_VALUE("n", "778");
	CHECK(!next_line());
	CHECK_U64(stat_get(STAT_LOG_LOST) - lost_before, 42);
}

TEST(a_full_pipe_loses_lines_and_says_how_many)
{
	for (unsigned f = LOG_LOGFMT; f <= LOG_JSON; f++) {
		alarm(20);
		log_to_pipe(LOG_INFO, (enum log_format)f);
		check_lost_once(pipes[0]);
		check_lost_once(pipes[0]);
		alarm(0);
	}
}

TEST(a_full_socket_loses_lines_and_says_how_many)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		int fds[2];

		test_note("type %d", types[i]);
		alarm(20);
		CHECK(socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, fds) == 0);
		CHECK(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
		log_setup(fds[1], LOG_INFO, format_now = LOG_JSON, "test");
		check_lost_once(fds[0]);
		alarm(0);
		log_setup(-1, LOG_INFO, LOG_JSON, "test");
		close(fds[0]);
		close(fds[1]);
	}
}

TEST(a_reader_that_is_gone_ends_nobody)
{
	signal(SIGPIPE, SIG_DFL);
	for (unsigned socket = 0; socket < 2; socket++) {
		int fds[2];
		uint64_t before = stat_get(STAT_LOG_LOST);

		test_note("socket: %u", socket);
		CHECK((socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds)) == 0);
		log_setup(fds[1], LOG_INFO, LOG_LOGFMT, "test");
		close(fds[0]);
		emit(1);
		CHECK_U64(stat_get(STAT_LOG_LOST) - before, 1);
		close(fds[1]);
		emit(1); /* not even a descriptor */
		CHECK_U64(stat_get(STAT_LOG_LOST) - before, 2);
	}
	log_setup(-1, LOG_INFO, LOG_LOGFMT, "test");
	emit(1);
	log_to_pipe(LOG_INFO, LOG_LOGFMT);
	emit(5);
	drain(pipes[0]);
	CHECK(next_line());
	CHECK_VALUE("lines", "5");
	CHECK(next_line());
	CHECK_VALUE("n", "5");
}

/* Our poll(2), in front of the C library's: may be told to see room where there is none. */
static bool poll_lies;

int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec t = { timeout / 1000, timeout % 1000 * 1000000L };

	if (!poll_lies)
		return ppoll(fds, n, timeout < 0 ? NULL : &t, NULL);
	fds[0].revents = POLLOUT;
	return 1;
}

/* Between asking whether there is room and writing, another process takes it. */
TEST(room_that_another_process_took_is_not_waited_for)
{
	for (unsigned socket = 0; socket < 2; socket++) {
		int fds[2];
		uint64_t before = stat_get(STAT_LOG_LOST);

		test_note("socket: %u", socket);
		CHECK((socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds)) == 0);
		memset(line, 'x', PIPE_BUF);
		CHECK(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
		while (write(fds[1], line, PIPE_BUF) == PIPE_BUF)
			;
		struct iovec none = { line, 1 };
		if (!socket && pwritev2(fds[1], &none, 1, -1, RWF_NOWAIT) < 0 &&
		    errno == EOPNOTSUPP) {
			close(fds[0]); /* Linux before 6.4 */
			close(fds[1]);
			continue;
		}
		CHECK(fcntl(fds[1], F_SETFL, 0) == 0);
		log_setup(fds[1], LOG_INFO, format_now = LOG_LOGFMT, "test");
		alarm(20); /* whoever waits dies of it */
		poll_lies = true;
		emit(2);
		emit(3);
		poll_lies = false;
		alarm(0);
		CHECK_U64(stat_get(STAT_LOG_LOST) - before, 2);
		CHECK(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
		drain(fds[0]);
		CHECK(!memchr(pending, '\n', pending_len));
		emit(4);
		drain(fds[0]);
		CHECK(next_line());
		CHECK_VALUE("lines", "2");
		CHECK(next_line());
		CHECK_VALUE("n", "4");
		log_setup(-1, LOG_INFO, LOG_LOGFMT, "test");
		close(fds[0]);
		close(fds[1]);
	}
}

/*
 * Several processes write into one pipe that is read slowly and, in the end, by nobody. Between asking whether there
 * is room and writing, another may have taken it: still none may block.
 */
TEST(processes_that_share_a_pipe_never_block_in_it)
{
	enum { WRITERS = 4, ROUNDS = 10000 };
	pid_t pids[WRITERS];
	int results[2];
	uint64_t seen = 0, noted = 0, lost = 0;
	unsigned running = WRITERS;

	log_to_pipe(LOG_INFO, LOG_JSON);
	CHECK(pipe2(results, O_CLOEXEC) == 0);
	fflush(stdout);
	for (unsigned i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			uint64_t before = stat_get(STAT_LOG_LOST);

			alarm(60); /* one that blocks dies of it */
			for (unsigned j = 0; j < ROUNDS; j++)
				emit(j);
			before = stat_get(STAT_LOG_LOST) - before;
			_exit(write(results[1], &before, 8) != 8);
		}
	}
	/* For a while room comes page by page, then none. */
	static char tail[PIPE_BUF * 2];
	size_t have = 0;
	for (unsigned reads = 0; reads < 500;) {
		struct pollfd p = { .fd = pipes[0], .events = POLLIN };

		if (poll(&p, 1, 1000) != 1)
			break;
		ssize_t n = read(pipes[0], tail + have, PIPE_BUF);
		CHECK(n > 0);
		have += (size_t)n;
		reads++;
		char *end;
		while ((end = memchr(tail, '\n', have))) {
			size_t len = (size_t)(end - tail) + 1;

			parse_line(tail, len);
			if (value_of("lines"))
				noted += strtoull(value_of("lines")->text, NULL, 10);
			else
				seen++;
			memmove(tail, tail + len, have -= len);
		}
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		int status;

		CHECK(waitpid(pids[i], &status, 0) == pids[i]);
		if (WIFSIGNALED(status))
			FAIL("a writer blocked");
		running--;
	}
	CHECK_U64(running, 0);
	drain(pipes[0]);
	CHECK(have + pending_len <= sizeof(pending));
	memmove(pending + have, pending, pending_len);
	memcpy(pending, tail, have);
	pending_len += have;
	while (next_line()) {
		if (value_of("lines"))
			noted += strtoull(value_of("lines")->text, NULL, 10);
		else
			seen++;
	}
	CHECK_U64(pending_len, 0);
	for (unsigned i = 0; i < WRITERS; i++) {
		uint64_t n;

		CHECK_INT(read(results[0], &n, 8), 8);
		lost += n;
	}
	CHECK_U64(seen + lost, (uint64_t)WRITERS * ROUNDS); /* every line is seen or counted */
	CHECK(noted <= lost);
	close(results[0]);
	close(results[1]);
}

/* A disk that is full takes a part of a line: the next one must not be glued to it. */
TEST(a_line_torn_by_a_full_disk_spoils_no_other)
{
	char template[] = "/tmp/base_log_test.XXXXXX";
	int fd = mkostemp(template, O_CLOEXEC | O_APPEND);
	struct rlimit limit, was;

	CHECK(fd >= 0);
	unlink(template);
	signal(SIGXFSZ, SIG_IGN);
	CHECK(getrlimit(RLIMIT_FSIZE, &was) == 0);
	log_setup(fd, LOG_INFO, format_now = LOG_JSON, "test");
	emit(1);
	limit = was;
	limit.rlim_cur = (rlim_t)lseek(fd, 0, SEEK_END) + 40;
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	emit(2);
	emit(3);
	CHECK(setrlimit(RLIMIT_FSIZE, &was) == 0);
	emit(4);
	signal(SIGXFSZ, SIG_DFL);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	drain(fd);
	close(fd);
	log_setup(-1, LOG_INFO, LOG_JSON, "test");
	CHECK(next_line());
	CHECK_VALUE("n", "1");
	char *end = memchr(pending, '\n', pending_len);
	CHECK(end && end - pending == 40); /* the torn one */
	pending_len -= 41;
	memmove(pending, pending + 41, pending_len);
	CHECK(next_line());
	CHECK_VALUE("lines", "2");
	CHECK(next_line());
	CHECK_VALUE("n", "4");
	CHECK(!next_line());
}

TEST(a_failed_assert_says_where_and_ends_the_process)
{
	int status;

	log_to_pipe(LOG_ERROR, LOG_LOGFMT);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit none = { 0, 0 };

		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		ASSERT(1 + 1 == 2);
		ASSERT(1 + 1 == 3);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	read_line();
	CHECK_VALUE("event", "assert");
	CHECK_VALUE("level", "error");
	CHECK(value_of("msg") && strstr(value_of("msg")->text, "base_log_test.c:") &&
	      strstr(value_of("msg")->text, "1 + 1 == 3"));
}

/* --- users and floods */

static unsigned begun;

static void
on_begun(void)
{
	begun++;
}

static void
say(enum log_event event)
{
	struct log_line l;

	log_begin(&l, LOG_WARN, event);
	log_cstr(&l, "n", "1");
	log_end(&l);
}

TEST(users_have_pseudonyms_that_are_always_the_same)
{
	struct log_line l;
	const char *names[] = { "alice", "bob", "alice" };
	char seen[3][32];

	for (unsigned i = 0; i < 3; i++) {
		log_to_pipe(LOG_INFO, LOG_LOGFMT);
		log_style(false, true);
		log_begin(&l, LOG_INFO, EV_LOGIN);
		log_user(&l, "user", names[i]);
		log_user(&l, "nobody", NULL);
		log_why(&l, "why", "file:/u:3 (@a) b) -> pool");
		log_end(&l);
		read_line();
		CHECK(memmem(line, line_len, names[i], strlen(names[i])) == NULL);
		CHECK(memmem(line, line_len, "nobody", 6) == NULL);
		CHECK_VALUE("why", "file:/u:3 -> pool");
		const char *at = memmem(line, line_len, "user=h:", 7);
		CHECK(at != NULL);
		CHECK(str_put(seen[i], sizeof(seen[i]), (struct slice){ at + 5, 18 }));
	}
	CHECK_STR(seen[0], seen[2]);
	CHECK(strcmp(seen[0], seen[1]) != 0);
	CHECK_STR(seen[0], "h:a89cbd8280e8024d");
	log_style(false, false);
	log_to_pipe(LOG_INFO, LOG_LOGFMT);
	log_begin(&l, LOG_INFO, EV_LOGIN);
	log_user(&l, "user", "alice");
	log_why(&l, "why", "file:/u:3 (alice)");
	log_end(&l);
	read_line();
	CHECK_VALUE("user", "alice");
	CHECK_VALUE("why", "file:/u:3 (alice)");
}

TEST(a_flood_of_failures_is_counted)
{
	unsigned before = (unsigned)stat_get(STAT_LOG_SUPPRESSED), left;

	log_to_pipe(LOG_INFO, LOG_LOGFMT);
	log_limit(3, on_begun);
	for (unsigned i = 0; i < 20; i++)
		say(EV_TLS_FAILED);
	for (unsigned i = 0; i < 20; i++)
		say(EV_SESSION_END); /* accounts for a session: never left out */
	left = (unsigned)stat_get(STAT_LOG_SUPPRESSED) - before;
	CHECK(left >= 14 && left <= 17); /* a second may have ended within */
	CHECK(begun >= 1);
	while (log_tick())
		usleep(50000);
	log_limit(0, NULL);
	unsigned failed = 0, ends = 0, told = 0;
	for (;;) {
		struct pollfd pfd = { .fd = pipes[0], .events = POLLIN };
		static char text[65536];
		ssize_t n = poll(&pfd, 1, 0) == 1 ? read(pipes[0], text, sizeof(text) - 1) : 0;

		if (n <= 0)
			break;
		text[n] = '\0';
		for (char *p = text, *next; (next = strchr(p, '\n')); p = next + 1) {
			*next = '\0';
			failed += strstr(p, "event=tls_failed") != NULL;
			ends += strstr(p, "event=session_end") != NULL;
			char *count =
			    strstr(p, "event=log_suppressed suppressed=tls_failed count=");
			if (count)
				told += (unsigned)strtoul(strrchr(count, '=') + 1, NULL, 10);
		}
	}
	CHECK_U64(ends, 20);
	CHECK_U64(failed + told, 20);
	CHECK_U64(told, left);
}
