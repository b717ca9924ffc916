// SPDX-License-Identifier: Apache-2.0
'use strict';

// Rounds of always the same work: five functions, each of which the program times itself.

const { serve, cpuUs } = require('./control.cjs');

/* Small enough for V8 to inline it into its only caller, and nearly all of that one's time. */
function mix(hash, value) {
  let h = Math.imul(hash ^ value, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15), 0x165667b1);
  h = Math.imul(h ^ (h >>> 14), 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 12), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 11), 0x846ca68b);
  h = Math.imul(h ^ (h >>> 17), 0x21f0aaad);
  return Math.imul(h ^ (h >>> 15), 0x735a2d97);
}

function mixAll(count) {
  let hash = 1;
  for (let i = 0; i < count; i++) hash = mix(hash, i);
  return hash;
}

function add(hash, value) {
  return (hash + value) | 0;
}

/* mixAll with a leaf that does nothing: what the loop costs by itself. */
function addAll(count) {
  let hash = 1;
  for (let i = 0; i < count; i++) hash = add(hash, i);
  return hash;
}

function buildLists(count) {
  let list = null;
  for (let i = 0; i < count; i++) list = { i, next: i % 64 ? list : null, pair: [i, i + 1] };
  return list;
}

function joinWords(count) {
  let text = '';
  for (let i = 0; i < count; i++) {
    text += String.fromCharCode(97 + (i % 26));
    if (i % 97 === 0) text = text.replace(/[aeiou]/g, '_').slice(-50);
  }
  return text.length;
}

function copyJson(count) {
  const value = { a: [1, 2, 3], b: { c: 'x'.repeat(20), d: [{ e: 1 }, { e: 2 }] } };
  let length = 0;
  for (let i = 0; i < count; i++)
    length += JSON.stringify(JSON.parse(JSON.stringify(value))).length;
  return length;
}

function fibonacci(n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

const MIXES = 100_000;

/* Each some milliseconds. */
const phases = {
  mixAll: () => mixAll(MIXES),
  buildLists: () => buildLists(80_000),
  joinWords: () => joinWords(40_000),
  copyJson: () => copyJson(900),
  fibonacci: () => fibonacci(22),
};

/* So that phases are long for a clock that moves in steps of 4 ms. */
const REPEATS = 20;

function threadCpuUs() {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

let rounds = 0;
const phaseUs = Object.fromEntries(Object.keys(phases).map((name) => [name, 0]));

/** Run a phase, and charge the CPU time of this thread to it. */
function runPhase(name) {
  const start = threadCpuUs();
  for (let i = 0; i < REPEATS; i++) phases[name]();
  phaseUs[name] += threadCpuUs() - start;
}

async function work(seconds) {
  const end = Date.now() + 1000 * seconds;
  while (Date.now() < end) {
    for (const name of Object.keys(phases)) runPhase(name);
    rounds++;
    await new Promise(setImmediate);
  }
  return {};
}

function time(fn) {
  const start = process.hrtime.bigint();
  fn();
  return Number(process.hrtime.bigint() - start);
}

/** The part of mixAll that is mix: what the loop takes with it and without, both compiled. */
function measureLeaf() {
  const shares = Array.from(
    { length: 101 },
    () => 1 - time(() => addAll(MIXES)) / time(phases.mixAll),
  );
  return shares.sort((a, b) => a - b)[50];
}

serve({
  work,
  usage: () => ({ cpuUs: cpuUs(), units: rounds }),
  times: () => phaseUs,
  leaf: measureLeaf,
});
