#!/bin/bash
# A Debian root of another CPU made by debootstrap, its second stage and everything after it run by Rhea through binfmt_misc: packages,
# compilers, languages with their own translators. Prints a table; not part of `make test` (a network, 3 GB of disk, some ten minutes of CPU).
#
# usage: make root-test [GUEST=riscv64], or tests/user/root.sh BUILD-DIR [WORK-DIR]. As root. In the environment:
#   GUEST    arm64 (the default) or riscv64
#   MIRROR   another archive than deb.debian.org
#   SUITE    another name of the release (stable for trixie), where an archive serves parts of two days under one
#   LIMIT    seconds of a step (1800)
#   STEPS    only those steps after the packages whose names match this expression (python-.*)
# Packages are fetched once, into WORK-DIR/debs. Nothing of the machine changes: user, mount and process namespaces of their own, with a
# binfmt_misc of their own (Linux 6.7).
guest=${GUEST:-arm64}
build=$(realpath "${1:?build folder}") work=${2:-/var/tmp/rhea-root-$guest} mirror=${MIRROR:-http://deb.debian.org/debian}
limit=${LIMIT:-1800} steps=${STEPS:-.*} status=0
programs="gcc openssl sqlite git perl restart"
case $guest in # Rhea's name, the release, what has a translator of its own there
arm64)
	cpu=aarch64 suite=${SUITE:-bookworm} python=3.11
	packages="golang-go openjdk-17-jdk-headless nodejs erlang-base" programs="$programs go java node erlang"
	;;
riscv64)
	cpu=riscv64 suite=${SUITE:-trixie} python=3.13
	packages="golang-go openjdk-21-jdk-headless" programs="$programs go java"
	;;
*) echo "root.sh: GUEST is arm64 or riscv64, not '$guest'" >&2; exit 2 ;;
esac
[ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null || { echo "root.sh: wants to be root, and debootstrap" >&2; exit 1; }
mkdir -p "$work/debs/partial" "$work/log" && work=$(realpath "$work") root=$work/root

# The parent half gives the namespace its 65536 ids; newuidmap would want entries in /etc/subuid.
cat >"$work/ns.py" <<'PY'
import ctypes, os, signal, sys
ready, go = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    ctypes.CDLL(None).unshare(0x10000000 | 0x20000)  # user, mounts
    os.write(ready[1], b"x"); os.read(go[0], 1)
    os.setgroups([]); os.setgid(0); os.setuid(0)
    os.execvp("unshare", ["unshare", "-p", "-f", "--kill-child", "--"] + sys.argv[1:])
os.read(ready[0], 1)
for name in "uid_map", "gid_map":
    with open(f"/proc/{pid}/{name}", "w") as f:
        f.write("0 0 65536\n")
os.write(go[1], b"x")
signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGKILL))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
PY
cat >"$work/enter.sh" <<'SH'
mount --make-rprivate / && mount -t proc proc /proc && mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit 125
"$RHEA" binfmt install "$NAME" || exit 125
mount --bind "$ROOT" "$ROOT"
mount --bind "$DEBS" "$ROOT/var/cache/apt/archives"
mount --rbind /proc "$ROOT/proc"
mount --rbind /sys "$ROOT/sys"
for d in null zero full random urandom tty; do mount --bind /dev/$d "$ROOT/dev/$d"; done
mount -t tmpfs tmpfs "$ROOT/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$ROOT/dev/pts"
ln -sf pts/ptmx "$ROOT/dev/ptmx"
exec env -i container=lxc PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C \
	DEBIAN_FRONTEND=noninteractive chroot "$ROOT" "$@"
SH
enter() { RHEA=$build/bin/rhea-user NAME=$cpu ROOT=$root DEBS=$work/debs timeout -k 5 "$limit" python3 "$work/ns.py" bash "$work/enter.sh" "$@"; }
step() { # name, command...: one line of the table; the output in WORK/log/NAME
	local name=$1 start=$SECONDS rc
	shift
	"$@" >"$work/log/$name" 2>&1 </dev/null
	rc=$?
	[ $rc = 0 ] || status=1
	printf '%-34s %-6s %4d s\n' "$name" "$([ $rc = 0 ] && echo ok || echo "fails ($rc)")" $((SECONDS - start))
	return $rc
}
first_stage() {
	rm -rf "$root"
	debootstrap --foreign --arch="$guest" --variant=minbase --cache-dir="$work/debs" $suite "$root" "$mirror" || return
	[ ! -L "$root/proc" ] || { rm "$root/proc" && mkdir "$root/proc"; } # a container's first stage leaves a link to itself
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
	mkdir -p "$root/root/t" && cp "$(dirname "$0")"/root/* "$root/root/t/"
}
debugger() { # the host's gdb, at a program of the root with the root's libraries
	command -v gdb-multiarch >/dev/null || { echo "gdb-multiarch is not installed"; return 1; }
	rm -f "$work/gdb"
	timeout 120 "$build/bin/rhea-user" -L "$root" -g unix:"$work/gdb" "$root/root/t/d" &
	timeout 120 gdb-multiarch -batch -nx -ex "set sysroot $root" -ex "file $root/root/t/d" -ex "shell while [ ! -S $work/gdb ]; do sleep 0.1; done" \
		-ex "target remote $work/gdb" -ex 'break f' -ex continue -ex backtrace -ex 'print n' -ex stepi -ex finish -ex continue >"$work/log/gdb" 2>&1
	wait $!
	cat "$work/log/gdb"
	grep -q '^\$1 = 6$' "$work/log/gdb" && grep -q '^Value returned is .* = 42$' "$work/log/gdb" && grep -q 'exited normally' "$work/log/gdb"
}
install() { enter apt-get install -y --no-install-recommends "$@"; }
judge() { [[ ! $1 =~ ^($steps)$ ]] || step "$@"; }

if [ ! -e "$work/made" ]; then
	step debootstrap-first first_stage
	step debootstrap-second enter /debootstrap/debootstrap --second-stage
	step apt-update enter apt-get update
	step apt-install install netbase gcc libc6-dev make git openssl sqlite3 python3 libpython$python-testsuite
	[ $status = 0 ] && touch "$work/made"
fi
if [ ! -e "$work/made-languages" ]; then
	step apt-install-languages install $packages && touch "$work/made-languages"
fi
for name in $programs; do
	judge $name enter sh /root/t/languages.sh $name
done
for what in sha256 "-evp aes-128-gcm" rsa2048 ecdsap256; do
	judge "openssl-speed-${what#-evp }" enter openssl speed -seconds 1 $what
done
for name in json re struct math float mmap signal threading subprocess socket multiprocessing_fork asyncio; do
	judge python-test_$name enter python3 -m test test_$name
done
# Nothing is registered there: what the shell and python start, Rhea starts.
judge exec-as-ordinary-user setpriv --reuid 65534 --regid 65534 --clear-groups "$build/bin/rhea-user" exec "$root" \
	/bin/sh -c 'id -u && ls / >/dev/null && python3 -c "import subprocess, sys; subprocess.run([sys.executable, \"-c\", \"1\"], check=True)"'
judge debug-program enter sh /root/t/languages.sh debug
judge debugger debugger
exit $status
