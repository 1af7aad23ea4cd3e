#!/bin/bash
# Builds a fuzz target with clang (libFuzzer, address and undefined-behaviour sanitizers) and runs it.
# usage: run.sh TARGET [SECONDS [libFuzzer options]]         targets: formats nbd qmp wire loader decode keep
# The corpus grows in build-fuzz/corpus.TARGET; tests/fuzz/seeds.TARGET holds the seeds of the tree, and what once failed.
# FUZZ_ONLY=qcow2 (formats) tries that format alone, with a corpus of its own. BUILD_ONLY=1 builds.
cd "$(dirname "$0")/../.." || exit 1
target=${1:?target} seconds=${2:-60}
shift $(($# < 2 ? $# : 2))
corpus=build-fuzz/corpus.$target${FUZZ_ONLY:+.$FUZZ_ONLY}
mkdir -p "$corpus" "build-fuzz/obj" "tests/fuzz/seeds.$target" || exit 1
have=$(grep -o -- "-DHAVE_[A-Z0-9]*" build/build.ninja | sort -u | tr "\n" " ")
names=$(sed 's/-DHAVE_//g' <<<"$have" | tr 'A-Z' 'a-z')
extra=
case $target in
loader) dirs="src/base src/translate src/guest src/control/gdb src/linux" generated='\.decode\.h|syscalls\.gen\.[hc]|ioctls\.gen\.h' extra=build/syscalls.gen.c ;;
decode) dirs="src/base src/translate/ir src/translate/float src/translate/host src/guest" generated='\.decode\.h' ;;
qmp)
	dirs="src/base src/block src/backend src/control/schema src/control/qmp src/control/block tests/fuzz"
	generated='schema\.gen\.[hc]' extra=build/schema.gen.c
	;;
wire) dirs="src/base src/backend" ;;
keep) dirs="src/base" ;; # and what the target includes
*) dirs="src/base src/block tests/fuzz" ;;
esac
# shellcheck disable=SC2086,SC2046
[ -z "$generated" ] || ninja -C build $(ninja -C build -t targets all | grep -oE "^[a-z0-9_]*($generated)") >/dev/null || exit 1
# shellcheck disable=SC2086
HAVE=$names tools/scan.py registry "build-fuzz/registry_$target.c" $dirs || exit 1
# shellcheck disable=SC2086
sources=$(HAVE=$names tools/scan.py sources ${dirs% tests/fuzz})
libs=$(pkg-config --libs zlib jansson libzstd liburing gnutls libcurl fuse3 2>/dev/null)
# clang cannot read lock annotations within C structs: they are left out.
flags="-U__clang__ -g -O1 -std=gnu17 -D_GNU_SOURCE -fno-strict-aliasing -fwrapv -mcx16 -Isrc -Ibuild $have $(pkg-config --cflags fuse3 gnutls 2>/dev/null)"
flags="$flags -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined"
cc=$(command -v ccache) # so that what has not changed is not compiled again
objects=
commands=
for source in $sources $extra "build-fuzz/registry_$target.c" "tests/fuzz/$target.c"; do
	object=build-fuzz/obj/$(tr / _ <<<"${source%.c}").o
	objects="$objects $object"
	commands="$commands$cc clang $flags -c $source -o $object"$'\n'
done
printf %s "$commands" | xargs -P 2 -d '\n' -I{} sh -c '{}' || exit 1
# shellcheck disable=SC2086
clang $flags $objects -o "build-fuzz/fuzz-$target" $libs -lbz2 -laio -lm -lpthread || exit 1
[ -n "$BUILD_ONLY" ] && exit
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1} # sizes from images may fail
[ "$target" != qmp ] || ASAN_OPTIONS+=:detect_leaks=0 # sessions end with the process
exec "build-fuzz/fuzz-$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=4096 -artifact_prefix="build-fuzz/$target-" "$@" "$corpus" \
	"tests/fuzz/seeds.$target"
