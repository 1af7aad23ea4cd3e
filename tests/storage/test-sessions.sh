#!/bin/sh
# Conversations as managers of machines have them: snapshots, commits, mirrors, backups, with the answers and events of QEMU 7.2's daemon.
PATH=$BUILD/bin:$PATH
here=$(dirname "$0")
exec timeout 120 python3 "$here/qmp_replay.py" "$here/sessions.jsonl"
