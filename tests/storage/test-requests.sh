#!/bin/bash
# What a request asks of the host: cache modes, FUA, detect-zeroes, discard. (aio= is in test-options.sh.)
n=0 bad=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d -p /var/tmp) || exit 1 # on a disk: not every tmpfs knows O_DIRECT
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
gcc -shared -fPIC -O1 -o syncs.so "$here/syncs.c" || exit 1

# asks WANT WHAT COMMAND...: the command's syncs, in one line, are WANT.
asks() {
	local want=$1 what=$2 got; shift 2
	SYNCS_FD=9 LD_PRELOAD=$dir/syncs.so "$@" 9>notes >out 2>&1 || { sed 's/^/# /' out; ok 1 "$what"; return; }
	got=$(tr '\n' ' ' <notes)
	[ "$got" = "$want" ] || echo "# wanted '$want', got '$got'"
	[ "$got" = "$want" ]; ok $? "$what"
}
# What no request asked for is flushed when the image is closed.
truncate -s 1M a.raw
asks "sync " "a write is flushed when the image is closed" qemu-io -f raw -t writeback -c 'write -q 0 4k' a.raw
asks "fua " "raw: a write with FUA waits for its own bytes alone" qemu-io -f raw -c 'write -q -f 0 4k' a.raw
asks "sync " "raw: zeros with FUA are followed by a flush" qemu-io -f raw -c 'write -q -z -f 0 4k' a.raw
asks "fua fua " "cache=writethrough: so does every write" qemu-io -f raw -t writethrough -c 'write -q 0 4k' -c 'write -q 4k 64k' a.raw
asks "" "cache=unsafe asks for nothing, not even for FUA" qemu-io -f raw -t unsafe -c 'write -q -f 0 4k' -c flush a.raw
if qemu-io -f raw -t none -c quit a.raw >/dev/null 2>&1; then
	asks "sync " "cache=none: no sync but the flush" qemu-io -f raw -t none -c 'write -q 0 4k' a.raw
	asks "fua " "cache=directsync: each write is stable" qemu-io -f raw -t directsync -c 'write -q 0 4k' a.raw
	asks "fua " "bounced requests too" qemu-io -f raw -t directsync -c 'write -q 100 1000' a.raw
else
	skip "cache=none" "no O_DIRECT here"
fi
limited=driver=throttle,throttle-group=t,file.driver=raw,file.file.driver=file,file.file.filename=a.raw
asks "fua " "filters hand FUA on" qemu-io --object throttle-group,id=t --image-opts -c 'write -q -f 0 4k' $limited
# In a format the reference to new room must be stable as well: a flush.
qemu-img create -q -f qcow2 a.qcow2 1M
qemu-io -c 'write -q -f 0 4k' a.qcow2 >/dev/null; SYNCS_FD=9 LD_PRELOAD=$dir/syncs.so qemu-io -c 'write -q -f 0 4k' a.qcow2 9>notes
grep -q sync notes && ! grep -q fua notes; ok $? "qcow2: FUA flushes references too"

# By NBD it is the server's.
if nbdkit --version >/dev/null 2>&1; then
	nbdkit -U - --filter=log memory 1M logfile=log --run 'qemu-io -f raw -t writeback -c "write -q -f 0 4k" -c "write -q -z -f 8k 4k" -c "write -q 4k 4k" $uri' >out 2>&1
	grep -q 'Write .*fua=1' log && grep -q 'Zero .*fua=1' log && grep -q 'Write .*fua=0' log && [ "$(grep -c 'Flush .*\.\.\.$' log)" -le 1 ]
	ok $? "nbd: FUA goes with the request, no flush behind it"
else
	skip "nbd" "no nbdkit"
fi

# detect-zeroes: written, kept as zeros, or given back.
blocks() { stat -c %b z.raw; }
zeros() { rm -f z.raw; truncate -s 4M z.raw; qemu-io -f raw -c 'write -q -P 7 0 4M' z.raw; sync z.raw; qemu-io --image-opts -c 'write -q -P 0 1M 2M' -c flush "driver=raw,file.driver=file,file.filename=z.raw,$1" && qemu-io -r -f raw -c 'read -q -P 0 1M 2M' -c 'read -q -P 7 0 1M' z.raw >out && ! grep -q . out; }
zeros detect-zeroes=off && full=$(blocks) && [ "$full" -ge 8192 ]; ok $? "detect-zeroes=off: zeros are written"
zeros detect-zeroes=unmap,discard=unmap,file.discard=unmap && [ "$(blocks)" -le $((full - 4096)) ]; ok $? "detect-zeroes=unmap gives room back"
zeros detect-zeroes=on && [ "$(blocks)" -ge "$full" ]; ok $? "detect-zeroes=on keeps the room"
qemu-img create -q -f qcow2 z.qcow2 4M
qemu-io --image-opts -c 'write -q -P 0 0 2M' driver=qcow2,file.filename=z.qcow2,detect-zeroes=on && [ "$(qemu-img map --output=json z.qcow2 | grep -c '"data": true')" = 0 ]; ok $? "detect-zeroes=on: qcow2 makes zero clusters"
qemu-io --image-opts -c 'write -q -P 0 0 2M' driver=qcow2,file.filename=z.qcow2 && [ "$(qemu-img map --output=json z.qcow2 | grep -c '"data": true')" = 1 ]; ok $? "without it, data"

# discard: passed on where both layers say so.
discard() { rm -f z.raw; qemu-img create -q -f raw z.raw 4M; qemu-io -f raw -c 'write -q -P 7 0 4M' z.raw; sync z.raw; qemu-io --image-opts -c 'discard -q 1M 2M' "driver=raw,file.driver=file,file.filename=z.raw,$1"; }
discard discard=unmap,file.discard=unmap && [ "$(blocks)" -le $((full - 4096)) ]; ok $? "discard=unmap punches holes"
discard discard=ignore && [ "$(blocks)" -ge "$full" ] && qemu-io -r -f raw -c 'read -q -P 7 0 4M' z.raw >out && ! grep -q . out; ok $? "discard=ignore leaves everything"
exit $bad
