#!/bin/bash
# Random sequences of operations on one image, done in turns by these tools and by an installed qemu-img: writes, zeros, discards, resizes,
# snapshots, bitmaps, commits. After each turn the other side compares contents with a plain file, checks, and reads the metadata.
# RHEA_CROSS_TURNS: turns a format (default 6), RHEA_CROSS_OPS: writes and zeros in each (default 10); RHEA_CROSS_SEED; RHEA_CROSS_ONLY: one
# format. PEER: folder of the other side's tools.
peer=${PEER:-/usr/bin} turns=${RHEA_CROSS_TURNS:-6} ops=${RHEA_CROSS_OPS:-10}
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
# Both tools change what they are given; the plain file is changed by the peer's.
both() { # TOOLS FORMAT COMMAND...
	"$1/qemu-io" -d unmap -f "$2" "${@:3}" img >out 2>&1 && ! grep -q 'failed\|rror' out && "$peer/qemu-io" -f raw "${@:3}" raw >/dev/null || say "$1 ${*:3}: $(cat out)"
}
change() { # TOOLS FORMAT
	local t=$1 f=$2 end at len k c=()
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
	both "$t" "$f" "${c[@]}"
}
# What a discard leaves is not said: the range is written afterwards.
discard() { local at=$((RANDOM * 480 / 65536 * 65536)); "$1/qemu-io" -d unmap -f "$2" -c "discard -q $at 256k" img >/dev/null && both "$1" "$2" -c "write -q -P 3 $at 256k"; }
resize() { # up, and down where the format can
	local to=$((RANDOM % 64 * 262144 + (16 << 20)))
	[ "$2" = qcow2 ] || to=$(($(size) + 1048576))
	[ "$to" -le $MAX ] || return 0
	"$1/qemu-img" resize -q -f "$2" --shrink img $to && truncate -s $to raw
}
snapshot() {
	local names have
	mapfile -t names < <(ls snap.* 2>/dev/null | sed 's/snap.//')
	have=${names[$((RANDOM % (${#names[@]} + 1)))]}
	case $((RANDOM % 3)) in
	0) have=s$RANDOM; [ ${#names[@]} -lt 4 ] && [ ! -e snap.$have ] && "$1/qemu-img" snapshot -c $have img && cp raw snap.$have ;;
	1) [ -z "$have" ] || "$1/qemu-img" info --output=json img | grep -q '"granularity"' || { "$1/qemu-img" snapshot -a "$have" img && cp "snap.$have" raw; } ;;
	2) [ -z "$have" ] || { "$1/qemu-img" snapshot -d "$have" img && rm "snap.$have"; } ;;
	esac || [ ${#names[@]} -ge 4 ]
}
bitmap() { # made once there is none, else switched off, on, cleared or removed
	local b=b$((RANDOM % 3)) what
	"$1/qemu-img" info --output=json img | grep -q "\"$b\"" || { "$1/qemu-img" bitmap --add -g $((4096 << RANDOM % 6)) img $b; return; }
	what=(--enable --disable --clear --remove)
	"$1/qemu-img" bitmap "${what[$((RANDOM % 4))]}" img $b
}
over() { # an overlay takes changes and is committed
	mv img base && "$1/qemu-img" create -q -f "$2" -b base -F "$2" img && change "$1" "$2" && "$1/qemu-img" commit -q -f "$2" img && mv base img
}
# The metadata that both sides must tell alike.
facts() {
	"$1/qemu-img" info --output=json img | grep -E '"(virtual-size|cluster-size|name|vm-state-size|granularity|refcount-bits|compat|corrupt)"' | sed 's/^ *//; s/,$//' | sort
	for b in b0 b1 b2; do
		! grep -q "\"$b\"" <("$1/qemu-img" info --output=json img) || "$1/qemu-img" map --output=json --image-opts driver=qcow2,file.filename=img >/dev/null
	done
}
agree() { # FORMAT: what both sides say of the image
	local t s
	for t in "$ours" "$peer"; do
		"$t/qemu-img" compare -q -f "$1" -F raw img raw || say "$t: other contents" || return
		"$t/qemu-img" check -q -f "$1" img >out 2>&1
		case $? in 0 | 63) ;; *) say "$t: check: $(head -3 out)"; return 1 ;; esac
		for s in snap.*; do
			[ -e "$s" ] || continue
			# The peer reads a snapshot in the size of the disk.
			[ "$t" = "$ours" ] || [ "$(stat -c %s "$s")" = "$(size)" ] || continue
			"$t/qemu-img" convert -l "${s#snap.}" -O raw img then && cmp -s then "$s" || say "$t: snapshot $s differs" || return
		done
	done
	[ "$(facts "$ours")" = "$(facts "$peer")" ] || say "facts differ: $(diff <(facts "$ours") <(facts "$peer"))"
}
run() { # FORMAT OPTIONS OPERATIONS...
	local f=$1 o=$2 t kinds=("${@:3}") op r=0 i
	[ "$f" = "${RHEA_CROSS_ONLY:-$f}" ] || return
	rm -f img raw base snap.*
	truncate -s 16M raw
	"$peer/qemu-img" create -q -f "$f" ${o:+-o "$o"} img 16M || return 1
	for ((i = 0; i < turns && !r; i++)); do
		t=$ours; [ $((i % 2)) = 0 ] || t=$peer
		op=${kinds[$((RANDOM % ${#kinds[@]}))]}
		change "$t" "$f" && $op "$t" "$f" && agree "$f" || { r=1; echo "# turn $i: $op by $t"; }
	done
	n=$((n + 1)); if [ $r = 0 ]; then echo "ok $n - $f ${o:+($o)}: $turns turns of $ops writes"; else echo "not ok $n - $f ${o:+($o)}"; status=1; fi
}
run qcow2 '' resize snapshot discard bitmap over snapshot
run qcow2 cluster_size=4k,refcount_bits=32 resize snapshot discard bitmap snapshot
run qcow2 extended_l2=on resize snapshot discard over snapshot
run qcow2 compat=0.10 snapshot discard
run qed '' resize over change
run qcow '' over change
run vmdk '' over change
for f in vdi vhdx parallels; do run $f '' change discard; done
run vpc force_size=on change discard
echo "1..$n"
exit $status
