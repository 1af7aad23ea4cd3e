#!/usr/bin/env python3
"""Nodes of the storage daemon: counters, thresholds, permissions, children that change, keys that are amended."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from qmp import Served, Tap, sh

MB = 1 << 20


class Images(Served):
    """add() makes a file, its node NAME-file, and the format's node NAME."""

    def file(self, name, fmt='qcow2', *args):
        sh('qemu-img', 'create', '-q', '-f', fmt, *args, f'{self.dir}/{name}', str(4 * MB))

    def add(self, name, fmt='qcow2', *args, **more):
        self.file(name, fmt, *args)
        self.q.cmd('blockdev-add', driver='file', node_name=name + '-file', filename=f'{self.dir}/{name}')
        self.q.cmd('blockdev-add', driver=fmt, node_name=name, file=name + '-file', **more)

    def io(self, node, *commands):
        out = sh('qemu-io', '-f', 'raw', *[x for c in commands for x in ('-c', c)],
                 self.uri(node))
        assert 'failed' not in out and 'error' not in out, out

    def stats(self, node):
        return next(s for s in self.q.cmd('query-blockstats', query_nodes=True) if s['node-name'] == node)


def counters():
    i = Images()
    i.add('a', discard='unmap')
    i.export('a', writable=True)
    assert i.q.cmd('query-blockstats') == []
    before = i.stats('a')['stats']
    i.io('a', 'write 64k 64k', 'write 1M 4k', 'read 64k 64k', 'flush', 'discard 0 1M')
    got = i.stats('a')
    s = {k: v - before[k] for k, v in got['stats'].items() if isinstance(v, int) and not isinstance(v, bool)}
    assert (s['wr_operations'], s['wr_bytes'], s['rd_bytes'], s['unmap_bytes']) == (2, 68 << 10, 64 << 10, MB), s
    assert s['rd_operations'] >= 1 and s['flush_operations'] >= 1 and s['wr_total_time_ns'] > 0, s
    assert got['stats']['wr_highest_offset'] == MB + 4096
    assert got['parent']['node-name'] == 'a-file' and got['parent']['stats']['wr_bytes'] >= 68 << 10
    assert got['parent']['driver-specific']['driver'] == 'file'
    i.end()


def threshold():
    i = Images()
    i.add('a', 'raw')
    i.export('a', writable=True)
    assert i.q.fails('block-set-write-threshold', node_name='x', write_threshold=1) == "Device 'x' not found"
    i.q.cmd('block-set-write-threshold', node_name='a-file', write_threshold=MB)
    info = {n['node-name']: n for n in i.q.cmd('query-named-block-nodes')}
    assert info['a-file']['write_threshold'] == MB and info['a']['write_threshold'] == 0
    i.io('a', 'write 0 1M')
    i.q.cmd('query-version')
    assert not i.q.events
    i.io('a', 'write 1M 64k', 'write 2M 64k')
    assert i.q.event('BLOCK_WRITE_THRESHOLD') == {'node-name': 'a-file', 'amount-exceeded': 65536, 'write-threshold': MB}
    i.q.cmd('query-version')
    assert not [e for e in i.q.events if e['event'] == 'BLOCK_WRITE_THRESHOLD'], 'told twice'
    i.end()


def corrupted():
    i = Images()
    i.file('a')
    sh('qemu-io', '-f', 'qcow2', '-c', 'write 0 64k', f'{i.dir}/a')
    with open(f'{i.dir}/a', 'r+b') as f:  # the first L2 entry points at no cluster's beginning
        f.seek(0x40000)
        f.write(bytes.fromhex('8000000000050200'))
    i.q.cmd('blockdev-add', driver='qcow2', node_name='a', file={'driver': 'file', 'filename': f'{i.dir}/a'})
    i.export('a', writable=True)
    sh('sh', '-c', f"qemu-io -f raw -c 'write 0 4k' 'nbd+unix:///a?socket={i.dir}/nbd' || true")
    e = i.q.event('BLOCK_IMAGE_CORRUPTED')
    assert e['node-name'] == 'a' and e['fatal'] and e['device'] == '' and 'unaligned' in e['msg'], e
    i.end()


def conflict(text, node, perms, by, unshared_by):
    want = f"Permission conflict on node '{node}': permissions '{perms}' are both required by {by} and unshared by {unshared_by}."
    assert text == want, text


