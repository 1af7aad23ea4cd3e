#!/bin/bash
# The calls of Linux again, with all code translated for speed at once: what runs seldom never is otherwise.
RHEA_HOT=0 exec bash "$(dirname "$0")/test-abi.sh"
