#!/bin/bash
# TLS by certificates: what the check of their files refuses before anybody connects, and a connection with those that are fit.
PATH=$BUILD/bin:$PATH
n=0 bad=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
dir=$(mktemp -d) || exit 1
server=
trap '[ -n "$server" ] && kill $server 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
if ! command -v openssl >/dev/null; then echo "ok 1 - certificates # SKIP openssl is not installed"; exit 0; fi

# make NAME SUBJECT CA|self DAYS EXTENSIONS...: NAME-cert.pem, NAME-key.pem
make() {
	local name=$1 subject=$2 by=$3 days=$4 e; shift 4
	printf '[x]\n' >x.cnf; for e; do echo "$e" >>x.cnf; done
	openssl req -newkey rsa:2048 -nodes -keyout "$name-key.pem" -out x.csr -subj "/CN=$subject" 2>/dev/null
	if [ "$by" = self ]; then set -- -signkey "$name-key.pem"; else set -- -CA "$by-cert.pem" -CAkey "$by-key.pem" -CAcreateserial; fi
	openssl x509 -req -in x.csr -out "$name-cert.pem" -days "$days" -extfile x.cnf -extensions x "$@" 2>/dev/null || echo "# no $name"
}
ca=(basicConstraints=critical,CA:true keyUsage=critical,keyCertSign)
leaf=(basicConstraints=critical,CA:false keyUsage=critical,digitalSignature,keyEncipherment)
make ca "Test CA" self 10 "${ca[@]}"
make other "Other CA" self 10 "${ca[@]}"
make noca "No CA" self 10 basicConstraints=critical,CA:false
make server localhost ca 10 "${leaf[@]}" extendedKeyUsage=critical,serverAuth subjectAltName=DNS:localhost
make client me ca 10 "${leaf[@]}" extendedKeyUsage=critical,clientAuth
make old localhost ca -1 "${leaf[@]}"
make asca localhost ca 10 "${ca[@]}"
make usage localhost ca 10 basicConstraints=critical,CA:false keyUsage=critical,keyAgreement
make plain localhost ca 10
# folder NAME CA SERVER CLIENT
folder() {
	mkdir "$1"; cp "$2-cert.pem" "$1/ca-cert.pem"
	cp "$3-cert.pem" "$1/server-cert.pem"; cp "$3-key.pem" "$1/server-key.pem"; cp "$4-cert.pem" "$1/client-cert.pem"; cp "$4-key.pem" "$1/client-key.pem"
}
folder good ca server client; folder swapped ca client server; folder expired ca old old; folder isca ca asca asca
folder wrong other server client; folder nousage ca usage usage; folder badca noca server client; folder bare ca plain plain
creds() { echo "tls-creds-x509,id=t,endpoint=$1,dir=$dir/$2"; }
qemu-img create -q -f raw disk 1M
# refuses FOLDER SIDE WORDS [MORE]
refuses() {
	local out; out=$(qemu-img info --object "$(creds "$2" "$1")$4" disk 2>&1) && return 1
	case $out in *"$3"*) ;; *) echo "# $out"; return 1 ;; esac
}
accepts() { qemu-img info --object "$(creds "$2" "$1")$3" disk >/dev/null 2>err || { sed 's/^/# /' err; return 1; }; }
accepts good server && accepts good client && accepts bare server; ok $? "fit certificates, with and without extensions"
refuses expired server "The server certificate $dir/expired/server-cert.pem has expired"; ok $? "an expired one"
refuses isca server "basic constraints show a CA, but we need one for a server"; ok $? "a CA as a server"
refuses badca client "basic constraints do not show a CA"; ok $? "no CA as a CA"
refuses nousage server "usage does not permit digital signature"; ok $? "key usage"
refuses swapped server "purpose does not allow use with a TLS server" && refuses swapped client "purpose does not allow use with a TLS client"; ok $? "key purpose"
refuses wrong server "Our own certificate $dir/wrong/server-cert.pem failed validation against $dir/wrong/ca-cert.pem: The certificate hasn't got a known issuer"; ok $? "another CA's"
accepts expired server ,sanity-check=off && refuses expired server "has expired" ,sanity-check=on; ok $? "sanity-check=off looks at nothing"
qemu-nbd -t -x e -f raw -k "$dir/sock" --object "$(creds server good)" --tls-creds t disk & server=$!
for _ in $(seq 100); do [ -S sock ] && break; sleep 0.1; done
spec() { echo "driver=nbd,path=$dir/sock,export=e,tls-creds=t,tls-hostname=localhost"; }
qemu-img info --object "$(creds client good)" --image-opts "$(spec)" >/dev/null; ok $? "a connection with them"
! qemu-img info --object "$(creds client wrong),sanity-check=off" --image-opts "$(spec)" >/dev/null 2>&1; ok $? "none with those of another CA"
exit $bad
