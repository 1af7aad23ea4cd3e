#!/bin/bash
# Bare RISC-V programs on the test machine, translated, in single instructions, and interpreted.
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0 status=0
cc="riscv64-linux-gnu-gcc -O1 -std=gnu11 -w -ffreestanding -fno-pic -fno-pie -no-pie -fno-stack-protector -nostdlib -static -mcmodel=medany -march=rv64imafdc_zicsr_zifencei -mabi=lp64d -Wl,--build-id=none,--no-warn-rwx-segments,--no-relax"
run() { # program, harts, options: its own TAP lines, numbered anew
	local name=$1 harts=$2
	shift 2
	timeout -k 1 60 "$BUILD/rv-bare" -seconds 50 -smp "$harts" "$@" "$tmp/$name" >"$tmp/out" 2>&1
	local rc=$?
	while IFS= read -r line; do
		case $line in
		"ok "*) echo "ok $((++n)) - $name${1:+ $1}: ${line#* - }" ;;
		"not ok "*) echo "not ok $((++n)) - $name${1:+ $1}: ${line#* - }" && status=1 ;;
		esac
	done <"$tmp/out"
	local want got
	want=$(sed -n 's/^1\.\.//p' "$tmp/out") got=$(grep -c '^ok ' "$tmp/out")
	if [ $rc != 0 ] || [ "$want" != "$got" ]; then
		echo "not ok $((++n)) - $name${1:+ $1} ends well (status $rc, $got of $want)"
		status=1
	fi
}
for p in mmu harts modes; do
	$cc -T "$here/programs/bare.ld" "$here/programs/$p.c" -o "$tmp/$p" || { echo "not ok $((++n)) - $p compiles"; exit 1; }
done
${cc/ -march=rv64imafdc_zicsr_zifencei -mabi=lp64d/ -march=rv32imac_zicsr_zifencei -mabi=ilp32} -T "$here/programs/bare.ld" "$here/programs/narrow.c" -o "$tmp/narrow" ||
	{ echo "not ok $((++n)) - narrow compiles"; exit 1; }
for how in "" "-windows on" "-windows off" -one -interpret; do
	run mmu 1 $how
	run narrow 1 $how
	run modes 1 $how
done
for how in "" "-windows on" "-windows off" -one -interpret; do
	run harts 4 $how
done
# mappings of the host: at most half of what it lets us have
$cc -DPAGES=40960 -DPLACES=0x90000000ull -T "$here/programs/bare.ld" "$here/bench/bare-libc.c" "$here/programs/touch.c" -lc -lgcc -o "$tmp/touch" 2>"$tmp/err" || cat "$tmp/err"
timeout -k 1 60 "$BUILD/rv-bare" -m 512 -windows on "$tmp/touch" >"$tmp/out" &
pid=$! most=0
while kill -0 $pid 2>/dev/null; do
	maps=$(cat /proc/$(pgrep -P $pid 2>/dev/null | head -1)/maps 2>/dev/null | wc -l)
	[ "$maps" -gt $most ] && most=$maps
	sleep 0.02
done
if grep -q '^touch 35840$' "$tmp/out" && [ $most -gt 1000 ] && [ $most -le $(($(cat /proc/sys/vm/max_map_count) / 2 + 200)) ]; then
	echo "ok $((++n)) - windows leave half of the host's mappings alone"
else
	echo "not ok $((++n)) - windows leave half of the host's mappings alone ($most, $(cat "$tmp/out"))" && status=1
fi
out=$("$BUILD/rv-bare" "$here/test-bare.sh" 2>&1)
if [ $? = 2 ] && [[ $out == *"no ELF file for RISC-V"* ]]; then echo "ok $((++n)) - a file that is no program"; else echo "not ok $((++n)) - a file that is no program"; status=1; fi
exit $status
