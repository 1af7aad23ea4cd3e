#!/bin/bash
# The README's first example: fetches two of Debian's arm64 packages (hello and the C library, a few MB), unpacks them into a
# folder below the build folder, and runs the program in it. Nothing outside the build folder changes.
# usage: first-example.sh BIN-DIR
set -e
bin=$(realpath "$1")
dir=$(dirname "$bin")/example
root=$dir/root
if [ ! -e "$root/usr/bin/hello" ]; then
	mkdir -p "$dir/apt/lists/partial" "$dir/apt/archives/partial" "$root"
	touch "$dir/apt/status"
	apt=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State=$dir/apt" -o "Dir::State::status=$dir/apt/status"
		-o "Dir::Cache=$dir/apt" -o APT::Sandbox::User=root)
	apt-get "${apt[@]}" update
	(cd "$dir" && apt-get "${apt[@]}" download hello libc6)
	for package in "$dir"/*_arm64.deb; do
		dpkg-deb -x "$package" "$root"
	done
fi
echo "\$ qemu-aarch64 -L $root $root/usr/bin/hello"
"$bin/qemu-aarch64" -L "$root" "$root/usr/bin/hello"
