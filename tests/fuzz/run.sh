#!/bin/bash
# Builds a fuzz target with clang (libFuzzer, address and undefined-behaviour sanitizers) and runs it.
# usage: run.sh TARGET [SECONDS [libFuzzer options]]         targets: formats nbd qmp
# The corpus grows in build-fuzz/corpus.TARGET; tests/fuzz/seeds.TARGET holds the seeds of the tree, and what once failed.
# FUZZ_ONLY=qcow2 (formats) tries that format alone, with a corpus of its own. BUILD_ONLY=1 builds.
cd "$(dirname "$0")/../.." || exit 1
target=${1:?target} seconds=${2:-60}
shift $(($# < 2 ? $# : 2))
corpus=build-fuzz/corpus.$target${FUZZ_ONLY:+.$FUZZ_ONLY}
mkdir -p "$corpus" "tests/fuzz/seeds.$target" "build-fuzz/obj.$target" || exit 1
folders=(src/base src/block)
[ "$target" != qmp ] || folders+=(src/backend src/control/schema src/control/qmp src/control/block)
have=$(grep -o -- "-DHAVE_[A-Z0-9]*" build/build.ninja | sort -u | tr "\n" " ")
names=$(sed 's/-DHAVE_//g' <<<"$have" | tr 'A-Z' 'a-z')
registry=build-fuzz/registry_$target.c
HAVE=$names tools/scan.py registry "$registry" "${folders[@]}" tests/fuzz || exit 1
sources="$(HAVE=$names tools/scan.py sources "${folders[@]}") $registry tests/fuzz/$target.c"
if [ "$target" = qmp ]; then
	python3 tools/schemagen.py make build-fuzz/schema.gen.h build-fuzz/schema.gen.c build-fuzz/qmp-reference.md || exit 1
	sources+=" build-fuzz/schema.gen.c"
fi
libs=$(pkg-config --libs zlib jansson libzstd liburing gnutls libcurl fuse3 2>/dev/null)
# clang cannot read lock annotations within C structs: they are left out.
flags="-U__clang__ -g -O1 -std=gnu17 -D_GNU_SOURCE -fno-strict-aliasing -fwrapv -Isrc -Ibuild-fuzz $have $(pkg-config --cflags fuse3 gnutls 2>/dev/null)"
flags+=" -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined"
export flags target cache=$(command -v ccache)
# shellcheck disable=SC2016,SC2086
printf '%s\n' $sources | xargs -P2 -I{} sh -c '$cache clang $flags -c {} -o build-fuzz/obj.$target/$(echo {} | tr / _).o' || exit 1
# shellcheck disable=SC2046,SC2086
clang -fsanitize=fuzzer,address,undefined $(printf '%s\n' $sources | tr / _ | sed "s|.*|build-fuzz/obj.$target/&.o|") \
	-o "build-fuzz/fuzz-$target" $libs -lbz2 -laio -lm -lpthread || exit 1
[ -n "$BUILD_ONLY" ] && exit
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1} # sizes from images may fail
[ "$target" != qmp ] || ASAN_OPTIONS+=:detect_leaks=0 # sessions end with the process
exec "build-fuzz/fuzz-$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=4096 \
	-artifact_prefix="build-fuzz/$target-" "$@" "$corpus" "tests/fuzz/seeds.$target"
