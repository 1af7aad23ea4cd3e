#!/bin/bash
# Kill -9 in the middle of writes: the image opens again for writing, and check finds at most leaks.
# usage: test-kill.sh [KILLS]   of each kind of image; fewer, but two at least, when they take more than 15 seconds
kills=${1:-12} n=0 bad=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
for opts in cluster_size=65536 cluster_size=512 extended_l2=on; do
	r=0 done=0 end=$((SECONDS + 15))
	for i in $(seq "$kills"); do
		[ $SECONDS -ge $end ] && [ $done -ge 2 ] && break
		done=$((done + 1)); rm -f a.qcow2; qemu-img create -q -f qcow2 -o $opts a.qcow2 1G
		qemu-img bench -w -q -c 1000000 -d 16 -s 20000 -S 1234567 -f qcow2 a.qcow2 >/dev/null 2>&1 &
		pid=$!; sleep 0.0$((RANDOM % 9 + 1)); kill -9 $pid; wait $pid 2>/dev/null
		qemu-img check -q a.qcow2 >/dev/null 2>&1; s=$?
		{ [ $s = 0 ] || [ $s = 3 ]; } && qemu-io -c 'write -q 0 64k' a.qcow2 >/dev/null || { r=1; echo "# kill $i: check gave $s"; }
	done
	n=$((n + 1)); if [ $r = 0 ]; then echo "ok $n - $opts: $done kills, at most leaks"; else echo "not ok $n - $opts"; bad=1; fi
done
exit $bad
