#!/bin/bash
# Host errors at every place of an image while each tool works: it ends with the cause, or has done its work; the image is sound afterwards and
# shows what it did before or what it should, and a source is never changed. EIO by blkdebug, sector after sector; a full disk by a small tmpfs.
PATH=$BUILD/bin:$PATH
n=0 bad=0 cause='Input/output error'
dir=$(mktemp -d -p "${RHEA_FAULT_DIR:-/dev/shm}" 2>/dev/null || mktemp -d) && cd "$dir" || exit 1
trap 'cd /; umount "$dir/small" 2>/dev/null; rm -rf "$dir"' EXIT
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
say() { echo "# $*" | head -3; return 1; }

# Each fault: on a copy of image.orig with a rule for one sector; DONE: what it shows when the tool has done its work.
rule() { echo "driver=qcow2,file.driver=blkdebug,file.image.driver=file,file.image.filename=image,file.inject-error.0.event=none,file.inject-error.0.iotype=$1,file.inject-error.0.sector=$2"; }
shows() { qemu-img convert -U -f qcow2 -O raw image got && { cmp -s got "$1" || cmp -s got "$2"; }; }
fault() { # KIND SECTOR DONE COMMAND...
	local kind=$1 at=$2 want=$3 r opts
	shift 3
	cp image.orig image
	cp base.orig base
	opts=$(rule "$kind" "$at")
	timeout 20 "${@//RULE/$opts}" >out 2>err
	r=$?
	[ $r -lt 124 ] || say "ends with $r" || return
	[ $r = 0 ] || grep -q "$cause\|qcow2: Marking\|check errors\|corrupt\|Sector allocation test failed" err out || say "no cause: $(cat err)" || return
	cmp -s base base.orig || [ "$base_changes" ] || say "the backing file changed" || return
	[ $r != 0 ] || [ "$want" = - ] || shows "$want" "$want" || say "it ended well, but the image shows something else" || return
	[ "$want" = - ] && { cmp -s image image.orig || say "a tool that only reads has changed the image"; return; }
	# What was begun and marked so is put right when the image is opened for writing.
	qemu-io -f qcow2 -c flush image >out 2>&1 || say "does not open: $(cat out)" || return
	qemu-img check -f qcow2 image >out 2>&1
	case $? in 0 | 3) ;; *) say "not sound: $(cat out)"; return 1 ;; esac
	[ "$partly" ] || shows raw "$want" || say "neither old nor new"
}
sweep() { # NAME DONE COMMAND...: RULE stands for the image
	local name=$1 want=$2 kinds='read write' r=0 count=0
	shift 2
	[ "$want" = - ] && kinds=read
	for kind in $kinds; do
		for ((at = 0; at < $(stat -c %s image.orig) / 512 + 16; at += 8)); do
			count=$((count + 1))
			fault $kind $at "$want" "$@" || { r=1; echo "# $kind of sector $at"; break; }
		done
	done
	ok $r "EIO at any of $count places: $name"
}
head -c 49152 /dev/urandom >base.raw; truncate -s 64k base.raw
qemu-img convert -f raw -O qcow2 -o cluster_size=4k base.raw base.orig; cp base.orig base
qemu-img create -q -f qcow2 -o cluster_size=4k -b base -F qcow2 image.orig
qemu-io -f qcow2 -c 'write -q -P 5 0 6k' -c 'write -q -P 6 20k 9k' image.orig
qemu-img snapshot -c old image.orig
qemu-io -f qcow2 -c 'write -q -P 7 2k 8k' -c 'write -q -z 40k 4k' image.orig
cp image.orig image; qemu-img convert -f qcow2 -O raw image raw
cp raw written; qemu-io -f raw -c 'write -q -P 9 30k 20k' written
qemu-img convert -f qcow2 -O raw -l old image old.raw; cp raw grown; truncate -s 100k grown

sweep 'convert, its source' - qemu-img convert --image-opts -O raw RULE target
sweep compare - qemu-img compare --image-opts RULE driver=raw,file.filename=raw
sweep check - qemu-img check --image-opts RULE
sweep 'map' - qemu-img map --image-opts RULE
sweep 'measure' - qemu-img measure --image-opts -O qcow2 RULE
sweep write written qemu-io --image-opts -c 'write -P 9 30k 20k' RULE
sweep resize grown qemu-img resize --image-opts RULE 100k
sweep 'snapshot -c' raw qemu-img snapshot --image-opts -c new RULE
sweep 'snapshot -a' old.raw qemu-img snapshot --image-opts -a old RULE
sweep 'snapshot -d' raw qemu-img snapshot --image-opts -d old RULE
sweep 'bitmap' raw qemu-img bitmap --image-opts --add RULE c
sweep 'amend' raw qemu-img amend --image-opts -o lazy_refcounts=on RULE
partly=1 # what a copy that failed leaves is not said
sweep 'convert, its target' base.raw qemu-img convert -n -f raw --target-image-opts base.raw RULE
partly= base_changes=1
sweep commit raw qemu-img commit --image-opts RULE
base_changes=

# A disk that fills up: PLACES sizes of it, up to one that is enough.
mkdir small
if ! mount -t tmpfs -o size=64k none small 2>/dev/null; then
	echo "ok $((n + 1)) - full disks # SKIP this host does not let us mount a small tmpfs"
	echo "1..$((n + 1))"
	exit $bad
fi
cause='No space left on device'
head -c 300000 /dev/urandom >source.raw; truncate -s 1M source.raw; cp source.raw source.same
for f in qcow2 qed qcow vmdk vhdx vdi vpc parallels raw; do
	r=0 count=0
	for kb in 8 100 200 290; do
		mount -o remount,size=${kb}k small
		count=$((count + 1))
		timeout 20 qemu-img convert -f raw -O $f source.raw small/image >out 2>err && { say "it fits in $kb KiB?"; r=1; }
		grep -q "$cause" err || { say "$(cat err)"; r=1; }
		cmp -s source.raw source.same || { say "the source changed"; r=1; }
		rm -f small/image
	done
	ok $r "a full disk at $count places: convert to $f"
done
mount -o remount,size=2m small
for f in qcow2 qed qcow vmdk vhdx vdi vpc parallels; do
	r=0
	rm -f small/*; mount -o remount,size=24m small
	qemu-img create -q -f $f small/image 4M; qemu-io -f $f -c 'write -q -P 5 0 64k' -c flush small/image
	for room in 4 60 200; do
		mount -o remount,size=$(($(du -k small/image | cut -f1) + room))k small
		timeout 20 qemu-io -f $f -c 'write -P 6 1M 2M' -c flush small/image >out 2>&1
		grep -q "$cause" out || { say "$room: $(cat out)"; r=1; }
		qemu-img check -q -f $f small/image >out 2>&1; case $? in 0 | 3 | 63) ;; *) say "$room: $(cat out)"; r=1 ;; esac
	done
	mount -o remount,size=32m small
	qemu-io -f $f -c 'read -P 5 0 64k' -c 'write -P 7 1M 2M' -c 'read -P 7 1M 2M' small/image 2>&1 | grep 'failed\|rror' && r=1
	ok $r "a full disk while $f is written: it says so, and goes on when there is room"
done
echo "1..$n"
exit $bad
