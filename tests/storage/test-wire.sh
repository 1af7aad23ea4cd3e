#!/bin/sh
# Monitors over TLS, telnet and WebSocket.
PATH=$BUILD/bin:$PATH
exec timeout 120 python3 "$(dirname "$0")/qmp_wire.py"
