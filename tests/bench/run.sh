#!/bin/bash
# Times small programs natively, under the peer (qemu-aarch64 of Debian's qemu-user, when it is installed) and under Rhea, in turns, and
# prints the ratios of CPU time to native with their geometric means. Programs: tests/bench/kernels/*.c, compiled here for both CPUs.
# usage: run.sh BUILD-DIR [REPETITIONS]
set -e
build=$(realpath "$1")
reps=${2:-3}
here=$(cd "$(dirname "$0")" && pwd)
out=$build/bench
mkdir -p "$out"
peer=$(command -v /usr/bin/qemu-aarch64 || true)
for source in "$here"/kernels/*.c; do
	name=$(basename "$source" .c)
	[ "$out/$name.native" -nt "$source" ] || gcc -O2 -static -o "$out/$name.native" "$source" -lm
	[ "$out/$name.arm64" -nt "$source" ] || aarch64-linux-gnu-gcc -O2 -static -o "$out/$name.arm64" "$source" -lm
done
exec python3 "$here/run.py" "$out" "$reps" "$build/bin/qemu-aarch64" $peer
