#!/usr/bin/env python3
"""Random QMP commands, given to Rhea's storage daemon and to QEMU's over the same images: both must refuse or neither, with the same class of
error, the same events must follow, and the same values come back.

qmp.py [--seed 1] [--rounds 20] [--words] [--rhea build/bin] [--peer /usr/bin]
A round is a daemon's life of 40 commands, or up to the first difference (after which the two are no longer in the same state). --words prints
refusals that say something else, too. Exit status: 0 all agree, 1 some differ, 2 a tool is missing. Needs QEMU 7.2 or near it."""
import json, os, random, re, select, shutil, subprocess, sys, tempfile, time
import sides

NODES = "fa qa fb rb qc qd fd n1 n2 nope thr cor fs rs".split()
IDS = "e1 e2 j1 j2 b1 b2 bp nope".split()
COMMANDS = """blockdev-add blockdev-add blockdev-add blockdev-add blockdev-del blockdev-del block-dirty-bitmap-add block-dirty-bitmap-add
block-dirty-bitmap-remove block-dirty-bitmap-clear block-dirty-bitmap-enable block-dirty-bitmap-disable block-dirty-bitmap-merge blockdev-snapshot
blockdev-backup blockdev-mirror block-stream block-commit block-export-add block-export-add block-export-del query-block-exports query-jobs job-dismiss
job-cancel job-complete job-finalize job-pause job-resume transaction blockdev-reopen nbd-server-start nbd-server-stop object-add object-del
query-block-jobs block-job-set-speed blockdev-snapshot-sync change-backing-file block-set-write-threshold nbd-server-add nbd-server-remove""".split()
# Where the answers may differ: what was asked and what Rhea said, as one text, and why.
KNOWN = [
    (r'Failed to get .* lock', "a node takes its file's locks when it is added, the peer when somebody uses it"),
    (r'block-stream.*"return"', "a stream with nothing below it ends at once; the peer finds it in conflict with its users"),
    (r'The overlay is already in use', "somebody's backing file is put over another node"),
    (r'copy-on-read.*"return"', "the peer wants to write to a read-only image"),
]
SETUP = [{"driver": "file", "node-name": "fa", "filename": "a.q"}, {"driver": "qcow2", "node-name": "qa", "file": "fa"},
         {"driver": "file", "node-name": "fb", "filename": "b.raw"}, {"driver": "raw", "node-name": "rb", "file": "fb"},
         {"driver": "qcow2", "node-name": "qc", "file": {"driver": "file", "filename": "c.q"}, "backing": "qa"}]


