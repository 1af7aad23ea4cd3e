#!/usr/bin/env python3
"""I/O threads of the storage daemon: exports run in them, the graph changes under them, they end when nobody uses them."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from qmp import QMPError, Served, Skip, Tap, sh

MB = 1 << 20


class Threaded(Served):
    """A daemon with two I/O threads."""

    def __init__(self, *args, place='/dev/shm' if os.access('/dev/shm', os.W_OK) else None):
        super().__init__('--object', 'iothread,id=io0', '--object', 'iothread,id=io1', *args, place=place)

    def add(self, name, size=16, fmt='qcow2', **more):
        sh('qemu-img', 'create', '-q', '-f', fmt, f'{self.dir}/{name}', f'{size}M')
        self.open(name, fmt, **more)

    def open(self, name, fmt='qcow2', file={}, **more):
        self.q.cmd('blockdev-add', driver=fmt, node_name=name,
                   file={'driver': 'file', 'filename': f'{self.dir}/{name}', **file}, **more)

    def export(self, node, **more):
        super().export(node, writable=True, **more)

    def start_io(self, node, *commands):
        return subprocess.Popen(['qemu-io', '-f', 'raw', '-t', 'writeback', *[x for c in commands for x in ('-c', c)], self.uri(node)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def io(self, node, *commands):
        finish(self.start_io(node, *commands))

    def threads(self):
        """The milliseconds that the threads of each name have run: workers bear the name of whom they work for."""
        ran = {}
        for tid in os.listdir(f'/proc/{self.d.proc.pid}/task'):
            try:
                with open(f'/proc/{self.d.proc.pid}/task/{tid}/comm') as f:
                    name = f.read().strip()
                with open(f'/proc/{self.d.proc.pid}/task/{tid}/schedstat') as f:
                    ran[name] = ran.get(name, 0) + int(f.read().split()[0]) / 1e6
            except (FileNotFoundError, ProcessLookupError):
                pass  # it ended meanwhile
        return ran


def finish(p):
    out = p.communicate(timeout=60)[0]
    assert p.returncode == 0 and 'failed' not in out and 'rror' not in out, out


def writes(n, base, step=64, length=64):
    """Commands that write n pieces (KiB), each with a pattern of its own, many at once; and those that read them."""
    w = [f'aio_write -q -P {base + i % 100} {i * step}k {length}k' for i in range(n)]
    return w + ['aio_flush', 'flush'], [f'read -q -P {base + i % 100} {i * step}k {length}k' for i in range(n)]


def runs_there():
    s = Threaded()
    s.add('a')
    s.add('b')
    s.export('a', iothread='io0')
    s.export('b', iothread='io1', fixed_iothread=True)
    before = s.threads()
    w, r = writes(200, 1)
    s.io('a', *w)
    s.io('a', *r)
    after = s.threads()
    took = {n: after[n] - before.get(n, 0) for n in after}
    assert took['IO io0'] > 5 * took['IO io1'] and took['IO io0'] > took['qemu-storage-da'], took
    s.end()


def many_at_once():
    s = Threaded()
    sh('qemu-img', 'create', '-q', '-f', 'qcow2', f'{s.dir}/base', '16M')
    sh('qemu-io', '-c', 'write -q -P 99 0 16M', f'{s.dir}/base')
    s.open('base', read_only=True)
    for name, thread in (('a', 'io0'), ('b', 'io1'), ('c', None)):
        sh('qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', f'{s.dir}/base', f'{s.dir}/{name}')
        s.open(name, backing='base')
        s.export(name, **({'iothread': thread} if thread else {}))
    done = [(n, *writes(120, b, 128, 60)) for n, b in (('a', 1), ('b', 21), ('c', 41))]
    for p in [s.start_io(n, *w) for n, w, _ in done for _ in (0, 1)]:
        finish(p)
    for p in [s.start_io(n, *r, 'read -q -P 99 60k 68k') for n, _, r in done]:
        finish(p)
    for n in 'abc':
        s.q.cmd('block-export-del', id=n, mode='hard')
        s.q.event('BLOCK_EXPORT_DELETED', {'id': n})
    s.end()


def graph_changes():
    s = Threaded()
    s.add('a', 32)
    s.export('a', iothread='io0')
    w, r = writes(250, 1, 128, 100)
    p = s.start_io('a', *w)
    for i in range(4):  # an overlay on top, and away again, while it is written to
        s.add(f'o{i}', 32, backing=None)
        s.q.cmd('blockdev-snapshot', node='a' if i == 0 else f'o{i - 1}', overlay=f'o{i}')
    finish(p)
    s.io('a', *r)
    p = s.start_io('a', *w)
    s.q.cmd('block-commit', job_id='j', device='o3')
    s.q.event('JOB_STATUS_CHANGE', {'id': 'j', 'status': 'ready'})
    finish(p)
    s.q.cmd('job-complete', id='j')
    s.q.event('JOB_STATUS_CHANGE', {'id': 'j', 'status': 'null'})
    s.io('a', *r)
    s.add('m', 32)
    p = s.start_io('a', *w)
    s.q.cmd('blockdev-mirror', job_id='m', device='a', target='m', sync='full')
    s.q.event('JOB_STATUS_CHANGE', {'id': 'm', 'status': 'ready'})
    finish(p)
    s.q.cmd('job-complete', id='m')
    s.q.event('JOB_STATUS_CHANGE', {'id': 'm', 'status': 'null'})
    s.io('a', *r)
    s.q.cmd('block-export-del', id='a', mode='hard')  # its last client may not have been seen leaving
    s.end()


def add_with(s, how):
    """A node whose file uses the kernel's own ways, where this host has them."""
    try:
        s.add('a', 16, file=how)
    except QMPError as e:
        s.end()
        if any(w in str(e) for w in ('O_DIRECT', 'Unable to use', 'not supported in this build')):
            raise Skip(e)
        raise


