// SPDX-License-Identifier: Apache-2.0

// What rendering a large profile takes: folded stacks of 100,000 functions, each called in one
// place, to every format.

import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { makeFolder, nodiag, report, rounds, runTimed, Series } from './lib.mjs';

const FUNCTIONS = 100_000;
const DEPTH = 64;

const formats = ['html', 'svg', 'folded', 'pprof', 'speedscope', 'cpuprofile', 'json'];

/** Always the same numbers from 0 to 1. */
function makeRandom() {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A tree in which later functions are called by earlier ones, mostly by recent ones, so deep. */
function makeStacks() {
  const random = makeRandom();
  const nodes = [{ stack: 'main', depth: 1, leaf: true }];
  while (nodes.length < FUNCTIONS) {
    const id = nodes.length;
    const back = Math.floor(id * random() ** 8);
    const parent = nodes[id - 1 - back];
    if (parent.depth === DEPTH) continue;
    parent.leaf = false;
    const frame = `function${id} (/srv/app/src/module${id % 997}.js:${(id % 400) + 1}:5)_[j]`;
    nodes.push({ stack: `${parent.stack};${frame}`, depth: parent.depth + 1, leaf: true });
  }
  const lines = nodes
    .filter(({ leaf }) => leaf)
    .map(({ stack }) => `${stack} ${1 + Math.floor(100 * random())}`);
  return `${lines.join('\n')}\n`;
}

const folder = makeFolder();
const input = join(folder, 'large.folded');
writeFileSync(input, makeStacks());

const series = new Series();
for (let round = 0; round < rounds; round++) {
  for (const format of formats) {
    const output = join(folder, `out.${format}`);
    const whole = await runTimed([nodiag, 'flame', '-f', format, '-o', output, '--force', input]);
    series.add(`${format}/seconds`, whole.seconds);
    series.add(`${format}/peak`, whole.peakMb);
    series.add(`${format}/bytes`, statSync(output).size / 2 ** 20);
  }
}

const rows = formats.map((format) => ({
  format,
  seconds: series.get(`${format}/seconds`),
  'peak RSS MB': series.get(`${format}/peak`),
  'output MB': series.get(`${format}/bytes`),
}));
const inputMb = (statSync(input).size / 2 ** 20).toFixed(1);
report('scale', `Rendering ${FUNCTIONS} functions from ${inputMb} MB of folded stacks`, rows);
