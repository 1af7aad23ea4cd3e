"""A client of QMP for tests: starts a storage daemon on a socket and talks to it."""
import atexit
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time


class QMPError(Exception):
    def __init__(self, error):
        super().__init__(error['desc'])
        self.cls = error['class']


class Client:
    """One connection. Events are kept in order in self.events."""

    def __init__(self, path, caps=None):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        for attempt in range(100):  # a socket's file is there a moment before it listens
            try:
                self.sock.connect(path)
                break
            except ConnectionRefusedError:
                if attempt == 99:
                    raise
                time.sleep(0.05)
        self.buf = b''
        self.events = []
        self.greeting = self.receive()
        if caps is not False:
            self.cmd('qmp_capabilities', **({'enable': caps} if caps else {}))

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else json.dumps(data).encode())

    def receive(self):
        while b'\n' not in self.buf:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError('the other side is gone')
            self.buf += got
        line, self.buf = self.buf.split(b'\n', 1)
        return json.loads(line)

    def reply(self):
        while True:
            j = self.receive()
            if 'event' not in j:
                return j
            self.events.append(j)

    def raw(self, text):
        self.send(text.encode())
        return self.reply()

    def cmd(self, name, /, **args):
        return self.cmd_json(name, {k.replace('_', '-'): v for k, v in args.items()})

    def cmd_json(self, name, args):
        self.send({'execute': name, 'arguments': args})
        j = self.reply()
        if 'error' in j:
            raise QMPError(j['error'])
        return j['return']

    def fails(self, name, /, **args):
        try:
            got = self.cmd(name, **args)
        except QMPError as e:
            return str(e)
        raise AssertionError(f'{name} worked: {got}')

    def event(self, name, match=None, timeout=20):
        """The next event of this name whose data has the members of match; those before it are dropped."""
        until = time.time() + timeout
        while True:
            while self.events:
                e = self.events.pop(0)
                if e['event'] == name and all(e['data'].get(k) == v for k, v in (match or {}).items()):
                    return e['data']
            if time.time() > until:
                raise AssertionError(f'no event {name} {match}')
            j = self.receive()
            if 'event' in j:
                self.events.append(j)

    def wait_status(self, job, status):
        return self.event('JOB_STATUS_CHANGE', {'id': job, 'status': status})

    def job(self, job):
        return next((j for j in self.cmd('query-jobs') if j['id'] == job), None)


def folder(prefix, place=None):
    """A new folder (below place) that goes with the program, however that ends but by a kill."""
    where = tempfile.mkdtemp(prefix=prefix, dir=place)
    atexit.register(shutil.rmtree, where, ignore_errors=True)
    return where


class Daemon:
    """qemu-storage-daemon with a monitor, in a folder of its own."""

    def __init__(self, *args, where=None, program='qemu-storage-daemon'):
        self.dir = where or folder('qsd')
        self.path = f'{self.dir}/qmp{id(self)}.sock'
        self.proc = subprocess.Popen([program, '--chardev', f'socket,id=m,path={self.path},server=on,wait=off',
                                      '--monitor', 'chardev=m', *args])
        atexit.register(self.proc.kill)  # when the test did not come to its end
        for _ in range(400):
            if os.path.exists(self.path):
                break
            if self.proc.poll() is not None:
                raise AssertionError('the daemon ended')
            time.sleep(0.05)

    def client(self, caps=None):
        return Client(self.path, caps)

    def end(self):
        self.proc.terminate()
        return self.proc.wait(20)


class Served:
    """A daemon with an NBD server, in a folder (below place); q: its monitor."""

    def __init__(self, *args, place=None):
        self.dir = folder('served', place)
        self.d = Daemon(*args, where=self.dir)
        self.q = self.d.client()
        self.q.cmd('nbd-server-start', addr={'type': 'unix', 'data': {'path': f'{self.dir}/nbd'}})

    def export(self, node, **more):
        self.q.cmd('block-export-add', type='nbd', id=node, name=node, node_name=node, **more)

    def uri(self, node):
        return f'nbd+unix:///{node}?socket={self.dir}/nbd'

    def end(self):
        self.q.sock.close()
        code = self.d.end()
        assert code == 0, code
        shutil.rmtree(self.dir)


class Skip(Exception):
    """What a test needs is not on this host."""


class Tap:
    """Runs functions as tests and prints TAP."""

    def __init__(self, words=()):
        self.n = self.bad = 0
        self.words = words  # only tests whose names have one of them

    def test(self, what, fn):
        if self.words and not any(w in what for w in self.words):
            return
        self.n += 1
        try:
            fn()
            print(f'ok {self.n} - {what}', flush=True)
        except Skip as e:
            print(f'ok {self.n} - {what} # SKIP {e}', flush=True)
        except Exception as e:
            self.bad += 1
            print(f'not ok {self.n} - {what}', flush=True)
            print('# ' + f'{type(e).__name__}: {e}'.replace('\n', '\n# '), flush=True)

    def end(self):
        print(f'1..{self.n}')
        return 1 if self.bad else 0


def sh(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout
