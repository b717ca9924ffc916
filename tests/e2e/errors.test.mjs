// SPDX-License-Identifier: Apache-2.0

// What goes wrong is told in one line, with a hint and the right exit code, and leaves nothing.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  asNobody,
  line,
  makeFolder,
  needRoot,
  needSampling,
  nodeOf,
  programPath,
  readProfile,
  runNodiag,
  start,
} from './harness.mjs';

needSampling();
needRoot('to run nodiag as another user and to mount a full disk');

const node = nodeOf(line);
const program = await start('loop.cjs');
const pid = String(program.pid);

test.after(() => program.stop());

/** nodiag must fail, with that status, saying that. */
async function fails(args, status, what, hint, options) {
  const run = await runNodiag(args, options);
  assert.equal(run.status, status, run.stderr);
  assert.match(run.stderr, what);
  assert.match(run.stderr, /^nodiag: [^\n]*[^.\n]$/m, 'one line of what, without a full stop');
  assert.match(run.stderr, hint);
  assert.match(run.stderr, /^hint: ./m);
  assert.equal(run.stdout.toString(), '');
  return run;
}

// Too long for the test, so that what can be known before a recording is told before it.
const LONG = ['-d', '10m'];

test('a pid that is gone', async () => {
  const gone = spawnSync('true').pid;
  await fails(['flame', String(gone)], 3, new RegExp(`${gone}`), /nodiag ps|pgrep|ps /);
});

test('a process that is not Node', async () => {
  const other = spawn('sleep', ['60']);
  try {
    await fails(['flame', ...LONG, String(other.pid)], 3, /not .*node/i, /hint: ./);
  } finally {
    other.kill();
  }
});

test("another user's process", async () => {
  const run = await fails(['flame', ...LONG, pid], 4, /permission denied|not permitted/, /sudo/, {
    as: asNobody,
  });
  assert.match(run.stderr, new RegExp(pid));
});

async function sampleOwn(as) {
  const own = spawn(asNobody[0], [...asNobody.slice(1), node, programPath('loop.cjs')]);
  try {
    await sleep(1500);
    const args = ['flame', '-d', '3s', '-r', '199', '-f', 'json', '-o', '-', String(own.pid)];
    const run = await runNodiag(args, { as });
    const profile = readProfile(run);
    assert.match(profile.info.sampler, /perf/);
    assert.ok(profile.share(profile.own('loop.cjs', 'stuck')) > 0.95, profile.table());
    return { run, profile };
  } finally {
    own.kill('SIGKILL');
  }
}

test("one's own process without privileges is sampled with perf_event", async () => {
  const { run, profile } = await sampleOwn(asNobody);
  profile.assertSound();
  assert.match(run.stderr, /perf_event/, 'the closing line says which sampler ran');
  assert.match(run.stderr, /CAP_BPF|root|permission|permitted/i, 'and why');
  assert.equal(profile.share((frame) => frame.kind === 'kernel'), 0);
});

test('perf_event has smaller rings where no memory may be locked', async () => {
  await sampleOwn(['prlimit', '--memlock=0', ...asNobody]);
});

test('an output that cannot be written', async () => {
  await fails(['flame', ...LONG, '-o', '/nonexistent/x.html', pid], 1, /nonexistent/, /hint: ./);
  await fails(['flame', ...LONG, '-o', '/', pid], 1, /'\/'/, /hint: ./);
});

test('an output that exists', async () => {
  const folder = makeFolder();
  const file = join(folder, 'x.html');
  writeFileSync(file, 'mine');
  await fails(['flame', ...LONG, '-o', 'x.html', pid], 1, /exists/, /--force/, { folder });
  assert.equal(readFileSync(file, 'utf8'), 'mine');

  const run = await runNodiag(['flame', '-d', '1s', '-o', 'x.html', '--force', pid], { folder });
  assert.equal(run.status, 0, run.stderr);
  assert.match(readFileSync(file, 'utf8'), /<!doctype html>/i);
});

test('a full disk', async () => {
  const folder = makeFolder();
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder]);
  assert.equal(mount.status, 0, String(mount.stderr));
  try {
    const run = await runNodiag(['flame', '-d', '1s', pid], { folder });
    assert.equal(run.status, 1, run.stderr);
    assert.match(run.stderr, /^nodiag: .*[Nn]o space left on device$/m);
    assert.match(run.stderr, /^hint: ./m);
    assert.deepEqual(run.files, [], 'half a page is none');
  } finally {
    spawnSync('umount', [folder]);
  }
});

test('a full disk behind stdout', async () => {
  const full = openSync('/dev/full', 'w');
  const run = await runNodiag(['flame', '-d', '1s', '-f', 'folded', '-o', '-', pid], {
    stdio: ['ignore', full, 'pipe'],
  });
  assert.equal(run.status, 1, run.stderr);
  assert.match(run.stderr, /^nodiag: .*[Nn]o space left on device$/m);
});

test('Ctrl-C ends the recording and writes the answer', async () => {
  const run = await runNodiag(['flame', ...LONG, '-o', 'x.html', pid], {
    onStart: async (child) => {
      await sleep(2500);
      child.kill('SIGINT');
    },
  });
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(run.files, ['x.html']);
  assert.match(run.stdout.toString(), /stuck|spin/);
  assert.match(readFileSync(join(run.folder, 'x.html'), 'utf8'), /<!doctype html>/i);
});

test('a command that a signal ended', async () => {
  const run = await runNodiag(['flame', '--', node, '-e', "process.kill(process.pid, 'SIGKILL')"]);
  assert.equal(run.status, 128 + 9, run.stderr);
});

test('a command that is not there, and one that cannot be run', async () => {
  await fails(['flame', '--', '/nonexistent'], 127, /nonexistent/, /hint: ./);
  await fails(['flame', '--', 'no-such-command'], 127, /no-such-command/, /hint: ./);
  const folder = makeFolder();
  const file = join(folder, 'app.js');
  writeFileSync(file, '');
  chmodSync(file, 0o644);
  await fails(['flame', '--', file], 126, /app\.js/, /hint: ./, { folder });
});

test('nodiag failing before a command is run', async () => {
  const args = ['flame', '-o', '/nonexistent/x.html', '--', node, '-e', 'console.log("ran")'];
  await fails(args, 125, /nonexistent/, /hint: ./);
});
