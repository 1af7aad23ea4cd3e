#!/usr/bin/env python3
"""Jobs of the storage daemon: what they copy, the graph they leave, their life in statuses and events."""
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from qmp import Daemon, Tap, folder, sh

MB = 1 << 20
SIZE = 16 * MB


def image(path, *args):
    sh('qemu-img', 'create', '-q', '-u', '-f', 'qcow2', *args, path, str(SIZE))


def write(path, *commands):
    sh('qemu-io', '-f', 'qcow2', *[x for c in commands for x in ('-c', c)], path)


def reads(path, *patterns):
    """[(pattern, offset, length)] all read as said."""
    out = sh('qemu-io', '-r', '-f', 'qcow2', *[x for p, o, n in patterns for x in ('-c', f'read -P {p} {o} {n}')], path)
    assert 'verification failed' not in out, out


class Chain:
    """base <- mid <- top, each with a pattern of its own, open in a daemon that exports top."""

    def __init__(self, n=3, extra=()):
        self.dir = folder('jobs')
        self.names = ['base', 'mid', 'top'][:n] if n != 2 else ['base', 'top']
        self.files = {x: f'{self.dir}/{x}.qcow2' for x in self.names}
        below = None
        for i, x in enumerate(self.names):
            image(self.files[x], *(['-b', self.files[below], '-F', 'qcow2'] if below else []))
            write(self.files[x], f'write -P {i + 1} {i * MB} 2M')
            below = x
        self.d = Daemon(where=self.dir)
        self.q = self.d.client()
        below = None
        for x in self.names:
            self.add(x, backing=below, read_only=x != 'top')
            below = x
        self.q.cmd('nbd-server-start', addr={'type': 'unix', 'data': {'path': f'{self.dir}/nbd'}})
        self.q.cmd('block-export-add', type='nbd', id='e', node_name='top', writable=True)
        self.url = f'nbd+unix:///top?socket={self.dir}/nbd'

    def add(self, name, path=None, read_only=False, **more):
        self.q.cmd('blockdev-add', driver='file', node_name=name + '-file', filename=path or self.files[name], auto_read_only=True)
        self.q.cmd('blockdev-add', driver='qcow2', node_name=name, file=name + '-file', read_only=read_only, **more)

    def guest(self, *commands):
        out = sh('qemu-io', '-f', 'raw', *[x for c in commands for x in ('-c', c)], self.url)
        assert 'verification failed' not in out and 'error' not in out, out

    def nodes(self):
        return {n['node-name']: n for n in self.q.cmd('query-named-block-nodes')}

    def end(self):
        assert self.d.end() == 0
        for f in os.listdir(self.dir):
            if f.endswith('.qcow2'):
                out = subprocess.run(['qemu-img', 'check', f'{self.dir}/{f}'], capture_output=True, text=True)
                assert out.returncode == 0, f + ': ' + out.stdout + out.stderr


def events_of(q, job):
    return [e['data']['status'] for e in q.events if e['event'] == 'JOB_STATUS_CHANGE' and e['data']['id'] == job]


def stream():
    c = Chain()
    c.q.cmd('block-stream', job_id='j', device='top', auto_dismiss=False)
    c.guest('write -P 9 512k 64k')
    assert c.q.event('BLOCK_JOB_COMPLETED')['offset'] == SIZE
    c.q.wait_status('j', 'concluded')
    c.q.cmd('job-dismiss', id='j')
    assert 'backing_file' not in c.nodes()['top']
    c.q.cmd('blockdev-del', node_name='mid')
    c.q.cmd('blockdev-del', node_name='base')
    c.guest('read -P 1 0 512k', 'read -P 9 512k 64k', 'read -P 2 1M 1M', 'read -P 3 2M 2M')
    c.end()
    assert 'backing file' not in sh('qemu-img', 'info', c.files['top'])
    os.remove(c.files['base'])
    reads(c.files['top'], (1, 0, '512k'), (9, '512k', '64k'), (2, '1M', '1M'), (3, '2M', '2M'))


def stream_to_base():
    c = Chain()
    c.q.cmd('block-stream', job_id='j', device='top', base_node='base')
    c.q.event('BLOCK_JOB_COMPLETED')
    assert c.nodes()['top']['image']['backing-filename'] == c.files['base']
    assert c.nodes()['top']['backing_file_depth'] == 1
    c.end()
    os.remove(c.files['mid'])
    reads(c.files['top'], (1, 0, '1M'), (2, '1M', '1M'), (3, '2M', '2M'))


