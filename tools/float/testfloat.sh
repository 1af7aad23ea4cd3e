#!/bin/sh
# Developer's tool: runs Berkeley TestFloat's level-1 vectors through src/translate/float.
#
#   tools/float/testfloat.sh GEN PRESET [before]
#   tools/float/testfloat.sh - <LINES      lines with PRESET, rounding, precision, function in front
#
# GEN: a testfloat_gen (ucb-bar/berkeley-testfloat-3) built with the SoftFloat specialisation that fits PRESET:
# 8086-SSE for x86, 8086 for x87, RISCV for riscv. Level 1, all rounding modes.
set -u
gen=$1 preset=${2:-} tiny=${3:-after}
root=$(dirname "$0")/../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -std=gnu17 -O2 -D_GNU_SOURCE -fwrapv -I"$root/src" -o "$work/testfloat" "$root/tools/float/testfloat.c" \
	"$root"/src/translate/float/core.c "$root"/src/translate/float/arith.c "$root"/src/translate/float/convert.c \
	"$root"/src/translate/float/compare.c "$root"/src/translate/float/presets.c || exit 2
if [ "$gen" = - ]; then
	"$work/testfloat"
	exit
fi
formats="f16 f32 f64 extF80 f128"
[ "$preset" = x87 ] && formats=extF80
list() {
	for f in $formats; do
		for op in add sub mul div sqrt rem roundToInt eq le lt eq_signaling le_quiet lt_quiet; do echo "$f"_$op; done
		[ "$f" = extF80 ] || echo "$f"_mulAdd
		for i in ui32 ui64 i32 i64; do echo "$f"_to_$i; echo $i"_to_$f"; done
		for t in f16 f32 f64 extF80 f128; do [ $t = "$f" ] || echo "$f"_to_$t; done
	done
}
for function in $(list); do
	case $function in
	*_rem | *_eq* | *_le* | *_lt*) modes=near_even ;;
	*) modes="near_even minMag min max near_maxMag" ;;
	esac
	for mode in $modes; do
		precisions=0
		case $preset-$function in
		x87-*_add | x87-*_sub | x87-*_mul | x87-*_div | x87-*_sqrt) precisions="0 24 53" ;;
		esac
		for p in $precisions; do
			option=-precision80
			[ $p = 24 ] && option=-precision32
			[ $p = 53 ] && option=-precision64
			"$gen" -r$mode -exact -tininess$tiny $option $function 2>/dev/null |
				"$work/testfloat" "$preset" $mode $p $function
		done
	done
done
