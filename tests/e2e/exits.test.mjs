// SPDX-License-Identifier: Apache-2.0

// A target that ends early still gives an answer.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';

import {
  line,
  needSampling,
  nodeOf,
  programPath,
  readProfile,
  record,
  runNodiag,
  start,
} from './harness.mjs';

const FILE = 'exits.cjs';

needSampling();

test('a process that exits in mid-recording', async () => {
  const program = await start(FILE, { args: ['1500', '7'], warmUp: 0 });
  const before = Date.now();
  const profile = await record(program, { seconds: 20 });
  assert.ok(Date.now() - before < 10_000, 'nodiag waited for a process that was gone');
  assert.equal(await program.exited, 7);
  assert.ok(profile.share(profile.own(FILE, 'workUntil')) > 0.8, profile.table());
});

test('a process that exits, and that nobody waits for', async () => {
  // The shell leaves it a zombie.
  const command = [nodeOf(line), programPath(FILE), '1500', '0'];
  const script = '"$@" > /dev/null & echo $!; sleep 30';
  const shell = spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', script, 'sh', ...command], {
    detached: true,
  });
  const [pid] = await once(shell.stdout, 'data');
  const before = Date.now();
  const profile = await record({ pid: Number(pid) }, { seconds: 20 });
  assert.ok(Date.now() - before < 10_000, 'nodiag waited for a process that was gone');
  process.kill(-shell.pid, 'SIGKILL');
  assert.ok(profile.share(profile.own(FILE, 'workUntil')) > 0.6, profile.table());
});

test('a command is recorded from its first to its last instruction', async () => {
  const command = [nodeOf(line), programPath(FILE), '1500', '0'];
  const flags = ['-r', '997', '-f', 'json', '-o', 'profile.json'];
  const run = await runNodiag(['flame', ...flags, '--', ...command]);
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout.toString(), /ready/, "the command's own output");
  const profile = readProfile(run, 'profile.json');
  profile.assertSound();
  assert.ok(profile.share(profile.own(FILE, 'workUntil')) > 0.6, profile.table());
  assert.ok(profile.share((frame) => frame.kind === 'node') > 0, 'the start of Node is missing');
});

test('a command that runs Node is followed to it', async () => {
  const command = [nodeOf(line), programPath(FILE), '1000', '3'];
  const flags = ['-r', '499', '-f', 'json', '-o', 'profile.json'];
  const script = '"$@"; echo "it said $?"; exit 0';
  const run = await runNodiag(['flame', ...flags, '--', 'sh', '-c', script, 'sh', ...command]);
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout.toString(), /it said 3/);
  const profile = readProfile(run, 'profile.json');
  assert.ok(profile.share(profile.own(FILE, 'workUntil')) > 0.6, profile.table());
});

test("a command's status is passed on", async () => {
  const command = [nodeOf(line), programPath(FILE), '300', '7'];
  const run = await runNodiag(['flame', '-o', 'x.html', '--', ...command]);
  assert.equal(run.status, 7, run.stderr);
  assert.deepEqual(run.files, ['x.html']);
});
