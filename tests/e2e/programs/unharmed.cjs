// SPDX-License-Identifier: Apache-2.0
'use strict';

// Does what a stop could disturb: timers, requests, files, child processes, waiting with a limit,
// signals; and counts how often each went as it should, and what did not.

const { exec, execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const { isMainThread, parentPort, Worker } = require('node:worker_threads');

const done = {};
const errors = [];

function count(what) {
  done[what] = (done[what] ?? 0) + 1;
}

function check(what, ok) {
  if (ok) count(what);
  else errors.push(what);
}

/** Do something again and again; whatever it throws is an error. */
function repeat(what, step) {
  (async function turn() {
    try {
      check(what, await step());
    } catch (error) {
      errors.push(`${what}: ${error.code ?? error}`);
    }
    setImmediate(turn);
  })();
}

function inWorker() {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  setInterval(() => parentPort.postMessage({ done, errors }), 50);
  repeat('wait', () => {
    const start = process.hrtime.bigint();
    const result = Atomics.wait(cell, 0, 0, 5);
    return result === 'timed-out' && process.hrtime.bigint() - start >= 4_900_000n;
  });
  repeat('child process', () => execFileSync('sleep', ['0.01']).length === 0);
  repeat('sync file', () => fs.readFileSync(__filename).length > 1000);
}

function fetchPage(port) {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, path: '/page' }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve(text === 'x'.repeat(100000)));
    });
    request.on('error', reject);
  });
}

function inMain() {
  const { serve } = require('./lib/control.cjs');
  const worker = new Worker(__filename);
  let theirs = { done: {}, errors: [] };

  worker.on('message', (message) => (theirs = message));
  worker.on('error', (error) => errors.push(`worker: ${error}`));
  setInterval(() => count('timer'), 5);
  process.on('SIGUSR2', () => count('signal'));
  repeat('file', async () => (await fs.promises.readFile(__filename)).length > 1000);
  repeat('shell', () => new Promise((resolve) => exec('sleep 0.01', (error) => resolve(!error))));
  const server = http.createServer((request, response) => response.end('x'.repeat(100000)));
  server.listen(0, '127.0.0.1', () => {
    repeat('request', () => fetchPage(server.address().port));
    serve({
      report: () => ({
        done: { ...done, ...theirs.done },
        errors: [...errors, ...theirs.errors],
      }),
    });
  });
}

if (isMainThread) inMain();
else inWorker();
