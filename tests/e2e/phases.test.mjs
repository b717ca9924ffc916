// SPDX-License-Identifier: Apache-2.0

// The profile agrees with what the program itself knows about where its time went.

import assert from 'node:assert/strict';
import test from 'node:test';

import { assertTrue, lineOf, needSampling, percent, recordWithTruth } from './harness.mjs';

const FILE = 'phases.cjs';
const anonymousLine = lineOf(FILE, '(count) => {');

const functions = {
  fib: 'fib',
  roundTrip: 'roundTrip',
  multiply: 'multiply',
  random: 'random',
  anonymous: (frame) => frame.line === anonymousLine,
  afterAwait: 'afterAwait',
  countMatches: 'countMatches',
  hash: 'hash',
  sortRows: 'sortRows',
};

needSampling();
const recorded = await recordWithTruth(FILE, { seconds: 4 });
const { profile } = recorded;

for (const [phase, name] of Object.entries(functions)) {
  test(`${phase} is within 3 points of the truth`, () => {
    assertTrue(recorded, phase, profile.own(FILE, name));
  });
}

test('no function that did not run is there', () => {
  const others = ['(anonymous)', 'times', 'add', 'step', 'byKey', 'round'];
  const ran = new Set([...others, ...Object.keys(functions)]);
  const neverAnonymous = lineOf(FILE, 'const neverAnonymous');
  for (const { frame, share } of profile.functionsOf(FILE)) {
    const there = ran.has(frame.name) && frame.line !== neverAnonymous;
    assert.ok(there || share <= 0.005, `${frame.name}, line ${frame.line}: ${percent(share)}`);
  }
});

test('inlined functions are named in their callers', () => {
  const random = profile.own(FILE, 'random');
  const below = profile.stacks.filter(
    ({ calls }) => calls.some(random) && calls.some(profile.own(FILE, 'times')),
  );
  assert.ok(below.length > 0);
  for (const { calls } of below) {
    assert.ok(calls.findIndex(random) < calls.findIndex(profile.own(FILE, 'times')));
  }
});
