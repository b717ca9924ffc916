// SPDX-License-Identifier: Apache-2.0

// Heap snapshots of a process that goes on: complete, and nothing that it notices.

import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';

import { agent, makeFolder, needNode, nodiag, runNodiag, start, until } from './harness.mjs';
import { countPlanted, goesOn } from './planted.mjs';

const PROGRAM = 'heap-live.cjs';
const OBJECTS = 12345;
const TIMES = process.env.NODIAG_STRESS === 'full' ? 50 : 2;

/** A native module. */
const FORK = process.env.ND_FORK ?? join(dirname(nodiag), '../tests/e2e/fork.node');

needNode();

/** The children of a process, of any kind: those without a signal for their end are in here too. */
function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
}

/** Kilobytes that the process keeps from children of its own: V8's heap, which none of them needs. */
function keptFromChildren(pid) {
  const mappings = readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  return mappings
    .filter((mapping) => / dc( |$)/m.test(mapping.match(/^VmFlags:.*$/m)?.[0]))
    .reduce((sum, mapping) => sum + Number(mapping.match(/^Size: +(\d+) kB/m)[1]), 0);
}

function take(...args) {
  return runNodiag(['heap', 'snapshot', '--timeout', '60s', ...args]);
}

/** Whether a file is JSON, as for DevTools, and not packed. */
function isJson(file) {
  const text = readFileSync(file, 'utf8');
  return text.startsWith('{') && JSON.parse(text).snapshot.node_count > OBJECTS;
}

/** What the program has noticed; it must go on, and have lost nothing. */
async function checkUnharmed(program) {
  await until(() => childrenOf(program.pid) === '', 'a child is left');
  const now = await goesOn(program);
  assert.equal(now.signals, 0);
  const kept = keptFromChildren(program.pid);
  assert.ok(kept > 4096, `its own children would get its heap: only ${kept} kB are kept from them`);
  return now;
}

test('without an agent, it is loaded and stopped again', async (t) => {
  const program = await start(PROGRAM, { warmUp: 300 });
  t.after(() => program.stop());
  const run = await take(String(program.pid));
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stderr, /: paused for \d+ ms; a child of it writes \d+ MiB of heap\n/);
  assert.equal(run.files.length, 1);
  const [file] = run.files;
  assert.match(file, new RegExp(`^heap-${program.pid}-\\d{8}-\\d{6}\\.nd$`));
  assert.ok(!isJson(join(run.folder, file)), 'it is not packed');
  assert.equal(statSync(join(run.folder, file)).mode & 0o777, 0o600);
  assert.match(run.stderr, new RegExp(`${file}: .* packed from [\\d.]+ MiB, in `));
  assert.ok(run.stderr.includes(`'nodiag heap convert ${file}'`), run.stderr);
  assert.equal(await countPlanted(join(run.folder, file)), OBJECTS);
  await checkUnharmed(program);
  assert.equal((await runNodiag(['detach', String(program.pid)])).status, 3);
});

test('with the agent, several times, through a pipe, of a program with all there is', async (t) => {
  const as = ['env', `LD_PRELOAD=${agent}`, `ND_FORK=${FORK}`];
  const program = await start(PROGRAM, { as, args: ['all'], warmUp: 300 });
  t.after(() => program.stop());
  let now = await program.ask('seen');
  const { fds } = now;
  for (let i = 0; i < TIMES; i++) {
    const wantsJson = i % 2 === 1;
    const format = wantsJson ? ['-f', 'heapsnapshot'] : [];
    const run = await take('-o', '-', ...format, String(program.pid));
    assert.equal(run.status, 0, run.stderr);
    assert.doesNotMatch(run.stderr, /the agent is in/);
    const file = join(makeFolder(), 'piped');
    writeFileSync(file, run.stdout);
    assert.equal(isJson(file), wantsJson);
    assert.equal(await countPlanted(file), OBJECTS);
    const { answers } = now;
    now = await checkUnharmed(program);
    assert.ok(now.answers > answers, 'its workers do not go on');
    assert.ok(now.fds <= fds + 4, `${fds} descriptors before, ${now.fds} after`);
  }
  console.log(`${TIMES} snapshots whole; ${now.requests} requests, ${now.failed} failed`);
});

test('packed or for DevTools, as -f says, else as the file is called', async (t) => {
  const program = await start(PROGRAM, { as: ['env', `LD_PRELOAD=${agent}`], warmUp: 300 });
  t.after(() => program.stop());
  for (const [file, format, wantsJson] of [
    ['1.heapsnapshot', [], true],
    ['2.heapsnapshot', ['-f', 'nd'], false],
  ]) {
    const run = await take('-o', file, ...format, String(program.pid));
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(run.files, [file]);
    assert.equal(isJson(join(run.folder, file)), wantsJson, file);
    assert.equal(run.stderr.includes('nodiag heap convert'), !wantsJson, run.stderr);
    assert.equal(await countPlanted(join(run.folder, file)), OBJECTS);
  }
});

test('where it cannot be, nothing is left', async () => {
  const program = await start(PROGRAM, { as: ['env', `LD_PRELOAD=${agent}`], warmUp: 300 });
  const pid = String(program.pid);
  const small = await runNodiag(['heap', 'snapshot', '--child-memory', '1M', pid]);
  assert.equal(small.status, 1);
  assert.match(small.stderr, /may need \d+ MiB more, and it may have 1 MiB\n.*--child-memory/);
  assert.deepEqual(small.files, []);

  const folder = makeFolder();
  writeFileSync(join(folder, 'there.nd'), 'mine');
  const there = await runNodiag(['heap', 'snapshot', '-o', 'there.nd', pid], { folder });
  assert.equal(there.status, 1);
  assert.match(there.stderr, /'there.nd' exists/);
  assert.equal(readFileSync(join(folder, 'there.nd'), 'utf8'), 'mine');
  await checkUnharmed(program);

  // So large that V8 takes longer than that.
  await program.ask('grow', '600000');
  const late = await runNodiag(['heap', 'snapshot', '--timeout', '1s', pid]);
  assert.equal(late.status, 1);
  assert.match(late.stderr, /was not complete in 1 s\n.*--timeout/);
  assert.deepEqual(late.files, []);
  await checkUnharmed(program);

  const gone = await runNodiag(['heap', 'snapshot', pid], {
    onStart: async () => {
      await until(() => childrenOf(pid) !== '', 'there is no child');
      await program.stop();
    },
  });
  assert.notEqual(gone.status, 0);
  assert.match(gone.stderr, /ended before its snapshot was complete/);
  assert.deepEqual(gone.files, []);
});

test('a full disk, with an agent that was loaded for it', async (t) => {
  if (process.getuid() !== 0) return t.skip('needs root for a small disk');
  const program = await start(PROGRAM, { warmUp: 300 });
  const folder = makeFolder();
  const small = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o size=200k tmpfs "$0" && exec "$@"',
    folder];
  const args = ['heap', 'snapshot', '-o', join(folder, 'full.nd'), String(program.pid)];
  const run = await runNodiag(args, { as: small });
  assert.equal(run.status, 1, run.stderr);
  assert.match(run.stderr, /no space left on device/);
  await checkUnharmed(program);
  assert.equal((await runNodiag(['detach', String(program.pid)])).status, 3);
  await program.stop();
});
