#!/bin/bash
# The Scalable Matrix Extension (arm64): a program that multiplies and turns matrices with it, translated in every way.
. "$(dirname "$0")/../tap.sh"
emulator=${EMULATOR:-qemu-aarch64}
cc=aarch64-linux-gnu-gcc
echo '.arch_extension sme-i64' | $cc -x assembler -c -o /dev/null - 2>/dev/null || { echo "ok 1 - matrices # SKIP no $cc that knows SME"; exit 0; }
$cc -O2 -w -static -march=armv8.2-a+sve -o matrix "$here/sme/matrix.c" || exit 1
run() { XDG_CACHE_HOME=$tmp timeout 60 $emulator "$@" >out 2>err; }
same() { run "$@" && cmp -s out first; }
run ./matrix
rc=$?
cp out first
while IFS= read -r line; do
	check "${line#*ok * - }" [ "${line:0:2}" = ok ]
done <first
check "the program ends with 0" [ $rc = 0 ]
check "the same with kept translations" same ./matrix
check "the same, one instruction at a time" same -one-insn-per-tb ./matrix
exit $status
