#!/bin/bash
# -g: Debian's gdb-multiarch debugs arm64 and RISC-V programs; a client of raw packets sends what gdb never would.
. "$(dirname "$0")/../tap.sh"
has() { grep -qE -- "$1" log; }
command -v gdb-multiarch >/dev/null || { echo "ok 1 - gdb # SKIP gdb-multiarch is not installed"; exit 0; }
src=$here/inside/debugged.c
line=$(grep -n 'line: print' "$src" | cut -d: -f1)
aarch64-linux-gnu-gcc -g -O0 -static -pthread -o arm "$src" && aarch64-linux-gnu-gcc -g -O0 -pthread -o armdyn "$src" &&
	riscv64-linux-gnu-gcc -g -O0 -static -pthread -o rv "$src" || { echo "not ok 1 - compiles"; exit 1; }

# Debugs "$@" with the commands on stdin: gdb's words in log, the program's in out, its status in rc.
# FILE: what gdb is given; empty: it fetches the program over the connection.
debug() {
	rm -f sock rc out err
	(
		timeout -k 1 60 rhea-user -L /usr/aarch64-linux-gnu -g unix:"$tmp/sock" "$@" >out 2>err </dev/null
		echo $? >rc
	) 2>shell &
	for _ in $(seq 100); do [ -S sock ] && break; sleep 0.05; done
	{ echo "set confirm off"; echo "set pagination off"; echo "target remote $tmp/sock"; cat; } >commands
	timeout -k 1 60 gdb-multiarch -q -nx -batch -x commands ${FILE-"$1"} >log 2>&1 </dev/null
	{ wait $!; } 2>/dev/null
}
ended() { [ "$(cat rc)" = "$1" ]; }

debug ./arm <<G
break main
continue
watch watched
continue
print third
print add(20, 3)
delete
print (long)\$sp % 16
stepi
next
handle SIGUSR1 stop pass
continue
break $line
continue
info threads
print x
set var x = 1003
print \$v0.d.u
info auxv
delete
continue
G
check "a breakpoint at main" has 'Breakpoint 1, main '
check "a watchpoint shows both values" sh -c 'grep -q "Old value = 1$" log && grep -q "New value = 7$" log && grep -q "return sum" log'
check "variables" has '= 0.33333333333333331$'
check "a function is called" has '^\$2 = 23$'
check "a signal stops it" has 'received signal SIGUSR1'
check "three threads are listed" [ "$(grep -cE '^[* ] +[123] +Thread ' log)" = 3 ]
check "the handler has run, and the watched calls" sh -c 'grep -qE "^[$][0-9]+ = 19$" log'
check "auxv" has 'AT_ENTRY .*0x40'
check "a variable is changed; the program's end is told" sh -c 'grep -q "exited with code 03" log && grep -q "x 1003 other 10" out && [ "$(cat rc)" = 3 ]'

debug ./rv <<G
handle SIGUSR1 nostop
break main
continue
watch watched
continue
info registers pc ra sp
delete
tbreak add
continue
print a + b
detach
G
check "riscv64: a breakpoint, a watchpoint behind its instruction" sh -c 'grep -q "Breakpoint 1, main" log && grep -q "New value = 7$" log && grep -qE "^ra +0x" log'
check "riscv64: goes on after detach" sh -c 'grep -qE "^[$]1 = (7|12)$" log && [ "$(cat rc)" = 3 ]'

FILE= debug ./armdyn <<G
break main
continue
info sharedlibrary
kill
G
check "without files of its own gdb reads the program and libraries from us" sh -c 'grep -q "Breakpoint 1, main" log && grep -q "Yes.*ld-linux-aarch64" log && grep -q "Yes.*libc.so.6" log'
check "kill ends it" sh -c '[ "$(cat rc)" = 0 ] && grep -q "Terminated via GDBstub" err'

debug ./arm fork <<G
break add
continue
G
check "a forked child is not debugged, its breakpoints are gone" sh -c 'grep -q "exited with code 05" log && [ "$(cat rc)" = 5 ]'
debug ./arm crash <<G
continue
print \$_siginfo._sifields._sigfault.si_addr
continue
G
check "a crash is reported with its address, then its death" sh -c 'grep -q "received signal SIGSEGV" log && grep -qE "= .*0x10$" log && grep -q "terminated with signal SIGSEGV" log && [ "$(cat rc)" = 139 ]'

debug ./arm exec "$tmp/armdyn" <<G
break main
continue
continue
info inferiors
print argc
print argv[0]
continue
handle SIGUSR1 nostop
continue
continue
G
check "gdb follows an exec, and its breakpoint is set in the new program" sh -c 'grep -q "is executing new program" log && grep -qE "^[$]1 = 1$" log && grep -q "\"executed\"" log && [ "$(cat rc)" = 3 ]'

