#!/bin/bash
# Options do what they say, or are refused: aio=, convert -C, caches and discards of qcow2, limits of blkdebug.
n=0 bad=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
# Runs a command every 0.1 s until it succeeds, for at most 30 s: machines may be slow.
await() { local end=$((SECONDS + 30)); until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done; }
refuses() { local want=$1 out; shift; out=$("$@" 2>&1) && return 1; case $out in *"$want"*) ;; *) echo "# $out"; return 1 ;; esac; }
dir=$(mktemp -d -p /var/tmp) || exit 1 # on a disk: not every tmpfs knows O_DIRECT
holder=
trap '[ -n "$holder" ] && kill $holder 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
head -c 3000000 /dev/urandom >src.raw; truncate -s 16M src.raw

# How many descriptors of its kind the holder of an open image has.
holds() { ls -l /proc/$holder/fd 2>/dev/null | grep -c "$1"; }
has_ring() { [ "$(holds io_uring)" -gt 0 ]; }
for mode in io_uring native; do
	how="-t none -i $mode"
	qemu-img create -q -f qcow2 a.qcow2 64M
	if out=$(qemu-io $how -c quit a.qcow2 2>&1); then
		qemu-io $how -c 'write -q -P 7 1000 5000' -c 'aio_write -q -P 9 1M 100000' -c 'aio_write -q -P 8 2M 700001' -c aio_flush -c flush a.qcow2 &&
			qemu-io -r -c 'read -q -P 7 1000 5000' -c 'read -q -P 9 1M 100000' -c 'read -q -P 8 2M 700001' a.qcow2 >out && ! grep -q . out &&
			qemu-io -r $how -c 'read -q -P 7 1000 5000' -c 'read -q -P 9 1M 100000' -c 'read -q -P 8 2M 700001' a.qcow2 >out && ! grep -q . out
		ok $? "aio=$mode writes and reads"
		opts=driver=raw,file.driver=file,file.filename=src.raw,cache.direct=on,file.aio=$mode
		qemu-img convert --image-opts -O raw $opts b.raw && cmp -s src.raw b.raw
		ok $? "aio=$mode: many requests at once"
	else
		case $out in *"does not support O_DIRECT"* | *"Unable to use"* | *"not supported in this build"*) skip "aio=$mode" "${out##*: }" ;; *) ok 1 "aio=$mode: $out" ;; esac
	fi
done
if qemu-io -i io_uring -c quit a.qcow2 >/dev/null 2>&1; then
	qemu-io -i io_uring -c 'sleep 100000' a.qcow2 >/dev/null 2>&1 & holder=$!
	await has_ring; ok $? "aio=io_uring has a ring"
	kill $holder; wait $holder 2>/dev/null; holder=
fi
refuses "requires cache.direct=on" qemu-io -i native -c quit a.qcow2; ok $? "aio=native without cache.direct is refused"
refuses "nvalid" qemu-io -i posix -c quit a.qcow2; ok $? "an unknown aio mode is refused"

qemu-img convert -f raw -O qcow2 src.raw q.qcow2
for from in src.raw q.qcow2; do
	rm -f o.raw; qemu-img convert -C -O raw $from o.raw && cmp -s src.raw o.raw; ok $? "convert -C of $from"
done
rm -f o.qcow2; qemu-img convert -C -f raw -O qcow2 src.raw o.qcow2 && qemu-img compare -q -f raw src.raw o.qcow2 && qemu-img check -q o.qcow2; ok $? "convert -C to qcow2"
refuses "copy offloading" qemu-img convert -C -S 4k src.raw x.raw; ok $? "convert -C with -S is refused"

for size in 512 4096 65536; do
	qemu-img create -q -f qcow2 c.qcow2 1G
	qemu-io -c "open -o l2-cache-entry-size=$size,l2-cache-size=64k,cache-clean-interval=1 c.qcow2" -c 'write -q -P 3 0 3M' -c 'write -q -P 4 700M 1M' -c 'sleep 1200' \
		-c 'read -q -P 3 0 3M' -c 'read -q -P 4 700M 1M' -c 'write -q -P 5 1M 64k' >out && ! grep -q . out && qemu-io -r -c 'read -q -P 5 1M 64k' c.qcow2 && qemu-img check -q c.qcow2
	ok $? "l2-cache-entry-size=$size, cache-clean-interval=1"
