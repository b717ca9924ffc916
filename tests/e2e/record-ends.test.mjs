// SPDX-License-Identifier: Apache-2.0

// A recording answers for what is in it, also when nodiag was killed or the disk was full.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { makeFolder, needRoot, needSampling, runNodiag, start, succeed } from './harness.mjs';
import { flameOf, lagOf, withAgent, worst } from './recordings.mjs';

needSampling();
needRoot('to put the agent into a process that does not expect it, and to mount a full disk');

// Longer than any run here may take: what ends it is something else.
const LONG = ['-d', '10m'];

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
