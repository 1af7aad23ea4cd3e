#!/bin/bash
# The AArch64 front end against the peer's user mode (random instructions) and against GNU's disassembler (random words).
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
result() { # number, exit status, what
	if [ "$2" = 0 ]; then echo "ok $1 - $3"; else echo "not ok $1 - $3"; cat "$work/log"; status=1; fi
}

what="random A64 instructions do what they do under qemu-aarch64"
if ! command -v qemu-aarch64 >/dev/null || ! command -v aarch64-linux-gnu-gcc >/dev/null; then
	echo "ok 1 - $what # SKIP no qemu-aarch64 or no aarch64-linux-gnu-gcc"
elif qemu-aarch64 --version 2>&1 | grep -qi rhea; then
	echo "ok 1 - $what # SKIP qemu-aarch64 is this program"
else
	aarch64-linux-gnu-gcc -O2 -static -o "$work/other" tests/guests/diff-aarch64.c || exit 1
	timeout 120 "$BUILD/guest-diff" run aarch64 --count 60 -- \
		qemu-aarch64 -cpu max,pauth-impdef=on,sve=off,sme=off "$work/other" >"$work/log" 2>&1
	result 1 $? "$what"
fi

what="A64 assembly text is GNU's"
if command -v aarch64-linux-gnu-objdump >/dev/null; then
	python3 tools/check-text.py "$BUILD/guest-diff" random 30000 >"$work/log" 2>&1
	result 2 $? "$what"
else
	echo "ok 2 - $what # SKIP no aarch64-linux-gnu-objdump"
fi
exit $status
