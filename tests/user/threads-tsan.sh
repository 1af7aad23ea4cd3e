#!/bin/bash
# User mode under the thread sanitizer: programs with many threads, that signal each other, fork and make code. usage: threads-tsan.sh BUILD
# What generated code does is not seen; races between translations, signals and the map of memory are.
build=$(realpath "${1:?a build with -Db_sanitize=thread}")
cd "$(dirname "$0")/programs" || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# A fork copies the code cache while other threads write translations that nobody knows yet: the child never looks at those.
echo "race:map_copy" >"$tmp/suppressions"
export TSAN_OPTIONS="die_after_fork=0 halt_on_error=0 report_signal_unsafe=0 exitcode=66 log_path=$tmp/report suppressions=$tmp/suppressions $TSAN_OPTIONS"
# What wild pointers meet there, and what lies where, is the sanitizer's own.
elsewhere="reads by wild pointers|so are writes|and atomic operations|the emulator's own memory cannot be mapped over|a tebibyte can be reserved"
status=0
for name in threads signals memory; do
	aarch64-linux-gnu-gcc -O1 -w -static -pthread -o "$tmp/$name" "$name.c" -lutil || exit 1
	timeout 300 "$build/rhea-user" "$tmp/$name" "$tmp" >"$tmp/out" 2>&1
	rc=$?
	races=$(cat "$tmp"/report* 2>/dev/null | grep -c "WARNING: ThreadSanitizer")
	failed=$(grep '^not ok' "$tmp/out" | grep -vE "$elsewhere")
	echo "$name: exit status $rc, $(grep -c '^ok' "$tmp/out") checks passed, $races reports"
	[ -z "$failed" ] || echo "$failed"
	grep '^not ok' "$tmp/out" | grep -E "$elsewhere" | sed 's/$/ # not judged: the sanitizer has memory there/'
	cat "$tmp"/report* 2>/dev/null | grep -A12 "WARNING: ThreadSanitizer" | head -60
	rm -f "$tmp"/report*
	[ "$rc" = "$(grep -c -m1 '^not ok' "$tmp/out")" ] && [ "$failed$races" = 0 ] && grep -q '^ok' "$tmp/out" || status=1
done
exit $status
