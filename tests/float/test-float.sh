#!/bin/bash
# Software floating point against vectors made by others, and against what this machine has: the host's FPU, qemu-aarch64.
here=$(dirname "$0")
tools=$here/../../tools/float
log=$(mktemp)
trap 'rm -f "$log"' EXIT
n=0 status=0
check() { # what; status of the run before, its output in $log
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n - $1: $(tail -1 "$log")"
	else
		sed 's/^/# /' "$log" | tail -20
		echo "not ok $n - $1"
		status=1
	fi
}
skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

"$tools/testfloat.sh" - <"$here/testfloat-vectors.txt" >"$log" 2>&1
check "agrees with Berkeley TestFloat" $?
"$tools/arm.sh" - <"$here/arm-vectors.txt" >"$log" 2>&1
check "agrees with A64 vectors" $?
if ! command -v qemu-aarch64 >/dev/null; then
	skip "agrees with qemu-aarch64" "no qemu-aarch64"
else
	"$tools/arm.sh" 300 5 >"$log" 2>&1
	check "agrees with qemu-aarch64" $?
fi
if [ "$(grep -cw -m1 'fma.* f16c\|f16c.* fma' /proc/cpuinfo)" != 1 ] || [ "$(uname -m)" != x86_64 ]; then
	skip "agrees with the host's SSE, FMA, F16C and x87" "not an x86-64 with FMA and F16C"
else
	"$tools/host-x86.sh" 20000 7 >"$log" 2>&1
	check "agrees with the host's SSE, FMA, F16C and x87" $?
fi
echo "1..$n"
exit $status
