// SPDX-License-Identifier: Apache-2.0

// Snapshots that are taken when something happens: a heap that is full, a signal, time, growth.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { agent, makeFolder, needNode, runNodiag, start, until } from './harness.mjs';
import { countPlanted } from './planted.mjs';

const PROGRAM = 'heap-grow.cjs';
const OBJECTS = 12345;

/** SIGUSR2 in the mask of caught signals. */
const USR2 = 1n << 11n;

/** Of 10 ms each: the child is niced, and a machine may be busy. */
const TRIES = 5000;

needNode();

function catchesSignal(pid) {
  const [, mask] = readFileSync(`/proc/${pid}/status`, 'utf8').match(/SigCgt:\s*(\w+)/);
  return (BigInt(`0x${mask}`) & USR2) !== 0n;
}

const filesIn = (folder) => readdirSync(folder).filter((name) => /\.(nd|heapsnapshot)$/.test(name));

/** Let nodiag watch for SIGUSR2 and what `options` say; `act` does it. It is ended, or ends. */
async function watch(program, options, act) {
  const folder = makeFolder();
  const args = ['heap', 'snapshot', '--timeout', '60s', '--on-signal', 'SIGUSR2', ...options];
  const run = await runNodiag([...args, String(program.pid)], {
    folder,
    onStart: async (child) => {
      await until(() => catchesSignal(program.pid), 'nobody waits for the signal');
      await act(folder);
      // With the program it ends by itself.
      if (existsSync(`/proc/${program.pid}`)) child.kill('SIGINT');
    },
  });
  assert.equal(run.status, 0, run.stderr);
  return run;
}

test('a signal, and again and again', async () => {
  const program = await start(PROGRAM, { as: ['env', `LD_PRELOAD=${agent}`], warmUp: 300 });
  const bySignal = await watch(program, ['-f', 'heapsnapshot'], async (folder) => {
    process.kill(program.pid, 'SIGUSR2');
    await until(() => filesIn(folder).length === 1, 'the signal does nothing', TRIES);
  });
  const [file] = filesIn(bySignal.folder);
  assert.equal(bySignal.stdout.toString(), `${file}\n`);
  assert.ok(JSON.parse(readFileSync(join(bySignal.folder, file), 'utf8')).strings.length > 1000);
  assert.equal(await countPlanted(join(bySignal.folder, file)), OBJECTS);
  await until(() => !catchesSignal(program.pid), 'the signal is not given back');

  const seen = new Set();
  const byTime = await watch(program, ['--every', '1s', '--keep', '1'], (folder) =>
    until(() => {
      for (const name of filesIn(folder)) seen.add(name);
      return seen.size === 2;
    }, 'time does not pass', TRIES),
  );
  assert.ok(filesIn(byTime.folder).length <= 1, 'too many are kept');
  for (const name of seen) assert.match(name, /^heap-\d+-.*\.nd$/);
  // What can be done with them is said of the first.
  assert.equal(byTime.stderr.match(/nodiag heap convert /g).length, 1);
  await program.stop();
});

test('a full disk', async (t) => {
  if (process.getuid() !== 0) return t.skip('needs root for a small disk');
  const program = await start(PROGRAM, { as: ['env', `LD_PRELOAD=${agent}`], warmUp: 300 });
  t.after(() => program.stop());
  const folder = makeFolder();
  const script = 'mount -t tmpfs -o size=64m tmpfs "$0" && head -c 63m /dev/zero >"$0/filler"';
  let said = '';
  const args = ['heap', 'snapshot', '--every', '1s', '-o', folder, String(program.pid)];
  const run = await runNodiag(args, {
    as: ['unshare', '-m', 'sh', '-c', `${script} && exec "$@"`, folder],
    onStart: async (child) => {
      child.stderr.on('data', (data) => (said += data));
      const says = (text) => until(() => said.includes(text), `it does not say '${text}'`, TRIES);
      await says('MiB free, and one may take');
      await sleep(2500);
      assert.doesNotMatch(said, /paused/);
      // The mount is that process's own.
      unlinkSync(`/proc/${child.pid}/root/${folder}/filler`);
      await says('there is room again');
      await says('paused for');
      await says('.nd: ');
      child.kill('SIGINT');
    },
  });
  assert.equal(run.status, 0, run.stderr);
  assert.equal(said.match(/no snapshot: /g).length, 1);
  assert.match(said, /\d snapshots were taken, and \d+ left out for want of room\n/);
});

test('growth', async () => {
  const as = ['env', `LD_PRELOAD=${agent}`];
  const program = await start(PROGRAM, { as, nodeFlags: ['--expose-gc'], warmUp: 300 });
  const run = await watch(program, ['--grown', '4M'], async (folder) => {
    for (let tries = 0; tries < 150 && !filesIn(folder).length; tries++) {
      await program.ask('collect');
      await sleep(300);
      await program.ask('grow', '20000');
    }
  });
  assert.ok(filesIn(run.folder).length >= 1, run.stderr);
  assert.match(run.stderr, /its heap has grown/);
  await program.stop();
});

test('a heap that is full', async () => {
  const as = ['env', `LD_PRELOAD=${agent}`];
  const nodeFlags = ['--max-old-space-size=20'];
  const program = await start(PROGRAM, { as, nodeFlags, warmUp: 300 });
  const run = await watch(program, ['--near-limit'], async (folder) => {
    await program.ask('leak');
    await until(() => filesIn(folder).length === 1, 'there is no snapshot', TRIES);
  });
  assert.match(run.stderr, /its heap has reached its limit of 20 MiB, .* raised by 4 MiB, once\n/);
  // It ended as it would have: V8 aborts.
  assert.equal(await program.exited, null);
  const [file] = filesIn(run.folder);
  assert.ok((await countPlanted(join(run.folder, file))) > 2 * OBJECTS);
});
