// SPDX-License-Identifier: Apache-2.0

// What a running process has in memory, without a snapshot of it.

import assert from 'node:assert/strict';
import test from 'node:test';

import { agent, needNode, runNodiag, start } from './harness.mjs';

const PROGRAM = 'heap-live.cjs';
const MIB = 1 << 20;
const BUFFER = 64 * MIB;

needNode();

async function look(pid) {
  const run = await runNodiag(['heap', 'summary', '--live', '--json', String(pid)]);
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout);
}

const mainOf = (seen) => seen.threads.find((thread) => thread.kind === 'main');

function usedIn(thread) {
  return Object.values(thread.spaces).reduce((sum, space) => sum + space.used_bytes, 0);
}

test('a heap that grows, and a buffer', async () => {
  const program = await start(PROGRAM, { as: ['env', `LD_PRELOAD=${agent}`], warmUp: 300 });
  const before = await look(program.pid);
  assert.equal(before.format, 'nodiag-heap-live');
  const parts = Object.values(before.resident).reduce((sum, bytes) => sum + bytes, 0);
  assert.equal(parts, before.resident_bytes);
  assert.equal(mainOf(before).tid, program.pid);
  assert.ok(usedIn(mainOf(before)) > 2 * MIB);
  assert.ok(before.resident.files_bytes > 10 * MIB, 'node itself is a file');

  await program.ask('grow', '300000');
  await program.ask('buffer', String(BUFFER));
  const after = await look(program.pid);
  assert.ok(usedIn(mainOf(after)) > usedIn(mainOf(before)) + 10 * MIB);
  assert.ok(after.resident.heap_bytes > before.resident.heap_bytes + 10 * MIB);
  assert.ok(after.resident.native_bytes > before.resident.native_bytes + 0.8 * BUFFER);
  assert.ok(mainOf(after).array_buffers_bytes >= BUFFER);
  await program.stop();
});

test('without an agent, it is loaded and stopped again', async () => {
  const program = await start(PROGRAM, { warmUp: 300 });
  const run = await runNodiag(['heap', 'summary', '--live', String(program.pid)]);
  assert.equal(run.status, 0, run.stderr);
  const text = run.stdout.toString();
  assert.match(text, /^\d+ .*heap-live\.cjs/);
  assert.match(text, /V8's heaps and code +\d/);
  assert.match(text, new RegExp(`main thread ${program.pid}`));
  assert.match(text, /\n {4}old +\d/);
  assert.equal((await runNodiag(['detach', String(program.pid)])).status, 3);
  await program.stop();
});
