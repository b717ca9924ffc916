// SPDX-License-Identifier: Apache-2.0

// Names stay right while V8 moves functions, throws code away and frees it.

import assert from 'node:assert/strict';
import test from 'node:test';

import { needSampling, percent, recordProgram } from './harness.mjs';

const FILE = 'gc.cjs';

needSampling();
const profile = await recordProgram(FILE, { nodeFlags: ['--expose-gc'], seconds: 3 });

test('all busy functions are there', () => {
  const own = ['churnYoung', 'churnOld', 'freshClosure', 'seldom'];
  for (const match of [...own.map((name) => profile.own(FILE, name)), 'shortLived']) {
    assert.ok(profile.share(match) > 0.01, profile.table());
  }
});

test('no other function of the program is there', () => {
  const ran = new Set([
    'churnYoung',
    'churnOld',
    'makeClosure',
    'freshClosure',
    'runFreshClosures',
    'runShortLived',
    'seldom',
    'round',
  ]);
  for (const { frame, share } of profile.functionsOf(FILE)) {
    assert.ok(ran.has(frame.name) || share <= 0.005, `${frame.name}: ${percent(share)}`);
  }
});

test('the collector is labelled', () => {
  const collector = profile.share((frame) => frame.kind === 'gc');
  assert.ok(collector > 0.01, `gc: ${percent(collector)}\n${profile.table()}`);
});

test('functions that could not be named are few', () => {
  const unnamed = profile.share(isUnnamed);
  assert.ok(unnamed <= 0.02, `${percent(unnamed)}\n${profile.table()}`);
});

function isUnnamed(frame) {
  return frame.name === '[unknown JS]';
}
