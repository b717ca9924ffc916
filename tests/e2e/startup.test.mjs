// SPDX-License-Identifier: Apache-2.0

// What loading each module cost, and who asked for it.

import assert from 'node:assert/strict';
import test from 'node:test';

import { line, needSampling, nodeOf, programPath, runNodiag } from './harness.mjs';

needSampling();

const MS = 1e6;

async function startup(program) {
  const args = ['lag', '--startup', '--json', '--', nodeOf(line), programPath(program)];
  const run = await runNodiag(args);
  assert.equal(run.status, 3, 'the status of the command');
  assert.match(run.stderr, /the event loop was idle|samples/);
  const { format, version, modules } = JSON.parse(run.stdout);
  assert.deepEqual([format, version], ['nodiag-startup', 1]);
  return modules;
}

/** The module of a file, which must have been asked for by another. */
function find(modules, file, parent) {
  const found = modules.find((module) => module.file?.endsWith(`/startup/${file}`));
  assert.ok(found, `${file} is there`);
  const by = modules[found.parent].file;
  if (parent === null) assert.equal(by, null, `${file} was asked for by Node`);
  else assert.ok(by.endsWith(`/startup/${parent}`), `${file} was asked for by ${parent}, not ${by}`);
  return found;
}

/** A share of what all the modules of the program took; they take known times. */
function assertShare(module, modules, expected, all) {
  const program = modules.filter((one) => one.file).reduce((sum, one) => sum + one.evaluated_ns, 0);
  const share = module.evaluated_ns / program;
  const text = `${module.file}: ${share.toFixed(3)}, and ${(expected / all).toFixed(3)} is true`;
  console.log(text);
  assert.ok(Math.abs(share - expected / all) < 0.06, text);
}

function assertSound(modules) {
  assert.equal(modules[0].file, null, 'the first is Node itself');
  for (const [index, module] of modules.entries()) {
    const children = modules.filter((one, at) => at > 0 && one.parent === index);
    const sum = children.reduce((total, one) => total + one.total_ns, 0);
    const own = module.evaluated_ns + module.loading_ns;
    assert.ok(Math.abs(module.total_ns - sum - own) < MS, 'a total is the sum of its parts');
  }
}

test('CommonJS', async () => {
  const modules = await startup('startup/main.cjs');
  assertSound(modules);
  find(modules, 'main.cjs', null);
  const first = find(modules, 'first.cjs', 'main.cjs');
  const dep = find(modules, 'node_modules/dep/index.js', 'first.cjs');
  assertShare(dep, modules, 240, 480);
  assertShare(first, modules, 60, 480);
  assertShare(find(modules, 'second.cjs', 'main.cjs'), modules, 120, 480);
});

test('ES modules', async () => {
  const modules = await startup('startup/main.mjs');
  assertSound(modules);
  assertShare(find(modules, 'node_modules/dep/index.js', 'first.cjs'), modules, 240, 480);
  assertShare(find(modules, 'second.mjs', null), modules, 120, 480);
  assertShare(find(modules, 'main.mjs', null), modules, 60, 480);
});

test('a program that runs already has no start to show', async () => {
  const run = await runNodiag(['lag', '--startup', String(process.pid)]);
  assert.equal(run.status, 2);
  assert.match(run.stderr, /^nodiag: --startup needs a program that starts$/m);
  assert.match(run.stderr, /^hint: nodiag lag --startup -- node app\.js$/m);
});
