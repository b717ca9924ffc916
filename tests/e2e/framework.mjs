// SPDX-License-Identifier: Apache-2.0

// usage: node tests/e2e/framework.mjs [LINE]
//
// Runs fastify's own tests, some 2,400, without and with the agent, and compares how each ends.
// Fetches fastify and what its tests need from npm, 200 MB, and takes some minutes; so it is no
// ctest. NODIAG is as in the tests here.

import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { readdirSync } from 'node:fs';

import { agent, line, makeFolder, needNode, nodeOf } from './harness.mjs';

const VERSION = '5.12.8';

needNode();

function run(command, args, options) {
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (done.error) throw done.error;
  return done;
}

/** fastify with its tests, and what they need. */
function fetchFastify() {
  const folder = makeFolder();
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', ['pack', ...quiet, `fastify@${VERSION}`], { cwd: folder, stdio: 'inherit' });
  run('tar', ['xzf', `fastify-${VERSION}.tgz`], { cwd: folder, stdio: 'inherit' });
  const fastify = join(folder, 'package');
  run('npm', ['install', '--ignore-scripts', ...quiet], { cwd: fastify, stdio: 'inherit' });
  return fastify;
}

/** Each test and how it ended, as "ok PATH" and "not ok PATH". */
function readTap(text) {
  const path = [];
  return text.split('\n').flatMap((row) => {
    const begin = row.match(/^( *)# Subtest: (.*)$/);
    if (begin) path[begin[1].length / 4] = begin[2];
    const end = row.match(/^( *)((?:not )?ok) \d+ - (.*)$/);
    return end ? [`${end[2]} ${[...path.slice(0, end[1].length / 4), end[3]].join(' > ')}`] : [];
  });
}

function runTests(fastify, env) {
  const files = readdirSync(join(fastify, 'test'), { recursive: true })
    .filter((name) => /\.test\.m?js$/.test(name)).map((name) => join('test', name)).sort();
  const path = `${dirname(nodeOf(line))}:${process.env.PATH}`;
  const { stdout, stderr } = run(nodeOf(line), ['--test', '--test-reporter=tap', ...files], {
    cwd: fastify,
    env: { ...process.env, PATH: path, ...env },
  });
  if (stderr) console.error(stderr);
  return readTap(stdout);
}

const fastify = fetchFastify();
const plain = runTests(fastify, {});
const observed = runTests(fastify, { LD_PRELOAD: agent });
const count = (results) => results.filter((result) => result.startsWith('ok')).length;
console.log(`without the agent: ${count(plain)} of ${plain.length} pass`);
console.log(`with the agent: ${count(observed)} of ${observed.length} pass`);
const [before, after] = [new Set(plain), new Set(observed)];
for (const result of plain) if (!after.has(result)) console.log(`only without: ${result}`);
for (const result of observed) if (!before.has(result)) console.log(`only with: ${result}`);
process.exitCode = plain.length > 2000 && plain.sort().join() === observed.sort().join() ? 0 : 1;
