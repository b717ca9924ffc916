// SPDX-License-Identifier: Apache-2.0
'use strict';

// Keeps secrets in all the places where a program has texts, and a worker that keeps objects.

const { Worker } = require('node:worker_threads');

const { serve } = require('./lib/control.cjs');

class Account {
  constructor(number) {
    // Flat, as texts from outside are: of those that were joined V8 writes nothing.
    this.passwordOfAccount = Buffer.from(`secret-password-${number % 10}`).toString();
  }
}

const accounts = Array.from({ length: 500 }, (_, i) => new Account(i));

const kept = {
  byToken: Object.fromEntries(accounts.map((account, i) => [`secret-4711${i}`, account])),
  byAddress: { 'secret@example.org': 1 },
  map: new Map(accounts.map((account, i) => [`secret-key-${i}`, account])),
  weak: new WeakMap(accounts.map((account) => [account, account.passwordOfAccount])),
  parsed: JSON.parse('{"list":["secret-one","\\u00e9secret-two"]}'),
  joined: accounts[0].passwordOfAccount + accounts[1].passwordOfAccount,
  sliced: 'long-secret-'.repeat(20).slice(3, 90),
  pattern: new RegExp(`secret-${accounts.length}`),
  symbol: Symbol('a secret, described'),
  wrapped: new String('secret-wrapped'),
};

const worker = new Worker(
  `class InWorker { constructor(number) { this.number = number; } }
   globalThis.kept = Array.from({ length: 777 }, (_, i) => new InWorker(i));
   setInterval(() => {}, 20);`,
  { eval: true },
);

worker.on('online', () => serve({ count: () => Object.keys(kept).length }));