def permissions():
    i = Images()
    q = i.q
    anonymous = "an unnamed block device (uses node '{}' as 'root' child)".format
    for name in 'ab':
        i.add(name)
    export = {'type': 'nbd', 'id': 'x', 'node-name': 'a-file'}
    file_user = "node 'a' (uses node 'a-file' as 'file' child)"
    try:
        q.cmd_json('block-export-add', {**export, 'writable': True})
        raise AssertionError('two writers')
    except Exception as e:
        conflict(str(e), 'a-file', 'write', anonymous('a-file'), file_user)
    conflict(q.fails('block-export-add', **{k.replace('-', '_'): v for k, v in export.items()}), 'a-file', 'resize', file_user,
             anonymous('a-file'))
    i.export('a', writable=True)
    conflict(q.fails('block_resize', node_name='a', size=MB), 'a', 'resize', anonymous('a'), anonymous('a'))
    q.cmd('blockdev-mirror', job_id='j', device='a', target='b', sync='full', speed=1)
    conflict(q.fails('block-export-add', type='nbd', id='y', node_name='b'), 'b', 'consistent read', anonymous('b'),
             "mirror job 'j' (uses node 'b' as 'target' child)")
    q.cmd('block-job-cancel', device='j', force=True)
    q.wait_status('j', 'null')
    i.export('b')
    i.add('c')
    i.export('c', writable=True)
    i.end()


def graph():
    i = Images()
    i.add('a')
    i.export('a', writable=True)
    g = i.q.cmd('x-debug-query-block-graph')
    ids = {n['name']: n['id'] for n in g['nodes'] if n['type'] == 'block-driver'}
    edges = {(e['name'], e['child']): e for e in g['edges']}
    assert len(g['edges']) == 2
    root, file = edges['root', ids['a']], edges['file', ids['a-file']]
    assert root['perm'] == ['consistent-read', 'write'] and 'resize' not in root['shared-perm']
    assert file['perm'] == ['consistent-read', 'write', 'resize'] and file['parent'] == ids['a']
    assert file['shared-perm'] == ['consistent-read', 'write-unchanged']
    i.end()


def children():
    i = Images()
    q = i.q
    for name in 'abc':
        i.add(name, 'raw')
    q.cmd('blockdev-add', driver='quorum', node_name='q', vote_threshold=1, children=['a', 'b'])
    i.export('q', writable=True)
    i.io('q', 'write -P 1 0 1M')
    q.cmd('x-blockdev-change', parent='q', node='c')
    assert 'already has a parent' in q.fails('x-blockdev-change', parent='q', node='c')
    assert 'does not support adding' in q.fails('x-blockdev-change', parent='a', node='c')
    assert 'in conflict' in q.fails('x-blockdev-change', parent='q', node='c', child='children.0')
    q.cmd('x-blockdev-change', parent='q', child='children.0')
    q.cmd('x-blockdev-change', parent='q', child='children.1')
    assert 'lower than the vote threshold' in q.fails('x-blockdev-change', parent='q', child='children.2')
    assert "does not have child 'children.0'" in q.fails('x-blockdev-change', parent='q', child='children.0')
    i.io('q', 'write -P 2 0 1M')
    q.cmd('blockdev-del', node_name='a')
    for name, byte in (('a', 1), ('c', 2)):
        with open(f'{i.dir}/{name}', 'rb') as f:
            assert f.read(MB) == bytes([byte]) * MB, name
    i.end()


def replaced_file():
    """The file below a format moves elsewhere while the format writes to it."""
    i = Images()
    q = i.q
    i.file('a', 'qcow2', '-o', f'data_file={i.dir}/old')
    for node, name in (('a-file', 'a'), ('a-data', 'old')):
        q.cmd('blockdev-add', driver='file', node_name=node, filename=f'{i.dir}/{name}')
    q.cmd('blockdev-add', driver='qcow2', node_name='a', file='a-file', data_file='a-data')
    i.export('a', writable=True)
    i.io('a', 'write -P 1 0 4M')
    i.file('b', 'raw')
    q.cmd('blockdev-add', driver='file', node_name='b', filename=f'{i.dir}/b')
    q.cmd('blockdev-mirror', job_id='j', device='a-data', target='b', sync='full')
    q.event('BLOCK_JOB_READY')
    q.cmd('job-complete', id='j')
    q.wait_status('j', 'null')
    q.cmd('blockdev-del', node_name='a-data')
    i.io('a', 'write -P 2 1M 3M', 'read -P 1 0 1M', 'read -P 2 1M 3M')
    q.cmd('quit')
    assert i.d.proc.wait(20) == 0
    with open(f'{i.dir}/b', 'rb') as f:
        assert f.read() == bytes([1]) * MB + bytes([2]) * 3 * MB
    sh('rm', '-rf', i.dir)


