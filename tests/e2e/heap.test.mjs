// SPDX-License-Identifier: Apache-2.0

// Programs that leak, each in its way, and one that does not: the leak is the first suspect, with
// the way to it; of a single snapshot as well.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

import {
  agent, line, lineOf, makeFolder, needNode, nodeOf, programPath, runNodiag, start,
} from './harness.mjs';

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

// V8 numbers what is not JavaScript anew in each snapshot, so all of it is new; and up to Node.js 22
// it does not know which JavaScript object keeps what is native.
test('a leak: messages that nobody reads', async () => {
  const files = takeSnapshots('message', 2);
  for (const { suspects } of [
    await askJson('diff', ...files),
    await askJson('summary', files[1]),
  ]) {
    const [first] = suspects;
    if (line >= 24) checkPath(first.path, 'inbox');
    else assert.match(first.path, /^Node \/ MessagePort/);
    assert.equal(first.class, 'Node / Message');
    assert.equal(first.count, 3 * OBJECTS);
    assert.ok(first.bytes > first.count * 4096, String(first.bytes));
  }
});

test('a program that does not leak', async () => {
  const files = takeSnapshots('steady', 3);
  assert.deepEqual((await askJson('diff', ...files)).suspects, []);
  assert.deepEqual((await askJson('diff', files[0], files[2])).suspects, []);
  assert.deepEqual((await askJson('summary', files[2])).suspects, []);
  await ask('diff', '--fail-if', '1M', ...files);
});

test('two children number the objects each for itself', async (t) => {
  const program = await start('heap-grow.cjs', { as: ['env', `LD_PRELOAD=${agent}`], warmUp: 300 });
  t.after(() => program.stop());
  const take = async (file) => {
    const run = await runNodiag(['heap', 'snapshot', '-o', file, String(program.pid)]);
    assert.equal(run.status, 0, run.stderr);
  };
  const folder = makeFolder();
  const files = ['1', '2'].map((name) => join(folder, `${name}.nd`));
  await take(files[0]);
  await program.ask('grow', '30000');
  await take(files[1]);
  const answer = await askJson('diff', ...files);
  assert.equal(answer.compared_by, 'ways');
  assert.equal(answer.suspects.length, 1);
  assert.match(answer.suspects[0].path, /^programs\/heap-grow\.cjs:\d+ planted$/);
  assert.equal(answer.suspects[0].class, 'Planted');
  assert.equal(answer.suspects[0].count, 30000);
  const { added, removed } = answer.classes.find((c) => c.class === 'Planted');
  assert.deepEqual([added, removed], [30000, 0]);
});

test('two processes, of which one got further', async () => {
  const [before] = takeSnapshots('emitter', 1);
  const [, after] = takeSnapshots('emitter', 2);
  const { compared_by: by, suspects } = await askJson('diff', before, after);
  assert.equal(by, 'ways');
  checkPath(suspects[0].path, leaks.emitter.path);
  assert.equal(suspects[0].count, OBJECTS);
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
