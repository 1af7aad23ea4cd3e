#!/bin/bash
# Branch target identification (arm64): memory that asks for landing pads gets them checked, by mprotect and by a program's ELF properties.
. "$(dirname "$0")/../tap.sh"
emulator=${EMULATOR:-qemu-aarch64}
cc=aarch64-linux-gnu-gcc
command -v $cc >/dev/null || { echo "ok 1 - landing pads # SKIP no $cc"; exit 0; }
run() { XDG_CACHE_HOME=$tmp timeout 60 $emulator "$@" >out 2>err; }
same() { run "$@" && cmp -s out first; }
ends() { # status, program
	(run "$2") >/dev/null 2>&1
	[ $? = "$1" ]
}
number() { # TAP lines without numbers, in the file first
	while IFS= read -r line; do
		check "$1: ${line#*ok - }" [ "${line:0:2}" = ok ]
	done <first
}
$cc -O1 -w -static -o pads "$here/landing/pads.c" || exit 1
run ./pads
rc=$?
cp out first
number translated
check "the program ends with 0" [ $rc = 0 ]
check "the same with kept translations" same ./pads
check "the same, one instruction at a time" same -one-insn-per-tb ./pads
run -cpu cortex-a53 ./pads none
cp out first
number "without the feature"
for pad in 'bti j:0' 'bti c:132' 'nop:132'; do
	$cc -nostdlib -static -march=armv8.5-a "-DPAD=${pad%:*}" -Wl,-z,force-bti -o p "$here/landing/property.S" 2>/dev/null
	check "a program that asks for checks and lands on ${pad%:*} ends with ${pad#*:}" ends "${pad#*:}" ./p
done
$cc -nostdlib -static -march=armv8.5-a -DPAD=nop -o p "$here/landing/property.S" 2>/dev/null
check "one that does not ask lands anywhere" ends 0 ./p
exit $status
