const { Worker, isMainThread, parentPort } = require('worker_threads');
function work() { let s = 0; const m = new Map(); for (let i = 0; i < 500000; i++) { m.set(i % 1000, 'x' + i); s = (s * 31 + m.get(i % 1000).length + Math.sqrt(i)) % 1e9; } return s; }
if (isMainThread) {
  let left = 4; const r = new Set();
  for (let i = 0; i < 4; i++) new Worker(__filename).on('message', (v) => { r.add(v); if (--left == 0) { if (r.size != 1) throw 'differs'; console.log('node ok', [...r][0]); } });
} else parentPort.postMessage(work());