def own_ring():
    s = Threaded()
    add_with(s, {'aio': 'io_uring'})
    s.export('a', iothread='io0')
    rings = lambda: sum('io_uring' in os.readlink(f'/proc/{s.d.proc.pid}/fd/{f}') for f in os.listdir(f'/proc/{s.d.proc.pid}/fd'))
    assert rings() == 1, rings()
    w, r = writes(200, 1)
    s.io('a', *w)
    s.io('a', *r)
    assert rings() == 2, rings()
    s.q.cmd('block-export-del', id='a', mode='hard')  # its last client may not have been seen leaving
    s.q.cmd('object-del', id='io0')
    assert rings() == 1, rings()
    s.export('a', iothread='io1')
    s.io('a', *r)
    s.end()


def native():
    s = Threaded(place='/var/tmp')  # a disk: not every tmpfs knows O_DIRECT
    add_with(s, {'aio': 'native', 'cache': {'direct': True}})
    s.export('a', iothread='io1')
    w, r = writes(200, 1)
    s.io('a', *w)
    s.io('a', *r)
    s.end()


def throttled():
    s = Threaded('--object', 'throttle-group,id=g,limits.iops-total=300')
    for name, thread in (('a', 'io0'), ('b', 'io1')):
        s.add(name)
        s.q.cmd('blockdev-add', driver='throttle', node_name=f't{name}', throttle_group='g', file=name)
        s.q.cmd('block-export-add', type='nbd', id=name, name=name, node_name=f't{name}', writable=True, iothread=thread)
    w, r = writes(100, 1)
    start = time.time()
    for p in [s.start_io(n, *w) for n in 'ab']:
        finish(p)
    took = time.time() - start
    assert took > 0.4, took  # 200 writes, 300 a second, a tenth of a second's for nothing
    p = s.start_io('a', *w, *r)
    time.sleep(0.1)
    start = time.time()
    s.q.cmd('block-export-del', id='a', mode='hard')  # whoever rests is woken
    s.q.event('BLOCK_EXPORT_DELETED', {'id': 'a'})
    p.communicate()
    s.end()


def fuse():
    if not os.access('/dev/fuse', os.R_OK | os.W_OK):
        raise Skip('no /dev/fuse')
    s = Threaded()
    s.add('a')
    open(f'{s.dir}/disk', 'w').close()
    try:
        s.q.cmd('block-export-add', type='fuse', id='f', node_name='a', mountpoint=f'{s.dir}/disk', writable=True, iothread='io0')
    except QMPError as e:
        s.end()
        raise Skip(e)
    before = s.threads()['IO io0']
    data = os.urandom(8 * MB)
    with open(f'{s.dir}/disk', 'r+b') as f:
        f.write(data)
        os.fsync(f.fileno())
    with open(f'{s.dir}/disk', 'rb') as f:
        assert f.read(8 * MB) == data
    assert s.threads()['IO io0'] > before + 1
    sh('umount', f'{s.dir}/disk')  # the export ends by itself, and not in the I/O thread
    s.q.event('BLOCK_EXPORT_DELETED', {'id': 'f'})
    s.q.cmd('object-del', id='io0')
    s.end()


