#!/bin/bash
# Which A64 instructions of the GNU assembler's own tests are disassembled as they expect and implemented, and which are refused, by feature.
# usage: coverage-isa.sh BUILD [FOLDER]   FOLDER: gas/testsuite/gas/aarch64 of binutils; else it is taken out of Debian's binutils-source
build=$1 folder=$2
archive=$(ls /usr/src/binutils/binutils-*.tar.* 2>/dev/null | head -1)
if ! command -v aarch64-linux-gnu-objdump >/dev/null; then
	echo "coverage-isa: aarch64-linux-gnu-objdump is not there: apt install binutils-aarch64-linux-gnu" >&2
	exit 1
fi
if [ -z "$folder" ]; then
	if [ -z "$archive" ]; then
		echo "coverage-isa: no /usr/src/binutils/binutils-*.tar.*: apt install binutils-source, or name the folder gas/testsuite/gas/aarch64 with GAS=" >&2
		exit 1
	fi
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	tar -C "$work" -xf "$archive" --wildcards '*/gas/testsuite/gas/aarch64' || exit 1
	folder=$(echo "$work"/*/gas/testsuite/gas/aarch64)
fi
python3 "$(dirname "$0")/check-text.py" "$build/guest-diff" gas "$folder"
