#!/bin/bash
# rhea-user as a program: options and variables, messages and exit statuses, bad files, -strace, binfmt, exec in a foreign root.
. "$(dirname "$0")/../tap.sh"
run() { # runs into out, err; status in rc
	{ timeout -k 1 20 "$@" >out 2>err </dev/null; } 2>shell
	rc=$?
}
is() { [ "$rc" = "$1" ] && [ "$(cat out)" = "$2" ]; }
says() { [ "$rc" = "$1" ] && grep -qF -- "$2" err && [ "$(wc -l <err)" -le 2 ]; }

cat >p.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <signal.h>
#include <unistd.h>
static int deep(int n)
{
	volatile char page[4096];
	page[0] = n;
	return n ? deep(n - 1) + page[0] != -1 : 1;
}
int main(int argc, char **argv)
{
	struct utsname u;
	struct rlimit r;
	if (argc < 2) return 3;
	if (!strcmp(argv[1], "argv0")) puts(argv[0]);
	if (!strcmp(argv[1], "env")) puts(getenv(argv[2]) ? getenv(argv[2]) : "unset");
	if (!strcmp(argv[1], "uname")) uname(&u), puts(u.release);
	if (!strcmp(argv[1], "die")) raise(atoi(argv[2]));
	if (!strcmp(argv[1], "wild")) *(volatile int *)16 = 1;
	if (!strcmp(argv[1], "page")) printf("%ld\n", sysconf(_SC_PAGESIZE));
	if (!strcmp(argv[1], "deep")) puts(deep(1500) ? "deep" : "?");
	if (!strcmp(argv[1], "random")) for (int i = 0; i < 16; i++) printf("%02x", ((unsigned char *)getauxval_(25))[i]);
	return 0;
}
C
sed -i 's/getauxval_/getauxval/; 1i #include <sys/auxv.h>' p.c
aarch64-linux-gnu-gcc -O1 -w -static -o p p.c && aarch64-linux-gnu-gcc -O1 -w -o dyn p.c || { echo "not ok 1 - compiles"; exit 1; }

run rhea-user ./p; check "a program's exit status is ours" is 3 ""
run qemu-aarch64 -0 zero ./p argv0; check "-0 sets argv[0]; the name qemu-aarch64 works" is 0 zero
run rhea-user -E A=1,B=2 -U HOME ./p env B; check "-E sets variables" is 0 2
HOME=/x run rhea-user -U HOME ./p env HOME; check "-U unsets them" is 0 unset
QEMU_SET_ENV=A=1 run rhea-user -E A=2 ./p env A; check "the option wins over the variable" is 0 2
QEMU_SET_ENV=A=1 run rhea-user ./p env A; check "QEMU_SET_ENV" is 0 1
run rhea-user -r 5.4.3 ./p uname; check "-r" is 0 5.4.3
run rhea-user -p 16384 ./p page; check "-p" is 0 16384
run rhea-user -s 1M ./p deep; check "-s: a small stack overflows" test $rc = 139
run rhea-user -s 16M ./p deep; check "-s: a large one does not" is 0 deep
run rhea-user -seed 5 ./p random; a=$(cat out); run rhea-user -seed 5 ./p random; check "-seed repeats itself" is 0 "$a"
run rhea-user -seed 6 ./p random; check "and another seed differs" test "$a" != "$(cat out)"
run rhea-user -L /usr/aarch64-linux-gnu ./dyn argv0; check "-L finds the interpreter" is 0 ./dyn
QEMU_LD_PREFIX=/usr/aarch64-linux-gnu run rhea-user ./dyn argv0; check "QEMU_LD_PREFIX" is 0 ./dyn
run rhea-user ./dyn; check "a missing interpreter is named" says 1 "/lib/ld-linux-aarch64.so.1"
run rhea-user; check "no program" says 1 "qemu: no user program specified"
run rhea-user -bogus ./p; check "an unknown option" says 1 "qemu: unknown option 'bogus'"
run rhea-user -cpu; check "a missing argument" says 1 "qemu: missing argument for option 'cpu'"
run rhea-user -cpu nonsense ./p; check "an unknown CPU" says 1 "unable to find CPU model 'nonsense'"
run rhea-user -s many ./p; check "a number that is none" says 1 "'many' is not a number"
run rhea-user -plugin x.so ./p; check "what is not built is refused" says 1 "-plugin"
run rhea-user ./nothing; check "a missing file" says 1 "Error while loading ./nothing: No such file or directory"
run rhea-user /bin/true; check "a program of another architecture" says 255 "Invalid ELF image for this architecture"
run rhea-user p.c; check "a text" says 1 "not an ELF file"
head -c 1000 p >cut; run rhea-user ./cut; check "a program that is cut off" sh -c '[ $0 = 1 ] || grep -q "uncaught target signal 7" err' $rc
run rhea-user .; check "a folder" says 1 "Is a directory"
run rhea-user ./p die 15; check "death by SIGTERM" test $rc = 143
run rhea-user ./p die 11; check "death by SIGSEGV says so" says 139 "qemu: uncaught target signal 11 (Segmentation fault)"
(ulimit -c unlimited; run rhea-user ./p wild; check "a core is dumped" sh -c 'ls qemu_p_*.core >/dev/null && file -b qemu_p_*.core | grep -q "core file" || readelf -h qemu_p_*.core | grep -q CORE'
 exit $status) || status=1
