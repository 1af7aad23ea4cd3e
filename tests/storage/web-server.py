#!/usr/bin/env python3
"""A web server for tests: serves DIR by ranges, and is as bad as the first word of the path says.

  web-server.py DIR PORT-FILE LOG [CERTIFICATE KEY]

/good/NAME       as it should be
/norange/NAME    announces no ranges
/whole/NAME      announces ranges and sends the whole file for each
/short/NAME      sends half of every range, then ends
/slow/NAME       answers ranges after three seconds
/moved/NAME      redirects to /good/NAME
/cookie/NAME     wants the cookie key=secret
/password/NAME   wants user and word
/lost/NAME       closes the connection after the third range
Each range goes to LOG as a line "from-to".
"""
import base64
import http.server
import os
import re
import ssl
import sys
import threading
import time

folder, port_file, log = sys.argv[1:4]
ranges = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def fail(self, status, *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def open(self):
        self.how, _, name = self.path.lstrip('/').partition('/')
        word = 'Basic ' + base64.b64encode(b'user:word').decode()
        if self.how == 'moved':
            return self.fail(302, ('Location', '/good/' + name))
        if self.how == 'cookie' and self.headers.get('Cookie') != 'key=secret':
            return self.fail(403)
        if self.how == 'password' and self.headers.get('Authorization') != word:
            return self.fail(401, ('WWW-Authenticate', 'Basic realm="x"'))
        try:
            return open(os.path.join(folder, os.path.basename(name)), 'rb')
        except OSError:
            return self.fail(404)

    def do_HEAD(self):
        file = self.open()
        if file:
            self.send_response(200)
            if self.how != 'norange':
                self.send_header('Accept-Ranges', 'bytes')
            self.send_header('Content-Length', str(os.fstat(file.fileno()).st_size))
            self.end_headers()

    def do_GET(self):
        global ranges
        file = self.open()
        if not file:
            return
        size = os.fstat(file.fileno()).st_size
        match = re.match(r'bytes=(\d+)-(\d+)$', self.headers.get('Range', ''))
        first, last = (int(match[1]), min(int(match[2]), size - 1)) if match else (0, size - 1)
        with open(log, 'a') as f:
            f.write(f'{first}-{last}\n')
        ranges += 1
        if self.how == 'slow':
            time.sleep(3)
        if self.how == 'lost' and ranges > 3:
            self.close_connection = True
            return
        if self.how == 'whole':
            first, last = 0, size - 1
        self.send_response(200 if self.how == 'whole' else 206)
        self.send_header('Content-Range', f'bytes {first}-{last}/{size}')
        self.send_header('Content-Length', str(last + 1 - first))
        self.end_headers()
        file.seek(first)
        data = file.read(last + 1 - first)
        try:
            if self.how == 'short':
                self.wfile.write(data[:len(data) // 2])
                self.close_connection = True
            else:
                self.wfile.write(data)
        except OSError:
            self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that leave in the middle of an answer are part of the tests


server = Server(('127.0.0.1', 0), Handler)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(port_file + '.new', 'w') as f:
    f.write(str(server.server_port))
os.rename(port_file + '.new', port_file)
server.serve_forever()
