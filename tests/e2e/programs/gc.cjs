// SPDX-License-Identifier: Apache-2.0
'use strict';

// usage: node --expose-gc gc.cjs
//
// Keeps V8's collectors busy, so that functions, closures and code move and die while they are
// being sampled. Functions that say so never run.

const { forever, serve } = require('./lib/control.cjs');

// Objects that die young: scavenges.
function churnYoung(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += [i, { value: i }, `${i}`].length;
  return sum;
}

// Objects that live long enough to be promoted, and die then: mark-compact.
const kept = new Map();
function churnOld(count) {
  for (let i = 0; i < count; i++) {
    const key = (i * 7919) % 50000;
    kept.set(key, { key, values: new Array(16).fill(key), next: kept.get((key * 31) % 50000) });
    if (i % 7 === 0) kept.delete((key * 17) % 50000);
  }
  for (const entry of kept.values()) entry.next = undefined;
}

// The same code in a new closure each time: the function moves, its identity does not.
function makeClosure(seed) {
  return function freshClosure(count) {
    let sum = seed;
    for (let i = 0; i < count; i++) sum = (sum * 31 + i) | 0;
    return sum;
  };
}

function runFreshClosures(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum ^= makeClosure(i)(2000);
  return sum;
}

// Code that is new each time and dead soon after.
let evals = 0;
function runShortLived(count) {
  const body = `let s = ${evals++}; while (n--) s = (s * 7 + n) | 0; return s;`;
  return (0, eval)(`(function shortLived(n) { ${body} })`)(count);
}

// Rests for so many collections that V8 throws its bytecode away and compiles it again.
function seldom(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + Math.imul(i, 2654435761)) | 0;
  return sum;
}

function neverChurn(count) {
  return churnYoung(count) + neverSeldom(count);
}

function neverSeldom(count) {
  return seldom(count) + 1;
}

let rounds = 0;
function round() {
  churnYoung(60000);
  churnOld(10000);
  runFreshClosures(200);
  runShortLived(200000);
  rounds++;
  if (rounds % 4 === 0) globalThis.gc();
  if (rounds % 40 === 0) seldom(20e6);
}

if (process.argv.includes('never')) neverChurn(1);
forever(round);
serve();
