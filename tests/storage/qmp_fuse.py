#!/usr/bin/env python3
"""FUSE exports by QMP: added, told about, ended by the client, by the daemon's end and by who unmounts the file.
usage: qmp_fuse.py FOLDER TESTS-BEFORE   the folder's user unmounts what is left behind"""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from qmp import Daemon, Tap, sh

os.chdir(sys.argv[1])
for name in ('one', 'two'):
    open(name, 'w').close()
os.symlink('one', 'link')
sh('qemu-img', 'create', '-q', '-f', 'qcow2', 'disk.qcow2', '4M')
d = Daemon('--blockdev', 'qcow2,node-name=d,discard=unmap,file.driver=file,file.filename=disk.qcow2')
q = d.client()


def add(mountpoint, id='e', **more):
    return q.cmd('block-export-add', **{'type': 'fuse', 'id': id, 'node-name': 'd', 'mountpoint': mountpoint, **more})


def refused(want, mountpoint='one', id='x', **more):
    got = q.fails('block-export-add', **{'type': 'fuse', 'id': id, 'node-name': 'd', 'mountpoint': mountpoint, **more})
    assert want in got and '\n' not in got, got


def mounted(name):
    """Asked of the kernel, not of the file."""
    with open('/proc/mounts') as f:
        return any(line.split()[1] == os.path.join(os.getcwd(), name) for line in f)


def gone(id='e'):
    assert q.event('BLOCK_EXPORT_DELETED')['id'] == id
    assert q.cmd('query-block-exports') == []


def add_and_del():
    add('one', writable=True)
    assert q.cmd('query-block-exports') == [{'id': 'e', 'node-name': 'd', 'type': 'fuse', 'shutting-down': False}]
    with open('one', 'r+b') as f:
        f.seek(1 << 20)
        f.write(b'hello' * 1000)
        f.flush()
        os.fsync(f.fileno())
        assert os.fstat(f.fileno()).st_size == 4 << 20
    q.cmd('block-export-del', id='e')
    gone()
    assert not mounted('one') and os.path.getsize('one') == 0
    add('one')
    with open('one', 'rb') as f:
        f.seek(1 << 20)
        assert f.read(5000) == b'hello' * 1000
    q.cmd('block-export-del', id='e', mode='hard')
    gone()


def read_only():
    add('one')
    assert os.stat('one').st_mode & 0o777 == 0o400
    p = subprocess.run(['dd', 'if=/dev/zero', 'of=one', 'conv=notrunc', 'bs=512', 'count=1'], capture_output=True, timeout=10)
    assert p.returncode == 1
    q.cmd('block-export-del', id='e')
    gone()


def growable():
    add('one', writable=True)
    with open('one', 'r+b', buffering=0) as f:
        f.seek(4 << 20)
        try:
            assert not f.write(b'x' * 512), 'it grew'
        except OSError:
            pass
    q.cmd('block-export-del', id='e')
    gone()
    add('one', writable=True, growable=True, writethrough=True, **{'allow-other': 'off'})
    with open('one', 'r+b', buffering=0) as f:
        f.seek(4 << 20)
        assert f.write(b'x' * 65536) == 65536
        assert os.fstat(f.fileno()).st_size == (4 << 20) + 65536
    q.cmd('block-export-del', id='e')
    gone()
    [size] = [n['image']['virtual-size'] for n in q.cmd('query-named-block-nodes') if n['node-name'] == 'd']
    assert size == (4 << 20) + 65536, size


