#!/bin/bash
# Builds the public riscv-tests (riscv-software-src/riscv-tests with its env submodule) and runs each on the test machine.
# usage: riscv-tests.sh CHECKOUT BUILD-DIR [OPTIONS...]     each of OPTIONS is a set of options of rv-bare that all are run with; usually
# windows everywhere, and the table alone. Prints how many passed and what failed, for each set.
suite=$(realpath "$1") build=$(realpath "$2")
shift 2
ways=("$@")
[ $# = 0 ] && ways=("-windows on" "-windows off")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/include/gnu"
: >"$tmp/include/gnu/stubs-ilp32.h" # the C library's headers of a 64-bit compiler ask for it
# assemblers older than Zicond
cat >"$tmp/zicond.S" <<'EOF'
.macro czero.eqz rd, rs1, rs2
.insn r 0x33, 5, 7, \rd, \rs1, \rs2
.endm
.macro czero.nez rd, rs1, rs2
.insn r 0x33, 7, 7, \rd, \rs1, \rs2
.endm
EOF
ok=() failed=() unbuilt=()
common="-static -mcmodel=medany -fvisibility=hidden -nostdlib -nostartfiles -fno-pie -no-pie -w -Wl,--build-id=none,--no-warn-rwx-segments -I$tmp/include -I$suite/isa/macros/scalar"
run() { # name, compiler's arguments
	local name=$1 way
	shift
	if ! riscv64-linux-gnu-gcc $common "$@" -o "$tmp/prog" 2>"$tmp/err"; then
		unbuilt+=("$name")
		return
	fi
	for way in "${!ways[@]}"; do
		if timeout -k 1 60 "$build/rv-bare" -seconds 50 -cpu max ${ways[$way]} "$tmp/prog" >/dev/null 2>&1; then
			ok[way]=$((${ok[way]:-0} + 1))
		else
			failed[way]+=" $name"
		fi
	done
}
listed() { # the folder's tests, as its Makefrag names them; others are not ready
	sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$1/Makefrag" | sed -n 's/^ *rv[a-z0-9]*_sc_tests *=//p'
}
for xlen in 32 64; do
	abi=$([ $xlen = 32 ] && echo ilp32 || echo lp64d)
	for set in "$suite"/isa/rv$xlen*; do
		s=$(basename "$set") ext= before=/dev/null
		case $s in
		*up | *uziccid) continue ;; # extensions that are not implemented
		*uzicond) before=$tmp/zicond.S ;;
		*uz*) ext=_${s#rv*u} ;;
		*mzicbo) ext=_zicboz ;;
		esac
		for t in $(listed "$set"); do
			printf '#include "%s"\n' "$before" "$set/$t.S" >"$tmp/test.S"
			run "$s-p-$t" -march=rv${xlen}g$ext -mabi=$abi -I"$set" -I"$suite/env/p" -T"$suite/env/p/link.ld" "$tmp/test.S"
			case $s in
			*mi | *si | *mzicbo | *svnapot) ;;
			*) run "$s-v-$t" -march=rv${xlen}g$ext -mabi=$abi -std=gnu99 -O2 -DENTROPY=0x1234567 -I"$set" -I"$suite/env/v" -T"$suite/env/v/link.ld" \
				"$suite/env/v/entry.S" "$suite/env/v/string.c" "$suite/env/v/vm.c" "$tmp/test.S" ;;
			esac
		done
	done
done
status=0
for way in "${!ways[@]}"; do
	echo "${ways[way]}: ${ok[way]:-0} passed, $(wc -w <<<"${failed[way]} ${unbuilt[*]}") failed"
	[ -z "${failed[way]}" ] || { echo "failed:${failed[way]}" && status=1; }
done
[ ${#unbuilt[@]} = 0 ] || { echo "do not compile: ${unbuilt[*]}" && status=1; }
exit $status
