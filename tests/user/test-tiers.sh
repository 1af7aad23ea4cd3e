#!/bin/bash
# What runs often is translated again: loops however they are entered, code that calls and is called, on several threads at once; results stay.
. "$(dirname "$0")/../tap.sh"
again() { awk '/made again for speed/ { print $NF; found = 1 } END { if (!found) print 0 }' err; }

cat >hot.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static unsigned mix(unsigned x, unsigned rounds) /* a loop of one block, one around it */
{
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned k = 0; k < 100; k++)
			x = x * 1664525u + 1013904223u + k;
		x ^= i & 1 ? x >> 7 : x << 9;
	}
	return x;
}
static void *work(void *rounds)
{
	static __thread unsigned sum;
	for (unsigned i = 0; i < 20; i++)
		sum += mix(i, (unsigned long)rounds) + (unsigned)fib(17);
	return (void *)(unsigned long)sum;
}
int main(int argc, char **argv)
{
	void *rounds = (void *)atol(argv[1]), *got[4], *want = work(rounds);
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, work, rounds);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &got[i]);
		if (got[i] != want)
			return 1;
	}
	printf("%08lx\n", (unsigned long)want);
	return 0;
}
C
aarch64-linux-gnu-gcc -O1 -static -pthread -o hot hot.c && gcc -O1 -pthread -o native hot.c || { echo "not ok 1 - compiles"; exit 1; }
./native 500 >want
timeout -k 2 60 rhea-user -keep off --stats ./hot 500 >out 2>err
check "hot code is translated again while four threads run it, with the same results" eval 'cmp -s out want && [ "$(again)" -gt 2 ]'
./native 1 >want
timeout -k 2 60 rhea-user -keep off --stats ./hot 1 >out 2>err
few=$(again)
check "code that runs seldom is not (but the recursion of some hundred thousand calls)" eval 'cmp -s out want && [ "$few" -lt 30 ]'
mkdir keep
./native 500 >want
timeout -k 2 60 rhea-user -keep "$tmp/keep" ./hot 500 >out 2>err
timeout -k 2 60 rhea-user -keep "$tmp/keep" --stats ./hot 500 >out 2>err
check "the second run begins with what the first made for speed" eval 'cmp -s out want && [ "$(again)" -lt 3 ]'
./native 3 >want
timeout -k 2 60 rhea-user -keep off -hot 0 --stats ./hot 3 >out 2>err
check "-hot 0: everything for speed at once" eval 'cmp -s out want && [ "$(again)" = 0 ] && grep -q "ran often *0$" err'
RHEA_HOT=3 timeout -k 2 60 rhea-user -keep off --stats ./hot 3 >out 2>err
check "RHEA_HOT=3: most of it soon" eval 'cmp -s out want && [ "$(again)" -gt 100 ]'
timeout -k 2 60 rhea-user -hot often ./hot 3 >out 2>err
check "a count that is none is refused" grep -q -- "-hot: .*often" err
timeout -k 2 60 rhea-user -keep off -one-insn-per-tb --stats ./hot 3 >out 2>err
check "one instruction at a time has no tiers" eval '[ "$(again)" = 0 ]'

# a loop longer than a region, entered in its middle: no region holds it, and each is left forwards
cat >long.c <<'C'
#include <signal.h>
#include <unistd.h>
static void end(int sig)
{
	(void)sig;
	_exit(0);
}
int main(void)
{
	signal(SIGALRM, end);
	alarm(1);
	__asm__ volatile("b 2f\n.balign 4096\n1:\n.rept 100\nadd x1, x1, #1\n.endr\n2:.rept 299\nadd x1, x1, #1\n.endr\nb 1b\n" ::: "x1");
}
C
aarch64-linux-gnu-gcc -O1 -static -o long long.c
for hot in 0 1000; do
	timeout -k 1 20 rhea-user -keep off -hot $hot ./long >out 2>err
	check "a loop of several regions is stopped by signals (-hot $hot)" [ $? = 0 ]
