// SPDX-License-Identifier: Apache-2.0
'use strict';

// Ends in one of many ways while its loop and a worker's are busy.

const { Worker, isMainThread, workerData } = require('node:worker_threads');

const way = isMainThread ? process.argv[2] : workerData;

const ways = {
  falls: () => clearInterval(pulse),
  exits: () => process.exit(5),
  exitsInImmediate: () => setImmediate(() => process.exit(5)),
  exitsWithWorker: () => startWorker(() => process.exit(5)),
  exitsInWorker: () => startWorker(() => {}, 'exits').on('exit', (status) => process.exit(status)),
  throwsInWorker: () => {
    startWorker(() => {}, 'throws').on('error', (err) => {
      console.log(err.message);
      process.exit(6);
    });
  },
  terminatesWorker: () => {
    const worker = startWorker(async () => process.exit(await worker.terminate()), 'spins');
  },
  spins: () => {
    for (;;);
  },
  throws: () => {
    throw new Error('thrown');
  },
  rejects: () => Promise.reject(new Error('rejected')),
  throwsAndGoesOn: () => {
    process.on('uncaughtException', (err) => {
      console.log(err.message);
      setTimeout(process.exit, 20, 5);
    });
    throw new Error('thrown');
  },
  handlesTerm: () => {
    process.on('SIGTERM', () => process.exit(8));
    process.kill(process.pid, 'SIGTERM');
  },
  term: () => process.kill(process.pid, 'SIGTERM'),
  interrupt: () => process.kill(process.pid, 'SIGINT'),
  aborts: () => process.abort(),
  kills: () => process.kill(process.pid, 'SIGKILL'),
};

function startWorker(online, data = 'nothing') {
  return new Worker(__filename, { workerData: data }).once('message', online);
}

const pulse = setInterval(() => {
  for (const until = Date.now() + 1; Date.now() < until;);
}, 5);
if (!isMainThread) require('node:worker_threads').parentPort.postMessage('online');
setTimeout(() => {
  if (isMainThread) console.log('now');
  ways[way]?.();
}, 60);
