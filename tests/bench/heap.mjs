// SPDX-License-Identifier: Apache-2.0

// What a heap snapshot costs to read, of a program with some 20 MB and 200 MB of it, beside Chrome
// DevTools' own code. "one" is a summary; "open" is load, dominators, retained sizes and classes
// alone, as DevTools' "one" is; "packed" is the same of a file of 'nodiag heap convert'; "two" is the
// comparison of two.

import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { choose, makeFolder, node, nodiag, ours, report, rounds, runTimed, Series } from './lib.mjs';

/** By the number of users that the program has. */
const sizes = { '20 MB': 7000, '200 MB': 96000 };

const devtools = ours('../format/node_modules/chrome-devtools-frontend');

const ways = {
  nodiag: {
    one: (file) => [nodiag, 'heap', 'summary', '--json', file],
    two: (before, after) => [nodiag, 'heap', 'diff', '--json', before, after],
    open: (file) => [nodiag, 'heap', 'show', '--json', '--limit', '1', file, '@1'],
  },
  DevTools: {
    missing: () => !existsSync(devtools) && "run 'npm ci' in tests/format",
    one: (file) => [node, '--max-old-space-size=12000', ours('programs/devtools.mjs'), file],
    two: (...files) => [node, '--max-old-space-size=12000', ours('programs/devtools.mjs'), ...files],
  },
};

const folder = makeFolder();

/** Two snapshots of one process, the second a little larger. */
function takeSnapshots(users) {
  const files = ['before', 'after'].map((name) => join(folder, `${name}-${users}.heapsnapshot`));
  execFileSync(node, ['--max-old-space-size=8000', ours('programs/heap.cjs'), users, ...files]);
  return files;
}

for (const [size, users] of Object.entries(sizes)) {
  const files = takeSnapshots(users);
  const packed = join(folder, `after-${users}.nd`);
  execFileSync(nodiag, ['heap', 'convert', files[1], '-o', packed], { stdio: 'ignore' });
  const names = choose(ways);
  const series = new Series();
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      for (const [question, argv] of [
        ['one', ways[name].one(files[1])],
        ['two', ways[name].two(...files)],
        ['open', ways[name].open?.(files[1])],
        ['packed', ways[name].open?.(packed)],
      ]) {
        if (!argv) continue;
        const whole = await runTimed(argv);
        series.add(`${name}/${question}/cpu`, whole.cpuSeconds);
        series.add(`${name}/${question}/peak`, whole.peakMb);
      }
    }
  }
  const megabytes = statSync(files[1]).size / 1e6;
  const rows = names.flatMap((name) =>
    ['one', 'two', ...(ways[name].open ? ['open', 'packed'] : [])].map((question) => ({
      way: name,
      snapshots: question,
      'CPU s': series.get(`${name}/${question}/cpu`),
      'peak RSS MB': series.get(`${name}/${question}/peak`),
      'MB/s': series.get(`${name}/${question}/cpu`).map((seconds) => megabytes / seconds),
    })),
  );
  report('heap', `Heap snapshots of ${size}: ${megabytes.toFixed(1)} MB each`, rows);
}
