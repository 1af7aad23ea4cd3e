#!/usr/bin/env python3
"""Errors of a disk that is served by NBD and by FUSE: the client is told the same error, at the same places, and nothing else suffers."""
import errno
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from qmp import Daemon, Tap, sh

SIZE, UNIT = 1 << 20, 4096
PLACES = SIZE // UNIT
TEXT = {errno.EIO: 'Input/output error', errno.ENOSPC: 'No space left on device'}
# Every eleventh place fails to be read, written or zeroed, with one error or the other.
KINDS = [(io, e) for io in ('read', 'write', 'write-zeroes') for e in TEXT]
BAD = {place: KINDS[k % len(KINDS)] for k, place in enumerate(range(3, PLACES, 11))}

d = Daemon()
q = d.client()
os.chdir(d.dir)


def rule(io, e, **more):
    return {'event': 'none', 'iotype': io, 'errno': e, **more}


def disk(name, rules):
    with open(f'{name}.raw', 'wb') as f:
        f.write(b'\7' * SIZE)
    q.cmd('blockdev-add', **{'driver': 'blkdebug', 'node-name': name, 'inject-error': rules,
                            'image': {'driver': 'file', 'filename': f'{d.dir}/{name}.raw', 'discard': 'unmap'}})


def faulty(name):
    disk(name, [rule(io, e, sector=place * UNIT // 512) for place, (io, e) in BAD.items()])


def untouched_but(name, written):
    """What the file holds: 9 where a write was acknowledged."""
    with open(f'{name}.raw', 'rb') as f:
        for place in range(PLACES):
            want = b'\x09' if place in written else b'\7'
            assert f.read(UNIT) == want * UNIT, f'place {place}'


def nbd(node, *commands):
    """For each command of qemu-io the text of its error, '' when there is none."""
    p = subprocess.run(['qemu-io', '-f', 'raw', *[x for c in commands for x in ('-c', c)], f'nbd+unix:///{node}?socket={d.dir}/nbd'],
                       capture_output=True, text=True, timeout=60)
    out = [line for line in p.stdout.splitlines() if ' failed: ' in line or ' bytes at offset ' in line]
    assert len(out) == len(commands), p.stdout + p.stderr
    return [line.split(' failed: ')[1] if ' failed: ' in line else '' for line in out]


def over_nbd():
    faulty('n')
    q.cmd('block-export-add', type='nbd', id='n', node_name='n', writable=True)
    for command, io in (('read {} 4k', 'read'), ('write -P 9 {} 4k', 'write'), ('write -z -n {} 4k', 'write-zeroes')):
        got = nbd('n', *[command.format(place * UNIT) for place in range(PLACES)])
        for place, text in enumerate(got):
            kind, e = BAD.get(place, (None, 0))
            assert text == (TEXT[e] if kind == io else ''), f'{io} of place {place}: {text!r}'
        if io == 'write':
            untouched_but('n', [p for p in range(PLACES) if BAD.get(p, ('',))[0] != 'write'])
    q.cmd('block-export-del', id='n')


def copies():
    """A copy by NBD stops at the first place that cannot be read, or written, and names the cause."""
    with open('src.raw', 'wb') as f:
        f.write(os.urandom(SIZE))
    for io in ('read', 'write'):
        place, e = next((p, k[1]) for p, k in BAD.items() if k[0] == io)
        disk(f'c-{io}', [rule(io, e, sector=place * UNIT // 512)])
        q.cmd('block-export-add', type='nbd', id='c', node_name=f'c-{io}', writable=True)
        uri = f'nbd+unix:///c-{io}?socket={d.dir}/nbd'
        args = ['-O', 'raw', uri, 'out.raw'] if io == 'read' else ['-n', '-O', 'raw', 'src.raw', uri]
        p = subprocess.run(['qemu-img', 'convert', '-f', 'raw', *args], capture_output=True, text=True, timeout=60)
        assert p.returncode == 1 and TEXT[e] in p.stderr, p.stderr
        q.cmd('block-export-del', id='c')
        q.event('BLOCK_EXPORT_DELETED', {'id': 'c'})


def flushes():
    disk('f', [rule('flush', errno.EIO)])
    q.cmd('block-export-add', type='nbd', id='f', node_name='f', writable=True)
    uri = f'nbd+unix:///f?socket={d.dir}/nbd'
    for command, want in (('write -P 9 0 4k', 0), ('flush', 1)):
        p = subprocess.run(['qemu-io', '-f', 'raw', '-t', 'writeback', '-c', command, uri], capture_output=True, text=True, timeout=60)
        assert p.returncode == want, command + p.stdout + p.stderr
    assert nbd('f', 'write -f -P 9 0 4k') == [TEXT[errno.EIO]]  # with FUA
    q.cmd('block-export-del', id='f')


def attempt(fn, *args):
    try:
        fn(*args)
        return 0
    except OSError as e:
        return e.errno


def over_fuse():
    faulty('u')
    open('mount', 'w').close()
    q.cmd('block-export-add', type='fuse', id='u', node_name='u', mountpoint=f'{d.dir}/mount', writable=True)
    fd = os.open('mount', os.O_RDWR | os.O_DIRECT)
    import mmap
    buf = mmap.mmap(-1, UNIT)
    for io, fn in (('read', os.preadv), ('write', os.pwritev)):
        buf[:] = b'\x09' * UNIT
        for place in range(PLACES):
            kind, e = BAD.get(place, (None, 0))
            got = attempt(fn, fd, [buf], place * UNIT)
            assert got == (e if kind == io else 0), f'{io} of place {place}: {got}'
    assert attempt(os.close, fd) == 0
    untouched_but('u', [p for p in range(PLACES) if BAD.get(p, ('',))[0] != 'write'])
    q.cmd('block-export-del', id='u')
    q.event('BLOCK_EXPORT_DELETED', {'id': 'u'})
    disk('v', [rule('flush', errno.EIO)])
    q.cmd('block-export-add', type='fuse', id='v', node_name='v', mountpoint=f'{d.dir}/mount', writable=True)
    fd = os.open('mount', os.O_RDWR)
    os.pwrite(fd, b'\x09' * UNIT, 0)
    assert attempt(os.fsync, fd) == errno.EIO and attempt(os.close, fd) == errno.EIO
    q.cmd('block-export-del', id='v')
    q.event('BLOCK_EXPORT_DELETED', {'id': 'v'})


def main():
    t = Tap(sys.argv[1:])
    q.cmd('nbd-server-start', addr={'type': 'unix', 'data': {'path': f'{d.dir}/nbd'}})
    t.test(f'NBD: {len(BAD)} places of {PLACES} that cannot be read, written or zeroed', over_nbd)
    t.test('NBD: a copy ends with the cause', copies)
    t.test('NBD: a flush that fails', flushes)
    if os.access('/dev/fuse', os.W_OK):
        t.test(f'FUSE: {len(BAD)} places of {PLACES}, and a flush', over_fuse)
    os.chdir('/')
    d.end()
    return t.end()


sys.exit(main())
