#!/usr/bin/env python3
"""Makes a decoder, a disassembler and a pattern table from the INSN() lines of a guest's C file.

  decodegen.py src/guest/GUEST/FILE.c OUT/GUEST_FILE.decode.h OUT/GUEST_FILE.decode.inc

  INSN(name, "pattern", "assembly" [, condition]...) { what it means }

Pattern: the bits as the manual prints them, most significant first, 16 or 32 of them (one length a file).
  0 1          fixed bits;  x  any bit, ignored
  name:4       a field; name:4s a signed one
  name.2:4     a piece of a field, of which it makes the bits from 2 up (the piece with the s is the highest)
  name=01x     a field of three bits of which two are fixed
Conditions, separated by commas:
  LSE          a feature of the CPU model: INSN_HAS(t, LSE), which the guest's header defines, must be true
  "Rd != 31"   a C expression over the fields that must be true
  SPECIAL      this pattern lies inside earlier ones and comes before them (when its other conditions hold)
Two patterns that overlap are an error unless the later one is SPECIAL and every word it fits fits the earlier one.

Assembly: alternatives separated by "; ", all but the last with a condition in front: "[Rd == 31] cmp ...; subs ...".
The first blank becomes a tab. In braces:
  {imm}          the field in decimal
  {reg(sf, Rd)}  GUEST_text_reg(o, a->sf, a->Rd): a formatter of the guest, with any C expressions over the fields
  {?sh:, lsl #12}   the text if the expression is true
  {#size:b|h||}     the text number size

The C file includes GUEST_FILE.decode.h before its INSN lines and GUEST_FILE.decode.inc behind them. That defines
GUEST_FILE, a struct insn_group (guest/insn.h). Fields arrive as i32 members of struct arg_NAME.
"""
import os
import re
import sys
from collections import namedtuple

STRING = r'"(?:[^"\\]|\\.)*"'
INSN = re.compile(r'^INSN\(\s*(\w+)\s*,\s*((?:%s\s*)+),\s*((?:%s\s*)+)((?:,\s*(?:\w+|%s)\s*)*)\)' % (STRING, STRING, STRING), re.M)
ANY = re.compile(r'^INSN\(', re.M)
Pattern = namedtuple('Pattern', 'name where bits mask fields asm features exprs special number')
Piece = namedtuple('Piece', 'name lo width at signed')


def parse(pattern, where):
    """-> bits, mask, [Piece], length"""
    words = pattern.split()
    width = 0
    sizes = []
    for word in words:
        m = re.fullmatch(r'(\w+?)(?:\.(\d+))?:(\d+)(s?)', word) or re.fullmatch(r'(\w+)(=)([01x]+)', word)
        if not m and not re.fullmatch('[01x]+', word):
            sys.exit(f'{where}: cannot read "{word}"')
        size = (len(m[3]) if m[2] == '=' else int(m[3])) if m else len(word)
        sizes.append((word, m, size))
        width += size
    if width not in (16, 32):
        sys.exit(f'{where}: the pattern has {width} bits, not 16 or 32')
    bits = mask = 0
    pieces, at = [], width
    for word, m, size in sizes:
        at -= size
        fixed = word
        if m and m[2] == '=':
            pieces.append(Piece(m[1], at, size, 0, False))
            fixed = m[3]
        elif m:
            pieces.append(Piece(m[1], at, size, int(m[2] or 0), bool(m[4])))
            continue
        for i, c in enumerate(reversed(fixed)):
            if c != 'x':
                mask |= 1 << at + i
                bits |= int(c) << at + i
    used = {}
    for p in pieces:
        span = (1 << p.width) - 1 << p.at
        if used.get(p.name, 0) & span:
            sys.exit(f'{where}: field {p.name} has bits twice')
        used[p.name] = used.get(p.name, 0) | span
    return bits, mask, pieces, width


def strings(text):
    return ''.join(s[1:-1] for s in re.findall(STRING, text))


def names(p):
    return list(dict.fromkeys(f.name for f in p.fields))


def expr(p, text):
    """A C expression over the fields, with a-> before each."""
    known = set(names(p))
    return re.sub(r'(?<![\w.>])[A-Za-z_]\w*', lambda m: 'a->' + m[0] if m[0] in known else m[0], text)


