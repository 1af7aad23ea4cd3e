#!/bin/bash
# qemu-img's verbs on raw and qcow2, crossed with another implementation where one is installed.
n=0 bad=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
# Runs a command every 0.1 s until it succeeds, for at most 30 s: machines may be slow.
await() { local end=$((SECONDS + 30)); until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
peer=; [ -x /usr/bin/qemu-img ] && [ "$(readlink -f /usr/bin/qemu-img)" != "$(readlink -f "$(command -v qemu-img)")" ] && peer=/usr/bin/qemu-img
head -c 5000000 /dev/urandom >src.raw; truncate -s 64M src.raw; printf 'tail' | dd of=src.raw bs=1 seek=60000000 conv=notrunc 2>/dev/null

for how in "" "-o cluster_size=512" "-o compat=0.10" "-o extended_l2=on" "-o refcount_bits=1" "-c" "-c -o compression_type=zstd" "-o preallocation=metadata"; do
	rm -f a.qcow2 b.raw
	qemu-img convert -f raw -O qcow2 $how src.raw a.qcow2 && qemu-img check -q a.qcow2 && qemu-img convert -O raw a.qcow2 b.raw && cmp -s src.raw b.raw
	ok $? "raw to qcow2 ($how) and back"
	if [ -n "$peer" ]; then
		"$peer" check -q a.qcow2 >/dev/null && "$peer" compare -q -f raw -F qcow2 src.raw a.qcow2
		ok $? "the other program reads it ($how)"
		rm -f p.qcow2; "$peer" convert -f raw -O qcow2 $how src.raw p.qcow2 && qemu-img check -q p.qcow2 && qemu-img compare -q -f raw -F qcow2 src.raw p.qcow2
		ok $? "the other program's image is read ($how)"
	else
		skip "crossed with another implementation ($how)" "no qemu-img besides this one in /usr/bin"
	fi
done

qemu-img convert -q -f raw -O qcow2 src.raw base.qcow2
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2
qemu-io -c 'write -q -P 0x11 1M 3000' -c 'write -q -z 2M 1M' -c 'discard -q 4M 64k' top.qcow2
cp base.qcow2 copy.qcow2; qemu-img convert -O raw top.qcow2 want.raw
qemu-img commit -q top.qcow2 && qemu-img compare -q base.qcow2 want.raw && qemu-img check -q base.qcow2
ok $? "commit moves the changes down"
cp copy.qcow2 base.qcow2; qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2; qemu-io -c 'write -q -P 0x22 0 1M' top.qcow2
qemu-img convert -O raw top.qcow2 want.raw; qemu-img rebase -b '' top.qcow2 && qemu-img compare -q top.qcow2 want.raw && qemu-img check -q top.qcow2
ok $? "rebase to nothing keeps the contents"
qemu-img snapshot -c s1 base.qcow2 && qemu-io -c 'write -q -P 0x33 0 2M' base.qcow2 && qemu-img check -q base.qcow2 &&
	qemu-img convert -l s1 -O raw base.qcow2 s1.raw && cmp -s s1.raw src.raw && qemu-img snapshot -a s1 base.qcow2 && qemu-img compare -q base.qcow2 src.raw &&
	qemu-img snapshot -d s1 base.qcow2 && qemu-img check -q base.qcow2
ok $? "snapshots keep, give back and forget contents"
qemu-img resize -q base.qcow2 +64M && qemu-img resize -q --shrink base.qcow2 8M && qemu-img check -q base.qcow2 && head -c 8M src.raw | cmp -s - <(qemu-img convert -O raw base.qcow2 o.raw; cat o.raw)
ok $? "resize up and down"
qemu-img create -q -f qcow2 -o data_file=outside.raw outside.qcow2 $((1048576 + 512)) && qemu-io -c 'write -q 1M 512' outside.qcow2 && [ "$(stat -c %s outside.raw)" = 1049088 ] &&
	qemu-img resize -q --shrink outside.qcow2 512k && qemu-img check -q outside.qcow2 && [ "$(stat -c %s outside.raw)" = 524288 ]
ok $? "a data file that ends inside a cluster shrinks"
qemu-img bitmap --add base.qcow2 b0 && qemu-io -c 'write -q 0 64k' base.qcow2 && qemu-img info --output=json base.qcow2 | grep -q '"name": "b0"' && qemu-img check -q base.qcow2
ok $? "bitmaps are kept"
qemu-img create -q -f qcow2 l.qcow2 1M
hold() { qemu-io -c 'sleep 100000' l.qcow2 >/dev/null 2>&1 & holder=$!; }
hold
refused() { # when our look came first, it was the holder that was refused
	kill -0 $holder 2>/dev/null || hold
	out=$(timeout 20 qemu-io -c quit l.qcow2 2>&1); case $out in *'Failed to get "write" lock'*) ;; *) return 1 ;; esac
}
await refused; case $out in *'Failed to get "write" lock'*"held by process"*) r=0 ;; *) r=1 ;; esac
kill $holder; wait $holder 2>/dev/null
ok $r "a refused lock names its holder"
qemu-nbd -k "$dir/s" -r -f raw -t src.raw --fork --pid-file "$dir/nbd.pid" && timeout 60 qemu-img compare -q -f raw -F raw src.raw "nbd+unix:///?socket=$dir/s"
ok $? "an image served by NBD reads the same"
kill "$(cat nbd.pid)" 2>/dev/null
# An L2 entry that points where nothing is counted: a snapshot of it makes no counts there.
qemu-img create -q -f qcow2 wild.qcow2 64M && qemu-io -c 'write -q 0 512' wild.qcow2
printf '\200\0\0\377\377\377\0\0' | dd of=wild.qcow2 bs=1 seek=$((0x40000)) conv=notrunc status=none
! qemu-img snapshot -c s wild.qcow2 2>err && grep -q 'Data cluster 0xffffff0000 has no reference count' err && [ "$(stat -c %s wild.qcow2)" -lt 1000000 ]
ok $? "a snapshot of an entry that points far behind the file is refused, and writes nothing there"
# The first block of counts knows 512 clusters: what goes on behind them stays in one piece, the new block lies behind it.
qemu-img create -q -f qcow2 -o cluster_size=4k,refcount_bits=64 runs.qcow2 4M && qemu-io -c 'write -q 0 2028k' -c 'write -q 2028k 4k' runs.qcow2 && qemu-img check -q runs.qcow2 && qemu-img map runs.qcow2 | grep -q '^0 *0x1fc000 *0x5000 '
ok $? "qcow2: a new block of counts lies behind the run that needs it"
# A snapshot's table at an impossible place: with inactive tables watched nothing is written.
qemu-img create -q -f qcow2 lost.qcow2 64M && qemu-io -c 'write -q 0 512' lost.qcow2 && qemu-img snapshot -c s lost.qcow2
printf '\0\0\0\0\0\100\2\0' | dd of=lost.qcow2 bs=1 seek=$((0x70000)) conv=notrunc status=none
qemu-io --image-opts -c 'write 0 4k' driver=qcow2,overlap-check.inactive-l2=on,file.filename=lost.qcow2 2>&1 | grep -q 'write failed: Invalid argument'
ok $? "overlap-check.inactive-l2 refuses writes where a snapshot's table cannot be read"
# Without a file's name the options are the format's alone, with one the file's too. (The words are those of QEMU 7.2.)
qemu-img create -f qcow2 -o help >alone && [ "$(head -1 alone)" = "Supported qcow2 options:" ] && ! grep -q nocow alone && [ "$(tail -1 alone)" = "Specify the target filename to include those options." ] &&
	qemu-img create -f qcow2 -o help none >named && [ "$(head -1 named)" = "Supported options:" ] && grep -q nocow named && ! grep -q '^Specify' named
