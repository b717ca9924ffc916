// SPDX-License-Identifier: Apache-2.0

// Whatever nodiag looks at, and however it ends: the process goes on as if nothing had been.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  line,
  needRoot,
  needSampling,
  nodeOf,
  nodiag,
  runNodiag,
  start,
  takeStacks,
  theOnly,
} from './harness.mjs';

needSampling();
needRoot('to look at processes as other users');

const FILE = 'stuck.cjs';

test('several processes, of which one is none', async () => {
  const programs = [await start(FILE, { args: ['loop'] }), await start(FILE, { args: ['idle'] })];
  const pids = programs.map(({ pid }) => pid);
  const other = spawn('sleep', ['60']);
  const args = [pids[0], other.pid, pids[1]].map(String);
  const run = await runNodiag(['stack', '--json', ...args]);
  other.kill();
  for (const program of programs) await program.stop();
  assert.equal(run.status, 3, run.stderr);
  assert.match(run.stderr, new RegExp(`^nodiag: ${other.pid} is not a Node.js process`, 'm'));
  assert.deepEqual(JSON.parse(run.stdout).processes.map(({ pid }) => pid), pids);
});

/** Letters of the states of a process's threads, and whether anybody traces one. */
function look(pid) {
  return readdirSync(`/proc/${pid}/task`).map((tid) => {
    const status = readFileSync(`/proc/${pid}/task/${tid}/status`, 'latin1');
    const tracer = Number(/^TracerPid:\s+(\d+)/m.exec(status)[1]);
    return { state: /^State:\s+(\S)/m.exec(status)[1], tracer };
  });
}

function assertFree(pid) {
  for (const { state, tracer } of look(pid)) {
    assert.equal(tracer, 0);
    assert.ok(!'tT'.includes(state), `a thread is ${state}`);
  }
}

const WORK = ['timer', 'request', 'file', 'shell', 'wait', 'child process', 'sync file'];

/** The program's own count of what it did since `before`; nothing may have failed. */
async function assertUnharmed(program, before) {
  await sleep(300);
  const { done, errors } = await program.ask('report');
  assert.deepEqual(errors, []);
  for (const what of WORK) {
    const told = `${what}: ${JSON.stringify({ before, done })}`;
    assert.ok(done[what] > (before.done[what] ?? 0), told);
  }
  return done;
}

test('the process goes on unharmed, 100 times in a row', async () => {
  const program = await start('unharmed.cjs');
  const before = await program.ask('report');
  let signals = 0;
  for (let i = 0; i < 100; i++) {
    const taken = takeStacks(program.pid);
    // One at a time: the kernel merges those that are waiting.
    process.kill(program.pid, 'SIGUSR2');
    signals++;
    await taken;
    for (let tries = 0; (await program.ask('report')).done.signal !== signals; tries++) {
      assert.ok(tries < 1000, `${signals} signals were sent, and the last was not seen`);
      await sleep(5);
    }
    assertFree(program.pid);
  }
  await assertUnharmed(program, before);
  await program.stop();
});

test('nodiag is killed meanwhile', async () => {
  const program = await start('unharmed.cjs');
  const before = await program.ask('report');
  for (let i = 0; i < 60; i++) {
    const child = spawn(nodiag, ['stack', String(program.pid)], { stdio: 'ignore' });
    const exited = new Promise((done) => child.once('exit', done));
    await sleep(i);
    child.kill('SIGKILL');
    await exited;
    assertFree(program.pid);
  }
  await assertUnharmed(program, before);
  await program.stop();
});

test('a process that a signal stopped stays so', async () => {
  const program = await start('unharmed.cjs');
  const before = await program.ask('report');
  process.kill(program.pid, 'SIGSTOP');
  await sleep(100);
  for (let i = 0; i < 3; i++) {
    const { threads } = await takeStacks(program.pid);
    assert.ok(threads.every(({ stopped, stack }) => stopped && stack.length > 0));
    assert.deepEqual([...new Set(look(program.pid).map(({ state }) => state))], ['T']);
  }
  process.kill(program.pid, 'SIGCONT');
  await assertUnharmed(program, before);
  await program.stop();
});

test('a process that somebody else traces', async () => {
  const program = await start(FILE, { args: ['idle'], warmUp: 200 });
  const tool = join(dirname(nodiag), '../tests/tools/hold_process');
  const tracer = spawn(tool, [String(program.pid)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((done) => tracer.stdout.once('data', done));

  // Its other threads are free, and shown.
  const main = theOnly(await takeStacks(program.pid), 'main');
  assert.deepEqual([main.missing, main.stack], ['traced', []]);
  tracer.stdin.end();
  await new Promise((done) => tracer.once('exit', done));
  assert.equal(theOnly(await takeStacks(program.pid), 'main').missing, null);
  await program.stop();
});

test('processes that end meanwhile', async () => {
  for (let i = 0; i < 12; i++) {
    const child = spawn(nodeOf(line), ['-e', `setTimeout(() => {}, ${3 * i})`]);
    await sleep(60);
    const run = await runNodiag(['stack', String(child.pid)]);
    assert.ok([0, 3].includes(run.status), run.stderr);
    if (!run.status) continue;
    assert.match(run.stderr, /^nodiag: (no process|process \d+ (has ended|runs no program))/m);
  }
});
