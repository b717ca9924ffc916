// SPDX-License-Identifier: Apache-2.0

// Objects of all kinds that are hard to class or to dominate: node objects.cjs FILE writes a heap
// snapshot of them.
'use strict';
const v8 = require('node:v8');

class Item {
  constructor(number) {
    this.number = number;
    this.inner = { x: number, text: `item ${number}` };
  }
}

/** Keys that live and keys that do not, values that hold their keys, maps with one key. */
function makeWeak() {
  const first = new WeakMap();
  const second = new WeakMap();
  const keys = [];
  for (let i = 0; i < 1000; i++) {
    const key = new Item(i);
    if (i % 3) keys.push(key);
    first.set(key, { item: new Item(i), key });
    if (i % 5 === 0) first.set({ i }, key);
  }
  for (const key of keys) second.set(key, first.get(key));
  const registry = new FinalizationRegistry(() => {});
  for (const key of keys) registry.register(key, { held: true });
  const refs = keys.map((key) => new WeakRef(key));
  return { first, second, keys, set: new WeakSet(keys), refs, registry };
}

/** Plain objects that look alike, or nearly so, with names that need quotes. */
function makePlain() {
  const list = [];
  for (let i = 0; i < 3000; i++) {
    const object = {};
    for (let k = 0; k < i % 9; k++) object[`p${(i * 7 + k) % 23}`] = {};
    object[`q"x,${i % 3}`] = 'text';
    list.push(object);
  }
  const dictionary = {};
  for (let i = 0; i < 3000; i++) dictionary[`key${i}`] = { a: String(i), b: [i] };
  const symbols = Array.from({ length: 50 }, (_, i) => ({ [Symbol(`s${i}`)]: {} }));
  return { list, dictionary, symbols };
}

function makeStrings() {
  const parts = Array.from({ length: 300 }, (_, i) => `a longer text, the one of number ${i}`);
  const cons = parts.map((part) => part + part.slice(3));
  return { cons, slice: 'x'.repeat(5000).slice(100, 4000) };
}

function* generate() {
  const kept = Array.from({ length: 100 }, () => ({}));
  yield kept;
}

const generator = generate();
generator.next();
const sparse = [];
sparse[4294967290] = { far: 'away' };

globalThis.objects = {
  weak: makeWeak(),
  plain: makePlain(),
  strings: makeStrings(),
  generator,
  sparse,
  buffers: Array.from({ length: 50 }, () => Buffer.alloc(5000)),
  proxy: new Proxy({ target: 1 }, {}),
  regexp: /a+b/g,
  bigint: 2n ** 300n,
  promise: new Promise(() => {}).then(() => 1),
};

v8.writeHeapSnapshot(process.argv[2]);