n=$((n + 1))
run rhea-user -strace ./p argv0; check "-strace" sh -c 'grep -qE "^[0-9]+ (write\(1,0x[0-9a-f]+,4\)|brk\(NULL\)) = " err && grep -q "exit_group(0)" err'
run rhea-user -strace -D log ./p argv0; check "-D" sh -c '[ ! -s err ] && grep -q exit_group log'
run rhea-user -version; check "-version" grep -q '^rhea-user version' out
run rhea-user -cpu help; check "-cpu help" grep -q cortex-a57 out
run rhea-user --names; check "--names" grep -qx qemu-aarch64 out

# damaged program headers: an answer, never a crash of our own (a guest that starts may well crash)
bad=0
for i in $(seq 1 60); do
	cp p fuzzed
	at=$((64 + (i * 7919) % 336))
	printf "\\x$(printf %02x $(((i * 31) % 256)))" | dd of=fuzzed bs=1 seek=$at conv=notrunc 2>/dev/null
	run rhea-user ./fuzzed
	case $rc in 0 | 1 | 3 | 127) ;; *) grep -q 'uncaught target signal' err || { bad=$((bad + 1)); echo "# offset $at: status $rc"; } ;; esac
done
check "60 damaged program headers" [ $bad = 0 ]

# binfmt: a folder stands for the kernel's
mkdir k && : >k/register
run rhea-user binfmt install --kernel k --systemd --debian --root root aarch64
check "binfmt install" sh -c '[ $0 = 0 ] && grep -q "^:qemu-aarch64:M::.x7f.x45.*rhea-user:OPF" k/register && grep -q OPF root/usr/lib/binfmt.d/qemu-aarch64.conf && grep -q "^fix_binary yes" root/usr/share/binfmts/qemu-aarch64' $rc
printf 'enabled\ninterpreter %s\nflags: OPF\n' "$(realpath "$(command -v rhea-user)")" >k/qemu-aarch64 && : >k/register
run rhea-user binfmt install --kernel k aarch64; check "installing again changes nothing" [ ! -s k/register ]
run rhea-user binfmt status --kernel k; check "binfmt status" grep -q 'qemu-aarch64: ours' out
run rhea-user binfmt remove --kernel k --root root aarch64; check "binfmt remove" sh -c '[ "$(cat k/qemu-aarch64)" = "-1" ] || grep -q "^-1" k/qemu-aarch64; [ ! -e root/usr/lib/binfmt.d/qemu-aarch64.conf ]'

# a root folder of its own, entered as an ordinary user
mkdir -p root2/bin root2/proc root2/tmp && cp p root2/bin/p && printf '#!/bin/p argv0\n' >root2/bin/s && chmod 755 root2/bin/s
if unshare -rm true 2>/dev/null; then
	run rhea-user exec root2 /bin/p argv0; check "exec in a root" is 0 /bin/p
	run rhea-user exec root2 p argv0; check "exec finds the command by PATH" is 0 p
	HELLO=you run rhea-user exec root2 /bin/p env HELLO; check "exec keeps the environment" is 0 you
	run rhea-user exec root2 s; check "exec of a script" is 0 /bin/p
	run rhea-user exec root2 nothing; check "exec of nothing" says 127 "nothing: not found"
else
	echo "ok $((++n)) - exec in a root # SKIP user namespaces are forbidden here"
fi
exit $status
