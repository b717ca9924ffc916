// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: stuck.cjs HOW: get stuck in a known place, and stay there.

const { execSync } = require('node:child_process');
const { pbkdf2, pbkdf2Sync } = require('node:crypto');
const fs = require('node:fs');
const { isMainThread, Worker, workerData } = require('node:worker_threads');

function spin() {
  for (;;) Math.random();
}

function descend(left) {
  if (left === 0) spin();
  return descend(left - 1) + 1;
}

function waitForever() {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(cell, 0, 0); // here
}

const ways = {
  loop() {
    spin(); // loop
  },
  wait() {
    waitForever(); // wait
  },
  derive() {
    pbkdf2Sync('secret', 'salt', 1e9, 64, 'sha512'); // derive
  },
  child() {
    execSync('sleep 600'); // child
  },
  read() {
    fs.readSync(0, Buffer.alloc(16)); // read
  },
  deep() {
    descend(9000); // deep
  },
  idle() {
    setInterval(() => {}, 1e6);
  },
  pool() {
    for (let i = 0; i < 4; i++) pbkdf2('secret', 'salt', 1e9, 64, 'sha512', () => {});
  },
};

// "worker-HOW" does it in a worker, while the main thread waits for events.
const how = isMainThread ? process.argv[2] : workerData;
if (how.startsWith('worker-')) {
  new Worker(__filename, { workerData: how.slice('worker-'.length), name: 'porter' });
  fs.readFile(__filename, () => {});
  process.stdin.resume();
} else {
  setImmediate(() => ways[how]());
}
if (isMainThread) fs.writeSync(1, 'ready\n');