def filter_below():
    """blockdev-reopen puts a throttle between a format and its file while it is written to, and takes it away."""
    i = Images()
    q = i.q
    i.add('a')
    i.export('a', writable=True)
    i.io('a', 'write -P 1 0 1M')
    q.cmd('object-add', qom_type='throttle-group', id='g', limits={'iops-total': 1000})
    q.cmd('blockdev-add', driver='throttle', node_name='t', throttle_group='g', file='a-file')
    options = {'driver': 'qcow2', 'node-name': 'a'}
    q.cmd('blockdev-reopen', options=[{**options, 'file': 't'}])
    before = i.stats('t')['stats']['wr_operations']
    i.io('a', 'write -P 2 1M 1M', 'read -P 1 0 1M')
    assert i.stats('t')['stats']['wr_operations'] > before
    assert 'in use' in q.fails('blockdev-del', node_name='t')
    assert 'cycle' in q.fails('blockdev-reopen', options=[{**options, 'file': 'a'}])
    q.cmd('blockdev-reopen', options=[{**options, 'file': 'a-file'}])
    q.cmd('blockdev-del', node_name='t')
    i.io('a', 'write -P 3 2M 1M', 'read -P 1 0 1M', 'read -P 2 1M 1M', 'read -P 3 2M 1M')
    q.cmd('quit')
    assert i.d.proc.wait(20) == 0
    sh('qemu-img', 'check', '-q', '-f', 'qcow2', f'{i.dir}/a')
    sh('rm', '-rf', i.dir)


def options_change():
    """blockdev-reopen gives a qcow2 that is served other options; what it does not name goes back to what is usual."""
    i = Images()
    q = i.q
    i.add('a')
    i.export('a', writable=True)
    options = {'driver': 'qcow2', 'node-name': 'a', 'file': 'a-file'}

    def dirty():
        with open(f'{i.dir}/a', 'rb') as f:
            return f.read(80)[79] == 1
    i.io('a', 'write -P 1 0 1M')
    q.cmd('blockdev-reopen', options=[{**options, 'lazy-refcounts': True, 'l2-cache-entry-size': 512, 'l2-cache-size': 65536, 'cache-clean-interval': 5,
                                      'pass-discard-other': True, 'overlap-check': {'template': 'all', 'bitmap-directory': False}}])
    assert not dirty()
    i.io('a', 'write -P 2 1M 1M', 'read -P 1 0 1M', 'flush')
    assert dirty()
    assert 'power of two' in q.fails('blockdev-reopen', options=[{**options, 'l2-cache-entry-size': 1000}])
    assert dirty()
    q.cmd('blockdev-reopen', options=[options])
    assert not dirty()
    i.io('a', 'write -P 3 2M 1M', 'read -P 1 0 1M', 'read -P 2 1M 1M', 'read -P 3 2M 1M', 'flush')
    assert not dirty()
    q.cmd('quit')
    assert i.d.proc.wait(20) == 0
    sh('qemu-img', 'check', '-q', '-f', 'qcow2', f'{i.dir}/a')
    sh('rm', '-rf', i.dir)


def drained():
    """Changing the graph does not wait for a throttle to let its requests go one after the other."""
    i = Images()
    q = i.q
    i.add('a')
    q.cmd('object-add', qom_type='throttle-group', id='g', limits={'iops-total': 1})
    q.cmd('blockdev-add', driver='throttle', node_name='t', throttle_group='g', file='a')
    i.export('t', writable=True)
    p = subprocess.Popen(['qemu-io', '-f', 'raw', *[x for k in range(60) for x in ('-c', f'aio_write {k * 4}k 4k')],
                          f'nbd+unix:///t?socket={i.dir}/nbd'], stdout=subprocess.DEVNULL)
    while i.stats('t')['stats']['wr_operations'] < 2:
        time.sleep(0.1)
    i.file('b')
    q.cmd('blockdev-add', driver='qcow2', node_name='b', file={'driver': 'file', 'filename': f'{i.dir}/b'})
    began = time.time()
    q.cmd('blockdev-snapshot', node='a', overlay='b')
    assert time.time() - began < 15, time.time() - began
    p.kill()
    p.wait()
    i.end()


