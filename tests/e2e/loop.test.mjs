// SPDX-License-Identifier: Apache-2.0

// A program that never returns to its event loop is seen all the same.

import assert from 'node:assert/strict';
import test from 'node:test';

import { needSampling, recordProgram } from './harness.mjs';

needSampling();

test('a sync infinite loop shows who loops', async () => {
  const profile = await recordProgram('loop.cjs');
  assert.ok(profile.share(profile.own('loop.cjs', 'stuck')) > 0.95, profile.table());
  assert.ok(profile.share(profile.own('loop.cjs', 'spin')) > 0.9, profile.table());
});
