#!/bin/bash
# The code cache when it is full: emptied, with threads running, and memory does not grow for a program that makes new code for ever.
. "$(dirname "$0")/../tap.sh"
export RHEA_KEEP=off
emptied() { awk '/code cache was emptied/ { if ($NF > most) most = $NF } END { print most + 0 }' err; }

cat >jit.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
int main(int argc, char **argv)
{
	unsigned *code = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long sum = 0, want = 0;
	for (unsigned i = 0, rounds = atoi(argv[1]); i < rounds; i++) {
		unsigned *f = code + i % 512 * 32;
		f[0] = 0x52800000 | (i & 0xffff) << 5; /* mov w0, #i */
		f[1] = 0xd65f03c0; /* ret */
		__builtin___clear_cache((char *)f, (char *)(f + 2));
		sum += ((int (*)(void))f)();
		want += i & 0xffff;
	}
	char line[100], key[50];
	long kib = 0;
	FILE *s = fopen("/proc/self/status", "r");
	while (fgets(line, sizeof(line), s))
		sscanf(line, "VmHWM: %ld", &kib);
	printf("%s %ld\n", sum == want ? "right" : "wrong", kib / 1024);
	return 0;
}
C
aarch64-linux-gnu-gcc -O1 -w -static -o jit jit.c && aarch64-linux-gnu-gcc -O1 -w -static -pthread -o threads "$here/programs/threads.c" -lutil ||
	{ echo "not ok 1 - compiles"; exit 1; }
timeout -k 2 60 rhea-user --stats -codecache 1M ./threads "$tmp" >out 2>err </dev/null
check "threads go on while it is emptied under them" eval '[ $? = 0 ] && ! grep -q "^not ok" out && [ "$(emptied)" -gt 3 ]'
timeout -k 2 60 rhea-user --stats ./jit 150000 >out 2>err
check "what a program made and forgot is freed" eval 'grep -q right out && [ "$(emptied)" -gt 0 ] && [ "$(cut -d" " -f2 out)" -lt 400 ]'
timeout -k 2 60 rhea-user -codecache 12 ./jit 1 >out 2>err
check "a size that cannot be is refused" grep -q -- "-codecache: from 1M to 1G, not 12" err
echo "1..$n"
exit $status
