// SPDX-License-Identifier: Apache-2.0

// Deep stacks: whole as far as the walker goes, and a truthful leaf and a warning beyond.

import assert from 'node:assert/strict';
import test from 'node:test';

import { needSampling, recordProgram } from './harness.mjs';

const FILE = 'recursion.cjs';

needSampling();

test('600 frames are all there, from the root', async () => {
  const profile = await recordProgram(FILE, { args: ['600'] });
  const leaf = profile.own(FILE, 'leaf');
  assert.ok(profile.share(leaf) > 0.9, profile.table());
  for (const { calls } of profile.stacks.filter((stack) => stack.calls.some(leaf))) {
    const depth = calls.filter(profile.own(FILE, 'descend')).length;
    assert.equal(depth, 600);
    assert.ok(calls.some(profile.own(FILE, 'root')));
  }
});

test('3000 frames keep their leaf, and the loss is told', async () => {
  const profile = await recordProgram(FILE, { args: ['3000'] });
  assert.ok(profile.share(profile.own(FILE, 'leaf')) > 0.9, profile.table());
  assert.ok(profile.loss('truncated') > 0);
  const deepest = Math.max(...profile.stacks.map(({ calls }) => calls.length));
  assert.ok(deepest >= 512, `${deepest} frames`);
});
