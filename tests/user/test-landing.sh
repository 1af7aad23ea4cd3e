#!/bin/bash
# Branch target identification (arm64): memory that asks for landing pads gets them checked, by mprotect and by a program's ELF properties.
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
emulator=${EMULATOR:-qemu-aarch64}
n=0 status=0
ok() { # what, condition's status
	if [ "$2" = 0 ]; then echo "ok $((++n)) - $1"; else echo "not ok $((++n)) - $1"; status=1; fi
}
cc=aarch64-linux-gnu-gcc
command -v $cc >/dev/null || { echo "ok 1 - landing pads # SKIP no $cc"; exit 0; }
run() { XDG_CACHE_HOME=$tmp timeout 60 $emulator "$@"; }
$cc -O1 -w -static -o "$tmp/pads" "$here/landing/pads.c" || exit 1
number() { # TAP lines without numbers
	while IFS= read -r line; do
		ok "$1: ${line#*ok - }" "$([[ $line = ok* ]]; echo $?)"
	done
}
run "$tmp/pads" >"$tmp/out"
rc=$?
number translated <"$tmp/out"
ok "the program ends with 0" $rc
run "$tmp/pads" | cmp -s - "$tmp/out"
ok "the same with kept translations" $?
run -one-insn-per-tb "$tmp/pads" | cmp -s - "$tmp/out"
ok "the same, one instruction at a time" $?
run -cpu cortex-a53 "$tmp/pads" none >"$tmp/out"
number "without the feature" <"$tmp/out"
for pad in 'bti j:0' 'bti c:132' 'nop:132'; do
	$cc -nostdlib -static -march=armv8.5-a "-DPAD=${pad%:*}" -Wl,-z,force-bti -o "$tmp/p" "$here/landing/property.S" 2>/dev/null
	(run "$tmp/p") >/dev/null 2>&1
	got=$?
	[ $got = "${pad#*:}" ]
	ok "a program that asks for checks and lands on ${pad%:*} ends with ${pad#*:}" $?
done
$cc -nostdlib -static -march=armv8.5-a -DPAD=nop -o "$tmp/p" "$here/landing/property.S" 2>/dev/null
run "$tmp/p"
ok "one that does not ask lands anywhere" $?
exit $status