def commit_middle():
    c = Chain()
    c.q.cmd('block-commit', job_id='j', device='top', top_node='mid', base_node='base')
    c.q.event('BLOCK_JOB_COMPLETED')
    assert c.nodes()['top']['image']['backing-filename'] == c.files['base']
    assert c.nodes()['base']['ro']
    c.guest('read -P 1 0 1M', 'read -P 2 1M 1M')
    c.end()
    os.remove(c.files['mid'])
    reads(c.files['base'], (1, 0, '1M'), (2, '1M', '2M'))
    reads(c.files['top'], (1, 0, '1M'), (2, '1M', '1M'), (3, '2M', '2M'))


def commit_active():
    c = Chain()
    q = c.q
    q.cmd('block-commit', job_id='j', device='top', base_node='mid', auto_dismiss=False)
    q.event('BLOCK_JOB_READY')
    c.guest('write -P 7 8M 1M')
    q.cmd('job-complete', id='j')
    assert q.event('BLOCK_JOB_COMPLETED')['type'] == 'commit'
    q.wait_status('j', 'concluded')
    c.guest('read -P 7 8M 1M', 'write -P 8 9M 64k')
    q.cmd('job-dismiss', id='j')
    q.cmd('blockdev-del', node_name='top')
    c.end()
    reads(c.files['mid'], (1, 0, '1M'), (2, '1M', '1M'), (3, '2M', '2M'), (7, '8M', '1M'), (8, '9M', '64k'))


def statuses():
    c = Chain(2)
    q = c.q
    q.cmd('block-commit', job_id='j', device='top', auto_finalize=False, auto_dismiss=False)
    q.event('BLOCK_JOB_READY')
    assert 'cannot accept command verb' in q.fails('job-finalize', id='j')
    q.cmd('job-pause', id='j')
    q.wait_status('j', 'standby')
    assert 'already paused' in q.fails('job-pause', id='j')
    q.cmd('job-resume', id='j')
    q.wait_status('j', 'ready')
    q.cmd('job-complete', id='j')
    assert q.event('BLOCK_JOB_PENDING') == {'id': 'j', 'type': 'commit'}
    assert q.job('j')['status'] == 'pending'
    assert 'is busy' in q.fails('blockdev-del', node_name='base')
    q.events = []
    q.cmd('job-finalize', id='j')
    assert events_of(q, 'j') == ['concluded'], q.events
    q.cmd('job-dismiss', id='j')
    assert q.job('j') is None
    assert q.fails('job-dismiss', id='j') == 'Job not found'
    assert q.fails('block-stream', device='top') == 'An explicit job ID is required'
    c.end()


def mirror_pivot(mode):
    def run():
        c = Chain(2)
        q = c.q
        image(f'{c.dir}/copy.qcow2')
        c.add('copy', f'{c.dir}/copy.qcow2')
        q.cmd('blockdev-mirror', job_id='j', device='top', target='copy', sync='full', copy_mode=mode)
        q.event('BLOCK_JOB_READY')
        for i in range(8):
            c.guest(f'write -P {20 + i} {i * 1000}k 300k')
        q.cmd('job-complete', id='j')
        q.event('BLOCK_JOB_COMPLETED')
        q.wait_status('j', 'null')
        c.guest('write -P 99 15M 64k')
        q.cmd('blockdev-del', node_name='top')
        c.end()
        assert sh('qemu-io', '-r', '-f', 'qcow2', '-c', 'read -P 0 15M 64k', c.files['top']).count('failed') == 0
        reads(f'{c.dir}/copy.qcow2', *((20 + i, f'{i * 1000}k', '300k') for i in range(8)), (99, '15M', '64k'))
    return run


def mirror_cancel():
    c = Chain(2)
    q = c.q
    image(f'{c.dir}/copy.qcow2', '-b', c.files['base'], '-F', 'qcow2')
    c.add('copy', f'{c.dir}/copy.qcow2', backing=None)
    q.cmd('blockdev-mirror', job_id='j', device='top', target='copy', sync='top')
    q.event('BLOCK_JOB_READY')
    c.guest('write -P 5 5M 64k')
    q.cmd('block-job-cancel', device='j')
    assert q.event('BLOCK_JOB_COMPLETED')['device'] == 'j'
    c.guest('write -P 6 6M 64k')
    c.end()
    reads(f'{c.dir}/copy.qcow2', (1, 0, '1M'), (2, '1M', '2M'), (5, '5M', '64k'), (0, '6M', '64k'))


