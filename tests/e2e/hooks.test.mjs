// SPDX-License-Identifier: Apache-2.0

// Before Node.js 24 requests are followed by a hook that makes every promise dearer. What serves none
// does without: a worker, a batch job, the primary of a cluster.

import assert from 'node:assert/strict';
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

test.after(() => program.stop());