done
refuses "Block node is read-only" qemu-io --image-opts -c quit driver=qcow2,file.filename=c.qcow2,read-only=on && refuses "Block node is read-only" qemu-img resize --image-opts driver=qcow2,file.filename=c.qcow2,read-only=on 9M &&
	refuses "Block node is read-only" qemu-img bench -w -c 1 --image-opts driver=raw,file.driver=file,file.filename=c.qcow2,file.read-only=on &&
	qemu-io -r --image-opts -c 'read -q 0 512' driver=qcow2,file.filename=c.qcow2,read-only=on
ok $? "read-only=on is refused where something is to be written"
refuses "power of two" qemu-io -c 'open -o l2-cache-entry-size=1000 c.qcow2' -c quit; ok $? "a crooked l2-cache-entry-size is refused"

# An open image takes other options, all that are named together or none.
qemu-img create -q -f qcow2 c.qcow2 1G
changes=()
for o in lazy-refcounts=on,pass-discard-request=on lazy-refcounts=off overlap-check=all overlap-check.template=none overlap-check.inactive-l2=on cache-size=1M l2-cache-size=64k \
	refcount-cache-size=128k l2-cache-entry-size=512 l2-cache-entry-size=64k cache-clean-interval=1; do
	changes+=(-c "reopen -o $o" -c 'write -q -P 6 100M 1M' -c 'read -q -P 3 0 3M' -c 'aio_write -q -P 7 200M 1M')
done
qemu-io -c 'write -q -P 3 0 3M' "${changes[@]}" -c aio_flush c.qcow2 >out 2>&1; r=$?; cat out | grep . | sed 's/^/# /'
[ $r = 0 ] && ! grep -q . out && qemu-io -r -c 'read -q -P 3 0 3M' -c 'read -q -P 6 100M 1M' -c 'read -q -P 7 200M 1M' c.qcow2 >out && ! grep -q . out && qemu-img check -q c.qcow2
ok $? "reopen -o changes the caches, the checks, the discards of an image in use"
bad_reopen() { refuses "$1" qemu-io -c "reopen -o lazy-refcounts=on,$2" c.qcow2; }
bad_reopen "may not be set at the same" cache-size=1M,l2-cache-size=64k,refcount-cache-size=64k && bad_reopen "L2 cache size too big" l2-cache-entry-size=512,l2-cache-size=1T &&
	bad_reopen "power of two" l2-cache-entry-size=33k && bad_reopen "Allowed are" overlap-check=blubb && bad_reopen "Cannot change the option" size=5
ok $? "reopen -o refuses what open refuses"
dirty() { [ "$(od -An -tu1 -j79 -N1 c.qcow2 | tr -d ' ')" = 1 ]; }
{ qemu-io -c 'reopen -o lazy-refcounts=on,overlap-check=blubb' -c 'reopen -o lazy-refcounts=on,size=5' -c 'write -q 300M 64k' -c 'sigraise 9' c.qcow2; } >/dev/null 2>&1
! dirty; ok $? "a reopen that is refused changes nothing"
{ qemu-io -c 'reopen -o lazy-refcounts=on' -c 'reopen -o cache-size=1M' -c 'write -q 400M 64k' -c 'sigraise 9' c.qcow2; } >/dev/null 2>&1
dirty; ok $? "what a reopen does not name stays"
qemu-img check -q -r all c.qcow2
# The checks themselves: the count of the L1 table says that there is room.
for how in none,cached cached,none; do
	qemu-img create -q -f qcow2 c.qcow2 64M; printf '\0\0' | dd of=c.qcow2 bs=1 seek=$((0x20000 + 3 * 2)) conv=notrunc status=none
	said=$(qemu-io -c "reopen -o overlap-check=${how%,*}" -c "reopen -o overlap-check=${how#*,}" -c 'write 64k 64k' c.qcow2 2>&1)
	case $how,$said in none,cached,*"overlaps with active L1"*) true ;; cached,none,*overlaps*) false ;; cached,none,*) true ;; *) false ;; esac
	ok $? "reopen -o overlap-check=${how#*,}"
done

