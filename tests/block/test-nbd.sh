#!/bin/bash
# NBD: server and client against each other and against other programs where they are installed (nbdinfo, nbdcopy, nbdkit, the peer's tools).
dir=$(mktemp -d) n=0 bad=0 pids=
trap 'kill $pids 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
ok() { n=$((n + 1)); if eval "$2"; then echo "ok $n - $1"; else echo "not ok $n - $1"; bad=1; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2 is not installed"; }
have() { command -v "$1" >/dev/null; }
peer=
for p in /usr/bin /usr/local/bin; do
	[ -x $p/qemu-nbd ] && [ -x $p/qemu-img ] && ! $p/qemu-nbd --version | grep -q Rhea && peer=$p
done
serve() { qemu-nbd --fork --persistent --pid-file="$dir/$1.pid" -k "$dir/$1" "${@:2}" && pids="$pids $(cat "$dir/$1.pid")"; }
stop() { local p; p=$(cat "$dir/$1.pid"); kill "$p"; for _ in $(seq 100); do [ -e "$dir/$1.pid" ] || break; sleep 0.05; done; }
uri() { echo "nbd+unix:///$2?socket=$dir/$1"; }

head -c 8M /dev/urandom >rnd
qemu-img create -q -f qcow2 a.qcow2 8M
qemu-io -c "write -P 7 64k 64k" -c "write -P 9 4M 1M" a.qcow2 >/dev/null
qemu-img convert -O raw a.qcow2 a.raw

serve s1 -e 0 -x disk -D "a disk" -f qcow2 a.qcow2
ok "a server by --fork has a pid file and a socket when it returns" '[ -s s1.pid ] && [ -S s1 ]'
ok "the export is listed" 'qemu-nbd -L -k "$dir/s1" | grep -q "export: .disk."'
ok "contents through the client" '[ "$(qemu-img compare a.raw "$(uri s1 disk)")" = "Images are identical." ]'
ok "holes are seen" 'qemu-img map --output=json "$(uri s1 disk)" | grep -q "\"start\": 131072, \"length\": 4063232, \"depth\": 0, \"present\": true, \"zero\": true, \"data\": false"'
ok "an unknown export is refused with its name" 'qemu-img info "$(uri s1 no)" 2>&1 | grep -q "server reported: export .no. not present"'
qemu-io -f raw -c "write -P 5 1M 512k" -c "write -z 4M 64k" -c "discard 5M 64k" -c "aio_write -P 6 2M 1M" -c "aio_write -P 8 3M 100k" \
	-c "aio_write -P 8 3500k 3" -c aio_flush -c flush "$(uri s1 disk)" >/dev/null
ok "writes, zeros and unaligned writes arrive" \
	'qemu-io -r -f raw -c "read -P 5 1M 512k" -c "read -P 0 4M 64k" -c "read -P 6 2M 1M" -c "read -P 8 3M 100k" -c "read -P 8 3500k 3" "$(uri s1 disk)" | grep -c "^read" | grep -qx 5'
ok "a copy onto an export" 'qemu-img convert -n -f raw -O raw rnd "$(uri s1 disk)" && qemu-img compare -f raw rnd "$(uri s1 disk)" >/dev/null'
if have nbdinfo; then
	ok "nbdinfo agrees on size and description" 'nbdinfo "$(uri s1 disk)" | grep -q "description: a disk" && [ "$(nbdinfo --size "$(uri s1 disk)")" = 8388608 ]'
	ok "nbdcopy reads what was written, by four connections" 'nbdcopy -C 4 "$(uri s1 disk)" c.raw && cmp c.raw rnd'
	ok "nbdcopy writes" 'nbdcopy a.raw "$(uri s1 disk)" && qemu-img compare -f raw a.raw "$(uri s1 disk)" >/dev/null'
else
	skip "nbdinfo, nbdcopy" nbdinfo
fi
if [ "$peer" ]; then
	ok "the peer's client reads the same" '$peer/qemu-img compare -f raw -F raw a.raw "$(uri s1 disk)" >/dev/null || [ ! "$(command -v nbdcopy)" ]'
else
	skip "the peer's client" qemu-img
fi
stop s1
ok "SIGTERM ends the server, its socket and its pid file, and the image is sound" '[ ! -e s1 ] && [ ! -e s1.pid ] && qemu-img check a.qcow2 >/dev/null'

if [ "$peer" ]; then
	$peer/qemu-nbd --fork -t -e 8 --pid-file="$dir/p.pid" -k "$dir/p" -x disk -f qcow2 a.qcow2 && pids="$pids $(cat p.pid)"
	ok "the client reads and writes the peer's export" \
		'qemu-io -f raw -c "write -P 3 6M 1M" -c "write -z 7M 64k" -c flush "$(uri p disk)" >/dev/null && $peer/qemu-io -r -f raw -c "read -P 3 6M 1M" -c "read -P 0 7M 64k" "$(uri p disk)" | grep -c ^read | grep -qx 2'
	ok "both list it in the same words" 'diff <(qemu-nbd -L -k "$dir/p") <($peer/qemu-nbd -L -k "$dir/p")'
	kill "$(cat p.pid)"
else
	skip "the peer's server" qemu-nbd
fi
if have nbdkit; then
	ok "nbdkit with 4096-byte blocks: unaligned requests are made whole" \
		'nbdkit -U - --filter=blocksize-policy memory 1M blocksize-minimum=4096 blocksize-preferred=4096 blocksize-maximum=1M blocksize-error-policy=error --run "qemu-io -f raw -c \"write -P 4 100 3000\" -c \"read -P 4 100 3000\" -c \"read -P 0 0 100\" -c \"read -P 0 3100 900k\" \$uri" | grep -c ^read | grep -qx 3'
	ok "nbdkit in the old style" 'nbdkit -U - --oldstyle memory 1M --run "qemu-io -f raw -c \"write -P 4 0 64k\" -c \"read -P 4 0 64k\" \$uri" | grep -q ^read'
	ok "errors arrive as they are" 'nbdkit -U - --filter=error memory 1M error-pread=ENOSPC error-pread-rate=1 --run "qemu-io -f raw -c \"read 0 4k\" \$uri" 2>&1 | grep -q "No space left"'
else
	skip "nbdkit" nbdkit
fi

qemu-nbd -k "$dir/once" -f raw a.raw & once=$!
pids="$pids $once"
for _ in $(seq 100); do [ -S once ] && break; sleep 0.05; done
qemu-img info "$(uri once "")" >/dev/null
ok "without --persistent it ends with the last client" 'wait $once'

serve ro -r -o 65536 -f raw a.raw
ok "a read-only part of a disk" '[ "$(qemu-nbd -L -k "$dir/ro" | sed -n "s/  size:  //p")" = 8323072 ] && qemu-io -r -f raw -c "read -P 7 0 64k" "$(uri ro "")" | grep -q ^read'
ok "is not opened for writing" '! qemu-io -f raw -c "write 0 512" "$(uri ro "")" >/dev/null 2>&1'
stop ro

mkdir tls other
echo "u:$(head -c 32 /dev/urandom | od -An -tx1 | tr -d " \n")" >tls/keys.psk
echo "u:$(head -c 32 /dev/urandom | od -An -tx1 | tr -d " \n")" >other/keys.psk
if serve t --object "tls-creds-psk,id=t,endpoint=server,dir=$dir/tls" --tls-creds t -e 0 -f raw a.raw 2>tls.err; then
	key() { echo "tls-creds-psk,id=t,endpoint=client,dir=$dir/$1,username=u"; }
	ok "TLS by a shared key" 'qemu-img convert --object "$(key tls)" --image-opts -O raw "driver=nbd,path=$dir/t,tls-creds=t" t.raw && cmp t.raw a.raw'
	ok "not without TLS" 'qemu-img info "$(uri t "")" 2>&1 | grep -q "TLS negotiation required before option 7 (go)"'
	ok "not by another key" 'qemu-img info --object "$(key other)" --image-opts "driver=nbd,path=$dir/t,tls-creds=t" 2>&1 | grep -q "TLS handshake failed"'
	have nbdinfo && ok "TLS with nbdinfo" 'nbdinfo "nbds+unix://u@/?socket=$dir/t&tls-psk-file=$dir/tls/keys.psk" | grep -q "with TLS"'
	stop t
elif grep -q "requires GNUTLS" tls.err; then
	skip "TLS" gnutls
else
	ok "TLS server starts" false
fi

# A server that goes away and comes back: requests wait for it.
serve back -f raw a.raw
(sleep 0.5; kill -9 "$(cat back.pid)"; sleep 0.7; rm -f back back.pid; serve back -f raw a.raw; cat back.pid >>more) &
helper=$!
ok "reconnect-delay: requests survive a new start of the server" \
	'qemu-io --image-opts -c "read -P 7 64k 64k" -c "sleep 900" -c "read -P 7 64k 64k" "driver=raw,file.driver=nbd,file.path=$dir/back,file.reconnect-delay=10" | grep -c ^read | grep -qx 2'
wait $helper
pids="$pids $(cat more)"
ok "without it they fail" '! timeout 10 qemu-io --image-opts -c "read 0 512" "driver=nbd,path=$dir/gone" >/dev/null 2>&1'

ok "refusals: port, cache mode, offset, list with a file" \
	'for a in "-e x a.raw" "--cache=x a.raw" "-o 99M -f raw a.raw" "-L a.raw" "-B none -f raw a.raw" "-c /dev/none -f raw a.raw" "-k rel a.raw" ""; do qemu-nbd $a 2>/dev/null && exit 1; done; true'
exit $bad
