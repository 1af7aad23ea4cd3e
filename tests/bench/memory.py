#!/usr/bin/env python3
"""memory.py BUILD-DIR DIR [GUEST] [REGEX]: the largest resident memory of programs and kernels under Rhea and under the peer.

DIR/user as for programs.py: workloads.json, data, roots/GUEST, bin/GUEST. Cold: with an empty home; warm: again with the same home. The figure is
the kernel's own (ru_maxrss), of a child of GNU time, which is small itself: a big parent's pages would count. Prints a table in MiB; exit
status 1: something failed, or is more than 16 MiB above the peer."""
import json
import os
import re
import subprocess
import sys
import tempfile

ROOM = 16.0  # MiB above the peer
TIME = '/usr/bin/time'
CPU = {'arm64': ('aarch64', ['-cpu', 'max,pauth-impdef=on']), 'riscv64': ('riscv64', [])}


def workloads(user, guest):
    """Name, program with its arguments, the folder it is run in."""
    root = os.path.join(user, 'roots', guest)
    for work in json.load(open(os.path.join(user, 'workloads.json'))):
        yield work['name'], [root + work['cmd'][0], *work['cmd'][1:]], os.path.join(user, 'data')
    folder = os.path.join(user, 'bin', guest)
    for name in sorted(os.listdir(folder)):
        yield 'k-' + name, [os.path.join(folder, name)], folder


def peak(command, home, folder):
    """MiB, or None: it failed."""
    env = {'PATH': '/usr/bin:/bin', 'HOME': home, 'LC_ALL': 'C', 'TZ': 'UTC'}
    with tempfile.NamedTemporaryFile('r') as out:
        done = subprocess.run([TIME, '-q', '-f', '%M', '-o', out.name, *command], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=2400)
        return None if done.returncode else int(out.read()) / 1024


def main(build, where, guest='arm64', wanted=''):
    user = os.path.realpath(os.path.join(where, 'user'))
    arch, model = CPU[guest]
    options = [*model, '-L', os.path.join(user, 'roots', guest)]
    rhea = [os.path.join(os.path.abspath(build), 'bin/qemu-' + arch), *options]
    peer = ['/usr/bin/qemu-' + arch, *options]
    held = True
    print('| program | peer | cold | warm |\n| --- | --- | --- | --- |')
    for name, command, folder in workloads(user, guest):
        if not re.search(wanted, name):
            continue
        with tempfile.TemporaryDirectory() as home:
            figures = [peak(peer + command, home, folder), *(peak(rhea + command, home, folder) for _ in range(2))]
        good = None not in figures and max(figures[1:]) <= figures[0] + ROOM
        held &= good
        print(f'| {name} | ' + ' | '.join('failed' if f is None else f'{f:.0f}' for f in figures) + ' |' + ('' if good else ' NOT HELD'), flush=True)
    return not held


if __name__ == '__main__':
    if not os.access(TIME, os.X_OK):
        sys.exit('memory.py: wants GNU time (apt-get install time)')
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
