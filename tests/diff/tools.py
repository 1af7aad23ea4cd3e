#!/usr/bin/env python3
"""Random command lines of qemu-img and qemu-io, run by Rhea's tools and by QEMU's on the same images: exit status, what is printed on success,
what `info` says of every file afterwards and its contents must agree.

tools.py [--seed 1] [--count 300] [--words] [--rhea build/bin] [--peer /usr/bin]
--words compares what refusals say, too (they differ in many words, on purpose). Exit status: 0 all agree, 1 some differ, 2 a tool is missing.
Needs QEMU 7.2 or near it. What is known to differ stands in KNOWN, with its reason."""
import os, random, re, shutil, subprocess, sys, tempfile
import sides

FORMATS = ["raw", "qcow2", "qed", "vmdk", "vhdx", "vpc", "vdi", "parallels", "qcow"]
SIZES = "1M 8M 0 512 513 1000 5k 64M 10G -1 1.5M 3X +1M -1M 0x100000 1e3 9M 16385 7E 9223372036854775807 1T".split() + [""]
OPTIONS = """cluster_size=64k cluster_size=512 cluster_size=4M cluster_size=7k preallocation=off preallocation=metadata preallocation=falloc
preallocation=full compat=0.10 compat=1.1 compat=v3 lazy_refcounts=on refcount_bits=1 refcount_bits=64 refcount_bits=7 extended_l2=on subformat=fixed
subformat=dynamic subformat=monolithicFlat subformat=streamOptimized adapter_type=ide adapter_type=lsilogic adapter_type=zz block_size=1M block_size=3M
log_size=1M static=on nocow=off size=4M backing_file=raw.i backing_fmt=raw compression_type=zstd compression_type=zz data_file=dd.raw data_file_raw=on
table_size=4 force_size=on hwversion=6 zeroed_grain=on encryption=on encrypt.format=luks x=1 size lazy_refcounts=maybe compat6=on
block_state_zero=off extent_size_hint=1M""".split() + [""]
CACHES = ["none", "writeback", "unsafe", "directsync", "writethrough", "nope"]
# The command line, as one text, and why its answers may differ.
KNOWN = [
    (r"-O luks|-f luks", "the peer wants a key even where none is used"),
    (r"^qemu-img map .*vhdx", "the peer's vhdx does not tell where its blocks lie"),
    (r"^qemu-img map .*(tiny|empty)|^qemu-img map .*start-offset=(10G|1T|7E|64M|9M|8M)|map .*qcow2\.i.*-f raw|map -f raw",
     "the end of a file within a sector; the peer prints an entry of no bytes behind the end"),
    (r"^qemu-img bench .*(-d 0|-c 0|empty)", "the peer waits for ever, or divides by zero"),
    (r"^qemu-img dd ", "count counts from skip on, as dd's does; the peer's dd writes to a file that it reads"),
    (r"-O (file|host_device)|-f (file|host_device)", "protocols are no formats to create"),
    (r"create .*-f vmdk .*(-F|9223372036854775807)", "refused by the peer without a backing file; too large for the format"),
    (r"-z.*-P|-P.*-z", "the peer's aio_write takes a pattern for zeros"),
    (r"^qemu-io .*(aio_|-t (none|directsync))", "requests end in another order"),
    (r"^qemu-img info .*blkdebug", "the peer does not tell the room on disk through blkdebug"),
    (r"^qemu-img snapshot .*blkdebug", "the peer ends by SIGSEGV"),
    (r"^qemu-img convert .*-o .*size=4M", "the peer takes the option and ignores it"),
    (r"^qemu-img snapshot( -q| -U)* [^-]*$", "lists; the peer does nothing"),
    (r"^qemu-io .*info .*parallels", "the peer's parallels has no answer"),
    (r"ext\.i", "its data file is named from the working directory"),
]
BLANK = [  # what differs between two runs of one program
    (r'actual-size": \d+', ""), (r"disk size: .*", ""), (r"\d+\.\d+ sec.*", ""), (r"[\d.]+ seconds", ""), (r'"date-n?sec": \d+', ""),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", ""), (r'"?(parent-)?cid"?: \d+', ""), (r"\([\d.]+/100%\)\s*", ""), (r"^.*ops.*$", ""), (r'"dirty-flag": false', ""),
]


