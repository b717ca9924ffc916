// SPDX-License-Identifier: Apache-2.0

// WebAssembly is named as such, below the JavaScript that called it.

import assert from 'node:assert/strict';
import test from 'node:test';

import { needSampling, recordProgram } from './harness.mjs';

needSampling();
const profile = await recordProgram('wasm.cjs');

test('the time is in wasm', () => {
  assert.ok(profile.share((frame) => frame.kind === 'wasm') > 0.9, profile.table());
});

test('its caller is known', () => {
  assert.ok(profile.share(profile.own('wasm.cjs', 'callsWasm')) > 0.9, profile.table());
});
