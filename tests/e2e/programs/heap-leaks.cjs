// SPDX-License-Identifier: Apache-2.0

// A program that leaks in one way: node heap-leaks.cjs WAY FOLDER SNAPSHOTS. Writes a heap snapshot
// to FOLDER after each round of work, 1.heapsnapshot and on.
'use strict';
const { AsyncLocalStorage, AsyncResource } = require('node:async_hooks');
const EventEmitter = require('node:events');
const { join } = require('node:path');
const v8 = require('node:v8');
const { MessageChannel } = require('node:worker_threads');

const OBJECTS = 2000;
const BODY = 400;

class LeakedContext {
  constructor(number) {
    this.number = number;
    this.body = new Array(BODY).fill(number + 0.5);
  }
}

const requestBus = new EventEmitter();
requestBus.setMaxListeners(0);
const responseCache = new Map();
const pendingReplies = new Map();
const storage = new AsyncLocalStorage();
const runningJobs = [];
const receivedParts = [];
const auditTrail = [];
const { port1: inbox, port2: outbox } = new MessageChannel();
let nextNumber = 0;

function addListener() {
  const context = new LeakedContext(nextNumber++);
  requestBus.on('request', function onRequest() {
    return context.number;
  });
}

function addToCache() {
  responseCache.set(`user:${nextNumber}`, new LeakedContext(nextNumber++));
}

function addTimer() {
  const context = new LeakedContext(nextNumber++);
  setTimeout(function expire() {
    return context.number;
  }, 3_600_000).unref();
}

async function waitForever() {
  const context = new LeakedContext(nextNumber++);
  await new Promise((resolve) => pendingReplies.set(context.number, resolve));
  return context.number;
}

function addStore() {
  storage.run(new LeakedContext(nextNumber++), () => {
    runningJobs.push(new AsyncResource('JOB'));
  });
}

function addSlice() {
  receivedParts.push(Buffer.allocUnsafeSlow(4096).subarray(0, 16));
}

function addToArray() {
  auditTrail.push(new LeakedContext(nextNumber++));
}

// As a worker does that is faster than who reads what it sends.
function post() {
  const part = new ArrayBuffer(4096);
  outbox.postMessage({ number: nextNumber++, part }, [part]);
}

// What a service does: everything is gone when the next one comes.
let current = null;
function forgetAgain() {
  current = new LeakedContext(nextNumber++);
  current.timer = setTimeout(() => {}, 3_600_000).unref();
  clearTimeout(current.timer);
}

const ways = {
  emitter: addListener,
  cache: addToCache,
  timer: addTimer,
  promise: waitForever,
  storage: addStore,
  buffer: addSlice,
  array: addToArray,
  message: post,
  steady: forgetAgain,
};

function work(leak) {
  for (let i = 0; i < OBJECTS; i++) leak();
}

async function main([way, folder, snapshots]) {
  work(ways[way]);
  for (let i = 1; i <= Number(snapshots); i++) {
    work(ways[way]);
    await new Promise(setImmediate);
    v8.writeHeapSnapshot(join(folder, `${i}.heapsnapshot`));
  }
  process.exit(0);
}

// As in a service, something outside keeps what this module has.
process.on('exit', () => {
  console.log(requestBus, responseCache.size, pendingReplies.size, runningJobs.length,
    receivedParts.length, auditTrail.length, storage.getStore(), inbox, current);
});

main(process.argv.slice(2));
