#!/usr/bin/env python3
"""Makes C from the schema files of src/control/schema: types, commands and events of the control protocol (QMP).

  schemagen.py list                          the schema files, for the build's dependencies
  schemagen.py make OUT.h OUT.c OUT.md       structures and tables; a page for users

The language, a definition a paragraph; the order of definitions does not matter:

  # a comment
  > What the next definition is for; goes into the page.
  enum NAME                     values, one a line
  struct NAME                   members
  union NAME by MEMBER          members, then "[value] STRUCT" for what is added where MEMBER has this value
  alternate NAME                types, one a line; told apart by their JSON kind
  command NAME [oob]            members, or "= TYPE"; "-> TYPE" is what it gives; oob: may be run out of band
  event NAME [limit [MEMBER]]   members; limit: at most one a second (for each value of MEMBER), the last one

A member is "name: TYPE", "name?: TYPE" when it may be left out, with " -- text" behind it for the page. {deprecated}
and other features stand behind a definition's, member's or value's name or type. Types: str, bool, int (64 bits), uint32,
number, any, null, names of definitions, [TYPE] for lists.

C: a struct becomes `struct name` with has_X beside members that may be left out, strings that point into the JSON it was
parsed from, structs by value, and `const struct json *` for what C has no simple form for. A command NAME gets
`struct NAME_arg` (or its TYPE) and `schema_command_NAME`, an event `schema_event_NAME`, an enum `enum schema_name`.
"""
import glob
import os
import re
import sys

FOLDER = 'src/control/schema'
BUILTIN = ('str', 'bool', 'int', 'uint32', 'number', 'any', 'null')
MEMBER = re.compile(r'([\w.-]+)(\??): (\[?\w+\]?)(?: \{([\w, -]+)\})?(?: -- (.*))?$')
HEAD = re.compile(r'(enum|struct|union|alternate|command|event) ([\w-]+)(?: \{([\w, -]+)\})?(.*)$')


class Member:
    def __init__(self, m, where):
        self.name, self.optional, self.type, self.doc = m[1], bool(m[2]), m[3], m[5] or ''
        self.features, self.where = features(m[4]), where


class Definition:
    def __init__(self, kind, name, feats, doc, where):
        self.kind, self.name, self.features, self.doc, self.where = kind, name, feats, doc, where
        self.members, self.variants, self.choices, self.values = [], [], [], []
        self.tag = self.same = self.returns = self.limit = None
        self.oob = False


def features(text):
    return text.split(', ') if text else []


def fail(where, text):
    sys.exit(f'{where}: {text}')


def begin(line, doc, where):
    m = HEAD.match(line) or fail(where, f'not a definition: {line}')
    d = Definition(m[1], m[2], features(m[3]), doc, where)
    rest = m[4].split()
    if d.kind == 'union' and len(rest) == 2 and rest[0] == 'by':
        d.tag = rest[1]
    elif d.kind == 'command' and rest in ([], ['oob']):
        d.oob = bool(rest)
    elif d.kind == 'event' and (not rest or rest[0] == 'limit' and len(rest) < 3):
        d.limit = (rest + [''])[1] if rest else None
    elif rest or d.kind == 'union':
        fail(where, f'cannot read "{m[4].strip()}"')
    return d


def add(d, line, where):
    m = MEMBER.match(line)
    if m and d.kind not in ('enum', 'alternate'):
        d.members.append(Member(m, where))
    elif d.kind == 'enum' and (m := re.match(r'([\w.-]+)(?: \{([\w, -]+)\})?$', line)):
        d.values.append((m[1], features(m[2])))
    elif d.kind == 'alternate' and re.match(r'\w+$', line):
        d.choices.append(line)
    elif d.kind == 'union' and (m := re.match(r'\[([\w.-]+)\] (\w+)$', line)):
        d.variants.append((m[1], m[2]))
    elif d.kind == 'command' and (m := re.match(r'(=|->) (\[?\w+\]?)$', line)):
        setattr(d, 'same' if m[1] == '=' else 'returns', m[2])
    else:
        fail(where, f'cannot read "{line}"')


def read():
    found, doc, d = {}, [], None
    for path in sorted(glob.glob(FOLDER + '/*.schema')):
        for number, line in enumerate(open(path), 1):
            where, line = f'{path}:{number}', line.rstrip()
            if line.startswith('>'):
                doc.append(line[1:].strip())
            elif line.startswith('\t') and d:
                add(d, line[1:], where)
            elif line and not line.startswith('#'):
                d = begin(line, ' '.join(doc), where)
                doc = []
                if d.name in found:
                    fail(where, f'{d.name} is defined at {found[d.name].where} too')
                found[d.name] = d
    return found


