// SPDX-License-Identifier: Apache-2.0
'use strict';

// Makes asynchronous resources of known numbers, in known places, here and in a worker where its
// first argument is "worker". It has no WeakMap where that is "bare", and one that throws where it is
// "broken". Asked for "hooks" it tells whether anything else than Node.js is hooked into
// async_hooks.

const { AsyncLocalStorage, createHook } = require('node:async_hooks');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const { Worker, isMainThread } = require('node:worker_threads');
const { serve } = require('./lib/control.cjs');

const kept = [];
const prototype = createHook({}).constructor.prototype;

function leakTimers(count) {
  for (let i = 0; i < count; i++) kept.push(setTimeout(() => {}, 1e9)); // leaked timer
}

function waitShortly() {
  return new Promise((done) => setTimeout(done, 20)); // short timer
}

function forgetPromises(count) {
  for (let i = 0; i < count; i++) kept.push(new Promise(() => {})); // forgotten promise
}

function readFiles(count) {
  const one = () => new Promise((done) => fs.stat(__filename, done)); // file request
  return Promise.all(Array.from({ length: count }, one));
}

async function keepSockets(count) {
  const server = net.createServer((socket) => kept.push(socket)).unref();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  for (let i = 0; i < count; i++) {
    const socket = net.connect(server.address().port, '127.0.0.1'); // kept socket
    await once(socket, 'connect');
    kept.push(socket.unref());
  }
}

// A stranger's hooks, enabled while ours are there, must not make promises slow or lose anything.
async function useStorage() {
  const storage = new AsyncLocalStorage();
  return storage.run('kept', async () => {
    await waitShortly();
    return storage.getStore();
  });
}

async function make() {
  leakTimers(50);
  forgetPromises(30);
  await readFiles(40);
  await keepSockets(5);
  for (let i = 0; i < 20; i++) await waitShortly();
  return { store: await useStorage() };
}

const hooks = () => prototype.enable.name === 'guarded';

// What the collector finds in the heap: 64 MiB of buffers.
function fill() {
  for (let i = 0; i < 64; i++) kept.push(Buffer.alloc(1 << 20, i));
  return true;
}

if (!isMainThread) {
  leakTimers(7);
  setInterval(() => {}, 100);
} else if (process.argv[2] === 'worker') {
  let worker;
  const startWorker = async () => {
    worker = new Worker(__filename);
    await once(worker, 'online');
    return true;
  };
  serve({ hooks, make: startWorker, stop: () => worker.terminate() });
} else {
  if (process.argv[2] === 'bare') delete globalThis.WeakMap;
  if (process.argv[2] === 'broken') {
    WeakMap.prototype.get = () => {
      throw new Error('broken');
    };
  }
  serve({ hooks, make, fill });
}