def cancel_by_force():
    c = Chain(2)
    q = c.q
    image(f'{c.dir}/copy.qcow2')
    c.add('copy', f'{c.dir}/copy.qcow2')
    q.cmd('blockdev-mirror', job_id='j', device='top', target='copy', sync='full', speed=65536, auto_dismiss=False)
    q.cmd('block-job-set-speed', device='j', speed=131072)
    assert q.cmd('query-block-jobs')[0]['speed'] == 131072
    q.cmd('job-cancel', id='j')
    q.wait_status('j', 'concluded')
    assert q.job('j')['error'] == 'Operation canceled', q.job('j')
    q.cmd('job-dismiss', id='j')
    c.end()


def backup_is_of_one_moment():
    c = Chain(2)
    q = c.q
    image(f'{c.dir}/b.qcow2')
    c.add('b', f'{c.dir}/b.qcow2')
    q.cmd('blockdev-backup', job_id='j', device='top', target='b', sync='full', speed=2 * MB, compress=False)
    c.guest('write -P 77 0 4M', 'write -P 78 12M 1M')
    q.cmd('block-job-set-speed', device='j', speed=0)
    q.event('BLOCK_JOB_COMPLETED')
    c.guest('read -P 77 0 4M', 'read -P 78 12M 1M')
    c.end()
    reads(f'{c.dir}/b.qcow2', (1, 0, '1M'), (2, '1M', '2M'), (0, '3M', '13M'))


def targets_apart():
    """What a job copies must not be what it writes: neither the source's own file nor its backing file; but one that stands on the source is fine."""
    c = Chain(2)
    q = c.q
    subprocess.run(['truncate', '-s', '16M', f'{c.dir}/r.raw'], check=True)
    q.cmd('blockdev-add', driver='file', node_name='r-file', filename=f'{c.dir}/r.raw')
    q.cmd('blockdev-add', driver='raw', node_name='r', file='r-file')
    options = {'driver': 'qcow2', 'node-name': 'base', 'file': 'base-file'}
    q.cmd('blockdev-reopen', options=[{**options, 'read-only': False}])
    for command in ('blockdev-backup', 'blockdev-mirror'):
        for source, target in (('r', 'r-file'), ('top', 'base')):
            message = q.fails(command, job_id='j', device=source, target=target, sync='full')
            assert 'Permission conflict' in message, message
    image(f'{c.dir}/fleece.qcow2')
    c.add('fleece', f'{c.dir}/fleece.qcow2', backing='top')
    q.cmd('blockdev-backup', job_id='j', device='top', target='fleece', sync='none')
    c.guest('write -P 9 0 64k')
    q.cmd('block-job-cancel', device='j')
    q.event('BLOCK_JOB_CANCELLED')
    c.end()
    reads(f'{c.dir}/fleece.qcow2', (1, 0, '64k'))


def incremental():
    c = Chain(2)
    q = c.q
    q.cmd('block-dirty-bitmap-add', node='top', name='bm', persistent=True)
    for x in ('full', 'inc'):
        image(f'{c.dir}/{x}.qcow2')
        c.add(x, f'{c.dir}/{x}.qcow2')
    q.cmd('blockdev-backup', job_id='j', device='top', target='full', sync='full', compress=True)
    q.event('BLOCK_JOB_COMPLETED')
    q.cmd('block-dirty-bitmap-clear', node='top', name='bm')
    c.guest('write -P 33 4M 1M')
    q.cmd('transaction', actions=[{'type': 'blockdev-backup', 'data': {'job-id': 'k', 'device': 'top', 'target': 'inc',
                                                                       'sync': 'incremental', 'bitmap': 'bm'}}])
    assert q.event('BLOCK_JOB_COMPLETED')['len'] == MB
    assert c.nodes()['top']['dirty-bitmaps'][0]['count'] == 0
    c.guest('write -P 34 6M 64k')
    assert c.nodes()['top']['dirty-bitmaps'][0]['count'] == 65536
    c.end()
    assert 'bm' in sh('qemu-img', 'info', c.files['top'])
    reads(f'{c.dir}/full.qcow2', (1, 0, '1M'), (2, '1M', '2M'), (0, '3M', '13M'))
    reads(f'{c.dir}/inc.qcow2', (0, 0, '4M'), (33, '4M', '1M'), (0, '5M', '11M'))


def snapshots():
    c = Chain(2)
    q = c.q
    q.cmd('blockdev-snapshot-sync', node_name='top', snapshot_file=f'{c.dir}/s.qcow2', snapshot_node_name='s')
    c.guest('write -P 44 0 64k')
    image(f'{c.dir}/o.qcow2', '-b', f'{c.dir}/s.qcow2', '-F', 'qcow2')
    c.add('o', f'{c.dir}/o.qcow2', backing=None)
    q.cmd('transaction', actions=[{'type': 'blockdev-snapshot', 'data': {'node': 's', 'overlay': 'o'}}])
    c.guest('write -P 45 64k 64k', 'read -P 44 0 64k', 'read -P 1 128k 64k')
    assert c.nodes()['o']['backing_file_depth'] == 3
    c.end()
    reads(c.files['top'], (1, 0, '1M'))
    reads(f'{c.dir}/s.qcow2', (44, 0, '64k'), (1, '64k', '64k'))
    reads(f'{c.dir}/o.qcow2', (44, 0, '64k'), (45, '64k', '64k'))


