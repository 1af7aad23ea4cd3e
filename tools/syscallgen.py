#!/usr/bin/env python3
"""Makes the system calls of user mode from tables.

  syscallgen.py list                 the tables, one a line
  syscallgen.py make OUT.h OUT.c IOCTLS.h   what they say, as C

src/linux/syscalls/*.tbl, a row:   NAME [narrow]: KIND, KIND ... -> RESULT [= FUNCTION | ! ERRNO | @ HOST'S NAME]
  A kind says how an argument is converted and printed by -strace: a word of KINDS below, or "in|out struct NAME" for a
  structure of layouts.tbl; "pair" is a number of 64 bits in two registers of a 32-bit guest. Without a function the call goes
  to the host's kernel, under the same name where none is given. "narrow" marks the form of 32-bit guests, where it differs.
src/linux/abi/layouts.tbl          structures whose layout differs; see there
src/linux/abi/ARCH.tbl             NUMBER NAME [narrow], or: include FILE (of the same folder)
src/linux/syscalls/ioctl.tbl       see there
"""
import collections
import glob
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
KINDS = {
    'int': 'K_INT', 'uint': 'K_UINT', 'long': 'K_LONG', 'hex': 'K_HEX', 'octal': 'K_OCTAL', 'size': 'K_SIZE', 'fd': 'K_FD',
    'dirfd': 'K_DIRFD', 'path': 'K_PATH', 'newpath': 'K_PATH', 'str': 'K_STR', 'outbuf': 'K_PTR', 'ptr': 'K_PTR',
    'buf': 'K_BUF', 'signal': 'K_SIGNAL', 'pid': 'K_PID', 'oflags': 'K_OFLAGS', 'mode': 'K_MODE', 'prot': 'K_PROT',
    'mmap': 'K_MMAP', 'clone': 'K_CLONE', 'atflags': 'K_ATFLAGS', 'clock': 'K_CLOCK', 'fcntl': 'K_FCNTL', 'ioctl': 'K_IOCTL',
    'whence': 'K_WHENCE', 'access': 'K_ACCESS', 'strv': 'K_STRV', 'futex': 'K_FUTEX', 'domain': 'K_DOMAIN',
    'socktype': 'K_SOCKTYPE', 'pair': 'K_PAIR', 'action': 'K_ACTION', 'timespec': 'K_TIMESPEC', 'sigset': 'K_SIGSET', 'sighow': 'K_SIGHOW',
}
HEADERS = ('mqueue', 'sys/epoll', 'sys/msg', 'sys/resource', 'sys/sem', 'sys/shm', 'sys/stat', 'sys/statfs', 'sys/syscall', 'sys/time', 'sys/times', 'time')
POINTERS = {'str', 'outbuf', 'ptr', 'buf', 'strv', 'action', 'timespec', 'sigset', 'newpath'}
TYPES = {'u8': 'F_U8', 'u16': 'F_U16', 'u32': 'F_U32', 'i32': 'F_I32', 'u64': 'F_U64', 'long': 'F_LONG', 'ulong': 'F_ULONG',
         'ptr': 'F_PTR', 'low32': 'F_LOW32'}


def lines(path):
    for number, line in enumerate(open(path), 1):
        line = line.split('#')[0].rstrip()
        if line.startswith('include '):
            yield from lines(os.path.join(os.path.dirname(path), line.split()[1]))
        elif line.strip():
            yield f'{os.path.relpath(path, ROOT)}:{number}', line


def tables():
    calls = sorted(glob.glob(ROOT + '/src/linux/syscalls/*.tbl'))
    abis = sorted(glob.glob(ROOT + '/src/linux/abi/*.tbl'))
    calls.remove(ROOT + '/src/linux/syscalls/ioctl.tbl')
    return calls, [p for p in abis if not p.endswith('layouts.tbl')], ROOT + '/src/linux/abi/layouts.tbl'


def read_layouts(path):
    out = []
    for where, line in lines(path):
        m = re.match(r'struct (\w+): (.+?)( same)?$', line)
        if m:
            out.append((m[1], m[2], bool(m[3]), []))
            continue
        m = re.match(r'\s+(\w+)(?:\[(\d+)\])? (\S+)$', line)
        if not m or not out or (m[1] not in TYPES):
            sys.exit(f'{where}: cannot read "{line}"')
        out[-1][3].append((m[1], int(m[2] or 0), m[3]))
    return out


