#!/usr/bin/env python3
"""Replays a recorded conversation with a storage daemon and compares what it says with what was recorded.

  qmp_replay.py SESSION...             starts a daemon for each scenario, prints TAP
  qmp_replay.py --record DAEMON SESSION  writes the session anew, with what another daemon says

A session has a JSON value a line: {"scenario"} opens a conversation with a new daemon (and a new folder, DIR in all texts); {"run"} is
a program's command line, run beside it; {"send"} what the client says, {"recv"} the answer, {"event"} an event. Events between two
"send" belong to the first, wherever the answer stands among them.

A job that a drain pauses for a moment says so or not: changes of status to paused and standby, and back, are left out unless the client
asked for a pause.

Compared is the form: every member recorded is there and of the same kind, texts and truths are the same, numbers where they say
what something is and not how far it came (SAME). There may be more members than recorded.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from qmp import Client, Daemon, Tap, folder, sh

SAME = {'virtual-size', 'cluster-size', 'granularity', 'refcount-bits', 'speed', 'size', 'count', 'length'}
KEYS = ('node-name', 'name', 'id', 'device', 'label', 'filename')  # by which entries of lists are found
# Depends on the moment, the machine or the program.
VOLATILE = {'timestamp', 'file', 'fds', 'drv', 'package', 'actual-size', 'busy'}


def replace(j, old, new):
    return json.loads(json.dumps(j).replace(old, new))


def key_of(item):
    return next((k for k in KEYS if isinstance(item, dict) and k in item), None)


def differs(want, got, where=''):
    """The first difference in form, None when there is none."""
    if isinstance(want, dict) and isinstance(got, dict):
        for k, v in want.items():
            if k in VOLATILE or (k == 'ro' and want.get('drv') == 'file'):  # follows the users of the node, or its options
                continue
            if k not in got:
                return f'{where}.{k} is missing'
            if isinstance(v, int) and not isinstance(v, bool) and k not in SAME and isinstance(got[k], int):
                continue
            bad = differs(v, got[k], f'{where}.{k}')
            if bad:
                return bad
        return None
    if isinstance(want, list) and isinstance(got, list):
        if want and isinstance(want[-1], str) and want[-1].endswith(' more'):
            want = []
        for i, w in enumerate(want):
            k = key_of(w)
            g = next((x for x in got if x.get(k) == w[k]), None) if k else got[i] if i < len(got) else None
            bad = differs(w, g, f'{where}[{w[k] if k else i}]') if g is not None else f'{where}[{w[k] if k else i}] is missing'
            if bad:
                return bad
        return None
    return None if want == got else f'{where}: {json.dumps(got)} for {json.dumps(want)}'


def steps_of(lines):
    """[(send, recv, [events])]; runs are steps whose recv is None."""
    steps = []
    for line in lines:
        if 'send' in line or 'run' in line:
            steps.append([line, None, []])
        elif 'recv' in line:
            steps[-1][1] = line['recv']
        elif 'event' in line:
            steps[-1][2].append(line['event'])
    return steps


def scenarios(path):
    found = []
    with open(path) as f:
        for line in f:
            j = json.loads(line)
            if 'scenario' in j:
                found.append((j['scenario'], []))
            else:
                found[-1][1].append(j)
    return found


def without_pauses(events):
    """Without those of a job that was paused by nobody."""
    out, paused = [], {}
    for e in events:
        status, job = e['data'].get('status'), e['data'].get('id')
        if status in ('paused', 'standby'):
            paused[job] = {'paused': 'running', 'standby': 'ready'}[status]
        elif job in paused and paused[job] == status:
            del paused[job]
        else:
            out.append(e)
    return out


class Conversation:
    def __init__(self, program='qemu-storage-daemon'):
        self.dir = folder('replay')
        self.daemon = Daemon(where=self.dir, program=program)
        self.q = self.daemon.client()

    def say(self, send, patience=20):
        """The answer, and a function that waits for the next event."""
        self.q.send(replace(send, 'DIR', self.dir))
        return self.q.reply()

    def next_event(self, timeout):
        if not self.q.events:
            self.q.sock.settimeout(timeout)
            try:
                j = self.q.receive()
            except TimeoutError:
                return None
            finally:
                self.q.sock.settimeout(20)
            self.q.events.append(j)
        return self.q.events.pop(0)

    def end(self):
        self.daemon.end()


def play(lines):
    c = Conversation()
    try:
        for send, recv, events in steps_of(lines):
            if 'run' in send:
                sh(*replace(send['run'], 'DIR', c.dir))
                continue
            text = json.dumps(send['send'])
            got = replace(c.say(send['send']), c.dir, 'DIR')
            bad = f'{got}' if ('error' in recv) != ('error' in got) else differs(recv, got)
            assert not bad, f'{text}: {bad}'
            left = events if 'pause' in text else without_pauses(events)
            while left:  # those of one job, or node, keep their order
                e = c.next_event(20)
                assert e is not None, f'{text}: no event {json.dumps(left[0])}'
                e = replace(e, c.dir, 'DIR')
                at = next((i for i, w in enumerate(left) if w['event'] == e['event'] and not differs(w, e)), None)
                assert at is not None, f'{text}: event {json.dumps(e)} for {json.dumps(left[0])}'
                name = lambda w: w['data'].get('id') or w['data'].get('device')
                assert all(name(w) != name(e) for w in left[:at]), f'{text}: {json.dumps(e)} before {json.dumps(left[0])}'
                left.pop(at)
    finally:
        c.end()


def record(program, path):
    out = []
    for name, lines in scenarios(path):
        c = Conversation(program)
        out.append({'scenario': name})
        for send, _, _ in steps_of(lines):
            out.append(send)
            if 'run' in send:
                sh(*replace(send['run'], 'DIR', c.dir))
                continue
            out.append({'recv': replace(c.say(send['send']), c.dir, 'DIR')})
            while (e := c.next_event(0.5)):
                e.pop('timestamp')
                out.append({'event': replace(e, c.dir, 'DIR')})
        c.end()
    with open(path, 'w') as f:
        f.writelines(json.dumps(j) + '\n' for j in out)


def main():
    if sys.argv[1] == '--record':
        return record(sys.argv[2], sys.argv[3])
    t = Tap()
    for path in sys.argv[1:]:
        for name, lines in scenarios(path):
            t.test(f'{os.path.basename(path)}: {name}', lambda: play(lines))
    return t.end()


sys.exit(main())
