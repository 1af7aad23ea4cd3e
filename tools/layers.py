#!/usr/bin/env python3
"""Checks that every #include points downwards, by the file LAYERS. Run from the source root."""
import os
import re
import sys

allowed = {}
for line in open('LAYERS'):
    line = line.split('#')[0].strip()
    if line:
        name, _, below = line.partition(':')
        allowed[name] = set(below.split())


def layer_of(path):
    fits = [name for name in allowed if path == name or path.startswith(name + '/')]
    return max(fits, key=len) if fits else None


bad = 0
for folder, _, names in os.walk('src'):
    for name in sorted(names):
        if not name.endswith(('.c', '.h')):
            continue
        path = os.path.join(folder, name)
        mine = layer_of(path[4:])
        if mine is None:
            print(f'{path}: no layer in LAYERS holds this file')
            bad += 1
            continue
        for number, line in enumerate(open(path), 1):
            m = re.match(r'#include "([\w/.-]+)"', line)
            other = m and layer_of(m[1])
            if not other or other == mine or other in allowed[mine] or '*' in allowed[mine]:
                continue
            print(f'{path}:{number}: {mine} may not include {other}')
            bad += 1
sys.exit(bad > 0)
