#!/bin/bash
# http and https: reading by ranges, reading ahead, secrets, certificates, and servers that answer wrongly.
n=0 bad=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
await() { local end=$((SECONDS + 30)); until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done; }
refuses() { local want=$1 out; shift; out=$("$@" 2>&1) && return 1; case $out in *"$want"*) ;; *) echo "# $out"; return 1 ;; esac; }
here=$(dirname "$(realpath "$0")")
dir=$(mktemp -d) || exit 1
servers=
trap '[ -n "$servers" ] && kill $servers 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
if ! qemu-img --help | grep -qw https; then skip "http" "built without libcurl"; exit 0; fi
head -c 3000000 /dev/urandom >odd.raw
truncate -s 4M src.raw; dd if=odd.raw of=src.raw bs=64k seek=8 conv=notrunc status=none
qemu-img convert -O qcow2 src.raw a.qcow2
serve() { python3 "$here/web-server.py" . "$@" & servers="$servers $!"; await [ -s "$1" ]; }
serve port log; url=http://127.0.0.1:$(cat port)

qemu-img convert -O raw "$url/good/a.qcow2" out.raw && cmp -s src.raw out.raw; ok $? "a qcow2 image is read"
qemu-img convert -f raw -O raw "$url/good/odd.raw" out.raw && cmp -s <(head -c 3000000 out.raw) odd.raw &&
	[ "$(stat -c %s out.raw)" = 3000320 ] && ! tail -c 320 out.raw | tr -d '\0' | grep -q .
ok $? "a file that ends within a sector is filled up with zeros"
qemu-img info --output=json "$url/good/a.qcow2" | grep -q "\"filename\": \"$url/good/a.qcow2\""; ok $? "info shows the URL"
qemu-img compare "$url/moved/a.qcow2" a.qcow2 >/dev/null; ok $? "redirections are followed"
qemu-img create -q -f qcow2 -b "$url/good/a.qcow2" -F qcow2 over.qcow2 &&
	qemu-io -c 'write -q -P 3 0 64k' over.qcow2
qemu-io -c 'read -q -P 3 0 64k' over.qcow2 | grep -q . ; [ $? = 1 ] && qemu-img convert -O raw over.qcow2 out.raw && cmp -s <(tail -c +65537 src.raw) <(tail -c +65537 out.raw)
ok $? "a backing file may lie on a web server"

# 64 reads of 4 KiB within the first 256 KiB: one range when 256 KiB are read ahead, more with less.
reads() { local i; for i in $(seq 0 4 252); do printf ' -c "read -q %dk 4k"' "$i"; done; }
: >log; eval qemu-io -r -f raw "$(reads)" "$url/good/src.raw" >/dev/null; few=$(wc -l <log)
: >log; eval qemu-io -r --image-opts "$(reads)" "driver=raw,file.driver=http,file.url=$url/good/src.raw,file.readahead=16k" >/dev/null; many=$(wc -l <log)
[ "$few" = 1 ] && [ "$many" = 16 ]; ok $? "readahead says how much is read at once ($few and $many ranges)"
: >log; qemu-img bench -f raw -t none -c 64 -d 32 -s 4096 "$url/good/src.raw" >/dev/null && [ "$(wc -l <log)" = 1 ]
ok $? "requests at the same time share what is on its way"

opts=driver=raw,file.driver=http,file.url=$url
refuses 403 qemu-io -r -f raw -c quit "$url/cookie/src.raw" && qemu-io -r --image-opts -c quit "$opts/cookie/src.raw,file.cookie=key=secret"; ok $? "cookie"
qemu-io -r --object secret,id=c,data=key=secret --image-opts -c quit "$opts/cookie/src.raw,file.cookie-secret=c"; ok $? "cookie-secret"
refuses 401 qemu-io -r -f raw -c quit "$url/password/src.raw" &&
	qemu-io -r --object secret,id=p,data=word --image-opts -c 'read -q 0 512' "$opts/password/src.raw,file.username=user,file.password-secret=p"
ok $? "username and password-secret"

refuses "404" qemu-img info "$url/good/missing"; ok $? "a missing file is refused"
refuses "Failed to connect" qemu-img info http://127.0.0.1:9/x; ok $? "no server"
refuses "Server does not support 'range'" qemu-img info "$url/norange/a.qcow2"; ok $? "a server without ranges is refused"
refuses "Input/output error" qemu-img info "$url/whole/a.qcow2"; ok $? "a server that ignores ranges is not believed"
refuses "error" qemu-img convert -O raw "$url/short/a.qcow2" out.raw; ok $? "short answers are errors"
refuses "error" qemu-img convert -f raw -O raw "$url/lost/src.raw" out.raw; ok $? "a lost connection is an error"
refuses "timed out" qemu-io -r --image-opts -c 'read 0 512' "$opts/slow/src.raw,file.timeout=1"; ok $? "timeout"
qemu-io -r --image-opts -c 'read -q 0 512' "$opts/slow/src.raw,file.timeout=0"; ok $? "timeout=0 waits"
refuses "does not support writes" qemu-io -f raw -c quit "$url/good/src.raw"; ok $? "writing is refused"
refuses "not a multiple of 512" qemu-img info --image-opts "$opts/good/src.raw,file.readahead=1000"; ok $? "a bad readahead is refused"
refuses "does not start with 'http://'" qemu-img info --image-opts driver=raw,file.driver=http,file.url=ftp://x/y; ok $? "other URLs are refused"

if openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost >/dev/null 2>&1 && serve port-tls log cert.pem key.pem; then
	url=https://127.0.0.1:$(cat port-tls)
	refuses "ertificate" qemu-img info "$url/good/a.qcow2"; ok $? "an unknown certificate is refused"
	qemu-img convert -O raw --image-opts "driver=qcow2,file.driver=https,file.sslverify=off,file.url=$url/good/a.qcow2" out.raw && cmp -s src.raw out.raw
	ok $? "sslverify=off takes it"
	CURL_CA_BUNDLE= refuses "does not support the option" qemu-img info --image-opts "driver=raw,file.driver=https,file.nonsense=1,file.sslverify=off,file.url=$url/good/a.qcow2"
	ok $? "unknown options are refused"
else
	skip "https" "no openssl"
fi
exit $bad
