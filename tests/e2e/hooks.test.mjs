// SPDX-License-Identifier: Apache-2.0

// Before Node.js 24 requests are followed by a hook that makes every promise dearer. What serves none
// does without: a worker, a batch job, the primary of a cluster.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { agent, line, needNode, start, untilTraced } from './harness.mjs';

needNode();

const program = await start('hooks.cjs', {
  as: ['env', `LD_PRELOAD=${agent}`, 'NODIAG_TRACE=1'],
});
await untilTraced(program.pid);

const request = async () =>
  (await fetch(`http://127.0.0.1:${await program.ask('port')}`)).text();

test('nothing is followed before the first request', async () => {
  assert.equal(await program.ask('follows'), false);
});

test('from then on all is, where there is no other way', async () => {
  await request();
  assert.equal(await program.ask('follows'), line < 24);
});

test('what is executed is only kept where the program asks for it', { skip: line >= 24 }, async () => {
  assert.equal(await program.ask('keeps'), false);
  await program.ask('ask');
  await request();
  assert.equal(await program.ask('keeps'), true);
});

const script = readFileSync(new URL('../../agent/binding.js', import.meta.url), 'utf8');
const loadBinding = new Function('process', `'use strict'; ${script} return loadBinding();`);

test('what Node deprecates is taken without a word, and never by force', () => {
  const process = {
    binding: (name) => process.noDeprecation === true && name,
  };
  assert.equal(loadBinding(process), 'async_wrap');
  assert.ok(!('noDeprecation' in process));
  process.noDeprecation = false;
  assert.equal(loadBinding(process), 'async_wrap');
  assert.equal(process.noDeprecation, false);
  process.binding = () => {
    throw new Error('no access');
  };
  assert.equal(loadBinding(process), undefined);
  assert.equal(process.noDeprecation, false);
  assert.equal(loadBinding(Object.freeze(process)), undefined);
});

test.after(() => program.stop());
