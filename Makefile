# Retrace. `make run` and `make check` do everything, set-up included; see README.md.
# Non-recursive. BUILD=DIR chooses a build directory made by ./configure --build=DIR.

BUILD ?= build
.DEFAULT_GOAL := all

# All cores, unless -j was given.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif

# Without a configuration the first build makes one; run and check also install what is missing.
ifeq ($(wildcard $(BUILD)/config.mk),)
SETUP_GOALS := $(filter run check check-unit check-guest bench,$(MAKECMDGOALS))
$(BUILD)/config.mk:
	./configure --build=$(BUILD) $(if $(SETUP_GOALS),--install-deps) $(CONFIGURE_FLAGS)
endif
ifeq ($(filter clean format help,$(MAKECMDGOALS)),)
include $(BUILD)/config.mk
endif

PREFIX ?= /usr/local
HOSTCC ?= cc
VERSION := 0.1
CPPFLAGS := -I. -I$(BUILD) -DRETRACE_VERSION='"$(VERSION)"' \
    -DFIRMWARE_DIR='"$(FIRMWARE_DIR)"' -DROM_DIR='"$(abspath $(BUILD)/roms)"'

CORE_DIRS := cpu cpu/fast mmu devices machine disk net debug
CORE_SRC := $(sort $(foreach d,$(CORE_DIRS),$(wildcard $(d)/*.c)))
ifneq ($(FAST),yes)
CORE_SRC := $(filter-out cpu/fast/%,$(CORE_SRC))
endif
UI_SRC := $(wildcard ui/*.c)
ifneq ($(HAVE_SDL),1)
UI_SRC := $(filter-out ui/sdl.c,$(UI_SRC))
endif
CORE_OBJ := $(CORE_SRC:%.c=$(BUILD)/obj/%.o)
UI_OBJ := $(UI_SRC:%.c=$(BUILD)/obj/%.o)

IMG_SRC := $(wildcard img/*.c)
IMG_OBJ := $(IMG_SRC:%.c=$(BUILD)/obj/%.o)
SWITCH_OBJ := $(BUILD)/obj/switchd/main.o

# UNIT="cpu mmu": only the unit tests of these folders.
UNIT ?= *
TEST_SRC := $(filter-out tests/guest/%,$(foreach u,$(UNIT),$(wildcard tests/$(u)/test_*.c)))
TEST_BIN := $(TEST_SRC:%.c=$(BUILD)/%)
TEST_LIB_SRC := $(wildcard tests/lib/*.c)
TEST_LIB_OBJ := $(TEST_LIB_SRC:%.c=$(BUILD)/obj/%.o)

# Sanitizer and stress builds are slow: a few guests, and more time for each.
SLOW_BUILD := $(strip $(filter yes,$(STRESS)) $(SANITIZE))
GUEST_TESTS ?= $(if $(SLOW_BUILD),tour bootbasic freedos-fd144-pentium2)
export RETRACE_SLOW ?= $(if $(SLOW_BUILD),20,1)

# Host arithmetic that must be IEEE 754's: no product and sum in one rounding (aarch64, s390x).
$(BUILD)/obj/cpu/fast/sse_float.o: private CFLAGS += -ffp-contract=off

# Thousands of handlers from a few macros: lines are enough to find one, and programs are less than half as large.
$(BUILD)/obj/cpu/fast/%.o: private CFLAGS += -g1 $(HANDLER_CFLAGS)

# Where every narrowing must be written down.
$(BUILD)/obj/cpu/%.o $(BUILD)/obj/mmu/%.o $(BUILD)/obj/disk/%.o: private CFLAGS += -Wconversion -Wno-sign-conversion

.PHONY: all run silicon portable mpfr cover check check-unit need-cmocka check-guest bench bench-disk bench-net sequences soak fuzz images fuzz-targets lint format clean install stress roms help
all: $(BUILD)/retrace $(BUILD)/retrace-img $(BUILD)/retrace-switch roms

$(BUILD)/retrace: $(UI_OBJ) $(BUILD)/libretrace.a
	$(CC) $(LDFLAGS) -o $@ $(UI_OBJ) $(BUILD)/libretrace.a $(UI_LIBS) $(LIBS)

$(BUILD)/retrace-img: $(IMG_OBJ) $(BUILD)/libretrace.a
	$(CC) $(LDFLAGS) -o $@ $(IMG_OBJ) $(BUILD)/libretrace.a $(IMG_LIBS) $(LIBS) -pthread

$(BUILD)/retrace-switch: $(SWITCH_OBJ) $(BUILD)/libretrace.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/libretrace.a: $(CORE_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/obj/ui/%.o: ui/%.c $(BUILD)/config.mk
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(UI_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/img/%.o: img/%.c $(BUILD)/config.mk
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(IMG_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.o: %.c $(BUILD)/config.mk
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: tests/%.c $(TEST_LIB_OBJ) $(BUILD)/libretrace.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(CAPSTONE_FLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(TEST_LIB_OBJ) \
	    $(BUILD)/libretrace.a $(CMOCKA_LIBS) $(CAPSTONE_LIBS) $(LIBS)

$(BUILD)/tests/cpu/test_mpfr: CPPFLAGS += $(MPFR_FLAGS)
$(BUILD)/tests/cpu/test_mpfr: LIBS += $(MPFR_LIBS)

$(BUILD)/sst: tests/cpu/sst_main.c $(BUILD)/obj/tests/lib/sst.o $(BUILD)/libretrace.a
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# The host's silicon against ours (docs/SILICON.md); the helper is a 32-bit program of its own.
SILICON_OBJ := $(patsubst %,$(BUILD)/obj/tests/silicon/%.o,silicon gen guest watch cover native)
SILICON_FLAGS := -DSILICON_HELPER='"$(abspath $(BUILD))/silicon-helper"' -DSILICON_MODEL='"pentium4,+nx"'
N ?= 1000000
SEED ?= 0
silicon: $(BUILD)/silicon
	$(BUILD)/silicon -n $(N) -s $(SEED) $(ARGS)
$(BUILD)/silicon-helper: tests/silicon/helper.asm
	@mkdir -p $(@D)
	nasm -f bin -o $@.tmp $<
	@chmod +x $@.tmp && mv $@.tmp $@ # may be running
$(BUILD)/silicon: tests/silicon/silicon_main.c $(SILICON_OBJ) $(BUILD)/libretrace.a | $(BUILD)/silicon-helper
	$(CC) $(CPPFLAGS) $(CFLAGS) $(SILICON_FLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
# Tests of retrace-img run it, or have its verbs in them.
$(BUILD)/tests/img/%: | $(BUILD)/retrace-img
IMG_VERBS := $(filter-out %/main.o,$(IMG_OBJ))
# N random images and sequences of operations, by retrace-img and qemu-img in turn.
images: $(BUILD)/tests/img/test_img_matrix
	IMAGES=$(if $(filter file,$(origin N)),200,$(N)) $<
$(BUILD)/tests/img/test_img_crash: $(IMG_VERBS)
$(BUILD)/tests/img/test_img_crash: private LIBS := $(IMG_VERBS) $(BUILD)/libretrace.a $(IMG_LIBS) $(LIBS) -pthread
$(BUILD)/tests/silicon/test_silicon: $(SILICON_OBJ) | $(BUILD)/silicon-helper
$(BUILD)/tests/silicon/test_silicon: private LIBS := $(SILICON_OBJ) $(BUILD)/libretrace.a $(LIBS)
$(BUILD)/tests/silicon/test_silicon: private CPPFLAGS += $(SILICON_FLAGS)

-include $(SILICON_OBJ:.o=.d)
-include $(CORE_OBJ:.o=.d) $(UI_OBJ:.o=.d) $(IMG_OBJ:.o=.d) $(SWITCH_OBJ:.o=.d) $(TEST_LIB_OBJ:.o=.d) $(addsuffix .d,$(TEST_BIN))

# --- our ROMs and boot images, assembled from NASM sources ---
TOUR_SRC := $(wildcard roms/tour/*.asm roms/tour/*.inc)
SELFTEST_SRC := $(wildcard roms/selftest/*.asm roms/selftest/*.inc)
roms: $(BUILD)/roms/tour.img $(BUILD)/roms/linuxboot.bin $(BUILD)/roms/selftest.bin
$(BUILD)/roms/tour.img: $(TOUR_SRC)
	@mkdir -p $(@D)
	nasm -f bin -Iroms/tour/ -o $@ roms/tour/tour.asm
$(BUILD)/roms/selftest.bin: $(SELFTEST_SRC)
	@mkdir -p $(@D)
	nasm -w+all -f bin -Iroms/selftest/ -o $@ roms/selftest/selftest.asm
$(BUILD)/romsum: tools/romsum.c
	@mkdir -p $(@D)
	$(HOSTCC) -O2 -o $@ $<
$(BUILD)/roms/linuxboot.bin: roms/linuxboot/linuxboot.asm $(BUILD)/romsum
	@mkdir -p $(@D)
	nasm -f bin -Iroms/linuxboot/ -o $@.tmp $<
	$(BUILD)/romsum $@.tmp
	mv $@.tmp $@

# --- what people type ---
run: all
	$(BUILD)/retrace -fda $(BUILD)/roms/tour.img $(ARGS)

check: check-unit # then the guests: one after the other, also with -j
	@$(MAKE) --no-print-directory check-guest

check-unit: all $(TEST_BIN) $(BUILD)/sst
	RUNNER="$(RUNNER)" tests/run-unit.sh $(BUILD) $(TEST_BIN)

$(TEST_BIN) $(TEST_LIB_OBJ): | need-cmocka
need-cmocka:
	@if [ "$(HAVE_CMOCKA)" != 1 ]; then echo "check: cmocka is missing; run ./configure --build=$(BUILD) --install-deps"; exit 1; fi

# The transcendentals against MPFR on N arguments each.
N ?= 1000000
mpfr: $(BUILD)/tests/cpu/test_mpfr
	$(RUNNER) $< $(N)

# Line coverage of cpu/ and mmu/ by the unit tests; docs/COVERAGE.md has the rest.
cover:
	./configure --build=build-cover --coverage >/dev/null
	+tools/cover.sh build-cover

check-guest: all
	tests/guest/run.sh $(BUILD) $(GUEST_TESTS)

soak: all # a day of network traffic in virtual time
	tests/guest/soak-network.sh $(BUILD)

bench: all $(BUILD)/bench-driver
	bench/run.sh $(BUILD)

bench-disk: all $(BUILD)/bench-driver # sequential disk transfers inside Linux
	bench/disk.sh $(BUILD)

bench-net: all $(BUILD)/bench-driver # downloads and uploads inside Linux
	bench/net.sh $(BUILD)

$(BUILD)/bench-driver: bench/driver.c
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<

# Chooses what cpu/fast/sequences.def lists, by what programs execute (bench/README.md).
SEQUENCES_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tools/sequences/*.c))
sequences: all $(BUILD)/sequences
	bench/sequences.sh $(BUILD)
$(BUILD)/sequences: $(SEQUENCES_OBJ) $(BUILD)/libretrace.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
-include $(SEQUENCES_OBJ:.o=.d)

# libFuzzer targets, FUZZ_SECONDS each, one after the other; findings and what it learned stay in build-fuzz.
# A target is tests/fuzz/fuzz_NAME.c, seeds_NAME.sh makes its first inputs where there is one; the other files
# there are linked to all of them. FUZZ="ne2000": only this.
FUZZ ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 60
FUZZ_LIB_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out tests/fuzz/fuzz_%,$(wildcard tests/fuzz/*.c)))
fuzz:
	./configure --build=build-fuzz --cc=clang --sanitize=fuzzer-no-link,address,undefined --without-sdl >/dev/null
	@$(MAKE) --no-print-directory BUILD=build-fuzz fuzz-targets build-fuzz/retrace-img
	tests/fuzz/run.sh build-fuzz $(FUZZ_SECONDS) $(FUZZ)
fuzz-targets: $(FUZZ:%=$(BUILD)/fuzz_%)
$(BUILD)/fuzz_qcow2: private LDFLAGS += -Wl,--wrap=open,--wrap=open64
$(BUILD)/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(FUZZ_LIB_OBJ) $(BUILD)/libretrace.a
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)
-include $(wildcard $(BUILD)/obj/tests/fuzz/*.d)

lint: $(BUILD)/libretrace.a
	tools/lint.sh $(BUILD)

# Lines that differ from the last commit.
format:
	git clang-format --extensions c,h

install: all
	install -D -m 755 $(BUILD)/retrace $(DESTDIR)$(PREFIX)/bin/retrace
	install -D -m 755 $(BUILD)/retrace-img $(DESTDIR)$(PREFIX)/bin/retrace-img
	install -D -m 755 $(BUILD)/retrace-switch $(DESTDIR)$(PREFIX)/bin/retrace-switch
	install -D -m 644 $(BUILD)/roms/tour.img $(DESTDIR)$(PREFIX)/share/retrace/tour.img
	install -D -m 644 $(BUILD)/roms/linuxboot.bin $(DESTDIR)$(PREFIX)/share/retrace/linuxboot.bin

stress:
	./configure --build=build-stress --stress
	@$(MAKE) --no-print-directory BUILD=build-stress check

# The same on s390x and aarch64 under qemu-user; the state hashes must agree.
portable:
	tests/portable.sh --install-deps

clean:
	rm -rf build build-*

help:
	@echo "make run | check | check-unit | check-guest | silicon | bench | bench-disk | bench-net | sequences | soak | fuzz | images | lint | format | install | stress | portable | mpfr | cover | clean"
