#!/bin/bash
# The Linux ABI as arm64 programs see it: programs/*.c, static, each prints its own checks.
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
emulator=${EMULATOR:-rhea-user}
n=0 status=0
for src in "$here"/programs/*.c; do
	name=$(basename "$src" .c)
	if ! aarch64-linux-gnu-gcc -O1 -w -static -pthread -o "$tmp/$name" "$src" -lutil 2>"$tmp/log"; then
		echo "not ok $((++n)) - $name compiles"
		sed 's/^/# /' "$tmp/log"
		status=1
		continue
	fi
	timeout -k 2 60 $emulator "$tmp/$name" "$tmp" >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
	while IFS= read -r line; do
		case $line in
		"ok - "*) echo "ok $((++n)) - $name: ${line#ok - }" ;;
		"not ok - "*) echo "not ok $((++n)) - $name: ${line#not ok - }"; status=1 ;;
		*) echo "# $line" ;;
		esac
	done <"$tmp/out"
	if [ $rc != 0 ] && ! grep -q '^not ok' "$tmp/out"; then
		echo "not ok $((++n)) - $name ends with 0, not $rc"
		sed 's/^/# /' "$tmp/err"
		status=1
	fi
done
exit $status
