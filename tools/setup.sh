#!/bin/sh
# Installs what building and testing need, on Debian 12, as root or with sudo. Does nothing when all is there.
set -e
packages="gcc make meson ninja-build pkg-config python3 libc6-dev
	zlib1g-dev libzstd-dev libbz2-dev liburing-dev libaio-dev libnbd-bin nbdkit libgnutls28-dev libcurl4-openssl-dev
	libfuse3-dev mtools dosfstools openssl libjansson-dev libcapstone-dev
	gdb-multiarch gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross"
missing=
for p in $packages; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
echo "installing:$missing"
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
