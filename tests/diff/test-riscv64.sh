#!/bin/bash
# The RISC-V front end against the peer's user mode, and interpreted against translated (random instructions).
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
# The peer is whatever qemu-riscv64 lies outside our own folder.
peer=$(type -ap qemu-riscv64 | grep -v "^$(realpath "$BUILD")/" | grep -v "^$BUILD/" | head -1)
compare() { # number, what, options, program that runs RISC-V programs...
	local number=$1 what=$2 options=$3
	shift 3
	if ! [ -x "$work/other" ]; then
		echo "ok $number - $what # SKIP no riscv64-linux-gnu-gcc"
	elif [ -z "$1" ]; then
		echo "ok $number - $what # SKIP no other qemu-riscv64"
	elif timeout 120 "$BUILD/guest-diff" run riscv64 --count 500 $options -- "$@" "$work/other" >"$work/log" 2>&1; then
		echo "ok $number - $what"
	else
		echo "not ok $number - $what"
		cat "$work/log"
		status=1
	fi
}
command -v riscv64-linux-gnu-gcc >/dev/null && riscv64-linux-gnu-gcc -O2 -static -o "$work/other" tests/guests/diff-riscv64.c
model=rv64
for extension in zba zbb zbc zbs zbkb zbkc zbkx zknd zkne zknh zksed zksh Zfh Zfhmin; do model=$model,$extension=on; done
compare 1 "random RISC-V instructions do what they do under the peer" "" ${peer:+"$peer" -cpu $model}
compare 2 "random RISC-V instructions do the same interpreted and translated" "--set full=1" "$BUILD/bin/rhea-user" -cpu max
exit $status
