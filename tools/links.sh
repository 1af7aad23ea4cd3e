#!/bin/sh
# Lays the programs, under every name they answer to, into BUILD-DIR/bin.
# usage: links.sh BUILD-DIR
set -e
cd "$1"
mkdir -p bin
for program in rhea rhea-user; do
	[ -e "$program" ] || continue
	ln -sf "../$program" "bin/$program"
	for name in $("./$program" --names); do
		ln -sf "../$program" "bin/$name"
	done
done
