#!/bin/bash
# Looking inside: -d and -D, -dfilter, perf map and jitdump, --stats.
. "$(dirname "$0")/../tap.sh"
run() { timeout -k 1 60 rhea-user "$@" >out 2>err </dev/null; rc=$?; }
cat >p.c <<'C'
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
static void on(int sig) { (void)sig; }
__attribute__((noinline)) int busy_function(int n)
{
	volatile int sum = 0;
	for (int i = 0; i < n; i++)
		sum += i ^ sum;
	return sum;
}
int main(int argc, char **argv)
{
	signal(SIGUSR1, on);
	if (argc > 1 && !strcmp(argv[1], "fork") && fork() == 0) {
		busy_function(20);
		printf("child %d\n", getpid());
		fflush(stdout);
		_exit(0);
	}
	while (wait(0) > 0)
		;
	raise(SIGUSR1);
	syscall(999);
	printf("pid %d %d\n", getpid(), busy_function(argc > 2 ? 300000000 : 1000) & 1);
	return 0;
}
C
aarch64-linux-gnu-gcc -O1 -w -static -o p p.c && riscv64-linux-gnu-gcc -O1 -w -static -o rv p.c &&
	aarch64-linux-gnu-gcc -O1 -w -o dyn p.c || { echo "not ok 1 - compiles"; exit 1; }
