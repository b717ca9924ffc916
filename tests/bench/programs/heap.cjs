// SPDX-License-Identifier: Apache-2.0

// A program with as many objects as wanted: node heap.cjs USERS BEFORE AFTER. Always the same ones.
// Writes a snapshot, adds a hundredth, and writes another one.
'use strict';
const EventEmitter = require('node:events');
const v8 = require('node:v8');

class Address {
  constructor(id) {
    this.street = `street ${id % 977}`;
    this.zip = String(10000 + (id % 80000));
    this.position = { latitude: id / 7, longitude: id / 3 };
  }
}

class User extends EventEmitter {
  constructor(id) {
    super();
    this.id = id;
    this.name = `user ${id}`;
    this.address = new Address(id);
    this.tags = new Set(['all', `tag ${id % 100}`]);
    this.settings = { theme: id % 2 ? 'dark' : 'light', mail: { daily: id % 3 === 0 } };
    this.orders = Array.from({ length: id % 5 }, (_, i) => {
      return { id: i, total: id * 1.5, items: [i, id] };
    });
    this.on('touch', () => this.id);
  }
}

const users = new Map();
const seen = new WeakMap();

function add(count) {
  for (let i = 0; i < count; i++) {
    const user = new User(users.size);
    users.set(user.name, user);
    if (i % 10 === 0) seen.set(user, { at: i });
  }
}

const [count, before, after] = process.argv.slice(2);
add(Number(count));
v8.writeHeapSnapshot(before);
add(Number(count) / 100);
v8.writeHeapSnapshot(after);
console.log(users.size, seen.has(users));