def transactions_undo():
    c = Chain(2)
    q = c.q
    q.cmd('block-dirty-bitmap-add', node='top', name='a')
    c.guest('write 0 1M')
    message = q.fails('transaction', actions=[
        {'type': 'block-dirty-bitmap-add', 'data': {'node': 'top', 'name': 'b'}},
        {'type': 'block-dirty-bitmap-clear', 'data': {'node': 'top', 'name': 'a'}},
        {'type': 'blockdev-snapshot-sync', 'data': {'node-name': 'top', 'snapshot-file': f'{c.dir}/s.qcow2',
                                                    'snapshot-node-name': 's'}},
        {'type': 'abort', 'data': {}}])
    assert 'aborted' in message
    bitmaps = c.nodes()['top']['dirty-bitmaps']
    assert [b['name'] for b in bitmaps] == ['a'] and bitmaps[0]['count'] == MB, bitmaps
    c.guest('write -P 50 0 64k')
    c.end()
    reads(c.files['top'], (50, 0, '64k'))


def create_and_errors():
    c = Chain(2)
    q = c.q
    q.cmd('blockdev-create', job_id='f', options={'driver': 'file', 'filename': f'{c.dir}/n.qcow2', 'size': 0})
    q.wait_status('f', 'concluded')
    q.cmd('blockdev-add', driver='file', node_name='n-file', filename=f'{c.dir}/n.qcow2', auto_read_only=True)
    q.cmd('blockdev-create', job_id='q', options={'driver': 'qcow2', 'file': 'n-file', 'size': SIZE, 'cluster-size': 32768,
                                                  'backing-file': c.files['base'], 'backing-fmt': 'qcow2'})
    q.wait_status('q', 'concluded')
    assert q.job('q') == {'id': 'q', 'type': 'create', 'status': 'concluded', 'current-progress': 1, 'total-progress': 1}
    assert 'already in use' in q.fails('blockdev-create', job_id='q', options={'driver': 'qcow2', 'file': 'n-file', 'size': 1})
    q.cmd('blockdev-add', driver='qcow2', node_name='n', file='n-file', backing=None)
    assert c.nodes()['n']['image']['cluster-size'] == 32768
    q.cmd('blockdev-add', driver='blkdebug', node_name='dbg', image='n', inject_error=[{'event': 'none', 'iotype': 'write',
                                                                                        'errno': 5, 'once': True}])
    q.cmd('blockdev-mirror', job_id='m', device='top', target='dbg', sync='full', on_target_error='stop')
    assert q.event('BLOCK_JOB_ERROR') == {'device': 'm', 'operation': 'write', 'action': 'stop'}
    q.wait_status('m', 'paused')
    assert q.cmd('query-block-jobs')[0]['io-status'] == 'failed'
    q.cmd('block-job-resume', device='m')
    q.event('BLOCK_JOB_READY')
    q.cmd('block-job-cancel', device='m')
    q.event('BLOCK_JOB_COMPLETED')
    c.end()
    reads(f'{c.dir}/n.qcow2', (1, 0, '1M'), (2, '1M', '2M'))


def reopen():
    c = Chain()
    q = c.q
    options = {'driver': 'qcow2', 'node-name': 'mid', 'file': 'mid-file'}
    q.cmd('blockdev-reopen', options=[{**options, 'read-only': True, 'backing': None}])
    c.guest('read -P 0 0 1M', 'read -P 2 1M 1M')
    q.cmd('blockdev-reopen', options=[{**options, 'backing': 'base'}])
    c.guest('read -P 1 0 1M')
    assert not c.nodes()['mid']['ro']
    q.cmd('blockdev-reopen', options=[{**options, 'read-only': True, 'backing': 'base'}])
    assert c.nodes()['mid']['ro']
    assert 'cycle' in q.fails('blockdev-reopen', options=[{**options, 'backing': 'top'}])
    assert 'Permission conflict' in q.fails('blockdev-reopen', options=[{**options, 'file': 'top-file'}])
    assert 'Cannot find' in q.fails('blockdev-reopen', options=[{**options, 'file': 'nothing'}])
    assert "permissions 'resize'" in q.fails('block_resize', node_name='top', size=2 * SIZE)
    q.cmd('block-export-del', id='e')
    q.cmd('block_resize', node_name='top', size=2 * SIZE)
    assert c.nodes()['top']['image']['virtual-size'] == 2 * SIZE
    c.end()


