#!/bin/bash
# User mode under the thread sanitizer: programs with many threads, that signal each other, fork and make code. usage: threads-tsan.sh BUILD
# What generated code does is not seen; races between translations, signals and the map of memory are.
build=$(realpath "${1:?a build with -Db_sanitize=thread}")
cd "$(dirname "$0")/programs" || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export TSAN_OPTIONS="halt_on_error=0 report_signal_unsafe=0 exitcode=66 log_path=$tmp/report $TSAN_OPTIONS"
status=0
for name in threads signals memory; do
	aarch64-linux-gnu-gcc -O1 -w -static -pthread -o "$tmp/$name" "$name.c" -lutil || exit 1
	timeout 300 "$build/rhea-user" "$tmp/$name" "$tmp" >"$tmp/out" 2>&1
	rc=$?
	races=$(cat "$tmp"/report* 2>/dev/null | grep -c "WARNING: ThreadSanitizer")
	echo "$name: exit status $rc, $(grep -c '^not ok' "$tmp/out") checks failed, $races reports"
	cat "$tmp"/report* 2>/dev/null | grep -A12 "WARNING: ThreadSanitizer" | head -60
	rm -f "$tmp"/report*
	[ "$rc$races" = 00 ] || status=1
done
exit $status
