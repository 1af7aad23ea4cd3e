#!/bin/bash
# The Scalable Matrix Extension (arm64): a program that multiplies and turns matrices with it, translated in every way.
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
emulator=${EMULATOR:-qemu-aarch64}
n=0 status=0
ok() { # what, condition's status
	if [ "$2" = 0 ]; then echo "ok $((++n)) - $1"; else echo "not ok $((++n)) - $1"; status=1; fi
}
cc=aarch64-linux-gnu-gcc
echo '.arch_extension sme-i64' | $cc -x assembler -c -o /dev/null - 2>/dev/null || { echo "ok 1 - matrices # SKIP no $cc that knows SME"; exit 0; }
$cc -O2 -w -static -march=armv8.2-a+sve -o "$tmp/matrix" "$here/sme/matrix.c" || exit 1
run() { XDG_CACHE_HOME=$tmp timeout 60 $emulator "$@"; }
run "$tmp/matrix" >"$tmp/out"
rc=$?
while IFS= read -r line; do
	ok "${line#*ok * - }" "$([[ $line = ok* ]]; echo $?)"
done <"$tmp/out"
ok "the program ends with 0" $rc
run "$tmp/matrix" | cmp -s - "$tmp/out"
ok "the same with kept translations" $?
run -one-insn-per-tb "$tmp/matrix" | cmp -s - "$tmp/out"
ok "the same, one instruction at a time" $?
exit $status
