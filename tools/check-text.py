#!/usr/bin/env python3
"""Compares a guest's assembly text with the GNU disassembler's.

  check-text.py [-v] GUEST-DIFF gas FOLDER [GUEST]    every .s of gas's test suite (gas/testsuite/gas/aarch64), with the options of its .d files
  check-text.py [-v] GUEST-DIFF random N [GUEST]      N random words inside the patterns, and N outside them

Counts: matched; refused (we say .inst, the disassembler knows it), by the architectural feature that it belongs to (REFUSED below); unnamed (refused and of no feature there: missing); wrong (other text); extra (we know it alone).
-v shows every such word; otherwise one a mnemonic. Exit status 1 if any is wrong or unnamed. GUEST: a row of GUESTS, aarch64 by default.
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
# Behind the first bytes of a line: the others of data or of an instruction longer than 32 bits.
LONGER = re.compile(r'([0-9a-f]{8}|[0-9a-f]{4})( |$)|$')
# Options of assembler files that give registers or their names another meaning than we know (Zfinx; the privileged architecture before it
# was ratified as 1.12): not compared.
OTHER = re.compile(r'z\w*inx|-mpriv-spec=1\.(9|10|11)')
# What is refused on purpose: a feature that no CPU model here has, and the text of its instructions.
REFUSED = [
    ('F64MM (vectors of 256 bits and more)', r'fmmla z\d+\.d|ld1ro|(zip|uzp|trn)[12] z\d+\.q'),
    ('MTE', r'irg|gmi|subps?|cmpp|addg|subg|ldg|st2?z?2?gm?|stgp|ldgm|m(rs|sr) .*\btco\b|dc (ci?g|gz?va|igd?(vac|sw)|ci?gd?)'),
    ('MOPS', r'cpyf?[pme]|setg?[pme]'),
    ('CSSC', r'(abs|cnt|ctz|[su]max|[su]min) [wx]'),
    ('HBC', r'bc\.'),
    ('LS64', r'ld64b|st64b'),
    ('TME', r'tstart|tcommit|tcancel|ttest'),
    ('SPECRES (off at EL0)', r'cfp|dvp|cpp'),
    ('ECV', r'm(rs|sr) .*\bcnt[pv]ctss_el0'),
    ('PMU, AMU (off at EL0)', r'm(rs|sr) .*\b(pm|am)\w+_el0'),
    ('timers (off at EL0)', r'm(rs|sr) .*\bcnt\w+_el0'),
    ('system (EL1 to EL3)', r'mrs|msr|tlbi|at |dc |ic |sysl? |dcps|drps|eret|hvc|smc|hlt'),
    ('UNDEFINED with sz set (C7.2.98); the disassembler does not look', r'fml[as]l2?'),
]


# Words with bits that must be 0, which the disassembler does not look at: mask, value.
RESERVED = [
    (0xff20c200, 0x25204200), (0xff20c010, 0x25204010),  # PSEL
    (0xff810000, 0xc0010000), (0xffc10000, 0xc0810000),  # MOVA of ZA's slices: Q without size 3
]


def feature_of(word, text):
    """The refused feature that this instruction belongs to, or None."""
    if any(word & mask == value for mask, value in RESERVED):
        return 'reserved'
    return next((name for name, pattern in REFUSED if re.match(pattern, text)), None)


# The same for RISC-V, by text alone; Q, H and T-Head's own have no CPU model either.
RISCV_REFUSED = [
    ('V', r'v'),
    ('T-Head', r'th\.'),
    ('Q', r'f\w+(\.\w+)*\.q\b|flq|fsq|fcvt\.q\.'),
    ('H', r'h[ls]vx?\.|hfence|hinval'),
    ('privileged architecture 1.9', r'sfence\.vm\b'),
]


def riscv_feature_of(_word, text):
    return next((name for name, pattern in RISCV_REFUSED if re.match(pattern, text)), None)


# Spellings of the disassembler that ours does not follow: (what it says, what we say).
RISCV_SPELLINGS = [
    # binutils 2.39 and 2.40 name the forms with an immediate after those with registers; those before and since do not
    (r'^(add|and|or|xor|sll|srl|sra|ror|bset|bclr|binv|bext)(w?)( \w+,\w+,-?\d\w*)$', r'\1i\2\3'),
    (r'^(csr[wsc])( \w+,\d+)$', r'\1i\2'),
    (r'^(csrr[wsc])( \w+,\w+,\d+)$', r'\1i\2'),
    (r'\bustatus\b', '0x0'),  # of the draft of N
    # a CPU without F or of 64 bits has no short names for these
    (r'^csrr (\w+),(time|cycle|instret)h$', r'rd\2h \1'),
    (r'^csrr (\w+),f(flags|rm|csr)$', r'fr\2 \1'),
    (r'^csrw f(flags|rm|csr),', r'fs\1 '),
]

# A guest's binutils, options of their assembler, the object files' ELF class, what objdump calls the machine, the mnemonics that end with an
# address of the code, the feature under which a refused word is counted, and spellings.
Guest = namedtuple('Guest', 'name prefix as_flags elf_class machine branches feature spellings')
GUESTS = {g.name: g for g in (
    Guest('aarch64', 'aarch64-linux-gnu-', [], 2, 'aarch64', 'b|cb|tb|adr|ldr|prfm', feature_of, []),
    Guest('riscv64', 'riscv64-linux-gnu-', ['-march=rv64gc'], 2, 'riscv:rv64', 'b|j|c\\.[bj]|auipc', riscv_feature_of, RISCV_SPELLINGS),
    Guest('riscv32', 'riscv64-linux-gnu-', ['-march=rv32gc', '-mabi=ilp32d'], 1, 'riscv:rv32', 'b|j|c\\.[bj]|auipc', riscv_feature_of,
          RISCV_SPELLINGS),
)}


def normal(text, spellings=()):
    text = re.sub(r'\s*(//|# ).*', '', text)
    text = re.sub(r'\s*<[^>]*>', '', text)
    text = re.sub(r'\s+', ' ', text).strip()
    for theirs, our in spellings:
        text = re.sub(theirs, our, text)
    # a branch target at the end: with or without 0x
    return re.sub(r'(?<=[ ,])0x([0-9a-f]+)$', r'\1', text)


def disassemble(guest, args):
    out = subprocess.run([guest.prefix + 'objdump'] + args, capture_output=True, text=True).stdout
    for line in out.splitlines():
        m = LINE.match(line)
        if m and not LONGER.match(m[3]):
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
        a, b = normal(got), normal(want, guest.spellings)
        unknown, refusal = UNKNOWN.match(b), UNKNOWN.match(a)
        kind = ('matched' if a == b or (not linked and unresolved(guest, a, b)) else
                'none' if unknown and refusal else
                'extra' if unknown else
                'refused' if refusal else 'wrong')
        if kind == 'refused':
            feature = guest.feature(int(word, 16), b)
            refused[feature] += 1
            kind = 'refused' if feature else 'unnamed'
        counts[kind] += 1
        name = (kind, (a if kind == 'extra' else b).split(' ')[0])
        if kind in ('wrong', 'extra', 'unnamed') and (verbose or name not in shown):
            shown.add(name)
            print(f'{kind}: {word} "{a}", not "{b}"')


def elf_class(path):
    with open(path, 'rb') as f:
        return f.read(5)[4]


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
                if r.returncode == 0 and elf_class(obj) == guest.elf_class:
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
    print(', '.join(f'{counts[k]} {k}' for k in ('matched', 'refused', 'unnamed', 'wrong', 'extra')))
    for name, n in refused.most_common():
        print(f'{n:8} refused: {name}')
    return counts['wrong'] != 0 or counts['unnamed'] != 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