class Commands:
    """Command lines, as lists of words, by a seed."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        plain = [f + ".i" for f in FORMATS]
        self.files = plain + "top.i top2.i old.i ext.i tiny.i empty.i dir nothere dangling.i raw.i qcow2.i top.i top2.i".split()

    def maybe(self, chance, *words):
        return list(words) if self.r.random() < chance else []

    def file(self):
        return self.r.choice(self.files)

    def format(self):
        return self.r.choice(FORMATS + ["raw", "qcow2", "qcow2", "nope", "file", "host_device", "bochs"] if self.r.random() < 0.3 else FORMATS)

    def target(self):
        return self.r.choice(["raw.i", "qcow2.i", "dir/x", "dir", "nodir/x"]) if self.r.random() < 0.2 else "o%d" % self.r.randrange(5)

    def size(self):
        return self.r.choice(SIZES)

    def options(self):
        return ",".join(self.r.sample(OPTIONS, self.r.choice([1, 1, 1, 2, 2, 3])))

    def image(self, name=None):
        name = name or self.file()
        k = self.r.random()
        if k < 0.85:
            return [name]
        if k < 0.90:
            return ['json:{"driver":"%s","file":{"driver":"file","filename":"%s"}}' % (self.format(), name)]
        if k < 0.93:
            return ["file:" + name]
        return ["--image-opts", "driver=%s,file.filename=%s" % (self.format(), name)] if k < 0.96 else ["blkdebug::" + name]

    def create(self):
        m = self.maybe
        return (m(.8, "-f", self.format()) + m(.5, "-o", self.options()) + m(.3, "-b", self.file()) + m(.3, "-F", self.format()) + m(.1, "-u") + m(.2, "-q")
                + [self.target()] + m(.8, self.size()) + m(.03, "extra"))

    def info(self):
        m = self.maybe
        return m(.4, "-f", self.format()) + m(.4, "--output=" + self.r.choice(["json", "human", "xml"])) + m(.3, "--backing-chain") + m(.2, "-U") + self.image()

    def map(self):
        m = self.maybe
        return (m(.4, "-f", self.format()) + m(.6, "--output=" + self.r.choice(["json", "human"])) + m(.3, "--start-offset=" + self.size())
                + m(.3, "--max-length=" + self.size()) + m(.2, "-U") + self.image())

    def check(self):
        m = self.maybe
        return (m(.4, "-f", self.format()) + m(.3, "--output=json") + m(.3, "-r", self.r.choice(["leaks", "all", "x"])) + m(.2, "-q")
                + m(.1, "-T", self.r.choice(CACHES)) + self.image())

    def compare(self):
        m = self.maybe
        return m(.4, "-f", self.format()) + m(.4, "-F", self.format()) + m(.3, "-s") + m(.2, "-q") + m(.1, "-p") + m(.2, "-U") + self.image() + [self.file()]

    def measure(self):
        m = self.maybe
        what = ["--size", self.size()] if self.r.random() < .4 else self.image()
        return m(.4, "-f", self.format()) + m(.7, "-O", self.format()) + m(.3, "--output=json") + m(.3, "-o", self.options()) + what + m(.1, "-l", "sn")

    def resize(self):
        m = self.maybe
        return (m(.4, "-f", self.format()) + m(.4, "--shrink") + m(.2, "--preallocation=" + self.r.choice(["off", "metadata", "falloc", "full", "x"])) + m(.2, "-q")
                + self.image() + [self.size()])

    def rebase(self):
        m = self.maybe
        return (m(.4, "-f", self.format()) + m(.4, "-u") + m(.8, "-b", self.r.choice(["", "raw.i", "top.i", "qcow2.i", "nothere", "vmdk.i"])) + m(.6, "-F", self.format())
                + m(.1, "-p") + m(.2, "-t", self.r.choice(CACHES)) + self.image())

    def commit(self):
        m = self.maybe
        return (m(.4, "-f", self.format()) + m(.3, "-b", self.file()) + m(.3, "-d") + m(.2, "-q") + m(.1, "-r", self.size()) + m(.2, "-t", self.r.choice(CACHES))
                + self.image())

    def snapshot(self):
        m = self.maybe
        return (m(.9, self.r.choice(["-l", "-c", "-a", "-d"])) + m(.8, self.r.choice(["sn", "s2", "1", ""])) + m(.2, "-q")
                + self.image(self.r.choice(["qcow2.i", "qcow2.i", "top.i", "raw.i", "old.i", self.file()])))

    def bitmap(self):
        m = self.maybe
        return (m(.5, "--add") + m(.2, "--remove") + m(.2, "--clear") + m(.2, "--enable") + m(.2, "--disable") + m(.2, "--merge", self.r.choice(["bm", "b2"]))
                + m(.3, "-g", self.size()) + m(.2, "-b", self.file()) + m(.2, "-f", self.format())
                + self.image(self.r.choice(["top.i", "qcow2.i", "old.i", self.file()])) + [self.r.choice(["bm", "b2", "b3"])])

    def amend(self):
        m = self.maybe
        return m(.4, "-f", self.format()) + m(.9, "-o", self.options()) + m(.1, "--force") + m(.2, "-q") + self.image()

    def dd(self):
        m = self.maybe
        return (m(.4, "-f", self.format()) + m(.6, "-O", self.format()) + m(.9, "if=" + self.file()) + m(.9, "of=" + self.target())
                + m(.5, "bs=" + self.r.choice(["512", "1M", "64k", "1000", "0", "x", "4097"])) + m(.4, "count=" + self.r.choice(["1", "0", "5", "x", "100", "-1"]))
                + m(.4, "skip=" + self.r.choice(["0", "1", "5", "100000"])))

    def bench(self):
        m = self.maybe
        return (m(.4, "-f", self.format()) + m(.5, "-w") + ["-c", self.r.choice(["1", "10", "0", "x"])] + m(.3, "-d", self.r.choice(["1", "4", "0"]))
                + m(.3, "-s", self.r.choice(["512", "4k", "1M", "0", "100", "3G"])) + m(.3, "-o", self.size()) + m(.3, "-S", self.r.choice(["512", "1M", "0"]))
                + m(.2, "--pattern", self.r.choice(["1", "255", "256", "x"])) + m(.1, "--flush-interval=2") + m(.1, "--no-drain")
                + m(.1, "-i", self.r.choice(["native", "threads", "io_uring", "x"])) + m(.2, "-t", self.r.choice(CACHES)) + self.image())

    def convert(self):
        m = self.maybe
        return (m(.4, "-f", self.format()) + m(.7, "-O", self.format()) + m(.4, "-o", self.options()) + m(.15, "-B", self.file()) + m(.1, "-F", self.format())
                + m(.1, "-c") + m(.1, "-n") + m(.1, "-p") + m(.1, "-q") + m(.1, "-S", self.r.choice(["0", "4k", "64k", "513", "1G", "x"]))
                + m(.1, "-m", self.r.choice(["1", "16", "17", "0"])) + m(.1, "-W") + m(.1, "-C") + m(.1, "-t", self.r.choice(CACHES)) + m(.1, "-T", self.r.choice(CACHES))
                + m(.1, "-l", self.r.choice(["sn", "snapshot.name=sn", "snapshot.id=1", "zz"])) + m(.1, "--target-is-zero") + m(.1, "--bitmaps") + m(.05, "--salvage")
                + m(.05, "-r", self.size()) + m(.05, "--skip-broken-bitmaps") + self.image() + m(.1, self.file()) + [self.target()])

    def request(self):
        m = self.maybe
        c = self.r.choice("read write writev readv aio_read aio_write discard alloc map length info truncate flush aio_flush".split())
        if c in ("discard", "alloc"):
            return " ".join([c, self.r.choice(["0", "1M", "5M", "8M"]), self.r.choice(["64k", "1M", "0", "3", ""])])
        if c == "truncate":
            return c + " " + self.size()
        if "read" not in c and "write" not in c:
            return c
        return " ".join([c] + m(.5, "-P", self.r.choice(["7", "8", "0", "256"])) + m(.2, "-q") + m(.1, "-v" if "read" in c else "-z") + m(.1, "-f") + m(.1, "-b")
                        + m(.1, "-u") + m(.05, "-c") + m(.05, "-n") + [self.r.choice(["0", "1M", "5M", "7M", "8M", "512", "3", "-1", "1T", "8388607"]),
                                                                     self.r.choice(["512", "4k", "64k", "100k", "1M", "0", "3", "-1", "x", "2G"])])

    def io(self):
        m = self.maybe
        words = m(.5, "-f", self.format()) + m(.2, "-r") + m(.1, "-s") + m(.1, "-t", self.r.choice(CACHES)) + m(.1, "-d", self.r.choice(["unmap", "ignore", "x"]))
        for _ in range(self.r.randrange(1, 4)):
            words += ["-c", self.request()]
        return words + self.image()

    def next(self):
        verb = self.r.choice("create info convert convert convert map check compare measure resize rebase commit snapshot bitmap amend dd bench io io".split())
        words = getattr(self, verb)()
        return ["qemu-io"] + words if verb == "io" else ["qemu-img", verb] + words


def run(bin_dir, words, cwd):
    """Exit status (128 + signal, or "time") and output, standard error behind the rest."""
    try:
        p = subprocess.run([os.path.join(bin_dir, words[0])] + words[1:], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    except subprocess.TimeoutExpired:
        return "time", ""
    return p.returncode if p.returncode >= 0 else 128 - p.returncode, p.stdout.decode(errors="replace")


def plain(text):
    """Without what differs from run to run, the order of lines and of members included."""
    for pattern, by in BLANK:
        text = re.sub(pattern, by, text, flags=re.M)
    return sorted(line.strip() for line in text.replace(",", "").split("\n") if line.strip())


def make_images(peer, where):
    def tool(*words):
        if run(peer, list(words), where)[0] != 0:
            sys.exit("cannot make the images: " + " ".join(words))
    for f in FORMATS:
        tool("qemu-img", "create", "-q", "-f", f, f + ".i", "8M")
        tool("qemu-io", "-f", f, "-c", "write -q -P 7 1M 100k", "-c", "write -q -P 8 5M 64k", f + ".i")
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", "raw.i", "-F", "raw", "top.i")
    tool("qemu-io", "-c", "write -q -P 9 2M 64k", "top.i")
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", "top.i", "-F", "qcow2", "top2.i", "9M")
    tool("qemu-img", "bitmap", "--add", "top.i", "bm")
    tool("qemu-img", "snapshot", "-c", "sn", "qcow2.i")
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=0.10", "old.i", "8M")
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=ext.raw", "ext.i", "3M")
    with open(where + "/tiny.i", "w") as f:
        f.write("hello")
    open(where + "/empty.i", "w").close()
    os.mkdir(where + "/dir")
    os.symlink("nowhere", where + "/dangling.i")


def files_differ(peer, a, b):
    """What is different of the files that both left behind, or None."""
    for name in sorted(set(os.listdir(a)) | set(os.listdir(b))):
        x, y = os.path.join(a, name), os.path.join(b, name)
        if os.path.exists(x) != os.path.exists(y):
            return name + " exists on one side"
        if not os.path.isfile(x) or os.path.getsize(x) < 1 << 30 and subprocess.run(["cmp", "-s", x, y]).returncode == 0:
            continue
        i, j = (run(peer, ["qemu-img", "info", "-U", "--output=json", name], d)[1] for d in (a, b))
        if plain(i) != plain(j):
            return "info of " + name
        if run(peer, ["qemu-img", "compare", "-q", x, y], a)[0]:
            return "contents of " + name
    return None


def main():
    o = sides.options(__doc__, "qemu-img", ("count", 300))
    rhea, peer = o.rhea, o.peer
    commands, different, known = Commands(o.seed), 0, 0
    with tempfile.TemporaryDirectory() as top:
        images, a, b = (os.path.join(top, d) for d in ("images", "a", "b"))
        os.mkdir(images)
        make_images(peer, images)
        for _ in range(o.count):
            words = commands.next()
            line = " ".join("'%s'" % w if re.search(r"[^\w=.,:/+-]", w) or not w else w for w in words)
            if any(re.search(pattern, " ".join(words)) for pattern, _ in KNOWN):
                known += 1
                continue
            for d in (a, b):
                shutil.rmtree(d, ignore_errors=True)
                subprocess.run(["cp", "-a", "--sparse=always", images, d], check=True)
            (ra, ta), (rb, tb) = run(peer, words, a), run(rhea, words, b)
            why = []
            if ra != rb:
                why.append("exit status %s and %s" % (ra, rb))
            elif (ra == 0 or o.words) and plain(ta) != plain(tb):
                why.append("output")
            if ra == rb == 0:
                left = files_differ(peer, a, b)
                why += [left] if left else []
            if why:
                different += 1
                print("%s\n  differs: %s\n  peer: %s\n  rhea: %s" % (line, ", ".join(why), ta.strip()[:600], tb.strip()[:600]), flush=True)
    print("%d commands, %d differ, %d known to differ were left out" % (o.count, different, known))
    sys.exit(1 if different else 0)


main()
