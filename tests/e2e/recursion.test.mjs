// SPDX-License-Identifier: Apache-2.0

// Deep stacks: whole as far as the walker goes, and a truthful leaf and a warning beyond.

import assert from 'node:assert/strict';
import test from 'node:test';

import { needSampling, recordProgram } from './harness.mjs';

const FILE = 'recursion.cjs';

needSampling();

const weigh = (stacks) => stacks.reduce((sum, { weight }) => sum + weight, 0);

test('600 frames are all there, from the root', async () => {
  const profile = await recordProgram(FILE, { args: ['600'] });
  const leaf = profile.own(FILE, 'leaf');
  assert.ok(profile.share(leaf) > 0.9, profile.table());
  const stacks = profile.stacks.filter((stack) => stack.calls.some(leaf));
  const [whole, cut] = [false, true].map((isCut) =>
    stacks.filter(({ calls }) => (calls[0].name === '[truncated]') === isCut),
  );
  for (const { calls } of whole) {
    assert.equal(calls.filter(profile.own(FILE, 'descend')).length, 600);
    assert.ok(calls.some(profile.own(FILE, 'root')));
  }
  // Below V8's own C++, which has no frame pointers, 16 KiB of the stack are known. It is there for
  // a moment now and then, as when memory is given back.
  for (const { calls } of cut) assert.notEqual(calls.at(-1).kind, 'js');
  assert.ok(weigh(cut) <= 0.01 * weigh(whole), profile.table());
  assert.ok(cut.length === 0 || profile.loss('truncated') > 0);
});

test('3000 frames keep their leaf, and the loss is told', async () => {
  const profile = await recordProgram(FILE, { args: ['3000'] });
  assert.ok(profile.share(profile.own(FILE, 'leaf')) > 0.9, profile.table());
  assert.ok(profile.loss('truncated') > 0);
  const deepest = Math.max(...profile.stacks.map(({ calls }) => calls.length));
  assert.ok(deepest >= 512, `${deepest} frames`);
});
