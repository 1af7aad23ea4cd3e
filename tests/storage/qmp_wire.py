#!/usr/bin/env python3
"""Monitors whose socket wears something: TLS, telnet, WebSocket, and both."""
import base64
import hashlib
import json
import os
import random
import select
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from qmp import Daemon, Tap

d = Daemon()
q = d.client()
VERSION = b'{"execute":"query-version"}'
CAPS = b'{"execute":"qmp_capabilities"}'


def monitor(name, options):
    """A daemon of its own with a monitor on such a socket."""
    return Daemon('--chardev', f'socket,id=x,path={d.dir}/{name}.sock,server=on,wait=off,{options}', '--monitor', 'x')


def connect(name):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    until = time.time() + 20
    while True:  # the daemon listens there a moment after its first socket
        try:
            s.connect(f'{d.dir}/{name}.sock')
            return s
        except (FileNotFoundError, ConnectionRefusedError):
            if time.time() > until:
                raise
            time.sleep(0.05)


def lines(read, n):
    """n lines of text, and what stands behind them."""
    buf = b''
    while buf.count(b'\n') < n:
        got = read()
        assert got, f'the end behind {buf!r}'
        buf += got
    return [json.loads(x) for x in buf.split(b'\n')[:n]]


def talk(send, read):
    assert 'QMP' in lines(read, 1)[0]
    send(CAPS + VERSION)
    assert [list(x) for x in lines(read, 2)] == [['return'], ['return']]


# ---- telnet ----

def telnet():
    m = monitor('t', 'telnet=on')
    s = connect('t')
    assert s.recv(12, socket.MSG_WAITALL) == bytes((255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0))
    read = lambda: s.recv(65536)
    assert 'QMP' in lines(read, 1)[0]
    # Answers to what was offered, a subnegotiation with a doubled 255, a command of one byte, each in the middle of words.
    for piece in (CAPS[:5], bytes((255, 253, 1)), CAPS[5:9], bytes((255, 250, 24, 0, 255, 255, 240, 255)), bytes((240,)), CAPS[9:],
                  b'{"exec', b'\xff', b'\xf1', b'ute":"query-version"}'):
        s.sendall(piece)
    assert [list(x) for x in lines(read, 2)] == [['return'], ['return']]
    # 255 as a byte of the text is doubled: here it takes back what was begun.
    s.sendall(b'{"execute":"x"\xff\xff' + VERSION)
    answers = lines(read, 1)
    assert 'return' in answers[0], answers
    m.end()


# ---- WebSocket ----

KEY = base64.b64encode(b'0123456789abcdef').decode()
REQUEST = {'Host': 'x', 'Upgrade': 'websocket', 'Connection': 'keep-alive, Upgrade', 'Sec-WebSocket-Key': KEY, 'Sec-WebSocket-Version': '13'}


def ask(s, first='GET / HTTP/1.1', **changes):
    headers = {**REQUEST, **{k.replace('_', '-'): v for k, v in changes.items()}}
    s.sendall((first + '\r\n' + ''.join(f'{k}: {v}\r\n' for k, v in headers.items() if v is not None) + '\r\n').encode())
    answer = b''
    while b'\r\n\r\n' not in answer:
        got = s.recv(1)
        assert got, f'no answer but {answer!r}'
        answer += got
    return answer.decode()


class Frames:
    def __init__(self, s):
        self.s = s

    def send(self, data, opcode=1, fin=True, masked=True):
        n = len(data)
        head = bytes((opcode | (128 if fin else 0),))
        size = bytes((n,)) if n < 126 else b'\x7e' + struct.pack('>H', n) if n < 65536 else b'\x7f' + struct.pack('>Q', n)
        mask = random.randbytes(4)
        if masked:
            size = bytes((size[0] | 128,)) + size[1:] + mask
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        self.s.sendall(head + size + data)

    def exactly(self, n):
        got = self.s.recv(n, socket.MSG_WAITALL) if not isinstance(self.s, ssl.SSLSocket) else b''
        while len(got) < n:
            more = self.s.recv(n - len(got))
            if not more:
                raise EOFError
            got += more
        return got

    def frame(self):
        head = self.exactly(2)
        n = head[1]
        assert n < 128 and head[0] & 0x70 == 0
        n = struct.unpack('>H', self.exactly(2))[0] if n == 126 else struct.unpack('>Q', self.exactly(8))[0] if n == 127 else n
        return head[0] & 15, self.exactly(n) if n else b''

    def read(self):
        opcode, data = self.frame()
        assert opcode == 2, (opcode, data)
        return data


