#!/bin/sh
# Errors of disks that are served by NBD and by FUSE.
PATH=$BUILD/bin:$PATH
exec timeout 120 python3 "$(dirname "$0")/served_faults.py"
