// SPDX-License-Identifier: Apache-2.0

// A recording answers what a live run does, also when nodiag was killed or the disk was full.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  assertTrue,
  line,
  makeFolder,
  needRoot,
  needSampling,
  nodeOf,
  programPath,
  readProfile,
  runNodiag,
  start,
  succeed,
} from './harness.mjs';

needSampling();
needRoot('to put the agent into a process that does not expect it, and to mount a full disk');

// Longer than any run here may take: what ends it is something else.
const LONG = ['-d', '10m'];

/** The profile in a recording of a run's folder. */
async function flameOf(folder, file, ...flags) {
  const args = ['flame', '-f', 'json', '-o', '-', ...flags, file];
  const run = await succeed(args, { folder });
  return Object.assign(readProfile(run), { notes: run.stderr });
}

async function lagOf(folder, file) {
  return JSON.parse((await succeed(['lag', '--json', file], { folder })).stdout);
}

/** Start a program with the agent in it, and stop it after `body(program, pid)`. */
async function withAgent(name, body) {
  const program = await start(name);
  try {
    await succeed(['attach', String(program.pid)]);
    await body(program, String(program.pid));
  } finally {
    await program.stop();
  }
}

/**
 * What an answer of nodiag lag says of the function that blocks the loop most; but not whether it
 * got the CPU, which other programs decide.
 */
function worst({ stalls }) {
  const { phase, in: callee, from, ...rest } = stalls[0];
  return { phase, name: rest.function.name, file: rest.function.file, callee, from };
}

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

test('without an agent and eBPF there are CPU samples only, which is said', async () => {
  const as = [process.env.ND_DENY, 'bpf', '--'];
  const program = await start('stalls.cjs');
  try {
    const args = ['record', '-d', '1s', '-r', '499', '-o', 'r.nd', String(program.pid)];
    const run = await succeed(args, { as });
    assert.match(run.stderr, /without event loops: there is no agent in \d+, and eBPF/);
    const profile = await flameOf(run.folder, 'r.nd');
    assert.ok(profile.share(profile.own('stalls.cjs', 'blockLoop')) > 0.8, profile.table());
    const lag = await runNodiag(['lag', 'r.nd'], { folder: run.folder });
    assert.equal(lag.status, 1);
    assert.match(lag.stderr, /'r\.nd': the recording has no event loops/);
  } finally {
    await program.stop();
  }
});

test('where no sampling is permitted, the agent takes the samples', async () => {
  const as = [process.env.ND_DENY, 'perf_event_open', 'bpf', '--'];
  await withAgent('stalls.cjs', async (program, pid) => {
    const args = ['record', '-d', '2s', '-r', '199', '-o', 'r.nd', pid];
    const run = await succeed(args, { as });
    assert.match(run.stderr, /samples at 199 Hz in .* by the agent/);
    const profile = await flameOf(run.folder, 'r.nd');
    assert.equal(profile.info.sampler, 'the agent');
    assert.ok(profile.share(profile.own('stalls.cjs', 'blockLoop')) > 0.8, profile.table());
    assert.match(worst(await lagOf(run.folder, 'r.nd')).name, /blockLoop|spin/);
  });
});

/** A recording that is there in part must answer for that part, and say why. */
async function assertPartial(folder, file, why) {
  const profile = await flameOf(folder, file);
  assert.match(profile.notes, why);
  assert.ok(profile.share(profile.own('stalls.cjs', 'blockLoop')) > 0.8, profile.table());
  assert.match(worst(await lagOf(folder, file)).name, /blockLoop|spin/);
}

test('a nodiag that is killed leaves what was recorded until then', async () => {
  await withAgent('stalls.cjs', async (program, pid) => {
    const run = await runNodiag(['record', ...LONG, '-r', '499', '-o', 'r.nd', pid], {
      onStart: async (child) => {
        await sleep(4500);
        child.kill('SIGKILL');
      },
    });
    assert.equal(run.signal, 'SIGKILL');
    assert.deepEqual(run.files, ['r.nd']);
    await assertPartial(run.folder, 'r.nd', /has no end/);
    // In the middle of a part, as after a power failure.
    const path = join(run.folder, 'r.nd');
    truncateSync(path, statSync(path).size - 5);
    await assertPartial(run.folder, 'r.nd', /has no end/);
    assert.equal((await flameOf(run.folder, 'r.nd')).loss('recording'), 1);
  });
});

test('a full disk ends the recording, and what was recorded is readable', async () => {
  const folder = makeFolder();
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', folder]);
  assert.equal(mount.status, 0, String(mount.stderr));
  try {
    await withAgent('stalls.cjs', async (program, pid) => {
      const args = ['record', ...LONG, '-r', '1999', '-o', 'r.nd', pid];
      const run = await runNodiag(args, { folder });
      assert.equal(run.status, 1, run.stderr);
      assert.match(run.stderr, /^nodiag: cannot write 'r\.nd': no space left on device$/m);
      assert.match(run.stderr, /^hint: .* is in 'r\.nd', and readable$/m);
      // Its end is small and may still have found room.
      await assertPartial(folder, 'r.nd', /has no end|no room for more/);
    });
  } finally {
    spawnSync('umount', [folder]);
  }
});

test('Ctrl-C ends the recording and keeps the file', async () => {
  await withAgent('stalls.cjs', async (program, pid) => {
    const run = await runNodiag(['record', ...LONG, '-r', '499', pid], {
      onStart: async (child) => {
        await sleep(2500);
        child.kill('SIGINT');
      },
    });
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.files.join(), new RegExp(`^record-${pid}-\\d{8}-\\d{6}\\.nd$`));
    const profile = await flameOf(run.folder, run.files[0]);
    assert.doesNotMatch(profile.notes, /has no end/);
    assert.equal(profile.loss('recording'), 0);
  });
});

test('a file is not replaced unasked, and not by nothing', async () => {
  const folder = makeFolder();
  const file = join(folder, 'r.nd');
  writeFileSync(file, 'mine');
  const gone = String(spawnSync('true').pid);
  assert.equal((await runNodiag(['record', '-o', 'r.nd', '--force', gone], { folder })).status, 3);
  assert.equal(readFileSync(file, 'utf8'), 'mine');
  const program = await start('stalls.cjs');
  try {
    const args = ['record', '-d', '1s', '-o', 'r.nd', String(program.pid)];
    assert.equal((await runNodiag(args, { folder })).status, 1);
    assert.equal(readFileSync(file, 'utf8'), 'mine');
    await succeed([...args, '--force'], { folder });
    await flameOf(folder, 'r.nd');
  } finally {
    await program.stop();
  }
});