def internal_snapshots():
    c = Chain(2)
    q = c.q
    q.cmd('blockdev-snapshot-internal-sync', device='top', name='s1')
    c.guest('write -P 60 0 64k')
    assert [s['name'] for s in c.nodes()['top']['image']['snapshots']] == ['s1']
    assert 'does not exist' in q.fails('blockdev-snapshot-delete-internal-sync', device='top', name='s2')
    assert q.cmd('blockdev-snapshot-delete-internal-sync', device='top', name='s1')['id'] == '1'
    assert 'snapshots' not in c.nodes()['top']['image']
    # A name that is another's id: undoing the one leaves the other.
    q.cmd('blockdev-snapshot-internal-sync', device='top', name='keep')
    ident = c.nodes()['top']['image']['snapshots'][0]['id']
    q.fails('transaction', actions=[{'type': 'blockdev-snapshot-internal-sync', 'data': {'device': 'top', 'name': ident}}, {'type': 'abort', 'data': {}}])
    assert [s['name'] for s in c.nodes()['top']['image']['snapshots']] == ['keep']
    c.end()
    reads(c.files['top'], (60, 0, '64k'), (1, '64k', '64k'))


def locks():
    c = Chain(2)
    other = Daemon()
    q = other.client()
    q.cmd('blockdev-add', driver='file', node_name='f', filename=c.files['base'], auto_read_only=True)
    q.cmd('blockdev-add', driver='qcow2', node_name='b', file='f', read_only=True)
    q.cmd('blockdev-del', node_name='b')
    assert 'Failed to get "write" lock' in q.fails('blockdev-add', driver='qcow2', node_name='b', file='f')
    q.cmd('blockdev-add', driver='file', node_name='t', filename=c.files['top'], auto_read_only=True)
    assert 'lock' in q.fails('blockdev-add', driver='qcow2', node_name='tq', file='t', read_only=True, backing=None)
    other.end()
    c.end()


def grouped():
    c = Chain(2)
    q = c.q
    for x in ('x', 'y'):
        image(f'{c.dir}/{x}.qcow2')
        c.add(x, f'{c.dir}/{x}.qcow2')
    q.cmd('blockdev-add', driver='blkdebug', node_name='dbg', image='y', inject_error=[{'event': 'none', 'iotype': 'write',
                                                                                        'errno': 28}])
    backup = {'sync': 'full', 'auto-dismiss': False}
    q.cmd('transaction', properties={'completion-mode': 'grouped'}, actions=[
        {'type': 'blockdev-backup', 'data': {'job-id': 'j1', 'device': 'base', 'target': 'x', **backup}},
        {'type': 'blockdev-backup', 'data': {'job-id': 'j2', 'device': 'top', 'target': 'dbg', **backup}}])
    q.wait_status('j2', 'concluded')
    for _ in range(100):
        if q.job('j1')['status'] == 'concluded':
            break
        time.sleep(0.05)
    assert q.job('j2')['error'] == 'No space left on device', q.job('j2')
    assert q.job('j1')['error'] == 'Operation canceled', q.job('j1')
    c.end()


def main():
    random.seed(1)
    t = Tap(sys.argv[1:])
    t.test('stream of a whole chain', stream)
    t.test('stream down to a base', stream_to_base)
    t.test('commit of a middle layer', commit_middle)
    t.test('commit of the active layer, and pivot', commit_active)
    t.test('statuses: standby, pending, finalize, dismiss', statuses)
    t.test('mirror and pivot while written to', mirror_pivot('background'))
    t.test('mirror and pivot, writes wait for the target', mirror_pivot('write-blocking'))
    t.test('mirror that is cancelled leaves an equal copy', mirror_cancel)
    t.test('speed, cancel by force', cancel_by_force)
    t.test('backup holds the moment of its beginning', backup_is_of_one_moment)
    t.test('targets that the source shows are refused', targets_apart)
    t.test('full and incremental backup by a bitmap that stays', incremental)
    t.test('snapshots above a node in use', snapshots)
    t.test('a transaction that fails leaves nothing', transactions_undo)
    t.test('create; an I/O error pauses a job', create_and_errors)
    t.test('jobs of a group fail together', grouped)
    t.test('snapshots inside an image', internal_snapshots)
    t.test('locks against other programs', locks)
    t.test('reopen with other options; resize', reopen)
    return t.end()


sys.exit(main())
