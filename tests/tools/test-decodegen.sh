#!/bin/bash
# tools/decodegen.py: what it must refuse, naming file and line, and what a 16-bit group with split and signed fields decodes to.
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/toy"
status=0 n=0
generate() {
	printf '%s\n' "$1" >"$work/toy/g.c"
	python3 tools/decodegen.py "$work/toy/g.c" "$work/toy_g.decode.h" "$work/toy_g.decode.inc" >"$work/log" 2>&1
}
verdict() { # exit status, what
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; cat "$work/log"; status=1; fi
}
refuses() { # source, expected part of the message, what
	! generate "$1" && grep -q "g.c:[0-9]*: .*$2" "$work/log"
	verdict $? "refuses $3"
}
refuses 'INSN(a, "0000 x:11", "a {x}") {}' 'has 15 bits' 'a pattern of the wrong width'
refuses 'INSN(a, "0000 x:12", "a") {}
INSN(b, "0000 0001 y:8", "b") {}' 'b overlaps a' 'an overlap'
refuses 'INSN(a, "0000 x:12", "a") {}
INSN(b, "0001 x:12", "b", SPECIAL) {}' 'inside nothing' 'SPECIAL inside nothing'
refuses 'INSN(a, "0000 x:12", "a") {}
INSN(b, "x:4 0000 0000 0000", "b", SPECIAL) {}' 'not wholly inside' 'SPECIAL partly outside'
refuses 'INSN(a, "0000 x:12", "a {y}") {}' 'no field y' 'an unknown field in the text'
refuses 'INSN(a, "0000 x:6 x:6", "a") {}' 'bits twice' 'a field with the same bits twice'
refuses 'INSN(a, "0000 x:12", "a") {}
INSN(a, "0001 x:12", "a") {}' 'there twice' 'a name that is taken'
refuses 'INSN(a, "0000 x:12", "a") {}
INSN(b, "x:32", "b") {}' 'a pattern of 32 bits in a group of 16' 'two lengths in one group'
refuses 'INSN(a, "0000 x:12", "[x] a; [!x] b") {}' 'last assembly alternative' 'assembly without a last resort'
refuses 'INSN(a, 7)' 'cannot read' 'a line that is no pattern'

generate '#include "guest/insn.h"
#include "toy_g.decode.h"
#include <stdio.h>
#define INSN_HAS(t, f) 0
#define INSN_FEATURE(f) 0
static int got;
INSN(split, "000 imm.3:4s imm.0:3 r:6", "split {r}, {imm}{?imm < 0:, neg}") { got = a->imm; }
INSN(one, "000 xxxxxxx 000001", "one", SPECIAL) { got = 1000; }
INSN(cond, "001 r:13", "[r == 1] first; other {#r:a|b|c}", "r < 3") { got = 2000 + a->r; }
INSN(feat, "010 r:13", "feat", ABSENT) { got = 3000; }
#include "toy_g.decode.inc"
static int run(u32 word) { got = -1; insn_decode(&toy_g, NULL + 0, word); return got; }
int main(void)
{
	char buf[64];
	struct text o = { buf, sizeof(buf), 0, 0 };
	if (run(0x03c2) != 15 || run(0x1fc2) != -1) return 2;
	if (run(0x03c1) != 1000) return 3;
	if (run(0x2001) != 2001 || run(0x2003) != -1 || run(0xffff) != -1) return 4;
	if (toy_g.find(NULL, 0x4000) != 3 && toy_g.find(NULL, 0x4000) != -1) return 5;
	if (!insn_text(&toy_g, &o, 0x1fc2) || strcmp(buf, "split\t2, -1, neg") != 0) { puts(buf); return 6; }
	o.len = 0;
	if (!insn_text(&toy_g, &o, 0x2002) || strcmp(buf, "other\tc") != 0) { puts(buf); return 7; }
	if (toy_g.length != 16 || toy_g.n != 4 || toy_g.find((const struct tr *)1, 0x4000) != -1) return 8;
	return 0;
}' && cc -std=gnu17 -Wall -Isrc -I"$work" -o "$work/toy.out" "$work/toy/g.c" src/guest/text.c >>"$work/log" 2>&1 && "$work/toy.out" >>"$work/log"
verdict $? "decodes 16-bit words, split signed fields, special and conditional patterns"
exit $status
