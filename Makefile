# make        builds everything into build/, the programs and the names they answer to into build/bin/
# make run    builds, then runs the first example of the README
# make test   builds, then runs every test; ends with "N passed, N failed"
# make help   lists the other words
#
# Meson does the work; this file exists so that a fresh clone needs one word. run and test also install what they
# need, on Debian 12, as root or with sudo.
B = build
OPTS =

all: $(B)/build.ninja
	@tools/refresh.sh $(B)
	@ninja -C $(B)
	@tools/links.sh $(B)

run: setup all
	@tests/first-example.sh $(B)/bin

test: setup all
	@tests/run-all.sh $(B)

unit: all
	@$(B)/unit

setup:
	@tools/setup.sh

asan:
	@$(MAKE) B=build-asan OPTS="-Db_sanitize=address,undefined -Db_lundef=false" all
	@UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 build-asan/unit
tsan:
	@$(MAKE) B=build-tsan OPTS="-Db_sanitize=thread -Db_lundef=false" all
	@build-tsan/unit
	@tests/user/threads-tsan.sh build-tsan
coverage:
	@$(MAKE) B=build-cov OPTS="-Db_coverage=true" all
	@build-cov/unit && ninja -C build-cov coverage-text && cat build-cov/meson-logs/coverage.txt
coverage-isa: all
	@tools/coverage-isa.sh $(B) $(GAS)
root-test: all
	@tests/user/root.sh $(B)
# WORKLOADS: a folder as tests/bench/programs.py describes, for a distribution's programs beside the small ones
# IMAGES: where the images of that bench lie, by default in the build's folder
# KERNELS: a folder of C programs of one file each, to be run bare instead of those in tests/bench
KERNELS = tests/bench/kernels
bench: all
	@tests/bench/run.sh $(B)
	@held=0; [ -z "$(WORKLOADS)" ] || tests/bench/programs.py $(B) $(WORKLOADS) arm64,riscv64 || held=1; \
		tests/machine/bench/run.py $(B) $(KERNELS) || held=1; \
		tests/bench/images.py $(B) $(IMAGES) || [ $$? = 2 ] || held=1; exit $$held
# SECONDS each (FUZZ=600); a target alone: tests/fuzz/run.sh formats 600
FUZZ = 30
fuzz: $(B)/build.ninja
	@for t in formats nbd qmp wire loader decode keep; do tests/fuzz/run.sh $$t $(FUZZ) || exit 1; done
format:
	@git ls-files 'src/*.c' 'src/*.h' | xargs clang-format -i
tidy: all
	@git ls-files 'src/*.c' | xargs clang-tidy -p $(B) --quiet
install: all
	@ninja -C $(B) install
clean:
	rm -rf build build-asan build-tsan build-cov
help:
	@sed -n 's/^# //p' Makefile | head -4
	@echo "make unit | asan | tsan | coverage | coverage-isa | bench | root-test | fuzz | format | tidy | install | clean"

$(B)/build.ninja:
	@meson setup $(OPTS) $(B) >$(B)-setup.log || { cat $(B)-setup.log; exit 1; }
	@mv $(B)-setup.log $(B)/

.PHONY: all run test unit setup asan tsan coverage coverage-isa bench root-test fuzz format tidy install clean help
