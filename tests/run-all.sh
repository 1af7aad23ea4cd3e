#!/bin/bash
# Runs every test: layers, unit tests, and the scripts tests/*/test-*.sh. Ends with "N passed, N failed".
# A script prints TAP lines ("ok N - what", "not ok N - what", "ok N - what # SKIP reason") and ends with 0 or 1.
# usage: run-all.sh BUILD-DIR
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "$1")
passed=0 failed=0 skipped=0
take() { # name, output file, exit status: counts TAP lines, prints what failed or was skipped
	local ok notok skip
	skip=$(grep -c '^ok .*# SKIP' "$2")
	ok=$(($(grep -c '^ok ' "$2") - skip))
	notok=$(grep -c '^not ok ' "$2")
	if [ "$3" != 0 ] && [ "$notok" = 0 ]; then
		notok=1
		echo "not ok - $1 ended with $3"
		tail -20 "$2"
	fi
	grep -B5 '^not ok ' "$2"
	grep -h '# SKIP\|^# skipped' "$2"
	echo "$1: $ok passed, $notok failed, $skip skipped"
	passed=$((passed + ok)) failed=$((failed + notok)) skipped=$((skipped + skip))
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
python3 tools/layers.py >"$log" 2>&1
status=$?
if [ $status = 0 ]; then echo "ok 1 - includes point downwards" >>"$log"; else sed -i '1i not ok 1 - layers' "$log"; cat "$log"; fi
take layers "$log" $status
"$build/unit" >"$log" 2>&1
take unit "$log" $?
for script in tests/*/test-*.sh; do
	[ -e "$script" ] || continue
	PATH="$build/bin:$PATH" BUILD="$build" bash "$script" >"$log" 2>&1
	take "$script" "$log" $?
done
[ $skipped = 0 ] || echo "$skipped skipped, reasons above"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
