#!/bin/bash
# The Linux ABI as programs of each architecture see it: programs/*.c, static, each prints its own checks.
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
emulator=${EMULATOR:-rhea-user}
n=0 status=0
take() { # one program: its name and source, the compiler
	local name=$1 src=$2
	shift 2
	if ! "$@" -O1 -w -static -pthread -o "$tmp/program" "$src" -lutil -lm 2>"$tmp/log"; then
		echo "not ok $((++n)) - $name compiles"
		sed 's/^/# /' "$tmp/log"
		status=1
		return
	fi
	# its own name is one of the things a program asks for
	mkdir -p "$tmp/$name"
	mv "$tmp/program" "$tmp/$name/$(basename "$src" .c)"
	timeout -k 2 60 $emulator "$tmp/$name/$(basename "$src" .c)" "$tmp" >"$tmp/out" 2>"$tmp/err" </dev/null
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
}
for arch in ${ARCHES:-aarch64 riscv64}; do
	cc=$arch-linux-gnu-gcc
	if ! command -v "$cc" >/dev/null; then
		echo "ok $((++n)) - the $arch ABI # SKIP no $cc"
		continue
	fi
	for src in "$here"/programs/*.c; do
		take "$arch/$(basename "$src" .c)" "$src" "$cc"
	done
done
exit $status