blocks() { stat -c %b d.qcow2; }
qemu-img create -q -f qcow2 d.qcow2 32M; qemu-io -c 'write -q 0 8M' d.qcow2; qemu-img snapshot -c s d.qcow2; qemu-io -c 'write -q 0 8M' d.qcow2
before=$(blocks); cp --sparse=always d.qcow2 keep.qcow2; qemu-img snapshot -d s d.qcow2; [ "$(blocks)" -lt $((before - 8192)) ] && qemu-img check -q d.qcow2
ok $? "a deleted snapshot's room goes back to the host"
cp --sparse=always keep.qcow2 d.qcow2; before=$(blocks); qemu-img snapshot --image-opts -d s driver=qcow2,file.filename=d.qcow2,pass-discard-snapshot=off; [ "$(blocks)" -gt $((before - 8192)) ]
ok $? "pass-discard-snapshot=off keeps it"
# Room that overwriting gives up: compressed clusters'.
base64 -w 0 src.raw | head -c 3M >text.raw
for how in off on; do
	qemu-img convert -c -f raw -O qcow2 text.raw d.qcow2; before=$(blocks)
	qemu-io -c "open -o pass-discard-other=$how d.qcow2" -c 'write -q -z 0 2M' -c flush -c 'read -q -P 0 0 2M' >out && ! grep -q . out && qemu-img check -q d.qcow2; r=$?
	if [ $how = on ]; then [ $r = 0 ] && [ "$(blocks)" -lt $((before - 2000)) ]; else [ $r = 0 ] && [ "$(blocks)" -ge $before ]; fi
	ok $? "pass-discard-other=$how"
done

qemu-img create -q -f qcow2 -o cluster_size=1M e.qcow2 128M; qemu-io -c 'write -q -P 22 0 128M' e.qcow2
lim="open -o driver=blkdebug,image.driver=qcow2,image.file.filename=e.qcow2"
qemu-io -c "$lim,align=4096,max-transfer=65536" -c 'write -q -P 33 1000 128k' -c 'read -q -P 33 1000 128k' -c 'read -q -P 22 0 1000' >out && ! grep -q . out
ok $? "blkdebug align widens"
qemu-io -c "$lim,align=512,opt-discard=15M,max-discard=15M,discard=unmap" -c 'discard -q 80000001 30M' >/dev/null
qemu-io -r -c 'read -q -P 22 64M 13M' -c 'read -q -P 0 77M 29M' -c 'read -q -P 22 106M 22M' e.qcow2 >out && ! grep -q . out
ok $? "blkdebug opt-discard splits at its multiples"

# convert over a backing file that is shorter than the disk: what lies behind its end is not written where it is zeros, and is where the source's own, longer one has data.
qemu-img create -q -f qcow2 long.qcow2 64M; qemu-io -c 'write -q -P 1 0 1M' -c 'write -q -P 2 40M 1M' long.qcow2
qemu-img create -q -f qcow2 short.qcow2 16M; qemu-io -c 'write -q -P 1 0 1M' short.qcow2
qemu-img create -q -f qcow2 -b long.qcow2 -F qcow2 top.qcow2; qemu-io -c 'write -q -P 3 50M 64k' top.qcow2
qemu-img convert -O qcow2 -B short.qcow2 -F qcow2 -o compat=0.10 top.qcow2 x.qcow2 && qemu-img compare -q top.qcow2 x.qcow2 &&
	[ "$(qemu-img map x.qcow2 | awk 'NR > 1 { print $1, $2, $4 }' | tr '\n' ' ')" = "0 0x100000 short.qcow2 0x2800000 0x100000 x.qcow2 0x3200000 0x10000 x.qcow2 " ]
ok $? "convert -B of a shorter backing file writes what is not zero, and no more"
for how in "" -c; do
	qemu-img convert $how -S 0 -O qcow2 long.qcow2 x.qcow2 && [ "$(qemu-img map --output=json x.qcow2 | grep -c '"data": true')" = 1 ] && qemu-img compare -q long.qcow2 x.qcow2 && ! qemu-img map --output=json x.qcow2 | grep -q '"data": false'
	ok $? "convert $how -S 0 writes zeros as well"
done
qemu-img create -q -f qcow2 x.qcow2 64M; refuses "-o has no effect when skipping image creation" qemu-img convert -n -O qcow2 -o preallocation=metadata long.qcow2 x.qcow2 &&
	qemu-img convert -n -O qcow2 -B short.qcow2 long.qcow2 x.qcow2 && qemu-img compare -q long.qcow2 x.qcow2
