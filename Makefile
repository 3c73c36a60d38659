# SPDX-License-Identifier: GPL-2.0-or-later
# holm: one non-recursive makefile.  `make help` lists the targets.
#
# CFLAGS, CPPFLAGS and LDFLAGS belong to the user; ours have names of their own.  Whatever is built lies under
# $(BUILD); V=1 shows the commands, WERROR=1 makes warnings errors, SANITIZE=address,undefined builds everything but
# init with sanitizers, in a folder of its own.

VERSION := 0.1.0
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
SANITIZE ?=
STRIP ?= strip
WERROR ?=
BUILD ?= build$(if $(SANITIZE),/sanitize)

comma := ,
arch := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null || uname -m)))
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(subst $(BUILD)/,,$@))

# --- what is built ---------------------------------------------------------------------------------------------------

# Programs: holm is cmd/ without cmd/holm-*.c, each of which is a program of its own.  Functions come out of one archive.
# LIBS_x names what program x is linked with: holm is static whole; the others take statically what Debian has static.
main := $(firstword $(wildcard cmd/main.c cmd/holm.c))
helpers := $(patsubst cmd/%.c,%,$(wildcard cmd/holm-*.c))
programs := $(if $(main),$(BUILD)/holm) $(helpers:%=$(BUILD)/%)

LIBS_holm := -ljansson -lseccomp -lnettle -lm
LIBS_holm-net := $(if $(SANITIZE),-ljansson -lnftnl,-Wl$(comma)-Bstatic -ljansson -lnftnl -Wl$(comma)-Bdynamic) -lmnl
LIBS_holm-unpack := -larchive -lz -lnettle
LIBS_unit := -lcmocka -ljansson -lseccomp -lcap -lnftnl -lmnl -lnettle -lm
PACKAGES_holm := libjansson-dev libseccomp-dev nettle-dev
PACKAGES_holm-net := libjansson-dev libnftnl-dev libmnl-dev
PACKAGES_holm-unpack := libarchive-dev zlib1g-dev nettle-dev
PACKAGES_unit := libcmocka-dev libcap-dev $(PACKAGES_holm) libnftnl-dev libmnl-dev

