#!/bin/bash
# qcow2: amend to every width of reference counts and back, and to version 2 with zero clusters in snapshots: contents and counts stay right.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0 status=0
report() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; status=1; fi; }
sound() { qemu-img check -q a.qcow2 >/dev/null 2>&1; }

qemu-img create -q -f qcow2 -o cluster_size=512 a.qcow2 4M
qemu-io -c 'write -q -P 7 0 1M' -c 'write -q -P 8 3M 300k' a.qcow2
qemu-img convert -O raw a.qcow2 want.raw
r=0
for bits in 1 64 2 32 4 8 16; do
	qemu-img amend -q -o refcount_bits=$bits a.qcow2 && sound && qemu-img info a.qcow2 | grep -q "refcount bits: $bits$" &&
		qemu-img compare -q a.qcow2 want.raw || { r=1; echo "# $bits bits"; }
	qemu-io -c 'write -q -P 7 512k 1k' a.qcow2 && sound || { r=1; echo "# writing with $bits bits"; }
done
report $r "refcounts of every width, from one to the next"

qemu-img snapshot -c s a.qcow2
qemu-img amend -o refcount_bits=1 a.qcow2 2>err && r=1 || { grep -q 'Cannot decrease refcount entry width to 1 bits: Cluster at offset' err; r=$?; }
sound || r=1
report $r "a width too small for the counts is refused, with the cluster"

for base in "" base.raw; do
	rm -f a.qcow2
	qemu-img create -q -f raw base.raw 4M && qemu-io -f raw -c 'write -q -P 5 0 4M' base.raw
	qemu-img create -q -f qcow2 ${base:+-b $base -F raw} a.qcow2 4M
	qemu-io -c 'write -q -P 1 0 1M' -c 'write -q -z 64k 128k' -c 'write -q -z -u 256k 64k' a.qcow2
	qemu-img snapshot -c s a.qcow2
	qemu-io -c 'write -q -P 2 0 64k' -c 'write -q -z 2M 128k' a.qcow2
	qemu-img convert -O raw a.qcow2 now.raw && qemu-img convert -l s -O raw a.qcow2 then.raw
	qemu-img amend -q -o compat=0.10 a.qcow2 && sound && qemu-img compare -q a.qcow2 now.raw &&
		qemu-img snapshot -a s a.qcow2 && qemu-img compare -q a.qcow2 then.raw && sound
	report $? "version 2 says the same, in snapshots too${base:+, over a backing file}"
done
echo "1..$n"
exit $status