def filter_above():
    """filter-node-name: a node of that name above what a mirror works on, until the job takes its target's place."""
    i = Images()
    q = i.q
    for name in 'abc':
        i.add(name)
    i.export('a', writable=True)
    i.io('a', 'write -P 1 0 1M')
    assert 'Duplicate' in q.fails('blockdev-mirror', job_id='j', device='a', target='b', sync='full', filter_node_name='c')
    q.cmd('blockdev-mirror', job_id='j', device='a', target='b', sync='full', filter_node_name='top')
    nodes = {n['node-name'] for n in q.cmd('query-named-block-nodes')}
    assert 'top' in nodes
    edges = q.cmd('x-debug-query-block-graph')
    ids = {n['name']: n['id'] for n in edges['nodes']}
    assert [e['child'] for e in edges['edges'] if e['name'] == 'root'] == [ids['top']]
    i.io('a', 'write -P 2 1M 1M')
    q.event('BLOCK_JOB_READY')
    q.cmd('job-complete', id='j')
    q.wait_status('j', 'null')
    q.cmd('blockdev-del', node_name='a')
    i.io('a', 'read -P 1 0 1M', 'read -P 2 1M 1M', 'write -P 3 2M 1M')
    q.cmd('blockdev-backup', job_id='k', device='b', target='c', sync='full', filter_node_name='over')
    q.wait_status('k', 'null')
    assert not {'top', 'over', 'a'} & {n['node-name'] for n in q.cmd('query-named-block-nodes')}
    i.io('a', 'read -P 3 2M 1M')
    i.end()


def amend():
    i = Images()
    q = i.q
    for n, word in (('s0', 'first'), ('s1', 'second')):
        q.cmd('object-add', qom_type='secret', id=n, data=word)
    i.add('l', 'luks', '--object', 'secret,id=s,data=first', '-o', 'key-secret=s,iter-time=10', key_secret='s0')

    def run(name, **options):
        q.cmd('x-blockdev-amend', job_id=name, node_name='l', options={'driver': 'luks', **options})
        q.wait_status(name, 'concluded')
        error = q.job(name).get('error')
        q.cmd('job-dismiss', id=name)
        return error
    assert run('j1', **{'state': 'active', 'new-secret': 's1', 'iter-time': 10}) is None
    assert run('j2', **{'state': 'inactive', 'old-secret': 's0'}) is None
    assert 'irreversibly' in run('j3', **{'state': 'inactive', 'old-secret': 's1'})
    assert 'driver' in q.fails('x-blockdev-amend', job_id='j', node_name='l', options={'driver': 'qcow2'})
    assert 'does not support' in q.fails('x-blockdev-amend', job_id='j', node_name='l-file', options={'driver': 'file'})
    q.cmd('quit')
    assert i.d.proc.wait(20) == 0
    image = f'driver=luks,key-secret=s,file.filename={i.dir}/l'
    sh('qemu-io', '--object', 'secret,id=s,data=second', '--image-opts', '-c', 'read 0 4k', image)
    old = sh('sh', '-c', f"qemu-io --object secret,id=s,data=first --image-opts -c 'read 0 4k' {image} 2>&1 || true")
    assert 'Invalid password' in old, old
    sh('rm', '-rf', i.dir)


def dirty_map():
    """A client sees which parts a bitmap holds by x-dirty-bitmap."""
    i = Images()
    i.add('a')
    i.q.cmd('block-dirty-bitmap-add', node='a', name='b', granularity=65536)
    i.export('a', writable=True)
    i.io('a', 'write 1M 64k')
    i.q.cmd('block-export-del', id='a', mode='hard')  # its client has gone, which the server may not have seen yet
    i.q.cmd('block-dirty-bitmap-disable', node='a', name='b')
    i.q.event('BLOCK_EXPORT_DELETED')
    i.export('a', bitmaps=['b'])
    out = json.loads(sh('qemu-img', 'map', '--output=json', '--image-opts', 'driver=nbd,export=a,server.type=unix,'
                        f'server.path={i.dir}/nbd,x-dirty-bitmap=qemu:dirty-bitmap:b'))
    assert [(e['start'], e['length']) for e in out if not e['data']] == [(MB, 65536)], out
    i.end()


t = Tap(sys.argv[1:])
t.test('counters of nodes', counters)
t.test('write threshold: an event, once', threshold)
t.test('damage found while serving is told', corrupted)
t.test('permissions of users of one node', permissions)
t.test('the graph with permissions', graph)
t.test('children of a quorum come and go', children)
t.test('the file below a format is replaced', replaced_file)
t.test('a filter goes between a format and its file, and away', filter_below)
t.test('blockdev-reopen changes options of qcow2', options_change)
t.test('a throttle is drained', drained)
t.test('filter-node-name', filter_above)
t.test('keys are amended', amend)
t.test('bitmaps through x-dirty-bitmap', dirty_map)
sys.exit(t.end())
