#!/bin/bash
# Builds and runs the public riscv-tests (riscv-software-src/riscv-tests with its env submodule) on the test machine.
# usage: riscv-tests.sh CHECKOUT BUILD-DIR [rv-bare options]     prints "N passed, M failed" and what failed
suite=$(realpath "$1") build=$(realpath "$2")
shift 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/include/gnu"
: >"$tmp/include/gnu/stubs-ilp32.h" # the C library's headers of a 64-bit compiler ask for it
ok=0 failed=()
common="-static -mcmodel=medany -fvisibility=hidden -nostdlib -nostartfiles -fno-pie -no-pie -w -Wl,--build-id=none,--no-warn-rwx-segments -I$tmp/include -I$suite/isa/macros/scalar"
run() { # name, compiler's arguments
	local name=$1
	shift
	if ! riscv64-linux-gnu-gcc $common "$@" -o "$tmp/prog" 2>"$tmp/err"; then
		failed+=("$name(does not compile)")
	elif timeout -k 1 60 "$build/rv-bare" -seconds 50 -cpu max "${options[@]}" "$tmp/prog" >/dev/null 2>&1; then
		ok=$((ok + 1))
	else
		failed+=("$name")
	fi
}
options=("$@")
for xlen in 32 64; do
	abi=$([ $xlen = 32 ] && echo ilp32 || echo lp64d)
	for set in "$suite"/isa/rv$xlen*; do
		s=$(basename "$set") ext=
		case $s in
		*up | *uziccid) continue ;; # extensions that are not implemented
		*uz*) ext=_${s#rv*u} ;;
		*mzicbo) ext=_zicboz ;;
		esac
		for test in "$set"/*.S; do
			t=$(basename "$test" .S)
			run "$s-p-$t" -march=rv${xlen}g$ext -mabi=$abi -I"$suite/env/p" -T"$suite/env/p/link.ld" "$test"
			case $s in
			*mi | *si | *mzicbo | *svnapot) ;;
			*) run "$s-v-$t" -march=rv${xlen}g$ext -mabi=$abi -std=gnu99 -O2 -DENTROPY=0x1234567 -I"$suite/env/v" -T"$suite/env/v/link.ld" \
				"$suite/env/v/entry.S" "$suite/env/v/string.c" "$suite/env/v/vm.c" "$test" ;;
			esac
		done
	done
done
echo "$ok passed, ${#failed[@]} failed"
printf '%s\n' "${failed[@]}"
[ ${#failed[@]} = 0 ]
