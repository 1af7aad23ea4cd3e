#!/bin/sh
# Jobs of the storage daemon.
PATH=$BUILD/bin:$PATH
exec timeout 300 python3 "$(dirname "$0")/jobs.py"