at=$(aarch64-linux-gnu-nm p | awk '/ busy_function$/ { print $1 }')
short=$(printf %x $((16#$at)))

run -d help; check "-d help" sh -c '[ $0 = 0 ] && grep -q "^in_asm " out && grep -q "^nochain " out' $rc
run -d in_asm -dfilter 0x$at+0x10 ./p
check "in_asm: the function and its instructions" sh -c 'grep -q "^IN: busy_function$" err && grep -qE "^0x0*$0:  [0-9a-f]{8}  +(sub|cmp|str)" err && [ "$(grep -c ^IN: err)" -lt 4 ]' "$short"
run -d in_asm ./rv; check "in_asm: riscv64 has 16-bit instructions" grep -qE '^0x[0-9a-f]+:  [0-9a-f]{4}  ' err
run -d op,op_opt -dfilter 0x$at+4 ./p; check "op and op_opt" sh -c 'grep -q "^OP:$" err && grep -q "^OP after optimization:$" err && grep -qi "get.*x0" err'
run -d out_asm -D log -dfilter 0x$at+4 ./p
check "out_asm: bytes, into -D" sh -c '[ ! -s err ] && grep -q "^OUT: .size=" log && grep -q "^OBJD-H: [0-9a-f]" log'
if rhea disasm --help >/dev/null 2>&1; then
	rhea disasm log >out
	check "rhea disasm makes assembly of it" sh -c 'grep -qE "^0x[0-9a-f]+:  (mov|lea|add|cmp|sub) " out && ! grep -q OBJD-H out'
else
	echo "ok $((++n)) - rhea disasm # SKIP built without capstone"
fi
run -d exec,nochain -dfilter 0x$at+0x100 ./p; many=$(grep -c '^Trace 0: .* busy_function$' err)
check "exec with nochain shows every turn of a loop that regions make" [ "$many" -ge 1 ]
run -d cpu,exec,nochain -dfilter 0x$at+4 ./p
check "cpu: the argument in x0, the address in pc" sh -c 'grep -qE "x0=0*3e8 " err && grep -qE "pc=0*$0" err && ! grep -q "v0=" err' "$short"
run -d cpu,fpu,nochain -dfilter 0x$at+4 ./p; check "fpu: vector registers too" grep -qE 'z0=[0-9a-f]{16}:[0-9a-f]{16}' err
run -d int,unimp,page ./p
check "int: a signal; unimp: a call; page: the map" sh -c 'grep -qE "^Taking signal 10 " err && grep -q "^Unsupported syscall: 999" err && grep -qE "^0000000000400000-[0-9a-f]+ [0-9a-f]+ r-x$" err && grep -q "^entry  *0x" err'
run -d strace -D 'log-%d' ./p fork
check "-D with %d: a file of the process" sh -c 'ls log-* | grep -qE "log-[0-9]+$" && cat log-* | grep -q "exit_group(0)"'
run -trace 'guest_user_*,-*_ret' ./p; check "-trace: patterns" sh -c 'grep -qE "^guest_user_syscall cpu=.* num=0x0*3e7 arg1" err && ! grep -q syscall_ret err'
run -d trace:user_handle_signal -D log2 ./p; check "-d trace:" sh -c '[ "$(cat log2)" != "" ] && ! grep -qv "^user_handle_signal env=.* signal 10$" log2'
printf '# mine\nuser_do_rt*\n' >events
run -trace events=events,file=log3 ./p; check "-trace: a file of events, a file to write" grep -qE '^user_do_rt_sigreturn env=' log3
run -trace help; check "-trace help" grep -qx user_fork out
run -trace nothing ./p; check "an event that is none" sh -c '[ $0 = 1 ] && grep -q "no trace event .nothing." err' $rc
run -d nonsense ./p; check "an item that is none" sh -c '[ $0 = 1 ] && grep -q "no log item .nonsense." err' $rc
run -dfilter 5 -d exec ./p; check "a range that is none" sh -c '[ $0 = 1 ] && grep -q "want FIRST..LAST" err' $rc
run -D 'a%x' -d exec ./p; check "a log file's name with %x" sh -c '[ $0 = 1 ] && grep -q "only one .%d" err' $rc
run -D /nowhere/x -d exec ./p; check "a log file that cannot be" sh -c '[ $0 = 1 ] && grep -q "/nowhere/x" err' $rc

run -perfmap ./p fork
pid=$(sed -n 's/^pid \([0-9]*\).*/\1/p' out) child=$(sed -n 's/^child //p' out)
check "-perfmap names the guest's functions" grep -qE '^[0-9a-f]+ [0-9a-f]+ busy_function$' /tmp/perf-$pid.map
check "a forked child has its own map, with its parent's regions" sh -c 'grep -q " busy_function$" /tmp/perf-$0.map && grep -q " main$" /tmp/perf-$0.map' "$child"
rm -f /tmp/perf-$pid.map /tmp/perf-$child.map
run -perfmap -L /usr/aarch64-linux-gnu ./dyn
pid=$(sed -n 's/^pid \([0-9]*\).*/\1/p' out)
check "functions of libraries that are mapped later are named" grep -qE ' _?_?(printf|vfprintf.*|raise)$' /tmp/perf-$pid.map
rm -f /tmp/perf-$pid.map
run -jitdump ./p
pid=$(sed -n 's/^pid \([0-9]*\).*/\1/p' out)
cat >dump.py <<'P'
import struct, sys
d = open(sys.argv[1], 'rb').read()
magic, version, size, machine, pad, pid, time, flags = struct.unpack_from('<6I2Q', d)
assert (magic, version, size) == (0x4a695444, 1, 40) and pid == int(sys.argv[2])
at, names, last = size, [], time
while at < len(d):
    kind, total, t, p, tid, vma, addr, length, index = struct.unpack_from('<IIQIIQQQQ', d, at)
    name, code = d[at + 56:at + total].split(b'\0', 1)
    assert kind == 0 and p == pid and vma == addr and length == len(code) and index == len(names) and t >= last
    names.append(name.decode())
    last = t
    at += total
assert at == len(d) and 'busy_function' in names
P
check "-jitdump: records as specified, with names and code" python3 dump.py jit-$pid.dump $pid
run -stats ./p; check "--stats" sh -c 'grep -qE "^regions +[1-9]" err && grep -qE "^exits: system calls +[1-9]" err'
if perf record -o perf.data -e cpu-clock true >/dev/null 2>&1; then
	perf record -q -o perf.data -e cpu-clock rhea-user -perfmap ./p x long >out 2>/dev/null </dev/null
	perf report -i perf.data --stdio 2>/dev/null >report
	check "perf report shows the guest's function" grep -q 'busy_function' report
	rm -f /tmp/perf-"$(sed -n 's/^pid \([0-9]*\).*/\1/p' out)".map
else
	echo "ok $((++n)) - perf report # SKIP perf does not run here"
fi
exit $status
