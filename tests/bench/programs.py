#!/usr/bin/env python3
"""programs.py BUILD-DIR DIR [GUESTS] [REPETITIONS]: a distribution's programs and small kernels, with the limits they are held to.

DIR/user holds run.py and startup.py, which time native runs, the peer (Debian's qemu-user) and Rhea in turns and check every output,
with workloads.json and unpacked roots (see its README). Exit status 1: something failed or a limit is not held."""
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile

LIMITS = {('arm64', 'cold', 'real'): 3.0, ('arm64', 'warm', 'real'): 2.5, ('arm64', 'warm', 'kernel'): 1.8,
          ('riscv64', 'warm', 'real'): 2.5, ('riscv64', 'warm', 'kernel'): 1.8}
HIGHEST = {'arm64': 5.0}  # of any one program


def geomean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def verdicts(rows, guest, mode):
    """Lines that say what is not held, after one that says where the means stand."""
    good = [r for r in rows if 'ratio' in r['emu']['rhea']]
    for kind in ('real', 'kernel'):
        values = [r['emu']['rhea']['ratio'] for r in good if r['kind'] == kind]
        limit = LIMITS.get((guest, mode, kind))
        if values and limit:
            mean = geomean(values)
            yield mean <= limit, f'{guest} {mode} {"programs" if kind == "real" else "kernels"}: {mean:.2f}, limit {limit}'
    for r in good:
        rhea, peer = r['emu']['rhea'], r['emu'].get('peer', {})
        if rhea['ratio'] > HIGHEST.get(guest, math.inf):
            yield False, f'{guest} {mode} {r["name"]}: {rhea["ratio"]:.2f}, none may be above {HIGHEST[guest]}'
        if peer.get('ratio', math.inf) < rhea['ratio']:
            yield False, f'{guest} {mode} {r["name"]}: {rhea["ratio"]:.2f}, slower than the peer ({peer["ratio"]:.2f})'


def main(build, where, guests='arm64', reps='3'):
    user = os.path.join(where, 'user')
    bin_ = os.path.join(os.path.abspath(build), 'bin')
    emulators = ['--emu', f'rhea={bin_}/qemu-{{arch}} {{cpu}} -L {{root}}']
    if shutil.which('qemu-aarch64', path='/usr/bin'):
        emulators += ['--emu', 'peer=/usr/bin/qemu-{arch} {cpu} -L {root}']
    held = True
    for guest in guests.split(','):
        for mode, option in (('cold', ['--cold']), ('warm', ['--warm', '1'])):
            with tempfile.NamedTemporaryFile(suffix='.json') as out:
                done = subprocess.run([os.path.join(user, 'run.py'), '--guests', guest, '--reps', reps, '--json', out.name, *option, *emulators],
                                      stderr=subprocess.PIPE, text=True)
                held &= done.returncode == 0
                if done.returncode:
                    print(done.stderr, file=sys.stderr)
                if not os.path.getsize(out.name):
                    sys.exit(f'programs.py: {user}/run.py measured nothing (above: why); its README says how to set it up')
                for ok, text in verdicts(json.load(open(out.name)), guest, mode):
                    held &= ok
                    print(('held: ' if ok else 'NOT HELD: ') + text, flush=True)
        held &= subprocess.run([os.path.join(user, 'startup.py'), '--guests', guest, *emulators]).returncode == 0
    return not held


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
