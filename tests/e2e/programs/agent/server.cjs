// SPDX-License-Identifier: Apache-2.0
'use strict';

// A server that does as it is told.

const fs = require('node:fs');
const { Worker } = require('node:worker_threads');
const http = require('node:http');
const { performance } = require('node:perf_hooks');
const { serve } = require('../lib/control.cjs');

function spin(ms) {
  for (const until = performance.now() + ms; performance.now() < until;);
}

const server = http.createServer((request, response) => response.end('hello'));

/** Some of everything, with the loop busy for about half of the time. */
function mix(round) {
  if (round % 3 === 0) spin(40);
  if (round % 5 === 0) fs.readFile(__filename, () => spin(5));
  if (round % 11 === 0) http.get({ port: server.address().port }, (response) => response.resume());
  if (round % 2 === 0) setImmediate(spin, 3);
  Promise.resolve().then(() => spin(1));
}

const churn = {};

const commands = {
  port: () => server.address().port,
  block: (ms) => {
    setImmediate(spin, Number(ms));
    return 0;
  },
  sleep: (ms) => {
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(ms)));
    return 0;
  },
  /** So many workers live at a time, each for some 30 ms, until so many have ended. */
  churn: (total, together) => {
    const code = 'const end = Date.now() + 20; setInterval(() => Date.now() > end && process.exit(3), 5)';
    churn.ended = churn.failed = 0;
    let born = 0;
    const bear = () => {
      if (born++ >= Number(total)) return;
      const worker = new Worker(code, { eval: true });
      worker.on('error', () => churn.failed++);
      worker.on('exit', (status) => {
        churn.ended++;
        if (status !== 3) churn.failed++;
        bear();
      });
    };
    for (let i = 0; i < Number(together); i++) bear();
    return 0;
  },
  churned: () => churn,
  gc: () => {
    gc();
    return 0;
  },
  /** Open files until there are no more. */
  fill: () => {
    const files = [];
    for (;;) {
      try {
        files.push(fs.openSync('/dev/null'));
      } catch {
        server.files = files;
        return files.length;
      }
    }
  },
  free: () => server.files.map((fd) => fs.closeSync(fd)).length,
  fork: (seconds) => require(process.env.ND_FORK).fork(Number(seconds)),
  setuid: (id) => {
    process.setgid(Number(id));
    process.setuid(Number(id));
    return process.getuid();
  },
  mix: () => {
    let round = 0;
    setInterval(() => mix(round++), 20);
    return 0;
  },
  /** Node's utilization of the loop in nanoseconds since it began, and when that was. */
  utilization: () => {
    const { active, idle } = performance.eventLoopUtilization();
    return { busy: active * 1e6, idle: idle * 1e6, atNs: Number(process.hrtime.bigint()) };
  },
};

server.listen(0, '127.0.0.1', () => serve(commands));
