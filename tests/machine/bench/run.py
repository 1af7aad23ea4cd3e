#!/usr/bin/env python3
"""System-mode memory: benchmark kernels bare on the test machine, natively beside them, and what address spaces cost.
usage: run.py BUILD-DIR [KERNELS] [REPETITIONS]     KERNELS: a folder of C programs of one file each

CPU time, the least of the repetitions, in turns, so that a busy machine hits all alike. Ends with 1 when a limit is not held or an output is wrong."""
import glob
import math
import os
import re
import resource
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
NOT_BARE = {'syscalls', 'threads'}  # they ask an operating system
COMMON = '-O2 -w -fno-pic -fno-pie -mcmodel=medany -march=rv64gc -mabi=lp64d -fno-math-errno'.split()
LINK = ['-static', '-no-pie', '-nostartfiles', '-Wl,--build-id=none,--no-warn-rwx-segments', '-T', f'{HERE}/../programs/bare.ld']
FREE = COMMON + ['-std=gnu11', '-ffreestanding', '-fno-stack-protector']


def build(*command):
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        print(f'{command[-1]} does not build: {done.stderr.strip().splitlines()[-1:]}')
    return done.returncode == 0


def cpu(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300)
        output = done.stdout if done.returncode == 0 else b'status %d' % done.returncode
    except subprocess.TimeoutExpired:
        output = b'not done'
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, output


def least(commands, reps, pick=0):
    """{name: (seconds, output)} of {name: command}, run in turns: the shortest, or the one that pick others of its runs are shorter than."""
    took = {name: [] for name in commands}
    for _ in range(reps):
        for name, command in commands.items():
            took[name].append(cpu(command))
    return {name: sorted(runs)[pick] for name, runs in took.items()}


def same(a, b):
    """The same words; the bare library prints floating-point numbers its own way."""
    floats = re.compile(rb'-?\d+\.\d+(e[+-]?\d+)?')
    return floats.sub(b'F', a) == floats.sub(b'F', b)


def verdict(name, value, limit):
    held = value <= limit
    print(f'{name:52}{value:8.2f}  limit {limit:g}{"" if held else "   NOT HELD"}')
    return held


def kernels(out, machine, folder, reps):
    """Sv39 and Sv48, windows as the engine chooses and the table alone."""
    ways = [(f'Sv{39 if levels == 3 else 48} {how}', levels, how) for levels in (3, 4) for how in ('auto', 'off')]
    ratios = {way: [] for way, _, _ in ways}
    good = True
    for levels in (3, 4):
        build('riscv64-linux-gnu-gcc', *FREE, f'-DLEVELS={levels}', '-c', '-o', f'{out}/lib{levels}.o', f'{HERE}/bare-libc.c')
    print(f'{"kernel":12}{"native s":>10}' + ''.join(f'{way:>12}' for way, _, _ in ways))
    for source in sorted(glob.glob(f'{folder}/*.c')):
        name = os.path.splitext(os.path.basename(source))[0]
        base = f'{out}/{name}'
        if name in NOT_BARE or not build('gcc', '-O2', '-w', '-static', '-o', f'{base}.native', source, '-lm'):
            continue
        if not all(build('riscv64-linux-gnu-gcc', *COMMON, *LINK, '-o', f'{base}.{levels}', f'{out}/lib{levels}.o', source) for levels in (3, 4)):
            continue
        commands = {'native': [f'{base}.native']}
        commands |= {way: [*machine, '-m', '256', '-windows', how, f'{base}.{levels}'] for way, levels, how in ways}
        best = least(commands, reps)
        took, want = best['native']
        if took < 0.05:  # too short to say anything
            continue
        line = f'{name:12}{took:10.3f}'
        for way, _, _ in ways:
            ratios[way].append(best[way][0] / took)
            line += f'{ratios[way][-1]:12.2f}'
            if not same(want, best[way][1]):
                good = False
                line += f' ({best[way][1][:40]!r})'
        print(line, flush=True)
    for way, _, how in ways if ratios[ways[0][0]] else ():
        mean = math.exp(sum(map(math.log, ratios[way])) / len(ratios[way]))
        good &= verdict(f'kernels, {way}: geometric mean x native', mean, 2.5 if how == 'auto' else 4)
    return good


def spaces(out, machine, reps):
    for part in range(1, 7):
        build('riscv64-linux-gnu-gcc', *FREE, *LINK, f'-DPART={part}', '-o', f'{out}/spaces{part}', f'{HERE}/spaces.c')
    run = least({(part, how): [*machine, '-windows', how, f'{out}/spaces{part}'] for part in range(1, 7) for how in ('auto', 'off')}, 3 * reps)  # limits of 5 and 10 %
    good = all(output == b'done\n' for _, output in run.values())
    for how in ('auto', 'off'):
        took = {part: run[part, how][0] for part in range(1, 7)}
        good &= verdict(f'switch of address spaces, {how}: microseconds', took[1] - took[2], 1)  # a million of them
        good &= verdict(f'10,000 switches a second, {how}: x without', took[3] / took[4], 1.05)
    good &= verdict('map, touch, unmap: auto x table alone', run[5, 'auto'][0] / run[5, 'off'][0], 1.1)
    good &= verdict('1,000 small spaces, four times: auto x table alone', run[6, 'auto'][0] / run[6, 'off'][0], 1.1)
    return good


def shared(out, machine, reps):
    good = True
    for name, flags in (('acquire and release', []), ('full barriers', ['-DFULL'])):
        build('riscv64-linux-gnu-gcc', *FREE, *LINK, *flags, '-o', f'{out}/share', f'{HERE}/share.c')
        build('gcc', '-O2', '-w', '-pthread', *flags, '-o', f'{out}/share.native', f'{HERE}/share.c')
        # medians: the shortest of two threads that share data is a run in which they met least
        turns = 3 * reps
        best = least({'native': [f'{out}/share.native'], 'auto': [*machine, '-smp', '2', f'{out}/share']}, turns, turns // 2)
        good &= all(output == b'shared\n' for _, output in best.values())
        good &= verdict(f'two CPUs sharing data, {name}: x native', best['auto'][0] / best['native'][0], 6)
    return good


def main(build_dir, folder=f'{HERE}/../../bench/kernels', reps='3'):
    if not shutil.which('riscv64-linux-gnu-gcc'):
        print('left out: no riscv64-linux-gnu-gcc')
        return 0
    out = os.path.join(os.path.realpath(build_dir), 'bench', 'bare')
    machine = [os.path.join(os.path.realpath(build_dir), 'rv-bare'), '-seconds', '250']
    os.makedirs(out, exist_ok=True)
    parts = [kernels(out, machine, folder, int(reps)), spaces(out, machine, int(reps)), shared(out, machine, int(reps))]
    return 0 if all(parts) else 1


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
