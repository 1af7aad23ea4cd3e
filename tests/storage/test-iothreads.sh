#!/bin/sh
# I/O threads of the storage daemon.
PATH=$BUILD/bin:$PATH
exec timeout 120 python3 "$(dirname "$0")/iothreads.py"
