#!/usr/bin/env python3
"""Times Rhea's image tools beside the peer's (Debian's qemu-utils) and cp, in turns, and prints wall times, CPU times and memory with their ratios.
Exit status: 0 the limits hold, 1 one is missed or something failed, 2 nothing to compare with.

images.py BUILD-DIR [DIR] [REPETITIONS]    DIR: where the images lie (5 GiB), by default BUILD-DIR/bench/images; the kind of file system matters
The best of all repetitions counts: other work on the machine only adds time. What a copy writes to must be new room for both, so it is removed
before each run; memory of the host is touched once before."""
import os, random, re, shutil, subprocess, sys, time

MIB = 1 << 20
FACTOR, COPY, RATE, OVER_RAW, START = 0.7, 1.3, 1 / 1.5, 1.2, 0.003  # the limits


def once(words, cwd):
    """Wall and CPU seconds and MiB of resident memory of one run, and what it said."""
    began = time.perf_counter()
    p = subprocess.Popen(words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = p.stdout.read()
    _, status, used = os.wait4(p.pid, 0)
    wall = time.perf_counter() - began
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        sys.exit("%s: %s" % (" ".join(words), said.decode(errors="replace")))
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said.decode(errors="replace")


def make_source(path):
    """1 GiB, each second MiB data: a quarter random, half text, a quarter one byte."""
    r = random.Random(1)
    text = b"".join(b"%d a line of some text, %x\n" % (i, i * 2654435761) for i in range(40000))
    with open(path, "wb") as f:
        f.truncate(1024 * MIB)
        for i in range(0, 1024, 2):
            f.seek(i * MIB)
            kind = i // 2 % 4
            f.write(r.randbytes(MIB) if kind == 0 else text[r.randrange(1000):][:MIB] if kind < 3 else bytes([1 + r.randrange(255)]) * MIB)


class Bench:
    def __init__(self, tools, where, repetitions):
        self.tools, self.where, self.repetitions, self.best, self.missed = tools, where, repetitions, {}, False
        self.alone = {}  # what `bench` says its requests took: without the start, and without the flush at the end

    def time(self, row, side, words, times=1):
        wall = cpu = 0
        for _ in range(times):
            w, c, memory, said = once(words, self.where)
            wall, cpu = wall + w / times, cpu + c / times
        old = self.best.setdefault(row, {}).get(side, (1e9, 1e9, 0))
        self.best[row][side] = min(old[0], wall), min(old[1], cpu), max(old[2], memory)
        told = re.search(r"Run completed in ([\d.]+) seconds", said)
        if told:
            alone = self.alone.setdefault(row, {})
            alone[side] = min(alone.get(side, 1e9), float(told[1]))

    def fresh(self, *names):
        for name in names:
            if os.path.exists(os.path.join(self.where, name)):
                os.unlink(os.path.join(self.where, name))

    def verbs(self, side, img):
        self.time("create", side, [img, "create", "-q", "-f", "qcow2", side + ".new", "10G"], 10)
        self.time("info", side, [img, "info", side + ".new"], 10)
        for _ in range(3):
            self.fresh(side + ".q", side + ".raw", side + ".new")
            os.sync()  # what others wrote is not to be written back meanwhile
            self.time("convert raw to qcow2", side, [img, "convert", "-f", "raw", "-O", "qcow2", "src", side + ".q"])
            self.time("convert qcow2 to raw", side, [img, "convert", "-f", "qcow2", "-O", "raw", side + ".q", side + ".raw"])
        self.time("compare", side, [img, "compare", "-f", "qcow2", "-F", "raw", side + ".q", "src"])
        self.time("check", side, [img, "check", "-q", side + ".q"])
        self.time("measure", side, [img, "measure", "-f", "qcow2", "-O", "qcow2", side + ".q"], 3)
        if subprocess.run(["cmp", "-s", "src", side + ".raw"], cwd=self.where).returncode:
            sys.exit("convert there and back by %s: the contents differ" % img)
        self.fresh(side + ".q", side + ".raw")
        for kind in ("zlib", "zstd"):
            self.time("convert -c, " + kind, side, [img, "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", "compression_type=" + kind, "small", side + ".z"])
            self.fresh(side + ".z")

    def requests(self, side, img):
        for fmt in ("raw", "qcow2"):
            name = side + ".b"
            self.fresh(name)
            once([img, "create", "-q", "-f", fmt, name, "1G"], self.where)
            words = [img, "bench", "-f", fmt, "-c", "24000", "-d", "32", "-s", "4096", "-S", "4239360", "-t", "writeback"]
            once(words + ["-w", name], self.where)
            os.sync()
            for _ in range(3):
                self.time("4 KiB writes, " + fmt, side, words + ["-w", name])
                self.time("4 KiB reads, " + fmt, side, words + [name])
            self.fresh(name)

    def run(self):
        for i in range(self.repetitions):
            sides = list(self.tools.items())
            for side, img in sides if i % 2 == 0 else sides[::-1]:
                self.verbs(side, img)
                self.requests(side, img)
            for _ in range(3):
                self.fresh("cp.raw")
                os.sync()
                self.time("cp", "cp", ["cp", "--sparse=always", "src", "cp.raw"])
            self.fresh("cp.raw")
            self.time("true", "true", ["true"], 10)

    def limit(self, what, value, most):
        bad = value > most
        self.missed |= bad
        print("  %-52s %6.2f of %.2f%s" % (what, value, most, "  MISSED" if bad else ""))

    def report(self):
        print("%-24s %9s %9s %7s   %9s %9s   %s" % ("images", "rhea s", "peer s", "ratio", "rhea CPU", "peer CPU", "MiB"))
        for row, sides in self.best.items():
            if "peer" in sides:
                r, p = sides["rhea"], sides["peer"]
                print("%-24s %9.4f %9.4f %7.2f   %9.4f %9.4f   %.0f %.0f" % (row, r[0], p[0], r[0] / p[0], r[1], p[1], r[2], p[2]))
        for row, sides in self.alone.items():
            print("%-24s %9.3f %9.3f %7.2f   by its own clock" % (row, sides["rhea"], sides["peer"], sides["rhea"] / sides["peer"]))
        wall = lambda row, side="rhea": self.best[row][side][0]
        for row in ("convert raw to qcow2", "convert qcow2 to raw", "compare", "check", "measure"):
            self.limit(row + ", of the peer's time", wall(row) / wall(row, "peer"), FACTOR)
        for row in ("convert raw to qcow2", "convert qcow2 to raw"):
            self.limit(row + ", of cp's time", wall(row) / wall("cp", "cp"), COPY)
        for row in ("4 KiB writes", "4 KiB reads"):
            self.limit(row + ", qcow2, of the peer's time", wall(row + ", qcow2") / wall(row + ", qcow2", "peer"), RATE)
            self.limit(row + ", qcow2, of raw's time", wall(row + ", qcow2") / wall(row + ", raw"), OVER_RAW)
        for row in ("create", "info"):
            self.limit(row + ", ms above an empty process", 1000 * (wall(row) - wall("true", "true")), 1000 * START)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = os.path.realpath(sys.argv[1])
    where = os.path.realpath(sys.argv[2] if len(sys.argv) > 2 else build + "/bench/images")
    rhea, peer = build + "/bin/qemu-img", "/usr/bin/qemu-img"
    if not os.path.exists(peer) or os.path.realpath(peer) == os.path.realpath(rhea):
        print("images: no qemu-img besides this one in /usr/bin (package qemu-utils), nothing to compare with")
        sys.exit(2)
    shutil.rmtree(where, ignore_errors=True)
    os.makedirs(where)
    try:
        make_source(where + "/src")
        with open(where + "/src", "rb") as f, open(where + "/small", "wb") as small:
            for _ in range(256):  # a large parent would show in the memory of those it starts
                small.write(f.read(MIB))
        with open(where + "/touch", "wb") as f:
            for _ in range(3072):
                f.write(b"\1" * MIB)
        os.unlink(where + "/touch")
        bench = Bench({"rhea": rhea, "peer": peer}, where, int(sys.argv[3]) if len(sys.argv) > 3 else 3)
        bench.run()
        bench.report()
    finally:
        shutil.rmtree(where, ignore_errors=True)
    sys.exit(1 if bench.missed else 0)


main()
