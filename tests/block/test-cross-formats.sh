#!/bin/bash
# Images cross over: what one side makes and writes, the other reads, changes and finds sound. The other side is an installed qemu-img.
# RHEA_CROSS_OPS: writes a step (default 40). PEER: folder of the other side's tools (default /usr/bin).
peer=${PEER:-/usr/bin} ops=${RHEA_CROSS_OPS:-40}
ours=$(realpath "$BUILD/bin")
if ! "$peer/qemu-img" --version >/dev/null 2>&1 || ! "$peer/qemu-io" --version >/dev/null 2>&1; then
	echo "ok 1 - formats cross over # SKIP qemu-img and qemu-io are not installed in $peer"
	exit 0
fi
if "$peer/qemu-img" --version | grep -q Rhea; then
	echo "ok 1 - formats cross over # SKIP the tools in $peer are Rhea's own"
	exit 0
fi
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
RANDOM=4711 n=0 status=0
SIZE=$((24 << 20))

# commands FILE: random writes and zeros, most of them crowded at the start and near 16 MiB
commands() {
	local i at len
	for ((i = 0; i < ops; i++)); do
		at=$((RANDOM % 3 == 0 ? RANDOM * 700 : RANDOM % 2 * 16777216 + RANDOM * 30)) len=$((RANDOM % 5 == 0 ? RANDOM * 9 : RANDOM + 1))
		at=$((at / 512 * 512)) len=$((len / 512 * 512 + 512))
		[ $((at + len)) -gt $SIZE ] && at=$((SIZE - len))
		[ $((RANDOM % 6)) = 0 ] && echo "write -z $at $len" || echo "write -P $((RANDOM % 255 + 1)) $at $len"
	done >"$1"
}
# run TOOLS FORMAT IMAGE COMMANDS
run() {
	local out
	out=$("$1/qemu-io" -f "$2" "$3" <"$4" 2>&1) || { echo "# $out" | head -3; return 1; }
	[ "$(grep -c 'wrote [0-9]' <<<"$out")" = "$(wc -l <"$4")" ] || { grep -v 'wrote [0-9]\|ops/sec' <<<"$out" | head -3 | sed 's/^/# /'; return 1; }
}
same() { "$1/qemu-img" compare -q -f "$2" -F raw "$3" "$4"; }
# check: no errors; 63: the format has no check
sound() {
	local out rc
	out=$("$1/qemu-img" check -f "$2" "$3" 2>&1); rc=$?
	[ $rc = 0 ] || [ $rc = 63 ] || [ $rc = 3 ] || { head -3 <<<"$out" | sed 's/^/# /'; return 1; }
}
report() { # STATUS WHAT
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; status=1; fi
}
# cross MAKER OTHER FORMAT OPTIONS
cross() {
	local a=$1 b=$2 f=$3 o=$4
	rm -f img* raw cmds
	"$a/qemu-img" create -q -f "$f" ${o:+-o "$o"} "img.$f" $SIZE || return 1
	truncate -s $SIZE raw
	commands cmds
	run "$a" "$f" "img.$f" cmds && run "$b" raw raw cmds && same "$b" "$f" "img.$f" raw && sound "$b" "$f" "img.$f" || return 1
	commands cmds
	run "$b" "$f" "img.$f" cmds && run "$a" raw raw cmds && same "$a" "$f" "img.$f" raw && sound "$a" "$f" "img.$f"
}
# backed MAKER OTHER FORMAT: an overlay over half a disk
backed() {
	local a=$1 b=$2 f=$3
	rm -f img* raw cmds base.*
	"$b/qemu-img" create -q -f "$f" "base.$f" $((SIZE / 2)) && "$b/qemu-io" -f "$f" -c "write -P 77 1M 9M" "base.$f" >/dev/null || return 1
	"$a/qemu-img" create -q -f "$f" -b "base.$f" -F "$f" "img.$f" $SIZE || return 1
	"$b/qemu-img" convert -f "$f" -O raw "base.$f" raw && truncate -s $SIZE raw
	commands cmds
	run "$a" "$f" "img.$f" cmds && run "$b" raw raw cmds && same "$b" "$f" "img.$f" raw || return 1
	commands cmds
	run "$b" "$f" "img.$f" cmds && run "$a" raw raw cmds && same "$a" "$f" "img.$f" raw
}
# packed MAKER OTHER FORMAT CONVERT-OPTIONS: a compressed copy
packed() {
	local a=$1 b=$2 f=$3
	shift 3
	rm -f img* raw cmds
	truncate -s $SIZE raw
	commands cmds
	run "$b" raw raw cmds || return 1
	# Version 7.2 of the peer ends with 1 after a compressed copy to qcow that is right: the contents decide.
	"$a/qemu-img" convert -f raw -O "$f" "$@" raw "img.$f"
	same "$b" "$f" "img.$f" raw
}

