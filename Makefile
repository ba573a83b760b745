# sallyport: build, test, install. `make help` lists the targets.
#
#   MODE=release|debug|asan|cov|fuzz   what kind of build; each has its own folder build/$(MODE)
#   CC=gcc|clang

MODE    ?= release
BUILD   ?= build/$(MODE)
PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

ifeq ($(MODE),fuzz)
CC := clang
endif

PKGS := openssl libcares libseccomp
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wimplicit-fallthrough -Werror
HARDEN := -fstack-protector-strong -fPIE -fno-common
LDHARDEN := -pie -Wl,-z,relro -Wl,-z,now

OPT.release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
OPT.debug   := -O0 -g3
OPT.asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT.cov     := -O0 -g --coverage
OPT.fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ifeq ($(OPT.$(MODE)),)
$(error MODE=$(MODE) is none of release, debug, asan, cov, fuzz)
endif

CFLAGS  ?=
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -DSALLYPORT_VERSION='"$(VERSION)"' -Iinclude $(WARN) $(HARDEN) \
	$(OPT.$(MODE)) $(PKG_CFLAGS) -MMD -MP $(CFLAGS)
ALL_LDFLAGS := $(OPT.$(MODE)) $(LDHARDEN) $(LDFLAGS)
LIBS := -lev -linih $(PKG_LIBS) -lm

SRCS := $(sort $(filter-out proxy/main.c,$(wildcard proxy/*/*.c)))
OBJS := $(SRCS:%.c=$(BUILD)/%.o)
MAIN := $(BUILD)/proxy/main.o
LIB  := $(BUILD)/libsallyport.a
BIN  := $(BUILD)/sallyport

UNIT  := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/*_test.c)))
FUZZ  := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))

# A test that stands in for a part (its own clock, streams in memory) names the files in a comment
# `links: tests/unit/fake_loop.c …` within its first lines: they are linked before the archive.
links = $(patsubst %.c,$(BUILD)/%.o,$(shell sed -n '1,12s,.*links: *\([^*]*\).*,\1,p' $(1)))

.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:
.PHONY: all help check demo lint bench bench-peers both valgrind fuzz fuzz-replay cov install clean unit

all: $(BIN)

help:
	@echo 'make            build the program: build/$(MODE)/sallyport'
	@echo 'make demo       two real mail stores, the proxy in front, a client through TLS (DEMO_ONCE=1 ends it)'
	@echo 'make check      all tests'
	@echo 'make unit       the unit tests alone'
	@echo 'make lint       layers, format, static analysis, documents'
	@echo 'make both       build everything with gcc and with clang, every warning an error'
	@echo 'make valgrind   unit tests under valgrind'
	@echo 'make fuzz       the fuzz targets with libFuzzer; make fuzz-replay runs their corpora'
	@echo 'make bench      load generator against ours and the installed peers (make bench-peers installs them)'
	@echo 'make cov        line coverage of the unit tests'
	@echo 'make install    PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(LIB): $(OBJS)
	@rm -f $@
	$(AR) rcs $@ $(OBJS)

$(BIN): $(MAIN) $(LIB)
	$(CC) $(ALL_LDFLAGS) -o $@ $(MAIN) $(LIB) $(LIBS)

$(BUILD)/tests/%.o: ALL_CFLAGS += -Itests

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $$(call links,tests/unit/$$*.c) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LIBS)

ifeq ($(MODE),fuzz)
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/fuzz_%.o $$(call links,tests/fuzz/fuzz_$$*.c) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(LIB) $(LIBS)
else
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/standalone.o $$(call links,tests/fuzz/fuzz_$$*.c) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LIBS)
endif

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $< -lssl -lcrypto -lm

# --- tests

unit: $(UNIT)
	@MODE=$(MODE) BUILD=$(BUILD) scripts/check --unit

check:
	@scripts/install-deps build check
	@$(MAKE) --no-print-directory MODE=$(MODE) check-built

.PHONY: check-built
check-built: $(BIN) $(UNIT) $(FUZZ)
	@MODE=$(MODE) BUILD=$(BUILD) scripts/check

demo:
	@scripts/install-deps build demo
	@$(MAKE) --no-print-directory MODE=$(MODE) all
	@MODE=$(MODE) BUILD=$(BUILD) scripts/demo

valgrind:
	@scripts/install-deps build ci
	@$(MAKE) --no-print-directory MODE=debug unit-built
	@MODE=debug BUILD=build/debug scripts/check --valgrind

.PHONY: unit-built
unit-built: $(UNIT)

fuzz:
	@scripts/install-deps build ci
	@$(MAKE) --no-print-directory MODE=fuzz fuzz-built
	@scripts/fuzz

.PHONY: fuzz-built
fuzz-built: $(FUZZ)

fuzz-replay: $(FUZZ)
	@MODE=$(MODE) BUILD=$(BUILD) tests/fuzz/replay

both:
	@scripts/install-deps build ci
	@$(MAKE) --no-print-directory CC=gcc BUILD=build/gcc everything
	@$(MAKE) --no-print-directory CC=clang BUILD=build/clang everything

.PHONY: everything
everything: $(BIN) $(UNIT) $(FUZZ) $(BENCH)

bench: $(BENCH) $(BIN)
	@MODE=$(MODE) BUILD=$(BUILD) scripts/bench $(BENCH_ARGS)

bench-peers:
	@scripts/install-deps bench

cov:
	@$(MAKE) --no-print-directory MODE=cov unit-built
	@MODE=cov BUILD=build/cov scripts/check --unit
	@scripts/coverage build/cov

# --- lint

LINT_C := $(SRCS) proxy/main.c $(wildcard tests/unit/*.c tests/fuzz/*.c tests/bench/*.c)
LINT_H := $(sort $(wildcard include/*/*.h tests/*/*.h))

lint:
	@scripts/install-deps build ci
	@CC="$(CC)" CFLAGS="$(filter-out -Werror -MMD -MP,$(ALL_CFLAGS))" scripts/lint $(LINT_C) $(LINT_H)

compile_commands.json: Makefile
	@scripts/compile-commands '$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS))' $(SRCS) proxy/main.c > $@

# --- installation

install: $(BIN)
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/sbin/sallyport
	install -D -m 644 etc/man/sallyport.8 $(DESTDIR)$(PREFIX)/share/man/man8/sallyport.8
	install -D -m 644 etc/man/sallyport.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/sallyport.conf.5
	install -D -m 644 etc/sallyport.conf $(DESTDIR)$(PREFIX)/share/doc/sallyport/sallyport.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's,/usr/local/,$(PREFIX)/,' etc/systemd/sallyport.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/sallyport.service

clean:
	rm -rf build compile_commands.json

-include $(shell [ -d $(BUILD) ] && find $(BUILD) -name '*.d')
