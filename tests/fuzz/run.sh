#!/bin/bash
# Builds a fuzz target with clang (libFuzzer, address and undefined-behaviour sanitizers) and runs it.
# usage: run.sh TARGET [SECONDS [libFuzzer options]]         targets: formats nbd
# The corpus grows in build-fuzz/corpus.TARGET; tests/fuzz/seeds.TARGET holds the seeds of the tree, and what once failed.
cd "$(dirname "$0")/../.." || exit 1
target=${1:?target} seconds=${2:-60}
shift $(($# < 2 ? $# : 2))
mkdir -p "build-fuzz/corpus.$target" "tests/fuzz/seeds.$target" || exit 1
have=$(grep -o -- "-DHAVE_[A-Z0-9]*" build/build.ninja | sort -u | tr "\n" " ")
names=$(sed 's/-DHAVE_//g' <<<"$have" | tr 'A-Z' 'a-z')
sources=$(HAVE=$names tools/scan.py sources src/base src/block)
HAVE=$names tools/scan.py registry "build-fuzz/registry_$target.c" src/base src/block tests/fuzz || exit 1
libs=$(pkg-config --libs zlib jansson libzstd liburing gnutls libcurl fuse3 2>/dev/null)
# clang cannot read lock annotations within C structs: they are left out.
flags="-U__clang__ -g -O1 -std=gnu17 -D_GNU_SOURCE -fno-strict-aliasing -fwrapv -Isrc $have $(pkg-config --cflags fuse3 gnutls 2>/dev/null)"
# shellcheck disable=SC2086
clang $flags -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined $sources "build-fuzz/registry_$target.c" \
	"tests/fuzz/$target.c" -o "build-fuzz/fuzz-$target" $libs -lbz2 -laio -lm -lpthread || exit 1
[ -n "$BUILD_ONLY" ] && exit
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1} # sizes from images may fail
exec "build-fuzz/fuzz-$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=4096 "$@" "build-fuzz/corpus.$target" \
	"tests/fuzz/seeds.$target"
