#!/bin/bash
# Filters: throttle, copy-before-write, copy-on-read, blkverify, blklogwrites, preallocate, quorum, compress.
n=0 bad=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
refuses() { local want=$1 out; shift; out=$("$@" 2>&1) && return 1; case $out in *"$want"*) ;; *) echo "# $out"; return 1 ;; esac; }
io() { qemu-io --image-opts "$@" >out 2>&1; ! grep -q . out || { sed 's/^/# /' out; return 1; }; }
fails() { local want=$1; shift; qemu-io --image-opts "$@" >out 2>&1; grep -q "$want" out || { sed 's/^/# /' out; return 1; }; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1

# throttle: 1 MiB/s; a tenth of a second is free, the rest of 1 MiB takes about 0.9 s.
group() { qemu-io --object "throttle-group,id=g,$1" --image-opts "${@:2}" driver=throttle,throttle-group=g,file.driver=null-co,file.read-zeroes=on; }
took() { local start=${EPOCHREALTIME/./}; "$@" >/dev/null 2>&1 || return 1; ms=$(((${EPOCHREALTIME/./} - start) / 1000)); }
took group limits.bps-total=1M -c 'write 0 256k' -c 'write 0 256k' -c 'read 0 512k' -c 'read 0 512'; [ $ms -ge 800 ] && [ $ms -lt 20000 ]
ok $? "throttle: bytes a second, over reads and writes ($ms ms)"
took group x-iops-write=10 -c 'write 0 512' -c 'write 0 512' -c 'write 0 512' -c 'write 0 512' -c 'write 0 512' -c 'write 0 512'; [ $ms -ge 300 ]
ok $? "throttle: requests a second ($ms ms)"
took group x-iops-total=10,x-iops-size=4096 -c 'write 0 20k' -c 'write 0 512'; [ $ms -ge 350 ]; ok $? "throttle: long requests count for more ($ms ms)"
took group x-bps-read=1k -c 'write 0 1M'; fast=$ms
took group x-bps-total=1k,x-bps-total-max=2M -c 'write 0 1M' -c 'write 0 512'; [ $fast -lt 5000 ] && [ $ms -lt 5000 ]; ok $? "throttle: a burst is let through; reads' limits are not writes' ($fast, $ms ms)"
refuses "cannot be used at the same time" group x-iops-total=5,x-iops-read=3 -c quit &&
	refuses "require corresponding" group x-iops-total-max=5 -c quit && refuses "cannot be lower" group x-bps-total=10,x-bps-total-max=5 -c quit &&
	refuses "without burst rate" group x-bps-total=10,x-bps-total-max-length=5 -c quit && refuses "cannot be 0" group x-bps-total=10,x-bps-total-max-length=0 -c quit &&
	refuses "negative" group x-bps-total=-1 -c quit && refuses "iops size" group x-iops-size=4 -c quit && refuses "foo" group foo=3 -c quit
ok $? "throttle: limits that make no sense are refused"
refuses "does not exist" qemu-io --image-opts -c quit driver=throttle,file.driver=null-co,throttle-group=x &&
	refuses "specify a throttle group" qemu-io --image-opts -c quit driver=throttle,file.driver=null-co
ok $? "throttle: a missing group is refused"

# copy-before-write
qemu-img create -q -f raw a.raw 1M; qemu-io -f raw -c 'write -q -P 1 0 1M' a.raw; qemu-img create -q -f qcow2 t.qcow2 1M
cbw=driver=copy-before-write,file.driver=raw,file.file.filename=a.raw,target.driver=qcow2,target.file.filename=t.qcow2
io -c 'write -q -P 2 100k 4k' -c 'write -q -z 512k 64k' -c 'read -q -P 2 100k 4k' -c 'read -q -P 1 0 100k' $cbw &&
	qemu-img map --output=json t.qcow2 | grep -c '"data": true' | grep -qx 2 && io -c 'read -q -P 1 64k 64k' -c 'read -q -P 1 512k 64k' driver=qcow2,file.filename=t.qcow2
ok $? "copy-before-write keeps what was there"
qemu-img create -q -f qcow2 small.qcow2 512k
refuses "less than the disk" qemu-io --image-opts -c quit "${cbw/t.qcow2/small.qcow2}" && refuses "on-cbw-error" qemu-io --image-opts -c quit "$cbw,on-cbw-error=foo" &&
	refuses "gives no access" qemu-io -r --image-opts -c quit driver=snapshot-access,file.driver=null-co
ok $? "copy-before-write, snapshot-access: what cannot be is refused"

# copy-on-read, as a filter
qemu-img create -q -f qcow2 -b a.raw -F raw mid.qcow2; qemu-io -c 'write -q -P 9 0 64k' mid.qcow2; qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2
cor=driver=copy-on-read,file.driver=qcow2,file.file.filename=top.qcow2
io -c 'read -q -P 9 4k 4k' "$cor,file.backing.driver=qcow2,file.backing.file.filename=mid.qcow2,file.backing.node-name=mid,bottom=mid" -c 'read -q -P 1 128k 64k' &&
	qemu-img map --output=json top.qcow2 >map && grep -q '"start": 0, "length": 65536, "depth": 0' map && ! grep -q '"start": 131072' map
ok $? "copy-on-read: bottom says from where"
io -c 'read -q -P 1 128k 4k' "$cor" && qemu-img map --output=json top.qcow2 | grep -q '"start": 131072, "length": 65536, "depth": 0'; ok $? "copy-on-read keeps whole clusters"
qemu-img convert -O raw --image-opts driver=copy-on-read,file.driver=qcow2,file.file.filename=top.qcow2 c.raw && qemu-img compare -f raw -F qcow2 c.raw top.qcow2 >/dev/null
ok $? "a filter shows the backing chain below it"

# blkverify
qemu-img create -q -f qcow2 v.qcow2 1M; qemu-img create -q -f raw v.raw 1M
qemu-io -c 'write -q -P 3 1000 5000' -c 'write -q -z 4k 4k' -c 'read -q 0 1M' -f raw blkverify:v.raw:v.qcow2 >out 2>&1 && ! grep -q . out; ok $? "blkverify: both get the same"
qemu-io -f raw -c 'write -q -P 4 3000 1' v.raw
fails "contents mismatch at offset 3000" -c 'read 0 64k' driver=blkverify,raw.filename=v.raw,test.driver=qcow2,test.file.filename=v.qcow2; ok $? "blkverify: a difference is found"

# The filter named by an option, its image by the file name.
qemu-io -c "open -o file.driver=blkdebug,file.inject-error.0.event=none,file.inject-error.0.iotype=read,file.inject-error.0.sector=2,driver=raw $dir/v.raw" -c 'read 0 512' -c 'read 1k 512' >out 2>&1
grep -q 'read 512/512 bytes at offset 0' out && grep -q 'read failed: Input/output error' out; ok $? "blkdebug above a file that is named"
qemu-img create -q -f raw v2.raw 1M && cp v2.raw v3.raw && qemu-io -c "open -o driver=blkverify,raw.filename=$dir/v2.raw $dir/v3.raw" -c 'write -q -P 3 0 4k' -c 'read -q -P 3 0 4k' >out 2>&1 && cmp -s v2.raw v3.raw && ! grep -q 'rror\|failed' out
ok $? "blkverify of a file that is named"

# blklogwrites: three writes, a flush; the log as Linux's replay-log reads it.
qemu-img create -q -f raw l.raw 1M
log=driver=blklogwrites,file.driver=raw,file.file.filename=l.raw,log.filename=log
: >log; io -c 'write -q -P 5 0 4k' -c 'write -q -P 6 8k 1k' -c 'write -q -z 16k 512' -c flush "$log,file.discard=unmap"
cat >replay.py <<'END'
import struct, sys
data = open('log', 'rb').read()
magic, version, n, size = struct.unpack_from('<QQQI', data)
assert (magic, version) == (0x6a736677736872, 1), (magic, version)
disk, at, flushes = bytearray(1 << 20), size, 0
if len(sys.argv) > 1:
    before = open(sys.argv[1], 'rb').read()
    disk[:len(before)] = before
for _ in range(n):
    sector, count, flags, length = struct.unpack_from('<QQQQ', data, at)
    at += size
    if length:
        disk[sector * size:sector * size + length] = data[at:at + length]
    flushes += flags & 1
    at += length
open('replayed', 'wb').write(disk)
print(n, size, flushes > 0)
END
head=$(python3 replay.py) && cmp -s replayed l.raw && [ "${head#* }" = "512 True" ]; ok $? "blklogwrites: the log replays ($head)"
io -c 'write -q -P 7 32k 4k' "$log,log-append=on" && python3 replay.py >/dev/null && cmp -s replayed l.raw; ok $? "blklogwrites: log-append goes on"
qemu-img create -q -f raw l.raw 1M; : >log; io -c 'write -q -P 5 0 4k' "$log,log-sector-size=4096" && head=$(python3 replay.py) && cmp -s replayed l.raw && [ "${head#* }" = "4096 True" ]
refuses "Invalid log sector size 1000" qemu-io --image-opts -c quit "$log,log-sector-size=1000" && refuses "interval 0" qemu-io --image-opts -c quit "$log,log-super-update-interval=0"
ok $? "blklogwrites: log-sector-size"

# Writes between the flushes of bench, which waits for those that are under way; not with --no-drain.
between() {
	python3 - <<'END'
import struct
data = open('log', 'rb').read()
n, size = struct.unpack_from('<QI', data, 16)
at, writes, out = size, 0, []
for _ in range(n):
    _, _, flags, length = struct.unpack_from('<QQQQ', data, at)
    at += size + length
    writes += not flags & 1
    if flags & 1 and writes:
        out.append(writes)
        writes = 0
print(*out)
END
}
bench() { : >log; qemu-img bench --image-opts -w -t writeback -c 24 -d 5 --flush-interval=8 "$@" >out 2>&1; }
log=driver=blklogwrites,file.driver=raw,file.file.filename=l.raw,log.filename=log
bench "$log" && grep -q 'every 8 drained requests' out && [ "$(between)" = '8 8 8' ] && bench --no-drain "$log" && grep -q 'every 8 requests' out && [ "$(between)" != '8 8 8' ]
ok $? "bench: --flush-interval waits for what is under way, --no-drain does not"

# Metadata of a format are no whole sectors.
qemu-img create -q -f qcow2 -o cluster_size=4k l.qcow2 1M && qemu-io -f qcow2 -c 'write -q -P 1 0 100k' l.qcow2 && cp l.qcow2 before; : >log
log=driver=qcow2,file.driver=blklogwrites,file.file.driver=file,file.file.filename=l.qcow2,file.log.driver=file,file.log.filename=log
qemu-img snapshot --image-opts -c s "$log" && qemu-img bitmap --image-opts --add "$log,file.log-append=on" b &&
	io -c 'write -q -P 2 10k 33k' "$log,file.log-append=on" && python3 replay.py before >/dev/null && truncate -s 1M replayed l.qcow2 && cmp -s replayed l.qcow2
ok $? "blklogwrites below qcow2: the log replays"

# preallocate
qemu-img create -q -f qcow2 p.qcow2 64M
pre=driver=qcow2,file.driver=preallocate,file.file.filename=p.qcow2,file.prealloc-size=8M,file.prealloc-align=4M
{ printf 'write -q -P 1 0 1M\n'; sleep 2; stat -c %s p.qcow2 >during; printf 'write -q -P 2 1M 64k\nquit\n'; } | qemu-io --image-opts "$pre" >/dev/null
[ "$(cat during)" -ge 8388608 ] && [ $(($(cat during) % 4194304)) = 0 ] && [ "$(stat -c %s p.qcow2)" -lt 2097152 ] && qemu-img check -q p.qcow2 && qemu-io -c 'read -q -P 2 1M 64k' p.qcow2
ok $? "preallocate: longer while it is open ($(cat during)), cut at the end ($(stat -c %s p.qcow2))"
refuses "prealloc-align" qemu-io --image-opts -c quit driver=preallocate,file.driver=null-co,prealloc-align=1000; ok $? "preallocate: a bad unit is refused"

# quorum
for i in 0 1 2; do qemu-img create -q -f raw q$i.raw 1M; done
q=driver=quorum; for i in 0 1 2; do q+=,children.$i.driver=raw,children.$i.file.filename=q$i.raw; done
io -c 'write -q -P 7 0 1M' "$q,vote-threshold=2" && cmp -s q0.raw q1.raw && cmp -s q0.raw q2.raw && qemu-io -f raw -c 'read -q -P 7 0 1M' q2.raw; ok $? "quorum: every child is written"
qemu-io -f raw -c 'write -q -P 8 64k 1k' q1.raw
qemu-io --image-opts -r -c 'read -q -P 7 0 1M' "$q,vote-threshold=2" >out 2>&1; ! grep -q Pattern out && grep -q outvoted out; ok $? "quorum: the vote decides"
fails "error" -c 'read 64k 1k' "$q,vote-threshold=3"; ok $? "quorum: too few votes are an error"
qemu-io --image-opts -c 'read -q 0 1M' "$q,vote-threshold=2,rewrite-corrupted=on" >/dev/null 2>&1; cmp -s q0.raw q1.raw; ok $? "quorum: rewrite-corrupted"
bad_child=${q/children.0.driver=raw,children.0.file.filename/children.0.driver=blkdebug,children.0.inject-error.0.event=none,children.0.image.driver=file,children.0.image.filename}
qemu-io --image-opts -c 'write -q -P 9 0 64k' -c flush -c 'read -q -P 9 0 64k' "$bad_child,vote-threshold=2" >out 2>&1; ! grep -qE 'Pattern|failed:' out; ok $? "quorum: a failing child does not matter"
fails "failed" -c 'write -P 9 0 64k' "$bad_child,vote-threshold=3"; ok $? "quorum: but with all votes needed"
qemu-io --image-opts -r -c 'read -q -P 9 0 64k' "$bad_child,read-pattern=fifo,vote-threshold=2" >out 2>&1; ! grep -qE 'Pattern|^read failed' out; ok $? "quorum: fifo asks the next one"
refuses "1 or more" qemu-io --image-opts -c quit driver=quorum && refuses ">= 1" qemu-io --image-opts -c quit "$q" && refuses "may not exceed" qemu-io --image-opts -c quit "$q,vote-threshold=4" &&
	refuses "exactly two" qemu-io --image-opts -c quit "$q,vote-threshold=2,blkverify=on" && refuses "fifo or quorum" qemu-io --image-opts -c quit "$q,vote-threshold=2,read-pattern=x"
ok $? "quorum: what cannot be is refused"
exit $bad