sources := $(filter-out $(main) cmd/holm-%.c,$(wildcard base/*.c spec/*.c cgroups/*.c runtime/*.c cmd/*.c netns/*.c storage/*.c instances/*.c))
init_sources := $(wildcard init/*.c init/*.S)
objects := $(sources:%.c=$(BUILD)/%.o) $(if $(init_sources),$(BUILD)/runtime/init_image.o)
init_objects := $(addprefix $(BUILD)/,$(addsuffix .o,$(init_sources)))
headers := $(wildcard base/*.h spec/*.h cgroups/*.h runtime/*.h cmd/*.h netns/*.h storage/*.h instances/*.h init/*.h)

# Tests: one program per file.  Those that run inside containers, or beside them as attackers, are static.
unit := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*.c))
tools := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/probe/*.c tests/bench/*.c tests/attack/*.c tests/crash/*.c))
drivers := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/drive/*.c))
fuzzers := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/*.c))

# --- how -------------------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wwrite-strings \
	-Wformat=2 -Wundef -Wvla -Wpointer-arith -Wno-missing-field-initializers -Wno-format-nonliteral $(if $(findstring clang,$(CC)),,-Wno-format-truncation) $(if $(WERROR),-Werror)
HARDENING := -fPIE -fstack-protector-strong -fstack-clash-protection $(if $(filter x86_64,$(arch)),-fcf-protection) \
	$(if $(SANITIZE),-U_FORTIFY_SOURCE,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
sanitizers := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)

holm_cppflags := -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DHOLM_VERSION='"$(VERSION)"'
holm_cflags := -std=gnu17 -ffunction-sections -fdata-sections $(WARNINGS) $(HARDENING) $(sanitizers)
holm_ldflags := -Wl,--gc-sections,--as-needed,-z,relro,-z,now,-z,noexecstack $(sanitizers)
compile = $(CC) $(holm_cppflags) $(CPPFLAGS) $(holm_cflags) $(CFLAGS) -MMD -MP

# init enters the container: freestanding, no libc, no sanitizer, no flag of the user's.  It is its own little world of
# raw system calls: no thread pointer (so no stack protector) and nothing that unwinds.  Functions of ours are called
# memcpy and memset, so loops must not be turned into calls of them.
INIT_CFLAGS := -std=gnu17 -Os -ffreestanding -fno-builtin -fno-stack-protector -fno-pic -fno-pie -fomit-frame-pointer \
	-fno-asynchronous-unwind-tables -fno-unwind-tables -ffunction-sections -fdata-sections -fno-ident \
	$(if $(filter x86_64,$(arch)),-fcf-protection=none) $(WARNINGS)
INIT_LDFLAGS := -nostdlib -static -s -Wl,--gc-sections,--build-id=none,-z,noseparate-code,-z,noexecstack

.PHONY: all programs test-programs check unit integration check-vm check-arm64 check-engines check-headers lint format fuzz bench bench-limits bench-images bench-launch bench-net bench-engines try install \
	uninstall clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

all: $(programs) $(if $(main),,$(objects)) ## build holm and the programs beside it
programs: all
test-programs: all $(unit) $(tools) $(drivers)

# Changed flags rebuild everything; the missing library is named once, in words.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(compile) | $(holm_ldflags) $(LDFLAGS) | $(INIT_CFLAGS) $(INIT_LDFLAGS))' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/libs-%: $(BUILD)/flags
	@printf 'int main(void) { return 0; }\n' | $(CC) $(if $(SANITIZE),$(sanitizers),$(if $(filter holm,$*),-static)) \
		-x c - -x none -Wl,--no-as-needed $(LIBS_$*) -o $@ 2>$@.log || { sed -n 's/.*cannot find /missing: /p' $@.log >&2; \
		echo "holm: $* can't be linked without these libraries; on Debian: apt-get install $(PACKAGES_$*)" >&2; exit 1; }

# What --version says beyond the version: only one object is made anew when it changes.
facts := -DHOLM_COMMIT='"$(or $(if $(wildcard .git),$(shell git rev-parse --short=12 HEAD 2>/dev/null)),$(VERSION))"' \
	$(patsubst %,-DHOLM_LIBSECCOMP='"%"',$(shell pkg-config --modversion libseccomp 2>/dev/null))
$(BUILD)/facts: FORCE
	@mkdir -p $(@D); printf '%s\n' "$(subst ",\",$(facts))" >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(BUILD)/cmd/version.o: $(BUILD)/facts
$(BUILD)/cmd/version.o: holm_cppflags += $(facts)

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(compile) -c $< -o $@

$(BUILD)/libholm.a: $(objects)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $(objects)

$(BUILD)/holm: $(main:%.c=$(BUILD)/%.o) $(BUILD)/libholm.a | $(BUILD)/libs-holm
	$(call say,LD)
	$(Q)$(CC) $(holm_ldflags) $(LDFLAGS) $(if $(SANITIZE),-pie,-static) $^ $(LIBS_holm) -o $@

# holm-monitor stays as long as an instance runs, a thousand of them perhaps: freestanding, like init.
$(BUILD)/monitor/%.o: %.c $(BUILD)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(holm_cppflags) $(INIT_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/holm-monitor: $(BUILD)/monitor/cmd/holm-monitor.o $(BUILD)/monitor/instances/log.o
	$(call say,LD)
	$(Q)$(CC) $(INIT_LDFLAGS) $(filter %.o,$^) -o $@

$(BUILD)/holm-%: $(BUILD)/cmd/holm-%.o $(BUILD)/libholm.a | $(BUILD)/libs-holm-%
	$(call say,LD)
	$(Q)$(CC) $(holm_ldflags) $(LDFLAGS) -pie $^ $(LIBS_holm-$*) -o $@

# --- init, and the object that carries it ------------------------------------------------------------------------------

$(BUILD)/init/%.o: init/% $(BUILD)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(holm_cppflags) -DHOLM_INIT $(INIT_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/init/holm-init: $(init_objects)
	$(call say,LD)
	$(Q)$(CC) $(INIT_LDFLAGS) $^ -o $@

$(BUILD)/runtime/init_image.o: runtime/init_image.S $(BUILD)/init/holm-init
	$(call say,AS)
	$(Q)mkdir -p $(@D) && $(CC) -DINIT_IMAGE='"$(BUILD)/init/holm-init"' -c $< -o $@

# --- tests -----------------------------------------------------------------------------------------------------------

# A unit test that wraps functions says so: a line "wrap: mount openat" in its head comment.
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libholm.a | $(BUILD)/libs-unit
	$(call say,LD)
	$(Q)$(CC) $(holm_ldflags) $(LDFLAGS) -pie $$(sed -n 's/^.*wrap: *\([a-z0-9_ ]*\).*/\1/p' tests/unit/$*.c | \
		tr -s ' ' '\n' | sed -n 's/^./-Wl,--wrap=&/p') $^ $(LIBS_unit) -o $@

$(tools): $(BUILD)/tests/%: tests/%.c $(BUILD)/flags
	$(call say,LD)
	$(Q)mkdir -p $(@D) && $(CC) $(holm_cppflags) -std=gnu17 $(WARNINGS) $(CFLAGS) -MMD -MP -static $< -lm -o $@

# Drivers make functions of ours callable from a script.
$(drivers): $(BUILD)/tests/drive/%: $(BUILD)/tests/drive/%.o $(BUILD)/libholm.a
	$(call say,LD)
	$(Q)$(CC) $(holm_ldflags) $(LDFLAGS) -pie $^ -ljansson -lnettle -lm -o $@

$(fuzzers): $(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/libholm.a
	$(call say,LD)
	$(Q)$(CC) $(holm_ldflags) -fsanitize=fuzzer $^ $(LIBS_unit) -o $@
fuzzers: $(fuzzers)

check: ## install the tests' packages, then unit and integration tests
	$(Q)tests/packages build check
	$(Q)tests/packages engines || echo 'some engines are not installed: their tests say so'
	$(Q)tests/packages images || echo 'some tools for images are not installed: their tests say so'
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)BUILD=$(BUILD) tests/run $(TESTS)

unit: all $(unit) ## unit tests alone (no root)
	$(Q)BUILD=$(BUILD) tests/run unit

integration: test-programs ## integration tests alone (root)
	$(Q)BUILD=$(BUILD) tests/run integration

check-arm64: ## cross-build for arm64, and a container's life in an emulated arm64 machine
	$(Q)tests/vm/arm64

check-vm: ## integration tests in a virtual machine: pure cgroup v2, bare, with systemd, as a user
	$(Q)tests/packages build check vm
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)BUILD=$(BUILD) tests/vm/check $(TESTS)

check-engines: test-programs ## Podman, Docker, containerd and others with holm as their runtime (ENGINES=, RUNTIMES="holm runc")
	$(Q)tests/packages build check engines
	$(Q)BUILD=$(BUILD) tests/engines/run $(ENGINES)

check-headers: $(headers:%=$(BUILD)/headers/%) ## every header compiles alone
$(BUILD)/headers/%: % $(BUILD)/flags
	$(Q)mkdir -p $(@D) && $(CC) $(holm_cppflags) $(CPPFLAGS) $(if $(filter init/%,$*),$(INIT_CFLAGS),$(holm_cflags)) $(CFLAGS) \
		-Wno-unused-function -include $< -x c /dev/null -fsyntax-only && touch $@

lint: ## everything about the source that a program can judge
	$(Q)tests/packages build lint
	$(Q)BUILD=$(BUILD) tests/lint/run

format: ## clang-format on every C file
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

fuzz: ## each fuzzer for FUZZ_TIME seconds (60)
	$(Q)tests/packages build fuzz
	$(Q)$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzzers
	$(Q)tests/fuzz/run build/fuzz/tests/fuzz $(or $(FUZZ_TIME),60)

bench: ## measure against the kernel's floor, crun and runc (CRUN=, RUNC=, ROUNDS=)
	$(Q)tests/packages build bench
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)$(MAKE) --no-print-directory install DESTDIR=$(BUILD)/installed PREFIX=
	$(Q)HOLM=$${HOLM-$(BUILD)/installed/bin/holm} BUILD=$(BUILD) tests/bench/bench $(BENCH)

