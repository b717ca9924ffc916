// SPDX-License-Identifier: Apache-2.0

// What the tests of heap snapshots ask of programs that plant objects, and of their snapshots.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { runNodiag } from './harness.mjs';

/** The objects of class Planted in a snapshot. */
export async function countPlanted(file) {
  const run = await runNodiag(['heap', 'summary', '--json', '--limit', '1000', file]);
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout).classes.find((c) => c.class === 'Planted').count;
}

/** What heap-live.cjs has noticed; it must go on, and have lost no request. */
export async function goesOn(program) {
  const before = await program.ask('seen');
  let now = before;
  for (let tries = 0; tries < 1000 && now.requests < before.requests + 20; tries++) {
    await sleep(5);
    now = await program.ask('seen');
  }
  assert.ok(now.requests >= before.requests + 20, 'it does not go on');
  assert.equal(now.failed, 0);
  return now;
}