def read(path):
    text = open(path).read()
    where = lambda at: f'{path}:{text.count(chr(10), 0, at) + 1}'
    found = list(INSN.finditer(text))
    starts = {m.start() for m in found}
    for m in ANY.finditer(text):
        if m.start() not in starts:
            sys.exit(f'{where(m.start())}: cannot read this INSN line')
    pats, length = [], None
    for m in found:
        at = where(m.start())
        bits, mask, fields, width = parse(strings(m[2]), at)
        if length not in (None, width):
            sys.exit(f'{at}: a pattern of {width} bits in a group of {length}')
        length = width
        conds = re.findall(r'\w+|' + STRING, m[4])
        words = [c for c in conds if c[0] != '"']
        p = Pattern(m[1], at, bits, mask, tuple(fields), strings(m[3]), tuple(w for w in words if w != 'SPECIAL'),
                    tuple(c[1:-1] for c in conds if c[0] == '"'), 'SPECIAL' in words, len(pats))
        inside = 0
        for q in pats:
            if q.name == p.name:
                sys.exit(f'{at}: {p.name} is there twice (see {q.where})')
            both = p.mask & q.mask
            if p.bits & both != q.bits & both:
                continue
            if not p.special:
                sys.exit(f'{at}: {p.name} overlaps {q.name} ({q.where}); mark it SPECIAL if it is meant to go first')
            if q.mask & ~p.mask:
                sys.exit(f'{at}: {p.name} is SPECIAL, but not wholly inside {q.name} ({q.where})')
            inside += 1
        if p.special and not inside:
            sys.exit(f'{at}: {p.name} is SPECIAL, but inside nothing')
        pats.append(p)
    return pats, length


def extract(p, name):
    parts = []
    for f in p.fields:
        if f.name != name:
            continue
        if f.signed:
            part = f'(i32)((insn << {32 - f.lo - f.width}) & 0xffffffff) >> {32 - f.width}'
            parts.append(f'(u32)({part}) << {f.at}' if f.at else f'(u32)({part})')
        else:
            part = f'(insn >> {f.lo} & {(1 << f.width) - 1:#x})'
            parts.append(f'{part} << {f.at}' if f.at else part)
    return f'(i32)({" | ".join(parts)})'


def args(p):
    values = ', '.join(f'.{n} = {extract(p, n)}' for n in names(p))
    return f'&(const struct arg_{p.name}){{ {values} }}' if values else f'&(const struct arg_{p.name}){{}}'


# ---- the decision tree ----
def split(pats, lo, width):
    """Which patterns are possible for each value of these bits."""
    window = (1 << width) - 1 << lo
    buckets = []
    for value in range(1 << width):
        buckets.append(tuple(p for p in pats if (value << lo ^ p.bits) & p.mask & window == 0))
    return buckets


def best(pats, tested, length):
    choice, least = None, None
    for width in range(1, 9):
        for lo in range(0, length - width + 1):
            window = (1 << width) - 1 << lo
            if window & tested or not any(p.mask >> lo & 1 for p in pats) or not any(p.mask >> (lo + width - 1) & 1 for p in pats):
                continue
            buckets = split(pats, lo, width)
            total = sum(len(b) for b in set(buckets))
            if total > 2 * len(pats) + 4 and width > 1:
                continue
            # the candidates left for a random word, and something for the size of the switch
            cost = sum(len(b) for b in buckets) / (1 << width) + 0.06 * len(set(buckets)) + 0.25
            if max(len(b) for b in buckets) < len(pats) and (least is None or cost < least):
                choice, least = (lo, width), cost
    return choice


def tree(out, pats, tested, length, tabs):
    pad = '\t' * tabs
    choice = best(pats, tested, length) if len(pats) > 2 else None
    if not choice:
        for p in sorted(pats, key=lambda p: (-p.number if p.special else 1)):
            test = [f'(insn & {p.mask & ~tested:#x}u) == {p.bits & ~tested:#x}u'] if p.mask & ~tested else []
            if p.features or p.exprs:
                test.append(f'ok_{p.name}(t, insn)')
            out.append(f'{pad}if ({" && ".join(test)})\n{pad}\treturn {p.number};\n' if test else f'{pad}return {p.number};\n')
            if not test:
                break
        return
    lo, width = choice
    window = (1 << width) - 1 << lo
    buckets = split(pats, lo, width)
    groups = {}
    for value, bucket in enumerate(buckets):
        if bucket:
            groups.setdefault(bucket, []).append(value)
    out.append(f'{pad}switch (insn >> {lo} & {(1 << width) - 1:#x}) {{\n')
    for bucket, values in groups.items():
        ranges = []
        for v in values:
            if ranges and ranges[-1][1] == v - 1:
                ranges[-1][1] = v
            else:
                ranges.append([v, v])
        for a, b in ranges:
            out.append(f'{pad}case {a:#x}:\n' if a == b else f'{pad}case {a:#x} ... {b:#x}:\n')
        # A fixed bit of the window that agrees in the whole bucket needs no other test.
        agree = window
        for p in bucket:
            for v in values:
                agree &= ~((v << lo ^ p.bits) & p.mask)
        tree(out, list(bucket), tested | agree, length, tabs + 1)
        out.append(f'{pad}\tbreak;\n')
    out.append(f'{pad}}}\n')


# ---- assembly ----
def c_string(s):
    return '"' + s.replace('"', '\\"') + '"'


