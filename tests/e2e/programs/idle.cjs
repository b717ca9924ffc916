// SPDX-License-Identifier: Apache-2.0
'use strict';

// Waits, with as many workers as its first argument says; a second one becomes its title. Asked to
// "end" it terminates one of its workers.

const { once } = require('node:events');
const { Worker } = require('node:worker_threads');
const { serve } = require('./lib/control.cjs');

const [count = '0', title] = process.argv.slice(2);
const workers = [];

async function main() {
  for (let i = 0; i < Number(count); i++) {
    // Names of threads are Node's from 24 on; one has a name of its own.
    const options = { eval: true, name: i ? undefined : 'first' };
    workers.push(new Worker('setInterval(() => {}, 1000)', options));
  }
  await Promise.all(workers.map((worker) => once(worker, 'online')));
  if (title) process.title = title;
  serve({ end: () => workers.pop().terminate() && true });
}

main();
