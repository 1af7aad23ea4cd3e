#!/bin/bash
# The AArch64 front end against the peer's user mode (random instructions) and against GNU's disassembler (random words).
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
result() { # number, exit status, what
	if [ "$2" = 0 ]; then echo "ok $1 - $3"; else echo "not ok $1 - $3"; cat "$work/log"; status=1; fi
}

# The peer is whatever qemu-aarch64 lies outside our own folder.
peer=$(type -ap qemu-aarch64 | grep -v "^$(realpath "$BUILD")/" | grep -v "^$BUILD/" | head -1)
compare() { # number, what, options, program that runs A64 programs...
	local number=$1 what=$2 set=$3
	shift 3
	if ! [ -x "$work/other" ]; then
		echo "ok $number - $what # SKIP no aarch64-linux-gnu-gcc"
	elif [ -z "$1" ]; then
		echo "ok $number - $what # SKIP no other qemu-aarch64"
	else
		timeout 120 "$BUILD/guest-diff" run aarch64 --count 60 $set -- "$@" "$work/other" $([ "$number" = 3 ] && echo shared) >"$work/log" 2>&1
		result "$number" $? "$what"
	fi
}
command -v aarch64-linux-gnu-gcc >/dev/null && aarch64-linux-gnu-gcc -O2 -static -o "$work/other" tests/guests/diff-aarch64.c
model=max,pauth-impdef=on,sve-max-vq=1,sme-default-vector-length=16
compare 1 "random A64 instructions do what they do under the peer" "--set zva=7 --set no-lse2=1" ${peer:+"$peer" -cpu $model}
compare 2 "random A64 instructions do the same interpreted and translated" "--set zva=4 --set after-rounding=1" "$BUILD/bin/qemu-aarch64" -cpu $model

compare 3 "loads and stores as they are done in memory that others see do the same" "--only arm64_ldst --set zva=4" "$BUILD/bin/qemu-aarch64" -cpu $model
compare 4 "floating point does the same where FPSR was not read yet" "--only arm64_fp --set zva=4 --set after-rounding=1" "$BUILD/bin/qemu-aarch64" -cpu $model

what="A64 assembly text is GNU's"
if command -v aarch64-linux-gnu-objdump >/dev/null; then
	python3 tools/check-text.py "$BUILD/guest-diff" random 30000 >"$work/log" 2>&1
	result 5 $? "$what"
else
	echo "ok 5 - $what # SKIP no aarch64-linux-gnu-objdump"
fi
exit $status