def pieces_of(p, guest, text, tab):
    """C statements that put one alternative out."""
    out, at = [], 0
    first = tab

    def literal(s):
        nonlocal first
        if first and ' ' in s:
            s = s.replace(' ', '\\t', 1)
            first = False
        if s:
            out.append(f'text_put(o, {c_string(s)});')

    for m in re.finditer(r'\{([^{}]*)\}', text):
        literal(text[at:m.start()])
        at = m.end()
        body = m[1]
        if body[0] == '?':
            cond, what = body[1:].split(':', 1)
            blank = ' ' in what and first
            if blank:
                what = what.replace(' ', '\\t', 1)
            out.append(f'if ({expr(p, cond)})\n\t\ttext_put(o, {c_string(what)});')
        elif body[0] == '#':
            index, what = body[1:].split(':', 1)
            table = ', '.join(c_string(w) for w in what.split('|'))
            out.append(f'text_put(o, ((const char *const[]){{ {table} }})[{expr(p, index)}]);')
        elif re.fullmatch(r'\w+', body):
            if body not in names(p):
                sys.exit(f'{p.where}: {p.name} has no field {body}')
            out.append(f'text_fmt(o, "%d", a->{body});')
        else:
            call = re.fullmatch(r'(\w+)\((.*)\)', body)
            if not call:
                sys.exit(f'{p.where}: cannot read "{{{body}}}"')
            out.append(f'{guest}_text_{call[1]}(o{", " if call[2] else ""}{expr(p, call[2])});')
    literal(text[at:])
    return out


def text_function(p, guest):
    out = [f'static void text_{p.name}(struct text *o, const struct arg_{p.name} *a)\n{{\n']
    alternatives = p.asm.split('; ')
    for i, alt in enumerate(alternatives):
        m = re.match(r'\[(.*?)\] ', alt)
        if bool(m) == (i == len(alternatives) - 1):
            sys.exit(f'{p.where}: the last assembly alternative, and only that, has no condition')
        lines = pieces_of(p, guest, alt[m.end():] if m else alt, True)
        if m:
            out.append(f'\tif ({expr(p, m[1])}) {{\n')
            out += [f'\t\t{line}\n' for line in lines]
            out.append('\t\treturn;\n\t}\n')
        else:
            out += [f'\t{line}\n' for line in lines]
    return ''.join(out) + '}\n'


def main(path, header, code):
    guest = os.path.basename(os.path.dirname(os.path.abspath(path)))
    group = os.path.basename(header).replace('.decode.h', '')
    pats, length = read(path)
    with open(header, 'w') as f:
        f.write('/* Generated by tools/decodegen.py. */\n#pragma once\n#include "guest/insn.h"\n\n'
                f'extern const struct insn_group {group};\n\n')
        for p in pats:
            f.write(f'struct arg_{p.name} {{ {" ".join(f"i32 {n};" for n in names(p))} }};\n')
    out = ['/* Generated by tools/decodegen.py. */\n']
    for p in pats:
        if p.features or p.exprs:
            tests = [f'INSN_HAS(t, {w})' for w in p.features] + [f'({expr(p, e)})' for e in p.exprs]
            out.append(f'static bool ok_{p.name}(const struct tr *t, u32 insn)\n{{\n')
            out.append(f'\tconst struct arg_{p.name} *a = {args(p)};\n\t(void)a;\n' if p.exprs else '')
            out.append(f'\treturn {" && ".join(tests)};\n}}\n')
        out.append(f'static void run_{p.name}(struct tr *t, u32 insn)\n{{\n\tinsn_{p.name}(t, {args(p)});\n}}\n')
        out.append(text_function(p, guest))
        out.append(f'static void say_{p.name}(struct text *o, u32 insn)\n{{\n\ttext_{p.name}(o, {args(p)});\n}}\n')
    out.append(f'\nstatic int {group}_find(const struct tr *t, u32 insn)\n{{\n')
    tree(out, pats, 0 if length == 32 else 0xffff0000, length, 1)
    out.append('\treturn -1;\n}\n\n')
    for p in pats:
        if p.fields:
            rows = ', '.join(f'{{ "{f.name}", {f.lo}, {f.width}, {f.at}, {int(f.signed)} }}' for f in p.fields)
            out.append(f'static const struct insn_field fields_{p.name}[] = {{ {rows} }};\n')
    out.append(f'\nstatic const struct insn_pattern {group}_patterns[] = {{\n')
    for p in pats:
        feature = f'INSN_FEATURE({p.features[0]})' if p.features else '-1'
        fields = f'fields_{p.name}, {len(p.fields)}' if p.fields else 'NULL, 0'
        out.append(f'\t{{ "{p.name}", {p.mask:#x}, {p.bits:#x}, {feature}, {fields}, run_{p.name}, say_{p.name} }},\n')
    out.append(f'}};\n\nconst struct insn_group {group} = {{ "{group}", {length}, LEN({group}_patterns), {group}_patterns, {group}_find }};\n')
    with open(code, 'w') as f:
        f.write(''.join(out))


if __name__ == '__main__':
    main(*sys.argv[1:])
