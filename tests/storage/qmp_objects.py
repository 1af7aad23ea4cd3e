#!/usr/bin/env python3
"""Objects and character devices as clients see them: the tree of objects, properties that change, ringbufs."""
import base64
import hashlib
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from qmp import Daemon, QMPError, Tap, sh

d = Daemon()
q = d.client()


def names(path):
    return {p['name']: p['type'] for p in q.cmd('qom-list', path=path)}


def error_class(name, **args):
    try:
        q.cmd(name, **args)
    except QMPError as e:
        return e.cls
    raise AssertionError(f'{name} worked')


def tree():
    assert names('/') == {'type': 'string', 'chardevs': 'child<container>'}
    assert error_class('qom-list', path='/objects') == 'DeviceNotFound'
    q.cmd('object-add', qom_type='secret', id='s0', data='abc')
    q.cmd('object-add', qom_type='throttle-group', id='t0', limits={'iops-total': 100})
    assert names('/')['objects'] == 'child<container>'
    assert names('/objects/') == {'type': 'string', 's0': 'child<secret>', 't0': 'child<throttle-group>'}
    assert names('/chardevs') == {'type': 'string', 'm': 'child<chardev-socket>'}
    assert names('s0') == names('objects/s0') == names('//objects//s0')
    assert names('s0')['format'] == 'QCryptoSecretFormat' and names('t0')['limits'] == 'ThrottleLimits'
    q.cmd('object-add', qom_type='authz-simple', id='m', identity='x')  # as the device is called
    assert "'m' is ambiguous" in q.fails('qom-list', path='m') and "'' is ambiguous" in q.fails('qom-list', path='')
    assert names('/objects/m') == {'type': 'string', 'identity': 'string'}
    for path in ('/objects/none', '/objects/s0/x', '/a/b/c/d', 's'):
        assert error_class('qom-list', path=path) == 'DeviceNotFound', path
    for o in ('s0', 't0', 'm'):
        q.cmd('object-del', id=o)


def properties():
    q.cmd('object-add', qom_type='secret', id='s0', data='abc')
    q.cmd('object-add', qom_type='tls-creds-anon', id='a0', endpoint='server')
    get = lambda path, name: q.cmd('qom-get', path=path, property=name)
    assert [get('s0', n) for n in ('type', 'data', 'format', 'file', 'loaded')] == ['secret', 'abc', 'raw', '', True]
    assert [get('a0', n) for n in ('endpoint', 'verify-peer')] == ['server', True]
    assert get('/', 'objects') == '/objects' and get('/objects', 's0') == '/objects/s0' and get('/', 'type') == 'container'
    assert q.fails('qom-get', path='s0', property='zz') == "Property 'secret.zz' not found"
    assert q.fails('qom-set', path='s0', property='type', value='x') == "Property 'secret.type' is not writable"
    assert q.fails('qom-set', path='/objects', property='s0', value='x') == "Property 'container.s0' is not writable"
    assert q.fails('qom-set', path='s0', property='data', value='x') == 'Property cannot be set after initialization'
    assert q.fails('qom-set', path='s0', property='format', value='zz') == "Parameter 'format' does not accept value 'zz'"
    for o in ('s0', 'a0'):
        q.cmd('object-del', id=o)


def types():
    of = lambda **args: {t['name']: t.get('parent') for t in q.cmd('qom-list-types', **args)}
    assert of(implements='tls-creds') == {f'tls-creds-{k}': 'tls-creds' for k in ('anon', 'psk', 'x509')}
    assert 'tls-creds' in of(implements='tls-creds', abstract=True) and 'object' not in of() and 'object' in of(abstract=True)
    assert of(implements='chardev')['chardev-memory'] == 'chardev-ringbuf' and of(implements='zz') == {}
    creatable = of(implements='user-creatable')
    assert {'secret', 'throttle-group', 'authz-simple'} <= set(creatable) and 'container' not in creatable
    assert {p['name'] for p in q.cmd('qom-list-properties', typename='authz-simple')} == {'type', 'identity'}
    assert error_class('qom-list-properties', typename='zz') == 'DeviceNotFound'


def limits():
    q.cmd('object-add', qom_type='throttle-group', id='t', limits={'bps-total': 1 << 20, 'iops-total': 1000})
    q.cmd('blockdev-add', driver='null-co', node_name='n', size=1 << 24)
    q.cmd('blockdev-add', driver='throttle', node_name='slow', throttle_group='t', file='n')
    q.cmd('nbd-server-start', addr={'type': 'unix', 'data': {'path': f'{d.dir}/nbd'}})
    q.cmd('block-export-add', type='nbd', id='e', node_name='slow', writable=True)

    def took():
        start = time.time()
        sh('qemu-io', '-f', 'raw', '-c', 'write -q 0 1M', '-c', 'write -q 1M 1M', f'nbd+unix:///slow?socket={d.dir}/nbd')
        return time.time() - start
    assert took() > 0.7
    q.cmd('qom-set', path='t', property='limits', value={'bps-total': 0})
    now = q.cmd('qom-get', path='/objects/t', property='limits')
    assert now['bps-total'] == 0 and now['iops-total'] == 1000 and now['bps-read-max-length'] == 1 and len(now) == 19, now
    assert took() < 0.7
    for bad, want in (({'iops-read': 5}, 'cannot be used at the same time'), ({'zz': 5}, "'limits.zz' is unexpected"),
                      (7, "Invalid parameter type for 'limits', expected: object")):
        assert want in q.fails('qom-set', path='t', property='limits', value=bad)
    assert q.cmd('qom-get', path='t', property='limits') == now
    assert q.cmd('qom-get', path='t', property='x-iops-total') == 1000
    q.cmd('nbd-server-stop')