def refusals():
    add('one')
    refused("There already is a FUSE export on 'one'")
    refused("There already is a FUSE export on 'link'", mountpoint='link')
    refused("'e' is already in use", id='e', mountpoint='two')
    refused("Failed to stat 'nosuch': No such file or directory", mountpoint='nosuch')
    refused("'/' is not a regular file", mountpoint='/')
    refused("'growable' needs 'writable'", mountpoint='two', growable=True)
    refused("'mountpoint', expected: string", mountpoint=1)
    refused("allow-other", mountpoint='two', **{'allow-other': 'x'})
    assert 'is not found' in q.fails('block-export-del', id='x')
    assert len(q.cmd('query-block-exports')) == 1 and not mounted('two')
    add('two', id='f')  # one node, two files
    q.cmd('block-export-del', id='f')
    assert q.event('BLOCK_EXPORT_DELETED')['id'] == 'f'
    assert 'in use' in q.fails('blockdev-del', node_name='d')
    q.cmd('block-export-del', id='e')
    gone()


def unmounted_outside():
    for _ in range(3):
        add('one', writable=True)
        sh('fusermount', '-u', 'one')
        gone()
        assert 'is not found' in q.fails('block-export-del', id='e')
        assert not mounted('one')


def snapshot_while_used():
    """The file follows to the node that replaces its own."""
    add('one', writable=True)
    sh('qemu-img', 'create', '-q', '-f', 'qcow2', 'top.qcow2', str((4 << 20) + 65536))
    with open('one', 'r+b', buffering=0) as f:
        f.write(b'a' * 4096)
        q.cmd_json('blockdev-add', {'driver': 'qcow2', 'node-name': 'top', 'backing': None, 'file': {'driver': 'file', 'filename': 'top.qcow2'}})
        q.cmd('blockdev-snapshot', node='d', overlay='top')
        f.write(b'b' * 4096)
    q.cmd('block-export-del', id='e')
    gone()
    add('one')  # of d, the layer below
    with open('one', 'rb') as f:
        assert f.read(8192) == b'a' * 4096 + bytes(4096)
    q.cmd('block-export-del', id='e')
    gone()
    q.cmd('block-export-add', type='fuse', id='e', node_name='top', mountpoint='one')
    with open('one', 'rb') as f:
        assert f.read(8192) == b'a' * 4096 + b'b' * 4096
    q.cmd('block-export-del', id='e')
    gone()


def end_of_the_daemon():
    q.cmd('block-export-add', type='fuse', id='e', node_name='top', mountpoint='one', writable=True)  # d is below it, and read-only now
    held = os.open('one', os.O_RDONLY)
    d.proc.send_signal(signal.SIGTERM)
    assert d.proc.wait(20) == 0
    try:
        os.close(held)
    except OSError:
        pass  # nobody is there to flush it
    for _ in range(20):
        if not mounted('one'):
            break
        time.sleep(0.1)
    assert not mounted('one')


def writethrough():
    """A write is there once it is answered: without fsync, and before a close flushes."""
    sh('qemu-img', 'create', '-q', '-f', 'qcow2', 'new.qcow2', '4M')
    w = Daemon('--blockdev', 'qcow2,node-name=d,file.driver=file,file.filename=new.qcow2',
               '--export', 'fuse,id=e,node-name=d,mountpoint=two,writable=on,writethrough=on')
    assert mounted('two')
    fd = os.open('two', os.O_WRONLY)
    assert os.write(fd, b'x' * 65536) == 65536
    w.proc.kill()
    w.proc.wait(20)
    try:
        os.close(fd)
    except OSError:
        pass
    sh('fusermount', '-u', 'two')
    got = sh('qemu-io', '-f', 'qcow2', '-c', 'read -P 120 0 64k', 'new.qcow2')
    assert 'failed' not in got, got


t = Tap()
t.n = int(sys.argv[2])
t.test('block-export-add and block-export-del', add_and_del)
t.test('a read-only export takes no writes', read_only)
t.test('growable', growable)
t.test('what will not do is refused, and nothing else is hurt', refusals)
t.test('an unmounted export ends by itself', unmounted_outside)
t.test('a snapshot is taken under an open file', snapshot_while_used)
t.test('the end of the daemon unmounts a file in use', end_of_the_daemon)
t.test('writethrough', writethrough)
code = t.end()
if d.proc.poll() is None:
    d.end()
sys.exit(code)
