// SPDX-License-Identifier: Apache-2.0

// Processes that are not like others: in another namespace, stripped, or of an unknown V8. What
// can be named is, nothing is named wrongly, and what is missing is told.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  isCall,
  line,
  lineOf,
  makeFolder,
  needRoot,
  needSampling,
  nodeOf,
  percent,
  programPath,
  readProfile,
  record,
  recordProgram,
  runNodiag,
  start,
  takeStacks,
} from './harness.mjs';
import { futureV8, patchNode } from './patch.mjs';

needSampling();
needRoot('to make namespaces');

const node = nodeOf(line);
const folder = makeFolder();
chmodSync(folder, 0o755);

function assertLoop(profile, file = 'loop.cjs') {
  assert.ok(profile.share(profile.own(file, 'stuck')) > 0.95, profile.table());
  assert.ok(profile.share(profile.own(file, 'spin')) > 0.9, profile.table());
}

/** The main thread of what `nodiag stack --json` shows. */
function assertStuck(process, file = 'loop.cjs') {
  const main = process.threads.find(({ role }) => role === 'main');
  assert.ok(main.stack.some((call) => isCall(call, file, 'stuck')), JSON.stringify(main));
}

/** The only child of a process. */
function childOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ');
  assert.equal(children.length, 1);
  return Number(children[0]);
}

test('a process in another pid namespace', async () => {
  const as = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const outer = await start('loop.cjs', { as });
  assertLoop(await record({ pid: childOf(outer.pid) }));
  assertStuck(await takeStacks(childOf(outer.pid)));
  await outer.stop();
});

/** Run a command of nodiag on a program, both in a pid namespace of their own. */
function runInside(...words) {
  const script = `"$1" "$2" > /dev/null & sleep 1.5; shift 2
    "$@" $!; status=$?; kill -9 $!; exit $status`;
  const shell = ['sh', '-c', script, 'sh', node, programPath('loop.cjs')];
  const unshare = ['--pid', '--fork', '--kill-child', '--mount-proc', ...shell];
  return runNodiag(words, { as: ['unshare', ...unshare] });
}

test('nodiag in a pid namespace, with its target', async () => {
  const profile = await runInside('flame', '-d', '2s', '-r', '499', '-f', 'json', '-o', '-');
  assertLoop(readProfile(profile));
  const stacks = await runInside('stack', '--json');
  assertStuck(JSON.parse(stacks.stdout).processes[0]);
});

test('a process in another mount namespace, with files that are only there', async () => {
  const script = `mount -t tmpfs tmpfs "$1" && cp "$2" "$1/node" && cp "$3" "$1/app.cjs" &&
    exec "$1/node" "$1/app.cjs"`;
  const inner = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', '--mount', 'sh', '-c', script, 'sh', folder, node,
      programPath('loop.cjs')],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await new Promise((done) => inner.stdout.once('data', done));
  await sleep(1500);
  try {
    assert.deepEqual(readdirSync(folder), [], 'the files are here too');
    assertLoop(await record(inner), 'app.cjs');
    assertStuck(await takeStacks(inner.pid), 'app.cjs');
  } finally {
    inner.kill('SIGKILL');
  }
});

test('a stripped node', async () => {
  const stripped = join(folder, 'stripped');
  execFileSync('strip', ['-o', stripped, node]);
  const profile = await recordProgram('phases.cjs', { node: stripped });
  for (const name of ['fib', 'multiply', 'random', 'sortRows']) {
    assert.ok(profile.share(profile.own('phases.cjs', name)) > 0.01, profile.table());
  }
  assert.ok(profile.loss('native_unnamed') > 0, 'builtins have no names, and that is not told');
});

const patches = {
  'a V8 with another JSFunction': ['v8dbg_class_JSFunction__shared__', (value) => value + 8],
  'a V8 with another Script': ['v8dbg_class_Script__source__', (value) => value + 8],
  'a V8 with other instance types': ['v8dbg_type_SharedFunctionInfo__', (value) => value + 1],
};
// Before, V8 also checks a sum over its snapshot.
if (Number(line) >= 22) {
  patches['a V8 of the future'] = futureV8(node);
}

const definitions = {
  fib: 'function fib(',
  multiply: 'multiply(other) {',
  random: 'function random(',
  sortRows: 'function sortRows(',
};

for (const [name, [symbol, change]] of Object.entries(patches)) {
  test(name, async () => {
    const patched = patchNode(node, join(folder, 'patched'), symbol, change);
    const program = await start('phases.cjs', { node: patched });
    const flags = ['-d', '2s', '-r', '997', '-f', 'json', '-o', '-'];
    const run = await runNodiag(['flame', ...flags, String(program.pid)]);
    await program.stop();

    const profile = readProfile(run);
    for (const { frame, share } of profile.functionsOf('phases.cjs')) {
      const isWrong = frame.name.startsWith('never') || frame.name === 'onlyAtStart';
      assert.ok(!isWrong, `${frame.name}: ${percent(share)}`);
      const definition = definitions[frame.name];
      if (!definition) continue;
      const place = lineOf('phases.cjs', definition);
      assert.ok([0, place].includes(frame.line), `${frame.name} on line ${frame.line}`);
    }
    const named = profile.share((frame) => frame.kind === 'js');
    const unknown = profile.share((frame) => frame.name === '[unknown JS]');
    console.log(`${name}: ${percent(named)} named, ${percent(unknown)} unknown\n${run.stderr}`);
    assert.ok(named > 0.9 || /unknown JS|without a name/.test(run.stderr), run.stderr);
  });
}
