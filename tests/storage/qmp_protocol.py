#!/usr/bin/env python3
"""QMP as clients see it: framing, negotiation, errors, several monitors, what is announced."""
import os
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from qmp import Client, Daemon, Tap, sh

d = Daemon()


def desc(reply):
    return reply['error']['class'] + ': ' + reply['error']['desc']


def negotiation():
    q = d.client(caps=False)
    assert q.greeting['QMP']['capabilities'] == ['oob'] and q.greeting['QMP']['version']['qemu']['major'] == 7
    assert desc(q.raw('{"execute":"query-version"}')).startswith('CommandNotFound: Expecting capabilities negotiation')
    assert 'error' in q.raw('{"execute":"qmp_capabilities","arguments":{"enable":["x"]}}')
    assert q.raw('{"execute":"qmp_capabilities","id":{"a":[1]}}') == {'return': {}, 'id': {'a': [1]}}
    assert desc(q.raw('{"execute":"qmp_capabilities"}')).startswith('CommandNotFound: Capabilities negotiation is already')


def errors():
    q = d.client()
    for text, want in (('{"execute":"frob"}', 'CommandNotFound: The command frob has not been found'),
                       ('{"execute":1}', "GenericError: QMP input member 'execute' must be a string"),
                       ('{"x":1}', "GenericError: QMP input member 'x' is unexpected"),
                       ('{}', "GenericError: QMP input lacks member 'execute'"),
                       ('[]', 'GenericError: QMP input must be a JSON object'),
                       ('{"a":}', 'GenericError: JSON parse error, expecting value'),
                       ('{"execute":"job-pause"}', "GenericError: Parameter 'id' is missing"),
                       ('{"execute":"job-pause","arguments":{"id":"x","y":1}}', "GenericError: Parameter 'y' is unexpected"),
                       ('{"execute":"block-job-pause","arguments":{"device":"x"}}', "DeviceNotActive: Block job 'x' not found"),
                       ("{'execute':'block-commit','arguments':{'device':'x'}}", "DeviceNotFound: Device 'x' not found"),
                       ('{"exec-oob":"query-version"}', "GenericError: QMP input member 'exec-oob' is unexpected")):
        got = desc(q.raw(text))
        assert got == want, f'{text}: {got}'


def hostile():
    q = d.client()
    assert 'nest' in desc(q.raw('[' * 2000 + ']' * 2000))
    assert 'nest' in desc(q.raw('{"execute":"query-version","arguments":' + '{"a":' * 500 + '1' + '}' * 501))
    assert 'JSON parse error' in desc(q.raw('nonsense\n'))
    q.send(b'\xff{"a":1\x00}')
    q.reply()
    q.send(b'{"execute":"query-vers\xff')  # a client that begins anew
    q.send(b'"}\n')
    q.reply()
    assert 'return' in q.raw('{"execute":"query-version"}')
    q.send(b'"' + b'x' * (1 << 20))  # a string without an end, and away
    q.sock.close()
    assert d.client().cmd('query-version')


def many_at_once():
    q = d.client()
    q.send(b''.join(b'{"execute":"query-version","id":%d}' % i for i in range(500)))
    assert [q.reply()['id'] for _ in range(500)] == list(range(500))


def out_of_band():
    q = d.client(caps=['oob'])
    assert 'does not support OOB' in desc(q.raw('{"exec-oob":"query-version"}'))
    q.send(b''.join(b'{"execute":"query-version","id":%d}' % i for i in range(50)))
    assert [q.reply()['id'] for _ in range(50)] == list(range(50))


def next_client():
    first, got = d.client(), []
    t = threading.Thread(target=lambda: got.append(d.client().cmd('query-version')))
    t.start()
    first.cmd('query-version')
    t.join(0.3)
    assert not got, 'the second client was served beside the first'
    first.sock.close()
    t.join(20)
    assert got


def two_monitors():
    with tempfile.TemporaryDirectory() as where:
        one = Daemon('--chardev', f'socket,id=n,path={where}/b,server=on,wait=off', '--monitor', 'n,pretty=on',
                     '--blockdev', 'null-co,node-name=a,size=1M')
        a, raw = one.client(), Client.__new__(Client)
        raw.sock = socket.socket(socket.AF_UNIX)
        raw.sock.connect(f'{where}/b')
        raw.sock.sendall(b'{"execute":"qmp_capabilities"}')
        a.cmd('blockdev-create', job_id='j', options={'driver': 'file', 'filename': f'{where}/f', 'size': 512})
        a.wait_status('j', 'concluded')
        text = b''
        while b'concluded' not in text:
            text += raw.sock.recv(4096)
        assert b'\n    "QMP": {' in text and b'JOB_STATUS_CHANGE' in text
        raw.sock.close()
        a.cmd('quit')
        assert one.proc.wait(20) == 0


