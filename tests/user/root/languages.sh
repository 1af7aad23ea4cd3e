# languages.sh NAME, inside the root: one of the programs that tests/user/root.sh judges. Ends with 0 when the result is right.
set -e
cd /root/t
case $1 in
gcc)
	printf '#include <stdio.h>\n#include <math.h>\nint main(void) { printf("%%.3f\\n", sqrt(2)); }\n' >c.c
	gcc -O2 -o c c.c -lm && [ "$(./c)" = 1.414 ]
	;;
openssl) # FIPS 180's vector of SHA-256, and a cipher there and back
	[ "$(printf abc | openssl dgst -sha256 -r | cut -c1-64)" = ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad ]
	seq 10000 >plain && openssl enc -aes-256-ctr -pbkdf2 -k secret -in plain | openssl enc -d -aes-256-ctr -pbkdf2 -k secret | cmp - plain
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
	GOCACHE=/root/t/cache go build -o h h.go && ./h | grep 'go ok'
	;;
java) javac H.java && java H | grep 'java ok' ;;
node) node h.js | grep 'node ok' ;;
erlang) erlc h.erl && erl -noshell -s h main | grep 'erlang ok' ;;
*) echo "languages.sh: no '$1'" >&2 && exit 2 ;;
esac