ok $? "convert -n refuses -o, and takes -B for a target without a backing file"
[ "$(qemu-io -r -c 'alloc 63M 5P' -c 'alloc 64M 1' long.qcow2 | tr '\n' ' ')" = "0/1048576 bytes allocated at offset 63 MiB 0/0 bytes allocated at offset 64 MiB " ]
ok $? "alloc counts up to the disk's end"

# A snapshot whose entry is longer than it may be: nothing opens it but a repair, which keeps the snapshot.
qemu-img create -q -f qcow2 s.qcow2 1M; qemu-io -c 'write -q -P 4 0 64k' s.qcow2; qemu-img snapshot -c here s.qcow2; qemu-io -c 'write -q -P 5 0 64k' s.qcow2
python3 - <<'X'
f = open('s.qcow2', 'r+b')
f.seek(64)
at = int.from_bytes(f.read(8), 'big')
f.seek(at)
entry = f.read(40)
extra, names = int.from_bytes(entry[36:], 'big'), int.from_bytes(entry[12:14], 'big') + int.from_bytes(entry[14:16], 'big')
known, rest = f.read(extra), f.read(names)
f.seek(at)
f.write(entry[:36] + (5000).to_bytes(4, 'big') + known.ljust(5000, b'x') + rest)
X
refuses "check -r all" qemu-img info s.qcow2 && refuses "Too much extra metadata in snapshot table entry 0" qemu-img check s.qcow2 && refuses "Too much extra" qemu-img check -r leaks s.qcow2 &&
	qemu-img check -r all s.qcow2 >out 2>&1 && grep -q '(5000 > 1024)' out && qemu-img check -q s.qcow2 && qemu-img snapshot -l s.qcow2 | grep -q here &&
	qemu-img snapshot -a here s.qcow2 && qemu-io -r -c 'read -q -P 4 0 64k' s.qcow2 >out && ! grep -q . out
ok $? "a snapshot with too much extra data is repaired"

# A compressed write that fails has taken room, and gives it back; the next one finds it.
qemu-img create -q -f qcow2 w.qcow2 1M; qemu-io -c 'write -q -c 0 64k' w.qcow2
refuses "Input/output error" qemu-io -c 'open -o driver=qcow2,file.driver=blkdebug,file.image.filename=w.qcow2,file.inject-error.0.event=write_compressed' -c 'write -c -P 9 64k 64k' -c 'write -c -P 9 512k 64k' &&
	[ "$(qemu-img check w.qcow2 2>&1 | grep -c 'No errors')" = 1 ] && qemu-io -c 'write -q -c -P 7 64k 64k' -c 'read -q -P 7 64k 64k' w.qcow2 >out && ! grep -q . out && qemu-img check -q w.qcow2
ok $? "a compressed write that fails leaks nothing"

# Zeros that show through an image stay zeros when data comes to lie below it, whatever the version.
for compat in 0.10 1.1; do
	rm -f r?.qcow2; qemu-img create -q -f qcow2 -o compat=$compat r1.qcow2 4M; qemu-img create -q -f qcow2 r2.qcow2 4M
	qemu-io -c 'write -q -P 1 0 100k' r1.qcow2; qemu-io -c 'write -q -P 2 0 4M' r2.qcow2
	qemu-img rebase -b r2.qcow2 -F qcow2 r1.qcow2 && qemu-io -r -c 'read -q -P 1 0 100k' -c 'read -q -P 0 100k 3996k' r1.qcow2 >out && ! grep -q . out && qemu-img check -q r1.qcow2
	ok $? "rebase keeps zeros (compat=$compat)"
done
# One request over data and zeros with room.
qemu-img create -q -f qcow2 m.qcow2 1M; qemu-io -c 'write -q -P 1 0 512k' -c 'write -q -z 64k 64k' -c 'write -q -z 256k 128k' -c 'write -q -P 2 64k 400000' m.qcow2
qemu-io -r -c 'read -q -P 1 0 64k' -c 'read -q -P 2 64k 400000' -c 'read -q -P 1 465536 58752' m.qcow2 >out && ! grep -q . out && qemu-img check -q m.qcow2
ok $? "a write over data and zeros that have room"
exit $bad
