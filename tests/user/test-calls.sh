#!/bin/bash
# Small functions are taken into what calls them often: results, faults inside them, returns to elsewhere, code that changes.
. "$(dirname "$0")/../tap.sh"
taken() { awk '/taken in/ { print $NF; found = 1 } END { if (!found) print 0 }' err; }
run() { timeout -k 2 60 rhea-user -keep off --stats "$@" >out 2>err; }

aarch64-linux-gnu-gcc -O2 -static -o calls "$here/calls/calls.c" "$here/calls/calls.S" && gcc -O2 -o native "$here/calls/calls.c" ||
	{ echo "not ok 1 - compiles"; exit 1; }
./native >want
run ./calls
check "small functions in a loop, with the same results" eval 'cmp -s out want && [ "$(taken)" -ge 5 ]'
run -hot 0 ./calls
check "everything for speed at once" cmp -s out want
run -background on -hot 50 ./calls
check "by the translator's thread" eval 'cmp -s out want && [ "$(taken)" -ge 5 ]'
run -one-insn-per-tb ./calls
check "one instruction at a time takes none in" eval 'cmp -s out want && [ "$(taken)" = 0 ]'
mkdir keep
timeout -k 2 60 rhea-user -keep "$tmp/keep" ./calls >out 2>err
timeout -k 2 60 rhea-user -keep "$tmp/keep" --stats ./calls >out 2>err
check "kept across runs" eval 'cmp -s out want && [ "$(taken)" -lt 5 ]'
for hot in 100 20000; do
	echo af00000018f9c >want # (1 + 2 + 4) * 102400, 102400 * 1023 / 1024
	run -hot $hot ./calls odd
	check "returns to elsewhere, by another register, through memory (-hot $hot)" eval 'cmp -s out want && [ "$(taken)" -ge 3 ]'
	echo 400000 200 400000 100 0 >want
	run -hot $hot ./calls fault
	check "a fault inside has the function's pc and link register (-hot $hot)" eval 'cmp -s out want && [ "$(taken)" -ge 1 ]'
	echo 1 1 >want
	run -hot $hot ./calls changed
	check "a function in another page is written anew, and goes (-hot $hot)" eval 'cmp -s out want && [ "$(taken)" -ge 10 ]'
done
if command -v riscv64-linux-gnu-gcc >/dev/null; then
	riscv64-linux-gnu-gcc -O2 -static -o rv "$here/calls/calls.c"
	./native >want
	run ./rv
	check "riscv64" eval 'cmp -s out want && [ "$(taken)" -ge 5 ]'
else
	echo "ok $((++n)) - riscv64 # SKIP no riscv64-linux-gnu-gcc"
fi
echo "1..$n"
exit $status
