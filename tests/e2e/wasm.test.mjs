// SPDX-License-Identifier: Apache-2.0

// WebAssembly is named as such, below the JavaScript that called it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';

import { agent, needSampling, readAgent, recordProgram, start } from './harness.mjs';

needSampling();

const SAMPLE = 5; // enum nd_event_kind

const profile = await recordProgram('wasm.cjs');

test('the time is in wasm', () => {
  assert.ok(profile.share((frame) => frame.kind === 'wasm') > 0.9, profile.table());
});

test('its caller is known', () => {
  assert.ok(profile.share(profile.own('wasm.cjs', 'callsWasm')) > 0.9, profile.table());
});

// V8 of Node.js 18 and 20 gives it memory with a protection key, where the processor has some, which
// a signal handler may not even read unless it asks.
test('the agent interrupts it, and it goes on', async () => {
  const program = await start('wasm.cjs', { as: ['env', `LD_PRELOAD=${agent}`], warmUp: 200 });
  try {
    const { stdout } = spawnSync(readAgent, [String(program.pid), 'cpu', '99'], { encoding: 'utf8' });
    assert.equal(program.child.exitCode ?? program.child.signalCode, null, 'it is gone');
    const { events } = JSON.parse(stdout.split('\n').at(-2));
    assert.ok(events[SAMPLE] > 20, `${events[SAMPLE]} samples`);
  } finally {
    await program.stop();
  }
});