class Daemon:
    """A storage daemon with a monitor on its standard input and output."""

    def __init__(self, bin_dir, cwd):
        self.p = subprocess.Popen([bin_dir + "/qemu-storage-daemon", "--chardev", "stdio,id=c", "--monitor", "c"], cwd=cwd, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        self.text, self.seen = b"", []
        self.read()  # the greeting
        self.ask({"execute": "qmp_capabilities"})

    def read(self, seconds=20):
        end = time.time() + seconds
        while b"\n" not in self.text:
            ready, _, _ = select.select([self.p.stdout], [], [], max(0, end - time.time()))
            more = os.read(self.p.stdout.fileno(), 65536) if ready else b""
            if not more:
                return None
            self.text += more
        line, self.text = self.text.split(b"\n", 1)
        if line.startswith(b"Formatting "):  # QEMU's daemon says so between its answers
            return self.read(seconds)
        return json.loads(line)

    def ask(self, command):
        """The answer; {"dead": its exit status} when there is none."""
        try:
            self.p.stdin.write(json.dumps(command).encode() + b"\n")
        except BrokenPipeError:
            return {"dead": self.p.wait()}
        while (answer := self.read()) is not None:
            if "event" not in answer:
                return answer
            if answer["event"] != "JOB_STATUS_CHANGE":  # how often a job pauses is a matter of time
                self.seen.append(answer["event"])
        return {"dead": self.p.poll()}

    def events(self):
        while b"\n" in self.text or select.select([self.p.stdout], [], [], 0)[0]:
            answer = self.read(1)
            if answer is None:
                break
            if answer.get("event") != "JOB_STATUS_CHANGE":
                self.seen.append(answer.get("event", str(answer)))
        return sorted(self.seen)

    def end(self):
        self.p.kill()
        self.p.wait()


class Commands:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def maybe(self, chance, **members):
        return {k.replace("_", "-"): v for k, v in members.items()} if self.r.random() < chance else {}

    def node_name(self):
        return self.r.choice(NODES)

    def id(self):
        return self.r.choice(IDS)

    def node(self, depth=0):
        k, pick, m = self.r.random(), self.r.choice, self.maybe
        if k < .3 or depth > 2:
            n = {"driver": "file", "filename": pick(["a.q", "b.raw", "c.q", "d.q", "nothere", "small.raw"])}
        elif k < .75:
            n = {"driver": pick("qcow2 qcow2 raw raw vmdk copy-on-read throttle blkdebug compress preallocate snapshot-access copy-before-write nope".split()),
                 "file": self.node_name() if self.r.random() < .5 else self.node(depth + 1)}
        elif k < .85:
            n = {"driver": pick(["null-co", "null-aio"]), **m(.5, size=pick([0, 512, 1 << 20, -1, 1000])), **m(.2, read_zeroes=True)}
        else:
            n = {"driver": "blkverify", "test": self.node_name(), "raw": self.node_name()}
        return {**n, **m(.1 if depth else .5, node_name=self.node_name()), **m(.2, read_only=pick([True, False])), **m(.1, discard=pick(["unmap", "ignore", "x"])),
                **m(.1, detect_zeroes=pick(["on", "unmap", "off"])), **m(.1, cache={"direct": pick([True, False])}), **m(.1, backing=pick([None, "nope"])),
                **m(.05, bogus=1), **m(.1, auto_read_only=True)}

    def job(self, command):
        pick, m = self.r.choice, self.maybe
        a = {**m(.8, job_id=self.id()), "device": self.node_name(), **m(.2, speed=pick([0, 1000, -1, 1 << 20]))}
        if command in ("blockdev-backup", "blockdev-mirror"):
            a.update({"target": self.node_name(), "sync": pick(["full", "top", "none", "incremental", "bitmap"]), **m(.2, bitmap=self.id()),
                      **m(.2, bitmap_mode=pick(["never", "always", "on-success"])), **m(.2, auto_dismiss=False), **m(.2, auto_finalize=False)})
        elif command == "block-stream":
            a.update({**m(.2, base="a.q"), **m(.2, base_node=self.node_name()), **m(.1, backing_file="x"), **m(.1, bottom=self.node_name())})
        else:
            a.update({**m(.3, base_node=self.node_name()), **m(.3, top_node=self.node_name()), **m(.1, backing_file="x")})
        return a

    def bitmap(self, command="block-dirty-bitmap-add"):
        pick, m = self.r.choice, self.maybe
        a = {"node": self.node_name(), "name": self.id()}
        if command == "block-dirty-bitmap-merge":
            return {"node": a["node"], "target": a["name"], "bitmaps": [pick([self.id(), self.bitmap("")]) for _ in range(self.r.randrange(3))]}
        if command == "block-dirty-bitmap-add":
            a.update({**m(.3, granularity=pick([512, 1000, 65536, 1 << 31, 256, 1 << 32])), **m(.4, persistent=pick([True, False])), **m(.2, disabled=True)})
        return a

    def action(self):
        return self.r.choice([{"type": t, "data": self.bitmap("")} for t in ("block-dirty-bitmap-add", "block-dirty-bitmap-clear", "block-dirty-bitmap-disable",
                                                                             "block-dirty-bitmap-remove")]
                             + [{"type": "abort", "data": {}}, {"type": "blockdev-snapshot", "data": {"node": self.node_name(), "overlay": self.node_name()}},
                                {"type": "blockdev-backup", "data": {"job-id": self.id(), "device": self.node_name(), "target": self.node_name(), "sync": "full"}}])

    def arguments(self, c):
        pick, m = self.r.choice, self.maybe
        if c in ("blockdev-backup", "blockdev-mirror", "block-stream", "block-commit"):
            return self.job(c)
        if c.startswith("block-dirty-bitmap"):
            return self.bitmap(c)
        if c.startswith("job-"):
            return {"id": self.id()}
        table = {
            "blockdev-add": lambda: {"node-name": self.node_name(), **self.node()},
            "blockdev-del": lambda: {"node-name": self.node_name()},
            "blockdev-snapshot": lambda: {"node": self.node_name(), "overlay": self.node_name()},
            "blockdev-snapshot-sync": lambda: {**m(.5, node_name=self.node_name()), **m(.3, device=self.node_name()), "snapshot-file": pick(["sn1.q", "a.q", "dir/x"]),
                                               **m(.7, snapshot_node_name=self.node_name()), **m(.3, format=pick(["qcow2", "raw", "nope"])),
                                               **m(.2, mode=pick(["existing", "absolute-paths"]))},
            "block-export-add": lambda: {"id": self.id(), "type": pick(["nbd", "nbd", "fuse", "nope"]), "node-name": self.node_name(), **m(.3, writable=True),
                                         **m(.3, name=pick(["x", "", "y" * 300])), **m(.2, bitmaps=[self.id()]), **m(.1, mountpoint=pick(["b.raw", "nothere"])),
                                         **m(.1, allocation_depth=True)},
            "block-export-del": lambda: {"id": self.id(), **m(.3, mode=pick(["safe", "hard"]))},
            "transaction": lambda: {"actions": [self.action() for _ in range(self.r.randrange(4))]},
            "blockdev-reopen": lambda: {"options": [{**self.node(), "node-name": self.node_name()}]},
            "nbd-server-start": lambda: {"addr": {"type": "unix", "data": {"path": "s.sock"}}, **m(.2, max_connections=pick([0, 1, -1])), **m(.1, tls_creds="t")},
            "nbd-server-add": lambda: {"device": self.node_name(), **m(.3, name="zz"), **m(.3, writable=True)},
            "nbd-server-remove": lambda: {"name": pick(["zz", "x"])},
            "object-add": lambda: {"qom-type": pick(["throttle-group", "secret", "iothread", "nope"]), "id": pick(["o1", "o2", "1x"]), **m(.3, data="abc"),
                                   **m(.3, limits={"iops-total": pick([10, -1])})},
            "object-del": lambda: {"id": pick(["o1", "o2"])},
            "block-job-set-speed": lambda: {"device": self.id(), "speed": pick([0, -1, 5])},
            "block-set-write-threshold": lambda: {"node-name": self.node_name(), "write-threshold": pick([0, 4096])},
            "change-backing-file": lambda: {"device": self.node_name(), "image-node-name": self.node_name(), "backing-file": "x"},
        }
        return table[c]() if c in table else {}

    def next(self):
        c = self.r.choice(COMMANDS)
        a = self.arguments(c)
        return {"execute": c, **({"arguments": a} if a else {})}


def plain(x):
    """Without what differs from run to run, and without the order of lists."""
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items() if k not in ("timestamp", "actual-size", "date-sec", "date-nsec")}
    if isinstance(x, list):
        return sorted((plain(v) for v in x), key=json.dumps)
    return re.sub(r"#block\d+", "#block", x) if isinstance(x, str) else x


