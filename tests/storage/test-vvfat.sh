#!/bin/bash
# vvfat: a folder as a disk, as FAT12, FAT16, FAT32 and floppy; what is written to the disk becomes files of the folder.
n=0 bad=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
refuses() { local want=$1 out; shift; out=$("$@" 2>&1) && return 1; case $out in *"$want"*) ;; *) echo "# $out"; return 1 ;; esac; }
dir=$(mktemp -d -p /var/tmp) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
export MTOOLS_SKIP_CHECK=1

mkdir -p src/sub/deeper "src/A folder with a long name"
echo hello >src/HELLO.TXT; head -c 300000 /dev/urandom >"src/a file with a long name.bin"; head -c 20000 /dev/urandom >src/sub/data; : >src/empty
echo deep >src/sub/deeper/x; echo umlaut >"src/sub/grün.txt"; for i in $(seq 30); do echo $i >"src/A folder with a long name/number $i"; done
ln -s /etc/passwd src/link

refuses "Could not read directory nosuch" qemu-img info fat:nosuch && refuses "requires a 'dir' option" qemu-img info --image-opts driver=vvfat &&
	refuses "12, 16 and 32" qemu-img info --image-opts driver=vvfat,dir=src,fat-type=13 && refuses "longer than 11" qemu-img info --image-opts driver=vvfat,dir=src,label=123456789012 &&
	refuses "read-only" qemu-io -f raw -c quit fat:src && refuses "fat-type" qemu-img info --image-opts driver=vvfat,dir=src,floppy=on,fat-type=32
ok $? "what cannot be is refused"
if ! command -v mcopy >/dev/null || ! command -v fsck.vfat >/dev/null; then skip "contents" "mtools and dosfstools are not installed"; exit $bad; fi

place() { case $1 in floppy*) echo 0 ;; *) echo 32256 ;; esac; } # of the volume on the disk
for kind in "" 12: 32: floppy: floppy:12:; do
	at=$(place "$kind"); rm -rf out raw volume; mkdir out
	qemu-img convert -f raw -O raw "fat:${kind}src" raw && dd if=raw of=volume bs=32256 skip=$((at / 32256)) conv=sparse status=none && fsck.vfat -n volume >fsck.log 2>&1
	ok $? "fat:$kind fsck finds nothing"
	mcopy -i "raw@@$at" -s -n ::/ out 2>/dev/null; diff -r --no-dereference --exclude=link src out >diff.log || { sed 's/^/# /' diff.log; false; }
	ok $? "fat:$kind every file is there"
done

# A guest at work: mtools change a copy of the disk, which is then written back.
edit() { # kind, then a function that changes the volume
	volume=raw@@$(place "$1")
	qemu-img convert -f raw -O raw "fat:$1work" raw && $2 && qemu-img convert -n -f raw -O raw raw "fat:rw:$1work" &&
		rm -rf out && mkdir out && mcopy -i "$volume" -s -n ::/ out && diff -r --no-dereference --exclude=link out work
}
work() {
	echo changed >new && mcopy -o -i "$volume" new ::/HELLO.TXT && mdel -i "$volume" ::/empty && mmd -i "$volume" "::/made here" &&
		mcopy -i "$volume" raw_file "::/made here/a new file.bin" && mren -i "$volume" ::/sub/data "::/sub/other name.bin" && mdeltree -i "$volume" "::/A folder with a long name" &&
		mmove -i "$volume" "::/sub/deeper/x" "::/moved up"
}
head -c 100000 /dev/urandom >raw_file
for kind in 12: 32: floppy:; do
	rm -rf work; cp -a src work; chmod 600 work/HELLO.TXT; touch -d 2020-01-01 "work/a file with a long name.bin"
	edit "$kind" work >log 2>&1 || sed 's/^/# /' log
	[ "$(cat work/HELLO.TXT)" = changed ] && [ ! -e work/empty ] && cmp -s raw_file "work/made here/a new file.bin" && cmp -s src/sub/data "work/sub/other name.bin" && [ "$(cat "work/moved up")" = deep ] &&
		[ ! -e "work/A folder with a long name" ] && [ "$(ls -A work | grep -c rhea)" = 0 ]
	ok $? "fat:rw:$kind changed, new, removed, renamed and moved files"
	[ "$(stat -c %a work/HELLO.TXT)" = 600 ] && [ -L work/link ]; ok $? "fat:rw:$kind modes stay, and what the guest did not see"
done
rm -rf work; cp -a src work; before=$(stat -c %i:%Y "work/a file with a long name.bin")
same() { true; }
edit 12: same >/dev/null 2>&1; diff -r --no-dereference src work >/dev/null; ok $? "writing the same again changes nothing"
qemu-io -f raw -c 'write -q -P 5 32k 512' fat:rw:12:work >log 2>&1; grep -q "middle of a change" log && diff -r --no-dereference src work >/dev/null
ok $? "a file system that makes no sense changes nothing"

# A link in the folder is no way out of it.
mkdir outside; rm -rf work; mkdir work; ln -s "$dir/outside" work/out
evil() { mmd -i "$volume" ::/out && echo bad >bad && mcopy -i "$volume" bad ::/out/bad; }
edit 12: evil >/dev/null 2>&1; [ -z "$(ls outside)" ]; ok $? "symbolic links are not followed"
exit $bad
