#!/bin/bash
# SVE and SME as Linux shows them: inside/vectors.c prints its own checks; cores and gdb know the registers.
. "$(dirname "$0")/../tap.sh"
command -v aarch64-linux-gnu-gcc >/dev/null || { echo "ok 1 - vectors # SKIP no aarch64-linux-gnu-gcc"; exit 0; }
cat >crash.c <<'C'
#include <sys/prctl.h>
int main(int argc, char **argv)
{
	__asm__ volatile(".arch_extension sve\n.arch_extension sme\n"
			 "msr tpidr2_el0, %0\n" ::"r"(0x1234l));
	if (argc > 1)
		__asm__ volatile(".arch_extension sme\nsmstart\n");
	__asm__ volatile(".arch_extension sve\n"
			 "ptrue p0.b, vl5\nwrffr p0.b\nptrue p15.s\nmov z0.b, #17\nmov z3.b, #0\nmov z31.d, #-1\n"
			 "stopped: .globl stopped\nmov x0, #16\nstr x0, [x0]");
	return 0;
}
C
aarch64-linux-gnu-gcc -O1 -w -static -pthread -o vectors "$here/inside/vectors.c" 2>log && aarch64-linux-gnu-gcc -O1 -w -static -o crash crash.c 2>>log ||
	{ echo "not ok 1 - compiles"; sed 's/^/# /' log; exit 1; }

for how in "" -one-insn-per-tb; do
	timeout -k 1 60 rhea-user $how ./vectors >out 2>err </dev/null
	check "vectors $how ends" test $? = 0
	while IFS= read -r line; do
		check "${line#*ok - }" test "${line%%ok - *}" = ""
	done < <(grep 'ok - ' out)
	check "a length is inherited by the next program" test "$(tail -n 1 out)" = "$((16 | 1 << 17)) 16"
done
{ timeout -k 1 20 rhea-user -cpu cortex-a57 ./vectors >out 2>err </dev/null; } 2>log
check "a CPU without SVE has no lengths" grep -q "^not ok - SVE: the length is 16" out

# a thread's notes: what mode it is in says where the registers are
core() { # NAME OPTION...
	rm -f ./*.core
	(ulimit -c unlimited; timeout -k 1 20 rhea-user ./crash "${@:2}" >/dev/null 2>&1 </dev/null) 2>/dev/null
	mv qemu_crash_*.core "$1" && readelf -nW "$1" >out 2>err
}
core plain
check "a core has notes of SVE and SME" sh -c 'grep -qE "LINUX +0x00000010.*NT_ARM_TLS" out && grep -qE "0x00000250.*NT_ARM_SVE" out && grep -qE "0x00000010.*(NT_ARM_SSVE|40b)" out && grep -qE "0x00000010.*(NT_ARM_ZA|40c)" out'
core streaming yes
check "of a thread in streaming mode the other way around" sh -c 'grep -qE "0x00000010.*NT_ARM_SVE" out && grep -qE "0x00000250.*(NT_ARM_SSVE|40b)" out && grep -qE "0x00000110.*(NT_ARM_ZA|40c)" out'
if command -v gdb-multiarch >/dev/null; then
	words() { printf 'p/x $p0\np/x $p15\np/x $ffr\np $vg\np/x $z0.b.u\np/x $v31.d.u[1]\n'; }
	what='= {0x1f, 0x0}
= {0x11, 0x11}
= {0x1f, 0x0}
= 2
= {0x11 <repeats 16 times>}
= 0xffffffffffffffff'
	words >commands
	timeout -k 1 60 gdb-multiarch -q -nx -batch -x commands crash plain >log 2>&1 </dev/null
	sed -n 's/^\$[0-9]* //p' log >out
	check "gdb reads predicates in a core" test "$(cat out)" = "$what"
	{ timeout -k 1 60 rhea-user -g unix:"$tmp/sock" ./crash >/dev/null 2>&1 </dev/null & } 2>/dev/null
	for _ in $(seq 100); do [ -S sock ] && break; sleep 0.05; done
	{ echo "target remote $tmp/sock"; echo "break stopped"; echo continue; words; printf 'set $p0 = {3, 1}\np/x $p0\nset $z3.s.u[2] = 5\np $z3.s.u\np $v3.s.u\nkill\n'; } >commands
	timeout -k 1 60 gdb-multiarch -q -nx -batch -x commands crash >log 2>&1 </dev/null
	sed -n 's/^\$[0-9]* //p' log >out
	check "gdb reads and writes them as the program runs" test "$(cat out)" = "$what
= {0x3, 0x1}
= {0, 0, 5, 0}
= {0, 0, 5, 0}"
fi
exit $status
