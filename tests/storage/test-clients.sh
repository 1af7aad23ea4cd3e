#!/bin/bash
# One qcow2 disk of several layers, served by the storage daemon: every client sees the same bytes, and the same holes.
# nbdkit the other way round: its servers, and what it has for testing clients, read by qemu-img and qemu-io.
PATH=$BUILD/bin:$PATH
n=0 bad=0
ok() { local what=$1; shift; n=$((n + 1)); if ("$@") >log 2>&1; then echo "ok $n - $what"; else echo "not ok $n - $what"; sed 's/^/# /' log | head -5; bad=1; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
have() { command -v "$1" >/dev/null; }
dir=$(mktemp -d) || exit 1
daemon=
cleanup() { cd /; umount "$dir/mnt" 2>/dev/null; [ -n "$daemon" ] && kill "$daemon" 2>/dev/null && wait "$daemon"; rm -rf "$dir"; }
trap cleanup EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1

# ---- the disk: an ext4 file system where there is mke2fs, data and holes else ----
size=67108864
mkdir tree && seq 1 40000 >tree/numbers && head -c 3000000 /dev/urandom >tree/noise
if have mke2fs; then mke2fs -q -F -t ext4 -d tree disk.raw 64M >/dev/null; else truncate -s 64M disk.raw; dd if=tree/noise of=disk.raw bs=64k seek=100 conv=notrunc status=none; fi
qemu-img convert -f raw -O qcow2 disk.raw base.qcow2 && qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 -o cluster_size=4k top.qcow2 &&
	qemu-io -f qcow2 -c 'write -P 7 50M 123k' -c 'write -z 60M 1M' top.qcow2 >/dev/null && qemu-img convert -O raw top.qcow2 want.raw || exit 1
: >file
set -- --blockdev driver=file,node-name=f,filename=top.qcow2 --blockdev driver=qcow2,node-name=d,file=f \
	--nbd-server addr.type=unix,addr.path="$dir/sock" --export nbd,id=n,node-name=d,name=disk,description=here,writable=on,allocation-depth=on
fuse=1; [ -c /dev/fuse ] || fuse=
qemu-storage-daemon "$@" ${fuse:+--export fuse,id=u,node-name=d,mountpoint=file} 2>err & daemon=$!
for _ in $(seq 100); do [ -S sock ] && [ -z "$fuse" -o -s file ] && break; sleep 0.1; done
uri="nbd+unix:///disk?socket=$dir/sock"

if have nbdcopy; then
	for c in 1 4; do ok "nbdcopy by $c connections reads the disk" bash -c "nbdcopy -C $c '$uri' got.raw && cmp got.raw want.raw"; done
	ok "nbdcopy --synchronous too" bash -c "nbdcopy --synchronous '$uri' got2.raw && cmp got2.raw want.raw"
	ok "nbdinfo: size, flags, contexts" python3 - "$uri" <<'X'
import json, subprocess, sys
x, = json.loads(subprocess.check_output(['nbdinfo', '--json', sys.argv[1]]))['exports']
assert x['export-size'] == 67108864 and x['description'] == 'here' and not x['is_read_only'], x
assert x['can_multi_conn'] and x['can_zero'] and x['can_trim'] and x['can_flush'] and x['can_fua'] and x['can_df'], x
assert sorted(x['contexts']) == ['base:allocation', 'qemu:allocation-depth'], x['contexts']
X
	ok "nbdinfo --map and qemu-img map name the same holes" python3 - "$uri" <<'X'
import json, subprocess, sys
def runs(text, key, hole):
    got = []
    for e in json.loads(text):
        begin, length, is_hole = e[key], e['length'], hole(e)
        if got and got[-1][2] == is_hole:
            got[-1][1] += length
        else:
            got.append([begin, length, is_hole])
    return got
nbd = runs(subprocess.check_output(['nbdinfo', '--map', '--json', sys.argv[1]]), 'offset', lambda e: bool(e['type'] & 2))
img = runs(subprocess.check_output(['qemu-img', 'map', '-U', '--output=json', 'top.qcow2']), 'start', lambda e: e['zero'])
assert nbd == img and len(nbd) > 4, (nbd[:9], img[:9])
X
	ok "nbdinfo --map of qemu:allocation-depth" bash -c "nbdinfo --map=qemu:allocation-depth '$uri' | awk '\$1 == 52428800 && \$3 == 1 { found = 1 } END { exit !found }'"
else
	skip "nbdcopy, nbdinfo" "not installed"
fi
ok "qemu-img compare over NBD" qemu-img compare -f raw -F raw want.raw "$uri"
have /usr/bin/qemu-img && ok "the peer's compare over NBD" /usr/bin/qemu-img compare -f raw -F raw want.raw "$uri"
if [ -n "$fuse" ]; then
	ok "the FUSE export's file holds the same" cmp file want.raw
	ok "holes in it where qemu-img map has them" python3 - <<'X'
import json, os, subprocess
fd = os.open('file', os.O_RDONLY)
for e in json.loads(subprocess.check_output(['qemu-img', 'map', '-U', '--output=json', 'top.qcow2'])):
    if e['length'] >= 1 << 20:
        at = e['start'] + 4096
        hole = os.lseek(fd, at, os.SEEK_HOLE) == at
        assert hole == e['zero'], (e, hole)
X
	if have mke2fs && [ "$(id -u)" = 0 ] && mkdir mnt && mount -o loop,ro file mnt 2>log; then
		ok "mount -o loop of it: the files are there" diff -r -x lost+found tree mnt
		for _ in $(seq 50); do umount mnt 2>/dev/null && break; sleep 0.1; done
	else
		skip "mount -o loop" "needs root, loop devices and mke2fs: $(head -1 log)"
	fi
	have nbdcopy && ok "written by nbdcopy, read in the file" bash -c "nbdcopy tree/noise - | head -c 1048576 >part && nbdcopy part '$uri' && cmp -n 1048576 file part"
else
	skip "FUSE" "no /dev/fuse"
fi
kill "$daemon" && wait "$daemon"; daemon=
ok "the image is whole afterwards" qemu-img check -q top.qcow2

# ---- nbdkit serves ----
if ! have nbdkit; then skip "nbdkit" "not installed"; exit $bad; fi
# kit WHAT ARGUMENTS -- COMMAND: the command sees the server's address as $uri
kit() {
	local what=$1 args=(); shift
	while [ "$1" != -- ]; do args+=("$1"); shift; done
	ok "nbdkit: $what" timeout 60 nbdkit -U - "${args[@]}" --run "$2"
}
kit "pattern" pattern 16M -- 'qemu-img convert -f raw -O qcow2 $uri p.qcow2 && qemu-img compare -f raw -F qcow2 $uri p.qcow2 && nbdcopy $uri p.raw && qemu-img compare -F qcow2 p.raw p.qcow2'
kit "sparse-random: data and holes" sparse-random 128M seed=3 percent=5 -- 'qemu-img convert -f raw -O raw $uri s.raw && nbdcopy $uri t.raw && cmp s.raw t.raw && test $(stat -c %b s.raw) -lt 100000'
kit "extents of data" data '@1048576 "x"*4096 @8388608 "y"*65536' size=16M -- 'qemu-img map --output=json -f raw $uri | python3 -c "import json, sys; x = json.load(sys.stdin); assert sum(e[\"length\"] for e in x if e[\"data\"]) <= 262144, x"'
kit "memory, written at random" memory 64M -- 'qemu-img convert -n -f raw -O raw want.raw $uri && qemu-img compare -f raw -F raw want.raw $uri'
kit "cow filter over a file, trim and zero" --filter=cow file want.raw -- 'qemu-io -f raw -c "write -P 3 1M 1M" -c "write -z 1M 64k" -c "discard 3M 1M" -c "read -P 0 1M 64k" -c "read -P 3 1088k 64k" $uri | (! grep failed)'
kit "no zero, no trim, no extents, no several connections" --filter=nozero --filter=noextents --filter=multi-conn memory 16M multi-conn-mode=disable -- 'qemu-img convert -n -f raw -O raw p.raw $uri && qemu-img compare -f raw -F raw p.raw $uri'
kit "requests in disorder" --filter=delay memory 4M rdelay=5ms wdelay=3ms -- 'qemu-io -f raw -c "aio_write -P 1 0 64k" -c "aio_write -P 2 64k 64k" -c "aio_write -P 3 128k 64k" -c aio_flush -c "read -P 1 0 64k" -c "read -P 2 64k 64k" -c "read -P 3 128k 64k" $uri | (! grep failed)'
kit "read-only exports refuse writes" -r memory 1M -- '! qemu-io -f raw -c "write 0 4k" $uri'
kit "a server whose blocks are larger than what tells a format" --filter=blocksize-policy memory 1M blocksize-minimum=16384 blocksize-preferred=16384 blocksize-maximum=32M -- 'qemu-img info $uri | grep -q "file format: raw"'
kit "a write with FUA is stable before the next" --filter=log memory 1M logfile=nbdkit.log -- 'qemu-io -f raw -c "write -f 0 4k" -c "write 8k 4k" $uri && awk "/ Write .*fua=1/ { stable = 1 } / Write / { writes++ } / Flush / && writes == 1 { stable = 1 } END { exit !(stable && writes == 2) }" nbdkit.log'
kit "one sector after the other of a strange size" --filter=truncate memory 1000000 truncate=1000100 -- 'test $(qemu-img info --output=json -f raw $uri | python3 -c "import json, sys; print(json.load(sys.stdin)[\"virtual-size\"])") -ge 1000100'
# nbdkit as a client of qemu-nbd, and ours as a client of nbdkit
qemu-nbd -t -k "$dir/s2" -f raw -x e p.raw & daemon=$!
for _ in $(seq 100); do [ -S s2 ] && break; sleep 0.1; done
kit "its nbd plugin between two of ours" nbd "uri=nbd+unix:///e?socket=$dir/s2" -- 'qemu-img compare -f raw -F raw p.raw $uri && qemu-io -f raw -c "write -P 5 1M 64k" $uri'
kit "what it wrote is there" nbd "uri=nbd+unix:///e?socket=$dir/s2" -- 'qemu-io -f raw -c "read -P 5 1M 64k" $uri | (! grep failed)'
exit $bad
