#!/bin/bash
# Kill -9 in the middle of writes, commits, snapshot operations, resizes and conversions: the image opens again for writing, check finds at
# most leaks, and what was there before is still there.
# usage: test-kill.sh [KILLS]   of each kind, of processes that still run; without it a few, for some seconds each
# RHEA_KILL_ONLY: the kinds, a pattern (write qcow2)
kills=${1:-6} n=0 bad=0 limit=$((${1:-0} ? 100000 : 3))
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
exec 2>/dev/null # the shell says "Killed"

# end COMMAND...: runs it and kills it after a random moment. midway counts those that still ran; the moments (ms) follow how long it takes.
end() {
	setsid "$@" >/dev/null 2>&1 & # a group of its own; by job control the shell would go on when somebody stops a command
	local pid=$!
	sleep "$(printf 0.%03d $((RANDOM % window + 1)))"; kill -9 -- -$pid || kill -9 $pid; wait $pid
	if [ $? = 137 ]; then midway=$((midway + 1)) window=$((window < 70 ? window + 1 + window / 8 : 80)); else window=$((window < 6 ? 4 : window * 3 / 4)); fi
}
# sound FILE FORMAT: opens for writing, no corruption, the first MiB as it was. 63: the format has no check.
sound() {
	for _ in 1 2 3 4 5 6 7 8 9; do # the last of the killed may still hold its lock
		qemu-io -f "$2" -c 'write -q -P 5 1M 64k' -c flush "$1" >out 2>&1 && break
		grep -q lock out && sleep 0.2 || { why="does not open for writing: $(head -1 out)"; return 1; }
	done
	grep -q 'failed\|error' out && { why="cannot be written: $(cat out)"; return 1; }
	qemu-img check -q -f "$2" "$1" >out 2>&1
	case $? in 0 | 3 | 63) ;; *) why="check: $(head -1 out)"; return 1 ;; esac
	[ "$(qemu-io -f "$2" -c 'read -P 7 0 1M' "$1" 2>&1 | grep -c 'verification failed\|error\|failed')" = 0 ] || { why="a flushed write is lost"; return 1; }
}
make() { # FILE FORMAT OPTIONS...
	rm -f "$1"
	qemu-img create -q -f "$2" "${@:3}" "$1" 64M && qemu-io -f "$2" -c 'write -q -P 7 0 1M' -c flush "$1"
}

kill_write() { make a "$1" $2 && end qemu-img bench -w -q -c 3000 -d 16 -s 16000 -S 20480 -o 2M -f "$1" a && sound a "$1"; }
kill_resize() {
	make a "$1" $2 && qemu-io -f "$1" -c 'write -q -P 9 40M 8M' a
	end sh -c "exec >/dev/null; while :; do qemu-img resize -q -f $1 --shrink a 30M; qemu-img resize -q -f $1 a 90M; done"
	sound a "$1"
}
kill_snapshot() {
	make a "$1" $2 && qemu-io -f "$1" -c 'write -q -P 9 4M 8M' a && qemu-img snapshot -c base a
	end sh -c 'while :; do qemu-img snapshot -c x a; qemu-img snapshot -a base a; qemu-io -f qcow2 -c "write -q 5M 3M" a; qemu-img snapshot -d x a; done'
	sound a "$1" && qemu-img snapshot -a base a && qemu-io -f "$1" -c 'read -P 9 5M 7M' a | grep -q 'read 7340032' && sound a "$1"
}
kill_commit() {
	make base "$1" $2 && rm -f a && qemu-img create -q -f "$1" $2 -b base -F "$1" a && qemu-io -f "$1" -c 'write -q -P 8 3M 40M' -c 'write -q -P 7 0 64k' a
	qemu-img convert -O raw a want.raw
	end qemu-img commit -q -f "$1" a
	qemu-img compare -q -f "$1" -F raw a want.raw || { why="the overlay shows something else"; return 1; }
	sound base "$1" && qemu-io -f "$1" -c 'write -q -P 0 1M 64k' a && qemu-img commit -q -f "$1" a && qemu-img compare -q -f "$1" -F raw base want.raw
}
kill_convert() {
	[ -f src.raw ] || { head -c 20000000 /dev/urandom >src.raw; truncate -s 64M src.raw; cp src.raw src.same; }
	end qemu-img convert -f raw -O "$1" ${2:+$2} src.raw a
	cmp -s src.raw src.same || { why="the source changed"; return 1; }
	qemu-img convert -f raw -O "$1" ${2:+$2} src.raw a && qemu-img compare -q -f "$1" -F raw a src.raw
}

run() { # OPERATION FORMAT OPTIONS
	[[ "$1 $2 $3" =~ $RHEA_KILL_ONLY ]] || return 0
	local done=0 midway=0 window=80 r=0 end=$((SECONDS + limit))
	while [ $midway -lt "$kills" ] && [ $done -lt $((kills * 4)) ]; do
		[ $SECONDS -ge $end ] && [ $done -ge 2 ] && break
		done=$((done + 1)) why=
		"kill_$1" "$2" "$3" || { r=1; echo "# kill $done: ${why:-a command failed}"; }
	done
	[ $midway != 0 ] || { r=1; echo "# none of $done processes still ran when it was to be killed"; }
	n=$((n + 1)); if [ $r = 0 ]; then echo "ok $n - $1, $2 $3: $midway kills in $done runs"; else echo "not ok $n - $1, $2 $3"; bad=1; fi
}
for f in vdi vpc vhdx vmdk qed qcow parallels; do run write $f; done
for o in cluster_size=65536 cluster_size=512 extended_l2=on; do run write qcow2 "-o $o"; done
for f in qcow2 qed; do run commit $f; done
run resize qcow2 '-o cluster_size=4k'
run snapshot qcow2 '-o cluster_size=4k'
for f in qcow2 vhdx; do run convert $f; done
[ $n != 0 ] || { n=1 bad=1; echo "not ok 1 - RHEA_KILL_ONLY='$RHEA_KILL_ONLY' matches no kind, of which there are e.g. 'write qcow2' and 'commit qed'"; }
echo "1..$n"
exit $bad
