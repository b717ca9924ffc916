// SPDX-License-Identifier: Apache-2.0
'use strict';

// Functions of many kinds, one after the other, with their true shares. Functions that say so
// never run, or only before the recording.

const crypto = require('node:crypto');
const { forever, serve } = require('./lib/control.cjs');
const { Truth } = require('./lib/truth.cjs');

function neverFib(n) {
  return n < 2 ? n : neverFib(n - 1) * neverFib(n - 2);
}

function fib(n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

function roundTrip(value) {
  return JSON.parse(JSON.stringify(value)).items.length;
}

function neverRoundTrip(value) {
  return JSON.stringify(JSON.parse(value));
}

class Matrix {
  constructor(size) {
    this.size = size;
    this.cells = Float64Array.from({ length: size * size }, (_, i) => i % 7);
  }

  neverTranspose() {
    return this.cells.map((_, i) => this.cells[(i % this.size) * this.size + i / this.size]);
  }

  multiply(other) {
    const size = this.size;
    const cells = new Float64Array(size * size);
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        let sum = 0;
        for (let i = 0; i < size; i++) {
          sum += this.cells[row * size + i] * other.cells[i * size + column];
        }
        cells[row * size + column] = sum;
      }
    }
    return cells[3];
  }

  neverInvert() {
    return new Matrix(this.size).multiply(this);
  }
}

function makeRandom(seed) {
  let state = seed;
  function neverReset() {
    state = seed;
  }
  function random(count) {
    for (let i = 0; i < count; i++) state = add(times(state, 1103515245), 12345) & 0x7fffffff;
    return state;
  }
  return { neverReset, random };
}

function times(a, b) {
  return Math.imul(a, b);
}

function add(a, b) {
  return (a + b) | 0;
}

const anonymous = Array.of((count) => {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.sqrt(i);
  return sum;
});

const neverAnonymous = Array.of((count) => anonymous[0](count * 2));

async function step(count) {
  await null;
  return afterAwait(count);
}

function afterAwait(count) {
  const text = 'abcdefghij';
  let hash = 0;
  for (let i = 0; i < count; i++) hash = (hash * 31 + text.charCodeAt(i % 10)) | 0;
  return hash;
}

async function neverAfterAwait(count) {
  await null;
  return afterAwait(count);
}

function countMatches(text) {
  const pattern = /([a-z]+)(\d+)([a-z]*)x?y*z/g;
  let count = 0;
  while (pattern.exec(text)) count++;
  return count;
}

function hash(buffer) {
  return crypto.createHash('sha256').update(buffer).digest('hex');
}

function neverHash(buffer) {
  return crypto.createHash('sha1').update(buffer).digest('hex');
}

function sortRows(rows) {
  return rows.slice().sort(function byKey(a, b) {
    return a.key - b.key;
  })[0];
}

function onlyAtStart(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum ^= i * 7;
  return sum;
}

const order = {
  items: Array.from({ length: 300 }, (_, i) => ({ id: i, name: `item ${i}`, tags: ['a', 'b'] })),
};
const left = new Matrix(60);
const right = new Matrix(60);
const { neverReset, random } = makeRandom(42);
const buffer = Buffer.alloc(512 * 1024, 7);
const text = 'abc123defxyz '.repeat(3000);
const rows = Array.from({ length: 2000 }, (_, i) => ({ key: (i * 7919) % 2003 }));
const truth = new Truth();

async function round() {
  truth.time('fib', () => fib(23));
  truth.time('roundTrip', () => roundTrip(order));
  truth.time('multiply', () => left.multiply(right));
  truth.time('random', () => random(120000));
  truth.time('anonymous', () => anonymous[0](200000));
  await truth.timeAsync('afterAwait', () => step(150000));
  truth.time('countMatches', () => countMatches(text));
  truth.time('hash', () => hash(buffer));
  truth.time('sortRows', () => sortRows(rows));
  truth.endRound();
}

onlyAtStart(50e6);
if (process.argv.includes('never')) {
  neverFib(neverRoundTrip('1') + neverHash('1') + neverAnonymous[0](1) + neverAfterAwait(1));
  left.neverInvert(left.neverTranspose(neverReset()));
}
forever(round);
serve({ report: (from, to) => truth.report(Number(from), Number(to)) });