ok $? "-o help tells a format's options, and with a name the file's"
qemu-io -c 'read 0 2147483137' -c 'write 0 2G' -c 'write -z 0 2G' -c 'aio_read 0 2G' -c 'writev 0 1G 1G' -c 'aio_write -z 0 1M 1M' l.qcow2 >out
cat >want <<'END'
length cannot exceed 2147483136, given 2147483137
length cannot exceed 2147483136 without -n, given 2G
length cannot exceed 2147483136 without -n, given 2G
Argument '2G' exceeds maximum size 2147483136
The total number of bytes exceed the maximum size 2147483136
-z supports only a single length parameter
END
cmp out want
ok $? "qemu-io's requests end at 2147483136 bytes"
qemu-img commit -b nowhere l.qcow2 2>&1 | grep -q "Did not find 'nowhere' in the backing chain of 'l.qcow2'" && qemu-img commit l.qcow2 2>&1 | grep -q 'does not have a backing file'
ok $? "commit says which base it does not find"
# What is refused is not written to: bitmaps that were loaded by then stay in the image.
qemu-img create -q -f qcow2 refused.qcow2 64M && qemu-img bitmap --add refused.qcow2 b && qemu-img snapshot -c s refused.qcow2 && cp refused.qcow2 same.qcow2
table=$((0x$(od -An -tx1 -j $((0x40)) -N 8 refused.qcow2 | tr -d ' ')))
printf '\377\377\377\377' | dd of=refused.qcow2 bs=1 seek=$((table + 36)) conv=notrunc status=none; cp refused.qcow2 broken.qcow2
! qemu-io -c quit refused.qcow2 2>/dev/null && cmp refused.qcow2 broken.qcow2 && ! qemu-io --image-opts -c quit driver=qcow2,overlap-check=nope,file.filename=same.qcow2 2>/dev/null && qemu-img info same.qcow2 | grep -q 'name: b'
ok $? "an image with bitmaps whose snapshots are broken is refused and not written to"
# Room made before anybody wrote: data, and zeros. A copy leaves it out. (As QEMU 7.2 tells it.)
qemu-img create -q -f qcow2 -o preallocation=metadata early.qcow2 4M && qemu-io -c 'write -q 1M 64k' early.qcow2 && qemu-img map --output=json early.qcow2 >out
cat >want <<'END'
[{ "start": 0, "length": 1048576, "depth": 0, "present": true, "zero": true, "data": true, "offset": 327680},
{ "start": 1048576, "length": 65536, "depth": 0, "present": true, "zero": false, "data": true, "offset": 1376256},
{ "start": 1114112, "length": 3080192, "depth": 0, "present": true, "zero": true, "data": true, "offset": 1441792}]
END
cmp out want && [ "$(qemu-img map early.qcow2 | wc -l)" = 2 ] && qemu-img convert -O qcow2 early.qcow2 late.qcow2 && qemu-img compare -q early.qcow2 late.qcow2 && qemu-img check late.qcow2 | grep -q '^1/64 '
ok $? "clusters that nobody wrote yet are zeros, and are not copied"
qemu-img create -q -f qcow2 short.qcow2 1M && qemu-img create -q -f qcow2 -b short.qcow2 -F qcow2 long.qcow2 2M && qemu-img map --output=json long.qcow2 >out
cat >want <<'END'
[{ "start": 0, "length": 1048576, "depth": 1, "present": false, "zero": true, "data": false},
{ "start": 1048576, "length": 1048576, "depth": 0, "present": false, "zero": true, "data": false}]
END
cmp out want
ok $? "map: behind a short backing file the layer above it makes the zeros"
# A guest must not make another format of an image whose format was probed: that could name any file of the host.
truncate -s 1M probed.raw; qemu-img create -q -f qcow2 header.qcow2 1M; head -c 4 header.qcow2 >magic; head -c 512 header.qcow2 >header
qemu-io -c 'write -s header 0 512' -c 'write -P 255 0 8' -c 'write -s magic 0 4' -c 'write -z 4 3' -c 'discard 0 64k' -c 'write -s magic 0 4' probed.raw 2>/dev/null | grep -v sec >out
# magic alone is a version that is none; with the zeros it would be one
printf 'write failed: Operation not permitted\nwrote 8/8 bytes at offset 0\nwrite failed: Operation not permitted\nwrote 3/3 bytes at offset 4\ndiscard 65536/65536 bytes at offset 0\nwrote 4/4 bytes at offset 0\n' >want
cmp out want && qemu-img info probed.raw | grep -q 'format: raw' && qemu-io -f raw -c 'write -s header 0 512' probed.raw | grep -q '^wrote 512'
ok $? "a probed raw image cannot be made another format"
qemu-img create -q -f qcow2 -o compat=0.10 two.qcow2 1M && cp two.qcow2 same.qcow2 && ! qemu-img bitmap --add two.qcow2 b 2>err && grep -q 'Cannot store dirty bitmaps in qcow2 v2 files' err && cmp two.qcow2 same.qcow2 &&
	qemu-img bitmap --add header.qcow2 b && ! qemu-img convert --bitmaps -O qcow2 -o compat=0.10 header.qcow2 two.qcow2 2>err && grep -q "Format driver 'qcow2' does not support bitmaps" err
