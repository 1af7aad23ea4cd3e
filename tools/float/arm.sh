#!/bin/sh
# Developer's tool: A64 floating point of an emulator (qemu-aarch64 -cpu max) against src/translate/float.
#
#   tools/float/arm.sh [COUNT [SEED]]     COUNT operand sets for every instruction
#   tools/float/arm.sh - <LINES           lines of arm-guest made before
set -eu
root=$(dirname "$0")/../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
float=$root/src/translate/float
cc -std=gnu17 -O2 -D_GNU_SOURCE -fwrapv -I"$root/src" -o "$work/check" "$root/tools/float/arm-check.c" "$float/core.c" \
	"$float/arith.c" "$float/convert.c" "$float/compare.c" "$float/presets.c" "$float/arm.c"
if [ "${1:-}" = - ]; then
	"$work/check"
	exit
fi
aarch64-linux-gnu-gcc -static -std=gnu17 -O1 -march=armv8.6-a+fp16+fp16fml+bf16 -I"$root/src" \
	-o "$work/guest" "$root/tools/float/arm-guest.c"
qemu-aarch64 -cpu max "$work/guest" "${1:-2000}" "${2:-1}" | "$work/check"
