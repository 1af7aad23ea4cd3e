#!/bin/sh
# Developer's tool, x86-64 hosts with FMA and F16C: builds and runs host-x86.c.
#
#   tools/float/host-x86.sh [COUNT [SEED]]     COUNT operand sets for every instruction
set -eu
root=$(dirname "$0")/../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
float=$root/src/translate/float
cc -std=gnu17 -O2 -D_GNU_SOURCE -fwrapv -mfma -mf16c -msse4.1 -I"$root/src" -o "$work/host-x86" \
	"$root/tools/float/host-x86.c" "$float/core.c" "$float/arith.c" "$float/convert.c" "$float/compare.c" "$float/presets.c"
"$work/host-x86" "$@"