ok $? "bitmaps are refused where the image has no room for them"
qemu-img check -q -f qcow2 'json:{"driver":"raw","file":{"driver":"file","filename":"header.qcow2"}}' && qemu-img create -q -f qcow2 -b header.qcow2 -F qcow2 upper.qcow2 && mkdir -p sub && (cd sub && qemu-img check -q "blkdebug::$dir/upper.qcow2")
ok $? "a format named beside json: wins; backing files of blkdebug: names lie beside the image"
printf hello >tiny; ! qemu-img bench -f raw -c 1 tiny >/dev/null 2>err && grep -q 'Failed request: Input/output error' err && ! qemu-img bench -f raw -c 1 -d 0 probed.raw >/dev/null 2>&1 &&
	qemu-img resize -q --shrink base.qcow2 1000 2>&1 | grep -q 'multiple of 512' && qemu-img create -q -f vdi v.vdi 1M && { qemu-img check -q -r all v.vdi 2>/dev/null; [ $? = 63 ]; } && [ -z "$(qemu-img check -q --output=json base.qcow2)" ]
ok $? "bench behind the end, odd sizes, checks that cannot repair"
# Ids are no names: "2" is the first snapshot here.
qemu-img create -q -f qcow2 names.qcow2 1M && qemu-img snapshot -c 2 names.qcow2 && qemu-img snapshot -c b names.qcow2 && ! qemu-img snapshot -d 1 names.qcow2 2>err && grep -q "snapshot '1': snapshot not found" err &&
	qemu-img snapshot -d 2 names.qcow2 && [ "$(qemu-img snapshot -l names.qcow2 | grep -c '^2  *b ')" = 1 ]
ok $? "snapshot -d takes names"
qemu-img create -q -f qcow2 -o data_file=far.raw far.qcow2 1M && qemu-img resize -q far.qcow2 3M && [ "$(stat -c %s far.raw)" = 3145728 ] &&
	! qemu-img amend -o backing_fmt=raw upper.qcow2 2>err && grep -q 'Cannot amend the backing file' err && qemu-img amend -o backing_file=header.qcow2,backing_fmt=qcow2 upper.qcow2
ok $? "an image's data file grows with it; amend does not rebase"
# The peer takes the option and ignores it; a smaller size would lose data without a word.
rm -f cut; ! qemu-img convert -f raw -O raw -o size=512k probed.raw cut 2>err && grep -q 'size=524288 would cut the source, which has 1048576 bytes' err && [ ! -e cut ] &&
	qemu-img convert -f raw -O qcow2 -o size=2M probed.raw larger.qcow2 && qemu-img info larger.qcow2 | grep -q 'size: 2 MiB' && qemu-img compare -q -f raw -F qcow2 probed.raw larger.qcow2
ok $? "convert -o size makes the copy larger, never smaller"
exit $bad