bench-limits: ## measure whether limits hold, and who suffers from whom (SECONDS=, PAIRS=)
	$(Q)tests/packages build bench
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)BUILD=$(BUILD) tests/bench/limits $(BENCH)

bench-net: ## measure networks: starts, scale, traffic, beside Podman's and Docker's (ROUNDS=, MANY=, PAIRS=)
	$(Q)tests/packages build bench
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)BUILD=$(BUILD) tests/bench/net $(BENCH)

bench-engines: test-programs ## measure Podman, ctr and Docker with holm, crun and runc (ENGINES=, ROUNDS=, STORM=)
	$(Q)tests/packages build check engines bench
	$(Q)BUILD=$(BUILD) tests/bench/engines

bench-images: all ## measure importing an image against skopeo, umoci, Podman and tar (ROUNDS=, BENCH_CACHE=)
	$(Q)tests/packages bench images
	$(Q)BUILD=$(BUILD) tests/bench/images

bench-launch: test-programs ## measure launches against Podman and Docker, and a thousand instances (ROUNDS=, MANY=)
	$(Q)tests/packages build bench engines
	$(Q)$(MAKE) --no-print-directory install DESTDIR=$(BUILD)/installed PREFIX=
	$(Q)HOLM=$${HOLM-$(BUILD)/installed/bin/holm} BUILD=$(BUILD) tests/bench/launch $(BENCH)

