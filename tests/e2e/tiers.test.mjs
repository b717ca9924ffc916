// SPDX-License-Identifier: Apache-2.0

// A function is named, and its tier told, however V8 runs it.

import assert from 'node:assert/strict';
import test from 'node:test';

import { line, needSampling, recordProgram } from './harness.mjs';

const FILE = 'tiers.cjs';

const hasMaglev = Number(line) >= 20;
const noMaglev = hasMaglev ? ['--no-maglev'] : [];
const flagsOf = {
  ignition: ['--no-opt', '--no-sparkplug', ...noMaglev],
  sparkplug: ['--no-opt', '--sparkplug', '--always-sparkplug', ...noMaglev],
  turbofan: noMaglev,
  default: [],
};
// Before 24, --no-opt is the end of Maglev too.
if (Number(line) >= 24) flagsOf.maglev = ['--no-opt', '--maglev'];

needSampling();

for (const [tier, nodeFlags] of Object.entries(flagsOf)) {
  test([tier, ...nodeFlags].join(' '), async () => {
    const profile = await recordProgram(FILE, { nodeFlags });
    const hot = profile.own(FILE, 'hot');
    assert.ok(profile.share(hot) > 0.9, profile.table());
    const shares = profile.tierShares(hot);
    const text = `${JSON.stringify(shares)}\n${profile.table()}`;
    if (tier !== 'default') assert.ok(shares[tier] > 0.9, text);
    assert.ok((shares.none ?? 0) < 0.02, text);

    // step() is a call in the lower tiers and inlined in the upper ones: there in any case.
    const step = profile.own(FILE, 'step');
    assert.ok(profile.share(step) > 0.05, profile.table());
    for (const { calls } of profile.stacks.filter((stack) => stack.calls.some(step))) {
      assert.ok(calls.findIndex(hot) >= 0 && calls.findIndex(hot) < calls.findIndex(step));
    }
  });
}
