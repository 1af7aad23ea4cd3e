"""What the programs that compare Rhea's tools with the peer's have in common."""
import argparse, os, sys


def options(doc, tool, *more):
    """The command line: --seed, --words, --rhea, --peer and what `more` adds, (name, default) of numbers. Ends with 2 when a side has no `tool`."""
    ap = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("seed", 1),) + more:
        ap.add_argument("--" + name, type=int, default=default)
    ap.add_argument("--words", action="store_true")
    ap.add_argument("--rhea", default="build/bin", type=os.path.abspath)
    ap.add_argument("--peer", default="/usr/bin", type=os.path.abspath)
    o = ap.parse_args()
    for side in (o.rhea, o.peer):
        if not os.access(os.path.join(side, tool), os.X_OK):
            print(os.path.join(side, tool) + ": not found", file=sys.stderr)
            sys.exit(2)
    return o