def check(defs):
    def known(name, where):
        name = name.strip('[]')
        if name not in BUILTIN and (name not in defs or defs[name].kind in ('command', 'event')):
            fail(where, f'no type {name}')
    for d in defs.values():
        for m in d.members:
            known(m.type, m.where)
        for name in d.choices + [t for _, t in d.variants] + [t for t in (d.same, d.returns) if t]:
            known(name, d.where)
        if d.tag:
            tag = next((m for m in d.members if m.name == d.tag), None) or fail(d.where, f'no member {d.tag}')
            values = [v for v, _ in defs[tag.type].values]
            for value, _ in d.variants:
                if value not in values:
                    fail(d.where, f'{tag.type} has no value {value}')


def c_name(name):
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name).replace('-', '_').replace('.', '_').lower()
    return name + '_' if name in ('case', 'default') else name


def text(s):
    return '"' + s.replace('\\', '\\\\').replace('"', '\\"') + '"'


def feats(names):
    return '(const char *const[]){ %s, NULL }' % ', '.join(map(text, names)) if names else 'NULL'


class Maker:
    def __init__(self, defs):
        self.defs, self.c, self.h, self.lists, self.done = defs, [], [], {}, set()

    def is_struct(self, name):
        return name in self.defs and self.defs[name].kind == 'struct'

    def c_type(self, name):
        simple = {'str': 'const char *', 'bool': 'bool ', 'int': 'i64 ', 'uint32': 'i64 ', 'number': 'double '}
        if name in simple:
            return simple[name]
        if self.is_struct(name):
            return f'struct {c_name(name)} '
        if name in self.defs and self.defs[name].kind == 'enum':
            return f'enum schema_{c_name(name)} '
        return 'const struct json *'

    def ref(self, name):
        if name.startswith('['):
            self.lists.setdefault(name[1:-1], None)
            return f'&list_{c_name(name[1:-1])}'
        return f'&schema_type_{c_name(name)}'

    def has_flag(self, m):
        return m.optional and not self.c_type(m.type).endswith('*')

    def c_struct(self, name, members):
        """A struct that C code uses, what it holds by value before it."""
        if name in self.done:
            return
        self.done.add(name)
        for m in members:
            if self.is_struct(m.type):
                self.c_struct(m.type, self.defs[m.type].members)
        fields = [f'\t{self.c_type(m.type)}{c_name(m.name)};\n' for m in members]
        flags = [f'has_{c_name(m.name)}' for m in members if self.has_flag(m)]
        self.h.append(f'struct {c_name(name)} {{\n{"".join(fields)}' + ''.join(f'\tbool {f};\n' for f in flags) +
                      ('' if fields else '\tchar none; /* no members */\n') + '};\n')

    def member_table(self, owner, members):
        in_c, own = owner in self.done, f'struct {c_name(owner)}'
        rows = []
        for m in members:
            row = f'\t{{ {text(m.name)}, {self.ref(m.type)}, {str(m.optional).lower()}, {feats(m.features)}'
            if in_c:
                row += f', .offset = offsetof({own}, {c_name(m.name)})'
                if self.has_flag(m):
                    row += f', .has_offset = offsetof({own}, has_{c_name(m.name)})'
            rows.append(row + ' },\n')
        return f'(const struct schema_member[]){{\n{"".join(rows)}\t{{ 0 }} }}'

    def type_table(self, d):
        body = [f'.name = {text(d.name)}', f'.kind = SCHEMA_{d.kind.upper()}']
        if d.kind in ('struct', 'union'):
            body.append(f'.members = {self.member_table(d.name, d.members)}')
            if d.name in self.done:
                body.append(f'.size = sizeof(struct {c_name(d.name)})')
        if d.kind == 'enum':
            rows = ''.join(f'\t{{ {text(v)}, {feats(f)} }},\n' for v, f in d.values)
            body.append(f'.values = (const struct schema_value[]){{\n{rows}\t{{ 0 }} }}')
        if d.kind == 'union':
            rows = ''.join(f'\t{{ {text(v)}, {self.ref(t)} }},\n' for v, t in d.variants)
            body += [f'.tag = {text(d.tag)}', f'.variants = (const struct schema_variant[]){{\n{rows}\t{{ 0 }} }}']
        if d.kind == 'alternate':
            body.append('.choices = (const struct schema_type *const[]){ %s, NULL }' % ', '.join(map(self.ref, d.choices)))
        return f'const struct schema_type schema_type_{c_name(d.name)} = {{ {", ".join(body)} }};\n'

    def command(self, d):
        arg = d.same
        if not arg:
            arg = d.name + '_arg'
            self.c.append(f'static const struct schema_type arg_{c_name(d.name)} = {{ .name = "{d.name}", .kind = SCHEMA_STRUCT, '
                          f'.members = {self.member_table(arg, d.members)}, .size = sizeof(struct {c_name(arg)}) }};\n')
            ref = f'&arg_{c_name(d.name)}'
        else:
            ref = self.ref(arg)
        returns = self.ref(d.returns) if d.returns else 'NULL'
        self.c.append(f'const struct schema_command schema_command_{c_name(d.name)} = {{ {text(d.name)}, {ref}, {returns}, '
                      f'{str(d.oob).lower()}, {feats(d.features)} }};\n')
        self.h.append(f'extern const struct schema_command schema_command_{c_name(d.name)};\n')

    def event(self, d):
        name = c_name(d.name)
        self.c.append(f'static const struct schema_type data_{name} = {{ .name = {text(d.name)}, .kind = SCHEMA_STRUCT, '
                      f'.members = {self.member_table("", d.members)} }};\n'
                      f'const struct schema_event schema_event_{name} = {{ {text(d.name)}, &data_{name}, '
                      f'{"NULL" if d.limit is None else text(d.limit)} }};\n')
        self.h.append(f'extern const struct schema_event schema_event_{name};\n')

    def make(self):
        defs = self.defs.values()
        for d in defs:
            if d.kind == 'enum':
                prefix = c_name(d.name).upper()
                values = ''.join(f'\t{prefix}_{c_name(v).upper()},\n' for v, _ in d.values)
                self.h.append(f'enum schema_{c_name(d.name)} {{\n{values}}};\n')
        for d in defs:
            if d.kind == 'command':
                arg = d.same or d.name + '_arg'
                self.c_struct(arg, self.defs[d.same].members if d.same else d.members)
        types = [d for d in defs if d.kind in ('enum', 'struct', 'union', 'alternate')]
        for d in types:
            if d.kind == 'union':
                for _, t in d.variants:
                    self.c_struct(t, self.defs[t].members)
        self.h += [f'extern const struct schema_type schema_type_{c_name(d.name)};\n' for d in types]
        self.c += [self.type_table(d) for d in types]
        for d in defs:
            if d.kind == 'command':
                self.command(d)
            elif d.kind == 'event':
                self.event(d)
        rows = ''.join(f'\t&schema_event_{c_name(d.name)},\n' for d in defs if d.kind == 'event')
        self.c.append(f'const struct schema_event *const schema_events[] = {{\n{rows}\tNULL,\n}};\n')
        return self.h, [f'static const struct schema_type list_{c_name(n)} = {{ .name = {text(f"[{n}]")}, .kind = SCHEMA_LIST, '
                        f'.element = &schema_type_{c_name(n)} }};\n' for n in self.lists] + self.c


