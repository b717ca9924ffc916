// SPDX-License-Identifier: Apache-2.0
'use strict';

// Workers of all sorts that live at the same time.

const { Worker } = require('node:worker_threads');
const { look } = require('./look.cjs');

const code = `setInterval(() => {}, 10); require('node:worker_threads').parentPort.postMessage(1)`;
const sorts = [
  {},
  { execArgv: [], env: {} },
  { resourceLimits: { maxOldGenerationSizeMb: 16 } },
  { stdout: true, stderr: true, stdin: true },
  { trackUnmanagedFds: true },
];

let ready = 0;
const workers = sorts.map((options) => {
  const worker = new Worker(code, { eval: true, ...options });
  worker.once('message', () => {
    if (++ready < sorts.length) return;
    // Their loops come round once more.
    setTimeout(look, 100, () => {
      for (const other of workers) other.terminate();
      console.log('done');
    });
  });
  return worker;
});
