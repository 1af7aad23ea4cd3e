#!/bin/bash
# Programs again, with code translated for speed after a few runs, in the middle of what they do.
RHEA_HOT=20 RHEA_BACKGROUND=on exec bash "$(dirname "$0")/test-program.sh"
