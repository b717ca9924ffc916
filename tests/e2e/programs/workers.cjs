// SPDX-License-Identifier: Apache-2.0
'use strict';

// The main thread and three workers, each with its own hot function.
//
// The workers' files have the same shape, so V8 numbers their scripts and functions alike in each
// isolate: who mixes the isolates up gives one worker's names to another.

const { join } = require('node:path');
const { Worker } = require('node:worker_threads');
const { forever, serve } = require('./lib/control.cjs');

function hotInMain(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + i * 3) | 0;
  return sum;
}

let waiting = 3;
for (const name of ['alpha', 'beta', 'gamma']) {
  const worker = new Worker(join(__dirname, 'workers', `${name}.cjs`), { name });
  worker.once('message', () => {
    if (--waiting === 0) serve();
  });
}
forever(() => hotInMain(2e6));