def comes_and_goes():
    s = Threaded()
    s.add('a')
    assert 'not found' in s.q.fails('block-export-add', type='nbd', id='x', node_name='a', iothread='io7')
    s.export('a', iothread='io0')
    assert 'in use' in s.q.fails('object-del', id='io0')
    assert 'force' in s.q.fails('x-blockdev-set-iothread', node_name='a', iothread='io1')
    assert 'in use' in s.q.fails('x-blockdev-set-iothread', node_name='a', iothread='io1', force=True)
    s.q.cmd('block-export-del', id='a', mode='hard')  # its last client may not have been seen leaving
    s.q.cmd('object-del', id='io0')
    for _ in range(100):  # joined, a thread stays in /proc until the kernel has buried it
        if 'IO io0' not in s.threads():
            break
        time.sleep(0.01)
    assert 'IO io0' not in s.threads(), s.threads()
    assert 'Cannot find' in s.q.fails('x-blockdev-set-iothread', node_name='a', iothread='io0')
    s.q.cmd('x-blockdev-set-iothread', node_name='a', iothread='io1')
    s.export('a')
    before = s.threads()['IO io1']
    w, r = writes(100, 1)
    s.io('a', *w, *r)
    took = s.threads()['IO io1'] - before
    assert took > 1, took
    for _ in range(20):  # clients that leave in the middle
        p = s.start_io('a', *w, 'sleep 5000')
        p.kill()
        p.communicate()
    s.q.cmd('block-export-del', id='a', mode='hard')
    s.q.cmd('x-blockdev-set-iothread', node_name='a', iothread=None)
    s.q.cmd('object-del', id='io1')
    s.export('a')
    s.io('a', *r)
    s.end()


def polling():
    s = Threaded()
    s.q.cmd('object-add', qom_type='iothread', id='io2', **{'poll-max-ns': 200000, 'poll-grow': 4, 'poll-shrink': 2, 'thread-pool-min': 5, 'thread-pool-max': 6})
    s.add('a')
    had = len(os.listdir(f'/proc/{s.d.proc.pid}/task'))
    s.export('a', iothread='io2')
    until = time.time() + 20
    while len(os.listdir(f'/proc/{s.d.proc.pid}/task')) < had + 6 and time.time() < until:
        time.sleep(0.01)
    assert len(os.listdir(f'/proc/{s.d.proc.pid}/task')) >= had + 6  # itself and its five
    w, r = writes(100, 1)
    s.io('a', *w, *r)
    before = s.threads()['IO io2']
    s.q.cmd('qom-set', path='/objects/io2', property='poll-max-ns', value=10 ** 9)  # it looks for the next request all the time
    s.io('a', *['read -q 0 4k', 'sleep 10'] * 50)
    busy = s.threads()['IO io2'] - before
    s.q.cmd('qom-set', path='/objects/io2', property='poll-max-ns', value=0)
    before = s.threads()['IO io2']
    s.io('a', *['read -q 0 4k', 'sleep 10'] * 50)
    idle = s.threads()['IO io2'] - before
    assert busy > 10 and busy > 2 * idle, (busy, idle)
    assert s.q.cmd('qom-get', path='/objects/io2', property='poll-max-ns') == 0 and s.q.cmd('qom-get', path='/objects/io2', property='poll-grow') == 4
    assert 'must be in range' in s.q.fails('qom-set', path='/objects/io2', property='poll-max-ns', value=-1)
    assert 'not built' in s.q.fails('object-add', qom_type='iothread', id='io3', **{'aio-max-batch': 5})
    assert 'bad thread-pool-min' in s.q.fails('object-add', qom_type='iothread', id='io3', **{'thread-pool-min': 5, 'thread-pool-max': 4})
    assert 'must be in range' in s.q.fails('object-add', qom_type='iothread', id='io3', **{'thread-pool-max': 65})
    s.end()


tap = Tap(sys.argv[1:])
tap.test('an export runs in its I/O thread', runs_there)
tap.test('three threads, one base, many requests', many_at_once)
tap.test('snapshots, commits and mirrors under an export of an I/O thread', graph_changes)
tap.test('a ring for each thread, gone with it', own_ring)
tap.test('native aio in an I/O thread', native)
tap.test('a throttle group of two I/O threads', throttled)
tap.test('a FUSE export in an I/O thread', fuse)
tap.test('polling, and how many workers there are', polling)
tap.test('threads end when nobody uses them', comes_and_goes)
sys.exit(tap.end())
