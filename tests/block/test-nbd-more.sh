#!/bin/bash
# NBD: certificates and who may come in, sockets handed over, snapshots, waiting for a server that is late, the kernel's device.
dir=$(mktemp -d) n=0 bad=0 pids=
trap 'kill $pids 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
ok() { n=$((n + 1)); if eval "$2"; then echo "ok $n - $1"; else echo "not ok $n - $1"; bad=1; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
await() { local end=$((SECONDS + 30)); until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done; }
serve() { qemu-nbd --fork --persistent --pid-file="$dir/$1.pid" "${@:2}" && pids="$pids $(cat "$dir/$1.pid")"; }
stop() { local p; p=$(cat "$dir/$1.pid"); kill "$p"; await [ ! -e "$1.pid" ]; }
uri() { echo "nbd+unix:///?socket=$dir/$1"; }
head -c 1M /dev/urandom >rnd

# Certificates: an authority, a server's for localhost, clients "good" and "evil", and another authority.
ca() { openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1-key.pem" -out "$1.pem" -days 2 -subj "/CN=authority $1" -addext basicConstraints=critical,CA:TRUE >/dev/null 2>&1; }
cert() { # folder, kind, name, authority
	mkdir -p "$1"; cp "$4.pem" "$1/ca-cert.pem"
	openssl req -newkey rsa:2048 -nodes -keyout "$1/$2-key.pem" -out req.pem -subj "/CN=$3" >/dev/null 2>&1
	openssl x509 -req -in req.pem -CA "$4.pem" -CAkey "$4-key.pem" -CAcreateserial -days 2 -out "$1/$2-cert.pem" -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") >/dev/null 2>&1
}
if ca one && ca two; then
	cert srv server localhost one; cert good client good one; cert evil client evil one; cert alien client good two
	for port in $(shuf -i 20000-40000 -n 5); do
		serve t -b 127.0.0.1 -p "$port" --object tls-creds-x509,id=t,endpoint=server,dir="$dir/srv" --tls-creds t -f raw rnd 2>err && break
	done
	if grep -q GNUTLS err; then
		skip "certificates" "built without GnuTLS"
	else
		client() { qemu-img convert --object "tls-creds-x509,id=t,endpoint=client,dir=$dir/$1${3-}" --image-opts -O raw "driver=nbd,host=${2-localhost},port=$port,tls-creds=t" out.raw; }
		ok "certificates let in" 'client good && cmp -s out.raw rnd'
		ok "an address in the certificate does too" 'client good 127.0.0.1'
		ok "a certificate of another authority does not" '! client alien 2>/dev/null'
		mkdir none; cp one.pem none/ca-cert.pem
		ok "nor none at all" '! client none 2>/dev/null'
		serve z -b 127.0.0.1 -p $((port + 1)) --object tls-creds-x509,id=t,endpoint=server,dir="$dir/srv" --object authz-simple,id=a,identity=CN=good --tls-creds t --tls-authz a -f raw rnd; port=$((port + 1))
		ok "authz-simple lets one name in" 'client good && ! client evil 2>/dev/null'
		kill "$(cat z.pid)" "$(cat t.pid)"
	fi
else
	skip "certificates" "no openssl"
fi

# A bitmap, asked for extent by extent: neither more nor less than what was written.
qemu-img create -q -f qcow2 bits 16M && qemu-img bitmap --add -g 64k bits b
qemu-io -c 'write -q 1000k 100k' -c 'write -q 3M 512' -c 'write -q 5M 1M' bits
serve bits -r -B b -k "$dir/bits" -f qcow2 bits
dirty() { qemu-img map --output=json --image-opts "driver=nbd,server.type=unix,server.path=$dir/bits,x-dirty-bitmap=qemu:dirty-bitmap:b" | grep '"data": false' | sed 's/.*start": \([0-9]*\), "length": \([0-9]*\).*/\1+\2/' | paste -sd ' '; }
ok "a dirty bitmap is what was written" '[ "$(dirty)" = "983040+196608 3145728+65536 5242880+1048576" ]'
stop bits

# Zeros that nothing was written for are holes, whichever layer tells of them: a client that copies them needs no room for them.
truncate -s 1M sparse && qemu-img create -q -f qcow2 -b sparse -F raw over && qemu-img create -q -f qcow2 zeros 1M && qemu-io -c 'write -q 0 1M' -c 'write -q -z 0 1M' zeros
hole() { # options of the image
	serve holes -r -k "$dir/holes" --image-opts "$1" || return 1
	local said; said=$(qemu-img map --output=json "$(uri holes)"); stop holes
	[[ $said = *'"start": 0, "length": 1048576,'*'"zero": true, "data": false'* ]] || { echo "# $1: $said"; return 1; }
}
ok "holes below an overlay are holes" 'hole driver=qcow2,file.filename=over'
ok "below a filter, and of a file itself" 'hole driver=copy-on-read,file.driver=raw,file.file.filename=sparse && hole driver=file,filename=sparse'
ok "clusters made zeros, with room or without" 'hole driver=qcow2,file.filename=zeros && hole driver=compress,file.driver=qcow2,file.file.filename=zeros'
# Zeros with room: what qcow2 was given ahead lies in a hole of its file.
qemu-img create -q -f qcow2 -o preallocation=metadata ahead 1M && serve ahead -r -k "$dir/ahead" -f qcow2 ahead
ok "zeros with room are no holes" '[[ $(qemu-img map --output=json "$(uri ahead)") = *"\"start\": 0, \"length\": 1048576,"*"\"zero\": true, \"data\": true"* ]]'
stop ahead

# A socket that the caller listens on already, as systemd hands it over.
cat >activate.py <<'END'
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[2])
os.execvp(sys.argv[3], sys.argv[3:])
END
python3 activate.py act 1 qemu-nbd -t -f raw rnd & pids="$pids $!"
ok "a socket handed over is served" 'await [ -S act ] && qemu-img compare -f raw rnd "$(uri act)" >/dev/null'
ok "an address beside it is refused" '! python3 activate.py act2 1 qemu-nbd -k "$dir/x" -f raw rnd 2>/dev/null'

# Snapshots: -l shows an internal one, -s takes writes into a temporary file.
qemu-img create -q -f qcow2 s.qcow2 1M; qemu-io -c 'write -q -P 1 0 64k' s.qcow2; qemu-img snapshot -c first s.qcow2; qemu-io -c 'write -q -P 2 0 64k' s.qcow2
serve l -k "$dir/l" -l first -f qcow2 s.qcow2
ok "-l serves a snapshot, read-only" 'qemu-io -r -f raw -c "read -q -P 1 0 64k" "$(uri l)" >out 2>&1 && ! grep -q . out && ! qemu-io -f raw -c "write 0 512" "$(uri l)" >/dev/null 2>&1'
stop l
ok "-l with a name that is not there is refused" '! qemu-nbd -k "$dir/x" -l nothing -f qcow2 s.qcow2 2>/dev/null'
serve s -k "$dir/s" -s -f qcow2 s.qcow2
ok "-s: writes are seen" 'qemu-io -f raw -c "write -q -P 9 0 64k" -c "read -q -P 9 0 64k" "$(uri s)" >out 2>&1 && ! grep -q . out'
stop s
ok "-s: and do not stay" 'qemu-io -r -c "read -q -P 2 0 64k" s.qcow2 >out && ! grep -q . out'

# open-timeout: the server comes up later.
(sleep 1; serve late -k "$dir/late" -f raw rnd; cat late.pid >more) & helper=$!
ok "open-timeout waits for a server" 'qemu-img convert --image-opts -O raw "driver=nbd,path=$dir/late,open-timeout=20" late.raw && cmp -s late.raw rnd'
wait $helper; pids="$pids $(cat more)"
start=$SECONDS
ok "and gives up in time" '! qemu-img info --image-opts "driver=nbd,path=$dir/never,open-timeout=1" 2>/dev/null && [ $((SECONDS - start)) -lt 15 ]'

if [ -e /dev/nbd0 ] && [ -w /dev/nbd0 ] && [ "$(cat /sys/block/nbd0/size)" = 0 ]; then
	qemu-nbd -c /dev/nbd0 -f raw rnd && pids="$pids $(pgrep -f 'qemu-nbd -c /dev/nbd0')"
	ok "the kernel's device" 'cmp -s rnd <(head -c 1M /dev/nbd0) && qemu-nbd -d /dev/nbd0'
else
	ok "without the kernel's device there is an error that names it" 'qemu-nbd -c /dev/nbd77 -f raw rnd 2>&1 | grep -q "/dev/nbd77"'
fi
exit $bad
