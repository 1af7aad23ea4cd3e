#!/usr/bin/env python3
"""Compares a guest's assembly text with the GNU disassembler's.

  check-text.py [-v] GUEST-DIFF gas FOLDER    every .s of gas's test suite (gas/testsuite/gas/aarch64), with the options of its .d files
  check-text.py [-v] GUEST-DIFF random N      N random words inside the patterns, and N outside them

Counts: matched; refused (we say .inst, the disassembler knows it: a feature we have not, counted by mnemonic); wrong (other text); extra (we know it alone).
-v shows every wrong and extra word; otherwise one a mnemonic. Exit status 1 if any is wrong. AArch64 only, for now.
"""
import glob
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter

PREFIX = 'aarch64-linux-gnu-'
LINE = re.compile(r'^\s*([0-9a-f]+):\t([0-9a-f]{8}) +\t?(.*)$')


def normal(text):
    text = re.sub(r'\s*//.*', '', text)
    text = re.sub(r'\s*<[^>]*>', '', text)
    text = re.sub(r'\s+', ' ', text).strip()
    # a branch target at the end: with or without 0x
    return re.sub(r'(?<=[ ,])0x([0-9a-f]+)$', r'\1', text)


def disassemble(args):
    out = subprocess.run([PREFIX + 'objdump'] + args, capture_output=True, text=True).stdout
    for line in out.splitlines():
        m = LINE.match(line)
        if m:
            yield int(m[1], 16), m[2], m[3]


def ours(tool, words):
    """words: [(pc, hex)] -> [text]"""
    feed = ''.join(f'{w} {pc:x}\n' for pc, w in words)
    return subprocess.run([tool, 'text', 'aarch64'], input=feed, capture_output=True, text=True, check=True).stdout.splitlines()


def unresolved(a, b):
    """Only the address at the end differs: the object file has a relocation there."""
    return re.sub(r' [0-9a-f]+$', '', a) == re.sub(r' [0-9a-f]+$', '', b) and re.match(r'b|cb|tb|adr|ldr|prfm', a)


def compare(linked, tool, theirs, counts, refused, verbose, shown):
    theirs = list(theirs)
    for (pc, word, want), got in zip(theirs, ours(tool, [(pc, w) for pc, w, _ in theirs])):
        a, b = normal(got), normal(want)
        unknown = b.startswith('.inst') or b.startswith('undefined') or b.startswith('.word')
        kind = ('matched' if a == b or (not linked and unresolved(a, b)) else
                'none' if unknown and a.startswith('.inst') else
                'extra' if unknown else
                'refused' if a.startswith('.inst') else 'wrong')
        counts[kind] += 1
        if kind == 'refused':
            scalable = int(word, 16) >> 25 & 13 == 0  # SVE and SME
            refused['SVE/SME' if scalable else b.split()[0]] += 1
        name = (kind, (a if kind == 'extra' else b).split(' ')[0])
        if kind in ('wrong', 'extra') and (verbose or name not in shown):
            shown.add(name)
            print(f'{kind}: {word} "{a}", not "{b}"')


def gas(tool, folder, *rest):
    options = {}
    for d in glob.glob(os.path.join(folder, '*.d')):
        text = open(d, errors='replace').read()
        flags = re.search(r'^# *as: *(.*)$', text, re.M)
        source = re.search(r'^# *source: *(\S+)', text, re.M)
        name = source[1] if source else os.path.basename(d)[:-2] + '.s'
        options.setdefault(name, set()).add(flags[1] if flags else '')
    with tempfile.TemporaryDirectory() as tmp:
        for name, sets in sorted(options.items()):
            for flags in sorted(sets):
                obj = os.path.join(tmp, 'x.o')
                r = subprocess.run([PREFIX + 'as'] + flags.split() + ['-I', folder, '-o', obj, os.path.join(folder, name)],
                                   capture_output=True)
                if r.returncode == 0:
                    compare(False, tool, disassemble(['-d', obj]), *rest)


def rand(tool, n, *rest):
    n = int(n)
    rows = subprocess.run([tool, 'patterns', 'aarch64'], capture_output=True, text=True, check=True).stdout.split('\n')
    pats = [(int(r.split()[2], 16), int(r.split()[3], 16)) for r in rows if r]
    rng = random.Random(1)
    words = []
    for i in range(n):
        mask, value = pats[i % len(pats)]
        words.append(value | rng.getrandbits(32) & ~mask & 0xffffffff)
    words += [rng.getrandbits(32) for _ in range(n)]
    with tempfile.NamedTemporaryFile() as f:
        f.write(b''.join(w.to_bytes(4, 'little') for w in words))
        f.flush()
        compare(True, tool, disassemble(['-D', '-z', '-b', 'binary', '-m', 'aarch64', f.name]), *rest)


def main(args):
    verbose = '-v' in args
    tool, what, arg = [a for a in args if a != '-v']
    counts, refused = Counter(), Counter()
    {'gas': gas, 'random': rand}[what](tool, arg, counts, refused, verbose, set())
    print(', '.join(f'{counts[k]} {k}' for k in ('matched', 'refused', 'wrong', 'extra')))
    print('refused:', ' '.join(f'{k}:{v}' for k, v in refused.most_common()))
    return counts['wrong'] != 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
