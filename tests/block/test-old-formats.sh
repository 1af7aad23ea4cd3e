#!/bin/bash
# Formats that are read only, from images made byte by byte (make_images.py): what they hold, where an installed qemu-img agrees; that a
# broken one is refused and none is written to. cow: made, written, read.
here=$(cd "$(dirname "$0")" && pwd) peer=${PEER:-/usr/bin} n=0 bad=0
PATH=$BUILD/bin:$PATH
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
same() { qemu-img convert -f "$1" -O raw "$2" out && cmp -s out raw; }
peer_same() {
	"$peer/qemu-img" --version 2>/dev/null | grep -q QEMU || return 0
	"$peer/qemu-img" --version | grep -q Rhea && return 0
	"$peer/qemu-img" convert -f "$1" -O raw "$2" out 2>err && cmp -s out raw || grep -q 'bzip2 module is missing' err
}
{ head -c 300000 /dev/urandom; head -c 500000 /dev/zero; yes text | head -c 400000; } >raw
truncate -s 2M raw
for f in bochs cloop dmg sesparse; do
	driver=$f name=image.$f
	[ $f = sesparse ] && driver=vmdk
	python3 "$here/make_images.py" $f raw $name && same $driver $name && peer_same $driver $name
	ok $? "$f: contents, here and by the peer"
	cat $name* | cksum >before
	qemu-io -f $driver -c 'write 0 512' $name 2>err >&2 && echo "# it was opened for writing"
	grep -q 'writ' err && cat $name* | cksum | cmp -s - before
	ok $? "$f: opening it for writing is refused, it stays as it is"
	file=$name
	[ $f = sesparse ] && file=$name.extent
	cp $file whole && truncate -s $(($(stat -c %s whole) / 2)) $file
	qemu-img convert -f $driver -O raw $name out 2>err
	[ $? = 1 ] && grep -q "error while reading\|not valid\|not in\|beyond" err
	ok $? "$f: half an image is not taken for a whole one"
	mv whole $file
done
printf '\1' | dd of=image.sesparse.extent bs=1 seek=536 conv=notrunc status=none
qemu-img info image.sesparse 2>&1 | grep -q 'journal must be replayed'
ok $? "sesparse: one that was not closed is refused"

qemu-img create -q -f cow image.cow 2M && qemu-io -f cow -c 'write -q -P 7 1k 100k' -c 'write -q -P 8 2093056 4k' image.cow && qemu-io -f cow -c 'read -q -P 0 0 1k' \
	-c 'read -q -P 7 1k 100k' -c 'read -q -P 0 200k 1M' -c 'read -q -P 8 2093056 4k' image.cow >out 2>&1 && [ ! -s out ]
ok $? "cow: what was written is read"
qemu-img create -q -f cow -b raw -F raw over.cow && qemu-img compare -q -f cow -F raw over.cow raw && qemu-io -f cow -c 'write -q -P 9 4k 64k' over.cow &&
	cp raw want && qemu-io -f raw -c 'write -q -P 9 4k 64k' want && qemu-img compare -q -f cow -F raw over.cow want && qemu-img info over.cow | grep -q 'backing file: raw'
ok $? "cow: over a backing file"
qemu-img commit -q -f cow over.cow && cmp -s raw want
ok $? "cow: is committed"

qemu-img create -q -f qcow2 reuse 8M && qemu-io -f qcow2 -c 'write -q -c -P 17 1216k 64k' -c 'write -q -P 19 1216k 512' -c flush -c 'write -q -c -P 30 960k 64k' \
	-c 'write -q -P 58 1000k 512' -c 'read -q -P 30 960k 40k' -c 'read -q -P 58 1000k 512' -c 'read -q -P 30 1004k 20k' reuse >out 2>&1 && [ ! -s out ]
ok $? "qcow2: a compressed cluster in the room of another is not taken for that"
echo "1..$n"
exit $bad
