#!/usr/bin/env python3
"""Makes the system calls of user mode from tables.

  syscallgen.py list                 the tables, one a line
  syscallgen.py make OUT.h OUT.c IOCTLS.h   what they say, as C

src/linux/syscalls/*.tbl, a row:   NAME: KIND, KIND ... -> RESULT [= FUNCTION | ! ERRNO]
  A kind says how an argument is converted and printed by -strace: a word of KINDS below, or "in|out struct NAME" for a
  structure of layouts.tbl. Without a function the call goes to the host's kernel under the same name.
src/linux/abi/layouts.tbl          structures whose layout differs; see there
src/linux/abi/ARCH.tbl             NUMBER NAME, or: include FILE (of the same folder)
src/linux/syscalls/ioctl.tbl       see there
"""
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
    'socktype': 'K_SOCKTYPE', 'action': 'K_ACTION', 'timespec': 'K_TIMESPEC', 'sigset': 'K_SIGSET', 'sighow': 'K_SIGHOW',
}
POINTERS = {'str', 'outbuf', 'ptr', 'buf', 'strv', 'action', 'timespec', 'sigset', 'newpath'}
TYPES = {'u8': 'F_U8', 'u16': 'F_U16', 'u32': 'F_U32', 'i32': 'F_I32', 'u64': 'F_U64', 'long': 'F_LONG', 'ulong': 'F_ULONG',
         'ptr': 'F_PTR'}


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


def read_calls(paths, layouts):
    names = {l[0] for l in layouts}
    calls = {}
    for path in paths:
        for where, line in lines(path):
            m = re.match(r'(\w+):(.*?)->\s*(\w+)\s*(?:= (\w+)|! (\w+))?$', line)
            if not m:
                sys.exit(f'{where}: cannot read "{line}"')
            args = [a.strip() for a in m[2].split(',') if a.strip()]
            for a in args:
                s = re.match(r'(in|out) struct (\w+)$', a)
                if not (s and s[2] in names) and a not in KINDS:
                    sys.exit(f'{where}: unknown kind "{a}"')
            if m[1] in calls:
                sys.exit(f'{where}: {m[1]} stands there twice')
            if m[3] not in KINDS or len(args) > 6:
                sys.exit(f'{where}: bad result or too many arguments')
            calls[m[1]] = (args, m[3], m[4], m[5])
    return calls


def body(name, args, layouts):
    """The function of a call that goes to the host: conversions in, the call, conversions out."""
    pre, post, values = '', '', []
    host = {l[0]: l[1] for l in layouts}
    for i, a in enumerate(args):
        s = re.match(r'(in|out) struct (\w+)$', a)
        if s:
            pre += f'\t{host[s[2]]} h{i};\n\tvoid *p{i} = a[{i}] ? &h{i} : NULL;\n'
            if s[1] == 'in':
                pre += f'\tif (p{i} && !get_struct(t->vm, LAYOUT_{s[2]}, p{i}, a[{i}]))\n\t\treturn -EFAULT;\n'
            else:
                pre = f'\tif (layout_same(t->abi, LAYOUT_{s[2]}))\n\t\treturn same_{name}(t, a);\n' + pre
                pre += f'\tif (!p{i})\n\t\tp{i} = (void *)~0xfffull;\n'
                post += f'\tif (r >= 0 && !put_struct(t->vm, LAYOUT_{s[2]}, a[{i}], p{i}))\n\t\treturn -EFAULT;\n'
            values.append(f'p{i}')
        elif a == 'path':
            pre += f'\tchar b{i}[PATH_MAX];\n\tconst char *p{i} = path_arg(t, a[{i}], b{i});\n'
            values.append(f'p{i}')
        elif a in POINTERS:
            values.append(f'a[{i}] ? g2h(t->vm, a[{i}]) : NULL')
        elif a == 'oflags':
            values.append(f'oflags_to_host(t, a[{i}])')
        else:
            values.append(f'a[{i}]')
    values = ', '.join([f'SYS_{name}'] + values)
    text = f'static i64 call_{name}(CALL_ARGS)\n{{\n'
    if post:
        direct = ', '.join([f'SYS_{name}'] + [f'g2h(t->vm, a[{i}])' if 'struct' in a or a in POINTERS or a == 'path' else f'a[{i}]'
                                              for i, a in enumerate(args)])
        text = f'static i64 same_{name}(CALL_ARGS)\n{{\n\treturn HOST{len(args)}({direct});\n}}\n\n' + text
        return text + pre + f'\ti64 r = HOST{len(args)}({values});\n{post}\treturn r;\n}}\n\n'
    return text + pre + f'\treturn HOST{len(args)}({values});\n}}\n\n'


def ioctls(path, out):
    with open(out, 'w') as f:
        f.write('/* Generated by tools/syscallgen.py. */\n')
        seen = set()
        for where, line in lines(path):
            name, kind = line.split()
            if kind not in ('ptr', 'val', 'none') or name in seen:
                sys.exit(f'{where}: unknown kind, or twice')
            seen.add(name)
            f.write(f'#ifdef {name}\nIOCTL({name}, {kind})\n#endif\n')


def main(header, code, ioctl_header):
    call_paths, abi_paths, layout_path = tables()
    layouts = read_layouts(layout_path)
    calls = read_calls(call_paths, layouts)
    fns = sorted({c[2] for c in calls.values() if c[2]})
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
                '#include <limits.h>\n#include <sys/epoll.h>\n#include <sys/sem.h>\n#include <sys/stat.h>\n#include <sys/syscall.h>\n#include <time.h>\n\n')
        for name, (args, result, fn, errno) in calls.items():
            if errno:
                f.write(f'static i64 call_{name}(CALL_ARGS)\n{{\n\treturn -{errno};\n}}\n\n')
            elif not fn:
                f.write(body(name, args, layouts))
        f.write('const struct call calls[CALL_COUNT] = {\n')
        for name, (args, result, fn, errno) in calls.items():
            kinds = ', '.join(KINDS.get(a, 'K_PTR') for a in args) or '0'
            lay = ', '.join('LAYOUT_' + a.split()[-1] if 'struct' in a else '0' for a in args) or '0'
            f.write(f'\t[CALL_{name}] = {{ "{name}", {fn or "call_" + name}, {len(args)}, {{ {kinds} }}, {KINDS[result]}, {{ {lay} }} }},\n')
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
                number, name = line.split()
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
