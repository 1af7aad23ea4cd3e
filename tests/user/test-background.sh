#!/bin/bash
# Code is translated for speed by a thread of its own: programs do not see it, code may change and go under it, forks and namespaces do not meet it.
. "$(dirname "$0")/../tap.sh"
export RHEA_BACKGROUND=on
cat >bg.c <<'C'
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile unsigned sink;
static void hot(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++)
		for (unsigned k = 0; k < 50; k++)
			sink = sink * 1664525u + k;
}
enum { FUNCTIONS = 16, LENGTH = 60 };
/* A page of functions at a new place (what ran often once is known by its place): mov w0, #n; add w0, w0, w1 some 58 times; ret; each run until it is wanted for speed, and the page gone or written over at once. */
static int churn(int unmap)
{
	unsigned *code = NULL;
	for (unsigned n = 0; n < 600; n++) {
		if (!code)
			code = mmap((void *)(0x70000000ul + n * 4096), 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		for (unsigned i = 0; i < FUNCTIONS * LENGTH; i++)
			code[i] = i % LENGTH == 0 ? 0x52800000 | (n + i) << 5 : i % LENGTH < LENGTH - 1 ? 0x0b010000 : 0xd65f03c0;
		__builtin___clear_cache((char *)code, (char *)code + 4096);
		for (unsigned i = 0; i < FUNCTIONS * 6; i++) {
			unsigned at = i % FUNCTIONS * LENGTH, (*f)(unsigned, unsigned) = (void *)(code + at);
			unsigned got = f(0, i), want = n + at + (LENGTH - 2) * i;
			if (got != want)
				return printf("%u, not %u\n", got, want), 1;
		}
		if (unmap) {
			munmap(code, 4096);
			usleep(200); /* in which the translator looks */
			code = NULL;
		}
	}
	return 0;
}
/* Code that was wanted for speed goes, memory comes to its place, and the same code again, without a word to the processor's caches, as fresh memory wants none. */
static int fresh(void)
{
	static const unsigned code[] = { 0x11000400, 0xd65f03c0 }; /* add w0, w0, #1; ret */
	for (unsigned n = 0; n < 600; n++) {
		void *at = (void *)(0x70000000ul + n * 4096);
		int (*f)(int) = at;
		for (unsigned times = 0; times < 2; times++) {
			mmap(at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			if (times)
				usleep(200); /* in which the translator looks */
			memcpy(at, code, sizeof(code));
			for (int i = 0; i < 6; i++)
				if (f(i) != i + 1)
					return printf("%d\n", i), 1;
			munmap(at, 4096);
		}
	}
	return 0;
}
static int forks(void)
{
	for (int i = 0; i < 150; i++) {
		hot(30);
		pid_t pid = fork();
		if (!pid) {
			hot(300);
			_exit(7);
		}
		int status;
		if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
			return printf("fork %d: %x\n", i, status), 1;
	}
	return 0;
}
static int threads(void) /* as /proc tells */
{
	char line[1024];
	int n = 0;
	hot(20000);
	FILE *f = fopen("/proc/self/status", "r");
	while (fgets(line, sizeof(line), f))
		sscanf(line, "Threads: %d", &n);
	fclose(f);
	f = fopen("/proc/self/stat", "r");
	if (!fgets(line, sizeof(line), f))
		return 1;
	char *p = strrchr(line, ')') + 1;
	for (int field = 2; field < 20; field++)
		p = strchr(p, ' ') + 1;
	printf("%d %d\n", n, atoi(p));
	fflush(stdout);
	sleep(1);
	return 0;
}
static int spaces(void)
{
	hot(20000);
	if (unshare(CLONE_NEWUSER) < 0)
		return perror("unshare"), 1;
	hot(20000);
	return 0;
}
int main(int argc, char **argv)
{
	switch (argv[1][0]) {
	case 'c':
		return churn(0);
	case 'u':
		return churn(1);
	case 'n':
		return fresh();
	case 'f':
		return forks();
	case 't':
		return threads();
	}
	return spaces();
}
C
aarch64-linux-gnu-gcc -O1 -static -o bg bg.c || { echo "not ok 1 - compiles"; exit 1; }
run() { timeout -k 2 100 rhea-user -keep off "$@" >out 2>&1; }
check "code that is written over under its translation does what it says" run -hot 3 ./bg churn
check "code that is unmapped under its translation is no fault" run -hot 3 ./bg unmap
check "what is not written yet is not code" run -hot 3 ./bg new
check "forks in the middle of translations" run -hot 3 ./bg forks
tasks() { # what the program was told, and how many threads the host sees while it sleeps
	timeout -k 2 60 rhea-user -keep off "$@" ./bg threads >out 2>&1 &
	local pid=$! seen=0 i n
	for i in $(seq 200); do
		n=$(ls /proc/$(pgrep -P $pid -f 'bg threads' 2>/dev/null || echo $pid)/task 2>/dev/null | wc -l)
		[ "$n" -gt "$seen" ] && seen=$n
		kill -0 $pid 2>/dev/null || break
		sleep 0.02
	done
	wait $pid
	echo "$(cat out) $seen"
}
if [ "$(nproc)" -gt 1 ]; then
	got=$(tasks)
	check "a program is told of its own threads alone ($got)" [ "$got" = "1 1 2" ]
else
	echo "ok $((++n)) - a program is told of its own threads alone # SKIP one processor"
fi
got=$(tasks -background off)
check "-background off: there is no such thread ($got)" [ "$got" = "1 1 1" ]
if unshare -U true 2>/dev/null; then
	check "a process may leave for a user namespace, as one of one thread" run ./bg spaces
else
	echo "ok $((++n)) - a process may leave for a user namespace, as one of one thread # SKIP no user namespaces here"
fi
run -background perhaps ./bg spaces
check "what is neither on nor off is refused" grep -q -- "-background is on or off, not perhaps" out
echo "1..$n"
exit $status
