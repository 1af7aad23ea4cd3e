#!/bin/bash
# img compact: zeros and unused room go back to the host, contents stay.
n=0 bad=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
dir=$(mktemp -d -p /var/tmp) || exit 1 # on a disk: not every tmpfs punches holes
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
room() { echo $(($(stat -c %b "$1") * 512)); }
for fmt in qcow2 raw; do
	qemu-img create -q -f $fmt a.img 64M
	qemu-io -f $fmt -c 'write -q -P 5 0 8M' -c 'write -q -P 0 8M 16M' -c 'write -q -P 6 32M 8M' a.img
	qemu-img convert -f $fmt -O raw a.img before.raw; was=$(room a.img)
	out=$(rhea img compact -f $fmt a.img); now=$(room a.img)
	qemu-img compare -f raw -F $fmt before.raw a.img >/dev/null && [ "$now" -lt 18000000 ] && [ "$was" -gt 33000000 ]; ok $? "$fmt: zeros become holes ($was, then $now bytes)"
	[ "$out" = "Image compacted: $was bytes on the host before, $now now." ] || { echo "# $out"; false; }; ok $? "$fmt: says what it did"
done
qemu-img create -q -f qcow2 b.qcow2 64M; qemu-io -c 'write -q -P 5 0 16M' -c 'write -q -P 7 16M 1M' b.qcow2; qemu-img snapshot -c s b.qcow2
qemu-io -c 'write -q -P 6 0 16M' -c 'write -q -P 8 40M 64k' b.qcow2; qemu-io --image-opts -c 'discard -q 0 16M' driver=qcow2,file.filename=b.qcow2,discard=unmap,pass-discard-request=off
was=$(room b.qcow2); rhea img compact -q b.qcow2; now=$(room b.qcow2)
qemu-img check -q b.qcow2 && [ "$now" -lt $((was - 15000000)) ] && qemu-io -c 'read -q -P 7 16M 1M' -c 'read -q -P 8 40M 64k' b.qcow2 && qemu-img snapshot -a s b.qcow2 && qemu-io -c 'read -q -P 5 0 16M' b.qcow2 >out && ! grep -q . out
ok $? "qcow2: clusters nobody refers to are given back, snapshots stay ($was, then $now bytes)"
qemu-img create -q -f raw base.raw 1M; qemu-io -f raw -c 'write -q -P 3 0 1M' base.raw; qemu-img create -q -f qcow2 -b base.raw -F raw over.qcow2; qemu-io -c 'write -q -P 0 64k 128k' over.qcow2
rhea img compact -q over.qcow2 && qemu-io -c 'read -q -P 0 64k 128k' -c 'read -q -P 3 0 64k' over.qcow2 >out && ! grep -q . out; ok $? "zeros above a backing file stay zeros"
rhea img compact nosuch.img 2>/dev/null; [ $? = 1 ]; ok $? "a missing image is refused"
exit $bad
