// SPDX-License-Identifier: Apache-2.0

// What a heap snapshot costs to read, beside Chrome DevTools' own code and memlab's. "one" is a
// summary; "open" is load, dominators, retained sizes and the class of each object alone, where the
// others' "one" also adds classes up; "two" is the comparison of two. "packed" and "packed two" are
// "open" and "two" of the same as 'nodiag heap snapshot' and 'convert' write them.

import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

import {
  choose,
  makeFolder,
  node,
  nodiag,
  ours,
  removeFolder,
  report,
  rounds,
  runTimed,
  Series,
  sizes,
} from './lib.mjs';

/** By the number of users that the program has. */
const usersOf = { '20M': 7000, '200M': 96000, '1G': 480000, '3G': 3800000 };

/** V8 needs too much memory for such a snapshot, so a script makes it; the others cannot open it. */
const HUGE = '3G';

const devtools = ours('../format/node_modules/chrome-devtools-frontend');
const memlab = ours('node_modules/@memlab/api');

/** A program that opens files, with as much memory as it wants. */
const run = (program) => (...files) => [
  node,
  '--max-old-space-size=12000',
  ours('programs', program),
  ...files,
];

const ways = {
  nodiag: {
    one: (file) => [nodiag, 'heap', 'summary', '--json', file],
    two: (before, after) => [nodiag, 'heap', 'diff', '--json', before, after],
    open: (file) => [nodiag, 'heap', 'show', '--json', '--limit', '1', file, '@1'],
    packed: (file) => [nodiag, 'heap', 'show', '--json', '--limit', '1', file, '@1'],
    'packed two': (before, after) => [nodiag, 'heap', 'diff', '--json', before, after],
  },
  DevTools: {
    missing: () => !existsSync(devtools) && "run 'npm ci' in tests/format",
    one: run('devtools.mjs'),
    two: run('devtools.mjs'),
  },
  memlab: {
    missing: () => !existsSync(memlab) && "run 'npm run peers' in tests/bench",
    one: run('memlab.mjs'),
    two: run('memlab.mjs'),
  },
};

/** Two snapshots of one process, the second a little larger. */
function takeSnapshots(folder, size) {
  const users = usersOf[size];
  const files = ['before', 'after'].map((name) => join(folder, `${name}.heapsnapshot`));
  if (size === HUGE)
    [users - users / 100, users].forEach((count, i) =>
      execFileSync(node, [ours('programs/big_heap.mjs'), files[i], count]),
    );
  else
    execFileSync(node, ['--max-old-space-size=8000', ours('programs/heap.cjs'), users, ...files]);
  return files;
}

const questions = ['one', 'two', 'open', 'packed', 'packed two'];

/** What a question is compared with: what others need for the same, or we the first time. */
function baseOf(question) {
  if (question === 'packed') return 'nodiag/open';
  return question.endsWith('two') ? 'DevTools/two' : 'DevTools/one';
}

/** Each round's share of what the base needed in it. */
function share(series, name, base) {
  const theirs = series.get(base);
  return series.get(name).flatMap((value, i) => (theirs[i] ? [value / theirs[i]] : []));
}

async function measure(names, files, packed) {
  const series = new Series();
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      for (const question of questions) {
        if (!ways[name][question]) continue;
        const all = question.startsWith('packed') ? packed : files;
        const asked = question.endsWith('two') ? all : all.slice(1);
        const whole = await runTimed(ways[name][question](...asked));
        series.add(`${name}/${question}/cpu`, whole.cpuSeconds);
        series.add(`${name}/${question}/peak`, whole.peakMb);
      }
    }
  }
  return series;
}

function rowsOf(names, series, megabytes) {
  return names.flatMap((name) =>
    questions
      .filter((question) => ways[name][question])
      .map((question) => {
        const base = baseOf(question);
        const cpu = series.get(`${name}/${question}/cpu`);
        return {
          way: name,
          snapshots: question,
          'CPU s': cpu,
          'peak RSS MB': series.get(`${name}/${question}/peak`),
          'MB/s': cpu.map((seconds) => megabytes / seconds),
          beside: base.replace('/', ' '),
          'CPU, of its': share(series, `${name}/${question}/cpu`, `${base}/cpu`),
          'RSS, of its': share(series, `${name}/${question}/peak`, `${base}/peak`),
        };
      }),
  );
}

for (const size of sizes) {
  if (!usersOf[size]) throw new Error(`no size '${size}': ${Object.keys(usersOf).join()}`);
  const folder = makeFolder();
  const files = takeSnapshots(folder, size);
  const packed = files.map((file) => file.replace(/heapsnapshot$/, 'nd'));
  for (const file of files) execFileSync(nodiag, ['heap', 'convert', file], { stdio: 'ignore' });
  const names = choose(ways).filter((name) => size !== HUGE || name === 'nodiag');
  const series = await measure(names, files, packed);
  const megabytes = statSync(files[1]).size / 1e6;
  report(
    'heap',
    `Heap snapshots of ${megabytes.toFixed(0)} MB each`,
    rowsOf(names, series, megabytes),
  );
  removeFolder(folder);
}
