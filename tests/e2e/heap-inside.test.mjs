// SPDX-License-Identifier: Apache-2.0

// Heap snapshots without a child: the process stands still, says for how long, and goes on as it was.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

import { agent, makeFolder, needNode, runNodiag, start, until } from './harness.mjs';
import { countPlanted, goesOn } from './planted.mjs';

const PROGRAM = 'heap-live.cjs';
const OBJECTS = 12345;

/** The child cannot be made: the agent's clone(2) fails. Threads have clone3(2). */
const WITHOUT_FORK = [process.env.ND_DENY, 'clone', '--', 'env', `LD_PRELOAD=${agent}`];

needNode();

function take(program, ...args) {
  const options = ['heap', 'snapshot', '--timeout', '60s', ...args];
  return runNodiag([...options, String(program.pid)]);
}

/** The planted objects in the only file of a run. */
function countIn(run) {
  assert.equal(run.status, 0, run.stderr);
  assert.equal(run.files.length, 1);
  return countPlanted(join(run.folder, run.files[0]));
}

const COST = new RegExp(
  '^nodiag: \\d+: will stand still for about \\d+ to \\d+ s, and take up to \\d+ MiB more memory: ' +
    'it has \\d+ MiB of heap\\n(?:.*\\n)*nodiag: \\d+: stood still for \\d+\\.\\d s\\n',
  'm',
);

test('where the process cannot fork', async (t) => {
  const program = await start(PROGRAM, { as: WITHOUT_FORK, warmUp: 300 });
  t.after(() => program.stop());
  const refused = await take(program);
  assert.equal(refused.status, 4);
  assert.match(refused.stderr, /cannot fork: operation not permitted\nhint: --in-process/);
  assert.deepEqual(refused.files, []);

  const { fds } = await goesOn(program);
  const plain = await take(program, '--in-process', '-f', 'heapsnapshot');
  assert.match(plain.stderr, COST);
  assert.equal(await countIn(plain), OBJECTS);
  const text = readFileSync(join(plain.folder, plain.files[0]), 'utf8');
  assert.ok(text.includes('planted 77"'));

  const redacted = await take(program, '--in-process', '--redact', '-o', 'redacted.heapsnapshot');
  assert.equal(await countIn(redacted), OBJECTS);
  const other = readFileSync(join(redacted.folder, redacted.files[0]), 'utf8');
  assert.ok(!other.includes('planted 77"'));

  const packed = await take(program, '--in-process');
  assert.match(packed.files[0], /\.nd$/);
  assert.equal(await countIn(packed), OBJECTS);
  const now = await goesOn(program);
  assert.ok(now.fds <= fds + 4, `${fds} descriptors before, ${now.fds} after`);
});

test('where there is little memory', async (t) => {
  if (process.getuid() !== 0) return t.skip('needs root to tell nodiag of another machine');
  const program = await start(PROGRAM, { as: ['env', `LD_PRELOAD=${agent}`], warmUp: 300 });
  t.after(() => program.stop());
  const meminfo = join(makeFolder(), 'meminfo');
  const run = (mib, ...args) => {
    writeFileSync(meminfo, `MemAvailable: ${mib * 1024} kB\n`);
    const script = 'mount --bind "$0" /proc/meminfo && exec "$@"';
    const as = ['unshare', '-m', 'sh', '-c', script, meminfo];
    return runNodiag(['heap', 'snapshot', ...args, String(program.pid)], { as });
  };
  // A child is expected to need 64 MiB and more.
  const refused = await run(60);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /it may have 60 MiB\nhint: .*; or --in-process takes it/);

  // Of which some 10 times are needed.
  await program.ask('grow', '150000');
  const late = await run(60, '--in-process');
  assert.equal(late.status, 1);
  assert.match(late.stderr, /only 60 MiB are free; it gives the snapshot up before/);
  assert.match(late.stderr, /too little memory for a snapshot of \d+ MiB of heap, and gave it up/);
  assert.deepEqual(late.files, []);
  await goesOn(program);
});

test('it is given up in time, and when nobody wants it any more', async (t) => {
  // The agent that is loaded for it is stopped again, also then.
  const program = await start(PROGRAM, { warmUp: 300 });
  t.after(() => program.stop());
  await program.ask('grow', '600000');
  const late = await runNodiag(
    ['heap', 'snapshot', '--in-process', '--timeout', '1s', String(program.pid)]);
  assert.equal(late.status, 1);
  assert.match(late.stderr, /stood still for .*\n.*was not complete in 1 s\nhint: .*--timeout/);
  assert.deepEqual(late.files, []);
  await goesOn(program);

  let said = '';
  const ended = await runNodiag(['heap', 'snapshot', '--in-process', String(program.pid)], {
    onStart: async (child) => {
      child.stderr.on('data', (data) => (said += data));
      await until(() => said.includes('will stand still'), 'it does not begin');
      child.kill('SIGINT');
    },
  });
  assert.equal(ended.status, 1);
  assert.match(ended.stderr, /interrupted: no snapshot/);
  assert.deepEqual(ended.files, []);
  await goesOn(program);
  assert.equal((await runNodiag(['detach', String(program.pid)])).status, 3);
});