def upgrade(s):
    answer = ask(s, Sec_WebSocket_Protocol='chat, binary')
    want = base64.b64encode(hashlib.sha1((KEY + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()).decode()
    assert answer.startswith('HTTP/1.1 101 ') and f'Sec-WebSocket-Accept: {want}\r\n' in answer, answer
    assert 'Sec-WebSocket-Protocol: binary\r\n' in answer
    return Frames(s)


def websocket():
    m = monitor('w', 'websocket=on')
    f = upgrade(connect('w'))
    talk(f.send, f.read)
    f.send(VERSION[:4], fin=False)
    f.send(b'are you there', opcode=9)
    f.send(VERSION[4:], opcode=0)
    assert f.frame() == (10, b'are you there') and 'return' in lines(f.read, 1)[0]
    f.send(b'x' * 300 + b'\n')  # a frame with a length of 16 bits
    assert 'error' in lines(f.read, 1)[0]
    f.send(VERSION + b' ' * 70000)  # of 64
    assert 'return' in lines(f.read, 1)[0]
    f.send(b'{"execute":"query-qmp-schema"}')
    assert len(lines(f.read, 1)[0]['return']) > 100
    f.send(struct.pack('>H', 1000) + b'bye', opcode=8)
    assert f.frame() == (8, struct.pack('>H', 1000))
    f = upgrade(connect('w'))  # the next client
    talk(f.send, f.read)
    f.s.close()
    m.end()


def bad_websockets():
    m = monitor('b', 'websocket=on')
    for first, changes in (('POST / HTTP/1.1', {}), ('GET / HTTP/1.0', {}), ('GET / HTTP/1.1', {'Upgrade': 'h2c'}), ('GET / HTTP/1.1', {'Connection': 'close'}),
                           ('GET / HTTP/1.1', {'Sec_WebSocket_Version': '8'}), ('GET / HTTP/1.1', {'Sec_WebSocket_Key': 'short'}),
                           ('GET / HTTP/1.1', {'Sec_WebSocket_Key': None}), ('GET / HTTP/1.1', {'Sec_WebSocket_Protocol': 'chat'})):
        with connect('b') as s:
            assert ask(s, first, **changes).startswith('HTTP/1.1 400 '), (first, changes)
            assert s.recv(1) == b''
    with connect('b') as s:
        s.sendall(b'x' * 10000)
        try:
            assert s.recv(1) == b''
        except ConnectionResetError:
            pass
    for opcode, more in ((2, {'masked': False}), (3, {}), (11, {}), (0x42, {}), (9, {'fin': False}), (5, {'data': b'x' * 70000}), (9, {'data': b'x' * 126})):
        with connect('b') as s:
            f = upgrade(s)
            assert 'QMP' in lines(f.read, 1)[0]
            try:
                f.send(**{'data': b'{}', 'opcode': opcode, **more})
                while f.frame():
                    pass
            except (EOFError, ConnectionResetError, BrokenPipeError):
                pass
    f = upgrade(connect('b'))
    talk(f.send, f.read)
    f.s.close()
    m.end()


# ---- TLS ----

def silent():
    """Who does not finish its handshake is sent away, and the next one is served."""
    m = monitor('silent', 'websocket=on')
    s = connect('silent')
    s.sendall(b'GET / HTTP/1.1\r\n')
    other = connect('silent')
    other.settimeout(60)
    f = upgrade(other)
    talk(f.send, f.read)
    assert not s.recv(1)
    m.end()


def pty():
    """A terminal is a monitor for whoever opens it, one after the other."""
    link = f'{d.dir}/tty'
    m = Daemon('--chardev', f'pty,id=x,path={link}', '--monitor', 'x')
    m.client()
    for _ in range(2):
        fd = os.open(link, os.O_RDWR | os.O_NOCTTY)
        while not select.select([fd], [], [], 1)[0]:  # opened again before it was seen to be closed: the same client still
            os.close(fd)
            time.sleep(0.5)
            fd = os.open(link, os.O_RDWR | os.O_NOCTTY)
        talk(lambda b: os.write(fd, b), lambda: os.read(fd, 65536))
        os.write(fd, b'{"execute":"query-qmp-schema"}')
        assert len(lines(lambda: os.read(fd, 65536), 1)[0]['return']) > 100
        os.close(fd)
    fd = os.open(link, os.O_RDWR | os.O_NOCTTY)  # gone with much unread: nobody else has to wait for that
    os.write(fd, CAPS + b'{"execute":"query-qmp-schema"}' * 3)
    time.sleep(0.2)
    os.close(fd)
    assert 'qemu' in m.client().cmd('query-version')
    m.end()
    assert not os.path.lexists(link)
    made = q.cmd('chardev-add', id='p', backend={'type': 'pty', 'data': {}})['pty']
    assert os.path.exists(made) and {'label': 'p', 'filename': f'pty:{made}', 'frontend-open': False} in q.cmd('query-chardev')
    q.cmd('chardev-remove', id='p')
    p = subprocess.run(['qemu-storage-daemon', '--chardev', 'udp,id=x'], capture_output=True, text=True, timeout=20)
    assert p.returncode == 1 and "'udp' is not a valid" in p.stderr and 'pty, ' in p.stderr, p.stderr


def certificates(where):
    """An authority, a server's certificate for localhost, clients good and evil."""
    def run(*args):
        subprocess.run(('openssl',) + args, check=True, capture_output=True, cwd=where)
    run('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca-key.pem', '-out', 'ca-cert.pem', '-days', '2', '-subj', '/CN=an authority',
        '-addext', 'basicConstraints=critical,CA:TRUE')
    for name, subject in (('server', 'localhost'), ('good', 'good'), ('evil', 'evil')):
        with open(f'{where}/ext', 'w') as f:
            f.write('subjectAltName=DNS:localhost\n')
        run('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', f'{name}-key.pem', '-out', 'req.pem', '-subj', f'/CN={subject}')
        run('x509', '-req', '-in', 'req.pem', '-CA', 'ca-cert.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-days', '2', '-extfile', 'ext',
            '-out', f'{name}-cert.pem')


def secure(name, client):
    where = f'{d.dir}/pki'
    c = ssl.create_default_context(cafile=f'{where}/ca-cert.pem')
    if client:
        c.load_cert_chain(f'{where}/{client}-cert.pem', f'{where}/{client}-key.pem')
    return c.wrap_socket(connect(name), server_hostname='localhost')


def tls():
    where = f'{d.dir}/pki'
    os.mkdir(where)
    certificates(where)
    path = f'{d.dir}/s.sock'
    m = Daemon('--object', f'tls-creds-x509,id=c,endpoint=server,dir={where},verify-peer=on', '--object', 'authz-simple,id=a,identity=CN=good',
               '--chardev', f'socket,id=x,path={path},server=on,wait=off,tls-creds=c,tls-authz=a', '--monitor', 'x',
               '--chardev', f'socket,id=y,path={d.dir}/ws.sock,server=on,wait=off,tls-creds=c,websocket=on', '--monitor', 'y')
    m.client().sock.close()  # it answers when all options have had their effect: the sockets below are there
    for client in ('evil', None):
        try:
            with secure('s', client) as s:
                assert s.recv(1) == b''
        except (ssl.SSLError, ConnectionResetError):
            pass
    with connect('s') as s:  # no TLS at all
        s.sendall(VERSION * 10)
        try:
            while s.recv(4096):
                pass
        except ConnectionResetError:
            pass
    with secure('s', 'good') as s:
        talk(s.sendall, lambda: s.recv(65536))
        s.sendall(b'{"execute":"query-qmp-schema"}')
        assert len(lines(lambda: s.recv(65536), 1)[0]['return']) > 100
    with secure('s', 'good') as s:
        talk(s.sendall, lambda: s.recv(65536))
    with secure('ws', 'evil') as s:  # nobody asked for a name here
        f = upgrade(s)
        talk(f.send, f.read)
    m.end()


def refused():
    def add(want, **data):
        addr = {'type': 'unix', 'data': {'path': f'{d.dir}/no'}}
        got = q.fails('chardev-add', id='n', backend={'type': 'socket', 'data': {'addr': addr, **data}})
        assert want in got, got
    q.cmd('object-add', qom_type='secret', id='s', data='x')
    add("No TLS credentials with id 'none'", **{'tls-creds': 'none'})
    add("Object with id 's' is not TLS credentials", **{'tls-creds': 's'})
    add("'tls_authz' option requires 'tls_creds' option", **{'tls-authz': 's'})
    add("'telnet' and 'websocket' are mutually exclusive", telnet=True, websocket=True)
    add('Websocket client is not implemented', server=False, websocket=True)
    add("'tn3270=on' is not built", tn3270=True)


def main():
    t = Tap(sys.argv[1:])
    t.test('telnet: commands are taken out', telnet)
    t.test('a pseudo terminal; devices that are not built', pty)
    t.test('WebSocket: frames, pings, the end', websocket)
    t.test('WebSocket: a handshake that does not end keeps nobody out', silent)
    t.test('WebSocket: wrong requests and frames end one client, not the monitor', bad_websockets)
    if shutil.which('openssl') and 'GNUTLS' not in subprocess.run(
            ['qemu-storage-daemon', '--object', 'tls-creds-anon,id=a', '--frob'], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL).stderr:
        t.test('TLS: certificates, names, WebSocket over it', tls)
    t.test('what is refused', refused)
    d.end()
    return t.end()


sys.exit(main())
