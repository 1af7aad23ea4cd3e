#!/bin/bash
# SVE and SVE2 in programs as compilers make them: loops against what they do on the host, intrinsics against recorded sums; the options of -cpu.
. "$(dirname "$0")/../tap.sh"
for cc in gcc aarch64-linux-gnu-gcc; do
	command -v $cc >/dev/null || { echo "ok 1 - programs of SVE # SKIP no $cc"; exit 0; }
done
run() { # runs into out, err; status in rc
	{ timeout -k 1 60 "$@" >out 2>err </dev/null; } 2>shell
	rc=$?
}
same() { [ "$rc" = 0 ] && diff "$1" out >log; }
says() { [ "$rc" = 1 ] && grep -qF -- "$1" err && [ "$(wc -l <err)" = 1 ]; }
# How many instructions of different names work on Z or P registers in the program's own functions.
names() { aarch64-linux-gnu-objdump -d --no-show-raw-insn "$1" | awk -F'\t' '$3 ~ /(^|[^a-z0-9])[zp][0-9]+[.\/]/ { print $2 }' | sort -u | wc -l; }

gcc -O1 -fwrapv -ffp-contract=off -o native "$here/sve/loops.c" -lm && ./native >native.sums || { echo "not ok 1 - compiles for the host"; exit 1; }
for arch in armv8.2-a+sve armv8.5-a+sve2; do
	aarch64-linux-gnu-gcc -O3 -fwrapv -ffp-contract=off -static -march=$arch -o "$arch" "$here/sve/loops.c" -lm 2>log
	check "-march=$arch: loops become code for vectors" [ "$(names $arch)" -gt 100 ]
	run rhea-user "./$arch"; check "-march=$arch: $(wc -l <native.sums) loops leave what they leave on the host" same native.sums
	run rhea-user -hot 0 "./$arch"; check "-march=$arch: translated for speed at once too" same native.sums
done
crypto=+sve2-aes+sve2-bitperm+sve2-sha3+sve2-sm4
aarch64-linux-gnu-gcc -O1 -static -march=armv8.6-a+sve2$crypto -o intrinsics "$here/sve/intrinsics.c" 2>log
run rhea-user ./intrinsics; check "$(wc -l <"$here/sve/intrinsics.expected") sums of intrinsics are the recorded ones" same "$here/sve/intrinsics.expected"
peer=$(type -ap qemu-aarch64 | grep -v "^$(realpath "$BUILD")/" | grep -v "^$BUILD/" | head -1)
if [ -n "$peer" ]; then
	run "$peer" -cpu max,sve-max-vq=1 ./intrinsics; check "the recorded sums are the peer's" same "$here/sve/intrinsics.expected"
else
	echo "ok $((++n)) - the recorded sums are the peer's # SKIP no other qemu-aarch64"
fi

run rhea-user -cpu max,sve=off ./armv8.2-a+sve; check "sve=off: its instructions are undefined" [ "$rc" = 132 ]
run rhea-user -cpu max,sve-max-vq=1,sme-default-vector-length=16 ./armv8.2-a+sve; check "the lengths there are can be asked for" same native.sums
run rhea-user -cpu max,sve-max-vq=2 ./intrinsics; check "longer vectors are refused" says "'sve-max-vq=2': vectors of more than 128 bits are not implemented; use 1"
run rhea-user -cpu cortex-a72,sve=on ./intrinsics; check "a model without SVE has none" says "'sve=on' needs a CPU model with SVE"
exit $status
