#!/bin/bash
# Random sequences of operations on one image, done in turns by these tools and by an installed qemu-img: writes, zeros, discards, resizes,
# snapshots, bitmaps, commits. After each turn the other side compares contents with a plain file, checks, and reads the metadata.
# RHEA_CROSS_TURNS: turns a format (default 4), RHEA_CROSS_OPS: writes and zeros in each (default 10); RHEA_CROSS_SEED; RHEA_CROSS_ONLY: the
# variants, a pattern (qcow2 data_file). PEER: folder of the other side's tools.
peer=${PEER:-/usr/bin} turns=${RHEA_CROSS_TURNS:-4} ops=${RHEA_CROSS_OPS:-10}
ours=$(realpath "$BUILD/bin")
if ! "$peer/qemu-img" --version >/dev/null 2>&1 || ! "$peer/qemu-io" --version >/dev/null 2>&1 || "$peer/qemu-img" --version | grep -q Rhea; then
	echo "ok 1 - operations cross over # SKIP there is no other qemu-img and qemu-io in $peer"
	exit 0
fi
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
RANDOM=${RHEA_CROSS_SEED:-4711} n=0 status=0
MAX=$((32 << 20))

say() { echo "# $*" | head -4; return 1; }
size() { stat -c %s raw; }
# The image as its format's driver opens it: desc FILE.
desc() { echo "driver=$fmt,file.driver=file,file.filename=$1$extra"; }
img() { "$1/qemu-img" "$2" "${secret[@]}" --image-opts "${@:3}"; }
io() { "$1/qemu-io" -d unmap "${secret[@]}" --image-opts "${@:2}" "$(desc img)" >out 2>&1 && ! grep -q 'failed\|rror' out || say "$1 ${*:2}: $(cat out)"; }
# Both tools change what they are given; the plain file is changed by the peer's.
both() { io "$1" "${@:2}" && "$peer/qemu-io" -f raw "${@:2}" raw >/dev/null; }
change() { # TOOLS
	local end at len k c=()
	end=$(size)
	for ((k = 0; k < ops; k++)); do
		at=$((RANDOM * 1031 % end / 512 * 512)) len=$((RANDOM % 4 ? RANDOM : RANDOM * 20)) len=$(((len % (end - at)) / 512 * 512 + 512))
		[ $((at + len)) -gt "$end" ] && len=$((end - at))
		case $((RANDOM % 6)) in
		0) c+=(-c "write -q -z $at $len") ;;
		1) c+=(-c "write -q -z -u $at $len") ;;
		*) c+=(-c "write -q -P $((RANDOM % 255 + 1)) $at $len") ;;
		esac
	done
	both "$1" "${c[@]}"
}
# What a discard leaves is not said: the range is written afterwards.
discard() { local at=$((RANDOM * 480 / 65536 * 65536)); io "$1" -c "discard -q $at 256k" && both "$1" -c "write -q -P 3 $at 256k"; }
packed() { # compressed clusters; the peer writes none over data when entries are extended
	local at k
	for k in 1 2 3 4; do
		at=$((RANDOM * 480 / 65536 * 65536))
		io "$1" -c "write -q -z -u $at 64k" -c "write -q -c -P $k $at 64k" && "$peer/qemu-io" -f raw -c "write -q -P $k $at 64k" raw >/dev/null || return
	done
}
resize() { # up, and down where the format can
	local to=$((RANDOM % 64 * 262144 + (16 << 20)))
	case $fmt in qcow2 | raw) ;; *) to=$(($(size) + 1048576)) ;; esac
	[ "$to" -le $MAX ] || return 0
	# What was cut off and comes back as zeros need not be dirty: the peer's bitmaps do not say so.
	img "$1" resize -q --shrink "$(desc img)" $to && truncate -c -s $to raw since.*
}
bitmaps() { img "$1" info --output=json "$(desc img)" | grep -q '"granularity"'; }
snapshot() {
	local names have
	mapfile -t names < <(ls snap.* 2>/dev/null | sed 's/snap.//')
	have=${names[$((RANDOM % (${#names[@]} + 1)))]}
	case $((RANDOM % 3)) in
	0) have=s$RANDOM; [ ${#names[@]} -lt 4 ] && [ ! -e snap.$have ] && img "$1" snapshot -c $have "$(desc img)" && cp raw snap.$have ;;
	1) [ -z "$have" ] || bitmaps "$1" || { img "$1" snapshot -a "$have" "$(desc img)" && cp "snap.$have" raw; } ;;
	2) [ -z "$have" ] || { img "$1" snapshot -d "$have" "$(desc img)" && rm "snap.$have"; } ;;
	esac || [ ${#names[@]} -ge 4 ]
}
# A bitmap is made once there is none, else cleared, switched off or removed; since.B: the disk when it was last clear, while it follows writes.
bitmap() {
	local b=b$((RANDOM % 3)) what
	img "$1" info --output=json "$(desc img)" | grep -q "\"$b\"" || { img "$1" bitmap --add -g $((4096 << RANDOM % 6)) "$(desc img)" $b && cp raw since.$b; return; }
	what=(clear clear disable remove)
	what=${what[$((RANDOM % 4))]}
	rm -f since.$b
	img "$1" bitmap --$what "$(desc img)" $b || return
	[ $what != clear ] || { img "$1" bitmap --enable "$(desc img)" $b && cp raw since.$b; }
}
over() { # an overlay takes changes and is committed; the peer's qed shows other contents once zeros are written to an overlay
	local t=$1
	[ "$fmt" != qed ] || t=$ours
	mv img base && "$t/qemu-img" create -q -f "$fmt" -b base -F "$fmt" img && change "$t" && img "$t" commit -q "$(desc img)" && mv base img
}
# What a bitmap says, by the server of TOOLS.
dirty() { # TOOLS BITMAP
	"$1/qemu-nbd" -r -B "$2" --fork --pid-file pid -k "$PWD/sock" --image-opts "$(desc img)" || return
	local p k # it ends behind its client
	p=$(cat pid)
	timeout 20 "$peer/qemu-img" map --output=json --image-opts "driver=nbd,server.type=unix,server.path=$PWD/sock,x-dirty-bitmap=qemu:dirty-bitmap:$2" || return
	for ((k = 0; k < 500; k++)); do grep -qs "^State:.[^Z]" "/proc/$p/status" || return 0; sleep 0.02; done # a zombie has ended, too
	say "the server of $1 does not end behind its client"
}
# The dirty parts cover what differs between two files.
covers() { # MAP OLD NEW
	python3 - "$@" <<'P'
import json, sys
dirty = [m for m in json.load(open(sys.argv[1])) if not m['data']]
old, new = (open(f, 'rb').read() for f in sys.argv[2:])
old = old[:len(new)].ljust(len(new), b'\0')
at = 0
for m in dirty + [{'start': len(new), 'length': 0}]:
    if old[at:m['start']] != new[at:m['start']]:
        sys.exit(1)
    at = m['start'] + m['length']
P
}
bitmaps_agree() {
	local b
	for b in b0 b1 b2; do
		img "$ours" info --output=json "$(desc img)" | grep -q "\"$b\"" || continue
		dirty "$ours" $b >map.ours && dirty "$peer" $b >map.peer || say "bitmap $b is not served" || return
		cmp -s map.ours map.peer || say "bitmap $b: $(diff map.ours map.peer)" || return
		[ ! -e since.$b ] || covers map.ours since.$b raw || say "bitmap $b misses a write" || return
	done
}
# The metadata that both sides must tell alike.
facts() {
	img "$1" info --output=json "$(desc img)" | grep -E '"(virtual-size|cluster-size|name|vm-state-size|granularity|refcount-bits|compat|corrupt)"' | sed 's/^ *//; s/,$//' | sort
}
agree() { # what both sides say of the image
	local t s
	for t in "$ours" "$peer"; do
		img "$t" compare -q "$(desc img)" driver=raw,file.driver=file,file.filename=raw || say "$t: other contents" || return
		img "$t" check -q "$(desc img)" >out 2>&1
		case $? in 0 | 63) ;; *) say "$t: check: $(head -3 out)"; return 1 ;; esac
		for s in snap.*; do
			[ -e "$s" ] || continue
			# The peer reads a snapshot in the size of the disk.
			[ "$t" = "$ours" ] || [ "$(stat -c %s "$s")" = "$(size)" ] || continue
			img "$t" convert -l "${s#snap.}" -O raw "$(desc img)" then && cmp -s then "$s" || say "$t: snapshot $s differs" || return
		done
	done
	[ "$(facts "$ours")" = "$(facts "$peer")" ] || say "facts differ: $(diff <(facts "$ours") <(facts "$peer"))" || return
	bitmaps_agree
}
run() { # FORMAT OPTIONS OPERATIONS...
	local o=$2 t kinds=("${@:3}") op r=0 i
	fmt=$1
	[[ "$fmt $o" =~ $RHEA_CROSS_ONLY ]] || return
	extra='' secret=()
	case $fmt,$o in
	luks,*) extra=,key-secret=s ;;
	*encrypt*) extra=,encrypt.key-secret=s ;;
	esac
	[ -z "$extra" ] || secret=(--object secret,id=s,data=pass)
	rm -f img* raw base snap.* since.* data
	truncate -s 16M raw
	"${creators[$((n % 2))]}/qemu-img" create -q "${secret[@]}" -f "$fmt" ${o:+-o "$o"} img 16M || r=1
	[ "$fmt" != luks ] || both "$ours" -c 'write -q -z 0 16M' || r=1 # what was never written is anything
	for ((i = 0; i < turns && !r; i++)); do
		t=$ours; [ $((i % 2)) = 0 ] || t=$peer
		op=${kinds[$((RANDOM % ${#kinds[@]}))]}
		change "$t" && $op "$t" && agree || { r=1; echo "# turn $i: $op by $t"; }
	done
	n=$((n + 1)); if [ $r = 0 ]; then echo "ok $n - $fmt ${o:+($o)}: $turns turns of $ops writes"; else echo "not ok $n - $fmt ${o:+($o)}"; status=1; fi
}
creators=("$peer" "$ours")
fast=iter-time=10
run qcow2 '' resize snapshot discard bitmap over snapshot packed bitmap
run qcow2 cluster_size=4k,refcount_bits=32 resize snapshot discard bitmap snapshot
run qcow2 extended_l2=on,compression_type=zstd resize snapshot discard over snapshot packed
run qcow2 compat=0.10 snapshot discard packed
run qcow2 data_file=data resize discard bitmap
run qcow2 encrypt.format=luks,encrypt.key-secret=s,encrypt.$fast resize snapshot discard
run raw '' resize discard
run luks key-secret=s,$fast change discard
run qed '' resize over change
run qcow '' over change
run vmdk '' over change
run vmdk subformat=twoGbMaxExtentSparse change discard
run vmdk subformat=monolithicFlat change discard
run vdi '' change discard
run vdi static=on change discard
run vhdx '' change discard
run vhdx subformat=fixed,block_size=1M change discard
run parallels '' change discard
run vpc force_size=on change discard
run vpc subformat=fixed,force_size=on change discard
[ $n != 0 ] || { n=1 status=1; echo "not ok 1 - RHEA_CROSS_ONLY='$RHEA_CROSS_ONLY' matches no variant, of which there are e.g. 'qcow2 data_file' and 'vdi'"; }
echo "1..$n"
exit $status