def page(defs, f):
    f.write('# Commands and events of QMP\n\nMade from the schema, `src/control/schema`. A member with ? may be left out.\n')
    for kind, title in (('command', 'Commands'), ('event', 'Events'), ('union', 'Unions'), ('struct', 'Structures'),
                        ('alternate', 'Alternates'), ('enum', 'Enumerations')):
        f.write(f'\n## {title}\n')
        for d in sorted((d for d in defs.values() if d.kind == kind), key=lambda d: d.name):
            f.write(f'\n### {d.name}' + ''.join(f' ({x})' for x in d.features) + '\n')
            if d.doc:
                f.write(d.doc + '\n')
            for m in d.members:
                f.write(f'* `{m.name}{"?" if m.optional else ""}`: {m.type}' + ''.join(f' ({x})' for x in m.features) +
                        (f'. {m.doc}' if m.doc else '') + '\n')
            if d.same:
                f.write(f'* the members of {d.same}\n')
            for value, name in d.variants:
                f.write(f'* with `{d.tag}` {value}: the members of {name}\n')
            if d.choices or d.values:
                f.write('One of: ' + ', '.join(d.choices + [v for v, _ in d.values]) + '\n')
            if d.returns:
                f.write(f'Gives {d.returns}.\n')


def main(args):
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
    if args[0] == 'list':
        print('\n'.join(sorted(glob.glob(FOLDER + '/*.schema')) + ['tools/schemagen.py']))
        return
    defs = read()
    check(defs)
    h, c = Maker(defs).make()
    with open(args[1], 'w') as f:
        f.write('/* Generated by tools/schemagen.py. */\n#pragma once\n#include "control/schema/schema.h"\n\n' + ''.join(h))
    with open(args[2], 'w') as f:
        f.write(f'/* Generated by tools/schemagen.py. */\n#include "{os.path.basename(args[1])}"\n\n' + ''.join(c))
    with open(args[3], 'w') as f:
        page(defs, f)


if __name__ == '__main__':
    if sys.argv[1] == 'make':
        sys.argv[2:] = map(os.path.abspath, sys.argv[2:])
    main(sys.argv[1:])
