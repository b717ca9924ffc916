// SPDX-License-Identifier: Apache-2.0

// Functions from eval() and new Function().

import assert from 'node:assert/strict';
import test from 'node:test';

import { assertTrue, needSampling, recordWithTruth } from './harness.mjs';

needSampling();
const recorded = await recordWithTruth('eval.cjs');
const { profile } = recorded;

const functions = {
  evaluated: 'hotFromEval',
  constructed: (frame) => frame.name === '(anonymous)' && !frame.file.endsWith('/eval.cjs'),
  named: 'hotWithSourceUrl',
};

for (const [phase, match] of Object.entries(functions)) {
  test(`what was ${phase} has its share`, () => {
    assertTrue(recorded, phase, match);
  });
}

test('a sourceURL is the file', () => {
  const named = profile.frames.find((frame) => frame.name === 'hotWithSourceUrl');
  assert.equal(named.file, 'generated-by-a-template.js');
});