def make_images(peer, where):
    os.makedirs(where)
    for words in ("qemu-img create -q -f qcow2 a.q 8M", "qemu-img create -q -f raw b.raw 8M", "qemu-img create -q -f qcow2 -b a.q -F qcow2 c.q",
                  "qemu-img create -q -f qcow2 d.q 8M", "qemu-img bitmap --add a.q bp", "qemu-img snapshot -c s1 d.q", "qemu-img create -q -f raw small.raw 1M"):
        subprocess.run([peer + "/" + words.split()[0]] + words.split()[1:], cwd=where, check=True)


def compare(command, a, b, words):
    """Asks both. None: they agree; else what is different, "" when they are known to be in different states from here on."""
    ra, rb = a.ask(command), b.ask(command)
    if "dead" in rb:
        return "Rhea's daemon is gone: %s; the peer says %s" % (rb, ra)
    if "dead" in ra:
        return ""
    said = "\n  peer: %s\n  rhea: %s" % (json.dumps(ra)[:600], json.dumps(rb)[:600])
    if ("error" in ra) != ("error" in rb):
        return "" if any(re.search(p, json.dumps(command) + json.dumps(rb)) for p, _ in KNOWN) else "one refuses" + said
    if "error" in ra:
        if ra["error"]["class"] != rb["error"]["class"]:
            return "class of the error" + said
        if words and plain(ra) != plain(rb):
            print("%s\n  words%s" % (json.dumps(command), said), flush=True)
    elif plain(ra) != plain(rb):
        return "what comes back" + said
    for wait in (.02, .1, .5, 2):
        time.sleep(wait)
        if a.events() == b.events():
            break
    else:
        return "events: %s and %s" % (a.events(), b.events())
    a.seen, b.seen = [], []
    return None


def main():
    o = sides.options(__doc__, "qemu-storage-daemon", ("rounds", 20))
    rhea, peer = o.rhea, o.peer
    commands, different, asked = Commands(o.seed), 0, 0
    with tempfile.TemporaryDirectory() as top:
        for _ in range(o.rounds):
            daemons, asked_here = [], []
            for tools, d in ((peer, top + "/a"), (rhea, top + "/b")):
                shutil.rmtree(d, ignore_errors=True)
                make_images(peer, d)
                daemons.append(Daemon(tools, d))
            for node in SETUP:
                for side in daemons:
                    side.ask({"execute": "blockdev-add", "arguments": node})
            for _ in range(40):
                command = commands.next()
                asked += 1
                asked_here.append(command)
                why = compare(command, *daemons, o.words)
                if why:
                    different += 1
                    print("%s\n  differs: %s" % ("\n".join(json.dumps(c) for c in asked_here), why), flush=True)
                if why is not None:
                    break
            for side in daemons:
                side.end()
    print("%d commands in %d lives, %d differ" % (asked, o.rounds, different))
    sys.exit(1 if different else 0)


main()