Call = collections.namedtuple('Call', 'name args result fn errno host')  # by identifier: the name, or NAME_narrow


def registers(args):
    """Each argument with the number of the register that it begins in."""
    at = 0
    for a in args:
        yield at, a
        at += 2 if a == 'pair' else 1


def read_calls(paths, layouts):
    names = {l[0] for l in layouts}
    calls = {}
    for path in paths:
        for where, line in lines(path):
            m = re.match(r'(\w+(?: narrow)?):(.*?)->\s*(\w+)\s*(?:= (\w+)|! (\w+)|@ (\w+))?$', line)
            if not m:
                sys.exit(f'{where}: cannot read "{line}"')
            args = [a.strip() for a in m[2].split(',') if a.strip()]
            for a in args:
                s = re.match(r'(in|out) struct (\w+)$', a)
                if not (s and s[2] in names) and a not in KINDS:
                    sys.exit(f'{where}: unknown kind "{a}"')
            ident = m[1].replace(' ', '_')
            if ident in calls:
                sys.exit(f'{where}: {m[1]} stands there twice')
            if m[3] not in KINDS or len(args) + args.count('pair') > 6:
                sys.exit(f'{where}: bad result or too many arguments')
            calls[ident] = Call(m[1].split()[0], args, m[3], m[4], m[5], m[6] or m[1].split()[0])
    return calls


def body(ident, call, layouts):
    """The function of a call that goes to the host: conversions in, the call, conversions out."""
    pre, post, values, direct = '', '', [f'SYS_{call.host}'], [f'SYS_{call.host}']
    host = {l[0]: l[1] for l in layouts}
    for i, a in registers(call.args):
        s = re.match(r'(in|out) struct (\w+)$', a)
        direct.append(f'ptr_arg(t, a[{i}])' if s or a in POINTERS or a == 'path' else f'a[{i}]')
        if s:
            pre += f'\t{host[s[2]]} h{i};\n\tvoid *p{i} = a[{i}] ? &h{i} : NULL;\n'
            if s[1] == 'in':
                pre += f'\tif (p{i} && !get_struct(t->vm, LAYOUT_{s[2]}, p{i}, a[{i}]))\n\t\treturn -EFAULT;\n'
            else:
                post += f'\tif (r >= 0 && p{i} && !put_struct(t->vm, LAYOUT_{s[2]}, a[{i}], p{i}))\n\t\treturn -EFAULT;\n'
            values.append(f'p{i}')
        elif a == 'path':
            pre += f'\tchar b{i}[PATH_MAX];\n\tconst char *p{i} = path_arg(t, a[{i}], b{i});\n'
            values.append(f'p{i}')
        elif a in POINTERS:
            values.append(f'ptr_arg(t, a[{i}])')
        elif a == 'oflags':
            values.append(f'oflags_to_host(t, a[{i}])')
        elif a == 'pair':
            values.append(f'pair_arg(t, a + {i})')
        else:
            values.append(f'a[{i}]')
    make = f'HOST{len(call.args)}({", ".join(values)})'
    text = f'static i64 call_{ident}(CALL_ARGS)\n{{\n'
    if not post:
        return text + pre + f'\treturn {make};\n}}\n\n'
    same = ' && '.join(f'layout_same(t->abi, LAYOUT_{a.split()[-1]})' for a in call.args if 'struct' in a)
    if 'pair' not in call.args:
        text = f'static i64 same_{ident}(CALL_ARGS)\n{{\n\treturn HOST{len(call.args)}({", ".join(direct)});\n}}\n\n' + text
        pre = f'\tif ({same})\n\t\treturn same_{ident}(t, a);\n' + pre
    return text + pre + f'\ti64 r = {make};\n{post}\treturn r;\n}}\n\n'


def kinds_of(args):
    kinds, lay = [], []
    for a in args:
        kinds.append(KINDS.get(a, 'K_PTR'))
        lay.append('LAYOUT_' + a.split()[-1] if 'struct' in a else '0')
        if a == 'pair':
            kinds.append('K_PAIR_END')
            lay.append('0')
    return kinds, lay


def ioctls(path, out):
    with open(out, 'w') as f:
        f.write('/* Generated by tools/syscallgen.py. */\n')
        seen = set()
        for where, line in lines(path):
            name, kind = line.split()
            if kind not in ('ptr', 'val', 'none', 'ifreq', 'word') or name in seen:
                sys.exit(f'{where}: unknown kind, or twice')
            seen.add(name)
            f.write(f'#ifdef {name}\nIOCTL({name}, {kind})\n#endif\n')