done

# loops that run often from their middle on: by a jump to the condition, with another loop in the first or second part, left from either part, with what is left by
# the way in to behind the loop; each kind at many distances, since it is where pieces of the first tier end that decides
cat >middle.S <<'S'
	.globl _start
	.macro turn // mixes x0
	eor x0, x0, x0, ror #7
	add x0, x0, x9
	.endm
	.macro loops n, m
	.balign 4096 // the condition below, jumped to
	mov x9, #60
	b 2f
1:	.rept \n
	turn
	.endr
	sub x9, x9, #1
2:	.rept \m
	turn
	.endr
	cbnz x9, 1b
	.balign 4096 // entered from above; left from both parts, once in a while to behind the loop and on
	mov x9, #90
3:	.rept \m
	turn
	.endr
	tst x0, #63
	b.eq 5f
	.rept \n
	turn
	.endr
	tst x0, #127
	b.eq 6f
4:	sub x9, x9, #1
	cbnz x9, 3b
	b 7f
5:	add x0, x0, #5
	b 4b
6:	add x0, x0, #6
	sub x9, x9, #1
	cbnz x9, 4b
7:	.balign 4096 // one in the other, in either part
	mov x9, #30
8:	.rept \n
	turn
	.endr
	mov x10, #5
9:	turn
	sub x10, x10, #1
	cbnz x10, 9b
	.rept \m
	turn
	.endr
	sub x9, x9, #1
	cbnz x9, 8b
	.endm
_start:
	mov x20, #3
again:
	.irp m, 1, 5, 9, 14
	loops 1, \m
	loops 7, \m
	loops 13, \m
	.endr
	sub x20, x20, #1
	cbz x20, done
	b again
done:
	adr x1, buf
	str x0, [x1]
	mov x0, #1
	mov x2, #8
	mov x8, #64
	svc #0
	mov x0, #0
	mov x8, #94
	svc #0
	.section .data
	.balign 8
buf:	.quad 0
S
aarch64-linux-gnu-gcc -nostdlib -static -o middle middle.S && timeout -k 2 60 rhea-user -interpret ./middle >want
for hot in 0 20 50; do
	timeout -k 2 60 rhea-user -keep off -hot $hot --stats ./middle >out 2>err
	peeled=$(awk '/in their middle/ { print $NF }' err)
	check "loops that are entered in their middle (-hot $hot: $peeled)" eval 'cmp -s out want && [ -s want ] && { [ $hot = 0 ] || [ "$peeled" -ge 6 ]; }'
done
timeout -k 2 60 rhea-user -keep off -hot 20 -d in_asm -D middle.log ./middle >out
twice=$(awk '/^IN:/ { split("", seen); counted = 0 } /^0x/ && seen[$1]++ && !counted { counted = 1; n++ } END { print n + 0 }' middle.log)
check "the way into them stands in their regions, and so does the loop ($twice)" [ "$twice" -ge 6 ]

# a quiet comparison of RISC-V, wherever a region of the first tier would end by the number of instructions
if command -v riscv64-linux-gnu-gcc >/dev/null; then
	cut=0
	for reps in $(seq 9 25); do
		printf '.globl _start\n_start:\n.rept %d\naddi t2, t2, 1\n.endr\nfrflags t0\nflt.d t1, fa0, fa1\nfsflags t0\nli a0, 0\nli a7, 93\necall\n' $reps >q.S
		riscv64-linux-gnu-gcc -nostdlib -static -o q q.S
		timeout -k 2 20 qemu-riscv64 -keep off -d op_opt -D q.log ./q
		grep -q unraise q.log && ! grep -q setfpflags q.log || cut=$((cut + 1))
	done
	check "flags that are put back behind a comparison are so in the region that read them" [ $cut = 0 ]
else
	echo "ok $((++n)) - flags that are put back behind a comparison # SKIP no riscv64-linux-gnu-gcc"
fi
echo "1..$n"
exit $status
