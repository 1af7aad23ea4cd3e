#!/bin/bash
# A qcow2 image shown as a file: a file system in it outlives kills of the daemon (RHEA_FUSE_KILLS, default 5), and clients add and end such exports.
# Among mounts of its own: who copies the host's meanwhile (unshare, containers) would keep the file system busy after its end, and nothing stays mounted.
[ -n "$OWN_MOUNTS" ] || ! unshare -m true 2>/dev/null || OWN_MOUNTS=1 exec unshare -m bash "$0" "$@"
PATH=$BUILD/bin:$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd) n=0 bad=0 daemon= writer=
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
note() { sed 's/^/# /' "$1"; }
dir=$(mktemp -d) || exit 1
mounted() { awk -v at="$dir/" 'index($2, at) == 1 { print $2 }' /proc/mounts | tac; } # the last one first
end() {
	[ -n "$writer" ] && kill -9 $writer
	mounted | grep '/disk$' | while read -r m; do timeout 10 umount "$m" || umount -l "$m"; done
	[ -n "$daemon" ] && kill $daemon && wait $daemon
	mounted | while read -r m; do timeout 10 fusermount -u "$m" || fusermount -uz "$m" || umount -l "$m"; done
	cd /
	[ -z "$(mounted)" ] && rm -rf "$dir"
} 2>/dev/null
trap end EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1

unmount() { timeout 10 fusermount -u file; }
start() { # OPTIONS of the export: until it is there
	qemu-storage-daemon --blockdev qcow2,node-name=d,discard=unmap,file.driver=file,file.filename=image --export "type=fuse,id=e,node-name=d,mountpoint=file$1" 2>log &
	daemon=$!
	for _ in $(seq 100); do
		mounted | grep -q '/file$' && return 0
		kill -0 $daemon 2>/dev/null || break
		sleep 0.05
	done
	return 1
}
stop() { kill $daemon && wait $daemon; local r=$?; daemon=; return $r; }
killed() { { kill -9 $daemon; wait $daemon; daemon=; } 2>/dev/null; }
refuses() { # TEXT OPTIONS: one line, and nothing is mounted
	timeout 20 qemu-storage-daemon --blockdev qcow2,node-name=d,file.driver=file,file.filename=image --export "type=fuse,id=e,node-name=d,$2" >log 2>&1 </dev/null
	[ $? = 1 ] && [ "$(wc -l <log)" = 1 ] && grep -q -e "$1" log && [ -z "$(mounted)" ] || { note log; return 1; }
}

for tool in fusermount mkfs.ext4 e2fsck; do command -v $tool >/dev/null || { skip fuse "$tool is not installed"; echo 1..1; exit; }; done
[ -c /dev/fuse ] || { skip fuse "/dev/fuse is missing: this host has no FUSE"; echo 1..1; exit; }
[ -r /dev/fuse ] && [ -w /dev/fuse ] || { skip fuse "/dev/fuse may not be opened by this user"; echo 1..1; exit; }
: >file
qemu-img create -q -f qcow2 image 64M
if ! start ,writable=on; then
	grep -q 'Failed to mount' log && { skip fuse "this host lets nobody mount: $(head -1 log)"; echo 1..1; exit; }
	note log; ok 1 "a qcow2 image is shown as a file"; echo 1..1; exit 1
fi
[ "$(stat -c %s file)" = 67108864 ]; ok $? "a qcow2 image is shown as a file"
timeout 30 mkfs.ext4 -q -F file >log 2>&1 && timeout 30 e2fsck -fn file >log 2>&1 || { note log; false; }
ok $? "mkfs.ext4 makes a file system in it"
cp --sparse=always file seen && stop && [ ! -s file ] && [ -z "$(mounted)" ]; ok $? "the end of the daemon unmounts it"
qemu-img compare -q -f raw -F qcow2 seen image && qemu-img check -q image && qemu-img convert -f qcow2 -O raw image out && timeout 30 e2fsck -fn out >log 2>&1
ok $? "qemu-img reads the same from the image"

# A mounted file system writes, the daemon is killed; what was synchronised is there and the journal makes the rest whole.
write_files() { # prints the number of each file that is on stable storage
	for i in $(seq 100000); do
		rm -f disk/$1/$((i - 20))
		yes "$1 $i" | head -c $((RANDOM * 2)) >disk/$1/$i && sync disk/$1/$i disk/$1 && echo $i || break
	done
}
survives() { # NUMBER
	mkdir -p disk
	start ,writable=on && timeout 20 mount -o loop file disk && rm -rf disk/$(($1 - 2)) && mkdir disk/$1 && sync disk/$1 disk || { echo "# does not come up: $(head -1 log)"; return 1; }
	write_files $1 >done.$1 2>/dev/null &
	writer=$!
	for _ in $(seq 100); do [ -s done.$1 ] && break; sleep 0.1; done # a busy machine takes its time
	sleep 0.$((RANDOM % 7))
	killed
	{ timeout 10 tail --pid=$writer -f /dev/null || kill -9 $writer; wait $writer; } 2>/dev/null
	writer=
	timeout 20 umount disk 2>/dev/null || umount -l disk
	[ -s done.$1 ] || { echo "# nothing was written before the kill"; return 1; }
	for _ in $(seq 300); do unmount 2>log && break; sleep 0.1; done # the loop device lets go of it
	[ -z "$(mounted)" ] || { note log; return 1; }
	qemu-img check -q image >log 2>&1; case $? in 0 | 3) ;; *) note log; return 1 ;; esac
	start ,writable=on || { note log; return 1; }
	timeout 30 e2fsck -p file >log 2>&1; [ $? -le 1 ] || { note log; return 1; }
	timeout 30 e2fsck -fn file >log 2>&1 || { note log; return 1; }
	timeout 20 mount -o loop,ro file disk || return 1
	local r=0 last=$(tail -1 done.$1)
	[ -f disk/$1/$last ] || { echo "# file $last, which was synchronised, is lost"; umount disk; return 1; }
	for i in $(seq $((last > 15 ? last - 15 : 1)) $last); do
		cmp -s disk/$1/$i <(yes "$1 $i" | head -c "$(stat -c %s disk/$1/$i)") 2>/dev/null || { echo "# file $i of $last is lost or broken"; r=1; }
	done
	timeout 20 umount disk && stop && return $r
}
if [ "$(id -u)" != 0 ] || [ ! -c /dev/loop-control ]; then
	skip "kills of the daemon" "mounting the file system needs root and /dev/loop-control"
else
	for ((k = 1; k <= ${RHEA_FUSE_KILLS:-5}; k++)); do survives $k; ok $? "kill $k of the daemon: no error in the file system, nothing synchronised is lost"; [ $bad = 0 ] || break; done
fi

mkdir folder
refuses "Failed to stat 'nosuch': No such file" mountpoint=nosuch,writable=on && refuses "'folder' is not a regular file" mountpoint=folder,writable=on &&
	refuses "'/dev/null' is not a regular file" mountpoint=/dev/null && refuses "'mountpoint' is missing" writable=on && refuses allow-other mountpoint=file,allow-other=maybe &&
	refuses growable mountpoint=file,growable=on && refuses "node-name='nosuch'" mountpoint=file,node-name=nosuch
ok $? "a mount point that will not do is refused in one line"
timeout 60 python3 "$here/qmp_fuse.py" "$dir" $n || bad=1
exit $bad
