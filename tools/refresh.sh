#!/bin/sh
# Sources are found, not listed: when a file came or went since the last build, meson looks again.
# usage: refresh.sh BUILD-DIR
set -e
cd "$(dirname "$0")/.."
find src -name '*.[ch]' -o -name '*.inc' -o -name '*.tbl' | LC_ALL=C sort >"$1/files.new"
if cmp -s "$1/files.new" "$1/files"; then
	rm "$1/files.new"
else
	mv "$1/files.new" "$1/files"
	touch meson.build
fi
