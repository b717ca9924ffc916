// SPDX-License-Identifier: Apache-2.0

// A recording answers what a live run does.

import assert from 'node:assert/strict';
import test from 'node:test';

import {
  assertTrue,
  line,
  needRoot,
  needSampling,
  nodeOf,
  programPath,
  runNodiag,
  start,
  succeed,
} from './harness.mjs';
import { flameOf, lagOf, withAgent, worst } from './recordings.mjs';

needSampling();
needRoot('to put the agent into a process that does not expect it');

test('names and shares are those that the program knows', async () => {
  await withAgent('phases.cjs', async (program, pid) => {
    const args = ['record', '-d', '4s', '-r', '997', '-o', 'r.nd', pid];
    const { folder, stdout } = await succeed(args);
    assert.equal(stdout.toString(), 'r.nd\n');
    const profile = await flameOf(folder, 'r.nd');
    profile.assertSound();
    const truth = await program.ask('report', profile.startMs, profile.endMs);
    for (const phase of ['fib', 'multiply', 'random', 'hash']) {
      assertTrue({ profile, truth }, phase, profile.own('phases.cjs', phase));
    }
    assert.match(profile.info.runtime, new RegExp(`^Node.js v${line}\\.`));
    assert.match(profile.info.title, /phases\.cjs/);
    assert.equal(profile.info.pid, program.pid);
    const lag = await lagOf(folder, 'r.nd');
    assert.equal(lag.loops[0].kind, 'main');
    assert.ok(lag.loops[0].iterations > 0);
  });
});

test('event loops answer as they do alive', async () => {
  await withAgent('stalls.cjs', async (program, pid) => {
    const live = JSON.parse((await succeed(['lag', '--json', '-d', '2s', pid])).stdout);
    const { folder } = await succeed(['record', '-d', '2s', '-o', 'r.nd', pid]);
    const recorded = await lagOf(folder, 'r.nd');
    assert.deepEqual(worst(recorded), worst(live));
    assert.match(worst(recorded).name, /blockLoop|spin/);
    assert.deepEqual(Object.keys(recorded), Object.keys(live));
    assert.equal(recorded.threshold_ns, live.threshold_ns);
    const [loop] = recorded.loops;
    assert.equal(loop.tid, live.loops[0].tid);
    assert.deepEqual(Object.keys(loop.handles), Object.keys(live.loops[0].handles));
    // What was before the recording is not in it: the agent has counted since it came in.
    assert.ok(loop.stalls >= 4 && loop.stalls <= 10, `${loop.stalls} stalls in two seconds`);
    // An iteration that was running when the recording began counts whole.
    assert.ok(loop.busy_ns + loop.idle_ns < loop.observed_ns * 1.15);
    const threads = await flameOf(folder, 'r.nd', '--threads');
    assert.ok(threads.threads().length > 0, threads.table());
  });
});

test('a command is recorded with the agent, and its status is passed on', async () => {
  const command = [nodeOf(line), programPath('stalls.cjs'), '2000'];
  const { folder } = await succeed(['record', '-r', '499', '-o', 'r.nd', '--', ...command]);
  const profile = await flameOf(folder, 'r.nd');
  profile.assertSound();
  assert.ok(profile.share(profile.own('stalls.cjs', 'blockLoop')) > 0.3, profile.table());
  assert.ok(profile.share((frame) => frame.kind === 'node') > 0, 'the start of Node is missing');
  assert.match(worst(await lagOf(folder, 'r.nd')).name, /blockLoop|spin/);

  const exits = [nodeOf(line), programPath('exits.cjs'), '300', '7'];
  const run = await runNodiag(['record', '-o', 'r.nd', '--', ...exits]);
  assert.equal(run.status, 7, run.stderr);
});

test('without an agent event loops are seen from outside, as alive', async () => {
  const program = await start('stalls.cjs');
  try {
    const pid = String(program.pid);
    const live = await succeed(['lag', '--json', '-d', '2s', pid]);
    const run = await succeed(['record', '-d', '2s', '-r', '499', '-o', 'r.nd', pid]);
    assert.match(run.stderr, /event loops by eBPF, from outside.*\n.*the agent would add phases/);
    const recorded = await lagOf(run.folder, 'r.nd');
    assert.deepEqual(worst(recorded), worst(JSON.parse(live.stdout)));
    assert.match(worst(recorded).name, /blockLoop|spin/);
    const [loop] = recorded.loops;
    const { loops } = JSON.parse(live.stdout);
    assert.deepEqual(Object.keys(loop), Object.keys(loops[0]));
    assert.equal(loop.tid, loops[0].tid);
    assert.deepEqual([loop.phases_ns, loop.gc, loop.heap], [null, null, null]);
    assert.equal(loop.events === null, loops[0].events === null);
    assert.ok(loop.stalls >= 4 && loop.stalls <= 10, `${loop.stalls} stalls in two seconds`);
    assert.ok(loop.busy_ns + loop.idle_ns < loop.observed_ns * 1.15);
    const profile = await flameOf(run.folder, 'r.nd');
    assert.ok(profile.share(profile.own('stalls.cjs', 'blockLoop')) > 0.8, profile.table());
    const { stderr } = await runNodiag(['lag', 'r.nd'], { folder: run.folder });
    assert.match(stderr, /s by eBPF, from outside, \d+ stacks/);
  } finally {
    await program.stop();
  }
});
