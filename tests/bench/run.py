#!/usr/bin/env python3
"""Called by run.sh: run.py FOLDER REPETITIONS RHEA [PEER]. Takes NAME.native and NAME.arm64 of the folder."""
import glob
import math
import os
import resource
import subprocess
import sys


def cpu(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.returncode, done.stdout


def main(folder, reps, rhea, peer=None):
    emulators = [('rhea', [rhea])] + ([('peer', [peer, '-cpu', 'max,pauth-impdef=on'])] if peer else [])
    ratios = {name: [] for name, _ in emulators}
    bad = 0
    print(f'{"program":12}{"native s":>10}' + ''.join(f'{name:>10}' for name, _ in emulators))
    for native in sorted(glob.glob(os.path.join(folder, '*.native'))):
        name = os.path.basename(native)[:-7]
        best = {}
        for _ in range(int(reps)):
            for who, command in [('native', [native])] + [(n, c + [native[:-7] + '.arm64']) for n, c in emulators]:
                took, status, output = cpu(command)
                if who == 'native':
                    want = output
                if status or output != want:
                    print(f'{name}: {who} ended with {status} or printed something else')
                    bad += 1
                best[who] = min(took, best.get(who, took))
        line = f'{name:12}{best["native"]:10.3f}'
        for who, _ in emulators:
            ratios[who].append(best[who] / best['native'])
            line += f'{ratios[who][-1]:10.2f}'
        print(line)
    line = f'{"geomean":12}{"":10}'
    for who, _ in emulators:
        line += f'{math.exp(sum(map(math.log, ratios[who])) / len(ratios[who])):10.2f}'
    print(line)
    return bad > 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
