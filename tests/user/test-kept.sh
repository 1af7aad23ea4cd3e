#!/bin/bash
# Translations kept across runs: found again, switched off, cleared, refused when damaged or of another file, written by many at once.
. "$(dirname "$0")/../tap.sh"
unset RHEA_KEEP XDG_CACHE_HOME
export HOME=$tmp/home
mkdir home
kept() { awk '/regions kept/ { print $NF }' err; }
made() { awk '/^guest instructions/ { print $NF }' err; }
run() { timeout -k 1 60 rhea-user --stats "$@" >out 2>err </dev/null; }
right() { [ "$(cat out)" = "$1" ]; }

cat >p.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int compare(const void *a, const void *b) { return *(int *)a - *(int *)b; }
int main(int argc, char **argv)
{
	int a[100], sum = 0;
	if (argc > 1 && !strcmp(argv[1], "fork") && !fork())
		return printf("child %s\n", argv[2]) < 0;
	if (argc > 1 && !strcmp(argv[1], "fork"))
		wait(NULL);
	if (argc > 1 && !strcmp(argv[1], "again"))
		return execl(argv[0], argv[0], NULL);
	for (int i = 0; i < 100; i++)
		a[i] = i * 7919 % 101;
	qsort(a, 100, sizeof(int), compare);
	for (int i = 0; i < 100; i++)
		sum += i * a[i] * WEIGHT;
	printf("%d\n", sum);
	return 0;
}
C
aarch64-linux-gnu-gcc -O1 -DWEIGHT=1 -static -o p p.c && aarch64-linux-gnu-gcc -O1 -DWEIGHT=1 -o dyn p.c &&
	aarch64-linux-gnu-gcc -O1 -DWEIGHT=2 -static -o q p.c || { echo "not ok 1 - compiles"; exit 1; }
want=$(gcc -O1 -DWEIGHT=1 -o native p.c && ./native)
want2=$(gcc -O1 -DWEIGHT=2 -o native p.c && ./native)

# a loop in registers that others have between regions: the fault that ends it must find them all
cat >fault.c <<'C'
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
enum { N = 3000 };
static void ended(int sig, siginfo_t *info, void *context)
{
	unsigned long *x = (unsigned long *)((ucontext_t *)context)->uc_mcontext.regs, sum = 0, mix = 0;
	for (unsigned long i = 1; i <= N; i++)
		sum += i, mix ^= sum;
	puts(x[25] == N && x[26] == sum && x[27] == mix && x[24] == 8 ? "exact" : "wrong");
	exit(0);
}
int main(void)
{
	struct sigaction act = { .sa_sigaction = ended, .sa_flags = SA_SIGINFO };
	static long word;
	sigaction(SIGSEGV, &act, NULL);
	asm volatile("mov x24,%0\n mov x23,#8\n mov x25,#0\n mov x26,#0\n mov x27,#0\n"
		     "1: add x25,x25,#1\n add x26,x26,x25\n eor x27,x27,x26\n cmp x25,%1\n csel x24,x23,x24,eq\n ldr x28,[x24]\n b 1b"
		     : : "r"(&word), "r"((long)N) : "x23", "x24", "x25", "x26", "x27", "x28", "memory");
	return 1;
}
C
aarch64-linux-gnu-gcc -O1 -static -o fault fault.c || echo "not ok 1 - compiles"
run -hot 20 ./fault
check "a fault in a loop that was made for speed finds every register" right exact
run -hot 20 ./fault
check "so does one in a loop that was kept" eval 'right exact && [ "$(kept)" -gt 20 ]'

run ./p
check "the first run translates" eval 'right "$want" && [ "$(kept)" = 0 ] && [ "$(made)" -gt 500 ]'
run ./p
check "the second finds it" eval 'right "$want" && [ "$(kept)" -gt 50 ] && [ "$(made)" -lt 50 ]'
check "it lies in the home directory, for its owner alone" eval '[ -z "$(find home/.cache -perm /077)" ] && [ -n "$(find home/.cache/rhea/translations -type f)" ]'
run -keep off ./p
check "-keep off looks nowhere" eval 'right "$want" && [ "$(kept)" = 0 ]'
RHEA_KEEP=off run ./p
check "so does RHEA_KEEP=off" eval 'right "$want" && [ "$(kept)" = 0 ]'
run -keep "$tmp/other" ./p && run -keep "$tmp/other" ./p
check "-keep DIR keeps them there" eval '[ "$(kept)" -gt 50 ] && [ -d other ]'
run -keep relative ./p
check "a relative directory is refused" grep -q "absolute path of a directory, not 'relative'" err
HOME=/nonexistent run ./p
check "without a home directory nothing is kept" eval 'right "$want" && [ "$(kept)" = 0 ]'

run -L /usr/aarch64-linux-gnu ./dyn && run -L /usr/aarch64-linux-gnu ./dyn
check "a dynamic program and its libraries: hardly anything is made again" eval 'right "$want" && [ "$(kept)" -gt 300 ] && [ "$(made)" -lt 400 ]'
run ./p again && run ./p again
check "a program that executes itself finds what it is" eval 'right "$want" && [ "$(kept)" -gt 50 ] && [ "$(made)" -lt 100 ]'
run -cpu cortex-a53 ./p
check "another CPU model's translations are not taken" eval 'right "$want" && [ "$(kept)" = 0 ]'
run -singlestep ./p
check "nor are they when instructions are to be single" eval 'right "$want" && [ "$(kept)" = 0 ]'

# the same inode, size and times with other contents: only the pages' hashes tell
[ "$(stat -c %s p)" = "$(stat -c %s q)" ] && touch -r p stamp && cat q >p && touch -r stamp p
run ./p
check "another program in the same file is not mistaken for the first" right "$want2"

for f in home/.cache/rhea/translations/????????????????; do
	size=$(stat -c %s "$f")
	for at in 3 200 1000 $((size / 3)) $((size / 2)) $((size - 40)); do printf '\252' | dd of="$f" bs=1 seek=$at conv=notrunc status=none; done
done
run ./p
check "damaged files do no harm" right "$want2"
for f in home/.cache/rhea/translations/????????????????; do truncate -s $((RANDOM % 5000)) "$f"; done
run ./p
check "nor do short ones" right "$want2"
rm -rf home/.cache
for i in 1 2 3 4 5 6; do
	{ timeout 60 rhea-user ./p fork $i >out.$i 2>err.$i || touch failed; } &
done
wait
check "many at once, and their children, are all right" eval '[ ! -e failed ] && [ "$(cat out.? | grep -cx "$want2")" = 6 ] && [ "$(cat out.? | grep -c child)" = 6 ]'
run ./p
check "and what they kept serves" eval 'right "$want2" && [ "$(kept)" -gt 50 ]'
ulimit -S -f 1
rm -rf home/.cache
run ./p
check "a limit on file sizes is not hit" right "$want2"
ulimit -S -f unlimited

run ./p
timeout 10 rhea-user kept status >out 2>err
check "kept status says where and how much" grep -q "^$tmp/home/.cache/rhea/translations: 1 files, [1-9][0-9]* KiB$" out
timeout 10 rhea-user kept clear >out 2>err
check "kept clear forgets them" eval '[ $? = 0 ] && grep -q ": 0 files, 0 KiB$" out'
run ./p
check "and then they are made again" eval '[ "$(kept)" = 0 ]'
echo "1..$n"
exit $status
