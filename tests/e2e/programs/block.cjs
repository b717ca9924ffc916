// SPDX-License-Identifier: Apache-2.0
'use strict';

// Keeps its event loop from polling in ways that are known, when a test asks for it, and tells by its
// own clocks how long each took. Between two of them the loop waits, or with the argument "busy" polls
// again and again without ever waiting.
//
//   block ROUNDS [NAME...]          block in each of these ways, or in all, so many times; answers
//                                   when done
//   blockAt PHASE MS [NAME...]      the same once, for so long, in a callback of a phase of the loop

const { execFileSync, execSync, spawn } = require('node:child_process');
const { pbkdf2Sync } = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const v8 = require('node:v8');
const vm = require('node:vm');

const { serve } = require('./lib/control.cjs');

/** A block lasts that long at least: a stall by any threshold, with time for some stacks. */
const BLOCK_MS = 120;

/** So long the program does nothing before a block. */
const PAUSE_MS = 80;

/** Nothing in it makes work for the garbage collector. */
const text = `${' '.repeat(1e6)}1`;
const code = 'function f(a) { return a ? [a, { a }] : f(a + 1); }\n'.repeat(4000);
const cell = new Int32Array(new SharedArrayBuffer(4));

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');

let blockMs = BLOCK_MS;
let end = 0;
let sink = 0;

// Each ends after blockMs of its own accord, in a function of its own.
const blocks = {
  js: function blockInJs() {
    do for (let i = 0; i < 1e5; i++) sink = (sink + (i % 7)) | 0;
    while (performance.now() < end);
  },
  regexp: function blockInRegexp() {
    do /^(a+)+$/.test('aaaaaaaaaaaaaaaaaaaa!');
    while (performance.now() < end);
  },
  json: function blockInJson() {
    do JSON.parse(text);
    while (performance.now() < end);
  },
  // One call, or a stack may fall between two.
  pbkdf2: function blockInPbkdf2() {
    do pbkdf2Sync('secret', 'salt', 3000 * blockMs, 32, 'sha256');
    while (performance.now() < end);
  },
  compile: function blockInCompile() {
    do new vm.Script(`${code};${end + performance.now()}`);
    while (performance.now() < end);
  },
  gc: function blockInGc() {
    do gc();
    while (performance.now() < end);
  },
  exec: function blockInExec() {
    execSync(`sleep ${blockMs / 1000}`);
  },
  wait: function blockInWait() {
    Atomics.wait(cell, 0, 0, blockMs);
  },
  read: function blockInRead() {
    fs.readSync(fifo.reader, Buffer.alloc(16));
  },
};

/** A fifo as two descriptors, without a name that could be left behind. */
function makeFifo() {
  const folder = fs.mkdtempSync(join(tmpdir(), 'nodiag-block-'));
  const path = join(folder, 'fifo');
  execFileSync('mkfifo', [path]);
  const writer = fs.openSync(path, 'r+');
  const reader = fs.openSync(path, 'r');
  fs.rmSync(folder, { recursive: true });
  return { writer, reader };
}

const fifo = makeFifo();

// Writes into it as many seconds after it was asked to as it was told, and ends when this program does.
const later = 'while read -r seconds; do sleep "$seconds"; echo; done';
const writer = spawn('sh', ['-c', later], { stdio: ['pipe', fifo.writer, 'ignore'] });

/** Milliseconds that this thread could have run but got no CPU. */
function waitedMs() {
  const [, waited] = fs.readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ');
  return Number(waited) / 1e6;
}

/** Block, and say for how long, and for how long of that without a CPU. */
function measure(name) {
  const waitedBefore = waitedMs();
  const start = performance.now();
  end = start + blockMs;
  blocks[name]();
  return { ms: performance.now() - start, waited: waitedMs() - waitedBefore };
}

/** A callback as a promise of what `body` returns in it. */
const inCallback = (ask) => (body) => new Promise((done) => ask(() => done(body())));

/** Call something in a phase of the loop. */
const phases = {
  timers: inCallback((callback) => setTimeout(callback, 1)),
  poll: inCallback((callback) => fs.stat(__filename, callback)),
  check: inCallback(setImmediate),
  close: inCallback((callback) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const socket = net.connect(server.address().port, '127.0.0.1', () => socket.destroy());
      socket.once('close', callback);
      socket.once('close', () => server.close());
    });
  }),
};

async function blockOnce(name, phase = 'timers') {
  await sleep(PAUSE_MS);
  if (name === 'read') writer.stdin.write(`${(PAUSE_MS + 2 * blockMs) / 1000}\n`);
  await sleep(PAUSE_MS);
  const turns = gaps.length;
  const waitedBefore = waitedMs();
  const usedBefore = performance.eventLoopUtilization();
  const { ms, waited } = await phases[phase](() => measure(name));
  const used = performance.eventLoopUtilization(usedBefore);
  await sleep(PAUSE_MS);
  return {
    name,
    function: blocks[name].name,
    ms,
    besideMs: used.active - ms,
    turnMs: gaps[turns] ?? ms,
    waitedMs: waited,
    aroundMs: waitedMs() - waitedBefore,
  };
}

/**
 * `ms`: how long it blocked; `besideMs`: for how long the loop was active around that, by libuv's idle
 * time; `turnMs`: how long the turn of the loop was in which it did, with "busy";
 * `waitedMs`: for how long of `ms` it had no CPU; `aroundMs`: of that and the turns around it; `gaps`: all
 * long turns, with "busy".
 *
 * @returns {{blocks: Array<{name: string, function: string, ms: number, besideMs: number,
 *   turnMs: number, waitedMs: number, aroundMs: number}>, gaps: number[]}}
 */
async function block(rounds, ...names) {
  const done = [];
  for (let round = 0; round < Number(rounds); round++)
    for (const name of names.length ? names : Object.keys(blocks)) done.push(await blockOnce(name));
  return { blocks: done, gaps };
}

async function blockAt(phase, ms, ...names) {
  blockMs = Number(ms);
  const done = [];
  for (const name of names.length ? names : Object.keys(blocks)) done.push(await blockOnce(name, phase));
  return { blocks: done };
}

const gaps = [];
let before = performance.now();

function turn() {
  const now = performance.now();
  if (now - before > BLOCK_MS / 2) gaps.push(now - before);
  before = now;
  setImmediate(turn);
}

if (process.argv[2] === 'busy') setImmediate(turn);

serve({ block, blockAt });