def ringbuf():
    q.cmd('chardev-add', id='r', backend={'type': 'ringbuf', 'data': {'size': 16}})
    q.cmd('ringbuf-write', device='r', data='hello')
    q.cmd('ringbuf-write', device='r', data='d29ybGQ=', format='base64')
    assert q.cmd('ringbuf-read', device='r', size=7) == 'hellowo'
    assert q.cmd('ringbuf-read', device='r', size=70, format='base64') == 'cmxk' and q.cmd('ringbuf-read', device='r', size=70) == ''
    q.cmd('ringbuf-write', device='r', data='0123456789abcdefghijklmnop')
    assert q.cmd('ringbuf-read', device='r', size=100) == 'abcdefghijklmnop'
    raw = 'aé€\U0001f600'.encode() + b'\xff\xc0\x80\x00\xe2'
    q.cmd('ringbuf-write', device='r', data=base64.b64encode(raw).decode(), format='base64')
    assert q.cmd('ringbuf-read', device='r', size=100) == 'aé€\U0001f600' + '\ufffd' * 5
    for args, want in (({'device': 'r', 'size': 0}, 'size must be greater than zero'), ({'device': 'm', 'size': 1}, 'm is not a ringbuf device'),
                       ({'device': 'zz', 'size': 1}, "Device 'zz' not found")):
        assert q.fails('ringbuf-read', **args) == want
    assert 'invalid characters' in q.fails('ringbuf-write', device='r', data='@@@', format='base64')
    assert 'size of ringbuf chardev must be power of two' in q.fails('chardev-add', id='r2', backend={'type': 'memory', 'data': {'size': 15}})
    q.cmd('chardev-remove', id='r')


def change():
    chardevs = lambda: {c['label']: c['filename'] for c in q.cmd('query-chardev')}
    q.cmd('chardev-add', id='c', backend={'type': 'null', 'data': {}})
    q.cmd('chardev-add', id='last', backend={'type': 'null', 'data': {}})
    q.cmd('chardev-change', id='c', backend={'type': 'file', 'data': {'out': f'{d.dir}/out'}})
    assert chardevs()['c'] == 'file' and os.path.exists(f'{d.dir}/out') and list(chardevs()) == ['m', 'c', 'last']
    want = f"Failed to add chardev 'c': Could not open '{d.dir}/no/x': No such file or directory"
    assert q.fails('chardev-change', id='c', backend={'type': 'file', 'data': {'out': f'{d.dir}/no/x'}}) == want
    assert chardevs()['c'] == 'file'
    assert q.fails('chardev-change', id='zz', backend={'type': 'null', 'data': {}}) == "Chardev 'zz' does not exist"
    assert 'does not support chardev hotswap' in q.fails('chardev-change', id='m', backend={'type': 'null', 'data': {}})
    assert q.cmd('chardev-send-break', id='c') == {} and q.fails('chardev-send-break', id='zz') == "Chardev 'zz' not found"
    for c in ('c', 'last'):
        q.cmd('chardev-remove', id=c)


def bitmap_hash():
    q.cmd('blockdev-add', driver='null-co', node_name='b', size=8 << 20)
    q.cmd('block-dirty-bitmap-add', node='b', name='x', granularity=65536)
    get = lambda: q.cmd('x-debug-block-dirty-bitmap-sha256', node='b', name='x')['sha256']
    assert get() == hashlib.sha256(bytes(16)).hexdigest()
    q.cmd('nbd-server-start', addr={'type': 'unix', 'data': {'path': f'{d.dir}/nbd'}})
    q.cmd('block-export-add', type='nbd', id='b', node_name='b', writable=True)
    sh('qemu-io', '-f', 'raw', '-c', 'write -q 64k 128k', '-c', 'write -q 7M 64k', f'nbd+unix:///b?socket={d.dir}/nbd')
    bits = 6 | 1 << 112
    assert get() == hashlib.sha256(bits.to_bytes(16, 'little')).hexdigest()
    assert q.fails('x-debug-block-dirty-bitmap-sha256', node='b', name='y') == "Dirty bitmap 'y' not found"
    q.cmd('nbd-server-stop')


def main():
    t = Tap(sys.argv[1:])
    t.test('the tree of objects and devices', tree)
    t.test('properties of objects', properties)
    t.test('types of objects', types)
    t.test('limits of a throttle group change while it is in use', limits)
    t.test('ringbufs', ringbuf)
    t.test('a character device takes the place of another', change)
    t.test('the hash of a bitmap', bitmap_hash)
    d.end()
    return t.end()


sys.exit(main())
