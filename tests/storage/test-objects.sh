#!/bin/sh
# Objects and character devices of the storage daemon.
PATH=$BUILD/bin:$PATH
exec timeout 120 python3 "$(dirname "$0")/qmp_objects.py"
