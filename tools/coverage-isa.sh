#!/bin/bash
# Which instructions of the GNU assembler's own tests are disassembled as they expect and implemented, and which are refused, by feature; guest by guest.
# usage: coverage-isa.sh BUILD [FOLDER]   FOLDER: gas/testsuite/gas of binutils; else it is taken out of Debian's binutils-source
build=$1 folder=$2 status=0
archive=$(ls /usr/src/binutils/binutils-*.tar.* 2>/dev/null | head -1)
for triplet in aarch64-linux-gnu riscv64-linux-gnu; do
	command -v $triplet-objdump >/dev/null && continue
	echo "coverage-isa: $triplet-objdump is not there: apt install binutils-$triplet" >&2
	exit 1
done
if [ -z "$folder" ]; then
	if [ -z "$archive" ]; then
		echo "coverage-isa: no /usr/src/binutils/binutils-*.tar.*: apt install binutils-source, or name the folder gas/testsuite/gas with GAS=" >&2
		exit 1
	fi
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	tar -C "$work" -xf "$archive" --wildcards '*/gas/testsuite/gas/aarch64' '*/gas/testsuite/gas/riscv' || exit 1
	folder=$(echo "$work"/*/gas/testsuite/gas)
fi
while read -r guest sub; do
	echo "$guest:"
	python3 "$(dirname "$0")/check-text.py" "$build/guest-diff" gas "$folder/$sub" $guest || status=1
done <<'END'
aarch64 aarch64
riscv64 riscv
riscv32 riscv
END
exit $status