def main(header, code, ioctl_header):
    call_paths, abi_paths, layout_path = tables()
    layouts = read_layouts(layout_path)
    calls = read_calls(call_paths, layouts)
    fns = sorted({c.fn for c in calls.values() if c.fn})
    with open(header, 'w') as f:
        f.write('/* Generated by tools/syscallgen.py. */\n#pragma once\n#include "linux/internal.h"\n\nenum call_id {\n\tCALL_none,\n')
        f.write(''.join(f'\tCALL_{n},\n' for n in calls) + '\tCALL_COUNT\n};\n\nenum layout_id {\n\tLAYOUT_none,\n')
        f.write(''.join(f'\tLAYOUT_{l[0]},\n' for l in layouts) + '\tLAYOUT_COUNT\n};\n\n')
        f.write(''.join(f'call_fn {n};\n' for n in fns))
        for path in abi_paths:
            abi = os.path.basename(path)[:-4]
            f.write(f'enum {{ {abi.upper()}_NUMBERS = {max(int(l.split()[0]) for _, l in lines(path)) + 1} }};\n'
                    f'extern const u16 {abi}_numbers[{abi.upper()}_NUMBERS];\n')
    with open(code, 'w') as f:
        f.write('/* Generated by tools/syscallgen.py. */\n#include "syscalls.gen.h"\n#include "linux/syscalls/arg.h"\n#include <errno.h>\n'
                '#include <limits.h>\n' + ''.join(f'#include <{h}.h>\n' for h in HEADERS) + '\n')
        for ident, c in calls.items():
            if c.errno:
                f.write(f'static i64 call_{ident}(CALL_ARGS)\n{{\n\treturn -{c.errno};\n}}\n\n')
            elif not c.fn:
                f.write(body(ident, c, layouts))
        f.write('const struct call calls[CALL_COUNT] = {\n')
        for ident, c in calls.items():
            kinds, lay = kinds_of(c.args)
            f.write(f'\t[CALL_{ident}] = {{ "{c.name}", {c.fn or "call_" + ident}, {len(kinds)}, {{ {", ".join(kinds) or 0} }}, {KINDS[c.result]}, '
                    f'{{ {", ".join(lay) or 0} }} }},\n')
        f.write('};\n\n')
        for name, host, same, fields in layouts:
            f.write(f'static const struct field {name}_fields[] = {{\n')
            for kind, count, member in fields:
                if member == '-':
                    place = '0, 0'
                else:
                    place = f'offsetof({host}, {member}), sizeof((({host} *)0)->{member})'
                signed = 'true' if kind in ('i32', 'long') else 'false'
                f.write(f'\t{{ {place}, {TYPES[kind] if not count else "F_BYTES"}, {count or 1}, {signed} }},\n')
            f.write('};\n')
        f.write('\nconst struct layout layouts[LAYOUT_COUNT] = {\n')
        for name, host, same, fields in layouts:
            f.write(f'\t[LAYOUT_{name}] = {{ "{name}", {name}_fields, {len(fields)}, sizeof({host}), {"true" if same else "false"} }},\n')
        f.write('};\n\n')
        for path in abi_paths:
            abi = os.path.basename(path)[:-4]
            f.write(f'const u16 {abi}_numbers[{abi.upper()}_NUMBERS] = {{\n')
            for where, line in lines(path):
                number, name = line.split(maxsplit=1)
                name = name.replace(' ', '_')
                if name not in calls:
                    sys.exit(f'{where}: no row for {name} in src/linux/syscalls')
                f.write(f'\t[{number}] = CALL_{name},\n')
            f.write('};\n')


if __name__ == '__main__':
    if sys.argv[1] == 'list':
        call_paths, abi_paths, layout_path = tables()
        print('\n'.join(os.path.relpath(p, ROOT) for p in call_paths + abi_paths + sorted(glob.glob(ROOT + '/src/linux/abi/*.inc')) + [layout_path, ROOT + '/src/linux/syscalls/ioctl.tbl']))
    else:
        ioctls(ROOT + '/src/linux/syscalls/ioctl.tbl', sys.argv[4])
        main(*sys.argv[2:5])
