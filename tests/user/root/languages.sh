# languages.sh NAME, inside the root: one of the programs that tests/user/root.sh judges. Ends with 0 when the result is right.
set -e
cd /root/t
case $1 in
gcc)
	printf '#include <stdio.h>\n#include <math.h>\nint main(void) { printf("%%.3f\\n", sqrt(2)); }\n' >c.c
	gcc -O2 -o c c.c -lm && [ "$(./c)" = 1.414 ]
	;;
openssl) # the vectors of FIPS 180-4, SP 800-38A, RFC 8439, RFC 4231, RFC 8032; a cipher, and signatures, there and back
	digest() { [ "$(printf abc | openssl dgst "-$1" -r | cut -d' ' -f1)" = "$2" ]; }
	digest sha1 a9993e364706816aba3e25717850c26c9cd0d89d
	digest sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
	digest sha512 ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
	digest sha3-256 3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532
	digest sm3 66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0
	bytes() { perl -e 'print pack "H*", $ARGV[0]' "$1"; }
	cipher() { [ "$(bytes "$4" | openssl enc "-$1" -K "$2" -iv "$3" -nopad | od -An -tx1 | tr -d ' \n')" = "$5" ]; }
	plain=6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51
	cipher aes-128-cbc 2b7e151628aed2a6abf7158809cf4f3c 000102030405060708090a0b0c0d0e0f $plain 7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2
	cipher aes-128-ctr 2b7e151628aed2a6abf7158809cf4f3c f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff $plain 874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff
	cipher chacha20 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 01000000000000090000004a00000000 \
		00000000000000000000000000000000 10f1e7e4d13b5915500fdd1fa32071c4
	[ "$(printf 'what do ya want for nothing?' | openssl dgst -sha256 -hmac Jefe -r | cut -c1-64)" = 5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843 ]
	seq 10000 >plain && openssl enc -aes-256-ctr -pbkdf2 -k secret -in plain | openssl enc -d -aes-256-ctr -pbkdf2 -k secret | cmp - plain
	for kind in 'RSA -pkeyopt rsa_keygen_bits:2048' 'EC -pkeyopt ec_paramgen_curve:P-256' 'ED25519'; do
		openssl genpkey -algorithm $kind -out key 2>/dev/null && openssl pkey -in key -pubout -out pub
		openssl pkeyutl -sign -rawin -inkey key -in plain -out sig && openssl pkeyutl -verify -rawin -pubin -inkey pub -in plain -sigfile sig
	done
	;;
sqlite) [ "$(sqlite3 :memory: 'with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) select sum(i) from n')" = 5000050000 ] ;;
git)
	rm -rf repo clone && git init -q repo && seq 1000 >repo/file && git -C repo add file
	git -C repo -c user.name=a -c user.email=a@b commit -qm first
	git clone -q repo clone && cmp repo/file clone/file && git -C clone fsck
	;;
perl) [ "$(perl -e 'my %h; $h{$_ % 97} += $_ for 1 .. 200000; print $h{5}')" = 206124737 ] ;;
restart) [ "$(python3 -c 'import subprocess, sys; print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout)')" = 42 ] ;;
go) # a collector that stops all threads every millisecond, and loops that only signals can stop
	export GOCACHE=/root/t/cache GOFLAGS=-mod=mod
	go build -o h h.go && ./h | grep 'go ok'
	go build -o formatter cmd/gofmt && printf 'package  a\n' | ./formatter | grep '^package a$'
	;;
debug) # a program for the debugger outside
	printf 'int f(int n) { return n * 7; }\nint main(void) { return f(6) != 42; }\n' >d.c
	gcc -g -O0 -o d d.c && ./d
	;;
java) javac H.java && java H | grep 'java ok' ;;
node) node h.js | grep 'node ok' ;;
erlang) erlc h.erl && erl -noshell -s h main | grep 'erlang ok' ;;
*) echo "languages.sh: no '$1'" >&2 && exit 2 ;;
esac