cat >client.py <<'P'
# Raw packets. usage: client.py SOCKET
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.settimeout(20)
def send(p):
    p = p if isinstance(p, bytes) else p.encode()
    s.sendall(b'$' + p + b'#%02x' % (sum(p) & 255))
buf = b''
def reply():
    global buf
    while True:
        start = buf.find(b'$')
        end = buf.find(b'#', start)
        if start >= 0 and 0 <= end and len(buf) >= end + 3:
            p, buf = buf[start + 1:end], buf[end + 3:]
            s.sendall(b'+')
            return p.decode('latin1')
        more = s.recv(4096)
        if not more:
            raise EOFError
        buf += more
def ask(p):
    send(p)
    return reply()
def drain():
    global buf
    try:
        s.settimeout(0.4)
        while s.recv(65536):
            pass
    except socket.timeout:
        pass
    s.settimeout(20)
    buf = b''
def check(what, good):
    print('ok' if good else 'not ok', '-', what)
check('the first stop is SIGTRAP', ask('?').startswith('T05thread:'))
bad = [ask(p) for p in ('m', 'mffffffffffffffff,10', 'M0,4:00', 'Z0', 'Z0,,', 'Z2,1000,0', 'Hgfff', 'vCont;x', 'vCont;', 'P999=0', 'G0',
                        'qXfer:auxv:read::zz', 'vFile:pread:9,10,0', 'X0,ffffffff:', 'mzz', 'vKill;1')]
check('malformed packets get errors', all(r == '' or r[0] == 'E' or r.startswith('F-1') for r in bad))
s.sendall(b'\x03\x03$$$#++--%junk' + os.urandom(300).replace(b'\x03', b'') + b'#00')
drain()
check('noise does no harm', 'PacketSize' in ask('qSupported'))
s.sendall(b'$' + b'm' * 100000 + b'#00')
drain()
check('an endless packet is refused, the next is answered', ask('qAttached') == '0')
send('vCont;c')
time.sleep(0.5)
s.sendall(b'\x03')
check('Ctrl-C stops a loop', reply().startswith('T02thread:'))
pc = ask('p20')
for _ in range(20):
    check('steps', ask('vCont;s:-1').startswith('T05')) if _ == 0 else ask('vCont;s')
check('steps stay in the loop', abs(int.from_bytes(bytes.fromhex(ask('p20')), 'little') - int.from_bytes(bytes.fromhex(pc), 'little')) < 64)
send('vCont;c')
time.sleep(0.1)
s.close() # gone without a word: the program runs on
P
rm -f sock
timeout -k 1 60 rhea-user -g "$tmp/sock" ./arm spin >out 2>err </dev/null &
pid=$!
for _ in $(seq 100); do [ -S sock ] && break; sleep 0.05; done
timeout 60 python3 client.py "$tmp/sock" >log 2>err
while IFS= read -r l; do case $l in "ok - "*) echo "ok $((++n)) - ${l#ok - }" ;; "not ok - "*) echo "not ok $((++n)) - ${l#not ok - }"; status=1 ;; esac; done <log
check "the client went through" [ "$(wc -l <log)" = 7 ]
sleep 0.3
check "a client that vanishes leaves the program running" kill -0 $pid
pkill -P $pid 2>/dev/null
wait $pid 2>/dev/null

(sleep 60 | timeout -k 1 60 rhea-user -g localhost:29517 ./arm read >out 2>err; echo $? >rc) &
for _ in $(seq 100); do grep -q ":734D 00000000:0000 0A" /proc/net/tcp && break; sleep 0.05; done
cat >commands <<G
set confirm off
target remote localhost:29517
python import threading, os, signal, time
python threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
continue
bt 1
print add(30, 4)
set var \$x0 = 0
tbreak read
return
kill
G
timeout -k 1 30 gdb-multiarch -q -nx -batch -x commands ./arm >log 2>&1 </dev/null
check "Ctrl-C stops a thread that waits in a system call, over TCP" sh -c 'grep -q "received signal SIGINT" log && grep -q " read " log'
check "its registers are changed, a function is called in it" has '^\$1 = 34$'
run() { timeout 10 rhea-user "$@" >out 2>err </dev/null; rc=$?; }
run -g nonsense ./arm
check "an address that is none is refused" sh -c '[ $0 = 1 ] && grep -q "want PORT, ADDRESS:PORT or unix:PATH" err' $rc
exit $status
