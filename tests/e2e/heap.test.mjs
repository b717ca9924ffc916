// SPDX-License-Identifier: Apache-2.0

// Programs that leak, each in its way, and one that does not: the leak is the first suspect, with
// the way to it; of a single snapshot as well.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

import { line, lineOf, makeFolder, needNode, nodeOf, programPath, runNodiag } from './harness.mjs';

const PROGRAM = 'heap-leaks.cjs';

// What the program adds for each snapshot.
const OBJECTS = 2000;

needNode();

/** Let the program leak, and return the paths of its snapshots. */
function takeSnapshots(way, count) {
  const folder = makeFolder();
  execFileSync(nodeOf(line), [programPath(PROGRAM), way, folder, count], { stdio: 'pipe' });
  return Array.from({ length: count }, (_, i) => join(folder, `${i + 1}.heapsnapshot`));
}

async function ask(...args) {
  const run = await runNodiag(['heap', ...args]);
  assert.equal(run.status, 0, run.stderr);
  return run.stdout;
}

async function askJson(...args) {
  return JSON.parse(await ask(...args, '--json'));
}

// Behind "file:line ", which is of whichever function of the scope V8 still has.
const leaks = {
  emitter: { path: 'requestBus._events.request', class: 'Function', example: 'onRequest' },
  cache: { path: 'responseCache', class: 'LeakedContext', example: 'LeakedContext' },
  timer: { path: /timerListMap\[3600000\]/, class: 'Timeout', example: 'Timeout' },
  promise: { path: 'pendingReplies', class: 'Function' },
  storage: { path: 'runningJobs', class: 'AsyncResource', example: 'AsyncResource' },
  buffer: { path: 'receivedParts', class: 'Buffer', example: 'Buffer' },
  array: { path: 'auditTrail', class: 'LeakedContext', example: 'LeakedContext' },
};

function checkPath(path, expected) {
  if (expected instanceof RegExp) assert.match(path, expected);
  else assert.match(path, new RegExp(`^programs/${PROGRAM}:\\d+ ${expected}$`));
}

for (const [way, expected] of Object.entries(leaks)) {
  test(`a leak: ${way}`, async () => {
    const files = takeSnapshots(way, 2);
    const { suspects, grown_bytes: grown } = await askJson('diff', ...files);
    const [first, ...others] = suspects;
    checkPath(first.path, expected.path);
    assert.equal(first.class, expected.class);
    assert.equal(first.count, OBJECTS);
    if (expected.example) assert.equal(first.example.name, expected.example);
    assert.ok(first.share > 0.9, `${first.share} of what is new`);
    assert.ok(Math.abs(first.bytes - grown) < grown / 10, `${first.bytes} of ${grown}`);
    assert.deepEqual(others, []);

    const single = await askJson('summary', files[1]);
    checkPath(single.suspects[0].path, expected.path);
    assert.equal(single.suspects[0].class, expected.class);
  });
}

test('a program that does not leak', async () => {
  const files = takeSnapshots('steady', 3);
  assert.deepEqual((await askJson('diff', ...files)).suspects, []);
  assert.deepEqual((await askJson('diff', files[0], files[2])).suspects, []);
  assert.deepEqual((await askJson('summary', files[2])).suspects, []);
  await ask('diff', '--fail-if', '1M', ...files);
});

test('three snapshots, the threshold, and what keeps the objects', async () => {
  const files = takeSnapshots('array', 3);
  const { suspects, classes } = await askJson('diff', ...files);
  assert.equal(suspects.length, 1);
  assert.equal(suspects[0].count, 2 * OBJECTS);
  assert.equal(suspects[0].step_bytes.length, 2);
  assert.equal(suspects[0].step_bytes[0], suspects[0].step_bytes[1]);
  const leaked = classes.find((c) => c.class === 'LeakedContext');
  assert.equal(leaked.added, 2 * OBJECTS);
  assert.equal(leaked.line, lineOf(PROGRAM, 'constructor(number)'));

  const over = await runNodiag(['heap', 'diff', '--fail-if', '1M', ...files]);
  assert.equal(over.status, 5);
  assert.match(over.stderr, /the heap grew by 1[23]\.\d MiB, over --fail-if 1M/);

  const { ways } = await askJson('retainers', files[2], 'LeakedContext');
  assert.equal(ways.length, 1);
  assert.equal(ways[0].count, 4 * OBJECTS);
  checkPath(ways[0].path.replace('[*]', ''), 'auditTrail');
  const object = await askJson('retainers', files[2], `@${suspects[0].example.id}`);
  assert.equal(object.object.class, 'LeakedContext');
  assert.ok(object.way.some((step) => step.edge_name === 'auditTrail'));
});

test('packed, it is the same', async () => {
  const [file] = takeSnapshots('buffer', 1);
  const packed = `${file}.gz`;
  writeFileSync(packed, gzipSync(readFileSync(file), { level: 1 }));
  const plain = await askJson('summary', file);
  assert.deepEqual({ ...(await askJson('summary', packed)), file }, plain);
});
