#!/bin/bash
# riscv32 in user mode: a program without a C library checks the ABI, translated and interpreted; options of 32-bit guests.
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0 status=0
if ! command -v riscv64-linux-gnu-gcc >/dev/null; then
	echo "ok 1 - riscv32 # SKIP no riscv64-linux-gnu-gcc"
	exit 0
fi
result() { # 0 or another, what
	if [ "$1" = 0 ]; then echo "ok $((++n)) - $2"; else echo "not ok $((++n)) - $2"; status=1; fi
}
if ! riscv64-linux-gnu-gcc -march=rv32gc -mabi=ilp32d -O1 -w -ffreestanding -nostdlib -static -fno-pic -no-pie \
	-Wl,-m,elf32lriscv -o "$tmp/abi" "$here/riscv32/abi.c" 2>"$tmp/log"; then
	echo "not ok 1 - compiles"
	sed 's/^/# /' "$tmp/log"
	exit 1
fi
run() { # how, options...
	local how=$1 rc
	shift
	timeout -k 2 60 "$@" "$tmp/abi" argument >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
	while IFS= read -r line; do
		case $line in
		"ok - "*) result 0 "$how: ${line#ok - }" ;;
		"not ok - "*) result 1 "$how: ${line#not ok - }" ;;
		*) echo "# $line" ;;
		esac
	done <"$tmp/out"
	result $rc "$how: ends with 0 ($rc)"
	[ $rc = 0 ] || sed 's/^/# /' "$tmp/err"
}
run translated ${EMULATOR:-rhea-user}
[ -n "$EMULATOR" ] && exit $status
run interpreted rhea-user -interpret
run "-R 1 GiB" qemu-riscv32 -R 0x40000000
run "-B" qemu-riscv32 -B 0x300000000000
timeout 20 rhea-user -B 0x7fffffff0000 "$tmp/abi" argument >"$tmp/out" 2>"$tmp/err"
[ $? != 0 ] && grep -q "no room for the address space" "$tmp/err"
result $? "-B where nothing can be is refused"
exit $status