def introspection():
    q = d.client()
    schema = q.cmd('query-qmp-schema')
    names = {s['name']: s for s in schema}
    assert len(names) == len(schema)
    commands = {s['name'] for s in schema if s['meta-type'] == 'command'}
    assert commands == {c['name'] for c in q.cmd('query-commands')}
    reach = {'command': ['arg-type', 'ret-type'], 'event': ['arg-type'], 'array': ['element-type']}
    for s in schema:
        for key in reach.get(s['meta-type'], []):
            assert s[key] in names, s
        for m in s.get('members', []) + s.get('variants', []):
            assert not isinstance(m, dict) or 'type' not in m or m['type'] in names, s
    options = names[names['blockdev-add']['arg-type']]
    cases = {v['case']: names[v['type']] for v in options['variants']}
    assert {'file', 'qcow2', 'raw', 'nbd'} <= set(cases)
    assert 'lazy-refcounts' in [m['name'] for m in cases['qcow2']['members']]
    assert [v for v in cases if v == 'rbd'] == []


def options():
    def run(*args):
        p = subprocess.run(['qemu-storage-daemon', *args], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        return p.returncode, p.stdout, p.stderr
    assert run('--version')[1].startswith('qemu-storage-daemon version 7.2')
    for args, want in ((['--frob'], 'unrecognized option'), (['x'], 'Unexpected argument: x'),
                       (['-T', 'x'], 'tracing is not built'),
                       (['--blockdev', 'driver=frob,node-name=a'], "Parameter 'driver' does not accept value 'frob'"),
                       (['--blockdev', 'driver=null-co,size=1M'], "'node-name' must be specified"),
                       (['--monitor', 'chardev=x'], 'chardev "x" not found'),
                       (['--export', 'nbd,id=a,node-name=b'], "nor node-name='b'"),
                       (['--chardev', 'socket,id=a,path=/x,tn3270=on'], "'tn3270=on' is not built")):
        code, out, err = run(*args)
        assert code == 1 and not out and want in err, (args, code, out, err)


def daemonize():
    with tempfile.TemporaryDirectory() as where:
        sh('qemu-storage-daemon', '--daemonize', '--pidfile', f'{where}/pid', '--chardev',
           f'socket,id=m,path={where}/m,server=on,wait=off', '--monitor', 'm', '--blockdev', 'null-co,node-name=n,size=1M,read-zeroes=on',
           '--nbd-server', f'addr.type=unix,addr.path={where}/nbd', '--export', 'nbd,id=e,node-name=n,name=x')
        pid = int(open(f'{where}/pid').read())
        q = Client(f'{where}/m')
        assert '1048576' in sh('qemu-img', 'info', '--output=json', f'nbd+unix:///x?socket={where}/nbd')
        assert q.cmd('query-block-exports') == [{'id': 'e', 'type': 'nbd', 'node-name': 'n', 'shutting-down': False}]
        q.cmd('block-export-del', id='e', mode='hard')
        assert q.event('BLOCK_EXPORT_DELETED') == {'id': 'e'}
        os.kill(pid, 15)
        for _ in range(200):
            if not os.path.exists(f'{where}/pid'):
                break
            threading.Event().wait(0.05)
        assert not os.path.exists(f'{where}/pid') and not os.path.exists(f'{where}/m')


def main():
    t = Tap(sys.argv[1:])
    t.test('negotiation', negotiation)
    t.test('errors as clients know them', errors)
    t.test('hostile input leaves the monitor usable', hostile)
    t.test('many commands in one write', many_at_once)
    t.test('out of band', out_of_band)
    t.test('the next client waits for the first to leave', next_client)
    t.test('two monitors, events to both', two_monitors)
    t.test('introspection is whole', introspection)
    t.test('options that are wrong', options)
    t.test('daemonize, pid file, export', daemonize)
    d.end()
    return t.end()


sys.exit(main())