while read -r f o; do
	cross "$ours" "$peer" "$f" "$o"
	report $? "$f ($o): made here, changed by the peer"
	cross "$peer" "$ours" "$f" "$o"
	report $? "$f ($o): made by the peer, changed here"
done <<'X'
vdi
vdi static=on
vpc force_size=on
vpc subformat=fixed,force_size=on
vhdx
vhdx block_size=1M
vhdx subformat=fixed
vmdk
vmdk zeroed_grain=on
vmdk subformat=monolithicFlat
vmdk subformat=twoGbMaxExtentSparse
vmdk subformat=twoGbMaxExtentFlat
qed
qed cluster_size=4096
qcow
parallels
parallels cluster_size=64k
X
for f in vmdk qed qcow; do
	backed "$ours" "$peer" $f
	report $? "$f with a backing file: made here, changed by the peer"
	backed "$peer" "$ours" $f
	report $? "$f with a backing file: made by the peer, changed here"
done
packed "$ours" "$peer" vmdk -o subformat=streamOptimized
report $? "streamOptimized vmdk made here is read by the peer"
packed "$peer" "$ours" vmdk -o subformat=streamOptimized
report $? "streamOptimized vmdk made by the peer is read here"
packed "$ours" "$peer" qcow -c
report $? "compressed qcow made here is read by the peer"
packed "$peer" "$ours" qcow -c
report $? "compressed qcow made by the peer is read here"

# luks MAKER OTHER OPTIONS
luks() {
	local a=$1 b=$2 key="--object secret,id=s,data=x" img=driver=luks,key-secret=s,file.filename=img.luks
	rm -f img*
	local try # version 7.2 of the peer fails at times on a busy machine: it cannot measure how fast it is
	for try in 1 2 3 4 5; do
		"$a/qemu-img" create -q -f luks $key -o "key-secret=s,iter-time=10$3" img.luks 2M && break
	done 2>errors
	[ -s img.luks ] && [ $try -lt 5 ] || { cat errors; return 1; }
	"$a/qemu-io" $key --image-opts $img -c "write -P 5 0 2M" -c "write -P 6 1000 3000" >/dev/null &&
		"$b/qemu-io" $key --image-opts $img -c "read -P 5 4000 2093152" -c "read -P 6 1000 3000" -c "write -P 7 1M 64k" |
		grep -q 'failed' && return 1
	! "$a/qemu-io" $key --image-opts $img -c "read -P 7 1M 64k" -c "read -P 6 1000 3000" 2>&1 | grep -q 'failed\|open'
}
if "$ours/qemu-img" create -f luks -o help x 2>/dev/null | grep -q key-secret; then
	for o in "" ,cipher-alg=aes-128 ,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256; do
		luks "$ours" "$peer" $o
		report $? "luks ($o): made here"
		luks "$peer" "$ours" $o
		report $? "luks ($o): made by the peer"
	done
fi
echo "1..$n"
exit $status