try: ## the first two minutes with holm
	$(Q)tests/packages build try
	$(Q)tests/try

# --- installation: MODE SOURCE TARGET (text: 755, never stripped) ---------------------------------------------------------------------------------

manifest = $(foreach p,$(programs),755 $(p) bin/$(notdir $(p));) \
	$(foreach m,$(wildcard man/*.[1578]),644 $(m) share/man/man$(patsubst .%,%,$(suffix $(m)))/$(notdir $(m));) \
	$(if $(wildcard $(BUILD)/holm.bash),644 $(BUILD)/holm.bash share/bash-completion/completions/holm;) \
	$(foreach u,holm@.service holm-stop.service,644 $(BUILD)/boot/$u lib/systemd/system/$u;) \
	text $(BUILD)/boot/holm-generator lib/systemd/system-generators/holm-generator;

$(BUILD)/holm.bash: $(BUILD)/holm
	$(Q)$(BUILD)/holm completion bash >$@

# Units and the generator name the places of the installation.
boot := $(patsubst boot/%.in,$(BUILD)/boot/%,$(wildcard boot/*.in))
$(boot): $(BUILD)/boot/%: boot/%.in FORCE
	$(Q)mkdir -p $(@D) && sed 's,@bin@,$(PREFIX)/bin,g; s,@units@,$(PREFIX)/lib/systemd/system,g' $< >$@

install: all $(if $(main),$(BUILD)/holm.bash) $(boot) ## to DESTDIR and PREFIX; programs are stripped unless STRIP is empty
	$(Q)printf '%s\n' '$(manifest)' | tr ';' '\n' | while read -r mode source target; do [ -z "$$mode" ] || \
		install -D -m "$$(echo "$$mode" | sed 's/text/755/')" $(if $(STRIP),$$([ "$$mode" != 755 ] || \
		echo -s --strip-program=$(STRIP))) "$$source" "$(DESTDIR)$(PREFIX)/$$target" || exit 1; done

uninstall: ## what install put there
	$(Q)printf '%s\n' '$(manifest)' | tr ';' '\n' | while read -r mode source target; do [ -z "$$mode" ] || \
		rm -f "$(DESTDIR)$(PREFIX)/$$target"; done

clean: ## remove build/
	$(Q)rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 18

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
