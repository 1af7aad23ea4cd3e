#!/usr/bin/env python3
"""Compares a guest's assembly text with the GNU disassembler's.

  check-text.py [-v] GUEST-DIFF gas FOLDER [GUEST]    every .s of gas's test suite (gas/testsuite/gas/aarch64), with the options of its .d files
  check-text.py [-v] GUEST-DIFF random N [GUEST]      N random words inside the patterns, and N outside them

Counts: matched; refused (we say .inst, the disassembler knows it: a feature we have not, counted by mnemonic); wrong (other text); extra (we know it alone).
-v shows every wrong and extra word; otherwise one a mnemonic. Exit status 1 if any is wrong. GUEST: a row of GUESTS, aarch64 by default.
"""
import glob
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, namedtuple

LINE = re.compile(r'^\s*([0-9a-f]+):\t([0-9a-f]{8}|[0-9a-f]{4}) +\t?(.*)$')
UNKNOWN = re.compile(r'\.inst|undefined|\.word|\.short|\.[248]byte|0x')
# Options of assembler files that give registers another meaning than we know: not compared.
OTHER = re.compile(r'z\w*inx')
# A guest's binutils, options of their assembler, what objdump calls the machine, the mnemonics that end with an address of the code, and
# the name under which a word's refusal is counted (None: its mnemonic).
Guest = namedtuple('Guest', 'name prefix as_flags machine branches group')
GUESTS = {g.name: g for g in (
    Guest('aarch64', 'aarch64-linux-gnu-', [], 'aarch64', 'b|cb|tb|adr|ldr|prfm', lambda word: 'SVE/SME' if word >> 25 & 13 == 0 else None),
    Guest('riscv64', 'riscv64-linux-gnu-', ['-march=rv64gc'], 'riscv:rv64', 'b|j|c\\.[bj]|auipc', lambda word: None),
    Guest('riscv32', 'riscv64-linux-gnu-', ['-march=rv32gc', '-mabi=ilp32d'], 'riscv:rv32', 'b|j|c\\.[bj]|auipc', lambda word: None),
)}


def normal(text):
    text = re.sub(r'\s*(//|# ).*', '', text)
    text = re.sub(r'\s*<[^>]*>', '', text)
    text = re.sub(r'\s+', ' ', text).strip()
    # a branch target at the end: with or without 0x
    return re.sub(r'(?<=[ ,])0x([0-9a-f]+)$', r'\1', text)


def disassemble(guest, args):
    out = subprocess.run([guest.prefix + 'objdump'] + args, capture_output=True, text=True).stdout
    for line in out.splitlines():
        m = LINE.match(line)
        if m:
            yield int(m[1], 16), m[2], m[3]


def ours(guest, tool, words):
    """words: [(pc, hex)] -> [text]"""
    feed = ''.join(f'{w} {pc:x}\n' for pc, w in words)
    return subprocess.run([tool, 'text', guest.name], input=feed, capture_output=True, text=True, check=True).stdout.splitlines()


def unresolved(guest, a, b):
    """Only the address at the end differs: the object file has a relocation there."""
    return re.sub(r'[ ,][0-9a-f]+$', '', a) == re.sub(r'[ ,][0-9a-f]+$', '', b) and re.match(guest.branches, a)


def compare(guest, linked, tool, theirs, counts, refused, verbose, shown):
    theirs = list(theirs)
    for (pc, word, want), got in zip(theirs, ours(guest, tool, [(pc, w) for pc, w, _ in theirs])):
        a, b = normal(got), normal(want)
        unknown, refusal = UNKNOWN.match(b), UNKNOWN.match(a)
        kind = ('matched' if a == b or (not linked and unresolved(guest, a, b)) else
                'none' if unknown and refusal else
                'extra' if unknown else
                'refused' if refusal else 'wrong')
        counts[kind] += 1
        if kind == 'refused':
            refused[guest.group(int(word, 16)) or (b.split() or ['?'])[0]] += 1
        name = (kind, (a if kind == 'extra' else b).split(' ')[0])
        if kind in ('wrong', 'extra') and (verbose or name not in shown):
            shown.add(name)
            print(f'{kind}: {word} "{a}", not "{b}"')


def gas(guest, tool, folder, *rest):
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
                if OTHER.search(flags):
                    continue
                obj = os.path.join(tmp, 'x.o')
                r = subprocess.run([guest.prefix + 'as'] + guest.as_flags + flags.split() + ['-I', folder, '-o', obj, os.path.join(folder, name)],
                                   capture_output=True)
                if r.returncode == 0:
                    compare(guest, False, tool, disassemble(guest, ['-d', obj]), *rest)


def rand(guest, tool, n, *rest):
    n = int(n)
    rows = subprocess.run([tool, 'patterns', guest.name], capture_output=True, text=True, check=True).stdout.split('\n')
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
        compare(guest, True, tool, disassemble(guest, ['-D', '-z', '-b', 'binary', '-m', guest.machine, f.name]), *rest)


def main(args):
    verbose = '-v' in args
    tool, what, arg, *name = [a for a in args if a != '-v']
    guest = GUESTS[name[0] if name else 'aarch64']
    counts, refused = Counter(), Counter()
    {'gas': gas, 'random': rand}[what](guest, tool, arg, counts, refused, verbose, set())
    print(', '.join(f'{counts[k]} {k}' for k in ('matched', 'refused', 'wrong', 'extra')))
    print('refused:', ' '.join(f'{k}:{v}' for k, v in refused.most_common()))
    return counts['wrong'] != 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
